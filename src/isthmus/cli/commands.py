"""A verb is a Python function; its flags and its help are read from its signature and its docstring.

Positional parameters become arguments, keyword parameters become flags. Three parameters stand for several flags:
``opening`` for those of :func:`isthmus.data.open`, ``parameters`` for the fields of the model to be fitted, and ``job``
for those of :mod:`isthmus.cli.jobs`. What means the same to every verb is said once, in ``SHARED``; a docstring that
names it says something else.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from isthmus import files, launch, watch
from isthmus.cli import docstrings, outputs
from isthmus.cli.terminal import Interrupted, Result, Terminal
from isthmus.errors import ParameterError

__all__ = ["COMMON", "NO_RECORDS", "Flag", "add_command", "flags_of_function", "use_threads"]


Verb = Callable[..., Result]

SHORT = {"output": "-o", "model": "-m", "quiet": "-q", "stdout": "-c"}
METAVARS = {
    "output": "PATH",
    **dict.fromkeys(("config", "each", "intervals", "mask", "model", "onnx", "picture", "save", "storage"), "FILE"),
    "contamination": "SHARE",
    "models": "NAME,...",
    "pictures": "FOLDER",
    "provenance": "COLUMN",
    **dict.fromkeys(("reference", "train"), "DATA"),
    "memory": "SIZE",
    "report": "PATH",
    "rows": "N,N",
    "where": "COLUMN=VALUE,...",
}
COMMON = {
    "json": "Print the result as one JSON object.",
    "quiet": "Print nothing but the result and errors.",
    "debug": "Show where an error came from.",
}
GUARD = "Put an apostrophe before text in .csv and .tsv that a spreadsheet would run as a formula (=, +, -, @)."
NO_RECORDS = ("archive", "compress", "decompress", "fit_codec")  # functions about bytes, for which no torch is loaded
TOGETHER = ("fit",)  # functions that the processes of torchrun run together
NO_TABLES = (
    *NO_RECORDS,
    "fit",
    "report",
    "map",
    "tune",
    "explain",
    "traverse",
    "demo",
    "enhance",
)  # verbs whose output is no table
SHARED = {
    "data": "Records: a file, a folder or pattern of images, or a named set.",
    "model": "The model's file.",
    "seed": "Of everything random.",
    "device": "Where to compute: cpu, cuda, mps, auto; by default where a model was fitted, and auto for a new one.",
    "threads": "Processor threads to use.",
    "force": "Overwrite what is there.",
}
KINDS = {
    "bool": bool,
    "bool | None": bool | None,
    "int": int,
    "int | None": int | None,
    "float": float,
    "float | None": float | None,
    "list[str]": list[str],
    "list[str] | None": list[str] | None,
}


@dataclass(frozen=True)
class Flag:
    """One flag or argument of a verb.

    Parameters
    ----------
    name : str
        Of the parameter that gets its value.
    help : str
        What it means.
    kind : type
        What its text is turned into; ``str`` leaves it as it is.
    default : object
        Without the flag; ``inspect.Parameter.empty`` makes it required.
    metavar : str or None
        What stands for its value in help.
    argument : bool
        Whether it is positional.
    flag : str or None
        Its long name, where it is not the parameter's.
    """

    name: str
    help: str
    kind: Any = str
    default: Any = None
    metavar: str | None = None
    argument: bool = False
    flag: str | None = None

    @property
    def long(self) -> str:
        """Its name on the command line."""
        return self.flag or "--" + self.name.strip("_").replace("_", "-")

    def parameter(self) -> inspect.Parameter:
        """Return it as a parameter of a function that typer reads."""
        if self.argument:
            information: Any = typer.Argument(help=self.help, metavar=self.name.upper(), show_default=False)
        else:
            decls = [self.long, *([SHORT[self.name]] if self.name in SHORT else [])]
            if self.kind == bool | None:
                decls[0] = f"{self.long}/--no-{self.long[2:]}"
            shown = not any(self.default is one for one in (None, False, inspect.Parameter.empty))  # 0 is shown
            metavar = None if self.kind in (bool, bool | None) else self.metavar or _metavar(self)
            information = typer.Option(*decls, help=self.help, metavar=metavar, show_default=shown)
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=self.default,
            annotation=Annotated[self.kind, information],
        )


def flags_of_function(function: Callable[..., Any], *, leave_out: Iterable[str] = ()) -> list[Flag]:
    """Return the flags of a function: its keyword parameters; and its arguments, the parameters before them."""
    said = docstrings.of_function(function)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in leave_out:
            continue
        found.append(
            Flag(
                parameter.name,
                docstrings.plain(said.parameters.get(parameter.name) or SHARED.get(parameter.name, "")),
                KINDS.get(
                    str(parameter.annotation), str if parameter.default in (inspect.Parameter.empty,) else str | None
                ),
                parameter.default,
                metavar="|".join(said.choices(parameter.name)) or None,
                argument=parameter.kind is not inspect.Parameter.KEYWORD_ONLY,
            )
        )
    return found


def add_command(
    app: typer.Typer,
    name: str,
    function: Verb,
    groups: dict[str, list[Flag]],
    *,
    command: str,
    of_records: bool = True,
    settings: dict[str, Any] | None = None,
) -> None:
    """Make a verb a command of an application.

    Parameters
    ----------
    app : typer.Typer
        The application.
    name : str
        Of the command.
    function : callable
        ``function(terminal, *arguments, **flags)`` returns a :class:`Result`.
    groups : dict of str to list of Flag
        What the parameters stand for that stand for several flags; such a parameter gets a dict.
    command : str
        The whole command line, as a person typed it.
    of_records : bool, default=True
        Whether it is about records, for which torch may be loaded, and of which something may be told.
    settings : dict, optional
        Of the command's context.
    """
    said = docstrings.of_function(function)
    own = flags_of_function(function, leave_out=("terminal", *groups))
    common = [Flag(key, text, bool, False) for key, text in COMMON.items()]
    writes = name not in NO_TABLES and any(flag.name == "output" for flag in own)
    guard = [Flag("guard_formulas", GUARD, bool, False)] if writes else []
    flags = [*own, *(flag for group in groups.values() for flag in group), *guard, *common]

    def run(**values: Any) -> None:
        silent = not launch.is_first()
        terminal = Terminal(json=values.pop("json"), quiet=values.pop("quiet"), command=command, silent=silent)
        if function.__name__ not in TOGETHER and launch.size() > 1:
            raise ParameterError(
                f"{command} is for one process; each of the {launch.size()} that torchrun started would do the same."
            )
        outputs.GUARD_FORMULAS.set(values.pop("guard_formulas", False))
        del values["debug"]  # looked at by the caller, who turns errors into sentences
        for group, members in groups.items():
            values[group] = {flag.name: values.pop(flag.name) for flag in members}
        if "seed" in values:
            from isthmus.checks.parameters import integer

            integer("isthmus", "--seed", values["seed"], low=0)
        if values.get("threads") is not None:
            use_threads(values["threads"], of_torch=of_records)
        try:
            with files.claims(), watch.watched():
                result = (_told if of_records else _done)(function, terminal, values)
            terminal.show(result)
        except KeyboardInterrupt as stop:
            raise Interrupted(str(stop)) from stop
        if not result.passed:
            raise typer.Exit(1)

    parameters = [flag.parameter() for flag in sorted(flags, key=lambda flag: not flag.argument)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(
        name,
        help=_help(said),
        short_help=docstrings.plain(said.summary),
        context_settings={"help_option_names": ["-h", "--help"], **(settings or {})},
    )(run)


def _done(function: Verb, terminal: Terminal, values: dict[str, Any]) -> Result:
    return function(terminal, **values)


def _told(function: Verb, terminal: Terminal, values: dict[str, Any]) -> Result:
    """Run a verb, and tell of records that are unlike those of the fit."""
    from isthmus import telling

    with telling.of_command() as told:
        result = function(terminal, **values)
        if notes := told.sentences():
            terminal.say(*(f"note: {sentence}" for sentence in notes))
            result.document.setdefault("notes", notes)
    return result


def _help(said: docstrings.Docstring) -> str:
    """Return the text of ``--help``: examples first."""
    examples = "\n".join(line.strip() for line in said.examples.splitlines() if line.strip())
    # Backspace on a line of its own keeps the lines of a paragraph apart.
    return docstrings.plain(f"\b\n{examples}\n\n{said.summary}\n\n{said.description}".rstrip())


def _metavar(flag: Flag) -> str:
    kinds = {int: "N", int | None: "N", float: "X", float | None: "X"}
    if flag.kind in kinds:
        return kinds[flag.kind]
    return METAVARS.get(flag.name, flag.name.strip("_").upper())


def use_threads(threads: int, *, of_torch: bool) -> None:
    """Let torch use so many processor threads; a verb that does without it uses them itself."""
    from isthmus.checks.parameters import integer

    integer("isthmus", "--threads", threads, low=1)
    if not of_torch:
        return
    import torch

    torch.set_num_threads(threads)
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].set_cpu_count(threads)

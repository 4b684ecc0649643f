"""The program: verbs, help, and the message and exit code of every error."""

from __future__ import annotations

import errno
import io
import itertools
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer

from isthmus import __version__, launch, plain, watch
from isthmus.cli import docstrings
from isthmus.cli.commands import COMMON, NO_RECORDS, Flag, add_command, flags_of_function
from isthmus.cli.terminal import Interrupted, drop_output, ending_signals
from isthmus.errors import DataError, IsthmusError, OutOfMemoryError

__all__ = ["main"]

# verb: the module of isthmus.cli that has the function of that name
VERBS = {
    "demo": "demo",
    "inspect": "inspection",
    "fit": "fit",
    "encode": "transform",
    "decode": "transform",
    "reconstruct": "transform",
    "denoise": "restoring",
    "inpaint": "restoring",
    "enhance": "restoring",
    "sample": "generate",
    "interpolate": "generate",
    "traverse": "generate",
    "augment": "generate",
    "classify": "classify",
    "map": "map",
    "cluster": "cluster",
    "detect": "detect",
    "impute": "impute",
    "tune": "tune",
    "explain": "explain",
    "compress": "compress",
    "decompress": "compress",
    "archive": "archive",
    "score": "evaluation",
    "compare": "evaluation",
    "report": "evaluation",
    "doctor": "doctor",
    "export": "export",
    "info": "inspection",
    "verify": "inspection",
    "models": "inspection",
}

HELP = """\b
isthmus demo
isthmus fit photos/ -o photos.safetensors
isthmus report photos/ -m photos.safetensors

Learn a code for your own images, tables, arrays or text, and use it: restore, draw, map, cluster, classify, detect.

Results go to standard output, everything else to standard error. isthmus VERB --help shows examples first.
"""

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a check failed, or something went wrong while running
  2    a flag or a parameter is not allowed
  3    the data cannot be used
  4    a file is damaged, or not what it should be
  5    a device, a package or a data set is not at hand
  6    a file is of a later format
  7    memory ran out
  130  interrupted (143 where the system said so); fit keeps a checkpoint
"""

INTERRUPTED = 130  # by Ctrl-C; by another signal it is 128 and its number

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a disk says in the middle of writing

UsageError: Any = typer.BadParameter.__bases__[0]  # of the parser that typer is built on, wherever it lives


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no name of a file or column may stop the printing
    with ending_signals() as received:
        try:
            with _warnings_as_notes():
                command = typer.main.get_command(_application(given))
                code = int(command.main(args=given, prog_name="isthmus", standalone_mode=False) or 0)
            _flush()
        except SystemExit as stop:  # a reader that went away, as in `isthmus models | head -1`
            return stop.code if isinstance(stop.code, int) else 1
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a person gets a sentence, never a traceback
            if "--debug" in given:
                traceback.print_exc()
            sentence, code = explain(error)
            if watch.speaks(error):
                print(f"isthmus: {plain.sentence(sentence.removeprefix('isthmus: '))}", file=sys.stderr)
    return 128 + received[0] if code == INTERRUPTED and received else code


def _flush() -> None:
    """Write out what was printed, while there is still someone to be told that it cannot be."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        raise SystemExit(1) from None
    except OSError:
        drop_output()
        raise


def explain(error: BaseException) -> tuple[str, int]:
    """Return the sentence and the exit code of anything that was raised."""
    if type(error).__name__ == "Abort" and error.__cause__ is not None:  # the parser's word for it
        error = error.__cause__
    if isinstance(error, IsthmusError):
        return " ".join(str(error).splitlines()), error.exit_code  # line breaks that are left are meant, and ours
    if isinstance(error, UsageError):
        verb = error.ctx.command_path if error.ctx else "isthmus"
        said = error.format_message().rstrip(".")
        return f"{said}{' See' if said.endswith('?') else '; see'} {verb} --help.", error.exit_code
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return str(error) or "interrupted", INTERRUPTED
    if _is_out_of_memory(error):
        return "memory ran out; use smaller batches or fewer records.", OutOfMemoryError.exit_code
    if isinstance(error, FileNotFoundError):
        return _about_file(error, "there is no such file"), DataError.exit_code
    if isinstance(error, OSError):
        return _about_file(error, "the file could not be read or written"), 1
    return (
        f"this is a bug: {type(error).__name__}: {error}. Run it again with --debug to see where it comes from, "
        f"and report that.",
        1,
    )


def _about_file(error: OSError, otherwise: str) -> str:
    """Return what the system says about a file; the sentence of an error that isthmus raised itself."""
    if error.errno is None:
        return str(error) or otherwise
    said = error.strerror or otherwise
    if not isinstance(error.filename, str | bytes):  # outputs always have a name
        return f"the result could not be printed: {said}." if error.errno in FULL else f"{said}."
    written = "; nothing half-written was left behind" if error.errno in FULL else ""
    return f"{os.fsdecode(error.filename)}: {said}{written}."


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's own class is a RuntimeError, and torch may not be loaded.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error))
    )


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Print warnings as sentences, without the line of code that they come from."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if launch.is_first():
            print(plain.sentence(f"note: {message}"), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


# ------------------------------------------------------------------ the application


def _application(arguments: Sequence[str]) -> typer.Typer:
    """Return the program; only the verb that is called gets its flags, for which heavy packages may be loaded."""
    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=settings)
    app.callback(help=HELP, epilog=EXIT_CODES, invoke_without_command=True)(_program)
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, module in VERBS.items():
        function = getattr(import_module(f"isthmus.cli.{module}"), name)
        if name != called:
            summary = docstrings.plain(docstrings.of_function(function).summary)
            app.command(name, short_help=summary)(_placeholder)
            continue
        if name == "fit":
            function = _fit_of(arguments) or function
        groups = _groups(name, function, arguments)
        defaults = _defaults(function, groups, arguments) if function.__name__ == "fit" else {}
        command = shlex.join(["isthmus", *arguments])
        of_records = function.__name__ not in NO_RECORDS
        context: dict[str, Any] = {"default_map": defaults}
        add_command(app, name, function, groups, command=command, of_records=of_records, settings=context)
    return app


def _fit_of(arguments: Sequence[str]) -> Any:
    """Return what fits the model that a command names, where it has flags of its own, none of which is another's."""
    from isthmus import checks
    from isthmus.cli import config, registry

    (named,) = config.scan(arguments, "--model/-m")
    model = str(named).lower()
    function = registry.own_fit(model)
    if function is None:
        return None
    own = [flag.long for flag in flags_of_function(function, leave_out=("terminal", "data"))]
    known = [*own, *(f"--{name}" for name in COMMON), "--help"]
    for word in itertools.takewhile("--".__ne__, arguments):
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            raise checks.no_flag_of(model, flag, own)
    return function


def _program(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        print(f"isthmus {__version__}")


def _placeholder() -> None:
    """Stand for a verb that is not called."""


def _groups(name: str, function: Any, arguments: Sequence[str]) -> dict[str, list[Flag]]:
    """Return the flags behind those parameters of a verb that stand for several."""
    import inspect

    from isthmus.cli import inputs

    groups: dict[str, list[Flag]] = {}
    wanted = inspect.signature(function).parameters
    if "parameters" in wanted:
        from isthmus.cli import registry

        model, settings = _model_and_settings(function, arguments)
        cls = registry.model_class(model)
        flags = {word.removeprefix("--").partition("=")[0] for word in arguments if word.startswith("--")}
        registry.refuse_old_names(cls, flags | settings.keys())
        groups["parameters"] = registry.flags_of_model(cls)
    if "opening" in wanted:
        groups["opening"] = inputs.flags_of_opening()
    return groups


def _model_and_settings(function: Any, arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the model that a command names, in its flags or in its file of settings, and these settings."""
    from isthmus.cli import config

    named, path = config.scan(arguments, "--model/-m", "--config")
    settings = {} if path is None else config.read(path)
    return str(named or settings.get("model") or function.__kwdefaults__["model"]), settings


def _defaults(function: Any, groups: dict[str, list[Flag]], arguments: Sequence[str]) -> dict[str, Any]:
    """Return what takes the place of flags that are not given: the settings of a file, where one is named."""
    from isthmus.cli import config

    (path,) = config.scan(arguments, "--config")
    if path is None:
        return {}
    own = flags_of_function(function, leave_out=("terminal", "config", *groups))
    return config.defaults_from(path, config.read(path), [*own, *(flag for group in groups.values() for flag in group)])

"""Verb ``doctor``: find what is wrong with a model."""

from __future__ import annotations

import argparse
import inspect
import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import config, inputs, registry
from isthmus.cli.terminal import Result, Terminal, counted, wrapped

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data
    from isthmus.tasks import Diagnosis, Finding

__all__ = ["doctor", "fit_again"]


def doctor(
    terminal: Terminal,
    model: str,
    data: str | None = None,
    *,
    train: str | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    opening: Mapping[str, Any],
) -> Result:
    """Diagnose a model: its faults, the worst first, each with its evidence and a command to try.

    Nothing is trained. Without DATA only what the file itself knows is looked at: how training went, and what the
    decoder does. With DATA also what the model makes of records; of the data of the fit, those that it never saw.

    The exit code is 1 where something was found.

    Parameters
    ----------
    data : str
        Records to judge it by: a file, a folder or pattern of images, or a named set; best the data of the fit.
    train : str
        Records that it was fitted on, where DATA are others: copies among new records show beside them.
    seed : int
        Of the records chosen and drawn.

    Examples
    --------
    isthmus doctor model.safetensors digits
    isthmus doctor model.safetensors
    isthmus doctor model.safetensors new.csv --train survey.csv --json
    """
    from isthmus import tasks
    from isthmus.checks.tasks import needs_records

    needs_records("doctor", "--train", train, data)
    fitted = inputs.load_model(model, device)
    judged, seen = _records(terminal, fitted, data, train, opening)
    found = tasks.examine(fitted, judged, train=seen, random_state=seed)
    commands = [fit_again(fitted, finding.changes, model) for finding in found.findings]
    document = {
        "model": model,
        "data": data,
        "passed": not found.findings,
        "findings": [
            finding.to_dict() | {"command": command} for finding, command in zip(found.findings, commands, strict=True)
        ],
        "looked_at": found.looked_at,
        "not_looked_at": found.not_looked_at,
    }
    return Result(document, list(_lines(model, found, commands)), passed=not found.findings)


def _records(
    terminal: Terminal, fitted: Model, data: str | None, train: str | None, opening: Mapping[str, Any]
) -> tuple[Data | None, Data | None]:
    """Return the records to judge a model by, and those that it was fitted on."""
    if data is None:
        return None, None
    opened = inputs.open_for(terminal, fitted, data, opening)
    if train is None:
        return inputs.rows_to_judge(terminal, fitted, opened, "auto")
    return opened, inputs.open_for(terminal, fitted, train, opening)


# ------------------------------------------------------------------ what a person sees


def _lines(model: str, found: Diagnosis, commands: list[str]) -> Iterator[str]:
    """Yield a summary, the findings, and what was not looked at."""
    checks = f"{counted(len(found.looked_at), 'check')} made, {len(found.not_looked_at)} not"
    n = len(found.findings)
    yield f"{counted(n, 'finding')} in {model}: {checks}" if n else f"Nothing found in {model}: {checks}"
    for rank, (finding, command) in enumerate(zip(found.findings, commands, strict=True), 1):
        yield ""
        yield from _about(rank, finding, command)
    if found.not_looked_at:
        yield ""
        yield "Not looked at:"
    for reason, checks_of_it in _by_reason(found.not_looked_at).items():
        yield from wrapped(f"{', '.join(checks_of_it)} ({reason})", first="- ", others="  ")


def _about(rank: int, finding: Finding, command: str) -> Iterator[str]:
    yield f"{rank}. {finding.kind.replace('-', ' ')} ({finding.grade})"
    yield from wrapped(finding.sentence, first="   ")
    yield from _named("figures", _figures(finding.evidence))
    yield from _named("advice", finding.advice)
    if command or finding.code:
        yield f"   try      {command or finding.code}"  # in one piece, to be copied


def _named(name: str, text: str) -> list[str]:
    """Return a text behind its name."""
    return wrapped(text, first=f"   {name:9}", others=" " * 12) if text else []


def _figures(evidence: Mapping[str, Any]) -> str:
    """Return the numbers and names of an evidence in words; lists are left to ``--json``."""
    said = {name.replace("_", " "): _figure(value) for name, value in evidence.items()}
    return ", ".join(f"{name} {text}" for name, text in said.items() if text)


def _figure(value: Any) -> str:
    from isthmus.report.formatting import number

    if isinstance(value, str):
        return value
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        return ""
    plain = float(value)
    return number(int(plain) if plain.is_integer() else plain, 3)


def _by_reason(not_looked_at: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for what, reason in not_looked_at.items():
        found.setdefault(reason, []).append(what)
    return found


# ------------------------------------------------------------------ the command to try


def fit_again(fitted: Model, changes: Mapping[str, Any], path: str) -> str:
    """Return the command that fitted a model, with other parameters and another file to write.

    Parameters
    ----------
    fitted : Model
        As loaded from its file.
    changes : mapping of str to object
        Parameters and their new values.
    path : str
        The model's file; the first free name beside it is written to.

    Returns
    -------
    str
        Empty where there is nothing to change, or where no command fitted the model.
    """
    words = shlex.split(fitted.provenance_.get("command", "")) if changes else []
    if words[:2] != ["isthmus", "fit"]:
        return ""
    flags = {flag.name: flag.long for flag in registry.flags_of_model(type(fitted))}
    kept = _without(words, [flags[name] for name in changes], set(changes))
    # What the settings in a file say has to be unsaid.
    has_file = any(word.split("=")[0] == "--config" for word in kept)
    usual = inspect.signature(type(fitted)).parameters
    for name, value in changes.items():
        if has_file or value != usual[name].default:
            kept += [flags[name], config.as_typed(value)]
    return shlex.join([*kept, "--output", _free_name(path)])


def _without(words: list[str], flags: list[str], names: set[str]) -> list[str]:
    """Return the words of a command without some parameters, in whichever way they were given, and without outputs."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in flags:
        parser.add_argument(flag)
    parser.add_argument("--output", "-o")
    parser.add_argument("--set", action="append", default=[])
    for switch in ("--resume", "--force"):
        parser.add_argument(switch, action="store_true")
    given, kept = parser.parse_known_args(words)
    others = [pair for pair in given.set if pair.partition("=")[0].strip().replace("-", "_") not in names]
    return [*kept, *(word for pair in others for word in ("--set", pair))]


def _free_name(path: str) -> str:
    """Return the first name of the form model-2.safetensors that is not taken."""
    file = Path(path)
    stem = re.sub(r"-\d+$", "", file.stem)
    names = (file.with_name(f"{stem}-{number}{file.suffix}") for number in itertools.count(2))
    return str(next(name for name in names if not name.exists()))

"""Settings of ``isthmus fit`` read from a file, and written in the same form."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isthmus.cli.commands import Flag
from isthmus.errors import ParameterError

__all__ = ["as_typed", "defaults_from", "read", "scan"]

SETTINGS_BYTES = 2**20  # a file of settings is a page of text


def scan(arguments: Sequence[str], *names: str) -> list[str | None]:
    """Return the values of a few flags before the others are known, as in ``--model NAME`` or ``-m NAME``."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in names:
        parser.add_argument(*name.split("/"), dest=name, nargs="?")
    found, _ = parser.parse_known_args([argument for argument in arguments if argument != "--"])
    return [getattr(found, name) for name in names]


def read(path: str) -> dict[str, Any]:
    """Return the settings of a TOML or JSON file.

    Raises
    ------
    DataError
        There is no such file, it is no file but a pipe or the like, it is too large, or it is neither.
    ParameterError
        It holds something else than names and values.
    """
    from isthmus.checks.data import unreadable_settings
    from isthmus.data.reading import decoding, read_text

    text = read_text(Path(path), SETTINGS_BYTES, unreadable_settings)
    with decoding(path, "it is no valid TOML or JSON", unreadable_settings):
        settings = json.loads(text) if path.lower().endswith(".json") else tomllib.loads(text)
    if not isinstance(settings, dict):
        raise ParameterError(f"--config: {path} must hold names and values; it holds a {type(settings).__name__}.")
    return settings


def defaults_from(path: str, settings: dict[str, Any], flags: Iterable[Flag]) -> dict[str, Any]:
    """Return settings as the defaults of a command's flags.

    Raises
    ------
    ParameterError
        A name is that of no flag; the nearest is named.
    """
    from isthmus.checks.parameters import known_names

    by_name = {flag.long.removeprefix("--").replace("-", "_"): flag for flag in flags}
    by_name |= {flag.name: flag for flag in by_name.values()}
    renamed = {name.replace("-", "_"): value for name, value in settings.items()}
    known_names(f"--config {path}", renamed, sorted(by_name))
    return {by_name[name].name: _as_text(by_name[name], value) for name, value in renamed.items() if value is not None}


def _as_text(flag: Flag, value: Any) -> Any:
    """Return a value as a person would type it after its flag."""
    if flag.kind in (bool, bool | None):
        return value
    if flag.kind == list[str] | None:
        pairs = value.items() if isinstance(value, dict) else None
        return [f"{key}={as_typed(item)}" for key, item in pairs] if pairs is not None else list(value)
    return as_typed(value)


def as_typed(value: Any) -> str:
    """Return one value as a person would type it: 128,64 and true and none."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)

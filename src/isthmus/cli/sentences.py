"""The sentence and the exit code of everything that may be raised."""

from __future__ import annotations

import errno
import os
from typing import Any

import typer

from isthmus.cli.terminal import Interrupted
from isthmus.errors import DataError, IsthmusError, OutOfMemoryError

__all__ = ["INTERRUPTED", "explain"]

INTERRUPTED = 130  # by Ctrl-C; by another signal it is 128 and its number

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a disk says in the middle of writing

UsageError: Any = typer.BadParameter.__bases__[0]  # of the parser that typer is built on, wherever it lives


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

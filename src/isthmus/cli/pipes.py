"""Bytes that come through the standard input and go to the standard output."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import BinaryIO

from isthmus import checks
from isthmus.cli.terminal import Terminal, drop_output
from isthmus.coding.sources import opened_file
from isthmus.errors import ParameterError

__all__ = ["PIECE", "STANDARD", "as_it_comes", "opened_input", "standard_output"]

STANDARD = "-"  # the name of both
PIECE = 1 << 16  # bytes that are read at once
WAIT = 0.1  # seconds between two looks for a signal


@contextmanager
def standard_output(terminal: Terminal, verb: str, output: str | None, wanted: bool) -> Iterator[BinaryIO | None]:
    """Give the standard output for bytes, None where they go elsewhere.

    Parameters
    ----------
    terminal : Terminal
        Of which the result must not go there, too.
    verb : str
        For sentences.
    output : str or None
        What ``--output`` names.
    wanted : bool
        Whether ``--stdout`` is given, or something else says so.
    """
    if not wanted and output != STANDARD:
        yield None
        return
    if output not in (None, STANDARD):
        raise ParameterError(f"{verb}: --output and --stdout do not go together; leave one of them out.")
    if terminal.json:
        raise ParameterError(f"{verb}: --json would mix with the bytes; write them to a file with -o.")
    if verb == "compress" and sys.stdout.isatty():
        raise checks.output_is_a_terminal(verb)
    sys.stdout.flush()
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # a reader that went away, as in `isthmus decompress -c x.isth | head -1`
        drop_output()
        raise SystemExit(1) from None


@contextmanager
def opened_input(verb: str, path: str, *, searchable: bool) -> Iterator[BinaryIO]:
    """Give a file that is named, or the standard input; where it has to be searched, a copy of that.

    Parameters
    ----------
    verb : str
        For sentences.
    path : str
        A file; ``-`` is the standard input.
    searchable : bool
        Whether any place of it must be within reach.
    """
    if path != STANDARD:
        with opened_file(path) as file:
            yield file
        return
    if sys.stdin.isatty():
        raise checks.input_is_a_terminal(verb)
    if not searchable:
        yield sys.stdin.buffer
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy


def as_it_comes(verb: str, received: Sequence[int]) -> Iterator[bytes]:
    """Yield what comes through the standard input, and nothing from time to time, until its end or a signal.

    Parameters
    ----------
    verb : str
        For sentences.
    received : sequence of int
        Signals so far: with the first one, only what has come already is yielded.
    """
    if sys.stdin.isatty():
        raise checks.input_is_a_terminal(verb)
    came: queue.Queue[bytes | OSError] = queue.Queue(16)

    def read() -> None:
        try:
            while piece := os.read(sys.stdin.fileno(), PIECE):
                came.put(piece)
            came.put(b"")
        except OSError as error:
            came.put(error)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            piece = came.get(timeout=WAIT) if not received else came.get_nowait()
        except queue.Empty:
            if received:
                return
            yield b""
            continue
        if isinstance(piece, OSError):
            raise piece
        if not piece:
            return
        yield piece

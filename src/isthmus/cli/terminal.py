"""Terminal output: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread, current_thread, main_thread
from typing import Any

from isthmus import plain
from isthmus.report.formatting import counted

__all__ = [
    "Interrupted",
    "Result",
    "Terminal",
    "columns",
    "counted",
    "drop_output",
    "ending_signals",
    "plain_json",
    "shape_words",
    "signals_at_the_end",
    "wrapped",
]

SECONDS = 1.0  # between two lines about a stream that is being read
WIDEST = 120  # characters in a line of prose: longer ones are hard to follow


ENDING = ("SIGTERM", "SIGHUP")  # what ends a run beside Ctrl-C: the system, a scheduler, a terminal that is closed


@contextmanager
def ending_signals() -> Iterator[list[int]]:
    """Let signals that end a program do what Ctrl-C does; give the list of those received."""
    received: list[int] = []

    def stop(number: int, _: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {}
    if current_thread() is main_thread():
        usual = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
        before = {number: signal.signal(number, stop) for number in usual if signal.getsignal(number) == signal.SIG_DFL}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_at_the_end(sentence: str) -> Iterator[list[int]]:
    """Let what would end a run wait for the end of the block, so that what it writes is whole; a second does not wait.

    Parameters
    ----------
    sentence : str
        What a person is told who interrupted.

    Yields
    ------
    list of int
        The signals received: the block is to come to its end once there is one.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        received.append(number)
        if len(received) > 1:
            before[number](number, frame)

    if current_thread() is main_thread():
        usual = [getattr(signal, name) for name in ("SIGINT", *ENDING) if hasattr(signal, name)]
        before = {number: signal.signal(number, note) for number in usual if callable(signal.getsignal(number))}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        try:
            before[received[0]](received[0], None)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(sentence) from None


class Interrupted(Exception):  # noqa: N818 - a person pressed Ctrl-C
    """Carries the sentence of an interruption past the parser, which would swallow it."""


@dataclass(frozen=True)
class Result:
    """What a verb found out.

    Parameters
    ----------
    document : dict
        For machines: what ``--json`` prints.
    lines : sequence of str
        For people.
    passed : bool
        False where a check failed: exit code 1.
    exact : bool
        Whether lines are to be read by a program, and never shortened.
    """

    document: dict[str, Any]
    lines: Sequence[str] = field(default_factory=tuple)
    passed: bool = True
    exact: bool = False


@dataclass(frozen=True)
class Terminal:
    """The two streams of a command.

    Parameters
    ----------
    json : bool
        Whether the result is printed as one JSON object.
    quiet : bool
        Whether only the result and errors are printed.
    command : str
        As a person typed it.
    silent : bool
        Whether nothing at all is printed: another process of the same run does so.
    """

    json: bool = False
    quiet: bool = False
    command: str = "isthmus"
    silent: bool = False

    def say(self, *sentences: str) -> None:
        """Tell a person something on the way."""
        if not self.quiet and not self.silent:
            for sentence in sentences:
                print(plain.sentence(sentence), file=sys.stderr, flush=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[Callable[[int], None]]:
        """Tell a person at a terminal how much of a stream has come, once that takes longer than a second.

        Parameters
        ----------
        name : str
            Of the stream.

        Yields
        ------
        callable
            Is told the bytes so far.
        """
        if self.quiet or self.silent or not sys.stderr.isatty():
            yield lambda _: None
            return
        read, ended = 0, Event()

        def tell(size: int) -> None:
            nonlocal read
            read = size

        def watch() -> None:
            while not ended.wait(SECONDS):
                text = plain.sentence(f"reading {name}: {read / 2**20:,.0f} MiB" if read else f"waiting for {name}")
                print(f"\r{text:60}", end="", file=sys.stderr, flush=True)
                shown.append(text)

        shown: list[str] = []
        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield tell
        finally:
            ended.set()
            watcher.join()
            if shown:
                print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)

    def show(self, result: Result) -> None:
        """Print the result of a verb."""
        if self.silent:
            return
        if self.json:
            # Where the output takes no other characters than those of ASCII, only JSON's own notation keeps it JSON.
            ascii_only = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
            print(plain.escaped(json.dumps(plain_json(result.document), allow_nan=False, ensure_ascii=ascii_only)))
            return
        for line in result.lines:
            print(plain.escaped(line) if result.exact else plain.shown(line))


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[str] = ()) -> list[str]:
    """Return a table as lines: the first column and those of words to the left, others to the right, none cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    head = [_cell(title) for title in head]
    rows = [[_cell(cell) for cell in row] for row in rows]
    for index, title in enumerate(head):
        table.add_column(Text(title), justify="left" if index == 0 or title in words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    # A width that never cuts anything off: the lines are to be read by programs, too.
    console = Console(width=2000, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def _cell(text: str) -> str:
    return plain.shortened(plain.escaped(text))


def wrapped(text: str, *, first: str = "", others: str | None = None) -> list[str]:
    """Return a text as lines no wider than the terminal, or than 100 characters where there is none.

    Parameters
    ----------
    text : str
        One paragraph.
    first : str
        What the first line begins with.
    others : str, optional
        What the others begin with; by default the same.
    """
    width = min(WIDEST, shutil.get_terminal_size((100, 24)).columns)
    indent = first if others is None else others
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def shape_words(sides: Sequence[int | None]) -> str:
    """Return a shape as a person writes it; a side that differs is "any"."""
    return " x ".join("any" if side is None else str(side) for side in sides)


def drop_output() -> None:
    """Let Python's own flush at its end succeed, where whoever read the output has gone away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain_json(value: Any) -> Any:
    """Return a value as JSON has it: no NaN, no NumPy."""
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if hasattr(value, "tolist"):
        return plain_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)

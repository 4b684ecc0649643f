"""How far a command is: a bar with speed and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from isthmus.bar import bar
from isthmus.cli.terminal import Terminal

__all__ = ["Meter", "metered", "metered_pixels", "metered_rows"]

SECONDS = 30.0  # between two lines about a job, where there is no terminal


class Meter:
    """Counts data and what they became, and shows it; several threads may tell it at a time.

    Parameters
    ----------
    total : int or None
        Bytes of data to come; None where nobody knows.
    shown : rich.progress.Progress, optional
        The bar.
    """

    def __init__(self, total: int | None, shown: Any = None) -> None:
        self.data = self.compressed = 0
        self._started, self._lock, self._bar = time.perf_counter(), Lock(), shown
        self._task = shown.add_task("", total=total) if shown else None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self._started

    def __call__(self, data: int, compressed: int) -> None:
        """Count so many bytes more of data, and of what they became."""
        with self._lock:
            self.data += data
            self.compressed += compressed
            if self._bar:
                self._bar.update(self._task, completed=self.data, description=self._words())

    def _words(self) -> str:
        speed = f"{self.data / 1e6 / max(self.seconds, 1e-9):.2f} MB/s"
        return f"{speed}, ratio {self.data / self.compressed:.2f}" if self.compressed else speed


@contextmanager
def metered(terminal: Terminal, total: int | None) -> Iterator[Meter]:
    """Give a meter that is shown until the block ends.

    Parameters
    ----------
    terminal : Terminal
        Whether a person wants to see it.
    total : int or None
        Bytes of data to come; None where nobody knows.
    """
    with _shown(terminal) as shown:
        yield Meter(total, shown)


@contextmanager
def metered_pixels(terminal: Terminal, total: float) -> Iterator[Callable[[float], None]]:
    """Give what is told how many megapixels are done, and shows that until the block ends.

    Parameters
    ----------
    terminal : Terminal
        Whether a person wants to see it.
    total : float
        Megapixels to come.
    """
    started = time.perf_counter()
    with _shown(terminal) as shown:
        task = shown.add_task("", total=total) if shown else None

        def tell(done: float) -> None:
            if shown:
                speed = done / max(time.perf_counter() - started, 1e-9)
                words = f"{done:,.1f} of {total:,.1f} megapixels, {speed:.2f} a second"
                shown.update(task, completed=done, description=words)

        yield tell


@contextmanager
def metered_rows(terminal: Terminal) -> Iterator[Callable[[int, int], None]]:
    """Give what is told how many records are done, and of how many; shows it, elsewhere a line now and then.

    Parameters
    ----------
    terminal : Terminal
        Whether a person wants to see it.
    """
    with _shown(terminal) as shown:
        begun: list[tuple[float, int, Any]] = []
        last = time.perf_counter()

        def tell(done: int, total: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if not begun:
                begun.append((now, done, shown.add_task("", total=total, completed=done) if shown else None))
            started, first, task = begun[0]
            speed = (done - first) / max(now - started, 1e-9)
            words = f"{done:,} of {total:,} records, {speed:,.0f} a second"
            if shown:
                shown.update(task, completed=done, description=words)
            elif now - last > SECONDS:
                last = now
                terminal.say(f"{words}, {(total - done) / speed:,.0f} s left" if speed else words)

        yield tell


@contextmanager
def _shown(terminal: Terminal) -> Iterator[Any]:
    """Give the bar of a terminal until the block ends; None where there is none, or nobody wants to see it."""
    shown = bar(sys.stderr) if sys.stderr.isatty() and not terminal.quiet else None
    try:
        yield shown
    finally:
        if shown:
            shown.stop()

"""How far a command about bytes is: a bar with speed, ratio and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from isthmus.bar import bar
from isthmus.cli.terminal import Terminal

__all__ = ["Meter", "metered"]


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
    shown = bar(sys.stderr) if sys.stderr.isatty() and not terminal.quiet else None
    try:
        yield Meter(total, shown)
    finally:
        if shown:
            shown.stop()

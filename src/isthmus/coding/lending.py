"""Coders of values that begin with what was learned, lent to whoever needs one, in any thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from isthmus.coding.learned import Start
from isthmus.coding.values import ValueCoder

__all__ = ["Lender"]


class Lender:
    """Lends coders that begin with what was learned, and keeps those that came back, since making one takes long.

    Parameters
    ----------
    start : Start
        What was learned.
    sides : int
        Sequences beside the values.
    """

    def __init__(self, start: Start, sides: int) -> None:
        self._start, self._sides = start, sides
        self._idle: SimpleQueue[ValueCoder] = SimpleQueue()

    @contextmanager
    def coder(self) -> Iterator[ValueCoder]:
        """Lend a coder for a block; where that raises, it is not kept."""
        try:
            coder = self._idle.get_nowait()
        except Empty:
            coder = ValueCoder(self._start.scheme, self._sides)
        coder.begin(self._start)
        yield coder
        self._idle.put(coder)

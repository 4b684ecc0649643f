"""Whole numbers of 64 bits as numbers from zero: by distance, or by rank where they are few and far apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.packing import at_most, read_rising, read_signed, rising, signed
from isthmus.coding.tables.planes import Integers

__all__ = ["Levels", "Scale", "Steps", "read_scale", "scale_of"]

WIDEST = 1 << 62  # numbers of a scale, at most
FEWEST = 256  # values between the lowest and the highest from which on ranks are thought of
SPARSE = 4  # times as many of them as occur, at least, where numbers become ranks
MOST_LEVELS = 256

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Steps:
    """Numbers at equal distances.

    Parameters
    ----------
    low, step : int
        The lowest, and the distance to the next.
    size : int
        How many there are.
    """

    low: int
    step: int
    size: int
    name = "value"

    def places(self, numbers: Integers) -> Integers:
        """Return how many steps each number is above the lowest."""
        distances = numbers.astype(np.uint64) - np.uint64(
            self.low % (1 << 64)
        )  # below 2^64, so modulo that they are exact
        return (distances // np.uint64(self.step)).astype(np.int64)

    def numbers(self, places: Integers) -> Numbers:
        """Return the numbers that are so many steps above the lowest."""
        distances = places.astype(np.uint64) * np.uint64(self.step)
        return distances.view(np.int64) + np.int64(self.low)

    def holds(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Return which numbers are among them."""
        places = self.places(numbers)
        there = (places >= 0) & (places < self.size)
        return there & (self.numbers(np.where(there, places, 0)) == numbers)

    def wider(self) -> Steps:
        """Return them with as many again on either side, but below zero only where they are already."""
        low = max(self.low - self.step * self.size, -WIDEST)
        if self.low >= 0:
            low = max(low, 0)
        below = (self.low - low) // self.step
        above = min(self.size, max(0, (WIDEST - self.low) // self.step - self.size))
        return Steps(self.low - below * self.step, self.step, min(below + self.size + above, WIDEST))

    def to_bytes(self) -> bytes:
        """Return the numbers, behind a zero."""
        return varint(0) + signed(self.low) + varint(self.step) + varint(self.size)


@dataclass(frozen=True, eq=False)
class Levels:
    """Numbers that are listed.

    Parameters
    ----------
    levels : NDArray[np.int64]
        Rising, each once.
    """

    levels: Numbers
    name = "rank"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Levels) and np.array_equal(self.levels, other.levels)

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.levels)

    @property
    def low(self) -> int:
        """The lowest."""
        return int(self.levels[0])

    def places(self, numbers: Integers) -> Integers:
        """Return how many listed numbers each is above."""
        return np.searchsorted(self.levels, numbers)

    def numbers(self, places: Integers) -> Numbers:
        """Return the numbers of these ranks."""
        return self.levels[places]

    def holds(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Return which numbers are among them."""
        return self.levels[np.minimum(self.places(numbers), self.size - 1)] == numbers

    def between(self) -> Steps:
        """Return all numbers from the lowest to the highest that are as far from these as these from each other."""
        distances = self.levels - self.levels[0]
        step = int(np.gcd.reduce(distances)) or 1
        return Steps(self.low, step, int(distances[-1]) // step + 1)

    def to_bytes(self) -> bytes:
        """Return the list, behind its length."""
        return varint(self.size) + rising(self.levels)


Scale = Steps | Levels


def scale_of(levels: Numbers) -> Scale | None:
    """Return the scale of numbers, each given once, rising; None where they are too far apart for one plane."""
    low, high = int(levels[0]), int(levels[-1])
    distances = levels.astype(np.uint64) - levels[:1].astype(np.uint64)
    step = int(np.gcd.reduce(distances)) or 1
    size = (high - low) // step + 1
    if size > WIDEST:
        return None
    if len(levels) <= MOST_LEVELS and size > max(FEWEST, SPARSE * len(levels)):
        return Levels(levels)
    return Steps(low, step, size)


def read_scale(source: Source, limit: int) -> Scale:
    """Return a scale that was written, of at most so many listed numbers.

    Raises
    ------
    ArtifactError
        Its numbers have more than 64 bits, or it is none.
    """
    count = at_most(source, limit, "listed numbers")
    if count:
        return Levels(read_rising(source, count))
    low, step, size = read_signed(source), source.varint(), source.varint()
    if not (0 < size <= WIDEST and step and low + step * (size - 1) < 1 << 63):
        raise source.damaged("the numbers of a column have more than 64 bits")
    return Steps(low, step, size)

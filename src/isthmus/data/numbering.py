"""Whole numbers: in their own type, and those that only number the records, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_RECORDS", "AllDistinct", "as_whole", "is_numbering", "mixed"]

MIN_RECORDS = 10  # records below which distinct values say nothing
REMEMBERED = 2**16  # values
MEETINGS = 5  # pairs of equal numbers that chance would make: by chance there would be none in e^-5 of all columns


class AllDistinct:
    """Whether no two values are equal, in memory that does not grow with the number of records.

    Beyond 65,536 values only those are remembered whose hashes end in some zeros: of a value that is there twice both
    are, or neither.
    """

    def __init__(self) -> None:
        self.holds = True
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._zeros = np.uint64(0)

    def update(self, values: NDArray[Any]) -> None:
        """Take in whole numbers, of one dtype at every call."""
        if not self.holds:
            return
        hashes = mixed(
            values.astype(np.float64).view(np.uint64) if values.dtype.kind == "f" else values.astype(np.uint64)
        )
        both = np.sort(np.concatenate([self._hashes, hashes[hashes & self._zeros == 0]]))
        self.holds = not (both[1:] == both[:-1]).any()
        if not self.holds:  # of equal values no zeros would leave some out
            self._hashes = both[:0]
            return
        while len(both) > REMEMBERED:
            self._zeros = self._zeros * np.uint64(2) + np.uint64(1)
            both = both[both & self._zeros == 0]
        self._hashes = both


def mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64-bit numbers mixed so that every bit depends on all; different ones stay different."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))


def is_numbering(n: int, low: int, high: int) -> bool:
    """Tell whether n distinct whole numbers from low to high number the records, in any order.

    They do where they lie so densely that among numbers drawn at random some would be equal: n drawn from w values make
    about n^2 / 2 w equal pairs. Every third number does, and so do the keys of a database with gaps; ten distinct
    measurements between 1 and 1000 do not.
    """
    return n >= MIN_RECORDS and n * n >= 2 * MEETINGS * (int(high) - int(low) + 1)


def as_whole(objects: NDArray[Any]) -> NDArray[Any] | None:
    """Return Python's whole numbers as NumPy's of 64 bits; None of other objects, and of numbers beyond these bits."""
    values = objects.ravel().tolist()
    if not values or not all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in values):
        return None
    try:
        return objects.astype(np.uint64 if max(values) >= 2**63 and min(values) >= 0 else np.int64)
    except OverflowError:
        return None

"""Planes: the columns of whole numbers that a table becomes, each with one number a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Form", "Integers", "Plane", "distinct_numbers", "smallest", "sorted_once"]

Integers = NDArray[Any]  # of any width


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is known of a plane before its values are.

    Parameters
    ----------
    size : int
        Values are in [0, size), at most 2^63. With 1, all are 0 and need not be coded.
    ordered : bool
        Whether values that are near each other mean similar things; otherwise they only name something.
    name : {"value", "rank", "category", "exception", "variant", "quotes", "spaces", "null", "lower"}
        What the values are.
    where : int or None, default=None
        Of which plane of the same column, an earlier one, the value decides whether this one has one: where that is
        not 0, the value here is 0 and need not be coded.
    """

    size: int
    ordered: bool
    name: str
    where: int | None = None

    def filled(self, values: Integers) -> Plane:
        """Return the plane with these values."""
        return Plane(values=smallest(values, self.size), **vars(self))


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane(Form):
    """A plane with its values: (rows,), int32 where the size allows, else int64."""

    values: Integers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plane):
            return NotImplemented
        mine, its = ({**vars(plane), "values": None} for plane in (self, other))
        return mine == its and np.array_equal(self.values, other.values)


def smallest(values: Integers, size: int) -> Integers:
    """Return values below a size in the smaller of the two types of planes that holds them."""
    return values.astype(np.int32 if size <= 1 << 31 else np.int64, copy=False)


def sorted_once(values: Integers) -> Integers:
    """Return values in their order, each once: several times as fast as NumPy's function for that."""
    found = np.sort(values)
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found


def distinct_numbers(values: Integers, size: int) -> tuple[Integers, Integers]:
    """Return the values below a size that occur, rising, and of each value which of these it is."""
    if size > max(1 << 16, 4 * len(values)):
        levels = sorted_once(values).astype(np.int64)
        return levels, np.searchsorted(levels, values)
    there = np.zeros(size, bool)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]

"""Atoms of a column's distribution: values that many records share.

Zeros of an amount that most records do not have, a cap at which larger values were cut off, a number written where none
is known, the few values of a code or a grade. A column with atoms is a mixture of point masses and a density (Olkin and
Tate, "Multivariate Correlation Models with Mixed Discrete and Continuous Variables", 1961): its likelihood is
:class:`isthmus.networks.MixedTable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Places", "Tally", "atoms_of", "rounding", "spread_out"]

COUNTED = 4096  # distinct values counted at a time
FEW = 20  # distinct values up to which all of a column's values are atoms
EACH = 10  # records of each of them on average, from which there is enough to learn a share from
MIN_RECORDS = 20  # records of an atom beside others
SHARE = 0.2  # of the records, from which any value is an atom
# A value that stands out among its neighbours is one from a smaller share on, and at an end of the range, where caps,
# floors and numbers for "not known" lie, from a smaller one yet.
STANDS_OUT, SHARE_WITHIN, SHARE_AT_AN_END = 3.0, 0.05, 0.005
IN_ALL = 8192  # atoms of a table: each is an output of the decoder
NEAR = 2.0**-22  # of a column's deviation: nearer to an atom than rounding to 32 bits may bring a value

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class Tally:
    """How often each value occurs, in memory that does not grow with the number of records.

    Of more than 4,096 distinct values at a time the rarest are dropped and all counts lowered by theirs, so that no
    count is ever too low by more than a 4,096th of all (Misra and Gries, "Finding Repeated Elements", 1982).

    Attributes
    ----------
    values, counts : ndarray of one length
        In rising order, and how often each occurs.
    is_whole : bool
        Whether no value was dropped.
    """

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.zeros(0)
        self.counts = np.zeros(0, np.int64)
        self.is_whole = True

    def update(self, values: NDArray[Any]) -> None:
        """Take in values of one dtype, at least one."""
        found, counts = np.unique(values, return_counts=True)
        if len(self.values):
            both = np.concatenate([self.values, found])
            found, place = np.unique(both, return_inverse=True)
            counts = np.bincount(place, weights=np.concatenate([self.counts, counts])).astype(np.int64)
        if len(found) > COUNTED:
            counts = counts - np.partition(counts, -COUNTED - 1)[-COUNTED - 1]
            found, counts = found[counts > 0], counts[counts > 0]
            self.is_whole = False
        self.values, self.counts = found, counts


def atoms_of(tally: Tally, ends: tuple[Any, Any], n: int, columns: int) -> tuple[NDArray[Any], bool]:
    """Return the atoms of a column, in rising order, and whether it has no other values.

    All values are atoms where there are at most 20, of at least ten records each on average. Otherwise those that a
    fifth of the records share are, and from a twentieth on (at an end of the range: a two hundredth) those that three
    times as many records share as either of the two neighbouring values; each of at least 20 records.

    Parameters
    ----------
    tally : Tally
        Of all its values.
    ends : tuple of 2 numbers
        The smallest and the largest of them.
    n : int
        Records with a value.
    columns : int
        Of the table. All together have at most 8,192 atoms, so that wide tables stay fast: of each column those of the
        largest shares.
    """
    values, counts, most = tally.values, tally.counts, IN_ALL // max(1, columns)
    if tally.is_whole and len(values) <= min(FEW, most) and n >= EACH * len(values):
        return values, True
    padded = np.concatenate([[0], counts, [0]])
    stands_out = counts >= STANDS_OUT * np.maximum(padded[:-2], padded[2:])
    least = np.where(np.isin(values, np.array(ends, values.dtype)), SHARE_AT_AN_END, SHARE_WITHIN)
    is_atom = (counts >= SHARE * n) | (stands_out & (counts >= least * n))
    chosen = np.flatnonzero(is_atom & (counts >= MIN_RECORDS))
    chosen = np.sort(chosen[np.argsort(-counts[chosen], kind="stable")][:most])
    return values[chosen], False


def spread_out(centred: Float64, low: float, high: float, std: float) -> Float64:
    """Return where atoms lie in encoded units: in place, or one deviation after the other beyond the others' range.

    A value far outside it, such as 99999 for "not known", would otherwise set the scale of the network's input.

    Parameters
    ----------
    centred : ndarray of float64, shape (k,)
        The atoms as other numbers are encoded, rising.
    low, high, std : float
        Range and standard deviation of the other numbers.
    """
    step = std or (high - low) or 1.0
    below = np.maximum(np.cumsum((centred < low)[::-1])[::-1], 1)
    above = np.maximum(np.cumsum(centred > high), 1)
    return np.clip(centred, low - below * step, high + above * step)


def rounding(places: Float64, mean: Float64 | float, std: Float64 | float) -> Float64:
    """Return how far off 32 bits may bring numbers that are scaled by mean and deviation, and back."""
    return np.asarray(NEAR * np.abs(places) + np.abs(NEAR * places - NEAR * mean) + NEAR * std)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the atoms of a column lie among its encoded numbers.

    Parameters
    ----------
    numbers : ndarray of float32, shape (k,)
        Rising.
    near : ndarray of float64, shape (k,)
        From where on a number is the atom itself, rounded.
    alone : bool
        Whether there are no others.
    """

    numbers: Float32
    near: Float64
    alone: bool

    def nearest(self, encoded: NDArray[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the nearest atom of each encoded number, (b,), and whether the number is that one."""
        middles = (self.numbers[1:] + self.numbers[:-1]) / 2
        nearest = np.searchsorted(middles, encoded)
        if self.alone:
            return nearest, np.ones(len(encoded), bool)
        return nearest, np.abs(encoded - self.numbers[nearest]) <= self.near[nearest]

"""Minimum, maximum, mean and deviation of records at each position, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["SAMPLE", "Extremes", "Moments", "blocks", "evenly_spaced"]

SAMPLE = 4096  # records that means and spreads of large arrays are taken from
PIECE = 1 << 20  # bytes looked at together: small enough that the second and third look find them in the cache
LARGEST_WHOLE = 1 << 24  # whole numbers up to here are exact in 32-bit floats

Float64 = NDArray[np.float64]


def blocks(data: Data) -> Iterator[tuple[int, Any]]:
    """Yield ``(start, block)`` over all records: a whole array in memory at once, else chunks.

    Rows that were chosen from an array come in chunks too: all of them together would be a copy.
    """
    if data.rows is None and data.array is not None:
        yield 0, data.array
    else:
        yield from data.chunks()


def evenly_spaced(rows: NDArray[Any], start: int, n: int, limit: int) -> NDArray[Any]:
    """Return those of a block's rows whose number is a multiple of ``ceil(n / limit)``; a view.

    Parameters
    ----------
    rows : ndarray, shape (b, ...)
        Records ``start`` to ``start + b``.
    start : int
        Number of the first.
    n : int
        All records there are.
    limit : int
        How many to end with at most.
    """
    stride = -(-n // limit)
    return rows[(-start) % stride :: stride]


class Extremes:
    """Smallest and largest value of every position of a record; whether values are whole numbers, and rows one-hot.

    After :meth:`update` with all records, ``low`` and ``high`` have the source's dtype and one value a position.
    NaN anywhere makes the position's ``low`` and ``high`` NaN.

    Parameters
    ----------
    one_hot : bool
        Whether one-hot rows are looked for.
    """

    def __init__(self, *, one_hot: bool) -> None:
        self.low: NDArray[Any]
        self.high: NDArray[Any]
        self._whole = True
        self._one_hot = one_hot

    def update(self, rows: NDArray[Any]) -> None:
        """Take in records.

        Parameters
        ----------
        rows : ndarray, shape (b, positions)
            Of one dtype in all calls.
        """
        if rows.dtype == bool:
            rows = rows.view(np.uint8)
        if not hasattr(self, "low"):
            self.low, self.high = rows[0].copy(), rows[0].copy()
        step = max(1, PIECE // max(1, rows[0].nbytes))
        for start in range(0, len(rows), step):
            self._look_at(rows[start : start + step])

    def _look_at(self, rows: NDArray[Any]) -> None:
        low, high = rows.min(axis=0), rows.max(axis=0)
        np.minimum(self.low, low, out=self.low)
        np.maximum(self.high, high, out=self.high)
        if self._whole and rows.dtype.kind == "f":
            self._whole = np.array_equal(rows, np.rint(rows))
        if self._one_hot:
            zero_or_one = self._whole and low.min() >= 0 and high.max() <= 1
            self._one_hot = bool(zero_or_one and rows.shape[1] > 1 and (rows.sum(axis=1) == 1).all())

    @property
    def integers(self) -> bool:
        """Whether all values are whole numbers, of an integer dtype or below 2**24 in magnitude."""
        if self.low.dtype.kind != "f":
            return True
        return bool(self._whole and max(-float(self.low.min()), float(self.high.max())) < LARGEST_WHOLE)

    @property
    def binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return bool(self.integers and self.low.min() >= 0 and self.high.max() <= 1)

    @property
    def one_hot(self) -> bool:
        """Whether every row has one 1 and otherwise 0."""
        return self._one_hot


class Moments:
    """Mean and sum of squared deviations of every position, merged block by block (Chan, Golub and LeVeque 1983).

    Attributes
    ----------
    count : int
        Records taken in.
    mean, squares : ndarray of float64, shape (positions,)
        Mean, and sum of squared deviations from it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Float64 = np.zeros(1)
        self.squares: Float64 = np.zeros(1)

    def update(self, rows: NDArray[Any]) -> None:
        """Take in records of any real dtype, shape (b, positions)."""
        step = max(1, PIECE // max(1, 8 * int(np.prod(rows.shape[1:]))))
        for start in range(0, len(rows), step):
            self._look_at(rows[start : start + step].astype(np.float64))

    def _look_at(self, rows: Float64) -> None:
        # Values near the end of the float64 range overflow here; `std` then falls back on the range.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = rows.mean(axis=0)
            rows -= mean
            squares = np.einsum("ij,ij->j", rows, rows)
            total = self.count + len(rows)
            difference = mean - self.mean
            self.squares = self.squares + squares + difference**2 * (self.count * len(rows) / total)
            self.mean = self.mean + difference * (len(rows) / total)
            self.count = total

    def of_groups(self, groups: int, low: NDArray[Any], high: NDArray[Any]) -> tuple[Float64, Float64]:
        """Return mean and standard deviation of groups of positions: position ``p`` belongs to group ``p % groups``.

        Parameters
        ----------
        groups : int
            Columns (one position each) or channels (a pixel each).
        low, high : ndarray, shape (groups,)
            The groups' ranges, which stand in where float64 overflowed.

        Returns
        -------
        mean, std : ndarray of float64, shape (groups,)
            Of the population.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            means = self.mean.reshape(-1, groups)
            mean = means.mean(axis=0)
            variance = self.squares.reshape(-1, groups).mean(axis=0) / self.count + means.var(axis=0)
            std = np.sqrt(variance)
        low, high = low.astype(np.float64), high.astype(np.float64)
        mean = np.where(np.isfinite(mean), mean, low / 2 + high / 2)
        std = np.where(np.isfinite(std), std, high / 2 - low / 2)
        return np.clip(mean, low, high), np.where(high > low, std, 0.0)

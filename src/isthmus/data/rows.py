"""Row numbers that take no memory for each row: runs of neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LISTED", "RowNumbers", "Rows", "joined", "spread"]

LISTED = 1_000_000
"""Records up to which row numbers, and labels, may be listed; what is drawn of more follows a rule."""

Int64 = NDArray[np.int64]
PIECE = 2**16  # rows that are listed at once


class Rows:
    """Row numbers in increasing order, kept as runs of neighbours: all rows of a set but a few take a few numbers.

    It is indexed as an array of them is; ``numpy.asarray`` lists all.

    Parameters
    ----------
    starts, stops : array-like of int, shape (k,)
        Each run is the rows from a start to before a stop. Runs are not empty; they rise, and share no row.

    Examples
    --------
    >>> rows = Rows.all(1_000_000_000).without(Rows([3], [5]))
    >>> len(rows), rows[2:5].tolist(), rows[-1]
    (999999998, [2, 5, 6], 999999999)
    """

    __slots__ = ("_before", "starts", "stops")
    dtype = np.dtype(np.int64)
    ndim = 1

    def __init__(self, starts: ArrayLike, stops: ArrayLike) -> None:
        self.starts, self.stops = np.asarray(starts, np.int64), np.asarray(stops, np.int64)
        self._before = np.concatenate([[0], np.cumsum(self.stops - self.starts)])  # rows before each run, and all

    @classmethod
    def all(cls, n: int) -> Rows:
        """Return the rows 0 to n - 1."""
        return cls([0], [n]) if n else cls([], [])

    @classmethod
    def of(cls, rows: RowNumbers) -> Rows:
        """Return row numbers, each once and rising, as runs."""
        if isinstance(rows, Rows):
            return rows
        rows = np.asarray(rows, np.int64)
        firsts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        return cls(rows[firsts], rows[np.append(firsts[1:], len(rows))[: len(firsts)] - 1] + 1)

    def __len__(self) -> int:
        return int(self._before[-1])

    @property
    def shape(self) -> tuple[int]:
        """The number of rows, as an array has it."""
        return (len(self),)

    @overload
    def __getitem__(self, places: int | np.integer[Any]) -> int: ...
    @overload
    def __getitem__(self, places: slice | ArrayLike) -> Int64: ...
    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, slice):
            start, stop, step = places.indices(len(self))
            return np.asarray(self.part(start, stop)) if step == 1 else self[np.arange(start, stop, step)]
        places = np.asarray(places)
        if places.dtype == bool:
            places = np.flatnonzero(places)
        if places.size and (places.min() < -len(self) or places.max() >= len(self)):
            raise IndexError(f"there are {len(self)} rows")
        places = np.where(places < 0, places + len(self), places).astype(np.int64)
        runs = np.searchsorted(self._before, places, "right") - 1
        found = self.starts[runs] + places - self._before[runs]
        return int(found) if found.ndim == 0 else found

    def __iter__(self) -> Iterator[int]:
        for start in range(0, len(self), PIECE):
            yield from self[start : start + PIECE].tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        rows = np.arange(len(self)) + np.repeat(self.starts - self._before[:-1], self.stops - self.starts)
        return rows if dtype is None else rows.astype(dtype)

    def __repr__(self) -> str:
        return f"Rows({len(self)} in {len(self.starts)} runs)"

    def part(self, start: int, stop: int) -> Rows:
        """Return the rows at the places ``start`` to before ``stop``."""
        start, stop = max(start, 0), min(stop, len(self))
        if start >= stop:
            return Rows([], [])
        first = int(np.searchsorted(self._before, start, "right")) - 1
        last = int(np.searchsorted(self._before, stop, "left"))
        starts, stops = self.starts[first:last].copy(), self.stops[first:last].copy()
        starts[0] += start - self._before[first]
        stops[-1] -= self._before[last] - stop
        return Rows(starts, stops)

    def below(self, rows: ArrayLike) -> Int64:
        """Return how many of these rows are below each row number: the place that it has, or would have."""
        rows = np.asarray(rows, np.int64)
        runs = np.searchsorted(self.starts, rows, "right") - 1
        inside = np.minimum(rows, np.append(self.stops, 0)[runs]) - np.append(self.starts, 0)[runs]
        return np.where(runs < 0, 0, self._before[np.maximum(runs, 0)] + inside)

    def at(self, places: Rows) -> Rows:
        """Return the rows at some places."""
        edges = np.unique(np.concatenate([places.starts, places.stops, self._before]))
        edges = edges[edges <= len(self)]
        starts, stops = edges[:-1], edges[1:]
        chosen = np.searchsorted(places.starts, starts, "right") > np.searchsorted(places.stops, starts, "right")
        firsts = self[starts[chosen]]
        return Rows(firsts, firsts + (stops - starts)[chosen])

    def without(self, places: RowNumbers) -> Rows:
        """Return the rows at all places but some."""
        gone = Rows.of(places)
        starts, stops = np.append(0, gone.stops), np.append(gone.starts, len(self))
        some = starts < stops
        return self.at(Rows(starts[some], stops[some]))


RowNumbers = NDArray[np.int64] | Rows


def spread(n: int, most: int, edges: Int64 | None = None) -> Int64:
    """Return up to ``most`` of n places, evenly spaced.

    Of more than 1,000,000 of which reading begins at some only, the ``edges`` (0, ..., n), they are those that are
    read soonest, as many from each edge: what lies before a record need not be decoded to get it.
    """
    if edges is None or n <= LISTED:
        return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
    stretches = np.unique(np.linspace(0, len(edges) - 2, min(len(edges) - 1, most)).astype(np.int64))
    lengths = np.minimum(-(-most // len(stretches)), np.diff(edges)[stretches])
    return np.asarray(Rows(edges[stretches], edges[stretches] + lengths))[:most]


def joined(edges: Int64, least: int) -> Int64:
    """Return those edges, 0, ..., n, that are so many places at least behind the one before, and the last."""
    if len(edges) < 2 or np.diff(edges).min() >= least:
        return edges
    kept = [0]
    for edge in edges[1:-1].tolist():
        if edge - kept[-1] >= least:
            kept.append(edge)
    return np.array([*kept, int(edges[-1])])

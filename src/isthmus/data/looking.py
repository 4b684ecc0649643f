"""The first look at records that stay in their files: at so many of them, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.data.records import Data
from isthmus.data.rows import LISTED, Rows, joined

__all__ = ["MOST_BYTES", "MOST_RECORDS", "places_to_look_at", "some_places", "watched"]

MOST_RECORDS = LISTED
"""Records that are looked at before training, of those that stay in their files."""
MOST_BYTES = 2**30
"""Bytes that these may take."""
RUNS = 256  # of neighbours, in which they lie


def places_to_look_at(data: Data) -> Rows:
    """Return the places of the records from which preprocessing is learned: all, or some of very many.

    Records in memory are all looked at. Of those that stay in their files it is all of up to 1,000,000 that take up to
    1 GiB, and of more as many: :func:`some_places`.

    Parameters
    ----------
    data : Data
        The records.
    """
    n = len(data)
    count = n if data.resident else min(n, MOST_RECORDS, max(RUNS, MOST_BYTES * n // max(data.nbytes, 1)))
    return some_places(data, count)


def some_places(data: Data, most: int) -> Rows:
    """Return the places of up to ``most`` records that lie evenly among all.

    They are some 256 runs of neighbours at even distances, or, where reading begins at certain records only, what
    follows as many of these places.

    Parameters
    ----------
    data : Data
        The records.
    most : int
        How many, 1 at least.
    """
    n, edges = len(data), data.edges
    if n <= most:
        return Rows.all(n)
    if edges is None:
        edges = np.unique(np.linspace(0, n, min(most, RUNS) + 1).astype(np.int64))
    edges = joined(edges, most // RUNS)  # of short groups all rows are looked at
    wanted = min(len(edges) - 1, most, RUNS)
    while True:
        firsts = np.unique(np.linspace(0, len(edges) - 2, wanted).astype(np.int64))
        lengths = np.minimum(-(-most // len(firsts)), np.diff(edges)[firsts])
        if lengths.sum() >= most or wanted == len(edges) - 1:
            break
        wanted = min(2 * wanted, len(edges) - 1)
    lengths = np.minimum(lengths, np.maximum(0, most - (np.cumsum(lengths) - lengths)))
    return _touching_joined(edges[firsts][lengths > 0], (edges[firsts] + lengths)[lengths > 0])


def _touching_joined(starts: np.ndarray, stops: np.ndarray) -> Rows:
    """Return runs of which none begins where the one before ends."""
    apart = np.append(True, starts[1:] > stops[:-1])
    return Rows(starts[apart], stops[np.append(apart[1:], True)])


def watched(data: Data, tell: Callable[[float], None]) -> Data:
    """Return records that tell, whenever some are read in their order, which share of them has been."""
    return _Watched(data, tell)


class _Watched(Data):
    """Records that are watched."""

    __slots__ = ("_tell",)

    def __init__(self, data: Data, tell: Callable[[float], None]) -> None:
        super().__init__(
            data.schema,
            data.store,
            labels=data.labels,
            names=data.names,
            source=data.source,
            notes=data.notes,
            rows=data.rows,
            side_columns=data.side_columns,
        )
        self._tell = tell

    def chunk(self, start: int, stop: int) -> Any:
        block = super().chunk(start, stop)
        self._tell(min(stop, len(self)) / max(1, len(self)))
        return block

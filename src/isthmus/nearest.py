"""Nearest rows: exact comparison of all, or, among many rows, a search in the nearest cells.

Cells are an inverted file (Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", IEEE PAMI 33,
2011, section IV.A): centres are found by k-means on some of the rows, every row belongs to the nearest centre, and is
compared with the rows of the cells whose centres are nearest to it. How many cells that takes depends on the rows: it
is read off some of them, whose neighbours are known because they are compared with all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["EXACT", "near_rows", "nearest_rows", "rows_in_cells"]

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

EXACT = 30_000  # rows that are compared with all others
DISTANCES = 2**22  # held at a time (16 MiB): they stay in the cache of the processor
GROUPS = (32, 8)  # neighbouring distances of which the smallest is looked at first; each divides the one before
CELL = 1000  # rows of a cell, on average
ROUNDS = 5  # of k-means
LEARNT_FROM = 64  # rows for each centre
SAMPLE = 512  # rows whose neighbours say how many cells to look in
RECALL = 0.975  # the share of those neighbours that is to be found
MAX_CELLS = 160  # cells that a row is compared with: time grows with the rows, however many dimensions they have
CHUNK = 2**15  # rows whose nearest cells are known at a time
NOTHING = np.int64(0x7F800000) << 32  # the key of a neighbour that has not been found yet: infinitely far


def nearest_rows(
    references: Float32, k: int, queries: Float32 | None = None, rows: int | None = None
) -> tuple[Int64, Float32]:
    """Return the nearest references of every query, exactly, the nearest first.

    Parameters
    ----------
    references : array, shape (n, d)
    k : int
        How many; fewer where there are not as many.
    queries : array, shape (m, d), optional
        By default the references themselves, none of which is its own neighbour.
    rows : int, optional
        Queries at a time; by default as many as 16 MiB of distances allow.

    Returns
    -------
    indices : ndarray of int64, shape (m, k)
    distances : ndarray of float32, shape (m, k)
        Euclidean.
    """
    middle = references.mean(axis=0)  # near the origin, differences of squares lose the fewest digits
    there = torch.from_numpy(references - middle)
    here = there if queries is None else torch.from_numpy(queries - middle)
    k = min(k, len(there) - (queries is None))
    squares, columns = _in_whole_groups(there)
    indices, distances = torch.empty((len(here), k), dtype=torch.int64), torch.empty((len(here), k))
    blocks = torch.split(torch.arange(len(here)), rows or max(1, DISTANCES // len(there)))
    room = torch.empty((len(blocks[0]), len(squares)))  # to ask for new memory takes longer than the products
    for block in blocks:
        part = here[block]
        # ||a - b||^2 without ||a||^2, which changes no order.
        away = torch.addmm(squares, part, columns, alpha=-2, out=room[: len(block)])
        if queries is None:
            away[torch.arange(len(block)), block] = torch.inf
        found = _smallest(away, k)
        exact, order = _distances(part, there[found]).sort(dim=1, stable=True)
        indices[block], distances[block] = found.gather(1, order), exact
    return indices.numpy(), distances.numpy()


def _in_whole_groups(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return squared lengths and columns of rows, filled up to whole groups by rows that are infinitely far away."""
    whole = -(-len(rows) // GROUPS[0]) * GROUPS[0]
    squares, columns = torch.full((whole,), torch.inf), torch.zeros((rows.shape[1], whole))
    squares[: len(rows)], columns[:, : len(rows)] = rows.square().sum(1), rows.T
    return squares, columns


def _smallest(values: Tensor, k: int, groups: tuple[int, ...] = GROUPS) -> Tensor:
    """Return the columns of the k smallest values of each row, in any order: (m, n) -> (m, k).

    They are in the k groups of columns with the smallest minima, which are found many times sooner; and in those, in
    the k smaller groups.

    Parameters
    ----------
    values : tensor, shape (m, n)
        Contiguous.
    k : int
    groups : tuple of int
        Columns of a group, which divide n, and of a group within it.
    """
    if not groups:
        return torch.from_numpy(np.argpartition(values.numpy(), k - 1, axis=1)[:, :k])  # sooner than torch's topk
    size, *smaller = groups
    (m, n), within = values.shape, tuple(smaller)
    if n <= 2 * k * size:
        return _smallest(values, k, within)
    groups_of_all = values.view(-1, size)
    near = _smallest(groups_of_all.amin(1).view(m, -1), k, ())
    rows = near + torch.arange(0, len(groups_of_all), n // size)[:, None]
    found = _smallest(groups_of_all.index_select(0, rows.flatten()).view(m, -1), k, within)
    return near.gather(1, found // size) * size + found % size


def _distances(rows: Tensor, others: Tensor) -> Tensor:
    """Return how far each row is from others of its own, without loss of digits: (m, d) and (m, k, d) -> (m, k)."""
    return (rows[:, None] - others).square().sum(2).sqrt()


def near_rows(
    references: Float32, k: int, queries: Float32 | None = None, seed: int = 0
) -> tuple[Int32 | Int64, Float32]:
    """Return the nearest references of every query: exactly of up to 30,000 rows, and nearly so of more.

    Parameters
    ----------
    references : array, shape (n, d)
    k : int
        How many; fewer where there are not as many.
    queries : array, shape (m, d), optional
        By default the references themselves, none of which is its own neighbour. So few that m n is below 30,000^2 are
        compared with all references, however many these are.
    seed : int, default=0
        Of the cells that many rows are put into.

    Returns
    -------
    indices : ndarray of int32, shape (m, k)
        The nearest first.
    distances : ndarray of float32, shape (m, k)
        Euclidean, exact for the rows named.
    """
    if len(references) * len(references if queries is None else queries) > EXACT**2:
        return rows_in_cells(references, k, queries, seed)
    indices, distances = nearest_rows(references, k, queries)
    return indices.astype(np.int32), distances


def rows_in_cells(references: Float32, k: int, queries: Float32 | None = None, seed: int = 0) -> tuple[Int32, Float32]:
    """Return what :func:`near_rows` does, of any number of rows by way of cells.

    About 97 % of the nearest rows are found; fewer only where that would take more than 160,000 comparisons of a row.
    Time grows with n (and n^2 / 1000 comparisons to find the nearest centres), memory with n (2 d + 4 k).

    Parameters
    ----------
    references : array, shape (n, d)
    k : int
    queries : array, shape (m, d), optional
    seed : int, default=0

    Returns
    -------
    indices : ndarray of int32, shape (m, k)
    distances : ndarray of float32, shape (m, k)
    """
    cells = _Cells.of(references, torch.Generator().manual_seed(seed))
    if queries is None:
        search = _Search(cells, cells.rows, min(k, len(references) - 1), among_themselves=True)
        indices, distances = np.empty(search.keys.shape, np.int32), np.empty(search.keys.shape, np.float32)
        for part, found, exact in search.run():
            indices[cells.order[part]], distances[cells.order[part]] = cells.order[found], exact
        return indices, distances
    search = _Search(cells, torch.from_numpy(queries - cells.middle), min(k, len(references)), among_themselves=False)
    parts = [(cells.order[found].astype(np.int32), exact) for _, found, exact in search.run()]
    return np.concatenate([found for found, _ in parts]), np.concatenate([exact for _, exact in parts])


@dataclass
class _Cells:
    """Rows in the order of their cells.

    Parameters
    ----------
    middle : array, shape (d,)
        Mean of all rows.
    rows : tensor, shape (n, d)
        Around it, those of a cell side by side.
    order : ndarray of int, shape (n,)
        Which row each was.
    centres : tensor, shape (c, d)
    bounds : ndarray of int, shape (c, 2)
        The first row of each cell, and the first after it.
    """

    middle: Float32
    rows: Tensor
    order: Int64
    centres: Tensor
    bounds: Int64

    @classmethod
    def of(cls, rows: Float32, rng: torch.Generator) -> _Cells:
        """Put rows into cells of about a thousand; none has more than twice as many."""
        middle = rows.mean(axis=0)
        x = torch.from_numpy(rows - middle)
        centres = _centres(x, -(-len(x) // CELL), rng)
        nearest = np.concatenate([_nearest_centre(part, centres) for part in torch.split(x, CHUNK)])
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=len(centres))
        parts = -(-sizes // (2 * CELL))  # rows that are all alike have one centre
        starts = np.concatenate(
            [
                np.linspace(start, start + size, count, endpoint=False).astype(np.int64)
                for start, size, count in zip(np.cumsum(sizes) - sizes, sizes, parts, strict=True)
            ]
        )
        bounds = np.stack([starts, np.append(starts[1:], len(x))], axis=1)
        centres = centres.repeat_interleave(torch.from_numpy(parts), 0)
        return cls(middle, x[torch.from_numpy(order)], order, centres, bounds)

    def of_rows(self, rows: Int64) -> Int64:
        """Return in which cell rows are, by their numbers here."""
        return np.searchsorted(self.bounds[:, 1], rows, side="right")


class _Search:
    """The nearest rows in cells, found so far.

    Parameters
    ----------
    cells : _Cells
    rows : tensor, shape (m, d)
        Whose neighbours are looked for, around the middle of the cells.
    k : int
    among_themselves : bool
        Whether they are the rows in the cells, none of which is its own neighbour.
    """

    def __init__(self, cells: _Cells, rows: Tensor, k: int, *, among_themselves: bool) -> None:
        self.cells, self.rows, self.k, self.among_themselves = cells, rows, k, among_themselves
        # The bits of the squared distance, then the neighbour's number: keys are in the order of distances.
        self.keys = np.full((len(rows), k), NOTHING)
        self._room = torch.empty(DISTANCES)  # for distances: to ask for new memory takes longer than the products

    def run(self) -> Iterator[tuple[slice, Int64, Float32]]:
        """Yield some of the rows, their neighbours by their numbers in the cells, and how far these are."""
        if self.among_themselves:
            for cell, (start, end) in enumerate(self.cells.bounds):
                self._look(np.arange(start, end), cell)
        count = self._needed()
        for start in range(0, len(self.rows), CHUNK):
            for cell, places in _by_cell(self._nearest_cells(start, count)):
                self._look(start + places, cell)
        for start in range(0, len(self.rows), CHUNK):
            part = slice(start, start + CHUNK)
            found = self.keys[part] & 0xFFFFFFFF
            for place in np.flatnonzero((self.keys[part] >= NOTHING).any(axis=1)):  # the cells have very few rows
                found[place] = self._nearest(np.array([start + place]))
            exact, order = _distances(self.rows[part], self.cells.rows[torch.from_numpy(found)]).sort(
                dim=1, stable=True
            )
            yield part, np.take_along_axis(found, order.numpy(), axis=1), exact.numpy()

    def _nearest(self, places: Int64) -> Int64:
        """Return the nearest rows of a few by comparing them with all: (m,) -> (m, k)."""
        queries = self.rows[torch.from_numpy(places)].numpy()
        found = nearest_rows(self.cells.rows.numpy(), self.k + self.among_themselves, queries)[0]
        if not self.among_themselves:
            return found
        is_own = found == places[:, None]
        is_own[~is_own.any(axis=1), -1] = True  # one of many copies
        return found[~is_own].reshape(len(found), self.k)

    def _needed(self) -> int:
        """Return in how many cells to look, as some of the rows have it: their neighbours lie in so many."""
        some = np.linspace(0, len(self.rows), min(SAMPLE, len(self.rows)), endpoint=False).astype(np.int64)
        ranks = _squares(self.rows[torch.from_numpy(some)], self.cells.centres).argsort(1).argsort(1).numpy()
        wanted = np.take_along_axis(ranks, self.cells.of_rows(self._nearest(some)), axis=1)
        return min(int(np.quantile(wanted, RECALL)) + 1, MAX_CELLS, len(self.cells.centres))

    def _nearest_cells(self, start: int, count: int) -> Int64:
        """Return which cells are nearest to each row from ``start`` on, (m, count), -1 for its own."""
        rows = self.rows[start : start + CHUNK]
        parts = torch.split(rows, max(1, DISTANCES // len(self.cells.centres)))
        found = [_squares(part, self.cells.centres).topk(count, largest=False, sorted=False)[1] for part in parts]
        cells = torch.cat(found).numpy()
        if self.among_themselves:
            cells[cells == self.cells.of_rows(np.arange(start, start + len(rows)))[:, None]] = -1
        return cells

    def _look(self, queries: Int64, cell: int) -> None:
        """Compare rows with those of one cell, and keep the nearest."""
        start, end = self.cells.bounds[cell]
        there = self.cells.rows[start:end]
        middle = there.mean(0)  # near the origin, differences of squares lose the fewest digits
        there = there - middle
        squares, columns = there.square().sum(1), there.T
        for rows in np.array_split(queries, -(-len(queries) * len(there) // DISTANCES)):
            here = self.rows[torch.from_numpy(rows)] - middle
            own = here.square().sum(1).numpy()
            away = self._room[: len(rows) * len(there)].view(len(rows), len(there))
            torch.addmm(squares, here, columns, alpha=-2, out=away)
            if self.among_themselves and start <= rows[0] < end:
                away[torch.arange(len(rows)), torch.from_numpy(rows - start)] = torch.inf
            found = away.numpy()
            farthest = _squares_of(self.keys[rows, -1]) - own
            if np.isinf(farthest).any() and len(there) > self.k:  # the k nearest may all be here, but no more
                nearest = np.partition(found, self.k - 1, axis=1)[:, self.k - 1]
                farthest = np.fmin(farthest, np.nextafter(nearest, np.float32(np.inf)))
            near = np.flatnonzero(away.amin(1).numpy() < farthest)
            if len(near):
                places, others = np.divmod(np.flatnonzero(found[near] < farthest[near, None]), len(there))
                lines = near[places]
                _keep(self.keys, rows, lines, np.maximum(found[lines, others] + own[lines], 0), start + others)


def _centres(x: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Return the centres of some rows by k-means (Lloyd, 1982): (n, d) -> (count, d)."""
    x = x[torch.randperm(len(x), generator=rng)[: LEARNT_FROM * count]]
    centres = x[:count]
    for _ in range(ROUNDS):
        nearest = torch.from_numpy(_nearest_centre(x, centres))
        sizes = nearest.bincount(minlength=count)[:, None]
        means = torch.zeros_like(centres).index_add_(0, nearest, x) / sizes.clamp_min(1)
        centres = torch.where(sizes > 0, means, centres)
    return centres


def _nearest_centre(x: Tensor, centres: Tensor) -> Int64:
    """Return which centre is nearest to each row: (n, d) and (c, d) -> (n,)."""
    parts = torch.split(x, max(1, DISTANCES // len(centres)))
    return np.concatenate([_squares(part, centres).numpy().argmin(axis=1) for part in parts])


def _squares(rows: Tensor, others: Tensor) -> Tensor:
    """Return ||a - b||^2 without ||a||^2, which changes no order: (m, d) and (n, d) -> (m, n)."""
    return torch.addmm(others.square().sum(1), rows, others.T, alpha=-2)


def _by_cell(probes: Int64) -> Iterator[tuple[int, Int64]]:
    """Yield each cell that some rows are to be compared with, and which rows: (m, count), -1 for none."""
    order = np.argsort(probes, axis=None, kind="stable")
    cells = probes.ravel()[order]
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    for cell, rows in zip(cells[starts], np.split(order // probes.shape[1], starts)[1:], strict=True):
        yield int(cell), rows


def _squares_of(keys: Int64) -> Float32:
    """Return the squared distances that keys begin with."""
    return (keys >> 32).astype(np.int32).view(np.float32)


def _keep(keys: Int64, rows: Int64, places: Int64, squares: Float32, found: Int64) -> None:
    """Keep the k nearest of those known of each row and of those just found; ``places`` are positions in ``rows``."""
    k = keys.shape[1]
    counts = np.bincount(places, minlength=len(rows))
    has_found = np.flatnonzero(counts)
    offsets = np.arange(len(places)) - (np.cumsum(counts) - counts)[places]
    both = np.full((len(has_found), k + counts.max()), NOTHING)
    both[:, :k] = keys[rows[has_found]]
    lines = np.searchsorted(has_found, places)
    both[lines, k + offsets] = (squares.view(np.int32).astype(np.int64) << 32) | found
    both.partition(k - 1, axis=1)
    nearest = both[:, :k]
    nearest.sort(axis=1)
    keys[rows[has_found]] = nearest

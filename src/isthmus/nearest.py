"""The rows nearest to each row: all of them compared, or, of many rows, only those that lie in the nearest cells.

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
TOGETHER = 32  # neighbouring distances of which the smallest is looked at first
CELL = 1000  # rows of a cell, on average
ROUNDS = 5  # of k-means
LEARNT_FROM = 64  # rows for each centre
SAMPLE = 512  # rows whose neighbours say how many cells to look in
RECALL = 0.975  # the share of those neighbours that is to be found
MOST = 160  # cells that a row is compared with: time grows with the rows, however many dimensions they have
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
    squares, columns = there.square().sum(1), there.T.contiguous()
    indices, distances = torch.empty((len(here), k), dtype=torch.int64), torch.empty((len(here), k))
    blocks = torch.split(torch.arange(len(here)), rows or max(1, DISTANCES // len(there)))
    room = torch.empty((len(blocks[0]), len(there)))  # to ask for new memory takes longer than the products
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


def _smallest(values: Tensor, k: int) -> Tensor:
    """Return the columns of the k smallest values of each row, in any order: (m, n) -> (m, k).

    They are in the k groups of columns with the smallest minima, which are found many times sooner.
    """
    if values.shape[1] <= 2 * k * TOGETHER:
        return values.topk(k, largest=False)[1]
    whole = values.shape[1] // TOGETHER * TOGETHER
    groups = values[:, :whole].unflatten(1, (-1, TOGETHER))
    near = groups.amin(2).topk(k, largest=False)[1]
    columns = (near[:, :, None] * TOGETHER + torch.arange(TOGETHER)).flatten(1)
    rest = torch.arange(whole, values.shape[1]).expand(len(values), -1)
    columns = torch.cat([columns, rest], 1)
    return columns.gather(1, values.gather(1, columns).topk(k, largest=False)[1])


def _distances(rows: Tensor, others: Tensor) -> Tensor:
    """Return how far each row is from others of its own, without loss of digits: (m, d) and (m, k, d) -> (m, k)."""
    return (rows[:, None] - others).square().sum(2).sqrt()


def near_rows(rows: Float32, k: int, seed: int = 0) -> tuple[Int32, Float32]:
    """Return the nearest other rows of every row: exactly up to 30,000 rows, and nearly so of more.

    Parameters
    ----------
    rows : array, shape (n, d)
    k : int
        How many; fewer where there are not as many.
    seed : int, default=0
        Of the cells that many rows are put into.

    Returns
    -------
    indices : ndarray of int32, shape (n, k)
        The nearest first.
    distances : ndarray of float32, shape (n, k)
        Euclidean, exact for the rows named.
    """
    if len(rows) > EXACT:
        return rows_in_cells(rows, k, seed)
    indices, distances = nearest_rows(rows, k)
    return indices.astype(np.int32), distances


def rows_in_cells(rows: Float32, k: int, seed: int = 0) -> tuple[Int32, Float32]:
    """Return what :func:`near_rows` does, of any number of rows by way of cells.

    About 97 % of the nearest rows are found; fewer only where that would take more than 160,000 comparisons of a row.
    Time grows with n (and n^2 / 1000 comparisons to find the nearest centres), memory with n (d + 4 k).

    Parameters
    ----------
    rows : array, shape (n, d)
    k : int
    seed : int, default=0

    Returns
    -------
    indices : ndarray of int32, shape (n, k)
    distances : ndarray of float32, shape (n, k)
    """
    k = min(k, len(rows) - 1)
    cells = _Cells.of(rows, torch.Generator().manual_seed(seed))
    keys, room = np.full((len(rows), k), NOTHING), torch.empty(DISTANCES)
    for start, end in cells.bounds:
        _look(cells, keys, np.arange(start, end), start, end, room)
    for first, probes in cells.nearest(cells.needed(k)):
        for cell, queries in _by_cell(probes):
            _look(cells, keys, first + queries, *cells.bounds[cell], room)
    return cells.result(keys)


@dataclass
class _Cells:
    """Rows in the order of their cells.

    Parameters
    ----------
    rows : tensor, shape (n, d)
        Around their mean, those of a cell side by side.
    order : ndarray of int, shape (n,)
        Which row each was.
    centres : tensor, shape (c, d)
    bounds : ndarray of int, shape (c, 2)
        The first row of each cell, and the first after it.
    """

    rows: Tensor
    order: Int64
    centres: Tensor
    bounds: Int64

    @classmethod
    def of(cls, rows: Float32, rng: torch.Generator) -> _Cells:
        """Put rows into cells of about a thousand; none has more than twice as many."""
        x = torch.from_numpy(rows - rows.mean(axis=0))
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
        return cls(x[torch.from_numpy(order)], order, centres.repeat_interleave(torch.from_numpy(parts), 0), bounds)

    def needed(self, k: int) -> int:
        """Return in how many cells to look, as some of the rows have it: their neighbours lie in so many."""
        some = np.linspace(0, len(self.rows), min(SAMPLE, len(self.rows)), endpoint=False).astype(np.int64)
        queries = self.rows[torch.from_numpy(some)]
        found = nearest_rows(self.rows.numpy(), k + 1, queries.numpy())[0][:, 1:]
        ranks = _squares(queries, self.centres).argsort(1).argsort(1).numpy()
        wanted = np.take_along_axis(ranks, np.searchsorted(self.bounds[:, 1], found, side="right"), axis=1)
        return min(int(np.quantile(wanted, RECALL)) + 1, MOST, len(self.centres))

    def nearest(self, count: int) -> Iterator[tuple[int, Int64]]:
        """Yield the first of some rows, and which cells are nearest to each of them, (m, count), -1 for its own."""
        own = torch.from_numpy(np.repeat(np.arange(len(self.bounds)), np.diff(self.bounds, axis=1)[:, 0]))
        for first in range(0, len(self.rows), CHUNK):
            probes = torch.cat(
                [
                    _squares(part, self.centres).topk(count, dim=1, largest=False, sorted=False)[1]
                    for part in torch.split(self.rows[first : first + CHUNK], max(1, DISTANCES // len(self.centres)))
                ]
            )
            yield first, torch.where(probes == own[first : first + CHUNK, None], -1, probes).numpy()

    def result(self, keys: Int64) -> tuple[Int32, Float32]:
        """Return indices and distances, in the order in which the rows came."""
        indices, distances = np.empty(keys.shape, np.int32), np.empty(keys.shape, np.float32)
        for start in range(0, len(keys), CHUNK):
            part = slice(start, start + CHUNK)
            found = keys[part] & 0xFFFFFFFF
            for query in np.flatnonzero((keys[part] >= NOTHING).any(axis=1)):  # cells may have very few rows
                near = nearest_rows(self.rows.numpy(), keys.shape[1] + 1, self.rows[part][query : query + 1].numpy())[0]
                found[query] = near[near != start + query][: keys.shape[1]]
            exact, order = _distances(self.rows[part], self.rows[torch.from_numpy(found)]).sort(dim=1, stable=True)
            indices[self.order[part]] = self.order[np.take_along_axis(found, order.numpy(), axis=1)]
            distances[self.order[part]] = exact.numpy()
        return indices, distances


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


def _look(cells: _Cells, keys: Int64, queries: Int64, start: int, end: int, room: Tensor) -> None:
    """Compare rows with those of one cell, and keep the nearest.

    Parameters
    ----------
    cells : _Cells
    keys : ndarray of int64, shape (n, k)
        The nearest rows so far: the bits of the squared distance, then the row's number, so that keys are in the order
        of distances. Changed in place.
    queries : ndarray of int, shape (m,)
        Of the cell itself, or of other cells.
    start, end : int
        The rows of the cell.
    room : tensor
        For the distances of some of the rows: to ask for new memory takes longer than the products.
    """
    there = cells.rows[start:end]
    middle = there.mean(0)  # near the origin, differences of squares lose the fewest digits
    there, k = there - middle, keys.shape[1]
    squares, columns = there.square().sum(1), there.T
    for rows in np.array_split(queries, -(-len(queries) * (end - start) // len(room))):
        here = cells.rows[torch.from_numpy(rows)] - middle
        own = here.square().sum(1).numpy()
        away = room[: len(rows) * len(there)].view(len(rows), len(there))
        torch.addmm(squares, here, columns, alpha=-2, out=away)
        if start <= rows[0] < end:
            away[torch.arange(len(rows)), torch.from_numpy(rows - start)] = torch.inf
        found = away.numpy()
        farthest = _squares_of(keys[rows, k - 1]) - own
        if np.isinf(farthest).any() and len(there) > k:  # the k nearest may all be here, but no more
            farthest = np.fmin(
                farthest, np.nextafter(np.partition(found, k - 1, axis=1)[:, k - 1], np.inf, dtype=np.float32)
            )
        near = np.flatnonzero(away.amin(1).numpy() < farthest)
        if len(near):
            places, others = np.divmod(np.flatnonzero(found[near] < farthest[near, None]), len(there))
            lines = near[places]
            _keep(keys, rows, lines, np.maximum(found[lines, others] + own[lines], 0), start + others)


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

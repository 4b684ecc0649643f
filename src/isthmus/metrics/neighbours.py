"""Distances between many rows, block by block: nearest neighbours and squared distances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distance_blocks", "nearest", "nearest_others"]

Float64 = NDArray[np.float64]

_BLOCK_VALUES = 1 << 22
"""Distances that are held at a time (32 MiB)."""


def nearest(queries: Float64, references: Float64) -> tuple[Float64, NDArray[np.int64]]:
    """Return the distance of every query from its nearest reference, and which one that is.

    Parameters
    ----------
    queries : ndarray of float64, shape (n, d)
        Rows that look for a neighbour.
    references : ndarray of float64, shape (m, d)
        Rows that may be one.

    Returns
    -------
    distances : ndarray of float64, shape (n,)
        Euclidean; exactly 0 for a copy.
    indices : ndarray of int64, shape (n,)
        Rows of ``references``.
    """
    from sklearn.neighbors import NearestNeighbors

    middle = references.mean(axis=0)  # near the origin, differences of squares lose the fewest digits
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(references - middle)
    indices = search.kneighbors(queries - middle, return_distance=False)[:, 0].astype(np.int64)
    distances = np.empty(len(queries))
    for part in _row_blocks(len(queries), queries.shape[1]):
        distances[part] = np.linalg.norm(queries[part] - references[indices[part]], axis=1)
    return distances, indices


def nearest_others(rows: Float64, k: int) -> Float64:
    """Return the distance of every row from its k-th nearest other row.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, d)
        More than k rows.
    k : int
        Which neighbour, from 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        Euclidean.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows)
    return np.asarray(search.kneighbors()[0][:, -1])


def distance_blocks(queries: NDArray[Any], references: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield squared Euclidean distances of a block of queries from all references.

    Parameters
    ----------
    queries : ndarray of float32 or float64, shape (n, d)
        Rows that are taken block by block.
    references : ndarray of the same type, shape (m, d)
        Rows that each block is compared with.

    Yields
    ------
    part : slice
        Which queries.
    squares : ndarray of that type, shape (b, m)
        Squared distances; 0 where rounding is all there is.
    """
    a, b = np.einsum("ij,ij->i", queries, queries), np.einsum("ij,ij->i", references, references)
    rounding = 8.0 * np.finfo(queries.dtype).eps * (a.max() + b.max())
    for part in _row_blocks(len(queries), len(references)):
        squares = queries[part] @ references.T
        squares *= -2.0
        squares += b
        squares += a[part, np.newaxis]
        squares[squares < rounding] = 0.0
        yield part, squares


def _row_blocks(n: int, width: int) -> Iterator[slice]:
    rows = max(1, _BLOCK_VALUES // max(width, 1))
    for start in range(0, n, rows):
        yield slice(start, start + rows)

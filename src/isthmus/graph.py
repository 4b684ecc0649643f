r"""k-nearest-neighbour graph with UMAP's edge weights, and label spreading on it.

Weights are those of McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018, section
3.1: v_ij = exp(-(d_ij - r_i) / s_i) for the k nearest neighbours j of i, with r_i the distance of the nearest and s_i
such that sum_j v_ij = log2 k; made symmetric by w = v + v^T - v v^T, entry by entry.

Labels spread over a graph as in Zhou, Bousquet, Lal, Weston and Schoelkopf, "Learning with Local and Global
Consistency", NeurIPS 2003, section 2: with W its weights, D their sums and Y the known classes as ones in (n, k)::

    S = D^-1/2 W D^-1/2,    F = (I - a S)^-1 Y,    p(c | x_i) = F_ic / sum_c F_ic

F is found by conjugate gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.nearest import near_rows, nearest_rows

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["NEIGHBOURS", "balanced", "fuzzy_graph", "graph_of", "near_rows", "nearest_rows", "spread", "weights_of"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

NEIGHBOURS = 15  # of a row by default
BLOCK = 2**16  # rows whose weights are found at a time
HALVINGS = 64
NARROWEST = 1e-3  # s_i, as a share of the mean distance, at least
REACH = 0.99  # a: how much of a row's class comes from its neighbours
TOLERANCE = 1e-4  # of F, as a share


def fuzzy_graph(indices: Int32 | Int64, distances: Float32) -> sp.csr_matrix:
    """Return the symmetric weights of a graph of nearest neighbours, those of UMAP.

    Parameters
    ----------
    indices : array, shape (n, k)
        Neighbours of each row.
    distances : array, shape (n, k)
        How far they are, increasing.

    Returns
    -------
    csr_matrix of float32, shape (n, n)
        Between 0 and 1.
    """
    import scipy.sparse as sp

    n, k = indices.shape
    weights = np.concatenate([weights_of(distances[start : start + BLOCK]) for start in range(0, max(n, 1), BLOCK)])
    ends = np.arange(0, n * k + 1, k, dtype=np.int64 if n * k > np.iinfo(np.int32).max else np.int32)
    forth = sp.csr_matrix((weights.ravel(), indices.astype(ends.dtype, copy=False).ravel(), ends), shape=(n, n))
    back = forth.T.tocsr()
    both = forth.multiply(back)
    either = forth + back
    del forth, back  # of a million rows they take a quarter of a gigabyte
    return sp.csr_matrix(either - both)


def weights_of(distances: Float32) -> Float32:
    """Return the weight v_ij of each neighbour from its distance, the nearest first: (n, k) -> (n, k)."""
    k = distances.shape[1]
    beyond = (distances - distances[:, :1]).astype(np.float64)
    wanted = max(np.log2(k), 1.0 + 1e-6)  # the nearest alone counts 1
    narrowest = NARROWEST * distances.mean(axis=1, dtype=np.float64) + np.finfo(np.float32).tiny
    low, high = narrowest, np.maximum(1e3 * beyond.max(axis=1), 2 * narrowest)
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        is_wide = np.exp(-beyond / middle[:, None]).sum(axis=1) > wanted
        low, high = np.where(is_wide, low, middle), np.where(is_wide, middle, high)
    return np.exp(-beyond / low[:, None]).astype(np.float32)


def graph_of(rows: Float32, k: int = NEIGHBOURS, seed: int = 0) -> sp.csr_matrix:
    """Return the symmetric weights of the graph that joins each row to its nearest.

    Parameters
    ----------
    rows : array, shape (n, d)
    k : int, default=15
        How many neighbours a row has.
    seed : int, default=0
        Of the search among more than 30,000 rows: :func:`isthmus.nearest.near_rows`.

    Returns
    -------
    csr_matrix of float32, shape (n, n)
    """
    return fuzzy_graph(*near_rows(rows, k, seed=seed))


def balanced(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Return D^-1/2 W D^-1/2 of symmetric weights W, D being the sums of their rows: (n, n)."""
    import scipy.sparse as sp

    degrees = np.asarray(graph.sum(axis=1, dtype=np.float64)).ravel()
    root = sp.diags(1 / np.sqrt(np.maximum(degrees, np.finfo(np.float64).tiny)))
    return (root @ graph @ root).tocsr()


def spread(graph: sp.csr_matrix, numbers: Int64, k: int, *, even: bool = True) -> Float64:
    """Return the probability of each class for each row of a graph.

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
        Symmetric weights, of at least 0.
    numbers : ndarray of int64, shape (n,)
        Class numbers, -1 where there is no label.
    k : int
        Classes.
    even : bool, default=True
        Whether all classes weigh the same (Wang, Jebara and Chang, "Graph Transduction via Alternating Minimization",
        ICML 2008, give them weights like these); otherwise all labels do, as Zhou and others have it. What comes from
        far away tends to sqrt(d_i) times the sum of sqrt(d_j) over the labels, with degrees d: where clusters touch,
        the class with most labels would win everywhere.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows that no label reaches have the shares of the labels.
    """
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    known = np.flatnonzero(numbers >= 0)
    labels = np.zeros((len(numbers), k))
    labels[known, numbers[known]] = 1.0
    weights = _weights(graph, labels) if even else np.ones(k)
    system = (sp.identity(len(numbers)) - REACH * balanced(graph)).tocsr()
    reached = np.stack([cg(system, column, rtol=TOLERANCE)[0] for column in labels.T], axis=1).clip(min=0.0) * weights
    total = reached.sum(axis=1, keepdims=True)
    return np.where(total > 0, reached / np.where(total > 0, total, 1.0), labels.sum(axis=0) / max(1, len(known)))


def _weights(graph: sp.csr_matrix, labels: Float64) -> Float64:
    """Return what makes all classes reach equally far, (k,): one over the sum of sqrt(d_j) over the labels of each."""
    degrees = np.asarray(graph.sum(axis=1, dtype=np.float64)).ravel()
    sums = np.sqrt(degrees) @ labels
    return np.where(sums > 0, 1 / np.where(sums > 0, sums, 1.0), 0.0)

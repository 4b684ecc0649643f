r"""Rows as a graph: who is whose nearest neighbour, and how much that weighs.

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
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["NEIGHBOURS", "balanced", "fuzzy_graph", "graph_of", "nearest_rows", "spread", "weights_of"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

NEIGHBOURS = 15  # of a row, where nobody says
DISTANCES = 2**22  # held at a time (16 MiB): they stay in the cache of the processor
TOGETHER = 32  # neighbouring distances of which the smallest is looked at first
HALVINGS = 64
NARROWEST = 1e-3  # s_i, as a share of the mean distance, at least
REACH = 0.99  # a: how much of a row's class comes from its neighbours
TOLERANCE = 1e-4  # of F, as a share


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
    indices, distances = [], []
    for block in torch.split(torch.arange(len(here)), rows or max(1, DISTANCES // len(there))):
        part = here[block]
        # ||a - b||^2 without ||a||^2, which changes no order.
        away = torch.addmm(squares, part, columns, alpha=-2)
        if queries is None:
            away[torch.arange(len(block)), block] = torch.inf
        found = _smallest(away, k)
        exact = (part[:, None] - there[found]).square().sum(2).sqrt()
        exact, order = exact.sort(dim=1, stable=True)
        indices.append(found.gather(1, order))
        distances.append(exact)
    return torch.cat(indices).numpy(), torch.cat(distances).numpy()


def _smallest(values: torch.Tensor, k: int) -> torch.Tensor:
    """Return the columns of the k smallest values of each row, in any order: (m, n) -> (m, k).

    They are in the k groups of columns with the smallest minima, which are found many times sooner.
    """
    if values.shape[1] <= 2 * k * TOGETHER:
        return values.topk(k, largest=False)[1]
    groups = F.pad(values, (0, -values.shape[1] % TOGETHER), value=torch.inf).view(len(values), -1, TOGETHER)
    near = groups.amin(2).topk(k, largest=False)[1]
    few = groups.gather(1, near[:, :, None].expand(-1, -1, TOGETHER)).flatten(1)
    places = few.topk(k, largest=False)[1]
    return near.gather(1, places // TOGETHER) * TOGETHER + places % TOGETHER


def fuzzy_graph(indices: Int64, distances: Float32) -> sp.csr_matrix:
    """Return the symmetric weights of a graph of nearest neighbours, those of UMAP.

    Parameters
    ----------
    indices : array, shape (n, k)
        Neighbours of each row.
    distances : array, shape (n, k)
        How far they are, increasing.

    Returns
    -------
    csr_matrix of float64, shape (n, n)
        Between 0 and 1.
    """
    import scipy.sparse as sp

    n, k = indices.shape
    weights = weights_of(distances).ravel()
    directed = sp.csr_matrix((weights, (np.repeat(np.arange(n), k), indices.ravel())), shape=(n, n))
    return sp.csr_matrix(directed + directed.T - directed.multiply(directed.T))


def weights_of(distances: Float32) -> Float64:
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
    return np.asarray(np.exp(-beyond / low[:, None]))


def graph_of(rows: Float32) -> sp.csr_matrix:
    """Return the symmetric weights of the graph that joins each row to its 15 nearest: (n, d) -> (n, n)."""
    return fuzzy_graph(*nearest_rows(rows, NEIGHBOURS))


def balanced(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Return D^-1/2 W D^-1/2 of symmetric weights W, D being the sums of their rows: (n, n)."""
    import scipy.sparse as sp

    degrees = np.asarray(graph.sum(axis=1)).ravel()
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
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    sums = np.sqrt(degrees) @ labels
    return np.where(sums > 0, 1 / np.where(sums > 0, sums, 1.0), 0.0)

r"""Number of clusters of a graph: which splits separate clusters, and which cut a cluster in two.

How much a split of a part of the graph into two sides cuts is its conductance: with w the weight between the two sides
and v_1, v_2 the weight of each, within the part::

    phi = w / min(v_1, v_2)

A cluster is a part that no split cuts cheaply, so that a split *between* clusters cuts much less than the splits
*within* them (Kannan, Vempala and Vetta, "On Clusterings: Good, Bad and Spectral", JACM 51, 2004, section 2). A part of
n rows in d dimensions without any structure has phi = a n^(-1/d): the surface of the cut over the volume of a side. So
the two sides' own splits, a_1 and a_2, and the median a of all say what to expect if the part were one cluster::

    phi* = (a_1 a_2 a)^(1/3) n^(-1/d),    ratio = (w + c) / (phi* min(v_1, v_2) + c)

c is the weight of three quarters of a row, so that a few missing edges are no evidence; but where no row of either
side has one of the other among its neighbours, the ratio is 0. A split is between clusters if its ratio is below 0.5,
or one within its sides is. Nothing in this depends on how large clusters are, how dense or of what form.

How many clusters there are is found row by row. A part's leading eigenvectors each give an order of its rows, and the
cut of an order with the lowest conductance, after single rows have moved, makes two parts of it (Shi and Malik 2000,
section 3). A first cut may well go through a cluster, whose halves then lie in two parts. So parts are joined again,
the two first whose split has the highest ratio: how low the highest is says how many are clusters.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from isthmus.graph import NEIGHBOURS
from isthmus.tasks.cluster.graph import (
    Float32,
    Float64,
    Int64,
    Merging,
    moved,
    spectral_layout,
    weights_between,
)

__all__ = ["BETWEEN", "intrinsic_dimension", "number_of_clusters", "ratios", "ratios_by_row", "strongest"]

BETWEEN = 0.5  # ratio below which a split is one between clusters
SMOOTHING = 0.75  # c, in mean weights of a row
APART = 0.05  # weight between two sides, in mean weights of a row, below which there is none
ENOUGH = 40  # rows of a side whose own split says what to expect: fewer than that all know each other
TINY = 1e-12
MAX_CONDUCTANCE = 0.5  # conductance that is expected at most: that of a graph in which all rows know each other
PARTS = 64  # that a graph is divided into row by row, at most; the largest part comes first
LEAST = 8  # rows of a side of such a split
ORDERS = 5  # eigenvectors of a part that its rows are ordered by


def intrinsic_dimension(distances: Float32) -> float:
    """Return the number of dimensions that rows lie in, from the distances to their neighbours, (n, k).

    The estimate of Levina and Bickel, "Maximum Likelihood Estimation of Intrinsic Dimension", NeurIPS 2004, equation 8,
    averaged over rows as MacKay and Ghahramani propose (2005); 1 at least.
    """
    logs = np.log(np.maximum(distances, np.finfo(np.float32).tiny))
    inverse = (logs[:, -1:] - logs[:, :-1]).mean(axis=1) if distances.shape[1] > 1 else np.zeros(len(distances))
    return float(max(1.0, 1 / max(inverse.mean(), 1e-3)))


@dataclass(frozen=True)
class Expected:
    """What splits within clusters cut, in a graph.

    Parameters
    ----------
    degree : float
        Mean weight of a row.
    dimension : float
        d, that rows lie in.
    log_a : float
        log a, the median of what there is.
    """

    degree: float
    dimension: float
    log_a: float = 0.0

    def log_a_of(self, cut: ArrayLike, smaller: ArrayLike, rows: ArrayLike) -> Float64:
        """Return log(phi n^(1/d)) of splits; NaN of parts too small to say what to expect, or not cut at all."""
        log_phi = np.log(np.maximum(cut, TINY) / np.maximum(smaller, TINY))
        log_a = log_phi + np.log(np.maximum(rows, TINY)) / self.dimension
        return np.where(np.greater_equal(rows, ENOUGH) & np.greater(cut, 0), log_a, np.nan)

    def ratio(self, cut: Float64, smaller: Float64, rows: Float64, *sides: Float64) -> Float64:
        """Return the ratios of splits, whose sides have these log a of their own, NaN where they say nothing."""
        known = np.stack(np.broadcast_arrays(self.log_a, *sides))
        most = smaller * np.minimum(MAX_CONDUCTANCE, np.exp(np.nanmean(known, axis=0) - np.log(rows) / self.dimension))
        c = SMOOTHING * self.degree
        is_apart = (cut < APART * self.degree) & (smaller > NEIGHBOURS * self.degree)
        return np.asarray(np.where(is_apart, 0.0, (cut + c) / (most + c)))


def ratios(merging: Merging, degree: float, dimension: float) -> Float64:
    """Return the lowest ratio of each union and of those within it: (m - 1,).

    Parameters
    ----------
    merging : Merging
        Of m groups.
    degree : float
        Mean weight of a row.
    dimension : float
        d, that rows lie in.
    """
    expected, log_a = _expected(merging, degree, dimension)
    latest = np.full(len(merging.pairs) + 1, -1)  # the union that each group is in so far
    found = np.empty(len(merging.pairs))
    for union, (i, j) in enumerate(merging.pairs):
        within = [side for side in (latest[i], latest[j]) if side >= 0]
        cut, sides = merging.cuts[union], merging.sides[union]
        found[union] = expected.ratio(cut, sides.min(), sides.sum() / degree, *log_a[within])
        found[union] = min([found[union], *found[within]])
        latest[i] = union
    return found


def _expected(merging: Merging, degree: float, dimension: float) -> tuple[Expected, Float64]:
    """Return what splits cut within clusters, and the log a of each union."""
    log_a = Expected(degree, dimension).log_a_of(
        merging.cuts, merging.sides.min(axis=1), merging.sides.sum(axis=1) / degree
    )
    says = log_a[~np.isnan(log_a)]
    return Expected(degree, dimension, float(np.median(says)) if len(says) else 0.0), log_a


def number_of_clusters(found: Float64, between: float = BETWEEN) -> int:
    """Return how many clusters the ratios of unions speak for."""
    return 1 + int(np.count_nonzero(found < between))


def strongest(merging: Merging, found: Float64, k: int) -> Int64:
    """Return the labels of groups after the k - 1 splits with the lowest ratios: (m,)."""
    later_first = np.lexsort((-np.arange(len(found)), found))  # a union never comes after those within it
    is_made = np.ones(len(found), bool)
    is_made[later_first[: k - 1]] = False
    return merging.labels(is_made)


# ------------------------------------------------------------------ row by row


def ratios_by_row(graph: sp.csr_matrix, dimension: float, seed: int) -> Float64:
    """Return the ratio of the weakest split between 2, 3, ... clusters, up to one more than there are, increasing.

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
        Symmetric weights.
    dimension : float
        d, that rows lie in.
    seed : int
        Of eigenvectors, and of the order in which rows move.
    """
    merging, parts = _parts(graph, seed)
    degree = 1 / graph.shape[0]
    found = ratios(merging, degree, dimension)
    cluster = merging.labels(found >= BETWEEN)
    labels = np.empty(graph.shape[0], np.int64)
    for part, rows in enumerate(parts):
        labels[rows] = cluster[part]
    next_one = found[found >= BETWEEN].min(initial=1.0)
    joined = _rejoined(graph, labels, _expected(merging, degree, dimension)[0], seed)
    return np.minimum.accumulate(np.append(next_one, joined))[::-1]


def _parts(graph: sp.csr_matrix, seed: int) -> tuple[Merging, list[Int64]]:
    """Return the rows of each part of a graph, divided row by row, and the unions that undo it."""
    n, whole = graph.shape[0], float(graph.sum())
    parts, largest = [np.arange(n)], [(-n, 0)]
    pairs, cuts, sides = [], [], []
    while largest and len(parts) < PARTS:
        size, number = heapq.heappop(largest)
        if -size < ENOUGH and len(parts) > 1:
            break
        rows = parts[number]
        split = _split(graph, rows, seed)
        if split is None:
            continue
        is_in, cut, volumes = split
        pairs.append((number, len(parts)))
        cuts.append(cut / whole)
        sides.append(volumes / whole)
        parts[number] = rows[~is_in]
        parts.append(rows[is_in])
        for one in pairs[-1]:
            heapq.heappush(largest, (-len(parts[one]), one))
    undone = np.asarray(pairs[::-1], np.int64).reshape(-1, 2)
    return Merging(undone, np.asarray(cuts[::-1]), np.asarray(sides[::-1]).reshape(-1, 2)), parts


def _rejoined(graph: sp.csr_matrix, labels: Int64, expected: Expected, seed: int) -> Float64:
    """Return the highest ratio of a split between two clusters, again and again, these two being joined: (k - 1,)."""

    def log_a(cluster: int) -> float:
        members = np.flatnonzero(labels == cluster)
        split = _split(graph, members, seed) if len(members) >= ENOUGH else None
        if split is None:
            return np.nan
        _, cut, volumes = split
        return float(expected.log_a_of(cut / whole, volumes.min() / whole, len(members)))

    whole = float(graph.sum())
    labels = labels.copy()
    between = weights_between(graph, labels)
    rows = np.bincount(labels)
    own = np.asarray([log_a(cluster) for cluster in range(len(rows))])
    is_left = np.ones(len(rows), bool)
    found = []
    while np.count_nonzero(is_left) > 1:
        inner = np.diagonal(between)
        smaller = np.minimum.outer(inner, inner) + between
        all_ratios = expected.ratio(between, smaller, np.add.outer(rows, rows), own[:, None], own)
        all_ratios[~is_left], all_ratios[:, ~is_left] = -np.inf, -np.inf
        np.fill_diagonal(all_ratios, -np.inf)
        i, j = divmod(int(all_ratios.argmax()), len(rows))
        found.append(all_ratios[i, j])
        labels[labels == j] = i
        between[i] += between[j]
        between[:, i] += between[:, j]
        rows[i], is_left[j], own[i] = rows[i] + rows[j], False, log_a(i)
    return np.asarray(found)


def _split(graph: sp.csr_matrix, rows: Int64, seed: int) -> tuple[NDArray[np.bool_], float, Float64] | None:
    """Return the rows on one side of a part's best split, the weight between, and that of both sides."""
    part = graph[rows][:, rows].tocsr()
    is_in = _best_side(part, float(part.sum()) / len(rows), seed)
    if is_in is None:
        return None
    degrees = np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
    volumes = np.asarray([degrees[~is_in].sum(), degrees[is_in].sum()])
    return is_in, float(part[is_in][:, ~is_in].sum()), volumes


def _best_side(part: sp.csr_matrix, degree: float, seed: int) -> NDArray[np.bool_] | None:
    """Return the rows on one side of the split of a part with the lowest conductance, or None if there is none."""
    n = part.shape[0]
    if n < 2 * LEAST:
        return None
    pieces = connected_components(part, directed=False)[1]
    sizes = np.bincount(pieces)
    largest, *others = np.argsort(-sizes, kind="stable")
    if others and sizes[others[0]] >= LEAST:
        return np.asarray(pieces == others[0])
    if others:  # what hangs together with nothing is on the other side
        rows = np.flatnonzero(pieces == largest)
        side, found = np.zeros(n, bool), _best_side(part[rows][:, rows].tocsr(), degree, seed)
        if found is None:
            return None
        side[rows] = found
        return side
    degrees = np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
    vectors = spectral_layout(part, min(ORDERS + 1, n), seed)[1][:, 1:]
    orders = np.argsort(vectors / np.sqrt(degrees)[:, None], axis=0, kind="stable").T
    side = min((_cheapest(part, degrees, order, SMOOTHING * degree) for order in orders), key=lambda found: found[0])[1]
    refined = moved(part, side.astype(np.int64), seed) == 1
    return refined if LEAST <= np.count_nonzero(refined) <= n - LEAST else side


def _cheapest(part: sp.csr_matrix, degrees: Float64, order: Int64, c: float) -> tuple[float, NDArray[np.bool_]]:
    """Return the lowest conductance, (w + c) / (min(v_1, v_2) + c), of the cuts of an order of rows, and one side."""
    n = len(order)
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    edges = part.tocoo()
    first, last, weight = rank[edges.row], rank[edges.col], edges.data
    weight = np.where(first < last, weight, 0.0)  # the other half of the edges comes back
    opened = np.bincount(first, weight, n) - np.bincount(last, weight, n)
    w, v = np.cumsum(opened)[:-1], np.cumsum(degrees[order])
    phi = (w + c) / (np.minimum(v[:-1], v[-1] - v[:-1]) + c)
    phi[: LEAST - 1], phi[n - LEAST :] = np.inf, np.inf
    at = int(phi.argmin())
    return float(phi[at]), rank <= at

r"""Which splits of a graph are between clusters, and which cut a cluster in two: how many clusters there are.

Small groups are joined two at a time (:class:`isthmus.tasks.cluster.graph.Merging`), so that every union is a split of
a part of the graph into two sides. How much that split cuts is its conductance: with w the weight between the two sides
and v_1, v_2 the weight of each, within the part::

    phi = w / min(v_1, v_2)

A cluster is a part that no split cuts cheaply, so that a split *between* clusters cuts much less than the splits
*within* them (Kannan, Vempala and Vetta, "On Clusterings: Good, Bad and Spectral", JACM 51, 2004, section 2). A part of
n rows in d dimensions without any structure has phi = a n^(-1/d): the surface of the cut over the volume of a side. So
the two sides' own splits, a_1 and a_2, and the median a of all say what to expect if the part were one cluster::

    phi* = (a_1 a_2 a)^(1/3) n^(-1/d),    ratio = (w + c) / (phi* min(v_1, v_2) + c)

c is the weight of three quarters of a row, so that a few missing edges are no evidence; but where no row of either
side has one of the other among its neighbours, the ratio is 0. A split is between clusters if its ratio is below 0.45,
or one within its sides is. Nothing in this depends on how large clusters are, how dense or of what form.
"""

from __future__ import annotations

import numpy as np

from isthmus.graph import NEIGHBOURS
from isthmus.tasks.cluster.graph import Float32, Float64, Int64, Merging

__all__ = ["BETWEEN", "intrinsic_dimension", "number_of_clusters", "ratios", "strongest"]

BETWEEN = 0.45  # ratio below which a split is one between clusters
SMOOTHING = 0.75  # c, in mean weights of a row
APART = 0.05  # weight between two sides, in mean weights of a row, below which there is none
ENOUGH = 40  # rows of a side whose own split says what to expect: fewer than that all know each other
TINY = 1e-12
MOST_CUT = 0.5  # conductance that is expected at most: that of a graph in which all rows know each other


def intrinsic_dimension(distances: Float32) -> float:
    """Return the number of dimensions that rows lie in, from the distances to their neighbours, (n, k).

    The estimate of Levina and Bickel, "Maximum Likelihood Estimation of Intrinsic Dimension", NeurIPS 2004, equation 8,
    averaged over rows as MacKay and Ghahramani propose (2005); 1 at least.
    """
    logs = np.log(np.maximum(distances, np.finfo(np.float32).tiny))
    inverse = (logs[:, -1:] - logs[:, :-1]).mean(axis=1) if distances.shape[1] > 1 else np.zeros(len(distances))
    return float(max(1.0, 1 / max(inverse.mean(), 1e-3)))


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
    volume, smaller = merging.sides.sum(axis=1), merging.sides.min(axis=1)
    rows = volume / degree
    log_phi = np.log(np.maximum(merging.cuts, TINY) / np.maximum(smaller, TINY))
    log_a = log_phi + np.log(np.maximum(rows, TINY)) / dimension
    says = (rows >= ENOUGH) & (merging.cuts > 0)
    usual = float(np.median(log_a[says])) if says.any() else 0.0
    is_apart = (merging.cuts < APART * degree) & (smaller > NEIGHBOURS * degree)
    c = SMOOTHING * degree
    latest = np.full(len(merging.pairs) + 1, -1)  # the union that each group is in so far
    found = np.empty(len(merging.pairs))
    for union, (i, j) in enumerate(merging.pairs):
        within = [side for side in (latest[i], latest[j]) if side >= 0]
        expected = np.mean([usual, *(log_a[side] for side in within if rows[side] >= ENOUGH)])
        most = smaller[union] * min(MOST_CUT, np.exp(expected - np.log(rows[union]) / dimension))
        found[union] = 0.0 if is_apart[union] else (merging.cuts[union] + c) / (most + c)
        found[union] = min([found[union], *found[within]])
        latest[i] = union
    return found


def number_of_clusters(found: Float64) -> int:
    """Return how many clusters the ratios of unions speak for."""
    return 1 + int(np.count_nonzero(found < BETWEEN))


def strongest(merging: Merging, found: Float64, k: int) -> Int64:
    """Return the labels of groups after the k - 1 splits with the lowest ratios: (m,)."""
    later_first = np.lexsort((-np.arange(len(found)), found))  # a union never comes after those within it
    is_made = np.ones(len(found), bool)
    is_made[later_first[: k - 1]] = False
    return merging.labels(is_made)

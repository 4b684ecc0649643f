r"""Clusters as communities of the nearest-neighbour graph of codes.

Two ways. Both begin with the graph of :mod:`isthmus.tasks.cluster.graph`, and find out how many clusters there are by
:mod:`isthmus.tasks.cluster.splits`.

================  =====================================================================================================
communities       the parts of the graph that keep most of their weight to themselves, whatever their sizes. Where fewer
                  are wanted than there are, whole ones are joined, by modularity: that prefers even parts
neighbour-graph   the graph is laid out in few dimensions, and a mixture of Gaussians is fitted there (McConville,
                  Santos-Rodriguez, Piechocki and Craddock, "N2D: (Not Too) Deep Clustering via Clustering the Local
                  Manifold of an Autoencoded Embedding", ICPR 2020); the layout is the spectral one, not UMAP's
================  =====================================================================================================

In each run of communities every record counts anew, 1 on average, by draws from an exponential distribution (the
Bayesian bootstrap: Rubin, Annals of Statistics 9, 1981). So runs differ by what another sample of records would change,
and what they do not agree on is no property of the records. The probability that a record belongs to a cluster is half
by where it is, and half the share of its weight in the graph that goes there; in the best run, and averaged over all
(bagging: Dudoit and Fridlyand, Bioinformatics 19, 2003). A new record gets its neighbours among the records of the fit,
and the mean of their probabilities by weight.
"""

# ruff: noqa: D102 - what each method does stands at Method

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from isthmus import documents, metrics
from isthmus.data import Data
from isthmus.graph import NEIGHBOURS, fuzzy_graph, near_rows
from isthmus.tasks.cluster import graph as graphs
from isthmus.tasks.cluster import splits
from isthmus.tasks.cluster.evidence import ROWS, Evidence, of_splits, some_of
from isthmus.tasks.cluster.graph import Float32, Float64, Int64
from isthmus.tasks.cluster.methods import Chances, Method, MixtureMethod
from isthmus.tasks.coder import Coder
from isthmus.tasks.neighbours import shares_of_neighbours

__all__ = ["CommunityMethod", "NeighbourGraph", "NeighbourGraphMethod"]

STARTS = 7  # of small groups, the median of which says how many whole clusters there are among many codes
WHOLE = 0.45  # ratio of a union of groups below which it is one of clusters


@dataclass(frozen=True)
class Groups:
    """Small groups of one run, and how they are joined.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        The group of each distinct code.
    merging : Merging
        By normalised association.
    ratios : ndarray, shape (m - 1,)
        How little each union cuts, over what is to be expected within a cluster.
    resampled : ndarray, shape (m, m)
        Weights between groups, where every record counts as this run drew it.
    """

    labels: Int64
    merging: graphs.Merging
    ratios: Float64
    resampled: Float64


@dataclass
class NeighbourGraph:
    """The graph of the distinct codes. Copies of a record would only know each other.

    Parameters
    ----------
    codes : ndarray of float32, shape (n, d)
        Distinct.
    inverse : ndarray of int64
        Which of them each record has.
    graph : csr_matrix of float32, shape (n, n)
    dimension : float
        Intrinsic dimension of the codes.
    vectors : ndarray, shape (m, e)
        Of the spectral layout of vertices.
    vertices : ndarray of int64, shape (n,)
        The vertex of each code; of few codes, each is its own.
    seed : int
    """

    codes: Float32
    inverse: Int64
    graph: sp.csr_matrix
    dimension: float
    vectors: Float64
    vertices: Int64
    seed: int
    _groups: dict[tuple[int, int], Groups] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Float32, seed: int) -> NeighbourGraph:
        """Return the graph of codes."""
        distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
        indices, distances = near_rows(distinct, NEIGHBOURS, seed=seed)
        graph, dimension = fuzzy_graph(indices, distances), splits.intrinsic_dimension(distances)
        small, vertices = graphs.coarsened(graph, graphs.VERTICES, seed)
        vectors = graphs.spectral_layout(small, min(graphs.DIMENSIONS, small.shape[0]), seed)[1]
        return cls(distinct, inverse.ravel(), graph, dimension, vectors, vertices, seed)

    def groups(self, fewest: int, seed: int) -> Groups:
        """Return small groups, so many at least; those of one seed are found once."""
        key = graphs.number_of_groups(len(self.vectors), min(fewest, len(self.vectors))), seed
        if key not in self._groups:
            labels = graphs.small_groups(self.vectors, *key)[self.vertices]
            merging = graphs.Merging.of(graphs.weights_between(self.graph, labels), graphs.association)
            counts = np.random.default_rng(seed).exponential(size=len(labels))
            self._groups[key] = Groups(
                labels,
                merging,
                splits.ratios(merging, 1 / len(labels), self.dimension),
                graphs.weights_between(self.graph, labels, counts),
            )
        return self._groups[key]

    @cached_property
    def evidence(self) -> Evidence:
        """How many clusters there are, counted among some of the codes."""
        some = some_of(self.codes, self.seed)
        view = self if len(some) == len(self.codes) else NeighbourGraph.of(some, self.seed)
        return of_splits(splits.ratios_by_row(view.graph, view.dimension, view.seed))

    @cached_property
    def number(self) -> int:
        """How many whole clusters there are among all codes: many of them show finer ones than some do."""
        if len(self.codes) <= ROWS:
            return self.evidence.best
        starts = [self.groups(1, (self.seed + i) % 2**32) for i in range(STARTS)]
        return int(np.median([splits.number_of_clusters(groups.ratios, WHOLE) for groups in starts]))


class OnGraph(Method):
    """A method on the graph of nearest codes.

    Parameters
    ----------
    codes : ndarray of float32, shape (n, d)
        Distinct codes of the records of the fit.
    shares : ndarray of float32, shape (n, k)
        Their probabilities.
    """

    def __init__(self, codes: Float32, shares: Float32) -> None:
        self.codes, self.shares = codes, shares

    @classmethod
    def view(cls, codes: Float32, seed: int) -> NeighbourGraph:
        return NeighbourGraph.of(codes, seed)

    @classmethod
    def evidence(cls, view: NeighbourGraph, most: int, seed: int) -> Evidence:
        return view.evidence.up_to(most)

    def probabilities(self, coder: Coder, data: Data) -> Float64:
        return shares_of_neighbours(self.codes, self.shares, coder.codes(data))

    def state(self) -> documents.State:
        return {}, {"codes": self.codes, "shares": self.shares}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        return cls(arrays["codes"], arrays["shares"])


class CommunityMethod(OnGraph):
    """Parts of the graph of nearest codes."""

    about = "parts of the graph of nearest codes"

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: NeighbourGraph, k: int, seed: int) -> tuple[Self, Chances]:
        groups = view.groups(k, seed)
        # Where there are more clusters than k, whole ones are joined: no cut through one of them is wanted.
        worth, labels = _joined(groups, k, seed) if view.number > k else _divided(groups, k, seed)
        labels = graphs.moved(view.graph, labels[groups.labels], seed)
        method = cls(view.codes, graphs.chances(view.graph, labels))
        method.score = graphs.total(worth, graphs.weights_between(view.graph, labels))
        return method, method.shares[view.inverse]

    @classmethod
    def settled(cls, view: NeighbourGraph, runs: list[tuple[Self, Chances]]) -> tuple[Self, Chances]:
        best = max((method for method, _ in runs), key=lambda method: method.score).shares
        mean = np.mean([method.shares[:, _matching(best, method.shares)] for method, _ in runs], axis=0)
        shares = (best + mean) / 2  # the best run counts as much as all together
        return cls(view.codes, shares), shares[view.inverse]


def _matching(ours: Float32, theirs: Float32) -> Int64:
    """Return which of their clusters stands for each of ours: those that share most records."""
    from scipy.optimize import linear_sum_assignment

    k = ours.shape[1]
    together = np.bincount(ours.argmax(axis=1) * k + theirs.argmax(axis=1), minlength=k * k).reshape(k, k)
    return np.asarray(linear_sum_assignment(together, maximize=True)[1])


def _divided(groups: Groups, k: int, seed: int) -> tuple[graphs.Worth, Int64]:
    """Return the best division of groups into k clusters by normalised association, and that measure."""
    begun = [groups.merging.first(k), splits.strongest(groups.merging, groups.ratios, k)]
    begin = max(begun, key=lambda labels: graphs.total(graphs.association, graphs.joined(groups.resampled, labels)))
    return graphs.association, graphs.annealed(groups.resampled, begin, graphs.association, seed)


def _joined(groups: Groups, k: int, seed: int) -> tuple[graphs.Worth, Int64]:
    """Return how whole clusters, of which there are more than k, are joined best by modularity, and that measure."""
    number = max(k, splits.number_of_clusters(groups.ratios, WHOLE))
    whole = splits.strongest(groups.merging, groups.ratios, number)
    between = graphs.joined(groups.resampled, whole)
    begin = graphs.Merging.of(between, graphs.modularity).first(k)
    return graphs.modularity, graphs.annealed(between, begin, graphs.modularity, seed)[whole]


class NeighbourGraphMethod(OnGraph):
    """A mixture of Gaussians on the layout of the graph (N2D)."""

    about = "a mixture of Gaussians on the layout of the graph of nearest codes"

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: NeighbourGraph, k: int, seed: int) -> tuple[Self, Chances]:
        layout = _layout(view, k)
        mixture = MixtureMethod.of_codes(layout, k, seed)
        shares = metrics.softmax(mixture.logits(layout))
        method = cls(view.codes, shares.astype(np.float32))
        method.score = mixture.score
        return method, shares[view.inverse]


def _layout(view: NeighbourGraph, k: int) -> Float32:
    """Return as many leading eigenvectors as clusters, rows of length 1."""
    leading = view.vectors[view.vertices, :k]
    lengths = np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.ascontiguousarray(leading / lengths, np.float32)

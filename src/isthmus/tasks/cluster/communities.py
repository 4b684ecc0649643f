r"""Clusters as parts of a graph that joins every record to those whose codes are nearest.

Two ways. Both begin with the graph of :mod:`isthmus.tasks.cluster.graph`.

================  =====================================================================================================
neighbour-graph   the graph is laid out in few dimensions, and a mixture of Gaussians is fitted there (McConville,
                  Santos-Rodriguez, Piechocki and Craddock, "N2D: (Not Too) Deep Clustering via Clustering the Local
                  Manifold of an Autoencoded Embedding", ICPR 2020); the layout is the spectral one, not UMAP's
communities       the communities of the graph itself: :mod:`isthmus.tasks.cluster.graph`
================  =====================================================================================================

The probability that a record belongs to a cluster is the share of its weight in the graph that goes there. A new record
gets its neighbours among the records of the fit, and the mean of their probabilities by weight.
"""

# ruff: noqa: D102 - what each method does stands at Rule

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse as sp

from isthmus.data import Data
from isthmus.graph import graph_of
from isthmus.tasks.cluster import graph as graphs
from isthmus.tasks.cluster.evidence import Evidence, like_one_cloud, of_gap, some_of
from isthmus.tasks.cluster.rules import Float32, Float64, MixtureRule, Rule
from isthmus.tasks.neighbours import shares_of_neighbours

if TYPE_CHECKING:
    from isthmus.tasks.cluster.clusterer import Clusterer

__all__ = ["CommunityRule", "NeighbourGraphRule", "View"]

STARTS = 5  # of small groups, among which numbers of clusters are compared
CLOUDS = 10  # that codes are compared with


@dataclass
class View:
    """A graph and its spectral layout.

    Parameters
    ----------
    codes : ndarray of float32, shape (n, d)
    graph : csr_matrix, shape (n, n)
    vectors : ndarray, shape (n, e)
        Of the spectral layout.
    """

    codes: Float32
    graph: sp.csr_matrix
    vectors: Float64
    _mergings: dict[tuple[int, int], graphs.Merging] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Float32, seed: int) -> View:
        """Return the graph of codes."""
        graph = graph_of(codes)
        dimensions = min(graphs.DIMENSIONS, len(codes))
        return cls(codes, graph, graphs.spectral_layout(graph, dimensions, seed)[1])

    def merging(self, fewest: int, seed: int) -> graphs.Merging:
        """Return how small groups, so many at least, are joined; the same one is asked for by evidence and by runs."""
        key = graphs.number_of_groups(len(self.codes), fewest), seed
        if key not in self._mergings:
            self._mergings[key] = graphs.Merging.of(self.graph, graphs.small_groups(self.vectors, *key))
        return self._mergings[key]

    def modularities(self, most: int, seed: int) -> Float64:
        """Return the modularity of 2, 3, ... and ``most`` clusters; there are fewer where codes are alike."""
        merging = self.merging(most, seed)
        return np.asarray([merging.score(min(k, len(merging.curve))) for k in range(2, max(2, most) + 1)])


class CommunityRule(Rule):
    """Communities of the graph of nearest codes.

    Parameters
    ----------
    codes : ndarray of float32, shape (n, d)
        Of the records of the fit.
    shares : ndarray of float32, shape (n, k)
        Their probabilities.
    """

    about = "communities in the graph of nearest codes"

    def __init__(self, codes: Float32, shares: Float32) -> None:
        self.codes, self.shares = codes, shares

    @classmethod
    def view(cls, task: Clusterer, data: Data, codes: Float32) -> View:
        return View.of(codes, task.seed_)

    @classmethod
    def evidence(cls, view: View, most: int, seed: int) -> Evidence:
        some = some_of(view.codes, seed)
        view = view if len(some) == len(view.codes) else View.of(some, seed)
        scores = np.mean([view.modularities(most, (seed + i) % 2**32) for i in range(STARTS)], axis=0)
        rng = np.random.default_rng(seed)
        clouds = [View.of(like_one_cloud(some, rng), seed).modularities(most, seed) for _ in range(CLOUDS)]
        return of_gap(scores, np.asarray(clouds))

    @classmethod
    def learn(cls, task: Clusterer, data: Data, view: View, k: int, seed: int) -> tuple[Self, Float64]:
        merging = view.merging(k, seed)
        divided = graphs.annealed(view.graph, merging.groups, merging.labels(k), seed)
        found = graphs.Communities.of(view.graph, divided, seed)
        rule = cls(view.codes, found.shares.astype(np.float32))
        rule.score = found.score
        return rule, found.shares

    def probabilities(self, task: Clusterer, data: Data) -> Float64:
        return shares_of_neighbours(self.codes, self.shares, task._codes(data))

    def parts(self, task: Clusterer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"codes": self.codes, "shares": self.shares}

    @classmethod
    def restore(cls, task: Clusterer, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        return cls(arrays["codes"], arrays["shares"])


class NeighbourGraphRule(CommunityRule):
    """A mixture of Gaussians on the layout of the graph (N2D)."""

    about = "a mixture of Gaussians on the layout of the graph of nearest codes"

    @classmethod
    def learn(cls, task: Clusterer, data: Data, view: View, k: int, seed: int) -> tuple[Self, Float64]:
        mixture, found = MixtureRule.learn(task, data, _layout(view, k), k, seed)
        rule = cls(view.codes, found.astype(np.float32))
        rule.score = mixture.score
        return rule, found


def _layout(view: View, k: int) -> Float32:
    """Return as many leading eigenvectors as clusters, rows of length 1."""
    leading = view.vectors[:, :k]
    lengths = np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.ascontiguousarray(leading / lengths, np.float32)

r"""A graph of neighbours (:mod:`isthmus.graph`): how it lies in few dimensions, and its communities.

================  =====================================================================================================
Spectral layout   the leading eigenvectors of D^-1/2 W D^-1/2, rows of length 1 (Ng, Jordan and Weiss, NeurIPS 2001)
Communities       labels c of high modularity (Newman and Girvan 2004), with m half of all weight and degrees k_i:
                  Q = 1/2m sum_ij (w_ij - k_i k_j / 2m) [c_i = c_j]
================  =====================================================================================================

Communities are looked for in four steps. Small groups, of the spectral layout, are found by k-means. Two of them are
joined at a time, the two whose union has the highest modularity (Clauset, Newman and Moore 2004), until as many are
left as are wanted. What was joined too soon comes apart again as groups change their community by chance, the less
chance the later (simulated annealing: Guimera and Amaral, Nature 433, 2005). Records then move to the neighbouring
community that they raise modularity in, until none does. The path of the second step has the modularity of every number
of clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from isthmus.graph import balanced

__all__ = ["Communities", "Merging", "annealed", "modularity", "number_of_groups", "small_groups", "spectral_layout"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

DIMENSIONS = 50  # of the spectral layout that small groups are found in
TOLERANCE = 1e-4  # of eigenvalues
DENSE = 256  # rows up to which all eigenvectors are computed
GROUPS = 200  # small groups, at most
ROWS_A_GROUP = 20  # rows for each, at least, on average
FEW_GROUPS, ROWS_OF_FEW = 60, 5  # groups that small sets have, with fewer rows for each
ROWS_OF_GROUPS = 10_000  # rows that small groups are found on, at most
CHAINS = 16  # of annealing, the best of which is kept
ANNEALED = 200  # times that every group is looked at while communities cool down
HOT, COLD = 2.0, 0.01  # first and last temperature, over the mean share of a group in all weight
SWEEPS = 100  # in which every row may move once, at most
SHARE_MOVED = 0.5  # of the rows that would move, at a time: all at once would swap places for ever


# ------------------------------------------------------------------ where the graph lies


def spectral_layout(graph: sp.csr_matrix, dimensions: int, seed: int) -> tuple[Float64, Float64]:
    """Return the leading eigenvalues of D^-1/2 W D^-1/2 and their eigenvectors.

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
        Symmetric weights, of at least 0.
    dimensions : int
        How many; n at most.
    seed : int
        Of the first vector.

    Returns
    -------
    eigenvalues : ndarray, shape (d,)
        The largest first; the first one is 1.
    eigenvectors : ndarray, shape (n, d)
    """
    from scipy.sparse.linalg import eigsh

    n = graph.shape[0]
    walk = balanced(graph)
    if n <= max(DENSE, 2 * dimensions):
        values, vectors = np.linalg.eigh(walk.toarray())
    else:
        start = np.random.default_rng(seed).standard_normal(n)
        values, vectors = eigsh(walk, k=dimensions, which="LA", v0=start, tol=TOLERANCE)
    order = np.argsort(-values, kind="stable")[:dimensions]
    return values[order], vectors[:, order]


def number_of_groups(n: int, fewest: int) -> int:
    """Return how many small groups ``n`` rows are divided into, ``fewest`` at least."""
    return min(n, max(fewest, min(GROUPS, n // ROWS_A_GROUP), min(FEW_GROUPS, n // ROWS_OF_FEW)))


def small_groups(vectors: Float64, count: int, seed: int) -> Int64:
    """Return which small group of a spectral layout each row is in: k-means on its rows, brought to length 1.

    Parameters
    ----------
    vectors : array, shape (n, d)
    count : int
        Groups; fewer where rows are alike.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        Numbers from 0, all of them in use.
    """
    from sklearn.cluster import KMeans

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.ascontiguousarray(vectors / np.maximum(lengths, np.finfo(np.float64).tiny), np.float32)
    some = np.random.default_rng(seed).permutation(len(rows))[:ROWS_OF_GROUPS]
    found = KMeans(count, n_init=1, random_state=seed % 2**32).fit(rows[np.sort(some)]).predict(rows)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


# ------------------------------------------------------------------ communities


def modularity(graph: sp.csr_matrix, labels: Int64) -> float:
    """Return the modularity Q of labels from 0: between -1/2 and 1."""
    within, degrees = _between(graph, labels)
    total = degrees.sum()
    return float(np.trace(within) / total - np.square(degrees / total).sum())


def _between(graph: sp.csr_matrix, labels: Int64) -> tuple[Float64, Float64]:
    """Return the weight between any two clusters, (k, k), and of each in all, (k,)."""
    members = _members(labels)
    between = (members.T @ graph @ members).toarray()
    return between, between.sum(axis=1)


def _members(labels: Int64, k: int | None = None) -> sp.csr_matrix:
    """Return which row is in which cluster, as zeros and ones, (n, k)."""
    n = len(labels)
    return sp.csr_matrix((np.ones(n), (np.arange(n), labels)), shape=(n, k or int(labels.max()) + 1))


@dataclass(frozen=True)
class Merging:
    """How small groups were joined, two at a time.

    Parameters
    ----------
    groups : ndarray of int64, shape (n,)
        The small group of each row, m of them.
    pairs : list of (int, int)
        Which two were joined, m - 1 times; the union keeps the first number.
    curve : ndarray, shape (m,)
        Modularity with m clusters, with m - 1, ... with 1.
    """

    groups: Int64
    pairs: list[tuple[int, int]]
    curve: Float64

    @classmethod
    def of(cls, graph: sp.csr_matrix, groups: Int64) -> Merging:
        """Return the merging of small groups by highest modularity."""
        between, degrees = _between(graph, groups)
        total = degrees.sum()
        e, a = between / total, degrees / total
        alive = np.ones(len(a), bool)
        pairs: list[tuple[int, int]] = []
        curve = [float(np.trace(e) - np.square(a).sum())]
        while len(pairs) < len(a) - 1:
            gain = 2 * (e - np.outer(a, a))
            gain[~alive], gain[:, ~alive] = -np.inf, -np.inf
            np.fill_diagonal(gain, -np.inf)
            i, j = sorted(divmod(int(gain.argmax()), len(a)))
            curve.append(curve[-1] + float(gain[i, j]))
            e[i] += e[j]
            e[:, i] += e[:, j]
            e[j], e[:, j] = 0, 0
            a[i], a[j], alive[j] = a[i] + a[j], 0, False
            pairs.append((i, j))
        return cls(groups, pairs, np.asarray(curve))

    def score(self, k: int) -> float:
        """Return the modularity of k clusters."""
        return float(self.curve[len(self.curve) - k])

    def labels(self, k: int) -> Int64:
        """Return the labels of k clusters, from 0: (n,)."""
        number = np.arange(len(self.curve))
        for i, j in self.pairs[: len(number) - k]:
            number[number == j] = i
        return np.unique(number[self.groups], return_inverse=True)[1].astype(np.int64)


def annealed(graph: sp.csr_matrix, groups: Int64, labels: Int64, seed: int) -> Int64:
    """Return labels of higher modularity that keep small groups together, or those given if there are none: (n,).

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
    groups : ndarray of int64, shape (n,)
        The small group of each row.
    labels : ndarray of int64, shape (n,)
        To begin with; all rows of a group have the same.
    seed : int
    """
    between, degrees = _between(graph, groups)
    total = degrees.sum()
    first = np.zeros(len(degrees), np.int64)
    first[groups] = labels
    k = int(labels.max()) + 1
    for found in _cooled(between / total, degrees / total, first, k, np.random.default_rng(seed)):
        if len(np.unique(found)) == k and modularity(graph, found[groups]) > modularity(graph, labels):
            labels = found[groups]
    return labels


def _cooled(e: Float64, a: Float64, labels: Int64, k: int, rng: np.random.Generator) -> Int64:
    """Return labels of groups after annealing, several chains of them: (chains, m).

    A group's community is drawn with chances exp(gain / temperature), as the largest gain with Gumbel noise.
    """
    chains, m = np.arange(CHAINS), len(a)
    found = np.tile(labels, (CHAINS, 1))
    is_in = np.eye(k)[labels]
    pull, share = np.tile(is_in.T @ e, (CHAINS, 1, 1)), np.tile(a @ is_in, (CHAINS, 1))
    for temperature in a.mean() * np.geomspace(HOT, COLD, ANNEALED):
        noise = temperature * rng.gumbel(size=(m, CHAINS, k))
        for group in rng.permutation(m):
            here = found[:, group]
            gain = 2 * (pull[:, :, group] - a[group] * share) + noise[group]
            gain[chains, here] -= 2 * (e[group, group] - a[group] ** 2)  # its own weight pulls nowhere
            there = gain.argmax(axis=1)
            moved = np.flatnonzero(there != here)
            if len(moved):
                out, into = here[moved], there[moved]
                pull[moved, out] -= e[group]
                pull[moved, into] += e[group]
                share[moved, out] -= a[group]
                share[moved, into] += a[group]
                found[moved, group] = into
    return found


@dataclass(frozen=True)
class Communities:
    """Clusters of a graph.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        From 0.
    shares : ndarray of float64, shape (n, k)
        Of each row's weight, what goes to each cluster.
    score : float
        Modularity.
    """

    labels: Int64
    shares: Float64
    score: float

    @classmethod
    def of(cls, graph: sp.csr_matrix, labels: Int64, seed: int) -> Communities:
        """Return the clusters after every row has moved to where it raises modularity, none being emptied."""
        rng = np.random.default_rng(seed)
        k = int(labels.max()) + 1
        degrees = np.asarray(graph.sum(axis=1)).ravel()
        total = degrees.sum()
        best, score = labels, modularity(graph, labels)
        for _ in range(SWEEPS):
            members = _members(best, k)
            pull = (graph @ members).toarray()
            # Leaving a community takes the row's own degree out of it.
            rest = np.tile(degrees @ members, (len(best), 1))
            rest[np.arange(len(best)), best] -= degrees
            gain = pull - degrees[:, None] * rest / total
            target = gain.argmax(axis=1)
            is_better = gain[np.arange(len(best)), target] > gain[np.arange(len(best)), best] + 1e-12
            moves = np.flatnonzero(is_better)
            if not len(moves):
                break
            moved = best.copy()
            chosen = moves[rng.random(len(moves)) < SHARE_MOVED] if len(moves) > 1 else moves
            moved[chosen] = target[chosen]
            higher = modularity(graph, moved) if len(np.unique(moved)) == k else -np.inf
            if higher < score:
                break
            best, score = moved, higher
        shares = (graph @ _members(best, k)).toarray()
        return cls(best, shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny), score)

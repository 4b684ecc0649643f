r"""Spectral embedding and modularity of a neighbour graph (:mod:`isthmus.graph`).

With W_cd the weight between clusters c and d, all weights adding up to 1, and v_c = sum_d W_cd:

======================  ===============================================================================================
Spectral layout         the leading eigenvectors of D^-1/2 W D^-1/2, rows of length 1 (Ng, Jordan and Weiss, NeurIPS
                        2001)
Normalised association  sum_c W_cc / v_c: the share of each cluster's weight that stays within it, whatever its size.
                        The number of clusters less this is the normalised cut (Shi and Malik, "Normalized Cuts and
                        Image Segmentation", IEEE PAMI 22, 2000, equations 2 and 3)
Modularity              sum_c W_cc - v_c^2: what stays within clusters, beyond what chance would give. It prefers even
                        parts (Newman and Girvan, Physical Review E 69, 2004)
======================  ===============================================================================================

Both are sums of a worth of each cluster, so that they are looked for alike. Small groups, of the spectral layout, are
found by k-means. Two of them are joined at a time, the two whose union is best, until as many are left as are wanted.
What was joined too soon comes apart again as groups change their cluster by chance, the less chance the later
(simulated annealing: Kirkpatrick, Gelatt and Vecchi, Science 220, 1983). Rows then move to the neighbouring cluster
that raises the normalised association, until none does.

Of more than 100,000 rows the layout is that of fewer vertices, into which rows are joined with the neighbour they share
most with (heavy-edge matching as in Dhillon, Guan and Kulis, "Weighted Graph Cuts without Eigenvectors: A Multilevel
Approach", IEEE PAMI 29, 2007, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from isthmus.graph import balanced

__all__ = [
    "Merging",
    "annealed",
    "association",
    "chances",
    "coarsened",
    "joined",
    "modularity",
    "moved",
    "number_of_groups",
    "small_groups",
    "spectral_layout",
    "total",
    "weights_between",
]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Worth = Callable[[Float64, Float64], Float64]  # of clusters, from W_cc and v_c

DIMENSIONS = 50  # of the spectral layout that small groups are found in
TOLERANCE = 1e-4  # of eigenvalues
DENSE = 256  # rows up to which all eigenvectors are computed
VERTICES = 100_000  # of a graph whose spectral layout is found, at most
MATCHINGS = 4  # rounds of offers before a graph is made smaller
GROUPS = 200  # small groups, at most
ROWS_A_GROUP = 20  # rows for each, at least, on average
FEW_GROUPS, ROWS_OF_FEW = 60, 5  # groups that small sets have, with fewer rows for each
ROWS_OF_GROUPS = 10_000  # rows that small groups are found on, at most
CHAINS = 16  # of annealing, the best of which is kept
ANNEALED = 80  # times that every group is looked at while clusters cool down
HOT, COLD = 2.0, 0.01  # first and last temperature, over the mean share of a group in the best there can be
SWEEPS = 100  # in which every row may move once, at most
SHARE_MOVED = 0.5  # of the rows that would move, at a time: all at once would swap places for ever
OWN = 0.51  # of what is sure of a row: the cluster that it is in, so that it is the likeliest
BLOCK = 2**17  # rows that are looked at together


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


def coarsened(graph: sp.csr_matrix, most: int, seed: int) -> tuple[sp.csr_matrix, Int64]:
    """Return a graph of fewer vertices, each one row or several that weigh much to each other.

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
        Symmetric weights.
    most : int
        Vertices that there may be. More are left where rows have no neighbour to be joined with.
    seed : int

    Returns
    -------
    graph : csr_matrix, shape (m, m)
        Weights between vertices; what was within one stands on the diagonal.
    vertices : ndarray of int64, shape (n,)
        The vertex of each row.
    """
    rng = np.random.default_rng(seed)
    vertices = np.arange(graph.shape[0])
    while graph.shape[0] > most:
        found = _matched(graph, rng)
        if found.max() + 1 == graph.shape[0]:
            break
        members = _members(found, dtype=graph.dtype)
        graph = sp.csr_matrix(members.T @ graph @ members)
        vertices = found[vertices]
    return graph, vertices


def _matched(graph: sp.csr_matrix, rng: np.random.Generator) -> Int64:
    """Return numbers of pairs of rows, from 0; a row without a partner has a number of its own: (n,).

    Each row offers itself to the free neighbour with the highest w_ij (1 / d_i + 1 / d_j); offers that meet are pairs.
    """
    n = graph.shape[0]
    off = sp.csr_matrix(graph - sp.diags(graph.diagonal(), dtype=graph.dtype))
    off.eliminate_zeros()
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(off.indptr))
    worth = 1 / np.maximum(_degrees(graph), np.finfo(np.float64).tiny).astype(np.float32)
    value = off.data * (worth[rows] + worth[off.indices])
    value *= 1 + 1e-3 * rng.random(len(value), dtype=np.float32)  # rows that are alike choose different ones
    partner = np.arange(n)
    for _ in range(MATCHINGS):
        is_free = partner == np.arange(n)
        open_edges = np.where(is_free[rows] & is_free[off.indices], value, np.float32(0))
        highest = np.zeros(n, np.float32)
        np.maximum.at(highest, rows, open_edges)
        chosen = np.flatnonzero((open_edges > 0) & (open_edges == highest[rows]))
        offer = np.full(n, -1)
        offer[rows[chosen]] = off.indices[chosen]
        meets = np.flatnonzero((offer >= 0) & (offer[np.maximum(offer, 0)] == np.arange(n)))
        partner[meets] = offer[meets]
    return np.unique(np.minimum(partner, np.arange(n)), return_inverse=True)[1].astype(np.int64)


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


# ------------------------------------------------------------------ what a division is worth


def weights_between(graph: sp.csr_matrix, labels: Int64, counts: Float64 | None = None) -> Float64:
    """Return the weight between any two clusters, all of them adding up to 1: (k, k).

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
    labels : ndarray of int64, shape (n,)
        From 0.
    counts : ndarray, shape (n,), optional
        How often each row counts; by default once.
    """
    members = _members(labels, counts=counts, dtype=graph.dtype)
    between = np.asarray((members.T @ (graph @ members)).toarray(), np.float64)
    return between / between.sum()


def association(within: Float64, volume: Float64) -> Float64:
    """Return W_cc / v_c, which sum up to the normalised association; 0 for a cluster that has no weight."""
    return within / np.maximum(volume, np.finfo(np.float64).tiny)


def modularity(within: Float64, volume: Float64) -> Float64:
    """Return W_cc - v_c^2, which sum up to the modularity."""
    return within - np.square(volume)


def total(worth: Worth, between: Float64) -> float:
    """Return what clusters are worth together, from the weights between them."""
    return float(worth(np.diagonal(between), between.sum(axis=1)).sum())


def chances(graph: sp.csr_matrix, labels: Int64) -> Float32:
    """Return how likely each row is in each cluster, (n, k): by where it is, and by how its weight is shared out."""
    found = (graph @ _members(labels, dtype=np.float32)).toarray().astype(np.float32, copy=False)
    found *= (1 - OWN) / np.maximum(found.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    found[np.arange(len(labels)), labels] += 1 - found.sum(axis=1)
    return found


def _members(
    labels: Int64, k: int | None = None, counts: Float64 | None = None, dtype: np.typing.DTypeLike = np.float64
) -> sp.csr_matrix:
    """Return which row is in which cluster, as zeros and ones or as counts, (n, k)."""
    n = len(labels)
    ones = np.ones(n, dtype) if counts is None else counts.astype(dtype)
    return sp.csr_matrix((ones, labels, np.arange(n + 1)), shape=(n, k or int(labels.max()) + 1))


def _degrees(graph: sp.csr_matrix) -> Float64:
    return np.asarray(graph.sum(axis=1, dtype=np.float64)).ravel()


# ------------------------------------------------------------------ divisions of groups


@dataclass(frozen=True)
class Merging:
    """How groups were joined, two at a time.

    Parameters
    ----------
    pairs : ndarray of int64, shape (m - 1, 2)
        Which two of the m groups were joined; the union keeps the first number.
    cuts : ndarray, shape (m - 1,)
        Weight between the two.
    sides : ndarray, shape (m - 1, 2)
        Weight of each of the two, to itself and to the other.
    """

    pairs: Int64
    cuts: Float64
    sides: Float64

    @classmethod
    def of(cls, between: Float64, worth: Worth) -> Merging:
        """Return the merging of groups by highest worth, from the weights between them: (m, m)."""
        w = between.copy()
        m = len(w)
        v = w.sum(axis=1)
        alive = np.ones(m, bool)
        pairs, cuts, sides = [], [], []
        for _ in range(m - 1):
            alone = worth(np.diagonal(w), v)
            union = worth(np.add.outer(np.diagonal(w), np.diagonal(w)) + 2 * w, np.add.outer(v, v))
            gain = union - np.add.outer(alone, alone)
            gain[~alive], gain[:, ~alive] = -np.inf, -np.inf
            np.fill_diagonal(gain, -np.inf)
            i, j = sorted(divmod(int(gain.argmax()), m))
            pairs.append((i, j))
            cuts.append(w[i, j])
            sides.append((w[i, i] + w[i, j], w[j, j] + w[i, j]))
            w[i] += w[j]
            w[:, i] += w[:, j]
            w[j], w[:, j] = 0, 0
            v[i], v[j], alive[j] = v[i] + v[j], 0, False
        return cls(np.asarray(pairs, np.int64).reshape(-1, 2), np.asarray(cuts), np.asarray(sides).reshape(-1, 2))

    def labels(self, is_made: NDArray[np.bool_]) -> Int64:
        """Return the cluster of each group, from 0, where only some unions are made: (m - 1,) -> (m,)."""
        number = np.arange(len(self.pairs) + 1)
        for i, j in self.pairs[is_made]:
            number[number == j] = i
        return np.unique(number, return_inverse=True)[1].astype(np.int64)

    def first(self, k: int) -> Int64:
        """Return the labels of groups after all unions but the last k - 1: (m,)."""
        return self.labels(np.arange(len(self.pairs)) < len(self.pairs) + 1 - k)


def annealed(between: Float64, labels: Int64, worth: Worth, seed: int) -> Int64:
    """Return labels of groups that are worth more, or those given if there are none: (m,).

    A group's cluster is drawn with chances exp(gain / temperature), as the largest gain with Gumbel noise.

    Parameters
    ----------
    between : ndarray, shape (m, m)
        Weights between groups, and within each on the diagonal.
    labels : ndarray of int64, shape (m,)
        To begin with, from 0, all in use.
    worth : callable
        Of clusters.
    seed : int
    """
    rng = np.random.default_rng(seed)
    m, k = len(labels), int(labels.max()) + 1
    if k == 1:
        return labels
    state = _Chains(between, labels, worth)
    best = worth(np.full(k, 1 / k), np.full(k, 1 / k)).sum()  # of k clusters of one size, if nothing were between them
    for temperature in (best / m) * np.geomspace(HOT, COLD, ANNEALED):
        noise = temperature * rng.gumbel(size=(m, CHAINS, k))
        if not sum(state.move(group, noise[group]) for group in rng.permutation(m)):
            break  # where it is too cold for any move, it stays so
    candidates = [labels, *state.labels]
    return candidates[int(np.argmax([total(worth, joined(between, found)) for found in candidates]))]


def joined(between: Float64, labels: Int64) -> Float64:
    """Return weights between clusters of groups: (m, m) -> (k, k)."""
    is_in = np.eye(int(labels.max()) + 1)[labels]
    return np.asarray(is_in.T @ between @ is_in)


class _Chains:
    """Labels of groups in several chains at once, and the weights that a move of a group changes.

    Parameters
    ----------
    between : ndarray, shape (m, m)
    labels : ndarray of int64, shape (m,)
        The same in all chains to begin with.
    worth : callable
    """

    def __init__(self, between: Float64, labels: Int64, worth: Worth) -> None:
        clusters, is_in = joined(between, labels), np.eye(int(labels.max()) + 1)[labels]
        self.between, self.worth, self.degrees = between, worth, between.sum(axis=1)
        self.chains = np.arange(CHAINS)
        self.labels = np.tile(labels, (CHAINS, 1))
        self.pull = np.tile(is_in.T @ between, (CHAINS, 1, 1))  # of each cluster on each group
        self.within = np.tile(np.diagonal(clusters), (CHAINS, 1))
        self.volume = np.tile(clusters.sum(axis=1), (CHAINS, 1))
        self.count = np.tile(is_in.sum(axis=0), (CHAINS, 1))

    def move(self, group: int, noise: Float64) -> int:
        """Move a group to the cluster with the highest gain and noise, (chains, k), none being emptied; count moves."""
        own, degree = self.between[group, group], self.degrees[group]
        pull, here = self.pull[:, :, group], (self.chains, self.labels[:, group])
        now = self.worth(self.within, self.volume)
        gain = self.worth(self.within + 2 * pull + own, self.volume + degree) - now
        # Where the group is already, both sides count without it.
        left = self.within[here] - 2 * pull[here] + own, np.maximum(self.volume[here] - degree, 0.0)
        gain[here] = now[here] - self.worth(*left)
        there = (gain + noise).argmax(axis=1)
        chains = np.flatnonzero((there != here[1]) & (self.count[here] > 1))
        if not len(chains):
            return 0
        out, into = here[1][chains], there[chains]
        self.within[chains, out] -= 2 * pull[chains, out] - own
        self.within[chains, into] += 2 * pull[chains, into] + own
        for side, sign in ((out, -1), (into, 1)):
            self.pull[chains, side] += sign * self.between[group]
            self.volume[chains, side] += sign * degree
            self.count[chains, side] += sign
        self.labels[chains, group] = into
        return len(chains)


# ------------------------------------------------------------------ moves of rows


def moved(graph: sp.csr_matrix, labels: Int64, seed: int) -> Int64:
    """Return labels after rows have moved to where they raise the normalised association, none being emptied."""
    rng = np.random.default_rng(seed)
    degrees = _degrees(graph)
    between = weights_between(graph, labels)
    everywhere = rows = np.arange(len(labels))
    for _ in range(SWEEPS):
        target = _better(graph, labels, between, degrees, rows)
        is_better = target != labels[rows]
        if not is_better.any():
            if len(rows) == len(labels):
                break
            rows = everywhere  # what moved has changed the clusters a little for all
            continue
        would, target = rows[is_better], target[is_better]
        chosen = rng.random(len(would)) < SHARE_MOVED if len(would) > 1 else np.ones(1, bool)
        after = labels.copy()
        after[would[chosen]] = target[chosen]
        if len(np.unique(after)) <= labels.max():
            break
        higher = weights_between(graph, after)
        if total(association, higher) < total(association, between):
            break
        labels, between = after, higher
        rows = np.unique(np.concatenate([would, graph[would[chosen]].indices]))  # the others have the same neighbours
    return labels


def _better(graph: sp.csr_matrix, labels: Int64, between: Float64, degrees: Float64, rows: Int64) -> Int64:
    """Return the cluster in which each of some rows, moved alone, is worth most: its own where none is better."""
    whole = degrees.sum()
    within, volume = np.diagonal(between), between.sum(axis=1)
    now = association(within, volume)
    members = _members(labels, len(between), dtype=graph.dtype)
    target = labels[rows]
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        pull = (graph[block] @ members).toarray() / whole
        degree = degrees[block] / whole
        at, own = np.arange(len(pull)), labels[block]
        gain = association(within + 2 * pull, volume + degree[:, None]) - now
        rest = volume[own] - degree
        rest[rest < 1e-9 * volume[own]] = 0.0
        gain[at, own] = now[own] - association(within[own] - 2 * pull[at, own], rest)
        best = gain.argmax(axis=1)
        target[start : start + BLOCK] = np.where(gain[at, best] > gain[at, own] + 1e-12, best, own)
    return target

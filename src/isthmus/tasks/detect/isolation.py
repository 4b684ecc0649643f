"""How few questions single a record out: an isolation forest, in arrays that a file can hold.

Liu, Ting and Zhou, "Isolation Forest", ICDM 2008: trees ask whether a feature drawn at random is beyond a value drawn
at random, until each of 256 records stands alone, or nearly. An odd one does after few questions. With h(x) the
questions that a tree asks of x, and c(n) the mean number of them that n records need (equation 1)::

    s(x) = 2^(-E[h(x)] / c(256))                                                                      (equation 2)

The forest is grown by scikit-learn; here it is what a file holds, and is read without its classes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus import documents
from isthmus.errors import ArtifactError

__all__ = ["Forest"]

TREES = 200
AT_ONCE = 256  # records
DEEPEST = 8  # log2 of the 256 records that a tree is grown from at most
TOP = 3  # levels of which all nodes are asked

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Forest:
    """Trees side by side: node i of tree t has its entries at [t, i]; a leaf's children are the leaf itself.

    Parameters
    ----------
    feature : array, shape (trees, nodes)
        Which number of a record a node asks for.
    threshold : array, shape (trees, nodes)
        A record goes to the left where its number is not above it.
    left, right : array, shape (trees, nodes)
        Where it goes.
    questions : array, shape (trees, nodes)
        h(x) of records that end in a node: its depth, and what its own records would need on top.
    depth : int
        Most questions that any tree asks.
    scale : float
        c of as many records as a tree was grown from.
    """

    feature: Int32
    threshold: Float64
    left: Int32
    right: Int32
    questions: Float64
    depth: int
    scale: float

    ARRAYS: ClassVar = ("feature", "threshold", "left", "right", "questions")

    @classmethod
    def grow(cls, x: Float64, seed: int) -> Self:
        """Return the forest of some records, (n, d)."""
        from sklearn import config_context
        from sklearn.ensemble import IsolationForest

        with config_context(array_api_dispatch=False):
            grown = IsolationForest(n_estimators=TREES, random_state=seed % 2**32).fit(x.astype(np.float32))
        trees = [one.tree_ for one in grown.estimators_]
        nodes = max(tree.node_count for tree in trees)
        feature, left, right = (np.zeros((TREES, nodes), np.int32) for _ in range(3))
        threshold, questions = np.zeros((TREES, nodes)), np.zeros((TREES, nodes))
        for t, (tree, columns) in enumerate(zip(trees, grown.estimators_features_, strict=True)):
            its, here = slice(tree.node_count), np.arange(tree.node_count)
            is_leaf = tree.children_left < 0
            feature[t, its] = columns[np.where(is_leaf, 0, tree.feature)]
            threshold[t, its] = tree.threshold
            left[t, its] = np.where(is_leaf, here, tree.children_left)
            right[t, its] = np.where(is_leaf, here, tree.children_right)
            questions[t, its] = tree.compute_node_depths() - 1 + needed(tree.n_node_samples)
        depth = max(tree.max_depth for tree in trees)
        return cls(feature, threshold, left, right, questions, depth, float(needed(np.array([grown.max_samples_]))[0]))

    def state(self) -> documents.State:
        """Return what a file holds: numbers and arrays."""
        return {"depth": self.depth, "scale": self.scale}, {name: getattr(self, name) for name in self.ARRAYS}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return what :meth:`state` described."""
        its = documents.read(_Document, document, "isolation")
        shape = documents.array(arrays, "feature", (None, None), "i").shape
        left, right = (documents.array(arrays, name, shape, "i") for name in ("left", "right"))
        threshold, questions = (documents.array(arrays, name, shape) for name in ("threshold", "questions"))
        nodes = np.stack([left, right])
        if not nodes.size or nodes.min() < 0 or nodes.max() >= shape[1] or not 0 <= its["depth"] <= DEEPEST:
            raise ArtifactError("its trees lead to nodes that they do not have")
        return cls(arrays["feature"], threshold, left, right, questions, **its)

    def oddness(self, x: Float64) -> Float64:
        """Return s of records, (n, d) -> (n,): near 1 for odd ones, about a half or less for all others."""
        blocks = np.array_split(x.astype(np.float32), max(1, -(-len(x) // AT_ONCE)))
        with ThreadPoolExecutor(min(len(blocks), torch.get_num_threads())) as pool:  # NumPy looks up without the lock
            return np.concatenate(list(pool.map(self._oddness, blocks)))

    def _oddness(self, x: NDArray[np.float32]) -> Float64:
        # Tree by tree, whose nodes then stay in the processor's cache. Entries are counted through: one look-up is
        # several times sooner than one with two indices.
        levels, questions = self._levels
        columns, first = np.ascontiguousarray(x.T), np.arange(len(self.feature))[:, np.newaxis]
        place, rows = self._top(columns), np.arange(len(x))
        for feature, threshold in levels[TOP:]:
            node = place + first * feature.shape[1]
            asked = (feature * len(x)).take(node)
            asked += rows
            place *= 2
            place += columns.take(asked) > threshold.take(node)
        needed = np.ascontiguousarray(questions.take(place + first * questions.shape[1]).T)
        return np.asarray(2.0 ** (-needed.mean(axis=1) / self.scale))

    def _top(self, columns: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return where records are below the first levels, (d, n) -> (trees, n), each 0 for the leftmost node.

        Every node is asked of every record: of so few, that takes less time than to look up which one to ask.
        """
        place = np.zeros((len(self.feature), columns.shape[1]), np.intp)
        turns: list[NDArray[np.bool_]] = []  # whether the way went to the right, level by level
        for feature, threshold in self._levels[0][:TOP]:
            right = [columns.take(f, axis=0) > t[:, np.newaxis] for f, t in zip(feature.T, threshold.T, strict=True)]
            for turn in turns:  # the first turn leaves one half of the nodes, the next one half of that
                half = len(right) // 2
                right = [a ^ (turn & (a ^ b)) for a, b in zip(right[:half], right[half:], strict=True)]  # b where turn
            turns += right
            place *= 2
            place += right[0]
        return place

    @cached_property
    def _levels(self) -> tuple[list[tuple[NDArray[np.intp], NDArray[np.float32]]], Float64]:
        """Features and thresholds of each level, (trees, 2^level) from left to right, and questions below the last.

        A leaf that comes earlier is in the place of all that would be below it.
        """
        # x <= t of a 32-bit x and a 64-bit t is x <= the largest 32-bit number that is not above t.
        nearest = self.threshold.astype(np.float32)
        below = np.nextafter(nearest, np.float32(-np.inf))
        threshold = np.where(nearest > self.threshold, below, nearest)
        trees, levels = np.arange(len(self.feature))[:, np.newaxis], []
        node: NDArray[np.integer[Any]] = np.zeros_like(trees)
        for _ in range(self.depth):
            levels.append((self.feature[trees, node].astype(np.intp), threshold[trees, node]))
            node = np.stack([self.left[trees, node], self.right[trees, node]], axis=2).reshape(len(trees), -1)
        return levels, self.questions[trees, node]


def needed(n: NDArray[np.integer]) -> Float64:
    """Return c(n), the questions that a record among n needs on average: equation 1, with c(1) = 0 and c(2) = 1."""
    many = np.maximum(n, 3).astype(np.float64)
    harmonic = np.log(many - 1) + np.euler_gamma  # about that number of n - 1
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, 2 * harmonic - 2 * (many - 1) / many))


class _Document(TypedDict):
    depth: int
    scale: float

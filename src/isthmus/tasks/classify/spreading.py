r"""Label spreading: unlabelled records take the class of labelled ones near them.

Zhou, Bousquet, Lal, Weston and Schoelkopf, "Learning with Local and Global Consistency", NeurIPS 2003, over the graph
of nearest codes: :func:`isthmus.graph.spread`. A new record gets the mean of its nearest records' p, by the weight of
each.
"""

# ruff: noqa: D102 - what each method does stands at Method

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.data import Data
from isthmus.graph import graph_of, spread
from isthmus.tasks.classify.methods import FOLDS, Float64, LabelSplit, Method, Probe
from isthmus.tasks.coder import Coder
from isthmus.tasks.neighbours import shares_of_neighbours

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["Spreading"]

LEAST = 1e-6  # share of a class that no label reaches


class Spreading(Method):
    """Labels spread over the graph of nearest codes.

    Parameters
    ----------
    codes : ndarray of float32, shape (n, d)
        Of the records of the fit.
    shares : ndarray of float64, shape (n, k)
        Their probabilities.
    """

    holds_out = False
    default_model = staticmethod(Probe.default_model)

    def __init__(self, codes: NDArray[np.float32], shares: Float64) -> None:
        self.codes, self.shares = codes, shares

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        codes = coder.codes(data)
        graph = graph_of(codes)
        numbers = split.numbers[split.rows]
        method = cls(codes, spread(graph, split.seen, len(split.classes)))
        folds = min(FOLDS, int(np.bincount(numbers).min()))
        if folds > 1:
            method.unseen = _logits(cls._left_out(graph, split, folds)), numbers
        return method

    @staticmethod
    def _left_out(graph: sp.csr_matrix, split: LabelSplit, folds: int) -> Float64:
        """Return the probabilities of labelled records, each from the labels of other folds."""
        from sklearn.model_selection import StratifiedKFold

        numbers, k = split.numbers[split.rows], len(split.classes)
        shares = np.empty((len(numbers), k))
        for _, left_out in StratifiedKFold(folds, shuffle=True, random_state=0).split(numbers, numbers):
            seen = split.seen
            seen[split.rows[left_out]] = -1
            shares[left_out] = spread(graph, seen, k)[split.rows[left_out]]
        return shares

    def logits(self, coder: Coder, data: Data) -> Float64:
        return _logits(shares_of_neighbours(self.codes, self.shares, coder.codes(data)))

    def state(self) -> documents.State:
        return {}, {"codes": self.codes, "shares": self.shares}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        return cls(arrays["codes"], arrays["shares"])


def _logits(shares: Float64) -> Float64:
    return np.log(np.maximum(shares, LEAST))

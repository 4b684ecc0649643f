"""How many clusters: the score of each number, and the number with the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.tasks.cluster.graph import Merging
from isthmus.tasks.cluster.rules import Float32, fitted_mixture

__all__ = ["Evidence", "of_bic", "of_modularity", "of_silhouettes"]

ROWS = 5_000  # codes that numbers of clusters are compared on, at most

TITLES = {
    "silhouette": "mean silhouette of k-means (Rousseeuw 1987)",
    "bic": "Bayesian information criterion of a mixture, a record (Schwarz 1978)",
    "modularity": "modularity of the graph of nearest codes (Newman and Girvan 2004)",
}


@dataclass(frozen=True)
class Evidence:
    """Scores of numbers of clusters.

    Parameters
    ----------
    criterion : {"silhouette", "bic", "modularity"}
        What is compared; the information criterion is best where it is lowest, the others where they are highest.
    numbers : ndarray of int64, shape (m,)
        Of clusters, increasing from 2.
    scores : ndarray of float64, shape (m,)
    """

    criterion: str
    numbers: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def title(self) -> str:
        """What the scores are."""
        return TITLES[self.criterion]

    @property
    def best(self) -> int:
        """The number with the best score; the smallest of them, where several have it."""
        scores = -self.scores if self.criterion == "bic" else self.scores
        return int(self.numbers[int(np.argmax(scores))])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"criterion": self.criterion, "numbers": self.numbers.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Evidence:
        """Return what :meth:`to_dict` described."""
        return cls(document["criterion"], np.asarray(document["numbers"]), np.asarray(document["scores"], np.float64))


def of_silhouettes(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the mean silhouette of k-means with each number of clusters, on 5,000 of the codes at most."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    some = _some(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some) - 1) + 1))
    found = [KMeans(int(k), n_init=3, random_state=seed).fit_predict(some) for k in numbers]
    scores = [float(silhouette_score(some, labels)) if 1 < labels.max() + 1 < len(some) else -1.0 for labels in found]
    return Evidence("silhouette", numbers, np.asarray(scores))


def of_bic(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the information criterion of a mixture with each number of clusters, on 5,000 of the codes at most."""
    some = _some(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some)) + 1))
    scores = [fitted_mixture(some, int(k), seed).bic(some.astype(np.float64)) / len(some) for k in numbers]
    return Evidence("bic", numbers, np.asarray(scores))


def of_modularity(mergings: list[Merging], most: int) -> Evidence:
    """Return the modularity of each number of clusters, the mean over several ways of beginning."""
    numbers = np.arange(2, max(3, min(most, *(len(merging.curve) for merging in mergings)) + 1))
    scores = [np.mean([merging.score(int(k)) for merging in mergings]) for k in numbers]
    return Evidence("modularity", numbers, np.asarray(scores))


def _some(codes: Float32, seed: int) -> Float32:
    return codes[np.sort(np.random.default_rng(seed).permutation(len(codes))[:ROWS])]

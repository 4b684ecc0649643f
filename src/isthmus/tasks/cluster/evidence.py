"""Number of clusters: the score of each candidate, and the best one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.errors import ArtifactError
from isthmus.tasks.cluster.graph import Float32, Float64
from isthmus.tasks.cluster.mixture import fitted_mixture
from isthmus.tasks.cluster.splits import number_of_clusters

__all__ = ["Evidence", "of_bic", "of_silhouettes", "of_splits", "some_of"]

ROWS = 5_000  # codes that numbers of clusters are compared on, at most

TITLES = {
    "silhouette": "mean silhouette of k-means (Rousseeuw 1987)",
    "bic": "Bayesian information criterion of a mixture, a record (Schwarz 1978)",
    "splits": "weakest split over splits within clusters, real below 0.5 (Kannan, Vempala and Vetta 2004)",
}


@dataclass(frozen=True)
class Evidence:
    """Scores of numbers of clusters.

    Parameters
    ----------
    criterion : {"silhouette", "bic", "splits"}
        What is compared: the silhouette is best where it is highest, the information criterion where it is lowest. Of
        splits as many are taken as are real, which may be none.
    numbers : ndarray of int64, shape (m,)
        Of clusters, increasing from 2.
    scores : ndarray of float64, shape (m,)
    """

    criterion: str
    numbers: NDArray[np.int64]
    scores: Float64

    @property
    def title(self) -> str:
        """What the scores are."""
        return TITLES[self.criterion]

    @property
    def best(self) -> int:
        """The number of clusters that the scores speak for."""
        if self.criterion == "splits":
            return number_of_clusters(self.scores)
        return int(self.numbers[np.argmax(self.scores if self.criterion == "silhouette" else -self.scores)])

    @property
    def is_one_cloud(self) -> bool:
        """Whether the records do not fall into groups at all; only splits can tell."""
        return self.best == 1

    def up_to(self, most: int) -> Evidence:
        """Return the same for so many clusters at most."""
        kept = self.numbers <= max(2, most)
        return replace(self, numbers=self.numbers[kept], scores=self.scores[kept])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"criterion": self.criterion, "numbers": self.numbers.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Evidence:
        """Return what :meth:`to_dict` described."""
        its = documents.read(_Document, document, "evidence")
        if len(its["numbers"]) != len(its["scores"]) or not its["scores"]:
            raise ArtifactError("evidence must have a score for each number of clusters")
        return cls(its["criterion"], np.asarray(its["numbers"], np.int64), np.asarray(its["scores"], np.float64))


class _Document(TypedDict):
    criterion: Literal["silhouette", "bic", "splits"]
    numbers: list[int]
    scores: list[float]


def of_silhouettes(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the mean silhouette of k-means with each number of clusters, on 5,000 of the codes at most."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    some = some_of(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some) - 1) + 1))
    found = [KMeans(int(k), n_init=3, random_state=seed).fit_predict(some) for k in numbers]
    scores = [float(silhouette_score(some, labels)) if 1 < labels.max() + 1 < len(some) else -1.0 for labels in found]
    return Evidence("silhouette", numbers, np.asarray(scores))


def of_bic(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the information criterion of a mixture with each number of clusters, on 5,000 of the codes at most."""
    some = some_of(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some)) + 1))
    scores = [fitted_mixture(some, int(k), seed).bic(some.astype(np.float64)) / len(some) for k in numbers]
    return Evidence("bic", numbers, np.asarray(scores))


def of_splits(ratios: Float64) -> Evidence:
    """Return the ratios of the weakest splits between 2, 3, ... clusters, as far as they are known, as evidence."""
    return Evidence("splits", np.arange(2, len(ratios) + 2), ratios)


def some_of(codes: Float32, seed: int) -> Float32:
    """Return 5,000 of the codes at random, in their order; all where there are no more."""
    return codes[np.sort(np.random.default_rng(seed).permutation(len(codes))[:ROWS])]

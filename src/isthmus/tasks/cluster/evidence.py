"""How many clusters: the score of each number, and the number with the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.tasks.cluster.rules import Float32, Float64, fitted_mixture

__all__ = ["Evidence", "like_one_cloud", "of_bic", "of_gap", "of_silhouettes", "some_of"]

ROWS = 5_000  # codes that numbers of clusters are compared on, at most

TITLES = {
    "silhouette": "mean silhouette of k-means (Rousseeuw 1987)",
    "bic": "Bayesian information criterion of a mixture, a record (Schwarz 1978)",
    "gap": "modularity beyond that of one cloud (gap statistic: Tibshirani, Walther and Hastie 2001)",
}


@dataclass(frozen=True)
class Evidence:
    """Scores of numbers of clusters.

    Parameters
    ----------
    criterion : {"silhouette", "bic", "gap"}
        What is compared; the information criterion is best where it is lowest, the others where they are highest.
    numbers : ndarray of int64, shape (m,)
        Of clusters, increasing from 2.
    scores : ndarray of float64, shape (m,)
    errors : ndarray of float64, shape (m,)
        Standard errors of the scores; 0 where scores are certain.
    """

    criterion: str
    numbers: NDArray[np.int64]
    scores: Float64
    errors: Float64

    @property
    def title(self) -> str:
        """What the scores are."""
        return TITLES[self.criterion]

    @property
    def best(self) -> int:
        """The smallest number whose score is the best one, or less by its standard error at most."""
        scores = -self.scores if self.criterion == "bic" else self.scores
        highest = int(np.argmax(scores))
        return int(self.numbers[np.flatnonzero(scores >= scores[highest] - self.errors[highest])[0]])

    @property
    def is_one_cloud(self) -> bool:
        """Whether no number is better than one cloud by two standard errors; only "gap" can tell."""
        return self.criterion == "gap" and bool(np.all(self.scores <= 2 * self.errors))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "criterion": self.criterion,
            "numbers": self.numbers.tolist(),
            "scores": self.scores.tolist(),
            "errors": self.errors.tolist(),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Evidence:
        """Return what :meth:`to_dict` described."""
        scores, errors = (np.asarray(document[name], np.float64) for name in ("scores", "errors"))
        return cls(document["criterion"], np.asarray(document["numbers"]), scores, errors)


def of_silhouettes(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the mean silhouette of k-means with each number of clusters, on 5,000 of the codes at most."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    some = some_of(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some) - 1) + 1))
    found = [KMeans(int(k), n_init=3, random_state=seed).fit_predict(some) for k in numbers]
    scores = [float(silhouette_score(some, labels)) if 1 < labels.max() + 1 < len(some) else -1.0 for labels in found]
    return Evidence("silhouette", numbers, np.asarray(scores), np.zeros(len(scores)))


def of_bic(codes: Float32, most: int, seed: int) -> Evidence:
    """Return the information criterion of a mixture with each number of clusters, on 5,000 of the codes at most."""
    some = some_of(codes, seed)
    numbers = np.arange(2, max(3, min(most, len(some)) + 1))
    scores = [fitted_mixture(some, int(k), seed).bic(some.astype(np.float64)) / len(some) for k in numbers]
    return Evidence("bic", numbers, np.asarray(scores), np.zeros(len(scores)))


def of_gap(scores: Float64, clouds: Float64) -> Evidence:
    """Return by how much codes are better divided than one cloud is, and its standard error.

    A score of its own tells little: the more clusters, the higher is modularity, up to some number that depends on how
    many records there are. So each is compared with what it is where nothing is to be divided (Tibshirani, Walther and
    Hastie, "Estimating the number of clusters in a data set via the gap statistic", JRSS B 63, 2001, section 3).

    Parameters
    ----------
    scores : ndarray, shape (m,)
        Of the codes, with 2, 3, ... clusters.
    clouds : ndarray, shape (b, m)
        The same of each of some clouds.
    """
    errors = clouds.std(axis=0) * np.sqrt(1 + 1 / len(clouds))
    return Evidence("gap", np.arange(2, 2 + len(scores)), scores - clouds.mean(axis=0), errors)


def like_one_cloud(codes: Float32, rng: np.random.Generator) -> Float32:
    """Return a sample of the Gaussian with the mean and the covariance of codes: (n, d), as many as there are."""
    mean = codes.mean(axis=0)
    # Sums of all codes about their mean, with weights of variance 1 / n: no wide covariance has to be taken apart.
    weights = rng.standard_normal((len(codes), len(codes)), dtype=np.float32) / np.sqrt(np.float32(len(codes)))
    return np.asarray(weights @ (codes - mean) + mean, np.float32)


def some_of(codes: Float32, seed: int) -> Float32:
    """Return 5,000 of the codes at random, in their order; all where there are no more."""
    return codes[np.sort(np.random.default_rng(seed).permutation(len(codes))[:ROWS])]

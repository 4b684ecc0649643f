r"""Ways of clustering: each learns from a model's codes, or trains its networks, and returns a probability a cluster.

The two plain ones stand here, on codes that are left as they are::

    k-means    squared distance to the nearest of k centres; probabilities are those of Gaussians of one width s,
               p(c | z) ~ exp(-||z - m_c||^2 / 2 s^2), s^2 the mean squared distance of a number to its centre
    mixture    p(c | z) ~ w_c N(z; m_c, S_c), full covariances, by expectation and maximisation
"""

# ruff: noqa: D102 - what each method does stands at Rule

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.data import Data
from isthmus.density import gaussian_logits

if TYPE_CHECKING:
    from isthmus.tasks.cluster.clusterer import Clusterer
    from isthmus.tasks.cluster.evidence import Evidence

__all__ = ["KMeansRule", "MixtureRule", "Rule"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Chances = NDArray[np.floating]

STARTS = 10  # of k-means, the best of which is kept
ROUNDS = 200  # of expectation and maximisation, at most
SEEN = 25_000  # records that a model of our own is trained on in all, at least
FEWEST_EPOCHS, MOST_EPOCHS = 5, 200
WIDEST = 64  # numbers in the codes of a linear model, at most
RIDGE = 1e-4  # of the mean variance of a number, added to every variance


class Rule(ABC):
    """What turns records into one probability a cluster.

    Attributes
    ----------
    score : float
        Of two runs with other seeds the one with the higher score is kept.
    """

    needs: ClassVar[tuple[str, ...]] = ("transform",)  # methods of the model
    trains: ClassVar[bool] = False  # whether networks are trained, so that a run is dear
    about: ClassVar[str] = ""  # what it does, in a few words

    score: float

    @classmethod
    def default_model(cls, data: Data, features: str, seed: int) -> Any:
        """Return the unfitted model that serves this way best."""
        from isthmus import models

        settings = brief(data) if cls.trains else brief(data) | faithful(data, features)
        return models.Autoencoder(random_state=seed, **settings)

    @classmethod
    def fit_model(cls, task: Clusterer, model: Any, data: Data) -> Any:
        """Fit a model."""
        return model.fit(task._records(data, model), data.labels if getattr(model, "learns_classes", False) else None)

    @classmethod
    def view(cls, task: Clusterer, data: Data, codes: Float32) -> Any:
        """Return what all runs and all numbers of clusters start from."""
        return codes

    @classmethod
    @abstractmethod
    def evidence(cls, view: Any, most: int, seed: int) -> Evidence:
        """Return how well each number of clusters, ``most`` at most, fits."""

    @classmethod
    @abstractmethod
    def learn(cls, task: Clusterer, data: Data, view: Any, k: int, seed: int) -> tuple[Self, Chances]:
        """Return the rule, and the probabilities of the records that it was learned from: (n, k)."""

    @classmethod
    def settled(cls, view: Any, runs: list[tuple[Self, Chances]]) -> tuple[Self, Chances]:
        """Return what several runs come to: the one with the best score."""
        return max(runs, key=lambda run: run[0].score)

    @abstractmethod
    def probabilities(self, task: Clusterer, data: Data) -> Float64:
        """Return the probability of each cluster: (n, k)."""

    @abstractmethod
    def parts(self, task: Clusterer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what :meth:`restore` needs, as JSON and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, task: Clusterer, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Return the rule that :meth:`parts` described."""


def brief(data: Data) -> dict[str, Any]:
    """Return for how long a model is trained: who is near to whom is learned before details are."""
    return {"max_epochs": float(np.clip(SEEN / len(data), FEWEST_EPOCHS, MOST_EPOCHS))}


def faithful(data: Data, features: str) -> dict[str, Any]:
    """Return the settings of a model whose codes keep what lies apart apart.

    A narrow code would join some of it, and a bent one would move it. So rows of numbers are only turned, and made
    shorter where they are long: a linear autoencoder whose two matrices are one another's transpose is PCA.
    """
    schema = data.schema
    if features == "gradients":  # all of one unit: squared errors add up
        return {"likelihood": "gaussian-fixed", "scaling": "none", "hidden": (), "latent_dim": WIDEST}
    linear = {"hidden": (), "latent_dim": min(WIDEST, schema.shape[0] or WIDEST), "scaling": "standard"}
    if schema.kind == "array" and len(schema.shape) == 1:
        return linear | {"likelihood": "gaussian", "tied": True}
    return linear if schema.kind == "table" else {}


class OnCodes(Rule):
    """A rule that needs nothing but the codes of a record."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays

    def probabilities(self, task: Clusterer, data: Data) -> Float64:
        return metrics.softmax(self.logits(task._codes(data)))

    @abstractmethod
    def logits(self, codes: Float32) -> Float64:
        """Return log p(c | z) and a constant: (n, d) -> (n, k)."""

    def parts(self, task: Clusterer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, self.arrays

    @classmethod
    def restore(cls, task: Clusterer, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        return cls(**arrays)


class KMeansRule(OnCodes):
    """Nearest of k centres (MacQueen 1967)."""

    about = "k-means on codes"

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        from isthmus.tasks.cluster.evidence import of_silhouettes

        return of_silhouettes(view, most, seed)

    @classmethod
    def learn(cls, task: Clusterer, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        from sklearn.cluster import KMeans

        found = KMeans(k, n_init=STARTS, random_state=seed).fit(view)
        width = max(found.inertia_ / view.size, np.finfo(np.float32).tiny)
        rule = cls(centres=np.asarray(found.cluster_centers_, np.float64), width=np.asarray(width))
        rule.score = -float(found.inertia_)
        return rule, metrics.softmax(rule.logits(view))

    def logits(self, codes: Float32) -> Float64:
        centres, width = self.arrays["centres"], self.arrays["width"]
        # One centre after the other: a row's result must not depend on how many others are with it.
        squares = [np.square(codes - centre).sum(axis=1) for centre in centres]
        return np.asarray(-0.5 / width * np.stack(squares, axis=1))


class MixtureRule(OnCodes):
    """A mixture of Gaussians with full covariances (Dempster, Laird and Rubin 1977)."""

    about = "a mixture of Gaussians on codes"

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        from isthmus.tasks.cluster.evidence import of_bic

        return of_bic(view, most, seed)

    @classmethod
    def learn(cls, task: Clusterer, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        found = fitted_mixture(view, k, seed)
        rule = cls(
            log_weights=np.log(found.weights_),
            means=found.means_,
            whitening=found.precisions_cholesky_,
        )
        rule.score = float(found.lower_bound_)
        return rule, metrics.softmax(rule.logits(view))

    def logits(self, codes: Float32) -> Float64:
        parts = (self.arrays[name] for name in ("log_weights", "means", "whitening"))
        return gaussian_logits(codes.astype(np.float64), *parts)


def fitted_mixture(codes: Float32, k: int, seed: int, covariances: str = "full", starts: int = 1) -> Any:
    """Return scikit-learn's mixture of k Gaussians, the likeliest of some starts, fitted to codes (n, d)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    codes = codes.astype(np.float64)
    ridge = RIDGE * float(codes.var(axis=0).mean()) + np.finfo(np.float32).tiny
    options = {"reg_covar": ridge, "random_state": seed, "max_iter": ROUNDS, "n_init": starts}
    mixture = GaussianMixture(k, covariance_type=covariances, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last rounds move hardly any record
        return mixture.fit(codes)

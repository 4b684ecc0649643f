r"""Methods of clustering: each learns from a model's codes, or trains its networks, and returns probabilities.

The two plain ones stand here, on codes that are left as they are::

    k-means    squared distance to the nearest of k centres; probabilities are those of Gaussians of one width s,
               p(c | z) ~ exp(-||z - m_c||^2 / 2 s^2), s^2 the mean squared distance of a number to its centre
    mixture    p(c | z) ~ w_c N(z; m_c, S_c), full covariances, by expectation and maximisation
"""

# ruff: noqa: D102 - what each method does stands at Method

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import documents, metrics
from isthmus.capabilities import Encodes, learns_classes
from isthmus.data import Data
from isthmus.density import gaussian_logits
from isthmus.tasks.cluster.evidence import Evidence, of_bic, of_silhouettes
from isthmus.tasks.cluster.graph import Float32, Float64
from isthmus.tasks.cluster.mixture import fitted_mixture
from isthmus.tasks.coder import Coder, records_for

__all__ = ["Chances", "KMeansMethod", "Method", "MixtureMethod"]

Chances = NDArray[np.floating]

STARTS = 10  # of k-means, the best of which is kept
SEEN = 25_000  # records that a model of our own is trained on in all, at least
FEWEST_EPOCHS, MOST_EPOCHS = 5, 200
WIDEST = 64  # numbers in the codes of a linear model, at most


class Method(ABC):
    """A way of clustering: from records to one probability a cluster.

    Attributes
    ----------
    score : float
        Of two runs with other seeds the one with the higher score is kept.
    """

    needs: ClassVar[tuple[type, ...]] = (Encodes,)  # capabilities of the model
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
    def fit_model(cls, model: Any, data: Data, owner: str) -> Any:
        """Return a model fitted to records; ``owner``, for sentences, is who wants it fitted."""
        labels = data.labels if learns_classes(model) else None
        return model.fit(records_for(model, data, owner), labels)

    @classmethod
    def view(cls, codes: Float32, seed: int) -> Any:
        """Return what all runs and all numbers of clusters start from."""
        return codes

    @classmethod
    @abstractmethod
    def evidence(cls, view: Any, most: int, seed: int) -> Evidence:
        """Return how well each number of clusters, ``most`` at most, fits."""

    @classmethod
    @abstractmethod
    def learn(cls, coder: Coder, data: Data, view: Any, k: int, seed: int) -> tuple[Self, Chances]:
        """Return the method with k clusters, and the probabilities of the records that it was learned from: (n, k).

        Parameters
        ----------
        coder : Coder
            With the model that gives the codes; it is left as it is.
        data : Data
            All records.
        view : object
            What :meth:`view` returned for their codes.
        k, seed : int
        """

    @classmethod
    def settled(cls, view: Any, runs: list[tuple[Self, Chances]]) -> tuple[Self, Chances]:
        """Return what several runs come to: the one with the best score."""
        return max(runs, key=lambda run: run[0].score)

    @abstractmethod
    def probabilities(self, coder: Coder, data: Data) -> Float64:
        """Return the probability of each cluster: (n, k)."""

    @abstractmethod
    def state(self) -> documents.State:
        """Return what :meth:`from_state` needs, as JSON and arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        """Return the method that :meth:`state` described."""


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


class OnCodes(Method):
    """A method that needs nothing but the codes of a record."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays

    def probabilities(self, coder: Coder, data: Data) -> Float64:
        return metrics.softmax(self.logits(coder.codes(data)))

    @abstractmethod
    def logits(self, codes: Float32) -> Float64:
        """Return log p(c | z) and a constant: (n, d) -> (n, k)."""

    def state(self) -> documents.State:
        return {}, self.arrays

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        return cls(**arrays)


class KMeansMethod(OnCodes):
    """Nearest of k centres (MacQueen 1967)."""

    about = "k-means on codes"

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        return of_silhouettes(view, most, seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        method = cls.of_codes(view, k, seed)
        return method, metrics.softmax(method.logits(view))

    @classmethod
    def of_codes(cls, codes: Float32, k: int, seed: int) -> Self:
        """Return the k centres of codes (n, d)."""
        from sklearn.cluster import KMeans

        kmeans = KMeans(k, n_init=STARTS, random_state=seed).fit(codes)
        width = max(kmeans.inertia_ / codes.size, np.finfo(np.float32).tiny)
        method = cls(centres=np.asarray(kmeans.cluster_centers_, np.float64), width=np.asarray(width))
        method.score = -float(kmeans.inertia_)
        return method

    def logits(self, codes: Float32) -> Float64:
        centres, width = self.arrays["centres"], self.arrays["width"]
        # One centre after the other: a row's result must not depend on how many others are with it.
        squares = [np.square(codes - centre).sum(axis=1) for centre in centres]
        return np.asarray(-0.5 / width * np.stack(squares, axis=1))


class MixtureMethod(OnCodes):
    """A mixture of Gaussians with full covariances (Dempster, Laird and Rubin 1977)."""

    about = "a mixture of Gaussians on codes"

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        return of_bic(view, most, seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        method = cls.of_codes(view, k, seed)
        return method, metrics.softmax(method.logits(view))

    @classmethod
    def of_codes(cls, codes: Float32, k: int, seed: int) -> Self:
        """Return the mixture of k Gaussians of codes (n, d)."""
        mixture = fitted_mixture(codes, k, seed)
        method = cls(
            log_weights=np.log(mixture.weights_),
            means=mixture.means_,
            whitening=mixture.precisions_cholesky_,
        )
        method.score = float(mixture.lower_bound_)
        return method

    def logits(self, codes: Float32) -> Float64:
        parts = (self.arrays[name] for name in ("log_weights", "means", "whitening"))
        return gaussian_logits(codes.astype(np.float64), *parts)

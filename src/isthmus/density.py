"""Density of codes, a mixture of Gaussians: models without a prior draw new codes from it.

Ghosh, Sajjadi, Vergari, Black and Scholkopf, "From Variational to Deterministic Autoencoders" (ICLR 2020), section 4: a
mixture of Gaussians with full covariances, fitted to the codes after training. They take ten Gaussians; here there are
up to a hundred, as many as the codes can tell apart: on the codes of MNIST that halves the Frechet distance of what is
drawn, in a second and a half.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus import documents
from isthmus.errors import ArtifactError

__all__ = ["CodeDensity", "gaussian_logits"]

COMPONENTS = 100  # at most
ROWS_A_NUMBER = 4  # codes for each number of a covariance, below which there are fewer components
RECORDS = 10_000  # codes that the density is fitted to, at most


class CodeDensity:
    """A mixture of Gaussians with full covariances.

    Parameters
    ----------
    weights : array, shape (k,)
        Shares of the components.
    means : array, shape (k, d)
    factors : array, shape (k, d, d)
        Lower triangular L, the covariance being L L^T.

    Raises
    ------
    ValueError
        The shapes do not go together.
    """

    def __init__(self, weights: NDArray[np.float32], means: NDArray[np.float32], factors: NDArray[np.float32]) -> None:
        k, d = means.shape
        if weights.shape != (k,) or factors.shape != (k, d, d):
            raise ValueError(f"{k} Gaussians of {d} numbers have weights ({k},) and factors ({k}, {d}, {d})")
        self.weights, self.means, self.factors = weights, means, factors

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]], d: int | None = None) -> Self:
        """Return the density that :meth:`state` described, of codes of ``d`` numbers.

        Raises
        ------
        ArtifactError
            The arrays are no density.
        """
        means = documents.array(arrays, "means", (None, d))
        k, d = means.shape
        weights = documents.array(arrays, "weights", (k,))
        factors = documents.array(arrays, "factors", (k, d, d))
        if (weights < 0).any() or not weights.any() or (np.diagonal(factors, axis1=1, axis2=2) <= 0).any():
            raise ArtifactError("its density must have weights of at least 0 and deviations above 0")
        return cls(*(part.astype(np.float32, copy=False) for part in (weights, means, factors)))

    @classmethod
    def fit(cls, codes: NDArray[np.float32], seed: int, *, components: int | None = None, ridge: float = 1e-4) -> Self:
        """Return the density of codes by expectation and maximisation.

        Parameters
        ----------
        codes : array, shape (n, d)
        seed : int
        components : int, optional
            Gaussians; by default as many as the codes can tell apart, up to a hundred.
        ridge : float, default=1e-4
            Added to every variance, as a share of the codes' mean variance.
        """
        from sklearn import config_context
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        n, d = codes.shape
        components = components or int(np.clip(n // (ROWS_A_NUMBER * (d + 1)), 1, COMPONENTS))
        least = ridge * float(codes.var(axis=0).mean()) + 1e-9
        mixture = GaussianMixture(components, reg_covar=least, tol=1e-2, max_iter=20, random_state=seed % 2**32)
        # Whatever arrays the caller works with, these are NumPy's.
        with config_context(array_api_dispatch=False), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # twenty rounds are enough for drawing
            mixture.fit(codes.astype(np.float64))
        factors = np.linalg.cholesky(mixture.covariances_)
        return cls(*(part.astype(np.float32) for part in (mixture.weights_, mixture.means_, factors)))

    def sample(self, n: int, rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return ``n`` codes, shape (n, d); deviations from a component's mean are multiplied by ``temperature``."""
        weights, means, factors = map(torch.from_numpy, (self.weights, self.means, self.factors))
        chosen = torch.multinomial(weights, n, replacement=True, generator=rng)
        noise = torch.randn(n, means.shape[1], generator=rng)
        return means[chosen] + temperature * torch.einsum("nij,nj->ni", factors[chosen], noise)

    def log_parts(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log of weight times density of each Gaussian at codes, (n, d) -> (n, k), in nats.

        A code's figures do not depend on the other codes. Their sum over the Gaussians is the density.
        """
        whitening = np.linalg.inv(self.factors.astype(np.float64)).transpose(0, 2, 1)
        log_weights = np.log(np.maximum(self.weights, 1e-30))
        logits = gaussian_logits(codes.astype(np.float64), log_weights, self.means, whitening)
        return logits - codes.shape[1] / 2 * np.log(2 * np.pi)

    def log_prob(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log p of codes, (n, d) -> (n,), in nats."""
        parts = self.log_parts(codes)
        most = parts.max(axis=1)
        total: NDArray[np.float64] = most + np.log(np.exp(parts - most[:, None]).sum(axis=1))
        return total

    def middles(self, codes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the mean of the likeliest Gaussian of each code, (n, d), and the Mahalanobis distance to it, (n,)."""
        component = self.log_parts(codes).argmax(axis=1)
        distance = np.empty(len(codes))
        for i in np.unique(component):
            rows = component == i
            offset = codes[rows].astype(np.float64) - self.means[i]
            distance[rows] = np.linalg.norm(np.linalg.solve(self.factors[i].astype(np.float64), offset.T), axis=0)
        return self.means[component], distance

    def state(self) -> documents.State:
        """Return what the constructor takes, by name."""
        return {}, {"weights": self.weights, "means": self.means, "factors": self.factors}


def gaussian_logits(
    codes: NDArray[np.float64],
    log_weights: NDArray[np.floating],
    means: NDArray[np.floating],
    whitening: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return log w_c N(z; m_c, S_c) of codes, but for a constant: (n, d) -> (n, k).

    Parameters
    ----------
    codes : array, shape (n, d)
    log_weights : array, shape (k,)
    means : array, shape (k, d)
    whitening : array, shape (k, d, d)
        Upper triangular U with S^-1 = U U^T.

    Notes
    -----
    A code's figures do not depend on the other codes: einsum, unlike a matrix product, sums every row in the same order
    whatever the number of rows.
    """
    found = np.empty((len(codes), len(means)))
    for c, (log_weight, mean, upper) in enumerate(zip(log_weights, means, whitening, strict=True)):
        scaled = np.einsum("nd,de->ne", codes - mean, upper)
        found[:, c] = log_weight + np.log(np.diagonal(upper)).sum() - 0.5 * np.square(scaled).sum(axis=1)
    return found

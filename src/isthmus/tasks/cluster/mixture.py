"""Gaussian mixtures of codes, for methods and for the number of clusters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from isthmus.tasks.cluster.graph import Float32

__all__ = ["fitted_mixture"]

ROUNDS = 200  # of expectation and maximisation, at most
CONVERGED = 1e-3  # nats an example: a round that gains less is the last one
RIDGE = 1e-4  # of the mean variance of a number, added to every variance


def fitted_mixture(codes: Float32, k: int, seed: int, covariances: str = "full", starts: int = 1) -> Any:
    """Return scikit-learn's mixture of k Gaussians, the likeliest of some starts, fitted to codes (n, d).

    Many starts end in one place, with the clusters in another order. A later one is taken only where it gains what
    counts as a gain in the fit itself: otherwise the last digits of the codes would choose among them.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    codes = codes.astype(np.float64)
    ridge = RIDGE * float(codes.var(axis=0).mean()) + np.finfo(np.float32).tiny
    draws = np.random.RandomState(seed)  # starts go on where the one before has left it
    options = {"reg_covar": ridge, "random_state": draws, "max_iter": ROUNDS, "tol": CONVERGED}
    best: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last rounds move hardly any record
        for _ in range(starts):
            found = GaussianMixture(k, covariance_type=covariances, **options).fit(codes)
            if best is None or found.lower_bound_ > best.lower_bound_ + CONVERGED:
                best = found
    return best

"""Gaussian mixtures of codes, for methods and for the number of clusters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from isthmus.tasks.cluster.graph import Float32

__all__ = ["fitted_mixture"]

ROUNDS = 200  # of expectation and maximisation, at most
RIDGE = 1e-4  # of the mean variance of a number, added to every variance


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

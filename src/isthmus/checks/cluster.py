"""Sentences about clustering."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from isthmus.checks.parameters import integer
from isthmus.errors import DataError, ParameterError

__all__ = ["codes_differ", "enough_for_clusters", "number_of_clusters", "plain_posterior"]


def number_of_clusters(owner: str, value: Any, n: int) -> None:
    """Refuse a number of clusters that is no whole number from 2 to that of the records."""
    if value is None:
        return
    integer(owner, "n_clusters", value, low=2)
    if value > n:
        raise ParameterError(
            f"{owner}: n_clusters={value} is more than the {n} records there are; ask for at most {n}, or leave it out "
            f"to have it estimated."
        )


def enough_for_clusters(owner: str, n: int) -> None:
    """Refuse fewer records than can be told apart."""
    if n < 2:
        raise DataError(f"{owner}: clusters need at least 2 records; there is {n} sample(s).")


def codes_differ(owner: str, codes: NDArray[Any]) -> None:
    """Refuse records that all have the same code."""
    if (codes == codes[0]).all():
        raise DataError(
            f"{owner}: all {len(codes)} records have the same code, so there is nothing to divide; look at them with "
            f"isthmus inspect, or take a model that tells them apart."
        )


def plain_posterior(owner: str, model: Any) -> None:
    """Refuse a model whose codes no mixture of Gaussians can be the prior of."""
    posterior = getattr(model, "posterior", None)
    if not hasattr(model, "components") or posterior != "gaussian" or getattr(model, "learns_classes", False):
        raise ParameterError(
            f"{owner}: method='vade' needs a VAE with a Gaussian posterior, whose prior becomes the clusters; "
            f"{type(model).__name__} is none: pass model=VAE(...), or leave the model out."
        )

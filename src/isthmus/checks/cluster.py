"""Error messages about clustering."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

from numpy.typing import NDArray

from isthmus.capabilities import learns_classes
from isthmus.checks.parameters import integer
from isthmus.errors import DataError, ParameterError

__all__ = [
    "codes_differ",
    "enough_for_clusters",
    "fewer_clusters",
    "is_learned_already",
    "more_than_one_cluster",
    "number_of_clusters",
    "pictures_with_outlines",
    "plain_posterior",
]


def more_than_one_cluster(owner: str, value: Any) -> None:
    """Refuse a single cluster, which is no division."""
    if isinstance(value, Integral) and value == 1:
        integer(owner, "n_clusters", value, low=2)


def number_of_clusters(owner: str, value: Any, n: int) -> None:
    """Refuse no whole number, one below 2 (1 itself is refused sooner), and one above that of the records."""
    if value is None:
        return
    if value != 1:
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


def fewer_clusters(owner: str, wanted: int | None, found: int) -> None:
    """Warn of fewer clusters than were asked for."""
    if wanted is not None and found < wanted:
        warnings.warn(
            f"{owner}: {found} clusters were found where n_clusters={wanted} was asked for: the records have too few "
            f"distinct codes, or no part of them is likelier to be in another cluster.",
            stacklevel=4,
        )


def codes_differ(owner: str, codes: NDArray[Any]) -> None:
    """Refuse records that all have the same code."""
    if (codes == codes[0]).all():
        raise DataError(
            f"{owner}: all {len(codes)} records have the same code, so there is nothing to divide; look at them with "
            f"isthmus inspect, or take a model that tells them apart."
        )


def pictures_with_outlines(owner: str, kind: str, shape: tuple[int | None, ...], *, suits: bool) -> None:
    """Refuse histograms of gradients of anything else."""
    if suits:
        return
    what = f"the records are {kind} data" if kind != "image" else f"their sides are {shape[:2]}"
    raise ParameterError(
        f"{owner}: features='gradients' are those of pictures of one size, of at least 6 x 6 pixels; {what}: take "
        f"features='records'."
    )


def plain_posterior(owner: str, model: Any) -> None:
    """Refuse a model whose codes no mixture of Gaussians can be the prior of."""
    posterior = getattr(model, "posterior", None)
    if not hasattr(model, "components") or posterior != "gaussian" or learns_classes(model):
        raise ParameterError(
            f"{owner}: method='vade' needs a VAE with a Gaussian posterior, whose prior becomes the clusters; "
            f"{type(model).__name__} is none: pass model=VAE(...), or leave the model out."
        )


def is_learned_already(**given: Any) -> None:
    """Refuse what only learning clusters has, where the file that is given has clusters learned from other records."""
    for name, value in given.items():
        if value is not None:
            raise ParameterError(
                f"cluster: --{name} goes with learning clusters, and the file given with --model has them learned "
                f"already; leave one of the two out."
            )

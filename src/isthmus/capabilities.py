"""Protocols for what a model can do: tasks, checks and reports ask for these, never for a class.

Every model of isthmus encodes, decodes, reconstructs, scores and samples; some do more. A model of another library, or
of the user's own, can do whatever it has the methods for: :func:`has` looks for them by name. Records, ``X``, are
whatever :func:`isthmus.data.open` takes.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

__all__ = [
    "Classifies",
    "Configurable",
    "Decodes",
    "DrawsMissing",
    "DrawsRecords",
    "Encodes",
    "HasEncoder",
    "HasLevels",
    "HasPosterior",
    "LooksUp",
    "Quantises",
    "Reconstructs",
    "RemembersRecords",
    "Restores",
    "Samples",
    "SamplesEncoded",
    "Scores",
    "TakesEncoded",
    "Trainable",
    "has",
    "has_prior",
    "learns_classes",
    "methods_of",
]


class Encodes(Protocol):
    """Encodes records: isthmus's models, and scikit-learn's transformers."""

    def transform(self, X: Any) -> Any:
        """Return codes, (n, latent_dim)."""


class Decodes(Protocol):
    """Decodes codes."""

    def inverse_transform(self, Z: Any) -> Any:
        """Return records, in the units, types and container of those fitted on."""


class Reconstructs(Protocol):
    """Encodes and decodes records."""

    def reconstruct(self, X: Any) -> Any:
        """Return records, one for each."""


class Restores(Protocol):
    """Restores pictures by itself, without a code."""

    def denoise(self, X: Any) -> Any:
        """Return pictures without their noise."""

    def inpaint(self, X: Any, mask: Any = None) -> Any:
        """Return pictures whose marked pixels are filled."""


class Scores(Protocol):
    """Computes log-likelihoods of records."""

    def score_samples(self, X: Any) -> Any:
        """Return log-likelihoods or bounds on them, in nats, (n,)."""


class Samples(Protocol):
    """Samples new records."""

    def sample(self, n: int, *, random_state: Any = None) -> Any:
        """Return ``n`` new records."""


class DrawsRecords(Protocol):
    """Samples records from p(x | z), where ``inverse_transform`` returns its mean."""

    def draw(self, Z: Any, *, random_state: Any = None) -> Any:
        """Return records drawn from p(x | z)."""


class HasPosterior(Protocol):
    """Has a Gaussian posterior q(z | x): variational models."""

    def code_posterior(self, X: Any) -> tuple[Any, Any]:
        """Return means and log-variances of q(z | x), (n, latent_dim) each."""


class HasLevels(Protocol):
    """Has a hierarchy of codes: ladder models."""

    def level_kl(self, X: Any) -> Any:
        """Return KL(q || p) of each level, from the top, averaged over records: nats, (levels,)."""


class Quantises(Protocol):
    """Has codes of codebook entries, which have no order and cannot be interpolated."""

    def code_indices(self, X: Any) -> Any:
        """Return the indices of the entries."""


class LooksUp(Quantises, Protocol):
    """Makes codes of codebook entries again from their indices."""

    def look_up(self, indices: Any) -> Any:
        """Return the codes that indices stand for."""


class DrawsMissing(Protocol):
    """Samples missing cells given the observed cells of the same record."""

    def conditional_draws(self, *args: Any, **options: Any) -> Any:
        """Yield draws of the marked cells: see :meth:`isthmus.VAE.conditional_draws`."""


class Classifies(Protocol):
    """Has a classifier among its networks."""

    def class_logits(self, X: Any) -> Any:
        """Return the logits of the classes, (n, classes)."""


class RemembersRecords(Protocol):
    """Can tell whether records are those of its fit, and which of them it was not trained on."""

    def fingerprint(self, X: Any) -> str:
        """Return a digest of records; that of the fit is ``provenance_["fingerprint"]``."""

    def held_out_rows(self) -> Any:
        """Return the rows of the fit that were held out."""


class TakesEncoded(Protocol):
    """Works on :class:`isthmus.encoded.Encoded` records: isthmus's own models."""

    def encoded_blocks(self, X: Any) -> Any:
        """Yield records, encoded, in blocks."""

    def crossed(self, records: Any) -> tuple[Any, Any]:
        """Return the codes and the reconstructions of encoded records."""


class SamplesEncoded(Protocol):
    """Samples new records in encoded form."""

    def sampled(self, n: int, *, random_state: Any = None) -> Any:
        """Return ``n`` new records."""


class HasEncoder(Protocol):
    """Has a differentiable encoder."""

    def encode(self, x: Any) -> Any:
        """Return the codes of scaled records, as tensors."""


class Trainable(HasEncoder, Protocol):
    """Has networks that a task can train further, with the model's objective or its own."""

    def losses(self, step: Any) -> dict[str, Any]:
        """Return the named terms of the objective for one step; see :class:`isthmus.training.Step`."""


class Configurable(Protocol):
    """Has parameters that can be read, changed, and checked without data."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""

    def check_parameters(self) -> None:
        """Refuse parameters that are invalid for any data."""


@cache
def methods_of(capability: type) -> tuple[str, ...]:
    """Return the names of the methods that a capability consists of."""
    bodies = [vars(cls) for cls in capability.__mro__ if cls.__module__ not in ("typing", "builtins")]
    return tuple(name for body in bodies for name in body if not name.startswith("_"))


def has(model: Any, *capabilities: type) -> bool:
    """Tell whether a model has all methods of some capabilities.

    Not ``isinstance``: a model inside ``sklearn.frozen.FrozenEstimator`` has its methods as well.
    """
    return all(callable(getattr(model, name, None)) for capability in capabilities for name in methods_of(capability))


def learns_classes(model: Any) -> bool:
    """Tell whether a model learns from labels; one that does not say does not."""
    return bool(getattr(model, "learns_classes", False))


def has_prior(model: Any) -> bool:
    """Tell whether codes of new records come from the model itself, not from a density fitted to codes afterwards."""
    return bool(getattr(model, "has_prior", False))

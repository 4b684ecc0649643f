"""Error messages about explaining a code."""

from __future__ import annotations

from typing import Any

from isthmus.capabilities import HasEncoder, Quantises, has
from isthmus.errors import DataError, ParameterError

__all__ = ["an_encoder", "enough_to_probe", "explicable", "few_values_to_probe", "one_baseline"]

CODES_ONLY = "isthmus.tasks.probe and most_activating look at codes alone: pass them model.transform(X)"


def an_encoder(task: str, model: Any) -> None:
    """Refuse a model whose codes have no gradient that could be taken."""
    if not hasattr(model, "module_") or not has(model, HasEncoder):
        raise ParameterError(
            f"{task}: the model must have an encoder that gradients go through, which {type(model).__name__} does not "
            f"have; every autoencoder of isthmus has one."
        )
    if has(model, Quantises):
        raise ParameterError(
            f"{task}: codes of {type(model).__name__} are entries of a codebook, which no gradient passes; "
            f"{CODES_ONLY}, or fit a model without a codebook, such as Autoencoder or VAE."
        )


def explicable(task: str, kind: str, shape: tuple[int | None, ...]) -> None:
    """Refuse records of which no gradient can be taken, and those without a place that all share."""
    if kind == "text":
        raise DataError(
            f"{task}: texts cannot be changed a little, so no gradient says which symbols drive a unit; {CODES_ONLY}."
        )
    if None in shape:
        raise DataError(
            f"{task}: pictures of several sizes have no pixel in common; take a model of pictures of one size."
        )


def one_baseline(n: int) -> None:
    """Refuse anything but one record to explain others against."""
    if n != 1:
        raise DataError(f"attribute: baseline must hold one record, what others are explained against; it holds {n}.")


def enough_to_probe(concept: str, n: int, minimum: int, values: int) -> None:
    """Refuse to look for a concept that nothing can be said of."""
    if n < minimum:
        raise DataError(f"probe: {concept} must be known of {minimum} records or more; it is of {n}.")
    if values < 2:
        raise DataError(f"probe: {concept} must have two values or more; all {n} records have the same.")


def few_values_to_probe(concept: str, values: int, n: int) -> None:
    """Refuse words that are no classes: nearly each record has its own."""
    if values > n // 3:
        raise DataError(f"probe: {concept} must have at most one value for three records; it has {values} for {n}.")

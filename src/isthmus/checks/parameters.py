"""Error messages about parameters: whose they are, what is allowed, what was received, and the repair."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = [
    "all_labelled",
    "choice",
    "close_names",
    "codes",
    "divides",
    "has_codes",
    "integer",
    "known_classes",
    "known_names",
    "learned_no_classes",
    "nearest",
    "needs_labels",
    "needs_numbers",
    "needs_pictures",
    "not_together",
    "number",
    "plain_numbers_only",
    "same_number",
    "several_classes",
    "several_in_a_batch",
    "size_of_pictures",
    "some_labels",
    "suits_corruption",
    "vectors_only",
    "widths",
]

COMPARED = 100  # characters of a name that is looked for among others


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a suggestion ``"; did you mean 'x'?"``, or nothing when no name is near."""
    close = close_names(name, names, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def close_names(name: str, names: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return the name that is most like another in a list, or an empty one: comparing long names would take minutes."""
    usual = [known for known in names if len(known) <= COMPARED]
    return difflib.get_close_matches(name, usual, n=1, cutoff=cutoff) if len(name) <= COMPARED else []


def known_names(
    owner: str, given: Iterable[str], allowed: Sequence[str], renamed: Mapping[str, str] | None = None
) -> None:
    """Refuse a parameter that does not exist, with its new name or the nearest one that does."""
    for name in given:
        if renamed and name in renamed:
            raise ParameterError(f"{owner} has no parameter {name!r} any more; it is {renamed[name]!r} now.")
        if name not in allowed:
            hint = nearest(name, allowed) or f"; it has {', '.join(allowed)}."
            raise ParameterError(f"{owner} has no parameter {name!r}{hint}")


def choice(owner: str, parameter: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse a value that is not one of a few names."""
    if not isinstance(value, str) or value not in allowed:
        hint = nearest(value, allowed) if isinstance(value, str) else ""
        names = ", ".join(map(repr, allowed))
        raise ParameterError(f"{owner}: {parameter} must be one of {names}; it is {value!r}{hint or '.'}")


def number(
    owner: str,
    parameter: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
    optional: bool = False,
) -> None:
    """Refuse a value that is not a real number between two bounds."""
    if value is None and optional:
        return
    ok = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    if ok and low <= value <= high and not (above and value == low) and not (below and value == high):
        return
    raise ParameterError(
        f"{owner}: {parameter} must be {_range('a number', low, high, above, below, optional)}; it is {value!r}."
    )


def integer(
    owner: str,
    parameter: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    optional: bool = False,
) -> None:
    """Refuse a value that is not a whole number between two bounds."""
    if value is None and optional:
        return
    if isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high:
        return
    raise ParameterError(
        f"{owner}: {parameter} must be {_range('a whole number', low, high, False, False, optional)}; it is {value!r}."
    )


def needs_pictures(owner: str, parameter: str, kind: str) -> None:
    """Refuse a parameter that only makes sense for pictures."""
    if kind != "image":
        raise ParameterError(f"{owner}: {parameter} needs pictures; the data are of kind {kind!r}: leave it out.")


def not_together(owner: str, parameter: str, value: Any, other: str, its: Any, *, plain: Any) -> None:
    """Refuse a parameter that another one leaves no room for."""
    if value != plain:
        raise ParameterError(
            f"{owner}: {parameter}={value!r} does not go together with {other}={its!r}; leave one of them out."
        )


def divides(owner: str, parameter: str, value: int, other: str, its: int) -> None:
    """Refuse a number of parts that another number cannot be cut into."""
    if its % value:
        raise ParameterError(
            f"{owner}: {parameter}={value} must divide {other}, which is {its}; "
            f"take {other}={value * -(-its // value)}."
        )


def same_number(owner: str, parameter: str, value: int, other: str, its: int | None) -> None:
    """Refuse two numbers that have to be one; ``its`` is None where it differs from record to record."""
    if value != its:
        wanted = "and that differs from record to record" if its is None else str(its)
        raise ParameterError(f"{owner}: {parameter} is {value}, and must equal {other}: {wanted}.")


def vectors_only(owner: str, what: str) -> None:
    """Refuse what is defined over vector codes, where codes are maps."""
    raise ParameterError(
        f"{owner}: {what} needs vector codes, but this encoder returns maps (channels, height, width). Use pictures of "
        f"one size, or an encoder that ends in (batch, latent_dim)."
    )


def plain_numbers_only(owner: str, option: str, kind: str) -> None:
    """Refuse to learn records by gradient that hold categories or symbols."""
    if kind not in ("array", "image"):
        raise ParameterError(
            f"{owner}: {option} learns records of its own, which needs arrays or pictures; the data are of kind "
            f"{kind!r}."
        )


def needs_labels(owner: str, labels: Any) -> None:
    """Refuse to train a model that learns from labels without them."""
    if labels is None:
        raise ParameterError(
            f"{owner} requires y to be passed, but the target y is None: give one label a record (--labels on the "
            f"command line)."
        )


def some_labels(owner: str, count: int) -> None:
    """Refuse to learn classes from records of which none has a label."""
    if not count:
        raise DataError(
            f"{owner}: at least some records must have a label, and all of them are unlabelled (-1 or missing); "
            f"label a few of each class."
        )


def all_labelled(owner: str, missing: np.ndarray) -> None:
    """Refuse records without a label, for models that need one of each."""
    if missing.any():
        raise DataError(
            f"{owner}: each record must have a label, and {int(missing.sum()):,} have none, the first of them row "
            f"{int(missing.argmax())}; leave them out, or take ConditionalVAE, which learns from them too."
        )


def several_in_a_batch(owner: str, batch_size: int | None, what: str) -> None:
    """Refuse batches of one record where records are compared with others of their batch."""
    if batch_size == 1:
        raise ParameterError(
            f"{owner}: batch_size must be at least 2, because {what} compares the records of a batch; it is 1."
        )


def several_classes(owner: str, classes: Any) -> None:
    """Refuse to learn classes from labels that are all the same."""
    if len(classes) < 2:
        raise ParameterError(
            f"{owner} learns what classes look like, and all labels are {str(classes[0])!r}; take "
            f"{owner.removeprefix('Conditional')}, which needs none."
        )


def learned_no_classes(owner: str) -> None:
    """Refuse a class asked of a model that knows none."""
    raise ParameterError(
        f"{owner} learned no classes, so y must be left out; ConditionalVAE and ConditionalGAN learn them."
    )


def known_classes(owner: str, wanted: np.ndarray, classes: np.ndarray, n: int) -> None:
    """Refuse classes that a model was not fitted on, and labels that are not one a record."""
    if wanted.shape != (n,):
        raise ParameterError(f"{owner}: y must be one label or {n} of them; its shape is {wanted.shape}.")
    strange = [value for value in wanted.tolist() if value not in set(classes.tolist())]
    if strange:
        names = ", ".join(map(repr, classes.tolist()[:20]))
        raise ParameterError(f"{owner} knows no class {strange[0]!r}; its classes are {names}.")


def size_of_pictures(owner: str, size: Any) -> None:
    """Refuse to draw pictures of an unknown size."""
    if size is None:
        raise ParameterError(f"{owner} was fitted on pictures of several sizes: say which with size=(height, width).")
    for side in size:
        integer(owner, "each side of size", side, low=1)


def has_codes(owner: str, codes: Any, *, varies: bool) -> np.ndarray:
    """Return codes to fit a density to, or say why there are none."""
    if codes is not None:
        return np.asarray(codes)
    if varies:
        raise ParameterError(
            f"{owner} was fitted on pictures of several sizes, and there is no density of codes of several sizes; "
            f"VAE draws such pictures."
        )
    raise ParameterError(f"This {owner} comes from a file without a density of its codes; fit and save it again.")


def needs_numbers(owner: str, kind: str) -> None:
    """Refuse texts, whose symbols cannot be changed a little."""
    if kind == "text":
        raise ParameterError(
            f"{owner} needs numbers or pictures, not texts; Autoencoder and SparseAutoencoder take them."
        )


def suits_corruption(owner: str, corruption: str, kind: str, *, of_texts: Sequence[str]) -> None:
    """Refuse a corruption of numbers for texts, and one of texts for numbers."""
    if (kind == "text") != (corruption in of_texts):
        what, instead = ("numbers or pictures", of_texts[0]) if kind == "text" else ("texts", "gaussian")
        raise ParameterError(
            f"{owner}: corruption={corruption!r} is for {what}, and these data are of kind {kind}; "
            f"use corruption={instead!r}, or leave it out."
        )


def widths(owner: str, parameter: str, value: Any) -> None:
    """Refuse anything but a sequence of whole numbers of 1 or more, or None."""
    if value is None:
        return
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ParameterError(
            f"{owner}: {parameter} must be a tuple of layer widths such as (128, 64), or None; it is {value!r}."
        )
    for width in value:
        integer(owner, f"each width in {parameter}", width, low=1)


def _range(kind: str, low: float, high: float, above: bool, below: bool, optional: bool) -> str:
    parts = []
    if low > -math.inf:
        parts.append(f"{'above' if above else 'of at least'} {low:g}")
    if high < math.inf:
        parts.append(f"{'below' if below else 'at most'} {high:g}")
    return f"{kind} {' and '.join(parts)}".rstrip() + (", or None" if optional else "")


def codes(owner: str, values: Any, width: int) -> np.ndarray:
    """Return codes as float32 of shape (n, width); refuse another shape or values that are not finite."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != width or not len(array):
        raise ShapeError(
            f"{owner}: codes must be numbers of shape (n, {width}), as transform returns them; "
            f"these are {array.dtype} of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(
            f"{owner}: the code in row {row}, column {column} is {array[row, column]}, not a finite number."
        )
    return np.ascontiguousarray(array, np.float32)

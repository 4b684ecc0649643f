"""Sentences about parameters: who owns them, what is allowed, what was received, and the repair."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = [
    "choice",
    "codes",
    "integer",
    "known_names",
    "nearest",
    "needs_numbers",
    "needs_pictures",
    "number",
    "widths",
]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a suggestion ``"; did you mean 'x'?"``, or nothing when no name is near."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def known_names(owner: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    """Refuse a parameter that does not exist, with the nearest one that does."""
    for name in given:
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
    """Refuse a value that is not a real number between two bounds.

    Parameters
    ----------
    low, high : float
        The bounds.
    above, below : bool
        Whether the lower or the upper bound itself is refused.
    optional : bool
        Whether None is allowed.
    """
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


def needs_numbers(owner: str, kind: str) -> None:
    """Refuse texts, whose symbols cannot be changed a little."""
    if kind == "text":
        raise ParameterError(
            f"{owner} needs numbers or pictures, not texts; Autoencoder and SparseAutoencoder take them."
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

"""Which records have a label: where few have been told apart by hand, most have none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_numbers", "is_labelled", "is_missing"]


def class_numbers(labels: NDArray[Any], known: NDArray[np.bool_], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each known label among the classes, -1 for the others.

    Parameters
    ----------
    labels : ndarray, shape (n,)
    known : ndarray of bool, shape (n,)
        Which are labels, as :func:`is_labelled` tells.
    classes : ndarray, shape (k,)
        Sorted; every known label is among them.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> labels = np.array(["dog", "", "cat"])
    >>> class_numbers(labels, is_labelled(labels), np.array(["cat", "dog"])).tolist()
    [1, -1, 0]
    """
    numbers = np.full(len(labels), -1)
    numbers[known] = np.searchsorted(classes, labels[known])
    return numbers


def is_labelled(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are labels: a missing one (None, NaN, NaT, pandas.NA, "") is none, and neither is -1.

    Where -1 and 1 are all that occurs they are two classes, as they are by old custom.

    Parameters
    ----------
    labels : ndarray, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> is_labelled(np.array([0, 1, -1, 2])).tolist()
    [True, True, False, True]
    >>> is_labelled(np.array(["cat", None, "dog"], dtype=object)).tolist()
    [True, False, True]
    """
    known = ~is_missing(labels)
    if labels.dtype.kind in "iufO":
        minus_one = np.zeros(len(labels), bool)
        minus_one[known] = [_is_minus_one(label) for label in labels[known].tolist()]
        if minus_one.any() and set(labels[known].tolist()) != {-1, 1}:
            known &= ~minus_one
    return np.asarray(known)


def is_missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are missing: None, NaN, NaT, pandas.NA and "".

    Parameters
    ----------
    labels : ndarray, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> is_missing(np.array([0.0, np.nan, -1.0])).tolist()
    [False, True, False]
    """
    if labels.dtype.kind in "OT":
        return np.fromiter((_is_missing(label) for label in labels), bool, len(labels))
    if labels.dtype.kind in "fcmM":
        return np.isnat(labels) if labels.dtype.kind in "mM" else np.isnan(labels)
    return labels == "" if labels.dtype.kind == "U" else np.zeros(len(labels), bool)


def _is_missing(label: Any) -> bool:
    """Tell whether an object stands for no label; pandas.NA is known by name, since pandas may not be there."""
    if label is None or type(label).__name__ in ("NAType", "NaTType") or (isinstance(label, str) and label == ""):
        return True
    return isinstance(label, float | np.floating) and bool(np.isnan(label))


def _is_minus_one(label: Any) -> bool:
    return not isinstance(label, str | bytes) and bool(label == -1)

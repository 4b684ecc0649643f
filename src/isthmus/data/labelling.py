"""Labels as arrays, and which records have one: most may be unlabelled.

Whether -1 is a label
---------------------
In scikit-learn -1 means "no label", beside the classes 0, 1, 2, ... It is read so here, but for labels among which it
must be a class: -1 and 1, the two classes of old custom; labels some of which lie below -1; and -1, 0 and 1 of which at
most half are -1. Of what was fitted, the classes decide. A note says how -1 was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import data as checks
from isthmus.data.coded_labels import CodedLabels
from isthmus.data.column_types import plain
from isthmus.data.numbering import as_whole

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_labels", "class_numbers", "classes_of", "is_labelled", "is_missing", "labels_of", "note_on_minus_one"]


# --- labels as arrays ------------------------------------------------------------------------------------------------


def as_labels(labels: Any) -> NDArray[Any]:
    """Return labels as an array; a single column of them is flattened.

    Parameters
    ----------
    labels : array-like of shape (n,) or (n, 1)
        An array, a list, a tensor, a column or a frame of one column of any library. Missing ones stay missing.
    """
    library = type(labels).__module__.split(".")[0]
    if library in ("pandas", "polars", "pyarrow"):
        return _of_library(labels, library)
    if isinstance(labels, np.ma.MaskedArray):
        hidden, labels = np.ma.getmaskarray(labels), np.asarray(labels.data, object)
        labels[hidden] = None
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    labels = np.asarray(labels)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _of_library(labels: Any, library: str) -> NDArray[Any]:
    """Return the labels of a column, or of a frame of one column."""
    import pyarrow as pa

    if len(getattr(labels, "shape", ())) == 2:
        if labels.shape[1] != 1:
            return np.asarray(labels)
        labels = (
            labels.iloc[:, 0]
            if library == "pandas"
            else labels[labels.columns[0]]
            if library == "polars"
            else labels[0]
        )
    if library == "pandas":
        # As floats, whole numbers beside missing ones would run into one another beyond 2**53.
        whole = str(labels.dtype) == "category" or (getattr(labels.dtype, "kind", "") in "iu" and labels.isna().any())
        return np.asarray(labels.astype(object) if whole else labels)
    column = labels.to_arrow() if library == "polars" else labels
    return labels_of(column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column]))


def labels_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as labels: numbers as such, texts and whole numbers with gaps as objects; gaps as None or NaN."""
    import pyarrow as pa

    column = plain(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)  # to_numpy reads an empty cell as the last category
    if pa.types.is_integer(column.type) and column.null_count:
        # As floats, those beyond 2**53 would run into one another.
        labels = column.fill_null(0).to_numpy().astype(object)
        labels[column.is_null().to_numpy()] = None
        return np.asarray(labels)
    return np.asarray(column.to_numpy())


def classes_of(labels: NDArray[Any] | CodedLabels, known: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes that known labels name, sorted, and how many records have each.

    Parameters
    ----------
    labels : ndarray, shape (n,)
    known : ndarray of bool, shape (n,)

    Returns
    -------
    classes : ndarray, shape (k,)
        Whole numbers are of NumPy's type also where the labels are objects, since some are missing.
    counts : ndarray of int, shape (k,)

    Raises
    ------
    DataTypeError
        They are of several types, or of one that has no order.
    """
    if isinstance(labels, CodedLabels):
        counts = labels.counts(known)
        found = labels.values[counts > 0]
        classes, _ = _distinct(found)
        return classes, counts[counts > 0][np.argsort(found, kind="stable")]
    return _distinct(labels[known])


def _distinct(found: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return labels, each once, sorted, and how often each was there."""
    whole = as_whole(found) if found.dtype == object else None
    try:
        return np.unique(found if whole is None else whole, return_counts=True)
    except TypeError as error:
        raise checks.labels_of_no_order(found) from error


# --- which are labels ------------------------------------------------------------------------------------------------


def class_numbers(
    labels: NDArray[Any] | CodedLabels, known: NDArray[np.bool_], classes: NDArray[Any]
) -> NDArray[np.signedinteger[Any]]:
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
        Of coded labels, of which there are very many, of the smallest type.

    Examples
    --------
    >>> labels = np.array(["dog", "", "cat"])
    >>> class_numbers(labels, is_labelled(labels), np.array(["cat", "dog"])).tolist()
    [1, -1, 0]
    """
    if isinstance(labels, CodedLabels):
        places = {label: place for place, label in enumerate(classes.tolist())}
        dtype = np.min_scalar_type(-1 - len(classes))
        numbers = labels.each(np.array([places.get(label, -1) for label in labels.values.tolist()], dtype))
        numbers[~known] = -1
        return numbers
    numbers = np.full(len(labels), -1)
    numbers[known] = np.searchsorted(classes, labels[known])
    return numbers


def is_labelled(labels: NDArray[Any] | CodedLabels, classes: NDArray[Any] | None = None) -> NDArray[np.bool_]:
    """Return which labels are labels: a missing one (None, NaN, NaT, pandas.NA, "") is none, and mostly neither is -1.

    Parameters
    ----------
    labels : ndarray, shape (n,)
    classes : ndarray, shape (k,), optional
        Of what was fitted: -1 is a label if it is one of them. Otherwise the labels themselves decide, as the module
        says.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> is_labelled(np.array([0, 1, -1, 2])).tolist()
    [True, True, False, True]
    >>> is_labelled(np.array([0, 1, -1, 1])).tolist()
    [True, True, True, True]
    >>> is_labelled(np.array(["cat", None, "dog"], dtype=object)).tolist()
    [True, False, True]
    """
    if isinstance(labels, CodedLabels):
        return labels.each(_are_labels(labels.values, classes, labels.counts()))
    return _are_labels(labels, classes)


def _are_labels(
    labels: NDArray[Any], classes: NDArray[Any] | None, counts: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Return which labels are some, each of one record or of so many."""
    known = ~is_missing(labels)
    minus_one = _is_minus_one(labels, known)
    if not minus_one.any():
        return known
    if classes is None:
        its = np.ones(len(labels), np.int64) if counts is None else counts
        is_class = _is_class(labels[known & (its > 0)], int(its[minus_one].sum()), int(its[known].sum()))
    else:
        is_class = -1 in classes.tolist()
    return known if is_class else known & ~minus_one


def note_on_minus_one(labels: NDArray[Any] | CodedLabels) -> str:
    """Return a sentence that says how -1 is read among labels; an empty one where it is none or that is plain."""
    if isinstance(labels, CodedLabels):
        if -1 not in labels.values.tolist():
            return ""
        labels = np.asarray(labels)
    known = ~is_missing(labels)
    count = int(_is_minus_one(labels, known).sum())
    if not count:
        return ""
    found = set(labels[known].tolist())
    if not is_labelled(labels)[known].all():
        rename = "; name it otherwise where it is a class" if len(found) > 1 else ""
        return f"{count:,} of the {len(labels):,} labels are -1, which means none where labels may be missing{rename}."
    if found == {-1, 0, 1}:
        return "the labels -1, 0 and 1 were read as three classes; leave a label empty where there is none."
    return ""


def _is_class(labels: NDArray[Any], minus_ones: int, total: int) -> bool:
    """Tell whether -1 is one of the classes that labels name; it is so many of all labels."""
    found = set(labels.tolist())
    if found <= {-1, 0, 1}:
        return found == {-1, 1} or (len(found) == 3 and 2 * minus_ones <= total)
    return any(not isinstance(label, str | bytes) and label < -1 for label in found)


def _is_minus_one(labels: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which labels are the number -1."""
    if labels.dtype.kind in "if":
        return np.asarray(labels == -1)
    found = np.zeros(len(labels), bool)
    if labels.dtype.kind == "O":
        found[known] = [not isinstance(label, str | bytes) and bool(label == -1) for label in labels[known].tolist()]
    return found


def is_missing(labels: NDArray[Any] | CodedLabels) -> NDArray[np.bool_]:
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
    if isinstance(labels, CodedLabels):
        return labels.each(is_missing(labels.values))
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

"""Error messages about labels, classes and classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.checks.parameters import number
from isthmus.errors import ArtifactError, DataError, ParameterError

__all__ = [
    "a_classifier",
    "finite_labels",
    "labels_are_classes",
    "labels_seen_at_fit",
    "one_size",
    "same_classes",
    "weights",
]


def weights(owner: str, parameter: str, value: Any) -> None:
    """Refuse anything but numbers of at least 0, one or more of them."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not len(value):
        raise ParameterError(
            f"{owner}: {parameter} must be a tuple of weights such as (1000, 10, 0.1); it is {value!r}."
        )
    for weight in value:
        number(owner, f"each weight in {parameter}", weight, low=0)


def one_size(owner: str, shape: Sequence[int | None]) -> None:
    """Refuse pictures of several sizes."""
    if None in shape:
        raise DataError(f"{owner} needs records of one size; open the pictures with sizes='crop' or 'pad'.")


def finite_labels(owner: str, y: Any) -> None:
    """Refuse labels that are infinite, in scikit-learn's words."""
    values = np.asarray(y) if y is not None else np.empty(0)
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise DataError(f"{owner}: Input y contains infinity, and a label is a class; give whole numbers or names.")


def labels_are_classes(owner: str, labels: np.ndarray, n: int) -> None:
    """Refuse labels that name no classes, or one only."""
    if not len(labels):
        raise DataError(
            f"{owner}: Input y contains NaN or -1 only: none of the {n} records has a label; label a few of each class."
        )
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
        raise DataError(
            f"{owner}: Unknown label type: continuous. Labels name classes, and {float(labels[labels % 1 != 0][0])!r} "
            f"is a measurement; give whole numbers or names."
        )
    classes = set(labels.tolist())
    if len(classes) < 2:
        raise DataError(
            f"{owner} tells classes apart, and all labels are of one class, {next(iter(classes))!r}; label records of "
            f"another one, or look for outliers instead."
        )


def labels_seen_at_fit(owner: str, labels: np.ndarray, classes: np.ndarray) -> None:
    """Refuse labels that a classifier was not fitted on."""
    known = set(classes.tolist())
    strange = [label for label in labels.tolist() if label not in known]
    if strange:
        names = ", ".join(map(repr, classes.tolist()[:20]))
        raise DataError(
            f"{owner}: the label {strange[0]!r} was not there at fit, where the classes were {names}; mend it, or "
            f"leave it empty."
        )
    if not len(labels):
        raise DataError(f"{owner}: none of the records has a label to be judged by.")


def same_classes(owner: str, model: str, wanted: np.ndarray, found: np.ndarray) -> None:
    """Refuse a fitted model that learned other classes."""
    if len(wanted) != len(found):
        raise DataError(
            f"{owner}: the {model} learned {len(found)} classes, and the labels name {len(wanted)}; give the labels it "
            f"was fitted on, or an unfitted model."
        )


def a_classifier(path: str, found: Any, *, is_one: bool) -> None:
    """Refuse a file that holds something else where a classifier is needed."""
    if not is_one:
        raise ArtifactError(
            f"{path} holds a {type(found).__name__}, not a Classifier; learn one with isthmus classify fit DATA -m "
            f"{path}."
        )

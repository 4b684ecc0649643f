"""Dividing records into training, validation and test sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.records import Data

__all__ = ["split"]


def split(
    data: Data,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    stratify: bool = True,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[Data, ...]:
    """Divide records at random into parts that share none.

    Parameters
    ----------
    data : Data
        The records.
    fractions : sequence of float, default=(0.8, 0.1, 0.1)
        Share of every part; together at most 1. Every part gets at least one record.
    stratify : bool, default=True
        Give every part the classes in the proportions of the whole, to one record a class. Without labels, and with
        labels that are measurements rather than classes (more values than half the records), it does nothing.
    random_state : int, numpy.random.Generator or None, default=0
        Seed; None draws one from the system.

    Returns
    -------
    tuple of Data
        One view a fraction, its records in the order of ``data``.

    Raises
    ------
    ParameterError
        If the fractions are not positive or add up to more than 1.
    DataError
        If there are fewer records than parts.
    """
    checks.split_fractions(fractions)
    n = len(data)
    checks.split_size(n, len(fractions))
    order = np.random.default_rng(random_state).permutation(n)
    classes = _classes(data.labels) if stratify else None
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    part = _assign(n, fractions, None if classes is None else classes[order])
    return tuple(data.subset(np.sort(order[part == number])) for number in range(len(fractions)))


def _classes(labels: np.ndarray | None) -> np.ndarray | None:
    """Return labels as numbers of classes, or None where they are no classes."""
    if labels is None:
        return None
    values = labels if labels.dtype != object else np.array([str(label) for label in labels])
    names, codes = np.unique(values, return_inverse=True)
    return codes if 1 < len(names) <= max(2, len(labels) // 2) else None


def _assign(n: int, fractions: Sequence[float], classes: np.ndarray | None) -> np.ndarray:
    """Return the number of the part of every position, -1 for none.

    Within each class, positions are dealt out by the rounded running totals over all classes so far. So every part has
    exactly its rounded share of all records, and of every class its share to within one record.
    """
    edges = np.minimum(np.cumsum(fractions), 1.0)
    part = np.full(n, -1)
    bounds = [0, n] if classes is None else [0, *(np.flatnonzero(np.diff(classes)) + 1), n]
    for start, stop in pairwise(bounds):
        # Running totals: what parts 0..k have of the first `stop` records, less what they have of the first `start`.
        upto = np.floor(edges * stop + 0.5).astype(int) - np.floor(edges * start + 0.5).astype(int)
        upto = np.clip(np.maximum.accumulate(upto), 0, stop - start)
        for number in reversed(range(len(edges))):
            part[start : start + upto[number]] = number
    for number in range(len(edges)):
        if not (part == number).any():
            # A share that rounds to nothing still gets one record, of the largest part.
            largest = np.bincount(part[part >= 0], minlength=len(edges)).argmax()
            part[np.flatnonzero(part == largest)[-1]] = number
    return part

"""Checks of whether a model draws records of the requested class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus.metrics.neighbours import nearest
from isthmus.tasks.diagnose.examination import MIN_RECORDS, Examination, Float64
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent

__all__ = ["Followed", "classes_confused", "followed"]

MIN_RECORDS_OF_CLASS = 5  # real records judged, below which a share of them says little
# Of new records of a class, those told to be of it, over the same share of real ones. The worst class of digits has
# 0.58 to 0.75 (two families, 5 seeds each), a class that comes out as another 0.
CONFUSED = 0.35


class Followed(NamedTuple):
    """How often the nearest real record has the right class.

    Parameters
    ----------
    labels : ndarray, shape (k,)
        Classes, those with enough records.
    new, real : ndarray of float64, shape (k,)
        Share of new records asked for by each class, and of real records of it.
    """

    labels: np.ndarray
    new: Float64
    real: Float64

    @property
    def ratios(self) -> Float64:
        """The share of new records, where real ones have 1."""
        return self.new / np.maximum(self.real, 1e-12)


def followed(examined: Examination) -> Followed:
    """Set new records of each class beside real ones: both are told by the nearest of other real records."""
    drawn = examined.samples_of_classes()
    parts = [examined.records, examined.seen] if examined.has_unseen else [examined.records]
    if any(part.labels is None for part in parts):
        raise NotKnownError("it needs the labels of the records")
    x, y = np.concatenate([examined.rows(part) for part in parts]), np.concatenate([part.labels for part in parts])
    known = np.isin(y, examined.model.classes_)
    x, y = x[known], y[known]
    if len(x) < 2 * MIN_RECORDS:
        raise NotKnownError("it needs more records with labels")
    others, judged = np.array_split(np.random.default_rng(examined.random_state).permutation(len(x)), 2)
    right = y[others][nearest(x[judged], x[others])[1]] == y[judged]
    found = []
    for label, new in zip(examined.model.classes_, drawn, strict=False):
        of_class = y[judged] == label
        if of_class.sum() >= MIN_RECORDS_OF_CLASS and right[of_class].any():
            share = np.mean(y[others][nearest(new, x[others])[1]] == label)
            found.append((label, share, right[of_class].mean()))
    if not found:
        raise NotKnownError("it needs more records of a class")
    labels, shares, real = zip(*found, strict=True)
    return Followed(np.asarray(labels), np.asarray(shares), np.asarray(real))


def classes_confused(examined: Examination) -> Finding | None:
    """Find a class asked for that comes out as another one."""
    found = followed(examined)
    worst = int(found.ratios.argmin())
    if found.ratios[worst] >= CONFUSED:
        return None
    wrong = int((found.ratios < CONFUSED).sum())
    return Finding(
        "classes-confused",
        0.9,
        f"Of new records of class {found.labels[worst]} {percent(found.new[worst])} have their nearest real record in "
        f"that class, where {percent(found.real[worst])} of the real ones do: the model ignores the label for "
        f"{wrong} of {len(found.labels)} classes.",
        {
            "class": found.labels[worst].item(),
            "share_of_new": float(found.new[worst]),
            "share_of_real": float(found.real[worst]),
            "classes_confused": wrong,
            "classes": len(found.labels),
        },
        "Train longer, or with wider layers; a smaller code leaves more to the class.",
        {"max_epochs": None} if examined.asked("max_epochs") else {},
    )

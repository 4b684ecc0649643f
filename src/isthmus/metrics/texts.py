"""Errors of texts: how many characters would have to change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.checks.metrics import check_pair

__all__ = ["edit_distance"]


def edit_distance(original: Sequence[str | bytes], reconstruction: Sequence[str | bytes]) -> NDArray[np.float64]:
    """Return how many insertions, deletions and replacements make each text of the other (Levenshtein 1966).

    Parameters
    ----------
    original, reconstruction : sequence of str, or of bytes
        As many of one as of the other.

    Returns
    -------
    ndarray of float64, shape (n,)
        In characters, of bytes in bytes. The sum over all texts by that of their lengths is the character error rate.

    Raises
    ------
    ShapeError
        There are more of one than of the other.
    DataError
        There are none.

    Examples
    --------
    >>> edit_distance(["narrow strip", "land"], ["a narrow trip", "land"])
    array([3., 0.])
    """
    check_pair("edit_distance", np.asarray(original, dtype=object), np.asarray(reconstruction, dtype=object))
    return np.array([_edits(a, b) for a, b in zip(original, reconstruction, strict=True)], dtype=np.float64)


def _edits(a: str | bytes, b: str | bytes) -> int:
    """Return the distance by rows of Wagner and Fischer's table (1974), each at once.

    An insertion costs one more than the place to the left: with the number of each place taken off, that is a running
    minimum.
    """
    letters, places = np.array(list(b)), np.arange(len(b) + 1)
    row = places
    for i, letter in enumerate(a, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (letters != letter)) if len(b) else row[1:]
        row = np.minimum.accumulate(np.concatenate([[i], best]) - places) + places
    return int(row[-1])

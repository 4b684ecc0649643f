"""Notations: ways to write whole numbers of 64 bits as cells, each of which tells how all numbers of a column look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Notation", "Reading", "digits_of", "matrix_of", "texts_of"]

ZERO = b"0"[0]


class Notation(Protocol):
    """A way to write numbers."""

    @property
    def variants(self) -> int:
        """How many ways there are to write a number; with one there is no plane for it."""

    def cells(self, values: NDArray[np.int64], variants: NDArray[np.int64]) -> list[bytes]:
        """Return numbers as they are written, each in one of the ways: both (m,)."""

    def reading(self, cells: Sequence[bytes]) -> Reading:
        """Return cells as numbers; only those are such that are written in this notation."""

    def to_bytes(self) -> bytes:
        """Return what is the same for all numbers of a column."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Cells as numbers.

    Parameters
    ----------
    notation : Notation
        How they are written.
    values, variants : NDArray[np.int64]
        Of each cell its number, and in which way of the notation it is written: (m,).
    known : NDArray[np.bool_]
        Which cells are numbers; the others have a number of no meaning: (m,).
    """

    notation: Notation
    values: NDArray[np.int64]
    variants: NDArray[np.int64]
    known: NDArray[np.bool_]

    def confirmed(self, cells: Sequence[bytes]) -> Reading:
        """Return the reading in which only those cells are numbers that are written so in the notation."""
        written = self.notation.cells(self.values, self.variants)
        same = np.fromiter(map(eq, written, cells), bool, len(cells))
        return Reading(self.notation, self.values, self.variants, self.known & same)


def matrix_of(cells: Sequence[bytes], longest: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the characters of cells, one row for each place, and the lengths of cells; longer ones are cut.

    Returns
    -------
    characters : NDArray[np.uint8]
        (longest that there is, m), with zeros behind the end of a cell.
    lengths : NDArray[np.int64]
        (m,).
    """
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    width = max(1, min(longest, int(lengths.max(initial=1))))
    rows = np.array(cells, dtype=f"S{width}").view(np.uint8).reshape(len(cells), width)
    return np.ascontiguousarray(rows.T), lengths


def texts_of(characters: NDArray[np.uint8], kept: NDArray[np.bool_]) -> list[bytes]:
    """Return the cells that some characters make, of which not all are kept: both (places, m); none is a NUL."""
    width = len(characters)
    lengths = kept.sum(0)
    rows = np.zeros((len(lengths), width), np.uint8)
    rows[np.arange(width) < lengths[:, None]] = np.ascontiguousarray(characters.T)[np.ascontiguousarray(kept.T)]
    return rows.view(f"S{width}").ravel().tolist()


def digits_of(values: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """Return the last digits of whole numbers as characters, the highest first: (m,) -> (count, m)."""
    digits = np.empty((count, len(values)), np.uint8)
    for place in range(count - 1, -1, -1):
        rest = values // 10
        digits[place] = values - 10 * rest
        values = rest
    return digits + np.uint8(ZERO)

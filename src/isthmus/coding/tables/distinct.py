"""The cells of a column, each once: what there is to look at closely, however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.tables.planes import Integers

__all__ = ["MANY", "Distinct", "spread"]

MANY = 1 << 16  # cells beyond which nearly all of those of a column may be different
SAMPLE, MOSTLY = 1 << 14, 0.95  # of MANY cells that all stand there twice, a sample has fewer different ones


@dataclass(frozen=True, eq=False)
class Distinct:
    """The cells of a column, each once; or all, where nearly all of many differ, since finding out costs most there.

    Parameters
    ----------
    cells : list of bytes
        In the order in which they appear first.
    codes : NDArray of int
        Of each row, which of them it has: (rows,).
    many : bool, default=False
        Whether they are all cells of a column in which there are more than :data:`MANY` different ones.
    """

    cells: list[bytes]
    codes: Integers
    many: bool = False

    @classmethod
    def of(cls, column: Sequence[bytes]) -> Self:
        """Return the cells of a column."""
        if _are_many(column):
            return cls(list(column), np.arange(len(column), dtype=np.int32), many=True)
        numbers = {cell: number for number, cell in enumerate(dict.fromkeys(column))}
        return cls(list(numbers), np.fromiter(map(numbers.__getitem__, column), np.int32, len(column)))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Rows that have each cell."""
        return np.bincount(self.codes, minlength=len(self.cells))

    @property
    def n_rows(self) -> int:
        """Rows of the column."""
        return len(self.codes)

    def replaced(self, cells: Sequence[bytes]) -> Distinct:
        """Return what they are when each cell is another one; several may become one."""
        found = Distinct.of(cells)
        return Distinct(found.cells, found.codes[self.codes], found.many)


def _are_many(column: Sequence[bytes]) -> bool:
    """Tell whether cells are so many, and so different, that there must be more than :data:`MANY` different ones."""
    if len(column) <= MANY:
        return False
    some = np.random.default_rng(0).choice(len(column), SAMPLE, replace=False).tolist()
    return len({column[row] for row in some}) > MOSTLY * SAMPLE


def spread(cells: Sequence[bytes], codes: Integers) -> list[bytes]:
    """Return the cell of each row, given which of some cells it is."""
    return list(map(cells.__getitem__, codes.tolist()))

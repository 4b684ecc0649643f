"""The distinct cells of a column: what there is to look at closely, however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distinct", "spread"]


@dataclass(frozen=True, eq=False)
class Distinct:
    """The cells of a column, each once.

    Parameters
    ----------
    cells : list of bytes
        In the order in which they appear first.
    codes : NDArray[np.int32]
        Of each row, which of them it has: (rows,).
    """

    cells: list[bytes]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, column: Sequence[bytes]) -> Self:
        """Return the distinct cells of a column."""
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
        return Distinct(found.cells, found.codes[self.codes])


def spread(cells: Sequence[bytes], codes: NDArray[np.integer]) -> list[bytes]:
    """Return the cell of each row, given which of some cells it is."""
    return list(map(cells.__getitem__, codes.tolist()))

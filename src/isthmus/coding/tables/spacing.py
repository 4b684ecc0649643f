"""How many spaces stand before the cells of a column, where these do not belong to them: mostly a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.cells import MOST_SPACES
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.planes import Form, Integers, Plane

__all__ = ["Spacing"]

CONSTANT, RIGHT, LEFT = range(3)  # always as many; cells end at one place; the cells of the column before begin at one
RULES = (CONSTANT, RIGHT, LEFT)
WIDEST = 1 << 10  # characters that a rule can align to

Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class Spacing:
    """The rule by which spaces stand before the cells of a column.

    Parameters
    ----------
    rule : {0, 1, 2}
        As many before each cell; as many as its length and they are ``width``; as many as the length of the cell before
        it in the row and they are ``width``.
    width : int
        See ``rule``; where a cell is longer, there are no spaces.
    most : int
        Spaces before a cell, at most.
    broken : bool
        Whether some cells do not follow the rule; a plane then says how many more spaces they have, modulo
        ``most + 1``.
    """

    rule: int
    width: int
    most: int
    broken: bool

    @classmethod
    def of(cls, gaps: Lengths, own: Lengths, before: Lengths) -> tuple[Self, list[Plane]]:
        """Return the rule of a column, and the plane of where it does not hold.

        Parameters
        ----------
        gaps : NDArray[np.int64]
            Spaces before each cell.
        own, before : NDArray[np.int64]
            Lengths of the cells, and of those before them in the row: all 0 in the first column.
        """
        most = int(gaps.max())
        best: tuple[int, Self, Lengths] | None = None
        for rule, lengths in enumerate((np.zeros_like(gaps), own, before)):
            width = int(np.bincount(np.minimum(gaps + lengths, WIDEST)).argmax())
            spacing = cls(rule, width, most, broken=True)
            misfits = (gaps - spacing._expected(own, before)) % (most + 1)
            count = int(np.count_nonzero(misfits))
            if best is None or count < best[0]:
                best = count, cls(rule, width, most, broken=count > 0), misfits
            if count == 0:
                break
        assert best is not None  # noqa: S101  there are rules
        return best[1], [form.filled(best[2]) for form in best[1].forms]

    def misfits(self, gaps: Lengths, own: Lengths, before: Lengths) -> list[Integers] | None:
        """Return the values of the plane, where there is one; parameters are those of :meth:`of`.

        None where there is none, and some cells do not follow the rule; or where more spaces stand than before.
        """
        if int(gaps.max()) > self.most:
            return None
        misfits = (gaps - self._expected(own, before)) % (self.most + 1)
        if misfits.any() and not self.broken:
            return None
        return [misfits] * self.broken

    @property
    def forms(self) -> list[Form]:
        """The plane of cells that do not follow the rule, where there are any."""
        return [Form(size=self.most + 1, ordered=True, name="spaces")] if self.broken else []

    def gaps(self, own: Lengths, before: Lengths, values: Sequence[Integers]) -> Lengths:
        """Return the spaces before each cell; ``values`` are those of the plane, where there is one."""
        expected = self._expected(own, before)
        return (expected + values[0]) % (self.most + 1) if self.broken else expected

    def _expected(self, own: Lengths, before: Lengths) -> Lengths:
        lengths = (np.zeros_like(own), own, before)[self.rule]
        return np.clip(self.width - lengths, 0, self.most)

    def to_bytes(self) -> bytes:
        """Return the rule as numbers."""
        return varint(len(RULES) * self.broken + self.rule) + varint(self.width) + varint(self.most)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        number = at_most(source, 2 * len(RULES) - 1, "as the number of a rule for spaces")
        width = at_most(source, WIDEST, "as the width of a column")
        most = at_most(source, MOST_SPACES, "spaces before a cell")
        return cls(number % len(RULES), width, most, number >= len(RULES))

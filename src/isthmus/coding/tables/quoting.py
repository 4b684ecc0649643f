"""Which cells of a column stand in quotes: mostly a rule, which costs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.dialect import Dialect
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.planes import Form, Integers, Plane

__all__ = ["MISSING", "Quoting"]

MISSING = frozenset([b"", b"?", b"NA", b"N/A", b"NaN", b"nan", b"NULL", b"null", b"None"])

Judge = Callable[[Sequence[bytes]], list[bool]]


def _never(dialect: Dialect) -> Judge:
    return lambda contents: [False] * len(contents)


def _always(dialect: Dialect) -> Judge:
    return lambda contents: [True] * len(contents)


def _needed(dialect: Dialect) -> Judge:
    """Judge as writers do that quote a cell only if it would be read as something else without."""
    special = re.compile(b"[" + re.escape(dialect.separator + dialect.quote) + rb"\r\n]")
    return lambda contents: [special.search(content) is not None for content in contents]


def _filled(dialect: Dialect) -> Judge:
    """Judge as writers do that quote all texts, but not what stands for a missing one."""
    return lambda contents: [content not in MISSING for content in contents]


RULES = (_never, _always, _needed, _filled)


@dataclass(frozen=True)
class Quoting:
    """The rule by which the cells of a column stand in quotes.

    Parameters
    ----------
    rule : int, default=0
        Its place among :data:`RULES`: never, always, where needed, wherever the cell is not missing.
    broken : bool, default=False
        Whether some cells do not follow it; a plane then says which.
    """

    rule: int = 0
    broken: bool = False

    @classmethod
    def of(cls, column: Distinct, dialect: Dialect) -> tuple[Self, Distinct, list[Plane]]:
        """Return the rule of a column, its cells without quotes, and the plane of those that do not follow the rule."""
        quote = dialect.quote
        if not quote or not any(cell.startswith(quote) for cell in column.cells):
            return cls(), column, []
        contents, quoted = _contents(column.cells, quote)
        exceptions = [np.not_equal(judge(dialect)(contents), quoted) for judge in RULES]
        rule = int(np.argmin([column.counts[exception].sum() for exception in exceptions]))
        quoting = cls(rule, bool(exceptions[rule].any()))
        planes = [form.filled(exceptions[rule][column.codes]) for form in quoting.forms]
        return quoting, column.replaced(contents), planes

    def parted(self, column: Distinct, dialect: Dialect) -> tuple[Distinct, list[Integers]] | None:
        """Return cells without their quotes, and the values of the plane, where there is one.

        None where there is none, and some cells do not follow the rule. Where no cell stood in quotes when the rule was
        found, quotes are a part of cells.
        """
        if self == Quoting() or not dialect.quote:
            return column, []
        contents, quoted = _contents(column.cells, dialect.quote)
        misfits = np.not_equal(RULES[self.rule](dialect)(contents), quoted)
        if misfits.any() and not self.broken:
            return None
        return column.replaced(contents), [misfits[column.codes]] * self.broken

    @property
    def forms(self) -> list[Form]:
        """The plane of cells that do not follow the rule, where there are any."""
        return [Form(size=2, ordered=False, name="quotes")] if self.broken else []

    def cells(self, contents: Distinct, values: Sequence[Integers], dialect: Dialect) -> Distinct:
        """Return cells as they are written; ``values`` are those of the plane, where there is one."""
        quote = dialect.quote
        if not quote:
            return contents
        quoted = np.array(RULES[self.rule](dialect)(contents.cells))[contents.codes]
        if self.broken:
            quoted = quoted ^ (values[0] != 0)
        if not quoted.any():
            return contents
        written = [quote + cell.replace(quote, 2 * quote) + quote for cell in contents.cells]
        return Distinct(contents.cells + written, contents.codes + quoted * len(written))

    def to_bytes(self) -> bytes:
        """Return the rule as a number."""
        return varint(2 * self.rule + self.broken)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        number = at_most(source, 2 * len(RULES) - 1, "as the number of a rule for quotes")
        return cls(number >> 1, bool(number & 1))


def _contents(cells: Sequence[bytes], quote: bytes) -> tuple[list[bytes], NDArray[np.bool_]]:
    """Return cells without their quotes, and which of them had some."""
    inner = [unquoted(cell, quote) for cell in cells]
    contents = [cell if found is None else found for cell, found in zip(cells, inner, strict=True)]
    return contents, np.array([found is not None for found in inner])


def unquoted(cell: bytes, quote: bytes) -> bytes | None:
    """Return what stands in the quotes of a cell; None where the quotes are a part of it."""
    if len(cell) < 2 or not (cell.startswith(quote) and cell.endswith(quote)):
        return None
    inner = cell[1:-1]
    if quote not in inner:
        return inner
    content = inner.replace(2 * quote, quote)
    return content if content.replace(quote, 2 * quote) == inner else None

"""Columns of cells as planes of whole numbers, and back: numbers, categories, or text.

A column is looked at closely only where cells differ (:mod:`isthmus.coding.tables.distinct`); rows are looked up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.decimals import Decimals
from isthmus.coding.tables.dialect import Dialect
from isthmus.coding.tables.distinct import MANY, Distinct, spread
from isthmus.coding.tables.moments import Moments
from isthmus.coding.tables.notation import Notation, Reading
from isthmus.coding.tables.numbering import NUMBER, Numbering, better_apart
from isthmus.coding.tables.packing import at_most, cells_of, lines, packed, read_packed
from isthmus.coding.tables.planes import Form, Integers, Plane, distinct_numbers, sorted_once
from isthmus.coding.tables.quoting import MISSING, Quoting
from isthmus.coding.tables.scales import Scale, read_scale, scale_of
from isthmus.coding.tables.spacing import Spacing

__all__ = ["Categories", "Column", "Numbers", "Texts", "described"]

FEW_EXCEPTIONS = 8  # cells that are no numbers, which a column of numbers may have in any case; and
RARE_EXCEPTIONS = 8  # so many numbers for each more
LONGEST_NUMBER = 40  # characters of a category that is one
NUMERAL = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
NOTATIONS: tuple[type[Moments | Decimals], ...] = (Moments, Decimals)  # in the order in which they are tried
TEXT, UNORDERED, ORDERED, FIRST_NOTATION = range(4)  # numbers of kinds

Values = Sequence[Integers]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, and of some cells that are none: missing ones, or numbers that are written otherwise.

    Parameters
    ----------
    notation : Notation
        How the numbers are written.
    scale : Scale
        Which numbers there are.
    exceptions : tuple of bytes, default=()
        The other cells, sorted.
    apart : bool, default=False
        Whether these have a plane of their own.
    """

    notation: Notation
    scale: Scale
    exceptions: tuple[bytes, ...] = ()
    apart: bool = False

    @classmethod
    def of(cls, column: Distinct) -> tuple[Self, list[Plane]] | None:
        """Return a column as numbers; None where too many of its cells are none."""
        found = _read_as_numbers(column)
        if found is None:
            return None
        reading, scale, exceptions = found
        others = np.flatnonzero(~reading.known).tolist()
        order = {cell: number for number, cell in enumerate(exceptions)}
        which = np.full(len(column.cells), NUMBER)
        which[others] = [order[column.cells[place]] for place in others]
        apart = better_apart(scale, len(exceptions), column.counts[others].sum() / column.n_rows)
        numbers = cls(reading.notation, scale, tuple(exceptions), apart)
        return numbers, numbers.numbering.planes(reading.values, which, reading.variants, column.codes)

    @property
    def numbering(self) -> Numbering:
        """How numbers and exceptions share planes."""
        return Numbering(self.scale, len(self.exceptions), self.apart, self.notation.variants)

    @property
    def forms(self) -> list[Form]:
        """The planes of exceptions, of numbers, and of the ways in which they are written."""
        return self.numbering.forms

    def contents(self, values: Values, text: bytes, n_rows: int) -> Distinct:
        """Return the cells without their quotes."""
        ways = self.notation.variants
        places, exceptions, variants = self.numbering.parted(values)
        found, codes = distinct_numbers(places, self.scale.size)
        pairs, codes = distinct_numbers(codes * ways + variants, len(found) * ways)
        cells = self.notation.cells(self.scale.numbers(found[pairs // ways]), pairs % ways)
        return Distinct([*cells, *self.exceptions], np.where(exceptions == NUMBER, codes, exceptions + len(cells)))

    def to_bytes(self) -> bytes:
        """Return notation, scale and exceptions."""
        kind = FIRST_NOTATION + 2 * NOTATIONS.index(type(self.notation)) + self.apart
        return varint(kind) + self.notation.to_bytes() + self.scale.to_bytes() + packed(self.exceptions)


@dataclass(frozen=True)
class Categories:
    """A column of few different cells.

    Parameters
    ----------
    cells : tuple of bytes
        These, sorted: as numbers where they are such in no one notation, else as bytes.
    ordered : bool, default=False
        Whether they are numbers.
    """

    cells: tuple[bytes, ...]
    ordered: bool = False

    @classmethod
    def of(cls, column: Distinct) -> tuple[Self, list[Plane]] | None:
        """Return a column as categories; None where there are too many."""
        count = len(column.cells)
        if column.many or count > MANY or (count > 1 and 2 * count > column.n_rows):
            return None
        ordered = all(map(_is_number, column.cells)) and count > 1
        order = sorted(range(count), key=lambda place: _sorting(column.cells[place], ordered))
        codes = np.empty(count, np.int64)
        codes[order] = np.arange(count)
        categories = cls(tuple(column.cells[place] for place in order), ordered)
        return categories, [form.filled(codes[column.codes]) for form in categories.forms]

    @property
    def forms(self) -> list[Form]:
        """The plane of codes."""
        return [Form(size=len(self.cells), ordered=self.ordered, name="category")]

    def contents(self, values: Values, text: bytes, n_rows: int) -> Distinct:
        """Return the cells without their quotes."""
        return Distinct(list(self.cells), values[0])

    def to_bytes(self) -> bytes:
        """Return the categories."""
        return varint(ORDERED if self.ordered else UNORDERED) + packed(self.cells)


@dataclass(frozen=True)
class Texts:
    """A column of cells that are different mostly, and no numbers: their bytes are coded as text, and no plane."""

    @property
    def forms(self) -> list[Form]:
        """No planes."""
        return []

    def contents(self, values: Values, text: bytes, n_rows: int) -> Distinct | None:
        """Return the cells without their quotes; None where there are not so many."""
        cells = cells_of(text, n_rows)
        return None if cells is None else Distinct(cells, np.arange(n_rows, dtype=np.int32))

    def to_bytes(self) -> bytes:
        """Return the number of the kind."""
        return varint(TEXT)


Kind = Numbers | Categories | Texts


def _read_as_numbers(column: Distinct) -> tuple[Reading, Scale, list[bytes]] | None:
    """Return cells as numbers, their scale, and the cells that are none, sorted; None where these are too many."""
    for notation in NOTATIONS:
        reading = notation.of(column)
        if reading is None:
            continue
        numbers = int(reading.known.sum())
        others = sorted({column.cells[place] for place in np.flatnonzero(~reading.known)})
        if len(others) < numbers and len(others) <= FEW_EXCEPTIONS + numbers // RARE_EXCEPTIONS:
            scale = scale_of(sorted_once(reading.values[reading.known]))
            if scale is not None:
                return reading, scale, others
    return None


def _is_number(cell: bytes) -> bool:
    return cell in MISSING or (len(cell) <= LONGEST_NUMBER and NUMERAL.fullmatch(cell) is not None)


def _sorting(cell: bytes, as_number: bool) -> tuple[float, bytes]:
    """Return what a category is sorted by; missing cells come before numbers."""
    return (-math.inf if cell in MISSING else float(cell)) if as_number else 0.0, cell


def _kind(column: Distinct) -> tuple[Kind, list[Plane]]:
    """Return what a column is, and its planes."""
    if len(column.cells) > 1 and (numbers := Numbers.of(column)):
        return numbers
    return Categories.of(column) or (Texts(), [])


def _read_kind(source: Source, n_rows: int, size: int) -> Kind:
    """Return the kind of a column that was written, of so many rows; lists of cells have at most ``size`` bytes.

    Raises
    ------
    ArtifactError
        It is none.
    """
    number = at_most(source, FIRST_NOTATION + 2 * len(NOTATIONS) - 1, "as the number of a kind of columns")
    if number == TEXT:
        return Texts()
    if number < FIRST_NOTATION:
        cells = read_packed(source, n_rows, size)
        if not cells:
            raise source.damaged("a column has no categories")
        return Categories(tuple(cells), number == ORDERED)
    notation, apart = divmod(number - FIRST_NOTATION, 2)
    written, scale = NOTATIONS[notation].read(source), read_scale(source, n_rows)
    return Numbers(written, scale, tuple(read_packed(source, n_rows, size)), bool(apart))


# ------------------------------------------------------------------ whole columns


@dataclass(frozen=True)
class Column:
    """What is known of a column beside its planes and its text.

    Parameters
    ----------
    kind : Numbers, Categories or Texts
        What its cells are.
    quoting : Quoting or None, default=None
        Which of them stand in quotes; None where the dialect has none.
    spacing : Spacing or None, default=None
        How many spaces stand before each; None where the dialect is not spaced.
    """

    kind: Kind
    quoting: Quoting | None = None
    spacing: Spacing | None = None

    @property
    def forms(self) -> list[Form]:
        """The planes: those of the kind, of quotes, of spaces; each of the latter two only where no rule holds."""
        rules = [rule for rule in (self.quoting, self.spacing) if rule is not None]
        return [*self.kind.forms, *(form for rule in rules for form in rule.forms)]

    def cells(self, values: Values, text: bytes, n_rows: int, dialect: Dialect) -> Distinct | None:
        """Return the cells as they are written.

        Parameters
        ----------
        values : sequence of NDArray
            Of the planes.
        text : bytes
            Of the column; empty where its kind has none.
        n_rows : int
            Rows.
        dialect : Dialect
            Of the table.

        Returns
        -------
        Distinct or None
            None where the text is not that of so many cells.
        """
        count = len(self.kind.forms)
        contents = self.kind.contents(values[:count], text, n_rows)
        if contents is None or self.quoting is None:
            return contents
        return self.quoting.cells(contents, values[count:], dialect)

    def to_bytes(self) -> bytes:
        """Return the description."""
        parts = [part for part in (self.quoting, self.spacing, self.kind) if part is not None]
        return b"".join(part.to_bytes() for part in parts)

    @classmethod
    def read(cls, source: Source, n_rows: int, size: int, dialect: Dialect) -> Self:
        """Return what :meth:`to_bytes` wrote, of a column of so many rows in a table of ``size`` bytes."""
        quoting = Quoting.read(source) if dialect.quote else None
        spacing = Spacing.read(source) if dialect.spaced else None
        return cls(_read_kind(source, n_rows, 2 * size + n_rows), quoting, spacing)


def described(column: Distinct, dialect: Dialect) -> tuple[Column, list[Plane], bytes]:
    """Return what a column of cells as they are written is, its planes, and its text; spaces are not looked at."""
    quoting: Quoting | None = None
    quotes: list[Plane] = []
    if dialect.quote:
        quoting, column, quotes = Quoting.of(column, dialect)
    kind, planes = _kind(column)
    text = lines(spread(column.cells, column.codes)) if isinstance(kind, Texts) else b""
    return Column(kind, quoting), [*planes, *quotes], text

"""Groups of rows of a text table: what is known of one beside its planes and texts, and how its bytes come back.

A description is written in varints (docs/format.md) and strings, which are a varint and so many bytes. A list of cells
is their number and a string of lines: each cell and a line feed, where ``1B 31`` is ``1B`` and ``1B 32`` a line feed of
a cell. Numbers with a sign have it in the lowest bit: 0, -1, 1, -2 are 0, 1, 2, 3.

========== =========================================================================================================
group      rows, bytes, dialect, what stands before the rows (string) and behind them (string), number of columns,
           columns
dialect    ((separator * 3 + newline) * 3 + quote) * 2 + spaced, each as its place in a list of :mod:`.dialect`; then
           2 * lines before the first row + (1 if the last of these is a header)
column     quotes, where the dialect has some: 2 * rule + (1 if there is a plane); spaces, where the dialect is spaced:
           rule + 3 * (1 if there is a plane), width, most spaces; then its kind
kind       0 text. 1 categories, 2 categories that are numbers: a list of cells. From 3 on numbers, 3 + 2 * notation +
           (1 if exceptions have a plane): notation, scale, exceptions (a list of cells)
notation   0 dates: a picture (string). 1 decimals: prefix and suffix (strings), digits before the mark, places,
           (mark * 3 + rule) * 2 + (1 if there is a plane of variants)
scale      0, lowest number (signed), step, how many; or how many levels, the lowest (signed), and for each other how
           far it is above the one before, less one
========== =========================================================================================================

The planes of a column follow from that, in the order of :attr:`Column.forms`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.tables.cells import MOST_COLUMNS, Table, names_in
from isthmus.coding.tables.columns import Column, described
from isthmus.coding.tables.dialect import Dialect
from isthmus.coding.tables.distinct import Distinct, spread
from isthmus.coding.tables.packing import at_most, read_string, string
from isthmus.coding.tables.planes import Form, Integers, Plane
from isthmus.coding.tables.spacing import Spacing

__all__ = ["MOST_BYTES", "MOST_CELLS", "MOST_ROWS", "Group", "Layout", "analysed", "column_of", "fits", "lengths"]

MOST_CELLS, MOST_ROWS, MOST_BYTES = 1 << 22, 1 << 20, 1 << 26  # of a group


@dataclass(frozen=True)
class Layout:
    """What is known of a group of rows beside its planes and texts.

    Parameters
    ----------
    dialect : Dialect
        How it is written.
    n_rows, size : int
        Its rows, and its bytes.
    head, tail : bytes
        What stands before the first row and behind the last one.
    columns : tuple of Column
        Its columns.
    """

    dialect: Dialect
    n_rows: int
    size: int
    head: bytes
    tail: bytes
    columns: tuple[Column, ...]

    @property
    def forms(self) -> list[list[Form]]:
        """The planes of each column."""
        return [column.forms for column in self.columns]

    @property
    def names(self) -> list[bytes]:
        """The names of the columns as they are written; none where there is no header."""
        return names_in(self.head, self.dialect)

    def restored(self, values: Sequence[Sequence[Integers]], texts: Sequence[bytes], name: str) -> bytes:
        """Return the bytes of the group.

        Parameters
        ----------
        values : sequence of sequence of NDArray
            Of each column's planes.
        texts : sequence of bytes
            Of each column.
        name : str
            Of the file, for sentences.

        Raises
        ------
        ArtifactError
            They cannot be those of a group with this description.
        """
        return self.written(self.cells(values, texts, name), values, name)

    def cells(self, values: Sequence[Sequence[Integers]], texts: Sequence[bytes], name: str) -> Iterator[Distinct]:
        """Yield the cells of each column as they are written; parameters are those of :meth:`restored`."""
        for column, its, text in zip(self.columns, values, texts, strict=True):
            yield self._cells(column, its, text, name)

    def written(self, cells_of_columns: Iterable[Distinct], values: Sequence[Sequence[Integers]], name: str) -> bytes:
        """Return the bytes of the group, given the cells of each column; the rest is as in :meth:`restored`."""
        columns, gaps, size, before = [], [], 0, np.zeros(self.n_rows, np.int64)
        for column, its, cells in zip(self.columns, values, cells_of_columns, strict=True):
            own = lengths(cells)
            if column.spacing is not None:
                gaps.append(column.spacing.gaps(own, before, its[len(its) - len(column.spacing.forms) :]))
                size += int(gaps[-1].sum())
            size += int(own.sum())
            if size > self.size:  # before so many are made
                raise checks.damaged(name, "the cells of a table have more bytes than they should")
            columns.append(spread(cells.cells, cells.codes))
            before = own
        spaces = gaps if self.dialect.spaced else None
        found = Table(self.dialect, columns, spaces, self.head, self.tail, self.size).to_bytes()
        if len(found) != self.size:
            raise checks.damaged(name, "a table has fewer bytes than it should")
        return found

    def _cells(self, column: Column, values: Sequence[Integers], text: bytes, name: str) -> Distinct:
        """Return the cells of a column as they are written."""
        if not all(fits(form, plane, self.n_rows) for form, plane in zip(column.forms, values, strict=True)):
            raise checks.damaged(name, "a value of a column is none that it can have")
        cells = column.cells(values, text, self.n_rows, self.dialect)
        if cells is None:
            raise checks.damaged(name, "a column has not as many cells as there are rows")
        return cells

    def to_bytes(self) -> bytes:
        """Return the description."""
        parts = [varint(self.n_rows), varint(self.size), self.dialect.to_bytes(), string(self.head), string(self.tail)]
        return b"".join([*parts, varint(len(self.columns)), *(column.to_bytes() for column in self.columns)])

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote.

        Raises
        ------
        ArtifactError
            It is none, or of a group that is larger than groups are.
        """
        n_rows, size = at_most(source, MOST_ROWS, "rows in a group"), at_most(source, MOST_BYTES, "bytes in a group")
        dialect = Dialect.read(source)
        head, tail = read_string(source, size), read_string(source, size)
        count = at_most(source, MOST_COLUMNS, "columns")
        if not n_rows or not count or n_rows * count > max(MOST_CELLS, count):
            raise source.damaged(f"a group in it would have {n_rows:,} rows of {count:,} columns")
        columns = tuple(Column.read(source, n_rows, size, dialect) for _ in range(count))
        return cls(dialect, n_rows, size, head, tail, columns)


@dataclass(frozen=True, eq=False)
class Group:
    """A group of rows as planes of numbers, and texts.

    Parameters
    ----------
    layout : Layout
        What is known of it beside these.
    planes : list of list of Plane
        Of each column.
    texts : list of bytes
        Of each column: what is coded byte by byte; empty where it has planes only.
    """

    layout: Layout
    planes: list[list[Plane]]
    texts: list[bytes]

    def to_bytes(self) -> bytes:
        """Return the bytes of the group."""
        values = [[plane.values for plane in planes] for planes in self.planes]
        return self.layout.restored(values, self.texts, "the table")


def analysed(table: Table) -> Group:
    """Return a table that was cut into cells as planes of numbers, and texts."""
    columns, planes, texts = [], [], []
    before = np.zeros(table.n_rows, np.int64)
    for place, cells in enumerate(table.columns):
        distinct = Distinct.of(cells)
        column, its, text, before = column_of(distinct, table, place, before)
        columns.append(column)
        planes.append(its)
        texts.append(text)
    layout = Layout(table.dialect, table.n_rows, table.size, table.head, table.tail, tuple(columns))
    return Group(layout, planes, texts)


def column_of(
    cells: Distinct, table: Table, place: int, before: NDArray[np.int64]
) -> tuple[Column, list[Plane], bytes, NDArray[np.int64]]:
    """Return what a column of a table is, its planes, its text, and the lengths of its cells.

    Parameters
    ----------
    cells : Distinct
        Its cells.
    table : Table
        It.
    place : int
        Of the column in the table.
    before : NDArray[np.int64]
        Lengths of the cells in the column before it; looked at only where cells stand behind spaces.
    """
    column, planes, text = described(cells, table.dialect)
    if table.gaps is None:
        return column, planes, text, before
    own = lengths(cells)
    spacing, spaces = Spacing.of(table.gaps[place], own, before)
    return replace(column, spacing=spacing), planes + spaces, text, own


def lengths(column: Distinct) -> NDArray[np.int64]:
    """Return how long the cell of each row is."""
    return np.fromiter(map(len, column.cells), np.int64, len(column.cells))[column.codes]


def fits(form: Form, values: Integers, n_rows: int) -> bool:
    """Tell whether values can be those of a plane."""
    return values.shape == (n_rows,) and bool(values.min() >= 0) and bool(values.max() < form.size)

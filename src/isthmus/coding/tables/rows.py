"""Text tables of any length, group of rows by group of rows, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from isthmus import checks
from isthmus.coding.tables.cells import Table, cut
from isthmus.coding.tables.dialect import Dialect, NoTable, end_of_rows, row_ends
from isthmus.coding.tables.layout import MOST_BYTES, MOST_CELLS, MOST_ROWS, Group, analysed
from isthmus.coding.tables.sniffing import first_rows, sniffed

__all__ = ["Rows", "Stretch", "groups", "rows_of_groups"]

PIECE = 1 << 20  # bytes that are read at a time
SPLITS = 32  # rows of other lengths at which the groups of a file are ended, so that all else stays a table
BLANK = 1 << 16  # bytes of empty lines that may follow the last row


@dataclass(frozen=True)
class Stretch:
    """Bytes of a text that are not cut into cells.

    Parameters
    ----------
    data : bytes
        These.
    why : str
        The reason, as a clause about the text.
    """

    data: bytes
    why: str

    def to_bytes(self) -> bytes:
        """Return the bytes."""
        return self.data


class Rows:
    """Rows that become a group, which is made when it is asked for, since it takes long and much memory.

    Parameters
    ----------
    data : bytes
        Theirs.
    table : Table or NoTable
        Their cells; or why they are left as bytes.
    """

    def __init__(self, data: bytes, table: Table | NoTable) -> None:
        self.data = data
        self._tables = [table]  # given away, so that the memory of cells is free once they are planes

    def table(self) -> Table | NoTable:
        """Return their cells, once: they are given away."""
        return self._tables.pop()

    def group(self) -> Group | Stretch:
        """Return them as a group, once."""
        table = self.table()
        return Stretch(self.data, table.why) if isinstance(table, NoTable) else analysed(table)


def groups(
    file: BinaryIO, *, cells: int = MOST_CELLS, rows: int = MOST_ROWS, size: int = MOST_BYTES
) -> Iterator[Group | Stretch]:
    """Yield the groups of rows that :func:`rows_of_groups` finds; a stretch is what is no table."""
    for found in rows_of_groups(file, cells=cells, rows=rows, size=size):
        yield found.group()


def rows_of_groups(
    file: BinaryIO,
    *,
    cells: int = MOST_CELLS,
    rows: int = MOST_ROWS,
    size: int = MOST_BYTES,
    dialect: Dialect | None = None,
) -> Iterator[Rows]:
    """Yield the groups of rows of a text table, whose bytes make up the file.

    The first rows tell how the table is written. Each group is described by itself. A row that has more or fewer cells
    than the others is left as bytes; where there are many such, the groups that they are in are.

    Parameters
    ----------
    file : binary file
        Read from where it stands, to its end.
    cells, rows, size : int
        Of a group, at most; ``size`` in bytes. A group has one row at least, however many cells that has.
    dialect : Dialect, optional
        How the table is written, where that is known.

    Yields
    ------
    Rows
        That make a group, or a stretch of what is no table.
    """
    ahead = _Ahead(file)
    ahead.fill(size)
    start = ahead.lines()
    found = dialect or sniffed(start)
    if isinstance(found, NoTable):
        while data := ahead.take(size):
            yield Rows(data, found)
        return
    dialect = found
    first = first_rows(start, dialect)
    width = 1 if isinstance(first, NoTable) else len(first.columns)
    most, before, splits = max(1, min(rows, cells // width)), 0, SPLITS
    del start, first
    while ahead.fill(1):
        data = ahead.rows(dialect, most + dialect.skipped, size)
        if not data:
            yield Rows(ahead.take(size), NoTable(checks.table_with_long_row(size)))
            continue
        table = _table(data, dialect, before)
        if isinstance(table, NoTable) and table.fitting and splits:
            ahead.give_back(data[table.fitting :])
            data, splits = data[: table.fitting], splits - 1
            table = _table(data, dialect, before)
        before += data.count(dialect.newline) if isinstance(table, NoTable) else dialect.skipped + table.n_rows
        if isinstance(table, Table) and len(table.columns) != width:
            table = NoTable(checks.table_rows_differ(before, len(table.columns), width))
        kept = Rows(data, table)
        del data, table  # so that nothing but what is yielded keeps them
        yield kept
        dialect = dialect.within()


def _table(data: bytes, dialect: Dialect, before: int) -> Table | NoTable:
    """Return the cells of rows; where quotes in them are none that cells stand in, as if there were no quotes."""
    table = cut(data, dialect, before)
    if isinstance(table, NoTable) and dialect.quote:
        plain = cut(data, replace(dialect, quote=b""), before)
        return table if isinstance(plain, NoTable) else plain
    return table


class _Ahead:
    """A file of which more is read than was taken.

    Parameters
    ----------
    file : binary file
        Read from where it stands.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.held = b""
        self._ended = False
        self._window = PIECE  # bytes in which the end of a group is looked for

    def fill(self, count: int) -> bool:
        """Read until so many bytes are held, or all; tell whether there are any."""
        pieces, missing = [self.held], count - len(self.held)
        while missing > 0 and not self._ended:
            piece = self._file.read(missing)
            self._ended = not piece
            pieces.append(piece)
            missing -= len(piece)
        self.held = b"".join(pieces)
        return bool(self.held)

    def lines(self) -> bytes:
        """Return what is held, as far as its lines are known to be whole."""
        end = max(self.held.rfind(b"\n"), self.held.rfind(b"\r"))
        return self.held if self._ended or end <= 0 else self.held[:end]

    def give_back(self, data: bytes) -> None:
        """Hold bytes again that were taken last."""
        self.held = data + self.held

    def take(self, count: int) -> bytes:
        """Return the next bytes, so many or all."""
        self.fill(count)
        found, self.held = self.held[:count], self.held[count:]
        return found

    def rows(self, dialect: Dialect, most: int, size: int) -> bytes:
        """Return the next rows, so many or all, as far as they have at most so many bytes; none if not one row has.

        Empty lines at the end of the file belong to the last row.
        """
        window = min(self._window, size)
        while True:
            self.fill(window + 1)
            ends = row_ends(np.frombuffer(self.held[:window], np.uint8), dialect)[:most] + len(dialect.newline)
            if len(ends) == most or window == size or len(self.held) <= window:
                break
            window = min(2 * window, size)
        self._window = window
        if len(ends) < most and len(self.held) <= window:
            return self.take(window)
        ends = ends[ends <= window]
        if not len(ends):
            return b""
        found = self.take(int(ends[-1]))
        return found + self._blank(dialect.newline, min(BLANK, size - len(found)))

    def _blank(self, newline: bytes, most: int) -> bytes:
        """Return what follows if that is nothing but empty lines of at most so many bytes, at the end of the file."""
        self.fill(most + 1)
        only_newlines = len(self.held) <= most and end_of_rows(self.held, newline) == 0
        return self.take(most) if only_newlines else b""

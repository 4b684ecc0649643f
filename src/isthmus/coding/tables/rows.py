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

__all__ = ["Stretch", "Uncut", "groups", "uncut_groups"]

PIECE = 1 << 20  # bytes that are read at a time
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


@dataclass(frozen=True)
class Uncut:
    """Rows that become a group once they are cut into cells, which takes many times their memory.

    Parameters
    ----------
    data : bytes
        Theirs.
    dialect : Dialect or NoTable
        How they are written; or why they are left as bytes.
    """

    data: bytes
    dialect: Dialect | NoTable

    def group(self) -> Group | Stretch:
        """Return them as a group."""
        table = self.dialect if isinstance(self.dialect, NoTable) else _cut(self.data, self.dialect)
        return Stretch(self.data, table.why) if isinstance(table, NoTable) else analysed(table)


def groups(
    file: BinaryIO, *, cells: int = MOST_CELLS, rows: int = MOST_ROWS, size: int = MOST_BYTES
) -> Iterator[Group | Stretch]:
    """Yield the groups of rows of a text table, as :func:`uncut_groups` does, cut into cells."""
    for rows_of_one in uncut_groups(file, cells=cells, rows=rows, size=size):
        yield rows_of_one.group()


def uncut_groups(
    file: BinaryIO, *, cells: int = MOST_CELLS, rows: int = MOST_ROWS, size: int = MOST_BYTES
) -> Iterator[Uncut]:
    """Yield the groups of rows of a text table, whose bytes make up the file.

    The first rows tell how the table is written. Each group is described by itself; one that is written otherwise is
    left as bytes.

    Parameters
    ----------
    file : binary file
        Read from where it stands, to its end.
    cells, rows, size : int
        Of a group, at most; ``size`` in bytes. A group has one row at least, however many cells that has.

    Yields
    ------
    Uncut
        Without a dialect for what is no table: all of the file, or a row that is too long. What has rows that are
        longer or shorter than others is found out when it is cut.
    """
    ahead = _Ahead(file)
    ahead.fill(size)
    start = ahead.lines()
    dialect = sniffed(start)
    if isinstance(dialect, NoTable):
        while data := ahead.take(size):
            yield Uncut(data, dialect)
        return
    first = first_rows(start, dialect)
    most = rows if isinstance(first, NoTable) else max(1, min(rows, cells // len(first.columns)))
    while ahead.fill(1):
        data = ahead.rows(dialect, most + dialect.skipped, size)
        yield Uncut(data, dialect) if data else Uncut(ahead.take(size), NoTable(checks.table_with_long_row(size)))
        dialect = dialect.within()


def _cut(data: bytes, dialect: Dialect) -> Table | NoTable:
    """Return the cells of rows; where quotes in them are none that cells stand in, as if there were no quotes."""
    table = cut(data, dialect)
    if isinstance(table, NoTable) and dialect.quote:
        plain = cut(data, replace(dialect, quote=b""))
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

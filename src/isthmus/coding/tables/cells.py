"""The cells of a text table as they are written, and back: byte for byte, whatever the bytes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import add

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.tables.dialect import Dialect, Marks, NoTable, end_of_rows, row_ends

__all__ = ["BOM", "MOST_COLUMNS", "MOST_SPACES", "Table", "cut", "names_in"]

BOM = b"\xef\xbb\xbf"
MOST_COLUMNS = 1 << 16
MOST_SPACES = 255  # before a cell that do not belong to it
ROWS = 1 << 14  # that are written at a time
SPACE = b" "
SPACES = [SPACE * count for count in range(MOST_SPACES + 1)]


@dataclass(frozen=True, eq=False)
class Table:
    """A text table that is cut into cells.

    Parameters
    ----------
    dialect : Dialect
        How it is written.
    columns : list of list of bytes
        The cells of each column as they are written, with their quotes.
    gaps : list of NDArray[np.int64], or None
        How many spaces stand before each cell of each column, beside one that is a separator; None where the dialect is
        not spaced.
    head, tail : bytes
        What stands before the first row and behind the last one: a byte order mark, lines before the table, newlines.
    size : int
        Bytes of all of it.
    """

    dialect: Dialect
    columns: list[list[bytes]]
    gaps: list[NDArray[np.int64]] | None
    head: bytes
    tail: bytes
    size: int

    @property
    def n_rows(self) -> int:
        """Rows below the header."""
        return len(self.columns[0])

    def to_bytes(self) -> bytes:
        """Return the bytes that were cut."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes that were cut, some rows at a time."""
        columns: list[Iterable[bytes]] = list(self.columns)
        if self.gaps is not None:
            columns = list(map(_with_gaps, columns, self.gaps))
        rows = map(self.dialect.separator.join, zip(*columns, strict=True))
        between = self.head
        while some := list(islice(rows, ROWS)):
            yield between
            yield self.dialect.newline.join(some)
            between = self.dialect.newline
        yield self.tail

    def gives(self, data: bytes) -> bool:
        """Tell whether the bytes that were cut are these."""
        position = 0
        for piece in self.pieces():
            if not data.startswith(piece, position):
                return False
            position += len(piece)
        return position == len(data)


def cut(data: bytes, dialect: Dialect, before: int = 0) -> Table | NoTable:
    """Return the cells of a text table.

    Parameters
    ----------
    data : bytes
        Whole rows.
    dialect : Dialect
        How they are written.
    before : int, default=0
        Lines of the text that stand before these, for the sentence that names one.

    Returns
    -------
    Table or NoTable
        A table whose bytes are the data; or why there is none: rows of different lengths, or no rows.
    """
    start = _start_of_rows(data, dialect)
    stop = max(start, end_of_rows(data, dialect.newline))
    body = data[start:stop]
    if not body:
        return NoTable(checks.table_without_rows())
    if dialect.quote and body.count(dialect.quote) % 2:
        return NoTable(checks.table_with_open_quote())
    marks = Marks.of(np.frombuffer(body, np.uint8), dialect)
    counts = marks.cells_by_row()
    width = int(counts[0])
    misfits = np.flatnonzero(counts != width)
    if len(misfits):
        row = int(misfits[0])
        end = int(marks.positions[np.flatnonzero(marks.ends_row)[row - 1]]) + len(dialect.newline)
        why = checks.table_rows_differ(before + dialect.skipped + row + 1, int(counts[row]), width)
        return NoTable(why, start + end)
    if width > MOST_COLUMNS:
        return NoTable(checks.table_too_wide(width, MOST_COLUMNS))
    cells, gaps = _cells(body, marks, dialect)
    table = Table(
        dialect,
        [cells[column::width] for column in range(width)],
        None if gaps is None else [gaps[column::width] for column in range(width)],
        data[:start],
        data[stop:],
        len(data),
    )
    return table if table.gives(data) else NoTable(checks.table_unlike_its_bytes())


def names_in(head: bytes, dialect: Dialect) -> list[bytes]:
    """Return the names of columns as they stand before the first row; none where there is no header."""
    if not dialect.header:
        return []
    lines = head.removeprefix(BOM)[: -len(dialect.newline)]
    ends = row_ends(np.frombuffer(lines, np.uint8), dialect)
    last = lines[ends[-1] + len(dialect.newline) :] if len(ends) else lines
    header = cut(last, dialect.within())
    return [] if isinstance(header, NoTable) else [column[0] for column in header.columns]


def _start_of_rows(data: bytes, dialect: Dialect) -> int:
    """Return where the first row begins: behind a byte order mark and lines that are skipped."""
    start = len(BOM) if data.startswith(BOM) else 0
    if not dialect.skipped:
        return start
    ends = row_ends(np.frombuffer(data, np.uint8, offset=start), dialect)
    if len(ends) < dialect.skipped:
        return len(data)
    return start + int(ends[dialect.skipped - 1]) + len(dialect.newline)


def _cells(body: bytes, marks: Marks, dialect: Dialect) -> tuple[list[bytes], NDArray[np.int64] | None]:
    """Return the cells of rows that have equally many, and the spaces before each where they do not belong to it."""
    if not dialect.spaced and (not dialect.quote or dialect.quote not in body):  # four times as fast
        separator = dialect.separator or dialect.newline
        return body.replace(dialect.newline, separator).split(separator), None
    starts = np.concatenate([[0], marks.positions + 1 + marks.ends_row * (len(dialect.newline) - 1)])
    ends = np.append(marks.positions, len(body))
    gaps = _gaps(np.frombuffer(body, np.uint8), starts, ends) if dialect.spaced else None
    if gaps is not None:
        starts += gaps
    cells: list[bytes] = []
    for place in range(0, len(ends), ROWS):  # some at a time: as objects, positions take more memory than cells
        piece = slice(place, place + ROWS)
        cells += [body[start:end] for start, end in zip(starts[piece].tolist(), ends[piece].tolist(), strict=True)]
    return cells, gaps


def _gaps(text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many spaces each cell begins with, but not more than are taken off."""
    gaps = np.zeros(len(starts), np.int64)
    spaced = np.flatnonzero(starts < ends)
    while len(spaced := spaced[text[(starts + gaps)[spaced]] == SPACE[0]]):
        gaps[spaced] += 1
        spaced = spaced[(starts + gaps < ends)[spaced] & (gaps < MOST_SPACES)[spaced]]
    return gaps


def _with_gaps(cells: Iterable[bytes], gaps: NDArray[np.int64]) -> Iterable[bytes]:
    """Return cells with the spaces before them."""
    if not gaps.any():
        return cells
    return map(add, map(SPACES.__getitem__, gaps.tolist()), cells)

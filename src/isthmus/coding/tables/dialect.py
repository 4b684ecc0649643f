"""How a text table is written, and where by that its cells and rows end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.packing import at_most

__all__ = ["SEPARATORS", "SKIPPED", "Dialect", "Marks", "NoTable", "end_of_rows", "row_ends"]

SEPARATORS = (b"\t", b";", b"|", b",", b" ")
NEWLINES = (b"\n", b"\r\n", b"\r")
QUOTES = (b"", b'"', b"'")
SPACE = b" "[0]
PIECE = 1 << 16  # bytes that are looked at together
SKIPPED = 32  # lines that may stand before the table, at most, and one more with the names of columns


@dataclass(frozen=True)
class NoTable:
    """Why some bytes are not cut into cells.

    Parameters
    ----------
    why : str
        The reason, as a clause about them.
    fitting : int, default=0
        Bytes before the first row that has more or fewer cells than those before it.
    """

    why: str
    fitting: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Dialect:
    r"""How a text table is written.

    Parameters
    ----------
    separator : bytes
        What stands between two cells, one byte; none where there is one column.
    newline : {b"\n", b"\r\n", b"\r"}, default=b"\n"
        What stands between two rows.
    quote : bytes, default=b""
        What cells that hold the others stand in, one byte; none where there are no such cells.
    spaced : bool, default=False
        Whether spaces before a cell do not belong to it; where the separator is a space, whether any number of them is
        one separator.
    skipped : int, default=0
        Lines before the first row.
    header : bool, default=False
        Whether the last of these holds the names of the columns.
    """

    separator: bytes
    newline: bytes = b"\n"
    quote: bytes = b""
    spaced: bool = False
    skipped: int = 0
    header: bool = False

    def within(self) -> Self:
        """Return the dialect of rows that are not the first ones."""
        return replace(self, skipped=0, header=False)

    def to_bytes(self) -> bytes:
        """Return the dialect as two numbers."""
        return varint(_STYLES.index(self._style())) + varint(2 * self.skipped + self.header)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote.

        Raises
        ------
        ArtifactError
            It is no dialect.
        """
        style = _STYLES[at_most(source, len(_STYLES) - 1, "as the number of its dialect")]
        lines = at_most(source, 2 * SKIPPED + 3, "lines before its first row")
        return cls(*style, lines >> 1, bool(lines & 1))

    def _style(self) -> tuple[bytes, bytes, bytes, bool]:
        return self.separator, self.newline, self.quote, self.spaced


_STYLES = list(product((b"", *SEPARATORS), NEWLINES, QUOTES, (False, True)))


@dataclass(frozen=True)
class Marks:
    """Where cells and rows end in some bytes; the last of both end with the bytes.

    Parameters
    ----------
    positions : NDArray[np.int64]
        Of each separator and newline, rising.
    ends_row : NDArray[np.bool_]
        Which of them are newlines.
    """

    positions: NDArray[np.int64]
    ends_row: NDArray[np.bool_]

    @classmethod
    def of(cls, text: NDArray[np.uint8], dialect: Dialect) -> Self:
        """Return the marks of bytes that begin where a row does."""
        ends = _newlines(text, dialect.newline)
        if dialect.separator == b" " and dialect.spaced:
            ends = _outside(ends, text, dialect.quote)
            marks = ends | _first_spaces(text, ends, dialect)
        else:
            marks = ends if not dialect.separator else ends | (text == dialect.separator[0])
            marks = _outside(marks, text, dialect.quote)
        positions = np.flatnonzero(marks)
        return cls(positions, text[positions] == dialect.newline[0])

    def cells_by_row(self) -> NDArray[np.int64]:
        """Return how many cells each row has."""
        ends = np.append(np.flatnonzero(self.ends_row), len(self.positions))
        return np.diff(ends, prepend=-1)


def row_ends(text: NDArray[np.uint8], dialect: Dialect) -> NDArray[np.int64]:
    """Return where newlines outside of quotes begin."""
    return np.flatnonzero(_outside(_newlines(text, dialect.newline), text, dialect.quote))


def end_of_rows(data: bytes, newline: bytes) -> int:
    """Return where the newlines at the end of some bytes begin."""
    end = len(data)
    while data.endswith(newline, 0, end):
        end -= len(newline)
    return end


def _newlines(text: NDArray[np.uint8], newline: bytes) -> NDArray[np.bool_]:
    """Return where newlines begin."""
    found = text == newline[0]
    if len(newline) == 2:
        found[:-1] &= text[1:] == newline[1]
        found[-1:] = False
    return found


def _outside(marks: NDArray[np.bool_], text: NDArray[np.uint8], quote: bytes) -> NDArray[np.bool_]:
    """Leave of marks only those that an even number of quotes stands before."""
    quoted = False
    for start in range(0, len(text) if quote else 0, PIECE):  # by pieces, which stay in the processor's cache
        piece = slice(start, start + PIECE)
        inside = np.logical_xor.accumulate(text[piece] == quote[0]) ^ quoted
        marks[piece] &= ~inside
        quoted = bool(inside[-1])
    return marks


def _first_spaces(text: NDArray[np.uint8], ends: NDArray[np.bool_], dialect: Dialect) -> NDArray[np.bool_]:
    """Return the first ones of spaces outside of quotes, but not of those that a row begins or ends with."""
    spaces = _outside(text == SPACE, text, dialect.quote)
    edges = np.diff(spaces.astype(np.int8), prepend=0, append=0)
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    stops = np.flatnonzero(ends)
    row_starts, row_stops = np.append(0, stops + len(dialect.newline)), np.append(stops, len(text))
    row = np.searchsorted(row_stops, first)
    found = np.zeros(len(text), bool)
    found[first[(first > row_starts[row]) & (after < row_stops[row])]] = True
    return found

"""Which dialect a text table is written in, told from its first rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isthmus import checks
from isthmus.coding.tables.cells import BOM, Table, cut
from isthmus.coding.tables.dialect import SEPARATORS, SKIPPED, Dialect, Marks, NoTable, end_of_rows, row_ends

__all__ = ["first_rows", "newline_of", "sniffed"]

OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
SAMPLE = 1 << 18  # bytes that are looked at
# A table of one column is told from lines of text by what it holds, and a header from rows by what it does not.
VALUE = re.compile(rb"[-+]?[\d.:/TZ-]*\d[\d.:/TZ%-]*(?:e[-+]?\d+)?|na|n/a|nan|null|none|-?inf|\?|", re.IGNORECASE)
LONGEST_VALUE = 64  # bytes
MOSTLY = 0.9
RARELY = 100  # rows for each that may have more or fewer cells than the others


@dataclass(frozen=True)
class Guess:
    """A dialect that may be the one of a sample.

    Parameters
    ----------
    dialect : Dialect
        With the lines to skip.
    misfit : tuple of int, or None
        The number of the first row that has more or fewer cells than most, how many it has, and how many most have;
        None where such rows are rare.
    misfits : int
        How many of them there are.
    """

    dialect: Dialect
    misfit: tuple[int, int, int] | None = None
    misfits: int = 0

    def __lt__(self, other: Guess) -> bool:
        return (self.misfits, self.dialect.skipped) < (other.misfits, other.dialect.skipped)


def sniffed(data: bytes) -> Dialect | NoTable:
    """Return how a text table is written.

    Parameters
    ----------
    data : bytes
        Its first rows, or all of them.

    Returns
    -------
    Dialect or NoTable
        The latter where no separator stands equally often in all rows.
    """
    if data.startswith(OTHER_BOMS):
        return NoTable(checks.table_in_utf_16())
    body = data.removeprefix(BOM)
    newline = newline_of(body[:SAMPLE])
    body = body[: end_of_rows(body, newline)]
    if not body:
        return NoTable(checks.table_without_rows())
    guesses = [guess for quote in _quotes(body[:SAMPLE]) for guess in _guesses(body, Dialect(b"", newline, quote))]
    if not guesses:
        return NoTable(checks.table_without_separator())
    best = min(guesses)
    if best.misfit:
        return NoTable(checks.table_rows_differ(*best.misfit))
    return _finished(body, best.dialect)


def first_rows(data: bytes, dialect: Dialect) -> Table | NoTable:
    """Return the cells of the first rows of a text table, up to the first that has more or fewer than those before."""
    sample = _sample(data, dialect)
    table = cut(sample, dialect)
    return cut(sample[: table.fitting], dialect) if isinstance(table, NoTable) and table.fitting else table


def newline_of(sample: bytes) -> bytes:
    """Return what ends most lines."""
    both, feeds, returns = sample.count(b"\r\n"), sample.count(b"\n"), sample.count(b"\r")
    if both and 2 * both > feeds:
        return b"\r\n"
    return b"\n" if feeds or not returns else b"\r"


def _quotes(sample: bytes) -> Iterator[bytes]:
    """Yield which quotes there may be, the likelier first."""
    if b'"' in sample:
        yield b'"'
    yield b""
    if b"'" in sample:
        yield b"'"


def _sample(body: bytes, dialect: Dialect) -> bytes:
    """Return the first rows, which are whole."""
    if len(body) <= SAMPLE:
        return body
    for piece in (body[:SAMPLE], body):
        ends = row_ends(np.frombuffer(piece, np.uint8), dialect)
        if len(ends):
            return piece[: ends[-1]]
    return body


def _guesses(body: bytes, plain: Dialect) -> Iterator[Guess]:
    """Yield a guess for each separator that there is in most rows, and one for none if lines look like values."""
    sample = _sample(body, plain)
    if plain.quote and sample.count(plain.quote) % 2:
        return
    for separator in SEPARATORS:
        if separator == b" " and b"  " in sample:
            yield from _guess(sample, replace(plain, separator=separator, spaced=True))
        if separator in sample:
            yield from _guess(sample, replace(plain, separator=separator))
    lines = sample.split(plain.newline)
    rows = lines[1:] or lines
    if sum(map(_is_value, rows)) >= MOSTLY * len(rows):
        yield Guess(plain)


def _guess(sample: bytes, dialect: Dialect) -> Iterator[Guess]:
    """Yield the guess that a separator leads to, if most rows have as many of it."""
    text = np.frombuffer(sample, np.uint8)
    counts = Marks.of(text, dialect).cells_by_row()
    usual = int(np.bincount(counts).argmax())
    misfits = np.flatnonzero(counts != usual)
    most = min(SKIPPED, len(counts) // 2)
    skipped = int(misfits[misfits < most].max(initial=-1)) + 1
    misfits = misfits[misfits >= most]
    one_line_of_words = dialect.separator == b" " and len(counts) - skipped == 1
    if usual == 1 or one_line_of_words or 2 * len(misfits) >= len(counts):
        return
    row = int(misfits[0]) if len(misfits) else 0
    misfit = (row + 1, int(counts[row]), usual) if len(misfits) * RARELY > len(counts) else None
    yield Guess(replace(dialect, skipped=skipped), misfit, len(misfits))


def _is_value(cell: bytes) -> bool:
    return len(cell) <= LONGEST_VALUE and VALUE.fullmatch(cell) is not None


def _finished(body: bytes, dialect: Dialect) -> Dialect:
    """Return a dialect with what its cells tell: whether spaces before them are a part of them, and the header."""
    if dialect.separator in (b"", b" "):
        return _with_header(body, dialect)
    table = first_rows(body, dialect)
    cells = [cell for column in table.columns[1:] for cell in column] if isinstance(table, Table) else []
    spaced = 2 * sum(cell[:1] == b" " for cell in cells) > len(cells)
    return _with_header(body, replace(dialect, spaced=spaced))


def _with_header(body: bytes, dialect: Dialect) -> Dialect:
    """Return a dialect that skips the first row if that holds names."""
    table = first_rows(body, dialect)
    if isinstance(table, Table) and table.n_rows > 1 and _has_names(table):
        return replace(dialect, skipped=dialect.skipped + 1, header=True)
    return dialect


def _has_names(table: Table) -> bool:
    """Tell whether the first row of a table holds no values, nothing twice, and nothing that its columns hold again.

    The first column may have no name, as row names of R and of pandas. Names stand twice only above values. Of two rows
    of texts the first is as good as the second.
    """
    names = [column[0].strip(table.dialect.quote) for column in table.columns]
    if any(map(_is_value, names[1:] if len(names) > 1 and not names[0] else names)):
        return False
    below = [_is_value(column[1].strip(table.dialect.quote)) for column in table.columns]
    if (table.n_rows == 2 and not any(below)) or (len(set(names)) < len(names) and not all(below)):
        return False
    return not any(column[0] in column[1:] for column in table.columns)

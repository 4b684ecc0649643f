"""Columns of text: which cells mean "missing", and the type of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from isthmus.data.notations import PROBE, Conventions, Reading, Said, first_share, looks_typed, plain_values, read

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MISSING", "Cells", "odd_cell", "read_column"]

ERRORS = ("#N/A", "#NA", "#NV", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!")  # of spreadsheets
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "n.a.", "N.A.", "<NA>", *ERRORS)
"""Cells that mean "missing" in every column."""
DOUBTFUL = (
    "none",
    "nil",
    "missing",
    "unknown",
    "n/d",
    "(null)",
    "\\n",
    "-",
    "--",
    "---",
    ".",
    "..",
    "\u2013",
    "\u2014",
)
BESIDE_NUMBERS = tuple({*(sign.lower() for sign in MISSING), *DOUBTFUL})
"""Cells that mean "missing" beside numbers or dates, in any case of letters; beside text they may be categories."""


@dataclass(slots=True)
class Cells:
    """A column as it was read.

    Parameters
    ----------
    values : pyarrow.ChunkedArray
        Its values; missing ones are null.
    said : list of (str, str)
        What there is to say about it, and an example or "".
    missing : Counter of str
        How many cells were taken as missing, by sign; "" for empty ones.
    trimmed : bool
        Whether spaces around cells were removed.
    """

    values: pa.ChunkedArray
    said: list[Said] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    trimmed: bool = False


def read_column(
    column: pa.ChunkedArray,
    conventions: Conventions,
    *,
    quoted: Collection[str] | None = None,
    as_text: bool = False,
    is_text: bool | None = None,
) -> Cells:
    """Read a column of text as what all its filled cells say; where they say different things they stay text.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of string
        Cells as they are written; empty ones are null.
    conventions : Conventions
        How the file writes what can be read in two ways.
    quoted : collection of str or None, default=None
        Cells of the first rows, where all filled ones stand in quotation marks.
    as_text : bool, default=False
        Whether to keep all but empty cells as they are written.
    is_text : bool or None, default=None
        Whether it is known to be text, or to be none; None for what the cells say.
    """
    import pyarrow as pa

    if is_text is False:
        conventions = replace(conventions, guess_text=False, quotes_are_text=False)

    empty = Counter({"": column.null_count} if column.null_count else {})
    if column.null_count == len(column):
        return Cells(pa.chunked_array([pa.nulls(len(column))]), missing=empty)
    if as_text:
        return Cells(column, missing=empty)
    looks_text = is_text or (quoted and conventions.quotes_are_text)
    plain = None if looks_text else plain_values(column, conventions)
    if plain is not None:
        return Cells(plain[0], list(plain[1]), empty)
    cells = _read_distinct(column, conventions, quoted or (), is_text=bool(is_text))
    cells.missing += empty
    return cells


def _read_distinct(
    column: pa.ChunkedArray, conventions: Conventions, quoted: Collection[str], *, is_text: bool
) -> Cells:
    """Read a column by its distinct cells."""
    import pyarrow as pa
    import pyarrow.compute as pc

    written, places = _distinct(column)
    values = pc.utf8_trim_whitespace(written)
    trimmed = not quoted and not values.equals(written)
    kept = quoted if conventions.quotes_are_text else ()
    missing = _is_missing(values, conventions, BESIDE_NUMBERS, kept)
    filled = values.filter(pc.invert(missing))
    if is_text:
        reading = Reading(None)
    else:
        reading = read(filled, conventions, quoted=bool(kept)) if len(filled) else Reading(pa.nulls(0))
    said = list(reading.said)
    if reading.values is not None:
        mask = np.asarray(missing)
        result = reading.values.take(pa.array(np.cumsum(~mask) - 1, mask=mask))
    else:
        missing = _is_missing(values, conventions, MISSING, kept)
        result = pc.if_else(missing, pa.scalar(None, pa.string()), written if quoted else values)
        filled = values.filter(pc.invert(missing))
        if not is_text:
            said = said or _why_text(column, filled)
            said += [] if kept or conventions.missing is not None else _doubts(filled)
    places_of = np.arange(len(values)) if places is None else places.drop_null().to_numpy()
    counts = np.bincount(places_of, minlength=len(values))[np.asarray(missing)]
    signs = Counter[str]()
    for sign, count in zip(values.filter(missing).to_pylist(), counts.tolist(), strict=True):
        signs[sign] += count
    return Cells(pa.chunked_array([result if places is None else result.take(places)]), said, signs, trimmed)


def _distinct(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array | None]:
    """Return the distinct cells of a column and where in them each row's is; if most are distinct, all, and None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(column) > PROBE and not column.null_count and 2 * pc.count_distinct(column.slice(0, PROBE)).as_py() > PROBE:
        whole = column.combine_chunks()
        if isinstance(whole, pa.Array):
            return whole, None
    encoded = column.dictionary_encode().combine_chunks()
    encoded = encoded if isinstance(encoded, pa.Array) else encoded.unify_dictionaries()
    chunks = [encoded] if isinstance(encoded, pa.Array) else encoded.chunks
    return chunks[0].dictionary, pa.concat_arrays([chunk.indices for chunk in chunks])


def _is_missing(
    values: pa.Array, conventions: Conventions, signs: Collection[str], kept: Collection[str]
) -> pa.BooleanArray:
    """Return which cells are signs of missing values, and not among those to keep."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if conventions.missing is not None:
        return pc.is_in(values, value_set=pa.array(["", *conventions.missing]))
    known = pc.utf8_lower(values) if signs is BESIDE_NUMBERS else values
    found = pc.is_in(known, value_set=pa.array(signs))
    return pc.and_(found, pc.invert(pc.is_in(values, value_set=pa.array(sorted(kept), pa.string())))) if kept else found


def _why_text(column: pa.ChunkedArray, filled: pa.Array) -> list[Said]:
    """Say that a column of text is in good part numbers or dates, and which cell is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    share = first_share(filled)
    if share is None:
        return []
    kind, found = share
    if found.all():
        return [(f"{kind} of several notations are kept as text", "")]
    odd = filled[int(np.argmin(found))].as_py()
    row = pc.index(pc.utf8_trim_whitespace(column), pa.scalar(odd, pa.string())).as_py()
    return [(f"{kind} and text are kept as text", f"{odd[:40]!r} in row {row}")]


def odd_cell(column: pa.ChunkedArray) -> tuple[str, int]:
    """Return the first cell of a column of text that is neither a number nor a date, or else its first, and its row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = column.drop_null().unique()
    plain = looks_typed(filled) | np.asarray(pc.is_in(pc.utf8_lower(filled), value_set=pa.array(BESIDE_NUMBERS)))
    odd = filled[int(np.argmin(plain))]
    return odd.as_py(), pc.index(column, odd).as_py()


def _doubts(filled: pa.Array) -> list[Said]:
    """Say which categories may mean "missing"."""
    import pyarrow as pa
    import pyarrow.compute as pc

    signs = filled.filter(pc.is_in(pc.utf8_lower(filled), value_set=pa.array(BESIDE_NUMBERS))).to_pylist()
    shown = ", ".join(sorted({repr(sign) for sign in signs}))
    return [(f"taken as categories: {shown}; missing= (--missing) can say otherwise", "")] if signs else []

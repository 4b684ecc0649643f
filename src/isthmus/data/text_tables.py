"""Text tables: CSV and TSV files, plain or packed."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.checks import data as checks
from isthmus.data.reading import decoding, read_bounded, require_file
from isthmus.data.records import Data
from isthmus.data.tables import from_table, twins

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["from_csv"]

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "#N/A")

SAMPLE_BYTES = 2**18
SAMPLE_LINES = 20  # at least, where they are no longer than a block of cells
CSV_BYTES = 8 * 2**30
CELL_BYTES = 32 * 2**20


def from_csv(
    path: Path,
    *,
    header: bool | None = None,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
) -> Data:
    """Open a text table, plain or gzip-packed, with commas, tabs or semicolons between its cells.

    Parameters
    ----------
    path : Path
        The file.
    header : bool or None, default=None
        Whether the first row holds the names of the columns; None decides from the first rows, and says so.
    columns, label_column
        As in :func:`from_table`.
    """
    notes: list[str] = []
    content = _as_utf8(_read_text(path), path, notes)
    sample = _sample(content)
    if not sample.strip():
        raise checks.unreadable_file(path, "it is empty")
    delimiter = _delimiter(sample, path)
    rows = _sample_rows(sample, delimiter, path)
    if header is None:
        header = _has_header(rows)
        notes.append(
            f"the first row of {path.name} was read as the names of the columns."
            if header
            else f"{path.name} has no row of names; its columns were named column_0 to column_{len(rows[0]) - 1}."
        )
    names = [cell.strip() for cell in rows[0]] if header else [f"column_{i}" for i in range(len(rows[0]))]
    if not names[0]:
        notes.append(
            f"the first column of {path.name} has no name and was called column_0; it may only number the rows."
        )
    names = [name or f"column_{i}" for i, name in enumerate(names)]
    if twice := twins(names):
        raise checks.duplicate_columns(path.name, twice)
    table = _parse(content, path, delimiter, names, skip=1 if header else 0)
    table = _trimmed(table, notes)
    notes += _mixed_columns(table)
    missing = sum(column.null_count for column in table.columns)
    if missing:
        notes.append(f"{missing} cells of {path.name} are missing (empty, '?', 'NA' and the like).")
    return from_table(
        table, source=path.name, container="files", columns=columns, label_column=label_column, notes=notes
    )


def _read_text(path: Path) -> bytearray:
    """Return the content of a text file, unpacked, up to a size that a table in memory can have."""
    require_file(path)
    with decoding(path), gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        content = read_bounded(file, CSV_BYTES)
    if len(content) > CSV_BYTES:
        raise checks.too_large(path, "it is a text table that does not fit into memory", "8 GiB; save it as Parquet")
    return content


def _as_utf8(content: bytes | bytearray, path: Path, notes: list[str]) -> bytes | bytearray:
    """Return text in UTF-8 without a byte-order mark."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise checks.unreadable_file(path, f"it is no valid UTF-16 text ({error.reason})") from error
        notes.append(f"{path.name} was read as UTF-16.")
        return content
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content[:SAMPLE_BYTES]:
        raise checks.unreadable_file(path, "it holds zero bytes, so it is no text")
    if _is_utf8(content):
        return content
    notes.append(f"{path.name} is no valid UTF-8 and was read as Latin-1.")
    return content.decode("latin-1").encode("utf-8")


def _is_utf8(content: bytes | bytearray) -> bool:
    """Return whether bytes are valid UTF-8, looking at a part at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    try:
        for start in range(0, len(view), SAMPLE_BYTES):
            decoder.decode(view[start : start + SAMPLE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _sample(content: bytes | bytearray) -> str:
    """Return the first lines as text, without a last line that is cut off."""
    end = 0
    for _ in range(SAMPLE_LINES):  # of a table of thousands of columns they are long
        end = content.find(b"\n", end, CELL_BYTES) + 1 or end
    head = content[: max(SAMPLE_BYTES, end)]
    if len(content) > SAMPLE_BYTES and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    return head.decode("utf-8", errors="replace")


def _delimiter(sample: str, path: Path) -> str:
    """Return the character between the cells: what cuts the first lines into the same number of cells, at least two."""
    if any(suffix in (".tsv", ".tab") for suffix in path.suffixes):
        return "\t"
    lines = [line for line in sample.splitlines()[:SAMPLE_LINES] if line.strip()]
    best, cells = ",", 1
    for delimiter in (",", ";", "\t", "|"):
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)}
        except csv.Error:  # a line of thousands of cells that it does not cut is too long for one
            continue
        if len(widths) == 1 and max(widths) > cells:
            best, cells = delimiter, max(widths)
    return best


def _sample_rows(sample: str, delimiter: str, path: Path) -> list[list[str]]:
    """Return up to 200 rows of the sample as cells."""
    try:
        rows = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter, skipinitialspace=True) if row]
    except csv.Error as error:
        raise checks.unreadable_file(path, f"it is no table ({error})") from error
    return rows[:200]


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether a first row looks like names.

    Names are distinct, not empty and not numbers; the first may be empty, as data frames write the column that numbers
    their rows. Where some column below holds numbers, that decides. Where all is text, they are names if most of them
    never occur again in their own column.
    """
    first = [cell.strip() for cell in rows[0]]
    names = first[1:] if len(first) > 1 and not first[0] else first
    if twins(first) or any(cell in MISSING or _is_number(cell) for cell in names):
        return False
    body = [row for row in rows[1:] if len(row) == len(first)]
    if not body:
        return False
    columns = [[cell.strip() for cell in column] for column in zip(*body, strict=True)]
    typed = any(
        any(cell not in MISSING for cell in column)
        and all(cell in MISSING or _is_number(cell) or _is_date(cell) for cell in column)
        for column in columns
    )
    return typed or sum(name in column for name, column in zip(first, columns, strict=True)) * 2 < len(first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_date(cell: str) -> bool:
    return len(cell) >= 8 and cell[:4].isdigit() and cell[4] in "-/"


def _parse(content: bytes | bytearray, path: Path, delimiter: str, names: list[str], *, skip: int) -> pa.Table:
    """Read the rows; Arrow gives every column the narrowest type that holds all its cells."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    # A process that ends soon after Arrow's threads have worked is now and then aborted by them;
    # one thread also counts the rows, so that it can say which one is wrong.
    threads = len(content) > CELL_BYTES
    try:
        return arrow_csv.read_csv(
            pa.py_buffer(content),
            read_options=arrow_csv.ReadOptions(
                column_names=names, skip_rows=skip, block_size=CELL_BYTES, use_threads=threads
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(null_values=list(MISSING), strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        raise checks.unreadable_file(path, _reason(str(error))) from error


def _reason(text: str) -> str:
    """Shorten Arrow's complaint about a text table."""
    text = text.split("\n")[0].rstrip(".").strip()
    if "straddling object" in text:
        return "a cell is longer than 32 MiB, or a quotation mark is not closed"
    uneven = re.match(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+)(.*)", text)
    if uneven:
        line, expected, found, cells = uneven.groups()
        where = f"line {line}: " if line else ""
        return f"it is no regular table: {where}{expected} columns expected, {found} found{cells[:150]}"
    return (
        text[:200].replace("CSV parse error: ", "it is no regular table: ").replace("Empty CSV file", "it has no rows")
    )


def _trimmed(table: pa.Table, notes: list[str]) -> pa.Table:
    """Remove spaces around the cells of text columns, and read again what proves to be numbers or missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names, columns, changed = table.column_names, table.columns, 0
    for index, column in enumerate(columns):
        if not pa.types.is_string(column.type):
            continue
        stripped = pc.utf8_trim_whitespace(column)
        if pc.all(pc.equal(stripped, column)).as_py() is not False:
            continue
        changed += 1
        missing = pc.is_in(stripped, value_set=pa.array(MISSING))
        stripped = pc.if_else(missing, pa.scalar(None, pa.string()), stripped)
        columns[index] = _as_numbers(stripped)
    if changed:
        notes.append(f"spaces around the cells of {changed} columns were removed.")
    return pa.Table.from_arrays(columns, names=names)


NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def _mixed_columns(table: pa.Table) -> list[str]:
    """Say which columns of text are mostly numbers: a single odd cell may have made them so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    notes = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        filled = len(column) - column.null_count
        if not pa.types.is_string(column.type) or not filled:
            continue
        numbers = pc.match_substring_regex(column, NUMBER)
        if 2 * pc.sum(numbers).as_py() >= filled:
            row = pc.index(numbers, pa.scalar(False)).as_py()
            odd = column[row].as_py()
            notes.append(f"column '{name}' holds numbers and text ({odd[:40]!r} in row {row}) and was read as text.")
    return notes


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text as numbers where all of it can be read so."""
    import pyarrow as pa

    for dtype in (pa.int64(), pa.float64()):
        try:
            return column.cast(dtype)
        except pa.ArrowInvalid:
            continue
    return column

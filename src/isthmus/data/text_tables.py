"""Text tables: CSV and TSV files, plain or compressed.

Arrow cuts the text into cells. The first rows tell how a file is written (:class:`Head`); what the cells of a column
say is told in :mod:`isthmus.data.text_columns`.
"""

from __future__ import annotations

import codecs
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.notations import Conventions, conventions_of, looks_typed
from isthmus.data.reading import decoding, read_bounded, require_file
from isthmus.data.records import Data
from isthmus.data.tables import from_table, twins
from isthmus.data.text_columns import MISSING, Cells, odd_cell, read_column

if TYPE_CHECKING:
    import pyarrow as pa

    from isthmus.data.schema import Column, Schema

__all__ = ["DELIMITERS", "Format", "from_csv"]

SAMPLE_BYTES = 2**18
SAMPLE_LINES = 20  # at least, where they are no longer than a block of cells
SAMPLE_ROWS = 100
SAMPLE_COLUMNS = 500  # that are looked at where a few tell as much as all
PIECE_BYTES = 2**20
CSV_BYTES = 8 * 2**30
BLOCK_BYTES = 4 * 2**20  # that are cut at a time: they stay in the processor's cache
CELL_BYTES = 32 * 2**20  # that are cut at a time where a row is long
MAX_COLUMNS = 200_000
PACKED_BYTES = 256 * 2**20  # that any packed file may unpack to
PACKED_RATIO = 200  # times its own size that a packed file may unpack to
DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t", "\t": "\t"}
LONG_ROW = "straddling object"  # as Arrow calls it
CELL_END = 100  # bytes in which the last quotation mark of a file is looked for
LISTED = 5  # columns or signs that a note names


@dataclass(frozen=True, slots=True)
class Format:
    """How a text table is written; None for what the file itself is to tell.

    Parameters
    ----------
    header : bool or None, default=None
        Whether the first row holds the names of the columns.
    delimiter : str or None, default=None
        What stands between cells: a key of :data:`DELIMITERS`.
    encoding : str or None, default=None
        Of the characters, as Python names it.
    decimal : {None, ".", ","}, default=None
        The decimal mark.
    day_first : bool or None, default=None
        Whether 1/2/2020 is in February.
    missing : sequence of str or None, default=None
        Cells that mean "missing", beside empty ones.
    as_text : sequence of (str or int) or None, default=None
        Columns to keep as they are written; None also keeps numbers that look like text.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    day_first: bool | None = None
    missing: Sequence[str] | None = None
    as_text: Sequence[str | int] | None = None


def from_csv(
    path: Path,
    form: Format | None = None,
    *,
    schema: Schema | None = None,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
) -> Data:
    """Open a text table, plain or gzip-packed.

    Parameters
    ----------
    path : Path
        The file.
    form : Format or None, default=None
        What is known of how it is written.
    schema : Schema or None, default=None
        Of a table whose columns these are too: they have its types.
    columns, label_column
        As in :func:`from_table`.
    """
    import pyarrow as pa

    form = form or Format()
    notes: list[str] = []
    content = _as_utf8(_read(path), path, form.encoding, notes)
    head = Head(content, path, form)
    known = {column.name: column for column in schema.columns} if schema else {}
    named = 2 * len(known.keys() & head.names()) > len(known)
    header = (named or head.has_names()) if form.header is None else form.header
    if header and not head.body.num_rows:
        raise checks.only_names(path)
    names = head.names() if header else [""] * head.first.num_columns
    texts = _parse(content, head, len(names), skip=header)
    del content
    as_text = _chosen(names, form.as_text, path.name)
    fitted = [known.get(name) for name in _full_names(names, path.name, [])]
    read = _read_columns(texts, head, as_text, fitted)
    empty_end = _empty_end(read, names)
    names, read = names[: len(names) - empty_end], read[: len(read) - empty_end]
    if form.header is None and not named:
        notes += _header_note(path.name, names, header)
    if empty_end:
        notes.append(f"empty columns at the end of {path.name}, which have no name, were left out: {empty_end}.")
    names = _full_names(names, path.name, notes)
    for index, (column, cells) in enumerate(zip(fitted, read, strict=False)):
        if _is_text(column) is False and index not in as_text and pa.types.is_string(cells.values.type):
            raise checks.cell_unlike_fit(path.name, column, *odd_cell(cells.values))
    notes += _notes(read, names, path.name)
    return from_table(
        pa.Table.from_arrays([cells.values for cells in read], names=names),
        source=path.name,
        container="files",
        columns=columns,
        label_column=label_column,
        notes=notes,
    )


# --- bytes -----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytearray:
    """Return the content of a text file, unpacked, up to a size that a table in memory can have.

    Memory grows with what is there. A packed file may not unpack to more than 200 times its size, beyond 256 MiB.
    """
    size = require_file(path).st_size
    packed = path.name.lower().endswith(".gz")
    limit = min(CSV_BYTES, max(PACKED_BYTES, PACKED_RATIO * size)) if packed else CSV_BYTES
    with decoding(path), gzip.open(path) if packed else path.open("rb") as file:
        content = read_bounded(file, limit)
    if len(content) <= limit:
        return content
    if packed and PACKED_RATIO * size < CSV_BYTES:
        allowed = f"{PACKED_RATIO} times or 256 MiB; if it is what it should be, unpack it with gunzip"
        raise checks.too_large(path, f"it unpacks to many times its {size:,} bytes", allowed)
    raise checks.too_large(path, "it is a text table that does not fit into memory", "8 GiB; save it as Parquet")


MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # before UTF-16
MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def _as_utf8(content: bytearray, path: Path, encoding: str | None, notes: list[str]) -> bytearray:
    """Return text in UTF-8 without a byte-order mark."""
    if encoding is not None:
        return _recoded(content, encoding, path)
    marked = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    if marked == "utf-8":
        del content[: len(codecs.BOM_UTF8)]
    elif marked:
        notes.append(f"{path.name} was read as {marked.upper()}.")
        return _recoded(content, marked, path)
    if content.find(b"\0", 0, SAMPLE_BYTES) >= 0:
        raise checks.unreadable_file(path, "it holds zero bytes, so it is no text")
    if _is_utf8(content):
        return content
    encoding, name = ("latin-1", "Latin-1") if NOT_CP1252.search(content) else ("cp1252", "Windows-1252")
    notes.append(f"{path.name} is no valid UTF-8 and was read as {name}; encoding= (--encoding) reads it as another.")
    return _recoded(content, encoding, path)


def _is_utf8(content: bytearray) -> bool:
    """Return whether bytes are valid UTF-8, looking at a part at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with memoryview(content) as view:
        try:
            for start in range(0, len(view), SAMPLE_BYTES):
                decoder.decode(view[start : start + SAMPLE_BYTES])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _recoded(content: bytearray, encoding: str, path: Path) -> bytearray:
    """Return text of an encoding in UTF-8, recoded a part at a time."""
    decoder = codecs.getincrementaldecoder(encoding)()
    recoded = bytearray()
    try:
        for start in range(0, len(content), PIECE_BYTES):
            final = start + PIECE_BYTES >= len(content)
            recoded += decoder.decode(bytes(content[start : start + PIECE_BYTES]), final).encode()
    except UnicodeError as error:
        reason = getattr(error, "reason", str(error))
        raise checks.unreadable_file(path, f"it is no valid {encoding.upper()} text ({reason})") from error
    return recoded.removeprefix(codecs.BOM_UTF8)


# --- the first rows --------------------------------------------------------------------------------------------------


class Head:
    """The first rows of a text table, and what they tell of all.

    Parameters
    ----------
    content : bytearray
        The text, in UTF-8; a first line such as ``sep=;`` is cut off.
    path : Path
        The file.
    form : Format
        What is known of how it is written.

    Attributes
    ----------
    first, body : pyarrow.Table
        The first row, and those that follow, of as many cells as the first of them has.
    end : int
        Where the first row ends.
    """

    def __init__(self, content: bytearray, path: Path, form: Format) -> None:
        self.path, self.form = path, form
        declared = re.match(rb'"?sep=(.)"?\r?\n', content[:16], re.IGNORECASE)
        if declared:
            del content[: declared.end()]
        sample = _sample(content)
        if not sample.strip():
            raise checks.unreadable_file(path, "it is empty")
        self.end = _row_ends(sample, 1)[0]
        self._rows = sample[: self.end], sample[self.end :]
        given = DELIMITERS.get(form.delimiter or (declared.group(1).decode("latin-1") if declared else ""))
        tabs = any(suffix.lower() in (".tsv", ".tab") for suffix in path.suffixes)
        self.delimiter = given or ("\t" if tabs else self._delimiter())
        width = self._rows[0].count(self.delimiter.encode()) + 1
        if width > MAX_COLUMNS:
            raise checks.too_large(path, f"its first row has {width:,} cells", f"{MAX_COLUMNS:,}; save it as .npy")
        first, body = (_cut(rows, self.delimiter)[0] for rows in self._rows)
        if first is None or (body is None and self._rows[1].strip()):
            raise checks.unreadable_file(path, "a row is longer than 32 MiB, or a quotation mark is not closed")
        self.first: pa.Table = first
        self.body: pa.Table = first.slice(0, 0) if body is None else body

    def _delimiter(self) -> str:
        """Return what cuts the rows into the same number of cells, at least two, of which most are numbers or dates.

        Of ``1,5;2,25`` a comma would make three cells, but ``5;2`` is no number.
        """
        best, most = ",", (0.0, 0.0, 1)
        for delimiter in (",", ";", "\t", "|"):
            if self._rows[0].count(delimiter.encode()) >= MAX_COLUMNS:
                continue
            names, _ = _cut(self._rows[0], delimiter)
            table, uneven = _cut(self._rows[1], delimiter)
            table = names if table is None else table
            if names is None or table is None or min(names.num_columns, table.num_columns) < 2:
                continue
            even = table.num_rows / (table.num_rows + uneven)
            if abs(names.num_columns - table.num_columns) > 1:
                even /= 2
            typed = float(_Grid(table.select(range(min(table.num_columns, SAMPLE_COLUMNS)))).typed.mean())
            if (rank := (even, typed, table.num_columns)) > most:
                best, most = delimiter, rank
        return ";" if most[0] == 0 and self._is_one_column_with_commas() else best

    def _is_one_column_with_commas(self) -> bool:
        """Return whether all rows but the first are numbers with decimal commas."""
        table, _ = _cut(self._rows[1], ";")
        if table is None or b"," in self._rows[0] or b"," not in self._rows[1]:
            return False
        grid = _Grid(table)
        return bool((grid.typed | ~grid.filled).all())

    def names(self) -> list[str]:
        """Return the names of the first row, "" for none, as many as the other rows have cells.

        Other rows may end in a comma, or the names may; R writes no name above the names of the rows.
        """
        names, width = _Grid(self.first).rows()[0], self.body.num_columns
        if width == len(names) + 1 > 2:
            return ["", *names] if self._grid.filled[-1].any() else [*names, ""]
        return names[:-1] if width == len(names) - 1 and not names[-1] else names

    def has_names(self) -> bool:
        """Return whether the first row looks like names: what most columns say.

        Where cells below are numbers or dates, a first cell that is none is a name. Numbers are names where they rise
        from column to column and those of the rows below do not: 0, 1, 2, ... of data frames, years, wavelengths.
        Where all is text, names are what never occurs again in its column.
        """
        first, grid = _Grid(self.first), self._grid
        if not self.body.num_rows:  # a row alone is a record if a cell of it is a number
            return not (first.typed & first.filled).any()
        names = np.array(self.names(), dtype=object)
        if len(names) != self.first.num_columns or len(names) != self.body.num_columns:
            return not first.typed.any()
        typed = (grid.typed | ~grid.filled).all(axis=1) & grid.filled.any(axis=1) & first.filled[:, 0]
        numbered = typed & first.typed[:, 0]
        if not typed.any():
            again = sum(name in row for name, row in zip(names, grid.columns(), strict=True) if name)
            return 2 * again < sum(names != "")
        scale = numbered.any() and self._is_scale(numbered)
        return scale or 2 * (typed & ~numbered).sum() >= typed.sum()

    def _is_scale(self, numbered: np.ndarray) -> bool:
        """Return whether numbers of the first row rise as those of no other row do; few of them also by one step."""
        first = np.array([_as_number(cell) for cell in _Grid(self.first).rows()[0]])[numbered]
        rows = np.array([[_as_number(cell) for cell in row] for row in self._grid.rows()[:20]])[:, numbered]
        if not _Grid(self.first).filled[0, 0]:  # above the numbers of the rows of a data frame
            return bool((first == np.arange(len(first))).all())
        steps, others = np.diff(first), np.diff(rows, axis=1)
        if not len(steps) or not (steps > 0).all():
            return False
        if _are_years(first).all() and _are_years(rows).mean() < 0.5:
            return True
        if len(first) > 4:
            return bool((others > 0).all(axis=1).mean() < 0.5)
        even = len(first) > 2 and (steps == steps[0]).all()
        return bool(even and (others == steps[0]).all(axis=1).mean() < 0.5)

    @cached_property
    def _grid(self) -> _Grid:
        return _Grid(self.body)

    @cached_property
    def quoted(self) -> list[frozenset[str] | None]:
        """By column, the cells of the first rows, where all filled ones stand in quotation marks; else None."""
        if b'"' not in self._rows[1]:
            return [None] * self.body.num_columns
        # To Arrow a cell in quotation marks is never missing: where all cells are signs of missing ones, those remain.
        table, _ = _cut(self._rows[1], self.delimiter, missing={cell for row in self._grid.rows() for cell in row})
        if table is None:
            return [None] * self.body.num_columns
        quoted = []
        for filled, column in zip(self._grid.filled, table.columns, strict=True):
            marked = np.asarray(column.is_valid())
            quoted.append(
                None if (filled & ~marked).any() else frozenset(column.drop_null().to_pylist()) - {""} or None
            )
        return quoted

    @property
    def conventions(self) -> Conventions:
        """How the file writes what can be read in two ways: as was said, as other columns show, or as usual."""
        return conventions_of(
            self._grid.filled_cells(SAMPLE_COLUMNS),
            decimal=self.form.decimal,
            day_first=self.form.day_first,
            missing=self.form.missing,
            continental=self.delimiter == ";",
            guess_text=self.form.as_text is None,
            quotes_are_text=self.form.as_text is None
            and any(
                quoted is None and filled.any() for filled, quoted in zip(self._grid.filled, self.quoted, strict=True)
            ),
        )


class _Grid:
    """The cells of a few rows, looked at all at once, since a table may have thousands of columns.

    Attributes
    ----------
    typed, filled : ndarray of bool, shape (columns, rows)
        Which cells look like numbers or dates, and which do not mean "missing".
    """

    def __init__(self, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.shape = table.num_columns, table.num_rows
        cells = [chunk for column in table.columns for chunk in column.chunks]
        self._cells = pc.utf8_trim_whitespace(pa.concat_arrays(cells)) if cells else pa.array([], pa.string())
        self.filled = ~np.asarray(pc.is_in(self._cells, value_set=pa.array(MISSING)), bool).reshape(self.shape)

    @cached_property
    def typed(self) -> np.ndarray:
        return looks_typed(self._cells).reshape(self.shape)

    def columns(self) -> list[list[str]]:
        """Return the cells without spaces around them, by column."""
        return np.array(self._cells.to_pylist(), dtype=object).reshape(self.shape).tolist()

    def rows(self) -> list[list[str]]:
        """Return the cells without spaces around them, by row."""
        return np.array(self._cells.to_pylist(), dtype=object).reshape(self.shape).T.tolist()

    def filled_cells(self, most: int) -> list[pa.Array]:
        """Return the filled cells of the first columns, by column."""
        import pyarrow as pa

        rows = self.shape[1]
        return [
            self._cells.slice(index * rows, rows).filter(pa.array(filled))
            for index, filled in enumerate(self.filled[:most])
        ]


def _sample(content: bytearray) -> bytes:
    """Return the first 100 rows or, where they are long, at least 20 if they fit into 32 MiB; no row is cut off."""
    size = SAMPLE_BYTES
    while True:
        head = bytes(content[:size])
        ends = _row_ends(head, SAMPLE_ROWS + 1)
        if len(ends) > SAMPLE_LINES or size >= min(len(content), CELL_BYTES):
            return head if size >= len(content) and len(ends) <= SAMPLE_ROWS else head[: ends[-1]]
        size *= 4


ROW = re.compile(rb'(?>[^"\r\n]+|"[^"]*")*+(?:\r\n|\r|\n)')


def _row_ends(text: bytes, most: int) -> list[int]:
    """Return where the first rows end: at ends of lines outside of quotation marks. The end of all is the last."""
    ends: list[int] = []
    start = len(text) - len(text.lstrip(b"\r\n"))
    while len(ends) < most and (row := ROW.match(text, ends[-1] if ends else start)):
        ends.append(row.end())
    return ends or [text.find(b"\n", start) + 1 or len(text)]


def _cut(text: bytes, delimiter: str, missing: Iterable[str] = ()) -> tuple[pa.Table | None, int]:
    """Return rows of text as cells, as many a row as the first has, and how many rows had others.

    ``missing`` are cells to take as missing where they stand in no quotation marks. None where there are no cells.
    """
    import pyarrow as pa
    from pyarrow import csv

    uneven = []

    def skip(row: Any) -> str:
        uneven.append(row.number)
        return "skip"

    if not text.strip():
        return None, 0
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip)
    whole = csv.ReadOptions(block_size=len(text) + 1, use_threads=False, autogenerate_column_names=True)
    try:
        first = text[: _row_ends(text, 1)[0]]
        if b'"' in first:
            width = csv.read_csv(pa.py_buffer(first), read_options=whole, parse_options=parse).num_columns
        else:
            width = first.count(delimiter.encode()) + 1
        whole.column_names, whole.autogenerate_column_names = [str(i) for i in range(width)], False
        table = csv.read_csv(
            pa.py_buffer(text), read_options=whole, parse_options=parse, convert_options=_all_text(width, missing)
        )
    except pa.ArrowInvalid:
        return None, 0
    return table, len(uneven)


def _all_text(width: int, missing: Iterable[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    return csv.ConvertOptions(
        column_types={str(i): pa.string() for i in range(width)},
        null_values=list(missing),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _as_number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _are_years(numbers: np.ndarray) -> np.ndarray:
    return (numbers >= 1800) & (numbers <= 2100) & (numbers % 1 == 0)


# --- all rows --------------------------------------------------------------------------------------------------------


def _parse(content: bytearray, head: Head, width: int, *, skip: bool) -> list[pa.ChunkedArray]:
    """Cut the rows into columns of text; empty cells are null."""
    import pyarrow as pa

    start = head.end if skip else 0
    try:
        try:
            table = _cut_all(content, start, head.delimiter, width, min(BLOCK_BYTES, CELL_BYTES))
        except pa.ArrowInvalid as error:
            if LONG_ROW not in str(error):
                raise
            table = _cut_all(content, start, head.delimiter, width, CELL_BYTES)
    except pa.ArrowInvalid as error:
        raise checks.unreadable_file(head.path, _reason(str(error), content[:start].count(b"\n"))) from error
    last = table.column(width - 1)[-1].as_py() if table.num_rows else None
    if last and "\n" in last and not content[-CELL_END:].rstrip().endswith(b'"'):
        raise checks.unreadable_file(head.path, "a quotation mark in its last row is not closed")
    return table.columns


def _cut_all(content: bytearray, start: int, delimiter: str, width: int, block_bytes: int) -> pa.Table:
    """Return text from a place on as rows of cells of text."""
    import pyarrow as pa
    from pyarrow import csv

    # A process that ends soon after Arrow's threads have worked is now and then aborted by them;
    # one thread also counts the rows, so that it can say which one is wrong.
    threads = len(content) > CELL_BYTES
    convert = _all_text(width, [""])
    convert.check_utf8 = False  # it is
    return csv.read_csv(
        pa.py_buffer(memoryview(content)[start:]),
        read_options=csv.ReadOptions(
            column_names=[str(i) for i in range(width)], block_size=block_bytes, use_threads=threads
        ),
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=width > 1,  # in a single column they are empty cells
        ),
        convert_options=convert,
    )


def _reason(text: str, lines: int) -> str:
    """Shorten Arrow's complaint about a text table, of which some lines were read before."""
    text = text.split("\n")[0].rstrip(".").strip()
    if LONG_ROW in text:
        return "a row is longer than 32 MiB, or a quotation mark is not closed"
    uneven = re.match(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+)(.*)", text)
    if uneven:
        line, expected, found, cells = uneven.groups()
        where = f"line {int(line) + lines}: " if line else ""
        columns = "column" if expected == "1" else "columns"
        return f"it is no regular table: {where}{expected} {columns} expected, {found} found{cells[:150]}"
    return text[:200].replace("CSV parse error: ", "it is no regular table: ")


def _read_columns(
    columns: list[pa.ChunkedArray], head: Head, as_text: Collection[int], fitted: Sequence[Column | None]
) -> list[Cells]:
    """Return columns of text as what their cells say; the list is emptied, so that text that was read is given back."""
    conventions, quoted = head.conventions, [*head.quoted, *[None] * len(columns)]
    columns.reverse()
    read: list[Cells] = []
    while columns:
        index = len(read)
        is_text = _is_text(fitted[index])
        cells = read_column(columns.pop(), conventions, quoted=quoted[index], as_text=index in as_text, is_text=is_text)
        read.append(cells)
    return read


def _is_text(column: Column | None) -> bool | None:
    """Return whether cells of a column that a model was fitted on are text; None where a text table cannot tell."""
    if column is None or column.is_span or column.dtype == "null":
        return None
    return column.type == "category" and ("string" in column.dtype or None)


def _chosen(names: Sequence[str], as_text: Sequence[str | int] | None, source: str) -> Collection[int]:
    """Return the places of the columns that were named."""
    known = {name or f"column_{index}": index for index, name in enumerate(names)}
    places = []
    for column in as_text or ():
        if isinstance(column, int) and -len(names) <= column < len(names):
            places.append(column % len(names))
        elif column in known:
            places.append(known[str(column)])
        else:
            raise checks.no_such_column(source, column, list(known))
    return places


# --- names and notes -------------------------------------------------------------------------------------------------


def _empty_end(read: Sequence[Cells], names: Sequence[str]) -> int:
    """Return how many columns at the end have neither a name nor a filled cell, as a comma at the end makes them."""
    count = 0
    while count < len(names) - 1 and not names[-1 - count] and str(read[-1 - count].values.type) == "null":
        count += 1
    return count


def _header_note(source: str, names: Sequence[str], header: bool) -> list[str]:
    if header:
        return [f"the first row of {source} was read as the names of the columns."]
    return [f"{source} has no row of names; its columns were named column_0 to column_{len(names) - 1}."]


def _full_names(names: Sequence[str], source: str, notes: list[str]) -> list[str]:
    """Return a name for every column, and for each another one."""
    if not names[0] and any(names):
        notes.append(f"the first column of {source} has no name and was called column_0; it may only number the rows.")
    full = [name or f"column_{index}" for index, name in enumerate(names)]
    twice = twins(full)
    if twice:
        taken, seen = set(full), Counter[str]()
        for index, name in enumerate(full):
            seen[name] += 1
            if seen[name] > 1:
                number = seen[name]
                while f"{name}_{number}" in taken:
                    number += 1
                full[index] = f"{name}_{number}"
                taken.add(full[index])
        shown = _listed([repr(name) for name in twice])
        notes.append(f"names that occur more than once in {source} were told apart by a number ('a', 'a_2'): {shown}.")
    return full


def _notes(read: Sequence[Cells], names: Sequence[str], source: str) -> list[str]:
    """Say what was done to the cells, once for all columns to which the same was done."""
    notes = []
    trimmed = sum(cells.trimmed for cells in read)
    if trimmed:
        notes.append(f"spaces around the cells of {trimmed} column{'s' if trimmed > 1 else ''} were removed.")
    columns: dict[str, list[str]] = defaultdict(list)
    examples: dict[str, str] = {}
    for name, cells in zip(names, read, strict=True):
        for what, example in cells.said:
            columns[what].append(repr(name))
            examples.setdefault(what, example)
    for what, its in columns.items():
        example = f" ({examples[what]})" if examples[what] else ""
        notes.append(f"column{'s' if len(its) > 1 else ''} {_listed(its)}: {what}{example}.")
    missing: Counter[str] = sum((cells.missing for cells in read), Counter())
    if missing:
        signs = [f"{count:,} {repr(sign) if sign else 'empty'}" for sign, count in missing.most_common()]
        notes.append(f"missing cells of {source}: {_listed(signs)}.")
    return notes


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - LISTED:,} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more

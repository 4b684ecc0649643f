"""Tables: data frames of any library, CSV and TSV files, Parquet files.

Inside, every table is an Arrow table: it knows missing values, whole numbers beside them, categories, dates and time
zones. Missing cells are null; a NaN in a column of numbers counts as missing too.
"""

from __future__ import annotations

import base64
import codecs
import csv
import functools
import gzip
import io
import json
import math
import re
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.records import Data, as_labels
from isthmus.data.schema import Column, Schema

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["from_csv", "from_frame", "from_parquet", "from_table", "prototype", "select_schema"]

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "#N/A")
PANDAS_KEY = b"isthmus.pandas"


# --- types -----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)  # tables have many columns of few types
def column_type(dtype: pa.DataType) -> str | None:
    """Return what values of an Arrow type mean, or None where they have no place in a table of records."""
    from pyarrow import types

    tests = (
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("number", types.is_floating),
        ("number", types.is_decimal),
        ("date", types.is_timestamp),
        ("date", types.is_date),
        ("date", types.is_time),
        ("integer", types.is_duration),
        ("category", types.is_string),
        ("category", types.is_large_string),
        ("category", types.is_string_view),
        ("category", types.is_null),
    )
    if types.is_dictionary(dtype):
        return "category" if column_type(dtype.value_type) else None
    return next((name for name, test in tests if test(dtype)), None)


def describe(schema: pa.Schema, source: str) -> tuple[Column, ...]:
    """Return the columns of an Arrow schema.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        If there are none, a name occurs twice, or a type has no place in a table.
    """
    if not schema.names:
        raise checks.no_columns(source)
    if twice := _twins(schema.names):
        raise checks.duplicate_columns(source, twice)
    columns = []
    for field in schema:
        meaning = column_type(field.type)
        if meaning is None:
            raise checks.unsupported_column(source, field.name, str(field.type))
        columns.append(Column(field.name, meaning, str(field.type)))
    return tuple(columns)


def _twins(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def prototype(table: pa.Table) -> str:
    """Return the first no rows of a table as text: its types, the metadata of its library, and its categories.

    An Arrow schema alone does not hold the categories of a column; a record batch does, also with no rows in it.
    """
    import pyarrow as pa

    arrays = []
    for column in table.columns:
        if pa.types.is_dictionary(column.type) and column.num_chunks:
            arrays.append(column.unify_dictionaries().chunk(0).slice(0, 0))
        else:
            arrays.append(pa.array([], type=column.type))
    batch = pa.RecordBatch.from_arrays(arrays, schema=table.schema)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def select_schema(schema: Schema, names: Sequence[str]) -> Schema:
    """Return a table's schema with some of its columns, in the given order."""
    from dataclasses import replace

    from isthmus.data.restoring import empty_table

    by_name = {column.name: column for column in schema.columns}
    return replace(
        schema,
        shape=(len(names),),
        columns=tuple(by_name[name] for name in names),
        arrow=prototype(empty_table(schema).select(list(names))),
    )


def clean(table: pa.Table, source: str, *, first: int = 0) -> tuple[pa.Table, dict[str, int]]:
    """Return a table in its canonical form: null where a number is NaN, no infinities, strings of one kind.

    Parameters
    ----------
    table : pyarrow.Table
        As its source has it.
    source : str
        What it is called in a sentence.
    first : int, default=0
        Number of its first row.

    Returns
    -------
    table : pyarrow.Table
        The same rows and columns.
    nan : dict of str to int
        How many NaN became null, by column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    nan: dict[str, int] = {}
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.large_string())
        elif pa.types.is_dictionary(column.type):
            if pa.types.is_string_view(column.type.value_type):
                column = column.cast(pa.dictionary(column.type.index_type, pa.large_string(), column.type.ordered))
            column = column.unify_dictionaries()
        elif pa.types.is_floating(column.type) and not _is_finite(column):
            infinite = pc.is_inf(column)
            if pc.any(infinite).as_py():
                row = pc.index(infinite, pa.scalar(True)).as_py()
                raise checks.finite_column(source, name, first + row)
            is_nan = pc.is_nan(column)
            count = pc.sum(is_nan).as_py()
            if count:
                nan[name] = count
                column = pc.if_else(is_nan, pa.scalar(None, column.type), column)
        columns.append(column)
    return pa.Table.from_arrays(columns, names=table.column_names), nan


def _is_finite(column: pa.ChunkedArray) -> bool:
    """Tell by a sum, the cheapest look at every value, that all are finite; it may overflow, and then does not tell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = pc.sum(column.cast(pa.float64())).as_py()
    return total is None or math.isfinite(total)


# --- tables in memory ------------------------------------------------------------------------------------------------


class TableStore(stores.Store):
    """A table in memory."""

    resident = True

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.length = table.num_rows
        self.nbytes = table.nbytes

    def take(self, indices: np.ndarray) -> pa.Table:
        """Return a gathered copy."""
        return self.table.take(indices)

    def chunk(self, start: int, stop: int) -> pa.Table:
        """Return a slice, uncopied."""
        return self.table.slice(start, max(stop - start, 0))

    def select(self, names: Sequence[str]) -> TableStore:
        """Return a store of some columns."""
        return TableStore(self.table.select(list(names)))


def from_table(
    table: pa.Table,
    *,
    source: str = "X",
    container: str = "arrow",
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
    notes: Sequence[str] = (),
) -> Data:
    """Open an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
        With the metadata of the library it came from, where it came from one.
    source : str, default="X"
        What it is called in a sentence.
    container : str, default="arrow"
        What the records came in.
    columns : sequence of str or int, or None, default=None
        The columns to keep, in this order; None keeps all.
    label_column : str, int or None, default=None
        The column of labels, which is set aside.
    notes : sequence of str, default=()
        What was said already.
    """
    notes = list(notes)
    describe(table.schema, source)
    keep, label = choose_columns(table.column_names, columns, label_column, source)
    labels = None
    if label is not None:
        labels = _labels(table.column(label))
        notes.append(f"column '{label}' was set aside as the labels.")
    table = table.select(keep)
    checks.not_empty((table.num_rows, table.num_columns), source)
    schema = Schema("table", (len(keep),), "mixed", container, describe(table.schema, source), (), prototype(table))
    table, nan = clean(table, source)
    if nan and container != "pandas":
        shown = ", ".join(f"'{name}' ({count})" for name, count in list(nan.items())[:5])
        notes.append(f"NaN in the columns {shown} are taken as missing.")
    # One chunk a column: gathering rows from many chunks is far slower than putting them together once.
    return Data(schema, TableStore(table.combine_chunks()), labels=labels, source=source, notes=notes)


def choose_columns(
    names: Sequence[str], columns: Sequence[str | int] | None, label_column: str | int | None, source: str
) -> tuple[list[str], str | None]:
    """Return the names of the columns to keep and of the column of labels."""
    known = set(names)

    def named(column: str | int) -> str:
        if (
            isinstance(column, (int, np.integer))
            and not isinstance(column, bool)
            and -len(names) <= column < len(names)
        ):
            return names[column]
        if column in known:
            return str(column)
        raise checks.no_such_column(source, column, names)

    label = None if label_column is None else named(label_column)
    keep = list(names) if columns is None else [named(column) for column in columns]
    keep = [name for name in keep if name != label]
    if not keep:
        raise checks.no_columns(source)
    if twice := _twins(keep):
        raise checks.duplicate_columns(source, twice[:1])
    return keep, label


def _labels(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as labels: numbers as such, everything else as objects."""
    return as_labels(column.to_numpy())


# --- data frames -----------------------------------------------------------------------------------------------------


def from_frame(
    frame: Any,
    library: str,
    *,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
    name: str = "X",
) -> Data:
    """Open a data frame of pandas, polars or pyarrow, or of any other library that exports Arrow streams."""
    import pyarrow as pa

    if library == "pandas":
        return from_table(
            _pandas_table(frame, name), source=name, container="pandas", columns=columns, label_column=label_column
        )
    if library == "polars":
        if type(frame).__name__ == "LazyFrame":
            frame = frame.collect()
        table, container = frame.to_arrow(), "polars"
    else:
        try:
            table = pa.Table.from_batches([frame]) if isinstance(frame, pa.RecordBatch) else pa.table(frame)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise checks.unreadable_object(name, f"its Arrow stream is no table ({error})") from error
        container = "arrow"
    return from_table(table, source=name, container=container, columns=columns, label_column=label_column)


def _pandas_table(frame: pandas.DataFrame, name: str) -> pa.Table:
    """Return a pandas frame as an Arrow table that remembers every dtype."""
    import pyarrow as pa

    labels = list(frame.columns)
    if frame.columns.nlevels > 1:
        raise checks.unreadable_object(
            name, "its columns have several levels; give every column one name with X.columns.to_flat_index()"
        )
    texts = [str(label) for label in labels]
    if twice := _twins(texts):
        raise checks.duplicate_columns(name, twice)
    for label, dtype in zip(texts, frame.dtypes, strict=True):
        if str(dtype).startswith("Sparse"):
            raise checks.unsupported_column(name, label, f"{dtype}, which is sparse")
        if getattr(dtype, "kind", "") == "c":
            raise checks.unsupported_column(name, label, f"{dtype} (Complex data not supported)")
    try:
        table = pa.Table.from_pandas(frame.set_axis(texts, axis=1), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        text = str(error.args[0]) if error.args else ""
        culprit = next(
            (str(arg).split("column ")[1].split(" with")[0] for arg in error.args if "column " in str(arg)), "?"
        )
        raise checks.column_values(name, culprit, text.rstrip(".")) from error
    remembered = {
        "dtypes": [
            _dtype_record(dtype, frame.iloc[:, position] if dtype == object else None)  # noqa: E721 - a dtype
            for position, dtype in enumerate(frame.dtypes)
        ],
        "integer_names": bool(labels) and all(isinstance(label, (int, np.integer)) for label in labels),
    }
    return table.replace_schema_metadata({**(table.schema.metadata or {}), PANDAS_KEY: json.dumps(remembered)})


def _dtype_record(dtype: Any, column: pandas.Series | None) -> list[str]:
    """Return what tells a pandas dtype from its like: its name, the storage of strings, the sign of a missing value.

    Only a column of objects shows which sign that is.
    """
    missing = str(getattr(dtype, "na_value", ""))
    if column is not None:
        empty = column[column.isna()]
        missing = str(empty.iloc[0]) if len(empty) else "None"
    return [str(dtype), str(getattr(dtype, "storage", "")), missing]


# --- CSV -------------------------------------------------------------------------------------------------------------

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
    content = _read_text(path)
    notes: list[str] = []
    content = _as_utf8(content, path, notes)
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
    if twice := _twins(names):
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


def _read_text(path: Path) -> bytes:
    """Return the content of a text file, unpacked, up to a size that a table in memory can have."""
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            content = file.read(CSV_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise checks.unreadable_file(path, f"it is truncated or damaged ({error})") from error
    if len(content) > CSV_BYTES:
        raise checks.too_large(path, "it is a text table that does not fit into memory", "8 GiB; save it as Parquet")
    return content


def _as_utf8(content: bytes, path: Path, notes: list[str]) -> bytes:
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


def _is_utf8(content: bytes) -> bool:
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


def _sample(content: bytes) -> str:
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
    if _twins(first) or any(cell in MISSING or _is_number(cell) for cell in names):
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


def _parse(content: bytes, path: Path, delimiter: str, names: list[str], *, skip: int) -> pa.Table:
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


# --- Parquet ---------------------------------------------------------------------------------------------------------


class ParquetStore(stores.Store):
    """Parquet files, read by row groups; the groups read last are kept.

    Parameters
    ----------
    paths : sequence of Path
        Files of one schema, in order.
    names : sequence of str
        The columns to read.
    source : str
        What the set is called in a sentence.
    cells : int
        Bytes of row groups to keep.
    """

    resident = False

    def __init__(self, paths: Sequence[Path], names: Sequence[str], source: str, cells: int = 64 * 2**20) -> None:
        self.paths = paths
        self.names = list(names)
        self.source = source
        self.cells = cells
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self.groups: list[tuple[Path, int]] = []
        lengths, self.nbytes = [], 0
        for path in paths:
            metadata = parquet_file(path).metadata
            chosen = [i for i in range(metadata.num_columns) if _root(metadata, i) in self.names]
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                self.groups.append((path, number))
                lengths.append(group.num_rows)
                self.nbytes += sum(group.column(i).total_uncompressed_size for i in chosen)
        self.starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]) if lengths else np.zeros(1, np.int64)
        self.length = int(self.starts[-1])

    def take(self, indices: np.ndarray) -> pa.Table:
        """Return the rows of the given numbers; every row group that holds one is read once."""
        import pyarrow as pa

        indices = np.asarray(indices)
        groups = np.searchsorted(self.starts, indices, side="right") - 1
        order = np.argsort(groups, kind="stable")
        parts = []
        for group in np.unique(groups):
            rows = indices[groups == group] - self.starts[group]
            parts.append(self._group(int(group)).take(rows))
        if not parts:
            return self._group(0).slice(0, 0)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).take(back)

    def chunk(self, start: int, stop: int) -> pa.Table:
        """Return neighbouring rows."""
        import pyarrow as pa

        stop = min(stop, self.length)
        first = int(np.searchsorted(self.starts, start, side="right") - 1)
        last = int(np.searchsorted(self.starts, max(stop - 1, start), side="right") - 1)
        parts = []
        for group in range(first, min(last, len(self.groups) - 1) + 1):
            offset = int(self.starts[group])
            parts.append(self._group(group).slice(max(start - offset, 0), stop - max(start, offset)))
        return pa.concat_tables(parts)

    def select(self, names: Sequence[str]) -> ParquetStore:
        """Return a store of some columns."""
        return ParquetStore(self.paths, names, self.source, self.cells)

    def _group(self, group: int) -> pa.Table:
        """Return one row group, from memory or from its file."""
        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        path, number = self.groups[group]
        table = read_groups(path, [number], self.names)
        table, _ = clean(table, self.source, first=int(self.starts[group]))
        self._kept[group] = table
        while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self.cells:
            self._kept.popitem(last=False)
        return table


def _root(metadata: Any, column: int) -> str:
    """Return the name of the top-level column that a stored leaf belongs to."""
    return metadata.schema.column(column).path.split(".")[0]


def parquet_file(path: Path) -> Any:
    """Open a Parquet file.

    Raises
    ------
    DataError
        If it is truncated or no Parquet file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise checks.unreadable_file(
            path, f"it is truncated or no Parquet file ({str(error).splitlines()[0][:120]})"
        ) from error


def read_groups(path: Path, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
    """Read row groups of a Parquet file."""
    import pyarrow as pa

    with parquet_file(path) as file:
        try:
            return file.read_row_groups(list(groups), columns=list(names)).select(list(names))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise checks.unreadable_file(path, f"it is damaged ({str(error).splitlines()[0][:120]})") from error


def from_parquet(
    paths: Sequence[Path],
    *,
    source: str,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
) -> Data:
    """Open Parquet files of one schema as one table: read where they are small, streamed by row groups where large.

    Parameters
    ----------
    paths : sequence of Path
        The files, in order.
    source : str
        What the set is called in a sentence.
    columns, label_column
        As in :func:`from_table`.
    """
    import pyarrow as pa

    arrow = parquet_file(paths[0]).schema_arrow
    for path in paths[1:]:
        other = parquet_file(path).schema_arrow
        if not other.equals(arrow):
            raise checks.unreadable_file(path, f"its columns differ from those of '{paths[0].name}'")
    describe(arrow, source)
    keep, label = choose_columns(arrow.names, columns, label_column, source)
    store = ParquetStore(paths, keep, source)
    if store.nbytes <= stores.RESIDENT_BYTES:
        names = [*keep, *([label] if label else [])]
        table = pa.concat_tables(read_groups(path, range(parquet_file(path).num_row_groups), names) for path in paths)
        return from_table(table, source=source, container="files", label_column=label)
    checks.not_empty((store.length, len(keep)), source)
    labels = None if label is None else np.concatenate([_labels(column) for column in _one_column(paths, label)])
    kept = pa.schema([arrow.field(name) for name in keep], metadata=arrow.metadata)
    schema = Schema("table", (len(keep),), "mixed", "files", describe(kept, source), (), prototype(kept.empty_table()))
    notes = [
        f"{source} takes about {store.nbytes / 2**30:.1f} GiB and is streamed by row groups; "
        "values are checked as they are read."
    ]
    if label:
        notes.append(f"column '{label}' was set aside as the labels.")
    return Data(schema, store, labels=labels, source=source, notes=notes)


def _one_column(paths: Sequence[Path], name: str) -> Iterable[pa.ChunkedArray]:
    for path in paths:
        yield read_groups(path, range(parquet_file(path).num_row_groups), [name]).column(name)

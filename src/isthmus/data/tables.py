"""Tables: data frames of any library, and what all tables have in common.

Inside, every table is an Arrow table: it knows missing values, whole numbers beside them, categories, dates and time
zones. Missing cells are null; a NaN in a column of numbers counts as missing too.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.records import Data, as_labels
from isthmus.data.schema import Column, Schema

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["from_frame", "from_table", "prototype", "select_schema"]

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
    if twice := twins(schema.names):
        raise checks.duplicate_columns(source, twice)
    columns = []
    for field in schema:
        meaning = column_type(field.type)
        if meaning is None:
            raise checks.unsupported_column(source, field.name, str(field.type))
        columns.append(Column(field.name, meaning, str(field.type)))
    return tuple(columns)


def twins(names: Sequence[str]) -> list[str]:
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
        labels = labels_of(table.column(label))
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
    if twice := twins(keep):
        raise checks.duplicate_columns(source, twice[:1])
    return keep, label


def labels_of(column: pa.ChunkedArray) -> np.ndarray:
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
    if twice := twins(texts):
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

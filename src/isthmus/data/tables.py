"""Arrow tables: the internal form of every table.

It knows missing values, whole numbers beside them, categories, dates and time zones. Missing cells are null; a NaN in a
column of numbers counts as missing too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.arrow_schema import describe, prototype
from isthmus.data.column_types import column_type, plain
from isthmus.data.labelling import labels_of
from isthmus.data.records import Data
from isthmus.data.schema import Schema
from isthmus.data.side_columns import PANDAS, SideColumn, SideColumns, index_columns, kept_index

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["choose_columns", "clean", "from_table", "named", "twins"]


def twins(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def clean(table: pa.Table, source: str, *, first: int = 0) -> tuple[pa.Table, dict[str, int]]:
    """Return a table in its canonical form: null where a number is NaN, no infinities, plain types.

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
        column = plain(column)
        if pa.types.is_floating(column.type) and not _is_finite(column):
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
    index: pandas.Index | None = None,
) -> Data:
    """Open an Arrow table. Of columns that are neither wanted nor the labels only the names are looked at.

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
    index : pandas.Index, optional
        Of the frame that the table came from.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        There is no such column, a name is that of several, a type has no place in a table, a number is infinite, or
        there are no records.
    """
    import pyarrow as pa

    choice = choose_columns(table.schema, columns, label_column, source)
    rest = pa.Table.from_arrays([table.column(name) for name in choice.keep], schema=choice.records_schema())
    labels = None if choice.label is None else labels_of(table.column(choice.label))
    checks.not_empty((rest.num_rows, rest.num_columns), source)
    columns_of = describe(rest.schema, source)
    schema = Schema("table", (rest.num_columns,), "mixed", container, columns_of, (), prototype(rest))
    rest, nan = clean(rest, source)
    notes = [*notes, *choice.notes]
    if nan and container != "pandas":
        shown = ", ".join(f"'{name}' ({count})" for name, count in list(nan.items())[:5])
        notes.append(f"NaN in the columns {shown} are taken as missing.")
    # One chunk a column: gathering rows from many chunks is far slower than putting them together once.
    store = TableStore(rest.combine_chunks())
    side_columns = replace(choice.side_columns(table.column), index=index)
    return Data(schema, store, labels=labels, source=source, notes=notes, side_columns=side_columns)


# --- which columns ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a table that are records, and those that are set aside.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the table.
    keep : list of str
        The columns of the records, in order.
    label : str or None
        The column of labels.
    levels : list of str
        Columns that hold the index of a pandas frame.
    """

    schema: pa.Schema
    keep: list[str]
    label: str | None
    levels: list[str]

    @property
    def names(self) -> list[str]:
        """All of them, in the order of the table."""
        wanted = {*self.keep, *self.levels, self.label}
        return [name for name in self.schema.names if name in wanted]

    @property
    def notes(self) -> list[str]:
        """What was set aside, in sentences."""
        notes = [
            f"column '{name}' is a pandas index and was set aside; name it in columns= (--columns) to use it."
            for name in self.levels
        ]
        return notes if self.label is None else [*notes, f"column '{self.label}' was set aside as the labels."]

    def records_schema(self) -> pa.Schema:
        """Return the schema of the records, without an index that belongs to other rows."""
        import pyarrow as pa

        metadata = dict(self.schema.metadata or {})
        if PANDAS in metadata:
            metadata[PANDAS] = kept_index(metadata[PANDAS], self.keep)
        return pa.schema([self.schema.field(name) for name in self.keep], metadata=metadata or None)

    def side_columns(self, cells: Callable[[str], Any]) -> SideColumns:
        """Return what stands beside the records, given the cells of each column by its name."""
        places = {name: place for place, name in enumerate(self.names)}

        def column(name: str) -> SideColumn:
            return SideColumn(name, places[name], cells(name))

        labels = None if self.label is None else column(self.label)
        written = (self.schema.metadata or {}).get(PANDAS, b"")
        return SideColumns(columns=tuple(map(column, self.levels)), labels=labels, pandas=written)


def choose_columns(
    schema: pa.Schema, columns: Sequence[str | int] | None, label_column: str | int | None, source: str
) -> Choice:
    """Return which columns of a table are records, and which are set aside.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        None is left, a name is unknown or that of several columns, or the labels are of a type that names nothing.
    """
    asked = None if columns is None else named(schema.names, columns, source)
    label = None if label_column is None else named(schema.names, [label_column], source)[0]
    levels = [name for name in index_columns(schema) if name != label and name not in (asked or ())]
    keep = [name for name in (schema.names if asked is None else asked) if name != label and name not in levels]
    if not keep:
        raise checks.no_columns(source)
    several = set(twins(schema.names))
    if twice := twins(keep) or sorted(several & {*keep, label}):
        raise checks.duplicate_columns(source, twice)
    if label is not None and column_type(schema.field(label).type) is None:
        raise checks.unsupported_labels(source, label, str(schema.field(label).type))
    return Choice(schema, keep, label, levels)


def named(names: Sequence[str], columns: Sequence[str | int], source: str) -> list[str]:
    """Return the names of columns that were given by their names or numbers."""
    known, width = set(names), len(names)
    found = []
    for column in columns:
        is_number = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
        if is_number and -width <= int(column) < width:
            found.append(names[int(column)])
        elif column in known:
            found.append(str(column))
        else:
            raise checks.no_such_column(source, column, names)
    return found

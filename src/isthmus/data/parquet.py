"""Parquet files: read where they are small, streamed by row groups where they are large."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.arrow_schema import describe, prototype
from isthmus.data.column_types import with_index
from isthmus.data.labelling import labels_of
from isthmus.data.reading import PACKED_LIMIT, Identity, decoding, require_file
from isthmus.data.records import Data
from isthmus.data.remote import RemoteFile
from isthmus.data.schema import Schema
from isthmus.data.tables import Choice, choose_columns, clean, from_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ParquetFile", "ParquetStore", "choice_of", "column_names", "from_parquet", "group_rows", "streamed"]

ParquetFile = Path | RemoteFile


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
    first : int
        Number of the first row, in a sentence about a row.
    """

    resident = False

    def __init__(
        self, paths: Sequence[ParquetFile], names: Sequence[str], source: str, cells: int = 64 * 2**20, first: int = 0
    ) -> None:
        self.paths = paths
        self.first = first
        self.names = list(names)
        self.source = source
        self.cells = cells
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self.groups: list[tuple[ParquetFile, int]] = []
        self._identities = {path: Identity.of(path) for path in paths if isinstance(path, Path)}
        lengths, self.nbytes = [], 0
        for path in paths:
            with parquet_file(path) as file:
                self.groups += [(path, number) for number in range(file.num_row_groups)]
                rows = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
                width = _row_bytes(file, self.names)
                if width * max(rows, default=0) > PACKED_LIMIT:
                    raise checks.too_large(
                        path, "a row group unpacks to more", "8 GiB; write it with smaller row groups"
                    )
                lengths += rows
                # Equal cells take next to nothing in the file, and as much as others in memory.
                self.nbytes += max(_stored_bytes(file, path, self.names), width * sum(rows))
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
        for identity in self._identities.values():
            identity.check()
        return ParquetStore(self.paths, names, self.source, self.cells, self.first)

    def _group(self, group: int) -> pa.Table:
        """Return one row group, from memory or from its file."""
        import pyarrow as pa

        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        self._forget(0)  # a group that is larger than what may be kept: not two of them at a time
        path, number = self.groups[group]
        if path in self._identities:
            self._identities[path].check()
        table = read_groups(path, [number], self.names)
        if table.num_rows != self.starts[group + 1] - self.starts[group]:
            raise checks.unreadable_file(path, f"it is damaged (row group {number} has not the rows that it claims)")
        table, _ = clean(table, self.source, first=self.first + int(self.starts[group]))
        # Files may differ in how they number categories.
        columns = [with_index(c, pa.int32()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
        table = pa.Table.from_arrays(columns, names=table.column_names)
        self._kept[group] = table
        self._forget(1)
        return table

    def _forget(self, least: int) -> None:
        """Let groups go, those not read for longest first, until the others take no more than they may."""
        while len(self._kept) > least and sum(kept.nbytes for kept in self._kept.values()) > self.cells:
            self._kept.popitem(last=False)


def _stored_bytes(file: Any, path: ParquetFile, names: Sequence[str]) -> int:
    """Return the bytes that some columns of a file take unpacked; of a small file those of all columns."""
    metadata = file.metadata
    groups = range(metadata.num_row_groups)
    every = sum(metadata.row_group(number).total_byte_size for number in groups)
    if every <= stores.RESIDENT_BYTES:
        return every
    chosen = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path in names]
    found = 0
    for number in groups:
        # The description of a column is taken unchecked by pyarrow, which ends the process where it is damaged; a row
        # read from it is not.
        with decoding(path, "it is damaged"):
            next(file.iter_batches(1, row_groups=[number], columns=list(names), use_threads=False), None)
        group = metadata.row_group(number)
        found += sum(group.column(i).total_uncompressed_size for i in chosen)
    return found


def _row_bytes(file: Any, names: Sequence[str]) -> int:
    """Return the bytes that a row takes in memory at least: those of its numbers and dates."""
    widths = []
    for field in file.schema_arrow:
        if field.name in names:
            with contextlib.suppress(ValueError):  # of a type without a width of its own, as text
                widths.append(field.type.bit_width)
    return sum(widths) // 8


def parquet_file(path: ParquetFile) -> Any:
    """Open a Parquet file.

    Raises
    ------
    DataError
        If it is truncated or no Parquet file.
    """
    from pyarrow import parquet

    if isinstance(path, Path):
        require_file(path)
    with decoding(path, "it is truncated or no Parquet file"):
        if isinstance(path, Path):
            return parquet.ParquetFile(path)
        return parquet.ParquetFile(path.open(), pre_buffer=True)  # few large reads instead of one a column


def read_groups(path: ParquetFile, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
    """Read row groups of a Parquet file."""
    with parquet_file(path) as file, decoding(path, "it is damaged"):
        return _sound(file.read_row_groups(list(groups), columns=list(names)).select(list(names)))


def _sound(table: pa.Table) -> pa.Table:
    """Return a table that was read; in a damaged file cells may count categories that there are not."""
    import pyarrow as pa

    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            column.validate(full=True)
    return table


def _first_row(path: ParquetFile, group: int, names: Sequence[str]) -> pa.Table:
    """Read the first row of a row group: with it come all categories, which are stored before the cells."""
    import pyarrow as pa

    with parquet_file(path) as file:
        try:
            batches = file.iter_batches(batch_size=1, row_groups=[group], columns=list(names))
            return _sound(pa.Table.from_batches([next(batches)]).select(list(names)))
        except (pa.ArrowException, OSError, ValueError, StopIteration) as error:
            raise checks.unreadable_file(path, f"it is damaged ({str(error)[:120]})") from error


def from_parquet(
    paths: Sequence[ParquetFile],
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
    schema = _common_schema(paths, columns, label_column, source)
    choice = choose_columns(schema, columns, label_column, source)
    described = describe(choice.records_schema(), source)
    store = ParquetStore(paths, choice.keep, source)
    if store.nbytes <= stores.RESIDENT_BYTES:
        whole = _read(paths, choice.names, schema)
        return from_table(
            whole, source=source, container="files", columns=columns and choice.keep, label_column=choice.label
        )
    checks.not_empty((store.length, len(choice.keep)), source)
    aside = _read(paths, [name for name in choice.names if name not in choice.keep], schema)
    kept = _no_rows(store, choice.records_schema())
    labels = None if choice.label is None else labels_of(aside.column(choice.label))
    note = (
        f"{source} takes about {store.nbytes / 2**30:.1f} GiB and is streamed by row groups; "
        "values are checked as they are read."
    )
    return Data(
        Schema("table", (len(choice.keep),), "mixed", "files", described, (), prototype(kept)),
        store,
        labels=labels,
        source=source,
        notes=[note, *choice.notes],
        side_columns=choice.side_columns(aside),
    )


def streamed(paths: Sequence[ParquetFile], names: Sequence[str], *, source: str, first: int = 0) -> Data:
    """Open some columns of Parquet files as one table that is read by row groups, however small it is.

    Parameters
    ----------
    paths : sequence of Path or RemoteFile
        The files, in order.
    names : sequence of str
        The columns.
    source : str
        What the set is called in a sentence.
    first : int, default=0
        Number of the first row, in a sentence about a row.
    """
    schema = _common_schema(paths, names, None, source)
    choice = choose_columns(schema, names, None, source)
    described = describe(choice.records_schema(), source)
    store = ParquetStore(paths, choice.keep, source, cells=1, first=first)
    kept = _no_rows(store, choice.records_schema())
    return Data(Schema("table", (len(names),), "mixed", "files", described, (), prototype(kept)), store, source=source)


def choice_of(
    path: ParquetFile, columns: Sequence[str | int] | None, label_column: str | int | None, source: str
) -> Choice:
    """Return which columns of a Parquet file are records, and which stand beside them."""
    with parquet_file(path) as file:
        return choose_columns(file.schema_arrow, columns, label_column, source)


def column_names(path: ParquetFile) -> list[str]:
    """Return the names of the columns of a Parquet file, in order."""
    with parquet_file(path) as file:
        return list(file.schema_arrow.names)


def group_rows(path: ParquetFile) -> tuple[int, ...]:
    """Return how many rows are in each row group of a Parquet file."""
    with parquet_file(path) as file:
        return tuple(file.metadata.row_group(number).num_rows for number in range(file.num_row_groups))


def _common_schema(
    paths: Sequence[ParquetFile], columns: Sequence[str | int] | None, label_column: str | int | None, source: str
) -> pa.Schema:
    """Return the schema of all files; of the columns that are used, that of categories counts them up to the most."""
    import pyarrow as pa

    first = parquet_file(paths[0]).schema_arrow
    used = choose_columns(first, columns, label_column, source).names
    for path in paths[1:]:
        other = parquet_file(path).schema_arrow
        if (columns is None and other.names != first.names) or not set(used) <= set(other.names):
            raise checks.unreadable_file(path, f"its columns differ from those of '{paths[0].name}'")
        for name in used:
            one, its = first.field(name), other.field(name)
            if one.type == its.type:
                continue
            if not _same_categories(one.type, its.type):
                what = f"its column '{name}' is of type {its.type}, and that of '{paths[0].name}' of type {one.type}"
                raise checks.unreadable_file(path, what)
            counted = pa.dictionary(pa.int32(), one.type.value_type, one.type.ordered)
            first = first.set(first.get_field_index(name), one.with_type(counted))
    return first


def _same_categories(one: pa.DataType, other: pa.DataType) -> bool:
    """Tell whether two types are categories that differ only in how their numbers are stored."""
    import pyarrow as pa

    if not (pa.types.is_dictionary(one) and pa.types.is_dictionary(other)):
        return False
    return (one.value_type, one.ordered) == (other.value_type, other.ordered)


def _read(paths: Sequence[ParquetFile], names: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return some columns of all files as one table."""
    import pyarrow as pa

    wanted = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
    parts = (read_groups(path, range(parquet_file(path).num_row_groups), names) for path in paths)
    return pa.concat_tables(_as(part, wanted) for part in parts)


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with a schema that counts categories up to more."""
    import pyarrow as pa

    columns = [
        column if column.type == field.type else with_index(column, field.type.index_type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _no_rows(store: ParquetStore, schema: pa.Schema) -> pa.Table:
    """Return a table of no rows with all categories of all row groups, read from the first cell of each."""
    import pyarrow as pa

    names = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    parts = [schema.empty_table()]
    for path, number in store.groups if names else ():
        firsts = _as(_first_row(path, number, names), pa.schema([schema.field(name) for name in names]))
        cells = dict(zip(names, firsts.columns, strict=True))
        columns = [cells.get(field.name, pa.chunked_array([], field.type)) for field in schema]
        parts.append(pa.Table.from_arrays([column.slice(0, 0) for column in columns], schema=schema))
    return pa.concat_tables(parts)

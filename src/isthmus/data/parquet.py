"""Parquet files: read where they are small, streamed by row groups where they are large."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.arrow_schema import describe, prototype
from isthmus.data.coded_labels import code_labels
from isthmus.data.column_types import with_index
from isthmus.data.labelling import labels_of
from isthmus.data.reading import PACKED_LIMIT, Identity, decoding, require_file
from isthmus.data.records import Data
from isthmus.data.remote import RemoteFile
from isthmus.data.rows import LISTED, RowNumbers, Rows
from isthmus.data.schema import Schema
from isthmus.data.tables import Choice, choose_columns, clean, from_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ParquetFile", "ParquetStore", "choice_of", "column_names", "from_parquet", "group_rows", "streamed"]

ParquetFile = Path | RemoteFile

WHOLE = 2**16  # rows of a row group up to which it is decoded as a whole
LEAST = 2**9  # rows of a larger one that are decoded at once
AHEAD = 8  # times as many are decoded as are asked for, by who reads all in order
STREAMS = 16  # row groups that are read side by side
STREAM_BYTES = 512 * 2**20  # which they may take
PAGE_BYTES = 2 * 2**20  # of a page of a column and of its dictionary, as Parquet files are mostly written
BUFFER = 2**16  # bytes that are read from a file at once
FILES = 8  # whose descriptions are kept


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

    Attributes
    ----------
    edges : ndarray of int64
        The first row of each row group, and the number of all rows.
    streams : int
        Large row groups that are read side by side, each a piece at a time: as many as 512 MiB take at most.
    decoded : int
        Rows that were decoded so far.
    """

    resident = False
    streams: int

    def __init__(
        self, paths: Sequence[ParquetFile], names: Sequence[str], source: str, cells: int = 64 * 2**20, first: int = 0
    ) -> None:
        self.paths = paths
        self.first = first
        self.names = list(names)
        self.source = source
        self.cells = cells
        self.streams = max(1, min(STREAMS, STREAM_BYTES // (PAGE_BYTES * max(1, len(self.names)))))
        self.decoded = 0
        self._reading = Lock()  # batches are read ahead in a thread
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self._readers: OrderedDict[int, GroupReader] = OrderedDict()
        self._metadata: OrderedDict[ParquetFile, Any] = OrderedDict()
        self.groups: list[tuple[ParquetFile, int]] = []
        self._identities = {path: Identity.of(path) for path in paths if isinstance(path, Path)}
        lengths, self.nbytes = [], 0
        for path in paths:
            with parquet_file(path, sparing=True) as file:
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
        self.edges = np.unique(self.starts)  # a row group may hold no rows

    def take(self, indices: np.ndarray) -> pa.Table:
        """Return the rows of the given numbers; every row group that holds one is read once, as far as it is needed."""
        import pyarrow as pa

        indices = np.asarray(indices)
        groups = np.searchsorted(self.starts, indices, side="right") - 1
        order = np.argsort(groups, kind="stable")
        parts = []
        for group in np.unique(groups):
            rows = indices[groups == group] - self.starts[group]
            first, stop = int(rows.min()), int(rows.max()) + 1
            table = self._rows(int(group), first, stop, piece=stop - first)
            neighbours = stop - first == len(rows) and bool((np.diff(rows) == 1).all())
            parts.append(table if neighbours else table.take(rows - first))
        if not parts:
            return self._rows(0, 0, 0, piece=0)
        if (np.diff(groups) >= 0).all():
            return pa.concat_tables(parts)
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
            offset, end = int(self.starts[group]), int(self.starts[group + 1])
            here = max(start - offset, 0), min(stop, end) - offset
            parts.append(self._rows(group, *here, piece=AHEAD * (stop - start)))
        return pa.concat_tables(parts)

    def select(self, names: Sequence[str]) -> ParquetStore:
        """Return a store of some columns."""
        for identity in self._identities.values():
            identity.check()
        return ParquetStore(self.paths, names, self.source, self.cells, self.first)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a copy read for itself."""
        return type(self), (self.paths, self.names, self.source, self.cells, self.first)

    def _rows(self, group: int, start: int, stop: int, *, piece: int) -> pa.Table:
        """Return neighbouring rows of a row group: of a large one little more is decoded than up to them.

        Parameters
        ----------
        group, start, stop : int
            Which rows of which group.
        piece : int
            Rows to decode at once, where the group is begun.
        """
        with self._reading:
            return self._read(group, start, stop, min(max(LEAST, piece), WHOLE))

    def _read(self, group: int, start: int, stop: int, piece: int) -> pa.Table:
        if self.starts[group + 1] - self.starts[group] <= WHOLE:
            return self._group(group).slice(start, stop - start)
        path, number = self.groups[group]
        if path in self._identities:
            self._identities[path].check()
        reader = self._readers.pop(group, None)
        if reader is None or reader.first > start:
            its = partial(self._cleaned_piece, group)
            reader = GroupReader(path, number, self.names, piece, self._metadata_of(path), its)
        self._readers[group] = reader  # the one used last is last
        while len(self._readers) > self.streams:
            self._readers.popitem(last=False)
        before = reader.decoded
        table = reader.read(start, stop)
        self.decoded += reader.decoded - before
        return table

    def _cleaned_piece(self, group: int, table: pa.Table, first: int) -> pa.Table:
        return self._cleaned(table, int(self.starts[group]) + first)

    def _metadata_of(self, path: ParquetFile) -> Any:
        """Return what a file says about itself; that of the files read last is kept."""
        if path not in self._metadata:
            with parquet_file(path) as file:
                self._metadata[path] = file.metadata
        self._metadata.move_to_end(path)
        while len(self._metadata) > FILES:
            self._metadata.popitem(last=False)
        return self._metadata[path]

    def _group(self, group: int) -> pa.Table:
        """Return one row group, from memory or from its file."""
        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        self._forget(0)  # a group that is larger than what may be kept: not two of them at a time
        path, number = self.groups[group]
        if path in self._identities:
            self._identities[path].check()
        table = read_groups(path, [number], self.names)
        if table.num_rows != self.starts[group + 1] - self.starts[group]:
            raise wrong_count(path, number)
        self.decoded += table.num_rows
        table = self._cleaned(table, int(self.starts[group]))
        self._kept[group] = table
        self._forget(1)
        return table

    def _forget(self, least: int) -> None:
        """Let groups go, those not read for longest first, until the others take no more than they may."""
        while len(self._kept) > least and sum(kept.nbytes for kept in self._kept.values()) > self.cells:
            self._kept.popitem(last=False)

    def _cleaned(self, table: pa.Table, first: int) -> pa.Table:
        """Return rows from ``first`` on in their canonical form."""
        return self._numbered(clean(table, self.source, first=self.first + first)[0])

    @staticmethod
    def _numbered(table: pa.Table) -> pa.Table:
        """Return a table with one type of numbers of categories: files may differ in it."""
        import pyarrow as pa

        columns = [with_index(c, pa.int32()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
        return pa.Table.from_arrays(columns, names=table.column_names)


class GroupReader:
    """A large row group, decoded from its beginning on, a piece at a time; the rows that were read last are kept.

    Parameters
    ----------
    path : Path or RemoteFile
        The file.
    number : int
        Of the row group.
    names : sequence of str
        The columns to read.
    piece : int
        Rows that are decoded at once.
    metadata : pyarrow.parquet.FileMetaData
        Of the file.
    cleaned : callable
        Makes the canonical form of rows and of the number of the first of them.

    Attributes
    ----------
    first : int
        The first row that can still be read.
    decoded : int
        Rows that were decoded.
    """

    def __init__(
        self,
        path: ParquetFile,
        number: int,
        names: Sequence[str],
        piece: int,
        metadata: Any,
        cleaned: Callable[[pa.Table, int], pa.Table],
    ) -> None:
        from pyarrow import parquet

        self.path, self.number, self.names, self.cleaned = path, number, list(names), cleaned
        with decoding(path, "it is damaged"):
            # A buffer keeps the file from being read ahead by whole columns.
            file = parquet.ParquetFile(_readable(path), metadata=metadata, pre_buffer=False, buffer_size=BUFFER)
            self._pieces = file.iter_batches(piece, row_groups=[number], columns=self.names, use_threads=False)
        self.first, self.decoded = 0, 0
        self._kept: list[pa.Table] = []

    def read(self, start: int, stop: int) -> pa.Table:
        """Return neighbouring rows, none before :attr:`first`."""
        import pyarrow as pa

        self._let_go(start)
        while self.decoded < stop or not self._kept:
            with decoding(self.path, "it is damaged"):
                batch = next(self._pieces, None)
                table = None if batch is None else _sound(pa.Table.from_batches([batch]).select(self.names))
            if table is None:
                raise wrong_count(self.path, self.number)
            self._kept.append(self.cleaned(table, self.decoded))
            self.decoded += len(table)
            self._let_go(start)
        return pa.concat_tables(self._kept).slice(start - self.first, stop - start)

    def _let_go(self, start: int) -> None:
        """Forget what lies before a row, but for the last piece."""
        while len(self._kept) > 1 and self.first + len(self._kept[0]) <= start:
            self.first += len(self._kept.pop(0))


def wrong_count(path: ParquetFile, number: int) -> Exception:
    """Return the error of a row group that has fewer or more rows than it claims."""
    return checks.unreadable_file(path, f"it is damaged (row group {number} has not the rows that it claims)")


def _stored_bytes(file: Any, path: ParquetFile, names: Sequence[str]) -> int:
    """Return the bytes that some columns of a file take unpacked; of a small file those of all columns."""
    metadata = file.metadata
    groups = range(metadata.num_row_groups)
    every = sum(metadata.row_group(number).total_byte_size for number in groups)
    if every <= stores.RESIDENT_BYTES or metadata.num_columns - len(names) <= 1:  # but for labels these are all
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


def parquet_file(path: ParquetFile, *, sparing: bool = False) -> Any:
    """Open a Parquet file.

    Parameters
    ----------
    path : Path or RemoteFile
    sparing : bool, default=False
        Whether whole columns are not read ahead, since little is wanted of them.

    Raises
    ------
    DataError
        If it is truncated or no Parquet file.
    """
    from pyarrow import parquet

    if isinstance(path, Path):
        require_file(path)
    with decoding(path, "it is truncated or no Parquet file"):
        return parquet.ParquetFile(_readable(path), pre_buffer=not sparing, buffer_size=BUFFER if sparing else 0)


def _readable(path: ParquetFile) -> Any:
    """Return what pyarrow reads a file from."""
    return path if isinstance(path, Path) else path.open()


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

    with parquet_file(path, sparing=True) as file:
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
    kept = _no_rows(store, choice.records_schema())
    aside = [name for name in choice.names if name not in choice.keep]
    cells = {name: StoredCells(RawStore(paths, [name], source), schema.field(name)) for name in aside}
    labels = None if choice.label is None else _labels(cells[choice.label], store.length)
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
        side_columns=choice.side_columns(cells.__getitem__),
    )


def _labels(cells: StoredCells, n: int) -> Any:
    """Return the labels of a column, of very many records as codes."""
    found = None
    if n > LISTED:
        step = 2**20
        parts = (cells.store.chunk(start, start + step).column(0) for start in range(0, n, step))
        found = code_labels(parts, n, labels_of)
    return labels_of(cells.read()) if found is None else found


class RawStore(ParquetStore):
    """Columns that are no records, as their files hold them."""

    def _cleaned(self, table: pa.Table, first: int) -> pa.Table:
        return self._numbered(table)


class StoredCells:
    """A column that stays in its files until it is asked for.

    Parameters
    ----------
    store : ParquetStore
        Of this column.
    field : pyarrow.Field
        Its name and type.
    rows : ndarray of int or Rows, optional
        Which of its rows; by default all.
    """

    def __init__(self, store: ParquetStore, field: pa.Field, rows: RowNumbers | None = None) -> None:
        self.store, self.field, self.rows = store, field, rows

    def take(self, rows: RowNumbers) -> StoredCells:
        """Return some of the rows, unread."""
        if self.rows is None:
            return StoredCells(self.store, self.field, rows)
        both = isinstance(rows, Rows) and isinstance(self.rows, Rows)
        return StoredCells(self.store, self.field, self.rows.at(rows) if both else self.rows[np.asarray(rows)])  # type: ignore[union-attr,arg-type]

    def read(self) -> pa.ChunkedArray:
        """Return the cells in the type of the source."""
        import pyarrow as pa

        rows = Rows.all(self.store.length) if self.rows is None else self.rows
        if isinstance(rows, Rows):
            runs = zip(rows.starts.tolist(), rows.stops.tolist(), strict=True)
            parts = [self.store.chunk(start, stop) for start, stop in runs]
        else:
            parts = [self.store.take(rows)]
        schema = pa.schema([self.field])
        return pa.concat_tables([schema.empty_table(), *(_as(part, schema) for part in parts)]).column(0)


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

"""A Parquet file as a content of a stream: it comes back with the same schema and values, and not byte for byte.

What is coded and checked of a group of rows is its *form*: the description, the texts, and the values of all planes.
An Arrow table is made of it only when a file is written, so that no check hangs on a version of Arrow.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.contents import TABLE, THREADS, Chosen, Making, Piece, Work
from isthmus.coding.tables.arrow import ArrowGroup, ArrowLayout, arrow_groups
from isthmus.coding.tables.dialect import NoTable
from isthmus.coding.tables.layout import MOST_CELLS, MOST_ROWS
from isthmus.coding.tables.packing import read_string, string
from isthmus.coding.tables.pieces import Parts, costs_of, named, payload_of
from isthmus.coding.tables.planes import Form, Integers, smallest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PARQUET", "DescribedParquet", "ParquetTable"]

PARQUET = 1  # the kind of a table
PANDAS = b"pandas"  # of the metadata of a schema: how a data frame is made of it
FORM_LIMIT = 1 << 28  # bytes of a string in the form of a group


class ParquetTable:
    """A Parquet file as a content of a stream. Make one with :meth:`of`.

    Parameters
    ----------
    path : path
        Of the file.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """

    number, fingerprint, at_once, is_exact = TABLE, None, 1, False

    def __init__(self, path: str | os.PathLike[str], *, prior: bool = True, threads: int = THREADS) -> None:
        self._path, self._prior, self._threads = path, prior, threads

    @classmethod
    def of(cls, path: str | os.PathLike[str], *, prior: bool = True, threads: int = THREADS) -> ParquetTable | NoTable:
        """Return a file as a content; or why it cannot be one."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(path) as file:
                first = next(_tables(file, 1), None)
        except (pa.ArrowException, OSError, ValueError):
            return NoTable(checks.table_no_parquet())
        found = NoTable(checks.table_without_rows()) if first is None else arrow_groups(first)
        return found if isinstance(found, NoTable) else cls(path, prior=prior, threads=threads)

    def description(self) -> bytes:
        """Return the kind: each piece describes itself."""
        return varint(PARQUET)

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces."""
        from pyarrow import parquet

        with parquet.ParquetFile(self._path) as file:
            for table in _tables(file):
                groups = arrow_groups(table)
                assert not isinstance(groups, NoTable)  # noqa: S101  its schema was looked at
                for group in groups:
                    size = sum(plane.values.nbytes for planes in group.planes for plane in planes)
                    yield Making(size, partial(_piece_of, group, prior=self._prior, threads=self._threads))


def _tables(file: Any, rows: int | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file, as many at a time as a group has."""
    import pyarrow as pa

    most = rows or max(1, min(MOST_ROWS, MOST_CELLS // max(1, len(file.schema_arrow))))
    for batch in file.iter_batches(batch_size=most):
        if batch.num_rows:
            yield pa.Table.from_batches([batch], schema=file.schema_arrow)


def _piece_of(group: ArrowGroup, *, prior: bool, threads: int) -> Piece:
    """Return a piece of a group of rows; parameters are those of :class:`ParquetTable`."""
    layout, texts = group.layout, group.texts
    payload = payload_of(layout, texts, group.planes, prior=prior, threads=threads)
    values = [[plane.values for plane in planes] for planes in group.planes]
    return Piece(layout.n_rows, _form(layout, texts, values), payload)


def _form(layout: ArrowLayout, texts: Sequence[bytes], values: Sequence[Sequence[Integers]]) -> bytes:
    """Return all that is known of a group: the description, the texts, and planes as little-endian numbers."""
    planes = [
        string(smallest(plane, form.size).astype(_stored_type(form), copy=False).tobytes())
        for forms, column in zip(layout.forms, values, strict=True)
        for form, plane in zip(forms, column, strict=True)
    ]
    return b"".join([string(layout.to_bytes()), *map(string, texts), *planes])


def _stored_type(form: Form) -> str:
    return "<i4" if form.size <= 1 << 31 else "<i8"


def _table(form: bytes, name: str) -> pa.Table:
    """Return the table of what :func:`_form` returned."""
    source = Source.of(form, name)
    layout = ArrowLayout.read(Source.of(read_string(source, FORM_LIMIT), name))
    texts = [read_string(source, FORM_LIMIT) for _ in layout.columns]
    values = [[_read_plane(source, form) for form in forms] for forms in layout.forms]
    if source.up_to(1):
        raise source.damaged("more follows the last of its columns")
    return layout.restored(values, texts, name)


def _read_plane(source: Source, form: Form) -> Integers:
    said, kind = read_string(source, FORM_LIMIT), np.dtype(_stored_type(form))
    if len(said) % kind.itemsize:
        raise source.damaged("a column of it has a part of a number")
    return np.frombuffer(said, kind).astype(np.int64)


def _names(layout: ArrowLayout) -> list[str]:
    """Return the names of columns; none where Arrow finds no schema."""
    import pyarrow as pa

    try:
        return list(pa.ipc.read_schema(pa.py_buffer(layout.schema)).names)
    except (pa.ArrowException, OSError):
        return [""] * len(layout.columns)


class DescribedParquet:
    """A Parquet file that is read.

    Parameters
    ----------
    name : str, default="the table"
        Of the compressed file, for sentences.
    """

    kind, unit, at_once = "Parquet table", "row", 1

    def __init__(self, name: str = "the table") -> None:
        self._name = name

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the form of a group of rows."""
        parts = Parts(Source.of(payload, self._name), ArrowLayout.read)
        return _form(parts.layout, parts.texts(), parts.planes(units))

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload by column."""
        parts = Parts(Source.of(payload, self._name), ArrowLayout.read)
        return costs_of(payload, parts.sizes_by_column(), named(_names(parts.layout)))

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield nothing for rows that are lost."""
        return iter(())

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a Parquet file."""
        return _written((_table(piece, self._name) for piece in pieces), self._name)

    def chosen_as_file(self, first: bytes | None, chosen: Iterable[Chosen], rows: range) -> Iterator[bytes]:
        """Yield the bytes of a Parquet file of some rows, counted through all groups."""
        tables = (_table(one.data, self._name).slice(one.start, one.stop - one.start) for one in chosen)
        said = (table.replace_schema_metadata(_of_rows(table.schema.metadata, rows)) for table in tables)
        return _written(said, self._name)


def _of_rows(metadata: dict[bytes, bytes] | None, rows: range) -> dict[bytes, bytes] | None:
    """Return the metadata of a schema for some rows: an index that pandas has as a range is that of these rows."""
    try:
        said = json.loads((metadata or {})[PANDAS])
        for index in said["index_columns"]:
            if isinstance(index, dict) and index["kind"] == "range":
                start, step = int(index["start"]), int(index["step"])
                index["start"], index["stop"] = start + step * rows.start, start + step * rows.stop
    except (KeyError, TypeError, ValueError, RecursionError):  # nothing that pandas wrote
        return metadata
    return {**(metadata or {}), PANDAS: json.dumps(said).encode()}


def _written(tables: Iterator[pa.Table], name: str) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file, a row group for each table; ArtifactError where there is no such file."""
    import pyarrow as pa
    from pyarrow import parquet

    sink, writer = _Sink(), None
    for table in tables:
        try:
            writer = writer or parquet.ParquetWriter(sink, table.schema)
            writer.write_table(table)
        except (pa.ArrowException, ValueError) as error:
            raise checks.damaged(name, f"Arrow writes no such table ({str(error)[:120]})") from error
        yield sink.taken()
    if writer:
        writer.close()
        yield sink.taken()


class _Sink(io.RawIOBase):
    """A file of which what was written is taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found

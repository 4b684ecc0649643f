"""The Arrow schema of a table as text, as :class:`isthmus.data.schema.Schema` holds it.

An Arrow schema knows the types of columns and the metadata of the library that the table came from, but not the
categories of a column. A record batch knows these too, even without rows: it is written as an Arrow stream in base64.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from isthmus.checks import data as checks
from isthmus.data.column_types import column_type, plain
from isthmus.data.schema import Column, Schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["describe", "empty_table", "prototype", "select_schema"]


def describe(schema: pa.Schema, source: str) -> tuple[Column, ...]:
    """Return the columns of an Arrow schema.

    Raises
    ------
    DataTypeError
        If a type has no place in a table.
    """
    columns = []
    for field in schema:
        meaning = column_type(field.type)
        if meaning is None:
            raise checks.unsupported_column(source, field.name, str(field.type))
        columns.append(Column(field.name, meaning, str(field.type)))
    return tuple(columns)


def prototype(table: pa.Table) -> str:
    """Return a table's types, categories and metadata as text: ``Schema.arrow``."""
    import pyarrow as pa

    arrays = [_no_cells(column) for column in table.columns]
    fields = [field.with_type(array.type) for field, array in zip(table.schema, arrays, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=table.schema.metadata))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _no_cells(column: pa.ChunkedArray) -> pa.Array:
    """Return an empty array of a column's type, with all its categories."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or not column.num_chunks:
        return pa.array([], type=column.type)
    chunk = plain(column).chunk(0)
    categories = chunk.dictionary.cast(column.type.value_type)
    return pa.DictionaryArray.from_arrays(chunk.indices.slice(0, 0), categories, ordered=column.type.ordered)


def empty_table(schema: Schema) -> pa.Table:
    """Return a table without rows that has the types, categories and metadata of a schema."""
    import pyarrow as pa

    batch = pa.ipc.open_stream(base64.b64decode(schema.arrow)).read_next_batch()
    return pa.Table.from_batches([batch])


def select_schema(schema: Schema, names: Sequence[str]) -> Schema:
    """Return a table's schema with some of its columns, in the given order."""
    by_name = {column.name: column for column in schema.columns}
    return replace(
        schema,
        shape=(len(names),),
        columns=tuple(by_name[name] for name in names),
        arrow=prototype(empty_table(schema).select(list(names))),
    )

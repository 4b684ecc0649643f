"""Blocks converted back to the container of the records: the same library, dtypes and categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data import frames
from isthmus.data.arrow_schema import empty_table
from isthmus.data.column_types import index_type, plain, plain_type
from isthmus.data.schema import Schema
from isthmus.data.side_columns import SideColumns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["plain_table", "restore", "restore_column", "restore_table"]


def restore(block: Any, schema: Schema, side_columns: SideColumns | None = None) -> Any:
    """Return records in the container, and with the dtypes, that they came in.

    Parameters
    ----------
    block : ndarray, list or pyarrow.Table
        Records as :meth:`Data.take` gives them.
    schema : Schema
        Of the data that the model was fitted on.
    side_columns : SideColumns, optional
        Of the data that these records come from: they get back its index, one entry a record.

    Returns
    -------
    object
        ``numpy`` and ``files``: ndarray of ``schema.dtype``, a list of such images where sizes vary, a pyarrow.Table,
        or a list of bytes. ``torch``: tensor. ``pandas``, ``polars``, ``arrow``: a frame with the dtypes it came with.
        ``list``: list of images, str or bytes.
    """
    if schema.kind == "table":
        return _restore_frame(restore_table(block, schema), schema, side_columns or SideColumns())
    if schema.kind == "text":
        return [record.decode("utf-8", errors="replace") for record in block] if schema.dtype == "str" else list(block)
    if isinstance(block, np.ndarray):
        array = block.astype(schema.dtype, copy=False)
        if schema.container == "torch":
            import torch

            return torch.from_numpy(np.require(array, requirements=["C", "W"]))
        return list(array) if schema.container == "list" else array
    return [image.astype(schema.dtype, copy=False) for image in block]


def restore_table(table: pa.Table, schema: Schema) -> pa.Table:
    """Return a table with a schema's Arrow types, categories and metadata; columns are found by name.

    Columns that the table lacks are left out.
    """
    import pyarrow as pa

    model = empty_table(schema)
    given = dict(zip(table.column_names, table.columns, strict=True))
    wanted = [(field, column) for field, column in zip(model.schema, model.columns, strict=True) if field.name in given]
    columns = [restore_column(given[field.name], column) for field, column in wanted]
    fields = [field.with_type(column.type) for (field, _), column in zip(wanted, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=model.schema.metadata))


def plain_table(table: pa.Table) -> pa.Table:
    """Return a table whose columns are of plain types, as those of blocks are."""
    import pyarrow as pa

    columns = [plain(column) for column in table.columns]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def restore_column(column: pa.ChunkedArray, model: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in the type of a model column; categories keep the model's order, new ones come last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    target = model.type
    if pa.types.is_dictionary(column.type):
        column = plain(column)
        column = column.cast(column.type.value_type)
    if not pa.types.is_dictionary(target):
        if column.type == target:
            return column
        if pa.types.is_floating(column.type) and (pa.types.is_integer(target) or pa.types.is_duration(target)):
            column = pc.round(column).cast(pa.int64()) if not pa.types.is_uint64(target) else pc.round(column)
        return column.cast(target, safe=False)
    kind = plain_type(target.value_type)
    values = column.cast(kind).combine_chunks()
    known = model.chunk(0).dictionary.cast(kind) if model.num_chunks else pa.array([], kind)
    codes = pc.index_in(values, value_set=known, skip_nulls=True)
    unknown = pc.and_(pc.is_null(codes), pc.is_valid(values))
    if pc.any(unknown).as_py():
        known = pa.concat_arrays([known, pc.unique(values.filter(unknown))])
        codes = pc.index_in(values, value_set=known, skip_nulls=True)
    codes = codes.cast(index_type(len(known), target.index_type))
    categories = known.cast(target.value_type)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, categories, ordered=target.ordered)])


def _restore_frame(table: pa.Table, schema: Schema, side_columns: SideColumns) -> Any:
    """Return an Arrow table as a frame of the schema's library."""
    if schema.container == "pandas":
        return frames.to_pandas(table, side_columns.index)
    if schema.container == "polars":
        import polars

        return polars.from_arrow(table)
    return side_columns.into_table(table, labels=False)

"""Back from blocks to what the records came in: the same library, the same dtypes, the same categories."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data.schema import Schema
from isthmus.data.tables import PANDAS_KEY

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["empty_table", "restore", "restore_table"]


def restore(block: Any, schema: Schema) -> Any:
    """Return records in the container, and with the dtypes, that they came in.

    Parameters
    ----------
    block : ndarray, list or pyarrow.Table
        Records as :meth:`Data.take` gives them.
    schema : Schema
        Of the data that the model was fitted on.

    Returns
    -------
    object
        ``numpy`` and ``files``: ndarray of ``schema.dtype``, a list of such images where sizes vary, a pyarrow.Table,
        or a list of bytes. ``torch``: tensor. ``pandas``, ``polars``, ``arrow``: a frame with the dtypes it came with.
        ``list``: list of images, str or bytes.
    """
    if schema.kind == "table":
        return _restore_frame(restore_table(block, schema), schema)
    if schema.kind == "text":
        return [record.decode("utf-8", errors="replace") for record in block] if schema.dtype == "str" else list(block)
    if isinstance(block, np.ndarray):
        array = block.astype(schema.dtype, copy=False)
        if schema.container == "torch":
            import torch

            return torch.from_numpy(np.require(array, requirements=["C", "W"]))
        return list(array) if schema.container == "list" else array
    return [image.astype(schema.dtype, copy=False) for image in block]


def empty_table(schema: Schema) -> pa.Table:
    """Return a table of no rows with a schema's types, metadata and categories."""
    import pyarrow as pa

    batch = pa.ipc.open_stream(base64.b64decode(schema.arrow)).read_next_batch()
    return pa.Table.from_batches([batch])


def restore_table(table: pa.Table, schema: Schema) -> pa.Table:
    """Return a table with a schema's Arrow types, categories and metadata; columns are found by name.

    Columns that the table lacks are left out.
    """
    import pyarrow as pa

    model = empty_table(schema)
    given = dict(zip(table.column_names, table.columns, strict=True))
    wanted = [(field, column) for field, column in zip(model.schema, model.columns, strict=True) if field.name in given]
    columns = [_restore_column(given[field.name], column) for field, column in wanted]
    fields = [field for field, _ in wanted]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=model.schema.metadata))


def _restore_column(column: pa.ChunkedArray, model: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in the type of a model column; categories keep the model's order, new ones come last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    target = model.type
    if not pa.types.is_dictionary(target):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if column.type == target:
            return column
        if pa.types.is_floating(column.type) and (pa.types.is_integer(target) or pa.types.is_duration(target)):
            column = pc.round(column).cast(pa.int64()) if not pa.types.is_uint64(target) else pc.round(column)
        return column.cast(target, safe=False)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.cast(target.value_type).combine_chunks()
    known = model.chunk(0).dictionary if model.num_chunks else pa.array([], target.value_type)
    codes = pc.index_in(values, value_set=known, skip_nulls=True)
    unknown = pc.and_(pc.is_null(codes), pc.is_valid(values))
    if pc.any(unknown).as_py():
        known = pa.concat_arrays([known, pc.unique(values.filter(unknown))])
        codes = pc.index_in(values, value_set=known, skip_nulls=True)
    codes = codes.cast(target.index_type)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, known, ordered=target.ordered)])


def _restore_frame(table: pa.Table, schema: Schema) -> Any:
    """Return an Arrow table as a frame of the schema's library."""
    if schema.container == "pandas":
        return _restore_pandas(table)
    if schema.container == "polars":
        import polars

        return polars.from_arrow(table)
    return table


def _restore_pandas(table: pa.Table) -> pandas.DataFrame:
    """Return a pandas frame with every dtype as it was."""
    import pandas

    frame = table.to_pandas(integer_object_nulls=True)
    remembered = json.loads((table.schema.metadata or {}).get(PANDAS_KEY, b"{}"))
    names = _model_names(table)
    were = dict(zip(names, remembered.get("dtypes", ()), strict=False))
    known = [(name, have, were[name]) for name, have in zip(frame.columns, frame.dtypes, strict=True) if name in were]
    wanted: dict[str, Any] = {}
    for name, have, (dtype, storage, missing) in known:
        if dtype in ("string", "str"):
            wanted[name] = pandas.StringDtype(storage, na_value=pandas.NA if missing == "<NA>" else np.nan)
        elif str(have) != dtype and dtype != "category" and not frame[name].isna().any():
            wanted[name] = dtype
        elif dtype == "object" and str(have) != "object":
            wanted[name] = object
    frame = frame.astype(wanted)  # of all at once: to set one column after another splits the frame each time
    for name, _, (dtype, _, missing) in known:
        if dtype == "object" and missing == "None" and frame[name].isna().any():
            frame[name] = frame[name].where(frame[name].notna(), None)
    if remembered.get("integer_names"):
        frame.columns = pandas.Index([int(name) for name in frame.columns])
    return frame


def _model_names(table: pa.Table) -> Sequence[str]:
    """Return the names of all columns that the frame had, in its order, also of those that were left out."""
    document = json.loads((table.schema.metadata or {}).get(b"pandas", b'{"columns": []}'))
    return [column["name"] for column in document["columns"]]

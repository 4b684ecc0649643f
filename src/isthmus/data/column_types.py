"""Types of a table's columns: the meaning of their values, and the few storage types used internally.

Arrow knows more types than its functions do: no values are looked up among strings of the view kind, no range is found
of 16-bit floats, 32-bit decimals are not told apart (pyarrow 26). While they are worked with, such columns are *plain*:
in a type that holds all their values. They get their own type back at the end (:mod:`isthmus.data.restoring`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["column_type", "index_type", "plain", "plain_type", "with_index"]


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


@functools.lru_cache(maxsize=256)
def plain_type(dtype: pa.DataType) -> pa.DataType:
    """Return the type that columns of a type have while they are worked with: one that holds all their values."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(dtype):
        return pa.dictionary(dtype.index_type, plain_type(dtype.value_type), dtype.ordered)
    if types.is_string_view(dtype):
        return pa.large_string()
    if types.is_float16(dtype):
        return pa.float32()
    if types.is_decimal32(dtype) or types.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    return dtype


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in its plain type; categories in one dictionary, in which each stands once and none is null."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return _one_dictionary(column)
    dtype = plain_type(column.type)
    return column if column.type == dtype else column.cast(dtype)


def _one_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return categories whose chunks share a dictionary: those of the first chunk in its order, then new ones.

    An entry that is null, or NaN, stands for missing cells; one that is there twice is one category.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    dtype = plain_type(column.type)
    dictionaries: list[pa.Array] = []
    places: list[int] = []
    for chunk in column.chunks:
        values = chunk.dictionary.cast(dtype.value_type)
        if not dictionaries or not values.equals(dictionaries[-1]):
            dictionaries.append(values)
        places.append(len(dictionaries) - 1)
    if not dictionaries:
        return pa.chunked_array([], dtype)
    known = pc.unique(pa.concat_arrays(dictionaries)).drop_null()
    if pa.types.is_floating(dtype.value_type):
        known = known.filter(pc.invert(pc.is_nan(known)))
    if len(dictionaries) == 1 and len(known) == len(dictionaries[0]):
        codes = [chunk.indices for chunk in column.chunks]
    else:
        lookups = [pc.index_in(values, value_set=known) for values in dictionaries]
        codes = [lookups[place].take(chunk.indices) for place, chunk in zip(places, column.chunks, strict=True)]
    index = index_type(len(known), dtype.index_type)
    chunks = [pa.DictionaryArray.from_arrays(each.cast(index), known, ordered=dtype.ordered) for each in codes]
    return pa.chunked_array(chunks)


def index_type(categories: int, wanted: pa.DataType) -> pa.DataType:
    """Return the type of the numbers of so many categories: the wanted one, a wider one where it cannot count them."""
    import pyarrow as pa

    return wanted if categories - 1 <= np.iinfo(wanted.to_pandas_dtype()).max else pa.int32()


def with_index(column: pa.ChunkedArray, index: pa.DataType) -> pa.ChunkedArray:
    """Return categories whose numbers are of another type."""
    import pyarrow as pa

    dtype = pa.dictionary(index, column.type.value_type, column.type.ordered)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(index), chunk.dictionary, ordered=dtype.ordered)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, dtype)

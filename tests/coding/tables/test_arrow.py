"""Arrow tables come back equal, with their schema; floats bit for bit."""

from __future__ import annotations

import datetime
import decimal
import io
import random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from isthmus.coding.container import Source
from isthmus.coding.tables import NoTable
from isthmus.coding.tables.arrow import ArrowGroup, ArrowLayout, arrow_groups
from isthmus.errors import ArtifactError

I8, I64 = st.integers(-128, 127), st.integers(-(2**63), 2**63 - 1)
decimals = st.integers(-(10**8), 10**8).map(lambda value: decimal.Decimal(value).scaleb(-2))
wide = st.integers(-(10**28), 10**28).map(lambda value: decimal.Decimal(value).scaleb(-2))
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int8(), I8),
    (pa.int16(), I8),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), I64),
    (pa.uint8(), st.integers(0, 255)),
    (pa.uint16(), st.integers(0, 9)),
    (pa.uint32(), st.integers(0, 2**32 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.bool_(), st.booleans()),
    (pa.float16(), st.floats(width=16)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.float64(), st.integers(-1000, 1000).map(lambda value: value / 100)),
    (pa.float32(), st.integers(-1000, 1000).map(lambda value: float(np.float32(value / 100)))),
    (pa.string(), st.sampled_from(["", "a", "Ω", "two\nlines", "\0", "12"])),
    (pa.large_string(), st.text(st.characters(codec="utf-8"), max_size=5)),
    (pa.string_view(), st.text(st.characters(codec="utf-8"), max_size=20)),
    (pa.binary(), st.binary(max_size=5)),
    (pa.large_binary(), st.binary(max_size=5)),
    (pa.binary_view(), st.binary(max_size=20)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.date64(), st.dates()),
    (pa.time32("s"), st.integers(0, 86_399)),
    (pa.time64("ns"), st.integers(0, 86_399 * 10**9)),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("ns", "Europe/Berlin"), st.integers(0, 2**62)),
    (pa.duration("ms"), I64),
    (pa.decimal32(9, 2), st.integers(-(10**6), 10**6).map(lambda value: decimal.Decimal(value).scaleb(-2))),
    (pa.decimal64(18, 2), decimals),
    (pa.decimal128(20, 2), decimals),
    (pa.decimal128(38, 2), wide),
    (pa.decimal256(70, 2), decimals),
    (pa.decimal256(70, 2), wide),
    (pa.null(), st.none()),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b", ""])),
    (pa.dictionary(pa.uint16(), pa.int64(), ordered=True), st.integers(0, 5)),
]


def restored(table: pa.Table, **limits: int) -> pa.Table:
    """Return a table from its groups, whose descriptions are written and read."""
    found = arrow_groups(table, **limits)
    assert not isinstance(found, NoTable)
    return pa.concat_tables(map(through, found))


def through(group: ArrowGroup) -> pa.Table:
    side = group.layout.to_bytes()
    source = Source(io.BytesIO(side), "it")
    layout = ArrowLayout.read(source)
    assert (layout, source.position) == (group.layout, len(side))
    for planes, forms in zip(group.planes, layout.forms, strict=True):
        assert [(plane.size, plane.where) for plane in planes] == [(form.size, form.where) for form in forms]
        assert all(0 <= plane.values.min() <= plane.values.max() < plane.size for plane in planes)
    table = layout.restored([[plane.values for plane in planes] for planes in group.planes], group.texts, "it")
    table.validate(full=True)
    return table


def as_bits(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, floats as their bits, since one NaN does not equal another."""
    array = column.combine_chunks()
    if not pa.types.is_floating(array.type):
        return array
    return pa.Array.from_buffers(
        pa.type_for_alias(f"int{array.type.bit_width}"), len(array), array.buffers(), offset=array.offset
    )


def assert_same(one: pa.Table, other: pa.Table) -> None:
    assert one.schema.equals(other.schema, check_metadata=True)
    for name in one.column_names:
        assert as_bits(one[name]).equals(as_bits(other[name])), name


@pytest.mark.parametrize(("dtype", "cells"), TYPES, ids=[str(dtype) for dtype, _ in TYPES])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_columns_of_any_type_come_back(dtype: pa.DataType, cells: st.SearchStrategy[Any], data: st.DataObject) -> None:
    maybe = st.one_of(cells, st.none()) if data.draw(st.booleans()) else cells
    values = data.draw(st.lists(maybe, min_size=1, max_size=30))
    if pa.types.is_float16(dtype):
        values = [None if value is None else np.float16(value) for value in values]
    array = pa.array(values, dtype)
    start = data.draw(st.integers(0, len(values) - 1))
    table = pa.table({"x": array}).slice(start)
    assert_same(restored(table), table)
    assert_same(restored(pa.concat_tables([table, table]), rows=3), pa.concat_tables([table, table]))


def test_odd_floats_among_decimals_come_back_bit_for_bit() -> None:
    values = np.round(np.random.default_rng(0).normal(size=500), 2)
    values[:5] = -0.0, np.inf, -np.inf, 5e-324, np.nan
    values.view(np.uint64)[5] = 0x7FF8_0000_0000_1234  # a NaN with a payload
    for dtype in (np.float64, np.float32):
        table = pa.table({"x": pa.array(values.astype(dtype))})
        (group,) = arrow_groups(table)
        assert [plane.size < 1000 for plane in group.planes[0]] == [True]
        assert_same(restored(table), table)


def test_random_floats_are_no_decimals() -> None:
    values = np.random.default_rng(0).normal(size=500)
    (group,) = arrow_groups(pa.table({"x": values, "y": values.astype(np.float32)}))
    assert [plane.name for plane in group.planes[0]] == ["value", "lower"]
    assert group.planes[1][0].size <= 1 << 32


def test_metadata_of_pandas_are_kept() -> None:
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=50, tz="UTC"),
            "who": pd.Categorical(["b", "a", None, "b", "a"] * 10, categories=["b", "a", "never"], ordered=True),
            "x": [1.5, None, 2.25, 3.0, 4.0] * 10,
            "n": pd.array([1, None, 3, 4, 5] * 10, dtype="Int16"),
        },
        index=pd.Index(range(7, 57), name="key"),
    )
    table = pa.Table.from_pandas(frame)
    back = restored(table, rows=20)
    assert_same(back, table)
    pd.testing.assert_frame_equal(back.to_pandas(), frame)


def test_a_parquet_file_comes_back(tmp_path: Any) -> None:
    table = pa.table({"a": list(range(100)), "b": pa.array([f"text {n % 7}" for n in range(100)]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "it.parquet", row_group_size=30)
    read = parquet.read_table(tmp_path / "it.parquet")
    assert_same(restored(read), read)


def test_chunks_with_other_dictionaries_share_one() -> None:
    one, other = pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "b", None]).dictionary_encode()
    table = pa.table({"x": pa.chunked_array([one, other])})
    back = restored(table)
    assert back["x"].to_pylist() == ["a", "b", "c", "b", None]
    assert back.schema == table.schema


def test_a_dictionary_of_anything_comes_back() -> None:
    entries = pa.array([{"a": 1}, None, {"a": 2}])
    column = pa.DictionaryArray.from_arrays(pa.array([2, None, 0, 1], pa.int8()), entries)
    assert_same(restored(pa.table({"x": column})), pa.table({"x": column}))


def test_an_extension_type_comes_back() -> None:
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef", None], pa.binary(16)))
    table = pa.table({"x": column})
    assert restored(table).equals(table)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pa.table({"x": pa.array([], pa.int64())}), "it has no rows"),
        (pa.table({}), "it has no rows"),
        (pa.table({"x": [[1], [2]]}), "its column 'x' is of type list<"),
        (pa.table({"x": [{"a": 1}]}), "its column 'x' is of type struct<"),
        (
            pa.table({"x": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}),
            "its column 'x' is of type month_day_nano",
        ),
        (pa.table({"x": pa.array([b""], pa.binary(0))}), "its column 'x' is of type fixed_size_binary[0]"),
    ],
)
def test_what_has_no_place_is_said(table: pa.Table, why: str) -> None:
    found = arrow_groups(table)
    assert isinstance(found, NoTable)
    assert found.why.startswith(why)


def test_dictionaries_that_do_not_make_one_are_said() -> None:
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(entries))
        for entries in (["a", None], ["b", "c"])
    ]
    found = arrow_groups(pa.table({"x": pa.chunked_array(chunks)}))
    assert found == NoTable("the dictionaries of its column 'x' cannot be made one")


def test_groups_have_as_many_rows_as_they_may() -> None:
    table = pa.table({"x": list(range(10)), "y": ["text"] * 10})
    assert [group.layout.n_rows for group in arrow_groups(table, rows=4)] == [4, 4, 2]
    assert [group.layout.n_rows for group in arrow_groups(table, cells=6)] == [3, 3, 3, 1]
    assert all(group.layout.n_rows < 10 for group in arrow_groups(table, size=table.nbytes // 2))


def test_altered_descriptions_are_refused() -> None:
    table = pa.table(
        {
            "a": pa.array([1, None, 3] * 20),
            "b": pa.array(["x", "y", None] * 20),
            "c": pa.array([0.5, float("nan"), 2.25] * 20),
            "d": pa.array(["p", "q", "p"] * 20).dictionary_encode(),
            "e": pa.array([decimal.Decimal(10**25), None, decimal.Decimal(1)] * 20, pa.decimal128(30, 0)),
            "f": pa.array([datetime.date(2020, 1, 1)] * 60),
        }
    )
    (group,) = arrow_groups(table)
    side, rng, refused = group.layout.to_bytes(), random.Random(0), 0
    values = [[plane.values for plane in planes] for planes in group.planes]
    start = len(side) - 120  # the schema is Arrow's affair, and checked by the container
    for _ in range(1500):
        altered = bytearray(side)
        altered[rng.randrange(start, len(side))] = rng.randrange(256)
        try:
            layout = ArrowLayout.read(Source(io.BytesIO(bytes(altered)), "it"))
            if [len(forms) for forms in layout.forms] == [len(its) for its in values]:
                assert layout.restored(values, group.texts, "it").num_rows == 60
        except ArtifactError:
            refused += 1
    assert refused > 300


def test_a_schema_that_is_none_is_refused() -> None:
    (group,) = arrow_groups(pa.table({"x": [1, 2]}))
    layout = ArrowLayout(b"no schema", 2, group.layout.columns)
    with pytest.raises(ArtifactError, match="Arrow finds no table in it"):
        layout.restored([[group.planes[0][0].values]], [b""], "it")
    other = ArrowLayout(pa.schema([("x", pa.string())]).serialize().to_pybytes(), 2, group.layout.columns)
    with pytest.raises(ArtifactError, match="does not have the cells"):
        other.restored([[group.planes[0][0].values]], [b""], "it")

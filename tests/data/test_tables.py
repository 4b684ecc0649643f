from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isthmus import data
from isthmus.errors import DataError, DataTypeError, ShapeError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
RNG = np.random.default_rng(0)
N = 6


def pandas_frame() -> Any:
    return pandas.DataFrame(
        {
            "float": [1.5, np.nan, 3.0, 4.0, 5.0, 6.0],
            "small": np.arange(N, dtype="float32"),
            "integer": np.arange(N, dtype="int16"),
            "large": np.arange(N, dtype="uint64"),
            "gaps": pandas.array([1, None, 3, 4, 5, 6], dtype="Int64"),
            "float_gaps": pandas.array([1.5, None, 3, 4, 5, 6], dtype="Float32"),
            "flag": np.array([True, False] * 3),
            "flag_gaps": pandas.array([True, None, False] * 2, dtype="boolean"),
            "text": ["a", "b", None, "a", "b", "c"],
            "text_python": pandas.array(["a", None, "b"] * 2, dtype="string[python]"),
            "text_object": pandas.Series(["a", None, "b"] * 2, dtype=object),
            "category": pandas.Categorical(["x", "y", "x"] * 2, categories=["z", "y", "x"]),
            "ordered": pandas.Categorical([3, 1, 3] * 2, categories=[3, 2, 1], ordered=True),
            "day": pandas.to_datetime(["2020-01-01", None, "2021-06-01"] * 2),
            "moment": pandas.to_datetime(["2020-01-01"] * N).tz_localize("Europe/Zurich").as_unit("ns"),
            "span": pandas.to_timedelta(np.arange(N), unit="s"),
            "date_object": pandas.Series([datetime.date(2020, 1, 1)] * N, dtype=object),
            "arrow": pandas.array([1, None, 3] * 2, dtype=pandas.ArrowDtype(pa.int8())),
            "flag_object": pandas.Series([True, False] * 3, dtype=object),
        }
    )


def test_pandas_comes_back_exactly() -> None:
    frame = pandas_frame()
    opened = data.open(frame)
    assert opened.schema.kind == "table"
    assert opened.schema.container == "pandas"
    back = data.restore(opened.chunk(0, N), opened.schema)
    pandas.testing.assert_series_equal(back.dtypes, frame.dtypes)
    pandas.testing.assert_frame_equal(back, frame)
    part = data.restore(opened.take([4, 1]), opened.schema)
    pandas.testing.assert_frame_equal(part, frame.iloc[[4, 1]].reset_index(drop=True))


def test_pandas_comes_back_from_a_saved_schema_and_plain_values() -> None:
    frame = pandas_frame()
    opened = data.open(frame)
    schema = data.Schema.from_dict(opened.schema.to_dict())
    block = opened.chunk(0, N)
    # A decoder has plain strings for categories, and floats for whole numbers.
    plain = {}
    for name, column in zip(block.column_names, block.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        elif pa.types.is_integer(column.type):
            column = column.cast(pa.float64())
        plain[name] = column
    pandas.testing.assert_frame_equal(data.restore(pa.table(plain), schema), frame)


def test_meanings_of_columns() -> None:
    types = {column.name: column.type for column in data.open(pandas_frame()).schema.columns}
    assert types == {
        "float": "number",
        "small": "number",
        "integer": "integer",
        "large": "integer",
        "gaps": "integer",
        "float_gaps": "number",
        "flag": "boolean",
        "flag_gaps": "boolean",
        "text": "category",
        "text_python": "category",
        "text_object": "category",
        "category": "category",
        "ordered": "category",
        "day": "date",
        "moment": "date",
        "span": "integer",
        "date_object": "date",
        "arrow": "integer",
        "flag_object": "boolean",
    }


def test_integer_column_names_come_back() -> None:
    frame = pandas.DataFrame(np.arange(6.0).reshape(3, 2))
    opened = data.open(frame)
    assert [column.name for column in opened.schema.columns] == ["0", "1"]
    pandas.testing.assert_frame_equal(data.restore(opened.chunk(0, 3), opened.schema), frame, check_column_type=False)


def test_new_categories_come_last() -> None:
    opened = data.open(pandas.DataFrame({"c": pandas.Categorical(["x", "y"], categories=["y", "x"])}))
    back = data.restore(pa.table({"c": ["x", "new", None]}), opened.schema)
    assert back["c"].cat.categories.tolist() == ["y", "x", "new"]
    assert back["c"].isna().tolist() == [False, False, True]


def test_derived_frames_are_frames() -> None:
    class Mine(pandas.DataFrame):
        pass

    assert data.open(Mine({"a": [1, 2]})).schema.container == "pandas"


def test_polars_comes_back_exactly() -> None:
    frame = polars.DataFrame(
        {
            "float": [1.5, None, 3.0],
            "byte": polars.Series([1, 2, 3], dtype=polars.UInt8),
            "text": ["a", None, "b"],
            "category": polars.Series(["x", "y", "x"], dtype=polars.Categorical),
            "enum": polars.Series(["x", "y", "x"], dtype=polars.Enum(["y", "x", "z"])),
            "flag": [True, None, False],
            "day": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)],
            "moment": polars.Series([datetime.datetime(2020, 1, 1)] * 3).dt.replace_time_zone("Europe/Zurich"),
            "time": [datetime.time(1, 2, 3)] * 3,
        }
    )
    opened = data.open(frame)
    back = data.restore(opened.chunk(0, 3), data.Schema.from_dict(opened.schema.to_dict()))
    assert back.schema == frame.schema
    assert back.equals(frame)
    assert data.open(frame.lazy()).schema.columns == opened.schema.columns


def test_arrow_and_foreign_frames() -> None:
    table = pa.table({"a": [1, 2, None], "b": ["x", None, "y"]})
    opened = data.open(table)
    assert opened.schema.container == "arrow"
    assert data.restore(opened.chunk(0, 3), opened.schema).equals(table)
    assert len(data.open(table.to_batches()[0])) == 3

    class Foreign:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return polars.DataFrame({"a": ["x", "y"], "b": [1, 2]}).__arrow_c_stream__(requested_schema)

    foreign = data.open(Foreign())
    assert [column.type for column in foreign.schema.columns] == ["category", "integer"]
    assert foreign.take([1]).to_pylist() == [{"a": "y", "b": 2}]


def test_nan_is_missing_and_said() -> None:
    opened = data.open(polars.DataFrame({"a": [1.0, float("nan"), 3.0], "b": [1, 2, 3]}))
    assert opened.chunk(0, 3).column("a").null_count == 1
    assert opened.notes == ["NaN in the columns 'a' (1) are taken as missing."]


def test_columns_are_chosen_in_order_and_labels_set_aside() -> None:
    frame = pandas_frame()
    opened = data.open(frame, columns=["text", "float", -1], label_column="category")
    assert [column.name for column in opened.schema.columns] == ["text", "float", "flag_object"]
    assert opened.labels.tolist() == ["x", "y", "x"] * 2
    assert "column 'category' was set aside as the labels." in opened.notes
    back = data.restore(opened.chunk(0, N), opened.schema)
    pandas.testing.assert_frame_equal(back, frame[["text", "float", "flag_object"]])
    with pytest.raises(DataError, match=r"there is no column 'txt' among .*; did you mean 'text'"):
        data.open(frame, columns=["txt"])


def test_select_by_name() -> None:
    opened = data.open(pandas_frame(), labels=np.arange(N)).subset([5, 1])
    chosen = opened.select(["text", "category"])
    assert chosen.chunk(0, 2).to_pylist() == [{"text": "c", "category": "x"}, {"text": "b", "category": "y"}]
    assert chosen.labels.tolist() == [5, 1]
    back = data.restore(chosen.chunk(0, 2), chosen.schema)
    assert back["category"].cat.categories.tolist() == ["z", "y", "x"]
    with pytest.raises(DataError, match="there is no column 'nothing'"):
        opened.select(["nothing"])


@pytest.mark.parametrize(
    ("frame", "error", "sentence"),
    [
        ({"a": [1.0, np.inf]}, DataError, "X contains infinity in row 1, column 'a'"),
        ({"a": [[1], [2]]}, DataTypeError, "column 'a' has the type list"),
        ({"a": [1, "x"]}, DataTypeError, "column 'a' mixes types"),
        ({"a": [1j, 2j]}, DataTypeError, "Complex data not supported"),
        ({}, ShapeError, "0 feature"),
        ({"a": []}, ShapeError, "0 sample"),
    ],
)
def test_unsuitable_frames(frame: dict[str, list[Any]], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        data.open(pandas.DataFrame(frame))


def test_unsuitable_names_and_rank() -> None:
    with pytest.raises(DataError, match="column names 'a' occur more than once"):
        data.open(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataTypeError, match="several levels"):
        data.open(pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", 1), ("a", 2)])))
    for column in (pandas.Series([1.0, 2.0]), polars.Series([1.0]), pa.array([1]), pa.chunked_array([[1]])):
        with pytest.raises(ShapeError, match="Reshape your data"):
            data.open(column)

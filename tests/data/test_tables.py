from __future__ import annotations

import contextlib
import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus import data
from isthmus.data import stores, tables
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


# --- CSV -------------------------------------------------------------------------------------------------------------


def csv(tmp_path: Path, text: str, name: str = "t.csv", **options: Any) -> data.Data:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return data.open(tmp_path / name, **options)


def test_csv_with_names(tmp_path: Path) -> None:
    opened = csv(tmp_path, "age,town,when\n31,Bern,2020-01-01\n,?,2021-02-03\n40,Genève,2021-02-03\n")
    assert [(c.name, c.type) for c in opened.schema.columns] == [
        ("age", "integer"),
        ("town", "category"),
        ("when", "date"),
    ]
    assert opened.chunk(0, 3).column("town").to_pylist() == ["Bern", None, "Genève"]
    assert opened.chunk(0, 3).column("age").to_pylist() == [31, None, 40]
    assert opened.notes == [
        "the first row of t.csv was read as the names of the columns.",
        "2 cells of t.csv are missing (empty, '?', 'NA' and the like).",
    ]
    assert isinstance(data.restore(opened.chunk(0, 3), opened.schema), pa.Table)


def test_csv_without_names(tmp_path: Path) -> None:
    opened = csv(tmp_path, "1,a\n2,b\n3,a\n")
    assert [column.name for column in opened.schema.columns] == ["column_0", "column_1"]
    assert len(opened) == 3
    assert opened.notes == ["t.csv has no row of names; its columns were named column_0 to column_1."]


def test_csv_of_a_frame_with_its_row_numbers(tmp_path: Path) -> None:
    opened = csv(tmp_path, ",age,town\n0,31,Bern\n1,40,Basel\n")
    assert [(c.name, c.type) for c in opened.schema.columns] == [
        ("column_0", "integer"),
        ("age", "integer"),
        ("town", "category"),
    ]
    assert opened.notes == [
        "the first row of t.csv was read as the names of the columns.",
        "the first column of t.csv has no name and was called column_0; it may only number the rows.",
    ]
    assert len(csv(tmp_path, ",blue\nblue,red\nred,blue\nblue,blue\n")) == 4  # a missing cell, and no name
    assert len(csv(tmp_path, ",0.5\n1,0.5\n")) == 2


def test_the_header_of_thousands_of_columns_is_one(tmp_path: Path) -> None:
    names = [f"a column with a long name, number {i}" for i in range(9_000)]
    lines = [";".join(names), *(";".join(f"{row + i}" for i in range(9_000)) for row in range(3))]
    table = csv(tmp_path, "\n".join(lines))
    assert len(table) == 3
    assert [column.name for column in table.schema.columns[:2]] == names[:2]
    assert {column.type for column in table.schema.columns} == {"integer"}


def test_csv_header_can_be_forced(tmp_path: Path) -> None:
    assert len(csv(tmp_path, "1,2\n3,4\n", header=True)) == 1
    assert len(csv(tmp_path, "a,b\n3,4\n", header=False)) == 2
    assert len(csv(tmp_path, "name,town\nAnna,Bern\nBeat,Basel\n")) == 2
    assert len(csv(tmp_path, "red,blue\nblue,red\nred,blue\nblue,blue\n")) == 4


@pytest.mark.parametrize(("name", "mark"), [("t.tsv", "\t"), ("t.csv", ";"), ("t.csv", "|"), ("t.csv", "\t")])
def test_other_delimiters(tmp_path: Path, name: str, mark: str) -> None:
    opened = csv(tmp_path, mark.join("ab") + "\n" + mark.join(["1", "x, y"]) + "\n", name)
    assert opened.take([0]).to_pylist() == [{"a": 1, "b": "x, y"}]


def test_packed_csv_with_spaces_and_gaps(tmp_path: Path) -> None:
    text = "39, State-gov, 77516\n50, ?, 83311\n38, Private, ?\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    opened = data.open(tmp_path / "t.csv.gz")
    assert [column.type for column in opened.schema.columns] == ["integer", "category", "integer"]
    assert opened.chunk(0, 3).column(1).to_pylist() == ["State-gov", None, "Private"]
    assert opened.chunk(0, 3).column(2).to_pylist() == [77516, 83311, None]
    assert "spaces around the cells of 2 columns were removed." in opened.notes


def test_quoted_cells_and_line_ends(tmp_path: Path) -> None:
    opened = csv(tmp_path, 'a,b\r\n1,"x, ""y""\r\nz"\r\n2,w\r\n')
    assert opened.chunk(0, 2).column("b").to_pylist() == ['x, "y"\r\nz', "w"]


def test_types_may_widen_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CELL_BYTES", 4096)
    rows = "".join(f"{i},{i}\n" for i in range(3000))
    opened = csv(tmp_path, "a,b\n" + rows + "2.5,x\n")
    assert [column.type for column in opened.schema.columns] == ["number", "category"]
    assert "column 'b' holds numbers and text ('x' in row 3000) and was read as text." in opened.notes
    assert opened.take([3000]).to_pylist() == [{"a": 2.5, "b": "x"}]


def test_encodings(tmp_path: Path) -> None:
    for encoding, note in (("utf-8-sig", 0), ("latin-1", 1), ("utf-16", 1)):
        (tmp_path / "t.csv").write_bytes("a,b\n1,Zürich\n".encode(encoding))
        opened = data.open(tmp_path / "t.csv")
        assert opened.take([0]).to_pylist() == [{"a": 1, "b": "Zürich"}]
        assert len(opened.notes) == 1 + note


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n3\n", "it is no regular table: line 3: 2 columns expected, 1 found: 3"),
        ("a,b\n", "0 sample"),
        ("  \n", "it is empty"),
        ("a,a\n1,2\n", "column names 'a' occur more than once"),
        ("a,b\n1,inf\n", "contains infinity in row 0, column 'b'"),
        ("a\0,b\n1,2\n", "it holds zero bytes, so it is no text"),
    ],
)
def test_unsuitable_csv(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        csv(tmp_path, text, header=True)


def test_unclosed_quotation_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CELL_BYTES", 4096)
    with pytest.raises(DataError, match="quotation mark"):
        csv(tmp_path, 'a,b\n1,"x\n' + "1,2\n" * 5000)


def test_truncated_packed_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 100)[:-10])
    with pytest.raises(DataError, match="truncated or damaged"):
        data.open(tmp_path / "t.csv.gz")


def test_csv_label_column(tmp_path: Path) -> None:
    opened = csv(tmp_path, "a,b,kind\n1,2,x\n3,4,y\n", label_column="kind")
    assert opened.labels.tolist() == ["x", "y"]
    assert opened.schema.shape == (2,)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def big_frame(n: int = 1000) -> Any:
    return pandas.DataFrame(
        {
            "number": RNG.normal(size=n),
            "gaps": pandas.array([None if i % 7 == 0 else i for i in range(n)], dtype="Int64"),
            "category": pandas.Categorical(RNG.choice(["x", "y", "z"], n)),
            "text": [f"t{i}" for i in range(n)],
        }
    )


@pytest.mark.parametrize("resident", [True, False])
def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: bool) -> None:
    frame = big_frame()
    parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "t.parquet", row_group_size=64)
    if not resident:
        monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    opened = data.open(tmp_path / "t.parquet")
    assert opened.resident == resident
    assert len(opened) == 1000
    assert opened.schema.container == "files"
    rows = RNG.permutation(1000)[:300]
    got = data.restore(opened.take(rows), opened.schema)
    assert got.column("text").to_pylist() == [f"t{i}" for i in rows]
    assert got.column("gaps").to_pylist() == [None if i % 7 == 0 else i for i in rows]
    assert got.column("category").to_pylist() == frame["category"][rows].tolist()
    pieces = [block.column("text").to_pylist() for _, block in opened.chunks(rows=77)]
    assert [text for piece in pieces for text in piece] == frame["text"].tolist()
    assert opened.chunk(990, 2000).num_rows == 10
    assert opened.take([]).num_rows == 0
    few = opened.select(["text"]).subset([999, 64, 63])
    assert few.chunk(0, 3).to_pylist() == [{"text": "t999"}, {"text": "t64"}, {"text": "t63"}]


def test_streamed_parquet_keeps_few_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(pa.Table.from_pandas(big_frame()), tmp_path / "t.parquet", row_group_size=100)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    store = tables.ParquetStore([tmp_path / "t.parquet"], ["number"], "t", cells=2000)
    for start in range(0, 1000, 50):
        store.chunk(start, start + 50)
    assert len(store._kept) <= 2


def test_streamed_parquet_checks_values_and_keeps_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = big_frame()
    frame.loc[777, "number"] = np.inf
    parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "t.parquet", row_group_size=100)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    opened = data.open(tmp_path / "t.parquet", label_column="category", columns=["number", "gaps"])
    assert opened.labels.tolist() == frame["category"].tolist()
    opened.chunk(0, 700)
    with pytest.raises(DataError, match="contains infinity in row 777, column 'number'"):
        opened.chunk(700, 1000)


def test_folder_of_parquet_files(tmp_path: Path) -> None:
    frame = big_frame(10)
    for i in range(3):
        parquet.write_table(pa.Table.from_pandas(frame), tmp_path / f"{i}.parquet")
    assert len(data.open(tmp_path)) == 30
    assert len(data.open(str(tmp_path / "*.parquet"))) == 30
    parquet.write_table(pa.table({"other": [1]}), tmp_path / "9.parquet")
    with pytest.raises(DataError, match=r"its columns differ from those of '0\.parquet'"):
        data.open(tmp_path)


def test_damaged_parquet(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pandas(big_frame(100)), tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"t\.parquet' cannot be read: it is truncated or no Parquet file"):
        data.open(tmp_path / "t.parquet")
    # Parquet has no checksums by default, so a change may pass; what is noticed must be said in one sentence.
    for at in range(4, len(content) - 8, 37):
        (tmp_path / "t.parquet").write_bytes(content[:at] + b"\xff\x00\xff" + content[at + 3 :])
        with contextlib.suppress(DataError):
            data.open(tmp_path / "t.parquet")

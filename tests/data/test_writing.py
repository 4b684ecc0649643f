from __future__ import annotations

import datetime
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import data
from isthmus.errors import DataError, IsthmusError, IsthmusWarning, OutputExistsError, ParameterError

RNG = np.random.default_rng(0)


def again(path: Path, opened: data.Data, **options: Any) -> data.Data:
    data.write(path, opened.chunk(0, len(opened)), opened.schema, opened.names)
    return data.open(path, **options)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".tsv", ".parquet"])
def test_matrices_come_back(tmp_path: Path, dtype: str, suffix: str) -> None:
    x = (RNG.normal(size=(6, 3)) * 50).astype(dtype)
    back = again(tmp_path / f"x{suffix}", data.open(x))
    if back.schema.kind == "table":
        assert [column.name for column in back.schema.columns] == ["x0", "x1", "x2"]
        block = back.chunk(0, 6)
        np.testing.assert_array_equal(np.stack([c.to_numpy() for c in block.columns], axis=1).astype(dtype), x)
    else:
        np.testing.assert_array_equal(back.array, x)
        assert back.schema.dtype == dtype


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_come_back(tmp_path: Path, suffix: str) -> None:
    table = pa.table(
        {
            "number": [1.5, None, 3.0],
            "whole": [1, 2, None],
            "text": ["a, b", None, 'say "x"\tnow'],
            "category": pa.array(["x", "y", "x"]).dictionary_encode(),
            "flag": [True, False, None],
        }
    )
    back = again(tmp_path / f"t{suffix}", data.open(table))
    assert back.chunk(0, 3).to_pylist() == table.to_pylist()


def test_table_of_numbers_as_array(tmp_path: Path) -> None:
    back = again(tmp_path / "t.npy", data.open(pa.table({"a": [1.0, 2.0], "b": [3, 4]})))
    np.testing.assert_array_equal(back.array, [[1, 3], [2, 4]])
    with pytest.raises(DataError, match=r"column 'c' \(string\) is no column of numbers without gaps"):
        again(tmp_path / "u.npy", data.open(pa.table({"c": ["x", "y"]})))


@pytest.mark.parametrize(
    ("shape", "dtype", "suffix"),
    [
        ((3, 4, 5), "uint8", ".png"),
        ((3, 4, 5, 3), "uint8", ".png"),
        ((3, 4, 5, 4), "uint8", ".png"),
        ((3, 4, 5), "uint16", ".png"),
        ((3, 4, 5, 3), "uint16", ".png"),
        ((3, 4, 5), "bool", ".png"),
        ((3, 4, 5), "float32", ".tif"),
        ((3, 4, 5), "int32", ".tif"),
    ],
)
def test_folders_of_images_come_back(tmp_path: Path, shape: tuple[int, ...], dtype: str, suffix: str) -> None:
    x = RNG.integers(0, 2 if dtype == "bool" else 200, shape).astype(dtype)
    back = again(tmp_path / "out", data.open(x))
    assert back.names == [f"0000{i}{suffix}" for i in range(3)]
    assert back.schema.dtype == dtype
    np.testing.assert_array_equal(back.array, x)


def test_names_and_classes_come_back(tmp_path: Path) -> None:
    images = [RNG.integers(0, 255, (h, 5)).astype(np.uint8) for h in (4, 5, 6, 4)]
    opened = data.open(images, sizes="group")
    names = ["cat/a.jpg", "cat/a.png", "../dog/b.2024.tif", "/dog/c"]
    data.write(tmp_path / "out", opened.chunk(0, 4), opened.schema, names)
    back = data.open(tmp_path / "out", sizes="group")
    assert back.names == ["cat/a-2.png", "cat/a.png", "dog/b.2024.png", "dog/c.png"]
    assert back.labels.tolist() == ["cat", "cat", "dog", "dog"]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_one_image(tmp_path: Path, name: str) -> None:
    x = RNG.integers(0, 255, (1, 4, 5)).astype(np.uint8)
    np.testing.assert_array_equal(again(tmp_path / name, data.open(x)).array, x)


def test_many_channels_go_to_tiff(tmp_path: Path) -> None:
    x = data.open(RNG.normal(size=(2, 4, 5, 7)).astype(np.float32))
    data.write(tmp_path / "out", x.array, x.schema)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00000.tif", "00001.tif"]
    np.testing.assert_array_equal(data.open(tmp_path / "out").array, x.array)
    with pytest.raises(DataError, match="PNG does not hold float32 values"):
        data.write(tmp_path / "a.png", x.array[:1], x.schema)
    with pytest.raises(DataError, match="it names one image, and there are 2"):
        data.write(tmp_path / "a.tif", x.array, x.schema)


def test_texts(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"0123456789" * 13)
    opened = data.open(tmp_path / "in.txt", window=16)
    data.write(tmp_path / "out.txt", opened.chunk(0, 99), opened.schema)
    assert (tmp_path / "out.txt").read_bytes() == b"0123456789" * 13
    opened = data.open(["one", "two"])
    data.write(tmp_path / "lines.txt", opened.chunk(0, 2), opened.schema)
    assert (tmp_path / "lines.txt").read_text() == "one\ntwo\n"


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    x = data.open(np.zeros((3, 4, 5), np.uint8))
    for name in ("x.npy", "folder"):
        data.write(tmp_path / name, x.array, x.schema)
        with pytest.raises(
            OutputExistsError, match="exists already; give another name, or overwrite it with force=True"
        ):
            data.write(tmp_path / name, x.array, x.schema)
        (tmp_path / "folder" / "mine.txt").parent.mkdir(exist_ok=True)
    (tmp_path / "folder" / "mine.txt").write_text("keep")
    data.write(tmp_path / "folder", x.array + 1, x.schema, force=True)
    data.write(tmp_path / "x.npy", x.array + 1, x.schema, force=True)
    assert (tmp_path / "folder" / "mine.txt").read_text() == "keep"
    assert data.open(tmp_path / "x.npy").array.min() == data.open(tmp_path / "folder").array.min() == 1


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.tsv", "x.parquet", "x.tif", "x.png", "folder"])
def test_what_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path, largest_file: Any, name: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (1, 64, 64), np.uint8)
    deep = pictures * np.float32(1) if name == "x.tif" else pictures
    x = data.open(deep if name in ("x.tif", "x.png", "folder") else np.random.default_rng(0).normal(size=(99, 4)))
    sentence = f"^'{tmp_path / name}' could not be written: File too large; nothing was left behind.$"
    with largest_file(500), pytest.raises(IsthmusError, match=sentence):
        data.write(tmp_path / name, x.array, x.schema)
    assert list(tmp_path.iterdir()) == []


def test_old_file_survives_a_failure(tmp_path: Path, largest_file: Any) -> None:
    x = data.open(np.ones((3, 4)))
    data.write(tmp_path / "x.npy", x.array, x.schema)
    with largest_file(100), pytest.raises(IsthmusError, match="could not be written"):
        data.write(tmp_path / "x.npy", x.array * 2, x.schema, force=True)
    np.testing.assert_array_equal(data.open(tmp_path / "x.npy").array, x.array)
    assert len(list(tmp_path.iterdir())) == 1


def test_unknown_formats(tmp_path: Path) -> None:
    x = data.open(np.ones((3, 4)))
    with pytest.raises(ParameterError, match=r"records of kind 'array' are not written as \.xlsx; choose one of \.npy"):
        data.write(tmp_path / "x.xlsx", x.array, x.schema)
    with pytest.raises(ParameterError, match="are not written to a folder"):
        data.write(tmp_path / "x", x.array, x.schema)


# --- text tables come back --------------------------------------------------------------------------------------------

TEXTS = ["x", "a, b", 'say "x"', "l\nl", "r\r\nr", " in spaces ", "0012", "1", "-7", "1.5", "NA", "None", "-", "true"]
TEXTS += ["=1+1", "\u20ac", "tab\t", "'", ";", "\u3042", "2 kg"]
VALUES: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "whole": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "natural": (st.integers(0, 2**64 - 1), pa.uint64()),
    "number": (st.floats(allow_nan=False, allow_infinity=False), pa.float64()),
    "flag": (st.booleans(), pa.bool_()),
    "day": (st.dates(datetime.date(1700, 1, 1), datetime.date(2300, 1, 1)), pa.date32()),
    "second": (st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), pa.timestamp("us")),
    "clock": (st.times(), pa.time64("us")),
    "text": (st.sampled_from(TEXTS), pa.string()),
}


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 6), st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
def test_what_a_text_table_holds_comes_in_again(chance: Any, rows: int, names: list[str]) -> None:
    columns = {}
    for name in names:
        values, dtype = VALUES[name]
        columns[name] = pa.array(chance.draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), dtype)
    table = pa.table(columns)
    if table.num_columns == 1 and columns[names[0]].null_count == rows:
        return  # blank lines alone are no rows
    opened = data.open(table)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        back = again(Path(folder) / "t.csv", opened, header=True)
        read = back.chunk(0, rows)
        assert read.column_names == names
        for name in names:
            if name == "text" and any("text that looks like" in str(one.message) for one in said):
                # What a CSV cannot hold is said, and the sentence says how to keep it.
                assert any("read it with as_text= (--as-text), or write .parquet" in str(one.message) for one in said)
                read_again = data.open(Path(folder) / "t.csv", header=True, as_text=["text"])
                assert read_again.chunk(0, rows).column(name).to_pylist() == columns[name].to_pylist()
            else:
                assert read.column(name).to_pylist() == columns[name].to_pylist()


def test_missing_cells_of_a_single_column_are_told_of(tmp_path):
    """Pyarrow 26.0.1 writes them as empty lines, and reads its own file without them; pandas 3.1.1 does, too."""
    pa = pytest.importorskip("pyarrow")
    single = data.open(pa.table({"x": [1.5, None, 2.5]}))
    with pytest.warns(IsthmusWarning, match="columns 'x' hold the only cells of their rows.*write .parquet"):
        data.write(tmp_path / "t.csv", single.chunk(0, 3), single.schema)
    assert len(data.open(tmp_path / "t.csv")) == 3
    pair = data.open(pa.table({"x": [1.5, None, 2.5], "y": [1, 2, 3]}))
    data.write(tmp_path / "u.csv", pair.chunk(0, 3), pair.schema)  # warnings are errors here


def test_what_a_text_table_cannot_hold_is_said(tmp_path: Path) -> None:
    hour = datetime.datetime(2020, 1, 1, 12)
    table = data.open(
        pa.table(
            {
                "code": ["2020-01-01", "2021-01-01"],
                "empty": ["", "x"],
                "lasted": pa.array([1, 2], pa.duration("s")),
                "when": pa.array([hour, hour], pa.timestamp("s", "Europe/Zurich")),
                "plain": ["0012", "NA"],
            }
        )
    )
    with pytest.warns(IsthmusWarning, match="columns") as said:
        data.write(tmp_path / "t.csv", table.chunk(0, 2), table.schema)
    assert [str(one.message).split("t.csv': ")[1] for one in said] == [
        "columns 'code', 'empty' hold text that looks like numbers, dates or missing cells; read it with as_text= "
        "(--as-text), or write .parquet.",
        "columns 'lasted' hold durations, which are written as whole numbers; to keep them write .parquet.",
        "columns 'when' hold times of a zone, which come back as universal time; to keep it write .parquet.",
    ]
    back = data.open(tmp_path / "t.csv", as_text=["code", "empty"]).chunk(0, 2)
    for name in ("code", "empty"):
        assert back.column(name).to_pylist() == table.chunk(0, 2).column(name).to_pylist()


def test_formulas_are_guarded_where_asked(tmp_path: Path) -> None:
    cells = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "-5", "+1.5e3", "plain", None]
    table = data.open(pa.table({"=name": cells, "number": [-1.5, -2, 3, 4, 5, 6, 7, 8, None]}))
    data.write(tmp_path / "t.csv", table.chunk(0, 9), table.schema)
    assert data.open(tmp_path / "t.csv").chunk(0, 9).to_pylist() == table.chunk(0, 9).to_pylist()
    data.write(tmp_path / "t.csv", table.chunk(0, 9), table.schema, force=True, guard_formulas=True)
    back = data.open(tmp_path / "t.csv").chunk(0, 9)
    assert back.column("number").to_pylist() == table.chunk(0, 9).column("number").to_pylist()
    assert back.column("'=name").to_pylist() == [
        "'=1+1",
        "'@SUM(A1)",
        "'+cmd|' /C calc'!A0",
        "'-2+3",
        "'\t=1",
        "-5",
        "+1.5e3",
        "plain",
        None,
    ]


def test_pages_of_a_file_have_its_name_and_their_number(tmp_path: Path) -> None:
    block = np.zeros((5, 4, 4), np.uint8)
    names = ["cell.tif#0", "cell.tif#1", "sub/CELL.TIFF#0", "cell.png", "scan.2024#1"]
    data.write(tmp_path / "out", block, data.open(block).schema, names)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png"))
    assert found == ["cell#0.png", "cell#1.png", "cell.png", "scan.2024#1.png", "sub/CELL#0.png"]

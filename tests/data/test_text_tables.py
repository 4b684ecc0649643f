from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from isthmus import data
from isthmus.data import text_tables
from isthmus.errors import DataError


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
    monkeypatch.setattr(text_tables, "CELL_BYTES", 4096)
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
    monkeypatch.setattr(text_tables, "CELL_BYTES", 4096)
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

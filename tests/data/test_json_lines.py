from __future__ import annotations

import datetime
import gzip
from pathlib import Path

import pytest

from isthmus import data
from isthmus.errors import DataError, DataTypeError


def rows(path: Path, content: str | bytes, **options: object) -> list[dict]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    opened = data.open(path, **options)
    return opened.chunk(0, len(opened)).to_pylist()


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.jsonl.gz"])
def test_records_are_lines(tmp_path: Path, name: str) -> None:
    content = (
        b'{"n": 9007199254740993, "x": 0.1, "t": "Z\xc3\xbcrich", "b": true}\n\n{"x": null, "n": -1}\r\n{"b": false}\n'
    )
    found = rows(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    assert found == [
        {"n": 2**53 + 1, "x": 0.1, "t": "Zürich", "b": True},
        {"n": -1, "x": None, "t": None, "b": None},
        {"n": None, "x": None, "t": None, "b": False},
    ]


def test_labels_columns_and_container(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": 2, "c": "x"}\n{"a": 3, "b": 4, "c": "y"}\n')
    opened = data.open(tmp_path / "a.jsonl", columns=["b"], label_column="c")
    assert opened.labels.tolist() == ["x", "y"]
    assert opened.chunk(0, 2).to_pydict() == {"b": [2, 4]}
    assert opened.schema.container == "files"


def test_dates_are_dates_and_said(tmp_path: Path) -> None:
    content = (
        '{"d": "2020-01-31", "t": "2020-01-31T12:00:00Z", "s": "soon"}\n{"d": null, "t": null, "s": "2020-01-01"}\n'
    )
    found = rows(tmp_path / "a.jsonl", content)
    assert found[0]["d"] == datetime.date(2020, 1, 31)
    assert found[0]["t"] == datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.UTC)
    assert found[0]["s"] == "soon"
    assert "the texts of 'd', 't' are dates." in data.open(tmp_path / "a.jsonl").notes
    # Numbers that are written as texts stay texts.
    assert rows(tmp_path / "b.jsonl", '{"y": "2020"}\n{"y": "07"}\n') == [{"y": "2020"}, {"y": "07"}]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1}\n{"a": 2', "line 2 is no JSON object"),
        ("null\n", "line 1 is no JSON object"),
        ("[1, 2]\n", "line 1 is no JSON object"),
        ('{\n  "a": 1\n}\n', "line 1 is no JSON object.*jq -c"),
        ('{"a": 1, "a": 2}\n', "a field occurs twice"),
        ('{"\\ud800": 1}\n', "the name of a field holds half a character"),
        ('{"a": 1e999}\n', "infinity in row 0, column 'a'"),
        ("{}\n{}\n", "0 feature"),
        ('{"a": ' + "[" * 100_000 + "\n", "line 1 is"),
    ],
)
def test_lines_that_are_no_records(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        rows(tmp_path / "a.jsonl", content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": {"b": 1}}\n', "column 'a' has the type struct"),
        ('{"a": [1, 2]}\n', "column 'a' has the type list"),
        ('{"a": 1}\n{"a": "x"}\n', "column 'a' mixes types"),
        ('{"a": true}\n{"a": 1}\n', "column 'a' mixes types"),
        ('{"a": 9007199254740993}\n{"a": 1.5}\n', "column 'a' mixes types"),
        ('{"a": 123456789012345678901234567890}\n', "column 'a' holds whole numbers of more than 64 bits"),
    ],
)
def test_values_that_are_no_cells(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(DataTypeError, match=sentence):
        rows(tmp_path / "a.jsonl", content)

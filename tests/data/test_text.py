from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from isthmus import data
from isthmus.data import stores
from isthmus.errors import DataError, DataTypeError, ParameterError

TEXT = "the quick brown fox jumps over the lazy dog. Zürich!".encode() * 5


def test_texts_are_records() -> None:
    opened = data.open(["abc", "Zürich", ""], labels=[1, 2, 3])
    assert (opened.schema.kind, opened.schema.shape, opened.schema.dtype) == ("text", (7,), "str")
    assert opened.take([1, 0]) == ["Zürich".encode(), b"abc"]
    assert data.restore(opened.chunk(0, 3), opened.schema) == ["abc", "Zürich", ""]
    assert data.restore([b"\xff"], opened.schema) == ["\ufffd"]


def test_byte_strings_are_records() -> None:
    opened = data.open([b"abc", bytearray(b"\xff\0")])
    assert opened.schema.dtype == "bytes"
    assert data.restore(opened.chunk(0, 2), opened.schema) == [b"abc", b"\xff\0"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["t.txt", "data.bin", "nosuffix"])
def test_files_are_cut_into_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, streamed: bool) -> None:
    if streamed:
        monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    (tmp_path / name).write_bytes(TEXT)
    opened = data.open(tmp_path / name, window=16)
    assert opened.resident != streamed
    assert opened.schema.shape == (16,)
    assert len(opened) == -(-len(TEXT) // 16)
    assert b"".join(opened.chunk(0, len(opened))) == TEXT
    assert opened.take([2, 0]) == [TEXT[32:48], TEXT[:16]]
    assert opened.take([len(opened) - 1]) == [TEXT[-(len(TEXT) % 16) :]]
    assert b"".join(piece for _, block in opened.chunks(rows=3) for piece in block) == TEXT
    assert opened.notes == [f"{name} was read as {len(TEXT)} bytes, in records of 16 bytes."]


def test_packed_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(TEXT))
    assert b"".join(data.open(tmp_path / "t.txt.gz").chunk(0, 100)) == TEXT
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(TEXT)[:-9])
    with pytest.raises(DataError, match="truncated or damaged"):
        data.open(tmp_path / "t.txt.gz")


def test_unsuitable_texts(tmp_path: Path) -> None:
    with pytest.raises(DataTypeError, match="item 0 is str and item 1 is int; give all items one type"):
        data.open(["a", 1])
    with pytest.raises(DataError, match="0 feature"):
        data.open(["", ""])
    with pytest.raises(DataError, match="0 sample"):
        data.open([])
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match=r"empty\.txt' cannot be read: it is empty"):
        data.open(tmp_path / "empty.txt")
    (tmp_path / "t.txt").write_bytes(TEXT)
    with pytest.raises(ParameterError, match="window must be a whole number of at least 1, got 0"):
        data.open(tmp_path / "t.txt", window=0)

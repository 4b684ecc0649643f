from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus import data
from isthmus.data import parquet as parquet_files
from isthmus.data import stores
from isthmus.errors import DataError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
RNG = np.random.default_rng(0)


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
    store = parquet_files.ParquetStore([tmp_path / "t.parquet"], ["number"], "t", cells=2000)
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


def test_cells_of_categories_that_there_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array([1] * 100, pa.int8()), ["a", "b"])
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"k": cells, "n": range(100)}), path, compression="none", use_dictionary=["k"])
    content = bytearray(path.read_bytes())
    content[content.index(b"\x01\xc8\x01") + 3] = 127  # the number of the category of 100 cells
    path.write_bytes(content)
    for resident in (stores.RESIDENT_BYTES, 10):
        monkeypatch.setattr(stores, "RESIDENT_BYTES", resident)
        with pytest.raises(DataError, match=r"t.parquet' cannot be read: it is damaged \(.*out of bounds: 127"):
            data.open(path)


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

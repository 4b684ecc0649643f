from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from isthmus import data
from isthmus.data import stores
from isthmus.data.numbering import AllDistinct

RNG = np.random.default_rng(0)


def test_matrix() -> None:
    x = RNG.normal(size=(50, 4))
    x[:, 1] = 7
    x[:, 2] = np.arange(50)
    x[:, 3] = np.arange(50) % 3
    x[49] = x[48]
    x[49, 2] = 49
    found = data.inspect(x)
    assert (found.kind, found.n, found.shape, found.dtype) == ("array", 50, (4,), "float64")
    assert found.duplicates == 0
    assert found.constant == ["1"]
    assert found.id_like == ["2"]
    assert found.class_column == "3"
    assert sum(found.class_counts.values()) == 50
    assert found.low == x.min()
    assert found.high == x.max()


def test_duplicates_are_counted_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.records.CHUNK_BYTES", 64)
    x = RNG.normal(size=(40, 3))
    x[[5, 17, 39]] = x[0]
    assert data.inspect(x).duplicates == 3
    images = RNG.integers(0, 255, (10, 3, 3)).astype(np.uint8)
    images[9] = images[2]
    assert data.inspect(images).duplicates == 1
    assert data.inspect(["a", "b", "a", "a"]).duplicates == 2
    assert data.inspect(pa.table({"a": [1, 2, 1, None, None], "b": ["x", "y", "x", None, "z"]})).duplicates == 1
    # Swapped columns, and the same value in another column, are no duplicates.
    assert data.inspect(pa.table({"a": [1, 2, 0], "b": [2, 1, 0]})).duplicates == 0


def mixed_table(n: int = 40) -> pa.Table:
    return pa.table(
        {
            "id": [f"u{i:03}" for i in range(n)],
            "number": np.arange(n),
            "age": pa.array([None if i % 4 == 0 else float(i) for i in range(n)]),
            "same": ["x"] * n,
            "species": (["a", "b", None, "a"] * n)[:n],
            "when": pa.array(np.arange(n).astype("datetime64[D]")),
            "code": pa.array((["p", "q"] * n)[:n]).dictionary_encode(),
            "nothing": pa.nulls(n),
        }
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool) -> None:
    source: object = mixed_table()
    if streamed:
        parquet.write_table(mixed_table(), tmp_path / "t.parquet", row_group_size=7)
        monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
        source = tmp_path / "t.parquet"
    found = data.inspect(source)
    columns = {column.name: column for column in found.columns}
    assert found.id_like == ["id", "number"]
    assert found.constant == ["same", "nothing"]
    assert found.class_column == "species"
    assert found.class_counts == {"a": 20, "b": 10, "missing": 10}
    assert found.missing == 10 + 10 + 40
    assert columns["age"].missing == 10
    assert (columns["age"].low, columns["age"].high) == (1.0, 39.0)
    assert (columns["when"].low, columns["when"].high) == ("1970-01-01", "1970-02-09")
    assert columns["code"].distinct == 2
    assert columns["species"].distinct == 2
    assert found.resident != streamed
    assert found.duplicates == 0
    text = str(found)
    assert "id-like       id, number" in text
    assert "40 cells" not in text
    assert "60 cells" in text
    json.dumps(found.to_dict())


@pytest.mark.parametrize(("name", "kinds", "is_class"), [("size", 20, True), ("size", 21, False), ("label", 50, True)])
def test_many_whole_numbers_are_a_quantity_unless_named(name: str, kinds: int, is_class: bool) -> None:
    table = pa.table({"a": RNG.normal(size=500), name: np.arange(500) % kinds})
    assert data.inspect(table).class_column == (name if is_class else None)


def test_images_of_several_sizes(tmp_path: Path) -> None:
    for i, size in enumerate([(4, 5), (4, 5), (6, 5)]):
        Image.fromarray(RNG.integers(0, 200, size).astype(np.uint8)).save(tmp_path / f"{i}.png")
    found = data.inspect(tmp_path, sizes="group")
    assert found.shapes == {"4 x 5": 2, "6 x 5": 1}
    assert found.shape == (None, 5)
    assert "sizes         4 x 5: 2, 6 x 5: 1" in str(found)


def test_labels_are_counted() -> None:
    found = data.inspect("digits")
    assert found.class_counts["0"] == 178
    assert found.class_column is None
    text = str(found)
    assert "1,797" in text
    assert "8 x 8 (height x width)" in text
    assert "0 to 16" in text


def test_text_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abcd" * 40)
    found = data.inspect(tmp_path / "a.txt", window=8)
    assert (found.kind, found.n, found.duplicates, found.shape) == ("text", 20, 19, (8,))


def shuffled_columns(n: int = 60) -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "year": np.arange(1960, 1960 + n),
            "gaps": np.sort(rng.choice(3 * n, n, replace=False)),
            "key": pa.array(2**64 - 1 - np.arange(n, dtype=np.uint64) * 3),
            "price": np.sort(rng.choice(10**6, n, replace=False)),
            "grade": np.repeat(np.arange(n // 6), 6),
            "name": [f"n{i}" for i in range(n)],
            "size": pa.array(np.sort(rng.normal(size=n)).astype(np.float16)),
            "when": pa.array(np.arange(n).astype("datetime64[ns]")),
            "took": pa.array(np.arange(n) * 10**9, pa.duration("ns")),
        }
    )


def test_what_a_column_is_does_not_hang_on_the_order_of_its_rows() -> None:
    table = shuffled_columns()
    mixed = table.take(np.random.default_rng(0).permutation(len(table)))
    found = [data.inspect(each).to_dict() for each in (table, mixed)]
    assert all(found[0][name] == found[1][name] for name in found[0] if name != "nbytes")
    assert found[0]["id_like"] == ["year", "gaps", "key", "name"]
    columns = {column["name"]: column for column in found[0]["columns"]}
    assert (columns["key"]["low"], columns["key"]["high"]) == (2**64 - 178, 2**64 - 1)
    assert not columns["key"]["constant"]
    assert (columns["when"]["low"], columns["when"]["high"]) == (
        "1970-01-01T00:00:00.000000000",
        "1970-01-01T00:00:00.000000059",
    )
    assert columns["took"]["high"] == 59.0


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_large_whole_numbers_of_a_matrix_are_not_rounded(dtype: type) -> None:
    top = np.iinfo(dtype).max
    matrix = np.stack([top - np.arange(20, dtype=dtype) % 3, np.arange(20, dtype=dtype)], axis=1)
    found = data.inspect(matrix)
    assert found.constant == []
    assert (found.columns[0].low, found.columns[0].high, found.high) == (top - 2, top, top)
    assert found.id_like == ["1"]
    assert str(top) in str(found)


def test_all_distinct_is_told_of_more_values_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.numbering.REMEMBERED", 64)
    values = np.random.default_rng(0).permutation(5000)
    distinct, twins = AllDistinct(), AllDistinct()
    for part in np.split(values, 10):
        distinct.update(part)
        twins.update(part // 2)
    assert distinct.holds
    assert not twins.holds

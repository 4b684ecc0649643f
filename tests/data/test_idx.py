from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from isthmus import data
from isthmus.data import stores
from isthmus.errors import DataError
from isthmus.idx import is_idx

CODES = {"uint8": 8, "int8": 9, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def content(array: np.ndarray) -> bytes:
    head = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", list(CODES))
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read(tmp_path: Path, dtype: str, packed: bool) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / ("a-idx3" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(content(array)) if packed else content(array))
    opened = data.open(path)
    assert (opened.schema.kind, opened.schema.dtype) == ("image", dtype)
    np.testing.assert_array_equal(opened.array, array)
    assert opened.array.flags.writeable


@pytest.mark.parametrize("packed_labels", [False, True])
def test_labels_beside_images_are_found(tmp_path: Path, packed_labels: bool) -> None:
    images, labels = np.zeros((5, 2, 2), np.uint8), np.arange(5, dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content(images)))
    name = "train-labels-idx1-ubyte" + (".gz" if packed_labels else "")
    (tmp_path / name).write_bytes(gzip.compress(content(labels)) if packed_labels else content(labels))
    opened = data.open(tmp_path / "train-images-idx3-ubyte.gz")
    assert opened.labels.tolist() == [0, 1, 2, 3, 4]
    assert opened.notes == [f"labels were read from {name}."]


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t-images-idx3-ubyte").write_bytes(content(np.zeros((5, 2, 2), np.uint8)))
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(content(np.zeros(4, np.uint8)))
    with pytest.raises(DataError, match="labels must hold one value for each of the 5 records, got 4"):
        data.open(tmp_path / "t-images-idx3-ubyte")


def test_matrix_and_mapped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(60, dtype=np.int32).reshape(20, 3)
    (tmp_path / "m.idx").write_bytes(content(array))
    assert data.open(tmp_path / "m.idx").schema.kind == "array"
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    opened = data.open(tmp_path / "m.idx")
    assert not opened.resident
    np.testing.assert_array_equal(opened.chunk(5, 8), array[5:8])


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_refused(tmp_path: Path, packed: bool) -> None:
    good = content(np.arange(60, dtype=np.uint8).reshape(5, 3, 4))
    path = tmp_path / ("x-idx3-ubyte" + (".gz" if packed else ""))
    for bad in (
        good[:-1],
        good + b"\0",
        good[:10],
        good[:2],
        b"\0\0\x08\x03" + b"\xff" * 12,
        b"\0\0\x07\x03" + good[4:],
    ):
        path.write_bytes(gzip.compress(bad) if packed else bad)
        with pytest.raises(DataError, match="cannot be read"):
            data.open(path)
    if packed:
        path.write_bytes(gzip.compress(good)[:-12])
        with pytest.raises(DataError, match="truncated or damaged"):
            data.open(path)


def test_labels_alone_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "l-labels-idx1-ubyte").write_bytes(content(np.zeros(4, np.uint8)))
    with pytest.raises(DataError, match="it holds 4 labels, not records; open the file of images"):
        data.open(tmp_path / "l-labels-idx1-ubyte")


def test_magic_numbers() -> None:
    assert is_idx(b"\0\0\x08\x03")
    assert not is_idx(b"\0\0\x08\x05")
    assert not is_idx(b"\x89PNG")
    assert not is_idx(b"")

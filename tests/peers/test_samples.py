"""A file in the forms in which codecs take it, and when two of these are the same."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from isthmus.peers.samples import Sample, differs


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_text_is_cut_at_its_own_separator(separator: str) -> None:
    text = "".join(separator.join(row) + "\n" for row in [("a", "b"), *[(str(n), str(n * n)) for n in range(9)]])
    assert Sample(Path("x.csv"), text.encode()).table.column_names == ["a", "b"]


def test_parquet_is_known_by_its_first_bytes() -> None:
    file = io.BytesIO()
    table = pa.table({"x": [1.5, None, 2.0]})
    parquet.write_table(table, file)
    assert Sample(Path("x"), file.getvalue()).table.equals(table)


def test_arrays_and_pictures_are_those_in_the_file() -> None:
    array = np.arange(12, dtype=">i2").reshape(3, 4)
    assert not differs(Sample(Path("x.npy"), npy(array)).array, array)
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert (np.asarray(Sample(Path("x.png"), png(pixels)).picture) == pixels).all()


def test_palettes_become_what_all_formats_take() -> None:
    file = io.BytesIO()
    picture = Image.new("P", (3, 2))
    picture.putpalette([9, 8, 7, 1, 2, 3])
    picture.save(file, "PNG", transparency=0)
    found = Sample(Path("x.png"), file.getvalue()).picture
    assert (found.mode, found.getpixel((0, 0))) == ("RGBA", (9, 8, 7, 0))


def test_colours_of_16_bits_are_refused_rather_than_made_8_bits() -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" + bytes(range(6)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="16 bits"):
        _ = Sample(Path("x.png"), data).picture


def test_what_is_the_same_and_what_is_not() -> None:
    assert differs(b"a", b"b")
    assert not differs(b"a", b"a")
    assert differs(np.float32([0.0]), np.float32([-0.0]))
    assert differs(np.float32([0.0]), np.float64([0.0]))
    assert not differs(np.array([np.nan]), np.array([np.nan]))
    with_nan = pa.table({"x": [1.0, float("nan"), None]})
    assert not differs(with_nan, pa.table({"x": [1.0, float("nan"), None]}))
    assert differs(with_nan, pa.table({"x": [1.0, None, None]}))
    assert differs(with_nan, pa.table({"x": [2.0, float("nan"), None]}))
    assert differs(pa.table({"x": ["a"]}), pa.table({"x": ["b"]}))
    assert differs(Image.new("L", (2, 2)), Image.new("RGB", (2, 2)))

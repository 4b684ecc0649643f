"""PNG files as pixels and chunks: they come back byte for byte, and what is no such file is kept as bytes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from isthmus.coding import contents
from isthmus.coding.container import Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.pictures import PngPicture
from isthmus.coding.recognising import recognised
from isthmus.coding.stream import Lost, Reader, salvage
from isthmus.errors import IsthmusError

Y, X = np.mgrid[:37, :41]
GREY = ((np.sin(X / 5) + np.cos(Y / 7)) * 60 + 128 + (X * Y * 13 % 7)).astype("u1")
RGB = np.dstack([GREY, GREY // 2 + 40, 255 - GREY])
RGBA = np.dstack([RGB, (GREY > 120) * 255]).astype("u1")


def png(picture: Image.Image, **options: object) -> bytes:
    into = io.BytesIO()
    picture.save(into, "PNG", **options)
    return into.getvalue()


def with_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "an isthmus")
    info.add_itxt("Comment", "two seas", zip=True)
    return info


FILES = {
    "colour": png(Image.fromarray(RGB)),
    "colour with text and density": png(Image.fromarray(RGB), pnginfo=with_text(), dpi=(300, 300)),
    "hidden colours under alpha": png(Image.fromarray(RGBA), compress_level=9),
    "grey": png(Image.fromarray(GREY), optimize=True),
    "grey of 16 bits": png(Image.fromarray(GREY.astype("u2") * 257 + 3)),
    "grey with alpha": png(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)])),
    "one bit": png(Image.fromarray(GREY > 128)),
    "a palette": png(Image.fromarray(RGB).quantize(50)),
    "a palette of two bits": png(Image.fromarray(GREY).quantize(4), bits=2),
    "one pixel": png(Image.fromarray(RGB[:1, :1])),
    "a drawing": png(Image.fromarray(np.where((X // 9 + Y // 9) % 2, 255, 0).astype("u1"))),
}


def compressed(data: bytes) -> bytes:
    into = io.BytesIO()
    contents.write(into, PngPicture(io.BytesIO(data)))
    return into.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_a_png_file_comes_back(name: str) -> None:
    data = FILES[name]
    picture = PngPicture(io.BytesIO(data))
    back = Reader(io.BytesIO(compressed(data))).readall()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(back))), np.asarray(Image.open(io.BytesIO(data))))
    assert picture.is_exact  # zlib is the one that wrote it
    assert back == data


def test_a_picture_is_smaller_than_the_png_file() -> None:
    assert len(compressed(FILES["colour"])) < 0.8 * len(FILES["colour"])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEAD = b"\x89PNG\r\n\x1a\n"
SIZE = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
PIXELS = chunk(b"IDAT", zlib.compress(b"\0abcd" * 4))
END = chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin like a PNG, .npy or IDX file"),
        (b"GIF89a", "does not begin like a PNG, .npy or IDX file"),
        (HEAD + chunk(b"IHDR", SIZE[:-1] + b"\1") + PIXELS + END, "is interlaced"),
        (HEAD + chunk(b"IHDR", SIZE) + chunk(b"acTL", bytes(8)) + PIXELS + END, "is animated"),
        (HEAD + chunk(b"IHDR", SIZE) + PIXELS[:-1] + b"x" + END, "damaged"),
        (HEAD + chunk(b"IHDR", SIZE) + chunk(b"IDAT", zlib.compress(b"\0abcd" * 3)) + END, "fewer pixels"),
        (HEAD + chunk(b"IHDR", SIZE) + chunk(b"IDAT", zlib.compress(b"\0abcd" * 5)) + END, "more pixels"),
        (HEAD + chunk(b"IHDR", SIZE) + chunk(b"IDAT", zlib.compress(b"\7abcd" * 4)) + END, "filtered"),
        (FILES["colour"][:-30], ""),
    ],
)
def test_what_is_no_such_file_is_kept_as_bytes(data: bytes, why: str) -> None:
    found = recognised("x.png", io.BytesIO(data), "picture")
    assert found.content is None
    assert why in str(found.why_not)


def test_sizes_that_a_file_declares_are_no_memory() -> None:
    huge = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
    found = recognised("x.png", io.BytesIO(HEAD + chunk(b"IHDR", huge) + PIXELS + END), "picture")
    assert found.content is None


def test_no_altered_byte_gives_another_picture() -> None:
    content = compressed(FILES["grey"])
    for at in range(3, len(content), 7):
        altered = bytearray(content)
        altered[at] ^= 4
        with pytest.raises(IsthmusError):
            Reader(io.BytesIO(bytes(altered))).readall()


def test_what_is_lost_of_a_damaged_picture_is_black() -> None:
    content = bytearray(compressed(FILES["grey"]))
    content[-120] ^= 1  # in the only strip
    source = Source.of(bytes(content), "it")
    opened(source)
    found = list(salvage(source))
    read = np.asarray(Image.open(io.BytesIO(b"".join(piece for piece in found if isinstance(piece, bytes)))))
    assert [one.unit for one in found if isinstance(one, Lost)] == ["pixel"]
    assert read.shape == GREY.shape
    assert not read.any()


def test_what_a_picture_is_can_be_had_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.isth"
    path.write_bytes(compressed(FILES["colour"]))
    found = describe(path)
    assert (found["content"], found["unit"], found["units"]) == ("picture", "pixel", 37 * 41)

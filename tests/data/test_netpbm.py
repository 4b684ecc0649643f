from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus import data
from isthmus.errors import DataError

RNG = np.random.default_rng(0)
KEPT = "1 of 1 images hold values of 0 to {}, which were kept."


def opened(path: Path, content: bytes) -> tuple[np.ndarray, list[str]]:
    path.write_bytes(content)
    found = data.open(path)
    return found.take([0])[0], found.notes


@pytest.mark.parametrize("white", [1, 7, 15, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", [b"P2", b"P3", b"P5", b"P6"])
def test_values_are_kept(tmp_path: Path, kind: bytes, white: int) -> None:
    channels = 3 if kind in (b"P3", b"P6") else 1
    array = RNG.integers(0, white + 1, (4, 5, channels))
    array[0, 0] = white
    if kind in (b"P2", b"P3"):
        pixels = b"\n".join(b" ".join(str(value).encode() for value in row.ravel()) for row in array)
    else:
        pixels = array.astype("u1" if white < 256 else ">u2").tobytes()
    found, notes = opened(tmp_path / "a.pnm", kind + b"\n# a comment\n5 4\n%d\n" % white + pixels)
    expected = array[..., 0] if channels == 1 else array
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == ("bool" if white == channels == 1 else "uint8" if white < 256 else "uint16")
    assert notes == ([] if white in (255, 65535) or white == channels == 1 else [KEPT.format(white)])
    eight = data.open(tmp_path / "a.pnm", mode="grey" if channels == 1 else "rgb").take([0])[0]
    np.testing.assert_allclose(eight, expected * (255 / white), atol=0.51)


@pytest.mark.parametrize("content", [b"P1\n3 2\n1 0 1\n0 1 0\n", b"P1 3 2\n101010", b"P4\n3 2\n\xa0\x40"])
def test_bitmaps(tmp_path: Path, content: bytes) -> None:
    found, _ = opened(tmp_path / "a.pbm", content)
    # In a bitmap 1 is black.
    assert found.tolist() == [[False, True, False], [True, False, True]]


@pytest.mark.parametrize(
    ("kind", "depth", "white"),
    [("RGB", 3, 255), ("RGB_ALPHA", 4, 65535), ("GRAYSCALE", 1, 4095), ("GRAYSCALE_ALPHA", 2, 255), ("bands", 6, 255)],
)
def test_arbitrary_maps(tmp_path: Path, kind: str, depth: int, white: int) -> None:
    array = RNG.integers(0, white + 1, (4, 5, depth)).astype("u1" if white < 256 else ">u2")
    head = f"P7\nWIDTH 5\nHEIGHT 4\nDEPTH {depth}\nMAXVAL {white}\n# why\nTUPLTYPE {kind}\nENDHDR\n"
    found, _ = opened(tmp_path / "a.pam", head.encode() + array.tobytes())
    np.testing.assert_array_equal(found, array[..., 0] if depth == 1 else array)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_float_maps(tmp_path: Path, order: str, channels: int) -> None:
    array = RNG.normal(size=(4, 5, channels)).astype(np.float32)
    head = b"PF\n5 4\n" if channels == 3 else b"Pf\n5 4\n"
    head += b"-1.0\n" if order == "<" else b"1.0\n"
    found, notes = opened(tmp_path / "a.pfm", head + array[::-1].astype(f"{order}f4").tobytes())
    np.testing.assert_array_equal(found, array[..., 0] if channels == 1 else array)
    assert notes == []


def test_images_one_after_another_are_records(tmp_path: Path) -> None:
    content = b"".join(b"P5 2 1 255\n" + bytes([value, value]) for value in (1, 2, 3))
    (tmp_path / "a.pgm").write_bytes(content)
    found = data.open(tmp_path / "a.pgm")
    assert found.array[:, 0, 0].tolist() == [1, 2, 3]
    assert found.names == ["a.pgm#0", "a.pgm#1", "a.pgm#2"]


@pytest.mark.parametrize(
    "content",
    [
        b"P5\n5 4\n255\n" + bytes(19),
        b"P5\n5 4\n100\n" + b"\xff" * 20,
        b"P2\n5 4\n255\n1 2 3\n",
        b"P2\n2 1\n255\n1 x\n",
        b"P5\n0 4\n255\n",
        b"P5\n5 4\n70000\n" + bytes(40),
        b"P7\nWIDTH 5\n",
        b"P5\n5 4\n255\n" + bytes(20) + b"rubbish",
    ],
)
def test_damage_gives_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pgm' cannot be read"):
        data.open(tmp_path / "a.pgm")

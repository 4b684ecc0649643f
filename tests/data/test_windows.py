"""A window of a picture file holds what the whole picture holds there, and no more of the file is decoded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from isthmus.data import images, tiff
from isthmus.data.windows import Picture
from isthmus.errors import DataError, DataTypeError, ShapeError

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 83, 61


def values(dtype: str, *shape: int) -> np.ndarray:
    """Return values over the whole range of a type."""
    if np.dtype(dtype).kind == "f":
        return (RNG.normal(size=shape) * 1000).astype(dtype)
    if dtype == "bool":
        return RNG.random(shape) > 0.5
    return np.frombuffer(RNG.bytes(math.prod(shape) * np.dtype(dtype).itemsize), dtype).reshape(shape)


def windows() -> list[tuple[int, int, int, int]]:
    """Return windows: the whole, the corners, one pixel, and some at random."""
    found = [(0, 0, HEIGHT, WIDTH), (0, 0, 1, 1), (HEIGHT - 1, WIDTH - 1, 1, 1), (40, 0, 43, 7), (0, 30, 5, 31)]
    for _ in range(8):
        top, left = int(RNG.integers(HEIGHT)), int(RNG.integers(WIDTH))
        found.append((top, left, int(RNG.integers(1, HEIGHT - top + 1)), int(RNG.integers(1, WIDTH - left + 1))))
    return found


def check(path: Path, array: np.ndarray, *, by_windows: bool = True) -> Picture:
    """Check that every window of a file is that of an array."""
    picture = Picture(path)
    assert picture.by_windows == by_windows
    assert picture.shape == array.shape
    assert picture.header.dtype == array.dtype.name
    with picture.opened() as read:
        for top, left, height, width in windows():
            found = read(top, left, height, width)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array[top : top + height, left : left + width])
    return picture


@pytest.mark.parametrize("layout", [{"rowsperstrip": 8}, {"rowsperstrip": 1000}, {"tile": (16, 32)}])
@pytest.mark.parametrize("packed", [None, "zlib"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_in_strips_tiles_and_planes(
    tmp_path: Path, layout: dict, packed: str | None, planes: str, dtype: str
) -> None:
    array = values(dtype, HEIGHT, WIDTH, 3)
    stored = array if planes == "contig" else np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planes, compression=packed, **layout)
    check(tmp_path / "a.tif", array)


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool"])
def test_tiff_as_other_programs_pack_it(tmp_path: Path, packing: str, dtype: str) -> None:
    array = values(dtype, HEIGHT, WIDTH)
    Image.fromarray(array).save(tmp_path / "a.tif", compression=packing, tiffinfo={278: 7})
    check(tmp_path / "a.tif", array)


@pytest.mark.parametrize(("dtype", "predictor"), [("uint16", 2), ("int32", 2), ("uint8", 2)])
def test_tiff_of_differences(tmp_path: Path, dtype: str, predictor: int) -> None:
    array = values(dtype, HEIGHT, WIDTH)
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(32, 16), compression="zlib", predictor=predictor)
    check(tmp_path / "a.tif", array)


def test_white_is_zero_is_turned_over_in_each_window(tmp_path: Path) -> None:
    array = values("uint8", HEIGHT, WIDTH)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite", rowsperstrip=9)
    assert any("white as 0" in note for note in check(tmp_path / "a.tif", 255 - array).notes)


def test_channels_in_pages_of_their_own(tmp_path: Path) -> None:
    array = values("uint16", 3, HEIGHT, WIDTH)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "CYX"})
    check(tmp_path / "a.tif", np.moveaxis(array, 0, -1))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1), (HEIGHT, WIDTH, 5)])
@pytest.mark.parametrize("dtype", ["bool", "uint8", ">u2", "float16", "int64"])
def test_arrays(tmp_path: Path, order: str, shape: tuple[int, ...], dtype: str) -> None:
    array = values(np.dtype(dtype).newbyteorder("=").name, *shape)
    np.save(tmp_path / "a.npy", np.asarray(array, dtype, order=order))
    check(tmp_path / "a.npy", array)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".ppm"])
def test_other_formats_are_decoded_whole(tmp_path: Path, suffix: str) -> None:
    array = values("uint8", HEIGHT, WIDTH, 3)
    Image.fromarray(array).save(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    check(tmp_path / f"a{suffix}", array, by_windows=False)


def test_a_page_that_is_to_be_turned_is_decoded_whole(tmp_path: Path) -> None:
    array = values("uint8", WIDTH, HEIGHT)
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[(274, 3, 1, 6, True)])
    picture = check(tmp_path / "a.tif", np.rot90(array, -1), by_windows=False)
    assert any("turned upright" in note for note in picture.notes)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_window_of_any_tiling(tmp_path: Path, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 50))
    bands = data.draw(st.sampled_from([1, 3, 5]))
    array = values("uint8", height, width, bands)
    tile = data.draw(st.none() | st.tuples(*[st.sampled_from([16, 32, 48])] * 2))
    rows = None if tile else data.draw(st.integers(1, 60))
    form = {"photometric": "rgb" if bands == 3 else "minisblack", "planarconfig": None if bands == 1 else "contig"}
    stored = array[..., 0] if bands == 1 else array
    packed = data.draw(st.sampled_from([None, "zlib"]))
    tifffile.imwrite(tmp_path / "a.tif", stored, tile=tile, rowsperstrip=rows, compression=packed, **form)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    sides = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    with Picture(tmp_path / "a.tif").opened() as read:
        found = read(top, left, *sides).reshape(*sides, bands)
    np.testing.assert_array_equal(found, array[top : top + sides[0], left : left + sides[1]])


# ------------------------------------------------------------------ what is decoded


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Return a list that takes the shape of every strip and tile that is unpacked."""
    shapes: list[tuple[int, int, int]] = []
    real = tiff._unpacked

    def counted(content: bytes, page: object, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        shapes.append(shape)
        return real(content, page, shape, dtype)

    monkeypatch.setattr(tiff, "_unpacked", counted)
    return shapes


def test_only_the_tiles_that_a_window_touches_are_unpacked(tmp_path: Path, unpacked: list) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values("uint8", 160, 160), tile=(16, 16), compression="zlib")
    with Picture(tmp_path / "a.tif").opened() as read:
        read(16, 32, 16, 32)
        assert len(unpacked) == 2
        read(15, 32, 18, 32)  # one row more above and below: the two in the middle are still held
        assert len(unpacked) == 6
        read(15, 32, 18, 32)
        assert len(unpacked) == 6


def test_only_the_strips_that_a_window_touches_are_unpacked(tmp_path: Path, unpacked: list) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values("uint8", 160, 160), rowsperstrip=10, compression="zlib")
    with Picture(tmp_path / "a.tif").opened() as read:
        read(25, 0, 10, 5)
        assert unpacked == [(10, 160, 1)] * 2


def test_one_strip_without_packing_is_read_in_pieces(
    tmp_path: Path, unpacked: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "PIECE_BYTES", 1600)
    array = values("uint8", 163, 160)
    tifffile.imwrite(tmp_path / "a.tif", array, rowsperstrip=163)
    with Picture(tmp_path / "a.tif").opened() as read:
        np.testing.assert_array_equal(read(155, 3, 8, 90), array[155:, 3:93])
    assert unpacked == [(10, 160, 1), (3, 160, 1)]


def test_what_is_kept_stays_within_its_bytes(tmp_path: Path, unpacked: list) -> None:
    array = values("uint8", 64, 64)
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(16, 16), compression="zlib")
    header = images.read_headers(tmp_path / "a.tif", None)[0]
    with tiff._opened(tmp_path / "a.tif") as file:
        page = tiff._page(file, header.place[0])
        reader = tiff.Windows(file, page, tmp_path / "a.tif", kept=600)
        for row in range(0, 64, 16):
            np.testing.assert_array_equal(reader.read(row, 0, 16, 64), array[row : row + 16])
            assert reader._slots.nbytes <= 600
        assert len(unpacked) == 16
        reader.read(48, 32, 16, 32)  # the last two were kept
        assert len(unpacked) == 16


def test_a_page_whose_strips_are_too_large_to_keep_is_decoded_whole(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values("uint8", 64, 64), rowsperstrip=64, compression="zlib")
    assert not Picture(tmp_path / "a.tif", kept=64 * 64 - 1).by_windows
    assert Picture(tmp_path / "a.tif", kept=64 * 64).by_windows


def test_a_page_of_more_pixels_than_pillow_allows_is_read_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = values("uint8", HEIGHT, WIDTH)
    tifffile.imwrite(tmp_path / "tiled.tif", array, tile=(16, 16), compression="zlib")
    Image.fromarray(array).save(tmp_path / "jpeg.tif", compression="jpeg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    check(tmp_path / "tiled.tif", array)
    with pytest.raises(DataError, match="more pixels than"):
        Picture(tmp_path / "jpeg.tif")


# ------------------------------------------------------------------ what is said, and refused


def test_the_first_of_several_pages_is_taken_and_said(tmp_path: Path) -> None:
    array = values("uint8", 4, HEIGHT, WIDTH)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    assert check(tmp_path / "a.tif", array[0]).notes == ["a.tif holds 4 pages or frames, of which the first was taken."]


def test_palettes_and_inks_are_converted_and_said(tmp_path: Path) -> None:
    colours = values("uint8", HEIGHT, WIDTH, 3)
    Image.fromarray(colours).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "inks.jpg")
    for name, mode in (("palette.png", "P"), ("inks.jpg", "CMYK")):
        picture = Picture(tmp_path / name)
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert picture.notes == [f"{name}: its pixels of mode {mode} were read as RGB."]


def test_profile_and_resolution_are_read(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(values("uint8", HEIGHT, WIDTH, 3))
    for name in ("a.png", "a.jpg", "a.tif"):
        picture.save(tmp_path / name, icc_profile=profile, dpi=(300, 150))
        found = Picture(tmp_path / name).surroundings
        assert found.profile == profile
        np.testing.assert_allclose(found.resolution, (300, 150), rtol=1e-3)


def test_a_profile_of_other_colours_is_left_out_and_said(tmp_path: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"CMYK"
    Image.fromarray(values("uint8", 5, 5, 3)).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=bytes(profile))
    found = Picture(tmp_path / "a.jpg")
    assert found.surroundings.profile is None
    assert found.notes[-1].endswith("which was left out.")


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for shape in ((5,), (2, 3, 4, 5), (0, 4), (4, 0, 3), (4, 4, 0)):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        with pytest.raises(ShapeError, match="picture"):
            Picture(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((3, 3), complex))
    with pytest.raises(DataError, match="Complex"):
        Picture(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((3, 3), "M8[s]"))
    with pytest.raises(DataTypeError, match="dates"):
        Picture(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.mp4", b"\0\0\0\x20ftypisom"),
        ("a.mkv", b"\x1a\x45\xdf\xa3\0\0"),
        ("a.avi", b"RIFF\0\0\0\0AVI LIST"),
        ("a.flv", b"FLV\x01\x05\0\0\0\x09"),
        ("a.wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c"),
        ("a.ts", (b"G@\0\x10" + bytes(184)) * 4),
        ("a.y4m", b"YUV4MPEG2 W4 H4 F25:1\nFRAME\n" + bytes(range(256))),
    ],
)
def test_a_film_is_refused_by_its_name(tmp_path: Path, name: str, head: bytes) -> None:
    (tmp_path / name).write_bytes(head + bytes(range(256)) * 4)
    with pytest.raises(DataError, match=r"film.*take its frames out"):
        Picture(tmp_path / name)


def test_a_tiff_file_that_was_cut_short_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values("uint8", 64, 64), tile=(16, 16), compression="zlib")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[-600:] = bytes(600)
    (tmp_path / "a.tif").write_bytes(content)
    with Picture(tmp_path / "a.tif").opened() as read, pytest.raises(DataError, match="damaged"):
        read(48, 48, 16, 16)

"""Pictures written tile by tile are read back as they were, and what a format cannot hold is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from isthmus.data import tiff
from isthmus.data.tiled_writing import FORMATS, Block, Layout, check, write
from isthmus.data.windows import Picture, Surroundings
from isthmus.errors import IsthmusError, OutputExistsError, ParameterError

RNG = np.random.default_rng(0)
LOSSLESS = [".png", ".tif", ".webp", ".bmp", ".ppm", ".npy"]


def values(dtype: str, *shape: int) -> np.ndarray:
    """Return values over the whole range of a type."""
    if np.dtype(dtype).kind == "f":
        return (RNG.normal(size=shape) * 1000).astype(dtype)
    if dtype == "bool":
        return RNG.random(shape) > 0.5
    return np.frombuffer(RNG.bytes(math.prod(shape) * np.dtype(dtype).itemsize), dtype).reshape(shape)


def blocks(array: np.ndarray, height: int = 48, width: int = 96) -> Iterator[Block]:
    """Yield the tiles of an array, row by row."""
    for top in range(0, array.shape[0], height):
        for left in range(0, array.shape[1], width):
            yield Block(top, left, array[top : top + height, left : left + width])


def layout(array: np.ndarray, alpha: bool | None = None, surroundings: Surroundings | None = None) -> Layout:
    alpha = array.ndim == 3 and array.shape[2] in (2, 4) if alpha is None else alpha
    return Layout(array.shape, array.dtype, alpha, surroundings or Surroundings())


def read(path: Path) -> np.ndarray:
    picture = Picture(path)
    with picture.opened() as windows:
        return windows(0, 0, *picture.shape[:2])


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("channels", [0, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int16", "uint64", "float16", "float32", "float64"])
def test_a_format_gives_back_what_it_takes(tmp_path: Path, suffix: str, channels: int, dtype: str) -> None:
    array = values(dtype, 100, 131, *([channels] if channels else []))
    path = tmp_path / f"a{suffix}"
    chosen = next(format for format in FORMATS if suffix in format.suffixes)
    if not chosen.takes(layout(array)):
        with pytest.raises(ParameterError, match="does not hold"):
            write(path, layout(array), blocks(array))
        assert not path.exists()
        return
    write(path, layout(array), blocks(array))
    found = read(path)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sides=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    tile=st.tuples(st.sampled_from([48, 96]), st.sampled_from([48, 96])),
    suffix=st.sampled_from([".tif", ".npy", ".png"]),
)
def test_any_size_and_any_tile(tmp_path: Path, sides: tuple[int, int], tile: tuple[int, int], suffix: str) -> None:
    array = values("uint16", *sides)
    write(tmp_path / f"a{suffix}", layout(array), blocks(array, *tile), force=True)
    np.testing.assert_array_equal(read(tmp_path / f"a{suffix}"), array)


def test_tiff_files_are_tiled_and_other_programs_read_them(tmp_path: Path) -> None:
    array = values("uint8", 100, 131, 3)
    write(tmp_path / "a.tif", layout(array), blocks(array))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert (file.pages[0].tilelength, file.pages[0].tilewidth) == (48, 96)
        assert not file.is_bigtiff
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), array)


def test_large_tiff_files_are_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "CLASSIC_BYTES", 10_000)
    array = values("uint8", 100, 131)
    write(tmp_path / "a.tif", layout(array), blocks(array))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), array)


def test_bands_do_not_become_transparency(tmp_path: Path) -> None:
    array = values("uint8", 20, 30, 4)
    write(tmp_path / "a.tif", layout(array, alpha=False), blocks(array))
    assert not Picture(tmp_path / "a.tif").header.alpha
    with pytest.raises(ParameterError, match=r"\.tif, \.npy"):
        check(tmp_path / "a.png", layout(array, alpha=False))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (values("uint16", 4, 4), r"JPEG does not hold uint16 values of 1 channel; write one of \.png, \.tif, .*\.npy"),
        (values("float32", 4, 4), r"float32 .* write one of \.tif, \.npy"),
        (values("uint8", 4, 4, 6), r"6 channels; write one of \.tif, \.npy"),
        (values("uint8", 4, 4, 4), r"4 channels, the last of them transparency; write one of \.png, \.tif, \.webp"),
    ],
)
def test_jpeg_is_refused_with_the_formats_that_hold_it(tmp_path: Path, array: np.ndarray, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        check(tmp_path / "a.jpg", layout(array))


def test_a_name_of_no_format_is_refused(tmp_path: Path) -> None:
    array = values("uint8", 4, 4)
    for name in ("a.gif", "a.heic", "a"):
        with pytest.raises(ParameterError, match=r"give it one of \.png, \.jpg"):
            check(tmp_path / name, layout(array))


def test_jpeg_files_have_all_of_the_colours(tmp_path: Path) -> None:
    # Red and blue pixels side by side: with a quarter of the colours they would be one purple.
    array = np.zeros((64, 64, 3), np.uint8)
    array[:, ::2, 0] = array[:, 1::2, 2] = 255
    write(tmp_path / "a.jpg", layout(array), blocks(array))
    found = read(tmp_path / "a.jpg").astype(int)
    assert abs(found - array).max() < 40


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
def test_profile_and_resolution_are_kept_where_there_is_a_place(tmp_path: Path, suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    array = values("uint8", 20, 30, 3)
    write(tmp_path / f"a{suffix}", layout(array, surroundings=Surroundings(profile, (300.0, 150.0))), blocks(array))
    found = Picture(tmp_path / f"a{suffix}").surroundings
    assert found.profile == profile
    if suffix not in (".webp", ".avif"):
        np.testing.assert_allclose(found.resolution, (300, 150), rtol=1e-3)


def test_profile_and_resolution_are_kept_in_deep_png_files(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    array = values("uint16", 20, 30, 3)
    write(tmp_path / "a.png", layout(array, surroundings=Surroundings(profile, (300.0, 150.0))), blocks(array))
    found = Picture(tmp_path / "a.png").surroundings
    assert found.profile == profile
    np.testing.assert_allclose(found.resolution, (300, 150), rtol=1e-3)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), array)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    array = values("uint8", 4, 4)
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match="force"):
        write(tmp_path / "a.png", layout(array), blocks(array))
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    write(tmp_path / "a.png", layout(array), blocks(array), force=True)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), array)


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, suffix: str, largest_file: Callable[[int], AbstractContextManager[None]]
) -> None:
    array, path = values("uint8", 200, 200), tmp_path / f"a{suffix}"
    path.write_bytes(b"mine")
    with largest_file(2000), pytest.raises(IsthmusError, match="could not be written"):
        write(path, layout(array), blocks(array), force=True)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png"])
def test_work_that_ends_early_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    array = values("uint8", 200, 200)

    def interrupted() -> Iterator[Block]:
        yield from list(blocks(array))[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"a{suffix}", layout(array), interrupted())
    assert not list(tmp_path.iterdir())

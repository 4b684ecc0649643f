"""A picture file of any size and type becomes a restored file of the same, and what cannot be is refused beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from isthmus.data import images
from isthmus.data.windows import Picture
from isthmus.errors import DataError, OutOfMemoryError, OutputExistsError, ParameterError, ShapeError
from isthmus.networks.restoring import RestoringNetwork, planes
from isthmus.tasks.pictures import RestoredFile, restore_file
from isthmus.tasks.pixels import Pixels
from isthmus.tasks.tiling import Enlarged, Source, Tile, Whole, tiles

RNG = np.random.default_rng(0)
SIZES = [(1, 1), (7, 13), (355, 32), (431, 1073)]


class Copies:
    """A restorer that restores nothing: it gives back what it reads, enlarged."""

    def tiles_of(
        self, source: Source, pixels: Pixels, *, known: Tensor | None = None, scale: int = 1, deblur: bool = False
    ) -> Iterator[tuple[Tile, NDArray[Any]]]:
        given = source if scale == 1 else Enlarged(source, scale)
        for tile in tiles(*given.shape[:2], reach=24, core=96):
            yield tile, pixels.from_unit(tile.core(tile.read(given)))


class Small:
    """A restorer of a small network that changes pictures a lot."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = RestoringNetwork(channels=(8, 8, 8), encoder=(1, 0, 0), decoder=(1, 0)).eval()
        torch.nn.init.normal_(self.network.last.weight, std=0.05)

    @torch.no_grad()
    def tiles_of(
        self, source: Source, pixels: Pixels, *, known: Tensor | None = None, scale: int = 1, deblur: bool = False
    ) -> Iterator[tuple[Tile, NDArray[Any]]]:
        given = source if scale == 1 else Enlarged(source, scale)
        for tile in tiles(*given.shape[:2], self.network.reach):
            x = tile.read(given)
            seen = None if known is None else tile.read(Whole(known))[None]
            for group in pixels.groups:
                colours = x[list(group)].expand(3, -1, -1)[None]
                made = self.network(planes(colours, seen, scale=scale, deblur=deblur), tile.periodic)[0]
                x[list(group)] = made if len(group) == 3 else made.mean(0, keepdim=True)
            yield tile, pixels.from_unit(tile.core(x))


def values(dtype: str, *shape: int) -> np.ndarray:
    """Return numbers between black and white, floats between 0 and 1."""
    found = RNG.random(shape)
    if dtype == "bool":
        return found > 0.5
    return found.astype(dtype) if dtype.startswith("f") else (found * np.iinfo(dtype).max).astype(dtype)


def read(path: Path) -> np.ndarray:
    picture = Picture(path)
    with picture.opened() as windows:
        return windows(0, 0, *picture.shape[:2])


def saved(path: Path, array: np.ndarray) -> Path:
    """Write an array as the suffix says, and return the path."""
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".tif":
        form = "rgb" if array.ndim == 3 and array.shape[2] in (3, 4) else "minisblack"
        extra = {"extrasamples": ["unassalpha"]} if array.shape[2:] in ((2,), (4,)) else {}
        contiguous = "contig" if array.ndim == 3 else None
        tifffile.imwrite(
            path, array, tile=(64, 48), photometric=form, planarconfig=contiguous, compression="zlib", **extra
        )
    else:
        Image.fromarray(array).save(path)
    return path


# ------------------------------------------------------------------ sizes and types


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 0)])
@pytest.mark.parametrize("names", [("a.tif", "b.tif"), ("a.npy", "b.npy"), ("a.tif", "b.png")])
def test_any_size_keeps_its_shape_and_type(
    tmp_path: Path, size: tuple[int, int], dtype: str, channels: int, names: tuple[str, str]
) -> None:
    array = values(dtype, *size, *([channels] if channels else []))
    done = restore_file(Small(), saved(tmp_path / names[0], array), tmp_path / names[1])
    found = read(tmp_path / names[1])
    assert found.shape == done.shape == array.shape
    assert found.dtype == array.dtype == done.dtype
    assert done.by_windows == (names[1] != "b.png")
    assert done.megapixels == pytest.approx(size[0] * size[1] / 1e6)
    assert size == (1, 1) or (found != array).any()


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4, 6])
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int64", "uint64", "float16", "float32", "float64"]
)
def test_any_type_and_number_of_channels(tmp_path: Path, dtype: str, channels: int) -> None:
    array = values(dtype, 30, 41, *([channels] if channels else []))
    path = saved(tmp_path / "a.npy", array)
    restore_file(Copies(), path, tmp_path / "b.npy")
    found = np.load(tmp_path / "b.npy")
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    np.testing.assert_allclose(found.astype(float), array.astype(float), rtol=1e-3 if dtype == "float16" else 1e-6)
    for scale in (2, 3, 4):
        restore_file(Small(), path, tmp_path / "b.npy", scale=scale, force=True)
        found = np.load(tmp_path / "b.npy")
        assert found.dtype == array.dtype
        assert found.shape == (30 * scale, 41 * scale, *array.shape[2:])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 220), st.integers(1, 220)),
    channels=st.sampled_from([0, 3, 4]),
    suffixes=st.tuples(st.sampled_from([".npy", ".tif", ".png"]), st.sampled_from([".npy", ".tif", ".png"])),
    scale=st.integers(1, 4),
)
def test_what_is_restored_does_not_depend_on_the_files(
    tmp_path: Path, size: tuple[int, int], channels: int, suffixes: tuple[str, str], scale: int
) -> None:
    array = values("uint8", *size, *([channels] if channels else []))
    given_ = saved(tmp_path / f"a{suffixes[0]}", array)
    output = tmp_path / f"b{suffixes[1]}"
    restore_file(Small(), given_, output, scale=scale, force=True)
    reference = tmp_path / "reference.npy"
    restore_file(Small(), saved(tmp_path / "reference_in.npy", array), reference, scale=scale, force=True)
    np.testing.assert_array_equal(read(output), np.load(reference))


def test_a_pixel_does_not_depend_on_the_size_of_the_picture(tmp_path: Path) -> None:
    array = values("float32", 700, 650)
    restore_file(Small(), saved(tmp_path / "a.npy", array), tmp_path / "large.npy")
    restore_file(Small(), saved(tmp_path / "b.npy", array[:200, :300]), tmp_path / "small.npy")
    reach = Small().network.reach
    large, small = np.load(tmp_path / "large.npy"), np.load(tmp_path / "small.npy")
    np.testing.assert_allclose(small[:-reach, :-reach], large[: 200 - reach, : 300 - reach], atol=1e-5)


def test_12_bits_in_16_are_seen_as_such_in_a_picture_that_is_read_by_windows(tmp_path: Path) -> None:
    array = values("uint16", 300, 200) // 16
    array[299, 199] = 4095  # in the last tile
    restore_file(Small(), saved(tmp_path / "a.tif", array), tmp_path / "b.tif")
    found = read(tmp_path / "b.tif")
    restore_file(Small(), saved(tmp_path / "eight.npy", array / np.float64(4095)), tmp_path / "eight_b.npy")
    np.testing.assert_allclose(found, np.load(tmp_path / "eight_b.npy").clip(0, 1) * 4095, atol=1)


# ------------------------------------------------------------------ transparency


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 4), ("uint16", 4), ("uint8", 2), ("float64", 2)])
def test_transparency_comes_back_as_it_is(tmp_path: Path, dtype: str, channels: int) -> None:
    array = values(dtype, 60, 70, channels)
    restore_file(Small(), saved(tmp_path / "a.tif", array), tmp_path / "b.tif")
    found = read(tmp_path / "b.tif")
    np.testing.assert_array_equal(found[..., -1], array[..., -1])
    assert (found[..., 0] != array[..., 0]).any()


def test_transparency_is_enlarged_by_bicubic_interpolation(tmp_path: Path) -> None:
    array = values("uint8", 20, 31, 4)
    restore_file(Small(), saved(tmp_path / "a.png", array), tmp_path / "b.png", scale=3)
    floats = Image.fromarray(array[..., 3].astype(np.float32))
    pillow = np.asarray(floats.resize((93, 60), Image.Resampling.BICUBIC)).clip(0, 255)
    found = read(tmp_path / "b.png")[..., 3].astype(int)
    assert abs(found - pillow)[9:-9, 9:-9].max() <= 1


def test_opaque_stays_opaque_beside_colours_of_few_bits(tmp_path: Path) -> None:
    array = values("uint16", 20, 31, 4) // 16
    array[..., 3] = 65535
    restore_file(Small(), saved(tmp_path / "a.tif", array), tmp_path / "b.tif", scale=2)
    assert (read(tmp_path / "b.tif")[..., 3] == 65535).all()


# ------------------------------------------------------------------ what is missing


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64", "float64", "bool"])
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_what_is_known_comes_back_bit_for_bit(tmp_path: Path, dtype: str, channels: int) -> None:
    array = values(dtype, 130, 90, *([channels] if channels else []))
    mask = RNG.random((130, 90)) < 0.3
    done = restore_file(Small(), saved(tmp_path / "a.npy", array), tmp_path / "b.npy", mask=mask)
    found = np.load(tmp_path / "b.npy")
    np.testing.assert_array_equal(found[~mask], array[~mask])
    assert (found[mask] != array[mask]).any()
    assert done.missing == mask.sum()


def test_what_stands_in_a_hole_has_no_say(tmp_path: Path) -> None:
    array = values("uint16", 130, 90) // 16
    mask = np.zeros((130, 90), np.uint8)
    mask[20:50, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    outputs = []
    for number, value in enumerate((0, 65535)):
        array[mask > 0] = value
        restore_file(
            Small(), saved(tmp_path / f"{number}.tif", array), tmp_path / f"out{number}.tif", mask=tmp_path / "mask.png"
        )
        outputs.append(read(tmp_path / f"out{number}.tif"))
    np.testing.assert_array_equal(*outputs)
    assert outputs[0].max() <= 4095


def test_missing_numbers_are_filled_and_said(tmp_path: Path) -> None:
    array = values("float32", 90, 80, 3)
    array[10:20, 30:40, 1] = np.nan
    array[50, 60] = np.inf
    path = saved(tmp_path / "a.npy", array)
    for scale in (1, 2):
        done = restore_file(Small(), path, tmp_path / "b.npy", scale=scale, force=True)
        assert np.isfinite(np.load(tmp_path / "b.npy")).all()
        assert done.notes == ("a.npy: 101 pixels were missing (NaN or infinite), and filled.",)
    restore_file(Small(), path, tmp_path / "b.npy", only_missing=True, force=True)
    found = np.load(tmp_path / "b.npy")
    np.testing.assert_array_equal(found[np.isfinite(array)], array[np.isfinite(array)])
    assert np.isfinite(found).all()


def test_a_mask_and_missing_numbers_are_filled_together(tmp_path: Path) -> None:
    array = values("float32", 90, 80)
    array[10:20] = np.nan
    mask = np.zeros((90, 80), bool)
    mask[:, 5] = True
    done = restore_file(Small(), saved(tmp_path / "a.npy", array), tmp_path / "b.npy", mask=mask)
    assert done.missing == 800 + 80
    assert mask.sum() == 90  # nobody wrote into it
    holes = mask | np.isnan(array)
    found = np.load(tmp_path / "b.npy")
    np.testing.assert_array_equal(found[~holes], array[~holes])


def test_masks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", values("uint8", 20, 30))
    with pytest.raises(ShapeError, match=r"height and width of the picture, \(20, 30\)"):
        restore_file(Small(), path, tmp_path / "b.png", mask=np.ones((30, 20), bool))
    with pytest.raises(DataError, match=r"all pixels of a\.png are missing"):
        restore_file(Small(), path, tmp_path / "b.png", mask=np.ones((20, 30), bool))
    with pytest.raises(ParameterError, match=r"the mask marks no pixel of 'a\.png'"):
        restore_file(Small(), path, tmp_path / "b.png", mask=np.zeros((20, 30), bool))
    with pytest.raises(ParameterError, match=r"nothing says what of 'a\.png' is missing"):
        restore_file(Small(), path, tmp_path / "b.png", only_missing=True)
    with pytest.raises(ParameterError, match="leave out the scale"):
        restore_file(Small(), path, tmp_path / "b.png", mask=np.eye(20, 30, dtype=bool), scale=2)
    np.save(tmp_path / "nan.npy", np.full((4, 4), np.nan))
    with pytest.raises(DataError, match=r"all pixels of nan\.npy are missing"):
        restore_file(Small(), tmp_path / "nan.npy", tmp_path / "b.npy")
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("b.")]


# ------------------------------------------------------------------ memory


def test_what_takes_too_much_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", values("uint8", 100, 100, 3))
    decoded: list[Path] = []
    real = images.decode
    monkeypatch.setattr(
        images, "decode", lambda path, *rest, **named: (decoded.append(path), real(path, *rest, **named))[1]
    )
    with pytest.raises(
        OutOfMemoryError, match="decoded whole, and 59,999 are allowed; save it as a tiled TIFF"
    ) as found:
        restore_file(Copies(), path, tmp_path / "b.tif", memory=59_999)
    assert not decoded
    # Who does what the sentence says gets on.
    needed = int(re.findall(r"memory=(\d+)", str(found.value))[0])
    assert needed == 60_000
    restore_file(Copies(), path, tmp_path / "b.tif", memory=needed)
    restore_file(Copies(), saved(tmp_path / "tiled.tif", read(path)), tmp_path / "c.tif", memory=59_999 * 2)
    np.testing.assert_array_equal(read(tmp_path / "b.tif"), read(tmp_path / "c.tif"))


def test_a_result_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", values("uint8", 100, 100))
    with pytest.raises(OutOfMemoryError, match=r"320,000 bytes .* written whole, .*; write a \.tif or \.npy file"):
        restore_file(Copies(), path, tmp_path / "b.png", scale=4, memory=200_000)
    assert restore_file(Copies(), path, tmp_path / "b.tif", scale=4, memory=200_000).by_windows


# ------------------------------------------------------------------ files


def test_progress_is_told_tile_by_tile(tmp_path: Path) -> None:
    told: list[tuple[float, float, float]] = []
    path = saved(tmp_path / "a.png", values("uint8", 200, 150))
    restore_file(Copies(), path, tmp_path / "b.tif", progress=lambda *facts: told.append(facts))
    assert len(told) == 6
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == pytest.approx((0.03, 0.03))
    assert all(total == pytest.approx(0.03) and seconds >= 0 for _, total, seconds in told)


def test_a_file_may_be_restored_in_its_place(tmp_path: Path) -> None:
    array = values("uint8", 200, 150)
    path = saved(tmp_path / "a.tif", array)
    with pytest.raises(OutputExistsError):
        restore_file(Copies(), path, path)
    restore_file(Copies(), str(path), str(path), force=True)  # names do as well as paths
    np.testing.assert_array_equal(read(path), array)


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (values("uint16", 9, 9), "b.jpg"),
        (values("float32", 9, 9), "b.png"),
        (values("uint8", 9, 9, 4), "b.jpg"),
        (values("uint8", 9, 9, 6), "b.webp"),
        (values("uint8", 9, 9), "b.gif"),
    ],
)
def test_what_the_output_cannot_hold_is_refused(tmp_path: Path, array: np.ndarray, name: str) -> None:
    path = saved(tmp_path / "a.tif", array)
    with pytest.raises(ParameterError, match=r"\.npy"):
        restore_file(Copies(), path, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


def test_what_is_changed_on_the_way_is_said(tmp_path: Path) -> None:
    colours = [Image.fromarray(values("uint8", 20, 30, 3)) for _ in range(3)]
    colours[0].convert("CMYK").save(tmp_path / "inks.jpg")
    colours[0].save(tmp_path / "film.gif", save_all=True, append_images=colours[1:])

    def notes(name: str, output: str) -> tuple[str, ...]:
        done: RestoredFile = restore_file(Copies(), tmp_path / name, tmp_path / output)
        return done.notes

    assert notes("inks.jpg", "a.png") == ("inks.jpg: its pixels of mode CMYK were read as RGB.",)
    assert notes("film.gif", "b.png")[-1] == "film.gif holds 3 pages or frames, of which the first was taken."
    saved(tmp_path / "bands.npy", values("uint8", 20, 30, 5))
    assert notes("bands.npy", "c.npy") == ("bands.npy: its 5 bands were restored one by one, as grey pictures.",)
    saved(tmp_path / "alpha.npy", values("uint8", 20, 30, 4))
    assert "taken as transparency" in notes("alpha.npy", "d.npy")[0]


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", values("uint8", 300, 300))
    content = bytearray(path.read_bytes())
    content[40_000:70_000] = bytes(30_000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        restore_file(Copies(), path, tmp_path / "b.tif")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]

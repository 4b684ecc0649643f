"""Pictures with a loss that is stated: the step is the best that there is, and what is said of it is measured."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.coding.pictures import PictureCodec
from isthmus.coding.pictures.rounding import Rounding
from isthmus.coding.pictures.samples import rounded
from isthmus.errors import DataTypeError, ParameterError, ShapeError

from .samples import digits, noise, png_of, smooth

STACK = digits(6)
PHOTOGRAPHS = np.stack([smooth(12, 13, seed=k) for k in range(3)])


@pytest.fixture(scope="module")
def model() -> PictureCodec:
    return PictureCodec().fit(STACK)


def psnr(given: np.ndarray, found: np.ndarray, peak: float) -> float:
    return float(10 * np.log10(peak**2 / np.mean((given.astype(float) - found.astype(float)) ** 2)))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">i2", "u4"])
@pytest.mark.parametrize("step", [2, 7, 100])
def test_no_sample_is_off_by_more_than_half_a_step(dtype: str, step: int) -> None:
    samples = noise((50, 20), dtype)
    found = rounded(samples, step)
    assert found.dtype == samples.dtype
    assert np.abs(found.astype("i8") - samples.astype("i8")).max() <= step // 2
    assert len(np.unique(found)) <= -(-(np.iinfo(dtype).max - np.iinfo(dtype).min + 1) // step)


@pytest.mark.parametrize("wanted", [20.0, 38.0, 46.5])
def test_the_step_is_the_largest_that_keeps_a_quality(model: PictureCodec, wanted: float) -> None:
    made = Rounding.of_stack(STACK, model).within({"psnr": wanted})
    found = isthmus.decompress(made.data)
    assert made.psnr == pytest.approx(psnr(STACK, found, 255))
    assert made.psnr >= wanted > psnr(STACK, rounded(STACK, made.step + 1), 255)
    assert made.bpp == 8 * len(made.data) / STACK.size
    assert model.compress(STACK, psnr=wanted) == made.data


def test_the_step_is_the_smallest_that_keeps_a_size() -> None:
    codec = PictureCodec().fit(PHOTOGRAPHS)
    full = len(codec.compress(PHOTOGRAPHS))
    made = Rounding.of_stack(PHOTOGRAPHS, codec).within({"size": full // 2})
    assert len(made.data) <= full // 2
    assert len(Rounding.of_stack(PHOTOGRAPHS, codec)._file(made.step - 1, verify=False)) > full // 2
    by_rate = Rounding.of_stack(PHOTOGRAPHS, codec).within({"bpp": 8 * (full // 2) / (3 * 12 * 13)})
    assert by_rate.data == made.data


def test_what_needs_no_loss_is_coded_with_the_model(model: PictureCodec) -> None:
    for target in ({"psnr": 99.0}, {"size": 10**6}):
        made = Rounding.of_stack(STACK, model).within(target)
        assert (made.step, made.psnr, made.data) == (1, math.inf, model.compress(STACK))


def test_sixteen_bits_have_a_peak_of_their_own() -> None:
    stack = (PHOTOGRAPHS.astype("u2") * 257)[..., 0]
    made = Rounding.of_stack(stack, PictureCodec().fit(stack)).within({"psnr": 60.0})
    assert made.step > 100
    assert made.psnr == pytest.approx(psnr(stack, isthmus.decompress(made.data), 65535))


@pytest.mark.parametrize("pixels", [PHOTOGRAPHS[0], noise((6, 5, 4), "u1"), noise((6, 5), "u2")])
def test_png_files_keep_all_but_their_samples(pixels: np.ndarray) -> None:
    codec, content = PictureCodec().fit(pixels[None]), png_of(pixels, dpi=(300, 300))
    made = Rounding.of_file(io.BytesIO(content), codec, "a.png").within({"psnr": 40.0})
    picture = Image.open(io.BytesIO(isthmus.decompress(made.data)))
    assert np.array_equal(np.asarray(picture), rounded(pixels, made.step))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert made.psnr == pytest.approx(psnr(pixels, np.asarray(picture), np.iinfo(pixels.dtype).max))


def test_what_cannot_be_had_is_refused_and_the_nearest_said(model: PictureCodec) -> None:
    with pytest.raises(ParameterError, match=r"--size 10 \(size=\) cannot be met: the smallest file takes") as met:
        model.compress(STACK, size=10)
    nearest = int(str(met.value).partition("give ")[2].partition(" bytes")[0].replace(",", ""))
    assert len(model.compress(STACK, size=nearest)) <= nearest
    for targets, said in (
        ({"psnr": 30.0, "size": 10}, "exactly one of psnr, bpp and size"),
        ({"psnr": -1.0}, "--psnr must be"),
        ({"bpp": 0.0}, "--bpp must be"),
        ({"psnr": math.nan}, "--psnr must be"),
    ):
        with pytest.raises(ParameterError, match=said):
            model.compress(STACK, **targets)


def test_samples_without_even_steps_are_refused() -> None:
    for stack in (STACK > 99, STACK / 7):
        with pytest.raises(DataTypeError, match="stack: with a loss, samples must be whole numbers of 8 to 32 bits"):
            PictureCodec().fit(stack).compress(stack, psnr=40)
    into = io.BytesIO()
    palette = Image.fromarray(STACK[0]).quantize(8)
    palette.save(into, "PNG")
    codec, few = PictureCodec().fit(STACK), PictureCodec().fit(np.asarray(palette)[None])
    with pytest.raises(DataTypeError, match=r"a.png: with a loss.*got \d bits, or numbers of colours"):
        Rounding.of_file(io.BytesIO(into.getvalue()), few, "a.png")
    with pytest.raises(ShapeError, match="and the model is for"):
        codec.compress(STACK[:, :5], psnr=40)


def test_one_pixel_and_none(model: PictureCodec) -> None:
    one = STACK[:1, 7:8, 7:8]
    codec = PictureCodec().fit(one)
    assert isthmus.decompress(codec.compress(one, psnr=30), model=codec).shape == (1, 1, 1)
    assert isthmus.decompress(model.compress(STACK[:0], psnr=30), model=model).shape == (0, 14, 14)

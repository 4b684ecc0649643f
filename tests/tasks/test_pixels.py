"""Numbers of every type go to a restorer and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.tasks.pixels import Pixels

RNG = np.random.default_rng(0)


def of(array: np.ndarray, white: int = 0) -> Pixels:
    channels = array.shape[2] if array.ndim == 3 else 1
    return Pixels.of(array.dtype, channels, float(array.min()), float(array.max()), white=white)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["bool", "uint8", "uint16", "int16", "int8"]), st.sampled_from([0, 1, 2, 3, 4, 7]), st.data())
def test_whole_numbers_of_up_to_16_bits_come_back_exactly(dtype: str, channels: int, data: st.DataObject) -> None:
    limits = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low = data.draw(st.integers(*limits))
    high = data.draw(st.integers(low, limits[1]))
    array = RNG.integers(low, high, (3, 5, *([channels] if channels else [])), endpoint=True).astype(dtype)
    pixels = of(array)
    found = pixels.from_unit(pixels.to_unit(array))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found.reshape(array.shape), array)


@pytest.mark.parametrize("dtype", ["uint32", "int32", "uint64", "int64", "float16", "float32", "float64"])
def test_wider_numbers_come_back_within_what_float32_holds(dtype: str) -> None:
    if dtype.startswith("f"):
        array = (RNG.normal(size=(4, 5, 3)) * 1e4).astype(dtype)
    else:
        array = RNG.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (4, 5, 3), dtype, endpoint=True)
    pixels = of(array)
    found = pixels.from_unit(pixels.to_unit(array))
    assert found.dtype == array.dtype
    np.testing.assert_allclose(
        found.astype(float),
        array.astype(float),
        atol=2e-7 * (pixels.white - pixels.black),
        rtol=1e-3 if dtype == "float16" else 0,
    )


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "uint64", "int64", "float16"])
def test_what_a_network_overshoots_is_cut_at_what_the_type_holds(dtype: str) -> None:
    limits = (
        (0, 1)
        if dtype == "bool"
        else (-65504, 65504)
        if dtype == "float16"
        else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    )
    array = np.array([[*limits]], dtype)
    pixels = of(array)
    unit = pixels.to_unit(array)
    unit[0, 0, 0] -= 0.5
    unit[0, 0, 1] += 0.5
    found = pixels.from_unit(unit).astype(float)
    np.testing.assert_allclose(found, [[float(limits[0]), float(limits[1])]])


def test_12_bits_in_16_have_4095_as_white() -> None:
    assert of(np.array([[0, 4095]], np.uint16)).white == 4095
    assert of(np.array([[0, 2100]], np.uint16)).white == 4095
    assert of(np.array([[0, 100]], np.uint16)).white == 255
    assert of(np.array([[0, 100]], np.uint16), white=1023).white == 1023  # as the file says
    assert of(np.array([[0, 100]], np.uint16), white=65535).white == 255  # which says nothing


def test_4_bits_in_8_have_15_as_white() -> None:
    assert of(np.array([[0, 15]], np.uint8), white=15).white == 15
    assert of(np.array([[0, 15]], np.uint8)).white == 255


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0, 1)),
        (-0.4, 1.5, (0, 1)),
        (0.0, 255.0, (0, 255)),
        (-60.0, 300.0, (0, 255)),
        (-1000.0, 3000.0, (-1000, 3000)),
        (5.0, 5.0, (0, 255)),
    ],
)
def test_floats_have_a_usual_white_or_their_own_range(low: float, high: float, expected: tuple[float, float]) -> None:
    pixels = Pixels.of(np.dtype("float32"), 1, low, high)
    assert (pixels.black, pixels.white) == expected


@pytest.mark.parametrize("value", [0, -7, 300_000, -(2**62)])
def test_numbers_all_alike_come_back(value: int) -> None:
    array = np.full((3, 3), value, np.int64)
    pixels = of(array)
    np.testing.assert_array_equal(pixels.from_unit(pixels.to_unit(array)), array)


def test_floats_of_the_widest_range_come_back() -> None:
    most = float(np.finfo(np.float64).max)
    array = np.array([[most, -most, 0.0]])
    pixels = Pixels.of(array.dtype, 1, -most, most)
    np.testing.assert_allclose(pixels.from_unit(pixels.to_unit(array)), array, rtol=1e-6, atol=1e301)


def test_transparency_is_not_cut_at_white() -> None:
    array = np.zeros((2, 2, 4), np.uint16)
    array[..., 3] = 65535
    pixels = Pixels.of(array.dtype, 4, 0, 4095)
    assert pixels.groups == [(0, 1, 2)]
    np.testing.assert_array_equal(pixels.from_unit(pixels.to_unit(array)), array)


def test_bands_that_are_no_colours_are_restored_alone() -> None:
    assert Pixels.of(np.dtype("uint8"), 5, 0, 1).groups == [(0,), (1,), (2,), (3,), (4,)]
    assert Pixels.of(np.dtype("uint8"), 4, 0, 1, alpha=False).groups == [(0,), (1,), (2,), (3,)]
    assert Pixels.of(np.dtype("uint8"), 2, 0, 1).groups == [(0,)]

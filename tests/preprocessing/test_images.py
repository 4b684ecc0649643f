from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus import data, preprocessing
from isthmus.data.schema import Schema
from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.preprocessing import ImagePreprocessor, Preprocessor
from isthmus.preprocessing.statistics import SAMPLE


def fit(x: np.ndarray, scaling: str = "none") -> Preprocessor:
    opened = data.open(x)
    return preprocessing.for_data(opened).fit(opened).rescale(scaling)


class Pictures:
    """Data of pictures whose sizes differ."""

    array = rows = None

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self.pictures = pictures
        first = pictures[0]
        self.schema = Schema("image", (None, None, *first.shape[2:]), str(first.dtype), "files")

    def __len__(self) -> int:
        return len(self.pictures)

    def chunks(self) -> Any:
        return ((start, self.pictures[start : start + 3]) for start in range(0, len(self), 3))


@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_pictures_of_any_dtype_come_back(draw: Any, stored: Any) -> None:
    dtype = np.dtype(draw.draw(st.sampled_from(["uint8", "uint16", "int32", "float16", "float32", "float64", "bool"])))
    shape = draw.draw(st.sampled_from([(3, 4, 5), (3, 4, 5, 1), (3, 5, 4, 3), (2, 3, 3, 4)]))
    elements = None if dtype.kind in "bui" else {"min_value": -2, "max_value": 2}
    x = draw.draw(hnp.arrays(dtype, shape, elements=elements))
    x.flat[-1] = not x.flat[-1] if dtype.kind == "b" else x.flat[-1]
    for scaling in ImagePreprocessor.scalings:
        fitted = fit(x, scaling)
        encoded = fitted.encode(x)
        assert encoded.shape == (shape[0], *fitted.shape_)
        assert encoded.dtype == (np.uint8 if dtype in ("uint8", "bool") else np.float32)
        back = fitted.decode(encoded.astype(np.float32))
        assert back.dtype == dtype
        assert back.shape == shape
        if dtype != np.int32:
            np.testing.assert_allclose(back, x, atol=1e-6)
        np.testing.assert_array_equal(stored(fitted).encode(x), encoded)


def test_grey_blocks_are_reshaped_without_a_copy() -> None:
    for shape in ((6, 4, 5), (6, 4, 5, 1)):
        x = np.arange(120, dtype=np.uint8).reshape(shape)
        fitted = fit(x)
        encoded = fitted.encode(x)
        assert encoded.shape == (6, 1, 4, 5)
        assert np.shares_memory(encoded, x)
        assert fitted.shape_ == (1, 4, 5)


def test_channels_come_first_in_contiguous_memory() -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    encoded = fit(x).encode(x)
    assert encoded.flags.c_contiguous
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded[:, 2], x[..., 2])


def test_unit_follows_the_depth_that_is_used() -> None:
    rng = np.random.default_rng(0)
    eight = fit(rng.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8), "unit")
    assert eight.factor_.shape == (1, 1, 1)
    assert eight.factor_.item() == np.float32(1 / 255)
    full = rng.integers(0, 65536, (5, 4, 6), dtype=np.uint16)
    assert fit(full, "unit").factor_.item() == np.float32(1 / 65535)
    twelve = np.minimum(full, 4095)
    fitted = fit(twelve, "unit")
    assert fitted.factor_.item() == np.float32(1 / 4095)
    assert fitted.step_.item() == np.float32(1 / 4095)
    assert fitted.notes_ == ["the uint16 values reach 4095 of 65535: [0, 4095] is taken as their full scale"]


def test_channels_are_summarised_and_standardised_one_by_one() -> None:
    x = np.random.default_rng(0).normal([0, 50, -3], [1, 9, 0.1], (40, 5, 6, 3))
    fitted = fit(x, "standard")
    pixels = x.reshape(-1, 3)
    np.testing.assert_array_equal(fitted.summary_.low, pixels.min(axis=0))
    np.testing.assert_array_equal(fitted.summary_.high, pixels.max(axis=0))
    np.testing.assert_allclose(fitted.summary_.mean, pixels.mean(axis=0))
    np.testing.assert_allclose(fitted.summary_.std, pixels.std(axis=0))
    assert fitted.shift_.shape == (3, 1, 1)
    assert fitted.summary_.names == ("channel 0", "channel 1", "channel 2")
    assert fitted.scaled_summary().low.shape == (3, 1, 1)
    np.testing.assert_allclose(fitted.scaled_summary().std.ravel(), 1, rtol=1e-6)


def test_standard_is_exact_also_beyond_the_sample() -> None:
    x = np.random.default_rng(0).integers(0, 200, (2 * SAMPLE + 3, 3, 2), dtype=np.uint8)
    x[1::3] //= 4
    fitted = fit(x, "standard")
    assert fitted.shift_.item() == np.float32(x.mean())
    assert 1 / fitted.factor_.item() == pytest.approx(x.std())


def test_fractions_are_clipped_to_their_range_and_other_floats_are_not() -> None:
    x = np.random.default_rng(0).random((4, 3, 3))
    beyond = np.full((1, 1, 3, 3), 1.5, np.float32)
    assert fit(x).decode(beyond).max() == 1
    assert fit(x * 3).decode(beyond).max() == 1.5


@pytest.mark.parametrize("channels", [(), (3,)])
def test_pictures_of_different_sizes(channels: tuple[int, ...], stored: Any) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (3 + i % 4, 7 - i % 3, *channels), dtype=np.uint8) for i in range(10)]
    fitted = ImagePreprocessor().fit(Pictures(pictures)).rescale("standard")
    assert fitted.shape_ == (*(channels or (1,)), None, None)
    pixels = np.concatenate([p.reshape(-1, *(channels or (1,))) for p in pictures])
    np.testing.assert_allclose(fitted.shift_.ravel(), pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(1 / fitted.factor_.ravel(), pixels.std(axis=0), rtol=1e-6)
    fitted = stored(fitted)
    encoded = fitted.encode(pictures)
    assert [e.shape for e in encoded] == [(*(channels or (1,)), *p.shape[:2]) for p in pictures]
    back = fitted.decode([e.astype(np.float32) for e in encoded])
    for one, other in zip(back, pictures, strict=True):
        np.testing.assert_array_equal(one, other)
    expected = np.broadcast_to(np.log(fitted.factor_), (*(channels or (1,)), 3, 5)).sum()
    assert fitted.log_volume((*(channels or (1,)), 3, 5)) == pytest.approx(expected, rel=1e-5)


def test_refusals() -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    fitted = fit(x)
    with pytest.raises(ShapeError, match=r"must have 3 channel\(s\), as in training; got 1"):
        fitted.encode(x[..., 0])
    with pytest.raises(ShapeError, match="must have 3 channel"):
        fitted.decode(np.zeros((2, 1, 4, 6), np.float32))
    with pytest.raises(ShapeError, match=r"must be of shape \(height, width\).*got shape \(5, 72\)"):
        fitted.encode(x.reshape(5, -1))
    with pytest.raises(ParameterError, match=r"ImagePreprocessor: scaling must be one of .*; got 'quantile'"):
        fitted.rescale("quantile")
    with pytest.raises(
        DataError, match=r"scale of training, uint8 up to \d+; got float64 in \[0, 1\]. Pass the original"
    ):
        fitted.encode(x / 255)
    np.testing.assert_array_equal(fitted.encode(x.astype(np.float64)), fitted.encode(x))

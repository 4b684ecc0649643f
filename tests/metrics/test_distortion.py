"""Distortion against brute force and against the value that scikit-image gives."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import ms_ssim, peak_value, psnr, squared_error, squared_error_by_dimension, ssim


def _pair() -> tuple[np.ndarray, np.ndarray]:
    """Return two 24 x 20 pictures with structure and a difference that is not noise."""
    i, j = np.mgrid[0:24, 0:20]
    first = ((i * 7 + j * 13 + (i * j) % 11 * 9) % 256).astype(np.uint8)
    second = np.clip(first.astype(int) + ((i * 5 + j * 3) % 17 - 8) * 4, 0, 255).astype(np.uint8)
    return first, second


def _ssim_brute_force(x: np.ndarray, y: np.ndarray, peak: float, size: int) -> float:
    """Return equation 13 of Wang et al. 2004, one window after the other."""
    offsets = np.arange(size) - size // 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for i in range(x.shape[0] - size + 1):
        for j in range(x.shape[1] - size + 1):
            a, b = x[i : i + size, j : j + size].astype(float), y[i : i + size, j : j + size].astype(float)
            mu_a, mu_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mu_a) ** 2).sum(), (weights * (b - mu_b) ** 2).sum()
            covariance = (weights * (a - mu_a) * (b - mu_b)).sum()
            c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
            values.append(
                (2 * mu_a * mu_b + c1) * (2 * covariance + c2) / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
            )
    return float(np.mean(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, bool])
def test_squared_error_is_the_sum_of_squares(dtype: type) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2 if dtype is bool else 120, (7, 3, 5)).astype(dtype) for _ in range(2))
    expected = [
        sum((float(a) - float(b)) ** 2 for a, b in zip(p.flat, q.flat, strict=True)) for p, q in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(squared_error(x, y), expected, rtol=1e-12)
    by_dimension = squared_error_by_dimension(x, y)
    assert by_dimension.shape == (3, 5)
    np.testing.assert_allclose(by_dimension.sum(), np.mean(expected), rtol=1e-12)


def test_unsigned_differences_do_not_wrap() -> None:
    assert squared_error(np.zeros((1, 1), np.uint8), np.full((1, 1), 255, np.uint8))[0] == 255.0**2


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((50, 12, 13)), rng.random((50, 12, 13))
    whole = squared_error(x, y), squared_error_by_dimension(x, y), ssim(x, y)
    monkeypatch.setattr("isthmus.metrics.distortion._BLOCK_VALUES", 500)
    np.testing.assert_allclose(squared_error(x, y), whole[0], rtol=1e-14)
    np.testing.assert_allclose(squared_error_by_dimension(x, y), whole[1], rtol=1e-12)
    np.testing.assert_allclose(ssim(x, y), whole[2], rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535), (np.int16, 65535), (bool, 1), (np.float32, 1)]
)
def test_peak_follows_the_dtype(dtype: type, peak: float) -> None:
    assert peak_value(np.zeros((2, 2, 2), dtype)) == peak


def test_peak_of_floats_outside_the_unit_interval_must_be_given() -> None:
    images = np.array([[[0.0, 16.0]]])
    with pytest.raises(ParameterError) as caught:
        psnr(images, images)
    assert str(caught.value) == (
        "peak_value: peak must be given for float64 images outside [0, 1]; these have values in [0, 16]. "
        "Pass the largest difference that two values can have."
    )
    assert peak_value(images, 16) == 16.0


def test_psnr_by_hand() -> None:
    x = np.zeros((2, 4, 4), np.uint8)
    y = x.copy()
    y[0, 0, 0] = 4  # Mean squared error 16 / 16 = 1.
    np.testing.assert_allclose(psnr(x, y), [20 * np.log10(255), np.inf])


def test_ssim_equals_scikit_image() -> None:
    """scikit-image 0.26: structural_similarity with gaussian_weights, sigma 1.5, use_sample_covariance off."""
    first, second = _pair()
    np.testing.assert_allclose(ssim(first[None], second[None]), [0.9470154274934397], rtol=1e-12)
    colour, changed = np.stack([first, second, 255 - first], -1), np.stack([second, first, 255 - second], -1)
    np.testing.assert_allclose(ssim(colour[None], changed[None]), [0.9470113071333149], rtol=1e-12)


@pytest.mark.parametrize(("shape", "size"), [((14, 13), 11), ((8, 8), 7), ((3, 9), 3), ((1, 1), 1)])
def test_ssim_equals_brute_force(shape: tuple[int, int], size: int) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.random(shape), rng.random(shape)
    np.testing.assert_allclose(ssim(x[None], y[None]), [_ssim_brute_force(x, y, 1.0, size)], rtol=1e-9)


def test_ssim_refuses_a_window_that_does_not_fit() -> None:
    x = np.zeros((1, 8, 9))
    with pytest.raises(ParameterError, match=r"window must be odd and at most 8, the shorter side of the image; got 9"):
        ssim(x, x, window=9)
    with pytest.raises(ParameterError, match="got 4"):
        ssim(x, x, window=4)


def _larger_pair(height: int = 176, width: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """Return two pictures in colour with structure of all sizes, the second of them coarser."""
    i, j = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(i / (3 + 5 * c) + c) * np.cos(j / (11 - 3 * c)) + (i * j) % 23 for c in range(3)]
    first = np.clip(np.stack(waves, -1), 0, 255).astype(np.uint8)
    return first, (first // 24 * 24 + 12).astype(np.uint8)


def test_ms_ssim_equals_pytorch_msssim() -> None:
    """pytorch-msssim 1.0.0: ms_ssim of float64 with data_range 255; its window and exponents are of float32."""
    first, second = _larger_pair()
    np.testing.assert_allclose(ms_ssim(first[None], second[None]), [0.992123895114624], rtol=1e-6)
    grey = ms_ssim(np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0))
    np.testing.assert_allclose(grey.mean(), 0.992123895114624, rtol=1e-6)  # channels are averaged


def test_ms_ssim_of_scales_by_hand() -> None:
    """Pictures that differ by a constant: contrast and structure agree, and the luminance counts at one scale only."""
    x = np.full((1, 170, 161), 100.0)
    c1 = 2.55**2
    luminance = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    np.testing.assert_allclose(ms_ssim(x, x + 20, peak=255), [luminance**0.1333], rtol=1e-12)


def test_ms_ssim_is_one_symmetric_and_falls_with_noise() -> None:
    first, _ = _larger_pair(161, 163)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=first.shape)
    noisy = [np.clip(first + size * noise, 0, 255).astype(np.uint8) for size in (4, 16, 64)]
    found = [ms_ssim(first[None], one[None])[0] for one in (first, *noisy)]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    np.testing.assert_allclose(ms_ssim(noisy[1][None], first[None]), found[2], rtol=1e-12)
    assert ms_ssim(first[None], 255 - first[None])[0] == 0.0  # against the structure


def test_ms_ssim_refuses_small_pictures() -> None:
    x = np.zeros((1, 160, 300))
    with pytest.raises(ShapeError) as caught:
        ms_ssim(x, x)
    assert str(caught.value) == (
        "ms_ssim: images must have at least 161 pixels a side, for 5 scales; got 160 x 300. Use ssim for smaller ones."
    )


def test_shapes_and_emptiness_are_checked() -> None:
    with pytest.raises(ShapeError) as caught:
        squared_error(np.zeros((2, 3)), np.zeros((2, 4)))
    assert str(caught.value) == (
        "squared_error: original and reconstruction must have one shape; got (2, 3) and (2, 4). "
        "Compare a reconstruction with the records it was made from."
    )
    with pytest.raises(DataError, match="at least one record is needed"):
        psnr(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(ParameterError, match="peak must be a finite number above 0; got 0"):
        psnr(np.zeros((1, 3)), np.zeros((1, 3)), peak=0)

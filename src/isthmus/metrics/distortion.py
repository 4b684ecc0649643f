"""Reconstruction error: squared error, peak signal-to-noise ratio, structural similarity.

Every function takes records along the first axis and returns one number a record, so that means, intervals and worst
records follow from one array. Sums run in float64 over blocks of rows, whatever the dtype of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import check_pair, check_peak, check_scales, check_window

__all__ = ["ms_ssim", "peak_value", "psnr", "squared_error", "squared_error_by_dimension", "ssim"]

Float64 = NDArray[np.float64]

_BLOCK_VALUES = 1 << 22
"""Values that are held in float64 at a time (32 MiB)."""

_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, finest first: Wang et al. 2003, section 3.2."""

_SIDE = 11
"""Of the Gaussian window in pixels."""


def squared_error(original: ArrayLike, reconstruction: ArrayLike) -> Float64:
    """Return the squared error of every record, summed over its dimensions.

    Parameters
    ----------
    original, reconstruction : array-like, shape (n, ...)
        Records of one shape, any numeric dtype.

    Returns
    -------
    ndarray of float64, shape (n,)
        In squared units of the data. Divide by the number of dimensions for the mean squared error of a record.

    Raises
    ------
    ShapeError
        The two shapes differ.
    DataError
        There are no records.

    Examples
    --------
    >>> squared_error([[0, 3], [1, 1]], [[4, 0], [1, 1]])
    array([25.,  0.])
    """
    x, y = np.asarray(original), np.asarray(reconstruction)
    check_pair("squared_error", x, y)
    result = np.empty(len(x))
    for start, difference in _differences(x, y):
        result[start : start + len(difference)] = np.einsum("ij,ij->i", difference, difference)
    return result


def squared_error_by_dimension(original: ArrayLike, reconstruction: ArrayLike) -> Float64:
    """Return the squared error of every dimension, averaged over the records.

    Parameters
    ----------
    original, reconstruction : array-like, shape (n, ...)
        Records of one shape, any numeric dtype.

    Returns
    -------
    ndarray of float64, shape (...)
        In squared units of the data; its sum is the mean of :func:`squared_error`.

    Raises
    ------
    ShapeError
        The two shapes differ.
    DataError
        There are no records.

    Examples
    --------
    >>> squared_error_by_dimension([[0, 3], [1, 1]], [[4, 0], [1, 1]])
    array([8. , 4.5])
    """
    x, y = np.asarray(original), np.asarray(reconstruction)
    check_pair("squared_error_by_dimension", x, y)
    total = np.zeros(int(np.prod(x.shape[1:])))
    for _, difference in _differences(x, y):
        total += np.einsum("ij,ij->j", difference, difference)
    return (total / len(x)).reshape(x.shape[1:])


def peak_value(images: ArrayLike, peak: float | None = None) -> float:
    """Return the largest difference that two values of these images can have.

    Parameters
    ----------
    images : array-like
        The originals.
    peak : float, optional
        Taken as it is where given, in the units of the data.

    Returns
    -------
    float
        255 for uint8, 65535 for uint16 and int16, 1 for booleans and for floats inside [0, 1].

    Raises
    ------
    ParameterError
        ``peak`` is not above 0, or is missing for floats that leave [0, 1].

    Examples
    --------
    >>> peak_value(np.zeros((2, 8, 8), np.uint8))
    255.0
    """
    x = np.asarray(images)
    low, high = (float(x.min()), float(x.max())) if x.size and x.dtype.kind == "f" else (0.0, 0.0)
    check_peak("peak_value", peak, x.dtype, low, high)
    if peak is not None:
        return float(peak)
    if x.dtype.kind in "iu":
        information = np.iinfo(x.dtype)
        return float(information.max) - float(information.min)
    return 1.0


def psnr(original: ArrayLike, reconstruction: ArrayLike, *, peak: float | None = None) -> Float64:
    """Return the peak signal-to-noise ratio of every image, ``10 log10(peak^2 / mean squared error)``.

    Parameters
    ----------
    original, reconstruction : array-like, shape (n, ...)
        Images of one shape.
    peak : float, optional
        The largest difference that two values can have; by default that of the originals' dtype, see
        :func:`peak_value`.

    Returns
    -------
    ndarray of float64, shape (n,)
        In decibels; infinity where the reconstruction is exact.

    Raises
    ------
    ShapeError, DataError, ParameterError
        As :func:`squared_error` and :func:`peak_value`.

    Examples
    --------
    >>> psnr(np.zeros((1, 2, 2), np.uint8), np.ones((1, 2, 2), np.uint8)).round(2)
    array([48.13])
    """
    x, y = np.asarray(original), np.asarray(reconstruction)
    check_pair("psnr", x, y)
    mean_squared = squared_error(x, y) / max(int(np.prod(x.shape[1:])), 1)
    with np.errstate(divide="ignore"):
        return np.asarray(20.0 * np.log10(peak_value(x, peak)) - 10.0 * np.log10(mean_squared))


def ssim(
    original: ArrayLike, reconstruction: ArrayLike, *, peak: float | None = None, window: int | None = None
) -> Float64:
    """Return the structural similarity of every image, Wang et al. 2004, equation 13.

    Local means, variances and the covariance are taken under a Gaussian window of standard deviation 1.5 pixels that is
    normalised to sum 1 (section III-B), ``C1 = (0.01 peak)^2`` and ``C2 = (0.03 peak)^2``; the map is averaged over all
    positions where the window lies inside the image (equation 17), and over the channels of a colour image.

    Parameters
    ----------
    original, reconstruction : array-like, shape (n, height, width) or (n, height, width, channels)
        Images of one shape.
    peak : float, optional
        The largest difference that two values can have; by default that of the originals' dtype, see
        :func:`peak_value`.
    window : int, optional
        Odd side of the window in pixels; by default the paper's 11, or the largest odd number that fits into a smaller
        image.

    Returns
    -------
    ndarray of float64, shape (n,)
        Between -1 and 1; 1 for an exact reconstruction.

    Raises
    ------
    ShapeError, DataError, ParameterError
        As :func:`squared_error` and :func:`peak_value`; also for an even window and one larger than the image.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13(4), 2004.

    Examples
    --------
    >>> image = np.arange(144, dtype=np.uint8).reshape(1, 12, 12)
    >>> ssim(image, image)
    array([1.])
    """
    x, y = np.asarray(original), np.asarray(reconstruction)
    check_pair("ssim", x, y)
    largest = peak_value(x, peak)
    if x.ndim == 3:
        x, y = x[..., np.newaxis], y[..., np.newaxis]
    height, width = x.shape[1:3]
    check_window("ssim", window, height, width)
    weights = _gaussian_window(window or min(11, 2 * ((min(height, width) - 1) // 2) + 1))
    result = np.empty(len(x))
    rows = max(1, _BLOCK_VALUES // max(int(np.prod(x.shape[1:])), 1))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        similarity = _ssim_map(x[part].astype(np.float64), y[part].astype(np.float64), largest, weights)
        result[part] = similarity.mean(axis=(1, 2, 3))
    return result


def ms_ssim(original: ArrayLike, reconstruction: ArrayLike, *, peak: float | None = None) -> Float64:
    """Return the structural similarity of every image over five scales, Wang et al. 2003, equation 7.

    Each scale has half the sides of the one before, by means of 2 x 2 pixels. Contrast and structure of all scales, and
    the luminance of the coarsest, are means over positions, raised to the exponents of the paper and multiplied; of a
    colour image the mean over channels is returned. A mean below 0 counts as 0. As decibels, ``-10 log10(1 - value)``.

    Parameters
    ----------
    original, reconstruction : array-like, shape (n, height, width) or (n, height, width, channels)
        Images of one shape, of 161 pixels a side at least, so that the window of 11 fits into the coarsest scale.
    peak : float, optional
        The largest difference that two values can have; by default that of the originals' dtype, see
        :func:`peak_value`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Between 0 and 1; 1 for an exact reconstruction.

    Raises
    ------
    ShapeError, DataError, ParameterError
        As :func:`squared_error` and :func:`peak_value`; also for images that are too small.

    References
    ----------
    Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multi-scale structural similarity for image quality assessment", 37th
    Asilomar Conference on Signals, Systems and Computers, 2003.

    Examples
    --------
    >>> image = np.arange(161 * 161).reshape(1, 161, 161) % 251
    >>> ms_ssim(image, image, peak=255)
    array([1.])
    """
    x, y = np.asarray(original), np.asarray(reconstruction)
    check_pair("ms_ssim", x, y)
    largest = peak_value(x, peak)
    if x.ndim == 3:
        x, y = x[..., np.newaxis], y[..., np.newaxis]
    check_scales("ms_ssim", len(_EXPONENTS), _SIDE, *x.shape[1:3])
    result = np.empty(len(x))
    for record in range(len(x)):
        one, other = x[record][None].astype(np.float64), y[record][None].astype(np.float64)
        result[record] = _over_scales(one, other, largest).mean()
    return result


def _over_scales(x: Float64, y: Float64, peak: float) -> Float64:
    """Return equation 7 for each image and channel of images (n, height, width, channels)."""
    found = np.ones((x.shape[0], x.shape[3]))
    for scale, exponent in enumerate(_EXPONENTS, 1):
        luminance, contrast = _ssim_maps(x, y, peak, _gaussian_window(_SIDE))
        similarity = luminance * contrast if scale == len(_EXPONENTS) else contrast
        found *= np.maximum(similarity.mean((1, 2)), 0) ** exponent
        x, y = _halved(x), _halved(y)
    return found


def _halved(x: Float64) -> Float64:
    """Return means of 2 x 2 pixels of images (n, height, width, channels); a last odd row or column counts twice."""
    n, height, width, channels = x.shape
    x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.asarray(x.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels).mean((2, 4)))


def _ssim_map(x: Float64, y: Float64, peak: float, weights: Float64) -> Float64:
    """Return equation 13 at every position where the window fits, for images (n, height, width, channels)."""
    luminance, contrast = _ssim_maps(x, y, peak, weights)
    return luminance * contrast


def _ssim_maps(x: Float64, y: Float64, peak: float, weights: Float64) -> tuple[Float64, Float64]:
    """Return luminance, and contrast with structure, the two factors of equation 13."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mu_x, mu_y = _windowed_mean(x, weights), _windowed_mean(y, weights)
    sigma_xx = _windowed_mean(x * x, weights) - mu_x * mu_x
    sigma_yy = _windowed_mean(y * y, weights) - mu_y * mu_y
    sigma_xy = _windowed_mean(x * y, weights) - mu_x * mu_y
    luminance = (2.0 * mu_x * mu_y + c1) / (mu_x * mu_x + mu_y * mu_y + c1)
    return luminance, (2.0 * sigma_xy + c2) / (sigma_xx + sigma_yy + c2)


def _windowed_mean(x: Float64, weights: Float64) -> Float64:
    """Return weighted means over the square windows inside images (n, height, width, channels), axis by axis."""
    size = len(weights)
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    down = sum(weight * x[:, shift : shift + height] for shift, weight in enumerate(weights))
    return np.asarray(sum(weight * down[:, :, shift : shift + width] for shift, weight in enumerate(weights)))


def _gaussian_window(size: int, sigma: float = 1.5) -> Float64:
    """Return one axis of the normalised Gaussian window."""
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _differences(x: NDArray[Any], y: NDArray[Any]) -> Iterator[tuple[int, Float64]]:
    """Yield ``(first row, x - y)`` in float64, flattened to rows, a block at a time."""
    width = int(np.prod(x.shape[1:]))
    rows = max(1, _BLOCK_VALUES // max(width, 1))
    for start in range(0, len(x), rows):
        # The cast comes before the difference: unsigned integers would wrap around.
        part = x[start : start + rows].astype(np.float64) - y[start : start + rows].astype(np.float64)
        yield start, part.reshape(len(part), width)

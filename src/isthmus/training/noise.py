"""How strong the noise of pictures is, and whether it is white: estimated from the noisy pictures alone.

Blocks of 8x8 pixels are looked at in the basis of the discrete cosine transform (Ponomarenko et al., "An Automatic
Approach to Lossy Compression of AVIRIS Images", IGARSS 2007; Colom and Buades, "Analysis and Extension of the
Ponomarenko Method, Estimating a Noise Curve from a Single Image", IPOL 2013). White noise is equally strong in all
coefficients and independent from one to another; what pictures show lies in the low ones. So the blocks that are
smoothest by their low coefficients have little but noise in the high ones, and were not chosen by it.

The variance is taken as a straight line of the light, ``a s + b``: electrons and photons (Foi et al., "Practical
Poissonian-Gaussian Noise Modeling and Fitting for Single-Image Raw-Data", IEEE TIP 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

__all__ = ["Noise", "estimated"]

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

SIDE, STEP = 8, 4  # pixels of a block, and from one to the next
MOST = 2**17  # blocks that are looked at
ORDER = np.add.outer(np.arange(SIDE), np.arange(SIDE))  # of a coefficient
LOW, MIDDLE, HIGH = (ORDER > 0) & (ORDER < 5), (ORDER > 4) & (ORDER < 9), ORDER > 8
BINS, IN_A_BIN = 16, 400  # ranges of light, and blocks that each has at least
SMOOTHEST, FEWEST = 0.05, 50  # share of a range's blocks that noise is measured in, and how many at least
SATURATED = 0.05  # share of a range's smooth blocks that may touch black or white
SIGNIFICANT = 3.0  # standard errors that a slope is from zero


@dataclass(frozen=True)
class Noise:
    """The noise of pictures of some channels: zero on average, and independent from pixel to pixel.

    Parameters
    ----------
    slope, offset : ndarray, shape (channels,)
        Its variance is ``slope * light + offset``, where white is 1.
    darkest, lightest : ndarray, shape (channels,)
        The range of light in which that was measured; beyond it the variance stays what it is at its ends.
    correlation : ndarray, shape (channels, channels)
        Of the channels of one pixel.
    colour : float
        Variance at middle spatial frequencies over that at high ones: 1 where the noise is white.
    """

    slope: Floats
    offset: Floats
    darkest: Floats
    lightest: Floats
    correlation: Floats
    colour: float

    def variance(self, picture: Tensor) -> Tensor:
        """Return the variance at each pixel of a noisy picture: (channels, h, w), by the mean of 3x3 pixels.

        The variance at the mean is free of bias, since it is linear.
        """
        light = F.avg_pool2d(picture[None], 3, 1, 1, count_include_pad=False)[0]
        slope, offset, darkest, lightest = (
            torch.from_numpy(values.astype(np.float32))[:, None, None]
            for values in (self.slope, self.offset, self.darkest, self.lightest)
        )
        return (slope * light.clamp(darkest, lightest) + offset).clamp_min(0)

    def drawn(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """Return new noise for a picture, as strong as the one that is in it: (channels, h, w)."""
        white = rng.standard_normal(picture.shape, dtype=np.float32)
        alike = np.einsum("ij,jhw->ihw", _root(self.correlation).astype(np.float32), white)
        return torch.from_numpy(alike) * self.variance(picture).sqrt()


def _root(matrix: Floats) -> Floats:
    """Return the symmetric root of a covariance matrix, which may be singular."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(values.clip(0)) @ vectors.T)


def estimated(pictures: Sequence[Tensor]) -> Noise:
    """Return the noise that some pictures have in common.

    Parameters
    ----------
    pictures : sequence of tensor, shape (channels, h, w)
        White is 1; sides of 8 at least. All of the same channels.
    """
    blocks = _blocks(pictures)
    coefficients = fft.dctn(blocks, axes=(2, 3), norm="ortho")  # (channels, blocks, 8, 8)
    energy = np.square(coefficients[:, :, LOW]).sum((0, 2))
    light = coefficients[:, :, 0, 0] / SIDE
    lines, chosen = [], np.zeros(blocks.shape[1], np.bool_)
    for channel, touches in enumerate(_saturated(blocks)):
        bins = _smoothest(light[channel], energy, touches)
        chosen[np.concatenate(bins)] = True
        high = np.square(coefficients[channel][:, HIGH])
        means = np.array([light[channel, its].mean() for its in bins], np.float64)
        variances = np.array([np.median(high[its].mean(0)) for its in bins], np.float64)
        lines.append((*_line(means, variances, np.array([len(its) for its in bins])), means.min(), means.max()))
    slope, offset, darkest, lightest = (np.array(values) for values in zip(*lines, strict=True))
    seen = coefficients[:, chosen].astype(np.float64)
    return Noise(slope, offset, darkest, lightest, _correlation(seen[:, :, HIGH]), _colour(seen))


def _blocks(pictures: Sequence[Tensor]) -> Float32:
    """Return blocks, (channels, n, 8, 8), of all pictures alike, without those that are of one value."""
    rng, found = np.random.default_rng(0), []
    for picture in pictures:
        windows = np.lib.stride_tricks.sliding_window_view(picture.numpy(), (SIDE, SIDE), axis=(1, 2))
        windows = windows[:, ::STEP, ::STEP]
        rows, columns = windows.shape[1:3]
        places = np.arange(rows * columns)
        if len(places) > (most := max(1, MOST // len(pictures))):
            places = np.sort(rng.choice(places, most, replace=False))
        found.append(windows[:, places // columns, places % columns])
    blocks = np.concatenate(found, 1)
    varied = (blocks != blocks[:, :, :1, :1]).any((0, 2, 3))
    return blocks[:, varied] if varied.any() else blocks


def _saturated(blocks: Float32) -> NDArray[np.bool_]:
    """Return of which blocks a channel touches the lowest or the highest value there is, (channels, n)."""
    lowest, highest = blocks.min((1, 2, 3)), blocks.max((1, 2, 3))
    return (blocks.min((2, 3)) <= lowest[:, None]) | (blocks.max((2, 3)) >= highest[:, None])


def _smoothest(light: Float32, energy: Float32, touches: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the smoothest blocks of each range of light that is not cut off at black or white, of one at least."""
    bins, shares = [], []
    for its in np.array_split(np.argsort(light), min(BINS, max(1, len(light) // IN_A_BIN))):
        smooth = its[np.argsort(energy[its])[: max(FEWEST, round(SMOOTHEST * len(its)))]]
        bins.append(smooth)
        shares.append(touches[smooth].mean())
    return [its for its, share in zip(bins, shares, strict=True) if share <= max(SATURATED, min(shares))]


def _line(light: Floats, variances: Floats, counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return slope and offset of variances over light; the slope is zero where it is not significant.

    The variance of an estimate of a variance v from n numbers is 2 v^2 / n. Blocks overlap, which halves what they are
    worth.
    """
    weights = counts * HIGH.sum() / 4 / np.square(variances.clip(1e-20))
    mean, level = np.average(light, weights=weights), np.average(variances, weights=weights)
    spread = (weights * np.square(light - mean)).sum()
    if spread > 0:
        slope = (weights * (light - mean) * (variances - level)).sum() / spread
        if abs(slope) > SIGNIFICANT * spread**-0.5:
            return float(slope), float(level - slope * mean)
    return 0.0, float(level)


def _correlation(coefficients: Floats) -> Floats:
    """Return the correlation of channels, of coefficients (channels, blocks, n)."""
    flat = coefficients.reshape(len(coefficients), -1)
    covariance = flat @ flat.T / flat.shape[1]
    scale = np.sqrt(np.diag(covariance).clip(1e-30))
    found = covariance / np.outer(scale, scale)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def _colour(coefficients: Floats) -> float:
    """Return the variance at middle frequencies over that at high ones."""
    middle, high = (np.median(np.square(coefficients[:, :, band]).mean((0, 1))) for band in (MIDDLE, HIGH))
    return float(middle / max(high, 1e-30))

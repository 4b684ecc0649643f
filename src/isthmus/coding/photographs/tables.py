"""Integer tables that are the same on every machine: roots of two, logarithms, and distributions of latents.

A latent y is coded by a Laplace distribution whose mean is m / 16 and whose scale is b = 2^((i - 32) / 8), with whole
numbers m and i. What is left of such a distribution above t / 16 is half of exp(-t / (16 b)), of which 2^31 is one.

Where b is above 8, i.e. i above 56, the lowest j = ceil((i - 56) / 8) bits of y are coded as they are, and what is
above them by the distribution of the scale b / 2^j. Hence 57 scales are enough.

The frequencies of a scale and of r = ((m + 8) mod 16) - 8 are out of 65536: those of the values from w - W to w + W
around w = (m - r) / 16, and what is left on both sides. One is added to each of them, so that all can be coded.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PLAIN_INDEX",
    "SCALES",
    "Distributions",
    "distribution",
    "distributions",
    "exp2",
    "logarithms",
    "roots",
]

LOG2_E = 1586259972792  # floor(2^40 log2(e))
SCALES = 113  # scale indices: b from 1/16 to 1024
PLAIN_INDEX = 56  # the largest index at which no bits are coded as they are: b = 8
HALF = 1 << 30  # the mass on one side of the mean
TAIL = 1 << 17  # what is left outside the window: less than this on either side, of 2^31
FARTHEST = 100  # no window is as wide
KNOWN = 4096  # numbers of which logarithms are kept


@functools.cache
def roots() -> tuple[int, ...]:
    """Return floor(2^(30 + i / 256)) for i from 0 to 256.

    None but the first and last is nearer than 0.002 to a whole number, and doubles are exact to a millionth.
    """
    return tuple(math.floor(2.0**30 * 2.0 ** (i / 256)) for i in range(257))


def exp2(logarithm: int) -> int:
    """Return 2 to a logarithm with 16 fractional bits, with 20 fractional bits: linear between 256ths of an octave.

    The logarithm must be at least -20 * 65536.
    """
    whole, part = divmod(logarithm + 20 * 65536, 65536)
    place, share = divmod(part, 256)
    low, high = roots()[place : place + 2]
    return ((low + ((high - low) * share >> 8)) << whole) >> 30


@functools.cache
def logarithms() -> NDArray[np.int16]:
    """Return 512 log2(1 + n), rounded, for n from 0 to 4095: what the networks see of latents of size n.

    None is nearer than 0.0001 to the middle of two whole numbers.
    """
    return np.array([round(512 * math.log2(1 + n)) for n in range(KNOWN)], np.int16)


class Distributions:
    """The cumulative frequencies of all scales.

    Attributes
    ----------
    windows : ndarray of int32, shape (57,)
        W of each scale index.
    offsets : ndarray of int32, shape (57,)
        Where the frequencies of each begin.
    cumulative : ndarray of uint16
        For each scale index, for r from -8 to 7: the cumulative frequencies of the values w - W to w + W + 1, 2 W + 2
        of them. Those of smaller values begin at 0, those of greater ones end at 65536.
    """

    def __init__(self) -> None:
        found = [_cumulative(index) for index in range(PLAIN_INDEX + 1)]
        self.windows = np.array([table.shape[1] // 2 - 1 for table in found], np.int32)
        sizes = [table.size for table in found]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        self.cumulative = np.concatenate([table.ravel() for table in found]).astype(np.uint16)

    def table(self, index: int, rest: int) -> tuple[int, NDArray[np.uint16]]:
        """Return W and the cumulative frequencies of a scale index from 0 to 56, and of r from -8 to 7."""
        window = int(self.windows[index])
        start = int(self.offsets[index]) + (rest + 8) * (2 * window + 2)
        return window, self.cumulative[start : start + 2 * window + 2]


@functools.cache
def distribution(index: int, rest: int) -> tuple[int, list[int]]:
    """Return W and the cumulative frequencies, with the first, 0, and the last, 65536: 2 W + 4 of them."""
    window, found = distributions().table(index, rest)
    return window, [0, *found.tolist(), 65536]


@functools.cache
def distributions() -> Distributions:
    """Return the distributions."""
    return Distributions()


def _cumulative(index: int) -> NDArray[np.int64]:
    """Return the cumulative frequencies of a scale, (16, 2 W + 2)."""
    window = 1 + int((_above(16 * np.arange(1, FARTHEST), index) >= TAIL).sum())
    values = np.arange(-window, window + 2)
    away = 16 * values[None, :] - 8 - np.arange(-8, 8)[:, None]
    one_side = _above(np.abs(away), index)
    below = np.where(away < 0, one_side, 2 * HALF - one_side)
    return (below * (65536 - (2 * window + 3)) >> 31) + (values + window) + 1


def _above(away: NDArray[np.int64], index: int) -> NDArray[np.int64]:
    """Return the mass beyond some sixteenths, none below 0, out of 2^31: linear between 256ths of an octave."""
    whole, part = divmod(24 * 8 - index, 8)
    rate = (LOG2_E * roots()[32 * part] << whole) >> 70  # octaves a sixteenth, with 24 fractional bits
    octaves = -(-away * rate >> 24)
    rest = (octaves << 24) - away * rate
    known = np.array(roots(), np.int64)
    place, share = rest >> 16, rest & 65535
    found = known[place] + ((known[np.minimum(place + 1, 256)] - known[place]) * share >> 16)
    return found >> np.minimum(octaves, 63)

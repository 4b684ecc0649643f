"""Pixels of every kind as a restorer reads them, and back: any depth, grey, colour, transparency, many bands.

A restorer knows three channels between 0 (black) and 1 (white). Grey pictures are shown to it as three equal channels,
and so is each band of a picture with more than colours; transparency it never sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Pixels"]

FLOAT_WHITES = (1.0, 255.0)  # what floating-point pictures usually call white
OVER = 2.0  # times white that a noisy picture of floats may reach


@dataclass(frozen=True)
class Pixels:
    """What the numbers of a picture mean.

    Parameters
    ----------
    dtype : str
        NumPy's name of their type.
    channels : int
    black, white : float
        What 0 and 1 are for a restorer.
    alpha : bool
        Whether the last channel is transparency: it is never clipped at white.
    """

    dtype: str
    channels: int
    black: float
    white: float
    alpha: bool

    @classmethod
    def of(
        cls, dtype: np.dtype, channels: int, low: float, high: float, *, alpha: bool | None = None, white: int = 0
    ) -> Pixels:
        """Return what the numbers of a picture mean, of which the lowest and the highest value are known.

        Whole numbers of more than 8 bits have as white the least of 255, 511, 1023, ... that is not exceeded: cameras
        write 10 or 12 bits into 16. Floats have 1 or 255, or their own range where they fit neither.

        Parameters
        ----------
        dtype : dtype
            Truth values, whole numbers or floats.
        channels : int
        low, high : float
            Of all channels but transparency. Not looked at where :meth:`range_tells` says so.
        alpha : bool, optional
            Whether the last channel is transparency; by default that of 2 or 4 is.
        white : int, default=0
            What the file states as the greatest value; 0 if it states nothing.
        """
        if alpha is None:
            alpha = channels in (2, 4)
        black = 0.0
        if not cls.range_tells(dtype, white):
            white = white or (1 if dtype.kind == "b" else 255)
        elif dtype.kind == "u":
            white = 2 ** max(8, int(high).bit_length()) - 1
        else:
            fits = [limit for limit in FLOAT_WHITES if low >= (1 - OVER) * limit and high <= OVER * limit]
            if fits and dtype.kind == "f":
                return cls(dtype.name, channels, 0.0, fits[0], alpha)
            # Of one value alone, any white above it.
            return cls(dtype.name, channels, low, high if high > low else low + max(1.0, abs(low)), alpha)
        return cls(dtype.name, channels, black, float(white), alpha)

    @staticmethod
    def range_tells(dtype: np.dtype, white: int = 0) -> bool:
        """Return whether what white is depends on the lowest and the highest number of a picture.

        It does not for 8 bits, nor where a file states a white that its type of numbers does not: 4095 in 16 bits.
        """
        if dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize == 1):
            return False
        return not (dtype.kind == "u" and 0 < white < np.iinfo(dtype).max)

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The channels that are restored together: colours, or each band alone."""
        seen = self.channels - self.alpha
        return [(0, 1, 2)] if seen == 3 else [(band,) for band in range(seen)]

    def to_unit(self, picture: NDArray[np.generic]) -> Tensor:
        """Return a window of a picture with 0 for black and 1 for white: (h, w[, c]) -> (c, h, w), float32."""
        planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
        # Halves, since the range of the greatest floats is no float; of all other numbers they change nothing.
        scaled = (planes.astype(np.float64) / 2 - self.black / 2) / self._half
        return torch.from_numpy(np.ascontiguousarray(scaled, np.float32))

    @property
    def _half(self) -> float:
        """Half of what lies between black and white."""
        return self.white / 2 - self.black / 2

    def from_unit(self, planes: Tensor) -> NDArray[np.generic]:
        """Return a restored window in the picture's own numbers: (c, h, w) -> (h, w[, c]).

        Whole numbers are rounded, and cut at black and white; floats and transparency at what their type holds.
        """
        with np.errstate(over="ignore"):  # what is beyond the greatest float is cut
            found = 2 * (planes.double().numpy() * self._half + self.black / 2)
        dtype = np.dtype(self.dtype)
        least, most = _limits(dtype)
        if dtype.kind != "f":
            colours = found[: self.channels - self.alpha]
            np.clip(colours, self.black, self.white, out=colours)
            np.rint(found, out=found)
        found = np.clip(found, least, most).astype(dtype)
        return found[0] if self.channels == 1 else np.moveaxis(found, 0, 2)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    """Return the least and the greatest float64 that a type of numbers holds."""
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    limits = np.iinfo(dtype)
    most = float(limits.max)
    return float(limits.min), most if int(most) <= limits.max else float(np.nextafter(most, 0))

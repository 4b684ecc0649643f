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
        Whether the last channel is transparency.
    """

    dtype: str
    channels: int
    black: float
    white: float
    alpha: bool

    @classmethod
    def of(cls, dtype: np.dtype, channels: int, low: float, high: float, *, alpha: bool | None = None) -> Pixels:
        """Return what the numbers of a picture mean, of which the lowest and the highest value are known.

        Whole numbers of more than 8 bits have as white the least of 255, 511, 1023, ... that is not exceeded: cameras
        write 10 or 12 bits into 16. Floats have 1 or 255, or their own range where they fit neither.
        """
        if alpha is None:
            alpha = channels in (2, 4)
        black, white = 0.0, 1.0
        if dtype.kind == "b":
            white = 1.0
        elif dtype.kind == "u" and dtype.itemsize == 1:
            white = 255.0
        elif dtype.kind == "u":
            white = float(2 ** max(8, int(high).bit_length()) - 1)
        else:
            fits = [limit for limit in FLOAT_WHITES if low >= (1 - OVER) * limit and high <= OVER * limit]
            black, white = (0.0, fits[0]) if fits and dtype.kind == "f" else (low, max(high, low + 1e-30))
        return cls(dtype.name, channels, black, white, alpha)

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The channels that are restored together: colours, or each band alone."""
        seen = self.channels - self.alpha
        return [(0, 1, 2)] if seen == 3 else [(band,) for band in range(seen)]

    def to_unit(self, picture: NDArray[np.generic]) -> Tensor:
        """Return a window of a picture with 0 for black and 1 for white: (h, w[, c]) -> (c, h, w), float32."""
        planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
        scaled = (planes.astype(np.float64) - self.black) / (self.white - self.black)
        return torch.from_numpy(np.ascontiguousarray(scaled, np.float32))

    def from_unit(self, planes: Tensor) -> NDArray[np.generic]:
        """Return a restored window in the picture's own numbers: (c, h, w) -> (h, w[, c]).

        Whole numbers are rounded, and cut at black and white.
        """
        found = planes.double().numpy() * (self.white - self.black) + self.black
        dtype = np.dtype(self.dtype)
        if dtype.kind != "f":
            found = np.rint(np.clip(found, self.black, self.white))
        return found.astype(dtype)[0] if self.channels == 1 else np.moveaxis(found.astype(dtype), 0, 2)

"""The header of an image file, as all image readers return it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PAGES", "Header"]

PAGES = "are pages or frames of files that hold several; each is a record, named file#number"

CHANNELS = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}
WHITE = {"bool": 1, "uint8": 255, "uint16": 65535}


@dataclass(frozen=True, slots=True)
class Header:
    """One image of a file.

    Parameters
    ----------
    format : str
        Of the file, as in ``"PNG"``.
    size : tuple of int
        Height and width as they will be decoded.
    channels : int
        Number of channels; 1 has no axis of its own.
    dtype : str
        NumPy name of the values.
    white : int
        The greatest value that whole numbers may have by the file's own word; 0 where it gives none.
    alpha : bool
        Whether the last channel is transparency.
    place : object
        Where in the file the image lies, in the words of its reader.
    orientation : int
        How it is turned, by the numbers of EXIF; 1 is upright.
    conversions : tuple of str
        What decoding changes, in words that follow "n of m images".
    cut_from : int
        Bits of a channel in the file, where its reader gives only the upper 8 of them; else 0.
    """

    format: str
    size: tuple[int, int]
    channels: int
    dtype: str
    white: int = 0
    alpha: bool = True
    place: Any = 0
    orientation: int = 1
    conversions: tuple[str, ...] = ()
    cut_from: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels in memory."""
        return self.size[0] * self.size[1] * self.channels * np.dtype(self.dtype).itemsize

    @property
    def pixel(self) -> str:
        """Name of the kind of pixel, for sentences."""
        plain = self.channels in (1, 3) or (self.channels in CHANNELS and self.alpha)
        channels = CHANNELS[self.channels] if plain else f"{self.channels} bands"
        white = f" up to {self.white}" if self.white and self.white != WHITE.get(self.dtype) else ""
        return f"{channels} {self.dtype}{white}"

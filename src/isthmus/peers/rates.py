"""What picture formats with a loss make of pictures: bytes and PSNR at several qualities, or at a size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.peers.codecs import PEERS, QUALITY, Codec, Coder
from isthmus.peers.measuring import timed

__all__ = ["AtSize", "Rate", "Setting", "at_size", "fairest", "lossy_formats", "rates_of_formats", "settings_of"]

QUALITIES = 5, 15, 30, 50, 70, 85, 95  # of 100
EACH, SHEET = "a file each", "one sheet"

Picture = NDArray[np.uint8]
ToDecibels = Callable[[float], float]


@dataclass(frozen=True)
class Rate:
    """What a format makes of pictures at one quality.

    Parameters
    ----------
    tool : str
        Format, and whether each picture is a file or all are one.
    quality : int
        That was asked for, 0 to 100.
    compressed_bytes : int
        Of all files.
    psnr : float
        Over all numbers of all pictures, in decibels.
    """

    tool: str
    quality: int
    compressed_bytes: int
    psnr: float


@dataclass(frozen=True)
class _Shown:
    """A picture, as a codec's sample."""

    array: Picture

    @cached_property
    def picture(self) -> Any:
        from PIL import Image

        return Image.fromarray(self.array)


@dataclass(frozen=True)
class Setting:
    """A format, and how pictures are put into files of it.

    Parameters
    ----------
    codec : Codec
        The format.
    what : {"a file each", "one sheet"}
    pictures : sequence of ndarray of uint8
        What becomes files.
    shape : tuple of int
        Of a picture, of which a sheet has many.
    """

    codec: Codec
    what: str
    pictures: Sequence[Picture]
    shape: tuple[int, ...]

    @property
    def tool(self) -> str:
        """What it is called."""
        return f"{self.codec.name}, {self.what}"

    @cached_property
    def _coder(self) -> Coder:
        return self.codec.load()

    @cached_property
    def _samples(self) -> list[_Shown]:
        return [_Shown(picture) for picture in self.pictures]

    def encoded(self, quality: int) -> list[bytes]:
        """Return the files at a quality."""
        return [self._coder.encode(one, quality) for one in self._samples]

    def decoded(self, files: Sequence[bytes]) -> list[Picture]:
        """Return the pictures in files, sheets as they are."""
        pairs = zip(files, self._samples, strict=True)
        return [np.asarray(self._coder.decode(file, one)) for file, one in pairs]

    def rate(self, quality: int, psnr_of: ToDecibels) -> Rate:
        """Return what it makes of the pictures at a quality."""
        files = self.encoded(quality)
        error = _error(self.pictures, self.decoded(files))
        return Rate(self.tool, quality, sum(map(len, files)), psnr_of(error))


def lossy_formats() -> list[Codec]:
    """Return the formats with a quality, installed or not."""
    return [peer for peer in PEERS if peer.does == QUALITY]


def settings_of(pictures: Sequence[Any]) -> list[Setting]:
    """Return the formats that are here with pictures: each as its own file, and, of one size, all as one sheet.

    A file of its own costs hundreds of bytes before the first pixel, which counts with small pictures; a sheet costs
    that once, and blocks of its edges belong to two pictures.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (height, width) or (height, width, 3)
        Others have no place in these formats, and give nothing.
    """
    shown = [np.asarray(picture) for picture in pictures]
    shown = [picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture for picture in shown]
    if not shown or any(
        picture.dtype != np.uint8 or (picture.ndim == 3 and picture.shape[2] != 3) for picture in shown
    ):
        return []
    sets: dict[str, Sequence[Picture]] = {EACH: shown}
    if len({picture.shape for picture in shown}) == 1 and len(shown) > 1:
        sets[SHEET] = [_sheet(shown)]
    formats = [format for format in lossy_formats() if format.is_installed]
    return [Setting(format, what, some, shown[0].shape) for format in formats for what, some in sets.items()]


def fairest(settings: Sequence[Setting]) -> list[Setting]:
    """Return those that cost no head for each picture, where there are some."""
    return [setting for setting in settings if setting.what == SHEET] or list(settings)


def rates_of_formats(pictures: Sequence[Any], psnr_of: ToDecibels) -> list[Rate]:
    """Return what the formats make of pictures at several qualities.

    Parameters
    ----------
    pictures : sequence of ndarray
        As :func:`settings_of` takes them.
    psnr_of : callable
        Makes decibels of a mean squared error.
    """
    return [rate for setting in settings_of(pictures) for rate in _rates(setting, psnr_of)]


def _rates(setting: Setting, psnr_of: ToDecibels) -> Iterator[Rate]:
    for quality in QUALITIES:
        yield setting.rate(quality, psnr_of)


@dataclass(frozen=True)
class AtSize:
    """What a format makes of pictures at about a size.

    Parameters
    ----------
    rate : Rate
    pictures : sequence of ndarray of uint8
        The first ones as they come back.
    encode_seconds, decode_seconds : float
        Of all pictures.
    """

    rate: Rate
    pictures: Sequence[Picture]
    encode_seconds: float
    decode_seconds: float


def at_size(setting: Setting, size: int, psnr_of: ToDecibels, shown: int) -> AtSize:
    """Return what a format makes of pictures at the best quality of at most so many bytes, else at the lowest.

    Parameters
    ----------
    setting : Setting
    size : int
        Bytes of all files.
    psnr_of : callable
        Makes decibels of a mean squared error.
    shown : int
        How many pictures are given back.
    """
    low, high = 1, 100
    while low < high:  # sizes grow with the quality
        middle = (low + high + 1) // 2
        fits = sum(map(len, setting.encoded(middle))) <= size
        low, high = (middle, high) if fits else (low, middle - 1)
    files, encoding = timed(lambda: setting.encoded(low))
    again, decoding = timed(lambda: setting.decoded(files))
    rate = Rate(setting.tool, low, sum(map(len, files)), psnr_of(_error(setting.pictures, again)))
    some = again if setting.what == EACH else _cut(again[0], setting.shape)
    return AtSize(rate, some[:shown], encoding, decoding)


def _error(one: Sequence[Picture], other: Sequence[Picture]) -> float:
    """Return the mean squared error over all numbers."""
    squares = [np.square(a.astype(np.int64) - b) for a, b in zip(one, other, strict=True)]
    return sum(int(square.sum()) for square in squares) / sum(square.size for square in squares)


def _sheet(pictures: Sequence[Picture]) -> Picture:
    """Return pictures as one, without gaps."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = [np.concatenate(pictures[start : start + columns], 1) for start in range(0, len(pictures), columns)]
    width = rows[0].shape[1]
    rows[-1] = np.pad(rows[-1], [(0, 0), (0, width - rows[-1].shape[1]), *([(0, 0)] * (rows[-1].ndim - 2))], "edge")
    return np.concatenate(rows, 0)


def _cut(sheet: Picture, shape: tuple[int, ...]) -> list[Picture]:
    """Return the pictures of a sheet, row by row."""
    height, width = shape[:2]
    tops, lefts = range(0, sheet.shape[0], height), range(0, sheet.shape[1], width)
    return [sheet[top : top + height, left : left + width] for top in tops for left in lefts]

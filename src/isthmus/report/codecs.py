"""What common picture formats with a loss make of pictures: bytes and PSNR at several settings."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rate", "rates_of_formats"]

QUALITIES = 5, 15, 30, 50, 70, 85, 95  # of 100
FORMATS: dict[str, dict[str, Any]] = {"JPEG": {"optimize": True}, "WebP": {"method": 6}}

Picture = NDArray[np.uint8]


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


def rates_of_formats(pictures: Sequence[Any], psnr_of: Callable[[float], float]) -> list[Rate]:
    """Return what JPEG and WebP make of pictures: each as its own file, and, of one size, all as one sheet.

    A file of its own costs hundreds of bytes before the first pixel, which counts with small pictures; a sheet costs
    that once, and blocks of its edges belong to two pictures.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (height, width) or (height, width, 3)
        Others have no place in these formats, and give nothing.
    psnr_of : callable
        Makes decibels of a mean squared error.
    """
    shown = [np.asarray(picture) for picture in pictures]
    shown = [picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture for picture in shown]
    if any(picture.dtype != np.uint8 or (picture.ndim == 3 and picture.shape[2] != 3) for picture in shown):
        return []
    sets = {"a file each": shown}
    if len({picture.shape for picture in shown}) == 1 and len(shown) > 1:
        sets["one sheet"] = [_sheet(shown)]
    return [rate for format in FORMATS for what, some in sets.items() for rate in _rates(format, what, some, psnr_of)]


def _sheet(pictures: Sequence[Picture]) -> Picture:
    """Return pictures as one, without gaps."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = [np.concatenate(pictures[start : start + columns], 1) for start in range(0, len(pictures), columns)]
    width = rows[0].shape[1]
    rows[-1] = np.pad(rows[-1], [(0, 0), (0, width - rows[-1].shape[1]), *([(0, 0)] * (rows[-1].ndim - 2))], "edge")
    return np.concatenate(rows, 0)


def _rates(format: str, what: str, pictures: Sequence[Picture], psnr_of: Callable[[float], float]) -> Iterator[Rate]:
    for quality in QUALITIES:
        size = error = count = 0
        for picture in pictures:
            content = _coded(picture, format, quality)
            difference = _decoded(content, picture.ndim).astype(np.int64) - picture
            size, error, count = size + len(content), error + int((difference**2).sum()), count + difference.size
        yield Rate(f"{format}, {what}", quality, size, psnr_of(error / count))


def _coded(picture: Picture, format: str, quality: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, format, quality=quality, **FORMATS[format])
    return content.getvalue()


def _decoded(content: bytes, axes: int) -> Picture:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L" if axes == 2 else "RGB"))

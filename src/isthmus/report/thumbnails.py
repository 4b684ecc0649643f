"""Thumbnails of many records on sheets of bounded size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.report.contact_sheet import shown_as_bytes
from isthmus.report.embedding import data_address

__all__ = ["sheets_of"]

PIXELS = 2**24  # of all thumbnails together: a browser holds four bytes of each
LARGEST = 64  # pixels of a side
SHEET = 2048  # pixels of a side of one sheet: a browser reads only those that are looked at
QUALITY = 82


def sheets_of(n: int, blocks: Iterable[Any], shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Return thumbnails of pictures, in order, on sheets.

    Parameters
    ----------
    n : int
        Number of pictures.
    blocks : iterable of ndarray (b, height, width[, channels]), or of list of ndarray
        The pictures, in order.
    shape : tuple
        Of one picture; None for sides that differ.

    Returns
    -------
    dict
        ``width`` and ``height`` of a thumbnail, ``columns`` and ``rows`` of them on a sheet, and the ``sheets`` as data
        addresses. Many pictures have smaller thumbnails: all together have at most 16.8 million pixels.
    """
    height, width = _size(n, shape[:2])
    columns, rows = max(1, SHEET // width), max(1, SHEET // height)
    sheets: list[str] = []
    waiting: list[NDArray[np.uint8]] = []
    for block in blocks:
        waiting += [_fitted(picture, height, width) for picture in _as_bytes(block)]
        while len(waiting) >= columns * rows:
            sheets.append(_address(waiting[: columns * rows], columns))
            waiting = waiting[columns * rows :]
    if waiting:
        sheets.append(_address(waiting, columns))
    return {"width": width, "height": height, "columns": columns, "rows": rows, "sheets": sheets}


def _size(n: int, sides: tuple[int | None, ...]) -> tuple[int, int]:
    """Return the height and the width of a thumbnail: no larger than the picture, nor than all may be together."""
    height, width = (side or LARGEST for side in sides)
    factor = min(1.0, LARGEST / max(height, width), (PIXELS / (n * height * width)) ** 0.5)
    return max(1, int(height * factor)), max(1, int(width * factor))


def _as_bytes(block: Any) -> list[NDArray[np.uint8]]:
    """Return the pictures of a block as colour; 8-bit ones keep their values, of others each block has one scale."""
    return [np.dstack([x] * 3) if x.ndim == 2 or x.shape[2] == 1 else x[..., :3] for x in shown_as_bytes(list(block))]


def _fitted(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture of the size of a thumbnail, as large as fits, in its middle."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    factor = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    if small.shape[:2] == (height, width):
        return small
    whole = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole


def _address(pictures: list[NDArray[np.uint8]], columns: int) -> str:
    """Return pictures of one size as one WebP picture, written out as a data address."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    whole = np.zeros((rows * columns, height, width, 3), np.uint8)
    whole[: len(pictures)] = pictures
    sheet = whole.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return data_address(sheet, "WEBP", quality=QUALITY, method=2)

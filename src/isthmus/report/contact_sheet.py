"""Many pictures joined into one, pixel by pixel, for viewing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["shown_as_bytes", "side_by_side"]

SMALLEST = 56  # pixels of a side up to which small pictures are magnified
GAP = 4
BACKGROUND = 255

Bytes = NDArray[np.uint8]


def shown_as_bytes(pictures: Sequence[NDArray[Any]]) -> list[Bytes]:
    """Return pictures as grey or colour bytes, all on one scale.

    Parameters
    ----------
    pictures : sequence of arrays (height, width) or (height, width, channels)
        8-bit ones keep their values; others go from the lowest value of all, black, to the highest, white.
    """
    arrays = [np.asarray(picture) for picture in pictures]
    low, high = 0.0, 255.0
    if arrays[0].dtype != np.uint8 or max(int(array.max()) for array in arrays) <= 16:
        low, high = (float(edge([edge(array) for array in arrays])) for edge in (np.min, np.max))
    scaled = [np.clip((array.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1) for array in arrays]
    return [_grey_or_colour((255 * x).round().astype(np.uint8)) for x in scaled]


def _grey_or_colour(x: Bytes) -> Bytes:
    if x.ndim == 3 and x.shape[2] not in (3, 4):
        return x.mean(axis=2).round().astype(np.uint8)
    return x


def side_by_side(pictures: Sequence[Bytes], columns: int | None = None) -> Bytes:
    """Return pictures of one size as one, row by row, small ones magnified.

    Parameters
    ----------
    pictures : sequence of uint8 arrays
        See :func:`shown_as_bytes`.
    columns : int, optional
        Pictures in a row; by default about as many as there are rows.
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    times = max(1, round(SMALLEST / max(height, width)))
    height, width = height * times, width * times
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, *pictures[0].shape[2:])
    sheet = np.full(shape, BACKGROUND, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (GAP + (i // columns) * (height + GAP), GAP + (i % columns) * (width + GAP))
        sheet[top : top + height, left : left + width] = picture.repeat(times, 0).repeat(times, 1)
    return sheet

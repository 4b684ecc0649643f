"""How a picture is cut into tiles that know nothing of each other, and how they are joined without a seam.

Along each side tiles begin at most 1024 pixels apart, as evenly as can be, and each reaches 16 pixels into the next
one, where the one fades out and the other in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["OVERLAP", "PITCH", "Canvas", "Tile", "tiles_of"]

PITCH = 1024  # pixels from one tile to the next, at most
OVERLAP = 16  # pixels that two have in common
UNIT = 2 * OVERLAP  # what the weights of two of them add up to along one side


class Tile(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def tiles_of(height: int, width: int) -> list[Tile]:
    """Return the tiles of a picture, row by row: one where both sides have at most 1040 pixels."""
    return [Tile(top, left, bottom - top, right - left) for top, bottom in _cut(height) for left, right in _cut(width)]


def _cut(side: int) -> list[tuple[int, int]]:
    """Return where the tiles along a side begin and end."""
    new = max(side - OVERLAP, 1)
    count = -(-new // PITCH)
    starts = [new * k // count for k in range(count)]
    return list(zip(starts, [start + OVERLAP for start in starts[1:]] + [side], strict=True))


class Canvas:
    """A picture that is put together from tiles, in any order.

    Parameters
    ----------
    height, width, planes : int
        Of the picture.
    dtype : data type
        Of whole numbers of up to 16 bits: states of the decoder and samples can be joined alike.
    """

    def __init__(self, height: int, width: int, planes: int, dtype: Any) -> None:
        self._picture = np.zeros((height, width, planes), dtype)
        # Where tiles fade into each other: sums, of which 1024 are one.
        self._rows = {top: np.zeros((OVERLAP, width, planes), np.int32) for top, _ in _cut(height)[1:]}
        self._columns = {left: np.zeros((height, OVERLAP, planes), np.int32) for left, _ in _cut(width)[1:]}

    def put(self, tile: Tile, pixels: NDArray[Any]) -> None:
        """Add the pixels of a tile of the picture, (height, width, planes); each tile once, by one thread at a time."""
        height, width = self._picture.shape[:2]
        share = _share(tile.top, tile.height, height)[:, None] * _share(tile.left, tile.width, width)
        faded = pixels.astype(np.int32) * share[:, :, None]
        rows, columns = tile.window
        self._picture[rows, columns] = _whole(faded)
        for top, sums in self._rows.items():
            if rows.start == top:
                sums[:, columns] += faded[:OVERLAP]
            elif rows.stop == top + OVERLAP:
                sums[:, columns] += faded[-OVERLAP:]
        for left, sums in self._columns.items():
            if columns.start == left:
                sums[rows] += faded[:, :OVERLAP]
            elif columns.stop == left + OVERLAP:
                sums[rows] += faded[:, -OVERLAP:]

    def picture(self) -> NDArray[Any]:
        """Return the picture, (height, width, planes)."""
        for left, sums in self._columns.items():
            self._picture[:, left : left + OVERLAP] = _whole(sums)
        for top, sums in self._rows.items():
            self._picture[top : top + OVERLAP] = _whole(sums)
        return self._picture


def _share(start: int, length: int, side: int) -> NDArray[np.int32]:
    """Return how much each row or column of a tile counts, of 32."""
    found, ramp = np.full(length, UNIT, np.int32), np.arange(1, UNIT, 2, dtype=np.int32)
    if start:
        found[:OVERLAP] = ramp
    if start + length < side:
        found[-OVERLAP:] = ramp[::-1]
    return found


def _whole(sums: NDArray[np.int32]) -> NDArray[np.int32]:
    return (sums + UNIT * UNIT // 2) // (UNIT * UNIT)

"""Tiling: networks of convolutions on pictures of any size, in bounded memory and without seams.

A pixel that such a network returns depends on no pixel farther away than its *reach*. So a picture is read in tiles
that overlap by that much on each side, of which only the middle, the core, is kept: what comes out is what the network
would have made of the whole picture. Beyond its border a picture goes on as in a mirror, however far a tile looks: so a
pixel depends neither on where the tiles lie nor on how large the picture is.

A picture that goes on as in a mirror is periodic. Where its period is smaller than a tile, as of small pictures, one
period is read instead, and the network goes on beyond it by itself, with the same result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.networks.restoring import LEVELS, MULTIPLE, fill

__all__ = ["CORE", "STEP", "Enlarged", "Filled", "Source", "Tile", "Whole", "mirrored", "tiles"]

CORE = 576  # pixels a side of what a tile adds to the result, at most
STEP = 48  # which is a multiple of this: of the halvings of a network, the scales 2, 3 and 4, and the tiles of TIFF


class Source(Protocol):
    """A picture that is read by windows."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""

    def read(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a window inside the picture: float32, (channels, height, width)."""


@dataclass(frozen=True)
class Whole:
    """A picture in memory.

    Parameters
    ----------
    values : tensor, shape (channels, height, width)
    """

    values: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        channels, height, width = self.values.shape
        return height, width, channels

    def read(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a window."""
        return self.values[:, top : top + height, left : left + width]


@dataclass(frozen=True)
class Enlarged:
    """A picture enlarged by bicubic interpolation (Keys 1981, a = -1/2), made as it is read.

    Parameters
    ----------
    source : Source
        The small one.
    scale : int
        Pixels for one, to each side.
    """

    source: Source
    scale: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the large one."""
        height, width, channels = self.source.shape
        return height * self.scale, width * self.scale, channels

    def read(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a window; it may lie beyond the border, where the small picture goes on as in a mirror."""
        first = [start // self.scale - 2 for start in (top, left)]
        last = [-(-(start + side) // self.scale) + 2 for start, side in ((top, height), (left, width))]
        small = mirrored(self.source, first[0], first[1], last[0] - first[0], last[1] - first[1])
        size = [side * self.scale for side in small.shape[1:]]
        # With antialias torch takes a = -1/2, as Pillow does; without it a = -3/4.
        large = F.interpolate(small[None], size=size, mode="bicubic", antialias=True, align_corners=False)[0]
        down, right = top - first[0] * self.scale, left - first[1] * self.scale
        return large[:, down : down + height, right : right + width]


SQUARE = 2**LEVELS  # pixels a side of the largest squares that missing pixels are guessed from
# Pixels on which a guess depends, to each side: interpolations reach 2 + 4 + ... + 64 and a square, relaxation 32.
AROUND = 4 * SQUARE


@dataclass(frozen=True)
class Filled:
    """A picture whose missing pixels continue the known ones around (:func:`isthmus.networks.restoring.fill`).

    Parameters
    ----------
    source : Source
        What stands in missing pixels is not looked at.
    known : tensor of bool, shape (1, height, width)
    mean : tensor, shape (channels,)
        Of the known pixels: what stands far from all of them.
    """

    source: Source
    known: Tensor
    mean: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.source.shape

    def read(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a window, filled as the whole picture would be."""
        if bool(self.known[:, top : top + height, left : left + width].all()):
            return self.source.read(top, left, height, width)
        # Squares lie as in the whole picture: at multiples of their sides.
        (first, last), (start, stop) = (
            (max(0, (low - AROUND) // SQUARE * SQUARE), min(side, -(-(low + length) // SQUARE) * SQUARE + AROUND))
            for low, length, side in zip((top, left), (height, width), self.shape[:2], strict=True)
        )
        known = self.known[:, first:last, start:stop].float()[None]
        found = self.source.read(first, start, last - first, stop - start)[None]
        filled = fill(found, known, self.mean[None, :, None, None])[0]
        return filled[:, top - first : top - first + height, left - start : left - start + width]


@dataclass(frozen=True)
class Tile:
    """A part of the result, and what is read for it.

    Parameters
    ----------
    top, left : int
        The first pixel of its core.
    height, width : int
        Of its core, inside the picture.
    read_height, read_width : int
        Of what is read: the same for all tiles of a picture.
    margin : int
        Pixels that are read before the core.
    periodic : bool
        Whether what is read is a period of the picture, which goes on with its other sides.
    """

    top: int
    left: int
    height: int
    width: int
    read_height: int
    read_width: int
    margin: int
    periodic: bool = False

    @property
    def shape(self) -> tuple[int, int, bool]:
        """Of what is read, and whether that is periodic: tiles of one shape go through a network together."""
        return self.read_height, self.read_width, self.periodic

    def read(self, source: Source) -> Tensor:
        """Return what is read of a picture: (channels, read_height, read_width)."""
        return mirrored(source, self.top - self.margin, self.left - self.margin, self.read_height, self.read_width)

    def core(self, values: Tensor) -> Tensor:
        """Return the core of what a network made of what was read: (..., height, width)."""
        return values[..., self.margin : self.margin + self.height, self.margin : self.margin + self.width]


def tiles(height: int, width: int, reach: int, core: int = CORE) -> Iterator[Tile]:
    """Yield the tiles of a picture, row by row; all of them read windows of one shape.

    A picture whose mirror images repeat within less than a tile is a tile of its own: one period.

    Parameters
    ----------
    height, width : int
        Of the picture.
    reach : int
        Pixels on which a result depends, to each side.
    core : int, default=576
        The longest side of a core: a multiple of 48.
    """
    margin = _up(reach, MULTIPLE)
    high, wide = _even(height, core), _even(width, core)
    period = _period(height), _period(width)
    if height <= core and width <= core and math.prod(period) < (high + 2 * margin) * (wide + 2 * margin):
        yield Tile(0, 0, height, width, *period, margin=0, periodic=True)
        return
    for top in range(0, height, high):
        for left in range(0, width, wide):
            size = min(high, height - top), min(wide, width - left)
            yield Tile(top, left, *size, high + 2 * margin, wide + 2 * margin, margin)


def _period(side: int) -> int:
    """Return after how many pixels the mirror images of a side repeat, in whole squares of a network."""
    return math.lcm(2 * side, MULTIPLE)


def _even(side: int, core: int) -> int:
    """Return the side of cores that cover a side in as few and as even parts as possible."""
    parts = -(-side // core)
    return _up(-(-side // parts), STEP)


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def mirrored(source: Source, top: int, left: int, height: int, width: int) -> Tensor:
    """Return a window of a picture that goes on beyond its border as in a mirror: (channels, height, width).

    The border's own pixels are doubled, so that a picture of a single pixel has a mirror image, too.
    """
    if isinstance(source, Enlarged):
        return source.read(top, left, height, width)  # whose small picture goes on
    (rows, first_row, last_row), (columns, first_column, last_column) = (
        _reflected(start, length, side)
        for start, length, side in zip((top, left), (height, width), source.shape[:2], strict=True)
    )
    found = source.read(first_row, first_column, last_row - first_row, last_column - first_column)
    if rows is not None:
        found = found[:, rows]
    return found if columns is None else found[:, :, columns]


def _reflected(start: int, length: int, side: int) -> tuple[Tensor | None, int, int]:
    """Return places in what is read, or None if they are all of them in order, and the range that is read."""
    if start >= 0 and start + length <= side:
        return None, start, start + length
    places = torch.arange(start, start + length) % (2 * side)
    places = torch.where(places < side, places, 2 * side - 1 - places)
    first, last = int(places.min()), int(places.max()) + 1
    return places - first, first, last

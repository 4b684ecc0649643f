"""Tiles of a photograph, which know nothing of each other, and the photograph of them.

Tiles begin 1,024 pixels apart and reach 16 pixels into their neighbours on the right and below, where the samples of
both are mixed, in whole numbers. A picture with no side above 1,040 pixels is one tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["APART", "OVERLAP", "Tile", "cut", "joined"]

APART, OVERLAP = 1024, 16  # pixels

Samples = NDArray[Any]


class Tile(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def cut(height: int, width: int) -> list[Tile]:
    """Return the tiles of a picture, row by row."""
    columns = _spans(width)
    return [Tile(top, left, tall, wide) for top, tall in _spans(height) for left, wide in columns]


def joined(height: int, width: int, samples: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the rows of a picture, some at once.

    Parameters
    ----------
    height, width : int
        Of the picture.
    samples : iterable of ndarray of uint8 or uint16, shape (height, width, channels)
        Of its tiles, row by row; no more than a row of them is kept.
    """
    rest, columns = iter(samples), _spans(width)
    above: Samples | None = None
    for top, tall in _spans(height):
        row = _beside([next(rest).swapaxes(0, 1) for _ in columns]).swapaxes(0, 1)
        if above is not None:
            row = np.concatenate([_mixed(above, row[:OVERLAP]), row[OVERLAP:]])
        if top + tall < height:
            above, row = row[-OVERLAP:], row[:-OVERLAP]
        yield row
    for _ in rest:  # whoever makes samples may check what follows them
        raise ValueError("more tiles than the picture has")


def _spans(length: int) -> list[tuple[int, int]]:
    """Return where tiles begin along a side, and how long they are."""
    count = max(1, -(-(length - OVERLAP) // APART))
    return [(APART * k, min(APART + OVERLAP, length - APART * k)) for k in range(count)]


def _beside(parts: Sequence[Samples]) -> Samples:
    """Return parts, each of which overlaps the next along the first axis, as one."""
    found = [parts[0]]
    for part in parts[1:]:
        before = found.pop()
        found += [before[:-OVERLAP], _mixed(before[-OVERLAP:], part[:OVERLAP]), part[OVERLAP:]]
    return np.concatenate(found)


def _mixed(one: Samples, other: Samples) -> Samples:
    """Return samples that go from one to another along the first axis: 1, 3, ..., 31 thirty-seconds of the other."""
    share = np.arange(1, 2 * OVERLAP, 2).reshape(-1, *[1] * (one.ndim - 1))
    mixed = one.astype(np.int64) * (2 * OVERLAP - share) + other.astype(np.int64) * share + OVERLAP
    return (mixed // (2 * OVERLAP)).astype(one.dtype)

"""Strips of rows, each of which is coded by itself: what a picture is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.pictures.layout import Layout
from isthmus.coding.pictures.samples import words_of
from isthmus.coding.pictures.schemes import DRAWING, KINDS, SIDES, VERSION, built
from isthmus.coding.values import ValueCoder

__all__ = ["Coding", "rows_of_strip"]

CUT = 1 << 17  # pixels of a picture that is cut in two, so that two threads have work
PIXELS, NUMBERS = 1 << 20, 1 << 22  # of a strip, at most, if it has more than a row
UNITS_LIMIT = 1 << 24  # pixels of a strip, at most
ALPHA = 4  # channels of a picture whose first plane is alpha, as far as it matters
DENSEST = 1 << 19  # bits that a byte of payload can stand for, at most: a probability has 16 bits
FLUSHED = 4  # bytes that the end of a payload may leave out: they are zeros


def rows_of_strip(height: int, width: int, planes: int, kind: int) -> int:
    """Return how many rows a strip has, so that strips are alike.

    Of photographs that are not small there are two at least. Drawings would lose too much: what is in one strip, such
    as letters, is often in the other.
    """
    pixels = height * width
    most = max(1, min(PIXELS, NUMBERS // planes))
    strips = max(-(-pixels // most), 2 if pixels >= CUT and kind != DRAWING else 1)
    return max(1, -(-height // strips))


@dataclass(frozen=True)
class Coding:
    """How a picture is coded.

    Parameters
    ----------
    layout : Layout
        How pixels become planes.
    kind : int
        Of the schemes: PHOTOGRAPH, QUICK or DRAWING.
    rows : int
        Of a strip; the last has those that are left.
    """

    layout: Layout
    kind: int
    rows: int

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return varint(VERSION) + varint(self.kind) + varint(self.rows) + self.layout.to_bytes()

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says.

        Raises
        ------
        FormatNumberError
            Its schemes are built as this version does not know.
        ArtifactError
            It is no coding of a picture.
        """
        version, kind, rows = (source.varint() for _ in range(3))
        if version != VERSION or kind not in KINDS.values():
            raise checks.later_form(source.name, f"scheme {kind} of builder {version}")
        layout = Layout.read(source)
        if not 0 < rows <= max(layout.height, 1) or rows * max(layout.width, 1) > UNITS_LIMIT:
            raise source.damaged("its strips have a size that none has")
        return cls(layout, kind, rows)

    def payload(self, rows: NDArray[Any]) -> bytes:
        """Return the payload of rows (n, width[, channels]): that of each plane, all but the last behind its size."""
        planes, coded = self.layout.planes(rows), []
        for place, sides in self._coded():
            coder = self._coder(place, len(sides), len(planes[place]))
            coded.append(coder.encode(planes[place], [planes[side] for side in sides]))
        return b"".join(varint(len(own)) + own for own in coded[:-1]) + b"".join(coded[-1:])

    def pixels(self, payload: bytes, count: int) -> NDArray[Any]:
        """Return the pixels (count, channels) of a payload.

        Raises
        ------
        ValueError, ArtifactError
            No rows have this payload.
        """
        source = Source.of(payload, "a strip")
        self._check_size(count, len(payload), source)
        planes = [np.zeros(count, np.int64) for _ in self.layout.levels]
        order = self._coded()
        for place, sides in order:
            own = source.up_to(len(payload)) if place == order[-1][0] else source.take(source.varint())
            planes[place] = self._coder(place, len(sides), count).decode(own, count, [planes[side] for side in sides])
        if source.position < len(payload):
            raise source.damaged("more bytes follow its planes")
        return self.layout.rows(planes)

    def _check_size(self, count: int, size: int, source: Source) -> None:
        """Refuse a number of pixels that no strip has, before there is room for them."""
        width = self.layout.width
        if not 0 < count <= self.rows * width or count % width:
            raise source.damaged(f"{count:,} pixels are no rows")
        bits = count * sum(levels.bits for levels in self.layout.levels)
        if bits > DENSEST * (size + FLUSHED * len(self.layout.levels)):
            raise source.damaged(f"{size:,} bytes are no {count:,} pixels")

    def _coded(self) -> list[tuple[int, list[int]]]:
        """Return the planes that are coded, in order, each with those that stand beside it."""
        levels = self.layout.levels
        return [(place, self._sides(place)) for place in range(len(levels)) if levels[place].bits]

    def _sides(self, place: int) -> list[int]:
        """Return the planes beside one: the same word of channels before it, alpha if need be, and the word above."""
        words = words_of(self.layout.dtype)[0]
        before = [other for other in range(place % words, place, words) if self.layout.levels[other].bits]
        if self.layout.channels == ALPHA and len(before) > 1 and before[0] < words:
            del before[0]
        above = [place - 1] if place % words and self.layout.levels[place - 1].bits else []
        return (before + above)[-SIDES:]

    def _coder(self, place: int, sides: int, count: int) -> ValueCoder:
        bits = self.layout.levels[place].bits
        return ValueCoder(built(self.kind, self.layout.width, bits, sides, count), sides)

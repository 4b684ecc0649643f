"""Strips of rows, each of which is coded by itself: what a picture is cut into."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import SMALL_FINGERPRINT, Source, varint
from isthmus.coding.kinds import ANY
from isthmus.coding.pictures.layout import Layout, Values
from isthmus.coding.pictures.samples import words_of
from isthmus.coding.pictures.schemes import DRAWING, KINDS, PLACES, SIDES, STACK, VERSION, built
from isthmus.coding.values import ValueCoder

__all__ = ["UNITS_LIMIT", "Coding", "Model", "rows_of_strip", "same_type", "sides_of"]

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


@runtime_checkable
class Model(Protocol):
    """What was learned from pictures like those that are coded."""

    layout: Layout

    @property
    def fingerprint(self) -> bytes:
        """What names it."""

    def coder(self, place: int) -> AbstractContextManager[ValueCoder]:
        """Return a coder for a plane, which begins with what was learned; it is lent for the block."""


@dataclass(frozen=True)
class Coding:
    """How a picture, or a stack of pictures one below the other, is coded.

    Parameters
    ----------
    layout : Layout
        How pixels become planes.
    kind : int
        Of the schemes: PHOTOGRAPH, QUICK, DRAWING or STACK.
    rows : int
        Of a strip; the last has those that are left.
    period : int, default=0
        Rows of each picture of a stack.
    model : Model, optional
        With what coders of a stack begin.
    needs : bytes, optional
        What names that in a file.
    """

    layout: Layout
    kind: int
    rows: int
    period: int = 0
    model: Model | None = None
    needs: bytes | None = field(default=None, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the picture or the stack."""
        height, *others = self.layout.shape
        return (height // self.period, self.period, *others) if self.period else self.layout.shape

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        said = varint(VERSION) + varint(self.kind) + varint(self.rows) + self.layout.to_bytes()
        if self.kind != STACK:
            return said
        named = b"" if self.model is None else self.model.fingerprint[:SMALL_FINGERPRINT]
        return said + varint(self.period) + varint(len(named)) + named

    @classmethod
    def read(cls, source: Source, model: object = None) -> Self:
        """Return what a file says.

        Raises
        ------
        FormatNumberError
            Its schemes are built as this version does not know.
        ArtifactError
            It is no coding of a picture, or needs another model.
        """
        version, kind, rows = (source.varint() for _ in range(3))
        if version != VERSION or kind not in KINDS.values():
            raise checks.later_form(source.name, f"scheme {kind} of builder {version}")
        layout = Layout.read(source)
        period, named = 0, b""
        if kind == STACK:
            period, named = source.varint(), source.take(min(source.varint(), SMALL_FINGERPRINT))
            if not period or layout.height % period or rows % period:
                raise source.damaged("its pictures have a height that none has")
        if not 0 < rows <= max(layout.height, period, 1) or rows * max(layout.width, 1) > UNITS_LIMIT:
            raise source.damaged("its strips have a size that none has")
        needed = cls._needed(source, model, named, (layout, period)) if named and model is not ANY else None
        return cls(layout, kind, rows, period, needed, named or None)

    @staticmethod
    def _needed(source: Source, model: Any, named: bytes, pictures: tuple[Layout, int]) -> Model:
        """Return the model that is named, which is for such pictures of such a height."""
        if not isinstance(model, Model) or not model.fingerprint.startswith(named):
            raise checks.needs_model(source.name, named.hex(), None if model is None else model.fingerprint.hex())
        layout, height = pictures
        if layout.levels != model.layout.levels or not is_alike(layout, height, model.layout):
            raise source.damaged("its model is for other pictures")
        return model

    def payload(self, rows: NDArray[Any]) -> bytes:
        """Return the payload of rows (n, width[, channels]): that of each plane, all but the last behind its size."""
        planes, coded = self.layout.planes(rows), []
        for place, sides in self._coded():
            beside = [planes[side] for side in sides] + self._places(len(planes[place]))
            with self._coder(place, len(sides), len(planes[place])) as coder:
                coded.append(coder.encode(planes[place], beside))
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
            beside = [planes[side] for side in sides] + self._places(count)
            with self._coder(place, len(sides), count) as coder:
                planes[place] = coder.decode(own, count, beside)
        if source.position < len(payload):
            raise source.damaged("more bytes follow its planes")
        return self.layout.rows(planes)

    def _check_size(self, count: int, size: int, source: Source) -> None:
        """Refuse a number of pixels that no strip has, before there is room for them."""
        width = self.layout.width
        if not 0 < count <= self.rows * width or count % (width * max(self.period, 1)):
            raise source.damaged(f"{count:,} pixels are no rows")
        bits = count * sum(levels.bits for levels in self.layout.levels)
        if bits > DENSEST * (size + FLUSHED * len(self.layout.levels)):
            raise source.damaged(f"{size:,} bytes are no {count:,} pixels")

    def _coded(self) -> list[tuple[int, list[int]]]:
        """Return the planes that are coded, in order, each with those that stand beside it."""
        levels = self.layout.levels
        return [(place, sides_of(self.layout, place)) for place in range(len(levels)) if levels[place].bits]

    def _places(self, count: int) -> list[Values]:
        """Return row and column of each pixel of a stack, as far as they are told apart."""
        if not self.period:
            return []
        rows, columns = places_of(self.period, self.layout.width)
        return [np.tile(rows, count // len(rows)), np.tile(columns, count // len(columns))]

    def _coder(self, place: int, sides: int, count: int) -> AbstractContextManager[ValueCoder]:
        if self.model is not None:
            return self.model.coder(place)
        scheme = built(self.kind, self.layout.width, self.layout.levels[place].bits, sides, count)
        return nullcontext(ValueCoder(scheme, sides + (2 if self.period else 0)))


def is_alike(layout: Layout, height: int, other: Layout) -> bool:
    """Tell whether pictures of a layout and a height are as large as others, and have as many channels and the type."""
    size = height, layout.width, layout.channels
    return size == (other.height, other.width, other.channels) and same_type(layout.dtype, other.dtype)


def same_type(dtype: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Tell whether samples are of the same type, in whatever order their bytes are."""
    return dtype.newbyteorder("=") == other.newbyteorder("=")


def sides_of(layout: Layout, place: int) -> list[int]:
    """Return the planes beside one: the same word of channels before it, alpha if need be, and the word above."""
    words = words_of(layout.dtype)[0]
    before = [other for other in range(place % words, place, words) if layout.levels[other].bits]
    if layout.channels == ALPHA and len(before) > 1 and before[0] < words:
        del before[0]
    above = [place - 1] if place % words and layout.levels[place - 1].bits else []
    return (before + above)[-SIDES:]


@functools.cache
def places_of(height: int, width: int) -> tuple[Values, Values]:
    """Return row and column of the pixels of a picture, halved until there are at most 32 of either."""
    halved = max(0, (max(height, width) - 1).bit_length() - (PLACES - 1).bit_length())
    rows, columns = np.divmod(np.arange(height * width), width)
    return rows >> halved, columns >> halved

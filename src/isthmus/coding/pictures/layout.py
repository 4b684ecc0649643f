"""How the pixels of a picture become planes of whole numbers, and these pixels again.

A plane holds one word of one channel, or, in a picture of few colours, the number of each pixel's colour. Its numbers
are the levels that occur, counted from 0: where samples use few of their values, what is between them is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.pictures.samples import dtype_of, joined, read_dtype, split, words_of

__all__ = ["CHANNELS_LIMIT", "COLOURS_LIMIT", "Layout", "Levels", "Survey", "Values"]

Values = NDArray[np.int64]

CHANNELS_LIMIT, SIDE_LIMIT = 64, 1 << 31
COLOURS_LIMIT, LEVELS_LIMIT = 256, 1024  # of a picture whose pixels are numbers of colours; that are listed
FEW_LEVELS, BYTE = 16, 8  # levels that pictures of one kind keep to; bits below which there are no others
DENSE = 0.75  # share of the values that samples could have, from which on all count as levels
ROW_LIMIT = 1 << 24  # bytes of a row, at most
BY_ROLE = {2: (1, 0), 3: (1, 0, 2), 4: (3, 1, 0, 2)}  # channels in the order in which they are coded: alpha, G, R, B


@dataclass(frozen=True)
class Levels:
    """Which numbers occur in a plane.

    Parameters
    ----------
    bits : int
        Of the largest number, once it is counted in levels; 0 where there is only one.
    listed : tuple of int
        The levels, rising; none where every number is one.
    """

    bits: int
    listed: tuple[int, ...] = ()

    @classmethod
    def of(cls, seen: NDArray[np.bool_]) -> Self:
        """Return the levels of numbers, of which it is said whether they were seen."""
        found = np.flatnonzero(seen).tolist()
        bits = max(found, default=1).bit_length()
        if len(found) == 1 or 1 < len(found) <= min(LEVELS_LIMIT, DENSE * 2**bits):
            return cls((len(found) - 1).bit_length(), tuple(found))
        return cls(bits)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file: how many levels are listed, the first, and the step from each to the next.

        Where all steps are the same, it stands there once; else 0 stands before them.
        """
        if not self.listed:
            return varint(0) + varint(self.bits)
        steps = np.diff(self.listed).tolist()
        said = steps[:1] if len(set(steps)) == 1 else [0, *steps]
        return b"".join(map(varint, (len(self.listed), self.listed[0], *said)))

    @classmethod
    def read(cls, source: Source, most: int) -> Self:
        """Return what a file says of numbers of at most so many bits."""
        count = source.varint()
        if count > LEVELS_LIMIT:
            raise source.damaged(f"a plane has {count:,} levels")
        if not count:
            bits = source.varint()
            if not 0 < bits <= most:
                raise source.damaged(f"a plane has numbers of {bits} bits")
            return cls(bits)
        first, step = source.varint(), source.varint()
        steps = [step or source.varint() for _ in range(count - 1)]
        if first + sum(steps) >> most or (step == 0) == (len(set(steps)) == 1) or 0 in steps:
            raise source.damaged("the levels of a plane are in no order")
        return cls((count - 1).bit_length(), tuple(accumulate(steps, initial=first)))

    def holds(self, other: Self) -> bool:
        """Return whether every number of another plane, of which these are the levels, is one of its own."""
        if not self.listed:
            most = other.listed[-1] if other.listed else (1 << other.bits) - 1
            return most >> self.bits == 0
        return bool(other.listed) and set(other.listed) <= set(self.listed)

    def for_others(self, most: int) -> Self:
        """Return the levels with which pictures are coded that were not seen, of words of at most so many bits.

        What is seldom missing should not be missing at all: only few levels are taken for all that there are.
        """
        if (len(self.listed) or 1 << self.bits) <= FEW_LEVELS:
            return self
        largest = self.listed[-1].bit_length() if self.listed else self.bits
        return type(self)(max(largest, min(most, BYTE)))

    def numbers(self, words: NDArray[np.uint16]) -> Values:
        """Return words as the numbers of their levels."""
        if not self.listed:
            return words.astype(np.int64)
        return np.searchsorted(self.listed, words).astype(np.int64)

    def words(self, numbers: Values) -> NDArray[np.uint16]:
        """Return the words of numbers; ValueError where one is no level's."""
        if not self.listed:
            return numbers.astype(np.uint16)
        if len(numbers) and int(numbers.max()) >= len(self.listed):
            raise ValueError("a level that there is not")
        return np.array(self.listed, np.uint16)[numbers]


@dataclass(frozen=True, eq=False)
class Layout:
    """How pixels become planes.

    Parameters
    ----------
    dtype : numpy.dtype
        Of samples.
    height, width : int
    channels : int
        0 where a pixel is a sample without an axis of its own.
    colours : ndarray of dtype, shape (n, channels)
        Those of a picture of few, else none: its only plane has their numbers.
    levels : tuple of Levels
        Of each plane, in the order in which they are coded.
    """

    dtype: np.dtype[Any]
    height: int
    width: int
    channels: int
    colours: NDArray[Any]
    levels: tuple[Levels, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the picture."""
        return (self.height, self.width, self.channels)[: 3 if self.channels else 2]

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return max(self.channels, 1) * self.dtype.itemsize

    @property
    def order(self) -> Sequence[int]:
        """Channels in the order in which they are coded."""
        count = max(self.channels, 1)
        return BY_ROLE.get(count, range(count))

    def planes(self, rows: NDArray[Any]) -> list[Values]:
        """Return the numbers of each plane, in a row, of rows (n, width[, channels])."""
        pixels = rows.reshape(-1, max(self.channels, 1))
        if len(self.colours):
            return [_numbers_of(_keys(pixels), _keys(self.colours))]
        words = [word for channel in self.order for word in split(pixels[:, channel])]
        return [levels.numbers(word) for levels, word in zip(self.levels, words, strict=True)]

    def rows(self, planes: Sequence[Values]) -> NDArray[Any]:
        """Return the pixels (n, channels) of planes; ValueError where there are none."""
        if len(self.colours):
            if len(planes[0]) and int(planes[0].max()) >= len(self.colours):
                raise ValueError("a colour that there is not")
            return self.colours[planes[0]]
        words = [levels.words(plane) for levels, plane in zip(self.levels, planes, strict=True)]
        count = words_of(self.dtype)[0]
        pixels = np.empty((len(planes[0]), max(self.channels, 1)), self.dtype)
        for place, channel in enumerate(self.order):
            pixels[:, channel] = joined(words[place * count : (place + 1) * count], self.dtype)
        return pixels

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        head = dtype_of(self.dtype) + b"".join(map(varint, (self.height, self.width, self.channels)))
        head += varint(len(self.colours))
        if len(self.colours):
            return head + self.colours.tobytes()
        return head + b"".join(levels.to_bytes() for levels in self.levels)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote; ArtifactError where that is no layout."""
        dtype = read_dtype(source)
        height, width, channels, count = (source.varint() for _ in range(4))
        if not (height < SIDE_LIMIT and width < SIDE_LIMIT and channels <= CHANNELS_LIMIT and count <= COLOURS_LIMIT):
            raise source.damaged("its picture has a size that none has")
        size = max(channels, 1) * dtype.itemsize
        if width * size > ROW_LIMIT:
            raise source.damaged("its rows are too long")
        colours = np.frombuffer(source.take(count * size), dtype).reshape(count, max(channels, 1))
        words, bits = words_of(dtype)
        if count:
            levels: tuple[Levels, ...] = (Levels((count - 1).bit_length()),)
        else:
            levels = tuple(Levels.read(source, bits) for _ in range(max(channels, 1) * words))
        return cls(dtype, height, width, channels, colours, levels)


@dataclass
class Survey:
    """What occurs in a picture, of which rows are shown one after another.

    Parameters
    ----------
    dtype : numpy.dtype
    channels : int
        0 where pixels have no axis of their own.

    Raises
    ------
    DataTypeError
        No picture has such samples.
    ShapeError
        There are more than 64 channels.
    """

    dtype: np.dtype[Any]
    channels: int
    _seen: list[NDArray[np.bool_]] = field(init=False)
    _colours: NDArray[np.uint64] | None = field(init=False)

    def __post_init__(self) -> None:
        """Prepare to note what occurs."""
        dtype_of(self.dtype)
        if self.channels > CHANNELS_LIMIT:
            raise checks.too_many_channels(self.channels, CHANNELS_LIMIT)
        words, bits = words_of(self.dtype)
        self._seen = [np.zeros(1 << bits, np.bool_) for _ in range(max(self.channels, 1) * words)]
        fits = self.channels > 1 and self.channels * self.dtype.itemsize <= 8
        self._colours = np.empty(0, np.uint64) if fits else None

    def add(self, rows: NDArray[Any]) -> None:
        """Note what occurs in rows (n, width[, channels])."""
        pixels = rows.reshape(-1, max(self.channels, 1))
        words = [word for channel in range(pixels.shape[1]) for word in split(pixels[:, channel])]
        for seen, word in zip(self._seen, words, strict=True):
            seen[word] = True
        if self._colours is not None:
            found = np.union1d(self._colours, _keys(pixels))
            self._colours = found if len(found) <= COLOURS_LIMIT else None

    def layouts(self, height: int, width: int) -> list[Layout]:
        """Return layouts for a picture of so many rows, all of which were shown.

        The last is that of its channels. Where its colours are few, and in more than one channel, theirs stands before.
        """
        words = words_of(self.dtype)[0]
        order = BY_ROLE.get(self.channels, range(max(self.channels, 1)))
        levels = tuple(Levels.of(self._seen[channel * words + k]) for channel in order for k in range(words))
        none = np.empty((0, max(self.channels, 1)), self.dtype)
        found = [Layout(self.dtype, height, width, self.channels, none, levels)]
        if self._colours is not None and len(self._colours) and sum(one.bits > 0 for one in levels) > 1:
            colours = _in_order_of_light(self._colours, self.dtype, self.channels)
            of_colours = (Levels((len(colours) - 1).bit_length()),)
            found.insert(0, Layout(self.dtype, height, width, self.channels, colours, of_colours))
        return found


def _in_order_of_light(keys: NDArray[np.uint64], dtype: np.dtype[Any], channels: int) -> NDArray[Any]:
    """Return the colours of keys, the darkest first, so that near numbers are near colours."""
    packed = keys.view(np.uint8).reshape(-1, 8)[:, : channels * dtype.itemsize]
    colours = np.ascontiguousarray(packed).view(dtype).reshape(-1, channels)
    light = np.sum([split(colours[:, k])[0].astype(np.int64) for k in range(channels)], axis=0)
    return colours[np.argsort(light, kind="stable")]


def _keys(pixels: NDArray[Any]) -> NDArray[np.uint64]:
    """Return pixels of at most 8 bytes as numbers."""
    packed = np.zeros((len(pixels), 8), np.uint8)
    size = math.prod(pixels.shape[1:]) * pixels.dtype.itemsize
    packed[:, :size] = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), size)
    return packed.view(np.uint64)[:, 0]


def _numbers_of(keys: NDArray[np.uint64], known: NDArray[np.uint64]) -> Values:
    """Return the places of keys among those that are known."""
    order = np.argsort(known)
    return order[np.searchsorted(known, keys, sorter=order)].astype(np.int64)

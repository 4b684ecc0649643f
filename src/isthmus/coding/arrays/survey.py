"""What is to be known of a plane before it is coded: its range, its digits, and which of its numbers stand apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.arrays.dtypes import Leaf
from isthmus.coding.arrays.planes import SPECIALS_LIMIT
from isthmus.coding.arrays.scales import PRECISION, ordinals

__all__ = ["Block", "Plane", "Survey", "normal", "palette"]

FILL_GAP = 1e15  # times as large as all others: a fill value
LEVELS = 4  # sizes of numbers, from the largest, that are looked at for such a gap
SAMPLE = 1 << 14  # numbers of a segment that are looked at first
SAMPLED = 3  # segments that samples are taken of
LEAST_ROWS = 4
RARE = 1000  # one in so many is listed, not made a special number


class Block(NamedTuple):
    """A part of a segment, in its own shape, without numbers that stand apart."""

    x: NDArray[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Plane:
    """The numbers of a leaf of an array's items.

    Parameters
    ----------
    leaf : Leaf
    part : callable
        Gives the numbers of a segment: (n,).
    shapes : sequence of tuple of int
        Of the segments.
    """

    leaf: Leaf
    part: Callable[[int], NDArray[Any]]
    shapes: Sequence[tuple[int, ...]]

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield the numbers of one segment after another."""
        return (self.part(number) for number in range(len(self.shapes)))

    @property
    def size(self) -> int:
        """Numbers in all."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def block(self, number: int, most: int = SAMPLE) -> Block:
        """Return about so many numbers from the middle of a segment, of all its fastest axis if that is not longer."""
        shape, lengths, room = self.shapes[number], [], most
        for axis, length in enumerate(shape):
            inner = int(np.prod(shape[axis + 1 :]))
            lengths.append(min(length, max(LEAST_ROWS, room // max(1, inner))))
            room //= lengths[-1]
        places = tuple(slice((n - k) // 2, (n - k) // 2 + k) for n, k in zip(shape, lengths, strict=True))
        return Block(np.ascontiguousarray(self.part(number).reshape(shape)[places]).reshape(-1), tuple(lengths))

    def sampled(self) -> list[int]:
        """Return the numbers of some segments: the first, the last, and what is between."""
        last = len(self.shapes) - 1
        return sorted({round(last * k / (SAMPLED - 1)) for k in range(SAMPLED)})


@dataclass(frozen=True)
class Survey:
    """What is known of a plane.

    Parameters
    ----------
    specials : tuple of int
        Words of the numbers that stand apart.
    least, most : int or float
        Of the others.
    smallest : float
        The smallest size of the others but 0; 0 where all are 0.
    used : int
        Of floating-point numbers: bits of the significand that are not 0 in all of them, with the highest one.
    divisor : int
        Of whole numbers: what their differences are multiples of.
    """

    specials: tuple[int, ...] = ()
    least: Any = 0
    most: Any = 0
    smallest: float = 0.0
    used: int = 1
    divisor: int = 1

    @classmethod
    def of(cls, plane: Plane, fill: Sequence[Any] = ()) -> Self:
        """Return what is known of a plane, some of whose numbers are fill values."""
        specials = _specials(plane, fill)
        found = [_measured(normal(x, specials)) for x in plane.parts()]
        known = [one for one in found if one is not None]
        if not known:
            return cls(specials)
        least, most = min(one.least for one in known), max(one.most for one in known)
        sizes = [one.smallest for one in known if one.smallest]
        divisor = math.gcd(*(one.divisor for one in known), *(int(one.least - least) for one in known))
        used = max(one.used for one in known)
        return cls(specials, least, most, min(sizes, default=0.0), used, max(1, divisor))


def normal(x: NDArray[Any], specials: Sequence[int]) -> NDArray[Any]:
    """Return the numbers that do not stand apart, and are finite: of others there may be more than specials."""
    if specials:
        x = x[~np.isin(x.view(f"u{x.itemsize}"), np.array(specials, f"u{x.itemsize}"))]
    return x if x.dtype.kind != "f" or np.isfinite(x).all() else x[np.isfinite(x)]


class _Measured(NamedTuple):
    least: Any
    most: Any
    smallest: float = 0.0
    used: int = 1
    divisor: int = 0


def _measured(x: NDArray[Any]) -> _Measured | None:
    """Return what is known of numbers of a segment, all of which are finite."""
    if not len(x):
        return None
    least, most = x.min(), x.max()
    if x.dtype.kind != "f":
        few = x[: 1 << 12] - least
        divisor = 1 if int(np.gcd.reduce(few.view(f"u{x.itemsize}"))) == 1 else _divisor(x, least)
        return _Measured(int(least), int(most), divisor=divisor)
    size = np.abs(x)
    bits = PRECISION[x.itemsize]
    digits = int(np.bitwise_or.reduce(x.view(f"u{x.itemsize}"))) & ((1 << (bits - 1)) - 1)
    zeros = (digits & -digits).bit_length() - 1 if digits else bits - 1
    smallest = size.min() or size[size > 0].min(initial=np.inf)
    return _Measured(float(least), float(most), float(smallest) if np.isfinite(smallest) else 0.0, bits - zeros)


def _divisor(x: NDArray[Any], least: Any) -> int:
    """Return what all differences of whole numbers are multiples of."""
    return int(np.gcd.reduce((x - least).view(f"u{x.itemsize}")))


def _specials(plane: Plane, fill: Sequence[Any]) -> tuple[int, ...]:
    """Return the words of what is no finite number, and of fill values: given ones, and those far above all others."""
    dtype, word = plane.leaf.dtype, plane.leaf.word
    found = [int(np.array(value).astype(dtype).view(word)) for value in fill]
    if dtype.kind == "f":
        strange = {w for x in plane.parts() if not np.isfinite(x).all() for w in _words_not_finite(x)}
        found += sorted(strange - set(found))[:SPECIALS_LIMIT]
        found += [w for w in _far_above(plane) if w not in found]
        zero = 1 << (8 * dtype.itemsize - 1)  # the negative one, which no scale knows
        if sum(int(np.count_nonzero(x.view(word) == zero)) for x in plane.parts()) * RARE > plane.size:
            found.append(zero)
    return tuple(found[:SPECIALS_LIMIT])


def _words_not_finite(x: NDArray[Any]) -> list[int]:
    return np.unique(x[~np.isfinite(x)].view(f"u{x.itemsize}"))[:SPECIALS_LIMIT].tolist()


def _far_above(plane: Plane) -> list[int]:
    """Return the words of numbers that are larger than all others by a factor of `FILL_GAP`."""
    levels = sorted({size for x in plane.parts() for size in _largest(x)}, reverse=True)[:LEVELS]
    gaps = [k + 1 for k in range(len(levels) - 1) if levels[k] >= FILL_GAP * levels[k + 1] > 0]
    if not gaps:
        return []
    sizes = np.array(levels[: gaps[-1]], plane.leaf.dtype)  # there may be several, far from each other
    far = (np.unique(x[np.isin(np.abs(x), sizes)].view(plane.leaf.word)) for x in plane.parts())
    return sorted({int(word) for words in far for word in words})


def _largest(x: NDArray[Any]) -> list[float]:
    """Return the largest sizes of finite numbers, if they could be fill values."""
    size = np.abs(x)
    size = size[np.isfinite(size)]
    levels: list[float] = []
    while len(size) and len(levels) < LEVELS:
        levels.append(float(size.max()))
        if levels[0] < FILL_GAP * float(size[size > 0].min(initial=np.inf)):
            break  # there can be no such gap
        size = size[size < levels[-1]]
    return levels


def palette(plane: Plane, limit: int) -> NDArray[Any] | None:
    """Return the different numbers of a plane in their order; None where there are more than a limit."""
    known: set[int] = set()
    for x in plane.parts():
        words = np.unique(x.view(plane.leaf.word))
        if len(words) <= limit:
            known.update(words.tolist())
        if len(words) > limit or len(known) > limit:
            return None
    numbers = np.array(sorted(known), plane.leaf.word).view(plane.leaf.dtype)
    return numbers[np.argsort(ordinals(numbers), kind="stable")]

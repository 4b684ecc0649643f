"""Scales: how the numbers of a plane become the whole numbers that the coder of values takes, and again numbers.

A scale gives each number a place, so that a number that is larger has none that is smaller. What lies between two
places is left to plain bits (`left`, `rest`). What a scale does not give back bit for bit is somebody else's affair: a
plane lists it.

Everything that a decoder computes is of whole numbers or of doubles, each operation of which IEEE 754 defines. Numbers
may be of any bits, also such as no operation has a result for: whoever calls tells NumPy to say nothing of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint

__all__ = [
    "FARTHEST",
    "GRAINS_LIMIT",
    "PRECISION",
    "Even",
    "Floating",
    "Grained",
    "Palette",
    "Rest",
    "Scale",
    "Shares",
    "Whole",
    "ordinals",
    "read",
]

Values = NDArray[np.int64]
Words = NDArray[np.uint64]

FARTHEST = 1 << 39  # places lie between its negative and it
PLACE_BITS = 39
PRECISION = {2: 11, 4: 24, 8: 53}  # bits of the significand of floating-point numbers, by their bytes
POWERS_LIMIT = {2: 1074, 10: 22}  # powers of ten up to 10^22 are doubles
DECIMAL, BINARY = 10, 2
GRAINS_LIMIT = 23  # bits behind a place: with those of places they are still whole numbers of 64 bits


class Rest(NamedTuple):
    """What places leave open: of each number so many bits.

    Parameters
    ----------
    lengths : ndarray of uint8, shape (n,)
    bits : ndarray of uint64, shape (n,)
    """

    lengths: NDArray[np.uint8]
    bits: Words


class Scale:
    """How numbers become places, and again numbers.

    Parameters
    ----------
    code : int
        Which one it is.
    kinds : tuple of str
        Of numbers that it is for.
    is_grained : bool
        Whether numbers say for themselves how many bits their places leave open.
    """

    code: ClassVar[int]
    kinds: ClassVar[tuple[str, ...]]
    is_grained: ClassVar[bool] = False

    def places(self, x: NDArray[Any]) -> Values:
        """Return the place of each number; any place of one that has none."""
        raise NotImplementedError

    def left(self, places: Values) -> NDArray[np.uint8] | None:
        """Return how many bits of each number its place leaves open; None where that does not hang on the place."""
        return None

    def rest(self, x: NDArray[Any], places: Values) -> Rest | None:
        """Return these bits; None where no place leaves any open."""
        return None

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places, with the bits that are left; ValueError where there is no such place."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file, without its code."""
        raise NotImplementedError


def _signed(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)


def _read_signed(source: Source) -> int:
    folded = source.varint()
    return -(folded + 1 >> 1) if folded % 2 else folded >> 1


def _double(source: Source) -> float:
    return struct.unpack("<d", source.take(8))[0]


def _within(source: Source, least: int, most: int) -> int:
    found = _read_signed(source)
    if not least <= found <= most:
        raise source.damaged("a scale has no such numbers")
    return found


def _rounded(x: NDArray[np.float64]) -> Values:
    """Return the nearest whole numbers, within reach; 0 of what is no number."""
    return np.nan_to_num(np.clip(np.rint(x), -FARTHEST, FARTHEST), copy=False).astype(np.int64)


@dataclass(frozen=True)
class Whole(Scale):
    """Whole numbers: (x - base) / step, without so many lowest bits.

    Parameters
    ----------
    base : int
        The least number, modulo 2^64.
    step : int, default=1
        What all differences from it are multiples of.
    shift : int, default=0
        Bits that are left, where the differences reach farther than places.
    """

    code: ClassVar[int] = 0
    kinds: ClassVar[tuple[str, ...]] = ("u", "i")

    base: int
    step: int = 1
    shift: int = 0

    def _steps(self, x: NDArray[Any]) -> Words:
        differences = x.astype(np.uint64) - np.uint64(self.base % (1 << 64))  # modulo 2^64, as NumPy does
        return differences // np.uint64(self.step) if self.step > 1 else differences

    def places(self, x: NDArray[Any]) -> Values:
        """Return the place of each number."""
        steps = self._steps(x) >> np.uint64(self.shift)
        return np.minimum(steps, np.uint64(FARTHEST)).astype(np.int64)

    def left(self, places: Values) -> NDArray[np.uint8] | None:
        """Return how many bits of each number its place leaves open."""
        return np.full(len(places), self.shift, np.uint8) if self.shift else None

    def rest(self, x: NDArray[Any], places: Values) -> Rest | None:
        """Return these bits."""
        lengths = self.left(places)
        return None if lengths is None else Rest(lengths, self._steps(x) & np.uint64((1 << self.shift) - 1))

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places, modulo 2^64."""
        steps = places.astype(np.uint64) << np.uint64(self.shift)
        if rest is not None:
            steps |= rest.bits
        return (steps * np.uint64(self.step) + np.uint64(self.base % (1 << 64))).astype(dtype)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        half = 1 << 63
        return _signed((self.base + half) % (2 * half) - half) + varint(self.step) + varint(self.shift)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says."""
        base, step, shift = _within(source, -1 << 63, (1 << 63) - 1), source.varint(), source.varint()
        if not step or shift > 63:
            raise source.damaged("a scale has no such numbers")
        return cls(base, step, shift)


@dataclass(frozen=True)
class Floating(Scale):
    """Floating-point numbers, evenly near zero, and from 2^(least - 1) in size on as they are themselves spaced.

    With the exponent of the largest number as the least, places are even everywhere; with that of the smallest, they
    are the numbers in their order, as Lindstrom and Isenburg number them in "Fast and Efficient Compression of
    Floating-Point Data" (IEEE TVCG 2006), section 3. Between, they are what is predicted best where numbers near zero
    come out of a difference.

    Parameters
    ----------
    least : int
        An exponent: of numbers from 2^(least - 1) to 2^least in size.
    kept : int
        Bits of these numbers that a place has.
    precision : int
        Bits of the significand that are not 0 in all numbers.
    """

    code: ClassVar[int] = 1
    kinds: ClassVar[tuple[str, ...]] = ("f",)

    least: int
    kept: int
    precision: int

    def places(self, x: NDArray[Any]) -> Values:
        """Return the place of each number."""
        fraction, exponent = _parts(x)
        doublings = np.where(fraction > 0, exponent - self.least, 0)
        size = _floored(np.ldexp(fraction, np.maximum(self.kept + np.minimum(doublings, 0), -1)))
        places = size + (np.maximum(doublings, 0).astype(np.int64) << (self.kept - 1))
        np.minimum(places, FARTHEST, out=places)
        return np.where(np.signbit(x), -places, places)

    def left(self, places: Values) -> NDArray[np.uint8]:
        """Return how many bits of each number its place leaves open: those that even places do not show."""
        lengths = np.frexp(np.minimum(np.abs(places), (1 << self.kept) - 1).astype(np.float64))[1]
        return np.where(lengths > 0, self.precision - np.minimum(lengths, self.kept), 0).astype(np.uint8)

    def rest(self, x: NDArray[Any], places: Values) -> Rest:
        """Return these bits."""
        whole, lengths = _floored(np.ldexp(_parts(x)[0], self.precision)).astype(np.uint64), self.left(places)
        return Rest(lengths, whole & ((np.uint64(1) << lengths.astype(np.uint64)) - np.uint64(1)))

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places, with the bits that are left."""
        size, left = np.abs(places), self.left(places)  # not what a rest says: of made up places there is none
        doublings = np.maximum((size >> (self.kept - 1)) - 1, 0)
        whole = (size - (doublings << (self.kept - 1))).astype(np.uint64) << left.astype(np.uint64)
        if rest is not None:
            whole |= rest.bits
        exponents = np.clip(doublings + (self.least - self.kept) - left, -2000, 2000).astype(np.int32)
        found = np.ldexp(whole.astype(np.float64), exponents)
        return np.where(places < 0, -found, found).astype(dtype)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return _signed(self.least) + varint(self.kept) + varint(self.precision)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says."""
        least, kept, precision = _within(source, -1100, 1100), source.varint(), source.varint()
        if not 1 <= kept <= min(precision, PLACE_BITS) or precision > PRECISION[8]:
            raise source.damaged("a scale has no such numbers")
        return cls(least, kept, precision)


def _parts(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return sizes as fractions, from 1/2 to 1, and exponents."""
    return np.frexp(np.abs(x, dtype=np.float64))


def _floored(x: NDArray[np.float64]) -> Values:
    return np.nan_to_num(x, copy=False, posinf=0.0).astype(np.int64)


@dataclass(frozen=True)
class Shares(Scale):
    """Numbers that were written with so many digits behind the point: k / 10^digits, or k / 2^digits.

    Parameters
    ----------
    radix : int
        10 or 2.
    digits : int
        Of radix 2 it may be negative.
    step, base : int
        k is base + step * place.
    """

    code: ClassVar[int] = 2
    kinds: ClassVar[tuple[str, ...]] = ("f",)

    radix: int
    digits: int
    step: int = 1
    base: int = 0

    def _wholes(self, x: NDArray[Any]) -> NDArray[np.float64]:
        if self.radix == BINARY:
            return np.ldexp(x.astype(np.float64), self.digits)
        return np.rint(x.astype(np.float64) * 10.0**self.digits)

    def places(self, x: NDArray[Any]) -> Values:
        """Return the place of each number."""
        return _rounded((self._wholes(x) - self.base) / self.step)

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places."""
        wholes = places.view(np.uint64) * np.uint64(self.step) + np.uint64(self.base % (1 << 64))  # modulo 2^64
        signed = wholes.view(np.int64).astype(np.float64)
        found = np.ldexp(signed, -self.digits) if self.radix == BINARY else signed / 10.0**self.digits
        return found.astype(dtype)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return bytes([self.radix]) + _signed(self.digits) + varint(self.step) + _signed(self.base)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says."""
        radix = source.take(1)[0]
        most = POWERS_LIMIT.get(radix, -1)
        digits, step = _within(source, -most if radix == BINARY else 0, most), source.varint()
        base = _within(source, -1 << 62, 1 << 62)
        if not 0 < step < 1 << 62:
            raise source.damaged("a scale has no such numbers")
        return cls(radix, digits, step, base)


@dataclass(frozen=True)
class Grained(Scale):
    """Numbers that end in zeros, some sooner than others: (place + rest) / 2^digits, with as many bits as the rest has.

    What comes out of a difference ends where the larger of the two numbers did.

    Parameters
    ----------
    digits : int
    """

    code: ClassVar[int] = 5
    kinds: ClassVar[tuple[str, ...]] = ("f",)
    is_grained: ClassVar[bool] = True

    digits: int

    def places(self, x: NDArray[Any]) -> Values:
        """Return the place of each number, which is not above it."""
        found = np.floor(np.ldexp(x.astype(np.float64), self.digits))
        return np.nan_to_num(np.clip(found, -FARTHEST, FARTHEST), copy=False).astype(np.int64)

    def rest(self, x: NDArray[Any], places: Values) -> Rest:
        """Return what is behind the point, to its last bit that is 1; of what is longer than can be, nothing."""
        wide = np.ldexp(np.ldexp(x.astype(np.float64), self.digits) - places, GRAINS_LIMIT)
        bits = _floored(np.where(wide < 1 << GRAINS_LIMIT, wide, 0.0)).astype(np.uint64)
        ends = np.frexp((bits & (~bits + np.uint64(1))).astype(np.float64))[1] - 1  # -1 where there is no bit
        lengths = np.where(ends < 0, 0, GRAINS_LIMIT - ends)
        return Rest(lengths.astype(np.uint8), bits >> np.maximum(ends, 0).astype(np.uint64))

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places, with the bits that are left."""
        lengths, bits = (places * 0, places * 0) if rest is None else (rest.lengths, rest.bits)
        wholes = (places << lengths.astype(np.int64)) | bits.astype(np.int64)
        return np.ldexp(wholes.astype(np.float64), -self.digits - lengths.astype(np.int32)).astype(dtype)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return _signed(self.digits)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says."""
        return cls(_within(source, -POWERS_LIMIT[BINARY], POWERS_LIMIT[BINARY]))


@dataclass(frozen=True)
class Even(Scale):
    """Places at even distances, to which numbers are rounded: base + unit * place.

    Parameters
    ----------
    base, unit : float
    """

    code: ClassVar[int] = 3
    kinds: ClassVar[tuple[str, ...]] = ("u", "i", "f")

    base: float
    unit: float

    def places(self, x: NDArray[Any]) -> Values:
        """Return the nearest place of each number."""
        return _rounded((x.astype(np.float64) - self.base) / self.unit)

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers at places, of whole ones the nearest; none beyond the last doubles that the type holds."""
        found = self.base + self.unit * places
        if dtype.kind == "f":
            most = float(np.finfo(dtype).max)
            return np.clip(found, -most, most).astype(dtype)
        low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
        high = high if int(high) <= np.iinfo(dtype).max else float(np.nextafter(high, 0))
        return np.clip(np.rint(found), low, high).astype(dtype)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return struct.pack("<dd", self.base, self.unit)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says."""
        base, unit = _double(source), _double(source)
        if not (np.isfinite(base) and np.isfinite(unit) and unit > 0):
            raise source.damaged("a scale has no such numbers")
        return cls(base, unit)


def ordinals(x: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers in the order of any numbers, whatever their bits, and different where these are."""
    if x.dtype.kind != "f":
        return x
    words = x.view(f"i{x.itemsize}")
    return np.where(words < 0, ~words ^ np.iinfo(words.dtype).min, words)


@dataclass(frozen=True, eq=False)
class Palette(Scale):
    """A few numbers, the place of each of which is its rank among them.

    Parameters
    ----------
    known : ndarray
        In the order of `ordinals`.
    coded : bytes
        The plan of a plane of them, and their payload.
    """

    code: ClassVar[int] = 4
    kinds: ClassVar[tuple[str, ...]] = ("u", "i", "f")

    known: NDArray[Any]
    coded: bytes = b""

    def places(self, x: NDArray[Any]) -> Values:
        """Return the rank of each number, or of a neighbour of one that is not there."""
        found = np.searchsorted(ordinals(self.known), ordinals(x))
        return np.minimum(found, len(self.known) - 1).astype(np.int64)

    def numbers(self, places: Values, rest: Rest | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the numbers of ranks; ValueError where there is no such rank."""
        if len(places) and not 0 <= int(places.min()) <= int(places.max()) < len(self.known):
            raise ValueError("no such rank")
        return self.known[places]

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        return self.coded


SCALES: dict[int, type[Whole] | type[Floating] | type[Shares] | type[Even] | type[Grained]] = {
    scale.code: scale for scale in (Whole, Floating, Shares, Even, Grained)
}


def read(source: Source, code: int) -> Scale:
    """Return the scale of a code, but not a palette; ArtifactError where there is none."""
    if code not in SCALES:
        raise source.damaged("a plane has a scale that is not known")
    return SCALES[code].read(source)

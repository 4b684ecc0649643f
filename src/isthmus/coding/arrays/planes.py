"""A plane: the numbers of one leaf of an array's items, segment by segment, coded by a plan.

A plan says how numbers become places (`isthmus.coding.arrays.scales`), how places are predicted
(`isthmus.coding.scheme`), and which numbers stand apart: fill values, infinities and whatever is no number. Where those
are is coded first, as numbers of their own; under them lie places that somebody made up. Numbers that a plan does not
give back as it should are listed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.arrays import plainbits, scales
from isthmus.coding.arrays.dtypes import Leaf
from isthmus.coding.arrays.scales import GRAINS_LIMIT, Even, Palette, Rest, Scale, ordinals
from isthmus.coding.container import FLUSHED, Source, check_of, varint
from isthmus.coding.scheme import Scheme
from isthmus.coding.values import ValueCoder, Values
from isthmus.errors import ArtifactError

__all__ = [
    "PALETTE_LIMIT",
    "SCHEMES_LIMIT",
    "SPECIALS_LIMIT",
    "Plan",
    "Tolerance",
    "decoded",
    "encoded",
    "fill_in",
    "with_numbers",
]

CONSTANT, PLAIN, CODED = range(3)  # kinds of a segment of a plane
APART, LISTED = 4, 8  # added to the last: there are numbers that stand apart, and some that are listed
MOVED, COLUMNED, APPROXIMATE = 1, 2, 4  # flags of a plan
SPECIALS_LIMIT, SCHEMES_LIMIT, PALETTE_LIMIT = 15, 8, 1 << 14
LIST_SHARE = 16  # a list with more than one in so many numbers is not worth it
CHECK = 2  # bytes
SWEEPS = 16
DENSEST = 1 << 19  # bits that a byte of payload can stand for, at most: a probability has 16 bits


@dataclass(frozen=True)
class Plan:
    """How a plane is coded.

    Parameters
    ----------
    scale : Scale
        How numbers become places.
    schemes : tuple of Scheme
        How places are predicted: each segment names one.
    specials : tuple of int
        Words of the numbers that stand apart, and are given back bit for bit.
    apart, grains : Scheme, optional
        How it is predicted where they are, and how many bits places leave open, where numbers say that themselves.
    is_moved : bool
        Whether the last axis is taken for the slowest one.
    is_columned : bool
        Whether the place on the last axis is a side.
    is_exact : bool
        Whether what steps of a scheme leave out is kept beside it.
    """

    scale: Scale
    schemes: tuple[Scheme, ...]
    specials: tuple[int, ...] = ()
    apart: Scheme | None = None
    grains: Scheme | None = None
    is_moved: bool = False
    is_columned: bool = False
    is_exact: bool = True

    @property
    def is_lossy(self) -> bool:
        """Whether numbers can be off."""
        return not self.is_exact or isinstance(self.scale, Even)

    def to_bytes(self, leaf: Leaf) -> bytes:
        """Return it as it stands in a file."""
        flags = MOVED * self.is_moved | COLUMNED * self.is_columned | APPROXIMATE * (not self.is_exact)
        said = bytes([flags, self.scale.code]) + self.scale.to_bytes() + varint(len(self.specials))
        said += b"".join(word.to_bytes(leaf.size, "little") for word in self.specials)
        said += b"".join(scheme.to_bytes() for scheme in (self.apart, self.grains) if scheme)
        return said + varint(len(self.schemes)) + b"".join(scheme.to_bytes() for scheme in self.schemes)

    @classmethod
    def read(cls, source: Source, leaf: Leaf, *, of_palette: bool = False) -> Self:
        """Return what a file says; ArtifactError where that is no plan for such numbers."""
        flags, code = source.take(2)
        if flags > MOVED + COLUMNED + APPROXIMATE or (of_palette and (flags or code == Palette.code)):
            raise source.damaged("a plane is coded in no known way")
        scale = _read_palette(source, leaf) if code == Palette.code else scales.read(source, code)
        known = range(_count(source, SPECIALS_LIMIT))
        specials = tuple(int.from_bytes(source.take(leaf.size), "little") for _ in known)
        apart = Scheme.read(source, 0) if specials else None
        grains = Scheme.read(source, 0) if scale.is_grained else None
        columned = bool(flags & COLUMNED)
        schemes = tuple(Scheme.read(source, columned) for _ in range(_count(source, SCHEMES_LIMIT)))
        if schemes and leaf.kind not in scale.kinds:
            raise source.damaged("a plane has a scale for other numbers")
        return cls(scale, schemes, specials, apart, grains, bool(flags & MOVED), columned, not flags & APPROXIMATE)

    def laid_out(self, numbers: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Return numbers in the order in which they are coded: (n,)."""
        if not self.is_moved:
            return numbers.reshape(-1)
        return np.ascontiguousarray(np.moveaxis(numbers.reshape(tuple(shape)), -1, 0)).reshape(-1)

    def put_back(self, numbers: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Return numbers in the order of memory: (n,)."""
        if not self.is_moved:
            return numbers
        moved = numbers.reshape(self.coded_shape(shape))
        return np.ascontiguousarray(np.moveaxis(moved, 0, -1)).reshape(-1)

    def coded_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of what is coded."""
        return (shape[-1], *shape[:-1]) if self.is_moved else tuple(shape)

    def sides(self, shape: Sequence[int]) -> tuple[Values, ...]:
        """Return what stands beside the places."""
        if not self.is_columned:
            return ()
        columns = np.broadcast_to(np.arange(shape[-1], dtype=np.int64), tuple(shape))
        return (self.laid_out(np.ascontiguousarray(columns), shape),)


def _count(source: Source, most: int) -> int:
    found = source.varint()
    if found > most:
        raise source.damaged(f"a plane has {found:,} of something")
    return found


def with_numbers(known: NDArray[Any], plan: Plan, leaf: Leaf) -> Palette:
    """Return a palette of numbers, with how it stands in a file by a plan of one scheme."""
    payload, _ = encoded(known, known.shape, plan, 0, Tolerance())
    return Palette(known, plan.to_bytes(leaf) + varint(len(known)) + _sized(payload))


def _read_palette(source: Source, leaf: Leaf) -> Palette:
    plan, count = Plan.read(source, leaf, of_palette=True), _count(source, PALETTE_LIMIT)
    known = decoded(source.take(source.varint()), (count,), plan, leaf.dtype)
    order = ordinals(known)
    if not (order[1:] > order[:-1]).all():
        raise source.damaged("a palette is in no order")
    return Palette(known)


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be off.

    Parameters
    ----------
    most : float
        In absolute value; 0 for bit for bit.
    """

    most: float = 0.0

    def is_kept(self, x: NDArray[Any], found: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where numbers are as near as they should be."""
        if not self.most:
            word = f"u{x.itemsize}"
            return x.view(word) == found.view(word)
        if x.dtype.kind != "f":
            apart = (np.maximum(x, found) - np.minimum(x, found)).view(f"u{x.itemsize}")  # which wraps round to fit
            return apart <= min(int(self.most), np.iinfo(apart.dtype).max)
        # A difference that was rounded down to the bound is not within it.
        return np.abs(x.astype(np.float64) - found.astype(np.float64)) <= self.most * (1 - 2.0**-52)


# ---------------------------------------------------------------------- encoding


def places_of(x: NDArray[Any], plan: Plan) -> tuple[Values, NDArray[np.uint8] | None]:
    """Return the places of numbers, made up where one stands apart, and which of them do: 0 for none, else 1 and up."""
    places = plan.scale.places(x)
    if not plan.specials:
        return places, None
    words, classes = x.view(f"u{x.itemsize}"), np.zeros(len(x), np.uint8)
    for number, word in enumerate(plan.specials):
        classes[words == word] = number + 1
    return places, classes if classes.any() else None


@np.errstate(all="ignore")
def encoded(
    x: NDArray[Any], shape: Sequence[int], plan: Plan, number: int, tolerance: Tolerance
) -> tuple[bytes, NDArray[Any]]:
    """Return the numbers of a segment as a payload, and what it decodes to.

    Parameters
    ----------
    x : ndarray, shape (n,)
        In the order of memory.
    shape : sequence of int
        Of the segment.
    plan : Plan
    number : int
        Of the scheme.
    tolerance : Tolerance
    """
    words = _little_endian(x)
    if (words == words[0]).all():
        return bytes([CONSTANT]) + words[:1].tobytes(), x
    coded = _coded(plan.laid_out(x, shape), shape, plan, number, tolerance) if plan.schemes else None
    if coded is None or len(coded[0]) > x.nbytes:
        return bytes([PLAIN]) + words.tobytes(), x
    return coded[0], plan.put_back(coded[1], shape)


def _coded(
    x: NDArray[Any], shape: Sequence[int], plan: Plan, number: int, tolerance: Tolerance
) -> tuple[bytes, NDArray[Any]] | None:
    """Return numbers as a payload, and what it decodes to; None where too many would have to be listed."""
    places, classes = places_of(x, plan)
    rest = plan.scale.rest(x, places)
    found = plan.scale.numbers(places, rest, x.dtype)
    left_out = ~tolerance.is_kept(x, found)
    if classes is not None:
        left_out |= classes > 0
    if left_out.any():
        fill_in(places, left_out, plan.coded_shape(shape))
        rest = None if rest is None else _without(rest, left_out, plan, plan.coded_shape(shape))
    wanted, scheme = places.copy(), plan.schemes[number]
    payload = ValueCoder(scheme, plan.is_columned).encode(places, plan.sides(shape))
    said, listed = _sized(payload), left_out
    if plan.is_exact:
        said += _beside(scheme, wanted - places, ~left_out)
        places = np.where(left_out, places, wanted) if left_out.any() else wanted
    if rest is not None:
        said += _rest_to_bytes(rest, ~left_out, plan)
    if left_out.any() or not plan.is_exact:
        found = plan.scale.numbers(places, rest, x.dtype)
        listed = (left_out if plan.is_exact else False) | ~tolerance.is_kept(x, found)
    if classes is not None:
        listed = listed & (classes == 0)
    if np.count_nonzero(listed) * LIST_SHARE > len(x):
        return None
    head = bytes([CODED | APART * (classes is not None) | LISTED * bool(listed.any())])
    head += varint(number) if len(plan.schemes) > 1 else b""
    if not plan.is_exact or left_out.any():
        head += _check_of(found)
    if classes is not None and plan.apart is not None:
        head += _sized(ValueCoder(plan.apart).encode(classes.astype(np.int64)))
        found = np.where(classes > 0, x, found)
    if listed.any():
        head += _list(x, np.flatnonzero(listed))
        found = np.where(listed, x, found)
    return head + said, found


def _sized(payload: bytes) -> bytes:
    return varint(len(payload)) + payload


def _list(x: NDArray[Any], positions: NDArray[np.intp]) -> bytes:
    """Return numbers at some positions: how many, how far each is behind the one before, and their words."""
    gaps = np.diff(positions, prepend=-1) - 1
    said = varint(len(positions)) + b"".join(varint(gap) for gap in gaps.tolist())
    return said + _little_endian(x[positions]).tobytes()


def _little_endian(x: NDArray[Any]) -> NDArray[Any]:
    """Return the words of numbers as they stand in a file, whichever byte comes first on this machine."""
    return x.view(f"u{x.itemsize}").astype(f"<u{x.itemsize}", copy=False)


def _check_of(x: NDArray[Any]) -> bytes:
    return check_of(_little_endian(x).view(np.uint8).data, CHECK)


def _beside(scheme: Scheme, differences: Values, kept: NDArray[np.bool_]) -> bytes:
    """Return what the steps of a scheme left out of places."""
    length = _bits_of_step(scheme)
    if not length:
        return b""
    offsets = (differences[kept] + scheme.step // 2).astype(np.uint64)
    return plainbits.packed(offsets, np.full(len(offsets), length, np.uint8))


def _bits_of_step(scheme: Scheme) -> int:
    return (scheme.step - 1).bit_length()


def _without(rest: Rest, left_out: NDArray[np.bool_], plan: Plan, shape: Sequence[int]) -> Rest:
    """Return what places leave open, without what some do."""
    if plan.grains is None:
        return Rest(rest.lengths, np.where(left_out, np.uint64(0), rest.bits))
    lengths = rest.lengths.astype(np.int64)
    fill_in(lengths, left_out, shape)
    return Rest(lengths.astype(np.uint8), np.where(left_out, (lengths > 0).astype(np.uint64), rest.bits))


def _rest_to_bytes(rest: Rest, kept: NDArray[np.bool_], plan: Plan) -> bytes:
    """Return what places leave open: bits of lengths that are known, or lengths, and bits whose last is 1."""
    if plan.grains is None:
        return plainbits.packed(rest.bits[kept], rest.lengths[kept])
    said = _sized(ValueCoder(plan.grains).encode(rest.lengths.astype(np.int64)))
    plain = rest.lengths[kept]
    return said + plainbits.packed(rest.bits[kept] >> np.uint64(1), plain - (plain > 0))


def fill_in(places: Values, missing: NDArray[np.bool_], shape: Sequence[int]) -> None:
    """Make up places where there are none, so that neither they nor those around them are surprising.

    They are interpolated along the flat sequence, and then smoothed over the two fastest axes by some sweeps of
    Jacobi's method for Laplace's equation.
    """
    wanted, known = np.flatnonzero(missing), np.flatnonzero(~missing)
    if not len(known):
        places[:] = 0
        return
    made = places.astype(np.float64)
    made[wanted] = np.interp(wanted, known, made[known])
    lengths = [length for length in shape if length > 1]
    if len(lengths) > 1:
        around = [np.clip(wanted + lag, 0, len(places) - 1) for lag in (-1, 1, -lengths[-1], lengths[-1])]
        for _ in range(SWEEPS):
            made[wanted] = sum(made[there] for there in around) / 4
    places[wanted] = np.rint(made[wanted]).astype(np.int64)


# ---------------------------------------------------------------------- decoding


@np.errstate(all="ignore")
def decoded(payload: bytes, shape: Sequence[int], plan: Plan, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the numbers of a segment in the order of memory: (n,).

    Raises
    ------
    ArtifactError
        There are none with this payload.
    """
    source, count = Source.of(payload, "a segment"), math.prod(shape)
    kind = source.take(1)[0]
    if kind == CONSTANT:
        found = np.repeat(_words(source, 1, dtype), count).view(dtype)
    elif kind == PLAIN:
        words = _words(source, count, dtype)
        if (words == words[0]).all():
            raise source.damaged("a segment is longer than it needs to be")
        found = words.view(dtype)
    elif kind & ~(APART | LISTED) == CODED and plan.schemes:
        try:
            found = plan.put_back(_decoded(source, kind, shape, plan, dtype), shape)
        except ArtifactError:
            raise
        except ValueError as error:
            raise source.damaged("a payload is that of no such numbers") from error
    else:
        raise source.damaged("a segment is of no known kind")
    if source.up_to(1):
        raise source.damaged("a segment has more bytes than it needs")
    return found


def _words(source: Source, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return so many words."""
    words = np.frombuffer(source.take(count * dtype.itemsize), f"<u{dtype.itemsize}")
    return words.astype(f"u{dtype.itemsize}")


def _decoded(source: Source, kind: int, shape: Sequence[int], plan: Plan, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return coded numbers in the order in which they are coded."""
    count = math.prod(shape)
    number = source.varint() if len(plan.schemes) > 1 else 0
    if number >= len(plan.schemes):
        raise source.damaged("a segment has a scheme that is not there")
    scheme, known = plan.schemes[number], np.ones(count, bool)
    check = source.take(CHECK) if kind != CODED or not plan.is_exact else None
    classes = _classes(source, count, plan) if kind & APART else None
    if classes is not None:
        known = classes == 0
    positions, listed = _listed(source, count, dtype) if kind & LISTED else (np.zeros(0, np.intp), None)
    known[positions] = False
    places = _values(source, scheme, count, plan.sides(shape))
    if plan.is_exact:
        places[known] += _left_out(source, scheme, int(known.sum()))
    found = plan.scale.numbers(places, _read_rest(source, plan, places, known), dtype)
    if check is not None and _check_of(found) != check:
        raise source.damaged("places under what stands apart do not fit their check")
    words = found.view(f"u{dtype.itemsize}")
    for here, word in enumerate(plan.specials if classes is not None else ()):
        words[classes == here + 1] = word
    if listed is not None:
        words[positions] = listed
    return found


def _values(source: Source, scheme: Scheme, count: int, sides: tuple[Values, ...] = ()) -> Values:
    """Return as many whole numbers of a payload."""
    payload = source.take(source.varint())
    if count * scheme.bits > DENSEST * (len(payload) + FLUSHED):
        raise source.damaged("a payload is too short for its numbers")
    return ValueCoder(scheme, len(sides)).decode(payload, count, sides)


def _classes(source: Source, count: int, plan: Plan) -> Values:
    """Return which numbers stand apart: 0 for none of them, else which special one it is."""
    if plan.apart is None:
        raise source.damaged("nothing can stand apart")
    classes = _values(source, plan.apart, count)
    if not 0 <= int(classes.min()) <= int(classes.max()) <= len(plan.specials) or not classes.any():
        raise source.damaged("something stands apart that is not known")
    return classes


def _listed(source: Source, count: int, dtype: np.dtype[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return where listed numbers are, and their words."""
    length = _count(source, count)
    gaps = [source.varint() + 1 for _ in range(length)]
    positions = np.cumsum(np.array(gaps, object)) - 1
    if not length or positions[-1] >= count:
        raise source.damaged("a list is of nothing")
    return positions.astype(np.intp), _words(source, length, dtype)


def _left_out(source: Source, scheme: Scheme, count: int) -> Values:
    """Return what the steps of a scheme left out of places."""
    length = _bits_of_step(scheme)
    if not length:
        return np.zeros(count, np.int64)
    content = source.take((count * length + 7) // 8)
    found = plainbits.unpacked(content, np.full(count, length, np.uint8)).astype(np.int64)
    if count and int(found.max()) >= scheme.step:
        raise source.damaged("a number is farther from its step than steps are apart")
    return found - scheme.step // 2


def _read_rest(source: Source, plan: Plan, places: Values, known: NDArray[np.bool_]) -> Rest | None:
    """Return what places leave open; of those that are not known, nothing."""
    if plan.grains is not None:
        lengths = _values(source, plan.grains, len(places))
        if not 0 <= int(lengths.min()) <= int(lengths.max()) <= GRAINS_LIMIT:
            raise source.damaged("a number has more bits than it can have")
        last = lengths > 0
        plain = np.where(known & last, lengths - 1, 0).astype(np.uint8)
        bits = plainbits.unpacked(source.take(plainbits.size(plain)), plain)
        return Rest(lengths.astype(np.uint8), bits << np.uint64(1) | last.astype(np.uint64))
    left = plan.scale.left(places)
    if left is None:
        return None
    plain = np.where(known, left, 0).astype(np.uint8)
    return Rest(plain, plainbits.unpacked(source.take(plainbits.size(plain)), plain))

"""A decoder of arrays that was written from docs/format.md alone, number by number; schemes and coders are the norm's.

It reads sound arrays only, and says of others no more than that they are not.
"""

from __future__ import annotations

import math
import zlib
from fractions import Fraction
from typing import Any

import numpy as np

from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import Source
from isthmus.coding.scheme import Scheme
from isthmus.coding.values import ValueCoder

UNITS = ("generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")


class Bytes:
    """A place in some bytes."""

    def __init__(self, content: bytes) -> None:
        self.source = Source.of(content, "a test")
        self.content = content

    @property
    def is_at_end(self) -> bool:
        return self.source.position == len(self.content)

    def take(self, count: int) -> bytes:
        return self.source.take(count)

    def varint(self) -> int:
        return self.source.varint()

    def signed(self) -> int:
        n = self.varint()
        return n // 2 if n % 2 == 0 else -(n + 1) // 2

    def double(self) -> float:
        return float(np.frombuffer(self.take(8), "<f8")[0])

    def scheme(self, sides: int = 0) -> Scheme:
        return Scheme.read(self.source, sides)

    def sequence(self, scheme: Scheme, count: int, sides: tuple[Any, ...] = ()) -> list[int]:
        payload = self.take(self.varint())
        return ValueCoder(scheme, len(sides)).decode(payload, count, sides).tolist()

    def plain(self, lengths: list[int]) -> list[int]:
        found = [0] * len(lengths)
        for length in range(1, 65):
            places = [k for k, its in enumerate(lengths) if its == length]
            size = (len(places) * length + 7) // 8
            bits = "".join(f"{byte:08b}" for byte in self.take(size))
            assert set(bits[len(places) * length :]) <= {"0"}
            for k, place in enumerate(places):
                found[place] = int(bits[k * length : (k + 1) * length], 2)
        return found


# ---------------------------------------------------------------------- types and layouts


def type_of(place: Bytes) -> np.dtype[Any]:
    code = place.take(1)[0]
    form, order = code % 128, ">" if code >= 128 else "<"
    if form == 12:
        shape = tuple(place.varint() for _ in range(place.varint()))
        return np.dtype((type_of(place), shape))
    if form == 13:
        size, aligned, count = place.varint(), place.varint(), place.varint()
        said: dict[str, Any] = {"names": [], "titles": [], "offsets": [], "formats": [], "itemsize": size}
        for _ in range(count):
            said["names"].append(place.take(place.varint()).decode())
            said["titles"].append(place.take(place.varint()).decode() if place.take(1)[0] else None)
            said["offsets"].append(place.varint())
            said["formats"].append(type_of(place))
        return np.dtype(said, align=bool(aligned))
    size = place.varint()
    if form in (5, 6):
        return np.dtype(np.longdouble if form == 5 else np.clongdouble)
    if form in (10, 11):
        unit, count = UNITS[place.take(1)[0]], place.varint()
        return np.dtype(f"{order}{'Mm'[form - 10]}8" + ("" if unit == "generic" else f"[{count}{unit}]"))
    letter = "?iufcxxSUV"[form]
    return np.dtype("?") if form == 0 else np.dtype(f"{order}{letter}{size // 4 if letter == 'U' else size}")


def leaves_of(dtype: np.dtype[Any]) -> list[tuple[str, int, list[int], bool]]:
    """Return kind, size, where each number begins, and whether the highest byte comes first, of each leaf."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        found, count = [], math.prod(shape)
        for kind, size, starts, big in leaves_of(base):
            moved = [[start + k * base.itemsize for start in starts] for k in range(count)]
            if len(starts) == 1 or len(starts) * size == base.itemsize:
                moved = [[start for its in moved for start in its]]
            found += [(kind, size, its, big) for its in moved]
        return [leaf for leaf in found if leaf[2]]
    if dtype.names is not None:
        fields = [dtype.fields[name] for name in dtype.names]
        return [
            (kind, size, [start + field[1] for start in starts], big)
            for field in fields
            for kind, size, starts, big in leaves_of(field[0])
        ]
    size, big = dtype.itemsize, dtype.str[0] == ">"
    if dtype.kind == "c" and size <= 16:
        return [("f", size // 2, [part * size // 2], big) for part in range(2)]
    if dtype.kind == "U":
        return [("u", 4, list(range(0, size, 4)), big)] if size else []
    if dtype.kind in "biuMmf" and size <= 8:
        return [({"b": "u", "M": "i", "m": "i"}.get(dtype.kind, dtype.kind), size, [0], big)]
    return [("u", 1, list(range(size)), False)] if size else []


# ---------------------------------------------------------------------- plans


class Plan:
    """What a file says of a plane."""

    def __init__(self, place: Bytes, kind: str, size: int) -> None:
        self.kind, self.size = kind, size
        flags, self.scale = place.take(2)
        self.moved, self.columned, self.approximate = flags & 1, flags & 2, flags & 4
        self.numbers: Any = None
        if self.scale == 0:
            self.says: tuple[Any, ...] = (place.signed(), place.varint(), place.varint())
        elif self.scale == 1:
            self.says = (place.signed(), place.varint(), place.varint())
        elif self.scale == 2:
            self.says = (place.take(1)[0], place.signed(), place.varint(), place.signed())
        elif self.scale == 3:
            self.says = (place.double(), place.double())
        elif self.scale == 4:
            inner, count = Plan(place, kind, size), place.varint()
            self.numbers = inner.decoded(Bytes(place.take(place.varint())), (count,))
        else:
            self.says = (place.signed(),)
        self.specials = [place.take(size) for _ in range(place.varint())]
        self.apart = place.scheme() if self.specials else None
        self.grains = place.scheme() if self.scale == 5 else None
        self.schemes = [place.scheme(1 if self.columned else 0) for _ in range(place.varint())]

    def decoded(self, place: Bytes, shape: tuple[int, ...]) -> list[bytes]:
        """Return the numbers of a part of the plane, each as its bytes, lowest first."""
        count, kind = math.prod(shape), place.take(1)[0]
        if kind == 0:
            found = [place.take(self.size)] * count
        elif kind == 1:
            found = [place.take(self.size) for _ in range(count)]
        else:
            found = self._coded(place, kind, shape, count)
        assert place.is_at_end
        return found

    def _coded(self, place: Bytes, kind: int, shape: tuple[int, ...], count: int) -> list[bytes]:
        scheme = self.schemes[place.varint() if len(self.schemes) > 1 else 0]
        check = place.take(2) if kind != 2 or self.approximate else None
        classes = place.sequence(self.apart, count) if kind & 4 and self.apart else [0] * count
        listed: dict[int, bytes] = {}
        if kind & 8:
            at, positions = -1, []
            for _ in range(place.varint()):
                at += place.varint() + 1
                positions.append(at)
            listed = {at: place.take(self.size) for at in positions}
        known = [not classes[k] and k not in listed for k in range(count)]
        axes = np.arange(shape[-1], dtype=np.int64) if shape else np.zeros(1, np.int64)
        columns = np.broadcast_to(axes, shape)
        sides = (np.ascontiguousarray(np.moveaxis(columns, -1, 0) if self.moved else columns).reshape(-1),)
        places = place.sequence(scheme, count, sides if self.columned else ())
        if scheme.step > 1 and not self.approximate:
            offsets = place.plain([(scheme.step - 1).bit_length() if its else 0 for its in known])
            places = [p + (o - scheme.step // 2 if k else 0) for p, o, k in zip(places, offsets, known, strict=True)]
        numbers = [self._word(*its) for its in zip(places, *self._rest(place, places, known), strict=True)]
        if check is not None:
            native = b"".join(its if np.little_endian else its[::-1] for its in numbers)
            assert zlib.crc32(native).to_bytes(4, "little")[:2] == check
        numbers = [self.specials[c - 1] if c else its for c, its in zip(classes, numbers, strict=True)]
        numbers = [listed.get(k, its) for k, its in enumerate(numbers)]
        if not self.moved:
            return numbers
        order = np.moveaxis(np.arange(count).reshape(shape[-1], *shape[:-1]), 0, -1).reshape(-1)
        return [numbers[k] for k in order]

    def _rest(self, place: Bytes, places: list[int], known: list[bool]) -> tuple[list[int], list[int]]:
        """Return how many bits are left open of each number, and these bits."""
        if self.scale == 5 and self.grains:
            lengths = place.sequence(self.grains, len(places))
            plain = place.plain([max(n - 1, 0) if its else 0 for n, its in zip(lengths, known, strict=True)])
            return lengths, [2 * bits + 1 if n else 0 for n, bits in zip(lengths, plain, strict=True)]
        if self.scale not in (0, 1):
            return [0] * len(places), [0] * len(places)
        lengths = [self.says[2] if self.scale == 0 else self._left(p)[1] for p in places]
        return lengths, place.plain([n if its else 0 for n, its in zip(lengths, known, strict=True)])

    def _left(self, p: int) -> tuple[int, int, int]:
        """Return w, how many bits are left open, and d of scale 1."""
        _, k, n = self.says
        d = max(0, abs(p) // (1 << k - 1) - 1)
        w = abs(p) - d * (1 << k - 1)
        return w, n - w.bit_length() if w else 0, d

    def _word(self, p: int, length: int, bits: int) -> bytes:
        """Return the number at a place as its bytes."""
        if self.scale == 4:
            return self.numbers[p]
        if self.scale == 0:
            base, step, shift = self.says
            return ((base + step * (p * 2**shift + bits)) % 2 ** (8 * self.size)).to_bytes(self.size, "little")
        if self.scale == 1:
            w, left, d = self._left(p)
            exact = Fraction(w * 2**left + bits) * Fraction(2) ** (self.says[0] + d - self.says[1] - left)
            return self._floating(float(-exact if p < 0 else exact))
        if self.scale == 5:
            return self._floating(float(Fraction(p * 2**length + bits) / Fraction(2) ** (self.says[0] + length)))
        if self.scale == 2:
            radix, digits, step, base = self.says
            whole = float((base + step * p + 2**63) % 2**64 - 2**63)
            return self._floating(math.ldexp(whole, -digits) if radix == 2 else whole / 10.0**digits)
        base, unit = self.says
        return self._floating(base + unit * float(p)) if self.kind == "f" else self._nearest(base + unit * float(p))

    def _floating(self, x: float) -> bytes:
        most = float(np.finfo(f"f{self.size}").max)
        x = min(max(x, -most), most) if self.scale == 3 else x
        return np.array(x).astype(f"<f{self.size}").tobytes()

    def _nearest(self, x: float) -> bytes:
        info = np.iinfo(f"{self.kind}{self.size}")
        most = info.max if self.size < 8 else int(np.nextafter(float(info.max), 0))
        return min(max(round(x), info.min), most).to_bytes(self.size, "little", signed=self.kind == "i")


def decoded(description: bytes, pieces: Any) -> np.ndarray[Any, Any]:
    """Return the array of a description and its segments."""
    outer = Bytes(description)
    length, size = outer.varint(), outer.varint()
    said = Bytes(outer.take(length) if not size else Coder(table_bits(length)).decode(outer.take(size), length))
    assert outer.is_at_end
    dtype, axes = type_of(said), said.varint()
    shape = tuple(said.varint() for _ in range(axes // 2))
    leaves = leaves_of(dtype)
    plans = [Plan(said, kind, size) for kind, size, _, _ in leaves]
    assert said.is_at_end
    memory = (shape[::-1] if axes % 2 else shape) or (1,)
    most = max(
        1, min(2**22 // max([len(starts) for _, _, starts, _ in leaves] or [1]), 2**25 // max(1, dtype.itemsize))
    )
    steps = [math.prod(memory[axis + 1 :]) for axis in range(len(memory))]
    cut = next((axis for axis, step in enumerate(steps) if step <= most), len(memory) - 1)
    whole = b""
    for items, check, payload in pieces:
        rows = bytearray(items * dtype.itemsize)
        place = Bytes(payload)
        part = (items // steps[cut], *memory[cut + 1 :])
        for number, ((_, size, starts, big), plan) in enumerate(zip(leaves, plans, strict=True)):
            last = number == len(leaves) - 1
            own = place.take(len(payload) - place.source.position) if last else place.take(place.varint())
            numbers = plan.decoded(Bytes(own), (*part, len(starts)) if len(starts) > 1 else part)
            for k, word in enumerate(numbers):
                at = k // len(starts) * dtype.itemsize + starts[k % len(starts)]
                rows[at : at + size] = word[::-1] if big else word
        assert zlib.crc32(rows).to_bytes(4, "little") == check
        whole += bytes(rows)
    if not dtype.itemsize or not math.prod(shape):
        return np.zeros(shape, dtype, order="F" if axes % 2 else "C")
    found = np.frombuffer(whole, np.uint8).view(dtype).reshape(memory)
    return found.T.reshape(shape, order="F") if axes % 2 else found.reshape(shape)

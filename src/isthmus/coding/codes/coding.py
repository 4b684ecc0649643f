"""Batches as pieces of a stream: the head, the spans of the units, and each unit, apart or together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.codes import schemes
from isthmus.coding.codes.batch import NAMES_LIMIT, Batch
from isthmus.coding.codes.lattice import LARGEST, Lattice
from isthmus.coding.container import Source, varint
from isthmus.coding.contents import CODES, THREADS, Making, Piece, Work
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.packing import at_most, read_signed, signed
from isthmus.coding.values import ValueCoder

__all__ = ["PIECE", "Codes", "Described", "described", "payload_of"]

PIECE = 1 << 20  # whole numbers in a piece that is written, about
TOGETHER, APART = 0, 1
FEW = 1 << 17  # whole numbers up to which both ways are tried
TELLING = 24.0  # of a unit that is worth looking at: records times squared correlation

Values = NDArray[np.int64]


class Codes:
    """Codes of records as a content of a stream.

    Parameters
    ----------
    lattice : Lattice
    batches : callable
        Returns the batches, in order.
    fingerprint : bytes
        Of the model.
    """

    number, at_once, is_exact = CODES, THREADS, False

    def __init__(self, lattice: Lattice, batches: Callable[[], Iterable[Batch]], fingerprint: bytes) -> None:
        self._lattice, self._batches, self.fingerprint = lattice, batches, fingerprint

    def description(self) -> bytes:
        """Return the lattice."""
        return self._lattice.to_bytes()

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces."""
        for batch in self._batches():
            yield Making(sum(part.nbytes for part in batch.values), partial(piece_of, batch, self._lattice))


def piece_of(batch: Batch, lattice: Lattice) -> Piece:
    """Return a batch as a piece."""
    return Piece(len(batch), batch.to_bytes(), payload_of(batch, lattice))


def payload_of(batch: Batch, lattice: Lattice) -> bytes:
    """Return the payload of a batch."""
    coded = [_Group(values, lattice).coded() for values in grouped(batch.values)]
    return packed(batch.head()) + b"".join(coded)


def grouped(values: Sequence[Values]) -> list[Values]:
    """Return the arrays of one shape as one, (n, units, height, width), in the order in which shapes come first."""
    return [np.concatenate([values[k] for k in rows]) for rows in _rows_of_shapes(values)]


def _rows_of_shapes(values: Sequence[Values]) -> list[list[int]]:
    found: dict[tuple[int, ...], list[int]] = {}
    for row, part in enumerate(values):
        found.setdefault(part.shape[2:], []).append(row)
    return list(found.values())


class Described:
    """Codes that are read.

    Parameters
    ----------
    lattice : Lattice
    name : str
        Of the file, for sentences.
    """

    kind, unit, at_once = "codes", "record", THREADS

    def __init__(self, lattice: Lattice, name: str) -> None:
        self.lattice, self._name = lattice, name

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the bytes of a batch of so many records."""
        source, batch = self._begun(units, payload)
        for rows in _rows_of_shapes(batch.values):
            n = sum(len(batch.values[row]) for row in rows)
            found = _Group.read(source, (n, *batch.values[rows[0]].shape[1:]), self.lattice)
            for row, part in zip(rows, np.split(found, len(rows)), strict=True):
                batch.values[row][...] = part
        if source.up_to(1):
            raise source.damaged("more follows the last of its codes")
        return batch.to_bytes()

    def batch(self, units: int, data: bytes) -> Batch:
        """Return a batch of its bytes."""
        return Batch.of_bytes(data, units, self.lattice.units, self._name)

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload by unit; of units that are coded together by their share of the numbers' bits.

        What all units share stands under a name of its own.
        """
        source = Source.of(payload, self._name)
        unpacked(source, NAMES_LIMIT)
        found = dict[str, int]()
        while source.position < len(payload):
            for unit, size in enumerate(_sizes(source, self.lattice.units)):
                found[f"unit {unit}"] = found.get(f"unit {unit}", 0) + size
        return {"names, sizes and spans": len(payload) - sum(found.values()), **found}

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield nothing for records that are lost."""
        return iter(())

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Refuse: what the codes stand for, only their model knows."""
        raise checks.codes_need_their_model(self._name)

    def _begun(self, units: int, payload: bytes) -> tuple[Source, Batch]:
        source = Source.of(payload, self._name)
        head = unpacked(source, NAMES_LIMIT + 40 * units)
        return source, Batch.of_head(head, units, self.lattice.units, self._name)


def described(source: Source, model: object = None) -> Described:
    """Return the codes that a description in a file tells of."""
    return Described(Lattice.read(source), source.name)


# ---------------------------------------------------------------------- records whose codes have one shape


class _Group:
    """Whole numbers (n, units, height, width), and the spans of the units."""

    def __init__(self, values: Values, lattice: Lattice) -> None:
        self.values, self.lattice = values, lattice
        self.n, self.units, self.height, self.width = values.shape
        self.lows = values.min((0, 2, 3))
        self.bits = [int(high - low).bit_length() for low, high in zip(self.lows, values.max((0, 2, 3)), strict=True)]

    def coded(self) -> bytes:
        """Return the spans and the numbers, the smaller way."""
        spans = packed(
            b"".join(signed(int(low)) + varint(bits) for low, bits in zip(self.lows, self.bits, strict=True))
        )
        found = varint(APART) + self._apart()
        if self.values.size <= FEW:
            found = min(found, varint(TOGETHER) + self._together(), key=len)
        return spans + found

    @classmethod
    def read(cls, source: Source, shape: tuple[int, ...], lattice: Lattice) -> Values:
        """Return the numbers that :meth:`coded` wrote."""
        group = cls(np.zeros(shape, np.int64), lattice)
        lows, group.bits = _spans(source, lattice.units)
        group.lows = np.array(lows, np.int64)
        if at_most(source, APART, "ways of coding") == APART:
            group._read_apart(source)
        else:
            group._read_together(source)
        return group.values + group.lows[:, None, None]

    # ------------------------------------------------------------------ apart

    def _apart(self) -> bytes:
        planes = self._planes()
        order = self._sides(planes)
        found = []
        for unit, sides in enumerate(order):
            found.append(varint(len(sides)) + b"".join(varint(unit - side - 1) for side in sides))
        payloads = [self._encoded(planes, unit, sides) for unit, sides in enumerate(order)]
        return packed(b"".join(found)) + b"".join(varint(len(one)) + one for one in payloads)

    def _planes(self) -> list[Values]:
        return [np.ascontiguousarray(self.values[:, u] - self.lows[u]).reshape(-1) for u in range(self.units)]

    def _sides(self, planes: Sequence[Values]) -> list[list[int]]:
        """Return the earlier units that tell most of each, by their correlation."""
        if not self.lattice.ordered:
            return [list(range(max(0, unit - 2), unit))[::-1] for unit in range(self.units)]
        stack = np.array(planes, np.float64)
        stack -= stack.mean(1, keepdims=True)
        stack /= np.maximum(np.sqrt((stack**2).sum(1, keepdims=True)), 1e-9)
        telling = stack.shape[1] * (stack @ stack.T) ** 2
        found = []
        for unit in range(self.units):
            ranked = np.argsort(-telling[unit, :unit], kind="stable")[: schemes.SIDES]
            found.append([int(side) for side in ranked if telling[unit, side] > TELLING])
        return found

    def _coder(self, unit: int, sides: Sequence[int]) -> ValueCoder:
        count = self.n * self.height * self.width
        told = [self.bits[side] for side in sides]
        scheme = schemes.apart(self.bits[unit], self.width, count, told, ordered=self.lattice.ordered)
        return ValueCoder(scheme, len(sides))

    def _middle(self, unit: int) -> int:
        return min(max(-int(self.lows[unit]), 0), (1 << self.bits[unit]) - 1)

    def _encoded(self, planes: Sequence[Values], unit: int, sides: Sequence[int]) -> bytes:
        if not self.bits[unit]:
            return b""
        return self._coder(unit, sides).encode(planes[unit].copy(), [planes[side] for side in sides])

    def _read_apart(self, source: Source) -> None:
        head = Source.of(unpacked(source, 10 * (schemes.SIDES + 1) * self.units), source.name)
        order = []
        for unit in range(self.units):
            count = at_most(head, min(schemes.SIDES, unit), "units before one")
            order.append([unit - 1 - at_most(head, unit - 1, "units before one") for _ in range(count)])
        planes = [np.zeros(self.n * self.height * self.width, np.int64) for _ in order]
        for unit, sides in enumerate(order):
            payload = source.take(source.varint())
            if self.bits[unit]:
                its = [planes[side] for side in sides]
                planes[unit] = self._coder(unit, sides).decode(payload, len(planes[unit]), its)
            elif payload:
                raise source.damaged("a unit that is always the same has a payload")
            self.values[:, unit] = planes[unit].reshape(self.n, self.height, self.width)

    # ------------------------------------------------------------------ together

    def _together(self) -> bytes:
        coder, sides = self._joint()
        if coder is None:
            return varint(0)
        shifted = self.values - self.lows[:, None, None] + self._offsets()[:, None, None]
        payload = coder.encode(shifted.reshape(-1).copy(), sides)
        return varint(len(payload)) + payload

    def _offsets(self) -> Values:
        """Return what is added to each unit so that the middles of all are in one place."""
        middles = np.array([self._middle(unit) for unit in range(self.units)])
        return middles.max(initial=0) - middles

    def _joint(self) -> tuple[ValueCoder | None, list[Values]]:
        ends = self._offsets() + (1 << np.array(self.bits)) - 1
        bits = int(ends.max(initial=0)).bit_length()
        if not max(self.bits, default=0):
            return None, []
        places = self.height * self.width
        scheme = schemes.together(bits, self.width, places, self.units, self.values.size, ordered=self.lattice.ordered)
        middle = max(self._middle(unit) for unit in range(self.units))
        each = [np.arange(self.units), np.array(self.bits), np.full(self.units, middle)]
        return ValueCoder(scheme, 3), [np.tile(np.repeat(side, places), self.n) for side in each]

    def _read_together(self, source: Source) -> None:
        payload = source.take(source.varint())
        coder, sides = self._joint()
        if coder is not None:
            flat = coder.decode(payload, self.values.size, sides)
            self.values[...] = flat.reshape(self.values.shape) - self._offsets()[:, None, None]
        elif payload:
            raise source.damaged("units that are always the same have a payload")


def _spans(source: Source, units: int) -> tuple[list[int], list[int]]:
    inner = Source.of(unpacked(source, 20 * units), source.name)
    lows, bits = [], []
    for _ in range(units):
        lows.append(read_signed(inner))
        bits.append(at_most(inner, 23, "bits of a number"))
        if abs(lows[-1]) > LARGEST:
            raise source.damaged("a unit of it is of no span that it can have")
    if inner.up_to(1):
        raise source.damaged("its units are none")
    return lows, bits


def _sizes(source: Source, units: int) -> list[int]:
    """Return the bytes of each unit of a group, behind which the source then stands."""
    _, bits = _spans(source, units)
    if at_most(source, APART, "ways of coding") == APART:
        unpacked(source, 10 * (schemes.SIDES + 1) * units)
        found = []
        for _ in range(units):
            found.append(source.varint())
            source.take(found[-1])
        return found
    size = source.varint()
    source.take(size)
    edges = np.rint(size * np.cumsum([0, *bits]) / max(sum(bits), 1)).astype(int)
    return np.diff(edges).tolist()

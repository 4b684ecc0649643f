"""Arrays made smaller: bit for bit, or within a bound that no number is beyond. See docs/format.md.

The type of an array's items says of which numbers they consist; those of each *leaf* of it form a plane, which is coded
by a plan of its own. An array is cut into segments that know nothing of each other.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.arrays.dtypes import Leaf
from isthmus.coding.arrays.layout import Layout
from isthmus.coding.arrays.planes import Plan, Tolerance, decoded, encoded
from isthmus.coding.arrays.planning import STORED, Bound, Planned, planned
from isthmus.coding.arrays.scales import Palette
from isthmus.coding.arrays.survey import Plane
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import Source, check_of, coded, varint
from isthmus.coding.container import decoded as data_of
from isthmus.coding.contents import side_by_side

__all__ = ["Description", "Encoded", "Encoder", "Piece", "decode", "encode"]

THREADS = 2
DESCRIPTION_LIMIT = 60_000  # bytes of one, so that it has room among the fields of a stream
SAID_LIMIT = 1 << 20  # bytes of what it says


class Piece(NamedTuple):
    """A segment of an array.

    Parameters
    ----------
    items : int
        That it has.
    check : bytes
        CRC-32 of their bytes as they are decoded.
    payload : bytes
    """

    items: int
    check: bytes
    payload: bytes


@dataclass(frozen=True)
class Encoded:
    """An array made smaller.

    Parameters
    ----------
    description : bytes
        What a decoder needs before the first segment.
    pieces : list of Piece
        The segments.
    why_exact : str or None
        Why every bit is kept, where a bound was given that could not be used.
    """

    description: bytes
    pieces: list[Piece]
    why_exact: str | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.description) + sum(len(piece.payload) for piece in self.pieces)


def encode(
    array: Any,
    *,
    max_error: float | None = None,
    rel_error: float | None = None,
    fill: Any = None,
    verify: bool = True,
    threads: int = THREADS,
) -> Encoded:
    """Return an array in fewer bytes, which :func:`decode` gives back: its type, shape, order and numbers.

    Without a bound every bit is kept. With one, no number is farther off, after it has become one of the array's type;
    what is no finite number, and fill values, are kept bit for bit. Of complex numbers the bound holds for the absolute
    value of the difference.

    Parameters
    ----------
    array : array
        Of any type whose items have a fixed size; bytes between the fields of a structure become zeros. An array that
        is in neither C nor Fortran order comes back in C order.
    max_error : float, optional
        How far a number may be off, in absolute value.
    rel_error : float, optional
        The same, as a share of the range of the finite numbers that are no fill values.
    fill : number or sequence of numbers, optional
        Fill values. Those that are at least 1e15 times as large as all other numbers are found without being named.
    verify : bool, default=True
        Whether what was coded is decoded again and compared, which takes as long again.
    threads : int, default=2
        That may be used. No byte hangs on it.

    Returns
    -------
    Encoded

    Raises
    ------
    DataTypeError
        Items are objects or have no fixed size, or the array is masked.
    ParameterError
        Both bounds are given, one is none, or the items have several fields.
    """
    encoder = Encoder(array, max_error=max_error, rel_error=rel_error, fill=fill, threads=threads)
    said = encoder.description()  # which settles the plans
    description = Description(encoder.layout, encoder.plans)

    def made(number: int) -> Piece:
        items, data, payload = encoder.segment(number)
        if verify and description.data(items, payload) != data:
            raise checks.unlike_its_source("the array")
        return Piece(items, check_of(data), payload)

    pieces = list(side_by_side(range(encoder.segments), made, threads))
    return Encoded(said, pieces, encoder.why_exact)


def decode(description: bytes, pieces: Sequence[tuple[int, bytes, bytes]], *, threads: int = THREADS) -> NDArray[Any]:
    """Return the array of a description and its segments.

    Parameters
    ----------
    description : bytes
    pieces : sequence of Piece
        Items, check and payload of each.
    threads : int, default=2
        That may be used.

    Raises
    ------
    ArtifactError
        Something is not as it was written.
    """
    source = Source.of(description, "the array")
    found = Description.read(source)
    if source.up_to(1):
        raise source.damaged("more bytes follow its description")
    layout = found.layout
    if sum(items for items, _, _ in pieces) != (layout.size if layout.dtype.itemsize else 0):
        raise source.damaged("it has other segments than its shape")

    def made(piece: tuple[int, bytes, bytes]) -> bytes:
        items, check, payload = piece
        data = found.data(items, payload)
        if check_of(data) != check:
            raise source.damaged("a segment does not fit its check")
        return data

    whole, position = np.empty(layout.size * layout.dtype.itemsize, np.uint8), 0
    for data in side_by_side(pieces, made, threads):
        whole[position : position + len(data)] = np.frombuffer(data, np.uint8)
        position += len(data)
    return layout.array(whole)


# ---------------------------------------------------------------------- descriptions


class Description:
    """What a decoder needs before the first segment.

    Parameters
    ----------
    layout : Layout
        How the array lies.
    plans : sequence of Plan
        Of the plane of each leaf.
    """

    def __init__(self, layout: Layout, plans: Sequence[Plan]) -> None:
        self.layout, self.plans = layout, list(plans)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file: coded, but where most of it are palettes, which are so already."""
        leaves = self.layout.leaves
        said = self.layout.to_bytes()
        said += b"".join(plan.to_bytes(leaf) for plan, leaf in zip(self.plans, leaves, strict=True))
        palettes = sum(len(plan.scale.coded) for plan in self.plans if isinstance(plan.scale, Palette))
        payload = None if 2 * palettes > len(said) else coded(Coder(table_bits(len(said))), said)
        return varint(len(said)) + (varint(0) + said if payload is None else varint(len(payload)) + payload)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says; ArtifactError where that is no description."""
        length, size = source.varint(), source.varint()
        if length > SAID_LIMIT or size > length:
            raise source.damaged(f"its description would have {length:,} bytes")
        said = source.take(length) if not size else data_of(Coder(table_bits(length)), source.take(size), length)
        if said is None:
            raise source.damaged("its description is none")
        inner = Source.of(said, source.name)
        layout = Layout.read(inner)
        found = cls(layout, [Plan.read(inner, leaf) for leaf in layout.leaves])
        if inner.up_to(1):
            raise source.damaged("its description says more than it means")
        return found

    def data(self, items: int, payload: bytes) -> bytes:
        """Return the bytes of the items of a segment; ArtifactError where there are none with this payload."""
        source, shape = Source.of(payload, "a segment"), self.layout.shape_of(items)
        if shape is None:
            raise source.damaged("it has no shape")
        found, leaves = np.zeros((items, self.layout.dtype.itemsize), np.uint8), self.layout.leaves
        for number, (leaf, plan) in enumerate(zip(leaves, self.plans, strict=True)):
            last = number == len(leaves) - 1
            own = source.up_to(len(payload)) if last else source.take(source.varint())
            numbers = decoded(own, _with_count(shape, leaf.count), plan, leaf.dtype)
            leaf.put(found, numbers.reshape(items, leaf.count))
        return found.tobytes()


def _with_count(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    return (*shape, count) if count > 1 else shape


class Encoder:
    """Makes segments of an array; parameters are those of :func:`encode`."""

    def __init__(
        self,
        array: Any,
        *,
        max_error: float | None = None,
        rel_error: float | None = None,
        fill: Any = None,
        threads: int = THREADS,
    ) -> None:
        plain = _plain(array)
        self.layout = Layout.of(plain)
        bound, self.why_exact = _bound(plain.dtype, max_error, rel_error, fill)
        self._items = self.layout.items(plain)
        self._ends = list(self.layout.segments())
        self._shapes = [self.layout.shape_of(last - first) or () for first, last in self._ends]
        self._planned = self._plan(bound, threads) if self._ends else self._unplanned()
        reasons = (one.why_exact for one in self._planned if one.why_exact)
        self.why_exact = self.why_exact or next(reasons, None)

    @property
    def plans(self) -> list[Plan]:
        """Of the plane of each leaf."""
        return [one.plan for one in self._planned]

    def _plan(self, bound: Bound, threads: int) -> list[Planned]:
        """Return how each plane is to be coded: side by side, or with all threads where there is only one."""
        planes = [
            Plane(leaf, partial(self._numbers, leaf), [_with_count(shape, leaf.count) for shape in self._shapes])
            for leaf in self.layout.leaves
        ]
        own = threads if len(planes) == 1 else 1
        return list(side_by_side(planes, lambda plane: planned(plane, bound, own), threads // own))

    def _numbers(self, leaf: Leaf, number: int) -> NDArray[Any]:
        """Return the numbers of a leaf in a segment: (n,)."""
        first, last = self._ends[number]
        return leaf.taken(self._items[first:last]).reshape(-1)

    def _unplanned(self) -> list[Planned]:
        return [Planned(STORED, [0] * len(self._ends), Tolerance()) for _ in self.layout.leaves]

    def description(self) -> bytes:
        """Return what a decoder needs; the longest plans are taken back while it is too long."""
        leaves = self.layout.leaves
        while len(said := Description(self.layout, self.plans).to_bytes()) > DESCRIPTION_LIMIT:
            sizes = [len(plan.to_bytes(leaf)) for plan, leaf in zip(self.plans, leaves, strict=True)]
            longest = int(np.argmax(sizes))
            self._planned[longest] = self._unplanned()[longest]
        return said

    @property
    def segments(self) -> int:
        """How many there are."""
        return len(self._ends)

    def segment(self, number: int) -> tuple[int, bytes, bytes]:
        """Return how many items a segment has, their bytes as they are decoded, and its payload.

        Called in any thread.
        """
        shape = self._shapes[number]
        items, leaves, payload = math.prod(shape), self.layout.leaves, b""
        found = np.zeros((items, self.layout.dtype.itemsize), np.uint8)
        for leaf, (plan, schemes, tolerance, _) in zip(leaves, self._planned, strict=True):
            numbers = self._numbers(leaf, number)
            own, decoded_to = encoded(numbers, _with_count(shape, leaf.count), plan, schemes[number], tolerance)
            payload += own if leaf is leaves[-1] else varint(len(own)) + own
            leaf.put(found, decoded_to.reshape(items, leaf.count))
        return items, found.tobytes(), payload


def _plain(array: Any) -> NDArray[Any]:
    """Return an array as it is, whatever class of NumPy's it has."""
    if isinstance(array, np.ma.MaskedArray):
        raise checks.masked_array()
    plain = np.asarray(array)
    if plain.dtype.hasobject:
        raise checks.items_of_no_size(plain.dtype)
    return plain


def _bound(
    dtype: np.dtype[Any], max_error: float | None, rel_error: float | None, fill: Any
) -> tuple[Bound, str | None]:
    """Return how far numbers may be off; with it why they may not, where that was asked for."""
    checks.number("array", "max_error", max_error, low=0, high=sys.float_info.max, optional=True)
    checks.number("array", "rel_error", rel_error, low=0, high=1, optional=True)
    if max_error is not None and rel_error is not None:
        checks.not_together("array", "rel_error", rel_error, "max_error", max_error, plain=None)
    values = () if fill is None else tuple(np.ravel(fill).tolist())
    if max_error is None and rel_error is None:
        return Bound(fill=values), None
    if dtype.names is not None:
        raise checks.bound_of_fields(dtype.names)
    if dtype.kind not in "iufc" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        return Bound(fill=values), f"items of type {dtype} are not rounded"
    if dtype.kind == "c" and max_error is not None:
        max_error /= math.sqrt(2)  # so that the absolute value of the difference is within the bound
    return Bound(max_error, rel_error, values), None

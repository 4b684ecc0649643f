"""Values of up to 64 bits as whole numbers in their order, whatever they mean: integers, floats, dates, flags.

Floats that are decimals in truth become these: 0.1 is one tenth (Afroozeh, Kuffo and Boncz, "ALP: Adaptive Lossless
floating-Point Compression", SIGMOD 2023). Others are taken by their bits, so that the sign of a zero and the payload of
a NaN come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.numbering import NUMBER, Numbering, better_apart
from isthmus.coding.tables.packing import at_most, read_rising, rising
from isthmus.coding.tables.planes import Form, Integers, Plane, sorted_once
from isthmus.coding.tables.scales import Scale, Steps, read_scale, scale_of

__all__ = ["FixedWidth"]

HALF = 32  # bits of each of the two planes of numbers that are too far apart for one
MOST_PLACES = 15  # of a decimal that a float can be
LARGEST = float(1 << 53)  # up to which floats are whole numbers
SAMPLE = 1024  # rows that tell how many places decimals have
FEW, RARE = 8, 8  # values that are no decimals, which a column of decimals may have; and decimals for each more
MOST_OTHERS = 1 << 12
WORTH_IT = 4  # times as many floats as decimals lie between the lowest and the highest, at least
NEARLY = 0.02  # share of rows for which no more places are taken

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class FixedWidth:
    """A column of values of a fixed width.

    Parameters
    ----------
    scale : Scale
        Which numbers there are; of their upper halves, if they are halved.
    nulls : bool, default=False
        Whether there are rows without a value.
    halved : bool, default=False
        Whether the lower 32 bits of numbers have a plane of their own.
    apart : bool, default=False
        Whether what is no number has a plane of its own.
    places : int or None, default=None
        With how many places floats are decimals; None where numbers are values in their order.
    others : tuple of int, default=()
        The values that are no decimals, as numbers in their order.
    """

    scale: Scale
    nulls: bool = False
    halved: bool = False
    apart: bool = False
    places: int | None = None
    others: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: NDArray[Any], known: NDArray[np.bool_]) -> tuple[Self, list[Plane]]:
        """Return a column and its planes.

        Parameters
        ----------
        values : (rows,)
            Integers or floats.
        known : (rows,)
            Which rows have a value.
        """
        nulls = not known.all()
        numbers = in_order(values)
        exceptions = np.where(known, NUMBER, 0)
        places, others = None, np.empty(0, np.int64)
        found = _as_decimals(values, known)
        if found is not None:
            places, decimals, fits = found
            rest = known & ~fits
            others = sorted_once(numbers[rest])
            exceptions[rest] = nulls + np.searchsorted(others, numbers[rest])
            numbers = decimals
        scale, halved = _scale(numbers[exceptions == NUMBER])
        count = nulls + len(others)
        apart = better_apart(scale, count, float(np.mean(exceptions != NUMBER)))
        column = cls(scale, nulls, halved, apart, places, tuple(others.tolist()))
        upper = numbers >> HALF if halved else numbers
        planes = column._numbering.planes(upper, exceptions, np.zeros(len(values), np.int64))
        if halved:
            planes.append(column.forms[-1].filled(np.where(exceptions == NUMBER, numbers & _LOWER, 0)))
        return column, planes

    @property
    def _numbering(self) -> Numbering:
        return Numbering(self.scale, self.nulls + len(self.others), self.apart)

    @property
    def forms(self) -> list[Form]:
        """The planes of exceptions and of numbers, and of their lower halves."""
        forms = self._numbering.forms
        if self.halved:
            forms.append(Form(size=1 << HALF, ordered=False, name="lower", where=0 if self.apart else None))
        return forms

    def values(self, planes: Sequence[Integers], dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the values of a type, and which rows have one, from the values of the planes."""
        steps, exceptions, _ = self._numbering.parted(planes)
        numbers = self.scale.numbers(steps)
        if self.halved:
            numbers = (numbers << HALF) | planes[-1]
        places = self.places
        found = from_order(numbers, dtype) if places is None else (numbers / 10.0**places).astype(dtype)
        for place, other in enumerate(self.others):
            found[exceptions == self.nulls + place] = from_order(np.array([other]), dtype)
        return found, exceptions != 0 if self.nulls else np.ones(len(found), bool)

    def to_bytes(self) -> bytes:
        """Return all that the planes do not say."""
        flags = self.nulls + 2 * self.halved + 4 * self.apart
        others = rising(np.array(self.others)) if self.others else b""
        places = 0 if self.places is None else self.places + 1
        return varint(flags) + varint(places) + varint(len(self.others)) + others + self.scale.to_bytes()

    @classmethod
    def read(cls, source: Source, n_rows: int) -> Self:
        """Return what :meth:`to_bytes` wrote, of a column of so many rows."""
        flags = at_most(source, 7, "as the number of a kind of columns")
        places = at_most(source, MOST_PLACES + 1, "places of decimals")
        count = at_most(source, min(n_rows, MOST_OTHERS), "values that are no decimals")
        others = read_rising(source, count).tolist() if count else []
        scale = read_scale(source, n_rows)
        return cls(
            scale, bool(flags & 1), bool(flags & 2), bool(flags & 4), places - 1 if places else None, tuple(others)
        )


_LOWER = (1 << HALF) - 1


def in_order(values: NDArray[Any]) -> Numbers:
    """Return whole numbers in the order of some values: these, if they have the room; of floats that of their bits."""
    if values.dtype.kind == "f":
        bits = values.view(f"i{values.dtype.itemsize}").astype(np.int64)
        return _turned(bits, values.dtype.itemsize)
    if values.dtype == np.uint64:
        return values.view(np.int64) ^ np.int64(-1 << 63)
    return values.astype(np.int64)


def from_order(numbers: Numbers, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values that :func:`in_order` was given."""
    if dtype.kind == "f":
        return _turned(numbers, dtype.itemsize).astype(f"i{dtype.itemsize}").view(dtype)
    if dtype == np.uint64:
        return (numbers ^ np.int64(-1 << 63)).view(np.uint64)
    return numbers.astype(dtype)


def _turned(bits: Numbers, size: int) -> Numbers:
    """Return the bits of floats with all but the sign turned where that is set, which undoes itself."""
    return np.where(bits < 0, bits ^ np.int64((1 << 8 * size - 1) - 1), bits)


def _scale(numbers: Numbers) -> tuple[Scale, bool]:
    """Return the scale of numbers, and whether it is that of their upper halves, since they are too far apart."""
    if not len(numbers):
        return Steps(0, 1, 1), False
    scale = scale_of(sorted_once(numbers))
    if scale is not None:
        return scale, False
    upper = scale_of(sorted_once(numbers >> HALF))
    assert upper is not None  # noqa: S101  32 bits always fit
    return upper, True


def _as_decimals(values: NDArray[Any], known: NDArray[np.bool_]) -> tuple[int, Numbers, NDArray[np.bool_]] | None:
    """Return with how many places floats are decimals, these in units of the last one, and which of them they are.

    None where the values are no floats, or too many of them no decimals.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize == 2 or not known.any():
        return None
    some = values[known][:: max(1, int(known.sum()) // SAMPLE)]
    shares = [float(np.mean(_counted(some, places)[1])) for places in range(MOST_PLACES + 1)]
    for least in (max(shares) - NEARLY, max(shares)):
        places = next(place for place, share in enumerate(shares) if share >= least)
        numbers, fits = _counted(values, places)
        fits &= known
        count, rest = int(fits.sum()), len(sorted_once(in_order(values[known & ~fits])))
        few = rest < count and rest <= min(MOST_OTHERS, FEW + count // RARE)
        if few and WORTH_IT * _span(numbers[fits]) < _span(in_order(values[fits])):
            return places, numbers, fits
    return None


def _span(numbers: Numbers) -> int:
    return int(numbers.max()) - int(numbers.min()) + 1


def _counted(values: NDArray[Any], places: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return floats in units of a decimal place, and which of them come back from that, bit for bit."""
    with np.errstate(over="ignore", invalid="ignore"):
        counts = np.rint(values.astype(np.float64) * 10.0**places)
        there = np.abs(counts) < LARGEST
        numbers = np.where(there, counts, 0.0).astype(np.int64)
        back = (numbers / 10.0**places).astype(values.dtype)
    bits = f"i{values.dtype.itemsize}"
    return numbers, there & (back.view(bits) == values.view(bits))

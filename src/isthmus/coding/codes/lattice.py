"""Where the whole numbers of codes lie: the step and the centre of each unit.

A unit is a number of a code or, where codes are maps, a channel. A number q of unit j stands for the code::

    z = step_j (q + centre_j / 2^depth),   step_j = 2^((fineness + 32 exponent_j) / 256)

so that the rate is one number, ``fineness``; what a unit matters for the records is in its exponent, and its centre is
that of the codes, so that coarse steps leave them there and not at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.packing import at_most, read_signed, signed

__all__ = ["Lattice"]

NUMBERS, INDICES = 0, 1  # what a code is made of
OCTAVE = 256  # fineness by which steps double
WEIGHT = 32  # of it, an exponent
SHALLOWEST, DEEPEST = 3, 24  # log2 of the parts of a step that centres are given in
CLOSE = 8  # parts of the spread of a unit that its centre is found in
UNITS_LIMIT = 1 << 20
LARGEST = 1 << 22  # numbers lie between its negative and it
FINENESS_LIMIT = 1 << 14  # steps of 2^64
EXPONENTS_LIMIT = 1 << 11
CENTRES_LIMIT = 1 << 40

Floats = NDArray[np.float64]
Values = NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """What whole numbers stand for.

    Parameters
    ----------
    records : int
        How many there are.
    units : int
        Numbers of a code, or channels of a map.
    fineness : int, default=0
        256 for each doubling of all steps.
    exponents : tuple of int, default=()
        8 for each doubling of a unit's step.
    centres : tuple of int, default=()
        Parts of a step.
    depth : int, default=3
        Log2 of how many parts a step has.
    size : int, default=0
        Entries of a codebook, where the numbers are indices, which have no order and no steps; else 0.
    """

    records: int
    units: int
    fineness: int = 0
    exponents: tuple[int, ...] = ()
    centres: tuple[int, ...] = ()
    depth: int = SHALLOWEST
    size: int = 0

    @classmethod
    def around(cls, centres: Floats, spreads: Floats, steps: Floats, fineness: int, records: int) -> Self:
        """Return the lattice with steps that have a proportion, and centres near those given.

        Parameters
        ----------
        centres, spreads : ndarray of float64, shape (units,)
            Means and deviations of the codes.
        steps : ndarray of float64, shape (units,)
            Positive; only their proportion matters.
        fineness : int
        records : int
        """
        proportion = np.log2(steps) - np.log2(steps).min()
        exponents = np.minimum((OCTAVE // WEIGHT * proportion).round(), EXPONENTS_LIMIT).astype(int)
        bare = cls(records, len(steps), fineness, tuple(exponents.tolist()))
        parts = (CLOSE * bare.steps / np.maximum(spreads, 1e-12)).max()
        depth = int(np.clip(np.ceil(np.log2(parts)), SHALLOWEST, DEEPEST))
        places = np.clip(np.rint(2.0**depth * centres / bare.steps), -CENTRES_LIMIT, CENTRES_LIMIT)
        return replace(bare, centres=tuple(places.astype(np.int64).tolist()), depth=depth)

    @property
    def ordered(self) -> bool:
        """Whether numbers near each other mean codes near each other."""
        return self.size == 0

    @property
    def steps(self) -> Floats:
        """The step of each unit, (units,)."""
        return np.exp2((self.fineness + WEIGHT * np.array(self.exponents, np.float64)) / OCTAVE)

    def _laid_out(self, axes: int) -> tuple[Floats, Floats]:
        """Return steps and centres as they go with codes of so many axes behind the first."""
        shape = (self.units, *(1 for _ in range(axes - 1)))
        return self.steps.reshape(shape), np.array(self.centres, np.float64).reshape(shape) / 2.0**self.depth

    def quantised(self, codes: NDArray[Any]) -> Values:
        """Return the nearest whole numbers: (n, units, ...) -> (n, units, ...)."""
        steps, centres = self._laid_out(codes.ndim - 1)
        found = np.rint(codes.astype(np.float64) / steps - centres)
        return np.clip(found, -LARGEST, LARGEST).astype(np.int64)

    def codes(self, values: Values) -> NDArray[np.float32]:
        """Return the codes that whole numbers stand for: (n, units, ...) -> (n, units, ...)."""
        steps, centres = self._laid_out(values.ndim - 1)
        return (steps * (values + centres)).astype(np.float32)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        head = varint(self.records) + varint(self.units) + varint(self.size)
        if not self.ordered:
            return head
        return head + signed(self.fineness) + varint(self.depth) + _packed(self.exponents) + _packed(self.centres)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote.

        Raises
        ------
        ArtifactError
            It is none.
        """
        records = source.varint()
        units = at_most(source, UNITS_LIMIT, "units")
        size = at_most(source, 1 << 16, "entries of a codebook")
        if size:
            return cls(records, units, size=size)
        fineness = read_signed(source)
        if abs(fineness) > FINENESS_LIMIT or not units:
            raise source.damaged("its steps are none")
        depth = at_most(source, DEEPEST, "bits of a part")
        exponents, centres = (_read(source, units, limit) for limit in (EXPONENTS_LIMIT, CENTRES_LIMIT))
        return cls(records, units, fineness, exponents, centres, depth)


def _packed(numbers: Sequence[int]) -> bytes:
    return packed(b"".join(map(signed, numbers)))


def _read(source: Source, count: int, limit: int) -> tuple[int, ...]:
    inner = Source.of(unpacked(source, 10 * count), source.name)
    found = tuple(read_signed(inner) for _ in range(count))
    if inner.up_to(1) or any(abs(number) > limit for number in found):
        raise source.damaged("its units are none")
    return found

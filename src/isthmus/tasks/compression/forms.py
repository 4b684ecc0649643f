"""Two forms of codes as whole numbers: numbers that are rounded to steps, and indices of a codebook as they are.

How wide a step of a unit may be follows from how much it matters. With steps d_j, small beside the spread of the codes,
the squared error of a decoded record is the sum of s_j d_j^2 / 12, where s_j is the squared length of the derivative of
the record by unit j; and the bits are those of the codes less the sum of log2 d_j. The least error at a rate has all
s_j d_j^2 alike (Gersho and Gray, "Vector Quantization and Signal Compression", 1992, section 8.3), so d_j is
1 / sqrt(s_j) times one number, which is the rate. The s_j are measured on the decoder, by finite differences. (The
spread of a posterior says the same of a variational model, but in the units of its likelihood, and of that model only.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.capabilities import LooksUp, has
from isthmus.coding.codes import Lattice
from isthmus.data import Data

__all__ = ["OCTAVE", "Form", "form_of"]

TRIED = 48  # records that finite differences are taken of
MOVED = 0.25  # of the spread of a unit, by which it is moved
LEAST = 2.0**-12  # of the largest length of a derivative, that one has at least
FINEST = 20  # log2 of the largest number
OCTAVE = 256  # of the fineness of a lattice

Floats = NDArray[np.float64]
Codes = list[NDArray[np.float32]]  # one array (n, units, height, width), or one (1, units, height, width) a record
Sizes = Sequence[tuple[int, ...]] | None  # heights and widths of pictures, where they differ


class Form(Protocol):
    """How the codes of a model are written."""

    def of(self, records: Data) -> list[NDArray[Any]]:
        """Return what is quantised of records: arrays (n, units, height, width)."""

    def lattices(self, codes: Sequence[NDArray[Any]], sizes: Sizes) -> Lattices:
        """Return the lattices that codes can be written on."""

    def flat(self, values: Sequence[NDArray[Any]], lattice: Lattice) -> Any:
        """Return whole numbers as codes that the model decodes."""

    def exactly(self, codes: Sequence[NDArray[Any]]) -> Any:
        """Return what :meth:`of` gave as codes that the model decodes, without quantising them."""


def form_of(model: Any) -> Form:
    """Return how the codes of a model are written."""
    return Indices(model) if has(model, LooksUp) else Numbers(model)


@dataclass(frozen=True)
class Lattices:
    """Lattices that differ in their fineness.

    Parameters
    ----------
    records : int
        How many there are.
    centres, spreads : ndarray of float64, shape (units,)
        Means and deviations of the codes.
    steps : ndarray of float64, shape (units,)
        In the right proportion.
    reach : float
        How far codes are from their centres, at most, in units of the finest step.
    """

    records: int
    centres: Floats
    spreads: Floats
    steps: Floats
    reach: float

    def at(self, fineness: int) -> Lattice:
        """Return the lattice of a fineness."""
        return Lattice.around(self.centres, self.spreads, self.steps, fineness, self.records)

    @property
    def ends(self) -> tuple[int, int]:
        """Below the first numbers would be too large, and from the second on all are zero."""
        furthest = OCTAVE * math.log2(self.reach)
        return math.ceil(furthest) - OCTAVE * FINEST, math.ceil(furthest) + 2 * OCTAVE


class Only(Lattices):
    """The one lattice of indices."""

    def __init__(self, lattice: Lattice) -> None:
        object.__setattr__(self, "_lattice", lattice)

    def at(self, fineness: int) -> Lattice:
        """Return the lattice."""
        found: Lattice = self.__dict__["_lattice"]
        return found

    @property
    def ends(self) -> tuple[int, int]:
        """There is one."""
        return 0, 0


class Numbers:
    """Numbers on a lattice.

    Parameters
    ----------
    model : Model
        Fitted.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        units, *sides = model.code_shape_
        self._shape = None if None in sides else (units, *[1, 1, *(side or 1 for side in sides)][-2:])

    def of(self, records: Data) -> list[NDArray[Any]]:
        codes = self._model.transform(records)
        if self._shape is None:
            return [np.asarray(code)[np.newaxis] for code in codes]
        return [np.asarray(codes).reshape(len(codes), *self._shape)]

    def lattices(self, codes: Sequence[NDArray[Any]], sizes: Sizes) -> Lattices:
        units, records = codes[0].shape[1], sum(map(len, codes))
        rows = np.concatenate([part.transpose(0, 2, 3, 1).reshape(-1, units) for part in codes]).astype(np.float64)
        centres, spreads = rows.mean(0), np.maximum(rows.std(0), 1e-12)
        steps = self._steps(codes, spreads, sizes)
        reach = float((np.abs(rows - centres).max(0) / (steps / steps.min())).max())
        return Lattices(records, centres, spreads, steps, max(reach, 1e-9))

    def _steps(self, codes: Sequence[NDArray[Any]], spreads: Floats, sizes: Sizes) -> Floats:
        """Return steps in the right proportion: one over the length of the derivative of a record by each unit."""
        tried = _first(codes, TRIED)
        plain = self._decoded(tried, sizes)
        found = np.zeros(len(spreads))
        for unit, spread in enumerate(spreads):
            moved, count = [part.copy() for part in tried], 0
            for row, part in enumerate(moved):
                # Signs alternate, so that in maps what neighbours do to a pixel does not add up.
                signs = 1 - 2 * (np.indices(part[:, unit].shape).sum(0) + row & 1)
                part[:, unit] += (MOVED * spread * signs).astype(np.float32)
                count += signs.size
            change = sum(float(((a - b) ** 2).sum()) for a, b in zip(self._decoded(moved, sizes), plain, strict=True))
            found[unit] = math.sqrt(change / count) / (MOVED * spread)
        return 1 / np.maximum(found, max(LEAST * found.max(initial=0), 1e-12))

    def _decoded(self, codes: Codes, sizes: Sizes) -> list[Floats]:
        count = sum(map(len, codes))
        some = None if sizes is None else sizes[:count]
        return [
            np.asarray(one, np.float64) for one in self._model.decoded(_joined(codes, self._shape), sizes=some).values
        ]

    def flat(self, values: Sequence[NDArray[Any]], lattice: Lattice) -> Any:
        return self.exactly([lattice.codes(part) for part in values])

    def exactly(self, codes: Sequence[NDArray[Any]]) -> Any:
        return _joined(codes, self._shape)


class Indices:
    """Indices of codebook entries, as they are.

    Parameters
    ----------
    model : Model
        Fitted, with the methods ``code_indices`` and ``look_up``.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        _, *sides = model.code_shape_
        self._sides = tuple(side or 1 for side in sides) if sides and None not in sides else None
        self._varies = None in sides

    def of(self, records: Data) -> list[NDArray[Any]]:
        found = self._model.code_indices(records)
        if self._varies:
            sides = [np.asarray(code).shape[1:] for code in self._model.transform(records)]
            return [_as_maps(one[np.newaxis], its) for one, its in zip(found, sides, strict=True)]
        return [_as_maps(found, self._sides)]

    def lattices(self, codes: Sequence[NDArray[Any]], sizes: Sizes) -> Lattices:
        entries = int(self._model.module_.quantiser.codebook_size)
        return Only(Lattice(sum(map(len, codes)), codes[0].shape[1], size=entries))

    def flat(self, values: Sequence[NDArray[Any]], lattice: Lattice) -> Any:
        if self._varies:
            maps = [(*part.shape[2:], part[0].reshape(len(part[0]), -1).T) for part in values]
            return self._model.look_up(maps)
        part = np.concatenate(values)
        if self._sides is None:
            return self._model.look_up(part.reshape(len(part), -1, self._depth))
        return self._model.look_up(part.reshape(*part.shape[:2], -1).transpose(0, 2, 1))

    def exactly(self, codes: Sequence[NDArray[Any]]) -> Any:
        return self.flat(codes, Lattice(0, 1, size=1))

    @property
    def _depth(self) -> int:
        return int(self._model.module_.quantiser.n_quantizers)


def _as_maps(indices: NDArray[Any], sides: tuple[int, ...] | None) -> NDArray[Any]:
    """Return indices (n, tokens, depth) as maps (n, depth, height, width), or as units where there are no places."""
    if sides is None:
        return indices.reshape(len(indices), -1, 1, 1)
    height, width = [1, 1, *sides][-2:]
    return indices.transpose(0, 2, 1).reshape(len(indices), -1, height, width)


def _joined(codes: Sequence[NDArray[Any]], shape: tuple[int, ...] | None) -> Any:
    """Return codes as a model decodes them: rows, or a list of maps where their shapes differ."""
    if shape is None:
        return [part[0] for part in codes]
    return np.concatenate(codes).reshape(sum(map(len, codes)), -1).astype(np.float32)


def _first(codes: Sequence[NDArray[Any]], count: int) -> Codes:
    """Return so many of the first records."""
    found: Codes = []
    for part in codes:
        found.append(part[: count - sum(map(len, found))])
        if sum(map(len, found)) >= count:
            break
    return found

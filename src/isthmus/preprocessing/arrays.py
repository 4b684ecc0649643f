"""Preprocessor of rows of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import check_finite_range, check_width, refuse_quantiles_without_data
from isthmus.preprocessing.atoms import Tally, atoms_of, rounding
from isthmus.preprocessing.base import Arrays, Preprocessor
from isthmus.preprocessing.differences import Differences
from isthmus.preprocessing.quantiles import PARTS, QUANTILE_SAMPLE, QuantileMap
from isthmus.preprocessing.scaling import Centring, affine, one_quantity, unit_range
from isthmus.preprocessing.statistics import SAMPLE, Extremes, Moments, blocks, evenly_spaced
from isthmus.preprocessing.summary import Field, Summary

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["ArrayPreprocessor", "shared"]

Float64 = NDArray[np.float64]
NUMBERS = 1 << 24  # numbers of a sample (64 to 128 MiB)


class ArrayPreprocessor(Preprocessor):
    """Rows of numbers, each a vector of ``shape_ = (d,)``.

    All columns are kept, constant ones too: their factor is 1, and they come back as they were at fit. 8-bit and
    boolean values stay 8-bit; other dtypes become float32, after centring where their values lie far from zero (see
    :mod:`isthmus.preprocessing.scaling`).
    Decoding rounds whole-number dtypes and clips them to the dtype's range; values of a float dtype are left as they
    are, whole or not.

    Where columns are of several units, not pixels of one, the values that many records of a column share are told apart
    (see :mod:`isthmus.preprocessing.atoms`). They are looked for among at most 4,096 rows, and come back exactly.

    The smallest and largest values are exact. Means and spreads of more than 4,096 rows are those of an evenly spaced
    subset of at most that many rows, except that ``rescale("standard")`` and ``"common"`` compute exact ones. Quantiles
    come from an evenly spaced subset of at most 10,000 rows.
    """

    kind = "array"
    _centring: Centring
    _quantiles: tuple[QuantileMap, ...] = ()
    # Of all columns side by side: whose atom it is, and its value in the source's dtype.
    _owners: NDArray[np.int64]
    _atoms: NDArray[Any]

    def _fit(self, data: Data) -> None:
        extremes, moments = Extremes(one_hot=True), Moments()
        for start, block in blocks(data):
            extremes.update(block)
            moments.update(evenly_spaced(block, start, len(data), SAMPLE))
        names = data.schema.names
        width = len(extremes.low)
        labels = tuple(f"column {name!r}" for name in names) if names else tuple(f"column {i}" for i in range(width))
        check_finite_range(extremes.low, extremes.high, labels)
        mean, std = moments.of_groups(width, extremes.low, extremes.high)
        self.shape_ = (width,)
        self._owners, self._atoms = self._find_atoms(data, extremes)
        self.summary_ = Summary(
            kind=self.kind,
            low=extremes.low.astype(np.float64),
            high=extremes.high.astype(np.float64),
            mean=mean,
            std=std,
            names=labels,
            integers=extremes.integers,
            binary=extremes.binary,
            one_hot=extremes.one_hot,
            dtype=data.schema.dtype,
            atoms=len(self._atoms) > 0,
        )
        self._centring = Centring.choose(extremes.low, extremes.high, np.dtype(data.schema.dtype))

    @staticmethod
    def _find_atoms(data: Data, extremes: Extremes) -> tuple[NDArray[np.int64], NDArray[Any]]:
        width = len(extremes.low)
        none = np.zeros(0, np.int64), np.zeros(0, extremes.low.dtype)
        if extremes.binary or extremes.one_hot or one_quantity(extremes.low, extremes.high):
            return none
        limit = max(1, min(SAMPLE, NUMBERS // width))
        rows = np.concatenate([evenly_spaced(block, start, len(data), limit) for start, block in blocks(data)])
        ordered = np.sort(rows, axis=0)
        repeat = (ordered[1:] == ordered[:-1]).any(axis=0) & (extremes.low < extremes.high)
        found = []
        for column in np.flatnonzero(repeat):
            tally = Tally()
            tally.update(ordered[:, column])
            atoms, _ = atoms_of(tally, (extremes.low[column], extremes.high[column]), len(rows), width)
            found += [(int(column), atom) for atom in atoms]
        if not found:
            return none
        owners = np.array([column for column, _ in found], np.int64)
        return owners, np.array([atom for _, atom in found], extremes.low.dtype)

    def _rescale(self, scaling: str, data: Data | None) -> tuple[Float64, Float64]:
        summary, width = self.summary_, len(self.summary_.low)
        self._quantiles = ()
        if scaling == "quantile":
            self._quantiles = self._fit_quantiles(data)
            return np.zeros(1), np.ones(1)
        mean, std = summary.mean, summary.std
        if scaling in ("standard", "common") and data is not None and len(data) > SAMPLE:
            moments = Moments()
            for _, block in blocks(data):
                moments.update(block)
            mean, std = moments.of_groups(width, summary.low, summary.high)
        start, end, note = unit_range(summary.low, summary.high, summary.dtype, integers=summary.integers)
        if note and scaling in ("unit", "symmetric"):
            self._scaling_notes.append(note)
        shift, factor = affine(scaling, start, end, mean, std)
        return shared(self._centring.centre(shift)), shared(factor * self._centring.unit)

    def _fit_quantiles(self, data: Data | None) -> tuple[QuantileMap, ...]:
        if data is None:
            refuse_quantiles_without_data(type(self).__name__)
        parts = [evenly_spaced(block, start, len(data), QUANTILE_SAMPLE) for start, block in blocks(data)]
        columns = np.ascontiguousarray(self._centring.centre(np.concatenate(parts)).T)
        low, high = (self._centring.centre(x) for x in (self.summary_.low, self.summary_.high))
        return tuple(QuantileMap.fit(c, a, b) for c, a, b in zip(columns, low, high, strict=True))

    def encode(self, block: NDArray[Any], differences: Differences | None = None) -> NDArray[Any]:
        """Return rows as numbers; 8-bit and float32 rows without a copy where they stay what they are.

        Parameters
        ----------
        block : ndarray, shape (b, d)
            Of any real dtype.
        differences : Differences, optional
            Counts numbers that differ from those of the fit.

        Returns
        -------
        ndarray, shape (b, d)
            uint8 for 8-bit and boolean rows, otherwise float32.

        Raises
        ------
        ShapeError
            The width differs from training.
        DataError
            A value is beyond the range of 32-bit floats.
        """
        block = np.asarray(block)
        check_width(block.shape, len(self.summary_.low))
        if differences is not None:
            self._count(block, differences)
        return self._encoded(block)

    def _encoded(self, block: NDArray[Any]) -> NDArray[Any]:
        if self._quantiles:
            centred = self._centring.centre(block)
            columns = [m.forward(centred[:, i]) for i, m in enumerate(self._quantiles)]
            return np.stack(columns, axis=1).astype(np.float32)
        if block.dtype == bool:
            block = block.view(np.uint8)
        if block.dtype == np.uint8 and self._centring.identity:
            return block
        return self._centring.encode(block)

    def decode(self, x: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Return rows in the source's units and dtype.

        Parameters
        ----------
        x : ndarray, shape (b, d)
            In encoded units.

        Returns
        -------
        ndarray, shape (b, d)
            Of the source's dtype.

        Raises
        ------
        ShapeError
            The width differs from training.
        """
        x = np.asarray(x)
        check_width(x.shape, len(self.summary_.low))
        if self._quantiles:
            columns = [m.inverse(x[:, i].astype(np.float64)) for i, m in enumerate(self._quantiles)]
            x = np.stack(columns, axis=1)
        return self._with_constants(self._with_atoms(self._centring.decode(x)))

    def snap(self, x: NDArray[np.floating[Any]]) -> NDArray[Any]:  # noqa: D102
        return self._encoded(self.decode(x))

    def _with_atoms(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return decoded rows in which an atom that 32 bits have rounded is that atom."""
        if not len(self._atoms) or rows.dtype.kind != "f":
            return rows
        near = rounding(self._atoms, self.summary_.mean[self._owners], self.summary_.std[self._owners])
        row, atom = np.nonzero(np.abs(rows[:, self._owners] - self._atoms) <= near)
        rows = rows.copy()
        rows[row, self._owners[atom]] = self._atoms[atom]
        return rows

    def scaled_fields(self) -> tuple[Field, ...]:
        """Return the columns as numbers with atoms, in scaled units; nothing where no column has any."""
        if not len(self._atoms):
            return ()
        owners, names = self._owners, self.summary_.names
        shift, factor = (np.broadcast_to(part, len(names)) for part in (self.shift_, self.factor_))
        first = np.searchsorted(owners, owners)  # of the atoms of its column
        rank = np.arange(len(owners)) - first
        rows = np.tile(self.summary_.low.astype(self._atoms.dtype), (rank.max() + 1, 1))
        rows[rank, owners] = self._atoms
        encoded = self.encode(rows)[rank, owners].astype(np.float32)
        scaled = np.split((encoded - shift[owners]) * factor[owners], np.searchsorted(owners, np.arange(1, len(shift))))
        return tuple(
            Field("number", i, 1, name, atoms=tuple(atoms.tolist()))
            for i, (name, atoms) in enumerate(zip(names, scaled, strict=True))
        )

    def log_slopes(self) -> tuple[list[int], list[Float64], list[Float64]]:  # noqa: D102
        edges, logs = zip(*(m.log_slopes() for m in self._quantiles), strict=True) if self._quantiles else ((), ())
        return list(range(len(edges))), list(edges), list(logs)

    def _to_scaled(self, values: Float64) -> Float64:
        centred = self._centring.centre(values)
        if self._quantiles:
            return np.array([float(m.forward(value)) for m, value in zip(self._quantiles, centred, strict=True)])
        return (centred - self.shift_) * self.factor_

    def _log_unit(self) -> Float64:
        return np.log(self._centring.unit.astype(np.float64))

    def _own_state(self) -> documents.State:
        centring, arrays = self._centring.state()
        if self._quantiles:
            arrays["knots"] = np.array([len(m.values) for m in self._quantiles])
            arrays |= {f"knot_{name}": np.concatenate([getattr(m, name) for m in self._quantiles]) for name in PARTS}
        if len(self._atoms):
            arrays |= {"atoms": self._atoms, "owners": self._owners}
        return {"centring": centring}, arrays

    def _load_own_state(self, document: dict[str, Any], arrays: Arrays) -> None:
        self._centring = Centring.from_state(document["centring"], arrays)
        if "atoms" in arrays:
            self._atoms = documents.array(arrays, "atoms", (None,), "n")
            self._owners = documents.array(arrays, "owners", (len(self._atoms),), "i")
        else:
            self._atoms, self._owners = np.zeros(0), np.zeros(0, np.int64)
        if self.scaling_ == "quantile":
            ends = np.cumsum(documents.array(arrays, "knots", (None,), "i"))[:-1]
            names = [name for name in PARTS if f"knot_{name}" in arrays]
            parts = (np.split(documents.array(arrays, f"knot_{name}", (None,)), ends) for name in names)
            each = (dict(zip(names, of_column, strict=True)) for of_column in zip(*parts, strict=True))
            self._quantiles = tuple(QuantileMap.from_state({}, of_column) for of_column in each)


def shared(values: Float64) -> Float64:
    """Return one element where all are equal, so that the network's layers can share what belongs to the scale."""
    first = values[:1]
    return first if (values == first).all() else values

"""One encoder for each type of a table's column, with its inverse.

Every class has the same five abilities: ``fields`` (what its encoded columns are), ``ranges`` (low, high, mean and
standard deviation of its number fields, in encoded units), ``encode``, ``decode`` and ``state``. Which class a column
is of is decided in :mod:`isthmus.preprocessing.scans`.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import refuse_column_type
from isthmus.errors import ArtifactError
from isthmus.preprocessing.atoms import Places, rounding, spread_out
from isthmus.preprocessing.differences import Differences, range_of, shown
from isthmus.preprocessing.quantiles import PARTS, QuantileMap
from isthmus.preprocessing.scaling import Centring
from isthmus.preprocessing.summary import Field

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Booleans",
    "Categories",
    "Cycle",
    "Dates",
    "Numbers",
    "SetAside",
    "TableColumn",
    "column_from_state",
    "dates_to_ticks",
    "numbers_to_numpy",
]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
NO_ATOMS = np.zeros(0)
MAX_EXAMPLES = 100  # cells that are looked through for different values to show


class TableColumn(ABC):
    """One column of the source and the encoded columns that it becomes."""

    kind: ClassVar[str]
    name: str

    @property
    def missing_code(self) -> int:
        """Code of a category that says that the cell is empty; -1 where there is none."""
        return -1

    @property
    def categories(self) -> pa.Array | None:
        """The categories that have a code of their own, in the order of their codes; None of other columns."""
        return None

    @abstractmethod
    def fields(self, index: int) -> list[Field]:
        """Return its encoded columns, the first of which has number ``index`` in the matrix."""

    @property
    def ranges(self) -> Float64:
        """Low, high, mean and standard deviation of each of its number fields, shape (number fields, 4)."""
        return np.zeros((0, 4))

    @property
    def place(self) -> str:
        """What it is called in a sentence."""
        return f"column {shown(self.name)}"

    @abstractmethod
    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return cells as numbers, (b, fields), and count differences from the fit, if asked to."""

    @abstractmethod
    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return numbers, shape (b, fields), as cells of an Arrow type or of its categories' type."""

    @abstractmethod
    def snap(self, x: NDArray[Any]) -> Float32:
        """Return what numbers, shape (b, fields), become when they are decoded and encoded again."""

    @abstractmethod
    def state(self) -> documents.State:
        """Return it as JSON values and arrays."""


@dataclass(frozen=True, eq=False)
class Numbers(TableColumn):
    """Whole and other numbers: a number field, and a mask field where cells were missing.

    Decoding rounds to the decimals that all numbers of training have, and clips to their range. Values that many
    records share, the atoms, come back exactly; where there were no others, the nearest one comes back.

    Parameters
    ----------
    name : str
        The column.
    centring : Centring
        To 32-bit floats and back.
    low, high : int or float
        The range in training, in the source's units; where there are atoms and other values, that of the others.
    decimals : int
        How many all floats of training have at most; -1 for more than 9, and for whole numbers.
    mean, std : float
        In encoded units, of the same values.
    masked : bool
        Whether cells were missing in training.
    quantiles : QuantileMap or None
        From centred values to normal scores, where that scaling is in force.
    atoms : ndarray, shape (k,)
        Values that many records share, in the source's dtype, rising.
    alone : bool
        Whether there were no others.
    """

    kind = "numbers"
    name: str
    centring: Centring
    low: int | float
    high: int | float
    decimals: int
    mean: float
    std: float
    masked: bool
    quantiles: QuantileMap | None = None
    atoms: NDArray[Any] = field(default_factory=lambda: NO_ATOMS)
    alone: bool = False

    def fields(self, index: int) -> list[Field]:
        """Return the number field and, where cells were missing, its mask field."""
        atoms = tuple(self.places.numbers.tolist())
        if not self.masked:
            return [Field("number", index, 1, self.name, atoms=atoms)]
        return [
            Field("number", index, 1, self.name, mask=index + 1, atoms=atoms),
            Field("mask", index + 1, 1, f"{self.name} (observed)"),
        ]

    @cached_property
    def places(self) -> Places:
        """Where the atoms lie among the encoded numbers."""
        low, high, mean, std = self.ranges[0]
        places = spread_out(self.centring.centre(self.atoms), low, high, std)
        if self.quantiles is not None:
            places, mean, std = self.quantiles.forward(places), 0.0, 1.0
        return Places(places.astype(np.float32), rounding(places, mean, std), self.alone)

    @property
    def ranges(self) -> Float64:
        """Low, high, mean and standard deviation in encoded units, shape (1, 4)."""
        ends = self.centring.centre(np.array([self.low, self.high], dtype=self.centring.dtype))
        return np.array([[ends[0], ends[1], self.mean, self.std]])

    def with_quantiles(self, column: pa.ChunkedArray) -> Numbers:
        """Return it with the quantiles of a sample of cells."""
        return self.with_quantiles_of(*numbers_to_numpy(column, self.name))

    def with_quantiles_of(self, values: NDArray[Any], observed: NDArray[np.bool_]) -> Numbers:
        """Return it with the quantiles of a sample of numbers."""
        low, high = self.ranges[0, :2]
        if not self.alone:
            observed = observed & ~np.isin(values, self.atoms)
        sample = self.centring.centre(values[observed]) if observed.any() else np.array([low, high])
        return replace(self, quantiles=QuantileMap.fit(sample, low, high))

    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return numbers, and the mask where there is one; a missing number is the mean."""
        return self.encode_values(*numbers_to_numpy(column, self.name), differences)

    def encode_values(
        self,
        values: NDArray[Any],
        observed: NDArray[np.bool_],
        differences: Differences | None = None,
        written: Callable[[Any], str] | None = None,
    ) -> Float32:
        """Return numbers, and the mask where there is one, of numbers of which some are missing.

        Parameters
        ----------
        values : ndarray, shape (b,)
            In the source's units.
        observed : ndarray of bool, shape (b,)
            Which are not missing.
        differences : Differences, optional
            Counts those that differ from the fit.
        written : callable, optional
            Returns a value of the source as a person writes it; by default a number.
        """
        is_atom = np.zeros(len(values), bool)
        if len(self.atoms):
            nearest = np.searchsorted(self.atoms, values).clip(max=len(self.atoms) - 1)
            is_atom = self.atoms[nearest] == values
            others = np.where(is_atom, values.dtype.type(self.low), values)
            encoded = np.where(is_atom, self.places.numbers[nearest], self._encoded(others))
        else:
            others, encoded = values, self._encoded(values)
        fill = np.float32(self.mean if self.quantiles is None else 0)
        if differences is not None:
            self._count(values, observed, is_atom, differences, written)
        if self.masked:
            return np.stack([np.where(observed, encoded, fill), observed.astype(np.float32)], axis=1)
        return (encoded if observed.all() else np.where(observed, encoded, fill))[:, None]

    def _count(
        self,
        values: NDArray[Any],
        observed: NDArray[np.bool_],
        is_atom: NDArray[np.bool_],
        differences: Differences,
        written: Callable[[Any], str] | None,
    ) -> None:
        """Count what comes back as another number: all beyond the range, and of a column of few values all others."""
        ends = (self.low, self.high) if written is None else (written(self.low), written(self.high))
        others = observed & ~is_atom
        outside = others & ((values < self.low) | (values > self.high))
        differences.add("beyond", self.place, int(outside.sum()), range_of(*ends))
        if self.alone:
            between = others & ~outside
            differences.add("between", self.place, int(between.sum()), examples=values[between][:3].tolist())
        if values.dtype.kind == "f" and self.centring.dtype.kind in "iu":
            odd = observed & (values != np.rint(values))
            differences.add("fractions", self.place, int(odd.sum()), examples=values[odd][:3].tolist())
        if not self.masked:
            differences.add("empty number", self.place, len(observed) - int(observed.sum()))

    def _encoded(self, values: NDArray[Any]) -> Float32:
        """Return numbers that are no atoms in encoded units."""
        if self.quantiles is None:
            return self.centring.encode(values)
        return self.quantiles.forward(self.centring.centre(values)).astype(np.float32)

    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return numbers, null where the mask says so."""
        import pyarrow as pa

        values, missing = self.decode_values(x)
        array = pa.array(values, mask=missing)
        return array if pa.types.is_decimal(dtype) else array.cast(dtype, safe=False)

    def decode_values(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return numbers in the source's units, and which of them are missing."""
        encoded = x[:, 0]
        if self.quantiles is not None:
            encoded = self.quantiles.inverse(encoded.astype(np.float64))
        values = self.centring.decode(encoded)
        if self.decimals >= 0:
            values = np.round(values.astype(np.float64), self.decimals).astype(values.dtype)
        values = np.clip(values, self.low, self.high)
        if len(self.atoms):
            nearest, is_atom = self.places.nearest(x[:, 0])
            values = np.where(is_atom, self.atoms[nearest], values)
        return values, x[:, 1] < 0.5 if self.masked else np.zeros(len(x), dtype=bool)

    def snap(self, x: NDArray[Any]) -> Float32:
        """Return numbers that can occur; the mean where the mask says that one is missing."""
        values, missing = self.decode_values(x)
        return self.encode_values(values, ~missing)

    def state(self) -> documents.State:
        """Return it as JSON values and arrays."""
        centring, arrays = self.centring.state()
        if self.quantiles is not None:
            arrays |= self.quantiles.state()[1]
        document = {name: getattr(self, name) for name in ("name", "low", "high", "decimals", "mean", "std", "masked")}
        if len(self.atoms):  # files without any are those of earlier versions
            document["alone"], arrays["atoms"] = self.alone, self.atoms
        return {**document, "centring": centring}, arrays

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Numbers:
        """Return the column that :meth:`state` wrote."""
        its = documents.read(_NumbersDocument, document, "column")
        quantiles = QuantileMap.from_state({}, arrays) if any(name in arrays for name in PARTS) else None
        centring = Centring.from_state(its["centring"], arrays)
        atoms = documents.array(arrays, "atoms", (None,), "n") if "atoms" in arrays else NO_ATOMS
        return cls(**{**its, "centring": centring}, quantiles=quantiles, atoms=atoms)


class _NumbersDocument(TypedDict):
    name: str
    low: int | float
    high: int | float
    decimals: int
    mean: float
    std: float
    masked: bool
    alone: NotRequired[bool]
    centring: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cycle:
    """A period of dates, as a sine and a cosine.

    Parameters
    ----------
    name : {"day", "week", "year"}
        A year has 365.2425 days. Phases are those of universal time.
    mean, std : tuple of 2 float
        Of the sine and the cosine in training.
    """

    name: str
    mean: tuple[float, float]
    std: tuple[float, float]

    @staticmethod
    def parts(name: str, ticks: NDArray[np.int64], ticks_per_day: int) -> Float64:
        """Return sine and cosine of the phase, shape (b, 2).

        Parameters
        ----------
        name : {"day", "week", "year"}
            The period.
        ticks : ndarray of int64, shape (b,)
            Time since 1970, in the column's resolution.
        ticks_per_day : int
            That resolution.
        """
        days = {"day": 1.0, "week": 7.0, "year": 365.2425}[name]
        date, time = np.divmod(ticks, ticks_per_day)
        phase = (date % days if name != "day" else 0) + time / ticks_per_day
        angle = phase * (2 * np.pi / days)
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)


@dataclass(frozen=True, eq=False)
class Dates(TableColumn):
    """Dates and times: a number of days, hours, ..., and the sine and cosine of the periods that they span.

    Durations are such numbers too, without periods. Only the number is decoded;
    the periods help the network to see that December is followed by January.

    Parameters
    ----------
    number : Numbers
        The time in the coarsest of days, hours, ..., nanoseconds that all of training are multiples of.
    ticks_per_day : int
        Resolution of the source's type.
    cycles : tuple of Cycle
        Which periods.
    """

    kind = "dates"
    number: Numbers
    ticks_per_day: int
    cycles: tuple[Cycle, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """The column."""
        return self.number.name

    def fields(self, index: int) -> list[Field]:
        """Return the number field, its mask where cells were missing, and two number fields a period."""
        fields = self.number.fields(index)
        mask = fields[0].mask
        for cycle in self.cycles:
            for part in ("sine", "cosine"):
                fields.append(Field("number", index + len(fields), 1, f"{self.name} ({part} of {cycle.name})", mask))
        return fields

    @property
    def ranges(self) -> Float64:
        """Low, high, mean and standard deviation in encoded units, shape (1 + 2 * cycles, 4)."""
        parts = [(-1.0, 1.0, m, s) for c in self.cycles for m, s in zip(c.mean, c.std, strict=True)]
        return np.concatenate([self.number.ranges, np.array(parts).reshape(-1, 4)])

    def with_quantiles(self, column: pa.ChunkedArray, dtype: pa.DataType) -> Dates:
        """Return it with the quantiles of a sample of cells."""
        ticks, observed = dates_to_ticks(column, dtype, self.name)
        return replace(self, number=self.number.with_quantiles_of(ticks, observed))

    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return the number, its mask, and the periods; a missing date is the mean of each."""
        return self.encode_as(column, column.type, differences)

    def encode_as(self, column: pa.ChunkedArray, dtype: pa.DataType, differences: Differences | None = None) -> Float32:
        """Return dates as numbers after a cast to the type of training, whose resolution counts."""
        ticks, observed = dates_to_ticks(column, dtype, self.name)
        if differences is not None and column.type != dtype:
            differences.add("finer", self.place, _cut_by(column, dtype))
            if (getattr(column.type, "tz", None) is None) != (getattr(dtype, "tz", None) is None):
                differences.add("zone", self.place, int(observed.sum()))
        number = self.number.encode_values(ticks, observed, differences, lambda tick: _date(tick, dtype))
        return self._with_cycles(number, ticks, observed)

    def _with_cycles(self, number: Float32, ticks: NDArray[np.int64], observed: NDArray[np.bool_]) -> Float32:
        """Return encoded times with the periods beside them."""
        parts = [number]
        for cycle in self.cycles:
            values = Cycle.parts(cycle.name, ticks, self.ticks_per_day)
            parts.append(np.where(observed[:, None], values, cycle.mean).astype(np.float32))
        return np.concatenate(parts, axis=1)

    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return dates of a type, null where the mask says so."""
        import pyarrow as pa

        ticks, missing = self.number.decode_values(x)
        whole = pa.int32() if dtype.bit_width == 32 else pa.int64()
        return pa.array(ticks, mask=missing).cast(whole).cast(dtype)

    def snap(self, x: NDArray[Any]) -> Float32:
        """Return times that can occur, and their periods."""
        ticks, missing = self.number.decode_values(x)
        ticks = np.where(missing, 0, ticks)
        return self._with_cycles(self.number.encode_values(ticks, ~missing), ticks, ~missing)

    def state(self) -> documents.State:
        """Return it as JSON values and arrays."""
        number, arrays = self.number.state()
        cycles = [{"name": c.name, "mean": list(c.mean), "std": list(c.std)} for c in self.cycles]
        return {"number": number, "ticks_per_day": self.ticks_per_day, "cycles": cycles}, arrays

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Dates:
        """Return the column that :meth:`state` wrote."""
        its = documents.read(_DatesDocument, document, "column")
        if its["ticks_per_day"] < 1:
            raise ArtifactError(f"column.ticks_per_day must be at least 1; it is {its['ticks_per_day']}")
        cycles = tuple(Cycle(**cycle) for cycle in its["cycles"])
        return cls(Numbers.from_state(its["number"], arrays), its["ticks_per_day"], cycles)


class _CycleDocument(TypedDict):
    name: Literal["day", "week", "year"]
    mean: tuple[float, float]
    std: tuple[float, float]


class _DatesDocument(TypedDict):
    number: dict[str, Any]
    ticks_per_day: int
    cycles: tuple[_CycleDocument, ...]


@dataclass(frozen=True, eq=False)
class Booleans(TableColumn):
    """False and true, or numbers that are all 0 or 1, as the codes 0 and 1; missing cells are code 2.

    Parameters
    ----------
    name : str
        The column.
    masked : bool
        Whether cells were missing in training.
    """

    kind = "booleans"
    name: str
    masked: bool

    @property
    def missing_code(self) -> int:  # noqa: D102
        return 2 if self.masked else -1

    def fields(self, index: int) -> list[Field]:
        """Return the category field."""
        return [Field("category", index, 2 + self.masked, self.name)]

    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return codes; numbers other than 0 and 1 are read as the nearer one."""
        values, observed = numbers_to_numpy(column, self.name)
        codes = (values >= 0.5).astype(np.float32)
        if differences is not None:
            other = (values != codes) & observed
            differences.add("boolean", self.place, int(other.sum()), examples=values[other][:3].tolist())
            if not self.masked:
                differences.add("empty boolean", self.place, len(observed) - int(observed.sum()))
        if self.masked:
            codes[~observed] = 2
        return codes[:, None]

    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return cells of a type."""
        import pyarrow as pa

        codes = np.rint(x[:, 0])
        missing = codes > 1 if self.masked else np.zeros(len(codes), dtype=bool)
        return pa.array(codes >= 1, mask=missing).cast(dtype)

    def snap(self, x: NDArray[Any]) -> Float32:
        """Return the nearest codes."""
        return np.clip(np.rint(x), 0, 1 + self.masked).astype(np.float32)

    def state(self) -> documents.State:
        """Return it as JSON values."""
        return {"name": self.name, "masked": self.masked}, {}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Booleans:
        """Return the column that :meth:`state` wrote."""
        return cls(**documents.read(_BooleansDocument, document, "column"))


class _BooleansDocument(TypedDict):
    name: str
    masked: bool


@dataclass(frozen=True, eq=False)
class Categories(TableColumn):
    """Strings and other categories as codes ``0 ... k - 1``; rare and unseen ones are code k, missing cells code k + 1.

    The rare code is there even when nothing was rare in training: a category never seen before gets it, and with it a
    low likelihood. It comes back as the most frequent of the pooled categories, or of all where none were pooled.

    Parameters
    ----------
    name : str
        The column.
    values : pyarrow.Array
        The k categories with codes of their own, then what the rare code comes back as.
    pooled : bool
        Whether categories of training share the rare code.
    masked : bool
        Whether cells were missing in training.
    """

    kind = "categories"
    name: str
    values: pa.Array
    pooled: bool
    masked: bool

    @property
    def missing_code(self) -> int:  # noqa: D102
        return len(self.values) if self.masked else -1

    @property
    def categories(self) -> pa.Array | None:  # noqa: D102
        return self.values.slice(0, len(self.values) - 1)

    def fields(self, index: int) -> list[Field]:
        """Return the category field."""
        return [Field("category", index, len(self.values) + self.masked, self.name)]

    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return codes."""
        rare = len(self.values) - 1
        codes = self._codes(column)
        observed = column.is_valid().to_numpy()
        if differences is not None:
            unseen = (codes == rare) & observed
            some = column.take(np.flatnonzero(unseen)[:MAX_EXAMPLES]).unique().to_pylist()
            differences.add("rare" if self.pooled else "unseen", self.place, int(unseen.sum()), examples=some)
            if not self.masked:
                differences.add("empty category", self.place, len(codes) - int(observed.sum()))
        if self.masked:
            codes[~observed] = rare + 1
        return codes.astype(np.float32)[:, None]

    def _codes(self, column: pa.ChunkedArray) -> NDArray[np.intp]:
        """Return the code of each cell, that of the rare for all not among the categories and for empty ones."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rare = len(self.values) - 1
        known = self.values.slice(0, rare)
        if not pa.types.is_dictionary(column.type):
            found = pc.index_in(self._cast(column), value_set=known)
            return found.fill_null(rare).to_numpy().astype(np.intp)
        parts = []
        for chunk in column.chunks:
            # Only the dictionary is looked up, however many cells there are; one more entry stands for the empty cells.
            lookup = pc.index_in(self._cast(chunk.dictionary), value_set=known).fill_null(rare).to_numpy()
            indices = chunk.indices.cast(pa.int64()).fill_null(len(lookup)).to_numpy()
            parts.append(np.append(lookup, rare)[indices].astype(np.intp))
        return np.concatenate(parts) if parts else np.zeros(0, np.intp)

    def _cast(self, values: Any) -> Any:
        import pyarrow as pa

        try:
            return values.cast(self.values.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            refuse_column_type(self.name, f"categories of type {self.values.type}", str(values.type))

    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return categories, null for the missing code."""
        import pyarrow as pa

        codes = np.clip(np.rint(x[:, 0]), 0, len(self.values) - 1 + self.masked).astype(np.int64)
        return self.values.take(pa.array(codes, mask=codes == len(self.values)))

    def snap(self, x: NDArray[Any]) -> Float32:
        """Return the nearest codes; that of the rare ones is the code of what it comes back as."""
        rare = len(self.values) - 1
        codes = np.clip(np.rint(x), 0, rare + self.masked).astype(np.float32)
        codes[codes == rare] = self._code_of_rare
        return codes

    @cached_property
    def _code_of_rare(self) -> int:
        """Code of what the rare code comes back as: its own where categories were pooled."""
        import pyarrow as pa

        return int(self._codes(pa.chunked_array([self.values.slice(len(self.values) - 1)]))[0])

    def state(self) -> documents.State:
        """Return it as JSON values."""
        document = {"name": self.name, "pooled": self.pooled, "masked": self.masked}
        return {**document, "values": _array_to_json(self.values)}, {}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Categories:
        """Return the column that :meth:`state` wrote."""
        its = documents.read(_CategoriesDocument, document, "column")
        values = _array_from_json(its["values"])
        if not len(values):
            raise ArtifactError("column.values must be one value at least; there is none")
        return cls(**{**its, "values": values})


class _ValuesDocument(TypedDict):
    type: Literal["string", "large_string", "bool", "arrow"]
    values: str | list[str | bool | None]


class _CategoriesDocument(TypedDict):
    name: str
    pooled: bool
    masked: bool
    values: _ValuesDocument


@dataclass(frozen=True, eq=False)
class SetAside(TableColumn):
    """A column that is not modelled: constant, empty, or an id. It comes back as one value.

    Parameters
    ----------
    name : str
        The column.
    value : pyarrow.Array of length 1
        The constant; for ids null, or 0 for whole numbers of which none were missing.
    id : bool
        Whether the column is an id, whose cells mean nothing to other records.
    """

    kind = "set aside"
    name: str
    value: pa.Array
    id: bool

    def fields(self, index: int) -> list[Field]:
        """Return nothing."""
        return []

    def encode(self, column: pa.ChunkedArray, differences: Differences | None = None) -> Float32:
        """Return nothing of each cell; other values of a constant are counted."""
        if differences is not None and not self.id:
            other = _other_than(column, self.value)
            some = column.take(np.flatnonzero(other)[:MAX_EXAMPLES]).unique().to_pylist()
            differences.add("constant", self.place, int(other.sum()), examples=some)
        return np.zeros((len(column), 0), dtype=np.float32)

    def decode(self, x: NDArray[Any], dtype: pa.DataType) -> pa.Array:
        """Return the value as often as there are records."""
        import pyarrow as pa

        return self.value.take(pa.array(np.zeros(len(x), dtype=np.int64)))

    def snap(self, x: NDArray[Any]) -> Float32:
        """Return nothing of each."""
        return np.zeros((len(x), 0), np.float32)

    def copied(self, cells: pa.ChunkedArray) -> Any:
        """Return cells as they are; empty ones of a constant column hold the constant."""
        import pyarrow as pa

        if self.id or not cells.null_count:
            return cells
        values = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
        return values.fill_null(self.value.cast(values.type)[0])

    def state(self) -> documents.State:
        """Return it as JSON values."""
        return {"name": self.name, "id": self.id, "value": _array_to_json(self.value)}, {}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SetAside:
        """Return the column that :meth:`state` wrote."""
        its = documents.read(_SetAsideDocument, document, "column")
        value = _array_from_json(its["value"])
        if len(value) != 1:
            raise ArtifactError(f"column.value must be one value; it is {len(value):,}")
        return cls(**{**its, "value": value})


class _SetAsideDocument(TypedDict):
    name: str
    id: bool
    value: _ValuesDocument


def column_from_state(document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TableColumn:
    """Return the column of a state whose class its ``kind`` names."""
    classes: dict[str, Any] = {cls.kind: cls for cls in (Numbers, Dates, Booleans, Categories, SetAside)}
    its_class = classes[
        documents.read(
            Literal["numbers", "dates", "booleans", "categories", "set aside"], document.get("kind"), "column.kind"
        )
    ]
    return its_class.from_state({key: value for key, value in document.items() if key != "kind"}, arrays)


def numbers_to_numpy(column: pa.ChunkedArray, name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return numbers in their own dtype, with 0 in empty cells, and which cells hold one.

    Decimals and columns of no type become float64, booleans uint8.

    Raises
    ------
    DataTypeError
        The cells are no numbers.
    """
    import pyarrow as pa

    types, dtype = pa.types, column.type
    if types.is_decimal(dtype) or types.is_null(dtype):
        column = column.cast(pa.float64())
    elif types.is_boolean(dtype):
        column = column.cast(pa.uint8())
    elif not (types.is_integer(dtype) or types.is_floating(dtype)):
        refuse_column_type(name, "numbers", str(dtype))
    return _filled(column)


def dates_to_ticks(
    column: pa.ChunkedArray, dtype: pa.DataType, name: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return dates and times as whole numbers of a type's resolution, with 0 in empty cells, and which cells hold one.

    Raises
    ------
    DataTypeError
        The cells cannot be read as that type.
    """
    import pyarrow as pa

    try:
        column = column.cast(dtype, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        refuse_column_type(name, f"dates of type {dtype}", str(column.type))
    whole = pa.int32() if dtype.bit_width == 32 else pa.int64()
    ticks, observed = _filled(column.cast(whole))
    return ticks.astype(np.int64), observed


def _cut_by(column: pa.ChunkedArray, dtype: pa.DataType) -> int:
    """Return how many dates lose something when they are read as a type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        again = column.cast(dtype, safe=False).cast(column.type, safe=False)
        return int(pc.sum(pc.not_equal(again, column)).as_py() or 0)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # such as texts that were read as dates: nothing to compare
        return 0


def _date(ticks: Any, dtype: pa.DataType) -> str:
    """Return a date of a type, given by its ticks, as a person writes it."""
    import pyarrow as pa

    whole = pa.int32() if dtype.bit_width == 32 else pa.int64()
    return str(pa.array([int(ticks)], whole).cast(dtype)[0].as_py()).removesuffix(" 00:00:00")


def _other_than(column: pa.ChunkedArray, value: pa.Array) -> NDArray[np.bool_]:
    """Return which cells hold something else than one value; empty ones do not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    one = value.cast(value.type.value_type) if pa.types.is_dictionary(value.type) else value
    observed = column.is_valid()
    if not one[0].is_valid:
        return np.asarray(observed.to_numpy())
    try:
        differs = pc.not_equal(column.cast(one.type), one[0])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # of another type, and so another value
        return np.asarray(observed.to_numpy())
    return np.asarray(differs.fill_null(False).to_numpy())


def _filled(column: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    import pyarrow as pa

    observed = np.ones(len(column), bool)
    if column.null_count:
        observed = column.is_valid().to_numpy()
        column = column.fill_null(pa.scalar(0).cast(column.type))
    return column.to_numpy(), observed


def _array_to_json(array: pa.Array) -> dict[str, Any]:
    """Return values as plain JSON where they read well, otherwise as an Arrow stream in base64."""
    import pyarrow as pa

    if str(array.type) in ("string", "large_string", "bool"):
        return {"type": str(array.type), "values": array.to_pylist()}
    batch = pa.record_batch([array], names=["values"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return {"type": "arrow", "values": base64.b64encode(sink.getvalue()).decode("ascii")}


def _array_from_json(document: dict[str, Any]) -> pa.Array:
    """Return the values that :func:`_array_to_json` wrote."""
    import pyarrow as pa

    if document["type"] == "arrow":
        with pa.ipc.open_stream(base64.b64decode(document["values"])) as reader:
            return reader.read_next_batch().column(0)
    plain = {"string": pa.string(), "large_string": pa.large_string(), "bool": pa.bool_()}
    return pa.array(document["values"], type=plain[document["type"]])

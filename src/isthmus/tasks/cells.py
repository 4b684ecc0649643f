"""Cells of rows as numbers of comparable size, for regressions of one column on the others, and back.

A number is a number, a date the number of its ticks; another value is as many numbers as its column has values, 0 or 1
each. All are centred, and divided by the deviation of their column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data.arrow_schema import empty_table
from isthmus.data.restoring import plain_table, restore_table
from isthmus.data.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Cells", "Column"]

MAX_CATEGORIES = 20  # of a column; the others, which are rarer, are never filled in

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One column, and the numbers that its cells became.

    Parameters
    ----------
    name : str
    place : slice
        Of the numbers of a row.
    shift, factor : array, shape (numbers,)
        number = (value - shift) factor.
    low, high : float
        The range of what a cell may be filled with: that of the known ones.
    decimals : int
        That all known cells have at most; -1 where that is more than a handful.
    step : float
        Of dates: the ticks that all known ones are apart, or a multiple of; 0 of others.
    unit : float
        Of dates: ticks of a day; 1 of others.
    values : Arrow array, optional
        Of a category: its values, the most frequent first.
    """

    name: str
    place: slice
    shift: Float64
    factor: Float64
    low: float
    high: float
    decimals: int = -1
    step: float = 0.0
    unit: float = 1.0
    values: Any = None

    @property
    def is_category(self) -> bool:
        """Whether its cells are one of some values."""
        return self.values is not None


@dataclass(frozen=True)
class Cells:
    """How the cells of records of one schema become numbers.

    Parameters
    ----------
    schema : Schema
        Of a table, or of rows of numbers.
    columns : tuple of Column
        One for each column of the data; those of which nothing can be learned have no place.
    """

    schema: Schema
    columns: tuple[Column, ...]

    @classmethod
    def learn(cls, schema: Schema, block: Any, known: Bools) -> Cells:
        """Return it for a block of records, of which some cells are known."""
        columns, start = [], 0
        names = [column.name for column in schema.columns] or list(schema.names or ())
        names = names or [f"column {index}" for index in range(known.shape[1])]
        for index, name in enumerate(names):
            kind = schema.columns[index].type if schema.columns else "number"
            column = _learn(name, kind, _cells_of(block, index), known[:, index], start)
            columns.append(column)
            start = column.place.stop
        return cls(schema, tuple(columns))

    @property
    def has_place(self) -> Bools:
        """Of which columns something could be learned, (columns,)."""
        return np.array([column.place.start < column.place.stop for column in self.columns])

    @property
    def width(self) -> int:
        """How many numbers a row is."""
        return self.columns[-1].place.stop

    def numbers(self, block: Any, known: Bools) -> Float64:
        """Return records as numbers, (b, width); NaN where cells are not known."""
        found = np.full((len(known), self.width), np.nan)
        for index, column in enumerate(self.columns):
            if column.place.start < column.place.stop:
                raw = _raw(_cells_of(block, index), column)
                found[:, column.place] = np.where(known[:, [index]], (raw - column.shift) * column.factor, np.nan)
        return found

    def wide(self, cells: Bools) -> Bools:
        """Return marks of cells (b, columns) as marks of numbers, (b, width)."""
        widths = [column.place.stop - column.place.start for column in self.columns]
        return np.repeat(cells, widths, axis=1)

    def put(self, block: Any, x: Float64) -> Any:
        """Return a block with the values that numbers stand for, in its types, in every column that has a place.

        Of a category it is the value with the largest number. The columns without a place stay as they are.
        """
        x = np.nan_to_num(x)
        if isinstance(block, np.ndarray):
            values = np.stack([self._values(column, x) for column in self.columns], axis=1)
            return np.where(self.has_place, values, block)
        import pyarrow as pa

        types = empty_table(self.schema).schema
        arrays = {}
        for column in self.columns:
            if column.place.start == column.place.stop:
                arrays[column.name] = block.column(column.name)
            elif column.is_category:
                arrays[column.name] = column.values.take(pa.array(self._shares(column, x).argmax(axis=1)))
            else:
                arrays[column.name] = _as_arrow(self._values(column, x), types.field(column.name).type)
        return plain_table(restore_table(pa.table(arrays), self.schema))

    def shares(self, index: int, x: Float64) -> Float64:
        """Return the share of each value of a category that numbers stand for, (b, values)."""
        return self._shares(self.columns[index], x)

    def _shares(self, column: Column, x: Float64) -> Float64:
        return np.asarray(np.clip(x[:, column.place] / column.factor + column.shift, 0, 1))

    def _values(self, column: Column, x: Float64) -> Float64:
        if column.place.start == column.place.stop:
            return np.zeros(len(x))
        values = x[:, column.place.start] / column.factor[0] + column.shift[0]
        if column.step:
            return np.asarray(column.low + np.rint((values - column.low) / column.step) * column.step)
        return np.round(values, column.decimals) if column.decimals >= 0 else values


def _cells_of(block: Any, index: int) -> Any:
    return block[:, index] if isinstance(block, np.ndarray) else block.column(index)


def _learn(name: str, kind: str, cells: Any, known: Bools, start: int) -> Column:
    """Return how the cells of a column become numbers, from those that are known."""
    if kind not in ("number", "integer", "date"):
        return _category(name, cells, known, start)
    raw = _ticks(cells)[known]
    raw = raw[np.isfinite(raw)]
    if not len(raw):
        return Column(name, slice(start, start), np.zeros(0), np.zeros(0), 0.0, 0.0)
    deviation = float(raw.std())
    factor = 1 / deviation if deviation > 0 else 1.0
    decimals = -1 if isinstance(cells, np.ndarray) else _decimals(raw)
    ends = (float(raw.min()), float(raw.max()))
    column = Column(name, slice(start, start + 1), np.array([raw.mean()]), np.array([factor]), *ends, decimals)
    if kind != "date":
        return column
    return replace(column, step=float(np.gcd.reduce((raw - raw[0]).astype(np.int64))), unit=_day(cells.type))


def _category(name: str, cells: pa.ChunkedArray, known: Bools, start: int) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = _plain(cells).filter(pa.array(np.ascontiguousarray(known)))
    counts = pc.value_counts(plain).sort(order="descending", by="counts") if len(plain) else None
    if counts is None:
        return Column(name, slice(start, start), np.zeros(0), np.zeros(0), 0.0, 0.0)
    values, shares = counts.field("values")[:MAX_CATEGORIES], counts.field("counts").to_numpy() / len(plain)
    shares = shares[:MAX_CATEGORIES]
    variance = float((shares * (1 - shares)).sum())
    factor = np.full(len(values), 1 / np.sqrt(variance) if variance > 0 else 1.0)
    return Column(name, slice(start, start + len(values)), shares, factor, 0.0, 1.0, values=values)


def _raw(cells: Any, column: Column) -> Float64:
    """Return cells as plain numbers, (b, numbers)."""
    if not column.is_category:
        return _ticks(cells)[:, None]
    import pyarrow.compute as pc

    codes = pc.fill_null(pc.index_in(_plain(cells), value_set=column.values), -1).to_numpy()
    return np.asarray(codes[:, None] == np.arange(len(column.values)), np.float64)


def _ticks(cells: Any) -> Float64:
    """Return numbers, or dates as the number of their ticks; NaN where there is none."""
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    import pyarrow as pa

    if pa.types.is_temporal(cells.type):
        cells = cells.cast(pa.int32() if cells.type.bit_width == 32 else pa.int64())
    array = cells.cast(pa.float64(), safe=False)
    return np.asarray(array.to_numpy(), np.float64)


def _plain(cells: pa.ChunkedArray) -> pa.Array:
    """Return cells as one array of their values."""
    import pyarrow as pa

    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    found = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _as_arrow(values: Float64, dtype: pa.DataType) -> pa.Array:
    """Return numbers as cells of a type, within what it can hold."""
    import pyarrow as pa

    if pa.types.is_decimal(dtype):
        return pa.array(values)
    if pa.types.is_integer(dtype):
        limits = np.iinfo(dtype.to_pandas_dtype())
        return pa.array(np.clip(np.rint(values), float(limits.min), float(limits.max)).astype(object)).cast(dtype)
    if pa.types.is_temporal(dtype):
        ticks = pa.int32() if dtype.bit_width == 32 else pa.int64()
        return pa.array(np.rint(values).astype(np.int64)).cast(ticks).cast(dtype)
    return pa.array(values).cast(dtype, safe=False)


def _day(dtype: pa.DataType) -> float:
    """Return how many ticks of a type of dates are a day."""
    import pyarrow as pa

    if pa.types.is_date32(dtype):
        return 1.0
    unit = "ms" if pa.types.is_date64(dtype) else dtype.unit
    return 86_400.0 * {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]


def _decimals(values: Float64, most: int = 6) -> int:
    """Return how many decimals all numbers have at most; -1 for more than six."""
    for count in range(most + 1):
        if np.array_equal(np.round(values, count), values):
            return count
    return -1

"""One pass over a table's column, chunk by chunk, and the decision of its type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks.preprocessing import refuse_missing_cell
from isthmus.data.numbering import MIN_RECORDS, AllDistinct, is_numbering
from isthmus.preprocessing.atoms import Tally, atoms_of
from isthmus.preprocessing.columns import (
    NO_ATOMS,
    Booleans,
    Categories,
    Cycle,
    Dates,
    Numbers,
    SetAside,
    TableColumn,
    dates_to_ticks,
    numbers_to_numpy,
)
from isthmus.preprocessing.scaling import Centring
from isthmus.preprocessing.statistics import Moments

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Scan", "scan_for"]

MAX_DISTINCT = 1 << 20  # categories counted at a time, so that memory stays bounded
MAX_DECIMALS = 9


class Scan(ABC):
    """Statistics of a column, computed in one pass.

    Parameters
    ----------
    name : str
        The column.
    dtype : pyarrow.DataType
        Its type.
    missing : {"mask", "refuse"}
        Whether empty cells are refused.
    """

    def __init__(self, name: str, dtype: pa.DataType, *, missing: str) -> None:
        self.name, self.dtype, self._missing = name, dtype, missing
        self.observed = 0
        self.absent = 0
        self.share = 1.0  # of all records that are looked at

    def update(self, column: pa.ChunkedArray, start: int) -> None:
        """Take in the cells of rows from ``start`` on.

        Raises
        ------
        DataError
            A cell is empty and that is refused.
        """
        if column.null_count and self._missing == "refuse":
            refuse_missing_cell(self.name, start + int(np.argmin(column.is_valid().to_numpy())))
        self.absent += column.null_count
        self.observed += len(column) - column.null_count
        if column.null_count < len(column):
            self._look_at(column)

    @abstractmethod
    def _look_at(self, column: pa.ChunkedArray) -> None:
        """Take in cells of which at least one is not empty."""

    def rest(self, columns: int) -> Scan | None:
        """Return what is to look at all records again, without the values that many share; None where there are none.

        Parameters
        ----------
        columns : int
            Of the table.
        """
        return None

    def column(self) -> tuple[TableColumn, str]:
        """Return the fitted column, and a sentence about it where there is something to say."""
        if not self.observed:
            return self._set_aside([None], "it has no values")
        return self._column()

    @abstractmethod
    def _column(self) -> tuple[TableColumn, str]:
        """Return the fitted column of which at least one cell is not empty."""

    def _set_aside(self, value: list[Any], why: str, *, is_id: bool = False) -> tuple[TableColumn, str]:
        import pyarrow as pa

        dtype = self.dtype.value_type if pa.types.is_dictionary(self.dtype) else self.dtype
        back = "codes alone give it back empty" if value == [None] else "it comes back as it is"
        if is_id and value != [None]:
            back = "codes alone give it back as 0"
        note = f"column {self.name!r} is set aside: {why}; {back}"
        return SetAside(self.name, pa.array(value, type=dtype), is_id), note

    def _masked(self) -> str:
        if not self.absent:
            return ""
        total = self.observed + self.absent
        return f"column {self.name!r}: {self.absent} of {total} cells are empty, which is modelled too"


class NumberScan(Scan):
    """Range, moments, decimals and order of numbers, and the values that many share.

    Parameters
    ----------
    name, dtype, missing
        As above.
    without : ndarray, optional
        Values that are left out.
    """

    def __init__(self, name: str, dtype: pa.DataType, *, missing: str, without: NDArray[Any] = NO_ATOMS) -> None:
        super().__init__(name, dtype, missing=missing)
        self._without = without
        self._tally = Tally()
        self._atoms, self._alone, self._rest = NO_ATOMS, False, self
        self.moments = Moments()
        self.reference: NDArray[Any]
        self.low: Any
        self.high: Any
        self._decimals = 0
        self._distinct = AllDistinct()
        self._zero_or_one = True

    def _look_at(self, column: pa.ChunkedArray) -> None:
        values, observed = numbers_to_numpy(column, self.name)
        values = values[observed]
        if len(self._without):
            values = values[~np.isin(values, self._without)]
        else:
            self._tally.update(values)
        if len(values):
            self.look_at_values(values)

    def rest(self, columns: int) -> Scan | None:
        if not self.observed or self.low == self.high or self._zero_or_one:
            return None
        self._atoms, self._alone = atoms_of(self._tally, (self.low, self.high), self.observed, columns)
        if self._alone or not len(self._atoms):
            return None
        self._rest = NumberScan(self.name, self.dtype, missing=self._missing, without=self._atoms)
        return self._rest

    def look_at_values(self, values: NDArray[Any]) -> None:
        """Take in numbers, at least one."""
        if not hasattr(self, "reference"):
            # Far whole numbers, such as nanoseconds since 1970, lose digits in float64 unless a near one is taken off.
            self.reference = values[:1].copy() if values.dtype.kind in "iu" else np.zeros(1, values.dtype)
            self.low, self.high = values[0], values[0]
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
        self.moments.update(self._from_reference(values)[:, None])
        if values.dtype.kind in "iu":
            self._distinct.update(values)
        if self._zero_or_one:
            self._zero_or_one = bool(((values == 0) | (values == 1)).all())
        if values.dtype.kind == "f" and self._decimals >= 0:
            first = _decimals(values[:256], self._decimals)
            self._decimals = first if first < 0 else _decimals(values, first)

    def _from_reference(self, values: NDArray[Any]) -> NDArray[np.float64]:
        return Centring(values.dtype, self.reference, np.ones(1)).centre(values)

    def _column(self) -> tuple[TableColumn, str]:
        import pyarrow as pa

        if self.low == self.high and not self.absent:
            return self._set_aside([_scalar(self, self.low)], f"it is constant ({self.low})")
        distinct = self._distinct.holds and pa.types.is_integer(self.dtype) and not self.absent
        if distinct and is_numbering(round(self.observed / self.share), self.low, self.high):
            why = f"its {self.observed} whole numbers are all distinct and close together, like an id"
            return self._set_aside([0], why, is_id=True)
        if self._zero_or_one and (pa.types.is_integer(self.dtype) or pa.types.is_floating(self.dtype)):
            return Booleans(self.name, bool(self.absent)), self._masked()
        rest = self._rest
        low, high = np.array([rest.low]), np.array([rest.high])
        column = rest.numbers(Centring.choose(low, high, low.dtype))
        column = replace(column, atoms=self._atoms, alone=self._alone, masked=bool(self.absent))
        if (np.diff(column.places.numbers) <= 0).any():  # too close together for 32 bits
            column = replace(column, atoms=NO_ATOMS, alone=False)
        return column, self._masked()

    def numbers(self, centring: Centring) -> Numbers:
        """Return the column of numbers with a centring."""
        ends = self._from_reference(np.array([self.low, self.high]))
        mean, std = self.moments.of_groups(1, ends[:1], ends[1:])
        unit = float(centring.unit[0])
        return Numbers(
            name=self.name,
            centring=centring,
            low=self.low.item(),
            high=self.high.item(),
            decimals=self._decimals if centring.dtype.kind == "f" else -1,
            mean=float(centring.centre(self.reference)[0] + mean[0] / unit),
            std=float(std[0] / unit),
            masked=bool(self.absent),
        )


class DateScan(Scan):
    """Range, moments, resolution and periods of dates and times."""

    def __init__(self, name: str, dtype: pa.DataType, *, missing: str) -> None:
        super().__init__(name, dtype, missing=missing)
        self._ticks_per_day = _ticks_per_day(dtype)
        self._numbers = NumberScan(name, dtype, missing=missing)
        self._first: int | None = None
        self._common = 0
        self._cycles = {name: Moments() for name in _possible_cycles(dtype)}

    def _look_at(self, column: pa.ChunkedArray) -> None:
        ticks, observed = dates_to_ticks(column, self.dtype, self.name)
        ticks = ticks[observed]
        self._numbers.look_at_values(ticks)
        if self._first is None:
            self._first = int(ticks[0])
        self._common = int(np.gcd(self._common, np.gcd.reduce(ticks - self._first)))
        for name, moments in self._cycles.items():
            moments.update(Cycle.parts(name, ticks, self._ticks_per_day))

    def _column(self) -> tuple[TableColumn, str]:
        numbers = self._numbers
        low, high = int(numbers.low), int(numbers.high)
        if low == high and not self.absent:
            value = _scalar(self, low)
            return self._set_aside([value], f"it is constant ({value})")
        numbers.absent = self.absent
        unit = _coarsest_unit(self._ticks_per_day, self._common)
        middle = low + (high - low) // unit // 2 * unit
        number = numbers.numbers(Centring(np.dtype(np.int64), np.array([middle]), np.array([unit])))
        wanted = {
            "day": unit < self._ticks_per_day,
            "week": high - low >= 14 * self._ticks_per_day,
            "year": high - low >= 365 * self._ticks_per_day,
        }
        cycles = tuple(_cycle(name, moments) for name, moments in self._cycles.items() if wanted[name])
        return Dates(number, self._ticks_per_day, cycles), self._masked()


class BooleanScan(Scan):
    """Whether there are both false and true."""

    def __init__(self, name: str, dtype: pa.DataType, *, missing: str) -> None:
        super().__init__(name, dtype, missing=missing)
        self._true = 0

    def _look_at(self, column: pa.ChunkedArray) -> None:
        import pyarrow.compute as pc

        self._true += pc.sum(column).as_py()

    def _column(self) -> tuple[TableColumn, str]:
        if self._true in (0, self.observed) and not self.absent:
            value = self._true > 0
            return self._set_aside([value], f"it is constant ({value})")
        return Booleans(self.name, bool(self.absent)), self._masked()


class CategoryScan(Scan):
    """How often each category occurs.

    Beyond a million distinct values at a time, those counted once are dropped, or, where all were distinct so far,
    nothing more is counted: the column is an id.

    Parameters
    ----------
    most : int
        Categories that keep a code of their own.
    """

    def __init__(self, name: str, dtype: pa.DataType, *, missing: str, most: int) -> None:
        super().__init__(name, dtype, missing=missing)
        self._most = most
        self._counts: dict[Any, int] = {}
        self._dictionary: pa.Array | None = None
        self._tally = np.zeros(0, np.int64)
        self._is_id = False
        self._dropped = 0
        self._one_dropped: Any = None

    def _look_at(self, column: pa.ChunkedArray) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._is_id:
            return
        if not pa.types.is_dictionary(column.type):
            counted = pc.value_counts(column.drop_null())
            self._add(counted.field("values"), counted.field("counts").to_numpy())
            return
        for chunk in column.chunks:
            # Chunks of one table share their dictionary: it is read once, however long it is.
            if self._dictionary is None or not chunk.dictionary.equals(self._dictionary):
                self._flush()
                self._dictionary, self._tally = chunk.dictionary, np.zeros(len(chunk.dictionary), np.int64)
            self._tally += np.bincount(chunk.indices.drop_null().to_numpy(), minlength=len(self._tally))

    def _flush(self) -> None:
        if self._dictionary is not None:
            self._add(self._dictionary, self._tally)

    def _add(self, values: pa.Array, counts: NDArray[np.int64]) -> None:
        for value, count in zip(values.to_pylist(), counts.tolist(), strict=True):
            if value is not None:
                self._counts[value] = self._counts.get(value, 0) + count
        if len(self._counts) > MAX_DISTINCT:
            self._is_id = not self._dropped and max(self._counts.values()) == 1
            kept = {value: count for value, count in self._counts.items() if count > 1}
            self._dropped += len(self._counts) - len(kept)
            self._one_dropped = next((value for value in self._counts if value not in kept), self._one_dropped)
            self._counts = kept

    def _column(self) -> tuple[TableColumn, str]:
        self._flush()
        used = sum(count > 0 for count in self._counts.values())
        all_distinct = not self._dropped and used == self.observed >= MIN_RECORDS
        if self._is_id or all_distinct:
            why = f"its {self.observed} values are all distinct, like an id"
            return self._set_aside([None], why, is_id=True)
        if used == 1 and not self.absent and not self._dropped:
            value = next(value for value, count in self._counts.items() if count)
            return self._set_aside([value], f"it is constant ({value!r})")
        return self._categories()

    def _categories(self) -> tuple[TableColumn, str]:
        import pyarrow as pa

        known = list(self._counts) if self._dictionary is not None else sorted(self._counts)
        by_count = sorted(known, key=self._counts.__getitem__, reverse=True)
        kept = set(by_count[: self._most])
        rest = by_count[self._most :]
        pooled = bool(rest or self._dropped)
        back = rest[0] if rest and self._counts[rest[0]] else self._one_dropped if self._dropped else by_count[0]
        dtype = self.dtype.value_type if pa.types.is_dictionary(self.dtype) else self.dtype
        values = pa.array([*(value for value in known if value in kept), back], type=dtype)
        notes = [self._masked()] if self.absent else []
        if pooled:
            share = 1 - sum(self._counts[value] for value in kept) / self.observed
            notes.append(
                f"column {self.name!r}: all but the {len(kept)} most frequent of its {len(known) + self._dropped} "
                f"categories share one code ({share:.1%} of the cells); they come back as {back!r}"
            )
        return Categories(self.name, values, pooled, bool(self.absent)), "; ".join(notes)


def scan_for(name: str, meaning: str, dtype: pa.DataType, *, missing: str, most: int) -> Scan:
    """Return the scan for a column.

    Parameters
    ----------
    name : str
        The column.
    meaning : {"number", "integer", "boolean", "category", "date"}
        What the schema says its values mean.
    dtype : pyarrow.DataType
        Its type.
    missing : {"mask", "refuse"}
        Whether empty cells are refused.
    most : int
        Categories that keep a code of their own.
    """
    import pyarrow as pa

    if meaning == "category":
        return CategoryScan(name, dtype, missing=missing, most=most)
    if pa.types.is_duration(dtype):
        return DateScan(name, dtype, missing=missing)  # whole numbers with a unit, as dates are
    scans: dict[str, Any] = {"number": NumberScan, "integer": NumberScan, "boolean": BooleanScan, "date": DateScan}
    return scans[meaning](name, dtype, missing=missing)


def _decimals(values: NDArray[np.floating[Any]], fewest: int) -> int:
    """Return how many decimals all values have at most, from ``fewest`` on; -1 for more than 9."""
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(fewest, MAX_DECIMALS + 1):
            if np.array_equal(np.round(values, decimals), values):
                return decimals
    return -1


def _scalar(scan: Scan, value: Any) -> Any:
    """Return a NumPy number or a count of ticks as a scalar of the scan's Arrow type."""
    import pyarrow as pa

    if pa.types.is_temporal(scan.dtype):
        whole = pa.int32() if scan.dtype.bit_width == 32 else pa.int64()
        return pa.scalar(int(value), whole).cast(scan.dtype)
    return pa.array(np.array([value])).cast(scan.dtype)[0]


def _ticks_per_day(dtype: pa.DataType) -> int:
    import pyarrow as pa

    if pa.types.is_date32(dtype):
        return 1
    unit = "ms" if pa.types.is_date64(dtype) else dtype.unit
    return 86_400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]


def _possible_cycles(dtype: pa.DataType) -> tuple[str, ...]:
    import pyarrow as pa

    if pa.types.is_duration(dtype):
        return ()
    return ("day",) if pa.types.is_time(dtype) else ("day", "week", "year")


def _coarsest_unit(ticks_per_day: int, common: int) -> int:
    """Return the largest of a day, an hour, ..., a nanosecond that divides what all differences have in common."""
    parts = (1, 24, 1440, 86_400, 86_400 * 10**3, 86_400 * 10**6, 86_400 * 10**9)
    units = [ticks_per_day // part for part in parts if ticks_per_day >= part]
    return next((unit for unit in units if common % unit == 0), 1)


def _cycle(name: str, moments: Moments) -> Cycle:
    std = np.sqrt(moments.squares / moments.count)
    return Cycle(name, tuple(moments.mean.tolist()), tuple(std.tolist()))

"""Summary of a source before training: the slow checks that opening leaves out.

Everything is gathered in one pass over blocks, so sources larger than memory can be inspected too. Rows are compared by
64-bit hashes; up to 2^26 rows are remembered, and up to 10^6 different values a column.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import plain
from isthmus.data.labelling import classes_of, is_missing
from isthmus.data.numbering import AllDistinct, is_numbering, mixed
from isthmus.data.opening import open as open_data
from isthmus.data.records import Data

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ColumnSummary", "Inspection", "inspect"]

REMEMBERED_ROWS = 2**26
REMEMBERED_VALUES = 10**6
CLASS_NAMES = ("class", "label", "labels", "target", "y", "species", "category", "outcome", "diagnosis", "quality")
MAX_CLASSES = 50
MAX_NUMBERED_CLASSES = 20  # of a column of whole numbers that no name gives away: more are a quantity
LISTED = 12


@dataclass(slots=True)
class ColumnSummary:
    """One column of a table or a matrix.

    Parameters
    ----------
    name : str
        Its name, or its number in a matrix.
    type, dtype : str
        What the values mean and how they are stored.
    missing : int
        Cells without a value.
    distinct : int or None
        Different values; None where there are more than could be remembered.
    low, high : float, str or None
        Smallest and largest value of numbers and dates.
    constant, id_like : bool
        Whether all values are the same; whether every row has its own, in text or as a whole number that numbers it.
    """

    name: str
    type: str
    dtype: str
    missing: int = 0
    distinct: int | None = 0
    low: Any = None
    high: Any = None
    constant: bool = False
    id_like: bool = False


@dataclass(slots=True)
class Inspection:
    """What :func:`inspect` found; ``str()`` of it is a page of plain text.

    Parameters
    ----------
    source, kind, container, dtype : str
        Name, kind of records, what they came in, type of the values.
    n : int
        Number of records.
    shape : tuple of (int or None)
        Of one record.
    shapes : dict of str to int
        How many images have which size, where sizes vary.
    low, high : float or None
        Smallest and largest number.
    missing : int
        Cells without a value.
    duplicates : int or None
        Records that repeat an earlier one; None where there are too many to compare.
    columns : list of ColumnSummary
        Of a table or a matrix.
    constant, id_like : list of str
        Names of such columns.
    class_column : str or None
        The column that looks most like a class.
    class_counts : dict of str to int
        How many records a class has: of the labels, or else of the class column.
    notes : list of str
        What was converted or decided while opening.
    nbytes : int
        Memory that the records take.
    resident : bool
        Whether they lie in memory, or are streamed.
    """

    source: str
    kind: str
    container: str
    dtype: str
    n: int
    shape: tuple[int | None, ...]
    shapes: dict[str, int] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    missing: int = 0
    duplicates: int | None = None
    columns: list[ColumnSummary] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    id_like: list[str] = field(default_factory=list)
    class_column: str | None = None
    class_counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    nbytes: int = 0
    resident: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        document = asdict(self)
        document["shape"] = list(self.shape)
        return document

    def __str__(self) -> str:
        shape = " x ".join("any" if side is None else str(side) for side in self.shape)
        axes = "(height x width x channels)" if len(self.shape) == 3 else "(height x width)"
        unit = {"image": axes, "text": "bytes at most"}.get(self.kind, "columns")
        lines = [
            ("source", self.source),
            ("kind", f"{self.kind} (from {self.container})"),
            ("records", f"{self.n:,}"),
            ("shape", f"{shape} {unit}"),
            ("values", self.dtype),
            ("range", "" if self.low is None else f"{_number(self.low)} to {_number(self.high)}"),
            ("sizes", _listed(self.shapes)),
            ("missing", f"{self.missing:,} cells" if self.missing else "none"),
            (
                "duplicates",
                "not compared" if self.duplicates is None else f"{self.duplicates:,}" if self.duplicates else "none",
            ),
            ("constant", _shorten(self.constant)),
            ("id-like", _shorten(self.id_like)),
            ("class column", self.class_column or ""),
            ("classes", _listed(self.class_counts)),
            ("memory", f"{_size(self.nbytes)} ({'in memory' if self.resident else 'streamed'})"),
        ]
        text = [plain.sentence(f"{name:<14}{value}") for name, value in lines if value]
        text += self._column_lines() if self.kind == "table" else []
        text += [plain.sentence(f"note          {note}") for note in self.notes]
        return "\n".join(text)

    def _column_lines(self) -> list[str]:
        """Write the columns of a table below one another."""
        shown = self.columns[:60]
        names = [plain.escaped(column.name) for column in shown]
        width = min(max([6, *map(len, names)]), 32)
        lines = ["", f"{'column':<{width}}  {'type':<9} {'missing':>8} {'distinct':>9}  range"]
        for name, column in zip(names, shown, strict=True):
            distinct = "many" if column.distinct is None else f"{column.distinct:,}"
            extent = "" if column.low is None else f"{_number(column.low)} to {_number(column.high)}"
            mark = " (constant)" if column.constant else " (id-like)" if column.id_like else ""
            row = f"{name[:width]:<{width}}  {column.type:<9} {column.missing:>8,} {distinct:>9}  {extent}{mark}"
            lines.append(row.rstrip())
        if len(self.columns) > len(shown):
            lines.append(f"and {len(self.columns) - len(shown)} more columns")
        return [*lines, ""]


def inspect(source: Any, **options: Any) -> Inspection:
    """Look through a source and say what it holds.

    Parameters
    ----------
    source : object
        Anything that :func:`isthmus.data.open` opens.
    **options
        Its options.

    Returns
    -------
    Inspection
        Kind, number, shape, range, missing cells, duplicates, constant and id-like columns, classes, memory.

    Raises
    ------
    DataError
        If the source cannot be opened, or holds a NaN or an infinity where none may be.
    """
    data = open_data(source, **options)
    schema = data.schema
    found = Inspection(data.source, schema.kind, schema.container, schema.dtype, len(data), schema.shape)
    found.notes, found.nbytes, found.resident = data.notes, data.nbytes, data.resident
    seen = _Hashes()
    look = LOOKS[schema.kind](data)
    for _, block in data.chunks():
        seen.add(look.add(block))
    found.duplicates = seen.duplicates(len(data))
    look.finish(found)
    found.constant = [column.name for column in found.columns if column.constant]
    found.id_like = [column.name for column in found.columns if column.id_like]
    if data.labels is not None:
        found.class_counts = _counts(data.labels)
    elif found.columns:
        found.class_column = _class_column(found.columns, len(data))
        if found.class_column is not None:
            found.class_counts = look.counts(found.class_column)
    return found


# --- rows ------------------------------------------------------------------------------------------------------------


class _Hashes:
    """The hashes of the rows seen so far."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.length = 0

    def add(self, hashes: np.ndarray) -> None:
        if self.length < REMEMBERED_ROWS:
            self.parts.append(hashes)
        self.length += len(hashes)

    def duplicates(self, n: int) -> int | None:
        if self.length > REMEMBERED_ROWS or not self.parts:
            return None
        return n - len(np.unique(np.concatenate(self.parts)))


def _digest(content: bytes | memoryview) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _digests(records: Any) -> np.ndarray:
    return np.fromiter((_digest(record) for record in records), np.uint64)


# --- the four kinds --------------------------------------------------------------------------------------------------


class _Look(ABC):
    """What is gathered about records of one kind, a block at a time."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self._begin(data)

    @abstractmethod
    def _begin(self, data: Data) -> None:
        """Set up what is gathered."""

    @abstractmethod
    def add(self, block: Any) -> np.ndarray:
        """Look at a block and return a hash of every record."""

    @abstractmethod
    def finish(self, found: Inspection) -> None:
        """Write what was gathered into the inspection."""

    def counts(self, name: str) -> dict[str, int]:
        """Return how often every value of a column occurs."""
        return {}


class _Matrix(_Look):
    """Rows of numbers."""

    def _begin(self, data: Data) -> None:
        self.low: np.ndarray | None = None
        self.high: np.ndarray | None = None
        self.whole = np.ones(data.schema.shape[0] or 0, bool)
        self.distinct = [AllDistinct() for _ in self.whole]

    def add(self, block: np.ndarray) -> np.ndarray:
        block = block.view(np.uint8) if block.dtype == bool else block
        low, high = block.min(axis=0), block.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)
        if block.dtype.kind == "f":
            self.whole &= (block == np.rint(block)).all(axis=0)
        for i in np.flatnonzero(self.whole):
            self.distinct[i].update(block[:, i])
        rows = np.ascontiguousarray(block)
        return _digests(memoryview(row).cast("B") for row in rows)

    def finish(self, found: Inspection) -> None:
        lows, highs = np.asarray(self.low).tolist(), np.asarray(self.high).tolist()
        found.low, found.high = min(lows), max(highs)
        dtype, n = self.data.schema.dtype, len(self.data)
        names = self.data.schema.names or [str(i) for i in range(len(lows))]
        for i, (name, low, high) in enumerate(zip(names, lows, highs, strict=True)):
            whole = bool(self.whole[i])
            column = ColumnSummary(name, "integer" if whole else "number", dtype, 0, None, low, high, low == high)
            column.id_like = whole and self.distinct[i].holds and is_numbering(n, low, high)
            # A column of few whole numbers at either end may be the class; only those two are looked at value by value.
            if i in (0, len(names) - 1) and whole and high - low <= MAX_CLASSES:
                column.distinct = len(self.counts(name))
            found.columns.append(column)

    def counts(self, name: str) -> dict[str, int]:
        names = self.data.schema.names or [str(i) for i in range(len(self.whole))]
        position = list(names).index(name)
        counts: Counter[str] = Counter()
        for _, block in self.data.chunks():
            counts.update(_counts(block[:, position]))
        return dict(counts)


class _Images(_Look):
    """Pictures, of one size or of several."""

    def _begin(self, data: Data) -> None:
        self.sizes: Counter[str] = Counter()
        self.low, self.high = np.inf, -np.inf

    def add(self, block: Any) -> np.ndarray:
        if not isinstance(block, np.ndarray):
            self.sizes.update(f"{image.shape[0]} x {image.shape[1]}" for image in block)
        parts = [block] if isinstance(block, np.ndarray) else block
        self.low = min(self.low, *(part.min().item() for part in parts))
        self.high = max(self.high, *(part.max().item() for part in parts))
        # The shape belongs to the content: 2 x 6 and 3 x 4 pixels may have the same bytes.
        return _digests(str(image.shape).encode() + image.tobytes() for image in block)

    def finish(self, found: Inspection) -> None:
        found.low, found.high = self.low, self.high
        found.shapes = dict(self.sizes.most_common())


class _Texts(_Look):
    """Pieces of text or bytes."""

    def _begin(self, data: Data) -> None:
        self.longest = 0

    def add(self, block: list[bytes]) -> np.ndarray:
        self.longest = max(self.longest, *(len(record) for record in block))
        return _digests(block)

    def finish(self, found: Inspection) -> None:
        found.shape = (self.longest,)


class _Table(_Look):
    """Rows of mixed columns."""

    def _begin(self, data: Data) -> None:
        self.columns = [ColumnSummary(c.name, c.type, c.dtype) for c in data.schema.columns]
        self.values: list[np.ndarray | None] = [np.empty(0, np.uint64) for _ in self.columns]
        self.distinct = [AllDistinct() for _ in self.columns]
        self.types: list[pa.DataType] = []

    def add(self, block: pa.Table) -> np.ndarray:
        rows = np.zeros(block.num_rows, np.uint64)
        self.types = block.schema.types
        for i, column in enumerate(block.columns):
            hashes, valid = _column_hashes(column)
            # A multiplication between columns makes the order of the columns count.
            rows = mixed(rows * np.uint64(0x9E3779B97F4A7C15) + hashes)
            self.columns[i].missing += int((~valid).sum())
            known = self.values[i]
            if known is not None:
                known = np.unique(np.concatenate([known, hashes[valid]]))
                self.values[i] = known if len(known) <= REMEMBERED_VALUES else None
            self._extent(i, column)
        return rows

    def _extent(self, i: int, column: pa.ChunkedArray) -> None:
        """Bring the range of a column up to date, and whether its whole numbers are all distinct."""
        import pyarrow as pa
        import pyarrow.compute as pc

        summary = self.columns[i]
        if summary.type not in ("number", "integer", "date") or column.null_count == len(column):
            return
        if pa.types.is_temporal(column.type):
            column = _ticks(column)
        extent = pc.min_max(column)
        low, high = extent["min"].as_py(), extent["max"].as_py()
        summary.low = low if summary.low is None else min(summary.low, low)
        summary.high = high if summary.high is None else max(summary.high, high)
        if summary.type == "integer" and not summary.missing:
            self.distinct[i].update(column.to_numpy())

    def finish(self, found: Inspection) -> None:
        n = len(self.data)
        for i, (column, known) in enumerate(zip(self.columns, self.values, strict=True)):
            column.distinct = None if known is None else len(known)
            column.constant = column.distinct is not None and column.distinct + bool(column.missing) <= 1
            if column.type == "category":
                column.id_like = n > 2 and column.distinct in (None, n)
            elif column.type == "integer" and not column.missing:
                column.id_like = self.distinct[i].holds and is_numbering(n, column.low, column.high)
            if column.low is not None:
                column.low, column.high = (_plain(end, self.types[i]) for end in (column.low, column.high))
        found.columns = self.columns
        found.missing = sum(column.missing for column in self.columns)
        is_number = [column.is_number for column in self.data.schema.columns]
        numbers = [c for c, number in zip(self.columns, is_number, strict=True) if number and c.low is not None]
        if numbers:
            found.low, found.high = min(column.low for column in numbers), max(column.high for column in numbers)

    def counts(self, name: str) -> dict[str, int]:
        import pyarrow.compute as pc

        counts: Counter[str] = Counter()
        for _, block in self.data.chunks():
            for pair in pc.value_counts(block.column(name)).to_pylist():
                counts["missing" if pair["values"] is None else str(pair["values"])] += pair["counts"]
        return dict(counts.most_common())


LOOKS: dict[str, type[_Look]] = {"array": _Matrix, "image": _Images, "table": _Table, "text": _Texts}


def _column_hashes(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return a hash of every cell, and whether it holds a value; equal values have equal hashes in every block."""
    import pyarrow as pa
    import pyarrow.compute as pc

    valid = pc.is_valid(column).to_numpy()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_temporal(column.type):
        column = _ticks(column)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = column.fill_null(pa.scalar(0).cast(column.type)).to_numpy()
        # Both zeros are one number.
        bits = (
            (values.astype(np.float64) + 0.0).view(np.uint64) if values.dtype.kind == "f" else values.astype(np.uint64)
        )
        hashes = mixed(bits)
    else:
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        unique = _digests(str(value).encode("utf-8", "surrogatepass") for value in encoded.dictionary.to_pylist())
        codes = encoded.indices.fill_null(0).to_numpy()
        hashes = unique[codes] if len(unique) else np.zeros(len(codes), np.uint64)
    return np.where(valid, hashes, np.uint64(0)), valid


def _ticks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates, times and spans of time as whole numbers."""
    import pyarrow as pa

    return column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())


# --- classes ---------------------------------------------------------------------------------------------------------


def _class_column(columns: list[ColumnSummary], n: int) -> str | None:
    """Return the column that looks most like a class: of few values, named like one, or else the last or the first."""

    def may_be(column: ColumnSummary, most_numbered: int) -> bool:
        most = {"category": MAX_CLASSES, "boolean": MAX_CLASSES, "integer": most_numbered}.get(column.type, 0)
        return column.distinct is not None and 2 <= column.distinct <= min(most, max(2, n // 5))

    named = [c for c in columns if c.name.strip().lower() in CLASS_NAMES and may_be(c, MAX_CLASSES)]
    ends = [c for c in (columns[-1], columns[0]) if len(columns) > 1 and may_be(c, MAX_NUMBERED_CLASSES)]
    chosen = [*named, *ends]
    return chosen[0].name if chosen else None


def _counts(labels: np.ndarray) -> dict[str, int]:
    """Return how often every label occurs, in the order of the labels, and how many are missing."""
    missing = is_missing(labels)
    absent = {"missing": int(missing.sum())} if missing.any() else {}
    names, counts = classes_of(labels if labels.dtype != object else _as_texts(labels), ~missing)
    if len(names) > REMEMBERED_VALUES:
        return {}
    return {_number(name): int(count) for name, count in zip(names.tolist(), counts, strict=True)} | absent


def _as_texts(labels: np.ndarray) -> np.ndarray:
    """Return labels that are objects as text, unless all that are known are whole numbers."""
    if {type(label) for label in labels.tolist()} <= {int, type(None)}:
        return labels
    return np.array([str(label) for label in labels.tolist()])


# --- plain text ------------------------------------------------------------------------------------------------------


def _plain(value: Any, dtype: pa.DataType) -> Any:
    """Return an extreme value as something that JSON knows: dates and times as text, spans of time in seconds."""
    import pyarrow as pa

    if pa.types.is_duration(dtype):
        return value / {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[dtype.unit]
    if not pa.types.is_temporal(dtype):
        return value if isinstance(value, int | float) else float(value)
    scalar = pa.scalar(value, pa.int32() if dtype.bit_width == 32 else pa.int64()).cast(dtype)
    if getattr(dtype, "unit", "") != "ns":
        try:
            return scalar.as_py().isoformat()
        except (ValueError, OverflowError):  # years that Python does not know
            pass
    return str(scalar.cast(pa.string()).as_py()).replace(" ", "T", 1)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _listed(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name}: {count:,}" for name, count in list(counts.items())[:LISTED])
    return shown + (f" and {len(counts) - LISTED:,} more" if len(counts) > LISTED else "")


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED:,} more" if len(names) > LISTED else "")


def _size(nbytes: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if nbytes < 1024 or unit == "GiB":
            return f"{nbytes:,.0f} {unit}" if unit == "bytes" else f"{nbytes:,.1f} {unit}"
        nbytes /= 1024  # type: ignore[assignment]
    raise AssertionError("unreachable")

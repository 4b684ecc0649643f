"""Comparison of records of each kind with their reconstructions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data import Data, Schema
from isthmus.metrics import edit_distance, squared_error
from isthmus.preprocessing.scaling import unit_range

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Comparison",
    "NumberComparison",
    "TableComparison",
    "TextComparison",
    "column_numbers",
    "comparison_for",
]

Float64 = NDArray[np.float64]


class Comparison(ABC):
    """The error of one record, for one kind of data.

    Attributes
    ----------
    title : str
        What the error is called.
    unit : str
        Its unit.
    explanation : str
        One sentence on how it is counted.
    """

    title: str
    unit: str
    explanation: str

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @abstractmethod
    def errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the error of every record, shape (n,), from two canonical blocks."""

    @abstractmethod
    def dimensions(self, block: Any) -> Float64:
        """Return how many values each record of a block has, shape (n,)."""


class NumberComparison(Comparison):
    """Arrays and images: the squared error, summed over a record's values.

    The values of images, and columns of an array that are one quantity (pixels, samples of a signal, counts), are
    compared in their own unit. Columns that are several quantities are compared in units of each column's variance: a
    sum of squared kilograms and squared metres says nothing.

    Parameters
    ----------
    schema : Schema
        Of the records.
    reference : ndarray or list
        Records that say how the columns of an array spread.
    """

    def __init__(self, schema: Schema, reference: Any) -> None:
        super().__init__(schema)
        self.scales: Float64 | None = None
        if schema.kind == "array" and not _one_quantity(reference):
            spreads = reference.std(axis=0, dtype=np.float64)
            self.scales = np.where(spreads > 0.0, spreads, 1.0)
        if self.scales is None:
            self.title, self.unit = "squared error", "squared units of the data"
            self.explanation = "Squared difference between a record and its reconstruction, summed over its values."
        else:
            self.title, self.unit = "error", "standardised"
            self.explanation = (
                "Squared error of each column in units of the column's variance, summed over the columns."
            )

    def errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the squared error of every record."""
        if isinstance(original, list):
            pairs = zip(original, reconstruction, strict=True)
            return np.array([squared_error(x[np.newaxis], y[np.newaxis])[0] for x, y in pairs])
        if self.scales is None:
            return squared_error(original, reconstruction)
        return squared_error(original / self.scales, reconstruction / self.scales)

    def column_errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the error of every value of an array, shape (n, columns)."""
        difference = original.astype(np.float64) - reconstruction.astype(np.float64)
        return np.asarray(np.square(difference if self.scales is None else difference / self.scales))

    def dimensions(self, block: Any) -> Float64:
        """Return the number of values of each record."""
        return np.array([float(np.size(record)) for record in block])


class TableComparison(Comparison):
    """Tables: squared error of numbers and dates in standard deviations, 1 for a wrong category.

    Parameters
    ----------
    schema : Schema
        Of the table.
    reference : pyarrow.Table
        Rows whose standard deviations are the unit.
    ignored : collection of str
        Columns that the model sets aside and does not code.
    """

    title = "error"
    unit = "standardised"
    explanation = (
        "Number and date columns count their squared error in units of the column's variance, other columns count 1 "
        "where the value is wrong; a value that is missing on one side only counts 1; summed over the columns."
    )

    def __init__(self, schema: Schema, reference: pa.Table, ignored: Sequence[str] = ()) -> None:
        super().__init__(schema)
        self.columns = [column for column in schema.columns if column.name not in set(ignored)]
        self.scales = {
            column.name: _spread(column_numbers(reference.column(column.name)))
            for column in self.columns
            if column.type in _NUMERIC
        }

    def errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the sum of the columns' errors."""
        return np.asarray(self.column_errors(original, reconstruction).sum(axis=1))

    def column_errors(self, original: pa.Table, reconstruction: pa.Table) -> Float64:
        """Return the error of every cell, shape (n, columns)."""
        errors = np.zeros((original.num_rows, len(self.columns)))
        for index, column in enumerate(self.columns):
            x, y = original.column(column.name), reconstruction.column(column.name)
            if column.type in _NUMERIC:
                errors[:, index] = _number_errors(column_numbers(x), column_numbers(y), self.scales[column.name])
            else:
                errors[:, index] = _mismatches(x, y)
        return errors

    def dimensions(self, block: Any) -> Float64:
        """Return the number of columns, for each record."""
        return np.full(block.num_rows, float(len(self.columns)))


class TextComparison(Comparison):
    """Text: how many bytes are wrong."""

    title = "wrong bytes"
    unit = "bytes"
    explanation = "Bytes to insert, delete or replace until the text is the original (edit distance)."

    def errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the number of wrong bytes of every record."""
        return edit_distance(original, reconstruction)

    def dimensions(self, block: Any) -> Float64:
        """Return the number of bytes of each record, at least 1."""
        return np.array([float(max(len(record), 1)) for record in block])


def comparison_for(data: Data, reference: Any, ignored: Sequence[str] = ()) -> Comparison:
    """Return the comparison for a kind of data.

    Parameters
    ----------
    data : Data
        The records to compare.
    reference : block
        Records that say what the standard deviation of a column is.
    ignored : sequence of str, default=()
        Columns of a table that do not count.

    Returns
    -------
    Comparison
    """
    if data.schema.kind == "table":
        return TableComparison(data.schema, reference, ignored)
    return TextComparison(data.schema) if data.schema.kind == "text" else NumberComparison(data.schema, reference)


def _one_quantity(values: NDArray[Any]) -> bool:
    """Whether the columns of an array fill one interval, by the rule that preprocessing has for whole numbers."""
    low, high = values.min(axis=0).astype(np.float64), values.max(axis=0).astype(np.float64)
    start, end, _ = unit_range(low, high, values.dtype.name, integers=True)
    return bool((start == start[0]).all() and (end == end[0]).all())


_NUMERIC = ("number", "integer", "date")


def column_numbers(column: pa.ChunkedArray) -> Float64:
    """Return an Arrow column of numbers or dates as floats, NaN where it is missing."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_temporal(kind):
        column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _spread(values: Float64) -> float:
    """Return the standard deviation of what is not missing, 1 where there is none."""
    known = values[np.isfinite(values)]
    spread = float(known.std()) if len(known) else 0.0
    return spread if spread > 0.0 else 1.0


def _number_errors(x: Float64, y: Float64, scale: float) -> Float64:
    missing_x, missing_y = np.isnan(x), np.isnan(y)
    squares = np.square((x - y) / scale)
    return np.where(missing_x | missing_y, (missing_x != missing_y).astype(np.float64), squares)


def _mismatches(x: pa.ChunkedArray, y: pa.ChunkedArray) -> Float64:
    """Return 1 where two columns of categories differ; missing equals missing."""
    pairs = zip(x.to_pylist(), y.to_pylist(), strict=True)
    return np.array([float(a != b) for a, b in pairs])

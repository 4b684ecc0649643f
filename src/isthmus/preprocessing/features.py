"""Names of a record's features, and which encoded numbers belong to each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from isthmus.data import Schema
    from isthmus.preprocessing.base import Preprocessor

__all__ = ["Features"]

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of encoded records that are flattened to rows of d numbers.

    Columns of a table that no code holds are no features.

    Parameters
    ----------
    schema : Schema
        Of the records.
    is_class : ndarray of bool, shape (d,)
        Which numbers are codes of classes (masks too), equal or not; the others are quantities.
    mask : ndarray of int64, shape (d,)
        Of a quantity that can be missing, the number that says whether it was there; else -1.
    missing : ndarray of int64, shape (d,)
        Of a category that can be missing, the code that says so; else -1.
    columns : ndarray of int64, shape (d,)
        Which feature each number belongs to.
    picture : tuple of int or None
        Channels, height and width of pictures of one size.
    categories : tuple of (pyarrow.Array or None), or None
        Of each column that holds categories, the values that have a code of their own, in the order of the codes.
    labels : tuple of str or None
        Names of a table's features; those of other kinds follow from the schema.
    """

    schema: Schema
    is_class: Bools
    mask: Int64
    missing: Int64
    columns: Int64
    picture: tuple[int, int, int] | None = None
    categories: tuple[Any, ...] | None = None
    labels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, preprocessor: Preprocessor) -> Features:
        """Return the features that a fitted preprocessor encodes."""
        schema, shape = preprocessor.schema_, tuple(int(side or 0) for side in preprocessor.shape_)
        d = int(np.prod(shape))
        is_class, mask, missing = np.full(d, preprocessor.classes_ > 0), np.full(d, -1), np.full(d, -1)
        for field in preprocessor.fields_:
            is_class[field.index], mask[field.index] = field.kind != "number", field.mask
        if schema.kind == "image":
            return cls(schema, is_class, mask, missing, np.arange(d), picture=shape)  # type: ignore[arg-type]
        if schema.kind != "table":
            return cls(schema, is_class, mask, missing, np.arange(d))
        coded = [(column, place) for column, place in preprocessor.places() if place.start < place.stop]  # type: ignore[attr-defined]
        for column, place in coded:
            missing[place.start] = column.missing_code
        return cls(
            schema,
            is_class,
            mask,
            missing,
            np.repeat(np.arange(len(coded)), [place.stop - place.start for _, place in coded]),
            categories=tuple(column.categories for column, _ in coded),
            labels=tuple(column.name for column, _ in coded),
        )

    @classmethod
    def of_rows(cls, schema: Schema, d: int) -> Features:
        """Return the features of records that are flattened as they are, all of them quantities."""
        return cls(schema, np.zeros(d, bool), np.full(d, -1), np.full(d, -1), np.arange(d))

    def __len__(self) -> int:
        """Return how many features there are."""
        return int(self.columns[-1]) + 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What a person calls each feature, in the order of the encoded numbers."""
        if self.labels is not None:
            return self.labels
        if self.schema.kind == "image":
            return tuple(self._pixels())
        if self.schema.names:
            return tuple(self.schema.names)
        what = "character" if self.schema.kind == "text" else "column"
        return tuple(f"{what} {index}" for index in range(len(self)))

    def _pixels(self) -> Iterator[str]:
        """Yield the names of pixels: channel by channel where records are encoded, else as pictures lie in memory."""
        height, width, channels = (*(int(side or 0) for side in self.schema.shape), 1)[:3]
        first, last = (range(channels), [0]) if self.picture else ([0], range(channels))
        for outer in first:
            for y in range(height):
                for x in range(width):
                    for inner in last:
                        yield f"pixel ({y}, {x})" + (f" channel {outer + inner}" if channels > 1 else "")

    def categories_of(self, feature: int) -> Any:
        """Return the categories of a feature that have a code of their own; None of quantities."""
        return self.categories[feature] if self.categories else None

    def totals(self, numbers: NDArray[Any]) -> Float64:
        """Return figures of the encoded numbers, (b, d), summed over those of each feature: (b, features)."""
        starts = np.searchsorted(self.columns, np.arange(len(self)))
        return np.asarray(np.add.reduceat(numbers, starts, axis=1))

    def is_observed(self, rows: NDArray[Any]) -> Bools:
        """Return which encoded numbers, (b, d), say something: not those of missing cells."""
        observed = np.ones(rows.shape, bool)
        masked, coded = np.flatnonzero(self.mask >= 0), np.flatnonzero(self.missing >= 0)
        observed[:, masked] = rows[:, self.mask[masked]] > 0.5
        observed[:, self.mask[masked]] &= observed[:, masked]
        observed[:, coded] = rows[:, coded] != self.missing[coded]
        return observed

    def cell(self, block: Any, row: int, feature: int) -> Any:
        """Return one value of a block of records, in the units and the type of the data."""
        if self.schema.kind == "table":
            return block.column(self.names[feature])[row].as_py()
        if self.schema.kind == "text":
            text = block[row]
            return chr(text[feature]) if feature < len(text) else ""
        record = np.asarray(block[row])
        if self.picture is not None and record.ndim == 3:
            record = record.transpose(2, 0, 1)
        return record.reshape(-1)[feature].item()

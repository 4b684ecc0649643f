"""Columns of records as arrays, for comparison with those of other records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "table_column"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of records.

    Parameters
    ----------
    name : str
        As messages call it.
    kind : {"number", "date", "category"}
    values : ndarray, shape (n,)
        float64 with NaN where missing; of categories their text, None where missing.
    """

    name: str
    kind: str
    values: NDArray[Any]


def table_column(name: str, cells: pa.ChunkedArray) -> Column:
    """Return a column of a table: numbers, dates as counts of their unit, or categories and booleans as text."""
    import pyarrow as pa

    types, kind, label = pa.types, cells.type, f"column {name!r}"
    if types.is_temporal(kind):
        whole = pa.int32() if kind.bit_width == 32 else pa.int64()
        return Column(label, "date", _floats(cells.cast(whole)))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return Column(label, "number", _floats(cells))
    if types.is_dictionary(kind):
        cells = cells.cast(kind.value_type)
    return Column(label, "category", np.array(cells.cast(pa.string()).to_pylist(), object))


def _floats(cells: pa.ChunkedArray) -> NDArray[np.float64]:
    import pyarrow as pa

    return np.array(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)

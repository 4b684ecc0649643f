"""Columns that are not records but are written back with them: a data frame's index, the column of labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data.rows import RowNumbers

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["PANDAS", "SideColumn", "SideColumns", "index_columns"]

PANDAS = b"pandas"  # where pandas writes in an Arrow schema what it needs to read a table as the frame that it was


@dataclass(frozen=True, slots=True)
class SideColumn:
    """A column that was set aside.

    Parameters
    ----------
    name : str
        Empty for a column of a matrix.
    place : int
        Among the columns of the source that were kept, and those set aside.
    stored : pyarrow.ChunkedArray, ndarray of shape (n,), or object with ``take`` and ``read``
        In the type of the source; or what reads them from it when they are asked for.
    """

    name: str
    place: int
    stored: Any

    @property
    def cells(self) -> Any:
        """The cells: pyarrow.ChunkedArray, or ndarray of shape (n,)."""
        return self.stored.read() if hasattr(self.stored, "read") else self.stored

    def take(self, rows: RowNumbers) -> SideColumn:
        """Return the cells of some rows; what is not read yet stays so."""
        rows = rows if hasattr(self.stored, "read") else np.asarray(rows)
        return replace(self, stored=self.stored.take(rows))


@dataclass(frozen=True, slots=True)
class SideColumns:
    """What stands beside records, one entry each.

    Parameters
    ----------
    index : pandas.Index or None, default=None
        Of a pandas frame.
    columns : tuple of SideColumn, default=()
        Columns that are no records, such as those that hold the index of the pandas frame that an Arrow table was.
    labels : SideColumn or None, default=None
        The column of the labels.
    pandas : bytes, default=b""
        What pandas wrote in the schema of the Arrow table.
    is_part : bool, default=False
        Whether these are some of the rows only, which an index that is a mere range does not fit.
    """

    index: pandas.Index | None = None
    columns: tuple[SideColumn, ...] = ()
    labels: SideColumn | None = None
    pandas: bytes = b""
    is_part: bool = False

    def take(self, rows: RowNumbers) -> SideColumns:
        """Return what stands beside some of the records."""
        return SideColumns(
            None if self.index is None else self.index.take(np.asarray(rows)),
            tuple(column.take(rows) for column in self.columns),
            None if self.labels is None else self.labels.take(rows),
            self.pandas,
            is_part=True,
        )

    def into_table(self, table: pa.Table, *, labels: bool = True) -> pa.Table:
        """Return a table of the same rows with the columns that were set aside, each in its place."""
        columns = [*self.columns, *([self.labels] if labels and self.labels is not None else [])]
        for column in sorted(columns, key=lambda column: column.place):
            table = table.add_column(min(column.place, table.num_columns), column.name, column.cells)
        if not self.pandas:
            return table
        written = kept_index(self.pandas, table.column_names) if self.is_part else self.pandas
        return table.replace_schema_metadata({**(table.schema.metadata or {}), PANDAS: written})

    def into_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """Return a matrix of the same rows with the column of labels in its place."""
        if self.labels is None:
            return matrix
        place = min(self.labels.place, matrix.shape[1])
        return np.column_stack([matrix[:, :place], np.asarray(self.labels.cells), matrix[:, place:]])


# --- the index of a pandas frame in an Arrow table -------------------------------------------------------------------


def index_columns(schema: pa.Schema) -> list[str]:
    """Return the columns of an Arrow table that hold the index of the pandas frame that it was.

    They are no records, as the index of a frame in memory is none.
    """
    written = _document((schema.metadata or {}).get(PANDAS, b"")).get("index_columns", [])
    levels = {name for name in written if isinstance(name, str)}
    return [name for name in schema.names if name in levels]


def kept_index(written: bytes, names: Sequence[str]) -> bytes:
    """Return what pandas wrote in a schema; of the index only what is in some columns."""
    document = _document(written)
    if "index_columns" not in document:
        return written
    of_names = [name for name in document["index_columns"] if isinstance(name, str) and name in names]
    return json.dumps({**document, "index_columns": of_names}).encode()


def _document(written: bytes) -> dict[str, Any]:
    """Return what pandas wrote as a document; an empty one of what is none, for files come from anywhere."""
    try:
        document = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    known = isinstance(document, dict) and isinstance(document.get("index_columns"), list)
    return document if known else {}

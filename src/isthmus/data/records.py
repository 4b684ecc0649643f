"""The class :class:`Data`: records of one kind, in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.arrow_schema import select_schema
from isthmus.data.coded_labels import CodedLabels
from isthmus.data.labelling import as_labels
from isthmus.data.rows import RowNumbers, Rows, spread
from isthmus.data.schema import Schema
from isthmus.data.side_columns import SideColumns
from isthmus.data.stores import ArrayStore, Store
from isthmus.data.texts import Texts
from isthmus.plain import shown

__all__ = ["Data"]

CHUNK_BYTES = 16 * 2**20
NOTHING = SideColumns()


class Data:
    """Records of one kind: what :func:`isthmus.data.open` returns and every model reads.

    Records come out as *blocks*, always in host memory:

    ========  ==================================================================================================
    kind      a block of b records
    ========  ==================================================================================================
    array     ndarray of shape (b, d), in the source's dtype
    image     ndarray of shape (b, height, width[, channels]); a list of such images when a side of the schema varies
    table     pyarrow.Table with the schema's columns in order; a missing cell is null
    text      list of bytes, each at most ``schema.shape[0]`` long
    ========  ==================================================================================================

    Parameters
    ----------
    schema : Schema
        What one record looks like.
    store : Store
        Where the records lie.
    labels : ndarray of shape (n,), CodedLabels or None, default=None
        One label a record; those of very many records in a file are codes.
    names : sequence of str or None, default=None
        One name a record, such as its file.
    source : str, default="X"
        What the data are called in a sentence.
    notes : sequence of str, default=()
        What was converted, skipped or decided while opening.
    rows : ndarray of int, Rows or None, default=None
        Numbers of the records of the store that belong to these data; None means all. Labels and names, and what else
        is beside the records, are those of the rows already.
    side_columns : SideColumns, optional
        What the source gets back with its records: a data frame's index, the column of the labels.
    """

    __slots__ = ("_gathered", "labels", "names", "notes", "rows", "schema", "side_columns", "source", "store")

    def __init__(
        self,
        schema: Schema,
        store: Store,
        *,
        labels: Any = None,  # an ndarray, or CodedLabels
        names: Sequence[str] | None = None,
        source: str = "X",
        notes: Sequence[str] = (),
        rows: RowNumbers | None = None,
        side_columns: SideColumns = NOTHING,
    ) -> None:
        self.schema = schema
        self.store = store
        self.rows = rows
        self.source = source
        self.notes = list(notes)
        self.names = names
        self.labels = labels
        self.side_columns = side_columns
        self._gathered: np.ndarray | None = None
        if labels is not None:
            checks.same_length(len(self), labels, source)

    def __len__(self) -> int:
        return self.store.length if self.rows is None else len(self.rows)

    def __repr__(self) -> str:
        shape = " x ".join("any" if side is None else str(side) for side in self.schema.shape)
        return (
            f"Data({shown(self.source)}: {len(self)} records of kind {self.schema.kind}, {shape}, {self.schema.dtype})"
        )

    @property
    def nbytes(self) -> int:
        """Bytes that these records take in memory (an estimate where they vary in size)."""
        return (
            self.store.nbytes if self.rows is None else int(self.store.nbytes * len(self) / max(self.store.length, 1))
        )

    @property
    def resident(self) -> bool:
        """Whether the records lie in memory."""
        return self.store.resident

    @property
    def array(self) -> np.ndarray | None:
        """All records as one array, where they lie in memory as one; else None.

        Of an opened source it is the source's own memory, uncopied. Of a subset it is a view where the rows are
        neighbours, and otherwise a copy, made at the first call and kept.
        """
        if not isinstance(self.store, ArrayStore):
            return None
        if self.rows is None:
            return self.store.array
        if self._gathered is None:
            run = _run(self.rows)
            self._gathered = self.store.array[np.asarray(self.rows) if run is None else run]
        return self._gathered

    @property
    def sides(self) -> np.ndarray:
        """Height and width of every image, (n, 2), without decoding any."""
        sides = self.store.sides()
        return sides if self.rows is None else sides[np.asarray(self.rows)]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of every image, as a list."""
        return [(height, width) for height, width in self.sides.tolist()]

    @property
    def edges(self) -> np.ndarray | None:
        """Where reading begins, of records that are only read from certain ones on; else None.

        Parquet files are decoded from the beginning of a row group on. The first of these numbers is 0 and the last
        that of all records.
        """
        edges = self.store.edges
        if edges is None or self.rows is None:
            return edges
        return np.unique(self.rows.below(edges)) if isinstance(self.rows, Rows) else None

    def take(self, indices: np.ndarray | Sequence[int]) -> Any:
        """Return the block of the records with the given numbers, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        return self.store.take(indices if self.rows is None else self.rows[indices])

    def chunk(self, start: int, stop: int) -> Any:
        """Return the block of neighbouring records ``start`` to ``stop`` (cut at the end of the data).

        Cheap: a view in memory, one contiguous read in a file.
        """
        stop = min(stop, len(self))
        if self.rows is None:
            return self.store.chunk(start, stop)
        rows = self.rows[start:stop]
        run = _run(rows)
        return self.store.take(rows) if run is None else self.store.chunk(run.start, run.stop)

    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, Any]]:
        """Iterate over all records in order.

        Parameters
        ----------
        rows : int or None, default=None
            Records in a block; None for as many as take about 16 MiB.

        Yields
        ------
        start : int
            Number of the block's first record.
        block : ndarray, list or pyarrow.Table
            The records.
        """
        if rows is None:
            rows = max(1, CHUNK_BYTES * len(self) // max(self.nbytes, 1))
        for start in range(0, len(self), rows):
            yield start, self.chunk(start, start + rows)

    def spread(self, most: int) -> np.ndarray:
        """Return the places of up to ``most`` records: see :func:`isthmus.data.rows.spread`."""
        return spread(len(self), most, self.edges)

    def subset(self, indices: RowNumbers | Sequence[int]) -> Data:
        """Return some of the records, as a view.

        Parameters
        ----------
        indices : array-like of int, or of bool of shape (n,), or Rows
            Which ones, in which order.
        """
        if isinstance(indices, Rows):
            return self._runs(indices)
        chosen = np.asarray(indices)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        return self._with(
            labels=None if self.labels is None else self.labels[chosen],
            names=None if self.names is None else _named(self.names, chosen),
            rows=chosen if self.rows is None else self.rows[chosen],
            side_columns=self.side_columns.take(chosen),
        )

    def _runs(self, chosen: Rows) -> Data:
        """Return records in runs of neighbours, without a list of them."""
        rows: RowNumbers = chosen
        if self.rows is not None:
            rows = self.rows.at(chosen) if isinstance(self.rows, Rows) else self.rows[np.asarray(chosen)]
        return self._with(
            labels=None if self.labels is None else _taken(self.labels, chosen),
            names=None if self.names is None else _taken(self.names, chosen),
            rows=rows,
            side_columns=self.side_columns.take(chosen),
        )

    def select(self, names: Sequence[str]) -> Data:
        """Return the data with some of a table's columns, found by name, in the given order.

        Raises
        ------
        DataError
            If a name is not among the columns, or the data are no table.
        """
        known = {column.name: column for column in self.schema.columns}
        for name in names:
            if name not in known:
                raise checks.no_such_column(self.source, name, list(known))
        return self._with(schema=select_schema(self.schema, names), store=self.store.select(names))

    def labelled(self, labels: Any) -> Data:
        """Return the same records with other labels.

        Parameters
        ----------
        labels : array-like of shape (n,) or None
            One a record, of any type.
        """
        return self._with(labels=None if labels is None else as_labels(labels))

    def with_labels_of(self, other: Data) -> Data:
        """Return these records with the labels of others, the same in another form, and what else is beside them."""
        return self._with(labels=other.labels, side_columns=other.side_columns)

    def _with(self, **changed: Any) -> Data:
        names = ("schema", "store", "labels", "names", "source", "notes", "rows", "side_columns")
        return Data(**{name: getattr(self, name) for name in names} | changed)


def _named(names: Sequence[str], rows: np.ndarray) -> Sequence[str]:
    return names.at(rows) if isinstance(names, Texts) else [names[int(row)] for row in rows]


def _taken(values: Any, rows: Rows) -> Any:
    """Return the values of some rows; an array is copied run by run."""
    if isinstance(values, CodedLabels | Texts):
        return values.at(rows)
    if not isinstance(values, np.ndarray):
        return [values[row] for row in rows]
    if len(rows.starts) > 4096:
        return values[np.asarray(rows)]
    return np.concatenate([values[:0], *(values[a:b] for a, b in zip(rows.starts, rows.stops, strict=True))])


def _run(rows: RowNumbers) -> slice | None:
    """Return rows that follow one another as a slice, others as None."""
    if isinstance(rows, Rows):
        return slice(int(rows.starts[0]), int(rows.stops[0])) if len(rows.starts) == 1 else None
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (len(rows) == 1 or (np.diff(rows) == 1).all()):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return None

"""Labels of very many records: what they are is kept once, and which one each record has in a byte or two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data.rows import RowNumbers, Rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CodedLabels", "code_labels"]

MOST = 2**16  # distinct labels; more are no classes
PIECE = 2**20  # labels that are counted at once


class CodedLabels:
    """One label a record, indexed as an array of them is; ``numpy.asarray`` lists all.

    Parameters
    ----------
    values : ndarray, shape (k,)
        The distinct labels, as a whole column of them would be: a missing one among them is None or NaN.
    codes : ndarray of unsigned int, shape (m,)
        Place of each record's label among them.
    rows : ndarray of int or Rows, optional
        Which of the records these are; by default all. Codes are not copied for some of them.
    """

    __slots__ = ("codes", "rows", "values")
    ndim = 1

    def __init__(self, values: NDArray[Any], codes: NDArray[Any], rows: RowNumbers | None = None) -> None:
        self.values, self.codes, self.rows = values, codes, rows

    def __len__(self) -> int:
        return len(self.codes if self.rows is None else self.rows)

    @property
    def shape(self) -> tuple[int]:
        """The number of labels, as an array has it."""
        return (len(self),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the labels."""
        return self.values.dtype

    def __getitem__(self, places: Any) -> Any:
        return self.values[self.codes[places if self.rows is None else self.rows[places]]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = self.each(self.values)
        return found if dtype is None else found.astype(dtype)

    def tolist(self) -> list[Any]:
        """Return all labels."""
        return np.asarray(self).tolist()

    def at(self, places: Rows) -> CodedLabels:
        """Return the labels of the records at some places."""
        if self.rows is None:
            return CodedLabels(self.values, self.codes, places)
        rows = self.rows.at(places) if isinstance(self.rows, Rows) else self.rows[np.asarray(places)]
        return CodedLabels(self.values, self.codes, rows)

    def each(self, of_values: NDArray[Any]) -> NDArray[Any]:
        """Return for each record what there is for its label, given one for each of :attr:`values`."""
        if not isinstance(self.rows, Rows):
            return of_values[self.codes if self.rows is None else self.codes[self.rows]]
        found = np.empty(len(self), of_values.dtype)
        at = 0
        for start, stop in zip(self.rows.starts.tolist(), self.rows.stops.tolist(), strict=True):
            found[at : at + stop - start] = of_values[self.codes[start:stop]]
            at += stop - start
        return found

    def counts(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return how many records have each of :attr:`values`, of all or of some, (k,)."""
        total = np.zeros(len(self.values), np.int64)
        rows = Rows.all(len(self.codes)) if self.rows is None else self.rows
        for start in range(0, len(rows), PIECE):
            codes = self.codes[rows[start : start + PIECE]]
            codes = codes if among is None else codes[among[start : start + PIECE]]
            total += np.bincount(codes, minlength=len(total))
        return total


def code_labels(
    blocks: Iterable[pa.ChunkedArray], n: int, labels_of: Callable[[pa.ChunkedArray], NDArray[Any]]
) -> CodedLabels | None:
    """Return the labels of neighbouring records, read block by block; None where they are not few or have no codes.

    Parameters
    ----------
    blocks : iterable of pyarrow.ChunkedArray
        The column of labels, in order.
    n : int
        How many there are.
    labels_of : callable
        Makes labels of a column.
    """
    import pyarrow as pa

    from isthmus.data.column_types import plain

    known: dict[Any, int] = {}
    codes, at, dtype = np.empty(n, np.uint8), 0, None
    for block in blocks:
        column = plain(block)
        column = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        dtype = column.type
        if not (pa.types.is_integer(dtype) or pa.types.is_boolean(dtype) or pa.types.is_string(dtype)):
            return None
        for chunk in column.chunks:
            encoded = chunk.dictionary_encode(null_encoding="encode")
            its = np.array([known.setdefault(value, len(known)) for value in encoded.dictionary.to_pylist()])
            if len(known) > MOST:
                return None
            if len(known) > 2**8 and codes.dtype == np.uint8:
                codes = codes.astype(np.uint16)
            codes[at : at + len(chunk)] = its[encoded.indices.to_numpy()]
            at += len(chunk)
    return CodedLabels(labels_of(pa.chunked_array([pa.array(list(known), dtype)])), codes)

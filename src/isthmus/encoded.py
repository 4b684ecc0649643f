"""Records as a fitted preprocessor encodes them: the internal form in models and tasks.

Records are opened and encoded once, at the door of a call (:meth:`isthmus.base.Model.encoded`), and go back to the
container that they came in once, on the way out::

    container --open--> Data --encode--> Encoded --codes_of, reconstructed, log_probs--> ...
    container <--container-- Encoded <--decoded-- codes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus import data as isthmus_data
from isthmus.preprocessing import EncodedBlock, Preprocessor, TablePreprocessor

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["Encoded", "as_tensor", "joined"]

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Some records in encoded units, on the host.

    Parameters
    ----------
    values : ndarray, shape (n, *shape), or list of ndarray, each (channels, height, width)
        As ``preprocessor.encode`` returns them, or of float32 in the same units; the list for pictures whose sizes
        differ.
    preprocessor : Preprocessor
        Which encoded them.
    source : Data, optional
        The records that they came from, row by row: what no code holds of a table (ids, constants) is there, and what
        stands beside the records (an index).
    """

    values: EncodedBlock
    preprocessor: Preprocessor
    source: Data | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.values)

    @property
    def varies(self) -> bool:
        """Whether the records are pictures whose sizes differ."""
        return isinstance(self.values, list)

    @property
    def array(self) -> NDArray[Any]:
        """The values of records that have one size, (n, *shape)."""
        return np.asarray(self.values)

    # ------------------------------------------------------------------ some of them, and others like them

    def take(self, rows: NDArray[Any]) -> Encoded:
        """Return some of the records, by their numbers or by a mask; a record may be there several times."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        values = [self.values[row] for row in rows] if isinstance(self.values, list) else self.values[rows]
        return Encoded(values, self.preprocessor, None if self.source is None else self.source.subset(rows))

    def blocks(self, size: int) -> Iterator[NDArray[Any]]:
        """Yield the values of at most ``size`` records at a time, in order; of pictures whose sizes differ one."""
        if isinstance(self.values, list):
            yield from (record[np.newaxis] for record in self.values)
        else:
            yield from (self.values[start : start + size] for start in range(0, len(self.values), size))

    def replaced(self, values: EncodedBlock) -> Encoded:
        """Return records with other values, which came from the same rows."""
        return Encoded(values, self.preprocessor, self.source)

    def put(self, marked: Any, other: Encoded) -> Encoded:
        """Return records with the values of others in marked places.

        Parameters
        ----------
        marked : ndarray of bool, shape (n, *shape), or list of such arrays
        other : Encoded
            As many records, of the same sizes.
        """
        if isinstance(self.values, list):
            triples = zip(marked, other.values, self.values, strict=True)
            return self.replaced([np.where(here, new, old) for here, new, old in triples])
        return self.replaced(np.where(marked, other.values, self.values))

    def snapped(self) -> Encoded:
        """Return the records that these are in the source's types: whole numbers, dates and categories are such."""
        return self.replaced(self.preprocessor.snap(self.values))

    # ------------------------------------------------------------------ as rows of numbers

    @property
    def scaled(self) -> Float64:
        """The records as the network sees them, as rows: (n, numbers). Categories are codes."""
        pre = self.preprocessor
        return np.asarray((self.array.astype(np.float64) - pre.shift_) * pre.factor_).reshape(len(self), -1)

    @property
    def one_hot(self) -> Float64:
        """The records as the network sees them, as rows, each category an indicator: no order of theirs is made up."""
        rows, fields = self.scaled, self.preprocessor.fields_
        if not any(field.kind == "category" for field in fields):
            return rows
        columns = [
            np.eye(field.size)[self.array[:, field.index].astype(int)]
            if field.kind == "category"
            else rows[:, field.index, np.newaxis]
            for field in fields
        ]
        return np.concatenate(columns, axis=1)

    @classmethod
    def from_one_hot(cls, rows: Float64, preprocessor: Preprocessor) -> Encoded:
        """Return the records of rows as :attr:`one_hot` has them; of indicators the largest counts."""
        shape = tuple(int(side or 0) for side in preprocessor.shape_)
        shift, factor = (np.broadcast_to(part, shape) for part in (preprocessor.shift_, preprocessor.factor_))
        if not any(field.kind == "category" for field in preprocessor.fields_):
            return cls((rows.reshape(len(rows), *shape) / factor + shift).astype(np.float32), preprocessor)
        values, start = np.empty((len(rows), *shape), np.float32), 0
        for field in preprocessor.fields_:
            its = rows[:, start : (start := start + field.size)]
            number = its[:, 0] / factor[field.index] + shift[field.index]
            values[:, field.index] = its.argmax(axis=1) if field.kind == "category" else number
        return cls(values, preprocessor)

    # ------------------------------------------------------------------ the way out

    def block(self) -> Any:
        """Return the records as a block in the source's units and types, as :meth:`isthmus.data.Data.take` does."""
        pre = self.preprocessor
        if isinstance(pre, TablePreprocessor) and self.source is not None:
            return pre.decode(self.array, self.source.chunk(0, len(self.source)))
        return pre.decode(self.values)

    def container(self) -> Any:
        """Return the records in the container, units and types of the data fitted on."""
        side_columns = None if self.source is None else self.source.side_columns
        return isthmus_data.restore(self.block(), self.preprocessor.schema_, side_columns)


def joined(parts: Sequence[EncodedBlock]) -> EncodedBlock:
    """Return the values of one block after the other."""
    if isinstance(parts[0], list):
        return [record for part in parts for record in part]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def as_tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor on an array's memory, or on a copy where it is read-only, such as a mapped file's."""
    return torch.from_numpy(np.require(array, requirements="W"))

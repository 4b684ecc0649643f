"""Records as rows of numbers, and back: what every method but a network works on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rows"]

Float64 = NDArray[np.float64]


class Rows:
    """Records as rows of numbers on the scale that the model's network sees, and back: for baselines and distances.

    Categories of a table become indicator columns, so that no order of theirs is made up.

    Parameters
    ----------
    preprocessor : Preprocessor
        Of the fitted model.

    Attributes
    ----------
    is_number : ndarray of bool, shape (numbers,)
        Which places of a row hold numbers of the record, and not masks and indicators of categories.
    """

    def __init__(self, preprocessor: Any) -> None:
        self.preprocessor = preprocessor
        self.fields = tuple(getattr(preprocessor, "fields_", ()))
        shape = tuple(preprocessor.shape_)
        self.shift = np.broadcast_to(np.asarray(preprocessor.shift_, np.float64), shape)
        self.factor = np.broadcast_to(np.asarray(preprocessor.factor_, np.float64), shape)
        kinds = [field.kind == "number" for field in self.fields for _ in range(field.size)]
        self.is_number = np.array(kinds) if self.fields else np.ones(self.shift.size, bool)

    def forward(self, block: Any) -> Float64:
        """Return a canonical block as a matrix (n, numbers)."""
        encoded = np.asarray(self.preprocessor.encode(block), np.float64)
        if not self.fields:
            return np.asarray(((encoded - self.shift) * self.factor).reshape(len(encoded), -1))
        columns = []
        for field in self.fields:
            column = encoded[:, field.index]
            if field.kind == "category":
                columns.append(np.eye(field.size)[column.astype(int)])
            else:
                columns.append(((column - self.shift[field.index]) * self.factor[field.index])[:, np.newaxis])
        return np.concatenate(columns, axis=1)

    def backward(self, rows: Float64) -> Any:
        """Return a matrix as a canonical block: in the data's units, rounded and clipped as the model's own output."""
        shape = self.shift.shape
        if self.fields:
            rows = self._compact(rows)
        encoded = rows.reshape(len(rows), *shape) / self.factor + self.shift
        return self.preprocessor.decode(encoded.astype(np.float32))

    def _compact(self, rows: Float64) -> Float64:
        """Turn indicator columns into the number of the largest, on the scale on which codes lie."""
        compact = np.empty((len(rows), len(self.shift)))
        start = 0
        for field in self.fields:
            if field.kind == "category":
                code = rows[:, start : start + field.size].argmax(axis=1)
                compact[:, field.index] = (code - self.shift[field.index]) * self.factor[field.index]
                start += field.size
            else:
                compact[:, field.index] = rows[:, start]
                start += 1
        return compact

"""Adapter for models of other libraries, which know rows of numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus import preprocessing
from isthmus.capabilities import Reconstructs, TakesEncoded, has
from isthmus.data import Data
from isthmus.encoded import Encoded
from isthmus.preprocessing import Features

__all__ = ["ForeignModel", "coder_of", "features_of"]

ROWS = 2048  # records that go through the model at once

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class ForeignModel:
    """Adapter of another library's fitted model, such as a transformer of scikit-learn, to encoded records.

    Records are flattened to rows, and each number is divided by its deviation in training.

    Parameters
    ----------
    model : fitted model
        With the method ``transform``, and for reconstructions ``reconstruct`` or ``inverse_transform``.
    data : Data
        Records that it was trained on: arrays, or pictures of one size.

    Attributes
    ----------
    features : Features
        Of the rows.
    """

    def __init__(self, model: Any, data: Data) -> None:
        self.model = model
        rows = isthmus_data.open(_rows(data))
        self.preprocessor_ = preprocessing.for_data(rows).fit(rows).rescale("standard")
        self.features = Features.of_rows(data.schema, int(self.preprocessor_.shape_[0] or 0))

    def encoded_blocks(self, data: Data) -> Iterator[Encoded]:
        """Yield records in blocks, flattened."""
        for start, block in data.chunks(ROWS):
            records = data.subset(np.arange(start, start + len(block)))
            yield self._encoded(_rows(records), records)

    def codes_of(self, records: Encoded) -> Float32:
        """Return the codes of encoded records, (n, d)."""
        return np.asarray(self.model.transform(_rows_of(records)), np.float32)

    def crossed(self, records: Encoded) -> tuple[Float32, Encoded]:
        """Return the codes of encoded records, and what these stand for."""
        rows = _rows_of(records)
        codes = self.model.transform(rows)
        back = self.model.reconstruct(rows) if has(self.model, Reconstructs) else self.model.inverse_transform(codes)
        return np.asarray(codes, np.float32), self._encoded(back, records.source)

    def decoded(self, codes: Float32) -> Encoded:
        """Return the records that codes stand for."""
        return self._encoded(self.model.inverse_transform(codes))

    def log_probs(self, records: Encoded) -> Float64:
        """Return what the model's ``score_samples`` says of encoded records, (n,)."""
        return np.asarray(self.model.score_samples(_rows_of(records)), np.float64)

    def _encoded(self, rows: Any, source: Data | None = None) -> Encoded:
        rows = np.asarray(rows).reshape(len(rows), -1)
        return Encoded(self.preprocessor_.encode(rows), self.preprocessor_, source)


def coder_of(model: Any, data: Data | None = None) -> Any:
    """Return what encodes and decodes records for a fitted model; one of another library learns the scale from data."""
    return model if data is None or has(model, TakesEncoded) else ForeignModel(model, data)


def features_of(coder: Any) -> Features:
    """Return the features of the records that a model, or what stands for it, encodes."""
    return coder.features if isinstance(coder, ForeignModel) else Features.of(coder.preprocessor_)


def _rows(data: Data) -> NDArray[Any]:
    """Return records as rows of numbers."""
    return np.asarray(data.chunk(0, len(data))).reshape(len(data), -1)


def _rows_of(records: Encoded) -> NDArray[Any]:
    """Return the rows that encoded records came from, in their own units."""
    return _rows(records.source)  # type: ignore[arg-type]  # those of a foreign model always have one

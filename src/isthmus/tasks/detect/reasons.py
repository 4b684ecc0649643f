"""Which features make a record odd, and what was expected instead.

Rows and tables: each of the features that are farthest from their reconstruction is replaced by what the model fills in
from the others, as :func:`isthmus.tasks.inpaint` does, a category by each of its values in turn; those whose best
replacement makes the record most usual come first. A reconstruction alone would blame the wrong ones: one wild value
moves the code, and all expected values.

Pictures and texts, of which no one value makes a record odd: the values farthest from what the record's code stands
for, or the nearest usual code where it lies too far out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.density import CodeDensity
from isthmus.tasks.detect.scores import Residuals
from isthmus.tasks.records import Reader
from isthmus.tasks.restore import inpaint_blocks

__all__ = ["Reason", "from_repairs", "from_residuals"]

CANDIDATES = 5  # features that a replacement is tried for, at least
ROUNDING = 1e-6  # relative, of values that are the same as 32-bit floats
DIGITS, MOST_DIGITS = 4, 17  # of a number that is shown
NUMBERS = 2**22  # in the records that are filled at once

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """One feature of a record that is not as expected.

    Parameters
    ----------
    name : str
        Of the feature: a column, a pixel.
    value : object
        What the record has there.
    expected : object
        What the model expects there.
    share : float
        Of all that was found to make the record odd, in [0, 1].
    """

    name: str
    value: Any
    expected: Any
    share: float

    def __str__(self) -> str:
        """Return it as a person reads it."""
        value, expected = _written_apart(self.value, self.expected)
        return f"{self.name} {value} (expected {expected})"

    @property
    def says_something(self) -> bool:
        """Whether the value is another than the expected one, by more than 32-bit floats are rounded by."""
        if isinstance(self.value, float) and isinstance(self.expected, int | float):
            return not abs(self.value - self.expected) <= ROUNDING * max(abs(self.value), abs(self.expected))
        return bool(self.value != self.expected)


def from_repairs(
    model: Any, reader: Reader, residuals: Residuals, score: Callable[[Data], Float64], data: Data, k: int
) -> list[list[Reason]]:
    """Return the ``k`` features of each row whose replacement makes it most usual.

    Parameters
    ----------
    model : fitted model
        Of arrays or tables.
    reader : Reader
    residuals : Residuals
        By which candidates are chosen.
    score : callable
        Of rows, higher for more usual ones.
    data : Data
    k : int
    """
    features = reader.features
    parts = np.concatenate([_by_feature(reader, residuals.parts(reader, x, r)) for x, r in reader.pairs(data)])
    candidates = np.argsort(-parts, axis=1, kind="stable")[:, : max(k, CANDIDATES)]
    before, columns = score(data), _columns(features, data)
    # Every row once for each of its candidates, so that the model is asked once for all of them.
    n, most = candidates.shape
    many = data.subset(np.repeat(np.arange(n), most))
    marked = np.zeros((n * most, len(data.schema.columns) or len(features)), bool)
    marked[np.arange(n * most), columns[candidates.ravel()]] = True
    asked, gained = iter(candidates.ravel().tolist()), []
    told: list[Any] = []
    for block in inpaint_blocks(model, many, marked, rows=max(1, NUMBERS // len(features))):
        gained.append(_scores(score, data, block))
        told += [reader.cell(block, row, feature) for row, feature in zip(range(len(block)), asked, strict=False)]
    gains = np.concatenate(gained).reshape(n, most) - before[:, None]
    expected = np.empty(candidates.shape, object)
    expected.ravel()[:] = told
    for place, which in enumerate(candidates.T):
        for feature in np.unique(which):
            rows = np.flatnonzero(which == feature)
            if (values := reader.categories(feature)) is not None:
                best, expected[rows, place] = _best_category(score, data, rows, int(columns[feature]), values)
                gains[rows, place] = best - before[rows]
    order = np.argsort(-gains, axis=1, kind="stable")
    shares = np.maximum(gains, 0) / np.maximum(np.maximum(gains, 0).sum(axis=1, keepdims=True), 1e-300)
    block = data.chunk(0, len(data))
    return [
        _first(
            k,
            (
                Reason(
                    features[candidates[row, place]].name,
                    reader.cell(block, row, candidates[row, place]),
                    expected[row, place],
                    float(shares[row, place]),
                )
                for place in places
            ),
        )
        for row, places in enumerate(order.tolist())
    ]


def _first(k: int, reasons: Iterable[Reason]) -> list[Reason]:
    """Return the first ``k`` reasons in which something else was expected than there is."""
    return list(islice((reason for reason in reasons if reason.says_something), k))


def _scores(score: Callable[[Data], Float64], data: Data, block: Any) -> Float64:
    """Return the scores of a block of records like those of ``data``."""
    return score(isthmus_data.open(isthmus_data.restore(block, data.schema)))


def _best_category(
    score: Callable[[Data], Float64], data: Data, rows: NDArray[np.int64], column: int, values: Any
) -> tuple[Float64, list[Any]]:
    """Return the best score that each row has with another category in a column, and that category."""
    import pyarrow as pa

    block = data.take(np.repeat(rows, len(values)))
    field = block.schema.field(column)
    every = pa.chunked_array([values.cast(getattr(field.type, "value_type", field.type))] * len(rows))
    every = every.dictionary_encode() if pa.types.is_dictionary(field.type) else every
    scores = _scores(score, data, block.set_column(column, field.name, every.cast(field.type))).reshape(len(rows), -1)
    best = scores.argmax(axis=1)
    return scores.max(axis=1), [values[int(index)].as_py() for index in best]


def from_residuals(
    reader: Reader,
    residuals: Residuals,
    density: CodeDensity,
    radius: float,
    codes: Float32,
    data: Data,
    k: int,
) -> list[list[Reason]]:
    """Return the ``k`` features of each record that are farthest from what was expected, the farthest first.

    Parameters
    ----------
    reader : Reader
    residuals : Residuals
        In whose units distances are measured.
    density : CodeDensity
        Where usual codes are.
    radius : float
        How far from its Gaussian's mean a usual code is, in deviations. Codes farther out are pulled back to there.
    codes : array, shape (n, d)
        Of the records.
    data : Data
    k : int
    """
    features, usual = reader.features, _pulled_back(density, codes, radius)
    found = []
    for start, block in data.chunks():
        expected = reader.decoded(usual[start : start + len(block)])
        parts = _by_feature(reader, residuals.parts(reader, reader.numbers(block), reader.numbers(expected)))
        shares = parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
        for row, most in enumerate(np.argsort(-parts, axis=1, kind="stable")):
            told = (
                Reason(
                    features[i].name, reader.cell(block, row, i), reader.cell(expected, row, i), float(shares[row, i])
                )
                for i in most.tolist()
            )
            found.append(_first(k, told))
    return found


def _by_feature(reader: Reader, parts: Float64) -> Float64:
    """Return e_j summed over the encoded numbers of each feature, (b, features)."""
    places = [feature.place for feature in reader.features]
    numbers = np.concatenate([np.arange(place.start, place.stop) for place in places])
    starts = np.cumsum([0, *(place.stop - place.start for place in places[:-1])])
    return np.asarray(np.add.reduceat(parts[:, numbers], starts, axis=1))


def _columns(features: list[Any], data: Data) -> NDArray[np.int64]:
    """Return which column of the data each feature is."""
    places = {column.name: index for index, column in enumerate(data.schema.columns)}
    return np.array([places[feature.name] for feature in features] if places else range(len(features)))


def _pulled_back(density: CodeDensity, codes: Float32, radius: float) -> Float32:
    """Return codes, those too far from the mean of their likeliest Gaussian moved towards it until they are not."""
    middle, distance = density.middles(codes)
    shrink = np.minimum(1.0, radius / np.maximum(distance, 1e-30))
    return np.asarray(middle + (codes.astype(np.float64) - middle) * shrink[:, None], np.float32)


def _written_apart(value: Any, expected: Any) -> tuple[str, str]:
    """Return two values as a person reads them, with as many digits as tell them apart."""
    for digits in range(DIGITS, MOST_DIGITS + 1):
        both = _written(value, digits), _written(expected, digits)
        if both[0] != both[1]:
            break
    return both


def _written(value: Any, digits: int) -> str:
    if value is None:
        return "empty"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)

"""Which features make a record anomalous, and what was expected instead.

Rows and tables: each of the features that are farthest from their reconstruction is replaced by what the model fills in
from the others, as :func:`isthmus.tasks.inpaint` does, a category by each of its values in turn; those whose best
replacement makes the record most normal come first. A reconstruction alone would blame the wrong ones: one extreme
value moves the code, and all expected values.

Pictures and texts, where no single value makes a record anomalous: the values farthest from the reconstruction, or
from that of the nearest normal code where the record's own code is an outlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.density import CodeDensity
from isthmus.encoded import Encoded
from isthmus.preprocessing import Features
from isthmus.tasks.detect.scores import Residuals
from isthmus.tasks.restore import refine

__all__ = ["Crossed", "Reason", "from_repairs", "from_residuals"]

ROUNDS = 3  # in which one feature is filled in: of a row of which all else is known, more change nothing
CANDIDATES = 5  # features that a replacement is tried for, at least
ROUNDING = 1e-6  # relative, of values that are the same as 32-bit floats
DIGITS, MOST_DIGITS = 4, 17  # of a number that is shown
NUMBERS = 2**22  # in the records that are filled at once
MAX_CATEGORIES = 20  # values of a column up to which each of them is tried in a row

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Crossed = tuple[Any, Encoded]  # codes and reconstructions


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
        Of all that was found to make the record anomalous, in [0, 1].
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
    model: Any,
    features: Features,
    residuals: Residuals,
    score: Callable[..., Float64],
    records: Encoded,
    k: int,
) -> list[list[Reason]]:
    """Return the ``k`` features of each row whose replacement makes it most normal.

    Parameters
    ----------
    model : fitted model
        Of arrays or tables.
    features : Features
    residuals : Residuals
        By which candidates are chosen.
    score : callable
        Of encoded rows, and of their codes and reconstructions where these are known; higher for more normal ones.
    records : Encoded
    k : int
    """
    crossed = model.crossed(records)
    parts = features.totals(residuals.parts(features, records.scaled, crossed[1].snapped().scaled))
    candidates = np.argsort(-parts, axis=1, kind="stable")[:, : max(k, CANDIDATES)]
    n, most = candidates.shape
    gains, expected = np.empty(n * most), np.empty(n * most, object)
    before, rows, which = score(records, crossed), np.repeat(np.arange(n), most), candidates.ravel()
    is_category = np.array([_tried(features, feature) for feature in range(len(features))])[which]
    for some, replaced in (
        (np.flatnonzero(is_category), _best_categories),
        (np.flatnonzero(~is_category), _repaired),
    ):
        for part in np.array_split(some, -(-len(some) * len(features) // NUMBERS)) if len(some) else ():
            best, values = replaced(model, features, score, records, rows[part], which[part])
            gains[part], expected[part] = best - before[rows[part]], values
    gains, expected = gains.reshape(n, most), expected.reshape(n, most)
    order = np.argsort(-gains, axis=1, kind="stable")
    shares = np.maximum(gains, 0) / np.maximum(np.maximum(gains, 0).sum(axis=1, keepdims=True), 1e-300)
    block = records.block() if records.source is None else records.source.chunk(0, n)
    return [
        _first(
            k,
            (
                Reason(
                    features.names[feature := candidates[row, place]],
                    features.cell(block, row, feature),
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


def _tried(features: Features, feature: int) -> bool:
    """Tell whether a feature is a category of which each value is tried."""
    values = features.categories_of(feature)
    return values is not None and 0 < len(values) <= MAX_CATEGORIES


def _repaired(
    model: Any,
    features: Features,
    score: Callable[[Encoded], Float64],
    records: Encoded,
    rows: NDArray[np.int64],
    which: NDArray[np.int64],
) -> tuple[Float64, list[Any]]:
    """Return the scores of rows in which one feature each is filled in from the others, and what was filled in."""
    holes = features.columns == which[:, np.newaxis]
    filled = refine(model, records.take(rows), holes, iterations=ROUNDS, starts=("mean",))
    block = filled.block()
    return score(filled), [features.cell(block, row, feature) for row, feature in enumerate(which)]


def _best_categories(
    model: Any,
    features: Features,
    score: Callable[[Encoded], Float64],
    records: Encoded,
    rows: NDArray[np.int64],
    which: NDArray[np.int64],
) -> tuple[Float64, list[Any]]:
    """Return the best score of rows with each category of one feature each, and that category."""
    values = [features.categories_of(feature) for feature in which.tolist()]
    counts = [len(its) for its in values]
    starts = np.cumsum([0, *counts])
    codes = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    tried = records.take(np.repeat(rows, counts))
    tried.array[np.arange(starts[-1]), np.repeat(np.searchsorted(features.columns, which), counts)] = codes
    scores = np.split(score(tried), starts[1:-1])
    best = [int(its.argmax()) for its in scores]
    return np.array([its.max() for its in scores]), [its[code].as_py() for its, code in zip(values, best, strict=True)]


def from_residuals(
    coder: Any,
    features: Features,
    residuals: Residuals,
    density: CodeDensity,
    radius: float,
    records: Encoded,
    k: int,
) -> list[list[Reason]]:
    """Return the ``k`` features of each record that are farthest from what was expected, the farthest first.

    Parameters
    ----------
    coder : fitted model, or what stands for it
    features : Features
    residuals : Residuals
        In whose units distances are measured.
    density : CodeDensity
        Where usual codes are.
    radius : float
        How far from its Gaussian's mean a usual code is, in deviations. Codes farther out are pulled back to there.
    records : Encoded
    k : int
    """
    expected = coder.decoded(_pulled_back(density, coder.codes_of(records), radius)).snapped()
    parts = features.totals(residuals.parts(features, records.scaled, expected.scaled))
    shares = parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
    block = records.block() if records.source is None else records.source.chunk(0, len(records))
    other = expected.block()
    told = []
    for row, most in enumerate(np.argsort(-parts, axis=1, kind="stable")):
        reasons = (
            Reason(features.names[i], features.cell(block, row, i), features.cell(other, row, i), float(shares[row, i]))
            for i in most.tolist()
        )
        told.append(_first(k, reasons))
    return told


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

"""Held-out scores of a model: log-likelihood and error of each record, block by block, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.cli import inputs

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data
    from isthmus.report.comparison import Comparison

__all__ = ["Scores", "comparison_to", "rows_of_reference", "score", "scored"]

Float64 = NDArray[np.float64]
REFERENCE = 20_000  # records that say what a table's columns spread like


@dataclass(frozen=True)
class Scores:
    """The scores of records.

    Parameters
    ----------
    nats : ndarray, shape (n,)
        Log-likelihood of each, higher is better.
    errors : ndarray, shape (n,)
        Error of each reconstruction, lower is better.
    dimensions : ndarray, shape (n,)
        Values in each record.
    error_name, error_unit : str
        What the error is.
    """

    nats: Float64
    errors: Float64
    dimensions: Float64
    error_name: str
    error_unit: str

    def document(self) -> dict[str, Any]:
        """Return the means with their 95 % intervals, as JSON values."""
        bits = -self.nats / (np.log(2.0) * self.dimensions)
        return {
            "records": len(self.nats),
            "nats_per_record": _interval(self.nats),
            "bits_per_dimension": _interval(bits),
            "error": {"name": self.error_name, "unit": self.error_unit, **(_interval(self.errors) or {})},
        }

    def lines(self) -> list[str]:
        """Return the means with their 95 % intervals, for people."""
        found = self.document()
        rows = [
            ("log-likelihood", found["nats_per_record"], "nats a record, higher is better"),
            ("", found["bits_per_dimension"], "bits per dimension, lower is better"),
            (self.error_name, found["error"], "a record, lower is better"),
        ]
        return [f"{name:16}{_number(mean)}  {unit}" for name, mean, unit in rows]


def score(model: Model, data: Data, reference: Data | None = None) -> Scores:
    """Score every record; memory does not grow with their number.

    Parameters
    ----------
    model : Model
        Fitted.
    data : Data
        Records of its shape.
    reference : Data, optional
        Records whose spread is the unit of a table's errors; by default ``data``.
    """
    usual = data if reference is None else reference
    comparison = comparison_to(model, data, usual.take(rows_of_reference(len(usual))))
    parts = list(scored(model, data, comparison))
    nats, errors, dimensions = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Scores(nats, errors, dimensions, comparison.title, comparison.unit)


def rows_of_reference(n: int) -> NDArray[np.int64]:
    """Return which of n records say how columns spread."""
    return np.unique(np.linspace(0, n - 1, min(n, REFERENCE)).astype(int))


def comparison_to(model: Model, data: Data, reference: Any) -> Comparison:
    """Return how records are set beside their reconstructions, with the spread of a reference, a block of records."""
    from isthmus.report.comparison import comparison_for

    return comparison_for(data, reference, list(getattr(model.preprocessor_, "set_aside_", ())))


def scored(model: Model, data: Data, comparison: Comparison) -> Iterator[tuple[Float64, Float64, Float64]]:
    """Yield log-likelihood, error and number of values of the records, block by block."""
    for block in inputs.blocks(data):
        original, records = block.chunk(0, len(block)), model.encoded(block)
        errors = comparison.errors(original, model.reconstructed(records).block())
        yield model.log_probs(records), errors, comparison.dimensions(original)


def _interval(values: Float64) -> dict[str, float] | None:
    """Return a mean with its bootstrap interval; None where no value is finite."""
    from isthmus.metrics import bootstrap_interval

    known = values[np.isfinite(values)]
    if not len(known):
        return None
    found = bootstrap_interval(known)
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _number(found: dict[str, Any] | None) -> str:
    from isthmus.report.formatting import interval, number

    if not found or "mean" not in found:
        return number(None)
    ends = interval(found) if np.isfinite(found["low"]) else ""
    return f"{number(found['mean']):>10}" + (f"  (95 % {ends})" if ends else "")

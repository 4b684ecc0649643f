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

__all__ = ["REFERENCE", "Scores", "Scoring", "comparison_to", "score", "scored"]

Float64 = NDArray[np.float64]
MOST = 1_000_000  # records whose scores are kept for means and intervals
DRAWN = 10_000  # means of neighbours that an interval is drawn from
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
    of : int, optional
        How many records there are, where these are evenly spaced ones of them.
    in_runs : bool, default=False
        Whether they are runs of neighbours from among very many: intervals are then of means of neighbours.
    """

    nats: Float64
    errors: Float64
    dimensions: Float64
    error_name: str
    error_unit: str
    of: int | None = None
    in_runs: bool = False

    @property
    def is_part(self) -> bool:
        """Whether there are more records than scores."""
        return self.of is not None and self.of > len(self.nats)

    def document(self) -> dict[str, Any]:
        """Return the means with their 95 % intervals, as JSON values."""
        bits = -self.nats / (np.log(2.0) * self.dimensions)
        return {
            "records": len(self.nats),
            **({"of": self.of} if self.is_part else {}),
            "nats_per_record": _interval(self.nats, self.in_runs),
            "bits_per_dimension": _interval(bits, self.in_runs),
            "error": {"name": self.error_name, "unit": self.error_unit, **(_interval(self.errors, self.in_runs) or {})},
        }

    def lines(self) -> list[str]:
        """Return the means with their 95 % intervals, for people."""
        found = self.document()
        rows = [
            ("log-likelihood", found["nats_per_record"], "nats a record, higher is better"),
            ("", found["bits_per_dimension"], "bits per dimension, lower is better"),
            (self.error_name, found["error"], "a record, lower is better"),
        ]
        lines = [f"{name:16}{_number(mean)}  {unit}" for name, mean, unit in rows]
        of = f"means and intervals are of {len(self.nats):,} of these records, evenly spaced"
        return [*lines, of] if self.is_part else lines


def score(model: Model, data: Data, reference: Data | None = None) -> Scores:
    """Score records, of more than 1,000,000 so many that lie evenly among all.

    Parameters
    ----------
    model : Model
        Fitted.
    data : Data
        Records of its shape.
    reference : Data, optional
        Records whose spread is the unit of a table's errors; by default ``data``.
    """
    from isthmus.data.looking import some_places

    chosen = data if len(data) <= MOST else data.subset(some_places(data, MOST))
    scoring = Scoring(model, chosen, data if reference is None else reference, of=len(data))
    for _ in scoring:
        pass
    return scoring.scores()


class Scoring:
    """Scores of all records, block by block; of very many an evenly spaced part is kept for means and intervals.

    Parameters
    ----------
    model, data
        As in :func:`score`.
    reference : Data
        As in :func:`score`.
    of : int, optional
        How many records there are, where ``data`` are some of them.
    """

    def __init__(self, model: Model, data: Data, reference: Data, of: int | None = None) -> None:
        self.model, self.data, self.of = model, data, len(data) if of is None else of
        self.comparison = comparison_to(model, data, reference.take(reference.spread(REFERENCE)))
        self._kept: list[tuple[Float64, Float64, Float64]] = []

    def __iter__(self) -> Iterator[dict[str, Float64]]:
        """Yield log-likelihood and error of each record of a block."""
        stride, start = -(-len(self.data) // MOST), 0
        for found in scored(self.model, self.data, self.comparison):
            nats, errors, dimensions = (part[(-start) % stride :: stride] for part in found)
            self._kept.append((nats, errors, dimensions))
            start += len(found[0])
            yield {"log_likelihood": found[0], "error": found[1]}

    def scores(self) -> Scores:
        """Return the scores, when all blocks were yielded."""
        from isthmus.data.rows import Rows

        nats, errors, dimensions = (np.concatenate(part) for part in zip(*self._kept, strict=True))
        in_runs = isinstance(self.data.rows, Rows)
        return Scores(nats, errors, dimensions, self.comparison.title, self.comparison.unit, self.of, in_runs)


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


def _interval(values: Float64, in_runs: bool) -> dict[str, float] | None:
    """Return a mean with its bootstrap interval; None where no value is finite.

    Of runs of neighbours means of a few are drawn again, so that neighbours may be alike, and very many take no time.
    """
    from isthmus.metrics import bootstrap_interval

    known = values[np.isfinite(values)]
    if not len(known):
        return None
    together = len(known) // DRAWN if in_runs else 1
    drawn = known[: len(known) // together * together].reshape(-1, together).mean(1) if together > 1 else known
    found = bootstrap_interval(drawn)
    return {"mean": float(known.mean()) if together > 1 else found.mean, "low": found.low, "high": found.high}


def _number(found: dict[str, Any] | None) -> str:
    from isthmus.report.formatting import interval, number

    if not found or "mean" not in found:
        return number(None)
    ends = interval(found) if np.isfinite(found["low"]) else ""
    return f"{number(found['mean']):>10}" + (f"  (95 % {ends})" if ends else "")

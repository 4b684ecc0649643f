"""Distributions of the columns of new records, and of pairs of columns, compared with real ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import metrics
from isthmus.report.baselines import spaced
from isthmus.report.comparison import column_numbers
from isthmus.report.measurement import Measurement

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["compare"]

MAX_COLUMNS = 40  # columns that are compared, which makes 780 pairs
MAX_ROWS = 2000
BINS = 24
BARS = 8  # categories of a column that are told apart; the others are one
DRAWN = 12  # columns whose distributions are kept and drawn, those met worst
WORST_PAIRS = 5


def compare(found: Measurement, block: Any, random_state: int) -> dict[str, Any] | None:
    """Return how well columns and pairs of columns are met, and the distributions of those met worst.

    Parameters
    ----------
    found : Measurement
        The scored records, which are the real ones here.
    block : pyarrow.Table or ndarray, shape (n, columns)
        New records.
    random_state : int
        Of the halves that real records are divided into, where there are no training records to set them beside.

    Returns
    -------
    dict or None
        ``shapes`` and ``pairs``, each with ``score`` from 0 to 1 and ``real``, what real records reach against real
        ones: as many training records as there are new ones or, where ``halves``, one half of them against the other;
        ``worst_pairs``; ``columns``. None where there are too many columns.
    """
    names = found.column_names()
    if len(names) > MAX_COLUMNS or len(block) < 2 or len(found.data) < 4:
        return None
    real, new = (_as_table(some, names) for some in (found.original, block))
    real = real.take(spaced(len(real), MAX_ROWS))
    shapes, pairs = metrics.column_shapes(real, new), metrics.pair_trends(real, new)
    others = None if found.train is None else found.train.take(spaced(len(found.train), len(new)))
    real_scores = _of_real(real, None if others is None else _as_table(others, names), random_state)
    worst = sorted(pairs.pairs, key=lambda pair: pair.score)[:WORST_PAIRS]
    return {
        "n_real": len(real),
        "halves": others is None,
        "shapes": {"score": shapes.score, "real": real_scores[0]},
        "pairs": {"score": pairs.score, "real": real_scores[1]},
        "worst_pairs": [{"first": pair.first, "second": pair.second, "score": pair.score} for pair in worst],
        "columns": [
            {
                "name": shape.name,
                "score": shape.score,
                "missing_real": shape.missing_real,
                "missing_new": shape.missing_synthetic,
                **(_bins if shape.kind == "number" else _bars)(real.column(shape.name), new.column(shape.name)),
            }
            for shape in sorted(shapes.columns, key=lambda shape: shape.score)[:DRAWN]
        ],
    }


def _as_table(block: Any, names: list[str]) -> pa.Table:
    """Return the columns of these names as an Arrow table."""
    import pyarrow as pa

    return block.select(names) if hasattr(block, "select") else pa.table(list(np.asarray(block).T), names=names)


def _of_real(real: pa.Table, others: pa.Table | None, random_state: int) -> tuple[float, float]:
    """Return what other real records score for columns and for pairs: halves of one set, where there are no others."""
    if others is not None:
        return metrics.column_shapes(real, others).score, metrics.pair_trends(real, others).score
    shapes = metrics.real_baseline(metrics.column_shapes, real, random_state=random_state)
    return shapes.score, metrics.real_baseline(metrics.pair_trends, real, random_state=random_state).score


def _bins(real: pa.ChunkedArray, new: pa.ChunkedArray) -> dict[str, Any]:
    """Return the shares of numbers in bins over the range of the real ones, those beyond in the bins at the ends."""
    x, y = column_numbers(real), column_numbers(new)
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    edges = _edges(low, high, whole=bool((x == np.rint(x)).all()))
    shares = [np.histogram(np.clip(some, edges[0], edges[-1]), edges)[0] / max(len(some), 1) for some in (x, y)]
    ends = [_as_time(real, edge) for edge in (low, high)]
    return {
        "kind": "number",
        "edges": edges.tolist(),
        "ends": ends if None not in ends else None,
        "real": shares[0].tolist(),
        "new": shares[1].tolist(),
    }


def _edges(low: float, high: float, *, whole: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the edges of bins; as many whole numbers in each, so that none is higher for holding more of them."""
    if whole and high - low < 1e9:
        width = math.ceil((high - low + 1.0) / BINS)
        return np.arange(low - 0.5, high + width, width)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _as_time(column: pa.ChunkedArray, value: float) -> str | None:
    """Return the date that a number stands for, None where it is no date."""
    import pyarrow as pa

    if not pa.types.is_temporal(column.type):
        return None
    whole = pa.array([int(value)], pa.int32() if column.type.bit_width == 32 else pa.int64())
    return str(whole.cast(column.type)[0].as_py())[:16].removesuffix(" 00:00")


def _bars(real: pa.ChunkedArray, new: pa.ChunkedArray) -> dict[str, Any]:
    """Return the shares of the most frequent categories, and of all others together."""
    counts = [_counted(column) for column in (real, new)]
    values = sorted({*counts[0], *counts[1]}, key=lambda value: (-counts[0].get(value, 0), value))
    kept, others = values[:BARS], values[BARS:]
    found: dict[str, Any] = {"kind": "category", "values": kept + (["others"] if others else [])}
    for name, count in zip(("real", "new"), counts, strict=True):
        total = max(sum(count.values()), 1)
        shares = [count.get(value, 0) / total for value in kept]
        found[name] = shares + ([sum(count.get(value, 0) for value in others) / total] if others else [])
    return found


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each category occurs, by its text."""
    counted = column.drop_null().value_counts().to_pylist()
    return {str(pair["values"]): int(pair["counts"]) for pair in counted}

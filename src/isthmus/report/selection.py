"""Choice of the records that a report shows: a random sample, the worst ones, and the points of scatter plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.report.facts import scalar
from isthmus.report.measurement import Measurement
from isthmus.report.sample import Sample

__all__ = ["MAX_CELLS", "cells", "sample", "worst"]

SHOWN = 10  # records that are drawn, and as many of the worst
POINTS = 2000  # codes in a scatter
MAX_TEXT = 400  # bytes of a text
MAX_CELLS = 8  # columns of a row that is shown whole

Float64 = NDArray[np.float64]


def worst(found: Measurement, numbers: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return the records with the largest error, worst first; none that came back exactly.

    Parameters
    ----------
    found : Measurement
        The scored records.
    numbers : ndarray of int, shape (n,)
        Which rows of the source they are, counted from 0.

    Returns
    -------
    list of dict
        ``index`` and ``error``; ``name``, ``label`` and ``pca_error`` where known; for arrays and tables the
        ``columns`` that contribute most, for texts both sides.
    """
    return [_described(found, int(index), numbers) for index in _worst_rows(found)]


def sample(found: Measurement, numbers: NDArray[np.int64], rng: np.random.Generator) -> Sample:
    """Return the arrays that the pictures are drawn from.

    Parameters
    ----------
    found : Measurement
        The scored records.
    numbers : ndarray of int, shape (n,)
        Which rows of the source they are, counted from 0.
    rng : numpy.random.Generator
        Chooses what is shown.
    """
    count, labels = len(found.data), found.data.labels
    shown = np.sort(rng.choice(count, min(SHOWN, count), replace=False))
    points = np.sort(rng.choice(count, min(POINTS, count), replace=False))
    scores, shares = metrics.principal_components(found.codes)
    return Sample(
        kind=found.data.schema.kind,
        errors={found.titles[name]: found.errors[name] for name in ("model", "pca", "mean") if name in found.errors},
        shown=_pairs(found, shown, numbers),
        worst=_pairs(found, _worst_rows(found), numbers),
        scores=scores[points],
        shares=shares,
        labels=None if labels is None else np.asarray(labels)[points],
        variance=found.codes.var(axis=0),
        parity=_parity(found, points) if found.data.schema.kind == "array" else None,
    )


def _worst_rows(found: Measurement) -> NDArray[np.int64]:
    errors = found.errors["model"]
    order = np.argsort(-errors, kind="stable")[:SHOWN]
    return order[errors[order] > 0.0]


def _described(found: Measurement, index: int, numbers: NDArray[np.int64]) -> dict[str, Any]:
    data = found.data
    record: dict[str, Any] = {"index": int(numbers[index]), "error": float(found.errors["model"][index])}
    if data.names is not None:
        record["name"] = str(data.names[index])
    if data.labels is not None:
        record["label"] = scalar(data.labels[index])
    if "pca" in found.errors:
        record["pca_error"] = float(found.errors["pca"][index])
    if data.schema.kind in ("array", "table"):
        record["columns"] = _worst_columns(found, index)
    if data.schema.kind == "text":
        record["original"] = found.original[index][:MAX_TEXT].decode("utf-8", "replace")
        record["reconstruction"] = found.blocks["model"][index][:MAX_TEXT].decode("utf-8", "replace")
    return record


def _worst_columns(found: Measurement, index: int) -> list[dict[str, Any]]:
    """Return the columns that contribute most to one record's error, with both values."""
    original, reconstruction = _one(found.original, index), _one(found.blocks["model"], index)
    errors = found.column_errors(original, reconstruction)[0]
    names, total = found.column_names(), float(errors.sum()) or 1.0
    return [
        {
            "name": names[column],
            "original": _cell(original, names[column], int(column)),
            "reconstruction": _cell(reconstruction, names[column], int(column)),
            "share": float(errors[column] / total),
        }
        for column in np.argsort(-errors, kind="stable")[:3]
        if errors[column] > 0.005 * total
    ]


def cells(block: Any, row: int, names: Sequence[str]) -> list[Any]:
    """Return the values of one record of an Arrow table or an array: its columns of these names, or its first ones."""
    return [_cell(_one(block, row), name, column) for column, name in enumerate(names)]


def _one(block: Any, index: int) -> Any:
    """Return one record of an Arrow table or an array as a block."""
    return block.slice(index, 1) if hasattr(block, "slice") else block[index : index + 1]


def _cell(block: Any, name: str, column: int) -> Any:
    return scalar(block.column(name)[0].as_py() if hasattr(block, "column") else block[0, column])


def _pairs(found: Measurement, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> list[tuple[Any, Any, str]]:
    """Return originals, reconstructions and captions of some images or texts."""
    if found.data.schema.kind not in ("image", "text"):
        return []
    labels = found.data.labels
    captions = [f"record {numbers[row]}" if labels is None else str(labels[row]) for row in rows]
    block = found.blocks["model"]
    return [(found.original[row], block[row], caption) for row, caption in zip(rows, captions, strict=True)]


def _parity(found: Measurement, points: NDArray[np.int64]) -> tuple[Float64, Float64, list[str], list[float]]:
    """Return originals and reconstructions of the six columns that vary most, their names and explained shares."""
    variance = found.original.var(axis=0, dtype=np.float64)
    columns = np.argsort(-variance, kind="stable")[:6]
    x = found.original[:, columns].astype(np.float64)
    y = np.asarray(found.blocks["model"])[:, columns].astype(np.float64)
    lost = np.square(x - y).mean(axis=0)
    explained = 1.0 - lost / np.where(variance[columns] > 0.0, variance[columns], 1.0)
    names = found.column_names()
    return x[points], y[points], [names[column] for column in columns], explained.tolist()

"""Verb ``impute``: fill missing cells, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, jobs, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.tasks import ColumnFit, Imputation

__all__ = ["impute"]

DEFAULT_MODEL = "model.safetensors"
SHOWN = 5  # columns of a table that are told of, those with most filled cells
WORTH_TELLING = 0.1  # weight from which a filling is named


def impute(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    intervals: str | None = None,
    mask: str | None = None,
    level: float = 0.9,
    draws: int = 50,
    model: str | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
    job: Mapping[str, Any],
) -> Result:
    """Fill missing cells, each with an interval; observed cells come back exactly as they were.

    Each column of a table is filled by what the model and regressions on the other columns say together. Cells whose
    value is known are hidden to see how far each is off, which decides what counts how much, and how wide intervals
    are. Pictures are filled by the model alone.

    Parameters
    ----------
    model : str
        The file of a fitted model. By default model.safetensors where there is one; without it a denoising autoencoder
        is trained on DATA.
    data : str
        Records with missing cells: a table, an array with NaNs, or pictures with a mask.
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet; a name without suffix is a folder of images, which keep their names.
        Of other records a name that ends in / is a folder of parts, each filled from its own rows and the model, which
        all processors work on, and which a second run completes.
    intervals : str
        Write every filled cell here, with the ends of its interval: .csv, .tsv or .parquet.
    mask : str
        What to fill: not zero where a value is missing. An image or .npy of the shape of one record or of all, or a
        table of zeros and ones. Without it the empty cells of a table, and NaNs, are filled.
    level : float
        Share of the intervals that are to hold the true value.
    draws : int
        Of each missing cell, for models that draw.
    seed : int
        Of draws, of the cells that are hidden, of regressions and of the training.

    Examples
    --------
    isthmus impute survey.csv -m model.safetensors -o complete.csv --intervals intervals.csv
    isthmus impute photo.png -m photos.safetensors --mask scratches.png -o whole.png
    """
    from isthmus import data as isthmus_data
    from isthmus import tasks
    from isthmus.checks.jobs import one_file_for

    if jobs.is_asked("impute", output, model or DEFAULT_MODEL, job):
        one_file_for("impute", intervals=intervals, mask=mask)
        settings = {"level": level, "draws": draws, "seed": seed, "device": device}
        file = model or DEFAULT_MODEL
        return jobs.run(terminal, "impute", data, file, output, job, force=force, opening=opening, **settings)
    model = DEFAULT_MODEL if model is None and Path(DEFAULT_MODEL).exists() else model
    fitted = None if model is None else inputs.load_model(model, device)
    holes = _array_with_holes(data) if mask is None else None
    records = inputs.open_for(terminal, fitted, data, opening) if holes is None else isthmus_data.open(holes[0])
    schema = records.schema if fitted is None else fitted.schema_
    path = outputs.check_records_output(output, force, schema)
    told = None if intervals is None else outputs.check_output(intervals, force, outputs.TABLES, "--intervals")
    marked = mask if holes is None else holes[1]
    found = tasks.impute(fitted, records, marked, level=level, draws=draws, random_state=seed, device=device or "auto")
    filled = isthmus_data.open(found.records)
    names = records.names if records.schema.kind == "image" else None
    blocks = [filled.chunk(0, len(filled))]
    outputs.write_records(
        path, len(filled), blocks, filled.schema, names, side_columns=records.side_columns, force=force
    )
    if told is not None:
        outputs.write_columns(told, iter([_cells(schema, found)]), None, force=force)
    cells, rows = int(found.marked.sum()), int(found.marked.reshape(len(filled), -1).any(axis=1).sum())
    document: dict[str, Any] = {
        "output": output,
        "intervals": intervals,
        "model": model,
        "records": len(filled),
        "cells": cells,
        "level": level,
    }
    lines = [f"{output}: {counted(len(filled), 'record')}, {counted(cells, 'cell')} filled, in {rows:,} of them"]
    lines += [f"{model}: the model" if model else "a denoising autoencoder was trained on the records"]
    if found.marked.ndim == 2:
        document["columns"], document["filling"], told_of = _by_column(found)
        lines += told_of
    if intervals is not None:
        lines.append(f"{intervals}: each filled cell, and the interval that holds it {100 * level:g} % of the time")
    return Result(document, lines)


def _array_with_holes(path: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the array of a .npy file with zeros in the place of NaNs, and where they were; None of all other data."""
    if Path(path).suffix.lower() != ".npy" or not Path(path).is_file():
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None  # opening the data raises the error
    if array.dtype.kind != "f" or not (missing := np.isnan(array)).any():
        return None
    return np.where(missing, 0, array).astype(array.dtype), missing


def _cells(schema: Schema, found: Imputation) -> dict[str, np.ndarray]:
    """Return the filled cells, one a row: where they are, their value, both ends of the interval, and the chance."""
    where = np.nonzero(found.marked)
    if schema.kind == "table":
        ends = [_strings(records, where) for records in (found.records, found.low, found.high)]
        places = {"row": where[0], "column": np.asarray([c.name for c in schema.columns])[where[1]]}
    else:
        ends = [np.asarray(records)[where] for records in (found.records, found.low, found.high)]
        names = ("y", "x", "channel") if schema.kind == "image" else ("column",)
        places = {"row": where[0], **dict(zip(names, where[1:], strict=False))}
    return {**places, "value": ends[0], "low": ends[1], "high": ends[2], "chance": found.chance[where]}


def _strings(records: Any, where: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return cells of a table as they are written in a file."""
    from isthmus import data as isthmus_data

    table = isthmus_data.open(records)
    block = table.chunk(0, len(table))
    cells = np.empty(len(where[0]), dtype=object)
    for index, column in enumerate(block.columns):
        its = where[1] == index
        cells[its] = [None if value is None else str(value) for value in column.take(where[0][its]).to_pylist()]
    return cells


def _by_column(found: Imputation) -> tuple[dict[str, int], dict[str, Any], list[str]]:
    """Return how many cells of each column were filled; by what, and how far off that is; and the same as lines."""
    from isthmus import data as isthmus_data

    schema = isthmus_data.open(found.records).schema
    names = [column.name for column in schema.columns] or list(schema.names)
    names = names or [f"column {index}" for index in range(found.marked.shape[1])]
    fits = {fit.name: fit for fit in found.columns}
    counts = found.marked.sum(axis=0)
    most = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    rows = [(names[i], f"{counts[i]:,}", *_told(fits.get(names[i])), _mean(found.chance[:, i])) for i in most[:SHOWN]]
    left = [f"and {len(most) - SHOWN} more columns"] if len(most) > SHOWN else []
    header = ("column", "filled", "by", "error", "of the mean", "chance")
    filling = {names[i]: _figures(fits.get(names[i])) for i in most}
    table = columns(header, rows) if rows else []
    return {names[i]: int(counts[i]) for i in most}, filling, [*table, *left]


def _told(fit: ColumnFit | None) -> tuple[str, str, str]:
    """Return what a column was filled by, the error in hidden cells, and that of the mean or most frequent value."""
    if fit is None:
        return "model", "-", "-"
    by = sorted((name for name in fit.weights if fit.weights[name] >= WORTH_TELLING), key=lambda n: -fit.weights[n])
    error, baseline = (f"{figure:.3g}" if fit.hidden else "-" for figure in (fit.error, fit.baseline_error))
    return " + ".join(by) or "mean", error, baseline


def _mean(chances: np.ndarray) -> str:
    """Return the mean of the chances that are known."""
    known = chances[np.isfinite(chances)]
    return f"{known.mean():.2f}" if len(known) else "-"


def _figures(fit: ColumnFit | None) -> dict[str, Any]:
    """Return the same for machines; without a figure where no cell was hidden."""
    if fit is None:
        return {"weights": {"model": 1.0}}
    told: dict[str, Any] = {"weights": fit.weights, "hidden": fit.hidden}
    return told | ({"error": fit.error, "error_of_the_mean": fit.baseline_error} if fit.hidden else {})

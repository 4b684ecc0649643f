"""The verb that fills missing cells and says how sure that is: impute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import sinks, sources
from isthmus.cli.terminal import Result, Terminal, columns, counted

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.tasks import Imputation

__all__ = ["impute"]

SHOWN = 5  # columns of a table that are told of, those with most filled cells


def impute(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    intervals: str | None = None,
    mask: str | None = None,
    level: float = 0.9,
    draws: int = 50,
    model: str = "model.safetensors",
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Fill missing cells, each with an interval; observed cells come back exactly as they were.

    A model that draws, such as one fitted with --model vae, knows best how far a cell may lie from what it was filled
    with; for any other that is found by hiding cells whose value is known.

    Parameters
    ----------
    data : str
        Records with missing cells: a table, an array with NaNs, or pictures with a mask.
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet; a name without suffix is a folder of images, which keep their names.
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
        Of draws, and of the cells that are hidden.

    Examples
    --------
    isthmus impute survey.csv -m model.safetensors -o complete.csv --intervals intervals.csv
    isthmus impute photo.png -m photos.safetensors --mask scratches.png -o whole.png
    """
    from isthmus import data as isthmus_data
    from isthmus import tasks

    fitted = sources.load_model(model, device)
    path = sinks.check_records_output(output, force, fitted.schema_)
    told = None if intervals is None else sinks.check_output(intervals, force, sinks.TABLES, "--intervals")
    records = sources.open_for(terminal, fitted, data, opening)
    found = tasks.impute(fitted, records, mask, level=level, draws=draws, random_state=seed)
    filled = isthmus_data.open(found.records)
    names = records.names if records.schema.kind == "image" else None
    sinks.write_records(path, len(filled), [filled.chunk(0, len(filled))], filled.schema, names, force=force)
    if told is not None:
        sinks.write_columns(told, iter([_cells(fitted, found)]), None, force=force)
    cells, rows = int(found.marked.sum()), int(found.marked.reshape(len(filled), -1).any(axis=1).sum())
    document: dict[str, Any] = {
        "output": output,
        "intervals": intervals,
        "records": len(filled),
        "cells": cells,
        "level": level,
    }
    lines = [f"{output}: {counted(len(filled), 'record')}, {counted(cells, 'cell')} filled, in {rows:,} of them"]
    if filled.schema.kind == "table":
        document["columns"], told_of = _by_column(found)
        lines += told_of
    if intervals is not None:
        lines.append(f"{intervals}: each filled cell, and the interval that holds it {100 * level:g} % of the time")
    return Result(document, lines)


def _cells(fitted: Model, found: Imputation) -> dict[str, np.ndarray]:
    """Return the filled cells, one a row: where they are, their value, both ends of the interval, and the chance."""
    where = np.nonzero(found.marked)
    if fitted.schema_.kind == "table":
        ends = [_strings(records, where) for records in (found.records, found.low, found.high)]
        places = {"row": where[0], "column": np.asarray([c.name for c in fitted.schema_.columns])[where[1]]}
    else:
        ends = [np.asarray(records)[where] for records in (found.records, found.low, found.high)]
        names = ("y", "x", "channel") if fitted.schema_.kind == "image" else ("column",)
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


def _by_column(found: Imputation) -> tuple[dict[str, int], list[str]]:
    """Return how many cells of each column were filled, and the same as lines."""
    from isthmus import data as isthmus_data

    names = [column.name for column in isthmus_data.open(found.records).schema.columns]
    counts = found.marked.sum(axis=0)
    most = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    rows = [(names[index], f"{counts[index]:,}", f"{np.nanmean(found.chance[:, index]):.2f}") for index in most[:SHOWN]]
    left = [f"and {len(most) - SHOWN} more columns"] if len(most) > SHOWN else []
    return {names[i]: int(counts[i]) for i in most}, [*columns(("column", "filled", "chance"), rows), *left]

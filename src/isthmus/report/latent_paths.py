"""Paths in latent space: interpolation between two records, and traversal of one unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.capabilities import Decodes, Quantises, has, has_prior
from isthmus.report.measurement import Measurement
from isthmus.report.selection import MAX_CELLS, cells
from isthmus.tasks.generate import REACH, interpolate, traverse

__all__ = ["between", "moved", "text", "why_not"]

STEPS, STEPS_OF_ROWS = 9, 5  # on a way, both ends included: of pictures, and of rows and texts
PAIRS, PAIRS_OF_ROWS = 4, 1
UNITS = 6
RECORDS = 500  # whose codes say how far a unit goes
CHANGED = 4  # columns told of a unit, those that change most
NOTICED = 1e-4  # squared deviations: a column that changes by less than a hundredth of its deviation does not change
MAX_TEXT = 120

Rows = list[list[NDArray[Any]]]


def between(model: Any, found: Measurement, random_state: int) -> tuple[Rows, dict[str, Any] | None]:
    """Return what lies between some pairs of the scored records.

    Parameters
    ----------
    model : fitted model
        Left alone where its codes are no quantities, or cannot be decoded.
    found : Measurement
        The scored records.
    random_state : int
        Of the choice of pairs.

    Returns
    -------
    pictures : list of list of ndarray
        A row for each pair: the one record, the steps, the other; none of other records than images.
    document : dict or None
        ``path``, ``steps`` and ``pairs``: row numbers of the scored records, and rows or texts themselves.
    """
    if why_not(model) or len(found.data) < 2:
        return [], None
    is_image = found.data.schema.kind == "image"
    steps, most = (STEPS, PAIRS) if is_image else (STEPS_OF_ROWS, PAIRS_OF_ROWS)
    path = "spherical" if has_prior(model) else "linear"
    count = min(most, len(found.data) // 2)
    ends = np.random.default_rng(random_state).choice(len(found.data), (count, 2), replace=False)
    pictures: Rows = []
    pairs = []
    for one, other in ends.tolist():
        records = interpolate(model, found.data.subset([one, other]), steps, path)
        block = isthmus_data.to_block(records, found.data.schema)
        pairs.append({"from": _number(found, one), "to": _number(found, other)} | _shown(found, block))
        if is_image:
            pictures.append([found.original[one], *block, found.original[other]])
    return pictures, {"path": path, "steps": steps, "pairs": pairs}


def moved(model: Any, found: Measurement) -> tuple[Rows, dict[str, Any] | None]:
    """Return what a typical record becomes as each of the units that vary most is moved.

    Parameters
    ----------
    model : fitted model
        Left alone where its codes are no quantities, or cannot be decoded.
    found : Measurement
        The scored records, whose codes say how far a unit goes.

    Returns
    -------
    pictures : list of list of ndarray
        A row for each unit; none of other records than images.
    document : dict or None
        ``record``, ``reach`` in deviations, ``units``: number of the unit, and what changes in rows or texts.
    """
    if why_not(model) or len(found.data) < 2 or not found.codes.std(axis=0).any():
        return [], None
    is_image = found.data.schema.kind == "image"
    steps = STEPS if is_image else 2
    centred = found.codes[:RECORDS] - found.codes[:RECORDS].mean(axis=0)
    row = int(np.square(centred).sum(axis=1).argmin())  # the most typical one
    some = found.data.subset(np.arange(len(centred)))
    records, units = traverse(model, some, steps, min(UNITS, found.codes.shape[1]), row)
    block = isthmus_data.to_block(records, found.data.schema)
    rows = [slice(place * steps, (place + 1) * steps) for place in range(len(units))]
    pictures = [list(block[part]) for part in rows] if is_image else []
    document: dict[str, Any] = {"record": _number(found, row), "reach": REACH, "steps": steps}
    document["units"] = [
        {"unit": unit} | _change(found, block, part.start) for unit, part in zip(units, rows, strict=True)
    ]
    return pictures, document


def why_not(model: Any) -> str | None:
    """Return why there are no paths through the codes of a model; None where there are."""
    if has(model, Quantises):
        return (
            "Codes are entries of a codebook, which have no order: there is nothing between two of them, so no paths "
            "from record to record are shown, and no moves of units."
        )
    if not has(model, Decodes):
        return "The model decodes no codes, so no paths from record to record are shown, and no moves of units."
    return None


def _number(found: Measurement, row: int) -> int:
    return int(row if found.data.rows is None else found.data.rows[row])


def _shown(found: Measurement, block: Any) -> dict[str, Any]:
    """Return rows or texts for the page, nothing of pictures."""
    if found.data.schema.kind == "image":
        return {}
    if found.data.schema.kind == "text":
        return {"texts": [text(record) for record in block]}
    names = found.column_names()[:MAX_CELLS]
    return {"columns": names, "rows": [cells(block, row, names) for row in range(len(block))]}


def _change(found: Measurement, block: Any, start: int) -> dict[str, Any]:
    """Return what the low and the high end of a unit differ in, nothing of pictures."""
    if found.data.schema.kind == "image":
        return {}
    if found.data.schema.kind == "text":
        return {"texts": [text(record) for record in block[start : start + 2]]}
    names = found.column_names()
    errors = found.column_errors(block[start : start + 1], block[start + 1 : start + 2])[0]
    low, high = cells(block, start, names), cells(block, start + 1, names)
    chosen = [column for column in np.argsort(-errors, kind="stable")[:CHANGED].tolist() if errors[column] > NOTICED]
    return {"columns": [{"name": names[column], "low": low[column], "high": high[column]} for column in chosen]}


def text(record: bytes) -> str:
    """Return the beginning of a text."""
    return record[:MAX_TEXT].decode("utf-8", "replace")

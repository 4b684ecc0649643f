"""Paths in latent space: interpolation between two records, and traversal of one unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.capabilities import Decodes, Quantises, has, has_prior
from isthmus.report.measurement import Measurement
from isthmus.report.views import view_of
from isthmus.tasks.generate import REACH, interpolate, traverse

__all__ = ["between", "moved", "why_not"]

UNITS = 6
RECORDS = 500  # whose codes say how far a unit goes

Rows = list[list[NDArray[Any]]]


def between(model: Any, found: Measurement, random_state: int) -> tuple[Rows, dict[str, Any] | None]:
    """Return records on paths between some pairs of the scored records.

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
    view, path = view_of(found), "spherical" if has_prior(model) else "linear"
    count = min(view.paths, len(found.data) // 2)
    ends = np.random.default_rng(random_state).choice(len(found.data), (count, 2), replace=False)
    pictures: Rows = []
    pairs = []
    for one, other in ends.tolist():
        records = interpolate(model, found.data.subset([one, other]), view.steps, path)
        block = isthmus_data.to_block(records, found.data.schema)
        pairs.append({"from": _number(found, one), "to": _number(found, other)} | view.each(block))
        on_the_way = view.pictures(block, range(view.steps))
        pictures.append(view.pictures(found.original, [one]) + on_the_way + view.pictures(found.original, [other]))
    return [row for row in pictures if row], {"path": path, "steps": view.steps, "pairs": pairs}


def moved(model: Any, found: Measurement) -> tuple[Rows, dict[str, Any] | None]:
    """Return the decoded records of a typical record as each of the most variable units is changed.

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
    view = view_of(found)
    steps = view.unit_steps
    centred = found.codes[:RECORDS] - found.codes[:RECORDS].mean(axis=0)
    row = int(np.square(centred).sum(axis=1).argmin())  # the most typical one
    some = found.data.subset(np.arange(len(centred)))
    records, units = traverse(model, some, steps, min(UNITS, found.codes.shape[1]), row)
    block = isthmus_data.to_block(records, found.data.schema)
    rows = [range(place * steps, (place + 1) * steps) for place in range(len(units))]
    pictures = [drawn for part in rows if (drawn := view.pictures(block, part))]
    document: dict[str, Any] = {"record": _number(found, row), "reach": REACH, "steps": steps}
    document["units"] = [
        {"unit": unit} | view.change(block, part.start) for unit, part in zip(units, rows, strict=True)
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

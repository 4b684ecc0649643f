"""New records that a model draws, beside the real ones that they are nearest to: whether they are copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.errors import DataError, ParameterError
from isthmus.metrics.neighbours import nearest
from isthmus.report import marginals, paths
from isthmus.report.measurement import Measurement
from isthmus.report.showing import MAX_CELLS, cells
from isthmus.report.wording import number, percent
from isthmus.tasks.symptoms.case import Case
from isthmus.tasks.symptoms.finding import NotKnownError
from isthmus.tasks.symptoms.output import memorised_records, missing_variety, share_nearer_to_seen

__all__ = ["Generation", "generate"]

DRAWN, DRAWN_ROWS = 400, 2000  # pictures drawn, and rows: marginals of few rows are mostly chance
MAX_VALUES = 20_000_000  # numbers in what is drawn (160 MB in float64), which means fewer records where these are large
FEWEST = 20
TEXTS = 10
# Share of new records identical to one trained on, from which they are copies: where hardly any held-out record is. Of
# rows of a few categories, which repeat by chance, it says nothing.
IDENTICAL = 0.05
MAX_CODE = 256  # numbers in a code to which a mixture of Gaussians with full covariances is fitted in a second or two
SHOWN, SHOWN_ROWS = 10, 5  # new records that are drawn beside their nearest ones: pictures, and rows of a table

Float64 = NDArray[np.float64]
Pairs = list[tuple[Any, Any, str]]


@dataclass(slots=True)
class Generation:
    """What a report shows of new records.

    Parameters
    ----------
    document : dict
        The figures, and the records themselves where they are rows or texts.
    new, closest : list of (record, nearest real record, caption)
        Pictures drawn at random, and of all drawn those nearest to a real one.
    distances : dict of str to ndarray, shape (n,)
        From each record of a kind to the nearest training record.
    between, moved : list of list of ndarray
        Pictures: a row for each path from one record to another, and for each unit that is moved.
    """

    document: dict[str, Any]
    new: Pairs = field(default_factory=list)
    closest: Pairs = field(default_factory=list)
    distances: dict[str, Float64] = field(default_factory=dict)
    between: list[list[Any]] = field(default_factory=list)
    moved: list[list[Any]] = field(default_factory=list)


def generate(model: Any, found: Measurement, random_state: int) -> Generation | None:
    """Draw new records, and set them beside real ones.

    Parameters
    ----------
    model : fitted model
        What it lacks (``sample``, ``inverse_transform``, codes of one size) is left out.
    found : Measurement
        The scored records, and those of the fit where they are at hand.
    random_state : int
        Seed of everything drawn.

    Returns
    -------
    Generation or None
        None for models that draw nothing, or would take long.
    """
    if not _draws(model, found):
        return None
    try:
        block = found.comparison.block(model.sample(_count(found), random_state=random_state))
    except ParameterError as error:
        found.notes.append(f"No new records are shown: {error}")
        return None
    document = {"n": len(block), "has_prior": _has_prior(model), "how": _how(model), "nearest": None, "columns": None}
    made = Generation(document | {"note": paths.why_not(model)})
    _add_neighbours(made, model, found, block, random_state)
    made.between, made.document["between"] = paths.between(model, found, random_state)
    made.moved, made.document["units"] = paths.moved(model, found)
    if found.data.schema.kind in ("array", "table"):
        made.document["columns"] = marginals.compare(found, block, random_state)
    if found.data.schema.kind == "text":
        made.document["texts"] = [paths.text(record) for record in block]
    return made


def _draws(model: Any, found: Measurement) -> bool:
    """Whether a model draws records of one size, and in a second or two."""
    known = callable(getattr(model, "sample", None)) and None not in found.data.schema.shape
    return (
        known and None not in getattr(model, "code_shape_", ()) and (_has_prior(model) or found.code_size <= MAX_CODE)
    )


def _has_prior(model: Any) -> bool:
    return bool(getattr(model, "has_prior", False))


def _how(model: Any) -> str:
    name = type(model).__name__
    if _has_prior(model):
        return f"{name} draws the codes of new records from its own prior."
    return (
        f"{name} has no prior of codes: those of new records are drawn from a mixture of Gaussians that was fitted, "
        f"after training, to codes of records that it was trained on."
    )


def _count(found: Measurement) -> int:
    kind = found.data.schema.kind
    if kind == "text":
        return TEXTS
    values = float(found.comparison.dimensions(found.original[:1]).mean())
    return int(max(FEWEST, min(DRAWN if kind == "image" else DRAWN_ROWS, MAX_VALUES // max(values, 1.0))))


def _add_neighbours(made: Generation, model: Any, found: Measurement, block: Any, random_state: int) -> None:
    """Set new records beside the nearest of those trained on, or of the held-out ones where those are not at hand."""
    case = Case(model, found.data, found.train, random_state)
    try:
        case.samples = case.rows.forward(block)  # these are judged, and no others drawn
    except NotKnownError:
        return
    real = case.seen if case.train is not None else case.records
    matrix = case.seen_x if case.train is not None else case.x
    distances, indices = nearest(case.samples, matrix)
    title = "training" if case.train is not None else "held-out"
    document: dict[str, Any] = {"among": f"{title} records", "n": len(real), "distance": float(distances.mean())}
    document |= _judged(case)
    made.distances = {"new records": distances}
    if case.has_unseen:
        made.distances["held-out records"] = nearest(case.x, matrix)[0]
    shown = SHOWN if found.data.schema.kind == "image" else SHOWN_ROWS
    for name, rows in (("new", np.arange(min(shown, len(block)))), ("closest", np.argsort(distances)[:shown])):
        neighbours = real.take(indices[rows])
        document[name] = [
            _beside(found, block, int(row), neighbours, place) | {"distance": float(distances[row])}
            for place, row in enumerate(rows)
        ]
        if found.data.schema.kind == "image":
            captions = [number(float(distances[row]), 3) for row in rows]
            pairs = [(block[row], neighbours[place], captions[place]) for place, row in enumerate(rows)]
            setattr(made, name, pairs)
    made.document["nearest"] = document


def _beside(found: Measurement, block: Any, row: int, neighbours: Any, place: int) -> dict[str, Any]:
    """Return a new row and its nearest real one, column by column; nothing of pictures."""
    if found.data.schema.kind == "image":
        return {}
    names = found.column_names()[:MAX_CELLS]
    return {"columns": names, "new": cells(block, row, names), "nearest": cells(neighbours, place, names)}


def _judged(case: Case) -> dict[str, Any]:
    """Return whether new records are copies: by the doctor's finding, or because they are records trained on."""
    try:
        share = share_nearer_to_seen(case)
        found = metrics.memorisation(case.samples, case.seen_x, case.x, random_state=case.random_state)
    except (NotKnownError, DataError) as reason:
        return {"copies": None, "sentence": _not_known(case, str(reason))}
    collapsed = missing_variety(case)
    if collapsed is not None and found.copies <= IDENTICAL:  # one record over and over is near or far by chance
        return {"copies": None, "sentence": _not_known(case, collapsed.sentence)}
    ratio = found.ratio
    apart = (
        f"On average they are {ratio.mean:.2f} times as far from the nearest record trained on as held-out records are "
        f"(95 % interval {ratio.low:.2f} to {ratio.high:.2f})."
    )
    copies = _why_copies(case, found)
    said = f"They are copies: {copies}" if copies else f"They are no copies: {_by_chance(share)}"
    return {
        "copies": copies is not None,
        "sentence": f"{said} {apart}",
        "share_nearer": share,
        "identical": found.copies,
        "held_out_identical": found.held_out_copies,
        "ratio": {"mean": ratio.mean, "low": ratio.low, "high": ratio.high},
        "p_value": found.p_value,
    }


def _why_copies(case: Case, found: metrics.Memorisation) -> str | None:
    """Return what says that new records are copies, None where nothing does."""
    if found.copies > IDENTICAL > found.held_out_copies:
        return (
            f"{percent(found.copies, 0)} of them are identical to a record trained on, which "
            f"{percent(found.held_out_copies, 0)} of the held-out ones are."
        )
    finding = memorised_records(case)
    return None if finding is None else f"{finding.sentence} {finding.advice}"


def _by_chance(share: float) -> str:
    return (
        f"{percent(share, 0)} of them are nearer to a record trained on than to any of as many held-out ones, where "
        f"half would be by chance."
    )


def _not_known(case: Case, reason: str) -> str:
    if case.train is None:
        return (
            "Whether they are copies cannot be said: the records trained on are not at hand, so the nearest held-out "
            "ones are shown."
        )
    return f"Whether they are copies cannot be said: {reason[0].lower()}{reason[1:].rstrip('.')}."

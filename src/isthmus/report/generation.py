"""New records that a model draws, with the nearest real ones, and whether they are copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.capabilities import SamplesEncoded, has, has_prior
from isthmus.encoded import Encoded
from isthmus.errors import DataError, ParameterError
from isthmus.metrics.neighbours import nearest
from isthmus.metrics.samples import memorisation_from_distances
from isthmus.report import latent_paths
from isthmus.report.formatting import number, percent
from isthmus.report.measurement import Measurement
from isthmus.report.views import view_of
from isthmus.tasks.diagnose import copies
from isthmus.tasks.diagnose.examination import Examination
from isthmus.tasks.diagnose.finding import NotKnownError

__all__ = ["Generation", "generate"]

MAX_CODE = 256  # numbers in a code to which a mixture of Gaussians with full covariances is fitted in a second or two

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
    view = view_of(found)
    try:
        records = model.sampled(view.drawn(), random_state=random_state).snapped()
    except ParameterError as error:
        found.notes.append(f"No new records are shown: {error}")
        return None
    block = records.block()
    document = {"n": len(block), "has_prior": has_prior(model), "how": _how(model), "nearest": None, "columns": None}
    made = Generation(document | {"note": latent_paths.why_not(model)})
    _add_neighbours(made, model, found, records, block, random_state)
    made.between, made.document["between"] = latent_paths.between(model, found, random_state)
    made.moved, made.document["units"] = latent_paths.moved(model, found)
    made.document |= view.together(block, random_state)
    return made


def _draws(model: Any, found: Measurement) -> bool:
    """Whether a model draws records of one size, and in a second or two."""
    known = has(model, SamplesEncoded) and None not in found.data.schema.shape
    return known and None not in getattr(model, "code_shape_", ()) and (has_prior(model) or found.code_size <= MAX_CODE)


def _how(model: Any) -> str:
    name = type(model).__name__
    if has_prior(model):
        return f"{name} draws the codes of new records from its own prior."
    return (
        f"{name} has no prior of codes: those of new records are drawn from a mixture of Gaussians that was fitted, "
        f"after training, to codes of records that it was trained on."
    )


def _add_neighbours(
    made: Generation, model: Any, found: Measurement, records: Encoded, block: Any, random_state: int
) -> None:
    """Pair new records with the nearest training records, or held-out ones where those are not at hand."""
    examined = Examination(model, found.data, found.train, random_state)
    try:
        examined.check_rows()
    except NotKnownError:
        return
    examined.new_records = records  # these are judged, and no others drawn
    if examined.train is not None:
        title, real, near = "training", examined.train, examined.neighbours
        distances, indices, count = near.distances, near.indices, near.searched
    else:
        title, real, count = "held-out", examined.records, len(examined.records)
        distances, indices = nearest(examined.samples, examined.x)
    document: dict[str, Any] = {"among": f"{title} records", "n": count, "distance": float(distances.mean())}
    document |= _judged(examined)
    made.distances = {"new records": distances}
    if examined.has_unseen:
        made.distances["held-out records"] = examined.neighbours.held_out_distances
    view = view_of(found)
    for name, rows in (
        ("new", np.arange(min(view.shown, len(block)))),
        ("closest", np.argsort(distances)[: view.shown]),
    ):
        neighbours = real.take(indices[rows])
        document[name] = [
            view.pair(block, int(row), neighbours, place) | {"distance": float(distances[row])}
            for place, row in enumerate(rows)
        ]
        captions = [number(float(distances[row]), 3) for row in rows]
        pairs = zip(view.pictures(block, rows), view.pictures(neighbours, range(len(rows))), captions, strict=False)
        setattr(made, name, list(pairs))
    made.document["nearest"] = document


def _judged(examined: Examination) -> dict[str, Any]:
    """Return whether new records are copies, as the doctor finds."""
    try:
        found = copies.copying(examined)
        finding = copies.finding_of(examined, found)
        near = examined.neighbours
        ratio = memorisation_from_distances(
            near.distances, near.indices, near.held_out_distances, random_state=examined.random_state
        ).ratio
    except (NotKnownError, DataError) as reason:
        return {"copies": None, "sentence": _not_known(examined, str(reason))}
    no_copies = (
        f"{percent(found.share_nearer, 0)} of new records are nearer to one trained on than to any held out, and "
        f"{percent(found.by_chance, 0)} would be by chance."
    )
    said = f"They are no copies: {no_copies}"
    if finding is not None:
        said = f"They are copies: {finding.sentence} {finding.advice}"
    return {
        "copies": finding is not None,
        "sentence": f"{said} On average they are {ratio.mean:.2f} times as far from the nearest record trained on as "
        f"held-out records are (95 % interval {ratio.low:.2f} to {ratio.high:.2f}).",
        "share_nearer": found.share_nearer,
        "by_chance": found.by_chance,
        "identical": found.identical,
        "held_out_identical": found.held_out_identical,
        "ratio": {"mean": ratio.mean, "low": ratio.low, "high": ratio.high},
        "p_value": found.p_value,
    }


def _not_known(examined: Examination, reason: str) -> str:
    if examined.train is None:
        return (
            "Whether they are copies cannot be said: the records trained on are not at hand, so the nearest held-out "
            "ones are shown."
        )
    return f"Whether they are copies cannot be said: {reason[0].lower()}{reason[1:].rstrip('.')}."

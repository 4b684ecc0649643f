"""Evaluation of a fitted model on held-out records, with baselines."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, telling
from isthmus import data as isthmus_data
from isthmus.data import Data, Schema
from isthmus.report import explaining, facts, generation, selection
from isthmus.report.document import FORMAT, FORMAT_NUMBER, Report
from isthmus.report.formatting import number, percent
from isthmus.report.measurement import Measurement
from isthmus.version import __version__

__all__ = ["evaluate"]

MAX_VALUES = 30_000_000  # numbers that are measured at once (240 MB in float64)


@telling.tells
def evaluate(
    model: Any,  # keeps the contract of isthmus.base.Model
    X: Any,  # whatever isthmus.data.open takes
    y: Any = None,
    *,
    baseline_data: Any = None,
    n: int = 10_000,
    random_state: int = 0,
    samples: bool = True,
    command: str | None = None,
    notes: Iterable[str] = (),
) -> Report:
    """Score a fitted model on held-out records, and collect the content of a report.

    The reconstruction error is set beside three baselines on the same records: PCA with the model's code size, k-means
    with as many centres, and the mean record. They work on the scale that the model's network sees, and their output is
    rounded and clipped as the model's own. Means over records come with a 95 % bootstrap interval. No
    network is trained.

    Parameters
    ----------
    model : fitted model
        ``reconstruct`` and ``transform`` are needed; what else it has (``score_samples``, ``history_``, ...) is shown.
    X : array, data frame, path, or Data
        Held-out records.
    y : array of shape (n,), optional
        Their labels, where ``X`` does not bring them and there are any.
    baseline_data : array, data frame, path, or Data, optional
        Records that the baselines learn from, best those the model was fitted on. Without them each fifth of ``X``
        is given back by baselines that are fitted on the other four.
    n : int, default=10_000
        Records that are scored at most; a random choice where there are more, and fewer where they are large.
    random_state : int, default=0
        Seed of that choice, of the baselines, of the intervals and of new records.
    samples : bool, default=True
        Whether to draw new records, set them beside real ones, and show ways through the space of codes.
    command : str, optional
        The command line that made this report, for the report.
    notes : iterable of str, default=()
        Sentences to be shown with those about the data.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        The data cannot be used, or there are none.
    ParameterError
        ``n`` is not a whole number of at least 1.

    Examples
    --------
    >>> report = evaluate(model, X_test, baseline_data=X_train)  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    >>> report.write("report.html")  # doctest: +SKIP
    """
    checks.integer("evaluate", "n", n, low=1)
    everything = _open(X, model, y)
    checks.enough_records(everything, 1)
    rng = np.random.default_rng(random_state)
    chosen = _choose(everything, n, rng)
    train = None if baseline_data is None else _open(baseline_data, model)
    found = Measurement(model, everything.subset(chosen), train, random_state)
    rows, difference = found.rows()
    made = generation.generate(model, found, random_state) if samples else None
    meaning = explaining.about_meaning(model, found, random_state)
    numbers = chosen if everything.rows is None else np.asarray(everything.rows)[chosen]  # in the source
    scores = {
        "n": len(chosen),
        "level": found.level,
        "measures": found.measures(),
        "rows": rows,
        "difference_to_pca": difference,
        "likelihood": found.likelihood(),
    }
    document = {
        "format": FORMAT,
        "format_number": FORMAT_NUMBER,
        "created": _now().isoformat(timespec="seconds"),
        "isthmus": __version__,
        "data": facts.about_data(everything, found, [*everything.notes, *found.notes, *notes, *telling.sentences()])
        | {"held_out": not _was_fitted_on(model, everything)},
        "model": facts.about_model(model, found.code_size),
        "scores": scores,
        "columns": found.column_scores(),
        "codes": facts.about_codes(found),
        "meaning": None if meaning is None else explaining.told(meaning, found.data, numbers),
        "worst": selection.worst(found, numbers),
        "generation": None if made is None else made.document,
        "training": facts.about_training(model),
        "history": [dict(record) for record in getattr(model, "history_", [])],
        "commands": facts.commands(model, command),
    }
    document = facts.plain(document)
    document["verdict"] = _verdict(document)
    shown = selection.sample(found, numbers, rng)
    return Report(document, replace(shown, meaning=None if meaning is None else (meaning, found.data)), made)


def _open(source: Any, model: Any, labels: Any = None) -> Data:
    """Return records in the form that the model was fitted on."""
    schema: Schema | None = getattr(model, "schema_", None)
    varying = schema is not None and schema.kind == "image" and None in schema.shape
    sizes = "group" if varying and not isinstance(source, Data) else None
    data = isthmus_data.open(source, labels=labels, sizes=sizes, schema=schema)
    data = data if schema is None else isthmus_data.conform(data, schema, type(model).__name__)
    return telling.belongs(data, source)


def _was_fitted_on(model: Any, data: Data) -> bool:
    """Whether these are the records of the fit, or those that they were chosen from, as far as fingerprints tell."""
    split = getattr(model, "scores_", {}).get("split", {})  # models of other libraries have none
    known = {getattr(model, "provenance_", {}).get("fingerprint"), split.get("fingerprint")} - {None}
    return bool(known) and hasattr(model, "fingerprint") and model.fingerprint(data) in known


def _choose(data: Data, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows to score, in order: all of them, or a random choice where they are many or large."""
    numbers = int(np.prod([side or 512 for side in data.schema.shape]))
    limit = min(n, max(100, MAX_VALUES // max(numbers, 1)))
    if len(data) <= limit:
        return np.arange(len(data), dtype=np.int64)
    return np.sort(rng.choice(len(data), limit, replace=False)).astype(np.int64)


def _verdict(document: dict[str, Any]) -> str:
    """Return one sentence on the comparison that matters most."""
    name, scores = document["model"]["class"], document["scores"]
    where = f"On {scores['n']:,} held-out records"
    if not document["data"]["held_out"]:
        where = f"On {scores['n']:,} records of the fit"
    relative = (scores["difference_to_pca"] or {}).get("relative")
    if not relative:
        share = scores["rows"][0].get("share")
        error = f"{where} the error of {name} is"
        if share is None:
            return (
                f"{error} {number(scores['rows'][0]['error']['mean'])} a record; there is no baseline to set it beside."
            )
        return f"{error} {percent(share['mean'])} of what giving back the mean record costs."
    size, all_of_it = scores["rows"][1]["code_size"], scores["rows"][1]["code_size"] < document["model"]["code_size"]
    rival = f"PCA with all its {size} components" if all_of_it else f"PCA with the same code size ({size})"
    if relative["low"] is None or relative["low"] <= 0.0 <= relative["high"]:
        return f"{where} {name} cannot be told from {rival}: the interval of the difference includes 0."
    low, high = sorted(abs(relative[end]) for end in ("low", "high"))
    by = f"{percent(abs(relative['mean']), 0)} (95 % interval {100 * low:.0f} to {percent(high, 0)})"
    if relative["mean"] < 0.0:
        return f"{where} the error of {name} is lower than that of {rival} by {by}."
    return f"{where} the error of {name} is higher than that of {rival} by {by}: the linear method is better here."


def _now() -> datetime.datetime:
    """Return the time of the report; SOURCE_DATE_EPOCH fixes it, for files that are to be the same byte for byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = float(fixed) if fixed.isdigit() else datetime.datetime.now(datetime.UTC).timestamp()
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

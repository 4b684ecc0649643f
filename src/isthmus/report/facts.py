"""Facts about data, model and code in a report, besides scores, as JSON values."""

from __future__ import annotations

import datetime
import math
import shlex
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.data import Data, Schema
from isthmus.description import constructor_call
from isthmus.report.measurement import Measurement, likelihood_of

__all__ = ["about_codes", "about_data", "about_model", "about_training", "commands", "plain", "scalar"]

MAX_UNITS = 2048  # units whose spectrum and correlations are looked at

Float64 = NDArray[np.float64]


def about_data(data: Data, found: Measurement, notes: Sequence[str]) -> dict[str, Any]:
    """Return what the data are: kind, numbers of records, shape, types, classes, and sentences about them."""
    schema: Schema = data.schema
    labels = None
    if data.labels is not None:
        values, counts = np.unique(np.asarray(data.labels).astype(str), return_counts=True)
        common = np.argsort(-counts, kind="stable")[:20]
        labels = {"classes": len(values), "counts": {values[i]: int(counts[i]) for i in common}}
    return {
        "source": str(getattr(data, "source", "")),
        "kind": schema.kind,
        "n": len(data),
        "n_scored": len(found.data),
        "n_baseline": None if found.train is None else len(found.train),
        "shape": list(schema.shape),
        "dimensions": float(found.comparison.dimensions(found.original).mean()),
        "dtype": schema.dtype,
        "container": schema.container,
        "columns": [{"name": column.name, "type": column.type, "dtype": column.dtype} for column in schema.columns],
        "labels": labels,
        "notes": list(dict.fromkeys(notes)),
    }


def about_model(model: Any, code_size: int) -> dict[str, Any]:
    """Return what the model is: class, parameters, likelihood and its reason, weights, how and where it was fitted."""
    provenance = dict(getattr(model, "provenance_", {}))
    module = getattr(model, "module_", None)
    return {
        "class": type(model).__name__,
        "parameters": {name: scalar(value) for name, value in _parameters(model).items()},
        "likelihood": getattr(likelihood_of(model), "name", None),
        "likelihood_reason": str(getattr(model, "likelihood_reason_", "")),
        "n_weights": None if module is None else sum(weight.numel() for weight in module.parameters()),
        "code_shape": list(getattr(model, "code_shape_", (code_size,))),
        "code_size": code_size,
        "provenance": {name: scalar(value) for name, value in provenance.items() if name != "command"},
        "notes": list(dict.fromkeys(getattr(model, "notes_", []))),
    }


def about_codes(found: Measurement) -> dict[str, Any]:
    """Return how the code uses its units; spectra and correlations up to 2,048 units."""
    codes, unit_prior = found.codes, found.unit_prior
    variance = codes.var(axis=0)
    active = metrics.active_units(codes, relative=not unit_prior)
    threshold = 0.01 if unit_prior else 0.01 * float(variance.max())
    rule = "variance above 0.01" if unit_prior else "variance above 1 % of the largest"
    few = codes.shape[1] <= MAX_UNITS
    return {
        "units": codes.shape[1],
        "active": int(active.sum()),
        "rule": rule,
        "threshold": threshold,
        "effective_rank": metrics.effective_rank(codes) if few else None,
        "participation_ratio": metrics.participation_ratio(codes) if few else None,
        "mean_absolute_correlation": metrics.mean_absolute_correlation(codes) if few else None,
        "variance": variance[:MAX_UNITS].tolist(),
        "kl": _about_kl(found.unit_kl(), active),
        "level_kl": None if (levels := found.level_kl()) is None else levels.tolist(),
    }


def _about_kl(nats: Float64 | None, active: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Return what each unit says of the record, and whether it is active; classes beside a code have no part in it."""
    if nats is None:
        return None
    return {
        "total": float(nats.sum()),
        "nats": nats[:MAX_UNITS].tolist(),
        "active": active[: len(nats)][:MAX_UNITS].tolist(),
    }


def about_training(model: Any) -> dict[str, Any]:
    """Return what kind of training it was: what its curves are to be read by.

    Returns
    -------
    dict
        ``game``: whether players trained against each other; ``even``: both players' loss where neither wins, known of
        the relativistic game, in which a critic says of pairs which is real; ``keeps_best``: whether the weights are
        those of the lowest held-out loss.
    """
    history = getattr(model, "history_", [])
    game = bool(history) and "train_critic_loss" in history[-1]
    relativistic = _parameters(model).get("loss", "relativistic") == "relativistic"
    return {
        "game": game,
        "even": math.log(2.0) if game and relativistic else None,
        "keeps_best": bool(getattr(model, "stops_early", True)),
    }


def _parameters(model: Any) -> dict[str, Any]:
    return dict(model.get_params(deep=False)) if hasattr(model, "get_params") else {}


def commands(model: Any, command: str | None) -> dict[str, str]:
    """Return how the model was fitted and this report was made, as exactly as is known."""
    fitted = getattr(model, "provenance_", {}).get("command")
    if isinstance(fitted, list | tuple):
        fitted = shlex.join(map(str, fitted))
    found = {"fit": str(fitted) if fitted else f"{constructor_call(model)}.fit(X)"}
    return found | ({"report": command} if command else {})


def scalar(value: Any) -> Any:
    """Return a value as JSON has it, or as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [scalar(item) for item in value]
    if isinstance(value, dict):
        return {str(key): scalar(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return (
        str(value)
        if isinstance(value, bytes | Decimal | datetime.date | datetime.time | datetime.timedelta)
        else type(value).__name__
    )


def plain(value: Any) -> Any:
    """Return a document with JSON values only; NaN and infinity, which JSON lacks, become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    value = scalar(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Records that a fitted model was not trained on."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.data.rows import LISTED, RowNumbers, Rows

__all__ = ["divided_again", "division", "is_divided", "rows_not_trained_on"]


def rows_not_trained_on(model: Any, data: Data) -> NDArray[np.int64]:
    """Return the rows that a model was not trained on: those that its fit held out; all rows of other data.

    Parameters
    ----------
    model : fitted model
        One that cannot tell what it was fitted on (it lacks ``fingerprint`` or ``held_out_rows``) is taken at its word
        that these are other data.
    data : Data

    Returns
    -------
    ndarray of int64
        Row numbers, in order.
    """
    parts = divided_again(model, data)
    if parts is not None:
        train, test = parts
        return np.sort(np.concatenate([np.asarray(_rows(test)), _rows(train)[model.held_out_rows()]]))
    provenance = getattr(model, "provenance_", {})
    same = provenance.get("records") == len(data) and provenance.get("fingerprint") == model.fingerprint(data)
    return np.asarray(model.held_out_rows() if same else np.arange(len(data)), np.int64)


# ------------------------------------------------------------------ data that were divided before the fit


def division(model: Any, data: Data, test: Data, share: float, seed: int) -> dict[str, Any]:
    """Return what a model's ``scores_["split"]`` remembers, so that :func:`divided_again` finds the same records.

    Parameters
    ----------
    model : fitted model
    data : Data
        All records.
    test : Data
        Those that were kept away from the fit: the second part of :func:`isthmus.data.divide`.
    share : float
    seed : int
    """
    return {
        "share": share,
        "seed": seed,
        "records": len(data),
        "fingerprint": model.fingerprint(data),
        "rows": _digest(test),
        **({"runs": _runs(test)} if len(data) > LISTED else {}),
    }


def is_divided(model: Any, data: Data) -> bool:
    """Tell whether a model's fit divided these very data before."""
    record = model.scores_.get("split", {})
    return bool(record) and len(data) == record["records"] and model.fingerprint(data) == record["fingerprint"]


def divided_again(model: Any, data: Data) -> tuple[Data, Data] | None:
    """Return the records that a model was fitted on and those kept away from it; None of other data or other labels."""
    if not is_divided(model, data):
        return None
    record = model.scores_["split"]
    if "runs" in record:
        train, test = isthmus_data.without(data, Rows(*np.array(record["runs"], np.int64).reshape(-1, 2).T))
    else:
        train, test = isthmus_data.split(data, (1 - record["share"], record["share"]), random_state=record["seed"])
    return (train, test) if _digest(test) == record["rows"] else None


def _digest(data: Data) -> str:
    """Return the SHA-256 of the row numbers of a subset."""
    return hashlib.sha256(np.ascontiguousarray(_rows(data), np.int64).tobytes()).hexdigest()


def _runs(data: Data) -> list[list[int]]:
    """Return the row numbers of a subset as runs."""
    runs = Rows.of(_rows(data))
    found: list[list[int]] = np.stack([runs.starts, runs.stops], 1).tolist()
    return found


def _rows(data: Data) -> RowNumbers:
    return Rows.all(len(data)) if data.rows is None else data.rows

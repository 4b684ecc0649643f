"""Records that a fitted model was not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data import Data

__all__ = ["unseen_rows"]


def unseen_rows(model: Any, data: Data) -> NDArray[np.int64]:
    """Return which records a model was not trained on: those that its fit held out, of other data all.

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
    provenance = getattr(model, "provenance_", {})
    same = provenance.get("records") == len(data) and provenance.get("fingerprint") == model.fingerprint(data)
    return np.asarray(model.held_out_rows() if same else np.arange(len(data)), np.int64)

"""Arrays behind the pictures of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks.explain import Explanation

__all__ = ["Sample"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The arrays that a report's pictures are drawn from.

    Parameters
    ----------
    kind : str
        Of the records.
    errors : dict of str to ndarray, shape (n,)
        Error of every scored record by method, the model first.
    shown, worst : list of (original, reconstruction, caption)
        Images or texts chosen at random, and those with the largest error.
    scores : ndarray, shape (m, 2)
        Codes along their first two principal components.
    shares : ndarray, shape (2,)
        Fractions of the codes' variance along them.
    labels : ndarray, shape (m,) or None
        Classes of those records.
    variance : ndarray, shape (units,)
        Of every unit of the code over the scored records.
    parity : tuple of (originals, reconstructions, names, explained shares) or None
        For arrays: the columns that vary most.
    meaning : (Explanation, Data) or None
        What the code means, and the records that it was found in.
    """

    kind: str
    errors: dict[str, Float64]
    shown: list[tuple[Any, Any, str]]
    worst: list[tuple[Any, Any, str]]
    scores: Float64
    shares: Float64
    labels: NDArray[Any] | None
    variance: Float64
    parity: tuple[Float64, Float64, list[str], list[float]] | None
    meaning: tuple[Explanation, Data] | None = None

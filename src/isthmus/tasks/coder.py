"""A model and its codes of records, as the methods of a task receive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.capabilities import has
from isthmus.data import Data
from isthmus.documents import Stateful

__all__ = ["Coder", "is_own", "records_for"]


@dataclass(frozen=True)
class Coder:
    """A fitted model whose codes a method learns from.

    Parameters
    ----------
    model : fitted model
        Of isthmus, or any transformer of scikit-learn's.
    seed : int, default=0
        Of everything random in the task.
    owner : str, default="Coder"
        Who works with it, for the sentences of errors.
    verbose : int, default=0
        Whether a method that trains shows progress.
    """

    model: Any
    seed: int = 0
    owner: str = "Coder"
    verbose: int = 0

    def codes(self, data: Data) -> NDArray[np.float32]:
        """Return the codes of records: float32, shape (n, d).

        Raises
        ------
        ParameterError
            The model takes no records of this kind, or its codes differ in size.
        """
        codes = self.model.transform(records_for(self.model, data, self.owner))
        checks.codes_of_one_size(self.owner, codes)
        return np.asarray(codes, np.float32)


def records_for(model: Any, data: Data, owner: str) -> Any:
    """Return records in the form that a model takes: models of other libraries know rows of numbers only."""
    if is_own(model):
        return data
    checks.rows_of_numbers(owner, data.schema.kind, type(model).__name__)
    return np.asarray(data.chunk(0, len(data))).reshape(len(data), -1)


def is_own(model: Any) -> bool:
    """Tell whether a model takes records of every kind, as isthmus's do, and not arrays only."""
    return has(model, Stateful)

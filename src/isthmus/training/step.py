"""Input of a loss: one batch, the generator, and the share of the budget that is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """Input of a loss: one batch.

    The engine makes one for each player and each step, so two players of a step see the same records with augmentation
    drawn anew.

    Parameters
    ----------
    x : tensor, shape (b, *record)
        Records as the networks see them: scaled, and augmented in training where a model augments. Float32; int64 where
        records are codes of symbols (texts).
    rng : torch.Generator
        The only source of chance that a loss may use, on the device of ``x``. Augmentation has drawn from it before.
    labels : tensor, shape (b, ...), optional
        What the training has beside each record, on the device of ``x``: class numbers, or what
        :meth:`isthmus.base.Model.prepare` put into ``batches.labels``. None where there is nothing.
    share : float, default=1
        Share of the budget that was spent before this step, from 0 to 1: for schedules of a model's own. Held-out
        records have 1: they are scored with the objective as it is in the end.
    """

    x: Tensor
    rng: torch.Generator
    labels: Any = None  # a tensor or None; Any, because models that learn classes have some at every step
    share: float = 1.0

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width of pictures, which ``decode`` needs where sizes differ; () for records of other kinds."""
        return tuple(self.x.shape[2:])

"""The plan of a run, and its progress: the two parts of a checkpoint besides the tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from isthmus.training.stopping import Budget

__all__ = ["Plan", "Progress"]


@dataclass(frozen=True)
class Plan:
    """Settings of a run that are fixed before the first step.

    Parameters
    ----------
    budget : Budget
        Epochs and seconds.
    batch_size : int
        Records a step; ``gradient-descent`` takes all of them.
    optimizer : str
        A name of :data:`isthmus.training.optimizers.OPTIMIZERS`.
    learning_rate : float or None
        Peak rate; None for the optimiser's default.
    weight_decay : float
        L2.
    patience : int or None
        Epochs without a better held-out loss; None never stops early.
    precision : {"float32", "bfloat16"}
        Of matrix products; weights and losses are float32 always.
    keep_best : bool
        Whether the run ends with the weights of the lowest held-out loss, or with the last ones.
    seed : int
        Everything random follows from it.
    """

    budget: Budget
    batch_size: int
    optimizer: str = "muon"
    learning_rate: float | None = None
    weight_decay: float = 0.0
    patience: int | None = None
    precision: str = "float32"
    keep_best: bool = True
    seed: int = 0


@dataclass
class Progress:
    """Progress of a run; with the tensors, all that a checkpoint holds."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    batch_size: int = 0
    rate: float = 1.0  # divided by ten at each return
    bad: int = 0  # steps in a row without a finite loss
    returns: int = 0
    best: float | None = None  # lowest held-out loss
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

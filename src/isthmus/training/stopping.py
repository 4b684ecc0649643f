"""Stopping rules: budgets, and early stopping on a held-out loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["DEFAULT_STEPS", "Budget", "EarlyStopping", "default_epochs"]

DEFAULT_STEPS = 4000


def default_epochs(steps_per_epoch: int, default_steps: int = DEFAULT_STEPS) -> int:
    """Return the default number of epochs: about 4,000 steps, at least 5 epochs and at most 300."""
    return min(300, max(5, round(default_steps / steps_per_epoch)))


@dataclass(frozen=True)
class Budget:
    """Budget of a run, in steps and seconds.

    Parameters
    ----------
    epochs : float
        Passes over the records; a fraction ends in the middle of one.
    seconds : float or None
        Wall time; None for no limit.
    """

    epochs: float
    seconds: float | None = None

    def steps(self, steps_per_epoch: int) -> int:
        """Return the steps that the epochs amount to, at least 1."""
        return max(1, math.ceil(self.epochs * steps_per_epoch))

    def progress(self, step: int, total_steps: int, seconds: float) -> float:
        """Return the share that is spent, of steps or of seconds, whichever is larger, in [0, 1]."""
        share = step / total_steps
        if self.seconds is not None:
            share = max(share, seconds / self.seconds)
        return min(1.0, share)


@dataclass
class EarlyStopping:
    """Stops when the held-out loss has not fallen for some epochs.

    Parameters
    ----------
    patience : int
        Epochs without a new lowest loss after which to stop.
    """

    patience: int
    best: float = math.inf
    best_epoch: int = 0

    def is_best(self, loss: float, epoch: int) -> bool:
        """Take note of an epoch's held-out loss; tell whether it is the lowest so far."""
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch
            return True
        return False

    def is_over(self, epoch: int) -> bool:
        """Tell whether patience is at an end."""
        return epoch - self.best_epoch >= self.patience

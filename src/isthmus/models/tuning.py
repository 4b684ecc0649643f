"""What fits to a person's own pictures share: their parameters, what they show, and how weights came about."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from isthmus import checks, training
from isthmus.training.steps import Course, Plan, Progress, Record
from isthmus.version import __version__

__all__ = ["Fits", "check", "course_of", "precision_of", "provenance_of", "source_of"]

TOLD = 20  # steps after which progress is shown


class Fits(Protocol):
    """What is fitted by steps to pictures of one's own."""

    start: str | None
    max_steps: int
    max_seconds: float | None
    batch_size: int
    learning_rate: float | None
    precision: str
    verbose: int


class Own(Protocol):
    """Pictures of one's own."""

    @property
    def records(self) -> int:
        """How many were learned from."""

    @property
    def held_out_records(self) -> int:
        """How many judge it."""


def check(estimator: Fits) -> None:
    """Refuse parameters that are invalid for any data."""
    owner = type(estimator).__name__
    if estimator.start is not None:
        checks.choice(owner, "start", estimator.start, ("shipped",))
    checks.integer(owner, "max_steps", estimator.max_steps, low=1)
    checks.number(owner, "max_seconds", estimator.max_seconds, low=0, above=True, optional=True)
    checks.integer(owner, "batch_size", estimator.batch_size, low=1)
    checks.number(owner, "learning_rate", estimator.learning_rate, low=0, above=True, optional=True)
    checks.choice(owner, "precision", estimator.precision, ("auto", "float32", "bfloat16"))


def precision_of(estimator: Fits, device_type: str) -> str:
    """Return the precision of convolutions in training."""
    if estimator.precision != "auto":
        return estimator.precision
    return "bfloat16" if training.has_fast_bfloat16(device_type) else "float32"


def course_of(
    estimator: Fits,
    plan: Plan,
    checkpoint: str | os.PathLike[str] | None,
    held_out: Any,
    *,
    scored: Callable[[Record], str],
    learned: Callable[[float], str],
) -> Course:
    """Return how a run is watched, kept and ended.

    Parameters
    ----------
    estimator : Fits
    plan : Plan
    checkpoint : path or None
    held_out : Scoring or None
    scored, learned : callable
        Return a phrase for scores of held-out pictures, and for the moving mean of the loss.
    """

    def show(progress: Progress) -> None:
        line = f"step {progress.step:,} of {plan.steps:,}, {progress.seconds:.0f} s{_left(progress, plan, estimator)}"
        if progress.history and progress.history[-1]["step"] == progress.step:
            line += f": held-out pictures at {scored(progress.history[-1])}"
        elif progress.loss is not None:
            line += f": patches at {learned(progress.loss)}"
        print(line, file=sys.stderr, flush=True)

    return {
        "held_out": held_out,
        "max_seconds": estimator.max_seconds,
        "checkpoint": None if checkpoint is None else Path(checkpoint),
        "tell_after": TOLD,
        "tell": show if estimator.verbose else bool,
    }


def _left(progress: Progress, plan: Plan, estimator: Fits) -> str:
    """Return about how long a run still takes, as a phrase: as long for each step as until now."""
    left = progress.seconds / max(progress.step, 1) * (plan.steps - progress.step)
    if estimator.max_seconds is not None:
        left = min(left, estimator.max_seconds - progress.seconds)
    return f", about {left:.0f} s left" if progress.step and left > 0 else ""


def source_of(X: Any) -> str:
    """Return what pictures are called."""
    return os.fspath(X) if isinstance(X, str | os.PathLike) else getattr(X, "source", "X")


def provenance_of(estimator: Fits, plan: Plan, progress: Progress, own: Own, device: torch.device) -> dict[str, Any]:
    """Return how weights came about."""
    return {
        "isthmus": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "seed": plan.seed,
        "device": str(device),
        "precision": plan.precision,
        "threads": torch.get_num_threads(),
        "records": own.records,
        "held_out_records": own.held_out_records,
        "data": plan.data,
        "begun_with": plan.begun_with,
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "start": estimator.start,
    }

"""Callbacks: functions that watch a training run and may stop it."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.errors import UnavailableError
from isthmus.training import distributed

__all__ = ["Callback", "FitState", "MLflow", "TensorBoard"]

LOOKS = 20  # at the clock, between two checkpoints


@dataclass
class FitState:
    """State of a run, as a callback receives it.

    Parameters
    ----------
    epoch : int
        Epochs finished.
    step : int
        Steps taken.
    max_epochs : float
        Epochs allowed.
    progress : float
        Share of the budget (epochs or seconds, whichever is nearer its end) that is spent, in [0, 1].
    history : list of dict
        One record an epoch, the newest last: ``epoch, seconds, learning_rate, train_loss, validation_loss``,
        and every named term of either.
    settings : dict
        Device, precision, threads, batch size, number of records and of weights.
    checkpoint : callable
        ``checkpoint(path)`` writes everything that is needed to go on from here, also in the middle of an epoch. Where
        processes train together each of them must call it, and the first one writes.
    """

    epoch: int = 0
    step: int = 0
    max_epochs: float = 0.0
    progress: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    checkpoint: Callable[[str | os.PathLike[str]], None] = lambda path: None


class Callback:
    """Base class of callbacks: override any of its methods. ``on_epoch`` may return "stop"."""

    wants_forecast = False  # whether settings should say what memory and time the run will take

    def on_start(self, state: FitState) -> None:
        """React to the start of a run, before the first step."""

    def on_progress(self, state: FitState) -> None:
        """React to progress, a few times a second during an epoch."""

    def on_step(self, state: FitState) -> None:
        """React to a step, from which a run could go on: one whose losses were finite."""

    def on_epoch(self, state: FitState) -> str | None:
        """React to the end of an epoch; return "stop" to end training."""
        return None

    def on_end(self, state: FitState) -> None:
        """React to the end of a run, also when training failed or was interrupted."""


class _Function(Callback):
    """A plain function in the place of ``on_epoch``."""

    def __init__(self, function: Callable[[FitState], str | None]) -> None:
        self.on_epoch = function  # type: ignore[method-assign, assignment]


def as_callbacks(callbacks: Iterable[Callback | Callable[[FitState], str | None]]) -> list[Callback]:
    """Return callbacks as objects; a function ``f(state)`` is called after each epoch."""
    return [callback if isinstance(callback, Callback) else _Function(callback) for callback in callbacks]


class Checkpoint(Callback):
    """Write a checkpoint every few epochs; ``fit(..., resume=path)`` goes on from it.

    Parameters
    ----------
    path : path
        Where to; each one takes the place of the one before.
    every : int, default=1
        Epochs from one to the next.
    seconds : float, optional
        Write one inside an epoch, too, so long after the last; by default only at the end of epochs.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1, seconds: float | None = None) -> None:
        self.path = Path(path)
        self.every, self.seconds = every, seconds

    def on_start(self, state: FitState) -> None:
        self._written = self._looked = time.perf_counter()
        self._steps, self._ahead = 0, 1  # since the clock was looked at, and until it is next

    def on_step(self, state: FitState) -> None:
        if self.seconds is not None and self._is_due(self.seconds):
            self.write(state)

    def on_epoch(self, state: FitState) -> None:
        if state.epoch % self.every == 0:
            self.write(state)

    def write(self, state: FitState) -> None:
        """Write one now."""
        state.checkpoint(self.path)
        self._written = time.perf_counter()

    def _is_due(self, seconds: float) -> bool:
        """Tell whether the first rank's clock says that it is time: looked at every few steps, for that takes talk."""
        self._steps += 1
        if self._steps < self._ahead:
            return False
        now = time.perf_counter()
        ahead = self._steps * seconds / LOOKS / max(1e-9, now - self._looked)
        self._ahead = int(distributed.first_says(max(1, min(2 * self._ahead, ahead))))
        self._looked, self._steps = now, 0
        return bool(distributed.first_says(now - self._written >= seconds))


class TensorBoard(Callback):
    """Write every number of the history to TensorBoard (``pip install "isthmus[tensorboard]"``).

    Parameters
    ----------
    folder : path
        The log folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def on_start(self, state: FitState) -> None:  # noqa: D102
        module = _optional("torch.utils.tensorboard", "tensorboard", type(self).__name__)
        self._writer = module.SummaryWriter(str(self.folder))

    def on_epoch(self, state: FitState) -> None:  # noqa: D102
        for name, value in _numbers(state).items():
            self._writer.add_scalar(name, value, state.epoch)

    def on_end(self, state: FitState) -> None:  # noqa: D102
        self._writer.close()


class MLflow(Callback):
    """Write every number of the history to the active MLflow run (``pip install "isthmus[mlflow]"``)."""

    def on_start(self, state: FitState) -> None:  # noqa: D102
        self._mlflow = _optional("mlflow", "mlflow", type(self).__name__)
        self._mlflow.log_params(state.settings)

    def on_epoch(self, state: FitState) -> None:  # noqa: D102
        self._mlflow.log_metrics(_numbers(state), step=state.epoch)


def _numbers(state: FitState) -> dict[str, float]:
    return {name: value for name, value in state.history[-1].items() if isinstance(value, float) and name != "epoch"}


def _optional(module: str, extra: str, owner: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(
            f'{owner} needs the package {extra}, which is not installed; run: pip install "isthmus[{extra}]".'
        ) from error

"""Training by steps: batches made ahead, a rate that falls with steps or seconds, checkpoints, and held-out scores.

For networks that learn from patches drawn at random, where there are no epochs. What step number k gets depends on the
seed and k alone. So a run that was stopped and goes on sees what one that was not sees, on a processor as on a GPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

import torch
from torch import Tensor, nn

from isthmus import documents
from isthmus.errors import TrainingError
from isthmus.training import checkpoints, distributed
from isthmus.training.optimizers import Optimizer, load_state_tensors, state_tensors

__all__ = ["Batches", "Course", "Plan", "Progress", "Record", "Scoring", "run"]

AHEAD, MAKERS = 3, 2  # batches that are made while the network is busy, and threads that make them
TOLD, KEPT = 200, 120.0  # steps after which a line is told, and seconds after which a checkpoint is written

Record = dict[str, int | float]
Backward = Callable[[int, Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Plan:
    """What a run is: two runs of one plan make the same network, bit for bit with one thread on a processor.

    Parameters
    ----------
    steps : int
        Of the optimiser, all runs together; the rate falls to nothing meanwhile.
    data : str
        Digest of what is learned from.
    batch_size : int
        Patches a step.
    patch : int
        Pixels a side.
    rate : float
        Of Muon, at the start.
    warm : int
        Steps in which the rate rises to it.
    precision : {"bfloat16", "float32"}, default="bfloat16"
        Of convolutions.
    seed : int, default=0
        Of everything random.
    begun_with : str, optional
        Digest of the weights at the start.
    """

    steps: int
    data: str
    batch_size: int
    patch: int
    rate: float
    warm: int
    precision: str = "bfloat16"
    seed: int = 0
    begun_with: str | None = None


@dataclass
class Progress:
    """Where a run is.

    Parameters
    ----------
    step : int
        Steps that are done.
    seconds : float
        Wall time that they took, all runs together.
    loss : float, optional
        Moving mean of the loss.
    history : list of dict
        What was measured: ``step``, ``seconds`` and the scores of held-out pictures.
    """

    step: int = 0
    seconds: float = 0.0
    loss: float | None = None
    history: list[Record] = field(default_factory=list)


class Batches(Protocol):
    """What is learned from, step by step."""

    plan: Any

    def batch(self, step: int) -> Sequence[Tensor]:
        """Return what the loss of a step is made of."""


class Scoring(Protocol):
    """Pictures by which a network is judged."""

    def scores(self, network: Any) -> dict[str, float]:
        """Return scores by name."""


class Course(TypedDict, total=False):
    """How a run is watched, kept and ended; none of it changes what a step learns, but for ``max_seconds``.

    Parameters
    ----------
    held_out : Scoring, optional
        Pictures that are scored before the first step, after the last, and in between.
    every : int, optional
        Steps after which to score them, too.
    max_seconds : float, optional
        Wall time after which to stop; the rate falls accordingly.
    checkpoint : path, optional
        A file to keep the state in; where it is there already, the run goes on from it.
    keep_after : float, default=120
        Seconds after which to write it again.
    tell_after : int, default=200
        Steps after which to tell how far the run is.
    tell : callable, optional
        Called with the progress after so many steps, and when pictures were scored.
    """

    held_out: Scoring | None
    every: int | None
    max_seconds: float | None
    checkpoint: Path | None
    keep_after: float
    tell_after: int
    tell: Callable[[Progress], object]


def run(
    owner: str,
    network: nn.Module,
    batches: Batches,
    optimizers: Sequence[Optimizer],
    backward: Backward,
    *,
    weight: float = 0.01,
    spike: float | None = None,
    **course: Unpack[Course],
) -> Progress:
    """Train a network in place, for the steps of a plan or the seconds given.

    Parameters
    ----------
    owner : str
        Whom a sentence names.
    network : Module
        On its device.
    batches : Batches
        What it learns from, by plan.
    optimizers : sequence of Optimizer
        Each of some of its weights.
    backward : callable
        Given the number of a step and its batch, returns the loss, and leaves its gradient in the network.
    weight : float, default=0.01
        Of the newest loss, in their moving mean.
    spike : float, optional
        Times the moving mean, from which a batch is passed over, as is one whose loss is no number.
    **course
        See :class:`Course`.

    Raises
    ------
    ParameterError
        The checkpoint is of another plan or network.
    TrainingError
        The loss is no number any more.
    """
    return _Run(owner, network, batches, optimizers, course).run(backward, weight, spike)


class _Run:
    """A run under way."""

    def __init__(
        self, owner: str, network: nn.Module, batches: Batches, optimizers: Sequence[Optimizer], course: Course
    ) -> None:
        self.owner, self.network, self.batches, self.optimizers = owner, network, batches, optimizers
        self.plan, self.course = batches.plan, course
        self.checkpoint = course.get("checkpoint")
        self.tell: Callable[[Progress], object] = course.get("tell", bool)
        self.loss: Tensor | None = None
        self.progress = self._begun()

    def run(self, backward: Backward, weight: float, spike: float | None) -> Progress:
        """Take the steps."""
        plan, progress, every = self.plan, self.progress, self.course.get("every")
        tell_after, keep_after = self.course.get("tell_after", TOLD), self.course.get("keep_after", KEPT)
        began, spent = time.perf_counter(), progress.seconds
        saved = began
        if progress.step == 0:
            self._score()
        for step, batch in enumerate(_ahead(self.batches, progress.step), progress.step):
            if (left := self._left(step)) <= 0:
                break
            loss = backward(step, batch)
            if self.loss is None or spike is None or loss < spike * self.loss:
                for optimizer in self.optimizers:
                    optimizer.step(min(1, (step + 1) / max(1, plan.warm)) * left)
                self.loss = loss if self.loss is None else self.loss.lerp(loss, weight)
            self.network.zero_grad()
            progress.step, progress.seconds = step + 1, spent + time.perf_counter() - began
            if progress.step % tell_after == 0:
                self._average()
                self.tell(progress)
            if every is not None and progress.step % every == 0 and progress.step < plan.steps:
                self._score()
            if time.perf_counter() - saved > keep_after:
                self._keep()
                saved = time.perf_counter()
        self._average()
        if not progress.history or progress.history[-1]["step"] < progress.step:
            self._score()
        self._keep()
        return progress

    def _left(self, step: int) -> float:
        """Return the share of the run that is left, by steps or by seconds, as which the rate falls."""
        left, seconds = 1 - step / self.plan.steps, self.course.get("max_seconds")
        if seconds is None:
            return left
        return float(distributed.first_says(min(left, 1 - self.progress.seconds / seconds)))

    def _average(self) -> None:
        """Put the moving mean of the loss into the progress."""
        if self.loss is None:
            return
        if not math.isfinite(found := self.loss.item()):
            step = self.progress.step
            raise TrainingError(
                f"{self.owner}: the loss was no number any more at step {step:,}; lower the learning rate."
            )
        self.progress.loss = found

    def _score(self) -> None:
        """Score held-out pictures, and put it into the history."""
        if (held_out := self.course.get("held_out")) is not None:
            about: Record = {"step": self.progress.step, "seconds": round(self.progress.seconds, 1)}
            self.progress.history.append(about | held_out.scores(self.network))
            self.tell(self.progress)

    def _keep(self) -> None:
        """Write the checkpoint."""
        if self.checkpoint is not None and distributed.is_first():
            self._average()
            tensors = documents.prefixed("module", self.network.state_dict())
            tensors |= documents.prefixed("optimizer", state_tensors(self.optimizers))
            checkpoints.write(self.checkpoint, tensors, self.progress, self.plan)

    def _begun(self) -> Progress:
        """Return where the run goes on; take over the weights and the optimisers of its checkpoint."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return Progress()
        tensors, progress, _ = checkpoints.read(self.checkpoint, self.plan, self.network)
        self.network.load_state_dict(documents.under("module", tensors))
        load_state_tensors(self.optimizers, documents.under("optimizer", tensors))
        found: Progress = documents.read(Progress, progress)
        if found.loss is not None:
            self.loss = torch.tensor(found.loss, device=next(self.network.parameters()).device)
        return found


def _ahead(batches: Batches, first: int) -> Iterator[Sequence[Tensor]]:
    """Yield the batches of the steps from a first one, made while the network is busy with those before."""
    steps = batches.plan.steps
    with ThreadPoolExecutor(MAKERS) as pool:
        waiting = [pool.submit(batches.batch, step) for step in range(first, min(first + AHEAD, steps))]
        for step in range(first, steps):
            yield waiting.pop(0).result()
            if step + AHEAD < steps:
                waiting.append(pool.submit(batches.batch, step + AHEAD))

"""Progress display of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, TextIO

from isthmus import plain
from isthmus.bar import bar
from isthmus.training import distributed
from isthmus.training.callbacks import Callback, FitState

__all__ = ["ShowProgress", "describe"]


def describe(settings: dict[str, Any]) -> list[str]:
    """Return the lines that are shown before the first step: what will run, where, and what it will take."""
    threads = "1 thread" if settings["threads"] == 1 else f"{settings['threads']} threads"
    lines = [
        f"{settings['model']}: {settings['weights']:,} weights, {settings['records']:,} records to train on, "
        f"{settings['held_out_records']:,} held out, batches of {settings['batch_size']:,}",
        f"on {settings['device']}, {settings['precision']}, {threads}",
        f"likelihood: {settings['likelihood']}",
    ]
    if "memory_bytes" in settings:
        lines.append(
            f"predicted: {_bytes(settings['memory_bytes'])} of memory, at most {_duration(settings['seconds'])}"
        )
    return lines


class ShowProgress(Callback):
    """Show a run on a stream: a bar with time left and loss on a terminal, otherwise a line an epoch.

    Lines come at most once a second, and always for the first and the last epoch. Of processes that train together the
    first alone shows them.

    Parameters
    ----------
    stream : text stream, optional
        By default the standard error stream.
    """

    wants_forecast = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def on_start(self, state: FitState) -> None:  # noqa: D102
        self._out = self.stream or sys.stderr
        self._speaks = distributed.is_first()
        for line in describe(state.settings):
            self._say(plain.sentence(line))
        self._started = time.perf_counter()
        self._last_line, self._printed = 0.0, 0
        self._bar: Any = bar(self._out) if self._speaks and self._out.isatty() else None
        self._task = self._bar.add_task("", total=1.0) if self._bar else None

    def on_progress(self, state: FitState) -> None:  # noqa: D102
        if self._bar:
            self._bar.update(self._task, completed=state.progress)

    def on_epoch(self, state: FitState) -> None:  # noqa: D102
        line = _line(state)
        if self._bar:
            self._bar.update(self._task, completed=state.progress, description=line)
        elif state.epoch == 1 or state.progress >= 1 or time.perf_counter() - self._last_line >= 1:
            self._print(state)

    def on_end(self, state: FitState) -> None:  # noqa: D102
        if self._bar:
            self._bar.stop()
        elif state.epoch > self._printed:  # it was not known to be the last
            self._print(state)

    def _print(self, state: FitState) -> None:
        self._last_line, self._printed = time.perf_counter(), state.epoch
        self._say(f"{_line(state)}, {state.history[-1]['seconds']:.1f} s")

    def _say(self, line: str) -> None:
        if self._speaks:
            print(line, file=self._out, flush=True)


def _line(state: FitState) -> str:
    record = state.history[-1]
    loss = f"loss {record['train_loss']:.4g}"
    if "validation_loss" in record:
        loss += f", held out {record['validation_loss']:.4g}"
    total = f"/{math.ceil(state.max_epochs)}" if state.max_epochs < 1000 else ""
    return f"epoch {state.epoch}{total}: {loss} nats"


def _bytes(n: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

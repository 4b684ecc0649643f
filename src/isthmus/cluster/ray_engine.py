"""Jobs on a Ray cluster: each part is a task of Ray, which finds a free processor for it.

Of Ray's libraries this takes the lowest, tasks, and not Ray Data. A part is read, computed and written by one worker;
no record passes from one to another, so there is nothing that a pipeline of blocks could do here. And Ray Data keeps
processors for good: its pools of actors take what reading needs, and such a job waits for ever without a word; a pool
whose actor dies can wait, too. A task holds its processor only as long as its part lasts, so that other jobs, machines
that join and machines that leave are Ray's work. A worker's process serves one part after the other, and keeps model
and data open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from isthmus import checks
from isthmus.cluster import ray_session
from isthmus.cluster.plan import TRIES, Done, Job, Part, Plan

__all__ = ["Engine"]

COUNTING = 5.0  # seconds between two counts of a cluster's processors, which come and go


class Engine:
    """Runs the parts of a job on a Ray cluster.

    Parameters
    ----------
    workers : int, optional
        Parts at a time; by default as many as the cluster has processors, counted anew every few seconds.
    address : str, optional
        ``local``, ``auto``, ``ray://HOST:PORT`` or ``HOST:PORT``; see :mod:`isthmus.cluster.ray_session`.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.address, self.workers = address, workers
        self._session: AbstractContextManager[tuple[Any, str]] = ray_session.joined(address, workers)
        self._running: dict[Any, Part] = {}
        self._processors, self._counted = 0, float("-inf")

    def __enter__(self) -> Engine:
        """Join the cluster."""
        self._ray, self._name = self._session.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """End what still runs, and leave."""
        try:
            for reference in self._running:
                self._ray.cancel(reference, force=True)
        finally:
            self._session.__exit__(*error)

    # ------------------------------------------------------------------ before the first part

    def look(self, job: Job) -> Plan:
        """Return what there is to do, as a worker sees it.

        Every machine must have the same versions, and see the same model and the same data.

        Raises
        ------
        UnavailableError
            A machine has another version of isthmus or Python, or sees other things; or nothing has started within 60
            seconds, as where other jobs hold all processors.
        IsthmusError
            A path is not seen from a machine, the data do not fit the model, or the output cannot be written to.
        """
        processor = _processor(job)
        ray_session.same_versions(self._ray, self._name, processor)
        return self._seen(job, ray_session.alive(self._ray, processor))

    def _seen(self, job: Job, machines: Sequence[tuple[str, str]]) -> Plan:
        """Return a machine's plan; all others must see the same, of which they tell the fingerprints."""
        asked = [(host, ray_session.on(self._ray, node, _seen).remote(job)) for node, host in machines]
        seen = list(ray_session.answers(self._ray, asked))
        if not seen:
            raise ray_session.nothing_started(self._ray, self._name, _processor(job))
        (host, (model, data)), *others = seen
        for name, (other_model, other_data) in others:
            for path, there, here in ((job.model, other_model, model), (job.data, other_data, data)):
                if there != here:
                    raise checks.seen_differently(path, (name, host), (there, here))
        plan: Plan = self._ray.get(self._task(_look, job).remote(job))
        return plan

    # ------------------------------------------------------------------ parts

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[Done]:
        """Yield what is said of each part, in the order in which they are finished.

        A part whose worker or machine was lost is done again by another, three times in all.
        """
        waiting, tries = iter(parts), dict[int, int]()
        do = self._task(_do, job)
        while True:
            for part in _first(waiting, self._places(job) - len(self._running)):
                self._running[do.remote(job, part)] = part
            if not self._running:
                return
            for reference in self._ended():
                part = self._running.pop(reference)
                try:
                    yield self._ray.get(reference)
                except self._ray.exceptions.RayTaskError as error:
                    raise ray_session.cause(error) from None
                except self._ray.exceptions.RayError as error:
                    tries[part.number] = tries.get(part.number, 0) + 1
                    if tries[part.number] == TRIES:
                        raise checks.part_given_up(part, TRIES, _how(error)) from None
                    self._running[do.remote(job, part)] = part

    def _ended(self) -> list[Any]:
        """Wait for a part to end; return all that have ended, so that many workers are not looked through for each."""
        running = list(self._running)
        self._ray.wait(running, num_returns=1)
        ended: list[Any] = self._ray.wait(running, num_returns=len(running), timeout=0)[0]
        return ended

    def _places(self, job: Job) -> int:
        """Return how many parts may be on their way; a cluster is asked for its processors every few seconds."""
        if self.workers is None and time.monotonic() > self._counted + COUNTING:
            self._processors, self._counted = ray_session.processors(self._ray, _processor(job)), time.monotonic()
        return self.workers or max(1, self._processors)

    def _task(self, function: Any, job: Job) -> Any:
        """Return a function as a task for any machine.

        Ray would do a part again for ever where memory ran out, so that it is not Ray who tries again.
        """
        return ray_session.anywhere(self._ray, function, _processor(job))


def _first(parts: Iterator[Part], n: int) -> Iterator[Part]:
    for _, part in zip(range(n), parts, strict=False):
        yield part


def _processor(job: Job) -> str:
    """Return what Ray calls the processors that a job runs on."""
    return "GPU" if str(job.option("device", "")).startswith("cuda") else "CPU"


def _how(error: Exception) -> str:
    return "as its machine had no memory left" if type(error).__name__ == "OutOfMemoryError" else "lost without a word"


# ------------------------------------------------------------------ what runs on a worker


def _do(job: Job, part: Part) -> Done:
    from isthmus.cluster import work

    _take_one_thread()
    return work.do(job, part)


def _take_one_thread() -> None:
    """Use the one processor that the part was given, whatever the environment of the machine says."""
    import pyarrow
    import torch

    torch.set_num_threads(1)
    pyarrow.set_cpu_count(1)


def _look(job: Job) -> Plan:
    from isthmus.cluster import work

    return work.look(job)


def _seen(job: Job) -> tuple[str, str]:
    from isthmus.cluster import work

    return work.seen(job)

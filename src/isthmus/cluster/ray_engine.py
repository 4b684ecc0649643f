"""Jobs on a Ray cluster: each part is a task of Ray, which finds a free processor for it.

Of Ray's libraries this takes the lowest, tasks, and not Ray Data. A part is read, computed and written by one worker;
no record passes from one to another, so there is nothing that a pipeline of blocks could do here. And Ray Data keeps
processors for good: its pools of actors take what reading needs, and such a job waits for ever without a word; a pool
whose actor dies can wait, too. A task holds its processor only as long as its part lasts, so that other jobs, machines
that join and machines that leave are Ray's work. A worker's process serves one part after the other, and keeps model
and data open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from isthmus import checks
from isthmus.cluster import ray_session
from isthmus.cluster.plan import TRIES, Done, Job, Part, Plan

__all__ = ["Engine"]


class Engine:
    """Runs the parts of a job on a Ray cluster.

    Parameters
    ----------
    workers : int, optional
        Parts at a time; by default as many as the cluster has processors, counted anew for each part.
    address : str, optional
        ``local``, ``auto``, ``ray://HOST:PORT`` or ``HOST:PORT``; see :mod:`isthmus.cluster.ray_session`.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.address, self.workers = address, workers
        self._session: AbstractContextManager[tuple[Any, str]] = ray_session.joined(address, workers)
        self._running: dict[Any, Part] = {}

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
        self._wait_for_a_place(job)
        machines = ray_session.alive(self._ray, _processor(job))
        here = ray_session.versions()
        greetings = [(host, self._on(node, ray_session.versions).remote()) for node, host in machines]
        self._ray.wait([one for _, one in greetings], num_returns=len(greetings), timeout=ray_session.STARTING)
        for host, there in self._answers(greetings, timeout=0):
            if not there:
                raise checks.no_isthmus_on(host)
            if tuple(there) != here:
                raise checks.other_versions_on(host, there, here)
        return self._seen(job, machines)

    def _wait_for_a_place(self, job: Job) -> None:
        """Refuse a cluster in which a part could not begin within a minute."""
        place = self._task(ray_session.versions, job).remote()
        if self._ray.wait([place], timeout=ray_session.STARTING)[0]:
            return
        self._ray.cancel(place)
        raise self._nothing_started(job)

    def _seen(self, job: Job, machines: Sequence[tuple[str, str]]) -> Plan:
        """Return a machine's plan; all others must see the same, of which they tell the fingerprints."""
        prints = [(host, self._on(node, _fingerprints).remote(job)) for node, host in machines]
        seen = list(self._answers(prints))
        if not seen:
            raise self._nothing_started(job)
        (host, (model, data)), *others = seen
        for name, (other_model, other_data) in others:
            for path, there, here in ((job.model, other_model, model), (job.data, other_data, data)):
                if there != here:
                    raise checks.seen_differently(path, (name, host), (there, here))
        plan: Plan = self._ray.get(self._task(_look, job).remote(job))
        return plan

    def _answers(self, asked: Sequence[tuple[str, Any]], timeout: float | None = None) -> Iterator[tuple[str, Any]]:
        """Yield the machines that answer, and what; those that are lost meanwhile are left out."""
        errors = self._ray.exceptions
        for host, reference in asked:
            try:
                yield host, self._ray.get(reference, timeout=timeout)
            except errors.RayTaskError as error:
                raise _cause(error) from None
            except errors.RayError:
                continue

    def _nothing_started(self, job: Job) -> Exception:
        kind = _processor(job)
        free = int(self._ray.available_resources().get(kind, 0))
        machines = len(ray_session.alive(self._ray, kind))
        return checks.nothing_started(
            self._name, ray_session.STARTING, ray_session.processors(self._ray, kind), free, machines
        )

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
            for reference in self._ray.wait(list(self._running), num_returns=1)[0]:
                part = self._running.pop(reference)
                try:
                    yield self._ray.get(reference)
                except self._ray.exceptions.RayTaskError as error:
                    raise _cause(error) from None
                except self._ray.exceptions.RayError as error:
                    tries[part.number] = tries.get(part.number, 0) + 1
                    if tries[part.number] == TRIES:
                        raise checks.part_given_up(part, TRIES, _how(error)) from None
                    self._running[do.remote(job, part)] = part

    def _places(self, job: Job) -> int:
        return self.workers or max(1, ray_session.processors(self._ray, _processor(job)))

    def _task(self, function: Any, job: Job) -> Any:
        """Return a function as a task for any machine that takes one processor, or one GPU."""
        gpus = {"num_gpus": 1} if _processor(job) == "GPU" else {}
        # Ray would do a part again for ever where memory ran out, so that it is not Ray who tries again.
        options = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD", **gpus}
        return self._ray.remote(function).options(**options)

    def _on(self, node: str, function: Any) -> Any:
        """Return a function as a task for one machine, which runs beside whatever is busy there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=here)


def _first(parts: Iterator[Part], n: int) -> Iterator[Part]:
    for _, part in zip(range(n), parts, strict=False):
        yield part


def _processor(job: Job) -> str:
    """Return what Ray calls the processors that a job runs on."""
    return "GPU" if str(job.option("device", "")).startswith("cuda") else "CPU"


def _cause(error: Any) -> BaseException:
    """Return what a worker raised: Ray wraps it, with its lines."""
    cause: BaseException = getattr(error, "cause", None) or error
    return cause


def _how(error: Exception) -> str:
    return "as its machine had no memory left" if type(error).__name__ == "OutOfMemoryError" else "lost without a word"


# ------------------------------------------------------------------ what runs on a worker


def _do(job: Job, part: Part) -> Done:
    from isthmus.cluster import work

    return work.do(job, part)


def _look(job: Job) -> Plan:
    from isthmus.cluster import work

    return work.look(job)


def _fingerprints(job: Job) -> tuple[str, str]:
    plan = _look(job)
    return plan.model, plan.data

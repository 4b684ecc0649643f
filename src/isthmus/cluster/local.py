"""The local engine: processes of this machine, each with one processor."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from isthmus import checks, errors
from isthmus.cluster import plan
from isthmus.cluster.plan import TRIES, Done, Job, Part, Plan

__all__ = ["Here", "Processes", "cores", "error_of"]

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def error_of(kind: str, sentence: str) -> errors.IsthmusError:
    """Return an error of :mod:`isthmus.errors` by the name of its class."""
    found = getattr(errors, kind, errors.IsthmusError)
    error: errors.IsthmusError = found(sentence)
    return error


class Here:
    """No workers at all: parts are done in this process, one after the other."""

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        """End nothing."""

    def look(self, job: Job) -> Plan:
        """Look at a job."""
        from isthmus.cluster import work

        return work.look(job)

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[Done]:
        """Do parts in order."""
        from isthmus.cluster import work

        for part in parts:
            yield work.do(job, part)


class Processes:
    """Processes of this machine.

    Parameters
    ----------
    workers : int, optional
        How many; by default as many as processors may be used.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._ended = False

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        """End all workers, also those in the middle of a part."""
        with self._lock:
            self._ended = True
            alive = list(self._all)
        for worker in alive:
            worker.tell_to_end()
        for worker in alive:
            worker.end()

    def look(self, job: Job) -> Plan:
        """Look at a job in a worker, so that this process loads nothing.

        The other workers that it will take, as far as the size of its input says, load their modules meanwhile.
        """
        self._idle = [self._new() for _ in range(min(self.workers, _parts_at_least(job)))]
        worker = self._worker()
        try:
            found = worker.ask({"job": plan.to_document(job)})
        except _EndedError as ended:
            raise checks.worker_cannot_start(ended.how, ended.said) from None
        self._idle.append(worker)  # the next to be taken: it has opened the job
        if found["is"] == "error":
            raise error_of(found["kind"], found["error"])
        seen: Plan = plan.from_document(found)
        return seen

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[Done]:
        """Do parts, several at a time; that of a worker that dies is done again by another."""
        waiting: queue.SimpleQueue[tuple[Part, int]] = queue.SimpleQueue()
        for part in parts:
            waiting.put((part, 1))
        answers: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
        for _ in range(min(self.workers, len(parts))):
            threading.Thread(target=self._serve, args=(job, waiting, answers), daemon=True).start()
        for _ in parts:
            answer = answers.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def _serve(
        self, job: Job, waiting: queue.SimpleQueue[tuple[Part, int]], answers: queue.SimpleQueue[Done | BaseException]
    ) -> None:
        """Give one worker parts until none waits; when it dies, take another."""
        document = plan.to_document(job)
        worker: _Worker | None = None
        try:
            while True:
                try:
                    part, tries = waiting.get_nowait()
                except queue.Empty:
                    return
                worker = worker or self._worker()
                try:
                    answers.put(plan.from_document(worker.ask({"job": document, "part": plan.to_document(part)})))
                except _EndedError as ended:
                    worker = None
                    if tries == TRIES:
                        raise checks.part_given_up(part, tries, ended.how) from None
                    waiting.put((part, tries + 1))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the parts are waited for
            answers.put(error)

    def _worker(self) -> _Worker:
        """Return a worker that has nothing to do, or a new one."""
        with self._lock:
            if self._ended:
                raise KeyboardInterrupt
            return self._idle.pop() if self._idle else self._new()

    def _new(self) -> _Worker:
        worker = _Worker()
        self._all.add(worker)
        return worker


def _parts_at_least(job: Job) -> int:
    """Return about how many parts a job has, seen from here: by the bytes of its input."""
    if job.option("part_rows"):
        return sys.maxsize
    if os.path.isdir(job.data):
        found = sum(entry.stat().st_size for entry in os.scandir(job.data) if entry.is_file())
    else:
        found = os.path.getsize(job.data) if os.path.isfile(job.data) else 0
    return 1 + found // plan.PART_BYTES


class _EndedError(Exception):
    """A worker is no more."""

    def __init__(self, how: str, said: str) -> None:
        super().__init__(how)
        self.how, self.said = how, said


class _Worker:
    """A process that answers one request at a time."""

    def __init__(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "isthmus.cluster.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the process that a person sees, which ends its workers itself
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises
        ------
        _EndedError
            The process ended before it answered.
        """
        requests, answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        try:
            requests.write(f"{json.dumps(request)}\n")
            requests.flush()
            line = answers.readline()
        except OSError:
            line = ""
        if not line.endswith("\n"):
            raise _EndedError(_how(self._process.wait()), self._last_words())
        found: dict[str, Any] = json.loads(line)
        return found

    def tell_to_end(self) -> None:
        """Let the process end; the temporary file of the part that it is at is removed."""
        self._process.terminate()

    def end(self) -> None:
        """Wait until the process has ended, and end it where that takes long."""
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._last_words()

    def _last_words(self) -> str:
        """Return the last line of what it wrote to its standard error."""
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and self._process.poll() is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        return lines[-1] if lines else ""


def _environment() -> dict[str, str]:
    """Return the variables of a worker: one thread, and modules from where this process has them."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *(path or os.getcwd() for path in sys.path)]
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _how(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
    return f"by signal {-code} ({name})"

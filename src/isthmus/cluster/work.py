"""What a worker does: look at a job, and do a part of it. Engines call these two functions by their names."""

from __future__ import annotations

import contextlib
import functools
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from isthmus import checks
from isthmus.cli.terminal import Terminal
from isthmus.cluster import places
from isthmus.cluster.fingerprints import checksum, fingerprint_of_data, fingerprint_of_model
from isthmus.cluster.plan import Done, Job, Part, Plan, cut, part_name
from isthmus.cluster.verbs import VERBS, Verb
from isthmus.errors import IsthmusError, OutOfMemoryError

__all__ = ["do", "look", "seen"]


@dataclass(frozen=True)
class Listener(Terminal):
    """Keeps what a person should know, until it can be told to one."""

    said: list[str] = field(default_factory=list)

    def say(self, *sentences: str) -> None:
        """Keep sentences."""
        self.said.extend(sentences)


def look(job: Job) -> Plan:
    """Return what there is to do, as seen by the worker that is asked: model, data, and the parts they are cut into.

    Raises
    ------
    IsthmusError
        A path is not seen from here, the data do not fit the model, or the output cannot be written to.
    """
    _opened.cache_clear()  # files may have changed since this process looked at them
    with _heard() as heard:
        verb, records = _opened(job)
    places.Folder(job.output).make()
    sizes = [("", [int(job.option("n", 0))])] if records is None else records.sizes()
    row_bytes = 8.0 * _numbers(verb) if records is None else records.row_bytes
    n = sum(sum(groups) for _, groups in sizes)
    checks.not_empty((n, 1), job.data)
    parts = cut(sizes, row_bytes, job.option("part_rows"))
    if records is not None:
        verb.prepare(records, n)
    notes = tuple(dict.fromkeys([*verb.terminal.said, *heard]))  # type: ignore[attr-defined]
    return Plan(n, parts, fingerprint_of_model(job.model), fingerprint_of_data(job), verb.suffix, notes)


def seen(job: Job) -> tuple[str, str]:
    """Return the fingerprints of a job's model and data, as seen by the worker that is asked, which opens neither.

    Raises
    ------
    IsthmusError
        A path is not seen from here.
    """
    if not places.is_url(job.model) and not os.path.exists(job.model):
        raise checks.not_seen("--model", job.model, places.host())
    return fingerprint_of_model(job.model), fingerprint_of_data(job)


def do(job: Job, part: Part) -> Done:
    """Do a part: read its records, write its file to a temporary name, and rename it.

    Data and model are opened once a process. An error that a person can mend is in what is returned, never raised.
    """
    started = time.perf_counter()
    try:
        done = _done(job, part)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job's owner gets a sentence
        return Done(part.number, error=_sentence(error), kind=_kind(error), seconds=time.perf_counter() - started)
    return replace(done, seconds=time.perf_counter() - started)


def _done(job: Job, part: Part) -> Done:
    from isthmus import telling

    with _heard() as heard:
        verb, records = _opened(job)
        name = part_name(part.number, verb.suffix, part.digits)
        with telling.of_command() as told, places.Folder(job.output).writing(name) as path:
            figures = verb.write(path, part, records)
            with path.open("rb") as written:
                nbytes, digest = path.stat().st_size, checksum(written)
        heard += told.sentences()
    return Done(part.number, name, nbytes, digest, figures=tuple(figures.items()), notes=tuple(heard))


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Give a list of what libraries and models warned of, each sentence once, which is full when the block ends."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
        said += dict.fromkeys(str(one.message) for one in caught)


@functools.lru_cache(maxsize=1)
def _opened(job: Job) -> tuple[Verb, Any]:
    """Return the verb with its model, and the input; they stay open for the next part."""
    if not places.is_url(job.model) and not os.path.exists(job.model):
        raise checks.not_seen("--model", job.model, places.host())
    verb = VERBS[job.verb](job, Listener(quiet=True))
    return verb, verb.open()


def _numbers(verb: Verb) -> int:
    """Return about how many numbers a record of the model has."""
    found = 1
    for side in verb.model.schema_.shape:
        found *= side or 256
    return found


def _sentence(error: Exception) -> str:
    from isthmus.cli.sentences import explain

    return explain(error)[0]


def _kind(error: Exception) -> str:
    if isinstance(error, IsthmusError):
        return type(error).__name__
    return OutOfMemoryError.__name__ if isinstance(error, MemoryError) else IsthmusError.__name__

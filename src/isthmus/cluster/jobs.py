"""One run of a job: what is missing is done by an engine, and the manifest says so."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isthmus import checks, files
from isthmus.cluster.local import Here, Processes, error_of
from isthmus.cluster.manifest import NAME, Manifest
from isthmus.cluster.places import Folder, is_url
from isthmus.cluster.plan import Done, Engine, Job, Part, Plan, Value
from isthmus.data.public import split_name

__all__ = ["ENGINES", "VERBS", "Outcome", "run", "verify"]

VERBS = ("encode", "score", "detect", "reconstruct", "sample", "impute", "classify")
ENGINES = ("local", "ray")
NO_DATA = ("sample",)
SKIPPED = ("DataError", "DataTypeError", "ShapeError")  # errors of a part that is left out where that was asked for


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    Parameters
    ----------
    output : str
        The folder of parts.
    rows : int
        Records in all.
    parts : int
        Parts in all.
    done_now : int
        Of them those that this run did.
    skipped : tuple of str
        Why parts were left out, one sentence each.
    figures : dict of str to float
        Sums over the records, such as how many are outliers.
    notes : tuple of str
        What a person should know of model and data.
    """

    output: str
    rows: int
    parts: int
    done_now: int
    skipped: tuple[str, ...]
    figures: dict[str, float]
    notes: tuple[str, ...]


def run(
    verb: str,
    data: str | os.PathLike[str] | None,
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    engine: str = "local",
    workers: int | None = None,
    address: str | None = None,
    part_rows: int | None = None,
    keys: str | None = None,
    skip_bad: bool = False,
    force: bool = False,
    options: Mapping[str, Value] | None = None,
    opening: Mapping[str, Value] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Apply a verb to many records in parts, by several processes or machines; go on where an earlier run ended.

    The output is a folder of files ``part-00000.parquet`` and so on, in the order of the records, and of
    ``_manifest.json``. A part is there as a whole or not at all. A second call does the parts that are missing, of a
    finished job nothing; parts that are there are known by their names and sizes.

    Parameters
    ----------
    verb : {"encode", "score", "detect", "reconstruct", "sample", "impute", "classify"}
        What to do.
    data : path or URL
        The records: what :func:`isthmus.data.open` takes by name. Parquet files may also be named by a URL of pyarrow
        or fsspec (s3, gs, hdfs). None for sample.
    model : path or URL
        The file of a fitted model; of a detector or a classifier for detect and classify.
    output : path or URL
        The folder.
    engine : {"local", "ray"}, default="local"
        Processes of this machine, or a Ray cluster.
    workers : int, optional
        How many work at a time; by default as many as there are processors. 0 does all in this process.
    address : str, optional
        Of the Ray cluster.
    part_rows : int, optional
        Records in a part; Parquet's row groups are not divided. By default as many as take 64 MiB in memory, a million
        at most.
    keys : str, optional
        Columns of the input to write beside the results, with commas between; "none" for none. By default names of
        files, labels, a pandas index, and columns that the fit found to be ids.
    skip_bad : bool, default=False
        Leave parts out that cannot be read, and count them, instead of stopping. A later run tries them again.
    force : bool, default=False
        Begin anew, where the folder holds parts of another job.
    options : mapping, optional
        Of the verb: ``device``; ``n``, ``seed``, ``label``, ``where``, ``temperature`` and ``noise`` of sample;
        ``level``, ``draws`` and ``seed`` of impute.
    opening : mapping, optional
        How the data are opened: what :func:`isthmus.data.open` takes, as the command line writes it.
    progress : callable, optional
        Is told how many records are done, and how many there are.

    Returns
    -------
    Outcome

    Raises
    ------
    ParameterError
        The verb, the engine or an option is not known, or the folder cannot be written to.
    OutputExistsError
        The folder holds parts of another job, or files that are none.
    OutputInUseError
        Another process is doing this job.
    DataError
        A part cannot be read, or a worker does not see a path.
    IsthmusError
        A part could not be written, or ended every worker that did it.
    UnavailableError
        Ray is not installed, or there is no cluster at the address.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from isthmus import Autoencoder, cluster
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data, model, codes = (os.path.join(folder, name) for name in ("x.npy", "m.safetensors", "codes"))
    ...     np.save(data, X)
    ...     Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(X).save(model)
    ...     first = cluster.run("encode", data, model, codes, workers=0, part_rows=40)
    ...     again = cluster.run("encode", data, model, codes, workers=0)
    >>> (first.parts, first.done_now, again.done_now)
    (3, 3, 0)
    """
    checks.choice("cluster.run", "verb", verb, VERBS)
    checks.choice("cluster.run", "engine", engine, ENGINES)
    checks.integer("cluster.run", "workers", workers, low=0, optional=True)
    checks.integer("cluster.run", "part_rows", part_rows, low=1, optional=True)
    if verb not in NO_DATA and not isinstance(data, str | os.PathLike):
        raise checks.not_a_path(data)
    options = dict(options or {})
    if verb == "sample":
        checks.integer("cluster.run", "options['n']", options.get("n"), low=1)
    folder = Folder(_from_root(os.fspath(output)))
    job = Job(
        verb,
        "" if data is None or verb in NO_DATA else _source(os.fspath(data)),
        _from_root(os.fspath(model)),
        folder.name,
        _pairs({**options, "part_rows": part_rows, "keys": keys}),
        _pairs({**(opening or {}), "skip_bad": skip_bad or None}),
    )
    with _claimed(folder), _engine(engine, workers, address) as chosen:
        return _Run(job, folder, chosen, force=force, skip_bad=skip_bad, progress=progress).outcome()


def verify(output: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of parts that are not there, or not bit for bit what the job wrote; none where all is well.

    Parameters
    ----------
    output : path or URL
        The folder of a job.

    Raises
    ------
    DataError
        It has no manifest.
    """
    folder = Folder(_from_root(os.fspath(output)))
    manifest = Manifest.read(folder)
    if manifest is None:
        raise checks.no_manifest(folder.name)
    return tuple(manifest.unlike())


class _Run:
    """A run of a job."""

    def __init__(
        self,
        job: Job,
        folder: Folder,
        engine: Engine,
        *,
        force: bool,
        skip_bad: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.folder, self.engine, self.skip_bad = folder, engine, skip_bad
        self.progress = progress or (lambda done, total: None)
        self.before = None if force else Manifest.read(folder)
        self.force = force
        self.job = job
        if self.before is not None and job.option("part_rows") is None:  # parts are cut as they were
            rows = self.before.document["part_rows"]
            self.job = replace(job, options=_pairs({**dict(job.options), "part_rows": rows}))

    def outcome(self) -> Outcome:
        """Do what is missing."""
        if not self.force:
            self._refuse_foreign()
        plan = self.engine.look(self.job)
        manifest = Manifest.of(self.folder, self.job, plan)
        if self.force:
            self._clear()
        elif self.before is not None:
            manifest.go_on_from(self.before)
        missing = manifest.missing(plan.parts)
        if missing or self.before is None or not self.before.finished:
            manifest.write()
            self._do(missing, plan, manifest)
            manifest.finish()
        skipped = tuple(f"{plan.parts[number]}: {why}" for number, why in sorted(manifest.bad.items()))
        return Outcome(
            self.folder.name,
            plan.rows,
            len(plan.parts),
            len(missing) - len(manifest.bad),
            skipped,
            manifest.figures(),
            (*plan.notes, *_notes(plan, manifest)),
        )

    def _do(self, missing: list[Part], plan: Plan, manifest: Manifest) -> None:
        """Let the engine do parts; write down what is done, also where that ends before its time."""
        finished = plan.rows - sum(map(len, missing))
        self.progress(finished, plan.rows)
        try:
            for done in self.engine.run(self.job, missing):
                part = plan.parts[done.number]
                self._take_in(done, part, manifest)
                finished += len(part)
                self.progress(finished, plan.rows)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                checks.job_interrupted(len(manifest.done), len(plan.parts), self.folder.name)
            ) from None
        finally:
            with contextlib.suppress(OSError):  # what ended the run is told, not this
                manifest.write()

    def _take_in(self, done: Done, part: Part, manifest: Manifest) -> None:
        if not done.error:
            manifest.add(done)
        elif self.skip_bad and done.kind in SKIPPED:
            manifest.leave_out(done)
        else:
            name, error = manifest.names()[part.number], error_of(done.kind, done.error)
            raise checks.part_failed(part, name, error, len(manifest.done), len(manifest.document["ranges"]))

    def _refuse_foreign(self) -> None:
        """Refuse a folder with files that are no parts of the job that it holds."""
        there = self.folder.sizes()
        ours = set() if self.before is None else set(self.before.names())
        foreign = sorted(name for name in there if not name.startswith((".", "_")) and name not in ours)
        if foreign:
            raise checks.foreign_files(self.folder.name, foreign)

    def _clear(self) -> None:
        """Remove what an earlier job wrote; other files are refused, also where a new beginning was asked for."""
        there = self.folder.sizes()
        foreign = sorted(
            name for name in there if not name.startswith((".", "_", "part-")) or (there[name] < 0 and name[0] != ".")
        )
        if foreign:
            raise checks.foreign_files(self.folder.name, foreign)
        for name in there:
            if name.startswith("part-") or name == NAME:
                self.folder.remove(name)


def _notes(plan: Plan, manifest: Manifest) -> Iterator[str]:
    """Yield what is to be told of the records, each sentence of the first part that has it, and of how many more."""
    told = [(number, note) for number, done in sorted(manifest.done.items()) for note in done.notes]
    for number, note in told[:1]:
        more = len({other for other, _ in told}) - 1
        where = f", and {more:,} other parts have notes in {NAME}" if more else ""
        yield f"{plan.parts[number]}: {note}{where}"


def _pairs(values: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
    return tuple(sorted((name, value) for name, value in values.items() if value is not None))


def _from_root(name: str) -> str:
    """Return a path from the root, for workers elsewhere; a URL as it is."""
    return name if is_url(name) else os.path.abspath(os.path.expanduser(name))


def _source(name: str) -> str:
    """Return the path of records from the root; the name of a built-in set as it is."""
    return name if split_name(name) is not None else _from_root(name)


@contextlib.contextmanager
def _claimed(folder: Folder) -> Iterator[None]:
    """Hold the output for this process, where it is a folder of this machine."""
    if is_url(folder.name):
        yield
        return
    with contextlib.suppress(OSError):  # the folder around it cannot be written to; the look says so
        Path(folder.path).parent.mkdir(parents=True, exist_ok=True)
    with files.claim(folder.path):
        yield


def _engine(name: str, workers: int | None, address: str | None) -> Any:
    """Return an engine."""
    if name == "ray":
        return importlib.import_module("isthmus.cluster.ray_engine").Engine(workers, address)
    return Here() if workers == 0 else Processes(workers)

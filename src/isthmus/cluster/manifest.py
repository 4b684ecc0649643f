"""The manifest of a job: what is in its output folder, and whether it is all.

``_manifest.json`` in the output folder (a name that readers of Parquet folders pass over) says which job wrote the
parts, with the fingerprints of its model and data, the range of each part, and for those that are done their file's
size and checksum. Its ``state`` is "running" until all are there, then "done". It is written anew about once a second:
a part that it does not know yet when the process is killed is done again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus import checks
from isthmus.cluster.fingerprints import checksum
from isthmus.cluster.places import Folder
from isthmus.cluster.plan import Done, Job, Part, Plan, digits_of, part_name
from isthmus.version import __version__

__all__ = ["NAME", "Manifest"]

NAME = "_manifest.json"
FORMAT = 1
SECONDS = 1.0  # between two times that it is written, at least
SHARE = 20  # of the time that writing it takes, at least, so that a long one does not hold the job up
IDENTITY = ("verb", "model", "data", "rows", "suffix", "options", "opening")  # what another job differs in
NOT_IN_RESULTS = ("device", "part_rows", "skip_bad")  # options that make no other job


@dataclass
class Manifest:
    """What an output folder holds.

    Parameters
    ----------
    folder : Folder
        Where it lies.
    document : dict
        All but the parts.
    done : dict of int to Done
        The parts that are there, by number.
    bad : dict of int to str
        Why parts were left out, by number.
    """

    folder: Folder
    document: dict[str, Any]
    done: dict[int, Done] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    _next: float = 0.0

    @classmethod
    def of(cls, folder: Folder, job: Job, plan: Plan) -> Manifest:
        """Return the manifest of a job of which nothing is done."""
        options = {name: value for name, value in job.options if name not in NOT_IN_RESULTS}
        document = {
            "format": FORMAT,
            "isthmus": __version__,
            "state": "running",
            "verb": job.verb,
            "model": plan.model,
            "data": plan.data,
            "rows": plan.rows,
            "suffix": plan.suffix,
            "options": options,
            "opening": {name: value for name, value in job.opening if name not in NOT_IN_RESULTS},
            "part_rows": job.option("part_rows"),
            "model_file": job.model,
            "data_source": job.data,
            "ranges": [[part.start, part.stop] for part in plan.parts],
        }
        return cls(folder, document)

    @classmethod
    def read(cls, folder: Folder) -> Manifest | None:
        """Return the manifest of a folder; None where it has none.

        Raises
        ------
        DataError
            It is damaged, or of a later format.
        """
        if NAME not in folder.sizes():
            return None
        try:
            document = json.loads(folder.read(NAME))
            done = {one["number"]: _done(one) for one in document.pop("parts")}
            bad = {int(number): str(why) for number, why in document.pop("bad").items()}
            if document["format"] != FORMAT:
                raise ValueError(f"its format is {document['format']}")
            missing = [name for name in (*IDENTITY, "ranges", "state", "part_rows") if name not in document]
            if missing:
                raise ValueError(f"it has no {missing[0]!r}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise checks.manifest_unreadable(f"{folder.name.rstrip('/')}/{NAME}", str(error)[:100]) from error
        return cls(folder, document, done, bad)

    @property
    def finished(self) -> bool:
        """Whether all parts are there."""
        return bool(self.document["state"] == "done")

    def names(self) -> list[str]:
        """Return the names of the parts' files, in order."""
        suffix, parts = self.document["suffix"], len(self.document["ranges"])
        return [part_name(number, suffix, digits_of(parts)) for number in range(parts)]

    def go_on_from(self, before: Manifest) -> None:
        """Take over the parts that another run of this job finished, where their files are there in full.

        Raises
        ------
        OutputExistsError
            It was another job.
        """
        for name in IDENTITY:
            there, here = before.document[name], self.document[name]
            if there != here:
                raise checks.other_job(self.folder.name, *_difference(name, there, here, before, self))
        if before.document["ranges"] != self.document["ranges"]:
            raise checks.other_job(self.folder.name, "parts", str(before.document["part_rows"]), "cut otherwise")
        sizes = self.folder.sizes()
        self.done = {k: done for k, done in before.done.items() if sizes.get(done.name) == done.nbytes}

    def missing(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts that are to be done."""
        return [part for part in parts if part.number not in self.done]

    def add(self, done: Done) -> None:
        """Take in that a part is there; write that down unless that was done just now."""
        self.done[done.number] = done
        self.bad.pop(done.number, None)
        if time.monotonic() >= self._next:
            self.write()

    def leave_out(self, done: Done) -> None:
        """Take in that a part cannot be read."""
        self.bad[done.number] = done.error

    def finish(self) -> None:
        """Write down that nothing more is to come; without parts that were left out the job is done."""
        whole = len(self.done) == len(self.document["ranges"])
        self.document["state"] = "done" if whole else "done but for parts that could not be read"
        self.write()

    def write(self) -> None:
        """Write it down."""
        started = time.monotonic()
        parts = [_written(self.done[number]) for number in sorted(self.done)]
        bad = {str(number): self.bad[number] for number in sorted(self.bad)}
        content = json.dumps({**self.document, "parts": parts, "bad": bad}, indent=1)
        self.folder.write(NAME, content.encode())
        now = time.monotonic()
        self._next = now + max(SECONDS, SHARE * (now - started))

    def unlike(self) -> list[str]:
        """Return the names of parts that are not there, or not bit for bit what was written."""
        sizes, found = self.folder.sizes(), []
        for number, name in enumerate(self.names()):
            done = self.done.get(number)
            if done is None or sizes.get(name) != done.nbytes:
                found.append(name)
                continue
            with self.folder.opened(name) as file:
                if checksum(file) != done.checksum:
                    found.append(name)
        return found

    def figures(self) -> dict[str, float]:
        """Return the sums over all parts that are there."""
        found: dict[str, float] = {}
        for done in self.done.values():
            for name, figure in done.figures:
                found[name] = found.get(name, 0.0) + figure
        return found


def _written(done: Done) -> dict[str, Any]:
    found = {name: getattr(done, name) for name in ("number", "name", "nbytes", "checksum")}
    more = {"figures": dict(done.figures), "notes": list(done.notes)}
    return {**found, "seconds": round(done.seconds, 3), **{name: value for name, value in more.items() if value}}


def _done(document: dict[str, Any]) -> Done:
    figures = tuple((str(name), float(figure)) for name, figure in document.get("figures", {}).items())
    name, nbytes = str(document["name"]), int(document["nbytes"])
    notes = tuple(map(str, document.get("notes", ())))
    return Done(document["number"], name, nbytes, document["checksum"], float(document["seconds"]), figures, notes)


def _difference(name: str, there: Any, here: Any, before: Manifest, now: Manifest) -> tuple[str, str, str]:
    """Return what two jobs differ in, and both values as a person knows them."""
    source = {"model": "model_file", "data": "data_source"}.get(name)
    if source is not None:
        files = (str(one.document.get(source, "")) for one in (before, now))
        first, second = (f"{file}, {digest}" for file, digest in zip(files, (there, here), strict=True))
        return name, first, second
    if isinstance(there, dict) and isinstance(here, dict):
        differ = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
        flag = f"--{differ[0].replace('_', '-')}"
        return f"options ({flag})", str(there.get(differ[0])), str(here.get(differ[0]))
    return name, str(there), str(here)

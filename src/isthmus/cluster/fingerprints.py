"""Digests that tell whether a model's file and data are those of an earlier run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from isthmus.cluster import places
from isthmus.cluster.plan import Job
from isthmus.cluster.reading import files_of

__all__ = ["fingerprint_of_data", "fingerprint_of_model"]

SAMPLED, SAMPLE = 256, 2**16  # files of an input whose ends go into its fingerprint, and bytes of each end
SHOWN = 16  # digits


def fingerprint_of_model(name: str) -> str:
    """Return a digest of a model's file."""
    with places.local_copy(name) as path, open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:SHOWN]


def fingerprint_of_data(job: Job) -> str:
    """Return a digest of the names, sizes and times of an input's files, and of both ends of some of them."""
    if not job.data:
        return "none"
    found = files_of(job)
    digest = hashlib.sha256(repr([(os.path.basename(name), size, when) for name, size, when in found]).encode())
    if not found:
        digest.update(job.data.encode())  # a built-in set
    if not places.is_url(job.data):
        for piece in _ends([name for name, _, _ in found]):
            digest.update(piece)
    return digest.hexdigest()[:SHOWN]


def _ends(names: list[str]) -> Iterable[bytes]:
    """Yield the first and the last bytes of some files, evenly spaced."""
    for name in names[:: max(1, -(-len(names) // SAMPLED))]:
        with open(name, "rb") as file:
            yield file.read(SAMPLE)
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - SAMPLE))
            yield file.read(SAMPLE)

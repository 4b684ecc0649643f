"""Digests: whether model and data are those of an earlier run, and whether a file is as it was written."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable
from typing import BinaryIO

from isthmus.cluster import places
from isthmus.cluster.plan import Job
from isthmus.cluster.reading import files_of

__all__ = ["checksum", "fingerprint_of_data", "fingerprint_of_model"]

SAMPLED, SAMPLE = 256, 2**16  # files of an input whose ends go into its fingerprint, and bytes of each end
PIECE = 2**22  # bytes that are read at once for a checksum
SHOWN = 16  # digits


def checksum(file: BinaryIO) -> str:
    """Return the CRC-32 of what a file holds from where it is, as eight hexadecimal digits."""
    found = 0
    while piece := file.read(PIECE):
        found = zlib.crc32(piece, found)
    return f"{found:08x}"


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

"""What a compressed file is, without decoding it: its form, how it was coded, and where its bytes went."""

from __future__ import annotations

import os
from typing import Any

from isthmus.coding.archive import Archive
from isthmus.coding.chunks import END, END_SIZE, Head
from isthmus.coding.container import (
    ARCHIVE,
    FINGERPRINT,
    SMALL_FINGERPRINT,
    SMALL_HEAD,
    SMALL_STORED,
    SMALL_WITH_MODEL,
    SMALL_WITH_PRIOR,
    STREAM,
    Fields,
    Source,
    opened,
)
from isthmus.coding.prior import shipped

__all__ = ["describe"]


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the head, the heads of chunks or the directory of a compressed file say.

    Returns
    -------
    dict
        ``form`` ("small", "stream" or "archive"), ``bytes`` of data, ``compressed_bytes``, ``parts`` (bytes of the file
        by what they are for), ``model`` (first bytes of the fingerprint of the prior or model that it needs, in
        hexadecimal, or None), ``carried`` (whether isthmus carries that) and, by form, ``speed``, ``table_bits``,
        ``name``, ``chunks``, ``stored``, ``restarts``, ``members``.

    Raises
    ------
    ArtifactError, FormatNumberError
        As when it is read; damage of payloads is not seen.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        source = Source(file, os.fspath(path))
        form = opened(source)
        if form == STREAM:
            found = {"form": "stream", **_of_stream(source)}
        elif form != ARCHIVE:
            found = {"form": "small", **_of_small(source, form, size)}
    if form == ARCHIVE:
        found = {"form": "archive", **_of_archive(path, size)}
    return {**found, "compressed_bytes": size}


def _of_small(source: Source, form: int, size: int) -> dict[str, Any]:
    length = int.from_bytes(source.take(2), "little")
    source.take(SMALL_HEAD - source.position)
    named = None
    if form == SMALL_WITH_MODEL:
        named = source.take(SMALL_FINGERPRINT)
    elif form == SMALL_WITH_PRIOR and (carried := shipped()):
        named = carried.fingerprint[:FINGERPRINT]
    parts = {"head": source.position, "payload": size - source.position}
    return {"bytes": length, "stored": int(form == SMALL_STORED), "parts": parts, **_of_prior(named)}


def _of_prior(named: bytes | None) -> dict[str, Any]:
    if named is None:
        return {"model": None, "carried": False}
    carried = shipped()
    return {"model": named.hex(), "carried": carried is not None and carried.fingerprint.startswith(named)}


def _of_fields(fields: Fields) -> dict[str, Any]:
    coding = {"method": fields.method, "speed": fields.speed, "table_bits": fields.bits, "name": fields.name}
    return coding | _of_prior(fields.prior)


def _of_stream(source: Source) -> dict[str, Any]:
    fields = Fields.read(source, STREAM)
    parts = {"head": source.position, "chunk heads": 0, "payload": 0, "end": 0}
    number = length = stored = restarts = 0
    while True:
        start = source.position
        head = Head.read(source, number, of_bytes=fields.content is None)
        if head.kind == END:
            break
        parts["chunk heads"] += source.position - start
        parts["payload"] += head.size
        source.seek(source.position + head.size)
        number, length = number + 1, length + head.units
        stored, restarts = stored + head.stored, restarts + head.afresh
    source.take(head.size + END_SIZE)
    parts["end"] = source.position - start
    return {
        **_of_fields(fields),
        "bytes": length,
        "chunks": number,
        "stored": stored,
        "restarts": restarts,
        "parts": parts,
    }


def _of_archive(path: str | os.PathLike[str], size: int) -> dict[str, Any]:
    with Archive(path) as archive:
        members, fields = archive.members, archive.fields
    blocks = [block for member in members for block in member.blocks]
    payload = sum(block.size for block in blocks)
    head = len(fields.to_bytes(ARCHIVE))
    return {
        **_of_fields(fields),
        "bytes": sum(member.length for member in members),
        "members": len(members),
        "chunks": len(blocks),
        "stored": sum(block.stored for block in blocks),
        "parts": {"head": head, "payload": payload, "directory": size - head - payload},
    }

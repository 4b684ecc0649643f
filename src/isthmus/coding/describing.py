"""What a compressed file is, without decoding it: its form, how it was coded, and where its bytes went."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable
from typing import Any

from isthmus.coding import contents
from isthmus.coding.archive import Archive, Block
from isthmus.coding.chunks import END, END_SIZE, Head
from isthmus.coding.container import (
    ARCHIVE,
    FINGERPRINT,
    SMALL_CONTENT,
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
from isthmus.coding.kinds import ANY
from isthmus.coding.photographs import weights
from isthmus.coding.prior import shipped
from isthmus.coding.short import Short

__all__ = ["describe"]

LARGEST = 5  # members that are named


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the head, the heads of chunks or the directory of a compressed file say.

    Returns
    -------
    dict
        ``form`` ("small", "stream" or "archive"), ``bytes`` of data, ``compressed_bytes``, ``parts`` (below), ``model``
        (first bytes of the fingerprint of the prior or model that it needs, in hexadecimal, or None), ``carried``
        (whether isthmus carries that) and, by form, ``speed``, ``table_bits``, ``name``, ``chunks``, ``stored`` (how
        many of them), ``restarts``, ``members`` (how many), ``files`` (how many of them are coded as what they are),
        and ``largest``: of the five members that take most, the largest first, ``name``, ``bytes`` and
        ``compressed_bytes``, without their entries in the directory.

        ``parts`` are bytes of the file by what they are for; they add up to its size. "head": first bytes, fields and
        check; "coded" and "stored": payloads; of a stream, "chunk heads", which hold the checks, and "end"; of an
        archive, "directory", which holds the checks, with its second copy and the footer.

    Raises
    ------
    ArtifactError, FormatNumberError
        As when it is read. Payloads are passed over, so their damage is not seen.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        source = Source(file, os.fspath(path))
        form = opened(source)
        if form == STREAM:
            found = {"form": "stream", **_of_stream(source)}
        elif form == SMALL_CONTENT:
            found = {"form": "small", **_of_short(source, size)}
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
    stored, payload = form == SMALL_STORED, size - source.position
    parts = {"head": source.position, "coded": 0 if stored else payload, "stored": payload if stored else 0}
    return {"bytes": length, "stored": int(stored), "parts": parts, **_of_prior(named)}


def _of_short(source: Source, size: int) -> dict[str, Any]:
    short = Short.read(source)
    content = contents.reader_of(short.content, source.name, ANY)
    return {
        **_of_prior(getattr(content, "needs", None)),
        "speed": 0,
        "name": None,
        "bytes": short.length,
        "chunks": 1,
        "stored": 0,
        "parts": {"head": size - len(short.payload), "coded": len(short.payload), "stored": 0},
        **_of_content(content, short.units, content.costs(short.payload)),
    }


def _of_content(content: contents.Described, units: int, costs: dict[str, int]) -> dict[str, Any]:
    own: dict[str, Any] = getattr(content, "facts", dict)()  # what units of pieces, or their data, do not say
    return {"content": content.kind, "unit": content.unit, "units": units, "columns": costs, **own}


def _of_prior(named: bytes | None) -> dict[str, Any]:
    if named is None:
        return {"model": None, "carried": False}
    carried = [known for known in (shipped(), weights.shipped()) if known is not None]
    return {"model": named.hex(), "carried": any(known.fingerprint.startswith(named) for known in carried)}


def _of_fields(fields: Fields) -> dict[str, Any]:
    coding = {"method": fields.method, "speed": fields.speed, "table_bits": fields.bits, "name": fields.name}
    return coding | _of_prior(fields.prior)


def _of_stream(source: Source) -> dict[str, Any]:
    fields = Fields.read(source, STREAM)
    content = None if fields.content is None else contents.reader_of(fields.content, source.name, ANY)
    columns = dict[str, int]()
    parts = {"head": source.position, "coded": 0, "stored": 0, "chunk heads": 0, "end": 0}
    number = units = stored = restarts = 0
    while True:
        start = source.position
        head = Head.read(source, number, of_bytes=fields.content is None)
        if head.kind == END:
            break
        parts["chunk heads"] += source.position - start
        parts["stored" if head.stored else "coded"] += head.size
        if content is None or head.stored:
            source.seek(source.position + head.size)
        else:
            for column, size in content.costs(source.take(head.size)).items():
                columns[column] = columns.get(column, 0) + size
        number, units = number + 1, units + head.units
        stored, restarts = stored + head.stored, restarts + head.afresh
    length = Source.of(source.take(head.size + END_SIZE), source.name).varint()
    parts["end"] = source.position - start
    return {
        **_of_fields(fields),
        **(_of_prior(needed) if (needed := getattr(content, "needs", None)) and not fields.prior else {}),
        "bytes": length,
        "chunks": number,
        "stored": stored,
        "restarts": restarts,
        "parts": parts,
        **({} if content is None else _of_content(content, units, columns)),
    }


def _of_archive(path: str | os.PathLike[str], size: int) -> dict[str, Any]:
    with Archive(path) as archive:
        members, fields = archive.members, archive.fields
    blocks = [block for member in members for block in member.blocks]
    parts = {"head": len(fields.to_bytes(ARCHIVE)), **_of_payloads(blocks)}
    return {
        **_of_fields(fields),
        **(_of_prior(fields.files) if fields.files else {}),
        "bytes": sum(member.length for member in members),
        "members": len(members),
        "chunks": len(blocks),
        "stored": sum(block.stored for block in blocks),
        "files": sum(member.is_file for member in members),
        "parts": {**parts, "directory": size - sum(parts.values())},
        "largest": [
            {"name": member.name, "bytes": member.length, "compressed_bytes": member.size}
            for member in heapq.nlargest(LARGEST, members, key=lambda member: member.size)
        ],
    }


def _of_payloads(blocks: Iterable[Block]) -> dict[str, int]:
    found = {"coded": 0, "stored": 0}
    for block in blocks:
        found["stored" if block.stored else "coded"] += block.size
    return found

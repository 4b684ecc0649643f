"""Bytes within a piece of a table, an array or a picture: behind their lengths, coded where that makes them smaller."""

from __future__ import annotations

from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import Source, coded, decoded, varint

__all__ = ["packed", "unpacked"]


def packed(data: bytes) -> bytes:
    """Return some bytes behind their length and how many stand here, those of a coder of their own if these are fewer.

    The coder has speed 1, the tables of ``table_bits(length)`` and no prior.
    """
    payload = coded(Coder(table_bits(len(data))), data) if data else None
    content = data if payload is None else payload
    return varint(len(data)) + varint(len(content)) + content


def unpacked(source: Source, limit: int) -> bytes:
    """Return what :func:`packed` was given, at most so many bytes.

    Raises
    ------
    ArtifactError
        It is none, or longer.
    """
    length, size = source.varint(), source.varint()
    if length > limit or size > length:
        raise source.damaged(f"a part of it would have {length:,} bytes")
    content = source.take(size)
    data = content if size == length else decoded(Coder(table_bits(length)), content, length)
    if data is None:
        raise source.damaged("a part of it is not as it was written")
    return data

"""Bytes within a piece of a table, an array or a picture: behind their length, coded where that makes them smaller."""

from __future__ import annotations

from isthmus import checks
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import SMALL_LIMIT, Source, decoded, varint
from isthmus.coding.prior import shipped

__all__ = ["packed", "unpacked"]

STORED, PREDICTED, WITH_PRIOR = range(3)  # ways, by the number that names them
WAYS = 3


def packed(data: bytes, *, prior: bool = False) -> bytes:
    """Return some bytes behind their length, by the way that takes fewest: stored, or of a coder of their own.

    The coder has speed 1 and the tables of ``table_bits(length)``. It begins with nothing; or with the prior that the
    package carries, where ``prior`` says that this may be and the first 65,535 bytes become smaller by it. That is the
    first prior of the package, and another one would be another way.
    """
    way, payload = _likelier_way(data) if prior and data and shipped() else (PREDICTED, None)
    if data and payload is None:
        payload = _coder(way, len(data)).encode(data)
    if payload is None or len(payload) >= len(data):
        return varint(WAYS * len(data) + STORED) + data
    return varint(WAYS * len(data) + way) + varint(len(payload)) + payload


def _likelier_way(data: bytes) -> tuple[int, bytes | None]:
    """Return the way that makes the beginning of data smallest, and the payload where that is all of them."""
    start = data[:SMALL_LIMIT]
    tries = {way: _coder(way, len(data)).encode(start) for way in (PREDICTED, WITH_PRIOR)}
    way = min(tries, key=lambda way: len(tries[way]))
    return way, tries[way] if len(start) == len(data) else None


def _coder(way: int, length: int) -> Coder:
    return Coder(table_bits(length), prior=shipped() if way == WITH_PRIOR else None)


def unpacked(source: Source, limit: int) -> bytes:
    """Return what :func:`packed` was given, at most so many bytes.

    Raises
    ------
    ArtifactError
        It is none, or longer.
    FormatNumberError
        It needs a prior that this version does not carry.
    """
    length, way = divmod(source.varint(), WAYS)
    if length > limit:
        raise source.damaged(f"a part of it would have {length:,} bytes")
    if way == STORED:
        return source.take(length)
    if way == WITH_PRIOR and shipped() is None:
        raise checks.later_form(source.name, f"way {way} of a part")
    size = source.varint()
    if size >= length:
        raise source.damaged(f"a part of it would have {length:,} bytes")
    data = decoded(_coder(way, length), source.take(size), length)
    if data is None:
        raise source.damaged("a part of it is not as it was written")
    return data

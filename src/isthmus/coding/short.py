"""A content of one piece, short enough for a small file, without the frame of a stream: see docs/format.md."""

from __future__ import annotations

from typing import NamedTuple, Self

from isthmus.coding.chunks import UNITS_LIMIT
from isthmus.coding.container import (
    FIELDS_LIMIT,
    SMALL_CONTENT,
    SMALL_LIMIT,
    Source,
    check_of,
    first_bytes,
    varint,
)

__all__ = ["Short"]

CHECK = 3  # bytes


class Short(NamedTuple):
    """What stands in a small file of a content.

    Parameters
    ----------
    content : bytes
        Its number, and what it says of itself.
    units, length : int
        Rows or items, and bytes of data.
    payload : bytes
        Of the one piece.
    check : bytes
        Of all before the payload, and the data.
    """

    content: bytes
    units: int
    length: int
    payload: bytes
    check: bytes = b""

    @classmethod
    def of(cls, content: bytes, units: int, data: bytes, payload: bytes | None) -> Self | None:
        """Return the one piece of a content; None where it cannot be a small file."""
        if payload is None or not len(payload) < len(data) <= SMALL_LIMIT:
            return None
        found = cls(content, units, len(data), payload)
        return found._replace(check=found._check_of(data))

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a small file says, whose first bytes are taken.

        Raises
        ------
        ArtifactError
            It is of no size that it can have.
        """
        check = source.take(CHECK)
        size = source.varint()
        if size > FIELDS_LIMIT:
            raise source.damaged(f"its head would have {size:,} bytes")
        content = source.take(size)
        units, length = source.varint(), source.varint()
        payload = source.up_to(SMALL_LIMIT + 1)
        if units > UNITS_LIMIT or not len(payload) < length <= SMALL_LIMIT:
            raise source.damaged("it is of no size that it can have")
        return cls(content, units, length, payload, check)

    def _head(self) -> bytes:
        return varint(len(self.content)) + self.content + varint(self.units) + varint(self.length)

    def _check_of(self, data: bytes) -> bytes:
        return check_of(first_bytes(SMALL_CONTENT)[2:] + self._head() + data, CHECK)

    def to_bytes(self) -> bytes:
        """Return the file."""
        return first_bytes(SMALL_CONTENT) + self.check + self._head() + self.payload

    def holds(self, data: bytes) -> bool:
        """Tell whether these are the data that were written."""
        return len(data) == self.length and self._check_of(data) == self.check

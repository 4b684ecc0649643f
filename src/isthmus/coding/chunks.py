"""The parts of a stream: heads of chunks, what stands behind them, and the end. See docs/format.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

from isthmus import checks
from isthmus.coding.coder import Coder
from isthmus.coding.container import EMPTY, Source, believable, check_of, coded, varint

__all__ = ["AFRESH", "DATA", "END", "END_SIZE", "STORED", "Chunk", "Head", "Restart", "Totals"]

CHUNK_LIMIT = 1 << 20  # bytes of data, or of payload, in one that is read
UNITS_LIMIT, PAYLOAD_LIMIT = 1 << 24, 1 << 26  # units, and bytes of payload, in one of another content
DATA, END = 0, 7  # kinds of chunks
KIND, STORED, AFRESH = 0b111, 0b1000, 0b10000
END_SIZE = 4  # bytes behind the end chunk that say how long it is


@dataclass(frozen=True)
class Head:
    """What stands before the payload of a chunk.

    Parameters
    ----------
    flags : int
        Kind, whether it is stored, and whether the coder begins afresh.
    units : int
        Bytes of data; of the end, the number of chunks.
    size : int
        Bytes of payload.
    check : bytes
        Of the data; of the end, of the payload.
    """

    flags: int
    units: int
    size: int
    check: bytes

    @property
    def kind(self) -> int:
        """What the chunk holds."""
        return self.flags & KIND

    @property
    def stored(self) -> bool:
        """Whether the payload is the data."""
        return bool(self.flags & STORED)

    @property
    def afresh(self) -> bool:
        """Whether the coder begins afresh."""
        return bool(self.flags & AFRESH)

    def to_bytes(self, number: int) -> bytes:
        """Return it as it stands before the chunk of a number."""
        own = bytes([self.flags]) + varint(self.units) + varint(self.size) + self.check
        return own + _check_of_head(number, own)

    @classmethod
    def read(cls, source: Source, number: int | None, *, of_bytes: bool = True) -> Self:
        """Return the head of the chunk of a number, of which no more than makes sense has to be allocated.

        Without a number it must be the end, which says its own. Units of another content than bytes can be of any size.
        """
        source.note()
        flags = source.take(1)[0]
        head = cls(flags, source.varint(), source.varint(), source.take(4))
        number = head.units if number is None else number
        if _check_of_head(number, source.noted()) != source.take(2):
            raise source.damaged(f"the head of chunk {number:,} does not fit its check")
        if flags & ~(KIND | STORED | AFRESH) or head.kind not in (DATA, END):
            raise checks.later_form(source.name, f"chunk {number:,} of kind {flags}")
        most = CHUNK_LIMIT if of_bytes or head.kind == END else PAYLOAD_LIMIT
        if head.size > most or not head._makes_sense(number, of_bytes):
            raise source.damaged(f"chunk {number:,} is of no size that it can have")
        return head

    def _makes_sense(self, number: int, of_bytes: bool) -> bool:
        if self.kind == END:
            return self.flags == END and self.units == number
        if not of_bytes:
            return self.afresh and self.units <= UNITS_LIMIT
        if self.units > CHUNK_LIMIT or self.afresh < (number == 0):
            return False
        return self.size == self.units > 0 if self.stored else believable(self.size, self.units)


def _check_of_head(number: int, own: bytes) -> bytes:
    return check_of(number.to_bytes(8, "little") + own, 2)


@dataclass(frozen=True)
class Restart:
    """Where a coder begins afresh.

    Parameters
    ----------
    position : int
        Of the chunk in the file.
    units : int
        Bytes of data before it, or rows or items.
    number : int
        Of the chunk.
    """

    position: int = 0
    units: int = 0
    number: int = 0


class Totals:
    """What the end of a stream says of all of it, gathered on the way."""

    def __init__(self) -> None:
        self.chunks = self.length = 0
        self.check = EMPTY
        self.restarts: list[Restart] = []

    def add(self, head: Head, data: bytes | memoryview, position: int) -> None:
        """Count a chunk that stands at a position."""
        if head.afresh:
            self.restarts.append(Restart(position, self.length, self.chunks))
        self.check = int.from_bytes(check_of(data, start=self.check), "little")
        self.chunks += 1
        self.length += head.units

    def to_bytes(self) -> bytes:
        """Return the end of a stream."""
        packed = varint(self.length) + self.check.to_bytes(4, "little") + varint(len(self.restarts))
        before = Restart()
        for restart in self.restarts:
            packed += varint(restart.position - before.position)
            packed += varint(restart.units - before.units) + varint(restart.number - before.number)
            before = restart
        end = Head(END, self.chunks, len(packed), check_of(packed)).to_bytes(self.chunks) + packed
        return end + len(end).to_bytes(END_SIZE, "little")


class Chunk(NamedTuple):
    """A chunk that is to be written: its head, what stands behind it, and the data."""

    head: Head
    content: bytes
    data: bytes

    @classmethod
    def coded(cls, coder: Coder | None, data: bytes, afresh: bool) -> Self:
        """Return data as a chunk."""
        payload = coded(coder, data)
        content = data if payload is None else payload
        flags = DATA | (AFRESH if afresh else 0) | (STORED if payload is None else 0)
        return cls(Head(flags, len(data), len(content), check_of(data)), content, data)

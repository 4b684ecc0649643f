"""What a stream can hold besides bytes: tables, arrays and pictures, each chunk of which can be had alone.

A content is cut into pieces, whole rows of a table or a part of an array, that know nothing of each other. Each becomes
a chunk of a stream (docs/format.md), which is coded, checked and decoded by itself, so that pieces are worked on side
by side, and one is had without the others.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar, runtime_checkable

from isthmus import checks
from isthmus.coding.chunks import AFRESH, DATA, STORED, Head, Totals
from isthmus.coding.container import FINGERPRINT, STREAM, VALUES, Fields, Source, check_of, varint
from isthmus.coding.short import Short
from isthmus.errors import FormatNumberError

__all__ = [
    "ARRAY",
    "CODES",
    "PICTURE",
    "TABLE",
    "Array",
    "Chosen",
    "Content",
    "Described",
    "Making",
    "Piece",
    "Work",
    "decoded",
    "promised",
    "read_short",
    "side_by_side",
    "write",
    "zeros",
]

TABLE, ARRAY, PICTURE, CODES = 1, 2, 3, 4
MODULES = {
    TABLE: "isthmus.coding.tables",
    ARRAY: "isthmus.coding.arrays.content",
    PICTURE: "isthmus.coding.pictures",
    CODES: "isthmus.coding.codes",
}
THREADS = 2
AT_ONCE = 1 << 20  # bytes that stand for what is lost
AHEAD = 1  # pieces that wait for a thread, beyond those that are worked on


class Piece(NamedTuple):
    """A part of a content that becomes a chunk.

    Parameters
    ----------
    units : int
        Rows of a table, items of an array, pixels of a picture; at most 2^24.
    data : bytes
        What a reader gets, and what is checked.
    payload : bytes or None
        What stands in the file; None where the data themselves do.
    why_bytes : str or None
        Why they are coded as bytes, where that is not what the content is, as a clause about them.
    """

    units: int
    data: bytes
    payload: bytes | None
    why_bytes: str | None = None


class Work(Protocol):
    """Makes a piece; called in any thread."""

    @property
    def bytes(self) -> int:
        """Of its data, about."""

    def __call__(self) -> Piece:
        """Return the piece."""


@dataclass(frozen=True, eq=False)
class Making:
    """Work that a function does.

    Parameters
    ----------
    bytes : int
        Of the data, about.
    made : callable
        Returns the piece.
    """

    bytes: int
    made: Callable[[], Piece]

    def __call__(self) -> Piece:
        """Return the piece."""
        return self.made()


class Content(Protocol):
    """What is to be written."""

    @property
    def number(self) -> int:
        """TABLE, ARRAY, PICTURE or CODES."""

    @property
    def fingerprint(self) -> bytes | None:
        """Of the model that it is coded with."""

    @property
    def at_once(self) -> int:
        """How many pieces may be worked on at a time, at most: one where a piece itself keeps all threads busy."""

    @property
    def is_exact(self) -> bool:
        """Whether the file comes back byte for byte: the data of pieces are its bytes."""

    def description(self) -> bytes:
        """Return what a reader needs before the first piece."""

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces, in order."""


class Chosen(NamedTuple):
    """Some rows of a piece, for which all of it was decoded.

    Parameters
    ----------
    units : int
        Rows of the piece.
    payload : bytes or None
        Its payload; None where it is stored.
    data : bytes
        Its data.
    start, stop : int
        The rows, from 0 within the piece.
    """

    units: int
    payload: bytes | None
    data: bytes
    start: int
    stop: int


class Described(Protocol):
    """A content that is read: each module of MODULES has a function `described` that makes it of a description."""

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the data of a piece; ValueError where there is none. Called in any thread."""

    kind: str  # "table", "array", "picture" or "codes"
    unit: str  # of which pieces have some: "row", "item", "pixel", "record"
    at_once: int  # pieces that may be decoded at a time, at most

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return where the bytes of a payload went: by column, or by what else it consists of."""

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield what stands in a file for lost units, from one on and before another, or to the end."""

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file that the content came from, or of one that means the same."""


@runtime_checkable
class Array(Described, Protocol):
    """An array that is read."""

    @property
    def size(self) -> int:
        """Bytes of its items."""

    def array(self, pieces: Iterator[bytes]) -> Any:
        """Return the array of the bytes of its pieces."""


Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(items: Iterable[Item], made: Callable[[Item], Found], threads: int = THREADS) -> Iterator[Found]:
    """Yield what is made of items, in order, while threads work on the next ones."""
    if threads < 2:
        yield from map(made, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Found]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(made, item))
                if len(pending) > threads + AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for waiting in pending:
                waiting.cancel()


def write(
    file: BinaryIO,
    content: Content,
    *,
    name: str | None = None,
    verify: bool = True,
    threads: int = THREADS,
    label: str = "the data",
    done: Callable[[Piece, int], object] | None = None,
    short: bool = False,
) -> int:
    """Write a content as a stream, and return how many bytes that are.

    Parameters
    ----------
    file : binary file
        Where to.
    content : Content
    name : str, optional
        Of what is compressed.
    verify : bool, default=True
        Whether each piece is decoded again and compared.
    threads : int, default=2
        That may be used. No byte hangs on it.
    label : str, default="the data"
        What sentences call it.
    done : callable, optional
        Is told each piece, and how many bytes were written for it.
    short : bool, default=False
        Whether one piece that is short may become a small file, which keeps no name.
    """
    described = content.description()
    prior = None if content.fingerprint is None else content.fingerprint[:FINGERPRINT]
    fields = Fields(VALUES, name=name, prior=prior, content=varint(content.number) + described)
    model = getattr(content, "model", None)  # of those that are coded with one
    reader = reader_of(fields.content or b"", label, model) if verify else None

    def made(work: Work) -> Piece:
        piece = work()
        if reader and piece.payload is not None and decoded(reader, piece.units, piece.payload) != piece.data:
            raise checks.unlike_its_source(label)
        return piece

    pieces = side_by_side(content.work(), made, min(threads, content.at_once))
    if short:
        first = list(islice(pieces, 2))
        found = Short.of(fields.content or b"", *first[0][:3]) if len(first) == 1 else None
        if found:
            written = file.write(found.to_bytes())
            if done:
                done(first[0], written)
            return written
        pieces = chain(first, pieces)
    written = file.write(fields.to_bytes(STREAM))
    totals = Totals()
    for piece in pieces:
        stored = piece.payload is None or len(piece.payload) >= len(piece.data)
        payload = piece.data if stored or piece.payload is None else piece.payload
        head = Head(DATA | AFRESH | (STORED if stored else 0), piece.units, len(payload), check_of(piece.data))
        position = written
        written += file.write(head.to_bytes(totals.chunks) + payload)
        totals.add(head, piece.data, position)
        if done:
            done(piece, written - position)
    return written + file.write(totals.to_bytes())


def decoded(described: Described, units: int, payload: bytes) -> bytes | None:
    """Return the data of a piece; None where its payload is that of none."""
    try:
        return described.data(units, payload)
    except FormatNumberError:
        raise
    except ValueError:
        return None


def zeros(count: int, each: int = 1) -> Iterator[bytes]:
    """Yield so many bytes that are 0, some at once: whole units of ``each``, however many a description promises."""
    block = max(1, AT_ONCE // max(1, each)) * max(1, each)
    for start in range(0, count, block):
        yield bytes(min(block, count - start))


def promised(pieces: Iterator[bytes], size: int, name: str) -> Iterator[bytes]:
    """Yield the data of pieces.

    Parameters
    ----------
    pieces : iterator of bytes
    size : int
        Bytes that they have in all, as a description says.
    name : str
        Of the file, for sentences.

    Raises
    ------
    ArtifactError
        They have others; those beyond are not yielded.
    """
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > size:
            break
        yield piece
    if length != size:
        raise checks.damaged(name, "its pieces are not those of its shape")


def read_short(source: Source, model: Any = None) -> tuple[Described, bytes]:
    """Return what reads the content of a small file, whose first bytes are taken, and the data of its piece.

    Raises
    ------
    ArtifactError
        It is not as it was written; or as :func:`reader_of` raises it.
    """
    short = Short.read(source)
    described = reader_of(short.content, source.name, model)
    data = decoded(described, short.units, short.payload)
    if data is None or not short.holds(data):
        raise source.damaged("its check does not fit its data, or its end is missing")
    return described, data


def reader_of(content: bytes, name: str, model: Any = None) -> Described:
    """Return what reads a content, as field 2 describes it.

    Parameters
    ----------
    content : bytes
        Its number and what it says of itself.
    name : str
        Of the file, for sentences.
    model : object, optional
        What it was coded with.

    Raises
    ------
    FormatNumberError
        Nobody knows such a content yet.
    ArtifactError
        The description is none.
    """
    source = Source.of(content, name)
    number = source.varint()
    if number not in MODULES:
        raise checks.later_form(name, f"content {number}")
    return importlib.import_module(MODULES[number]).described(source, model)

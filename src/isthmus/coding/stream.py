"""Compressed data as a stream of chunks, each checked: written while they come, read with memory that does not grow.

See docs/format.md. A chunk is made when 256 KiB are full or when the writer is flushed, so whoever reads behind can
have all that was flushed.
"""

from __future__ import annotations

import contextlib
import io
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from queue import SimpleQueue
from threading import Event
from typing import Any, BinaryIO, NamedTuple

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.choosing import Choice
from isthmus.coding.chunks import DATA, END, END_SIZE, Chunk, Head, Restart, Totals
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import (
    ARCHIVE,
    SMALL_CONTENT,
    SMALL_LIMIT,
    SPEEDS,
    STREAM,
    Fields,
    Source,
    as_bytes,
    check_of,
    decoded,
    opened,
    small,
    small_data,
)
from isthmus.coding.kinds import Known
from isthmus.coding.prior import Prior
from isthmus.errors import ArtifactError

__all__ = [
    "CHUNK",
    "RESTART",
    "Head",
    "Lost",
    "Reader",
    "Writer",
    "compressed",
    "data_of",
    "decompressed",
    "end_of",
    "pieces",
    "salvage",
]

CHUNK = 1 << 18  # bytes of data in one that is written, at most
RESTART = 64 << 20  # bytes of data after which the coder begins afresh
LANES = 2  # segments that are coded at a time
LANE_LIMIT = 16 << 20  # bytes of data in one
LEAST = 1 << 17  # bytes of data that are cut in two: texts as long lose 1 % by it
LOOKED_AT = 1 << 12  # bytes by which it is judged whether a prior knows what data are like
KNOWN = 0.75  # of their size without it: .55 to .7 of English, source code and logs, .83 to .96 of other languages


# ------------------------------------------------------------------ writing


def lane_of(size: int | None, prior: Prior | None, start: bytes) -> int | None:
    """Return the bytes after which the coder begins afresh, so that two segments can be coded at a time.

    It is None where the size of the data is not known, and where a fresh start costs too much: a coder has to learn
    again what the data are like, unless a prior knows it beforehand. Without one a text of 600 kB becomes larger by
    4 %; with one that knows only English, a German text of 200 kB by 9 %.
    """
    if size is None or prior is None or size < LEAST or not _knows(prior, start[:LOOKED_AT]):
        return None
    return min(-(-size // LANES), LANE_LIMIT)


def _knows(prior: Prior, data: bytes) -> bool:
    """Return whether a prior knows beforehand what data are like."""
    return len(small(data, prior)) <= KNOWN * len(small(data))


class Writer(io.BufferedIOBase):
    """A binary file that compresses what is written to it.

    Data that are short, and were not flushed before the end, become a small file; else a chunk is written for each
    256 KiB and at each flush. Where the size is known and little is lost by it, the coder begins afresh in the middle,
    and after each 16 MiB at least, so that two threads can work.

    Parameters
    ----------
    file : binary file
        Where to; it stays open. It is only written to, never searched.
    speed : {"normal", "fast"}, default="normal"
        Of the predictor.
    size : int, optional
        Bytes that will come, about, where that is known: short data are coded with small tables.
    name : str, optional
        Of what is compressed, to be kept in a stream.
    verify : bool, default=True
        Whether each chunk is decoded again and compared.
    threads : int, default=2
        With more than one, segments are coded side by side, or chunks verified while others are coded. No byte hangs
        on it.
    label : str, default="the data"
        What sentences call the file.
    model : Prior, optional
        What the coder begins with; a reader needs it too.
    prior : bool, default=True
        Whether, without a model, the coder may begin with the prior of the package, where the first data look like
        text.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        speed: str = "normal",
        size: int | None = None,
        name: str | None = None,
        verify: bool = True,
        threads: int = LANES,
        label: str = "the data",
        model: Prior | None = None,
        prior: bool = True,
    ) -> None:
        checks.choice("compress", "speed", speed, tuple(SPEEDS))
        self._file, self._name, self._size = file, name, size
        self._choice = Choice(SPEEDS[speed], model, prior)
        self._verify, self._threads, self._label = verify, threads, label
        self._waiting = bytearray()
        self._totals = Totals()
        self._coder: Coder | None = None
        self._verifier: Verifier | None = None
        self._lanes: Lanes | None = None
        self._unit = CHUNK  # bytes that are coded at once
        self._has_begun = False
        self._since_restart = 0
        self.ending = contextlib.ExitStack()  # what follows once the file is whole, or is undone if it is not
        self._is_over = False
        self.written = 0  # bytes of the compressed file so far

    @property
    def waiting(self) -> int:
        """Bytes that are in no chunk yet."""
        return len(self._waiting)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes; they are coded once 256 KiB are full."""
        if self.closed:
            raise ValueError("the file is closed")
        given = as_bytes("write", data)
        for start in range(0, len(given), CHUNK):
            self._waiting += given[start : start + CHUNK]
            if len(self._waiting) >= self._unit + (not self._has_begun):  # the first waits, for it may be all
                self._next()
        return len(given)

    def flush(self) -> None:
        """Make a chunk of what waits, so that a reader can have it."""
        if self._is_over:
            return
        while self._waiting:
            self._next()
        if self._lanes:
            self._put_chunks(self._lanes.done())
        self._file.flush()

    def close(self) -> None:
        """Write the end; what was written is then whole."""
        if self.closed:
            return
        try:
            with self.ending:
                self._end()
        finally:
            self.abandon()

    def abandon(self, *raised: Any) -> None:
        """Close without an end: what was written is not whole, and no reader will take it so."""
        if self.closed:
            return
        self._is_over = True
        self._waiting.clear()
        super().close()
        for working in (self._verifier, self._lanes):
            if working:
                working.stop()
        error = raised or (io.UnsupportedOperation, io.UnsupportedOperation("abandoned"), None)
        self.ending.__exit__(*error)

    def __exit__(self, *raised: object) -> None:
        """Write the end; after an error none, so that nobody takes what is there for the whole."""
        if raised[0] is None:
            self.close()
        else:
            self.abandon(*raised)

    def _end(self) -> None:
        """Write what is missing to a whole file."""
        if not self._has_begun and len(self._waiting) <= SMALL_LIMIT:
            data = bytes(self._waiting)
            prior = self._choice.for_data(data)
            content = small(data, prior)
            if self._verify and _whole(content, prior) != data:
                raise checks.unlike_its_source(self._label)
            self._put(content)
        else:
            self._size = self._size if self._has_begun else len(self._waiting)
            self.flush()
            if self._verifier:
                self._verifier.finish()
            self._put(self._totals.to_bytes())
        self._file.flush()

    def _next(self) -> None:
        """Code what waits: a chunk, or a segment of several."""
        if not self._has_begun:
            self._begin(bytes(self._waiting[:CHUNK]))
        data = bytes(self._waiting[: self._unit])
        del self._waiting[: self._unit]
        if self._lanes:
            self._lanes.take(data)
            self._put_chunks(self._lanes.done(LANES - 1))
        else:
            self._next_chunk(data)

    def _next_chunk(self, data: bytes) -> None:
        afresh = not self._totals.chunks or self._since_restart + len(data) > RESTART
        if afresh and self._coder and self._totals.chunks:
            self._coder.restart()
        self._since_restart = len(data) if afresh else self._since_restart + len(data)
        chunk = Chunk.coded(self._coder, data, afresh)
        self._put_chunks([chunk])
        if self._verifier:
            self._verifier.chunk(chunk.head, chunk.content, data)

    def _begin(self, data: bytes) -> None:
        """Write the head of the file for its first data, and make ready the coders that it says."""
        self._has_begun = True
        speed, prior = self._choice.speed, self._choice.for_data(data)
        lane = lane_of(self._size, prior, data)
        fields = Fields.predicted(speed, table_bits(lane or self._size, speed), prior, self._name)
        self._put(fields.to_bytes(STREAM))
        if lane:
            self._unit = lane
            self._lanes = Lanes(fields, prior, threads=self._threads, verify=self._verify, label=self._label)
            return
        self._coder = fields.coder(prior=prior)
        if self._verify:
            self._verifier = Verifier(Decoder(fields.coder(prior=prior)), self._label, self._threads)

    def _put_chunks(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            position = self.written
            self._put(chunk.head.to_bytes(self._totals.chunks) + chunk.content)
            self._totals.add(chunk.head, chunk.data, position)

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self.written += len(content)


class Lanes:
    """Codes segments of data, each afresh, in threads of their own, and gives their chunks in order.

    Parameters
    ----------
    fields, prior
        Of the stream.
    threads : int
        That may be used.
    verify : bool
        Whether each segment is decoded again and compared.
    label : str
        What sentences call the file.
    """

    def __init__(self, fields: Fields, prior: Prior | None, *, threads: int, verify: bool, label: str) -> None:
        self._verify, self._label = verify, label
        self._coders = [fields.coder(prior=prior) for _ in range(max(1, min(threads, LANES)))]
        self._idle = SimpleQueue[Coder | None]()
        for coder in self._coders:
            self._idle.put(coder)
        self._pool = ThreadPoolExecutor(len(self._coders))
        self._pending: deque[Future[list[Chunk]]] = deque()
        self._stopped = Event()

    def take(self, data: bytes) -> None:
        """Begin with a segment."""
        self._pending.append(self._pool.submit(self._chunks, data))

    def done(self, waiting: int = 0) -> Iterator[Chunk]:
        """Yield chunks in order, until no more than so many segments are waited for."""
        while len(self._pending) > waiting:
            yield from self._pending.popleft().result()

    def stop(self) -> None:
        """Leave what is being done."""
        stop(self._coders, self._stopped)
        self._pool.shutdown(cancel_futures=True)

    def _chunks(self, data: bytes) -> list[Chunk]:
        coder = self._idle.get()
        try:
            restart(coder, self._stopped)
            found = [Chunk.coded(coder, data[at : at + CHUNK], not at) for at in range(0, len(data), CHUNK)]
            decoder = Decoder(coder, self._stopped)
            if self._verify and any(decoder.data(chunk.head, chunk.content) != chunk.data for chunk in found):
                raise checks.unlike_its_source(self._label)
            return found
        finally:
            self._idle.put(coder)


def stop(coders: Iterable[Coder | None], stopped: Event) -> None:
    """Interrupt coders that threads work with, which are to begin nothing further."""
    stopped.set()
    for coder in coders:
        if coder:
            coder.stop()


def restart(coder: Coder | None, stopped: Event) -> None:
    """Let a coder begin afresh, unless it is to begin nothing further: to restart it alone would undo a stop."""
    if coder:
        coder.restart()
        if stopped.is_set():
            coder.stop()


class Verifier:
    """Decodes chunks again and compares them, in a thread of its own where there may be more than one.

    Parameters
    ----------
    decoder : Decoder
        As a reader has it.
    label : str
        What sentences call the file.
    threads : int
        That may be used.
    """

    def __init__(self, decoder: Decoder, label: str, threads: int) -> None:
        self._decoder, self._label = decoder, label
        self._thread = ThreadPoolExecutor(1) if threads > 1 else None
        self._pending: Future[bool] | None = None

    def chunk(self, head: Head, payload: bytes, data: bytes) -> None:
        """Compare a chunk; of an earlier one, refuse what did not decode to its data."""
        if self._thread is None:
            self._settle(self._is_sound(head, payload, data))
        else:
            self.finish()
            self._pending = self._thread.submit(self._is_sound, head, payload, data)

    def finish(self) -> None:
        """Wait for the last comparison, and refuse what did not decode to its data."""
        if self._pending is not None:
            self._settle(self._pending.result())
            self._pending = None

    def stop(self) -> None:
        """Let the thread go."""
        if self._thread is not None:
            self._thread.shutdown()

    def _is_sound(self, head: Head, payload: bytes, data: bytes) -> bool:
        return self._decoder.data(head, payload) == data

    def _settle(self, is_sound: bool) -> None:
        if not is_sound:
            raise checks.unlike_its_source(self._label)


# ------------------------------------------------------------------ reading


class Decoder:
    """Makes data of the chunks of a stream, one after another.

    Parameters
    ----------
    coder : Coder or None
        With tables and prior as the stream says; None where all is stored.
    stopped : Event, optional
        Is set when it is to begin nothing further.
    """

    def __init__(self, coder: Coder | None, stopped: Event | None = None) -> None:
        self._coder, self._stopped = coder, stopped or Event()
        self._is_sound = True  # what it learned is what the writer's had learned

    def data(self, head: Head, payload: bytes) -> bytes | None:
        """Return the data of a chunk, None where they are not what was written: the next ones then miss them, too."""
        if head.afresh:
            self._is_sound = True
            restart(self._coder, self._stopped)
        data = self._decoded(head, payload)
        if data is None or check_of(data) != head.check:
            self._is_sound = False
            return None
        if head.stored and self._coder and self._is_sound:
            self._coder.learn(data)
        return data

    def _decoded(self, head: Head, payload: bytes) -> bytes | None:
        if head.stored:
            return payload
        return decoded(self._coder, payload, head.units) if self._coder and self._is_sound else None

    def lose(self) -> None:
        """Take note that chunks were passed over."""
        self._is_sound = False


Decoded = tuple[int, Head, bytes | None]  # place in the file, head, and data; of the end its payload


def _whole(content: bytes, prior: Prior | None) -> bytes | None:
    """Return the data of a small file, None of one that is not sound."""
    source = Source(io.BytesIO(content), "the data")
    try:
        return small_data(source, opened(source), prior)
    except ArtifactError:
        return None


def chunks(source: Source, model: Known | None = None, threads: int = LANES) -> Iterator[bytes]:
    """Return the data of a stream, whose first bytes are taken, chunk by chunk; at last its end is checked.

    Raises
    ------
    ArtifactError
        It needs another model; or something in it is not as it was written, and what came before is sound.
    """
    fields = Fields.read(source, STREAM)
    if fields.content is not None:
        described, pieces = _described(source, fields.content, model, threads)
        return described.as_file(pieces)
    prior = fields.found_prior(model, source.name)
    decode = _decoded_side_by_side if threads > 1 and _has_lanes(source) else _decoded_in_turn
    return _sound(source, decode(source, fields, prior))


def _described(
    source: Source, content: bytes, model: Known | None, threads: int = LANES
) -> tuple[contents.Described, Iterator[bytes]]:
    """Return what a stream of another content than bytes holds, and its pieces; at last its end is checked."""
    described = contents.reader_of(content, source.name, model)
    return described, _sound(source, _decoded_as(described, source, threads))


def pieces(source: Source, described: contents.Described, threads: int = LANES) -> Iterator[tuple[int, bytes]]:
    """Yield units and data of the pieces of another content than bytes, behind the head; at last the end is checked.

    Raises
    ------
    ArtifactError
        Something is not as it was written, and what came before is sound.
    """
    units: deque[int] = deque()

    def noted() -> Iterator[Decoded]:
        for chunk in _decoded_as(described, source, threads):
            units.append(chunk[1].units)
            yield chunk

    for data in _sound(source, noted()):
        yield units.popleft(), data


def _sound(source: Source, decoded: Iterator[Decoded]) -> Iterator[bytes]:
    """Yield the data of chunks, and check the end."""
    totals = Totals()
    for position, head, data in decoded:
        if head.kind == END:
            break
        if data is None:
            raise source.damaged(f"chunk {totals.chunks:,} does not fit its check")
        totals.add(head, data, position)
        yield data
    if head.to_bytes(totals.chunks) + (data or b"") + source.take(END_SIZE) != totals.to_bytes():
        raise source.damaged("its end is not that of its chunks")
    if source.up_to(1):
        raise source.damaged("more bytes follow its end")


def _decoded_in_turn(source: Source, fields: Fields, prior: Prior | None) -> Iterator[Decoded]:
    """Yield chunks as they come."""
    decoder = Decoder(fields.coder(prior=prior))
    for position, head, payload in _chunks_of(source):
        yield position, head, payload if head.kind == END else decoder.data(head, payload)


def _decoded_as(described: contents.Described, source: Source, threads: int) -> Iterator[Decoded]:
    """Yield the chunks of another content, each of which is decoded by itself."""
    pieces = _Pieces(described)

    def decoded(chunk: tuple[int, Head, bytes]) -> Decoded:
        position, head, payload = chunk
        return position, head, payload if head.kind == END else pieces.data(head, payload)

    return contents.side_by_side(_chunks_of(source, of_bytes=False), decoded, min(threads, described.at_once))


def _decoded_side_by_side(source: Source, fields: Fields, prior: Prior | None) -> Iterator[Decoded]:
    """Yield chunks in order, while segments that follow are decoded in threads of their own."""
    idle, stopped = SimpleQueue[Decoder](), Event()
    coders = [fields.coder(prior=prior) for _ in range(LANES)]
    for coder in coders:
        idle.put(Decoder(coder, stopped))

    def decoded(segment: list[tuple[int, Head, bytes]]) -> list[Decoded]:
        decoder = idle.get()
        try:
            return [(position, head, decoder.data(head, payload)) for position, head, payload in segment]
        finally:
            idle.put(decoder)

    pool, pending = ThreadPoolExecutor(LANES), deque[Future[list[Decoded]]]()
    segments = _segments_of(source)
    try:
        while True:
            try:
                segment = next(segments, None)
            except ArtifactError:
                for waited in pending:  # what came before is sound
                    yield from waited.result()
                raise
            if segment is None or segment[0][1].kind == END:
                break
            pending.append(pool.submit(decoded, segment))
            if len(pending) > LANES:
                yield from pending.popleft().result()
        for waited in pending:
            yield from waited.result()
        if segment:
            yield segment[0]
    finally:
        stop(coders, stopped)
        pool.shutdown(cancel_futures=True)


def _chunks_of(source: Source, *, of_bytes: bool = True) -> Iterator[tuple[int, Head, bytes]]:
    """Yield place, head and payload of each chunk, the end as the last."""
    for number in count():
        position = source.position
        head = Head.read(source, number, of_bytes=of_bytes)
        yield position, head, source.take(head.size)
        if head.kind == END:
            return


def _segments_of(source: Source) -> Iterator[list[tuple[int, Head, bytes]]]:
    """Yield the chunks from one fresh start of the coder to the next, then the end alone.

    Where one cannot be read, those before it are still yielded.
    """
    segment: list[tuple[int, Head, bytes]] = []
    size = 0
    try:
        for chunk in _chunks_of(source):
            if segment and (chunk[1].afresh or chunk[1].kind == END):
                yield segment
                segment, size = [], 0
            segment.append(chunk)
            size += chunk[1].units if chunk[1].kind == DATA else 0
            if size > LANE_LIMIT:
                raise source.damaged("its end is not that of its chunks")
    except ArtifactError:
        if segment:
            yield segment
        raise
    yield segment


def _has_lanes(source: Source) -> bool:
    """Tell whether the end of a stream says that it is of segments that can be decoded side by side."""
    if not source.file.seekable():
        return False
    restarts, length = end_of(source)
    units = [restart.units for restart in restarts] + [length or 0]
    return len(restarts) > 1 and max(map(int.__sub__, units[1:], units)) <= LANE_LIMIT


def data_of(source: Source, form: int, model: Known | None = None, threads: int = LANES) -> Iterator[bytes]:
    """Yield the data of a small file or a stream, whose first bytes are taken, piece by piece.

    Parameters
    ----------
    source : Source
        The file.
    form : int
        Its form.
    model : Known, optional
        What a person named as the model that it needs.
    threads : int, default=2
        With more than one, segments of a stream are decoded side by side where the file can be searched.

    Raises
    ------
    ArtifactError
        It is an archive, it needs another model, or something in it is not as it was written.
    """
    if form == ARCHIVE:
        raise checks.an_archive(source.name)
    if form == SMALL_CONTENT:
        described, data = contents.read_short(source, model)
        return described.as_file(iter((data,)))
    return chunks(source, model, threads) if form == STREAM else iter((small_data(source, form, model),))


class Reader(io.RawIOBase):
    """A binary file that gives the data of a compressed one, in their order.

    Parameters
    ----------
    file : binary file
        Where from.
    label : str, default="the data"
        What sentences call it.
    closing : bool, default=False
        Whether the file is closed with this one.
    model : Known, optional
        What a person named as the model that it needs.
    """

    def __init__(
        self, file: BinaryIO, *, label: str = "the data", closing: bool = False, model: Known | None = None
    ) -> None:
        source = Source(file, label)
        self._pieces = data_of(source, opened(source), model)
        self._rest = memoryview(b"")
        self._file = file if closing else None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the next chunk goes; 0 is the end."""
        into = memoryview(buffer).cast("B")
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = memoryview(piece)
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def readall(self) -> bytes:
        """Return all that is left."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield all that is left, chunk by chunk."""
        first, self._rest = bytes(self._rest), memoryview(b"")
        if first:
            yield first
        yield from self._pieces

    def close(self) -> None:
        """Close the file, where it was opened for this one."""
        if not self.closed and self._file is not None:
            self._file.close()
        super().close()


# ------------------------------------------------------------------ all at once


def compressed(
    data: Any, *, speed: str = "normal", verify: bool = True, model: Prior | None = None, prior: bool = True
) -> bytes:
    """Return the compressed file of bytes; parameters are those of :class:`Writer`."""
    given, found = as_bytes("compress", data), io.BytesIO()
    with Writer(found, speed=speed, size=len(given), verify=verify, model=model, prior=prior) as writer:
        writer.write(given)
    return found.getvalue()


def decompressed(data: Any, *, limit: int | None = None, model: Known | None = None) -> Any:
    """Return the data of a compressed file, of which at most ``limit`` bytes may come out; an array as an array."""
    source = Source.of(as_bytes("decompress", data), "the data")
    if described_pieces := _opened_content(source, model):
        described, pieces = described_pieces
        if isinstance(described, contents.Array):
            if limit is not None and described.size > limit:
                raise checks.too_long("the data", limit)
            return described.array(pieces)
    with Reader(io.BytesIO(as_bytes("decompress", data)), model=model) as reader:
        if limit is None:
            return reader.readall()
        found = io.BufferedReader(reader).read(limit + 1)
    if len(found) > limit:
        raise checks.too_long("the data", limit)
    return found


def _opened_content(source: Source, model: Known | None) -> tuple[contents.Described, Iterator[bytes]] | None:
    """Return what a file of another content than bytes holds, and its pieces; None of bytes."""
    form = opened(source)
    if form == SMALL_CONTENT:
        described, data = contents.read_short(source, model)
        return described, iter((data,))
    if form == STREAM and (content := Fields.read(source, STREAM).content) is not None:
        return _described(source, content, model)
    return None


# ------------------------------------------------------------------ saving what is sound


@dataclass(frozen=True)
class Lost:
    """Data of a damaged stream that cannot be had.

    Parameters
    ----------
    number : int
        Of the first chunk.
    start : int
        Of its first byte in the data.
    stop : int or None
        Of the byte behind; None where nobody knows how many there were.
    unit : str, default="byte"
        What is counted: of another content its rows or items, from 0.
    where : str, optional
        What stood there, where a content has a better word for it.
    """

    number: int
    start: int
    stop: int | None
    unit: str = "byte"
    where: str | None = None

    def __str__(self) -> str:
        if self.where is not None:
            return f"{self.where} (chunk {self.number:,})"
        if self.stop is None:
            return f"all from {self.unit} {self.start:,} on (chunk {self.number:,} and later)"
        return f"{self.unit}s {self.start:,} to {self.stop - 1:,} (chunk {self.number:,})"


def salvage(source: Source, model: Known | None = None) -> Iterator[bytes | Lost]:
    """Yield what is sound of a stream, whose first bytes are taken, and what is lost between.

    Parameters
    ----------
    source : Source
        Of a file that can be searched.
    model : Known, optional
        What a person named as the model that it needs.

    Raises
    ------
    ArtifactError
        Its head is damaged, or it needs another model: nothing can be had.
    """
    fields = Fields.read(source, STREAM)
    if fields.content is None:
        saved = _saved(source, Decoder(fields.coder(prior=fields.found_prior(model, source.name))))
        yield from (piece if isinstance(piece, Lost) else piece.data for piece in saved)
        return
    described = contents.reader_of(fields.content, source.name, model)
    lost: list[Lost] = []
    yield from described.as_file(_sound_pieces(sound_pieces(source, described), described, lost))
    yield from lost


class Sound(NamedTuple):
    """Data of a damaged stream that are as they were written.

    Parameters
    ----------
    units : int
        Bytes, rows, items or records.
    data : bytes
        What a reader makes these of.
    """

    units: int
    data: bytes


def sound_pieces(source: Source, described: contents.Described) -> Iterator[Sound | Lost]:
    """Yield the pieces of another content than bytes, behind the head, that are sound, and what is lost between."""
    return _saved(source, _Pieces(described), described.unit)


def _sound_pieces(saved: Iterator[Sound | Lost], described: contents.Described, lost: list[Lost]) -> Iterator[bytes]:
    """Yield what is sound, and what stands for what is lost, which is listed."""
    for piece in saved:
        if isinstance(piece, Lost):
            where = getattr(described, "where", None)  # of contents whose units stand in no row
            lost.append(piece if where is None else replace(piece, where=where(piece.start, piece.stop)))
            yield from described.instead(piece.start, piece.stop)
        else:
            yield piece.data


class _Pieces:
    """Decodes the chunks of another content than bytes, none of which needs those before it."""

    def __init__(self, described: contents.Described) -> None:
        self._described = described

    def data(self, head: Head, payload: bytes) -> bytes | None:
        """Return the data of a chunk, None where they are not what was written."""
        data = payload if head.stored else contents.decoded(self._described, head.units, payload)
        return data if data is not None and check_of(data) == head.check else None

    def lose(self) -> None:
        """Take note that chunks were passed over, which is nothing to the next ones."""


def _saved(source: Source, decoder: Decoder | _Pieces, unit: str = "byte") -> Iterator[Sound | Lost]:
    """Yield what a decoder makes of the chunks of a stream, and what is lost between."""
    here = Restart(source.position)
    restarts, length = end_of(source)
    length = length if unit == "byte" else None
    while True:
        try:
            head = Head.read(source, here.number, of_bytes=unit == "byte")
            payload = source.take(head.size)
        except ArtifactError:
            following = bisect_right(restarts, here.position, key=lambda restart: restart.position)
            is_last = following == len(restarts)
            yield Lost(here.number, here.units, length if is_last else restarts[following].units, unit)
            if is_last:
                return
            here = restarts[following]
            source.seek(here.position)
            decoder.lose()
            continue
        if head.kind == END:
            if check_of(payload) != head.check:
                yield Lost(here.number, here.units, None, unit)
            return
        data = decoder.data(head, payload)
        stop = here.units + head.units
        yield Lost(here.number, here.units, stop, unit) if data is None else Sound(head.units, data)
        here = Restart(source.position, here.units + head.units, here.number + 1)


def end_of(source: Source) -> tuple[list[Restart], int | None]:
    """Return where the coder of a stream begins afresh, and the length of all data, as its end says; go back again."""
    here, file = source.position, source.file
    start = file.tell() - here
    try:
        size = file.seek(0, io.SEEK_END) - start
        source.position = size
        source.seek(max(0, size - END_SIZE))
        source.seek(max(0, size - END_SIZE - int.from_bytes(source.take(END_SIZE), "little")))
        return _understood_end(source)
    except ArtifactError:
        return [], None
    finally:
        file.seek(start + here)
        source.position = here


def _understood_end(source: Source) -> tuple[list[Restart], int]:
    head = Head.read(source, None)
    payload = source.take(head.size)
    if head.kind != END or check_of(payload) != head.check:
        raise source.damaged("its end does not fit its check")
    end = Source(io.BytesIO(payload), source.name)
    length = end.varint()
    end.take(len(head.check))
    restarts = [Restart()]
    for _ in range(min(end.varint(), len(payload))):
        before = restarts[-1]
        after = Restart(before.position + end.varint(), before.units + end.varint(), before.number + end.varint())
        restarts.append(after)
    return restarts[1:], length

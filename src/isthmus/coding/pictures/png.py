"""PNG files (ISO/IEC 15948) as what stands in them: chunks, and the rows of the picture.

Nothing here decides how a picture is coded. A file that is not taken apart says why
(:class:`NoPixelsError`), so that it can be kept as bytes instead.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.pictures.filters import KINDS, Rows, unfiltered

__all__ = [
    "SIGNATURE",
    "Chunk",
    "Header",
    "NoPixelsError",
    "Png",
    "Samples",
    "chunk_bytes",
    "packed_rows",
    "samples_of",
]

Samples = NDArray[np.uint8] | NDArray[np.uint16]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UNDERSTOOD = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # of the chunks that nobody may pass over
ANIMATION = (b"acTL", b"fcTL", b"fdAT")
CHUNK_LIMIT, KEPT_LIMIT = (1 << 31) - 1, 1 << 24  # bytes of one chunk; of all but those of pixels
COUNT_LIMIT = 1 << 20  # of chunks
SIDE_LIMIT = 1 << 31  # pixels of a side, and one more
ROW_LIMIT = 1 << 24  # bytes of a row
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PIECE = 1 << 16  # bytes of a file that are read at once
BLOCK = 1 << 22  # bytes of rows that are given at once, at most


class NoPixelsError(Exception):
    """Why a file is not taken for pixels and chunks, as a clause about it."""


@dataclass(frozen=True)
class Header:
    """What a PNG file says of its picture.

    Parameters
    ----------
    width, height : int
    depth : int
        Bits of a sample: 1, 2, 4, 8 or 16.
    colour : int
        0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
    """

    width: int
    height: int
    depth: int
    colour: int

    @property
    def channels(self) -> int:
        """Samples of a pixel."""
        return CHANNELS[self.colour]

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return (self.width * self.channels * self.depth + 7) // 8

    @property
    def pixel(self) -> int:
        """Bytes from a pixel to the next, as filters count them."""
        return max(1, self.channels * self.depth // 8)

    def why_refused(self) -> str | None:
        """Return why no picture can be so, or None."""
        if not (0 < self.width < SIDE_LIMIT and 0 < self.height < SIDE_LIMIT):
            return "has sides that no picture has"
        if self.depth not in DEPTHS.get(self.colour, ()):
            return "has a kind of pixels that there is not"
        return "has rows that are too long" if self.row > ROW_LIMIT else None

    def to_bytes(self) -> bytes:
        """Return it as it stands in its chunk; the picture is not interlaced."""
        return struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.colour, 0, 0, 0)


class Chunk(NamedTuple):
    """A chunk of a PNG file: four letters, and what it holds."""

    kind: bytes
    data: bytes


class Place(NamedTuple):
    """Where a piece of the compressed pixels stands in a file."""

    offset: int
    size: int


def chunk_bytes(kind: bytes, data: bytes) -> bytes:
    """Return a chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


class Png:
    """A PNG file that is taken apart.

    Parameters
    ----------
    file : binary file
        Can be searched; stays open, and has to be there as long as rows are wanted.

    Attributes
    ----------
    header : Header
    before, after : list of Chunk
        All chunks but those of the pixels, without the header and the end.
    places : list of Place
        Of the compressed pixels.
    rest : bytes
        What stands behind the end.

    Raises
    ------
    NoPixelsError
        It is no PNG file, is damaged, or is one whose pixels would not be kept in full.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.before: list[Chunk] = []
        self.after: list[Chunk] = []
        self.places: list[Place] = []
        file.seek(0)
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise NoPixelsError("does not begin like a PNG file")
        self.header = _header(*self._next())
        kept = 0
        for _ in range(COUNT_LIMIT):
            kind, data = self._next()
            if kind == b"IEND":
                break
            if kind != b"IDAT":
                kept += len(data)
                self._keep(Chunk(kind, data))
            if kept > KEPT_LIMIT:
                raise NoPixelsError("has too much in it that is no pixels")
        else:
            raise NoPixelsError("has too many chunks")
        if data or not self.places:
            raise NoPixelsError("has no pixels, or something in its end")
        self.rest = file.read(KEPT_LIMIT + 1)
        if len(self.rest) > KEPT_LIMIT:
            raise NoPixelsError("has too much behind its end")

    def _keep(self, chunk: Chunk) -> None:
        if chunk.kind in ANIMATION:
            raise NoPixelsError("is animated")
        if not chunk.kind[0] & 32 and chunk.kind not in UNDERSTOOD:
            raise NoPixelsError(f"has a chunk {chunk.kind.decode('latin-1')!r} that changes what its pixels mean")
        (self.after if self.places else self.before).append(chunk)

    def _next(self) -> tuple[bytes, bytes]:
        """Return the next chunk; of one of pixels only the place is noted."""
        size, kind = struct.unpack(">I4s", self._exactly(8))
        if size > CHUNK_LIMIT or not kind.isalpha():
            raise NoPixelsError("is damaged: a chunk in it is none")
        if kind == b"IDAT":
            if self.after:
                raise NoPixelsError("has its pixels in several places")
            self.places.append(Place(self._file.tell(), size))
            data, check = b"", self._check_of(size)
        elif size > KEPT_LIMIT:
            raise NoPixelsError("has too much in it that is no pixels")
        else:
            data = self._exactly(size)
            check = zlib.crc32(data, zlib.crc32(kind))
        if struct.unpack(">I", self._exactly(4))[0] != check:
            raise NoPixelsError("is damaged: a check in it does not fit")
        return kind, data

    def _check_of(self, size: int) -> int:
        check = zlib.crc32(b"IDAT")
        while size:
            piece = self._exactly(min(size, PIECE))
            check, size = zlib.crc32(piece, check), size - len(piece)
        return check

    def _exactly(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise NoPixelsError("is cut short")
        return found

    # ------------------------------------------------------------------ pixels

    def compressed(self) -> Iterator[bytes]:
        """Yield the compressed pixels in pieces."""
        for place in self.places:
            at, end = place.offset, place.offset + place.size
            while at < end:
                self._file.seek(at)
                piece = self._exactly(min(end - at, PIECE))
                at += len(piece)
                yield piece

    def filtered(self) -> Iterator[Rows]:
        """Yield rows as they are compressed, with the kind of their filter before them, some at once.

        Raises
        ------
        NoPixelsError
            They are fewer or more than the picture has, or filtered as no rows are.
        """
        length, missing = self.header.row + 1, self.header.height
        at_once = max(1, min(missing, BLOCK // length))
        waiting = bytearray()
        for piece in _inflated(self.compressed(), length * missing):
            waiting += piece
            while len(waiting) >= (wanted := min(at_once, missing) * length) and missing:
                rows = np.frombuffer(bytes(waiting[:wanted]), np.uint8).reshape(-1, length)
                del waiting[:wanted]
                if int(rows[:, 0].max()) >= KINDS:
                    raise NoPixelsError("has rows that are filtered in no known way")
                missing -= len(rows)
                yield rows
        if missing or waiting:
            raise NoPixelsError("has fewer pixels than it says, or more")

    def rows(self) -> Iterator[Rows]:
        """Yield rows of packed samples, some at once; errors are those of :meth:`filtered`."""
        above = np.zeros(self.header.row, np.uint8)
        for block in self.filtered():
            rows = unfiltered(block[:, 1:], above, block[:, 0], self.header.pixel)
            above = rows[-1]
            yield rows


def _header(kind: bytes, data: bytes) -> Header:
    if kind != b"IHDR" or len(data) != 13:
        raise NoPixelsError("does not begin with the header of a picture")
    width, height, depth, colour, method, filtering, interlaced = struct.unpack(">IIBBBBB", data)
    header = Header(width, height, depth, colour)
    if why := header.why_refused():
        raise NoPixelsError(why)
    if method or filtering:
        raise NoPixelsError("is compressed in no known way")
    if interlaced:
        raise NoPixelsError("is interlaced")
    return header


def _inflated(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Yield what was compressed, of which no more than ``most`` bytes are taken."""
    inflating = zlib.decompressobj()
    given = 0
    for piece in pieces:
        while piece and not inflating.eof:
            try:
                found = inflating.decompress(piece, BLOCK)
            except zlib.error:
                raise NoPixelsError("is damaged: its pixels cannot be decompressed") from None
            given += len(found)
            if given > most:
                raise NoPixelsError("has more pixels than it says")
            if found:
                yield found
            piece = inflating.unconsumed_tail
        if inflating.unused_data or piece:
            raise NoPixelsError("has something behind its pixels")
    if not inflating.eof:
        raise NoPixelsError("has fewer pixels than it says")


def samples_of(rows: Rows, header: Header) -> Samples:
    """Return packed rows as samples, shape (n, width, channels); of 16 bits each as such, else as bytes."""
    shape = len(rows), header.width, header.channels
    if header.depth == 16:
        return rows.view(">u2").astype(np.uint16).reshape(shape)
    if header.depth == 8:
        return rows.reshape(shape)
    shifts = np.arange(8 - header.depth, -1, -header.depth)
    of_byte = (np.arange(256)[:, None] >> shifts & (1 << header.depth) - 1).astype(np.uint8)
    return of_byte[rows].reshape(len(rows), -1, 1)[:, : header.width]


def packed_rows(samples: Samples, header: Header) -> Rows:
    """Return samples as packed rows, which :func:`samples_of` undoes; spare bits at the end of a row are zeros."""
    if header.depth == 16:
        return samples.astype(">u2").reshape(len(samples), -1).view(np.uint8)
    if header.depth == 8:
        return samples.astype(np.uint8).reshape(len(samples), -1)
    bits = samples.reshape(len(samples), -1, 1) >> np.arange(header.depth - 1, -1, -1) & 1
    return np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)

"""What a PNG file holds besides its pixels, and how these were compressed: as bytes, and as the file again."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import NamedTuple, Self

import numpy as np

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.pictures.deflating import HEAD, Deflation
from isthmus.coding.pictures.filters import KINDS, filtered
from isthmus.coding.pictures.png import (
    CHUNK_LIMIT,
    COUNT_LIMIT,
    SIGNATURE,
    Chunk,
    Header,
    Png,
    Samples,
    chunk_bytes,
    packed_rows,
)
from isthmus.errors import IsthmusWarning

__all__ = ["Compression", "Frame"]

PIXELS_ONLY, EXACT = 0, 1
PAETH = 4
CHECK = 4  # bytes
ANEW = Deflation(b"\x78\xda", 9, zlib.Z_DEFAULT_STRATEGY, 8, 15)  # where pixels are compressed anew
PIECE = 1 << 16  # bytes of a chunk of these


class Compression(NamedTuple):
    """How the pixels of a PNG file were compressed, where that can be repeated.

    Parameters
    ----------
    deflation : Deflation
    kinds : bytes
        Of the filter of each row.
    sizes : tuple of tuple of two int
        How many bytes of compressed pixels are in one chunk, and in how many chunks in a row they are as many.
    check : int
        CRC-32 of all of them.
    """

    deflation: Deflation
    kinds: bytes
    sizes: tuple[tuple[int, int], ...]
    check: int

    @classmethod
    def of(cls, png: Png, deflation: Deflation) -> Self:
        """Return that of a file."""
        kinds = b"".join(rows[:, 0].tobytes() for rows in png.filtered())
        sizes = tuple((size, len(list(same))) for size, same in groupby(place.size for place in png.places))
        check = 0
        for piece in png.compressed():
            check = zlib.crc32(piece, check)
        return cls(deflation, kinds, sizes, check)

    def to_bytes(self) -> bytes:
        """Return it as bytes, which :meth:`read` undoes."""
        head, *settings = self.deflation
        numbers = (number for pair in self.sizes for number in pair)
        listed = varint(len(self.sizes)) + b"".join(map(varint, numbers))
        return head + bytes(settings) + self.kinds + listed + self.check.to_bytes(CHECK, "little")

    @classmethod
    def read(cls, source: Source, header: Header) -> Self:
        """Return that of a picture with such a header; ArtifactError where there is none."""
        head, settings = source.take(HEAD), source.take(4)
        level, strategy, memory, window = settings
        if not (level <= 9 and strategy <= zlib.Z_FIXED and 1 <= memory <= 9 and 9 <= window <= 15):
            raise source.damaged("it was compressed with settings that there are not")
        kinds = source.take(header.height)
        if max(kinds) >= KINDS:
            raise source.damaged("its rows are filtered in no known way")
        sizes = tuple((source.varint(), source.varint()) for _ in range(source.varint()))
        if any(size > CHUNK_LIMIT for size, _ in sizes) or sum(count for _, count in sizes) > COUNT_LIMIT:
            raise source.damaged("its chunks have a size that none has, or are too many")
        return cls(Deflation(head, *settings), kinds, sizes, int.from_bytes(source.take(CHECK), "little"))


@dataclass(frozen=True)
class Frame:
    """A PNG file without its pixels.

    Parameters
    ----------
    before, after : tuple of Chunk
        All chunks but those of the pixels, the header and the end.
    rest : bytes
        What stands behind the end.
    compression : Compression, optional
        How the pixels were compressed, where that can be repeated.
    """

    before: tuple[Chunk, ...]
    after: tuple[Chunk, ...]
    rest: bytes
    compression: Compression | None = None

    @classmethod
    def of(cls, png: Png, deflation: Deflation | None) -> Self:
        """Return that of a file."""
        compression = None if deflation is None else Compression.of(png, deflation)
        return cls(tuple(png.before), tuple(png.after), png.rest, compression)

    # ------------------------------------------------------------------ as bytes

    def to_bytes(self) -> bytes:
        """Return it as bytes, which :meth:`read` undoes."""
        own = _chunks_to_bytes(self.before) + _chunks_to_bytes(self.after) + varint(len(self.rest)) + self.rest
        if self.compression is None:
            return bytes([PIXELS_ONLY]) + own
        return bytes([EXACT]) + own + self.compression.to_bytes()

    @classmethod
    def read(cls, content: bytes, header: Header) -> Self:
        """Return the frame of a picture with such a header; ArtifactError where that is none."""
        source = Source.of(content, "the frame of a PNG file")
        form = source.take(1)[0]
        before, after, rest = _read_chunks(source), _read_chunks(source), source.take(source.varint())
        compression = Compression.read(source, header) if form == EXACT else None
        if form > EXACT or source.up_to(1):
            raise source.damaged("it says more than a PNG file has")
        return cls(before, after, rest, compression)

    # ------------------------------------------------------------------ as a file

    def as_file(self, header: Header, strips: Iterable[Samples]) -> Iterator[bytes]:
        """Yield the bytes of the file.

        Parameters
        ----------
        header : Header
        strips : iterable of ndarray, shape (n, width, channels)
            Samples of all rows.

        Warns
        -----
        IsthmusWarning
            The pixels were compressed in a way that the zlib of this machine does not repeat.
        """
        yield SIGNATURE + chunk_bytes(b"IHDR", header.to_bytes())
        yield from (chunk_bytes(*chunk) for chunk in self.before)
        check = 0
        for piece in _of_sizes(self._compressed(header, strips), self._sizes()):
            check = zlib.crc32(piece, check)
            yield chunk_bytes(b"IDAT", piece)
        yield from (chunk_bytes(*chunk) for chunk in self.after)
        yield chunk_bytes(b"IEND", b"") + self.rest
        if self.compression is not None and check != self.compression.check:
            warnings.warn(IsthmusWarning(checks.png_compressed_anew(zlib.ZLIB_RUNTIME_VERSION)), stacklevel=2)

    def _sizes(self) -> Iterator[int]:
        """Yield the bytes of compressed pixels in each chunk, and what a chunk has that was not foreseen."""
        for size, count in self.compression.sizes if self.compression else ():
            yield from repeat(size, count)
        yield from repeat(PIECE)

    def _compressed(self, header: Header, strips: Iterable[Samples]) -> Iterator[bytes]:
        """Yield compressed pixels."""
        deflation = ANEW if self.compression is None else self.compression.deflation
        yield from deflation.compressed(self._filtered(header, strips))

    def _filtered(self, header: Header, strips: Iterable[Samples]) -> Iterator[bytes]:
        """Yield filtered rows, those of a strip at once, each behind the kind of its filter."""
        above, at = np.zeros(header.row, np.uint8), 0
        alike = 0 if header.depth < 8 or header.colour == 3 else PAETH
        for strip in strips:
            rows = packed_rows(strip, header)
            kinds = np.full(len(rows), alike, np.uint8)
            if self.compression is not None:
                kinds = np.frombuffer(self.compression.kinds, np.uint8)[at : at + len(rows)]
            yield np.hstack([kinds[:, None], filtered(rows, above, kinds, header.pixel)]).tobytes()
            above, at = rows[-1], at + len(rows)


def _chunks_to_bytes(chunks: Iterable[Chunk]) -> bytes:
    listed = list(chunks)
    return varint(len(listed)) + b"".join(chunk.kind + varint(len(chunk.data)) + chunk.data for chunk in listed)


def _read_chunks(source: Source) -> tuple[Chunk, ...]:
    return tuple(Chunk(source.take(4), source.take(source.varint())) for _ in range(source.varint()))


def _of_sizes(pieces: Iterable[bytes], sizes: Iterator[int]) -> Iterator[bytes]:
    """Yield the same bytes, in pieces of the given sizes; the last is shorter where they end."""
    waiting, size = bytearray(), next(sizes)
    for piece in pieces:
        waiting += piece
        while len(waiting) > size:
            yield bytes(waiting[:size])
            del waiting[:size]
            size = next(sizes)
    yield bytes(waiting)

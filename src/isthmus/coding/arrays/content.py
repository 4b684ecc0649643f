"""Arrays as a content of a stream: those of NumPy's own file format, and those that are at hand."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.arrays import Description, Encoder
from isthmus.coding.container import Source, varint
from isthmus.coding.contents import ARRAY, Making, Piece, Work, promised, zeros

__all__ = ["ArrayContent", "DescribedArray", "NoArray", "described", "read_head"]

HEAD_LIMIT = 1 << 16  # bytes of the head of a file
UNICODE = (3, 0)  # the version of files whose fields have names beyond Latin-1


@dataclass(frozen=True)
class NoArray:
    """A file that holds no array that could be coded.

    Parameters
    ----------
    why : str
        The reason, as a clause about the file.
    """

    why: str


class ArrayContent:
    """An array as a content of a stream.

    Parameters
    ----------
    array : array
        Of any type whose items have a fixed size.
    head : bytes, optional
        What stood before the items in a file; by default what NumPy would write there.
    **bound
        ``max_error``, ``rel_error``, ``fill`` and ``threads`` of :func:`isthmus.coding.arrays.encode`.
    """

    number, fingerprint = ARRAY, None
    at_once = 2  # each is decoded again while it is coded
    is_exact = True

    def __init__(self, array: Any, head: bytes = b"", **bound: Any) -> None:
        self._encoder, self._head = Encoder(array, **bound), head

    @classmethod
    def of_file(cls, file: BinaryIO, **bound: Any) -> Self | NoArray:
        """Return the array of a ``.npy`` file that begins where it stands; it is read as it is coded."""
        start = file.tell()
        try:
            shape, is_fortran, dtype = read_head(file)
        except (ValueError, EOFError):
            return NoArray("it does not begin like a file of NumPy's")
        at = file.tell()
        size = file.seek(0, os.SEEK_END) - at
        file.seek(start)
        if dtype.hasobject:
            return NoArray("its items are Python objects")
        if size != math.prod(shape) * dtype.itemsize:
            return NoArray("its head promises an array of another size")
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        if not size or not shape or isinstance(file, io.BytesIO):
            array = np.ndarray(shape, dtype, file.read()[at - start :], order=order)
        else:
            array = np.memmap(file, dtype, "r", at, shape, order)
        file.seek(start)
        head = file.read(at - start)
        file.seek(0, os.SEEK_END)
        return cls(array, head, **bound)

    @property
    def why_exact(self) -> str | None:
        """Why every bit is kept, where a bound was given that could not be used."""
        return self._encoder.why_exact

    def description(self) -> bytes:
        """Return the head of the file and what a decoder needs."""
        return varint(len(self._head)) + self._head + self._encoder.description()

    def work(self) -> Iterator[Work]:
        """Yield what makes the segments."""
        layout, count = self._encoder.layout, self._encoder.segments
        for number in range(count):
            yield Making(layout.size * layout.dtype.itemsize // count, partial(self._piece, number))

    def _piece(self, number: int) -> Piece:
        return Piece(*self._encoder.segment(number))


def read_head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of the array in a ``.npy`` file, which is left behind its head."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if version == UNICODE:
        file = _in_ascii(file)
    shape, is_fortran, dtype = read(file, max_header_size=HEAD_LIMIT)
    return shape, is_fortran, dtype


def _in_ascii(file: IO[bytes]) -> IO[bytes]:
    """Return the text of a head of version 3.0, which is UTF-8, as version 2.0 has it; the file is left behind it."""
    length = int.from_bytes(file.read(4), "little")
    if length > HEAD_LIMIT:
        raise ValueError("a head that is too long")
    said = file.read(length)
    if len(said) < length:
        raise EOFError
    escaped = said.decode().encode("ascii", "backslashreplace")  # within literals of strings, the same text
    return io.BytesIO(len(escaped).to_bytes(4, "little") + escaped)


def _head_of(said: bytes) -> bytes:
    """Return the head of a ``.npy`` file of version 2.0 that says this, padded as NumPy does."""
    start = np.lib.format.magic(2, 0)
    padding = -(len(start) + 4 + len(said) + 1) % np.lib.format.ARRAY_ALIGN
    text = said + b" " * padding + b"\n"
    return start + len(text).to_bytes(4, "little") + text


class DescribedArray:
    """An array that is read.

    Parameters
    ----------
    source : Source
        Of its description.
    """

    kind, unit, at_once = "array", "item", 2

    def __init__(self, source: Source) -> None:
        self._name = source.name
        length = source.varint()
        if length > HEAD_LIMIT:
            raise source.damaged(f"the head of an array would have {length:,} bytes")
        self._head = source.take(length)
        self._description = Description.read(source)
        if source.up_to(1):
            raise source.damaged("more bytes follow its description")

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the bytes of the items of a segment."""
        return self._description.data(units, payload)

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload, which is all there is to say of an array."""
        return {}

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield zeros for items that are lost, so that the others keep their places."""
        layout = self._description.layout
        return zeros(((layout.size if stop is None else stop) - start) * layout.dtype.itemsize)

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a ``.npy`` file."""
        yield self._head or self._own_head()
        yield from promised(pieces, self.size, self._name)

    @property
    def size(self) -> int:
        """Bytes of its items."""
        layout = self._description.layout
        return layout.size * layout.dtype.itemsize

    def array(self, pieces: Iterator[bytes]) -> NDArray[Any]:
        """Return the array; ``pieces`` are the bytes of its segments."""
        whole = bytearray(b"".join(promised(pieces, self.size, self._name)))
        return self._description.layout.array(np.frombuffer(whole, np.uint8))

    def _own_head(self) -> bytes:
        layout = self._description.layout
        try:
            descr = np.lib.format.dtype_to_descr(layout.dtype)
        except ValueError:
            raise checks.no_file_of_fields(self._name) from None
        said = {"descr": descr, "fortran_order": layout.is_fortran, "shape": layout.shape}
        into = io.BytesIO()
        plain = layout.dtype.names is None  # which is what NumPy writes in a version that every reader knows
        try:
            (np.lib.format.write_array_header_1_0 if plain else np.lib.format.write_array_header_2_0)(into, said)
        except UnicodeEncodeError:
            return _head_of(ascii(said).encode())
        return into.getvalue()


def described(source: Source, model: object = None) -> DescribedArray:
    """Return the array that a description in a file tells of."""
    return DescribedArray(source)

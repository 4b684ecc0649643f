"""Pictures made smaller, pixel for pixel: as arrays, which are cut into strips that know nothing of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import SPEEDS, Source, check_of, varint
from isthmus.coding.contents import PICTURE, THREADS, Making, Piece, Work, promised, side_by_side, zeros
from isthmus.coding.pictures.choosing import chosen, sampled
from isthmus.coding.pictures.layout import ROW_LIMIT, Layout, Survey
from isthmus.coding.pictures.stack import as_stack, coding_of_stack
from isthmus.coding.pictures.strips import Coding, Model

__all__ = [
    "ARRAY",
    "STACK_FILE",
    "ArrayPixels",
    "Encoded",
    "Picture",
    "Pixels",
    "Stack",
    "Strip",
    "decode",
    "encode",
    "encode_stack",
]

ARRAY, STACK_FILE = 0, 2  # forms of the description of an array, and of one that stood in a file
HEAD_LIMIT = 1 << 16  # bytes of the head of a file


class Strip(NamedTuple):
    """Rows of a picture.

    Parameters
    ----------
    pixels : int
        That they have.
    check : bytes
        CRC-32 of their samples as they lie in the array.
    payload : bytes
    """

    pixels: int
    check: bytes
    payload: bytes


class Encoded(NamedTuple):
    """A picture made smaller.

    Parameters
    ----------
    description : bytes
        What a decoder needs before the first strip.
    strips : list of Strip
    """

    description: bytes
    strips: list[Strip]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.description) + sum(len(strip.payload) for strip in self.strips)


def encode(array: Any, *, speed: str = "normal", verify: bool = True, threads: int = THREADS) -> Encoded:
    """Return a picture in fewer bytes, which :func:`decode` gives back with its type, shape and samples.

    Parameters
    ----------
    array : array, shape (height, width) or (height, width, channels)
        Truth values, whole numbers or floats of up to 64 bits; at most 64 channels. What is hidden under alpha is kept.
    speed : {"normal", "fast"}, default="normal"
        "fast" takes a sixth of the time for photographs, which become 6 % larger than with "normal".
    verify : bool, default=True
        Whether what was coded is decoded again and compared, which takes as long again.
    threads : int, default=2
        That may be used. No byte hangs on it.

    Raises
    ------
    DataTypeError
        Samples are of another type.
    ShapeError
        The array is no picture, has more channels, or rows of more than 16 MiB.
    """
    return encoded(Picture(array, speed=speed), verify=verify, threads=threads)


def encode_stack(
    array: Any,
    *,
    model: Model | None = None,
    pictures: int | None = None,
    verify: bool = True,
    threads: int = THREADS,
) -> Encoded:
    """Return pictures of one kind in fewer bytes, which :func:`decode` gives back with their type, shape and samples.

    Parameters
    ----------
    array : array, shape (n, height, width) or (n, height, width, channels)
        As for :func:`encode`.
    model : PictureCodec, optional
        What was learned from pictures like these. Whoever decodes them needs it too.
    pictures : int, optional
        In a strip, which can be had without the others: 1 for each alone. As many as fit where it is not given.
    verify, threads
        As for :func:`encode`.

    Raises
    ------
    DataTypeError, ShapeError
        The array is no stack of pictures, or the model is for others.
    DataError
        The pictures have samples that the model has not seen.
    """
    return encoded(Stack(array, model=model, pictures=pictures), verify=verify, threads=threads)


def encoded(picture: Picture, *, verify: bool, threads: int) -> Encoded:
    """Return a picture or a stack in fewer bytes."""
    pixels = Pixels(picture.coding)

    def made(work: Work) -> Strip:
        piece = work()
        payload = piece.payload or b""
        if verify and pixels.data(piece.units, payload) != piece.data:
            raise checks.unlike_its_source("the picture")
        return Strip(piece.units, check_of(piece.data), payload)

    return Encoded(picture.description(), list(side_by_side(picture.work(), made, threads)))


def decode(
    description: bytes,
    strips: Sequence[tuple[int, bytes, bytes]],
    *,
    model: Model | None = None,
    threads: int = THREADS,
) -> NDArray[Any]:
    """Return the picture, or the stack, of a description and its strips.

    Parameters
    ----------
    description : bytes
    strips : sequence of Strip
    model : PictureCodec, optional
        What it was coded with, if it was.
    threads : int, default=2
        That may be used.

    Raises
    ------
    ArtifactError
        Something is not as it was written, or needs a model that was not given.
    FormatNumberError
        A later version wrote it.
    """
    source = Source.of(description, "the picture")
    if source.varint() != ARRAY:
        raise source.damaged("it is no array")
    coding = Coding.read(source, model)
    if source.up_to(1):
        raise source.damaged("more bytes follow its description")
    pixels, layout = Pixels(coding), coding.layout
    if sum(strip[0] for strip in strips) != layout.height * layout.width:
        raise source.damaged("it has more pixels than its shape, or fewer")

    def made(strip: tuple[int, bytes, bytes]) -> bytes:
        count, check, payload = strip
        try:
            data = pixels.data(count, payload)
        except ValueError as error:
            raise source.damaged("a strip has a payload that none has") from error
        if check_of(data) != check:
            raise source.damaged("a strip does not fit its check")
        return data

    data = bytearray(b"".join(side_by_side(strips, made, threads)))
    return np.frombuffer(data, layout.dtype).reshape(coding.shape)


class Picture:
    """A picture that is to be written: an array.

    Parameters
    ----------
    array : array, shape (height, width) or (height, width, channels)
        May be larger than memory where it is mapped into it.
    speed : {"normal", "fast"}, default="normal"

    Attributes
    ----------
    coding : Coding
        How it is coded.
    """

    number, at_once, is_exact = PICTURE, THREADS, True
    fingerprint: bytes | None = None

    def __init__(self, array: Any, *, speed: str = "normal") -> None:
        checks.choice("picture", "speed", speed, tuple(SPEEDS))
        self._pixels = as_picture(array)
        self.coding = _coding(self._pixels, speed)

    @property
    def model(self) -> Model | None:
        """With what it is coded."""
        return self.coding.model

    def description(self) -> bytes:
        """Return what a reader needs before the first strip."""
        return varint(ARRAY) + self.coding.to_bytes()

    def work(self) -> Iterator[Work]:
        """Yield what makes the strips, in order."""
        if not self._pixels.size:
            return
        for start in range(0, len(self._pixels), self.coding.rows):
            rows = self._pixels[start : start + self.coding.rows]
            yield Making(rows.nbytes, partial(strip_of, self.coding, rows))


class Stack(Picture):
    """Pictures of one kind that are to be written.

    Parameters
    ----------
    array : array, shape (n, height, width) or (n, height, width, channels)
    model : PictureCodec, optional
    pictures : int, optional
        In a strip.
    head : bytes, optional
        What stood before the samples in a file.
    name : str, default="stack"
        What sentences call it.
    """

    def __init__(
        self,
        array: Any,
        *,
        model: Model | None = None,
        pictures: int | None = None,
        head: bytes | None = None,
        name: str = "stack",
    ) -> None:
        stack = as_stack(array)
        checks.integer("picture", "pictures", pictures, low=1, optional=True)
        self.coding = coding_of_stack(stack, model, pictures, name=name)
        self._head = head
        self.fingerprint = None if model is None else model.fingerprint
        self._pixels = stack.reshape(-1, *stack.shape[2:])

    def description(self) -> bytes:
        """Return what a reader needs before the first strip."""
        if self._head is None:
            return super().description()
        return varint(STACK_FILE) + varint(len(self._head)) + self._head + self.coding.to_bytes()


def strip_of(coding: Coding, rows: NDArray[Any]) -> Piece:
    """Return a strip as a piece of a content."""
    rows = np.ascontiguousarray(rows)
    return Piece(rows.shape[0] * rows.shape[1], rows.tobytes(), coding.payload(rows))


class Pixels:
    """What gives the pixels of strips.

    Parameters
    ----------
    coding : Coding
    """

    kind, unit, at_once = "picture", "pixel", THREADS

    def __init__(self, coding: Coding) -> None:
        self.coding = coding

    @property
    def needs(self) -> bytes | None:
        """What names the model that it was coded with, in a file."""
        return self.coding.needs

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return nothing: channels are coded together."""
        return {}

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield black pixels for those that are lost, in whole rows, so that the others keep their places."""
        layout = self.coding.layout
        pixel = max(layout.channels, 1) * layout.dtype.itemsize
        count = (layout.height * layout.width if stop is None else stop) - start
        return zeros(count * pixel, layout.width * pixel)

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the samples of a strip as they lie in the array; ValueError where there are none."""
        return self.coding.pixels(payload, units).tobytes()

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file that they came from, or of one that means the same."""
        yield from pieces


class ArrayPixels(Pixels):
    """What gives the pixels of an array, and the array.

    Parameters
    ----------
    coding : Coding
    head : bytes, optional
        What stood before the samples in a file; that of a ``.npy`` file where there was none.
    """

    def __init__(self, coding: Coding, head: bytes | None = None) -> None:
        super().__init__(coding)
        self._head = head

    @classmethod
    def read(cls, source: Source, form: int, model: object = None) -> Self:
        """Return what a description of a form says; ArtifactError where it is none."""
        head = None
        if form == STACK_FILE:
            length = source.varint()
            if length > HEAD_LIMIT:
                raise source.damaged(f"the head of an array would have {length:,} bytes")
            head = source.take(length)
        return cls(Coding.read(source, model), head)

    @property
    def size(self) -> int:
        """Bytes of its samples."""
        return math.prod(self.coding.shape) * self.coding.layout.dtype.itemsize

    def array(self, pieces: Iterator[bytes]) -> NDArray[Any]:
        """Return the array; ``pieces`` are the samples of its strips."""
        data = bytearray(b"".join(promised(pieces, self.size, "the picture")))
        return np.frombuffer(data, self.coding.layout.dtype).reshape(self.coding.shape)

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file."""
        yield self._own_head() if self._head is None else self._head
        yield from promised(pieces, self.size, "the picture")

    def _own_head(self) -> bytes:
        head = BytesIO()
        shape = {"descr": self.coding.layout.dtype.str, "fortran_order": False, "shape": self.coding.shape}
        np.lib.format.write_array_header_1_0(head, shape)
        return head.getvalue()


def as_picture(array: Any) -> NDArray[Any]:
    """Return an array that can be a picture, as it is.

    Raises
    ------
    ShapeError
        It has not two or three axes, no channels, or rows that are too long.
    """
    found = np.asarray(array)
    if found.ndim not in (2, 3) or (found.ndim == 3 and not found.shape[2]):
        raise checks.no_picture(found.shape)
    if found.size and found[0].nbytes > ROW_LIMIT:
        raise checks.rows_too_long(found[0].nbytes, ROW_LIMIT)
    return found


def _coding(pixels: NDArray[Any], speed: str) -> Coding:
    survey = Survey(pixels.dtype, pixels.shape[2] if pixels.ndim == 3 else 0)
    height, width = pixels.shape[:2]
    at_once = max(1, ROW_LIMIT // max(1, pixels[:1].nbytes))
    for start in range(0, height if width else 0, at_once):
        survey.add(pixels[start : start + at_once])
    layouts: list[Layout] = survey.layouts(height, width)
    return chosen(layouts, pixels[sampled(height, width)], fast=speed == "fast")

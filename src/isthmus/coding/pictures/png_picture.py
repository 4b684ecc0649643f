"""PNG files made smaller: their pixels as a picture, and all else that stands in them beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import SPEEDS, Source, varint
from isthmus.coding.contents import PICTURE, THREADS, Making, Piece, Work, promised
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.pictures.choosing import chosen, sampled
from isthmus.coding.pictures.deflating import found_deflation
from isthmus.coding.pictures.frame import Frame
from isthmus.coding.pictures.layout import Survey
from isthmus.coding.pictures.picture import Pixels, strip_of
from isthmus.coding.pictures.png import Header, Png, Samples, packed_rows, samples_of
from isthmus.coding.pictures.samples import rounded
from isthmus.coding.pictures.schemes import STACK
from isthmus.coding.pictures.stack import as_the_model
from isthmus.coding.pictures.strips import Coding, Model

__all__ = ["PNG", "PngPicture", "PngPixels", "pixels_of"]

PNG = 1  # form of the description of a PNG file
IN_MEMORY = 1 << 27  # bytes of samples that are kept between two looks at them
FRAME_LIMIT = 1 << 26  # bytes of a frame, at most


class PngPicture:
    """A PNG file that is to be written as pixels and chunks.

    Parameters
    ----------
    file : binary file
        Can be searched; stays open, and has to be there until all pieces are made.
    speed : {"normal", "fast"}, default="normal"
    model : PictureCodec, optional
        What was learned from pictures like it.
    name : str, default="picture"
        What sentences call it.
    step : int, default=1
        To which samples are rounded; only with 1 nothing is lost.

    Attributes
    ----------
    coding : Coding
        How its pixels are coded.
    is_exact : bool
        Whether the file comes back byte for byte, where zlib is as it is here; else it has the same pixels and chunks.

    Raises
    ------
    NoPixelsError
        It is no PNG file, is damaged, or is one whose pixels would not be kept in full: to be kept as bytes.
    ShapeError, DataTypeError, DataError
        The model is for other pictures.
    """

    number, at_once = PICTURE, THREADS

    def __init__(
        self,
        file: BinaryIO,
        *,
        speed: str = "normal",
        model: Model | None = None,
        name: str = "picture",
        step: int = 1,
    ) -> None:
        checks.choice("picture", "speed", speed, tuple(SPEEDS))
        self.model, self._name, self._step = model, name, step
        self.fingerprint = None if model is None else model.fingerprint
        self._png = Png(file)
        header = self._png.header
        size = header.height * header.width * header.channels * _dtype(header).itemsize
        self._kept: list[Samples] | None = [] if size <= IN_MEMORY else None
        self.coding, repeatable = self._surveyed(speed)
        deflation = found_deflation(self._png) if repeatable and step == 1 else None
        self._frame = Frame.of(self._png, deflation)
        self.is_exact = deflation is not None

    def description(self) -> bytes:
        """Return what a reader needs before the first piece."""
        header = self._png.header
        return varint(PNG) + bytes([header.depth, header.colour]) + self.coding.to_bytes()

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces: the frame, then the strips."""
        frame = self._frame.to_bytes()
        yield Making(len(frame), partial(_piece_of_frame, frame))
        for rows in blocks_of(self._samples(), self.coding.rows):
            yield Making(rows.nbytes, partial(strip_of, self.coding, rows))

    def _samples(self) -> Iterator[Samples]:
        """Yield the samples of all rows, some at once: (n, width, channels)."""
        if self._kept is not None:
            yield from self._kept
        else:
            yield from (rounded(samples_of(rows, self._png.header), self._step) for rows in self._png.rows())

    def _surveyed(self, speed: str) -> tuple[Coding, bool]:
        """Return how the pixels are coded; with it whether rows have no spare bits but zeros."""
        header = self._png.header
        survey = Survey(_dtype(header), header.channels if header.channels > 1 else 0)
        middle, at, sample, repeatable = sampled(header.height, header.width), 0, [], True
        for rows in self._png.rows():
            samples = rounded(samples_of(rows, header), self._step)
            repeatable = repeatable and (header.depth >= 8 or np.array_equal(packed_rows(samples, header), rows))
            survey.add(samples)
            sample.append(samples[max(0, middle.start - at) : max(0, middle.stop - at)])
            at += len(samples)
            if self._kept is not None:
                self._kept.append(samples)
        layouts = survey.layouts(header.height, header.width)
        if self.model is None:
            return chosen(layouts, np.concatenate(sample), fast=speed == "fast"), repeatable
        layout = as_the_model(layouts[-1], header.height, self.model, self._name)
        return Coding(layout, STACK, header.height, header.height, self.model), repeatable


class PngPixels(Pixels):
    """What gives the pieces of a PNG file, and the file.

    Parameters
    ----------
    header : Header
    coding : Coding
    """

    def __init__(self, header: Header, coding: Coding) -> None:
        super().__init__(coding)
        self.header = header

    @classmethod
    def read(cls, source: Source, model: object = None) -> Self:
        """Return what a description says; ArtifactError where it is none."""
        depth, colour = source.take(2)
        coding = Coding.read(source, model)
        layout = coding.layout
        header = Header(layout.width, layout.height, depth, colour)
        if header.why_refused() or layout.dtype != _dtype(header) or max(layout.channels, 1) != header.channels:
            raise source.damaged("its pixels are none of a PNG file")
        return cls(header, coding)

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the frame (of 0 units), or the samples of a strip; ValueError where there are none."""
        if units:
            return super().data(units, payload)
        source = Source.of(payload, "the frame of a PNG file")
        found = unpacked(source, FRAME_LIMIT)
        if source.up_to(1):
            raise source.damaged("more bytes follow it")
        return found

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file; warnings are those of :meth:`Frame.as_file`."""
        frame = Frame.read(next(pieces, b""), self.header)
        yield from frame.as_file(self.header, self._strips(pieces))

    def _strips(self, pieces: Iterator[bytes]) -> Iterator[Samples]:
        """Yield the samples of strips: (n, width, channels)."""
        dtype, row = self.coding.layout.dtype, (self.header.width, self.header.channels)
        each = math.prod(row) * dtype.itemsize
        for piece in promised(pieces, self.header.height * each, "the picture"):
            if len(piece) % each:
                raise checks.damaged("the picture", "a strip of it has no whole rows")
            yield np.frombuffer(piece, dtype).reshape(-1, *row)


def pixels_of(png: Png) -> Samples:
    """Return the samples of a PNG file: (height, width), or (height, width, channels) where there are several."""
    header = png.header
    pixels = np.concatenate([samples_of(rows, header) for rows in png.rows()])
    return pixels[:, :, 0] if header.channels == 1 else pixels


def blocks_of(blocks: Iterator[Any], count: int) -> Iterator[NDArray[Any]]:
    """Yield rows that come some at once, so many at a time; the last are fewer."""
    waiting: list[NDArray[Any]] = []
    there = 0
    for block in blocks:
        waiting.append(block)
        there += len(block)
        while there >= count:
            together = np.concatenate(waiting)
            yield together[:count]
            waiting, there = [together[count:]], there - count
    if there:
        yield np.concatenate(waiting)


def _dtype(header: Header) -> np.dtype[Any]:
    return np.dtype("<u2" if header.depth == 16 else "u1")


def _piece_of_frame(content: bytes) -> Piece:
    payload = packed(content, prior=True)
    return Piece(0, content, payload if len(payload) < len(content) else None)

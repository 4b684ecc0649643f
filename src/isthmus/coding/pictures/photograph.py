"""Photographs with a loss: tiles that know nothing of each other, transparency without a loss, and what stood beside.

A tile becomes a chunk of a stream, and its check is one of decoded samples: whoever decodes other pixels knows it. See
docs/format.md; what stands in the payload of a tile is the norm's affair, :mod:`isthmus.coding.reference.photograph`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import SMALL_FINGERPRINT, Source, varint
from isthmus.coding.contents import PICTURE, THREADS, Making, Piece, Work
from isthmus.coding.kinds import ANY
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.photographs import decoder, tiles
from isthmus.coding.photographs.changes import changes_from_bytes
from isthmus.coding.photographs.weights import Weights, shipped
from isthmus.coding.pictures.frame import Frame
from isthmus.coding.pictures.picture import Picture
from isthmus.coding.pictures.png import Header
from isthmus.coding.pictures.strips import Coding

__all__ = [
    "PHOTOGRAPH",
    "QUALITIES",
    "Photograph",
    "PhotographPixels",
    "Plan",
    "Tile",
    "changed",
    "coded_tile",
    "joined",
    "pieces_beside",
]

PHOTOGRAPH = 3  # form of the description
VERSION = 1  # of the norm of tiles
QUALITIES = 256
PIXELS_LIMIT = 1 << 30
CHANGES_LIMIT = 1 << 15  # bytes of changes of the weights
FRAME_LIMIT = 1 << 26  # bytes of a frame, at most
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG files, by channels
CHANNELS, DEEP, FRAMED = 0b11, 0b100, 0b1000  # bits of the byte that says what there is
AT_ONCE = 1 << 20  # pixels of rows that are given at once
GREY = 128  # of a tile that is lost, as a sample of 8 bits
NO_FRAME = Frame((), (), b"")

Samples = NDArray[Any]


class Tile(NamedTuple):
    """A coded tile.

    Parameters
    ----------
    payload : bytes
    samples : ndarray, shape (height, width, colours)
        What a decoder makes of it.
    """

    payload: bytes
    samples: Samples


@dataclass(frozen=True)
class Plan:
    """What a photograph says of itself.

    Parameters
    ----------
    height, width : int
    channels : int
        1 grey, 2 grey and transparency, 3 RGB, 4 RGB and transparency.
    bits : int
        Of a sample: 8 or 16.
    quality : int
        0 to 255.
    needs : bytes
        The first bytes of the fingerprint of the weights.
    changes : bytes
        Of the weights, for this picture.
    alpha : Coding, optional
        How the transparency is coded.
    is_framed : bool
        Whether something stood beside the pixels: a colour profile, EXIF.
    """

    height: int
    width: int
    channels: int
    bits: int
    quality: int
    needs: bytes
    changes: bytes = b""
    alpha: Coding | None = None
    is_framed: bool = False

    @property
    def colours(self) -> int:
        """Channels without the transparency."""
        return 3 if self.channels > 2 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of samples, as they are checked."""
        return np.dtype("<u2" if self.bits == 16 else "u1")

    @property
    def header(self) -> Header:
        """Of a PNG file of it."""
        return Header(self.width, self.height, self.bits, COLOUR_TYPES[self.channels])

    @functools.cached_property
    def places(self) -> Sequence[tiles.Tile]:
        """Where the tiles are, row by row."""
        return tiles.tiles_of(self.height, self.width)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        flags = self.channels - 1 | (DEEP if self.bits == 16 else 0) | (FRAMED if self.is_framed else 0)
        said = varint(VERSION) + varint(self.height) + varint(self.width) + bytes([flags, self.quality])
        said += self.needs + varint(len(self.changes)) + self.changes
        return said if self.alpha is None else said + self.alpha.to_bytes()

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says.

        Raises
        ------
        FormatNumberError
            A later version wrote it.
        ArtifactError
            No photograph is so.
        """
        if (version := source.varint()) != VERSION:
            raise checks.later_form(source.name, f"a photograph of version {version}")
        height, width = source.varint(), source.varint()
        flags, quality = source.take(2)
        if flags > CHANNELS | DEEP | FRAMED:
            raise checks.later_form(source.name, f"a photograph with flags {flags}")
        needs, length = source.take(SMALL_FINGERPRINT), source.varint()
        if length > CHANGES_LIMIT:
            raise source.damaged(f"the changes of its weights would have {length:,} bytes")
        changes, channels = source.take(length), (flags & CHANNELS) + 1
        alpha = None if channels % 2 else Coding.read(source)
        bits = 16 if flags & DEEP else 8
        found = cls(height, width, channels, bits, quality, needs, changes, alpha, bool(flags & FRAMED))
        if found.header.why_refused() or height * width > PIXELS_LIMIT:
            raise source.damaged("its sides are none of a photograph")
        if alpha is not None and (alpha.shape != (height, width) or alpha.layout.dtype != found.dtype):
            raise source.damaged("its transparency is none of its pixels")
        return found

    def weights(self, name: str, model: object = None) -> Weights | None:
        """Return the weights that it needs, with its changes; None where nothing is to be decoded.

        Parameters
        ----------
        name : str
            Of the file, for sentences.
        model : object, optional
            What a person named; weights are looked at before those that isthmus carries.
        """
        if model is ANY:
            return None
        return changed(weights_of(self.needs, model, name), self.changes)


def changed(weights: Weights, changes: bytes) -> Weights:
    """Return weights with the changes that stand in a file; ValueError where these are none."""
    return weights.with_changes(changes_from_bytes(changes, weights)) if changes else weights


def weights_of(needs: bytes, model: object, name: str) -> Weights:
    """Return the weights whose fingerprint begins so; ArtifactError where they are not here."""
    for known in (model, shipped()):
        if isinstance(known, Weights) and known.fingerprint.startswith(needs):
            return known
    given = getattr(model, "fingerprint", None)
    raise checks.needs_model(name, needs.hex(), given.hex() if given else None)


# ------------------------------------------------------------------ samples


def samples_of(picture: NDArray[np.int16], colours: int, bits: int) -> Samples:
    """Return samples, (height, width, colours), of the picture that a decoder gives, (height, width, 3)."""
    found = decoder.samples(picture, bits)
    if colours == 1:  # the mean, to the nearest whole number
        found = ((found.sum(axis=2, keepdims=True, dtype=np.int64) + 1) // 3).astype(found.dtype)
    return found.astype(found.dtype.newbyteorder("<"), copy=False)


def coded_tile(latents: Sequence[NDArray[np.int16]], size: tuple[int, int], plan: Plan, weights: Weights) -> Tile:
    """Return a tile of latents, with what a decoder makes of it.

    Parameters
    ----------
    latents : sequence of ndarray of int16, (height, width, channels)
        Finest first.
    size : tuple of int
        Height and width of the tile.
    plan : Plan
        Of the photograph.
    weights : Weights
        With the changes of the plan.
    """
    payload, picture = decoder.encoded_tile(latents, *size, plan.quality, weights)
    return Tile(payload, samples_of(picture, plan.colours, plan.bits))


def joined(plan: Plan, samples: Iterable[Samples]) -> Samples:
    """Return a photograph, (height, width, colours), of the samples of its tiles, row by row."""
    canvas = tiles.Canvas(plan.height, plan.width, plan.colours, plan.dtype)
    for place, own in zip(plan.places, samples, strict=True):
        canvas.put(place, own)
    return canvas.picture()


# ------------------------------------------------------------------ writing


class Photograph:
    """A photograph that is to be written.

    Parameters
    ----------
    plan : Plan
    coded : sequence of Tile
    weights : Weights
        With the changes of the plan.
    beside : sequence of Piece
        What :func:`pieces_beside` returns.
    """

    number, at_once, is_exact = PICTURE, THREADS, False
    fingerprint: bytes | None = None  # the description names the weights

    def __init__(self, plan: Plan, coded: Sequence[Tile], weights: Weights, beside: Sequence[Piece] = ()) -> None:
        self.plan, self.model = plan, weights
        self._coded, self._beside = coded, beside

    @property
    def payload(self) -> int:
        """Bytes of the coded tiles."""
        return sum(len(tile.payload) for tile in self._coded)

    def description(self) -> bytes:
        """Return what a reader needs before the first piece."""
        return varint(PHOTOGRAPH) + self.plan.to_bytes()

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces: the frame, the strips of the transparency, the tiles; each behind its number."""
        number = 0
        for number, piece in enumerate(self._beside, 1):
            yield Making(len(piece.data), partial(_numbered, number - 1, piece))
        for tile in self._coded:
            yield Making(tile.samples.nbytes, partial(_piece_of_tile, number, tile))
            number += 1


def pieces_beside(frame: Frame | None, alpha: Picture | None) -> list[Piece]:
    """Return the pieces of what stood beside the pixels of a file, and of the transparency, which take a while."""
    found = [] if frame is None else [_piece_of_frame(frame.to_bytes())]
    return found if alpha is None else [*found, *(work() for work in alpha.work())]


def _piece_of_frame(content: bytes) -> Piece:
    return Piece(0, content, packed(content, prior=True))


def _piece_of_tile(number: int, tile: Tile) -> Piece:
    height, width, _ = tile.samples.shape
    return _numbered(number, Piece(height * width, np.ascontiguousarray(tile.samples).tobytes(), tile.payload))


def _numbered(number: int, piece: Piece) -> Piece:
    payload = None if piece.payload is None else varint(number) + piece.payload
    return Piece(piece.units, varint(number) + piece.data, payload)


# ------------------------------------------------------------------ reading


class PhotographPixels:
    """What gives the pixels of a photograph, as an array and as a PNG file.

    Parameters
    ----------
    plan : Plan
    name : str
        Of the file, for sentences.
    weights : Weights, optional
        With its changes; None where nothing is to be decoded.
    """

    kind, unit, at_once = "photograph", "pixel", THREADS

    def __init__(self, plan: Plan, name: str, weights: Weights | None) -> None:
        self.plan, self._name, self._weights = plan, name, weights

    @classmethod
    def read(cls, source: Source, model: object = None) -> Self:
        """Return what a description says; ArtifactError where it is none."""
        plan = Plan.read(source)
        return cls(plan, source.name, plan.weights(source.name, model))

    @property
    def needs(self) -> bytes:
        """What names the weights in a file."""
        return self.plan.needs

    @property
    def size(self) -> int:
        """Bytes of its samples."""
        return self.plan.height * self.plan.width * self.plan.channels * self.plan.dtype.itemsize

    def facts(self) -> dict[str, Any]:
        """Return what a person may want to know of it."""
        plan = self.plan
        return {
            "bytes": self.size,
            "units": plan.height * plan.width,
            "height": plan.height,
            "width": plan.width,
            "channels": plan.channels,
            "bits": plan.bits,
            "quality": plan.quality,
            "tiles": len(plan.places),
            "bytes_of_changes": len(plan.changes),
        }

    # ------------------------------------------------------------------ pieces

    @functools.cached_property
    def _strips(self) -> Sequence[int]:
        """Rows of each strip of the transparency."""
        if self.plan.alpha is None:
            return ()
        rows, height = self.plan.alpha.rows, self.plan.height
        return [min(rows, height - start) for start in range(0, height, rows)]

    @functools.cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        """Units and bytes of the data of each piece, without its number; the bytes of a frame are not known."""
        plan, each = self.plan, self.plan.dtype.itemsize
        found = [(0, -1)] if plan.is_framed else []
        found += [(rows * plan.width, rows * plan.width * each) for rows in self._strips]
        sizes = (place.height * place.width for place in plan.places)
        return [*found, *((size, size * plan.colours * each) for size in sizes)]

    @property
    def _first_tile(self) -> int:
        return int(self.plan.is_framed) + len(self._strips)

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the data of a piece: its number, and the frame or samples; ValueError where there are none."""
        source = Source.of(payload, self._name)
        number = source.varint()
        if number >= len(self._pieces) or units != self._pieces[number][0]:
            raise source.damaged("a piece of it has a size that none has")
        return varint(number) + self._decoded(number, units, payload[source.position :])

    def _decoded(self, number: int, units: int, payload: bytes) -> bytes:
        if not units:
            source = Source.of(payload, self._name)
            found = unpacked(source, FRAME_LIMIT)
            if source.up_to(1):
                raise source.damaged("more bytes follow its frame")
            return found
        if number < self._first_tile and self.plan.alpha is not None:
            return self.plan.alpha.pixels(payload, units).tobytes()
        place = self.plan.places[number - self._first_tile]
        assert self._weights is not None  # noqa: S101 - whoever reads no weights decodes nothing
        picture = decoder.decode_tile(payload, place.height, place.width, self.plan.quality, self._weights)
        return samples_of(picture, self.plan.colours, self.plan.bits).tobytes()

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return what a payload is for."""
        number = Source.of(payload, self._name).varint()
        if number >= self._first_tile:
            return {"colours": len(payload)}
        return {"profile and EXIF" if self.plan.is_framed and not number else "transparency": len(payload)}

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield a piece without a number, which says that some are lost."""
        yield b""

    def where(self, start: int, stop: int | None) -> str | None:
        """Return what stood in lost units, from one on and before another; None where that are several pieces."""
        at = 0
        for number, (units, _) in enumerate(self._pieces):
            if (at, at + units) == (start, stop):
                return self._named(number)
            at += units
        return None

    def _named(self, number: int) -> str:
        if number >= self._first_tile:
            place = self.plan.places[number - self._first_tile]
            rows = f"rows {place.top:,} to {place.top + place.height - 1:,}"
            return f"{rows}, columns {place.left:,} to {place.left + place.width - 1:,}"
        strip = number - self.plan.is_framed
        if strip < 0:
            return "colour profile and EXIF"
        start = sum(self._strips[:strip])
        return f"transparency of rows {start:,} to {start + self._strips[strip] - 1:,}"

    def _each(self, pieces: Iterator[bytes]) -> Iterator[bytes | None]:
        """Yield the data of each piece, in order; None of one that is lost, if it was said that some are."""
        number, some_are_lost = 0, False
        for piece in pieces:
            if not piece:
                some_are_lost = True
                continue
            source = Source.of(piece[:10], self._name)
            its = source.varint()
            if not number <= its < len(self._pieces) or (its > number and not some_are_lost):
                raise source.damaged("its pieces are in no order")
            if self._pieces[its][1] not in (-1, len(piece) - source.position):
                raise source.damaged("its pieces are not those of its shape")
            yield from repeat(None, its - number)
            yield piece[source.position :]
            number = its + 1
        if number < len(self._pieces) and not some_are_lost:
            raise checks.damaged(self._name, "its pieces are not those of its shape")
        yield from repeat(None, len(self._pieces) - number)

    # ------------------------------------------------------------------ the picture

    def array(self, pieces: Iterator[bytes]) -> NDArray[Any]:
        """Return the picture, (height, width) or (height, width, channels)."""
        _, bands = self._opened(pieces)
        found = np.concatenate(list(bands))
        return found[:, :, 0] if self.plan.channels == 1 else found

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a PNG file."""
        frame, bands = self._opened(pieces)
        yield from frame.as_file(self.plan.header, bands)

    def _opened(self, pieces: Iterator[bytes]) -> tuple[Frame, Iterator[Samples]]:
        """Return what stood beside the pixels, and rows of the picture, some at once."""
        each, frame = self._each(pieces), NO_FRAME
        if self.plan.is_framed and (found := next(each)) is not None:
            frame = Frame.read(found, self.plan.header)
        alpha = [self._strip(next(each), rows) for rows in self._strips]
        return frame, self._bands(each, alpha)

    def _strip(self, data: bytes | None, rows: int) -> Samples:
        """Return rows of the transparency; opaque where they are lost."""
        if data is None:
            return np.full((rows, self.plan.width), (1 << self.plan.bits) - 1, self.plan.dtype)
        return np.frombuffer(data, self.plan.dtype).reshape(rows, self.plan.width)

    def _bands(self, each: Iterator[bytes | None], alpha: Sequence[Samples]) -> Iterator[Samples]:
        """Yield rows of the picture, (n, width, channels)."""
        colours = joined(self.plan, self._tiles(each))
        at_once = max(1, AT_ONCE // self.plan.width)
        transparency = np.concatenate(alpha)[:, :, None] if alpha else colours[:, :, :0]
        for start in range(0, self.plan.height, at_once):
            rows = slice(start, start + at_once)
            yield np.concatenate([colours[rows], transparency[rows]], axis=2)

    def _tiles(self, each: Iterator[bytes | None]) -> Iterator[Samples]:
        """Yield the samples of tiles, (height, width, colours); grey where they are lost."""
        plan = self.plan
        for place, data in zip(plan.places, each, strict=True):
            shape = place.height, place.width, plan.colours
            if data is None:
                yield np.full(shape, GREY * ((1 << plan.bits) - 1) // 255, plan.dtype)
            else:
                yield np.frombuffer(data, plan.dtype).reshape(shape)

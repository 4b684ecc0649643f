"""Colour images of 16 bits a channel: PNG and TIFF files that Pillow would cut to 8 bits.

Reference: Portable Network Graphics (W3C recommendation, third edition), sections 7.2 and 9 (scan lines and filters);
TIFF revision 6.0, sections 8 and 14 (strips, the horizontal predictor).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.checks import data as checks

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["read_deep", "write_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
NO_COMPRESSION, DEFLATE, ADOBE_DEFLATE = 1, 32946, 8


def read_deep(image: Image.Image, path: Path) -> np.ndarray:
    """Return the pixels of a 16-bit colour image at full depth.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened, not decoded: it has told the size.
    path : Path
        The file.

    Returns
    -------
    ndarray of shape (height, width, channels), uint16
    """
    if image.format == "PNG":
        return _read_png(path, image.height, image.width)
    if image.format == "TIFF":
        return _read_tiff(image, path)
    raise checks.colour_depth(path, f"it has 16 bits a channel in colour as {image.format}")


# --- PNG -------------------------------------------------------------------------------------------------------------


def _read_png(path: Path, height: int, width: int) -> np.ndarray:
    """Return the pixels of a PNG file of bit depth 16 that is not interlaced."""
    content = path.read_bytes()
    colour, interlaced, packed = 0, 0, []
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8 : at + 8 + size]
        if len(body) < size or zlib.crc32(kind + body) != int.from_bytes(
            content[at + 8 + size : at + 12 + size], "big"
        ):
            raise checks.unreadable_file(path, f"it is truncated or damaged (chunk {kind.decode('latin-1')})")
        if kind == b"IHDR":
            colour, interlaced = body[9], body[12]
        elif kind == b"IDAT":
            packed.append(body)
        at += 12 + size
    if interlaced:
        raise checks.colour_depth(path, "it has 16 bits a channel in colour and is interlaced")
    channels = {number: count for count, number in COLOUR_TYPES.items()}[colour]
    stride = 2 * channels * width
    lines = zlib.decompressobj().decompress(b"".join(packed), height * (stride + 1) + 1)
    if len(lines) != height * (stride + 1):
        raise checks.unreadable_file(path, "it is truncated or damaged (its lines have a wrong length)")
    return unfilter(lines, height, stride, 2 * channels).view(">u2").reshape(height, width, channels).astype(np.uint16)


def unfilter(lines: bytes, height: int, stride: int, pixel: int) -> np.ndarray:
    """Undo the five filters of PNG.

    Parameters
    ----------
    lines : bytes
        For every line its filter number and its ``stride`` bytes.
    height, stride : int
        Number of lines, and bytes in one.
    pixel : int
        Bytes in a pixel: the distance to the left neighbour.

    Returns
    -------
    ndarray of shape (height, stride), uint8
    """
    filtered = np.frombuffer(lines, np.uint8).reshape(height, stride + 1)
    out = np.zeros((height, stride), np.uint8)
    above = np.zeros(stride, np.uint8)
    for row, line in enumerate(filtered):
        number, body = int(line[0]), line[1:]
        if number == 0:
            out[row] = body
        elif number == 1:
            out[row] = np.cumsum(body.reshape(-1, pixel), axis=0, dtype=np.uint8).reshape(-1)
        elif number == 2:
            out[row] = body + above
        elif number in (3, 4):
            predict = _average if number == 3 else _paeth
            out[row] = np.frombuffer(_sequential(bytes(body), bytes(above), pixel, predict), np.uint8)
        else:
            raise ValueError(f"unknown filter {number}")
        above = out[row]
    return out


def _sequential(body: bytes, above: bytes, pixel: int, predict: object) -> bytearray:
    """Undo a filter in which every byte needs its left neighbour first."""
    out = bytearray(len(body))
    for i, value in enumerate(body):
        left, corner = (out[i - pixel], above[i - pixel]) if i >= pixel else (0, 0)
        out[i] = (value + predict(left, above[i], corner)) & 255  # type: ignore[operator]
    return out


def _average(left: int, above: int, corner: int) -> int:
    """Return the mean of the left and the upper byte, rounded down."""
    return (left + above) >> 1


def _paeth(left: int, above: int, corner: int) -> int:
    """Return whichever of three neighbours is nearest to left + above - corner."""
    to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


def write_png(array: np.ndarray) -> bytes:
    """Return 16-bit pixels as the content of a PNG file.

    Parameters
    ----------
    array : ndarray of shape (height, width, channels), uint16
        With 2, 3 or 4 channels.
    """
    height, width, channels = array.shape
    big = array.astype(">u2").reshape(height, -1).view(np.uint8)
    # Filter 2 (the difference to the line above) is exact, vectorised, and packs photographs well enough.
    difference = big - np.vstack([np.zeros((1, big.shape[1]), np.uint8), big[:-1]])
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), difference], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


# --- TIFF ------------------------------------------------------------------------------------------------------------

STRIP_OFFSETS, STRIP_BYTES, ROWS_PER_STRIP = 273, 279, 278
COMPRESSION, SAMPLES, PLANAR, PREDICTOR = 259, 277, 284, 317


def _read_tiff(image: Image.Image, path: Path) -> np.ndarray:
    """Return the pixels of a TIFF file in strips that are plain or deflated."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    compression, predictor = tags.get(COMPRESSION, NO_COMPRESSION), tags.get(PREDICTOR, 1)
    readable = compression in (NO_COMPRESSION, DEFLATE, ADOBE_DEFLATE) and predictor in (1, 2)
    if not readable or tags.get(PLANAR, 1) != 1 or STRIP_OFFSETS not in tags:
        raise checks.colour_depth(path, "it has 16 bits a channel in colour, packed in a way that is not read here")
    height, width, channels = image.height, image.width, int(tags[SAMPLES])
    rows = min(int(tags.get(ROWS_PER_STRIP, height)), height)
    order = "<" if image.tag_v2.prefix == b"II" else ">"  # type: ignore[attr-defined]
    array = np.empty((height, width, channels), np.uint16)
    with path.open("rb") as file:
        for number, (offset, size) in enumerate(zip(tags[STRIP_OFFSETS], tags[STRIP_BYTES], strict=True)):
            part = array[number * rows : (number + 1) * rows]
            file.seek(offset)
            strip = file.read(min(size, 2 * part.size + 2**20))
            if compression != NO_COMPRESSION:
                strip = zlib.decompressobj().decompress(strip, part.nbytes)
            if len(strip) < part.nbytes:
                raise checks.unreadable_file(path, f"it is truncated or damaged (strip {number})")
            part[:] = np.frombuffer(strip[: part.nbytes], f"{order}u2").reshape(part.shape)
    if predictor == 2:
        array = np.cumsum(array, axis=1, dtype=np.uint16)
    return array

"""PNG files of 16 bits a channel in colour, of which Pillow keeps only the upper 8.

Reference: Portable Network Graphics (W3C recommendation, third edition), sections 7.2 and 9 (scan lines and filters).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["is_deep", "read_png", "write_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
DEEP = {"LA;16B": 2, "RGB;16B": 3, "RGBA;16B": 4}  # Pillow's names for how the pixels are stored, and their channels


def is_deep(image: Image.Image) -> int:
    """Return the number of channels of a PNG file of 16 bits a channel in colour, opened and not decoded; else 0."""
    tiles: list[Any] = getattr(image, "tile", [])
    return DEEP.get(tiles[0].args, 0) if image.format == "PNG" and len(tiles) == 1 else 0


def read_png(again: tuple[Image.Image, Image.Image]) -> np.ndarray:
    """Return the pixels at full depth.

    Pillow undoes packing, filters and interlacing for any pixel of as many bytes, and then takes one byte of two: the
    upper ones of big-endian samples, the lower ones if it is told that the same bytes are little-endian.

    Parameters
    ----------
    again : tuple of two PIL.Image.Image
        The same file, opened twice and not decoded.

    Returns
    -------
    ndarray of shape (height, width, channels), uint16
    """
    upper, lower = again
    stored = upper.tile[0].args  # type: ignore[attr-defined]
    if stored == "LA;16B":
        # Four bytes a pixel: those of an RGBA image.
        upper.tile = [upper.tile[0]._replace(args="RGBA")]  # type: ignore[attr-defined]
        pairs = np.asarray(upper).astype(np.uint16)
        return pairs[..., 0::2] << 8 | pairs[..., 1::2]
    lower.tile = [lower.tile[0]._replace(args=stored.replace("16B", "16L"))]  # type: ignore[attr-defined]
    return np.asarray(upper).astype(np.uint16) << 8 | np.asarray(lower)


def write_png(array: np.ndarray, further: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Return 16-bit pixels as the content of a PNG file.

    Parameters
    ----------
    array : ndarray of shape (height, width, channels), uint16
        With 2, 3 or 4 channels.
    further : sequence of (bytes, bytes), default=()
        Names and contents of chunks that come before the pixels.
    """
    height, width, channels = array.shape
    big = array.astype(">u2").reshape(height, -1).view(np.uint8)
    # Filter 2 (the difference to the line above) is exact, vectorised, and packs photographs well enough.
    difference = big - np.vstack([np.zeros((1, big.shape[1]), np.uint8), big[:-1]])
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), difference], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), *further, (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )

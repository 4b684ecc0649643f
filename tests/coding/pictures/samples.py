"""Pictures of many kinds, made here; and PNG files that other hands than ours wrote."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def smooth(height: int = 40, width: int = 50, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Return what looks like a photograph: waves, and a little noise that channels share."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    light = 120 + 50 * np.sin(x / 9 + y / 14) + 30 * np.cos(y / 7 - x / 23) + rng.normal(0, 2, (height, width))
    planes = [light * (1 - 0.1 * k) + rng.normal(0, 1, (height, width)) for k in range(channels)]
    return np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8)


def drawn(height: int = 60, width: int = 80, seed: int = 0) -> NDArray[np.uint8]:
    """Return a drawing: boxes of a few colours on white."""
    rng = np.random.default_rng(seed)
    found = np.full((height, width, 3), 255, np.uint8)
    for _ in range(12):
        y, x = rng.integers(0, height - 9), rng.integers(0, width - 9)
        found[y : y + rng.integers(2, 9), x : x + rng.integers(2, 9)] = rng.choice([0, 60, 200], 3)
    return found


def noise(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> NDArray[Any]:
    """Return samples of any bits; truth values are 0 or 1."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape)


def digits(count: int = 12, seed: int = 0) -> NDArray[np.uint8]:
    """Return small pictures of one kind: a bright ring somewhere in the middle of 14 x 14 pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:14, :14]
    found = []
    for _ in range(count):
        away = np.hypot(y - rng.uniform(5, 8), x - rng.uniform(5, 8)) - rng.uniform(2, 4)
        found.append(np.clip(255 - 120 * np.abs(away), 0, 255))
    return np.array(found).astype(np.uint8)


# ---------------------------------------------------------------------- PNG files


def png_of(pixels: NDArray[Any], **options: Any) -> bytes:
    """Return the PNG file that Pillow makes of pixels."""
    into = io.BytesIO()
    Image.fromarray(pixels).save(into, "PNG", **options)
    return into.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk, by the standard."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_by_hand(
    rows: bytes,
    *,
    size: tuple[int, int] = (2, 2),
    depth: int = 8,
    colour: int = 0,
    interlaced: int = 0,
    before: bytes = b"",
    after: bytes = b"",
    pieces: int = 1,
    rest: bytes = b"",
    compressed: bytes | None = None,
) -> bytes:
    """Return a PNG file of filtered rows; size is width and height."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(rows) if compressed is None else compressed
    cut = -(-len(packed) // pieces)
    pixels = b"".join(chunk(b"IDAT", packed[k * cut : (k + 1) * cut]) for k in range(pieces))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + pixels + after + chunk(b"IEND", b"") + rest


def decoded_by_pillow(content: bytes) -> NDArray[Any]:
    """Return the pixels of a PNG file as Pillow sees them."""
    return np.asarray(Image.open(io.BytesIO(content)))

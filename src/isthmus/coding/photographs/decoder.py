"""Tiles of photographs to payloads and back: by the compiled module, or by the norm.

Both give the same. The compiled one is checked when it is first asked for, as that of bytes is; the norm is some
hundreds of times slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs.weights import LEVELS, Weights, latents_at, sizes
from isthmus.coding.reference import photograph as reference

__all__ = ["SIDE_LIMIT", "decode_tile", "decoded_tile", "encode_tile", "encoded_tile", "samples"]

Latents = list[NDArray[np.int16]]
SIDE_LIMIT = 2048  # pixels of a tile


def encode_tile(latents: Sequence[NDArray[np.int16]], height: int, width: int, quality: int, weights: Weights) -> bytes:
    """Return the payload of a tile; see :func:`encoded_tile`."""
    return encoded_tile(latents, height, width, quality, weights)[0]


def encoded_tile(
    latents: Sequence[NDArray[np.int16]], height: int, width: int, quality: int, weights: Weights
) -> tuple[bytes, NDArray[np.int16]]:
    """Return the payload of a tile, and the picture that a decoder makes of it.

    Parameters
    ----------
    latents : sequence of ndarray of int16, shape (h_l, w_l, c_l)
        Of the levels from 1, the finest, to 6: see :func:`isthmus.coding.photographs.weights.sizes`.
    height, width : int
        Of the tile in pixels, at most 2048.
    quality : int
        From 0 to 255.
    weights : Weights
        A decoder needs the same.

    Raises
    ------
    ValueError
        The latents are not of this size.
    """
    expected = _shapes(height, width, quality)
    if [y.shape for y in latents] != expected or any(y.dtype != np.int16 for y in latents):
        raise ValueError(f"latents of other shapes or types than int16 {expected}")
    return reference.encode(latents, height, width, weights.at(quality))


def decode_tile(
    payload: bytes | bytearray | memoryview, height: int, width: int, quality: int, weights: Weights
) -> NDArray[np.int16]:
    """Return the picture of a tile, (height, width, 3), in units of 32 levels around 128, with 9 fractional bits.

    Raises
    ------
    ValueError
        It is no payload of a tile of this size.
    """
    return decoded_tile(payload, height, width, quality, weights)[1]


def decoded_tile(
    payload: bytes | bytearray | memoryview, height: int, width: int, quality: int, weights: Weights
) -> tuple[Latents, NDArray[np.int16]]:
    """Return the latents of a tile, as :func:`encoded_tile` takes them, and its picture; see :func:`decode_tile`."""
    _shapes(height, width, quality)
    return reference.decode(bytes(payload), height, width, weights.at(quality))


def samples(picture: NDArray[np.int16], bits: int) -> NDArray[Any]:
    """Return the samples, uint8 or uint16 of some bits, of the picture of a tile: rounded, and cut to their range."""
    peak = (1 << bits) - 1
    scaled = (picture.astype(np.int64) + 2048) * (peak * 32)
    found = np.clip((scaled + 255 * 256) // (255 * 512), 0, peak)
    return found.astype(np.uint8 if bits <= 8 else np.uint16)


def _shapes(height: int, width: int, quality: int) -> list[tuple[int, int, int]]:
    """Return the shapes of the latents of a tile."""
    if not (1 <= height <= SIDE_LIMIT and 1 <= width <= SIDE_LIMIT and 0 <= quality <= 255):
        raise ValueError(f"a tile of {height} x {width} pixels at quality {quality}")
    found = sizes(height, width)
    return [(*found[level], latents_at(level)) for level in range(1, LEVELS + 1)]

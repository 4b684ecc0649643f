"""Tiles of photographs to payloads and back: by the compiled module, or by the norm.

Both give the same. The compiled one is checked when it is first asked for, as that of bytes is; the norm is some
hundreds of times slower.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import weakref
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs import packed, tables
from isthmus.coding.photographs.weights import LEVELS, SHAPES, STEPS, Weights, latents_at, sizes
from isthmus.coding.reference import Bytes
from isthmus.coding.reference import photograph as reference

__all__ = ["SIDE_LIMIT", "decode_tile", "decoded_tile", "encode_tile", "encoded_tile", "is_compiled", "samples"]

Latents = list[NDArray[np.int16]]
SIDE_LIMIT = 2048  # pixels of a tile
# Of the payloads and pictures of the self-test, as the norm gives them.
SELF_TEST = "936c46ced05268380a855c490d5f08b849384ef1ce95406efbf7f3487f0187b4"


def encode_tile(latents: Sequence[NDArray[np.int16]], height: int, width: int, quality: int, weights: Weights) -> bytes:
    """Return the payload of a tile, for which its picture need not be made; see :func:`encoded_tile`."""
    _check(latents, height, width, quality)
    return _back().encode(latents, height, width, quality, weights)


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
    _check(latents, height, width, quality)
    picture = np.zeros((height, width, 3), np.int16)
    return _back().encode(latents, height, width, quality, weights, picture), picture


def decode_tile(payload: Bytes, height: int, width: int, quality: int, weights: Weights) -> NDArray[np.int16]:
    """Return the picture of a tile, (height, width, 3), in units of 32 levels around 128, with 9 fractional bits.

    Raises
    ------
    ValueError
        It is no payload of a tile of this size.
    """
    return decoded_tile(payload, height, width, quality, weights)[1]


def decoded_tile(
    payload: Bytes, height: int, width: int, quality: int, weights: Weights
) -> tuple[Latents, NDArray[np.int16]]:
    """Return the latents of a tile, as :func:`encoded_tile` takes them, and its picture; see :func:`decode_tile`."""
    latents = [np.zeros(shape, np.int16) for shape in _shapes(height, width, quality)]
    picture = np.zeros((height, width, 3), np.int16)
    _back().decode(payload, latents, picture, quality, weights)
    return latents, picture


def samples(picture: NDArray[np.int16], bits: int) -> NDArray[Any]:
    """Return the samples, uint8 or uint16 of some bits, of the picture of a tile: rounded, and cut to their range."""
    peak = (1 << bits) - 1
    scaled = (picture.astype(np.int64) + 2048) * (peak * 32)
    found = np.clip((scaled + 255 * 256) // (255 * 512), 0, peak)
    return found.astype(np.uint8 if bits <= 8 else np.uint16)


def is_compiled() -> bool:
    """Return whether the compiled module is there and gives what the norm gives."""
    return isinstance(_back(), Compiled)


class Back(Protocol):
    """What codes: the norm, or the compiled module."""

    def encode(
        self,
        latents: Sequence[NDArray[np.int16]],
        height: int,
        width: int,
        quality: int,
        weights: Weights,
        picture: NDArray[np.int16] | None = None,
    ) -> bytes:
        """Return the payload of latents, and fill in the picture."""

    def decode(
        self, payload: Bytes, latents: Latents, picture: NDArray[np.int16], quality: int, weights: Weights
    ) -> None:
        """Fill in the latents of a payload, and the picture."""


class Plain:
    """The norm."""

    def encode(
        self,
        latents: Sequence[NDArray[np.int16]],
        height: int,
        width: int,
        quality: int,
        weights: Weights,
        picture: NDArray[np.int16] | None = None,
    ) -> bytes:
        """Return the payload of latents, and fill in the picture."""
        payload, made = reference.encode(latents, height, width, weights.at(quality))
        if picture is not None:
            picture[:] = made
        return payload

    def decode(
        self, payload: Bytes, latents: Latents, picture: NDArray[np.int16], quality: int, weights: Weights
    ) -> None:
        """Fill in the latents of a payload, and the picture."""
        height, width, _ = picture.shape
        found, picture[:] = reference.decode(bytes(payload), height, width, weights.at(quality))
        for y, values in zip(latents, found, strict=True):
            y[:] = values


class Compiled:
    """The module ``_photographs.c``."""

    def __init__(self, native: ModuleType) -> None:
        self._native = native
        self._packed: weakref.WeakKeyDictionary[Weights, NDArray[np.int16]] = weakref.WeakKeyDictionary()
        found = tables.distributions()
        self._tables = tables.logarithms(), found.windows, found.offsets, found.cumulative

    def encode(
        self,
        latents: Sequence[NDArray[np.int16]],
        height: int,
        width: int,
        quality: int,
        weights: Weights,
        picture: NDArray[np.int16] | None = None,
    ) -> bytes:
        """Return the payload of latents, and fill in the picture."""
        own = [np.require(y, np.int16, ["C", "W"]) for y in latents]
        return self._code(own, (height, width), quality, weights, picture, None)

    def decode(
        self, payload: Bytes, latents: Latents, picture: NDArray[np.int16], quality: int, weights: Weights
    ) -> None:
        """Fill in the latents of a payload, and the picture."""
        self._code(latents, picture.shape[:2], quality, weights, picture, payload)

    def _code(
        self,
        latents: Latents,
        size: Sequence[int],
        quality: int,
        weights: Weights,
        picture: NDArray[np.int16] | None,
        payload: Bytes | None,
    ) -> bytes:
        levels = weights.at(quality)
        if weights not in self._packed:
            self._packed[weights] = packed.kernels(levels)
        kernels, numbers = self._packed[weights], packed.numbers(levels)
        return self._native.code(*size, packed.PLANES, kernels, numbers, *self._tables, *latents, picture, payload)


@functools.cache
def _back() -> Back:
    """Return the compiled module, if it is there and passes the self-test, else the norm."""
    try:
        compiled = Compiled(importlib.import_module("isthmus.coding._photographs"))
    except ImportError:
        return Plain()
    return compiled if self_test(compiled) == SELF_TEST else Plain()


def self_test(tried: Back) -> str:
    """Return a digest of what is made of tiles that reach the ends of all ranges, and of decoding them again."""
    found, (height, width) = hashlib.sha256(), (13, 22)
    latents = extreme_latents(height, width)
    for shift, quality in ((0, 255), (4, 100)):
        weights = extreme_weights(shift)
        picture, again = np.zeros((2, height, width, 3), np.int16)
        payload = tried.encode(latents, height, width, quality, weights, picture)
        decoded = [np.zeros_like(y) for y in latents]
        try:
            tried.decode(payload, decoded, again, quality, weights)
        except ValueError as error:
            return str(error)
        if not all(map(np.array_equal, [*latents, picture], [*decoded, again])):
            return "decodes to other latents"
        found.update(payload + picture.astype("<i2").tobytes())
    return found.hexdigest()


def extreme_weights(shift: int) -> Weights:
    """Return weights whose sums come near 2^31, or less by a shift."""
    tensors = {}
    for name, (kind, shape) in SHAPES.items():
        size = next(size for ending, size in LARGE.items() if name.endswith(ending)) - shift
        x = _noise(name, shape)
        x[::5] = np.abs(x[::5])  # some outputs whose products do not cancel each other
        x = x << size if size > 0 else x >> -size
        tensors[name] = (np.clip(x - (6 << 16), *STEPS) if name.endswith("step.anchors") else x).astype(kind)
    return Weights(tensors)


# By how much numbers of eight bits can be shifted, by what the names of tensors end with.
LARGE = {
    "look.weight": 3,
    "inject.weight": 3,
    "features.weight": 4,
    "above.weight": 4,
    "before.weight": 4,
    "hidden.weight": 6,
    "last.weight": 6,
    "coupling": 4,
    "carry.weight": 3,
    "up.weight": 3,
    "step.anchors": 14,
    "anchors": 20,
    "bias": 20,
}


def extreme_latents(height: int, width: int) -> Latents:
    """Return latents that are zero, small, and as large as can be; one of a place is always zero."""
    found = []
    for shape in _shapes(height, width, 0):
        noise = _noise("latents", shape)
        kinds = np.arange(noise.size).reshape(shape) % 7
        y = np.where(kinds == 0, noise << 8, np.where(kinds < 4, noise >> 5, 0))
        y[:, :, 3] = 0
        found.append(y.astype(np.int16))
    return found


def _noise(name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return numbers from -128 to 127, the same everywhere."""
    noise = np.frombuffer(hashlib.shake_256(name.encode()).digest(1009), np.int8)
    return np.resize(noise, shape).astype(np.int64)


def _shapes(height: int, width: int, quality: int) -> list[tuple[int, int, int]]:
    """Return the shapes of the latents of a tile."""
    if not (1 <= height <= SIDE_LIMIT and 1 <= width <= SIDE_LIMIT and 0 <= quality <= 255):
        raise ValueError(f"a tile of {height} x {width} pixels at quality {quality}")
    found = sizes(height, width)
    return [(*found[level], latents_at(level)) for level in range(1, LEVELS + 1)]


def _check(latents: Sequence[NDArray[np.int16]], height: int, width: int, quality: int) -> None:
    expected = _shapes(height, width, quality)
    if [y.shape for y in latents] != expected or any(y.dtype != np.int16 for y in latents):
        raise ValueError(f"latents of other shapes or types than int16 {expected}")

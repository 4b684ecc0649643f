"""Small changes of weights, as bytes: whole numbers, of which most are zero.

There are no bytes where nothing changes. Else for each tensor, in the order of names, one bit whether it changes. If
so: by how many bits changes are shifted (4 bits), the index of a scale (7 bits), and all of them in order, coded as
latents with that scale around 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs.tables import SCALES
from isthmus.coding.photographs.weights import SHAPES, Weights
from isthmus.coding.reference import Bytes
from isthmus.coding.reference.photograph import RangeDecoder, RangeEncoder, code_value

__all__ = ["changes_from_bytes", "changes_to_bytes"]

SHIFT_LIMIT = 12
TRIED = 12  # scale indices on both sides of what the mean size suggests


def changes_to_bytes(changes: Mapping[str, NDArray[Any]]) -> bytes:
    """Return changes as bytes: none if there are none.

    Parameters
    ----------
    changes : mapping of str to ndarray of integers
        By name of the tensor, of its shape. Without the bits that are zero in all of a tensor, up to 12, they have to
        be within 16 bits.

    Raises
    ------
    ValueError
        There is no such tensor, or changes are too large.
    """
    if any(name not in SHAPES or change.shape != SHAPES[name][1] for name, change in changes.items()):
        raise ValueError("changes of tensors that the decoder does not have")
    if not any(change.any() for change in changes.values()):
        return b""
    encoder = RangeEncoder()
    for name in SHAPES:
        values = changes.get(name, np.zeros(0, np.int64)).astype(np.int64).ravel()
        if not encoder.plain(int(values.any()), 1):
            continue
        shift = encoder.plain(_shift(values), 4)
        values >>= shift
        if np.abs(values).max() > 32767:
            raise ValueError(f"changes of {name} that are too large")
        index = encoder.plain(_index(values), 7)
        for value in values.tolist():
            code_value(encoder, value, 0, index)
    return encoder.end()


def changes_from_bytes(content: Bytes, weights: Weights) -> dict[str, NDArray[np.int64]]:
    """Return the changes, by name of the tensor of some weights, that bytes hold.

    Raises
    ------
    ValueError
        They hold none.
    """
    found: dict[str, NDArray[np.int64]] = {}
    if not content:
        return found
    decoder = RangeDecoder(bytes(content))
    for name, tensor in weights.tensors.items():
        if not decoder.plain(0, 1):
            continue
        shift, index = decoder.plain(0, 4), decoder.plain(0, 7)
        if shift > SHIFT_LIMIT or index >= SCALES:
            raise ValueError("changes that no encoder writes")
        values = [code_value(decoder, 0, 0, index) for _ in range(tensor.size)]
        found[name] = (np.array(values, np.int64) << shift).reshape(tensor.shape)
    decoder.end()
    return found


class Meter:
    """What counts bits instead of coding them."""

    def __init__(self) -> None:
        self.bits = 0.0

    def symbol(self, cumulative: Sequence[int], symbol: int) -> int:
        """Count the bits of an interval."""
        self.bits -= math.log2((cumulative[symbol + 1] - cumulative[symbol]) / 65536)
        return symbol

    def plain(self, number: int, bits: int) -> int:
        """Count bits that are coded as they are."""
        self.bits += bits
        return number


def _shift(values: NDArray[np.int64]) -> int:
    """Return how many of the lowest bits are zero in all values, some of which are not zero."""
    union = int(np.bitwise_or.reduce(values))
    return min((union & -union).bit_length() - 1, SHIFT_LIMIT)


def _index(values: NDArray[np.int64]) -> int:
    """Return the index of the scale with which values take the fewest bits."""
    known, counts = (found.tolist() for found in np.unique(values, return_counts=True))

    def bits(index: int) -> float:
        total = 0.0
        for value, count in zip(known, counts, strict=True):
            meter = Meter()
            code_value(meter, value, 0, index)
            total += count * meter.bits
        return total

    middle = round(32 + 8 * math.log2(float(np.abs(values).mean())))
    return min(range(max(0, middle - TRIED), max(1, min(SCALES, middle + TRIED))), key=bits)

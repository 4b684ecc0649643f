"""Weights as ``_photographs.c`` takes them: one array of kernels, and one of the numbers of a quality.

Outputs are lanes, of which there are a multiple of eight and at least 16; inputs come in pairs, so that a zero is added
to an odd number of latents. A block has up to four vectors of eight lanes: of each pair of inputs, for each lane, two
weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs.weights import HIDDEN, LEVELS, STATES, WIDTHS, Level, latents_at

__all__ = ["PLANES", "kernels", "numbers"]

LANES = 8
PLANES = np.array(
    [
        (STATES[level], WIDTHS[level - 1], HIDDEN[level - 1], latents_at(level), STATES[level - 1])
        for level in range(1, LEVELS + 1)
    ],
    np.int32,
)


def kernels(levels: Sequence[Level]) -> NDArray[np.int16]:
    """Return the kernels of all levels, in the order of `_products`; they do not depend on the quality."""
    return np.concatenate([product for level in levels for product in _products(level)])


def numbers(levels: Sequence[Level]) -> NDArray[np.int32]:
    """Return biases and steps of all levels."""
    found: list[NDArray[np.int32]] = []
    for level in levels:
        found += [level.bias, level.prior_bias, level.hidden_bias, _in_lanes(level.last_bias), level.step]
        found.append(_in_lanes(_by_place(level.up_bias)))
    return np.concatenate(found)


def _products(level: Level) -> Iterator[NDArray[np.int16]]:
    """Yield the kernels of a level; those whose sums are added up are one."""
    state = level.look.shape[3]
    yield _packed(level.look)
    yield _packed(level.features, level.above)
    yield _packed(level.before)
    yield _packed(level.hidden)
    yield _packed(level.last)
    yield _coupled(level.coupling)
    yield _packed(level.inject)
    carry, up = _by_place(level.carry), _by_place(level.up)
    yield _packed(carry[..., :state], carry[..., state:], up)


def _coupled(coupling: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return what each latent adds to means and scales of those after it: of its f(y), and of the size of that.

    These are as many kernels of one pair and one block.
    """
    count = coupling.shape[1]
    found = np.zeros((count, _lanes(2 * count), 2), np.int16)
    for kind in range(2):
        found[:, kind * count : (kind + 1) * count, kind] = np.tril(coupling[kind], -1).T
    return found.ravel()


def _by_place(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return outputs 4 c + k, k of four places, as those of each place."""
    return np.ascontiguousarray(outputs.reshape(-1, 4, *outputs.shape[1:]).swapaxes(0, 1)).reshape(outputs.shape)


def _lanes(outputs: int) -> int:
    return max(2 * LANES, -(-outputs // LANES) * LANES)


def _in_lanes(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return numbers of outputs with zeros after them, as many as there are lanes."""
    found = np.zeros(_lanes(len(numbers)), np.int32)
    found[: len(numbers)] = numbers
    return found


def _packed(*kernels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return kernels, one after another, as one of blocks."""
    rows = np.concatenate([_even(x) for x in kernels], 1)
    pairs, blocks, at = rows.reshape(len(rows), -1, 2), [], 0
    while at < len(rows):
        size = _block(len(rows) - at)
        blocks.append(pairs[at : at + size].swapaxes(0, 1).ravel())
        at += size
    return np.concatenate(blocks)


def _even(kernel: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return a kernel as a row for each lane, with a zero after an odd number of inputs."""
    outputs, inputs = len(kernel), kernel.shape[3]
    found = np.zeros((_lanes(outputs), kernel.shape[1] * kernel.shape[2], inputs + inputs % 2), np.int16)
    found[:outputs, :, :inputs] = kernel.reshape(outputs, -1, inputs)
    return found.reshape(len(found), -1)


def _block(left: int) -> int:
    """Return how many lanes the next block has: none has a single vector."""
    if left <= 4 * LANES:
        return left
    return 3 * LANES if left <= 6 * LANES else 4 * LANES

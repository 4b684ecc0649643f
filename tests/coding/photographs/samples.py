"""Weights and latents at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs.weights import LEVELS, SHAPES, Weights, latents_at, sizes

Latents = list[NDArray[np.int16]]


def weights(seed: int = 0, told: float = 0.3) -> Weights:
    """Return weights whose layers neither fade nor saturate; means are about 0 and scales 1, or far away if told."""
    rng, tensors = np.random.default_rng(seed), {}
    for name, (kind, shape) in SHAPES.items():
        if kind == "int16":
            gain = told if "last" in name or "coupling" in name else 1
            found = rng.normal(0, gain * 4096 / math.sqrt(math.prod(shape[1:])), shape)
        elif name.endswith("step.anchors"):
            found = rng.uniform(-6 * 65536, -3 * 65536, shape)
        else:
            found = rng.normal(0, 1 << 18, shape)
        tensors[name] = np.rint(found).astype(kind)
    return Weights(tensors)


def latents(height: int, width: int, seed: int = 0, size: float = 1.0, zeros: int = 2) -> Latents:
    """Return latents of a tile, of which some planes are zero."""
    rng, sides = np.random.default_rng(seed), sizes(height, width)
    found = []
    for level in range(1, LEVELS + 1):
        y = np.rint(rng.laplace(0, size, (*sides[level], latents_at(level))))
        y[:, :, rng.integers(latents_at(level), size=zeros)] = 0
        found.append(y.astype(np.int16))
    return found

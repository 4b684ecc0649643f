"""A photographic codec that has learned nothing, and so is one of Haar wavelets: for tests of what is around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.coding.photographs import tiles
from isthmus.coding.photographs.weights import LEVELS, SHAPES, Weights
from isthmus.networks import photographic

SCALE = 2  # binary logarithm of the scale of all latents, as its prior has it


def weights() -> Weights:
    """Return the weights: nothing but the inverse transform, steps, and one scale."""
    tensors = {name: np.zeros(shape, kind) for name, (kind, shape) in SHAPES.items()}
    for level in range(1, LEVELS + 1):
        own = f"levels.{level - 1}."
        inverse = photographic.haar_inverse(level).numpy()
        tensors[own + "carry.weight"][:, 0, 0] = np.round(inverse * 4096)
        tensors[own + "step.anchors"][:] = np.round(np.log2(photographic.first_steps(level).numpy()) * 65536)
        bias = tensors[own + "prior.last_bias"]
        bias[len(bias) // 2 :] = SCALE << 21
    return Weights(tensors)


class Attempt(NamedTuple):
    """What the encoder makes of a picture."""

    tiles: list[list[NDArray[np.int16]]]
    changes: bytes = b""


class Encoder:
    """The analysis by wavelets, of which latents are rounded.

    Effort makes nothing better, but tells how far it is, as an encoder does that takes minutes.
    """

    def __init__(
        self,
        picture: NDArray[Any],
        *,
        bits: int,
        effort: int,
        progress: Callable[..., bool] | None,
        model: object = None,
    ) -> None:
        self._picture = picture.astype(np.float64) / ((1 << bits) - 1) * 255
        self._effort, self._progress = effort, progress

    def coded(self, quality: int, goal: tuple[str, float] | None = None) -> Attempt:
        """Return the latents of each tile at a quality, whatever the goal is."""
        for step in range(self._effort):
            if self._progress and not self._progress(step / self._effort, 1000.0, 30.0):
                break
        places = tiles.tiles_of(*self._picture.shape[:2])
        parts = [self._picture[place.window] for place in places]
        return Attempt([latents(part, quality) for part in parts])


def latents(part: NDArray[np.float64], quality: int) -> list[NDArray[np.int16]]:
    """Return the latents of a tile, finest first."""
    x = torch.from_numpy((part - 128) / 32).permute(2, 0, 1)[None].float()
    low, found = torch.einsum("rc,bchw->brhw", photographic.ROTATION, photographic.to_whole_places(x)), []
    for level, (height, width) in enumerate(photographic.sides_of(*part.shape[:2])[1:], 1):
        haar = photographic.halved(low)
        low = haar[:, :3]
        units = torch.cat([haar[:, 3:], low], 1) if level == LEVELS else haar[:, 3:]
        place = quality * 7 / 255
        steps = photographic.first_steps(level).log2()
        anchor = min(int(place), 6)
        step = torch.exp2(steps[anchor] + (place - anchor) * (steps[anchor + 1] - steps[anchor]))
        y = (units[0, :, :height, :width] / step[:, None, None]).round().clamp(-32000, 32000)
        found.append(np.ascontiguousarray(y.permute(1, 2, 0).numpy().astype(np.int16)))
    return found

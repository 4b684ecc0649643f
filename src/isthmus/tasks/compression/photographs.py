"""What becomes latents of a photograph: in one pass of a network, or learned for the one picture."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus import artifact, checks
from isthmus.coding.photographs import tiles
from isthmus.coding.photographs.weights import shipped
from isthmus.networks.photographic import UNIT, Analysis, Decoder, Latents
from isthmus.networks.photographic_integers import from_integers
from isthmus.tasks.compression.patient import EFFORTS, Goal, Patient, Progress

__all__ = ["ANALYSIS", "CLASS", "Attempt", "Encoder"]

ANALYSIS = Path(__file__).parents[2] / "coding" / "photographs_1_analysis.safetensors"
CLASS = "PhotographAnalysis"
FINEST = 255  # the highest quality


class Attempt(NamedTuple):
    """What an encoder makes of a picture.

    Parameters
    ----------
    tiles : list of list of ndarray of int16, shape (h_l, w_l, c_l)
        Latents of each tile, finest first.
    changes : bytes
        Of the weights of the decoder.
    quality : int
        From 0 to 255.
    """

    tiles: list[list[NDArray[np.int16]]]
    changes: bytes
    quality: int


class Encoder:
    """Makes latents of one picture.

    Parameters
    ----------
    picture : ndarray of uint8 or uint16, shape (h, w, 3)
    bits : {8, 16}
        Of a sample.
    effort : int, default=0
        0 takes one pass of a network; 1 to 9 learn the one picture.
    progress : callable, optional

    Raises
    ------
    DataError
        Isthmus came without its weights.
    """

    def __init__(
        self, picture: NDArray[Any], *, bits: int = 8, effort: int = 0, progress: Progress | None = None
    ) -> None:
        self.picture, self.peak = picture, (1 << bits) - 1
        self.effort, self.progress = effort, progress
        self.places = tiles.tiles_of(*picture.shape[:2])

    def units(self) -> Iterator[Tensor]:
        """Yield each tile as the networks see it: (1, 3, h, w)."""
        for top, left, height, width in self.places:
            x = self.picture[top : top + height, left : left + width].astype(np.float32)
            x = x * np.float32(255 / self.peak / UNIT) - np.float32(128 / UNIT)
            yield torch.from_numpy(x).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)

    def coded(self, quality: int, goal: tuple[str, float] | None = None) -> Attempt:
        """Return latents at a quality from 0 to 255; with an effort, those that reach a goal as well as may be."""
        if not self.effort:
            return Attempt([whole(latents) for _, latents in self._quick(quality)], b"", quality)
        pictures, latents = zip(*self._quick(quality), strict=True)
        patient = Patient(pictures, latents, networks()[1], quality, goal and Goal(*goal), self.progress)
        learned = patient.learn(EFFORTS[self.effort])
        return Attempt([whole(each) for each in learned.latents], learned.changes, quality)

    @torch.no_grad()
    def _quick(self, quality: int) -> Iterator[tuple[Tensor, Latents]]:
        """Yield each tile and its latents, not rounded."""
        analysis, decoder = networks()
        at = torch.tensor([quality / FINEST])
        for x in self.units():
            yield x, analysis(x, decoder, at).latents


@functools.cache
def networks() -> tuple[Analysis, Decoder]:
    """Return the analysis and the decoder that isthmus carries."""
    weights = shipped()
    if weights is None or not ANALYSIS.exists():
        raise checks.weights_missing()
    _, arrays = artifact.read(ANALYSIS, CLASS)
    analysis = Analysis()
    analysis.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()})
    found = analysis, from_integers(weights.tensors)
    for network in found:
        network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return found


def whole(latents: Latents) -> list[NDArray[np.int16]]:
    """Return the latents of one picture, each (1, c, h, w), as whole numbers, (h, w, c)."""
    return [y[0].permute(1, 2, 0).round().clamp(-32768, 32767).to(torch.int16).numpy() for y in latents]

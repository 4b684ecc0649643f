"""What becomes latents of a photograph: in one pass of a network, or learned for the one picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.coding.photographs import tiles
from isthmus.networks.photographic import UNIT, Analysis, Decoder, Latents
from isthmus.tasks.compression.patient import EFFORTS, Goal, Patient, Progress

__all__ = ["Attempt", "Encoder", "networks"]

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
    model : object, optional
        Has the ``networks``; by default those that isthmus carries.

    Raises
    ------
    DataError
        Isthmus came without its weights.
    """

    def __init__(
        self,
        picture: NDArray[Any],
        *,
        bits: int = 8,
        effort: int = 0,
        progress: Progress | None = None,
        model: Any = None,
    ) -> None:
        self.picture, self.peak = picture, (1 << bits) - 1
        self.effort, self.progress = effort, progress
        self.places = tiles.tiles_of(*picture.shape[:2])
        self.networks = networks(model)

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
        patient = Patient(pictures, latents, self.networks[1], quality, goal and Goal(*goal), self.progress)
        learned = patient.learn(EFFORTS[self.effort])
        return Attempt([whole(each) for each in learned.latents], learned.changes, quality)

    @torch.no_grad()
    def _quick(self, quality: int) -> Iterator[tuple[Tensor, Latents]]:
        """Yield each tile and its latents, not rounded."""
        analysis, decoder = self.networks
        at = torch.tensor([quality / FINEST])
        for x in self.units():
            yield x, analysis(x, decoder, at).latents


def networks(model: Any = None) -> tuple[Analysis, Decoder]:
    """Return the analysis and the decoder of a model, or those that isthmus carries."""
    if model is None:
        from isthmus.models.photographic_codec import PhotographicCodec

        model = PhotographicCodec.shipped()
    found: tuple[Analysis, Decoder] = model.networks()
    return found


def whole(latents: Latents) -> list[NDArray[np.int16]]:
    """Return the latents of one picture, each (1, c, h, w), as whole numbers, (h, w, c)."""
    return [y[0].permute(1, 2, 0).round().clamp(-32768, 32767).to(torch.int16).numpy() for y in latents]

r"""Networks for sequences of symbols: texts.

The encoder is one of strided convolutions over vectors of symbols (Zhang, Zhao and LeCun, "Character-level
Convolutional Networks for Text Classification", NeurIPS 2015), the decoder its mirror image. With n stages::

    encoder   symbols --vectors--> (length, 32) --windows of 4, moved by 2--> half as many places, C_1 units --> ...
              the last stage, and its mean and greatest value over all places --linear--> z (latent_dim,)
    decoder   z --linear--> the places of the last stage --each to two, seeing its neighbours--> ... --> theta

What stands after the end of a sequence is blanked at every stage, so no code depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.networks import layers
from isthmus.networks.likelihoods.arithmetic import within

__all__ = ["SequenceDecoder", "SequenceEncoder", "default_units"]

SYMBOL = 32  # width of the vector that stands for a symbol
FEWEST, MOST = 64, 256  # units of the first stage; units that no stage exceeds
PLACES = 16  # that are left after the last stage, at most


def default_units(length: int) -> tuple[int, ...]:
    """Return 64, 128, 256, 256, ... units for so many stages that at most 16 places are left of a sequence."""
    stages = max(1, math.ceil(math.log2(max(1, length) / PLACES)))
    return tuple(min(MOST, FEWEST << i) for i in range(stages))


class SequenceEncoder(nn.Module):
    """Sequences of symbols to codes.

    Parameters
    ----------
    symbols : int
        How many there are; the last one ends a sequence.
    length : int
        Places in a sequence.
    outputs : int
        Numbers in a code.
    hidden : sequence of int
        Units of each stage.
    activation, norm, dropout, rng
        As in :func:`isthmus.networks.build`.
    """

    def __init__(
        self,
        symbols: int,
        length: int,
        outputs: int,
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.end, self.multiple = symbols - 1, 2 ** len(hidden)
        self.vectors = layers.embedding(symbols, SYMBOL, rng)
        self.stages = nn.ModuleList(
            _Stage(4 * inputs, width, activation, norm, dropout, rng) for inputs, width in pairwise((SYMBOL, *hidden))
        )
        places = -(-length // self.multiple)
        self.head = layers.linear((places + 2) * (hidden[-1] if hidden else SYMBOL), outputs, rng)

    def forward(self, x: Tensor) -> Tensor:
        """Return codes: (b, length) -> (b, outputs)."""
        x = F.pad(x.long(), (0, -x.shape[1] % self.multiple), value=self.end)
        kept = within(x, self.end)
        h = self.vectors(x) * kept[..., None]
        for stage in self.stages:
            kept = kept[:, ::2]
            h = stage(_windows(h)) * kept[..., None]
        mean = h.sum(1) / kept.sum(1)[:, None]
        return self.head(torch.cat([h.flatten(1), mean, h.amax(1)], 1))


class SequenceDecoder(nn.Module):
    """Codes to the likelihood's parameters.

    Parameters
    ----------
    inputs : int
        Numbers in a code.
    theta_shape : (int, int)
        Numbers for a place, and places.
    hidden : sequence of int
        Units of each stage of the *encoder*; this decoder goes through them from the last to the first.
    activation, norm, dropout, rng
        As in :func:`isthmus.networks.build`.
    """

    def __init__(
        self,
        inputs: int,
        theta_shape: Sequence[int],
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        width, self.length = theta_shape
        widths = [*hidden[::-1], width]
        self.places = -(-self.length // 2 ** len(hidden))
        self.head = _Stage(inputs, self.places * widths[0], activation, None, 0.0, rng)
        stages: list[nn.Module] = [
            _Stage(3 * before, 2 * after, activation, norm, dropout, rng) for before, after in pairwise(widths[:-1])
        ]
        if hidden:
            stages.append(layers.linear(3 * widths[-2], 2 * width, rng))
        self.stages = nn.ModuleList(stages)

    def forward(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta: (b, inputs) -> (b, width, length). ``size`` is known already."""
        h = self.head(z.flatten(1)).view(len(z), self.places, -1)
        for stage in self.stages:
            around = F.pad(h, (0, 0, 1, 1))
            h = stage(torch.cat([around[:, :-2], h, around[:, 2:]], 2))
            h = h.view(len(z), 2 * h.shape[1], -1)
        return h[:, : self.length].mT


class _Stage(nn.Sequential):
    """A linear layer over the last axis, and what follows it."""

    def __init__(
        self, inputs: int, outputs: int, activation: str, norm: str | None, dropout: float, rng: torch.Generator
    ) -> None:
        parts: list[nn.Module] = [layers.linear(inputs, outputs, rng)]
        if norm is not None:
            parts.append(nn.LayerNorm(outputs) if norm == "layer" else _BatchNormOfPlaces(outputs))
        parts.append(layers.activation(activation))
        if dropout > 0:
            parts.append(nn.Dropout(dropout))
        super().__init__(*parts)


class _BatchNormOfPlaces(layers.BatchNorm1d):
    """Batch normalisation over the last axis, statistics over all places: (b, places, width), shape kept."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).view(x.shape)


def _windows(h: Tensor) -> Tensor:
    """Return windows of four neighbours, moved by two, zeros beyond the ends: (b, 2 n, width) -> (b, n, 4 width)."""
    pairs = h.reshape(len(h), h.shape[1] // 2, 2 * h.shape[2])
    width = h.shape[2]
    left = F.pad(pairs[:, :-1, width:], (0, 0, 1, 0))
    right = F.pad(pairs[:, 1:, :width], (0, 0, 0, 1))
    return torch.cat([left, pairs, right], 2)

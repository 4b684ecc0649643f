"""Convolutional networks for pictures of any height and width.

Strided convolutions in the place of pooling, and transposed ones back, follow Radford, Metz and Chintala, "Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks" (ICLR 2016), section 3. With n stages::

    encoder   x, padded to a multiple of 2^n --conv 3x3, stride 2--> half the sides, C_1 channels --> ... --> C_n
              one size:       all numbers of the last stage --linear--> z (latent_dim,)
              several sizes:  convolution 1x1 --> z (latent_dim, ceil(height / 2^n), ceil(width / 2^n))
    decoder   the mirror image with transposed convolutions 4x4, cropped to the size of x; a bias for each output number
              (for each channel where sizes differ)

Padding repeats the border, which adds no edge that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.networks import layers

__all__ = ["ConvolutionalDecoder", "ConvolutionalEncoder", "default_channels"]

Refine = Callable[[int], nn.Module]

FEWEST, MOST = 32, 256  # channels of the first stage; channels that no stage exceeds
SMALLEST = 4  # sides of about this length are not halved again
DEEPEST = 5  # stages
VARYING = 3  # stages where sizes differ


def default_channels(height: int | None, width: int | None) -> tuple[int, ...]:
    """Return 32, 64, 128, 256, 256 channels for so many stages that a side of the last is 4 to 7 pixels on average.

    Where sizes differ (None) there are three stages, and so a code for each 8 x 8 pixels.
    """
    if height is None or width is None:
        stages = VARYING
    else:
        stages = min(DEEPEST, max(0, math.floor(math.log2(math.sqrt(height * width) / SMALLEST))))
    return tuple(min(MOST, FEWEST << i) for i in range(stages))


class ConvolutionalEncoder(nn.Module):
    """Pictures to codes.

    Parameters
    ----------
    shape : (channels, height, width)
        Of a picture, after ``first``; None for sides that differ.
    outputs : int
        Numbers in a code, or channels of it where sizes differ.
    hidden : sequence of int
        Channels of each stage.
    activation, norm, dropout, rng
        As in :func:`isthmus.networks.build`. Dropout silences whole channels.
    refine : function, optional
        Makes what follows each stage, from its number of channels: residual blocks, for instance.
    first : torch.nn.Module, optional
        What turns integer codes into numbers.
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        outputs: int,
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
        refine: Refine | None = None,
        first: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.first = first
        self.multiple = 2 ** len(hidden)
        channels = [int(shape[0] or 1), *hidden]
        stages: list[nn.Module] = []
        for inputs, width in pairwise(channels):
            stages.append(layers.convolution(inputs, width, rng, stride=2))
            stages.extend(_after(width, activation, norm, dropout))
            if refine is not None:
                stages.append(refine(width))
        self.stages = nn.Sequential(*stages)
        sides = _sides(shape, self.multiple)
        self.head: nn.Module
        if sides is None:
            self.head = layers.convolution(channels[-1], outputs, rng, kernel=1)
        else:
            self.head = nn.Sequential(nn.Flatten(), layers.linear(channels[-1] * math.prod(sides), outputs, rng))

    def forward(self, x: Tensor) -> Tensor:
        """Return codes: (b, channels, height, width) -> (b, outputs) or (b, outputs, h', w')."""
        if self.first is not None:
            x = self.first(x)
        height, width = x.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        if below or right:
            x = F.pad(x, (0, right, 0, below), mode="replicate")
        return self.head(self.stages(x))


class ConvolutionalDecoder(nn.Module):
    """Codes to the likelihood's parameters.

    Parameters
    ----------
    inputs : int
        Numbers in a code, or channels of it where sizes differ.
    theta_shape : sequence of (int or None)
        Of the parameters of one picture; the last two are height and width.
    hidden : sequence of int
        Channels of each stage of the *encoder*; this decoder goes through them from the last to the first.
    activation, norm, dropout, rng, refine
        As in :class:`ConvolutionalEncoder`.
    """

    def __init__(
        self,
        inputs: int,
        theta_shape: Sequence[int | None],
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
        refine: Refine | None = None,
    ) -> None:
        super().__init__()
        self.theta_shape = tuple(theta_shape)
        self._leading = [int(side or 1) for side in theta_shape[:-2]]
        last = math.prod(self._leading)
        channels = [last, *hidden]
        sides = _sides(theta_shape, 2 ** len(hidden))
        head: list[nn.Module]
        if sides is None:
            head = [layers.convolution(inputs, channels[-1], rng, kernel=1)]
            height = width = 1
        else:
            head = [
                layers.linear(inputs, channels[-1] * math.prod(sides), rng),
                nn.Unflatten(1, (channels[-1], *sides)),
            ]
            height, width = int(theta_shape[-2] or 1), int(theta_shape[-1] or 1)
        if hidden:
            head.extend(_after(channels[-1], activation, norm, dropout))
        self.head = nn.Sequential(*head)
        stages: list[nn.Module] = []
        for i in range(len(hidden), 0, -1):
            if refine is not None:
                stages.append(refine(channels[i]))
            stages.append(layers.upconvolution(channels[i], channels[i - 1], rng, bias=i > 1))
            if i > 1:
                stages.extend(_after(channels[i - 1], activation, norm, dropout))
        self.stages = nn.Sequential(*stages)
        self.bias = nn.Parameter(torch.zeros(last, height, width))

    def forward(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta: codes -> (b, *theta_shape).

        Parameters
        ----------
        z : Tensor, shape (b, inputs) or (b, inputs, h', w')
            Codes.
        size : (height, width), optional
            Of the pictures where sizes differ; by default as far as the code reaches.
        """
        theta: Tensor = self.stages(self.head(z))
        height, width = (self.theta_shape[-2], self.theta_shape[-1])
        if height is None or width is None:
            height, width = size if size is not None else theta.shape[-2:]
        theta = theta[..., :height, :width] + self.bias
        return theta if len(self.theta_shape) == 3 else theta.view(len(theta), *self._leading, height, width)

    @torch.no_grad()
    def start_at(self, theta: Tensor) -> None:
        """Let the output begin about theta, broadcastable to ``theta_shape``."""
        theta = theta.flatten(0, theta.ndim - 3)
        shared = self.bias.shape[-2:] == (1, 1)
        self.bias.copy_(theta.mean((-2, -1), keepdim=True) if shared else theta.expand(self.bias.shape))


def _sides(shape: Sequence[int | None], multiple: int) -> tuple[int, int] | None:
    """Return height and width of the last stage, or None where pictures differ in size."""
    height, width = shape[-2:]
    if height is None or width is None:
        return None
    return -(-height // multiple), -(-width // multiple)


def _after(width: int, activation: str, norm: str | None, dropout: float) -> list[nn.Module]:
    """Return what follows a stage's convolution."""
    parts = [layers.normalisation(norm, width, pictures=True)] if norm is not None else []
    parts.append(layers.activation(activation))
    if dropout > 0:
        parts.append(nn.Dropout2d(dropout))
    return parts

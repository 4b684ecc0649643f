r"""The network of the restorer: one for noise, JPEG blocks, holes, enlarged and blurred pictures.

An encoder-decoder with skip connections (Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015) of residual blocks
without normalisation (Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2022, section 3).
With D halving the sides and U doubling them::

    l = x averaged over 4x4 pixels and interpolated,    h = T (x - l)
    (h, l, m, s, d) --pixel-unshuffle--> 28 planes at 1/2 --conv--> C_1 --blocks--> --D--> C_2 --blocks--> --D--> C_3
    C_3 --blocks--> --U--> + C_2 --blocks--> --U--> + C_1 --blocks--> --conv, pixel-shuffle--> r
    x^ = x + T' r / 10

The rotation T separates luma from two differences of colours. What varies from pixel to pixel is small beside what does
not, and reaches the network apart from it and enlarged, so that steps of one length suit both.

Nothing runs at full size, so that what a processor moves stays small beside what it computes. Convolutions have no
biases: a network that only scales and cuts generalises to noise stronger and weaker than it has seen (Mohan et al.,
"Robust and Interpretable Blind Image Denoising via Bias-Free Convolutional Neural Networks", ICLR 2020). What is
constant reaches it through the planes beside the picture:

    m   1 where a pixel is known, 0 where it is missing (there x is a guess, see :func:`fill`)
    s   log2(scale) / 2 of a picture that was enlarged, else 0
    d   1 where blur is to be removed, else 0
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LEVELS", "MULTIPLE", "PLANES", "RestoringNetwork", "fill", "planes"]

PLANES = 6  # red, green, blue, known, scale, blur
MULTIPLE = 8  # sides of what the network reads are multiples of it
LEVELS = 6  # halvings of a picture until the holes of any size that a guess can fill are filled
SMOOTHED = 4  # pixels a side over which a picture is averaged, so that the rest are details
GAINS = (12.0, 24.0, 24.0)  # of the details of luma and of the two differences of colours, which are then near 1
OUTPUT = 0.1  # of white, for one unit of the last layer: steps of an optimiser are then small beside a picture
ROUNDS, PACE, MOMENTUM = 16, 1 / 40, 0.7  # of the relaxation of a first guess


class Convolution(nn.Conv2d):
    """3x3, without biases; beyond its border a picture is zero, or goes on with its other side."""

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)
        with torch.no_grad():
            nn.init.kaiming_normal_(self.weight, nonlinearity="relu").mul_(gain)

    def forward(self, x: Tensor, periodic: bool = False) -> Tensor:
        """Return features of the same size."""
        if not periodic:
            return super().forward(x)
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), self.weight)


class Block(nn.Module):
    """x + conv(relu(conv(x))): He et al., "Deep Residual Learning" (CVPR 2016), without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.second = Convolution(channels, channels, gain=0.1)

    def forward(self, x: Tensor, periodic: bool = False) -> Tensor:
        """Return features of the same shape."""
        return x + self.second(F.relu(self.first(x, periodic)), periodic)


class Blocks(nn.ModuleList):
    """Blocks, one after another."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__(Block(channels) for _ in range(count))

    def forward(self, x: Tensor, periodic: bool = False) -> Tensor:
        """Return features of the same shape."""
        for block in self:
            x = block(x, periodic)
        return x


class RestoringNetwork(nn.Module):
    """Six planes to a restored picture of three channels.

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 192)
        Of the levels at 1/2, 1/4 and 1/8 of the sides.
    encoder, decoder : sequence of int
        Residual blocks of each level on the way down (the last level's are all on it) and on the way up.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 192),
        encoder: Sequence[int] = (2, 1, 1),
        decoder: Sequence[int] = (2, 2),
    ) -> None:
        super().__init__()
        self._shape = {"channels": [*channels], "encoder": [*encoder], "decoder": [*decoder]}
        self.first = Convolution(4 * (PLANES + 1), channels[0])
        self.down_blocks = nn.ModuleList(Blocks(c, n) for c, n in zip(channels, encoder, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2, bias=False) for a, b in pairwise(channels))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1, bias=False) for a, b in pairwise(channels))
        self.up_blocks = nn.ModuleList(Blocks(c, n) for c, n in zip(channels[:-1], decoder, strict=True))
        self.last = Convolution(channels[0], 12, gain=0.0)
        #: Pixels around one on which its restoration depends, to each side.
        self.reach = _reach(encoder, decoder)

    def shape(self) -> dict[str, list[int]]:
        """Return what makes a network of this shape: the parameters by name, as JSON values."""
        return self._shape

    def forward(self, x: Tensor, periodic: bool = False) -> Tensor:
        """Return the restored pictures: (b, 6, h, w) -> (b, 3, h, w), h and w multiples of 8.

        Parameters
        ----------
        x : tensor, shape (b, 6, h, w)
        periodic : bool, default=False
            Whether pictures go on beyond their borders with their other sides, as if they repeated without end.
        """
        colours, low = x[:, :3], _smooth(x[:, :3], periodic)
        detail = _rotated(colours - low)
        light = low.mean(1, keepdim=True) - 0.5
        features = self.first(F.pixel_unshuffle(torch.cat([detail, light, x[:, 3:]], 1), 2), periodic)
        skipped = []
        for blocks, down in zip(self.down_blocks, self.down, strict=False):
            features = blocks(features, periodic)
            skipped.append(features)
            features = down(features)
        features = self.down_blocks[-1](features, periodic)
        for blocks, up in zip(reversed(self.up_blocks), reversed(self.up), strict=True):
            features = blocks(skipped.pop() + F.pixel_shuffle(up(features), 2), periodic)
        return colours + _rotated_back(F.pixel_shuffle(self.last(features, periodic), 2).float() * OUTPUT)


def _smooth(x: Tensor, periodic: bool) -> Tensor:
    """Return pictures without their details, of the same size."""
    around = SMOOTHED if periodic else 0
    if periodic:
        x = F.pad(x, (around,) * 4, mode="circular")
    low = F.interpolate(F.avg_pool2d(x, SMOOTHED), scale_factor=SMOOTHED, mode="bilinear", align_corners=False)
    return low[..., around : low.shape[2] - around, around : low.shape[3] - around]


# Written out, and not as products of matrices, which mixed precision would round.


def _rotated(x: Tensor) -> Tensor:
    """Return luma, red minus blue and green minus magenta, each enlarged by its gain: (b, 3, h, w)."""
    red, green, blue = x.unbind(1)
    luma, first, second = red + green + blue, red - blue, 2 * green - red - blue
    scaled = (part * (gain / n**0.5) for part, gain, n in zip((luma, first, second), GAINS, (3, 2, 6), strict=True))
    return torch.stack(tuple(scaled), 1)


def _rotated_back(x: Tensor) -> Tensor:
    """Return the colours of luma and differences: the inverse rotation, without gains."""
    luma, first, second = (part * n**-0.5 for part, n in zip(x.unbind(1), (3, 2, 6), strict=True))
    return torch.stack([luma + first - second, luma + 2 * second, luma - first - second], 1)


def _reach(encoder: Sequence[int], decoder: Sequence[int]) -> int:
    """Return on how many pixels to each side a result depends: 3x3 convolutions see one more of their level's pixels.

    A pixel of a level covers as many as its stride, and where in it the pixel lies is not known beforehand; the
    averages look a little farther.
    """
    strides = [2 << level for level in range(len(encoder))]
    convolutions = [2 * n for n in encoder]
    for level, n in enumerate(decoder):
        convolutions[level] += 2 * n
    convolutions[0] += 2  # the first and the last
    return sum(n * stride for n, stride in zip(convolutions, strides, strict=True)) + strides[-1] + SMOOTHED


def planes(x: Tensor, known: Tensor | None = None, *, scale: float = 1.0, deblur: bool = False) -> Tensor:
    """Return what the network reads: (b, 3, h, w) and (b, 1, h, w) -> (b, 6, h, w).

    Parameters
    ----------
    x : tensor, shape (b, 3, h, w)
        Pictures on a scale of 0 to 1; a guess where they are not known.
    known : tensor, shape (b, 1, h, w), optional
        1 where a pixel is known, 0 where it is missing; by default all are.
    scale : float, default=1
        How much a picture was enlarged.
    deblur : bool, default=False
        Whether blur is to be removed.
    """
    size = (len(x), 1, *x.shape[2:])
    known = x.new_ones(size) if known is None else known
    return torch.cat([x, known, x.new_full(size, _log_scale(scale)), x.new_full(size, float(deblur))], 1)


def _log_scale(scale: float) -> float:
    return float(torch.tensor(float(scale)).log2() / 2)


def fill(x: Tensor, known: Tensor, mean: Tensor | None = None) -> Tensor:
    """Return pictures whose missing pixels continue the known ones around: the first guess of the network.

    Known pixels are averaged over squares of 2, 4, ..., 64 a side, and each missing one is interpolated from the
    smallest squares in which something is known (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4, pull and
    push). What lies farther from all known pixels becomes their mean. Then missing pixels are bent towards the plate
    through the known ones, whose bilaplacian is zero, by some steps of descent with momentum.

    Parameters
    ----------
    x : tensor, shape (b, c, h, w)
        What stands in missing pixels is not looked at.
    known : tensor, shape (b, 1, h, w)
        1 or 0.
    mean : tensor, shape (b, c, 1, 1), optional
        Of all known pixels, where `x` is a part of a picture; by default that of `x`.
    """
    x = torch.where(known > 0, x, 0)
    if mean is None:
        count = known.sum((2, 3), keepdim=True)
        mean = torch.where(count > 0, x.sum((2, 3), keepdim=True) / count.clamp_min(1), 0.5)
    guess = _filled(x, known, mean, LEVELS)
    missing, change = 1 - known, torch.zeros_like(guess)
    for _ in range(ROUNDS):
        change = MOMENTUM * change - PACE * missing * _laplacian(_laplacian(guess))
        guess = guess + change
    return guess


def _laplacian(x: Tensor) -> Tensor:
    """Return the sum of the four neighbours of each pixel minus four times itself; borders are doubled."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1] + wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:] - 4 * x


def _filled(x: Tensor, weight: Tensor, mean: Tensor, levels: int) -> Tensor:
    if levels == 0:
        return x * weight + mean * (1 - weight)
    below, right = x.shape[2] % 2, x.shape[3] % 2
    padded = F.pad(weight, (0, right, 0, below))
    share = F.avg_pool2d(padded, 2)
    coarse = F.avg_pool2d(F.pad(x * weight, (0, right, 0, below)), 2) / share.clamp_min(1e-6)
    coarse = _filled(coarse, (4 * share).clamp_max(1), mean, levels - 1)
    wide = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., : x.shape[2], : x.shape[3]]
    return x * weight + wide * (1 - weight)

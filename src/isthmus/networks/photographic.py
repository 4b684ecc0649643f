r"""The networks of the photographic codec: an analysis into a pyramid of latents, and the decoder that undoes it.

Level l of the pyramid has latents y_l at 1/2^l of the sides, l = L is the coarsest. The decoder goes from coarse to
fine and keeps a state s_l, of which the first three planes are the picture at 1/2^l in rotated colours::

    t_l = look * s_l                               3x3, shared by what follows
    mu_l, log2 b_l = prior(max(t_l, 0), y_l before)     what an arithmetic coder is told of each latent
    u_l = max(t_l + inject * (y_l step_l), 0)      3x3
    s_{l-1} = doubled(carry * (s_l, y_l step_l) + up * u_l)   1x1 and 3x3, then pixels shuffled

``carry`` begins as the inverse Haar transform, so before it has learned anything the codec is one of wavelets, and
what it learns is the rest. That a level's probabilities may look at all of the picture that is known so far is the
ladder of hierarchical autoencoders (Sonderby et al., "Ladder Variational Autoencoders", NIPS 2016; Duan et al., "Lossy
Image Compression with Quantized Hierarchical VAEs", WACV 2023); that a tiny network looks at the latents coded
before, in the order of rows, is Minnen et al., "Joint Autoregressive and Hierarchical Priors" (NeurIPS 2018), and
Ladune et al., "COOL-CHIC" (ICCV 2023). One model serves all rates: steps and biases are functions of the quality
(Cui et al., "Asymmetric Gained Deep Image Compression", CVPR 2021).

Everything in the decoder is a convolution and a cut to a range, so that it can be computed in integers:
:mod:`isthmus.coding.photographs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "ANCHORS",
    "LEVELS",
    "UNIT",
    "Analysis",
    "Coded",
    "Decoder",
    "Latents",
    "as_whole",
    "bits_of",
    "compand",
    "rounded",
    "sides_of",
    "slope_of",
    "with_noise",
]

LEVELS = 6
ANCHORS = 8  # qualities at which steps and biases are learned; between them they are interpolated
MOST = 16.0  # the range of everything in the decoder
SURPRISE = 2.0**-16  # of the mass, for whatever is far from the mean
FAR = 4.0  # latents away from zero for one unit of what the prior says of their means
OUTPUT = 0.1  # of the weights of last layers
FLAT = -2.0  # binary logarithm of all scales at first
SCALES = (-4.0, 10.0)  # binary logarithms of the least and the largest scale
UNIT = 32.0  # levels of 8 bits that are 1 in the networks
LAMBDAS = (0.0006, 0.4)  # bits a pixel for one squared level of error, at quality 0 and 1
STATES = (3, 12, 16, 24, 24, 24, 24)  # planes of s_0 (the picture), s_1, ...
WIDTHS = (24, 32, 32, 32, 32, 32)  # of t_l and u_l, l = 1, 2, ...
HIDDEN = (24, 32, 32, 32, 32, 32)  # of the prior
FINE, COARSE = 9, 12  # latents at each place: three details of three colours, at the last level with what is left
FEATURES = (32, 48, 64, 64, 64, 64)  # of the analysis

#: Rows: brightness and two differences, each of length one.
ROTATION = torch.tensor(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]],
)
#: Rows: mean of four pixels, and three details of them.
HAAR = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])

Latents = list[Tensor]


def slope_of(quality: Tensor) -> Tensor:
    """Return lambda, bits a pixel for one squared level of error, of qualities from 0 to 1."""
    low, high = (math.log(value) for value in LAMBDAS)
    return torch.exp(low + (high - low) * quality)


def rounded(y: Tensor) -> Tensor:
    """Return whole numbers through which gradients pass as if they were not rounded."""
    return y + (y.detach().round() - y.detach())


def compand(y: Tensor) -> Tensor:
    """Return sign(y) log2(1 + abs(y)): what the prior sees of latents."""
    return torch.sign(y) * torch.log2(1 + y.abs())


def bits_of(y: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return -log2 of what a Laplace distribution has between y - 1/2 and y + 1/2, with a little added for far values.

    What is added, as the coder does, bounds what a surprise costs and how hard it pulls. ``log_scale`` is the binary
    logarithm of the scale.
    """
    found: Tensor = _Bits.apply(y - mean, log_scale)  # type: ignore[no-untyped-call]
    return found


class _Bits(torch.autograd.Function):
    r"""Bits and their slopes at once: written down for autograd, they were a quarter of the time of a step.

    With a = abs(y - mean), r = 1/scale, c = 1/2 - a, A = exp(-(a + 1/2) r) and B = exp(-abs(c) r)::

        p = [c >= 0] - (A + sign(c) B) / 2        the mass of the step
        dp/da = -r (B - A) / 2
        dp/dr = ((a + 1/2) A + c B) / 2
    """

    @staticmethod
    def forward(ctx: Any, away: Tensor, log_scale: Tensor) -> Tensor:
        """Return bits; all that the slopes need is here, and so they are worked out."""
        a, r = away.abs(), torch.exp2(-log_scale)
        c = 0.5 - a
        below, above = torch.exp(-(a + 0.5) * r), torch.exp(-c.abs() * r)
        signed = above.copysign(c)
        far = SURPRISE / a.square().add_(1)
        mass = (below + signed).mul_(-0.5).add_(c >= 0).add_(far)
        if any(ctx.needs_input_grad):
            scaled = mass.mul(-math.log(2)).reciprocal_()
            by_away = above.sub_(below).mul_(r).mul_(-0.5).addcmul_(a * far, far, value=-2 / SURPRISE)
            by_rate = below.mul_(a.add_(0.5)).addcmul_(signed, c.abs_()).mul_(r).mul_(-0.5 * math.log(2))
            ctx.save_for_backward(by_away.mul_(scaled).mul_(away.sign()), by_rate.mul_(scaled))
        return mass.log2_().neg_()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return slopes of both."""
        by_away, by_log_scale = ctx.saved_tensors
        return slope * by_away, slope * by_log_scale


class Conditional(nn.Module):
    """A vector that depends on the quality: linear between its values at eight anchors."""

    def __init__(self, size: int, start: Tensor | float = 0.0) -> None:
        super().__init__()
        self.anchors = nn.Parameter(torch.zeros(ANCHORS, size) + start)

    def forward(self, quality: Tensor) -> Tensor:
        """Return (b, size, 1, 1) of qualities, (b,), from 0 to 1."""
        place = quality * (ANCHORS - 1)
        low = place.floor().clamp(0, ANCHORS - 2)
        share = (place - low)[:, None]
        below, above = self.anchors[low.long()], self.anchors[low.long() + 1]
        return (below + share * (above - below))[:, :, None, None]


def convolution(inputs: int, outputs: int, side: int = 3, gain: float = 1.0) -> nn.Conv2d:
    """Return a convolution without a bias, zero beyond the border."""
    found = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    with torch.no_grad():
        nn.init.kaiming_normal_(found.weight, nonlinearity="relu").mul_(gain)
    return found


class Small(nn.Conv2d):
    """A convolution of a tenth of its weights, so that a step of the optimiser moves what leaves a network little."""

    def __init__(self, inputs: int, outputs: int, side: int = 3) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2, bias=False)
        nn.init.zeros_(self.weight)

    def kernel(self) -> Tensor:
        """Return what it multiplies with, (out, in, side, side)."""
        return OUTPUT * self.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        return self._conv_forward(x, self.kernel(), None)


def cut(x: Tensor) -> Tensor:
    """Return max(x, 0), at most 16."""
    return F.hardtanh(x, 0.0, MOST)


class Prior(nn.Module):
    """What each latent is likely to be, from the state and from the latents before it: two rows, two places, planes."""

    earlier: Tensor

    def __init__(self, width: int, latents: int, hidden: int) -> None:
        super().__init__()
        self.features = convolution(width, hidden, 1)
        self.above = nn.Conv2d(latents, hidden, (2, 5), bias=False)
        self.before = nn.Conv2d(latents, hidden, (1, 2), bias=False)
        self.bias = Conditional(hidden)
        self.hidden = nn.Conv2d(hidden, hidden, 1)
        self.last = Small(hidden, 2 * latents, 1)
        self.last_bias = nn.Parameter(torch.zeros(2 * latents))
        self.coupling = nn.Parameter(torch.zeros(2, latents, latents))  # of means and of scales
        self.register_buffer("earlier", torch.ones(latents, latents).tril(-1), persistent=False)
        with torch.no_grad():
            self.last_bias[latents:] = FLAT

    def forward(self, t: Tensor, y: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and binary logarithms of scales, both like the latents y, (b, c, h, w), whole numbers."""
        seen = compand(y)
        above = self.above(F.pad(seen, (2, 2, 2, 0))[:, :, :-1])
        before = self.before(F.pad(seen, (2, 0))[:, :, :, :-1])
        h = cut(self.features(cut(t)) + above + before + self.bias(quality))
        mean, log_scale = (self.last(cut(self.hidden(h))) + self.last_bias[:, None, None]).chunk(2, 1)
        means, scales = self.coupling * self.earlier
        mean = mean + F.conv2d(seen, means[:, :, None, None])
        log_scale = log_scale + F.conv2d(seen.abs(), scales[:, :, None, None])
        return F.hardtanh(mean.float(), -MOST, MOST) * FAR, log_scale.float().clamp(*SCALES)


class Level(nn.Module):
    """One level of the decoder."""

    def __init__(self, level: int) -> None:
        super().__init__()
        state, width, after = STATES[level], WIDTHS[level - 1], STATES[level - 1]
        self.latents = latents_at(level)
        self.look = convolution(state, width)
        self.bias = Conditional(width)
        self.prior = Prior(width, self.latents, HIDDEN[level - 1])
        self.step = Conditional(self.latents, torch.log(first_steps(level)))
        self.inject = convolution(self.latents, width)
        self.carry = convolution(state + self.latents, 4 * after, 1, gain=0.0)
        self.up = Small(width, 4 * after)
        self.up_bias = nn.Parameter(torch.zeros(4 * after))
        with torch.no_grad():
            self.carry.weight[:, :, 0, 0] = haar_inverse(level)

    def seen(self, s: Tensor, quality: Tensor) -> Tensor:
        """Return t."""
        return self.look(s) + self.bias(quality)

    def forward(self, s: Tensor, t: Tensor, y: Tensor, quality: Tensor) -> Tensor:
        """Return the state of the next finer level, at twice the sides."""
        d = y * self.step(quality).exp()
        u = cut(t + self.inject(d))
        with torch.autocast(s.device.type, enabled=False):  # the state has more digits than bfloat16
            out = self.carry(torch.cat([s, d], 1)) + self.up(u).float() + self.up_bias[:, None, None]
            return F.hardtanh(F.pixel_shuffle(out, 2), -MOST, MOST)


def latents_at(level: int) -> int:
    """Return how many latents a place has."""
    return COARSE if level == LEVELS else FINE


def first_steps(level: int) -> Tensor:
    """Return the steps that are best for wavelets at high rates, (8, latents): lambda = 26 / step^2 a coefficient."""
    slopes = slope_of(torch.linspace(0, 1, ANCHORS))
    return (26 / slopes).sqrt()[:, None].expand(-1, latents_at(level)) / UNIT / 2**level


def haar_inverse(level: int) -> Tensor:
    """Return the matrix of `carry` at first, (4 * after, state + latents): the inverse Haar transform.

    Planes of the state come first, of which three are the mean, then the latents: three details of each colour, and at
    the last level the mean of each.
    """
    state, after = STATES[level], STATES[level - 1]
    out = torch.zeros(after, 4, state + latents_at(level))
    for colour in range(3):
        mean = colour if level < LEVELS else state + FINE + colour
        out[colour, :, mean] = HAAR[0]
        for detail in range(3):
            out[colour, :, state + 3 * colour + detail] = HAAR[1 + detail]
    if level == 1:  # to red, green and blue
        out[:3] = torch.einsum("cr,cki->rki", ROTATION, out[:3])
    return out.flatten(0, 1)


class Coded(NamedTuple):
    """What the decoder makes of latents: the picture, (b, 3, h, w), in units, and bits of each level, (b,)."""

    picture: Tensor
    bits: list[Tensor]
    latents: Latents


def as_whole(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return latents as they are coded, for the decoder and for the count of bits."""
    found = rounded(y)
    return found, found


def with_noise(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return latents as they are coded, and those whose bits are counted in training: with noise in place of rounding.

    The mass of a step that noise moves has slopes that a whole number's does not (Balle, Laparra and Simoncelli,
    "End-to-end Optimized Image Compression", ICLR 2017, section 3).
    """
    return rounded(y), y + torch.rand_like(y) - 0.5


def sides_of(height: int, width: int) -> list[tuple[int, int]]:
    """Return height and width of the picture and of the levels, finest first."""
    found = [(height, width)]
    for _ in range(LEVELS):
        height, width = -(-height // 2), -(-width // 2)
        found.append((height, width))
    return found


class Decoder(nn.Module):
    """Latents to pictures, with what they cost."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(level) for level in range(1, LEVELS + 1))

    def forward(
        self,
        latents: Callable[[int, Tensor], Tensor],
        sides: Sequence[tuple[int, int]],
        quality: Tensor,
        quantised: Callable[[Tensor], tuple[Tensor, Tensor]] = as_whole,
    ) -> Coded:
        """Return picture and bits of latents.

        Parameters
        ----------
        latents : callable
            Given the number of a level, 0 for the finest, and the state of the decoder there, returns latents before
            they are rounded, in steps.
        sides : sequence of (int, int)
            Of picture and levels.
        quality : tensor, shape (b,)
        quantised : callable, default=as_whole
            Returns latents for the decoder, and those whose bits are counted.
        """
        s = quality.new_zeros(len(quality), STATES[LEVELS], *sides[LEVELS])
        bits, found = [], []
        for number in reversed(range(LEVELS)):
            level: Level = self.levels[number]  # type: ignore[assignment]
            y = latents(number, s)
            whole, counted = quantised(y)
            t = level.seen(s, quality)
            bits.append(bits_of(counted.float(), *level.prior(t, whole, quality)).sum((1, 2, 3)))
            found.append(y)
            height, width = sides[number]
            s = level(s, t, whole, quality)[:, :, :height, :width]
        return Coded(s, bits[::-1], found[::-1])


class Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = convolution(channels, channels), convolution(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        return x + self.second(F.relu(self.first(x)))


class AnalysisLevel(nn.Module):
    """One level of the analysis: what is at 1/2^(l-1), to what is at 1/2^l and the latents there."""

    def __init__(self, level: int) -> None:
        super().__init__()
        before = 0 if level == 1 else FEATURES[level - 2]
        width = FEATURES[level - 1]
        self.latents = latents_at(level)
        self.down = convolution(12 + 4 * before, width, 3 if level == 1 else 1)
        self.bias = Conditional(width)
        self.block = Block(width)
        self.state = convolution(STATES[level], width)
        self.last = Small(width, self.latents)
        self.mix = convolution(12, self.latents, 1)
        with torch.no_grad():
            self.mix.weight[:, :, 0, 0] = torch.eye(12)[[*range(3, 12), 0, 1, 2]][: self.latents]

    def forward(self, low: Tensor, features: Tensor | None, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Return the Haar transform, (b, 12, h/2, w/2), mean first, and features of that size."""
        low = halved(low)
        found = low if features is None else torch.cat([low, F.pixel_unshuffle(features, 2)], 1)
        return low, self.block(F.relu(self.down(found) + self.bias(quality)))

    def latent(self, haar: Tensor, features: Tensor, s: Tensor) -> Tensor:
        """Return the latents, in units, given the state of the decoder."""
        return self.mix(haar) + self.last(F.relu(features + self.state(s)))


def halved(x: Tensor) -> Tensor:
    """Return the Haar transform of three colours: (b, 3, h, w) -> (b, 12, h/2, w/2): means, then three details each."""
    b, _, h, w = x.shape
    blocks = F.pixel_unshuffle(x, 2).view(b, 3, 4, h // 2, w // 2)
    haar = torch.einsum("kp,bcphw->bckhw", HAAR.to(x) / 4, blocks)
    return torch.cat([haar[:, :, 0], haar[:, :, 1:].flatten(1, 2)], 1)


def to_whole_places(x: Tensor) -> Tensor:
    """Return pictures with their last rows and columns repeated, so that all places of the coarsest level are whole.

    Networks learned from patches of whole places; of others, and of a single one, they say what they have not learned.
    """
    side = 1 << LEVELS
    below, right = (max(2 * side, -(-length // side) * side) - length for length in x.shape[2:])
    return F.pad(x, (0, right, 0, below), mode="replicate") if right or below else x


class Analysis(nn.Module):
    """Pictures to latents, beside the decoder, whose state each level looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(AnalysisLevel(level) for level in range(1, LEVELS + 1))

    def forward(
        self,
        x: Tensor,
        decoder: Decoder,
        quality: Tensor,
        quantised: Callable[[Tensor], tuple[Tensor, Tensor]] = as_whole,
    ) -> Coded:
        """Return what the decoder makes of pictures, (b, 3, h, w) in units, and their latents, finest first."""
        sides = sides_of(*x.shape[2:])
        low, features = torch.einsum("rc,bchw->brhw", ROTATION.to(x), to_whole_places(x)), None
        haars, found = [], []
        for level, (height, width) in zip(self.levels, sides[1:], strict=True):
            low, features = level(low[:, :3], features, quality)
            haars.append(low[:, :, :height, :width])
            found.append(features[:, :, :height, :width])

        def latents(number: int, s: Tensor) -> Tensor:
            theirs: Level = decoder.levels[number]  # type: ignore[assignment]
            ours: AnalysisLevel = self.levels[number]  # type: ignore[assignment]
            return ours.latent(haars[number], found[number], s) / theirs.step(quality).exp()

        coded: Coded = decoder(latents, sides, quality, quantised)
        return coded

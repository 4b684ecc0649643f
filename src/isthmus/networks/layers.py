"""Layers whose first weights are drawn from a given generator.

Matrices start orthogonal (Saxe, McClelland and Ganguli, "Exact Solutions to the Nonlinear Dynamics of Learning in Deep
Linear Neural Networks", ICLR 2014, section 3): no direction of the data is lost or blown up on the way through. Layers
are made under a copy of torch's global generator, which is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import ranks

__all__ = ["ACTIVATIONS", "NORMS", "activation", "convolution", "embedding", "linear", "normalisation", "upconvolution"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}
NORMS = ("batch", "layer")
NARROW, TINY = 2, 256  # outputs, and weights, up to which fast routes for products do not treat each row alike


def activation(name: str) -> nn.Module:
    """Return the layer of a name in :data:`ACTIVATIONS`."""
    return ACTIVATIONS[name]()


def normalisation(name: str, width: int, *, pictures: bool) -> nn.Module:
    """Return batch normalisation, or normalisation of each record over all its units.

    Parameters
    ----------
    name : {"batch", "layer"}
        Ioffe and Szegedy (2015), or Ba, Kiros and Hinton (2016).
    width : int
        Units, or channels.
    pictures : bool
        Whether there are two more axes.
    """
    if name == "batch":
        return BatchNorm2d(width) if pictures else BatchNorm1d(width)
    return nn.GroupNorm(1, width) if pictures else nn.LayerNorm(width)


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation; a single value has no deviation, so it is normalised by the averages over training.

    Ranks that train together normalise by the mean and the variance of the whole batch.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised: (b, width, ...), shape kept."""
        if self.training and ranks.is_together():
            return self._normalised_together(x)
        if self.training and x.numel() == self.num_features:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)

    def _normalised_together(self, x: Tensor) -> Tensor:
        mean, variance, count = ranks.moments(x.to(self.weight.dtype))
        with torch.no_grad():
            share = (count > 1).to(mean.dtype) * float(self.momentum or 0.0)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * (count / (count - 1).clamp_min(1)), share)
            self.num_batches_tracked += count > 1
        mean = torch.where(count > 1, mean, self.running_mean)
        variance = torch.where(count > 1, variance, self.running_var)
        shape = (-1, *(1 for _ in x.shape[2:]))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return ((x - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(x.dtype)


class BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    """Of rows: (b, width)."""


class BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    """Of pictures: (b, width, h, w)."""


class Narrow(nn.Linear):
    """A small linear layer, where a row's result does not depend on how many rows are with it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b: (..., inputs) -> (..., outputs)."""
        return super().forward(x) if torch.is_grad_enabled() else product(x, self.weight) + self.bias


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Return x W^T: (..., inputs), (outputs, inputs) -> (..., outputs), of each row alike whatever their number.

    Fast routes for matrix products sum small ones in an order that follows the number of rows. In training, where that
    is of no consequence, they are taken all the same.
    """
    if torch.is_grad_enabled() or not _is_small(*weight.shape):
        return F.linear(x, weight)
    return torch.stack([(x * row).sum(-1) for row in weight], -1)


def _is_small(outputs: int, inputs: int) -> bool:
    return outputs <= NARROW or outputs * inputs <= TINY


@torch.no_grad()
def linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    """Return a linear layer with an orthogonal matrix and no bias yet."""
    with torch.random.fork_rng([]):
        layer = (Narrow if _is_small(outputs, inputs) else nn.Linear)(inputs, outputs)
    _orthogonal(layer.weight, rng)
    layer.bias.zero_()
    return layer


@torch.no_grad()
def convolution(
    inputs: int, outputs: int, rng: torch.Generator, *, kernel: int = 3, stride: int = 1, gain: float = 1.0
) -> nn.Conv2d:
    """Return a convolution that keeps the size, divided by the stride; its matrix (outputs, rest) is orthogonal."""
    with torch.random.fork_rng([]):
        layer = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2)
    _orthogonal(layer.weight, rng, gain)
    if layer.bias is not None:
        layer.bias.zero_()
    return layer


class UpConvolution(nn.ConvTranspose2d):
    """A transposed convolution 4x4 with stride 2, whose way to few channels is an ordinary convolution.

    Each phase of the output (even or odd row and column) is a convolution 2x2 of the input. All four together are one
    convolution with four times the channels, which takes a third of the time forward where libraries are slow: to one
    channel, or a few.
    """

    FEW = 4  # channels

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return y of twice the sides: (b, inputs, h, w) -> (b, outputs, 2 h, 2 w)."""
        if self.out_channels > self.FEW:
            return super().forward(x, output_size)
        (b, inputs, h, w), outputs = x.shape, self.out_channels
        # y[2 i + p] = sum_t x[i + p + t - 1] kernel[3 - p - 2 t], of rows as of columns; p and t are 0 or 1.
        kernel = self.weight.flip(2, 3).reshape(inputs, outputs, 2, 2, 2, 2)  # (inputs, outputs, t, p, t', p')
        kernel = kernel.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, 2, 2)
        phases = F.conv2d(x, kernel, padding=1).view(b, 2, 2, outputs, h + 1, w + 1)
        rows = [
            torch.stack([phases[:, p, q, :, p : p + h, q : q + w] for q in (0, 1)], -1)  # columns by turns
            for p in (0, 1)
        ]
        y = torch.stack(rows, -3).reshape(b, outputs, 2 * h, 2 * w)
        return y if self.bias is None else y + self.bias[:, None, None]


@torch.no_grad()
def upconvolution(inputs: int, outputs: int, rng: torch.Generator, *, bias: bool = True) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles both sides: kernel 4, stride 2, four weights a pixel and channel."""
    with torch.random.fork_rng([]):
        layer = UpConvolution(inputs, outputs, 4, 2, 1, bias=bias)
    # Each of the four phases of the output (even or odd row and column) has its own 2 x 2 kernel: one orthogonal
    # matrix (outputs, inputs * 4) each.
    for row in (0, 1):
        for column in (0, 1):
            phase = torch.empty(outputs, inputs * 4)
            _orthogonal(phase, rng)
            layer.weight[:, :, row::2, column::2] = phase.view(outputs, inputs, 2, 2).transpose(0, 1)
    if layer.bias is not None:
        layer.bias.zero_()
    return layer


@torch.no_grad()
def embedding(count: int, width: int, rng: torch.Generator) -> nn.Embedding:
    """Return a table of ``count`` vectors of about unit length."""
    with torch.random.fork_rng([]):
        layer = nn.Embedding(count, width)
    layer.weight.normal_(0, width**-0.5, generator=rng)
    return layer


def _orthogonal(weight: Tensor, rng: torch.Generator, gain: float = 1.0) -> None:
    # One thread: decompositions this small wait for each other's threads much longer than they compute (measured: 30 to
    # 680 ms in place of 6 to 17 on a busy machine), and the first weights do not depend on how many threads there are.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        nn.init.orthogonal_(weight, gain, generator=rng)
    finally:
        torch.set_num_threads(threads)

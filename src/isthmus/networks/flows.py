r"""Normalising flows for posteriors and priors: invertible networks with a known Jacobian determinant.

With z = f(u) and an invertible f, log p(z) = log p(u) - log |det df/du| (change of variables).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.networks import layers

__all__ = ["CouplingFlow", "InverseAutoregressiveFlow", "MaskedDense"]


class MaskedDense(nn.Module):
    """A network whose output i sees the inputs before i only, and all of a context.

    Germain, Gregor, Murray and Larochelle, "MADE: Masked Autoencoder for Distribution Estimation" (ICML 2015),
    equations 12 and 13, with one hidden layer: hidden unit k has degree m(k) in 1 ... d - 1; it sees inputs of degree
    m(k) and less, and is seen by outputs of a degree above.

    Parameters
    ----------
    width : int
        Numbers in, d.
    context : int
        Numbers of the context; 0 for none.
    outputs : int
        Numbers out for each number in.
    hidden : int
        Units of the hidden layer.
    rng : torch.Generator
        Of the first weights.
    """

    inner_mask: Tensor
    outer_mask: Tensor

    def __init__(self, width: int, context: int, outputs: int, hidden: int, rng: torch.Generator) -> None:
        super().__init__()
        self.outputs = outputs
        self.inner, self.outer = layers.linear(width, hidden, rng), layers.linear(hidden, width * outputs, rng)
        self.context = layers.linear(context, hidden, rng) if context else None
        degrees = torch.arange(hidden) % max(1, width - 1) + 1
        place = torch.arange(1, width + 1)
        self.register_buffer("inner_mask", (degrees[:, None] >= place).float(), persistent=False)
        self.register_buffer("outer_mask", (place.repeat(outputs)[:, None] > degrees).float(), persistent=False)
        with torch.no_grad():
            self.outer.weight.mul_(0.1)  # a flow begins near the identity

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return ``outputs`` tensors shaped like z: (b, d), (b, context) -> (b, d) each."""
        h = F.linear(z, self.inner.weight * self.inner_mask, self.inner.bias)
        if self.context is not None and context is not None:
            h = h + self.context(context)
        return F.linear(F.elu(h), self.outer.weight * self.outer_mask, self.outer.bias).chunk(self.outputs, 1)


class InverseAutoregressiveFlow(nn.Module):
    """Makes a Gaussian posterior richer: each number of the code is moved and scaled by those before it.

    Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling, "Improved Variational Inference with Inverse
    Autoregressive Flow" (NeurIPS 2016), algorithm 1: with (m, s) = MaskedDense(z, h) and g = sigmoid(s), each step is
    z <- g z + (1 - g) m, log |det| = sum log g; the order of the numbers is reversed between steps.

    Parameters
    ----------
    width : int
        Numbers in a code.
    context : int
        Numbers that the encoder gives beside mean and variance, h.
    steps : int
        Transformations in a row.
    rng : torch.Generator
        Of the first weights.
    """

    orthogonal_steps = False  # they would move the half of each matrix that is masked

    def __init__(self, width: int, context: int, steps: int, rng: torch.Generator) -> None:
        super().__init__()
        hidden = max(64, 4 * width)
        self.steps = nn.ModuleList(MaskedDense(width, context, 2, hidden, rng) for _ in range(steps))

    def forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the transformed codes and log |det|: (b, d) -> (b, d), (b,)."""
        log_det = z.new_zeros(len(z))
        for i, step in enumerate(self.steps):
            z = z.flip(1) if i else z
            m, s = step(z, context)
            gate = torch.sigmoid(s + 1.5)  # near 1 at first, as the paper advises
            z = gate * z + (1 - gate) * m
            log_det = log_det + F.logsigmoid(s + 1.5).sum(1)
        return z, log_det


class CouplingFlow(nn.Module):
    """From codes to a standard normal and back, both in one pass.

    Dinh, Sohl-Dickstein and Bengio, "Density Estimation Using Real NVP" (ICLR 2017), equations 4 to 8: half of the
    numbers, a, stay and say how the other half moves, u_b = (z_b - t(a)) exp(-s(a)); the halves change
    places between steps.

    Parameters
    ----------
    width : int
        Numbers in a code, at least 2.
    steps : int
        Couplings in a row.
    rng : torch.Generator
        Of the first weights.
    """

    orthogonal_steps = False  # equally fast in every direction, they make a deep flow explode sooner or later
    LIMIT = 2.0  # of |s|: one coupling stretches by no more than e^2

    def __init__(self, width: int, steps: int, rng: torch.Generator) -> None:
        super().__init__()
        self.split_at, hidden = width // 2, max(64, 4 * width)
        sizes = [(self.split_at, width - self.split_at), (width - self.split_at, self.split_at)]
        self.steps = nn.ModuleList(
            nn.Sequential(
                layers.linear(stays, hidden, rng),
                nn.SiLU(),
                layers.linear(hidden, hidden, rng),
                nn.SiLU(),
                layers.linear(hidden, 2 * moves, rng),
            )
            for stays, moves in (sizes[i % 2] for i in range(steps))
        )
        with torch.no_grad():
            for step in self.steps:
                step[-1].weight.zero_()  # type: ignore[index]  # the flow begins as the identity

    def _scale_and_shift(self, step: nn.Module, stays: Tensor) -> tuple[Tensor, Tensor]:
        s, t = step(stays).chunk(2, 1)
        return self.LIMIT * torch.tanh(s / self.LIMIT), t

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return u and log |det du/dz|: (b, d) -> (b, d), (b,)."""
        first, second = z[:, : self.split_at], z[:, self.split_at :]
        log_det = z.new_zeros(len(z))
        for step in self.steps:
            s, t = self._scale_and_shift(step, first)
            first, second = (second - t) * torch.exp(-s), first
            log_det = log_det - s.sum(1)
        return (torch.cat([first, second] if len(self.steps) % 2 == 0 else [second, first], 1)), log_det

    def inverse(self, u: Tensor) -> Tensor:
        """Return z with ``forward(z)[0] == u``: (b, d) -> (b, d)."""
        halves = u[:, : self.split_at], u[:, self.split_at :]
        first, second = halves if len(self.steps) % 2 == 0 else halves[::-1]
        for step in reversed(self.steps):
            s, t = self._scale_and_shift(step, second)
            first, second = second, first * torch.exp(s) + t
        return torch.cat([first, second], 1)

r"""The ladder network's two paths: a noisy encoder, and a decoder that denoises every layer.

Rasmus, Valpola, Honkala, Berglund and Raiko, "Semi-Supervised Learning with Ladder Networks", NeurIPS 2015, algorithm 1
and section 3; L layers, phi the rectifier below the top, batchnorm(z) = (z - mean) / deviation over the batch::

    noisy   h~0 = z~0 = x + n;    z~l = batchnorm(W_l h~l-1) + n;     h~l = phi(gamma_l (z~l + beta_l))    n ~ N(0, s^2)
    clean   h_0 = z_0 = x;        z_l = batchnorm(W_l h_l-1);         h_l = phi(gamma_l (z_l + beta_l))
    down    u_L = batchnorm(k softmax(h~L));  u_l = batchnorm(V_l+1 z^l+1);    z^l = g(z~l, u_l)

    g(z~, u) = (z~ - m(u)) v(u) + m(u)                                                                          (2)
    m(u) = a1 sigmoid(a2 u + a3) + a4 u + a5,    v(u) = a6 sigmoid(a7 u + a8) + a9 u + a10

    cost of layer l = mean over records and units of (z_l - (z^l - mean_l) / deviation_l)^2

with k classes, and mean_l and deviation_l those of W_l h_l-1 on the clean path (0 and 1 of layer 0). gamma is learned
at the top only: a rectifier needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import ranks
from isthmus.networks import layers
from isthmus.networks.core import Core

__all__ = ["Combinator", "DenoisingLadder", "LadderNetworkCore"]

# Added to variances: those of layers in training lie above .05, and a batch of records that are alike has none. The
# authors' 1e-10 would multiply the cost of its layers by 10^10.
EPSILON = 1e-3
MOSTLY = 2 / 3  # share of labelled records above which those without a label are not looked at by themselves
MOMENTUM = 0.99  # of the averages that stand for a batch's mean and variance after training


class Combinator(nn.Module):
    """Combinator g: estimate of a clean value from the noisy one and the layer above (equation 2).

    Parameters
    ----------
    width : int
        Units of the layer; each has ten numbers of its own.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        a = torch.zeros(10, width)
        a[[1, 6]] = 1.0
        self.a = nn.Parameter(a.flatten())  # flat: ten vectors, not a matrix that an optimiser would turn

    def forward(self, z: Tensor, u: Tensor) -> Tensor:
        """Return g(z~, u), (b, width)."""
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = self.a.view(10, -1)
        m = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
        v = a6 * torch.sigmoid(a7 * u + a8) + a9 * u + a10
        return (z - m) * v + m


class DenoisingLadder(nn.Module):
    """Both paths of a ladder network.

    Parameters
    ----------
    widths : sequence of int
        Numbers in a record, units of each layer, classes.
    noise : float
        s, the standard deviation of the noise of every layer.
    rng : torch.Generator
        Of the first weights: W_l from N(0, 1 / inputs), as the authors have them.
    """

    batches: Tensor

    def __init__(self, widths: Sequence[int], noise: float, rng: torch.Generator) -> None:
        super().__init__()
        self.widths, self.noise = tuple(widths), noise
        pairs = list(pairwise(widths))

        def matrices(sizes: list[tuple[int, int]]) -> nn.ParameterList:
            return nn.ParameterList(torch.randn(b, a, generator=rng) / a**0.5 for a, b in sizes)

        self.up, self.down = matrices(pairs), matrices([(b, a) for a, b in pairs])
        self.beta = nn.ParameterList(torch.zeros(width) for width in widths[1:])
        self.gamma = nn.Parameter(torch.ones(widths[-1]))
        self.combinators = nn.ModuleList(Combinator(width) for width in widths)
        for layer, width in enumerate(widths[1:]):
            self.register_buffer(f"mean{layer}", torch.zeros(width))
            self.register_buffer(f"variance{layer}", torch.ones(width))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    # ------------------------------------------------------------------ up

    def clean(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[tuple[Tensor, Tensor]]]:
        """Return the logits, and of every layer, layer 0 first, z_l and the mean and 1 / deviation that made it.

        In evaluation these are averages over training, and a record's result does not depend on the others.
        """
        h, z = x, [x]
        moments = [(x.new_zeros(()), x.new_ones(()))]
        share = (1 / (1 + self.batches)).clamp_min(1 - MOMENTUM)  # a tensor: for a number a GPU would have to wait
        for layer, matrix in enumerate(self.up):
            before = layers.product(h, matrix).float()
            mean, variance = self._moments(layer, before, share)
            moments.append((mean, torch.rsqrt(variance + EPSILON)))
            z.append((before - mean) * moments[-1][1])
            h = self._activated(layer, z[-1])
        if self.training:
            self.batches += 1
        return h, z, moments

    def noisy(self, x: Tensor, labelled: Tensor, rng: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """Return the logits and every z~l; labelled records and the others are normalised each by themselves.

        Parameters
        ----------
        x : tensor, shape (b, widths[0])
        labelled : tensor of bool, shape (b,)
        rng : torch.Generator
        """
        h = self._with_noise(x, rng)
        z = [h]
        groups = [rows for rows in (labelled, ~labelled) if ranks.some(rows.any())]
        for layer, matrix in enumerate(self.up):
            before = layers.product(h, matrix).float()
            if len(groups) == 1:
                normed = normalised(before)
            else:
                normed = torch.empty_like(before)
                for rows in groups:
                    normed[rows] = normalised(before[rows])
            z.append(self._with_noise(normed, rng))
            h = self._activated(layer, z[-1])
        return h, z

    def _activated(self, layer: int, z: Tensor) -> Tensor:
        shifted = z + self.beta[layer]
        return self.gamma * shifted if layer == len(self.up) - 1 else F.relu(shifted)

    def _with_noise(self, z: Tensor, rng: torch.Generator) -> Tensor:
        return torch.add(z, torch.empty_like(z).normal_(generator=rng), alpha=self.noise)

    def _moments(self, layer: int, before: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the variance that a layer of the clean path is normalised by.

        In training the averages take over that share of them.
        """
        kept, kept_variance = self.get_buffer(f"mean{layer}"), self.get_buffer(f"variance{layer}")
        if not self.training:
            return kept, kept_variance
        variance, mean = _moments(before)
        with torch.no_grad():
            kept.lerp_(mean, share)
            kept_variance.lerp_(variance, share)
        return mean, variance

    # ------------------------------------------------------------------ down

    def denoised(self, logits: Tensor, noisy: Sequence[Tensor]) -> list[Tensor]:
        """Return z^l of every layer, layer 0 first.

        Parameters
        ----------
        logits : tensor, shape (b, classes)
            h~L, of the noisy path.
        noisy : sequence of tensor
            z~l of every layer.
        """
        u = normalised(logits.shape[1] * logits.softmax(1))  # near 1, whatever the number of classes
        found = [self.combinators[-1](noisy[-1], u)]
        for layer in reversed(range(len(self.up))):
            u = normalised(F.linear(found[-1], self.down[layer]).float())
            found.append(self.combinators[layer](noisy[layer], u))
        return found[::-1]

    def costs(self, x: Tensor, labelled: Tensor, rng: torch.Generator) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """Return the noisy path's logits of all records, and each layer's cost on those without a label.

        Where fewer than a third have none, the costs are those of all, and all are normalised together: a few by
        themselves would say little of the mean and the variance of the others.

        Parameters
        ----------
        x : tensor, shape (b, widths[0])
        labelled : tensor of bool, shape (b,)
        rng : torch.Generator

        Returns
        -------
        logits : tensor, shape (b, classes)
        costs : list of tensor, shape ()
            Layer 0 first.
        rest : tensor of bool, shape (b,)
            Whom the costs are of.
        codes : tensor, shape (rest, widths[-2])
            z_L-1 of these, which no gradient goes through.
        """
        known, unknown = ranks.total(torch.stack([labelled.sum(), (~labelled).sum()])).tolist()
        if known > MOSTLY * (known + unknown):
            labelled = torch.ones_like(labelled)
        logits, noisy = self.noisy(x, labelled, rng)
        rest = labelled if ranks.every(labelled.all()) else ~labelled
        _, clean, moments = self.clean(x[rest])
        guesses = self.denoised(logits[rest], [z[rest] for z in noisy])
        costs = [
            ranks.mean((z - (guess - mean) * factor).square())
            for z, guess, (mean, factor) in zip(clean, guesses, moments, strict=True)
        ]
        return logits, costs, rest, clean[-2].detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the code of records: z of the last layer below the classes, on the clean path."""
        return self.clean(x)[1][-2]


def _moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean of each unit over the batch: (b, width) -> (width,) both."""
    if ranks.is_together():
        mean, variance, _ = ranks.moments(z)
        return variance, mean
    return torch.var_mean(z, 0, unbiased=False)


def normalised(z: Tensor) -> Tensor:
    """Return z with mean 0 and variance 1 over the batch, of each unit."""
    if ranks.is_together():
        mean, variance, _ = ranks.moments(z)
        return (z - mean) * torch.rsqrt(variance + EPSILON)
    if len(z) == 1:  # F.batch_norm refuses it
        return torch.zeros_like(z)
    return F.batch_norm(z, None, None, training=True, eps=EPSILON)


class LadderNetworkCore(Core):
    """A ladder for an encoder, which sees records of any kind as numbers."""

    encoder: DenoisingLadder

    def numbers(self, x: Tensor) -> Tensor:
        """Return scaled records as rows of numbers, categories as zeros and a one: (b, widths[0])."""
        return self.likelihood.one_hot(x).float().flatten(1)

    def encode(self, x: Tensor) -> Tensor:  # noqa: D102
        code: Tensor = self.encoder(self.numbers(x))
        return code

    def logits(self, x: Tensor) -> Tensor:
        """Return the classes' logits of scaled records on the clean path, (b, classes)."""
        return self.encoder.clean(self.numbers(x))[0]

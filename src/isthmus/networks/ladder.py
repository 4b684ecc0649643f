r"""Hierarchical latent variables: each level's prior and posterior depend on the levels above.

::

    x --encoder--> d_1 --block--> d_2 -- ... --> d_L            bottom up: what the record says, level by level
                    |              |              |
    theta <--decoder-- h_1 <---- h_2 <-- ... <-- h_L <-- h_top   top down, h_l = block(h_l+1 + inject(z_l)), a skip path
                    z_1            z_2            z_L            z_l ~ q(z_l | h_l+1, d_l)  or  p(z_l | h_l+1)

A level that carries no information costs nothing, because h bypasses it: any depth can be trained (Sonderby
et al. 2016 share the top-down path; Kingma et al. 2016, section 5, and Vahdat and Kautz 2020, equation 6, add that the
posterior is a change of the prior).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.networks import layers
from isthmus.networks.core import Core
from isthmus.networks.priors import normal_log_density
from isthmus.networks.variational import log_mean_weights

__all__ = ["Descent", "Ladder", "LadderCore", "gaussian_kl"]


def gaussian_kl(q: tuple[Tensor, Tensor], p: tuple[Tensor, Tensor]) -> Tensor:
    """Return KL(q || p) of each number, in nats, for Gaussians given as mean and log-variance."""
    (mean_q, log_q), (mean_p, log_p) = q, p
    return 0.5 * (log_p - log_q - 1 + torch.exp(log_q - log_p) + (mean_q - mean_p).square() * torch.exp(-log_p))


class _Block(nn.Module):
    """h + W_2 s(W_1 s(h)), with a second part that begins at zero: a new level begins as if it were not there."""

    def __init__(self, width: int, rng: torch.Generator, *, maps: bool, kernel: int = 3) -> None:
        super().__init__()
        self.first, self.second = (_affine(width, width, rng, maps=maps, kernel=kernel) for _ in range(2))
        self.norm = layers.normalisation("layer", width, pictures=maps)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, h: Tensor) -> Tensor:
        inner = self.first(nn.functional.silu(self.norm(h)))
        changed: Tensor = h + self.second(nn.functional.silu(inner))
        return changed


def _affine(inputs: int, outputs: int, rng: torch.Generator, *, maps: bool, kernel: int = 1) -> nn.Linear | nn.Conv2d:
    return layers.convolution(inputs, outputs, rng, kernel=kernel) if maps else layers.linear(inputs, outputs, rng)


class _Level(nn.Module):
    """Prior and posterior of one code, and what it adds to the path."""

    def __init__(self, width: int, latent: int, rng: torch.Generator, *, maps: bool) -> None:
        super().__init__()
        self.up = _Block(width, rng, maps=maps)
        self.prior = _affine(width, 2 * latent, rng, maps=maps)
        self.posterior = nn.Sequential(
            _affine(2 * width, width, rng, maps=maps), nn.SiLU(), _affine(width, 2 * latent, rng, maps=maps)
        )
        self.inject = _affine(latent, width, rng, maps=maps)
        self.down = _Block(width, rng, maps=maps)
        with torch.no_grad():
            self.prior.weight.mul_(0.1)  # every level begins near N(0, 1)

    def expected(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of p(z_l | h)."""
        mean, log_var = self.prior(h).float().chunk(2, 1)
        return mean, log_var

    def found(self, h: Tensor, d: Tensor, p: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z_l | h, d), as changes of the prior's."""
        mean, log_var = self.posterior(torch.cat([h, d], 1)).float().chunk(2, 1)
        return p[0] + torch.exp(0.5 * p[1]) * mean, p[1] + log_var

    def below(self, h: Tensor, z: Tensor) -> Tensor:
        """Return the path under this level."""
        path: Tensor = self.down(h + self.inject(z))
        return path


class Ladder(nn.Module):
    """The levels, from the top.

    Parameters
    ----------
    levels : int
    width : int
        Numbers, or channels, of the paths.
    latent : int
        Numbers, or channels, of one level's code.
    rng : torch.Generator
        Of the first weights.
    maps : bool
        Whether codes are maps.
    """

    def __init__(self, levels: int, width: int, latent: int, rng: torch.Generator, *, maps: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_Level(width, latent, rng, maps=maps) for _ in range(levels))
        self.top = nn.Parameter(torch.zeros(width))

    def start(self, like: Tensor) -> Tensor:
        """Return h at the top, for as many records and as large maps as ``like`` has."""
        top = self.top.view(1, -1, *(1 for _ in like.shape[2:]))
        # Written out, because sums over a row that is only repeated are taken in another order.
        return top.expand(len(like), -1, *like.shape[2:]).contiguous()

    def climb(self, d: Tensor) -> list[Tensor]:
        """Return what the record says at each level, from the top."""
        found = []
        for level in reversed(list(self)):
            d = level.up(d)
            found.append(d)
        return found[::-1]

    def __len__(self) -> int:
        """Return how many levels there are."""
        return len(self.levels)

    def __iter__(self) -> Iterator[_Level]:
        """Return the levels, from the top."""
        return iter(self.levels)  # type: ignore[arg-type]


class Descent(NamedTuple):
    """What one way down the ladder gives.

    Parameters
    ----------
    theta : tensor, shape (b, *theta_shape)
        The likelihood's parameters.
    code : tensor, shape (b, *code_shape)
        The codes of all levels, from the top.
    mean, log_var : tensor, shape (b, *code_shape)
        Of their posteriors, given the codes above.
    kl : tensor, shape (b, *code_shape)
        KL(q || p) of each number, given the codes above.
    log_ratio : tensor, shape (b,)
        log p(z) - log q(z | x) at this code.
    """

    theta: Tensor
    code: Tensor
    mean: Tensor
    log_var: Tensor
    kl: Tensor
    log_ratio: Tensor


class LadderCore(Core):
    """Encoder, levels, decoder and likelihood. A code is the codes of all levels side by side, from the top.

    Parameters
    ----------
    encoder, decoder, likelihood, shift, factor
        As in :class:`Core`; encoder and decoder join the records to the lowest of the paths.

    Attributes
    ----------
    ladder : Ladder
    """

    ladder: Ladder

    def ascend(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what the encoder says of scaled records, and what each level on the way up: no noise enters there."""
        d = self.encoder(x)
        return d, self.ladder.climb(d)

    def descend(
        self, x: Tensor, noise: Tensor | None = None, ascent: tuple[Tensor, list[Tensor]] | None = None
    ) -> Descent:
        """Read codes off records, level by level from the top.

        Parameters
        ----------
        x : tensor, shape (b, ...)
            Scaled records.
        noise : tensor, shape (b, *code_shape) or (*code_shape), optional
            Standard normal; without it each code is the middle of its posterior.
        ascent : optional
            What :meth:`ascend` returned for the same records.
        """
        d, climbed = self.ascend(x) if ascent is None else ascent
        h = self.ladder.start(d)
        # The levels' noise lies along the first axis of a code, behind that of the batch if there is one.
        parts = [None] * len(climbed) if noise is None else noise.chunk(len(climbed), noise.ndim - d.ndim + 1)
        levels, log_ratio = [], torch.zeros(len(x), device=x.device)
        for level, said, e in zip(self.ladder, climbed, parts, strict=True):
            p = level.expected(h)
            q = level.found(h, said, p)
            z = q[0] if e is None else q[0] + torch.exp(0.5 * q[1]) * e
            log_ratio = log_ratio + (normal_log_density(z, *p) - normal_log_density(z, *q)).flatten(1).sum(1)
            levels.append((z, *q, gaussian_kl(q, p)))
            h = level.below(h, z)
        code, mean, log_var, kl = (torch.cat(part, 1) for part in zip(*levels, strict=True))
        return Descent(self.decoder(h, tuple(x.shape[2:]) or None), code, mean, log_var, kl, log_ratio)

    def encode(self, x: Tensor) -> Tensor:
        """Return the middles of the posteriors, each given the middles above."""
        return self.descend(x).code

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances of the posteriors, each given the middles above."""
        descent = self.descend(x)
        return descent.mean, descent.log_var

    def decode(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return the likelihood's parameters for codes."""
        h = self.ladder.start(z)
        for level, part in zip(self.ladder, z.chunk(len(self.ladder), 1), strict=True):
            h = level.below(h, part)
        theta: Tensor = self.decoder(h, size or None)
        return theta

    def draw(self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return codes drawn from the prior, level by level from the top: (n, *code_shape)."""
        noise = torch.randn(shape, generator=rng, device=rng.device).to(self.ladder.top.device)
        h, codes = self.ladder.start(noise), []
        for level, e in zip(self.ladder, noise.chunk(len(self.ladder), 1), strict=True):
            mean, log_var = level.expected(h)
            codes.append(mean + temperature * torch.exp(0.5 * log_var) * e)
            h = level.below(h, codes[-1])
        return torch.cat(codes, 1)

    def proposal(
        self, x: Tensor, noise: Tensor, ascent: tuple[Tensor, list[Tensor]] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return theta at the codes that some noise becomes, and log w of these: (b, *theta_shape), (b,)."""
        descent = self.descend(x, noise, ascent)
        return descent.theta, descent.log_ratio - self.nll(descent.theta, x)

    def importance_bound(self, x: Tensor, k: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """Return log 1/k sum_i w_i of scaled records, (b,): see :meth:`VariationalCore.importance_bound`."""
        shape = tuple(self.encode(x[:1]).shape[1:])
        ascent = self.ascend(x)
        return log_mean_weights(lambda noise: self.proposal(x, noise, ascent)[1], shape, x, k, rng)

r"""Quantised codes: a code is cut into tokens, and each token replaced by the nearest entry of a codebook.

::

    x --encoder--> z_e (tokens x width) --nearest--> k (indices) --look up--> z_q --decoder--> theta
                                                     |
                                                     +---- log p(k): predicts each token from those before
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import ranks
from isthmus.networks import layers
from isthmus.networks.core import Core
from isthmus.networks.likelihoods import Likelihood

__all__ = ["QuantisedCore", "ScalarQuantiser", "TokenPrior", "VectorQuantiser", "rotated"]

MEMORY = 0.99  # of the usage of an entry, a step
DEAD = 0.05  # share of its fair share of use below which an entry is dead


def rotated(z: Tensor, q: Tensor) -> Tensor:
    """Return q as a rotation and stretching of z that is held constant: the gradient of q turns back into one of z.

    Fifty et al., "Restructuring Vector Quantization with the Rotation Trick" (ICLR 2025), section 4. Passing the
    gradient straight through (van den Oord et al. 2017) would forget where in its cell z lies.
    """
    with torch.no_grad():
        long_z = z.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        long_q = q.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        e, f = z / long_z, q / long_q
        between = F.normalize(e + f, dim=-1, eps=1e-6)
    turned = z - 2 * (z * between).sum(-1, keepdim=True) * between + 2 * (z * e).sum(-1, keepdim=True) * f
    return turned * (long_q / long_z)


class _Quantiser(nn.Module):
    """Base of quantisers: counts how often each entry is used.

    Parameters
    ----------
    codebook_size : int
        Entries of each codebook.
    n_quantizers : int
        Codebooks, each of which gives one entry for a token.
    """

    usage: Tensor
    counts: Tensor

    def __init__(self, codebook_size: int, n_quantizers: int) -> None:
        super().__init__()
        self.codebook_size, self.n_quantizers = codebook_size, n_quantizers
        shape = (n_quantizers, codebook_size)
        self.register_buffer("usage", torch.full(shape, 1 / codebook_size))  # share of tokens, a running mean
        self.register_buffer("counts", torch.zeros(shape, dtype=torch.long), persistent=False)

    @torch.no_grad()
    def count(self, indices: Tensor) -> None:
        """Take note of which entries stood for the tokens of a step, (..., n_quantizers)."""
        for depth in range(self.n_quantizers):
            counts = ranks.total(torch.bincount(indices[..., depth].flatten(), minlength=self.codebook_size))
            self.usage[depth].lerp_(counts / counts.sum(), 1 - MEMORY)
            self.counts[depth] += counts

    def use(self) -> dict[str, float]:
        """Return what became of the entries since the last call, and begin to count again.

        Returns
        -------
        dict
            ``perplexity``: exp of the entropy of use, averaged over codebooks; the size of the codebook, if all entries
            were used alike. ``used_entries`` and ``dead_entries``, of all codebooks: with at least a twentieth of an
            equal share of tokens, and with less.
        """
        p = self.counts / self.counts.sum(1, keepdim=True).clamp_min(1)
        self.counts.zero_()
        used = int((p >= DEAD / self.codebook_size).sum())
        perplexity = torch.exp(-(p * p.clamp_min(1e-12).log()).sum(1)).mean()
        return {"perplexity": float(perplexity), "used_entries": used, "dead_entries": p.numel() - used}


class VectorQuantiser(_Quantiser):
    """Codebooks: the first replaces a token by its nearest entry, each later one what the ones before have left over.

    van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning" (NeurIPS 2017), equations 1 to 3;
    with more than one codebook Lee et al., "Autoregressive Image Generation using Residual Quantization" (CVPR 2022),
    equation 3.

    Parameters
    ----------
    codebook_size : int
        Vectors in a codebook.
    width : int
        Numbers in a vector.
    n_quantizers : int
        Codebooks in a row; 1 is plain vector quantisation.
    rng : torch.Generator
        Of the first vectors.
    """

    def __init__(self, codebook_size: int, width: int, n_quantizers: int, rng: torch.Generator) -> None:
        super().__init__(codebook_size, n_quantizers)
        self.books = nn.ModuleList(layers.embedding(codebook_size, width, rng) for _ in range(n_quantizers))

    def _codebook(self, depth: int) -> Tensor:
        return self.books[depth].get_parameter("weight")

    def indices(self, z: Tensor) -> Tensor:
        """Return which entries stand for tokens: (..., width) -> (..., n_quantizers)."""
        left, found = z.detach(), []
        for depth in range(self.n_quantizers):
            codebook = self._codebook(depth).detach()
            # ||left - e||^2 without the first term, which is the same for every entry.
            distance = codebook.square().sum(1) - 2 * (left @ codebook.T)
            found.append(distance.argmin(-1))
            left = left - codebook[found[-1]]
        return torch.stack(found, -1)

    def look_up(self, indices: Tensor) -> Tensor:
        """Return the sum of the entries: (..., n_quantizers) -> (..., width)."""
        return torch.stack([F.embedding(indices[..., i], self._codebook(i)) for i in range(self.n_quantizers)]).sum(0)

    def forward(self, z: Tensor, commitment: float = 0.25) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantised tokens, their indices, and the price of the distance.

        Parameters
        ----------
        z : tensor, shape (b, tokens, width)
        commitment : float
            Weight of what draws tokens to entries, against what draws entries to tokens.

        Returns
        -------
        q : tensor, shape of ``z``
            Entries, through which a gradient reaches z.
        indices : tensor of int64, shape (b, tokens, n_quantizers)
        price : tensor, shape (b,)
            Sum over codebooks of ||sg[r] - e||^2 + commitment ||r - sg[e]||^2, with r what is left over.
        """
        indices = self.indices(z)
        if self.training and torch.is_grad_enabled():
            self.count(indices)
        left, total, price = z, torch.zeros_like(z), z.new_zeros(len(z))
        for depth in range(self.n_quantizers):
            entry = F.embedding(indices[..., depth], self._codebook(depth))
            price = price + (left.detach() - entry).square().flatten(1).sum(1)
            price = price + commitment * (left - entry.detach()).square().flatten(1).sum(1)
            left, total = left - entry.detach(), total + entry.detach()
        return rotated(z, total), indices, price

    @torch.no_grad()
    def revive(self, z: Tensor, rng: torch.Generator) -> None:
        """Move unused entries to random tokens (Dhariwal et al., "Jukebox", 2020)."""
        left = z.flatten(0, -2)
        for depth in range(self.n_quantizers):
            codebook = self._codebook(depth)
            picked = left[torch.randint(len(left), (self.codebook_size,), generator=rng, device=left.device)]
            picked = ranks.of_first(picked)
            dead = (self.usage[depth] < DEAD / self.codebook_size)[:, None]
            codebook.copy_(torch.where(dead, picked, codebook))
            self.usage[depth] = torch.where(dead[:, 0], 1 / self.codebook_size, self.usage[depth])
            distance = codebook.square().sum(1) - 2 * (left @ codebook.T)
            left = left - codebook[distance.argmin(1)]

    @torch.no_grad()
    def start_at(self, z: Tensor) -> None:
        """Begin with tokens of the data."""
        rng = torch.Generator(z.device).manual_seed(0)
        self.usage.zero_()  # all are dead, and revived
        self.revive(z, rng)


class ScalarQuantiser(_Quantiser):
    """Rounds each number of a token to one of a few levels: there is no codebook, and no entry can die.

    Mentzer, Minnen, Agustsson and Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple" (ICLR 2024), section 3.1.

    Parameters
    ----------
    levels : sequence of int
        Values that each number of a token is rounded to, 2 or more; their product is the size of the codebook.
    """

    radix: Tensor
    levels: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__(math.prod(levels), 1)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)
        places = torch.tensor([1, *levels[:-1]]).cumprod(0)
        self.register_buffer("radix", places, persistent=False)

    def _bounded(self, z: Tensor) -> Tensor:
        """Return z squeezed into (-0.5, levels - 0.5), so that rounding gives 0 ... levels - 1."""
        return torch.sigmoid(2 * z) * (self.levels - 1e-3) - 0.5 + 5e-4

    def indices(self, z: Tensor) -> Tensor:
        """Return the mixed-radix index of each token's levels: (..., width) -> (..., 1)."""
        return (self._bounded(z.detach()).round().long() * self.radix).sum(-1, keepdim=True)

    def look_up(self, indices: Tensor) -> Tensor:
        """Return tokens in [-1, 1]: (..., 1) -> (..., width)."""
        level = indices // self.radix % self.levels.long()
        return self._centred(level.float())

    def _centred(self, level: Tensor) -> Tensor:
        return 2 * level / (self.levels - 1) - 1

    def forward(self, z: Tensor, commitment: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Return rounded tokens, their indices, and a price of zero: the gradient passes straight through."""
        bounded = self._bounded(z)
        level = bounded + (bounded.round() - bounded).detach()
        indices = self.indices(z)
        if self.training and torch.is_grad_enabled():
            self.count(indices)
        return self._centred(level), indices, z.new_zeros(len(z))

    def revive(self, z: Tensor, rng: torch.Generator) -> None:
        """Do nothing: no entry can die."""

    def start_at(self, z: Tensor) -> None:
        """Do nothing: there is no codebook."""


class TokenPrior(nn.Module):
    """p(k) = prod_t p(k_t | k_1 ... k_t-1): a small causal transformer over tokens.

    Vaswani et al., "Attention Is All You Need" (NeurIPS 2017), decoder blocks with normalisation first.

    Parameters
    ----------
    codebook_size : int
        Values that a token can have.
    length : int
        Tokens in a code.
    rng : torch.Generator
        Of the first weights.
    """

    WIDTH, HEADS, BLOCKS = 128, 4, 3

    def __init__(self, codebook_size: int, length: int, rng: torch.Generator) -> None:
        super().__init__()
        self.codebook_size, self.length = codebook_size, length
        self.values = layers.embedding(codebook_size + 1, self.WIDTH, rng)  # the last stands before the first token
        self.places = layers.embedding(length, self.WIDTH, rng)
        self.blocks = nn.ModuleList(_Block(self.WIDTH, self.HEADS, rng) for _ in range(self.BLOCKS))
        self.norm = nn.LayerNorm(self.WIDTH)
        self.out = layers.linear(self.WIDTH, codebook_size, rng)
        with torch.no_grad():
            self.out.weight.mul_(0.1)

    def forward(self, indices: Tensor) -> Tensor:
        """Return the logits of each token given those before it: (b, t < length) -> (b, t + 1, codebook_size)."""
        start = torch.full((len(indices), 1), self.codebook_size, device=indices.device)
        h = self.values(torch.cat([start, indices], 1)) + self.places.get_parameter("weight")[: indices.shape[1] + 1]
        for block in self.blocks:
            h = block(h)
        logits: Tensor = self.out(self.norm(h))
        return logits

    def log_prob(self, indices: Tensor) -> Tensor:
        """Return log p(k) in nats: (b, length) -> (b,)."""
        logits = self(indices[:, :-1]).float()
        return -F.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none").view_as(indices).sum(1)

    def sample(self, n: int, rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return drawn tokens, one after the other: (n, length). At temperature 0 each is the likeliest."""
        indices = torch.zeros((n, 0), dtype=torch.long, device=self.out.weight.device)
        for _ in range(self.length):
            logits = self(indices)[:, -1].float().cpu()
            if temperature > 0:
                p = torch.softmax(logits / temperature, 1)
                drawn = torch.multinomial(p, 1, generator=rng)
            else:
                drawn = logits.argmax(1, keepdim=True)
            indices = torch.cat([indices, drawn.to(indices.device)], 1)
        return indices


class _Block(nn.Module):
    """Causal attention, then two dense layers, each added to what came in."""

    def __init__(self, width: int, heads: int, rng: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = layers.linear(width, 3 * width, rng), layers.linear(width, width, rng)
        self.up, self.down = layers.linear(width, 4 * width, rng), layers.linear(4 * width, width, rng)

    def forward(self, h: Tensor) -> Tensor:
        """Return (b, t, width) -> (b, t, width); position t sees positions up to t."""
        b, t, width = h.shape
        q, k, v = self.qkv(self.before(h)).view(b, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.out(seen.transpose(1, 2).reshape(b, t, width))
        return h + self.down(F.gelu(self.up(self.between(h))))


class QuantisedCore(Core):
    """Encoder, quantiser, decoder and likelihood, and a prior of the tokens.

    Parameters
    ----------
    encoder, decoder, likelihood, shift, factor
        As in :class:`Core`.

    Attributes
    ----------
    quantiser : VectorQuantiser or ScalarQuantiser
    width : int
        Numbers in a token.
    prior : TokenPrior or None
        None where codes are maps of several sizes.
    """

    quantiser: Any
    prior: Any

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, shift: Any = 0.0, factor: Any = 1.0
    ) -> None:
        super().__init__(encoder, decoder, likelihood, shift, factor)
        self.width = 1

    def tokens_of(self, z: Tensor) -> Tensor:
        """Return a code cut into tokens: (b, tokens * width) or (b, width, h', w') -> (b, tokens, width)."""
        return z.flatten(2).transpose(1, 2) if z.ndim > 2 else z.view(len(z), -1, self.width)

    def indices(self, x: Tensor) -> Tensor:
        """Return the codebook indices of scaled records: (b, tokens, n_quantizers)."""
        found: Tensor = self.quantiser.indices(self.tokens_of(self.encoder(x).float()))
        return found

    def joined(self, tokens: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return tokens as a code: (b, tokens, width) -> (b, tokens * width), or maps of a size."""
        return tokens.transpose(1, 2).reshape(len(tokens), self.width, *size) if size else tokens.flatten(1)

    def encode(self, x: Tensor) -> Tensor:
        """Return quantised codes."""
        z: Tensor = self.encoder(x).float()
        indices = self.quantiser.indices(self.tokens_of(z))
        return self.joined(self.quantiser.look_up(indices), tuple(z.shape[2:]))

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:  # noqa: D102
        super().start_at(x)
        self.quantiser.start_at(self.tokens_of(self.encoder(x).float()))

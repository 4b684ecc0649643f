r"""Codes of whole numbers: a code is cut into tokens, and each token replaced by the nearest entry of a book.

::

    x --encoder--> z_e (tokens x width) --nearest--> k (whole numbers) --look up--> z_q --decoder--> theta
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
    """What quantisers share: how often each entry is used.

    Parameters
    ----------
    entries : int
        That a token can be, in each level.
    levels : int
        Entries that stand for one token.
    """

    usage: Tensor
    counts: Tensor

    def __init__(self, entries: int, levels: int) -> None:
        super().__init__()
        self.entries, self.levels = entries, levels
        self.register_buffer("usage", torch.full((levels, entries), 1 / entries))  # share of tokens, fading
        self.register_buffer("counts", torch.zeros((levels, entries), dtype=torch.long), persistent=False)

    @torch.no_grad()
    def count(self, numbers: Tensor) -> None:
        """Take note of which entries stood for the tokens of a step, (..., levels)."""
        for level in range(self.levels):
            counts = torch.bincount(numbers[..., level].flatten(), minlength=self.entries)
            self.usage[level].lerp_(counts / counts.sum(), 1 - MEMORY)
            self.counts[level] += counts

    def use(self) -> dict[str, float]:
        """Return what became of the entries since the last call, and begin to count again.

        Returns
        -------
        dict
            ``perplexity``: exp of the entropy of use, averaged over levels: as many as there are entries, if all were
            used alike. ``used_entries`` and ``dead_entries``, of all levels: with at least a twentieth of their fair
            share of tokens, and with less.
        """
        p = self.counts / self.counts.sum(1, keepdim=True).clamp_min(1)
        self.counts.zero_()
        used = int((p >= DEAD / self.entries).sum())
        perplexity = torch.exp(-(p * p.clamp_min(1e-12).log()).sum(1)).mean()
        return {"perplexity": float(perplexity), "used_entries": used, "dead_entries": p.numel() - used}


class VectorQuantiser(_Quantiser):
    """Books of vectors: each level replaces what the levels before have left over by its nearest entry.

    van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning" (NeurIPS 2017), equations 1 to 3;
    with more than one level Lee et al., "Autoregressive Image Generation using Residual Quantization" (CVPR 2022),
    equation 3.

    Parameters
    ----------
    entries : int
        Vectors in a book.
    width : int
        Numbers in a vector.
    levels : int
        Books in a row; 1 is plain vector quantisation.
    rng : torch.Generator
        Of the first vectors.
    """

    def __init__(self, entries: int, width: int, levels: int, rng: torch.Generator) -> None:
        super().__init__(entries, levels)
        self.books = nn.ModuleList(layers.embedding(entries, width, rng) for _ in range(levels))

    def _book(self, level: int) -> Tensor:
        return self.books[level].get_parameter("weight")

    def numbers(self, z: Tensor) -> Tensor:
        """Return which entries stand for tokens: (..., width) -> (..., levels)."""
        left, found = z.detach(), []
        for level in range(self.levels):
            book = self._book(level).detach()
            # ||left - e||^2 without the first term, which is the same for every entry.
            distance = book.square().sum(1) - 2 * (left @ book.T)
            found.append(distance.argmin(-1))
            left = left - book[found[-1]]
        return torch.stack(found, -1)

    def look_up(self, numbers: Tensor) -> Tensor:
        """Return the sum of the entries: (..., levels) -> (..., width)."""
        return torch.stack([F.embedding(numbers[..., i], self._book(i)) for i in range(self.levels)]).sum(0)

    def forward(self, z: Tensor, commitment: float = 0.25) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantised tokens, their numbers, and the price of the distance.

        Parameters
        ----------
        z : tensor, shape (b, tokens, width)
        commitment : float
            Weight of what draws tokens to entries, against what draws entries to tokens.

        Returns
        -------
        q : tensor, shape of ``z``
            Entries, through which a gradient reaches z.
        numbers : tensor of int64, shape (b, tokens, levels)
        price : tensor, shape (b,)
            Sum over levels of ||sg[r] - e||^2 + commitment ||r - sg[e]||^2, with r what is left over.
        """
        numbers = self.numbers(z)
        if self.training and torch.is_grad_enabled():
            self.count(numbers)
        left, total, price = z, torch.zeros_like(z), z.new_zeros(len(z))
        for level in range(self.levels):
            entry = F.embedding(numbers[..., level], self._book(level))
            price = price + (left.detach() - entry).square().flatten(1).sum(1)
            price = price + commitment * (left - entry.detach()).square().flatten(1).sum(1)
            left, total = left - entry.detach(), total + entry.detach()
        return rotated(z, total), numbers, price

    @torch.no_grad()
    def revive(self, z: Tensor, rng: torch.Generator) -> None:
        """Move entries that hardly anything is near to random tokens (Dhariwal et al., "Jukebox", 2020)."""
        left = z.flatten(0, -2)
        for level in range(self.levels):
            book = self._book(level)
            picked = left[torch.randint(len(left), (self.entries,), generator=rng, device=left.device)]
            dead = (self.usage[level] < DEAD / self.entries)[:, None]
            book.copy_(torch.where(dead, picked, book))
            self.usage[level] = torch.where(dead[:, 0], 1 / self.entries, self.usage[level])
            distance = book.square().sum(1) - 2 * (left @ book.T)
            left = left - book[distance.argmin(1)]

    @torch.no_grad()
    def start_at(self, z: Tensor) -> None:
        """Begin with tokens of the data."""
        rng = torch.Generator(z.device).manual_seed(0)
        self.usage.zero_()  # all are dead, and revived
        self.revive(z, rng)


class ScalarQuantiser(_Quantiser):
    """Each number of a token is rounded to one of a few levels: no book, and nothing that could die.

    Mentzer, Minnen, Agustsson and Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple" (ICLR 2024), section 3.1.

    Parameters
    ----------
    steps : sequence of int
        How many levels each number of a token has, 2 or more; their product is the number of entries.
    """

    radix: Tensor
    steps: Tensor

    def __init__(self, steps: Sequence[int]) -> None:
        super().__init__(math.prod(steps), 1)
        self.register_buffer("steps", torch.tensor(steps, dtype=torch.float32), persistent=False)
        places = torch.tensor([1, *steps[:-1]]).cumprod(0)
        self.register_buffer("radix", places, persistent=False)

    def _bounded(self, z: Tensor) -> Tensor:
        """Return z squeezed into (-0.5, steps - 0.5), so that rounding gives 0 ... steps - 1."""
        return torch.sigmoid(2 * z) * (self.steps - 1e-3) - 0.5 + 5e-4

    def numbers(self, z: Tensor) -> Tensor:
        """Return the mixed-radix number of each token's levels: (..., width) -> (..., 1)."""
        return (self._bounded(z.detach()).round().long() * self.radix).sum(-1, keepdim=True)

    def look_up(self, numbers: Tensor) -> Tensor:
        """Return tokens in [-1, 1]: (..., 1) -> (..., width)."""
        level = numbers // self.radix % self.steps.long()
        return self._centred(level.float())

    def _centred(self, level: Tensor) -> Tensor:
        return 2 * level / (self.steps - 1) - 1

    def forward(self, z: Tensor, commitment: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Return rounded tokens, their numbers, and a price of zero: the gradient passes straight through."""
        bounded = self._bounded(z)
        level = bounded + (bounded.round() - bounded).detach()
        numbers = self.numbers(z)
        if self.training and torch.is_grad_enabled():
            self.count(numbers)
        return self._centred(level), numbers, z.new_zeros(len(z))

    def revive(self, z: Tensor, rng: torch.Generator) -> None:
        """Do nothing: no entry can die."""

    def start_at(self, z: Tensor) -> None:
        """Do nothing: there is no book."""


class TokenPrior(nn.Module):
    """p(k) = prod_t p(k_t | k_1 ... k_t-1): a small causal transformer over tokens.

    Vaswani et al., "Attention Is All You Need" (NeurIPS 2017), decoder blocks with normalisation first.

    Parameters
    ----------
    entries : int
        Values that a token can have.
    length : int
        Tokens in a code.
    rng : torch.Generator
        Of the first weights.
    """

    WIDTH, HEADS, BLOCKS = 128, 4, 3

    def __init__(self, entries: int, length: int, rng: torch.Generator) -> None:
        super().__init__()
        self.entries, self.length = entries, length
        self.values = layers.embedding(entries + 1, self.WIDTH, rng)  # the last stands before the first token
        self.places = layers.embedding(length, self.WIDTH, rng)
        self.blocks = nn.ModuleList(_Block(self.WIDTH, self.HEADS, rng) for _ in range(self.BLOCKS))
        self.norm = nn.LayerNorm(self.WIDTH)
        self.out = layers.linear(self.WIDTH, entries, rng)
        with torch.no_grad():
            self.out.weight.mul_(0.1)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the logits of each token given those before it: (b, t) of t <= length - 1 -> (b, t + 1, entries)."""
        start = torch.full((len(numbers), 1), self.entries, device=numbers.device)
        h = self.values(torch.cat([start, numbers], 1)) + self.places.get_parameter("weight")[: numbers.shape[1] + 1]
        for block in self.blocks:
            h = block(h)
        logits: Tensor = self.out(self.norm(h))
        return logits

    def log_prob(self, numbers: Tensor) -> Tensor:
        """Return log p(k) in nats: (b, length) -> (b,)."""
        logits = self(numbers[:, :-1]).float()
        return -F.cross_entropy(logits.flatten(0, 1), numbers.flatten(), reduction="none").view_as(numbers).sum(1)

    def sample(self, n: int, rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return drawn tokens, one after the other: (n, length). At temperature 0 each is the likeliest."""
        numbers = torch.zeros((n, 0), dtype=torch.long, device=self.out.weight.device)
        for _ in range(self.length):
            logits = self(numbers)[:, -1].float().cpu()
            if temperature > 0:
                p = torch.softmax(logits / temperature, 1)
                drawn = torch.multinomial(p, 1, generator=rng)
            else:
                drawn = logits.argmax(1, keepdim=True)
            numbers = torch.cat([numbers, drawn.to(numbers.device)], 1)
        return numbers


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

    def numbers(self, x: Tensor) -> Tensor:
        """Return the whole numbers that stand for scaled records: (b, tokens, levels)."""
        found: Tensor = self.quantiser.numbers(self.tokens_of(self.encoder(x).float()))
        return found

    def joined(self, tokens: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return tokens as a code: (b, tokens, width) -> (b, tokens * width), or maps of a size."""
        return tokens.transpose(1, 2).reshape(len(tokens), self.width, *size) if size else tokens.flatten(1)

    def encode(self, x: Tensor) -> Tensor:
        """Return quantised codes."""
        z: Tensor = self.encoder(x).float()
        numbers = self.quantiser.numbers(self.tokens_of(z))
        return self.joined(self.quantiser.look_up(numbers), tuple(z.shape[2:]))

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:  # noqa: D102
        super().start_at(x)
        self.quantiser.start_at(self.tokens_of(self.encoder(x).float()))

"""Sums, logarithms and random draws shared by likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = [
    "are",
    "drawn_codes",
    "frequencies",
    "one_hot_draws",
    "sum_of_logs",
    "summed",
    "times",
    "uniform",
    "wide",
    "within",
]

GROUP = 16  # factors in [1/4, 1] that are multiplied before one logarithm is taken: 4^-16 is far from underflow
GUMBEL_TEMPERATURE = 0.5
NEAR = 2.0**-22  # two numbers as near as this, as a share of their size or of 1, are one that was rounded


def one_hot_draws(logits: Tensor, axis: int, generator: torch.Generator | None) -> Tensor:
    """Return zeros and a one along an axis, drawn from softmax(logits); their gradient is that of a softer draw."""
    noisy = logits - torch.log(-torch.log(uniform(logits, generator)))
    soft = torch.softmax(noisy / GUMBEL_TEMPERATURE, axis)
    hard = torch.zeros_like(soft).scatter_(axis, soft.argmax(axis, keepdim=True), 1.0)
    return hard - soft.detach() + soft


def drawn_codes(
    logits: Tensor, blocks: Sequence[Tensor], generator: torch.Generator | None
) -> tuple[Tensor, list[Tensor]]:
    """Return zeros and ones drawn from logits (b, k), and numbers of categories drawn from blocks (b, c, size)."""
    codes = [
        torch.multinomial(block.softmax(2).flatten(0, 1), 1, generator=generator).view(block.shape[:2])
        for block in blocks
    ]
    return torch.bernoulli(torch.sigmoid(logits), generator=generator), codes


def are(x: Tensor, atoms: Tensor) -> Tensor:
    """Return whether scaled numbers are given ones, of the shape that both have together."""
    return (x - atoms).abs() <= NEAR * (1 + atoms.abs())


def wide(theta: Tensor) -> Tensor:
    """Return theta in 32 bits or more: sums over many dimensions need them, also where the network used fewer."""
    return theta if theta.dtype == torch.float64 else theta.float()


def summed(terms: Tensor) -> Tensor:
    """Return the sum of each record's numbers, (b, ...) -> (b,)."""
    return terms.flatten(1).sum(1)


def sum_of_logs(q: Tensor) -> Tensor:
    """Return sum_j log q_j of each row, for q in [1/4, 1], with one logarithm for 16 factors."""
    width = q.shape[1]
    whole = width // GROUP * GROUP
    total = q.new_zeros(len(q))
    if whole:
        total += q[:, :whole].reshape(len(q), GROUP, whole // GROUP).prod(1).log_().sum(1)
    if whole < width:
        total += q[:, whole:].log().sum(1)
    return total


def uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return uniform numbers in (0, 1), ends excluded."""
    u = torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    end = torch.finfo(like.dtype).eps
    return u.clamp_(end, 1 - end)


def times(part: Tensor, x: Tensor) -> Tensor:
    """Return the sum over a record's numbers of what is constant along some of its axes."""
    return part.sum() * (x.shape[1:].numel() / part.numel())


def frequencies(codes: Tensor, classes: int) -> Tensor:
    """Return how often each code occurs in each column: (n, columns) -> (classes, columns)."""
    columns = codes.shape[1]
    counts = torch.zeros(classes, columns, device=codes.device)
    counts.scatter_add_(0, codes, torch.ones((), device=codes.device).expand(codes.shape))
    return counts / len(codes)


def within(x: Tensor, end: int) -> Tensor:
    """Return which symbols of sequences belong to them, up to and including the first end symbol: (b, length), bool."""
    ends = x == end
    return ends.cumsum(1) - ends.long() == 0

"""Processes that train together, called ranks: which one this is, and statistics over the records of all of them.

Each rank computes a loss on its share of a batch, and gradients are added up. That is right for means over records.
What is more than such a mean has to see the records of all ranks: a normalisation over the batch, a mean that is
clamped, a mean over labelled records, a distance between distributions. Such statistics are taken with the functions
here, and gradients go through them, from every rank to every rank.

They talk to other ranks only in a *turn*, which the engine opens (:func:`taking`). Anywhere else, and where a process
is alone, each of them is the plain expression that its docstring names, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from isthmus import watch

__all__ = [
    "Turn",
    "average",
    "device",
    "every",
    "gathered",
    "is_first",
    "is_together",
    "mean",
    "moments",
    "of_first",
    "rank",
    "some",
    "standing_in",
    "taking",
    "total",
    "world",
]


def world() -> int:
    """Return the number of ranks."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return which of them this process is, from 0."""
    return dist.get_rank() if world() > 1 else 0


def is_first() -> bool:
    """Tell whether this process is the one that speaks and writes files."""
    return rank() == 0


def device() -> torch.device:
    """Return where a tensor must be for ranks to exchange it: NCCL takes none of the processor's."""
    if world() > 1 and dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


# ---------------------------------------------------------------------- a turn


class Turn:
    """All that ranks exchange while they compute one loss and its gradient, in the order in which they do.

    A rank that falls out (its memory ran out) takes the turn again with a record that does not count. What it has
    exchanged by then is not sent again, but remembered: the others have gone on, and wait for what comes next.

    Parameters
    ----------
    counts : bool
        Whether the records of this rank count; not where it has none of the batch, and goes along with any one.
    """

    def __init__(self, counts: bool) -> None:
        self.counts = counts
        self._sums: list[Tensor] = []
        self._done = 0

    def again(self) -> None:
        """Begin anew, with records that do not count."""
        self.counts, self._done = False, 0

    def exchange(self, x: Tensor) -> Tensor:
        """Return the sum of all ranks' tensors of one shape."""
        if self._done == len(self._sums):
            summed = x.detach().clone(memory_format=torch.contiguous_format)
            watch.exchange(dist.all_reduce, summed)
            self._sums.append(summed)
        self._done += 1
        return self._sums[self._done - 1].clone()

    def counted(self, x: Tensor) -> Tensor:
        """Return a rank's part of a sum: zero where its records do not count."""
        return _counted(x, self.counts)


def _counted(x: Tensor, counts: bool) -> Tensor:
    return x if counts else torch.zeros_like(x)


_turn: Turn | None = None


@contextmanager
def taking(turn: Turn | None) -> Iterator[None]:
    """Take statistics over all ranks in this context; of None, or where there is one rank only, over this one."""
    global _turn
    before, _turn = _turn, turn
    try:
        yield
    finally:
        _turn = before


@contextmanager
def standing_in(chosen: Tensor) -> Iterator[Tensor]:
    """Yield which records to compute on: the chosen ones, or where there are none the first, which then does not count.

    For what other ranks have records of, and normalise over, while this one has none.
    """
    if _turn is None or bool(chosen.any()):
        yield chosen
        return
    counts, _turn.counts = _turn.counts, False
    first = torch.zeros_like(chosen)
    first[0] = True
    try:
        yield first
    finally:
        _turn.counts = counts


def is_together() -> bool:
    """Tell whether statistics are taken over all ranks just now."""
    return _turn is not None


class _Total(torch.autograd.Function):
    """The sum over ranks; its gradient is the sum of their gradients, and so is the gradient of that."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Turn, counts: bool) -> Tensor:
        ctx.turn, ctx.counts = turn, counts
        return turn.exchange(_counted(x, counts))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        summed = _Total.apply(gradients[0], ctx.turn, ctx.counts)  # type: ignore[no-untyped-call]
        return _counted(summed, ctx.counts), None, None


# ---------------------------------------------------------------------- statistics


def total(x: Tensor) -> Tensor:
    """Return x, added up over ranks."""
    return x if _turn is None else _Total.apply(x, _turn, _turn.counts)  # type: ignore[no-untyped-call]


def average(x: Tensor, count: Tensor) -> Tensor:
    """Return x / count, or 0 of none: a sum over some records, such as those with a label, by their number: (), ()."""
    if _turn is None:
        return x / count.clamp_min(1)
    x, count = total(torch.stack([x, count.to(x.dtype)]))
    return x / count.clamp_min(1)


def mean(x: Tensor, dim: int | None = None) -> Tensor:
    """Return x.mean(dim), along the axis of records, or of all numbers without ``dim``."""
    if _turn is None:
        return x.mean() if dim is None else x.mean(dim)
    summed = x.sum() if dim is None else x.sum(dim)
    both = total(_with_count(summed, x.numel() if dim is None else x.shape[dim]))
    return (both[:-1] / both[-1].clamp_min(1)).view_as(summed)


def moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each unit over records and places, and over how many numbers they are.

    Parameters
    ----------
    x : tensor, shape (b, units, ...)

    Returns
    -------
    mean, variance : tensor, shape (units,)
        The variance is the mean squared distance from the mean.
    count : tensor, shape ()
    """
    axes = [axis for axis in range(x.ndim) if axis != 1]
    both = total(_with_count(x.sum(axes), x.numel() // x.shape[1]))
    count = both[-1].detach()
    middle = both[:-1] / count.clamp_min(1)
    far = x - middle.view(-1, *(1 for _ in x.shape[2:]))
    return middle, total(far.square().sum(axes)) / count.clamp_min(1), count


def gathered(x: Tensor) -> Tensor:
    """Return x, with the records of all ranks one after the other: (b, ...) -> (all b, ...)."""
    if _turn is None:
        return x
    own = x if _turn.counts else x[:0]
    sizes = torch.zeros(world(), device=x.device)
    sizes[rank()] = len(own)
    counts = [int(count) for count in _turn.exchange(sizes).tolist()]
    before, after = sum(counts[: rank()]), sum(counts[rank() + 1 :])
    if len(own) != counts[rank()]:  # the second time, when the others have counted records that are gone
        own = x.new_zeros(counts[rank()], *x.shape[1:])
    return total(torch.cat([x.new_zeros(before, *x.shape[1:]), own, x.new_zeros(after, *x.shape[1:])]))


def some(yes: Tensor) -> bool:
    """Return bool(yes): whether it is so on any rank whose records count."""
    return bool(yes if _turn is None else total(yes.long()) > 0)


def every(yes: Tensor) -> bool:
    """Return bool(yes): whether it is so on all ranks whose records count."""
    return bool(yes) if _turn is None else not some(~yes)


def of_first(x: Tensor) -> Tensor:
    """Return x, as the first rank has it."""
    return x if _turn is None else _turn.exchange(x if is_first() else torch.zeros_like(x))


def _with_count(sums: Tensor, count: int) -> Tensor:
    return torch.cat([sums.flatten(), sums.new_tensor([float(count)])])

"""Distributed training: under ``torchrun`` every process trains on its share and gradients are added up.

Without ``torchrun`` every function here is the identity. Weights never carry a wrapper's prefix, because there is no
wrapper: the engine adds gradients up itself. What a loss needs of other ranks is in :mod:`isthmus.ranks`.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from isthmus.ranks import device, is_first, rank, world

__all__ = [
    "agree",
    "all_say",
    "any_says",
    "first_says",
    "first_seed",
    "is_first",
    "rank",
    "share",
    "start",
    "summed",
    "union",
    "world",
]


def start(device_type: str) -> None:
    """Join the other processes if ``torchrun`` started this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
        atexit.register(_leave)  # a process that ends with the group's threads still at work aborts now and then


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def share() -> slice:
    """Return which records of a batch are this rank's: every so many-th, so that rare kinds spread over all."""
    return slice(rank(), None, world()) if world() > 1 else slice(None)


# ---------------------------------------------------------------------- what all take to be so


def first_says(value: float) -> float:
    """Return the first rank's value, so that all take the same turn."""
    if world() == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=device())
    dist.broadcast(told, 0)
    return float(told)


def first_seed(seed: int) -> int:
    """Return the first rank's seed, below 2^63."""
    if world() == 1:
        return seed
    told = torch.tensor([seed], device=device())
    dist.broadcast(told, 0)
    return int(told)


def any_says(yes: bool) -> bool:
    """Tell whether one rank or more says yes."""
    if world() == 1:
        return yes
    votes = torch.tensor([int(yes)], device=device())
    dist.all_reduce(votes)
    return int(votes) > 0


def all_say(yes: bool) -> bool:
    """Tell whether every rank says yes."""
    return not any_says(not yes)


def union(numbers: Iterable[int]) -> list[int]:
    """Return the whole numbers that any rank has, in order."""
    own = sorted(numbers)
    if world() == 1:
        return own
    counts = torch.zeros(world(), dtype=torch.long, device=device())
    counts[rank()] = len(own)
    dist.all_reduce(counts)
    found = torch.zeros(int(counts.sum()), dtype=torch.long, device=device())
    start = int(counts[: rank()].sum())
    found[start : start + len(own)] = torch.tensor(own, dtype=torch.long)
    dist.all_reduce(found)
    return sorted(set(found.tolist()))


def agree(*what: nn.Module | Tensor | None) -> None:
    """Give every rank the first one's weights, buffers and tensors, in place."""
    if world() == 1:
        return
    for each in what:
        tensors = [*each.parameters(), *each.buffers()] if isinstance(each, nn.Module) else [each]
        for tensor in tensors:
            if tensor is not None and tensor.numel():
                told = tensor.detach().to(device(), copy=True).contiguous()
                dist.broadcast(told, 0)
                tensor.data.copy_(told)


# ---------------------------------------------------------------------- sums


def summed(tensors: Sequence[Tensor | None], like: Sequence[Tensor], *, says: bool) -> tuple[list[Tensor | None], bool]:
    """Return tensors added up over ranks, and whether any rank says so, in one exchange.

    Parameters
    ----------
    tensors : sequence of (tensor or None)
        None, such as the gradient of a weight that this rank's records do not touch, counts as zero; it stays None
        where it is so on all ranks.
    like : sequence of tensor
        Of their shapes.
    says : bool
    """
    if world() == 1:
        return list(tensors), says
    given = [torch.zeros_like(its) if each is None else each for each, its in zip(tensors, like, strict=True)]
    flags = given[0].new_tensor([*(float(each is not None) for each in tensors), float(says)])
    flat = torch.cat([*(each.flatten() for each in given), flags])
    dist.all_reduce(flat)
    *pieces, flags = torch.split(flat, [*(each.numel() for each in given), len(flags)])
    *there, said = (flags > 0).tolist()
    found = [piece.view_as(its) if has else None for piece, its, has in zip(pieces, like, there, strict=True)]
    return found, said

"""Distributed training: under ``torchrun`` every process trains on its share and gradients are averaged.

Without ``torchrun`` every function here is the identity. Weights never carry a wrapper's prefix, because there is no
wrapper: the engine averages gradients itself.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["all_say", "average", "first_says", "is_first", "mean", "shard", "start", "world"]


def start(device_type: str) -> None:
    """Join the other processes if ``torchrun`` started this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
        atexit.register(_leave)  # a process that ends with the group's threads still at work aborts now and then


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def world() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Tell whether this process is the one that writes files."""
    return world() == 1 or dist.get_rank() == 0


def shard(batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this process's equal part of every batch; of one that has no two records for each process, all of it."""
    n = world()
    if n == 1:
        yield from batches
        return
    rank = dist.get_rank()
    for records, rows in batches:
        size = len(rows) // n
        mine = slice(rank * size, (rank + 1) * size) if size > 1 else slice(None)
        yield records[mine], rows[mine]


def first_says(value: float) -> float:
    """Return the first process's value, so that all take the same turn."""
    if world() == 1:
        return value
    told = torch.tensor(value, dtype=torch.float64)
    dist.broadcast(told, 0)
    return float(told)


def same(tensor: Tensor) -> None:
    """Give every process the first one's values, in place."""
    if world() > 1:
        dist.broadcast(tensor.data, 0)


def all_say(yes: bool) -> bool:
    """Tell whether every process says yes."""
    if world() == 1:
        return yes
    votes = torch.tensor(int(yes))
    dist.all_reduce(votes, dist.ReduceOp.MIN)
    return bool(votes)


def average(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """Return gradients averaged over processes, in one exchange."""
    if world() == 1:
        return gradients
    present = [gradient for gradient in gradients if gradient is not None]
    flat = torch.cat([gradient.flatten() for gradient in present])
    dist.all_reduce(flat)
    flat /= world()
    pieces = iter(torch.split(flat, [gradient.numel() for gradient in present]))
    return [None if gradient is None else next(pieces).view_as(gradient) for gradient in gradients]


def mean(sums: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return named sums averaged over processes."""
    if world() > 1:
        for total in sums.values():
            dist.all_reduce(total)
            total /= world()
    return sums

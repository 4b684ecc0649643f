"""Distributed training: under ``torchrun`` every process trains on its share and gradients are added up.

Without ``torchrun`` every function here is the identity. Weights never carry a wrapper's prefix, because there is no
wrapper: the engine adds gradients up itself. What a loss needs of other ranks is in :mod:`isthmus.ranks`.
"""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from isthmus import launch, watch
from isthmus.errors import LostRankError
from isthmus.ranks import device, is_first, rank, world

__all__ = [
    "agree",
    "all_say",
    "any_says",
    "collected",
    "first_says",
    "first_seed",
    "is_first",
    "leave",
    "of_first",
    "rank",
    "share",
    "start",
    "summed",
    "union",
    "world",
]

BACKSTOP = 30  # timeouts that one exchange may take: a rank may be busy for long, and be no lost one


def start(device: torch.device | str, timeout: float = watch.TIMEOUT) -> None:
    """Join the other processes if ``torchrun`` started this one; where a group is there already, that is the one.

    Parameters
    ----------
    device : torch.device or str
        Where this process trains.
    timeout : float, default=60
        Seconds without a sign of a rank until it is lost: see :mod:`isthmus.watch`.

    Raises
    ------
    LostRankError
        A rank did not arrive.
    """
    if launch.size() == 1 or not dist.is_available() or dist.is_initialized():
        return
    device, backstop = torch.device(device), timedelta(seconds=BACKSTOP * timeout)
    store, rank, size = next(rendezvous("env://", timeout=backstop))
    watch.join(store, rank, size, timeout)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    ranks = dist.PrefixStore(f"ranks/{launch.restarts()}", store)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=ranks, rank=rank, world_size=size, timeout=backstop)
    atexit.register(_end)  # a process that ends with the group's threads still at work aborts now and then


def leave() -> None:
    """Part from the other processes, once all of them have come this far."""
    if dist.is_initialized():
        watch.meet()
        dist.destroy_process_group()


def _end() -> None:
    """Part from the others at the end of the process; at once where one is lost: the group would wait for it."""
    if not dist.is_initialized():
        return
    if watch.is_lost():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(LostRankError.exit_code)
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
    watch.exchange(dist.broadcast, told, 0)
    return float(told)


def first_seed(seed: int) -> int:
    """Return the first rank's seed, below 2^63."""
    if world() == 1:
        return seed
    told = torch.tensor([seed], device=device())
    watch.exchange(dist.broadcast, told, 0)
    return int(told)


def any_says(yes: bool) -> bool:
    """Tell whether one rank or more says yes."""
    if world() == 1:
        return yes
    votes = torch.tensor([int(yes)], device=device())
    watch.exchange(dist.all_reduce, votes)
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
    watch.exchange(dist.all_reduce, counts)
    found = torch.zeros(int(counts.sum()), dtype=torch.long, device=device())
    start = int(counts[: rank()].sum())
    found[start : start + len(own)] = torch.tensor(own, dtype=torch.long)
    watch.exchange(dist.all_reduce, found)
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
                watch.exchange(dist.broadcast, told, 0)
                tensor.data.copy_(told)


# ---------------------------------------------------------------------- what they tell each other


def collected(own: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return every rank's tensors by name, in the order of ranks; for checkpoints, on the processor."""
    if world() == 1:
        return [own]
    mine = torch.frombuffer(bytearray(save(own)), dtype=torch.uint8)
    sizes = torch.zeros(world(), dtype=torch.long, device=device())
    sizes[rank()] = len(mine)
    watch.exchange(dist.all_reduce, sizes)
    longest = int(sizes.max())
    padded = torch.nn.functional.pad(mine, (0, longest - len(mine))).to(device())
    found = [torch.empty_like(padded) for _ in range(world())]
    watch.exchange(dist.all_gather, found, padded)
    both = zip(found, sizes.tolist(), strict=True)
    return [load(each[:size].cpu().numpy().tobytes()) for each, size in both]


@contextmanager
def of_first(path: str | os.PathLike[str]) -> Iterator[str | os.PathLike[str]]:
    """Give every rank the first one's file, which others may not see: its name, or that of a copy."""
    if world() == 1:
        yield path
        return
    content = Path(path).read_bytes() if is_first() else b""
    size = torch.tensor([len(content)], device=device())
    watch.exchange(dist.broadcast, size, 0)
    told = (
        torch.frombuffer(bytearray(content), dtype=torch.uint8)
        if is_first()
        else torch.empty(int(size), dtype=torch.uint8)
    )
    told = told.to(device())
    watch.exchange(dist.broadcast, told, 0)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, Path(path).name)
        copy.write_bytes(told.cpu().numpy().tobytes())
        yield path if is_first() else copy


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
    watch.exchange(dist.all_reduce, flat)
    *pieces, flags = torch.split(flat, [*(each.numel() for each in given), len(flags)])
    *there, said = (flags > 0).tolist()
    found = [piece.view_as(its) if has else None for piece, its, has in zip(pieces, like, there, strict=True)]
    return found, said

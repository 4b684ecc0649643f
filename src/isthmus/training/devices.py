"""Devices by name."""

from __future__ import annotations

import contextlib
import os

import torch

from isthmus import launch
from isthmus.errors import ParameterError, UnavailableError

__all__ = ["device_named", "device_to_load_on"]


def device_named(owner: str, name: str) -> torch.device:
    """Return the device of a name; "auto" takes a GPU where there is one, a named one must be there.

    Under ``torchrun`` "auto" and "cuda" are the GPU of the process's local rank.
    """
    if name in ("auto", "cuda") and launch.size() > 1 and torch.cuda.is_available():
        return torch.device("cuda", _own_gpu(owner))
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ParameterError(
            f"{owner}: device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'; it is {name!r}."
        ) from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if not there.get(device.type, False) or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        raise UnavailableError(f"{owner}: device {name!r} is not on this machine; use 'auto' or 'cpu'.")
    return device


def _own_gpu(owner: str) -> int:
    """Return the GPU of this process's local rank; the only one it sees, where the launcher shows each its own."""
    rank, count = launch.local_rank(), torch.cuda.device_count()
    if rank < count:
        return rank
    if count == 1 and "CUDA_VISIBLE_DEVICES" in os.environ:
        return 0
    raise UnavailableError(
        f"{owner}: process {rank} of this machine has no GPU of its own, of which there are {count} here; start "
        f"{count} with --nproc-per-node, or use device 'cpu'."
    )


def device_to_load_on(owner: str, wanted: str | None, fitted: str) -> torch.device:
    """Return the device asked for, or the one named at the fit if this machine has it, or the processor."""
    if wanted is not None:
        return device_named(owner, wanted)
    with contextlib.suppress(UnavailableError, ParameterError):
        return device_named(owner, "cpu" if fitted == "auto" else fitted)
    return torch.device("cpu")

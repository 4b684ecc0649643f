"""Devices by name."""

from __future__ import annotations

import contextlib

import torch

from isthmus.errors import ParameterError, UnavailableError

__all__ = ["device_named", "device_to_load_on"]


def device_named(owner: str, name: str) -> torch.device:
    """Return the device of a name; "auto" takes a GPU where there is one, a named one must be there."""
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


def device_to_load_on(owner: str, wanted: str | None, fitted: str) -> torch.device:
    """Return the device asked for, or the one named at the fit if this machine has it, or the processor."""
    if wanted is not None:
        return device_named(owner, wanted)
    with contextlib.suppress(UnavailableError, ParameterError):
        return device_named(owner, "cpu" if fitted == "auto" else fitted)
    return torch.device("cpu")

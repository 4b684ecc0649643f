"""The decoder's weights in whole numbers, as a file holds them, and back: :mod:`isthmus.coding.photographs.weights`."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.networks.photographic import MOST, OUTPUT, Decoder

__all__ = ["BIAS", "KERNEL", "from_integers", "to_integers", "within_bounds"]

KERNEL, BIAS, STEP = 12, 21, 16  # fractional bits
SUM, ROOM = 2.0 ** (31 - BIAS), 0.98  # what a sum may be, as the networks have it, and the share of it that is used
UNITS = (
    (("look.weight", "inject.weight"), "bias.anchors", ("prior.features.weight", "up.weight")),
    (
        ("prior.features.weight", "prior.above.weight", "prior.before.weight"),
        "prior.bias.anchors",
        ("prior.hidden.weight",),
    ),
    (("prior.hidden.weight",), "prior.hidden.bias", ("prior.last.weight",)),
)  # what is added up in units that are cut, and what reads them
SMALL = ("prior.last.weight", "up.weight")  # kernels of which the networks hold ten times as much

Arrays = dict[str, NDArray[Any]]


def to_integers(decoder: Decoder) -> Arrays:
    """Return the tensors of a decoder as a file holds them.

    Raises
    ------
    ValueError
        A weight is too large.
    """
    found: Arrays = {}
    for name, value in decoder.state_dict().items():
        numbers, kind, bits = _scaled(_within(name), value.detach().double().cpu())
        whole = np.round(numbers.numpy() * 2**bits)
        if np.abs(whole).max(initial=0) > np.iinfo(kind).max:
            raise ValueError(f"the weights {name} are too large")
        found[name] = whole.astype(kind)
    return found


@torch.no_grad()
def within_bounds(decoder: Decoder) -> Decoder:
    """Return a decoder that computes the same, and none of whose units adds up more than 32 bits hold.

    A unit whose sum might is made smaller, and what reads it is made larger by as much; only the place where it is cut
    moves.
    """
    found = copy.deepcopy(decoder)
    for level in found.levels:
        tensors = dict(level.named_parameters())
        for kernels, bias, readers in UNITS:
            most = MOST * torch.cat([tensors[name].abs().flatten(1) for name in kernels], 1).sum(1)
            most = most + tensors[bias].abs().reshape(-1, len(most)).amax(0)
            share = torch.where(most < SUM, 1.0, ROOM * SUM / most)
            for name in kernels:
                tensors[name].mul_(share[:, None, None, None])
            tensors[bias].mul_(share)
            for name in readers:
                tensors[name].div_(share[:, None, None])
    return found


def _within(name: str) -> str:
    """Return the name of a tensor within its level."""
    return name.split(".", 2)[2]


def _scaled(name: str, value: Tensor) -> tuple[Tensor, type[np.signedinteger[Any]], int]:
    """Return a tensor in the order of a file, the type of its numbers, and their fractional bits."""
    if name == "step.anchors":
        return value / math.log(2), np.int32, STEP
    if name == "prior.coupling":
        return value.tril(-1), np.int16, KERNEL
    if value.ndim == 4:
        return (OUTPUT * value if name in SMALL else value).permute(0, 2, 3, 1), np.int16, KERNEL
    return value, np.int32, BIAS


def from_integers(tensors: Mapping[str, NDArray[Any]]) -> Decoder:
    """Return the decoder of the tensors of a file: what :func:`to_integers` undoes, up to the rounding."""
    decoder = Decoder()
    state = {}
    for name in decoder.state_dict():
        rest, value = _within(name), torch.from_numpy(tensors[name].astype(np.float64))
        if rest == "step.anchors":
            value = value * 2**-STEP * math.log(2)
        elif value.ndim == 4:
            value = value.permute(0, 3, 1, 2) * 2**-KERNEL / (OUTPUT if rest in SMALL else 1)
        else:
            value = value * 2 ** -(KERNEL if rest == "prior.coupling" else BIAS)
        state[name] = value.float()
    decoder.load_state_dict(state)
    return decoder

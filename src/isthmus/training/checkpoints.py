"""Checkpoints: weights, optimisers, best weights and counters, as one safetensors file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import artifact, documents
from isthmus.errors import ParameterError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["read", "to_arrays", "to_tensors", "write"]

CLASS_NAME = "Checkpoint"


class _Document(TypedDict):
    plan: dict[str, Any]
    progress: dict[str, Any]


def to_arrays(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, np.ndarray]:
    """Return tensors as a file holds them: arrays, by names that begin with ``prefix``."""
    return {f"{prefix}{name}": tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def to_tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the arrays of a file as tensors that share their memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def write(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], progress: DataclassInstance, plan: DataclassInstance
) -> None:
    """Write a checkpoint in place of the one before: to a temporary name, then renamed."""
    document = {"progress": dataclasses.asdict(progress), "plan": dataclasses.asdict(plan)}
    artifact.write(path, CLASS_NAME, document, to_arrays(tensors), force=True)


def read(
    path: str | os.PathLike[str], plan: DataclassInstance, module: nn.Module
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the progress of a checkpoint, after checking that it belongs to this plan and network.

    Raises
    ------
    ParameterError
        The plan or the network is another one.
    """
    document, arrays = artifact.read(path, CLASS_NAME)
    with artifact.understanding(path):
        its = documents.read(_Document, document)
        theirs, progress = its["plan"], its["progress"]
        documents.check_finite(documents.under("module", arrays) | documents.under("best", arrays))
        tensors = to_tensors(arrays)
    ours = dataclasses.asdict(plan)
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise ParameterError(
                f"The checkpoint {os.fspath(path)} was made with {name}={theirs.get(name)!r}, this run has "
                f"{name}={value!r}: resume with the settings it was started with, or start anew."
            )
    for name, tensor in module.state_dict().items():
        stored = tensors.get(f"module.{name}")
        if stored is None or stored.shape != tensor.shape:
            has = "nothing" if stored is None else f"shape {tuple(stored.shape)}"
            raise ParameterError(
                f"The checkpoint {os.fspath(path)} is of another network: it has {has} for {name}, "
                f"this network has shape {tuple(tensor.shape)}."
            )
    return tensors, progress

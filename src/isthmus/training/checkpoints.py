"""Checkpoints: weights, optimisers, best weights and counters, as one safetensors file.

One that was written inside an epoch also holds the state at the epoch's beginning, and of each rank its generators and
its sums.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import artifact, documents, launch
from isthmus.errors import ParameterError
from isthmus.training.under_way import Document

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["read", "run_of", "to_arrays", "to_tensors", "write"]

CLASS_NAME = "Checkpoint"


class _Document(TypedDict):
    plan: dict[str, Any]
    progress: dict[str, Any]
    under_way: NotRequired[Document]
    run: NotRequired[str | None]  # that wrote it: see isthmus.launch.run


def to_arrays(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, np.ndarray]:
    """Return tensors as a file holds them: arrays, by names that begin with ``prefix``."""
    return {f"{prefix}{name}": tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def to_tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the arrays of a file as tensors that share their memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def write(
    path: str | os.PathLike[str],
    tensors: dict[str, Tensor],
    progress: DataclassInstance,
    plan: DataclassInstance,
    under_way: Document | None = None,
) -> None:
    """Write a checkpoint in place of the one before: to a temporary name, then renamed."""
    document: dict[str, Any] = {"progress": dataclasses.asdict(progress), "plan": dataclasses.asdict(plan)}
    document |= {"run": launch.run()} | ({} if under_way is None else {"under_way": under_way})
    artifact.write(path, CLASS_NAME, document, to_arrays(tensors), force=True)


def read(
    path: str | os.PathLike[str], plan: DataclassInstance, module: nn.Module
) -> tuple[dict[str, Tensor], dict[str, Any], Document | None]:
    """Return a checkpoint, after checking that it belongs to this plan and network.

    Returns
    -------
    tensors : dict of str to tensor
    progress : dict
    under_way : dict or None
        About the epoch that it was written in; None at the end of one.

    Raises
    ------
    ParameterError
        The plan or the network is another one.
    """
    document, arrays = artifact.read(path, CLASS_NAME)
    with artifact.understanding(path):
        its = documents.read(_Document, document)
        theirs, progress = its["plan"], its["progress"]
        for where in ("module", "best", "good.module"):
            documents.check_finite(documents.under(where, arrays))
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
    return tensors, progress, its.get("under_way")


def run_of(path: str | os.PathLike[str]) -> str | None:
    """Return the run of ``torchrun`` that wrote a checkpoint; None where it was none."""
    document = artifact.describe(path)["document"]
    with artifact.understanding(path):
        return documents.read(_Document, document).get("run")

"""What a coder knows before the first byte: a prior, which the package carries or `Codec.fit` learns.

It is integer tensors by name, in a file that `isthmus.artifact` reads and writes. See docs/format.md for how a
compressed file names the one that it needs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact, checks, documents
from isthmus.coding import kinds
from isthmus.coding.reference.network import GRAM_BITS, HIDDEN, WIDTH
from isthmus.coding.reference.predictor import SELECTIONS, WITH_PRIOR, Context, Matcher, first_weights
from isthmus.errors import ArtifactError

__all__ = ["CLASS", "PREDICTOR", "SHAPES", "SLOT", "SLOT_BITS", "Prior", "blank", "opened_prior", "shipped"]

CLASS = "Codec"  # that a file says it holds
PREDICTOR = 1  # number of what a predictor makes of the tensors
CONTEXTS, SETS = len(WITH_PRIOR.contexts), len(SELECTIONS)
INPUTS = 4 * CONTEXTS + 8  # of two matchers, a constant, and the network
SHIPPED = Path(__file__).with_name("prior_1.safetensors")
SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    **{f"grams.{k}": ("int8", (1 << bits, WIDTH)) for k, bits in enumerate(GRAM_BITS)},
    "last": ("int16", (256, 3 * HIDDEN)),
    "bias": ("int16", (HIDDEN,)),
    "inputs": ("int8", (3 * HIDDEN, WIDTH * len(GRAM_BITS))),
    "recurrent": ("int8", (3 * HIDDEN, HIDDEN)),
    "nodes": ("int16", (256, HIDDEN + WIDTH * len(GRAM_BITS))),
    "node_bias": ("int16", (256,)),
    "first.weights": ("int32", (SETS, INPUTS)),
    "first.final_weights": ("int32", (2, SETS)),
    "first.by_history": ("uint32", (CONTEXTS, 512)),
    "first.by_level": ("uint32", (CONTEXTS, 1024)),
    "first.by_run": ("uint32", (CONTEXTS, 128)),
    "first.by_length": ("uint32", (2, 32)),
}  # of all tensors but the slots
SLOT = 64  # bytes of one
SLOT_BITS = 8, 17  # logarithm of how many a prior has, if it has any
MAP_LIMIT, COUNT_LIMIT, WEIGHT_LIMIT = 400, 63, 1 << 19
NETWORK = 26_000  # first weight of a network that is new (65536 is one)


@dataclass(frozen=True, eq=False)
class Prior:
    """Integer tensors that a predictor begins with.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        By name, as the predictor knows them.

    Raises
    ------
    ArtifactError
        They are none that a predictor can begin with.
    """

    tensors: Mapping[str, NDArray[Any]]
    content: ClassVar[str] = kinds.BYTES

    def __post_init__(self) -> None:
        """Check the tensors, and let nobody change them."""
        _check(self.tensors)
        kept = {
            name: np.array(tensor, tensor.dtype.newbyteorder("="), order="C")
            for name, tensor in sorted(self.tensors.items())
        }
        for tensor in kept.values():
            tensor.flags.writeable = False
        object.__setattr__(self, "tensors", MappingProxyType(kept))

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of names, types, shapes and bytes of the tensors."""
        return bytes.fromhex(artifact.digest(self.tensors))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Prior:
        """Return the prior of a file.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ArtifactError
            The file is damaged, or holds something else.
        FormatNumberError
            A later version of isthmus wrote it.
        """
        return opened_prior(path)[1]


def opened_prior(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Prior]:
    """Return what a file says of a prior, and the prior; errors are those of :meth:`Prior.read`."""
    document, arrays = kinds.opened(path, CLASS)
    with artifact.understanding(path):
        number = documents.read(int, document.get("predictor"), "predictor")
    if number > PREDICTOR:
        raise checks.later_codec(path, number)
    with artifact.understanding(path):
        return document, Prior(arrays)


@functools.cache
def shipped() -> Prior | None:
    """Return the prior that the package carries, None where it carries none."""
    return Prior.read(SHIPPED) if SHIPPED.exists() else None


@functools.cache
def blank() -> Prior:
    """Return a prior that knows nothing, and says so: its network takes every bit for even."""
    tensors = {name: np.zeros(shape, kind) for name, (kind, shape) in SHAPES.items()}
    context = Context(0)
    for name in ("by_history", "by_level", "by_run"):
        tensors[f"first.{name}"][:] = getattr(context, name).kept()
    tensors["first.by_length"][:] = Matcher(1, 1).by_length.kept()
    tensors["first.weights"][:] = [*first_weights(WITH_PRIOR), NETWORK, 0, 0]
    tensors["first.final_weights"][:] = 65536 // SETS
    return Prior({**tensors, "slots": np.empty((0, SLOT), np.uint8)})


def _check(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse tensors that no predictor can begin with."""
    found = {name: (tensor.dtype.name, tensor.shape) for name, tensor in tensors.items()}
    slots = found.pop("slots", None)
    sizes = [(0, SLOT), *((1 << bits, SLOT) for bits in range(SLOT_BITS[0], SLOT_BITS[1] + 1))]
    if found != SHAPES or slots is None or slots[0] != "uint8" or slots[1] not in sizes:
        raise ArtifactError("its tensors are none that the predictor has")
    # A state has 14 bits behind the point, what is looked up 15 at most: the sums stay below 2^31 in any order.
    nodes = np.abs(tensors["nodes"].astype(np.int64))
    if int((nodes[:, :HIDDEN].sum(1) * 2**14 + nodes[:, HIDDEN:].sum(1) * 2**15).max()) >= 2**31:
        raise ArtifactError("the weights of its nodes are too large")
    counts = [tensors[f"first.{name}"] & 1023 for name in ("by_history", "by_level", "by_run", "by_length")]
    if max(int(count.max()) for count in counts) > MAP_LIMIT or not _slots_are_sound(tensors["slots"]):
        raise ArtifactError("its counts are too large")
    weights = (tensors["first.weights"], tensors["first.final_weights"])
    if max(int(np.abs(w.astype(np.int64)).max()) for w in weights) > WEIGHT_LIMIT:
        raise ArtifactError("its first weights are too large")


def _slots_are_sound(slots: NDArray[np.uint8]) -> bool:
    """Tell whether no cell of a slot has seen more bits than one can."""
    return not len(slots) or int(slots[:, 7::4].max()) <= COUNT_LIMIT

"""The integer tensors of the decoder of photographs: from a file, at a quality, and with small changes.

Their names are those of :class:`isthmus.networks.photographic.Decoder`. Kernels are int16 with 12 fractional bits, of
shape (outputs, rows, columns, inputs); biases are int32 with 21; the anchors of steps are binary logarithms, int32 with
16.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact, checks, documents
from isthmus.coding.photographs.tables import exp2
from isthmus.errors import ArtifactError

__all__ = [
    "CLASS",
    "CODEC",
    "DECODER",
    "FILE_LIMIT",
    "LEVELS",
    "SHAPES",
    "Level",
    "Weights",
    "holds_codec",
    "latents_at",
    "shipped",
    "sizes",
]

CLASS = "PhotographDecoder"  # that a file says it holds
CODEC = "PhotographicCodec"  # that one says which holds the analysis, too
DECODER = 1  # number of what a decoder makes of the tensors
SHIPPED = Path(__file__).parents[1] / "photographs_1.safetensors"
FILE_LIMIT = 1 << 24  # bytes
LEVELS = 6
ANCHORS = 8
STATES = (3, 12, 16, 24, 24, 24, 24)  # planes of s_0, which is the picture, s_1, ...
WIDTHS = (24, 32, 32, 32, 32, 32)  # of t and u at levels 1, 2, ...
HIDDEN = (24, 32, 32, 32, 32, 32)  # of the prior
FINE, COARSE = 9, 12  # latents of a place: at the last level, and at all others
MOST = 8191  # the size of an activation: 16, with 9 fractional bits
HALF = 2048  # that is added before a sum is made an activation
STEPS = -20 << 16, 8 << 16  # least and most logarithm of a step
SUMS = (
    (("look.weight", "inject.weight"), "bias.anchors"),
    (("prior.features.weight", "prior.above.weight", "prior.before.weight"), "prior.bias.anchors"),
    (("prior.hidden.weight",), "prior.hidden.bias"),
    (("prior.last.weight", "prior.coupling"), "prior.last_bias"),
    (("carry.weight", "up.weight"), "up_bias"),
)  # what is added up: kernels and biases


def latents_at(level: int) -> int:
    """Return how many latents a place has at a level from 1 to 6."""
    return COARSE if level == LEVELS else FINE


def sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return height and width of the levels from 0, which is the picture, to 6."""
    found = [(height, width)]
    for _ in range(LEVELS):
        height, width = (height + 1) // 2, (width + 1) // 2
        found.append((height, width))
    return found


def _shapes() -> dict[str, tuple[str, tuple[int, ...]]]:
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for level in range(1, LEVELS + 1):
        state, width, hidden, latents = STATES[level], WIDTHS[level - 1], HIDDEN[level - 1], latents_at(level)
        outputs = 4 * STATES[level - 1]
        kernels = {
            "look": (width, 3, 3, state),
            "prior.features": (hidden, 1, 1, width),
            "prior.above": (hidden, 2, 5, latents),
            "prior.before": (hidden, 1, 2, latents),
            "prior.hidden": (hidden, 1, 1, hidden),
            "prior.last": (2 * latents, 1, 1, hidden),
            "inject": (width, 3, 3, latents),
            "carry": (outputs, 1, 1, state + latents),
            "up": (outputs, 3, 3, width),
        }
        numbers = {
            "bias.anchors": (ANCHORS, width),
            "prior.bias.anchors": (ANCHORS, hidden),
            "prior.hidden.bias": (hidden,),
            "prior.last_bias": (2 * latents,),
            "step.anchors": (ANCHORS, latents),
            "up_bias": (outputs,),
        }
        before = f"levels.{level - 1}."
        found |= {f"{before}{name}.weight": ("int16", shape) for name, shape in kernels.items()}
        found |= {before + name: ("int32", shape) for name, shape in numbers.items()}
        found[f"{before}prior.coupling"] = ("int16", (2, latents, latents))
    return dict(sorted(found.items()))


SHAPES = _shapes()  # of all tensors, in the order of names


class Level(NamedTuple):
    """The tensors of one level at a quality: kernels (outputs, rows, columns, inputs), int16; biases int32.

    Parameters
    ----------
    look, bias
        From the state to t.
    features, above, before, prior_bias
        From t, and from latents before, to the first layer of the prior.
    hidden, hidden_bias, last, last_bias
        The other layers.
    coupling : ndarray of int16, shape (2, latents, latents)
        What each latent of a place adds to the means, and to the scales, of those after it; below the diagonal.
    step : ndarray of int32, shape (latents,)
        With 20 fractional bits.
    inject, carry, up, up_bias
        To the next state.
    """

    look: NDArray[np.int16]
    bias: NDArray[np.int32]
    features: NDArray[np.int16]
    above: NDArray[np.int16]
    before: NDArray[np.int16]
    prior_bias: NDArray[np.int32]
    hidden: NDArray[np.int16]
    hidden_bias: NDArray[np.int32]
    last: NDArray[np.int16]
    last_bias: NDArray[np.int32]
    coupling: NDArray[np.int16]
    step: NDArray[np.int32]
    inject: NDArray[np.int16]
    carry: NDArray[np.int16]
    up: NDArray[np.int16]
    up_bias: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Weights:
    """The integer tensors of a decoder.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        By name, of the types and shapes of ``SHAPES``.

    Raises
    ------
    ArtifactError
        They are none that the decoder can compute with.
    """

    tensors: Mapping[str, NDArray[Any]]
    content: ClassVar[str] = "photographs"  # what they are for

    def __post_init__(self) -> None:
        """Check the tensors, and let nobody change them."""
        _check(self.tensors)
        kept = {
            name: np.array(self.tensors[name], self.tensors[name].dtype.newbyteorder("="), order="C") for name in SHAPES
        }
        for tensor in kept.values():
            tensor.flags.writeable = False
        object.__setattr__(self, "tensors", MappingProxyType(kept))

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of names, types, shapes and bytes of the tensors."""
        return bytes.fromhex(artifact.digest(self.tensors))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Weights:
        """Return the weights of a file: of a decoder, or of a codec of which that is a part.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ArtifactError
            The file is damaged, or holds something else.
        FormatNumberError
            A later version of isthmus wrote it.
        """
        is_codec = holds_codec(path)
        if os.path.getsize(path) > FILE_LIMIT:
            raise checks.codec_too_large(path, FILE_LIMIT)
        document, arrays = artifact.read(path, CODEC if is_codec else CLASS)
        with artifact.understanding(path):
            number = documents.read(int, document.get("decoder"), "decoder")
        if number > DECODER:
            raise checks.later_codec(path, number)
        with artifact.understanding(path):
            return cls(documents.under("decoder", arrays) if is_codec else arrays)

    def write(
        self,
        path: str | os.PathLike[str],
        provenance: Mapping[str, Any] | None = None,
        history: Sequence[Mapping[str, float]] = (),
        *,
        force: bool = False,
    ) -> None:
        """Write the weights to a file, with what they were learned from and how well; as ``artifact.write`` does."""
        document = {"decoder": DECODER, "provenance": dict(provenance or {}), "history": [*history]}
        artifact.write(path, CLASS, document, dict(self.tensors), force=force)

    def with_changes(self, changes: Mapping[str, NDArray[Any]]) -> Weights:
        """Return weights to which whole numbers are added.

        Parameters
        ----------
        changes : mapping of str to ndarray of integers
            By name of the tensor, of its shape.

        Raises
        ------
        ValueError
            There is no such tensor, or the decoder could not compute with the sum.
        """
        tensors = dict(self.tensors)
        for name, change in changes.items():
            if name not in tensors or tensors[name].shape != change.shape:
                raise ValueError(f"changes of a tensor {name} that the decoder does not have")
            kind = tensors[name].dtype
            found = tensors[name].astype(np.int64) + change
            if found.size and not np.array_equal(found, found.astype(kind)):
                raise ValueError(f"changes that the tensor {name} has no room for")
            tensors[name] = found.astype(kind)
        try:
            return Weights(tensors)
        except ArtifactError as error:
            raise ValueError(str(error)) from error

    def at(self, quality: int) -> list[Level]:
        """Return the tensors at a quality from 0 to 255, of level 1 first."""
        return [self._level(number, quality) for number in range(LEVELS)]

    def _level(self, number: int, quality: int) -> Level:
        def of(name: str) -> NDArray[Any]:
            return self.tensors[f"levels.{number}.{name}"]

        steps = between(of("step.anchors"), quality)
        return Level(
            look=of("look.weight"),
            bias=between(of("bias.anchors"), quality),
            features=of("prior.features.weight"),
            above=of("prior.above.weight"),
            before=of("prior.before.weight"),
            prior_bias=between(of("prior.bias.anchors"), quality),
            hidden=of("prior.hidden.weight"),
            hidden_bias=of("prior.hidden.bias"),
            last=of("prior.last.weight"),
            last_bias=of("prior.last_bias"),
            coupling=of("prior.coupling"),
            step=np.array([exp2(logarithm) for logarithm in steps.tolist()], np.int32),
            inject=of("inject.weight"),
            carry=of("carry.weight"),
            up=of("up.weight"),
            up_bias=of("up_bias"),
        )


def holds_codec(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file holds a codec of photographs; errors are those of :func:`isthmus.artifact.describe`."""
    return bool(artifact.describe(path)["class"] == CODEC)


@functools.cache
def shipped() -> Weights | None:
    """Return the weights that the package carries, None where it carries none."""
    return Weights.read(SHIPPED) if SHIPPED.exists() else None


def between(anchors: NDArray[Any], quality: int) -> NDArray[np.int32]:
    """Return what eight anchors, (8, n), are at a quality from 0 to 255: linear between them, rounded down."""
    place = (ANCHORS - 1) * quality
    low = min(place // 255, ANCHORS - 2)
    below, above = anchors[low].astype(np.int64), anchors[low + 1].astype(np.int64)
    return (below + (above - below) * (place - 255 * low) // 255).astype(np.int32)


def _check(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse tensors that no decoder can compute with: no sum may reach 2^31, whatever the latents are."""
    if {name: (tensor.dtype.name, tensor.shape) for name, tensor in tensors.items()} != SHAPES:
        raise ArtifactError("its tensors are none that the decoder has")
    for number in range(LEVELS):
        before = f"levels.{number}."
        steps = tensors[before + "step.anchors"]
        if not STEPS[0] <= steps.min() <= steps.max() <= STEPS[1]:
            raise ArtifactError("its steps are out of bounds")
        for kernels, bias in SUMS:
            size = np.sum([_size(tensors[before + name]) for name in kernels], 0) * MOST
            most = size + np.abs(tensors[before + bias].astype(np.int64)).reshape(-1, len(size)).max(0)
            if int(most.max()) >= 2**31 - HALF:
                raise ArtifactError("its weights are too large")


def _size(kernels: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the sum of the sizes of the weights of each output."""
    outputs = 2 * kernels.shape[1] if kernels.ndim == 3 else kernels.shape[0]  # the coupling has two of each latent
    return np.abs(kernels.astype(np.int64)).reshape(outputs, -1).sum(1)

"""What a coder knows before the first byte: a prior, which the package carries or `Codec.fit` learns.

It is integer tensors by name, in a file that `isthmus.artifact` reads and writes. See docs/format.md for how a
compressed file names the one that it needs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact, checks, documents
from isthmus.errors import ArtifactError

__all__ = ["CLASS", "PREDICTOR", "Learning", "Prior", "learned", "opened_prior", "shipped"]

CLASS = "Codec"  # that a file says it holds
PREDICTOR = 1  # number of what a predictor makes of the tensors
SHIPPED = Path(__file__).with_name("prior_1.safetensors")
TENSORS_LIMIT = 256
FILE_LIMIT = 1 << 28  # bytes
DICTIONARY = 200  # bytes

Learning = Callable[[int], None]  # is told the bytes that were learned from since it was told last


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

    def __post_init__(self) -> None:
        """Check the tensors, and let nobody change them."""
        _check(self.tensors)
        kept = {name: np.array(tensor, order="C") for name, tensor in sorted(self.tensors.items())}
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
    name = artifact.describe(path)["class"]
    if name != CLASS:
        raise checks.no_codec(path, name)
    if os.path.getsize(path) > FILE_LIMIT:
        raise checks.codec_too_large(path, FILE_LIMIT)
    document, arrays = artifact.read(path, CLASS)
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


def learned(texts: Iterable[bytes], start: Prior | None, *, progress: Learning | None = None) -> Prior:
    """Return a prior for texts like those that are given.

    Parameters
    ----------
    texts : iterable of bytes
        Each is a text of its own, or a piece of a longer one.
    start : Prior or None
        Where to begin.
    progress : callable, optional
        Is told the bytes that were learned from, again and again.
    """
    dictionary = b"" if start is None else start.tensors["dictionary"].tobytes()
    for text in texts:
        dictionary = (dictionary + bytes(text[:DICTIONARY]))[-DICTIONARY:]
        if progress:
            progress(len(text))
    return Prior({"dictionary": np.frombuffer(dictionary, np.uint8)})


def _check(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse tensors that no predictor can begin with."""
    if len(tensors) > TENSORS_LIMIT:
        raise ArtifactError(f"it has {len(tensors):,} tensors")
    dictionary = tensors.get("dictionary")
    if dictionary is None or dictionary.dtype != np.uint8 or dictionary.shape != (min(dictionary.size, DICTIONARY),):
        raise ArtifactError("its tensors are none that the predictor has")

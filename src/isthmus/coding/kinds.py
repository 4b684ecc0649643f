"""The kinds of models that make data smaller, by what they learn from: one entry each, and one class.

A class learns by ``fit``, is written by ``save`` and read by ``load``; the name of its class in the file says which it
is. What coders and decoders take of it is :meth:`AnyCodec.fitted`, of which files name the fingerprint.
"""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from isthmus import artifact, checks
from isthmus.coding.photographs.weights import Weights, holds_codec

__all__ = [
    "ANY",
    "BYTES",
    "KINDS",
    "AnyCodec",
    "Kind",
    "Known",
    "Model",
    "content_of",
    "fitted_in",
    "is_codec",
    "load",
    "opened",
]

BYTES = "bytes"
ANY = object()  # stands for whatever model was used, where nothing is decoded
FILE_LIMIT = 1 << 28  # bytes


@runtime_checkable
class Fitted(Protocol):
    """A model that makes data smaller, whatever its class."""

    def fitted(self) -> Known:
        """Return what coders and decoders take of it."""


class Known(Protocol):
    """What coders and decoders take of a fitted model."""

    @property
    def content(self) -> str:
        """What it learned from, as KINDS has it."""

    @property
    def fingerprint(self) -> bytes:
        """What names it in files: SHA-256 of its tensors."""


class AnyCodec(ABC):
    """What every model that makes data smaller does.

    Attributes
    ----------
    fingerprint_ : str
        Names the model in the files that need it: SHA-256 of its numbers, in hexadecimal.
    provenance_ : dict
        What it learned from.
    """

    content: ClassVar[str]  # what it learns from, as KINDS has it
    provenance_: dict[str, Any]

    @abstractmethod
    def fit(self, data: Any, *, progress: Any = None) -> Self:
        """Learn from data at hand, from a path, or from several; ``progress`` is told bytes, as they are learned."""

    @abstractmethod
    def fitted(self) -> Known:
        """Return what coders take; ParameterError before :meth:`fit`."""

    @abstractmethod
    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model as one safetensors file."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model of a file that :meth:`save` wrote."""

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether a file is one that such a model is best for, by its name and how it begins."""

    @staticmethod
    @abstractmethod
    def learned_from(provenance: Mapping[str, Any]) -> str:
        """Return what a model learned from, as a phrase."""

    @abstractmethod
    def still_computes(self) -> bool:
        """Return whether what the model codes decodes with it."""

    @abstractmethod
    def compress(self, data: Any, *, verify: bool = True) -> bytes:
        """Return data of its kind as a whole compressed file."""

    def content_in(self, path: str | os.PathLike[str], file: BinaryIO) -> Any:
        """Return a file as a content of a stream; None where bytes are coded as they come.

        Raises
        ------
        DataError
            It holds nothing of the kind, or something that the model cannot code.
        """
        return None

    @property
    def fingerprint_(self) -> str:
        """What names the model in the files that need it."""
        return self.fitted().fingerprint.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Kind(NamedTuple):
    """A kind of models.

    Parameters
    ----------
    content : str
        What they learn from.
    name : str
        Of their class.
    module : str
        That has it.
    """

    content: str
    name: str
    module: str

    @property
    def cls(self) -> type[AnyCodec]:
        """The class, for which its module is loaded."""
        found: type[AnyCodec] = getattr(importlib.import_module(self.module), self.name)
        return found


KINDS = {
    kind.content: kind
    for kind in (
        Kind("pictures", "PictureCodec", "isthmus.coding.pictures.model"),
        Kind("tables", "TableCodec", "isthmus.coding.tables.model"),
        Kind(BYTES, "Codec", "isthmus.coding.codec"),  # the last: whatever is nothing else
    )
}

Model = Fitted | Known | str | os.PathLike[str] | None  # or the path of its file


def is_codec(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file holds a model that makes data smaller; errors are those of :func:`artifact.describe`."""
    return _kind_in(path) is not None or holds_codec(path)


def load(path: str | os.PathLike[str]) -> AnyCodec:
    """Return the model of a file, of whatever kind that learns without torch.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ArtifactError
        The file is damaged, or holds something else.
    FormatNumberError
        A later version of isthmus wrote it.
    """
    kind = _kind_in(path)
    if kind is None:
        raise checks.no_codec(path, artifact.describe(path)["class"])
    return kind.cls.load(path)


def fitted_in(owner: str, model: Model) -> Any:
    """Return what coders and decoders take of a model.

    Parameters
    ----------
    owner : str
        For sentences.
    model : Fitted, path, Known or None
        The last two are returned as they are. Of the file of a codec of photographs the decoder's weights are taken.

    Raises
    ------
    ParameterError
        It is nothing of these, or was not fitted.
    """
    if isinstance(model, str | os.PathLike):
        model = Weights.read(model) if holds_codec(model) else load(model)
    if isinstance(model, Fitted):
        return model.fitted()
    if model is not None and not isinstance(getattr(model, "fingerprint", None), bytes):
        raise checks.codec_or_path(owner, model)
    return model


def content_of(files: Sequence[Path]) -> str:
    """Return what files are learned from as: what all of them are, else bytes."""
    kinds = (kind.content for kind in KINDS.values() if files and all(map(kind.cls.recognises, files)))
    return next(kinds, BYTES)


def other_contents(files: Iterable[Path]) -> list[str]:
    """Return what some of the files are besides bytes."""
    others = [kind for kind in KINDS.values() if kind.content != BYTES]
    return [kind.content for kind in others if any(map(kind.cls.recognises, files))]


def opened(path: str | os.PathLike[str], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return document and tensors of the file of a model of a class; errors are those of :func:`load`."""
    found = artifact.describe(path)["class"]
    if found != name:
        raise checks.no_codec(path, found, next(kind.content for kind in KINDS.values() if kind.name == name))
    if os.path.getsize(path) > FILE_LIMIT:
        raise checks.codec_too_large(path, FILE_LIMIT)
    return artifact.read(path, name)


def _kind_in(path: str | os.PathLike[str]) -> Kind | None:
    name = artifact.describe(path)["class"]
    return next((kind for kind in KINDS.values() if kind.name == name), None)

"""Models that are what coders of values have learned, plane by plane: how they are named, written and read."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact, checks, documents
from isthmus.coding import kinds
from isthmus.coding.container import Source, varint
from isthmus.coding.learned import Start, shapes
from isthmus.coding.scheme import Scheme

__all__ = ["LearnedCodec"]

LAYOUT = "layout"  # name of the tensor that says what a model is for


class LearnedCodec(kinds.AnyCodec):
    """A model with which coders of values begin; the name of its class is what its file says it holds."""

    version: ClassVar[int]  # of the rules by which schemes follow from the layout

    @property
    @abstractmethod
    def starts(self) -> Mapping[int, Start]:
        """With what the coder of each plane begins."""

    @abstractmethod
    def layout_bytes(self) -> bytes:
        """Return what the model is for, as it stands in its file."""

    @abstractmethod
    def read_layout(self, source: Source) -> Mapping[int, Scheme]:
        """Read what :meth:`layout_bytes` gave, and return the scheme of each plane that is coded."""

    @abstractmethod
    def begin_with(self, starts: Mapping[int, Start]) -> None:
        """Take what was learned for the layout that was read."""

    @abstractmethod
    def fitted(self) -> Self:
        """Return itself; ParameterError before :meth:`fit`."""

    @functools.cached_property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """What was learned, by plane and name, and what it was learned from."""
        said = varint(self.version) + self.layout_bytes()
        found: dict[str, NDArray[Any]] = {LAYOUT: np.frombuffer(said, np.uint8)}
        for plane, start in self.starts.items():
            found |= documents.prefixed(str(plane), start.learned)
        return found

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of names, types, shapes and bytes of the tensors."""
        return bytes.fromhex(artifact.digest(self.tensors))

    def forget_file(self) -> None:
        """Forget the tensors and the fingerprint of an earlier fit."""
        self.__dict__.pop("tensors", None)
        self.__dict__.pop("fingerprint", None)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model as one safetensors file.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        """
        tensors = self.fitted().tensors
        artifact.write(path, type(self).__name__, {"provenance": self.provenance_}, tensors, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model of a file that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ArtifactError
            The file is damaged or holds another class.
        FormatNumberError
            A later version wrote it.
        """
        document, tensors = kinds.opened(path, cls.__name__)
        made = cls()
        with artifact.understanding(path):
            made.provenance_ = documents.read(dict[str, int | str], document.get("provenance"), "provenance")
            made._read(tensors, os.fspath(path))
        return made

    def _read(self, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
        """Take the tensors of a file, which are checked."""
        source = Source.of(documents.array(tensors, LAYOUT, (None,), "i").tobytes(), name)
        version = source.varint()
        if version != self.version:
            raise checks.later_form(name, f"schemes of builder {version}")
        schemes = self.read_layout(source)
        expected = {LAYOUT, *(f"{plane}.{key}" for plane, scheme in schemes.items() for key in shapes(scheme))}
        if set(tensors) != expected or source.up_to(1):
            raise source.damaged(f"it holds something else than a model of {self.content} does")
        self.begin_with({plane: Start(schemes[plane], documents.under(str(plane), tensors)) for plane in schemes})

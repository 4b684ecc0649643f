"""A model of pictures of one kind: what coders learned from some of them, with which others become smaller."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact, checks, documents
from isthmus.coding.container import Source, varint
from isthmus.coding.contents import THREADS, side_by_side
from isthmus.coding.learned import Start, shapes
from isthmus.coding.pictures.layout import Layout, Values
from isthmus.coding.pictures.schemes import STACK, VERSION, built
from isthmus.coding.pictures.stack import as_stack, surveyed
from isthmus.coding.pictures.strips import UNITS_LIMIT, places_of, sides_of
from isthmus.coding.scheme import Scheme
from isthmus.coding.values import ValueCoder

__all__ = ["PictureCodec"]

CLASS = "PictureCodec"  # that a file says it holds
LAYOUT = "layout"  # name of the tensor that says which pictures it is for
PIXELS = 1 << 17  # for which the tables of coders are made: 2^17 slots
AT_ONCE = 1 << 21  # pixels that are learned from at once
FILE_LIMIT = 1 << 28  # bytes

Progress = Callable[[int], None]  # is told how many pictures were learned from since it was told last


class PictureCodec:
    """A model with which pictures like those of its fit become smaller, each of which can be had alone.

    What was compressed with it can be decompressed only with it: keep its file.

    Attributes
    ----------
    layout : Layout
        Of one picture.
    provenance_ : dict
        ``pictures`` that it learned from.
    """

    layout: Layout
    provenance_: dict[str, Any]
    _starts: dict[int, Start]

    def fit(self, pictures: Any, *, progress: Progress | None = None, threads: int = THREADS) -> Self:
        """Learn from pictures.

        Parameters
        ----------
        pictures : array, shape (n, height, width) or (n, height, width, channels)
            Truth values, whole numbers or floats of up to 64 bits.
        progress : callable, optional
            Is told how many pictures were learned from since it was told last.
        threads : int, default=2
            That may be used, where there are several channels.

        Raises
        ------
        ShapeError, DataTypeError
            The array is no stack of pictures.
        DataError
            There are none.
        """
        stack = as_stack(pictures)
        if not len(stack):
            raise checks.no_pictures_to_learn()
        layout = surveyed(stack)
        height = stack.shape[1]
        self._set_layout(Layout(layout.dtype, height, layout.width, layout.channels, layout.colours, layout.levels))
        coders = {place: ValueCoder(scheme, sides + 2) for place, (scheme, sides) in self._schemes().items()}
        at_once = max(1, AT_ONCE // (height * layout.width))
        for start in range(0, len(stack), at_once):
            some = np.ascontiguousarray(stack[start : start + at_once])
            self._learn(some, coders, threads)
            if progress:
                progress(len(some))
        self._starts = {place: Start(coder.scheme, coder.learned()) for place, coder in coders.items()}
        self.provenance_ = {"pictures": len(stack)}
        return self

    def _set_layout(self, layout: Layout) -> None:
        self.layout = layout
        self.__dict__.pop("tensors", None)
        self.__dict__.pop("fingerprint", None)
        self._idle: dict[int, SimpleQueue[ValueCoder]] = {k: SimpleQueue() for k in range(len(layout.levels))}

    def _learn(self, pictures: NDArray[Any], coders: Mapping[int, ValueCoder], threads: int) -> None:
        """Show each coder its plane of some pictures."""
        planes = self.layout.planes(pictures.reshape(-1, *pictures.shape[2:]))
        place_in_picture = [np.tile(part, len(pictures)) for part in places_of(self.layout.height, self.layout.width)]

        def shown(place: int) -> None:
            beside: list[Values] = [planes[side] for side in sides_of(self.layout, place)]
            coders[place].learn(planes[place].copy(), [*beside, *place_in_picture])

        list(side_by_side(coders, shown, threads))

    def _schemes(self) -> dict[int, tuple[Scheme, int]]:
        """Return scheme and sides of each plane that is coded."""
        found = {}
        for place, levels in enumerate(self.layout.levels):
            if levels.bits:
                sides = len(sides_of(self.layout, place))
                found[place] = built(STACK, self.layout.width, levels.bits, sides, PIXELS), sides
        return found

    @contextmanager
    def coder(self, place: int) -> Iterator[ValueCoder]:
        """Lend a coder for a plane, which begins with what was learned. Called in any thread."""
        start = self._starts[place]
        try:
            coder = self._idle[place].get_nowait()
        except Empty:
            coder = ValueCoder(start.scheme, len(sides_of(self.layout, place)) + 2)
        coder.begin(start)
        yield coder
        self._idle[place].put(coder)

    # ------------------------------------------------------------------ as a file

    @functools.cached_property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """What was learned, by plane and name, and what it was learned from."""
        said = varint(VERSION) + self.layout.to_bytes()
        found: dict[str, NDArray[Any]] = {LAYOUT: np.frombuffer(said, np.uint8)}
        for place, start in self._starts.items():
            found |= documents.prefixed(str(place), start.learned)
        return found

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of names, types, shapes and bytes of the tensors."""
        return bytes.fromhex(artifact.digest(self.tensors))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model as one safetensors file.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        """
        artifact.write(path, CLASS, {"provenance": self.provenance_}, self.tensors, force=force)

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
        name = artifact.describe(path)["class"]
        if name != CLASS:
            raise checks.no_picture_codec(path, name)
        if os.path.getsize(path) > FILE_LIMIT:
            raise checks.codec_too_large(path, FILE_LIMIT)
        document, tensors = artifact.read(path, CLASS)
        made = cls()
        with artifact.understanding(path):
            made.provenance_ = documents.read(dict[str, int], document.get("provenance"), "provenance")
            made._take(tensors, os.fspath(path))
        return made

    def _take(self, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
        """Take the tensors of a file, which are checked."""
        said = documents.array(tensors, LAYOUT, (None,), "i")
        source = Source.of(said.tobytes(), name)
        version = source.varint()
        if version != VERSION:
            raise checks.later_form(name, f"schemes of builder {version}")
        layout = Layout.read(source)
        if not 0 < layout.height * layout.width <= UNITS_LIMIT or len(layout.colours):
            raise source.damaged("its pictures have a size that none has")
        self._set_layout(layout)
        self._starts = {}
        for place, (scheme, _) in self._schemes().items():
            self._starts[place] = Start(scheme, documents.under(str(place), tensors))
        expected = {
            LAYOUT,
            *(f"{place}.{key}" for place, start in self._starts.items() for key in shapes(start.scheme)),
        }
        if set(tensors) != expected or source.up_to(1):
            raise source.damaged("it holds more than a model of pictures does")

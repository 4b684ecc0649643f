"""A model of pictures of one kind: what coders learned from some of them, with which others become smaller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding import contents, kinds
from isthmus.coding.container import Source
from isthmus.coding.contents import THREADS, side_by_side
from isthmus.coding.learned import Start
from isthmus.coding.learned_codec import LearnedCodec
from isthmus.coding.lending import Lender
from isthmus.coding.pictures.layout import Layout, Values
from isthmus.coding.pictures.picture import Stack
from isthmus.coding.pictures.png import NoPixelsError
from isthmus.coding.pictures.png_picture import PngPicture
from isthmus.coding.pictures.rounding import Rounding
from isthmus.coding.pictures.samples import words_of
from isthmus.coding.pictures.schemes import STACK, VERSION, built
from isthmus.coding.pictures.stack import as_stack, coding_of_stack, surveyed
from isthmus.coding.pictures.stored import content_of, holds_pictures, read_stacks
from isthmus.coding.pictures.strips import UNITS_LIMIT, places_of, sides_of
from isthmus.coding.scheme import Scheme
from isthmus.coding.stream import decompressed
from isthmus.coding.values import ValueCoder

__all__ = ["PictureCodec"]

PIXELS = 1 << 17  # for which the tables of coders are made: 2^17 slots
AT_ONCE = 1 << 21  # pixels that are learned from at once

Progress = Callable[[int], None]  # is told the bytes that were learned from since it was told last


class PictureCodec(LearnedCodec):
    """A model with which pictures like those of its fit become smaller, each of which can be had alone.

    What was compressed with it can be decompressed only with it: keep its file.

    Attributes
    ----------
    layout : Layout
        Of one picture.
    fingerprint_ : str
        Names the model in the files that need it.
    provenance_ : dict
        How many ``pictures`` it learned from, and their ``size`` and type of ``samples``.
    """

    content: ClassVar[str] = "pictures"
    layout: Layout
    version: ClassVar[int] = VERSION
    _starts: dict[int, Start]

    def fit(self, pictures: Any, *, progress: Progress | None = None, threads: int = THREADS) -> Self:
        """Learn from pictures.

        Parameters
        ----------
        pictures : array, shape (n, height, width) or (n, height, width, channels), or path, or sequence of paths
            Truth values, whole numbers or floats of up to 64 bits; or PNG files, stacks in ``.npy`` and IDX files, and
            folders of these.
        progress : callable, optional
            Is told the bytes that were learned from since it was told last.
        threads : int, default=2
            That may be used, where there are several channels.

        Raises
        ------
        ShapeError, DataTypeError
            The array is no stack of pictures.
        DataError
            There are none, or a file holds none, or others than the first.

        Warns
        -----
        IsthmusWarning
            Links and special files of a folder were left out.
        """
        stack = as_stack(_read(pictures))
        if not len(stack):
            raise checks.no_pictures_to_learn()
        layout = surveyed(stack)
        height = stack.shape[1]
        levels = tuple(own.for_others(words_of(layout.dtype)[1]) for own in layout.levels)
        self._set_layout(Layout(layout.dtype, height, layout.width, layout.channels, layout.colours, levels))
        coders = {place: ValueCoder(scheme, sides + 2) for place, (scheme, sides) in self._schemes().items()}
        at_once = max(1, AT_ONCE // (height * layout.width))
        for start in range(0, len(stack), at_once):
            some = np.ascontiguousarray(stack[start : start + at_once])
            self._learn(some, coders, threads)
            if progress:
                progress(some.nbytes)
        self._starts = {place: Start(coder.scheme, coder.learned()) for place, coder in coders.items()}
        size = " x ".join(map(str, stack.shape[1:]))
        self.provenance_ = {"pictures": len(stack), "size": size, "samples": str(stack.dtype)}
        return self

    def _set_layout(self, layout: Layout) -> None:
        self.layout = layout
        self.forget_file()
        self.__dict__.pop("_starts", None)  # of an earlier fit, for which this layout is not
        self._lenders: dict[int, Lender] = {}

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

    def coder(self, place: int) -> AbstractContextManager[ValueCoder]:
        """Lend a coder for a plane, which begins with what was learned. Called in any thread."""
        if place not in self._lenders:
            self._lenders[place] = Lender(self._starts[place], len(sides_of(self.layout, place)) + 2)
        return self._lenders[place].coder()

    def fitted(self) -> Self:
        """Return itself; ParameterError before :meth:`fit`."""
        if not hasattr(self, "_starts"):
            raise checks.codec_not_fitted(type(self).__name__)
        return self

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether a file is a PNG file, or an ``.npy`` or IDX file of what looks like a stack of pictures."""
        return holds_pictures(path)

    @staticmethod
    def learned_from(provenance: Mapping[str, Any]) -> str:
        """Return what a model learned from, as a phrase."""
        count = provenance["pictures"]
        return f"{count:,} picture{'' if count == 1 else 's'} of {provenance['size']}, {provenance['samples']}"

    def still_computes(self) -> bool:
        """Return whether what the model codes decodes with it: of each plane the lowest number that it knows."""
        layout, pixels = self.layout, self.layout.height * self.layout.width
        picture = layout.rows([np.zeros(pixels, np.int64) for _ in layout.levels])
        coding = coding_of_stack(picture.reshape(1, *layout.shape), self)
        payload = coding.payload(picture.reshape(layout.shape))
        return bool(np.array_equal(coding.pixels(payload, pixels), picture))

    # ------------------------------------------------------------------ what it is for

    def compress(
        self,
        data: Any,
        *,
        psnr: float | None = None,
        bpp: float | None = None,
        size: int | None = None,
        verify: bool = True,
    ) -> bytes:
        """Return a stack of pictures in fewer bytes, as :func:`isthmus.compress` does with this model.

        Without a target nothing is lost. With one, samples are rounded to one even step: the largest that keeps the
        quality, or the smallest that keeps the size.

        Parameters
        ----------
        data : ndarray, shape (n, height, width) or (n, height, width, channels)
            One picture alone is ``picture[None]``.
        psnr : float, optional
            Decibels that the pictures have at least when they come back.
        bpp, size : float, int, optional
            Bits for each pixel, or bytes, that the file has at most.
        verify : bool, default=True
            Whether what was coded is decoded again and compared.

        Raises
        ------
        ShapeError, DataTypeError, DataError, ParameterError
            They are no pictures like those of the fit, or the target cannot be met.
        """
        if not isinstance(data, np.ndarray):
            raise checks.model_of_others(self.content, kinds.BYTES)
        if targets := {k: v for k, v in {"psnr": psnr, "bpp": bpp, "size": size}.items() if v is not None}:
            return Rounding.of_stack(data, self.fitted()).within(targets, verify=verify).data
        into = BytesIO()
        contents.write(into, Stack(data, model=self.fitted()), verify=verify)
        return into.getvalue()

    def decompress(self, data: Any, *, limit: int | None = None) -> Any:
        """Return the stack that :meth:`compress` was given, as :func:`isthmus.decompress` does with this model."""
        return decompressed(data, limit=limit, model=self.fitted())

    def content_in(self, path: str | os.PathLike[str], file: BinaryIO) -> Stack | PngPicture:
        """Return a PNG file, or a stack in an ``.npy`` or IDX file, as a content of a stream.

        Raises
        ------
        ShapeError, DataTypeError, DataError
            It holds no pictures, or not such as the model is for.
        """
        with _pictures_in(path):
            return content_of(file, model=self.fitted(), name=os.fspath(path))

    def rounding_in(self, path: str | os.PathLike[str], file: BinaryIO) -> Rounding:
        """Return a file to be compressed with a loss; errors are those of :meth:`content_in`."""
        with _pictures_in(path):
            return Rounding.of_file(file, self.fitted(), os.fspath(path))

    # ------------------------------------------------------------------ as a file

    @property
    def starts(self) -> Mapping[int, Start]:
        """With what the coder of each plane begins."""
        return self._starts

    def layout_bytes(self) -> bytes:
        """Return what one picture is like, as it stands in the file."""
        return self.layout.to_bytes()

    def read_layout(self, source: Source) -> dict[int, Scheme]:
        """Read what one picture is like, and return the scheme of each plane that is coded."""
        layout = Layout.read(source)
        if not 0 < layout.height * layout.width <= UNITS_LIMIT or len(layout.colours):
            raise source.damaged("its pictures have a size that none has")
        self._set_layout(layout)
        return {place: scheme for place, (scheme, _) in self._schemes().items()}

    def begin_with(self, starts: Mapping[int, Start]) -> None:
        """Take what was learned for the layout that was read."""
        self._starts = dict(starts)


@contextmanager
def _pictures_in(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name a file that holds no pictures."""
    try:
        yield
    except NoPixelsError as error:
        raise checks.no_picture_of_model(path, str(error)) from error


def _read(pictures: Any) -> Any:
    """Return pictures that were named by paths as an array, others as they are."""
    if isinstance(pictures, str | os.PathLike):
        pictures = [pictures]
    if isinstance(pictures, Sequence) and pictures and all(isinstance(one, str | os.PathLike) for one in pictures):
        return read_stacks(pictures)
    return pictures

"""Pictures with a loss that is stated: samples are rounded to one even step, and what is left is coded in full.

No sample is off by more than half a step. A step above 1 is coded without what a model learned, which is of exact
samples; with step 1 nothing is lost, and the model is used.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.contents import Content
from isthmus.coding.pictures.picture import Stack
from isthmus.coding.pictures.png import SIGNATURE, Png
from isthmus.coding.pictures.png_picture import PngPicture, pixels_of
from isthmus.coding.pictures.samples import rounded, span_of
from isthmus.coding.pictures.stack import as_stack
from isthmus.coding.pictures.stored import stack_in
from isthmus.coding.pictures.strips import Model

__all__ = ["Rounded", "Rounding"]

BYTES = 4  # of a sample, at most


class Rounded(NamedTuple):
    """Pictures made smaller with a loss.

    Parameters
    ----------
    data : bytes
        The compressed file.
    step : int
        To which samples were rounded; 1 where nothing is lost.
    psnr : float
        Decibels, measured on all samples, of which the peak is the range of their type; infinite where nothing is lost.
    bpp : float
        Bits of the file for each pixel.
    pictures : int
    """

    data: bytes
    step: int
    psnr: float
    bpp: float
    pictures: int


class Rounding:
    """Pictures that can be rounded, in a file or at hand.

    Parameters
    ----------
    samples : ndarray
        All of them, whole numbers.
    pictures, pixels : int
        How many there are.
    made : callable
        Returns the content whose samples are rounded to a step.
    name : str, default="stack"
        What sentences call them.

    Raises
    ------
    DataTypeError
        Samples are no whole numbers of 8 to 32 bits.
    """

    def __init__(
        self, samples: NDArray[Any], pictures: int, pixels: int, made: Callable[[int], Content], name: str = "stack"
    ) -> None:
        if samples.dtype.kind not in "iu" or samples.dtype.itemsize > BYTES:
            raise checks.not_to_be_rounded(name, samples.dtype)
        self._name = name
        self._samples, self.pictures, self.pixels, self._made = samples, pictures, pixels, made
        self._most = span_of(samples.dtype) + 1  # the step with which one level is left

    @classmethod
    def of_stack(cls, stack: Any, model: Model, *, head: bytes | None = None, name: str = "stack") -> Self:
        """Return that of a stack (n, height, width[, channels])."""
        found = as_stack(stack)
        Stack(found[:1], model=model, name=name)  # which the model must be for

        def made(step: int) -> Stack:
            return Stack(rounded(found, step), model=model if step == 1 else None, head=head, name=name)

        return cls(found, len(found), math.prod(found.shape[:3]), made, name)

    @classmethod
    def of_file(cls, file: BinaryIO, model: Model, name: str) -> Self:
        """Return that of a PNG, ``.npy`` or IDX file from its start; NoPixelsError where it is none."""
        start = file.read(len(SIGNATURE))
        file.seek(0)
        if start != SIGNATURE:
            head, stack = stack_in(file)
            return cls.of_stack(stack, model, head=head, name=name)
        PngPicture(file, model=model, name=name)
        png = Png(file)
        if png.header.depth < 8 or png.header.colour == 3:
            raise checks.not_to_be_rounded(name, f"{png.header.depth} bits, or numbers of colours")
        samples = pixels_of(png)

        def made(step: int) -> PngPicture:
            return PngPicture(file, model=model if step == 1 else None, name=name, step=step)

        return cls(samples, 1, math.prod(samples.shape[:2]), made, name)

    def within(self, targets: Mapping[str, float | None], *, verify: bool = True) -> Rounded:
        """Return the pictures with the largest step that keeps a quality, or the smallest that keeps a size.

        Parameters
        ----------
        targets : mapping of str to float
            One of ``psnr`` (decibels at least), ``bpp`` (bits a pixel at most) and ``size`` (bytes at most).
        verify : bool, default=True
            Whether what was coded is decoded again and compared.

        Raises
        ------
        ParameterError
            There is not exactly one, or no step meets it; then the nearest that can be had is said.
        """
        step = self.step_within(targets)
        data = self._file(step, verify)
        return Rounded(data, step, self.psnr(step), 8 * len(data) / max(self.pixels, 1), self.pictures)

    def step_within(self, targets: Mapping[str, float | None]) -> int:
        """Return the step that :meth:`within` takes."""
        given = {name: value for name, value in targets.items() if value is not None}
        if len(given) != 1:
            raise checks.one_target_of_pictures(list(given))
        [(name, value)] = given.items()
        checks.number("compress", f"--{name}", value, low=0, above=True)
        if name == "psnr":
            return _last(lambda step: self.psnr(step) >= value, self._most)
        return self._step_of_size(name, value)

    def content(self, step: int) -> Content:
        """Return the pictures, rounded to a step, as a content of a stream."""
        return self._made(step)

    def psnr(self, step: int) -> float:
        """Return the PSNR of samples that are rounded to a step, in decibels."""
        values, counts = self._counted
        gaps = rounded(values, step).astype(np.int64) - values.astype(np.int64)
        error = float((counts * gaps.astype(np.float64) ** 2).sum()) / max(int(counts.sum()), 1)
        return math.inf if error == 0 else 10 * math.log10((self._most - 1) ** 2 / error)

    @cached_property
    def _counted(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Which samples there are, and how often."""
        values, counts = np.unique(self._samples, return_counts=True)
        return values, counts.astype(np.int64)

    def _step_of_size(self, target: str, wanted: float) -> int:
        most = int(wanted if target == "size" else wanted * self.pixels / 8)
        smallest = len(self._file(self._most, verify=False))
        if smallest > most:
            bpp = 8 * smallest / max(self.pixels, 1)
            raise checks.pictures_not_so_small(self._name, target, wanted, smallest, bpp, self.psnr(self._most))
        too_large = partial(self._is_larger, most)
        return _last(too_large, self._most) + 1 if too_large(1) else 1

    def _is_larger(self, size: int, step: int) -> bool:
        return len(self._file(step, verify=False)) > size

    def _file(self, step: int, verify: bool) -> bytes:
        into = io.BytesIO()
        contents.write(into, self._made(step), verify=verify)
        return into.getvalue()


def _last(holds: Callable[[int], bool], most: int) -> int:
    """Return the last number up to ``most`` of which something holds that holds of 1, and of fewer of those above."""
    low, high = 1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

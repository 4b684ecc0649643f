"""Records with their codes: how far from them those are that quantised codes give, and how many bytes these take."""

from __future__ import annotations

import copy
import io
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.codes import PIECE, Batch, Codes, Lattice
from isthmus.data import Data
from isthmus.tasks.compression.forms import Form, Lattices, form_of

__all__ = ["LOUDEST", "Cut", "Records", "peak_of", "psnr_of"]

LOUDEST = 120.0  # decibels that records which come back exactly are said to have
BLOCK = 16 << 20  # bytes of records that are compared at once
NUMBERS_LIMIT = 1 << 22  # whole numbers of one record


class Records:
    """Records with their codes.

    Parameters
    ----------
    model : Model
        Fitted.
    data : Data
        Opened for it.
    form : Form, optional
        How its codes are written.
    """

    def __init__(self, model: Any, data: Data, form: Form | None = None) -> None:
        self.model, self.data, self.form = model, data, form or form_of(model)
        self._rows = max(1, BLOCK * len(data) // max(data.nbytes, 1))
        self.codes: list[NDArray[Any]] = []
        self.sizes: list[tuple[int, ...]] | None = [] if None in model.schema_.shape else None
        for block in self._blocks():
            self.codes += self.form.of(block)
            if self.sizes is not None:
                self.sizes += [np.shape(picture)[:2] for picture in block.take(np.arange(len(block)))]
        if max(part[0].size for part in self.codes) > NUMBERS_LIMIT:
            raise checks.code_too_large(type(model).__name__, NUMBERS_LIMIT)

    def _blocks(self) -> Iterator[Data]:
        for start in range(0, len(self.data), self._rows):
            yield self.data.subset(np.arange(start, min(start + self._rows, len(self.data))))

    def some(self, count: int) -> Records:
        """Return at most so many of the records, evenly spaced."""
        if len(self.data) <= count:
            return self
        rows = np.linspace(0, len(self.data) - 1, count).round().astype(np.int64)
        return Records(self.model, self.data.subset(rows), self.form)

    def with_codes(self, codes: list[NDArray[Any]]) -> Records:
        """Return the records with other codes, for the same lattices."""
        found = copy.copy(self)
        found.codes, found.lattices = codes, self.lattices
        return found

    @cached_property
    def lattices(self) -> Lattices:
        """The lattices that their codes can be written on."""
        return self.form.lattices(self.codes, self.sizes)

    @cached_property
    def pixels(self) -> int:
        """Pixels of all pictures, or numbers of all rows: what bits are counted for."""
        if self.sizes is not None:
            return sum(math.prod(size) for size in self.sizes)
        shape = self.model.schema_.shape
        return len(self.data) * math.prod(shape[:2] if self.model.schema_.kind == "image" else shape)

    def values(self, lattice: Lattice) -> list[NDArray[np.int64]]:
        """Return whole numbers: arrays (n, units, height, width)."""
        return [lattice.quantised(part) if lattice.ordered else part.astype(np.int64) for part in self.codes]

    # ------------------------------------------------------------------ how far off

    def psnr(self, lattice: Lattice | None, peak: float) -> float:
        """Return the PSNR over all numbers of all records, in decibels; without a lattice with codes as they are."""
        error = count = 0.0
        start = 0
        for block, values in self._with_values(lattice):
            sizes = None if self.sizes is None else self.sizes[start : start + len(block)]
            found = self._decoded(values, lattice, sizes)
            wanted = block.take(np.arange(len(block)))
            for one, other in zip(found, wanted, strict=True) if self.sizes is not None else [(found, wanted)]:
                difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
                error, count = error + float(np.vdot(difference, difference)), count + difference.size
            start += len(block)
        return psnr_of(error / count, peak)

    def _decoded(self, values: Sequence[NDArray[Any]], lattice: Lattice | None, sizes: Any) -> Any:
        codes = self.form.exactly(values) if lattice is None else self.form.flat(values, lattice)
        return self.model.decoded(codes, sizes=sizes).block()

    def _with_values(self, lattice: Lattice | None) -> Iterator[tuple[Data, list[NDArray[Any]]]]:
        cut = Cut(self.codes if lattice is None else self.values(lattice))
        for block in self._blocks():
            yield block, cut.next(len(block))

    # ------------------------------------------------------------------ how many bytes

    def content(self, lattice: Lattice, fingerprint: bytes) -> Codes:
        """Return the content of a stream."""
        return Codes(lattice, lambda: self.batches(lattice), fingerprint)

    def batches(self, lattice: Lattice) -> Iterator[Batch]:
        """Yield whole numbers, some records at a time."""
        names = self.data.names if self.model.schema_.kind == "image" else None
        start, kept = 0, list[NDArray[np.int64]]()
        for part in self.values(lattice):
            rows = max(1, PIECE // part[0].size)
            for piece in np.split(part, range(rows, len(part), rows)):
                if kept and (self.sizes is None or sum(one.size for one in kept) + piece.size > PIECE):
                    yield self._batch(start, kept, names)
                    start, kept = start + sum(map(len, kept)), []
                kept.append(piece)
        yield self._batch(start, kept, names)

    def _batch(self, start: int, values: Sequence[NDArray[np.int64]], names: Sequence[str] | None) -> Batch:
        stop = start + sum(map(len, values))
        sizes = None
        if self.sizes is not None:
            sizes = [(*size, *one.shape[2:]) for size, one in zip(self.sizes[start:stop], values, strict=True)]
        return Batch(values, None if names is None else list(names[start:stop]), sizes)

    def size(self, lattice: Lattice, name: str | None) -> int:
        """Return the bytes of the file."""
        return contents.write(io.BytesIO(), self.content(lattice, bytes(32)), name=name, verify=False)


class Cut:
    """Arrays one after another, of whose rows so many are taken at a time as somebody needs."""

    def __init__(self, parts: Iterable[NDArray[Any]]) -> None:
        self._parts = iter(parts)

    def next(self, count: int) -> list[NDArray[Any]]:
        """Return the next so many rows."""
        taken: list[NDArray[Any]] = []
        while (missing := count - sum(map(len, taken))) > 0:
            part = next(self._parts)
            if len(part) > missing:
                self._parts = itertools.chain([part[missing:]], self._parts)
            taken.append(part[:missing])
        return taken


def psnr_of(error: float, peak: float) -> float:
    """Return the PSNR of a mean squared error, in decibels."""
    return min(LOUDEST, 10 * math.log10(peak**2 / error)) if error > 0 else LOUDEST


def peak_of(data: Data) -> float:
    """Return the largest difference that two numbers can have; of floats beyond [0, 1], the largest that there is.

    As :func:`isthmus.metrics.peak_value`, which asks for it where it is not known.
    """
    kind = np.dtype(data.schema.dtype)
    if kind.kind in "iu":
        return float(np.iinfo(kind).max) - float(np.iinfo(kind).min)
    if kind.kind == "b":
        return 1.0
    low, high = math.inf, -math.inf
    for _, block in data.chunks():
        for part in block if isinstance(block, list) else [block]:
            low, high = min(low, float(part.min())), max(high, float(part.max()))
    return 1.0 if low >= 0 and high <= 1 else high - low

"""How an array lies: type, shape and order of its items, and the segments that it is cut into.

Items stand in the order of memory: of an array in Fortran order that is the order of its transpose, whose axes are
meant from here on. The array is cut along its slowest axis into segments; where a single step of that axis has more
numbers than a segment may, the next axis is cut for each step of the ones before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.arrays import dtypes
from isthmus.coding.arrays.dtypes import Leaf
from isthmus.coding.container import Source, varint

__all__ = ["Layout"]

AXES_LIMIT, LENGTH_LIMIT = 64, (1 << 63) - 1
NUMBERS_LIMIT, BYTES_LIMIT = 1 << 22, 1 << 25  # in a plane of a segment, and in all of it; this writer takes half
BYTES_LEAST = 3 << 16  # of a segment, where an array is cut so that two threads can work on it


@dataclass(frozen=True)
class Layout:
    """How an array lies.

    Parameters
    ----------
    dtype : dtype
        Of the items.
    shape : tuple of int
        Of the array.
    is_fortran : bool
        Whether its first axis is the fastest in memory, not the last one.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool = False

    @classmethod
    def of(cls, array: NDArray[Any]) -> Self:
        """Return how an array lies; one in neither order becomes one in C order."""
        flags = array.flags
        return cls(array.dtype, array.shape, bool(flags.f_contiguous and not flags.c_contiguous))

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        said = dtypes.to_bytes(self.dtype) + varint(2 * len(self.shape) + self.is_fortran)
        return said + b"".join(varint(length) for length in self.shape)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what a file says; ArtifactError where that is no layout."""
        source.note()
        dtype = dtypes.read(source)
        if dtype.subdtype is not None or dtypes.to_bytes(dtype) != source.noted():
            raise source.damaged("its items are of no type")
        axes = source.varint()
        if axes > 2 * AXES_LIMIT + 1:
            raise source.damaged(f"an array would have {axes // 2:,} axes")
        shape = tuple(source.varint() for _ in range(axes // 2))
        if math.prod(length or 1 for length in shape) * max(1, dtype.itemsize) > LENGTH_LIMIT:
            raise source.damaged("an array would have more bytes than any memory")
        return cls(dtype, shape, bool(axes % 2))

    @property
    def size(self) -> int:
        """Items."""
        return math.prod(self.shape)

    @property
    def axes(self) -> tuple[int, ...]:
        """Lengths of the axes as they lie in memory, slowest first; at least one."""
        return (self.shape[::-1] if self.is_fortran else self.shape) or (1,)

    @cached_property
    def leaves(self) -> list[Leaf]:
        """Of which numbers an item consists."""
        return dtypes.leaves(self.dtype)

    @cached_property
    def cut_axis(self) -> int:
        """The axis that is cut."""
        for axis in range(len(self.axes) - 1):
            if self._step(axis) <= self.most:
                return axis
        return len(self.axes) - 1

    def _step(self, axis: int) -> int:
        """Return the items from one place on an axis to the next."""
        return math.prod(self.axes[axis + 1 :])

    @cached_property
    def most(self) -> int:
        """Items that a segment can have."""
        numbers = max((leaf.count for leaf in self.leaves), default=1)
        return max(1, min(NUMBERS_LIMIT // numbers, BYTES_LIMIT // max(1, self.dtype.itemsize)))

    def shape_of(self, items: int) -> tuple[int, ...] | None:
        """Return the shape of a segment of so many items, None where there can be none."""
        axis = self.cut_axis
        step = self._step(axis)
        if not step or items % step or not 0 < items // step <= self.axes[axis] or items > self.most:
            return None
        return (items // step, *self.axes[axis + 1 :])

    def segments(self) -> Iterator[tuple[int, int]]:
        """Yield where each segment begins and ends, counted in items."""
        if not self.size or not self.dtype.itemsize:
            return
        axis = self.cut_axis
        step, length = self._step(axis), self.axes[axis]
        rows = math.ceil(length / self._pieces(step * length))
        for start in range(0, self.size, step * length):
            for row in range(0, length, rows):
                yield start + row * step, start + min(row + rows, length) * step

    def _pieces(self, items: int) -> int:
        """Return into how many segments so many items are cut: two, an even number, or one where they are few."""
        if items <= self.most:
            return max(1, min(2, items * self.dtype.itemsize // BYTES_LEAST))
        return 2 * math.ceil(items / self.most)

    def items(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the bytes of an array's items in the order of memory: (n, itemsize); copied where it must be."""
        ordered = array.T if self.is_fortran else array
        if not self.size or not self.dtype.itemsize:
            return np.zeros((0, 1), np.uint8)
        flat = np.ascontiguousarray(ordered).reshape(-1)
        return flat.view(np.uint8).reshape(self.size, self.dtype.itemsize)

    def array(self, items: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the array of the bytes of its items, which are not copied."""
        if not self.size or not self.dtype.itemsize:
            return np.zeros(self.shape, self.dtype, order="F" if self.is_fortran else "C")
        ordered: NDArray[Any] = items.reshape(-1).view(self.dtype).reshape(self.axes)
        return ordered.T.reshape(self.shape, order="F") if self.is_fortran else ordered.reshape(self.shape)

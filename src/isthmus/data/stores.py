"""Where records lie: in memory, in a memory-mapped file, in a list. The code that trains cannot tell which.

A store knows how many records it has and returns blocks of them, always in host memory and never as a view of mapped
pages. Parquet files and image files have their stores in :mod:`isthmus.data.parquet` and :mod:`isthmus.data.images`.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.checks import data as checks

__all__ = ["RESIDENT_BYTES", "ArrayStore", "ListStore", "MappedStore", "Store", "WindowStore"]

RESIDENT_BYTES = 512 * 2**20
"""Files whose records take up to this many bytes are read into memory once; larger ones are streamed."""


class Store(ABC):
    """Records by number.

    Attributes
    ----------
    length : int
        Number of records.
    nbytes : int
        Bytes that all records take once they are in memory.
    resident : bool
        Whether they are in memory already.
    """

    length: int
    nbytes: int
    resident: bool

    @abstractmethod
    def take(self, indices: np.ndarray) -> Any:
        """Return the records of the given numbers, in that order."""

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Any:
        """Return the records ``start`` to ``stop``; the end may be cut off, never the start."""

    def select(self, names: Sequence[str]) -> Store:
        """Return a store of some columns; only tables have columns."""
        raise TypeError(f"{type(self).__name__} has no columns")

    def sizes(self) -> list[tuple[int, int]]:
        """Return height and width of every record; only images have them."""
        raise TypeError(f"{type(self).__name__} holds no images")


class ArrayStore(Store):
    """Records in one array in memory: blocks of neighbours are views, nothing is copied."""

    resident = True

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.length = len(array)
        self.nbytes = array.nbytes

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return a gathered copy."""
        return self.array[indices]

    def chunk(self, start: int, stop: int) -> np.ndarray:
        """Return a view."""
        return self.array[start:stop]

    def sizes(self) -> list[tuple[int, int]]:
        """Return the same height and width for all."""
        return [self.array.shape[1:3]] * self.length


class MappedStore(Store):
    """Records in a memory-mapped array: every block is copied out and its pages are given back.

    Without that, pages that were read stay counted as resident until the system needs them, and a pass over a file
    larger than memory looks (and, under a memory limit, is) as expensive as loading it.

    Parameters
    ----------
    array : memmap of shape (n, ...)
        The mapped records.
    name : str
        Of the source, for the sentence about a NaN; values are checked when they are first read.
    names : tuple of str, default=()
        Of the columns, for the same.
    """

    resident = False

    def __init__(self, array: np.memmap, name: str, names: tuple[str, ...] = ()) -> None:
        self.array = array
        self.name = name
        self.names = names
        self.length = len(array)
        self.nbytes = array.nbytes

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return a gathered copy."""
        indices = np.asarray(indices)
        # Reading in the order of the file lets neighbouring rows share a page.
        order = np.argsort(indices, kind="stable")
        block = np.empty((len(indices), *self.array.shape[1:]), self.array.dtype.newbyteorder("="))
        block[order] = self.array[indices[order]]
        _release(self.array)
        if not checks.all_finite(block):
            for index in indices:
                checks.finite(np.asarray(self.array[index : index + 1]), self.name, first=int(index), names=self.names)
        return block

    def chunk(self, start: int, stop: int) -> np.ndarray:
        """Return a copy."""
        view = self.array[start:stop]
        block = _read(view)
        if block is None:
            block = np.array(view)
            _release(self.array)
        block = block.astype(view.dtype.newbyteorder("="), copy=False)
        checks.finite(block, self.name, first=start, names=self.names)
        return block

    def sizes(self) -> list[tuple[int, int]]:
        """Return the same height and width for all."""
        return [self.array.shape[1:3]] * self.length


def _read(view: np.ndarray) -> np.ndarray | None:
    """Read a contiguous part of a mapped file as a file: twice as fast as through the mapping, page by page.

    None where that cannot be, and the mapping itself has to be read.
    """
    mapping = getattr(view, "_mmap", None)
    if not isinstance(view, np.memmap) or mapping is None or view.mode != "r" or not view.flags.c_contiguous:
        return None
    # A slice of a memory map has its parent's offset, so the place in the file comes from the address in memory.
    first = np.frombuffer(mapping, np.uint8, 1).__array_interface__["data"][0]
    place = view.offset - view.offset % mmap.ALLOCATIONGRANULARITY + view.__array_interface__["data"][0] - first
    try:
        with open(str(view.filename), "rb") as file:
            file.seek(place)
            block = np.fromfile(file, view.dtype, view.size)
    except OSError:
        return None
    return block.reshape(view.shape) if block.size == view.size else None


def _release(array: np.memmap) -> None:
    """Give back the pages of a mapping that were read; a private, changed mapping keeps what was written to it."""
    mapping = getattr(array, "_mmap", None)
    if isinstance(mapping, mmap.mmap) and array.mode in ("r", "r+", "w+") and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


class ListStore(Store):
    """Records in a list in memory: images of several sizes, or pieces of text."""

    resident = True

    def __init__(self, records: Sequence[Any]) -> None:
        self.records = records
        self.length = len(records)
        self.nbytes = sum(record.nbytes if isinstance(record, np.ndarray) else len(record) for record in records)

    def take(self, indices: np.ndarray) -> list[Any]:
        """Return a list of the records themselves."""
        return [self.records[index] for index in indices]

    def chunk(self, start: int, stop: int) -> list[Any]:
        """Return a list of the records themselves."""
        return list(self.records[start:stop])

    def sizes(self) -> list[tuple[int, int]]:
        """Return height and width of every image."""
        return [record.shape[:2] for record in self.records]


class WindowStore(Store):
    """A long run of bytes, cut into windows of one length; the last may be shorter.

    Parameters
    ----------
    content : ndarray of shape (bytes,), uint8
        In memory, or memory-mapped.
    window : int
        Bytes in a record.
    """

    def __init__(self, content: np.ndarray, window: int) -> None:
        self.content = content
        self.window = window
        self.length = -(-len(content) // window)
        self.nbytes = len(content)
        self.resident = not isinstance(content, np.memmap)

    def take(self, indices: np.ndarray) -> list[bytes]:
        """Return the windows as bytes."""
        starts = np.asarray(indices) * self.window
        block = [self.content[start : start + self.window].tobytes() for start in starts]
        self._release()
        return block

    def chunk(self, start: int, stop: int) -> list[bytes]:
        """Return the windows as bytes."""
        run = self.content[start * self.window : stop * self.window].tobytes()
        self._release()
        return [run[at : at + self.window] for at in range(0, len(run), self.window)]

    def _release(self) -> None:
        if isinstance(self.content, np.memmap):
            _release(self.content)

"""Stores of records: in memory, in a file, in a list, behind one interface.

A store knows how many records it has and returns blocks of them, always in host memory and never as a view of mapped
pages. Parquet files and image files have their stores in :mod:`isthmus.data.parquet` and :mod:`isthmus.data.images`.
"""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.reading import FileArray

__all__ = ["RESIDENT_BYTES", "ArrayStore", "FileStore", "ListStore", "MappedStore", "Store", "WindowStore", "behind"]

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
    edges : ndarray of int64, or None
        Where reading begins, of records that are only read from certain ones on: 0, ..., length.
    streams : int, or None
        From how many of these places one may read side by side; None for any number.
    """

    length: int
    nbytes: int
    resident: bool
    edges: np.ndarray | None = None
    streams: int | None = None

    @abstractmethod
    def take(self, indices: np.ndarray) -> Any:
        """Return the records of the given numbers, in that order."""

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Any:
        """Return the records ``start`` to ``stop``; the end may be cut off, never the start."""

    def select(self, names: Sequence[str]) -> Store:
        """Return a store of some columns; only tables have columns."""
        raise TypeError(f"{type(self).__name__} has no columns")

    def sides(self) -> np.ndarray:
        """Return height and width of every record, (n, 2); only images have them."""
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

    def sides(self) -> np.ndarray:
        """Return the same height and width for all."""
        return np.broadcast_to(np.array(self.array.shape[1:3]), (self.length, 2))


class FileStore(Store):
    """Records in an array in a file, read a block at a time.

    Parameters
    ----------
    array : FileArray of shape (n, ...)
        The records.
    name : str
        Of the source, for the sentence about a NaN; values are checked when they are read.
    columns : sequence of int or None, default=None
        Of a matrix, the columns to keep.
    """

    resident = False

    def __init__(self, array: FileArray, name: str, columns: Sequence[int] | None = None) -> None:
        self.array = array
        self.name = name
        self.columns = None if columns is None else list(columns)
        self.length = len(array)
        self.nbytes = array.nbytes if columns is None else array.nbytes // array.shape[1] * len(columns)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Read records by number."""
        indices = np.asarray(indices)
        block = self._native(self.array.take(indices))
        if not checks.all_finite(block):
            for index, record in zip(indices, block, strict=True):
                checks.finite(record[None], self.name, first=int(index))
        return block

    def chunk(self, start: int, stop: int) -> np.ndarray:
        """Read neighbouring records."""
        block = self._native(self.array.read(start, stop))
        checks.finite(block, self.name, first=start)
        return block

    def sides(self) -> np.ndarray:
        """Return the same height and width for all."""
        return np.broadcast_to(np.array(self.array.shape[1:3]), (self.length, 2))

    def _native(self, block: np.ndarray) -> np.ndarray:
        block = block if self.columns is None else block[:, self.columns]
        return block.astype(block.dtype.newbyteorder("="), copy=False)


class MappedStore(Store):
    """Records in a caller's memory map that is no plain part of a file: changed in private, or every second row.

    Every block is copied out and its pages are given back. Without that, pages that were read stay counted as resident
    until the system needs them, and a pass over a file larger than memory looks (and, under a memory limit, is) as
    expensive as loading it.

    Parameters
    ----------
    array : memmap of shape (n, ...)
        The mapped records.
    name : str
        Of the source, for the sentence about a NaN; values are checked when they are read.
    """

    resident = False

    def __init__(self, array: np.memmap, name: str) -> None:
        self.array = array
        self.name = name
        self.length = len(array)
        self.nbytes = array.nbytes

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return a gathered copy."""
        indices = np.asarray(indices)
        self._check_file()
        # Reading in the order of the file lets neighbouring rows share a page.
        order = np.argsort(indices, kind="stable")
        block = np.empty((len(indices), *self.array.shape[1:]), self.array.dtype.newbyteorder("="))
        block[order] = self.array[indices[order]]
        _release(self.array)
        if not checks.all_finite(block):
            for index, record in zip(indices, block, strict=True):
                checks.finite(record[None], self.name, first=int(index))
        return block

    def chunk(self, start: int, stop: int) -> np.ndarray:
        """Return a copy."""
        self._check_file()
        block = np.array(self.array[start:stop])
        _release(self.array)
        block = block.astype(block.dtype.newbyteorder("="), copy=False)
        checks.finite(block, self.name, first=start)
        return block

    def sides(self) -> np.ndarray:
        """Return the same height and width for all."""
        return np.broadcast_to(np.array(self.array.shape[1:3]), (self.length, 2))

    def _check_file(self) -> None:
        """Refuse a file that became shorter than its map: touching a page behind its end kills the process."""
        mapping = getattr(self.array, "_mmap", None)
        file = self.array.filename
        if mapping is None or file is None or not os.path.exists(file):
            return
        start = self.array.offset - self.array.offset % mmap.ALLOCATIONGRANULARITY
        if os.path.getsize(file) < start + len(mapping):
            raise checks.unreadable_file(file, "it was cut short by another program after it had been opened")


def behind(array: np.memmap) -> FileArray | None:
    """Return the part of a file that a memory map shows; None where there is no such file, or the map is no plain part.

    Parameters
    ----------
    array : memmap
        Or a slice of one.
    """
    mapping = getattr(array, "_mmap", None)
    contiguous = array.flags.c_contiguous or array.flags.f_contiguous
    if mapping is None or array.filename is None or array.mode == "c" or not contiguous:
        return None
    # A slice of a memory map has its parent's offset, so the place in the file comes from the address in memory.
    first = np.frombuffer(mapping, np.uint8, 1).__array_interface__["data"][0]
    place = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY + array.__array_interface__["data"][0] - first
    try:
        found = FileArray(Path(array.filename), array.dtype, array.shape, place, fortran=not array.flags.c_contiguous)
    except OSError:
        return None
    # Another file may have taken the name since; the mapping still shows the first.
    return found if found.read(0, 1).tobytes() == np.array(array[:1]).tobytes() else None


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

    def sides(self) -> np.ndarray:
        """Return height and width of every image."""
        return np.array([record.shape[:2] for record in self.records], np.int32).reshape(-1, 2)


class WindowStore(Store):
    """A long run of bytes, cut into windows of one length; the last may be shorter.

    Parameters
    ----------
    content : ndarray or FileArray of shape (bytes,), uint8
        In memory, or in a file.
    window : int
        Bytes in a record.
    """

    def __init__(self, content: np.ndarray | FileArray, window: int) -> None:
        self.content = content
        self.window = window
        self.length = -(-len(content) // window)
        self.nbytes = len(content)
        self.resident = isinstance(content, np.ndarray)

    def take(self, indices: np.ndarray) -> list[bytes]:
        """Return the windows as bytes."""
        return [self._bytes(start, start + self.window) for start in np.asarray(indices) * self.window]

    def chunk(self, start: int, stop: int) -> list[bytes]:
        """Return the windows as bytes."""
        run = self._bytes(start * self.window, stop * self.window)
        return [run[at : at + self.window] for at in range(0, len(run), self.window)]

    def _bytes(self, start: int, stop: int) -> bytes:
        if isinstance(self.content, FileArray):
            return self.content.read(start, stop).tobytes()
        return self.content[start:stop].tobytes()

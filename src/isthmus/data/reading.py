"""Common steps of all file readers: is it a file, is it intact, has it changed since.

A file can be a pipe that never ends, claim more than it holds, be damaged so that a library fails in its own words, or
be cut short by another program between two blocks. Each ends with one sentence, and none with a library's exception.
"""

from __future__ import annotations

import errno
import math
import os
import stat
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.errors import DataError, IsthmusError

if TYPE_CHECKING:
    from gzip import GzipFile

__all__ = [
    "PACKED_LIMIT",
    "FileArray",
    "Identity",
    "decoding",
    "kind_of_file",
    "read_bounded",
    "read_text",
    "require_file",
    "status",
]

Refuse = Callable[[object, str], DataError]

PACKED_LIMIT = 8 * 2**30
"""Bytes that a packed file may unpack to in memory."""

PIECE = 2**20
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


# --- is it a file ----------------------------------------------------------------------------------------------------


def status(path: Path, refuse: Refuse = checks.unreadable_file) -> os.stat_result | None:
    """Return what the system knows of a path, links followed; None where there is nothing of that name.

    Parameters
    ----------
    path : Path
        Any path.
    refuse : callable
        Makes the error of a path and of what is wrong with it.

    Raises
    ------
    DataError
        There is something that cannot be reached: a broken or circular link, a folder without permission.
    """
    try:
        return path.stat()
    except ValueError:  # a zero byte
        return None
    except OSError as error:
        if os.path.islink(path):
            loop = error.errno == errno.ELOOP
            problem = (
                "it is a link that leads back to itself" if loop else "it is a link to something that is not there"
            )
            raise refuse(path, problem) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL):
            return None
        raise refuse(path, _in_words(error)) from error


def kind_of_file(mode: int) -> str | None:
    """Return what a path is that is no regular file: "a pipe", "a socket", "a device", "a folder"."""
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no regular file")


def require_file(path: Path, refuse: Refuse = checks.unreadable_file) -> os.stat_result:
    """Check that a path is a regular file, before it is opened: opening a pipe waits for somebody to write to it.

    Parameters
    ----------
    path, refuse
        As in :func:`status`.

    Raises
    ------
    DataError
        It is something else, or not there.
    """
    found = status(path, refuse)
    if found is None:
        raise refuse(path, "there is no such file")
    kind = kind_of_file(found.st_mode)
    if kind is not None:
        raise refuse(path, f"it is {kind}, not a file")
    return found


# --- is it sound -----------------------------------------------------------------------------------------------------


@contextmanager
def decoding(
    path: object, problem: str = "it is truncated or damaged", refuse: Refuse = checks.unreadable_file
) -> Iterator[None]:
    """Give one sentence for whatever a library raises about a damaged file.

    Decoders document few of the exceptions that damaged bytes make them raise. Only calls that decode belong inside:
    here every exception means damage, but for our own, for memory that ran out and for a package that is not there.

    Parameters
    ----------
    path : path
        The file, for the sentence.
    problem : str
        What is wrong with it then.
    refuse : callable
        Makes the error.

    Raises
    ------
    DataError
        Something was raised inside.
    """
    try:
        yield
    except (IsthmusError, MemoryError, ImportError):
        raise
    except Exception as error:
        raise refuse(path, f"{problem} ({_in_words(error)})") from error


def _in_words(error: Exception) -> str:
    """Return a library's complaint in a few words: its first line, or the name of its class."""
    if isinstance(error, PermissionError):
        return "reading it is not permitted"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return (lines[0][:120].strip().rstrip(".") if lines else "") or type(error).__name__


def read_text(path: Path, limit: int, refuse: Refuse = checks.unreadable_file) -> str:
    """Return a file that holds a text in UTF-8, of at most so many bytes, without its byte-order mark.

    Raises
    ------
    DataError
        It is no regular file, larger, or no UTF-8.
    """
    require_file(path, refuse)
    with decoding(path, "it is no text in UTF-8", refuse), path.open("rb") as file:
        content = read_bounded(file, limit)
        if len(content) > limit:
            raise refuse(path, f"it is larger than {limit // 2**20} MiB")
        return content.decode("utf-8-sig")


def read_bounded(file: IO[bytes] | GzipFile, limit: int, begun: bytes = b"") -> bytearray:
    """Return what was begun and the rest of a file, up to one byte more than a limit; memory follows what is there.

    A reader that is asked for so many bytes at once may take memory for all of them first.
    """
    content = bytearray(begun)
    while len(content) <= limit and (piece := file.read(min(PIECE, limit + 1 - len(content)))):
        content += piece
    return content


# --- is it still the same --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file a path named when it was opened, and in which state.

    Parameters
    ----------
    path : Path
        The file.
    known : tuple of int
        Its device, number, size and time of the last change.
    """

    path: Path
    known: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the identity that a file has now."""
        return cls(path, _facts(require_file(path)))

    def check(self) -> None:
        """Check that the file is what it was.

        Raises
        ------
        DataError
            It was replaced, changed or removed meanwhile.
        """
        found = status(self.path)
        if found is None or _facts(found) != self.known:
            raise _changed(self.path, found)

    @staticmethod
    def check_hash(path: Path, known: int) -> None:
        """Check that a file is what it was, by the hash of what was known of it.

        Raises
        ------
        DataError
            It was replaced, changed or removed meanwhile.
        """
        found = status(path)
        if found is None or hash(_facts(found)) != known:
            raise _changed(path, found)


def _changed(path: Path, found: os.stat_result | None) -> DataError:
    what = "was removed" if found is None else "was changed or replaced"
    return checks.unreadable_file(path, f"it {what} after it had been opened; open it again")


def _facts(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


SEEKING = Lock()
GAP = 2**14  # bytes between two records up to which one read of both, and of what lies between, is cheaper than two
SPAN = 2**20  # bytes of one such read: what is copied out of it still lies in the processor's cache


class FileArray:
    """An array in a file, of which rows are read into memory; nothing is mapped.

    A program that touches a mapped page of a file that was cut short meanwhile is killed by the system. A read says how
    much there was instead, and is not slower. The file stays open: what replaces it under its name is not read.

    Parameters
    ----------
    path : Path
        The file.
    dtype : dtype
        Of the values, as they are stored.
    shape : tuple of int
        Of the array; ``(n, ...)``.
    offset : int, default=0
        Bytes before the first value.
    fortran : bool, default=False
        Whether the first axis varies fastest, as in a file that holds the columns of a matrix one after another.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: Sequence[int], offset: int = 0, *, fortran: bool = False
    ) -> None:
        self.path = path
        self.dtype = dtype
        self.shape = tuple(shape)
        self.offset = offset
        self.fortran = fortran and len(self.shape) > 1
        self.nbytes = math.prod(self.shape) * dtype.itemsize
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a copy open the file itself: the number of an open file is nothing to share."""
        return partial(FileArray, fortran=self.fortran), (self.path, self.dtype, self.shape, self.offset)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the rows ``start`` to ``stop``, the end cut off at the last row.

        Raises
        ------
        DataError
            The file became shorter than it was.
        """
        stop = max(start, min(stop, len(self)))
        sides = self.shape[1:]
        if not self.fortran:
            block = np.empty((stop - start, *sides), self.dtype)
            self._fill(_bytes(block), start * (self.nbytes // len(self)))
            return block
        columns = np.empty((math.prod(sides), stop - start), self.dtype)
        for number, column in enumerate(columns):
            self._fill(_bytes(column), (number * len(self) + start) * self.dtype.itemsize)
        return columns.reshape(*reversed(sides), stop - start).T

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return rows by their numbers, in that order.

        Raises
        ------
        DataError
            As :meth:`read`.
        """
        sides = self.shape[1:]
        if not self.fortran:
            block = np.empty((len(rows), math.prod(sides)), self.dtype)
            self._gather(block, rows, 0)
            return block.reshape(len(rows), *sides)
        columns = np.empty((math.prod(sides), len(rows), 1), self.dtype)
        for number, column in enumerate(columns):
            self._gather(column, rows, number * len(self) * self.dtype.itemsize)
        return columns.reshape(*reversed(sides), len(rows)).T

    def all(self) -> np.ndarray:
        """Return all values in memory, which the caller may change.

        Raises
        ------
        DataError
            As :meth:`read`.
        """
        values = np.empty(math.prod(self.shape), self.dtype)
        self._fill(_bytes(values), 0)
        return values.reshape(self.shape, order="F" if self.fortran else "C")

    def _gather(self, block: np.ndarray, rows: np.ndarray, place: int) -> None:
        """Fill a block of shape (rows, values) in the order of the file; near rows are read at once."""
        if not block.size:
            return
        size, view = block[0].nbytes, _bytes(block)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        far = (np.diff(ordered) * size > GAP + size) | (np.diff(ordered * size // SPAN) != 0)
        starts = np.concatenate([[0], np.flatnonzero(far) + 1])
        stops = np.append(starts[1:], len(rows))
        spans = (starts, stops, ordered[starts], ordered[stops - 1], order[starts] * size)
        for start, stop, low, high, first in zip(*(numbers.tolist() for numbers in spans), strict=True):
            if stop - start == 1:
                self._fill(view[first : first + size], place + low * size)
                continue
            near = np.empty((high - low + 1, block.shape[1]), self.dtype)
            self._fill(_bytes(near), place + low * size)
            block[order[start:stop]] = near[ordered[start:stop] - low]

    def _fill(self, view: memoryview, place: int) -> None:
        """Read bytes from a place behind the offset."""
        place += self.offset
        while len(view):
            found = _read_into(self._file, view, place)
            if not found:
                raise checks.unreadable_file(self.path, "it was cut short by another program after it had been opened")
            view, place = view[found:], place + found


def _bytes(block: np.ndarray) -> memoryview:
    """Return the memory of a contiguous block."""
    return block.reshape(-1).view(np.uint8).data


def _read_into(file: int, view: memoryview, place: int) -> int:
    """Read from a place of a file and return how many bytes there were; where the system can, in any thread."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [view[: 2**30]], place)
    with SEEKING:
        os.lseek(file, place, os.SEEK_SET)
        found = os.read(file, min(len(view), 2**30))
    view[: len(found)] = found
    return len(found)

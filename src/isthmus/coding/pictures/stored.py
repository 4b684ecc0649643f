"""Files of pictures of one kind: stacks as NumPy's ``.npy`` and IDX files hold them, and PNG files, as arrays."""

from __future__ import annotations

import gzip
import math
import os
import warnings
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, idx
from isthmus.coding.arrays.content import read_head
from isthmus.coding.pictures.picture import Stack
from isthmus.coding.pictures.png import SIGNATURE, NoPixelsError, Png
from isthmus.coding.pictures.png_picture import PngPicture, pixels_of
from isthmus.coding.pictures.strips import Model
from isthmus.coding.sources import files_of
from isthmus.errors import DataTypeError, IsthmusWarning, ShapeError

__all__ = ["StackFile", "content_of", "holds_pictures", "read_stacks", "stack_in"]

NPY = b"\x93NUMPY"
KINDS = "bui"  # of samples that a file is taken to be pictures for, if nobody says what it is
NARROW = 4  # pixels, or channels: three axes of which the last is as short are one picture, as likely as a stack
PACKED_LIMIT = 1 << 33  # bytes that a gzip-packed file is unpacked to
DEFLATE = 1032  # bytes that a packed one can stand for, at most


class StackFile(NamedTuple):
    """A stack that lies in a file as it does in an array.

    Parameters
    ----------
    head : bytes
        What stands before it.
    stack : ndarray
        Mapped into memory where it can be.
    """

    head: bytes
    stack: NDArray[Any]


class _Head(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the items."""
        return math.prod(self.shape) * self.dtype.itemsize


def holds_pictures(path: Path) -> bool:
    """Tell whether a file is a PNG file, or an ``.npy`` or IDX file of what looks like a stack of whole numbers."""
    if path.suffix.lower() == ".png":
        return True
    if path.suffix.lower() != ".npy" and not idx.is_idx_name(path.name):
        return False
    with suppress(NoPixelsError, OSError, EOFError, zlib.error), _opened(path) as file:
        dtype, shape = _head_of(file)
        return dtype.kind in KINDS and len(shape) in (3, 4) and (len(shape) == 4 or shape[-1] > NARROW)
    return False


def stack_in(file: BinaryIO) -> StackFile:
    """Return the stack of an ``.npy`` or IDX file that begins where it stands.

    Raises
    ------
    NoPixelsError
        It is none, or one in another order than pictures one after another.
    """
    start = file.tell()
    head = _head_of(file)
    at = file.tell()
    size = file.seek(0, os.SEEK_END) - at
    file.seek(start)
    if size != head.size:
        raise NoPixelsError("has another size than its head promises")
    return StackFile(file.read(at - start), _mapped(file, head, at))


def content_of(file: BinaryIO, *, model: Model | None = None, name: str = "picture") -> Stack | PngPicture:
    """Return a PNG file, or a stack in an ``.npy`` or IDX file, as a content of a stream.

    Parameters
    ----------
    file : binary file
        From its start; has to be there until all pieces are made.
    model : PictureCodec, optional
    name : str, default="picture"
        What sentences call it.

    Raises
    ------
    NoPixelsError
        It is none.
    ShapeError, DataTypeError, DataError
        The model is for other pictures, or nobody could code these.
    """
    start = file.read(len(SIGNATURE))
    file.seek(0)
    if start == SIGNATURE:
        return PngPicture(file, model=model, name=name)
    head, stack = stack_in(file)
    if stack.ndim not in (3, 4):
        raise NoPixelsError(f"holds an array of {stack.ndim} axes, which is no stack of pictures")
    try:
        return Stack(stack, model=model, head=head, name=name)
    except (ShapeError, DataTypeError) as error:
        if model is not None:
            raise
        raise NoPixelsError(f"holds no stack that can be coded as pictures ({error})") from error


def read_stacks(paths: Sequence[str | os.PathLike[str]]) -> NDArray[Any]:
    """Return the pictures of files, and of all files in folders, as one stack (n, height, width[, channels]).

    Parameters
    ----------
    paths : sequence of path
        PNG, ``.npy`` and IDX files, the last packed with gzip or not.

    Raises
    ------
    DataError
        There are none, or one holds no pictures, or others than the first file.

    Warns
    -----
    IsthmusWarning
        Links and special files of a folder were left out.
    """
    found = [files_of(path) for path in paths]
    if skipped := [name for one in found for name in one.skipped]:
        warnings.warn(IsthmusWarning(checks.skipped_when_learning(skipped)), stacklevel=3)
    files = [file for one in found for file in one.files.values()]
    if not files:
        raise checks.no_pictures_to_learn()
    stacks = [_stack_of(file) for file in files]
    for file, stack in zip(files, stacks, strict=True):
        if (stack.shape[1:], stack.dtype) != (stacks[0].shape[1:], stacks[0].dtype):
            raise checks.pictures_unlike_the_first(file, _said(stack), files[0], _said(stacks[0]))
    return stacks[0] if len(stacks) == 1 else np.concatenate(stacks)


def _mapped(file: BinaryIO, head: _Head, at: int) -> NDArray[Any]:
    """Return the array that begins at a place of a file: mapped into memory, unless there is nothing to be mapped."""
    if head.size and hasattr(file, "name"):
        return np.memmap(file, head.dtype, "r", at, head.shape)
    file.seek(at)
    return np.frombuffer(file.read(head.size), head.dtype).reshape(head.shape)


def _said(stack: NDArray[Any]) -> str:
    return f"{stack.shape[1:]} {stack.dtype}"


def _stack_of(path: Path) -> NDArray[Any]:
    try:
        with open(path, "rb") as file:
            if path.suffix.lower() == ".png":
                return pixels_of(Png(file))[None]
            return _unpacked(path) if path.suffix == ".gz" else stack_in(file).stack
    except (NoPixelsError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise checks.no_pictures_in(path, str(error)) from error


def _unpacked(path: Path) -> NDArray[Any]:
    """Return the stack of a file that gzip packed; no more than it can stand for is taken for it."""
    with _opened(path) as file:
        head = _head_of(file)
        if head.size > min(PACKED_LIMIT, DEFLATE * path.stat().st_size):
            raise NoPixelsError("promises more than it can hold")
        values = file.read(head.size + 1)
    if len(values) != head.size:
        raise NoPixelsError("has another size than its head promises")
    return np.frombuffer(values, head.dtype).reshape(head.shape)


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else open(path, "rb")


def _head_of(file: IO[bytes]) -> _Head:
    """Return what the head of an ``.npy`` or IDX file says; the file is left behind it."""
    start = file.read(len(NPY))
    file.seek(-len(start), os.SEEK_CUR)
    if start != NPY and not idx.is_idx(start):
        raise NoPixelsError("does not begin like a PNG, .npy or IDX file")
    try:
        if start != NPY:
            return _Head(*idx.read_head(file))
        shape, is_fortran, dtype = read_head(file)
    except ValueError as error:
        raise NoPixelsError(str(error).removeprefix("it ")) from error
    if is_fortran and len(shape) > 1:
        raise NoPixelsError("has its items in Fortran's order, and not picture after picture")
    if dtype.hasobject:
        raise NoPixelsError("holds Python objects")
    return _Head(dtype, shape)

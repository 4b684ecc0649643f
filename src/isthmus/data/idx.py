"""IDX files, the format of MNIST: records, with the labels that lie beside them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import IO, cast

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.arrays import DEFLATE_RATIO, from_array, from_file
from isthmus.data.reading import PACKED_LIMIT, FileArray, decoding, read_bounded, require_file
from isthmus.data.records import Data
from isthmus.idx import MAGIC, is_idx, is_idx_name, read_head

__all__ = ["from_idx", "is_idx", "is_idx_file", "read"]


def is_idx_file(path: Path) -> bool:
    """Return whether a file, plain or gzip-packed, is an IDX file or is named as one."""
    if is_idx_name(path.name):
        return True
    with decoding(path), gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        return is_idx(file.read(MAGIC))


def from_idx(path: Path) -> Data:
    """Open an IDX file of records, with the file of labels beside it (``images-idx3`` and ``labels-idx1``)."""
    array = _open(path)
    if len(array.shape) == 1:
        raise checks.unreadable_file(path, f"it holds {len(array)} labels, not records; open the file of images")
    if isinstance(array, FileArray):
        data = from_file(array, name=path.name)
    else:
        data = from_array(array, name=path.name, container="files")
    labels = _labels_beside(path)
    if labels is None:
        return data
    data.notes.append(f"labels were read from {labels.name}.")
    return data.labelled(read(labels))


def _labels_beside(path: Path) -> Path | None:
    """Return the file of labels that belongs to a file of images, packed or not."""
    name = path.name.removesuffix(".gz")
    for images, labels in (
        ("images-idx3", "labels-idx1"),
        ("images.idx3", "labels.idx1"),
        ("images-idx4", "labels-idx1"),
    ):
        if images in name:
            for suffix in ("", ".gz"):
                neighbour = path.with_name(name.replace(images, labels) + suffix)
                if neighbour.is_file():
                    return neighbour
    return None


def read(path: Path) -> np.ndarray:
    """Return the array of an IDX file, plain or gzip-packed."""
    array = _open(path)
    return array.all() if isinstance(array, FileArray) else array


def _open(path: Path) -> np.ndarray | FileArray:
    """Return the array of an IDX file; that of a plain file that is large is left where it is.

    The sizes in the header are compared with the size of the file before any memory is taken for them.
    """
    packed = path.name.endswith(".gz")
    size = require_file(path).st_size
    with decoding(path), cast("IO[bytes]", gzip.open(path) if packed else path.open("rb")) as file:
        dtype, shape = _header(file, path)
        expected = math.prod(shape) * dtype.itemsize
        content = DEFLATE_RATIO * size if packed else size - file.tell()
        if expected > content or (not packed and expected < content):
            raise _wrong_size(path, shape, expected, content)
        if not packed and expected > stores.RESIDENT_BYTES:
            return FileArray(path, dtype, shape, file.tell())
        if expected > PACKED_LIMIT:
            raise checks.too_large(path, f"it unpacks to {expected} bytes", "8 GiB; unpack it first")
        values = read_bounded(file, expected)
    if len(values) != expected:
        raise _wrong_size(path, shape, expected, len(values))
    # Data handed out by a reader belong to the user, who may write to them: a bytearray can be written to.
    array = np.frombuffer(values, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: IO[bytes], path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Read the type of the values and the sizes."""
    try:
        return read_head(file)
    except ValueError as error:
        raise checks.unreadable_file(path, str(error)) from None


def _wrong_size(path: Path, shape: tuple[int, ...], expected: int, found: int) -> Exception:
    """Return the error for a file that is shorter or longer than its header says."""
    sizes = " x ".join(str(side) for side in shape)
    verb = "is truncated" if found < expected else "is too long"
    found_text = str(found) if found < expected else "more"
    what = f"it {verb}: its header says {sizes}, {expected} bytes of values, and it holds {found_text}"
    return checks.unreadable_file(path, what)

"""The head of IDX files, the format of MNIST: a magic number, then the sizes, in big-endian order as are the values.

Reference: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", the section on file formats.
"""

from __future__ import annotations

import struct
from typing import IO

import numpy as np

__all__ = ["MAGIC", "is_idx", "is_idx_name", "read_head"]

MAGIC = 4  # bytes
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is an IDX file."""
    return len(head) >= MAGIC and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 4


def is_idx_name(name: str) -> bool:
    """Return whether a file, plain or gzip-packed, is named as an IDX file."""
    return "-ubyte" in name or ".idx" in name


def read_head(file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the type of the values and the sizes; ValueError, with the reason as a clause, where that is no head."""
    magic = file.read(MAGIC)
    if not is_idx(magic):
        raise ValueError(f"it starts with {magic.hex(' ') or 'nothing'}, which is no IDX file")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError("it is truncated within its header")
    return np.dtype(TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)

"""Samples of pictures as words: whole numbers of at most 16 bits, in the order of the numbers that they are part of."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source

__all__ = ["WORD", "dtype_of", "joined", "read_dtype", "rounded", "span_of", "split", "words_of"]

WORD = 16  # bits of a word, at most
BIG = 1 << 7  # added where the highest byte comes first
KINDS = {"b": (1,), "u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}  # bytes of a sample


def dtype_of(dtype: np.dtype[Any]) -> bytes:
    """Return how a file says a type of samples: kind and order in one byte, then its bytes.

    Raises
    ------
    DataTypeError
        Samples are no truth values, whole numbers or floats of up to 64 bits.
    """
    if dtype.itemsize not in KINDS.get(dtype.kind, ()):
        raise checks.no_samples(dtype)
    big = dtype.byteorder == ">" or (dtype.byteorder == "=" and sys.byteorder == "big")
    return bytes([list(KINDS).index(dtype.kind) | (BIG if big else 0), dtype.itemsize])


def read_dtype(source: Source) -> np.dtype[Any]:
    """Return what :func:`dtype_of` wrote; ArtifactError where that is no type of samples."""
    code, size = source.take(2)
    kinds = list(KINDS)
    if code & ~BIG >= len(kinds) or size not in KINDS[kinds[code & ~BIG]] or (size == 1 and code & BIG):
        raise source.damaged("its samples are of no type")
    return np.dtype(f"{'>' if code & BIG else '<'}{kinds[code & ~BIG]}{size}")


def words_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return how many words a sample has, and the bits of each."""
    return (1, 8) if dtype.itemsize == 1 else (dtype.itemsize // 2, WORD)


def split(samples: NDArray[Any]) -> list[NDArray[np.unsignedinteger]]:
    """Return samples as arrays of words, the highest first; the order of words is that of samples."""
    count, bits = words_of(samples.dtype)
    numbers = _ordered(samples)
    return [(numbers >> bits * k & (1 << bits) - 1).astype(np.uint16) for k in range(count - 1, -1, -1)]


def joined(words: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the samples of words: what :func:`split` was given."""
    _, bits = words_of(dtype)
    numbers = np.zeros(words[0].shape, f"u{dtype.itemsize}")
    for k, word in enumerate(reversed(words)):
        numbers |= word.astype(numbers.dtype) << np.asarray(bits * k, numbers.dtype)
    if dtype.kind in "if":
        top = np.asarray(1 << 8 * dtype.itemsize - 1, numbers.dtype)
        below = numbers & top == 0  # a float below zero has all its bits turned
        numbers = np.where(below, ~numbers, numbers ^ top) if dtype.kind == "f" else numbers ^ top
    return numbers.view(dtype.newbyteorder("=")).astype(dtype, copy=False)


def span_of(dtype: np.dtype[Any]) -> int:
    """Return the difference of the largest and the smallest whole number of a type."""
    limits = np.iinfo(dtype)
    return int(limits.max) - int(limits.min)


def rounded(samples: NDArray[Any], step: int) -> NDArray[Any]:
    """Return whole numbers in the middle of the intervals of a length in which they lie, counted from the smallest."""
    if step == 1:
        return samples
    low = int(np.iinfo(samples.dtype).min)
    above = samples.astype(np.int64) - low
    middles = above // step * step + step // 2
    return (np.minimum(middles, span_of(samples.dtype)) + low).astype(samples.dtype)


def _ordered(samples: NDArray[Any]) -> NDArray[np.unsignedinteger]:
    """Return samples as unsigned numbers in the same order."""
    native = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
    numbers = native.view(f"u{samples.dtype.itemsize}")
    if samples.dtype.kind not in "if":
        return numbers
    top = np.asarray(1 << 8 * samples.dtype.itemsize - 1, numbers.dtype)
    below = numbers & top != 0
    return np.where(below, ~numbers, numbers | top) if samples.dtype.kind == "f" else numbers ^ top

"""Numbers that nothing predicts, as many bits of each as it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed", "size", "unpacked"]

Words = NDArray[np.uint64]
Lengths = NDArray[np.uint8]
AT_ONCE = 1 << 15  # numbers, a multiple of eight: each of these blocks but the last fills its bytes


def packed(numbers: Words, lengths: Lengths) -> bytes:
    """Return numbers, of each its so many lowest bits, highest first: all of one length, then those of the next.

    Parameters
    ----------
    numbers : ndarray of uint64, shape (n,)
    lengths : ndarray of uint8, shape (n,)
        0 to 64 bits.
    """
    return b"".join(_packed(numbers[chosen], int(length)) for length, chosen in _by_length(lengths))


def unpacked(content: bytes, lengths: Lengths) -> Words:
    """Return the numbers that were packed; ValueError where there are not as many bytes as they have."""
    numbers, position = np.zeros(len(lengths), np.uint64), 0
    for length, chosen in _by_length(lengths):
        count = len(lengths) if isinstance(chosen, slice) else int(np.count_nonzero(chosen))
        here = (count * length + 7) // 8
        part = np.frombuffer(content, np.uint8)[position : position + here]
        if len(part) < here or (part[-1:] & ((1 << 8 * here - count * length) - 1)).any():
            raise ValueError("bits are missing, or some that no number has")
        numbers[chosen] = _unpacked(part, count, length)
        position += here
    if position != len(content):
        raise ValueError("more bits than numbers have")
    return numbers


def size(lengths: Lengths) -> int:
    """Return how many bytes numbers of such lengths take."""
    counts = np.bincount(lengths, minlength=1).tolist()
    return sum((count * length + 7) // 8 for length, count in enumerate(counts))


def _by_length(lengths: Lengths) -> list[tuple[int, Any]]:
    """Return each length but 0, in rising order, and where it is."""
    counts = np.bincount(lengths, minlength=1)
    if len(counts) and counts[-1] == len(lengths) and len(counts) > 1:
        return [(len(counts) - 1, slice(None))]
    return [(int(length), lengths == length) for length in np.flatnonzero(counts) if length]


def _packed(numbers: Words, length: int) -> bytes:
    width = 32 if length <= 32 else 64
    pieces = []
    for start in range(0, len(numbers), AT_ONCE):
        words = numbers[start : start + AT_ONCE].astype(f">u{width // 8}")
        bits = np.unpackbits(words.view(np.uint8).reshape(-1, width // 8), axis=1)[:, width - length :]
        pieces.append(np.packbits(bits).tobytes())
    return b"".join(pieces)


def _unpacked(content: NDArray[np.uint8], count: int, length: int) -> Words:
    width = 32 if length <= 32 else 64
    pieces = []
    for start in range(0, count, AT_ONCE):
        here = min(AT_ONCE, count - start)
        begin, end = start * length // 8, ((start + here) * length + 7) // 8
        bits = np.zeros((here, width), np.uint8)
        bits[:, width - length :] = np.unpackbits(content[begin:end])[: here * length].reshape(here, length)
        pieces.append(np.packbits(bits, axis=1).reshape(-1).view(f">u{width // 8}").astype(np.uint64))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.uint64)

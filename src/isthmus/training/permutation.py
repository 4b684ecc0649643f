"""A random order that is computed, not stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.data.numbering import mixed

__all__ = ["Permutation"]

ROUNDS = 6


class Permutation:
    """A permutation of 0, ..., n - 1 in a few numbers: a Feistel network over pairs of digits.

    A number is written with two digits of base a = ceil(sqrt(n)). Each round adds to one digit a hash of the other,
    which can be undone, so that no two numbers meet. What comes out at n or above is put through again until it is
    below ("cycle walking": Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002); there are fewer than
    2 a + 1 such numbers.

    Parameters
    ----------
    n : int
        How many, at least 1.
    seed : int
        Of the order, 0 to 2**63 - 1.
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self._base = np.uint64(math.isqrt(n - 1) + 1)
        self._keys = mixed(np.uint64(seed) + np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, places: ArrayLike) -> NDArray[np.int64]:
        """Return the numbers at some places, each within 0, ..., n - 1."""
        numbers = np.atleast_1d(np.asarray(places)).astype(np.uint64)
        beyond = np.ones(len(numbers), bool)
        while beyond.any():
            numbers[beyond] = self._once(numbers[beyond])
            beyond = numbers >= np.uint64(self.n)
        return numbers.astype(np.int64)

    def _once(self, numbers: NDArray[np.uint64]) -> NDArray[Any]:
        upper, lower = np.divmod(numbers, self._base)
        for key in self._keys:
            upper, lower = lower, (upper + mixed(lower ^ key) % self._base) % self._base
        return upper * self._base + lower

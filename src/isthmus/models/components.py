"""Records in the directions in which they vary most: there models look for neighbours, before the first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["MOST", "PlainRecords", "principal_directions"]

MOST = 100_000  # records whose neighbours are looked for: that takes the square of their number
BLOCK = 4096  # records that are read at a time
DIMENSIONS = 50  # principal components in which neighbours are looked for
SAMPLE, SAMPLE_OF_WIDE = 8192, 1024  # records that components come from; where there are more numbers in a record


@dataclass(frozen=True)
class PlainRecords:
    """Records as rows of plain numbers, read a block at a time.

    Parameters
    ----------
    plain : callable
        Takes row numbers and returns the records as rows of numbers, (rows, inputs).
    """

    plain: Callable[[np.ndarray], Tensor]

    def read(self, rows: np.ndarray) -> Tensor:
        """Return records: (rows, inputs)."""
        return torch.cat([self.plain(part) for part in _parts(rows)])

    def components(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the mean of some of the records, and their principal directions: (inputs,), (components, inputs)."""
        width = self.plain(rows[:1]).shape[1]
        count = SAMPLE if width <= SAMPLE_OF_WIDE else SAMPLE_OF_WIDE
        x = self.read(np.sort(rng.permutation(rows)[:count]))
        middle = x.mean(0)
        return middle, principal_directions(x - middle, min(DIMENSIONS, width))

    def projected(self, rows: np.ndarray, middle: Tensor, directions: Tensor) -> np.ndarray:
        """Return records by their principal components: float32, (rows, components)."""
        parts = [((self.plain(part) - middle) @ directions.T).cpu().numpy() for part in _parts(rows)]
        return np.concatenate(parts)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, -(-len(rows) // BLOCK))


def principal_directions(x: Tensor, count: int) -> Tensor:
    """Return the directions in which records about zero vary most, the first one first: (n, d) -> (count, d).

    Directions in which nothing varies are zero where there are fewer records than numbers in one.
    """
    n, d = x.shape
    if d <= n:
        return torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :count].T.contiguous()
    values, vectors = torch.linalg.eigh(x @ x.T)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    lengths = values.clamp_min(0).sqrt()
    varies = lengths > 1e-4 * lengths[0]
    found = x.new_zeros(count, d)
    found[: len(lengths)][varies] = (x.T @ vectors[:, varies] / lengths[varies]).T
    return found

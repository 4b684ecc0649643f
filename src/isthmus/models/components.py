"""PCA of the training records, used to search for neighbours before training starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isthmus.training import Batches

__all__ = ["MAX_RECORDS", "PlainRecords", "principal_directions"]

MAX_RECORDS = 100_000  # records whose neighbours are looked for: more of them show no other shape
BLOCK = 4096  # records that are read at a time
DIMENSIONS = 50  # principal components in which neighbours are looked for
SAMPLE, SAMPLE_OF_WIDE = 8192, 1024  # records that components come from; where there are more numbers in a record


@dataclass(frozen=True)
class PlainRecords:
    """Records as rows of plain numbers, read a block at a time.

    Parameters
    ----------
    batches : Batches
        The records to train on.
    scale : callable
        Of the model's networks.
    numbers : callable
        Takes scaled records, (b, ...), and returns them as rows of numbers, (b, inputs).
    """

    batches: Batches
    scale: Callable[[Tensor], Tensor]
    numbers: Callable[[Tensor], Tensor]

    def read(self, rows: np.ndarray) -> Tensor:
        """Return records: (rows, inputs)."""
        return torch.cat(list(self._blocks(rows)))

    def components(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the mean of some of the records, and their principal directions: (inputs,), (components, inputs)."""
        width = self.read(self.batches.rows[:1]).shape[1]
        count = SAMPLE if width <= SAMPLE_OF_WIDE else SAMPLE_OF_WIDE
        x = self.read(self.batches.drawn(count, rng))
        middle = x.mean(0)
        return middle, principal_directions(x - middle, min(DIMENSIONS, width))

    def projected(self, rows: np.ndarray, middle: Tensor, directions: Tensor) -> np.ndarray:
        """Return records by their principal components: float32, (rows, components)."""
        return np.concatenate([((x - middle) @ directions.T).cpu().numpy() for x in self._blocks(rows)])

    def _blocks(self, rows: np.ndarray) -> Iterator[Tensor]:
        for part in np.array_split(rows, -(-len(rows) // BLOCK)):
            yield self._block(part)

    @torch.no_grad()
    def _block(self, rows: np.ndarray) -> Tensor:
        return self.numbers(self.scale(self.batches.read_rows(rows)))


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

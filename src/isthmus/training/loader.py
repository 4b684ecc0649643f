"""From records to batches for the engine: resident on the device where they fit there, streamed otherwise."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus import telling
from isthmus.data import Data
from isthmus.data.rows import LISTED, RowNumbers, Rows
from isthmus.preprocessing import Preprocessor
from isthmus.training import distributed
from isthmus.training.batches import Batches, GroupedBatches, PairedBatches, ResidentBatches, StreamedBatches

__all__ = ["Loader"]

BLOCK = 4096  # records that are read at once
DECODED_BLOCK = 1024  # where they are decoded from certain places on: a run that ends soon has decoded little in vain
MOST_RESIDENT = 2**23  # records; of more, their numbers and order would take more than many records do
ROW_BYTES = 24  # what they take of each


class Loader:
    """Records of one source, as batches.

    Parameters
    ----------
    data : Data
        The records.
    preprocessor : Preprocessor
        Fitted; what encodes them.
    device : torch.device
        Where batches arrive.

    Attributes
    ----------
    nbytes : int
        Bytes that the records take on the device; 0 where they are streamed.
    """

    def __init__(self, data: Data, preprocessor: Preprocessor, device: torch.device) -> None:
        self.data, self.preprocessor, self.device = data, preprocessor, device
        self.varies = None in preprocessor.shape_
        self.tensor = None if self.varies or not distributed.all_say(self._fits()) else self._resident()
        self.nbytes = 0 if self.tensor is None else self.tensor.nbytes

    def batches(self, rows: RowNumbers, labels: np.ndarray | None = None, *, paired: bool = False) -> Batches:
        """Return batches of some of the records.

        Parameters
        ----------
        rows : ndarray of int, or Rows
            Which ones, in increasing order.
        labels : ndarray of int, shape (n,), optional
            Class numbers of all records of the source, -1 for none.
        paired : bool, default=False
            Whether labelled records are added to each batch where some records have no label: see
            :class:`isthmus.training.PairedBatches`. Records of several sizes stay as they are.
        """
        batches = self._batches(rows)
        if labels is None:
            return batches
        batches.labels = torch.from_numpy(labels).to(self.device)
        return PairedBatches(batches) if paired and not self.varies and _some_unknown(labels, rows) else batches

    def _batches(self, rows: RowNumbers) -> Batches:
        if self.tensor is not None:
            return ResidentBatches(self.tensor, rows)
        if self.varies:
            return GroupedBatches(self._read, rows, self.data.sides[np.asarray(rows)], self.device)
        most = BLOCK if self.data.edges is None else DECODED_BLOCK
        block = max(1, min(most, 2**22 // max(1, self._record_bytes())))
        edges, streams = self.data.edges, self.data.store.streams
        if edges is not None:
            edges = np.unique(rows.below(edges) if isinstance(rows, Rows) else np.searchsorted(rows, edges))
        return StreamedBatches(self._read, rows, self.device, block=block, edges=edges, streams=streams)

    def _read(self, rows: np.ndarray) -> Any:
        return telling.encode(self.preprocessor, self.data, rows, self.data.take(rows))

    def _record_bytes(self) -> int:
        item = np.dtype(self.data.schema.dtype).itemsize if self.data.schema.kind in ("array", "image") else 4
        return int(np.prod([side or 1 for side in self.preprocessor.shape_])) * min(item, 4)

    def _fits(self) -> bool:
        if len(self.data) > MOST_RESIDENT:
            return False
        if self.data.resident:
            return True
        if self.data.edges is not None and len(self.data) > LISTED:  # all would be decoded before the first step
            return False
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
        else:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return len(self.data) * (self._record_bytes() + ROW_BYTES) < min(free // 4, 2 * 2**30)

    def _resident(self) -> Tensor:
        array = self.data.array
        if array is None:
            blocks = [telling.encode(self.preprocessor, self.data, start, block) for start, block in self.data.chunks()]
            encoded = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        else:
            encoded = telling.encode(self.preprocessor, self.data, 0, array)
        return _tensor(np.asarray(encoded)).to(self.device)


def _some_unknown(labels: np.ndarray, rows: RowNumbers) -> bool:
    """Tell whether some rows have no label."""
    if not isinstance(rows, Rows):
        return bool((labels[rows] < 0).any())
    return any((labels[a:b] < 0).any() for a, b in zip(rows.starts.tolist(), rows.stops.tolist(), strict=True))


def _tensor(array: np.ndarray) -> Tensor:
    """Return a tensor on an array's memory; torch warns of read-only arrays, to which nothing is written here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
        return torch.from_numpy(array)

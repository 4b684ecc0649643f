"""Sources of batches: memory, a stream, or groups of equally large records, behind one interface.

Every epoch's order is a function of ``(seed, epoch)`` alone, so a resumed run sees the batches it would have seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from isthmus.ranks import rank

__all__ = [
    "Batches",
    "GroupedBatches",
    "PairedBatches",
    "ResidentBatches",
    "StreamedBatches",
    "batch_sizes",
    "default_batch_size",
    "epoch_generator",
    "noise_generator",
]

Read = Callable[[np.ndarray], "np.ndarray | list[np.ndarray]"]
Batch = tuple[Tensor, Tensor]  # encoded records and their row numbers
ALL = slice(None)


def epoch_generator(seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one epoch: the same for the same seed and epoch, whatever was drawn before."""
    state = int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator(device).manual_seed(state)


def noise_generator(seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one epoch's noise: that of the epoch on the first rank, another one on every other."""
    if rank() == 0:
        return epoch_generator(seed, epoch, device)
    state = int(np.random.SeedSequence((seed, epoch, rank())).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator(device).manual_seed(state)


def batch_sizes(n: int, batch_size: int) -> list[int]:
    """Return how many records each batch of an epoch has: as equal as can be, so that none is a small remainder.

    Statistics over the records of a batch (a normalisation, a critic's view) say little of few records, and nothing of
    one. So there are as few batches as hold all records, of which the first have one record more than the last.

    Parameters
    ----------
    n : int
        Records, at least 1.
    batch_size : int
        Records in a batch at most. Only an odd number of records in batches of 2 makes one of 3: none has a single
        record, unless there is no other or batches of 1 are asked for.

    Returns
    -------
    list of int
        Their sum is n.
    """
    count = -(-n // batch_size)
    if batch_size > 1:
        count = min(count, max(1, n // 2))
    least, more = divmod(n, count)
    return [least + 1] * more + [least] * (count - more)


def default_batch_size(n: int, minimum: int) -> int:
    """Return a power of two near n / 64, at least ``minimum`` and at most 512."""
    return int(2 ** np.clip(np.floor(np.log2(max(n, 1) / 64)), np.log2(minimum), 9))


class Batches(ABC):
    """Records in the encoded form of a preprocessor, a shuffled batch at a time.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which records of the source these are, in increasing order.
    n : int
        Their number.
    device : torch.device
        Where batches arrive.
    labels : tensor or None
        What a model learns beside each record of the source, on the device: class numbers, places.
    """

    rows: np.ndarray
    device: torch.device
    labels: Tensor | None = None

    @property
    def n(self) -> int:
        """Return the number of records."""
        return len(self.rows)

    def labels_of(self, rows: Tensor) -> Tensor | None:
        """Return the labels of some rows, if there are any."""
        return None if self.labels is None else self.labels[rows.to(self.device)]

    @abstractmethod
    def epoch(self, batch_size: int, generator: torch.Generator, share: slice = ALL) -> Iterator[Batch]:
        """Yield every record once, in a random order, as ``(records, rows)``.

        Parameters
        ----------
        batch_size : int
            Records in a batch.
        generator : torch.Generator
            Of the order; on all ranks alike.
        share : slice, optional
            Which records of each batch to read: those of one rank. A batch of which it has none is empty.
        """

    @abstractmethod
    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:
        """Yield every record once, in the order of the source; or of each batch a share, as in :meth:`epoch`."""

    @abstractmethod
    def read_rows(self, rows: np.ndarray) -> Tensor:
        """Return the records of some of ``self.rows``, on the device."""

    def steps(self, batch_size: int) -> int:
        """Return the number of batches in an epoch."""
        return len(batch_sizes(self.n, batch_size))


class ResidentBatches(Batches):
    """All records lie on the device in their stored type; a batch is one index select there.

    Parameters
    ----------
    records : tensor, shape (all records, ...)
        On the device already.
    rows : ndarray of int
        Which of them to take.
    """

    def __init__(self, records: Tensor, rows: np.ndarray) -> None:
        self.records, self.rows = records, rows
        self.device = records.device
        self._rows = torch.from_numpy(rows).to(self.device)

    def epoch(  # noqa: D102
        self, batch_size: int, generator: torch.Generator, share: slice = ALL
    ) -> Iterator[Batch]:
        order = torch.randperm(self.n, generator=generator).to(self.device)
        return self._select(torch.split(self._rows[order], batch_sizes(self.n, batch_size)), share)

    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:  # noqa: D102
        return self._select(torch.split(self._rows, batch_size), share)

    def read_rows(self, rows: np.ndarray) -> Tensor:  # noqa: D102
        return self.records.index_select(0, torch.from_numpy(rows).to(self.device))

    def _select(self, pieces: Sequence[Tensor], share: slice) -> Iterator[Batch]:
        for piece in pieces:
            rows = piece[share]
            yield self.records.index_select(0, rows), rows


class StreamedBatches(Batches):
    """Records that stay where they are: read in blocks, shuffled within a window of blocks, constant memory.

    Blocks of consecutive records are visited in a random order. A window of them is read (while the window before is
    trained on, in one thread), and batches are drawn at random from the window.

    Parameters
    ----------
    read : callable
        ``read(rows)`` returns the encoded records of sorted row numbers, shape (len(rows), ...).
    rows : ndarray of int
        Which records of the source, in increasing order.
    device : torch.device
        Where batches arrive.
    block : int
        Consecutive records read together: enough to make a disk read worth its while.
    window : int, default=16
        Blocks shuffled together.
    """

    def __init__(self, read: Read, rows: np.ndarray, device: torch.device, *, block: int, window: int = 16) -> None:
        self.read, self.rows, self.device = read, rows, device
        self.block, self.window = max(1, block), window

    def epoch(  # noqa: D102
        self, batch_size: int, generator: torch.Generator, share: slice = ALL
    ) -> Iterator[Batch]:
        starts = torch.randperm(-(-self.n // self.block), generator=generator).numpy() * self.block
        blocks = [self.rows[start : start + self.block] for start in starts]
        windows = [np.sort(np.concatenate(blocks[i : i + self.window])) for i in range(0, len(blocks), self.window)]
        waiting: Batch | None = None  # records of the windows so far that no batch has held yet
        sizes = batch_sizes(self.n, batch_size)[::-1]  # the next one last
        for records, rows in self._read_ahead(windows):
            order = torch.randperm(len(rows), generator=generator)
            records, rows = records[order], rows[order]
            if waiting is not None:
                records, rows = torch.cat([waiting[0], records]), torch.cat([waiting[1], rows])
            start = 0
            while sizes and start + sizes[-1] <= len(rows):
                end = start + sizes.pop()
                yield records[start:end][share].to(self.device), rows[start:end][share]
                start = end
            waiting = (records[start:].clone(), rows[start:]) if start < len(rows) else None

    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:  # noqa: D102
        pieces = [self.rows[i : i + batch_size][share] for i in range(0, self.n, batch_size)]
        for records, rows in self._read_ahead(pieces):
            yield records.to(self.device), rows

    def read_rows(self, rows: np.ndarray) -> Tensor:  # noqa: D102
        return torch.from_numpy(np.asarray(self.read(rows))).to(self.device)

    def _read_ahead(self, pieces: Sequence[np.ndarray]) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self._read_some, pieces[0])
            for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
                records = waiting.result()
                if following is not None:
                    waiting = pool.submit(self._read_some, following)
                yield torch.from_numpy(np.asarray(records)), torch.from_numpy(piece)

    def _read_some(self, rows: np.ndarray) -> np.ndarray | list[np.ndarray]:
        return self.read(rows) if len(rows) else np.empty(0, np.float32)


class GroupedBatches(Batches):
    """Records of different sizes (pictures): each batch holds records of one size.

    Parameters
    ----------
    read : callable
        ``read(rows)`` returns a list of encoded records, each of shape (channels, height, width).
    rows : ndarray of int
        Which records of the source, in increasing order.
    sizes : sequence of (height, width)
        Of each of them.
    device : torch.device
        Where batches arrive.
    pixels : int, default=2**20
        A batch holds at most about so many pixels, and at least one record.
    """

    def __init__(
        self,
        read: Read,
        rows: np.ndarray,
        sizes: Sequence[tuple[int, int]],
        device: torch.device,
        *,
        pixels: int = 2**20,
    ) -> None:
        self.read, self.rows, self.device, self.pixels = read, rows, device, pixels
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, size in zip(rows.tolist(), sizes, strict=True):
            groups[size].append(row)
        self.groups = [(size, np.asarray(rows)) for size, rows in sorted(groups.items())]

    def _limit(self, size: tuple[int, int], batch_size: int) -> int:
        return max(1, min(batch_size, self.pixels // (size[0] * size[1])))

    def steps(self, batch_size: int) -> int:  # noqa: D102
        return sum(len(batch_sizes(len(rows), self._limit(size, batch_size))) for size, rows in self.groups)

    def epoch(  # noqa: D102
        self, batch_size: int, generator: torch.Generator, share: slice = ALL
    ) -> Iterator[Batch]:
        pieces: list[np.ndarray] = []
        for size, rows in self.groups:
            shuffled = rows[torch.randperm(len(rows), generator=generator).numpy()]
            sizes = batch_sizes(len(rows), self._limit(size, batch_size))
            pieces += np.split(shuffled, np.cumsum(sizes)[:-1])
        for i in torch.randperm(len(pieces), generator=generator).tolist():
            yield self._batch(pieces[i], share)

    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:  # noqa: D102
        for size, rows in self.groups:
            limit = self._limit(size, batch_size)
            for i in range(0, len(rows), limit):
                yield self._batch(rows[i : i + limit], share)

    def read_rows(self, rows: np.ndarray) -> Tensor:  # noqa: D102
        return torch.from_numpy(np.stack(list(self.read(rows)))).to(self.device)

    def _batch(self, piece: np.ndarray, share: slice) -> Batch:
        rows = np.sort(piece[share])
        records = self.read_rows(rows) if len(rows) else self.read_rows(piece[:1])[:0]  # of none the size is known
        return records, torch.from_numpy(rows)


class PairedBatches(Batches):
    """Adds up to ``at_most`` labelled records to every batch, so that each has labels even when few records do.

    Parameters
    ----------
    batches : Batches
        Of records of one size, with ``labels``, of which those below 0 are unknown.
    at_most : int, default=256
        Labelled records beside a batch; never more than the batch itself has.
    """

    def __init__(self, batches: Batches, at_most: int = 256) -> None:
        self.batches, self.at_most = batches, at_most
        self.rows, self.device, self.labels = batches.rows, batches.device, batches.labels
        known = self.labels[torch.from_numpy(batches.rows).to(self.device)] >= 0  # type: ignore[index]
        self.labelled = batches.rows[known.cpu().numpy()]

    def epoch(  # noqa: D102
        self, batch_size: int, generator: torch.Generator, share: slice = ALL
    ) -> Iterator[Batch]:
        waiting = np.empty(0, np.int64)
        sizes = batch_sizes(self.n, batch_size)
        for (records, rows), size in zip(self.batches.epoch(batch_size, generator, share), sizes, strict=True):
            count = min(self.at_most, size, len(self.labelled))
            while len(waiting) < count:
                order = torch.randperm(len(self.labelled), generator=generator).numpy()
                waiting = np.concatenate([waiting, self.labelled[order]])
            chosen, waiting = np.sort(waiting[:count])[share], waiting[count:]
            if len(chosen) == 0:
                yield records, rows
                continue
            more = torch.from_numpy(chosen).to(rows.device)
            yield torch.cat([records, self.read_rows(chosen)]), torch.cat([rows, more])

    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:  # noqa: D102
        return self.batches.in_order(batch_size, share)

    def read_rows(self, rows: np.ndarray) -> Tensor:  # noqa: D102
        return self.batches.read_rows(rows)

"""Sources of batches: memory, a stream, or groups of equally large records, behind one interface.

Every epoch's order is a function of ``(seed, epoch)`` alone, so a resumed run sees the batches it would have seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data.rows import LISTED, RowNumbers, joined, spread
from isthmus.ranks import rank
from isthmus.training.permutation import Permutation

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
Stretch = tuple[int, int]  # places of neighbouring records: the first, and the one behind the last
ALL = slice(None)
STRETCHES = 8  # for each rank at least, so that all have about as many records
PIECE = 2**16  # stretches that are listed at once


def epoch_generator(seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one epoch: the same for the same seed and epoch, whatever was drawn before."""
    return _generator((seed, epoch), device)


def noise_generator(seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one epoch's noise: that of the epoch on the first rank, another one on every other."""
    return _generator((seed, epoch, rank()) if rank() else (seed, epoch), device)


def _generator(entropy: tuple[int, ...], device: torch.device | str) -> torch.Generator:
    state = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
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
    count = batch_count(n, batch_size)
    least, more = divmod(n, count)
    return [least + 1] * more + [least] * (count - more)


def batch_count(n: int, batch_size: int) -> int:
    """Return how many batches :func:`batch_sizes` names."""
    count = -(-n // batch_size)
    return min(count, max(1, n // 2)) if batch_size > 1 else count


def default_batch_size(n: int, minimum: int) -> int:
    """Return a power of two near n / 64, at least ``minimum`` and at most 512."""
    return int(2 ** np.clip(np.floor(np.log2(max(n, 1) / 64)), np.log2(minimum), 9))


class Batches(ABC):
    """Records in the encoded form of a preprocessor, a shuffled batch at a time.

    Attributes
    ----------
    rows : ndarray of int, shape (n,), or Rows
        Which records of the source these are, in increasing order.
    n : int
        Their number.
    device : torch.device
        Where batches arrive.
    labels : tensor or None
        What a model learns beside each record of the source, on the device: class numbers, places.
    """

    rows: RowNumbers
    device: torch.device
    labels: Tensor | None = None

    @property
    def n(self) -> int:
        """Return the number of records."""
        return len(self.rows)

    def labels_of(self, rows: Tensor) -> Tensor | None:
        """Return the labels of some rows, if there are any; class numbers as torch's losses take them."""
        if self.labels is None:
            return None
        found = self.labels[rows.to(self.device)]
        return found if found.is_floating_point() else found.long()

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

    def some(self, most: int) -> np.ndarray:
        """Return up to ``most`` of the rows, evenly spaced, or those that are read soonest of as many places."""
        return self.rows[spread(self.n, most)]

    def drawn(self, most: int, rng: np.random.Generator) -> np.ndarray:
        """Return up to ``most`` of the rows, drawn at random; of very many those of :meth:`some`."""
        return np.sort(rng.permutation(self.rows)[:most]) if self.n <= LISTED else self.some(most)

    def steps(self, batch_size: int) -> int:
        """Return the number of batches in an epoch."""
        return batch_count(self.n, batch_size)


class ResidentBatches(Batches):
    """All records lie on the device in their stored type; a batch is one index select there.

    Parameters
    ----------
    records : tensor, shape (all records, ...)
        On the device already.
    rows : ndarray of int, or Rows
        Which of them to take.
    """

    def __init__(self, records: Tensor, rows: RowNumbers) -> None:
        self.records, self.rows = records, np.asarray(rows)
        self.device = records.device
        self._rows = torch.from_numpy(self.rows).to(self.device)

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

    The source is cut into stretches of neighbouring records, which are visited in a random order: blocks of one length,
    or what lies between ``edges``, where reading begins. Several stretches are open at a time. From each of them the
    next block is read; all of them together are a window (read while the window before is trained on, in one thread),
    and batches are drawn at random from the window. A rank reads only the stretches that are its own.

    Parameters
    ----------
    read : callable
        ``read(rows)`` returns the encoded records of sorted row numbers, shape (len(rows), ...).
    rows : ndarray of int, or Rows
        Which records of the source, in increasing order.
    device : torch.device
        Where batches arrive.
    block : int
        Consecutive records read together: enough to make a disk read worth its while.
    window : int, default=16
        Blocks shuffled together.
    edges : ndarray of int, optional
        Where reading begins, among ``rows``: 0, ..., n. What is shorter than a block is joined with what follows. By
        default reading may begin anywhere.
    streams : int, optional
        Stretches that are open at a time, by default as many as a window has blocks. Of fewer, each gives more to a
        window.
    """

    def __init__(
        self,
        read: Read,
        rows: RowNumbers,
        device: torch.device,
        *,
        block: int,
        window: int = 16,
        edges: np.ndarray | None = None,
        streams: int | None = None,
    ) -> None:
        self.read, self.rows, self.device = read, rows, device
        self.block, self.window = max(1, block), window
        self.edges = None if edges is None else joined(edges, self.block)
        self.streams = window if streams is None else min(streams, window)

    def epoch(self, batch_size: int, generator: torch.Generator, share: slice = ALL) -> Iterator[Batch]:
        """Yield every record once, in a random order; or the records of one rank, in as many batches.

        Parameters
        ----------
        batch_size : int
            Records in a batch of all ranks.
        generator : torch.Generator
            Of the order; on all ranks alike.
        share : slice, optional
            ``slice(rank, None, ranks)``: of the stretches in their random order, those of this rank. A batch may hold
            none of its records, and is empty then.
        """
        alone = (share.step or 1) == 1
        stretches = self._stretches(generator, share)
        held = self.n if alone else sum(stop - start for start, stop in stretches())
        if not alone:  # ranks have windows of different lengths, and what is drawn afterwards is alike on all
            generator = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        windows = self._read_ahead(map(self._rows_at, self._windows(stretches())))
        records, rows, at = torch.empty(0), torch.empty(0, dtype=torch.int64), 0
        for size in self._sizes(batch_size, held):
            while len(rows) - at < size:
                more = _shuffled(next(windows), generator)
                if at < len(rows):
                    more = torch.cat([records[at:], more[0]]), torch.cat([rows[at:], more[1]])
                (records, rows), at = more, 0
            yield records[at : at + size].to(self.device), rows[at : at + size]
            at += size

    def in_order(self, batch_size: int, share: slice = ALL) -> Iterator[Batch]:
        """Yield every record once, in the order of the source; or of each batch a share."""
        pieces = (self.rows[i : i + batch_size][share] for i in range(0, self.n, batch_size))
        for records, rows in self._read_ahead(pieces):
            yield records.to(self.device), rows

    def read_rows(self, rows: np.ndarray) -> Tensor:  # noqa: D102
        return torch.from_numpy(np.asarray(self.read(rows))).to(self.device)

    def some(self, most: int) -> np.ndarray:  # noqa: D102
        return self.rows[spread(self.n, most, self.edges)]

    def _stretches(self, generator: torch.Generator, share: slice) -> Callable[[], Iterator[Stretch]]:
        """Return what yields the stretches of an epoch, or those of one rank, as their first and last place."""
        first, ranks = share.start or 0, share.step or 1
        edges, block = self._cut(ranks)
        count = -(-self.n // block) if edges is None else len(edges) - 1
        order: np.ndarray | Permutation
        if count <= LISTED:
            order = torch.randperm(count, generator=generator).numpy()
        else:
            order = Permutation(count, int(torch.randint(2**62, (), generator=generator)))

        def stretches() -> Iterator[Stretch]:
            for start in range(first, count, ranks * PIECE):
                for k in order[np.arange(start, min(start + ranks * PIECE, count), ranks)].tolist():
                    yield (
                        (k * block, min((k + 1) * block, self.n))
                        if edges is None
                        else (int(edges[k]), int(edges[k + 1]))
                    )

        return stretches

    def _cut(self, ranks: int) -> tuple[np.ndarray | None, int]:
        """Return edges and the length of blocks; where there are too few stretches for all ranks, shorter ones."""
        wanted = 1 if ranks == 1 else STRETCHES * ranks
        if self.edges is None:
            return None, max(1, min(self.block, self.n // wanted)) if ranks > 1 else self.block
        parts = -(-wanted // (len(self.edges) - 1))
        if parts == 1:
            return self.edges, self.block
        between = [np.linspace(a, b, parts + 1)[:-1].astype(np.int64) for a, b in pairwise(self.edges.tolist())]
        return np.unique(np.append(np.concatenate(between), self.n)), self.block

    def _windows(self, stretches: Iterator[Stretch]) -> Iterator[list[Stretch]]:
        """Yield the pieces of each window: the next one of every stretch that is open."""
        waiting: list[Stretch] = []
        while True:
            waiting += islice(stretches, self.streams - len(waiting))
            if not waiting:
                return
            most = self.block * self.window // len(waiting)
            yield [(start, min(start + most, stop)) for start, stop in waiting]
            waiting = [(start + most, stop) for start, stop in waiting if start + most < stop]

    def _rows_at(self, pieces: Sequence[Stretch]) -> np.ndarray:
        return np.sort(np.concatenate([self.rows[start:stop] for start, stop in pieces]))

    def _sizes(self, batch_size: int, held: int) -> Iterator[int]:
        """Yield how many of the records that are held each batch has: in proportion to those of all ranks."""
        count = batch_count(self.n, batch_size)
        least, more = divmod(self.n, count)
        before = 0
        for step in range(1, count + 1):
            end = held * (step * least + min(step, more)) // self.n
            yield end - before
            before = end

    def _read_ahead(self, pieces: Iterable[np.ndarray]) -> Iterator[Batch]:
        """Yield the records of each piece, while the next one is read."""
        with ThreadPoolExecutor(1) as pool:
            waiting: tuple[np.ndarray, Future[Any]] | None = None
            for piece in pieces:
                following = piece, pool.submit(self._read_some, piece)
                if waiting is not None:
                    yield _as_batch(*waiting)
                waiting = following
            if waiting is not None:
                yield _as_batch(*waiting)

    def _read_some(self, rows: np.ndarray) -> np.ndarray | list[np.ndarray]:
        return self.read(rows) if len(rows) else np.empty(0, np.float32)


def _shuffled(batch: Batch, generator: torch.Generator) -> Batch:
    order = torch.randperm(len(batch[1]), generator=generator)
    return batch[0][order], batch[1][order]


def _as_batch(rows: np.ndarray, records: Future[Any]) -> Batch:
    return torch.from_numpy(np.asarray(records.result())), torch.from_numpy(rows)


class GroupedBatches(Batches):
    """Records of different sizes (pictures): each batch holds records of one size.

    Parameters
    ----------
    read : callable
        ``read(rows)`` returns a list of encoded records, each of shape (channels, height, width).
    rows : ndarray of int, or Rows
        Which records of the source, in increasing order.
    sizes : array of int, shape (n, 2), or sequence of (height, width)
        Of each of them.
    device : torch.device
        Where batches arrive.
    pixels : int, default=2**20
        A batch holds at most about so many pixels, and at least one record.
    """

    def __init__(
        self,
        read: Read,
        rows: RowNumbers,
        sizes: np.ndarray | Sequence[tuple[int, int]],
        device: torch.device,
        *,
        pixels: int = 2**20,
    ) -> None:
        self.read, self.rows, self.device, self.pixels = read, np.asarray(rows), device, pixels
        found, group = np.unique(np.asarray(sizes).reshape(-1, 2), axis=0, return_inverse=True)
        parts = np.split(
            self.rows[np.argsort(group.ravel(), kind="stable")], np.cumsum(np.bincount(group.ravel()))[:-1]
        )
        self.groups = [((int(height), int(width)), part) for (height, width), part in zip(found, parts, strict=True)]

    def _limit(self, size: tuple[int, int], batch_size: int) -> int:
        return max(1, min(batch_size, self.pixels // (size[0] * size[1])))

    def steps(self, batch_size: int) -> int:  # noqa: D102
        return sum(batch_count(len(rows), self._limit(size, batch_size)) for size, rows in self.groups)

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
        known = self.labels.cpu().numpy() >= 0  # type: ignore[union-attr]
        self.labelled = np.asarray(batches.rows)[known[batches.rows]]

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

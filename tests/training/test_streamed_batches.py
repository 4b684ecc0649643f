"""Streams: each record once an epoch, each row group read once, each rank its own stretches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.data.rows import Rows
from isthmus.training import StreamedBatches
from isthmus.training import batches as module
from isthmus.training.batches import epoch_generator
from isthmus.training.permutation import Permutation

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [*range(1, 70), 1000, 4096, 99_991])
def test_a_computed_order_has_every_number_once(n):
    order = Permutation(n, 5)[np.arange(n)]
    assert np.sort(order).tolist() == list(range(n))


def test_computed_orders_look_random_and_follow_from_their_seed():
    one, other = (Permutation(50_000, seed)[np.arange(50_000)] for seed in (1, 2))
    assert (Permutation(50_000, 1)[np.arange(50_000)] == one).all()
    spread_of_r = 1 / np.sqrt(50_000)
    for a, b in ((one, np.arange(50_000)), (one, other), (one[1:], one[:-1])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 * spread_of_r
    assert (one == np.arange(50_000)).sum() < 12  # of a random order one in the mean
    far = Permutation(10**12, 3)[np.arange(0, 10**12, 10**9)]
    assert len(np.unique(far)) == 1000
    assert 0 <= far.min() < 10**10 < 99 * 10**10 < far.max() < 10**12


class Source:
    """Records that are their row numbers; it remembers which were read, in which order."""

    def __init__(self) -> None:
        self.reads: list[np.ndarray] = []

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.reads.append(rows)
        return rows[:, None].astype(np.float32)

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate(self.reads)


EDGES = {
    "none": None,
    "even": np.arange(0, 1001, 50),
    "few": np.array([0, 400, 1000]),
    "one": np.array([0, 1000]),
    "small": np.array([0, *range(1, 1000, 3), 1000]),
    "uneven": np.array([0, 3, 500, 501, 900, 1000]),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("streams", [None, 1, 3])
def test_every_record_is_read_once_an_epoch_and_lies_in_one_batch(name, streams):
    source, rows = Source(), Rows.of(np.arange(5, 2005, 2))
    stream = StreamedBatches(source, rows, CPU, block=32, window=4, edges=EDGES[name], streams=streams)
    drawn = list(stream.epoch(60, epoch_generator(0, 0)))
    assert len(drawn) == stream.steps(60)
    assert sorted(len(batch) for _, batch in drawn) == sorted(module.batch_sizes(1000, 60))
    assert torch.cat([batch for _, batch in drawn]).sort().values.tolist() == list(rows)
    assert all(torch.equal(records[:, 0].long(), batch) for records, batch in drawn)
    assert np.sort(source.rows).tolist() == list(rows)
    assert max(map(len, source.reads)) <= 4 * 32 + 64  # so much lies in memory at once
    assert torch.cat([batch for _, batch in drawn]).tolist() != list(rows)
    again = StreamedBatches(Source(), rows, CPU, block=32, window=4, edges=EDGES[name], streams=streams)
    assert torch.equal(
        torch.cat([b for _, b in drawn]), torch.cat([b for _, b in again.epoch(60, epoch_generator(0, 0))])
    )


@pytest.mark.parametrize("name", ["even", "few", "one", "uneven"])
def test_what_lies_between_edges_is_read_from_its_beginning_to_its_end(name):
    source, edges = Source(), EDGES[name]
    stream = StreamedBatches(source, Rows.all(1000), CPU, block=32, window=4, edges=edges, streams=3)
    list(stream.epoch(60, epoch_generator(0, 0)))
    for start, stop in zip(stream.edges[:-1], stream.edges[1:], strict=True):
        here = source.rows[(source.rows >= start) & (source.rows < stop)]
        assert here.tolist() == list(range(start, stop))
    opened = [np.unique(np.searchsorted(stream.edges, rows, "right")) for rows in source.reads]
    assert max(map(len, opened)) <= 3  # side by side


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("world", [2, 3, 5])
def test_shares_of_ranks_are_disjoint_complete_and_of_one_number_of_batches(name, world):
    rows, read, drawn = Rows.of(np.arange(5, 2005, 2)), [], []
    for rank in range(world):
        source = Source()
        stream = StreamedBatches(source, rows, CPU, block=32, window=4, edges=EDGES[name])
        part = list(stream.epoch(60, epoch_generator(0, 0), slice(rank, None, world)))
        assert len(part) == stream.steps(60)
        read.append(source.rows)
        drawn.append(torch.cat([batch for _, batch in part]))
        assert sorted(read[-1].tolist()) == drawn[-1].sort().values.tolist()  # it reads nothing of others
    assert torch.cat(drawn).sort().values.tolist() == list(rows)
    assert min(map(len, drawn)) >= 1000 / world / 2


def test_what_is_drawn_beside_a_share_is_alike_on_all_ranks():
    drawn = []
    for rank in range(3):
        generator = epoch_generator(0, 0)
        epoch = StreamedBatches(Source(), Rows.all(1000), CPU, block=32).epoch(60, generator, slice(rank, None, 3))
        drawn.append([int(torch.randint(10**6, (), generator=generator)) for _ in epoch])
    assert drawn[0] == drawn[1] == drawn[2]


def test_shares_of_records_in_order_are_strided():
    stream = StreamedBatches(Source(), Rows.all(10), CPU, block=4)
    parts = [[rows.tolist() for _, rows in stream.in_order(4, slice(rank, None, 2))] for rank in range(2)]
    assert parts == [[[0, 2], [4, 6], [8]], [[1, 3], [5, 7], [9]]]


def test_more_ranks_than_records_get_empty_batches():
    parts = [
        list(StreamedBatches(Source(), Rows.all(3), CPU, block=4).epoch(2, epoch_generator(0, 0), slice(r, None, 5)))
        for r in range(5)
    ]
    assert sorted(row for part in parts for _, rows in part for row in rows.tolist()) == [0, 1, 2]
    assert {len(part) for part in parts} == {1}


def test_an_order_of_very_many_blocks_is_computed(monkeypatch):
    monkeypatch.setattr(module, "LISTED", 10)
    source = Source()
    drawn = list(StreamedBatches(source, Rows.all(500), CPU, block=4, window=3).epoch(50, epoch_generator(0, 0)))
    assert torch.cat([rows for _, rows in drawn]).sort().values.tolist() == list(range(500))
    assert source.rows.tolist() != list(range(500))


def test_an_epoch_that_is_left_has_read_no_more_than_a_window_ahead():
    source = Source()
    epoch = StreamedBatches(source, Rows.all(10_000), CPU, block=32, window=4).epoch(64, epoch_generator(0, 0))
    next(epoch)
    epoch.close()
    assert len(source.rows) <= 2 * 4 * 32


def test_the_number_of_steps_takes_no_list():
    for n in range(1, 200):
        for batch_size in (1, 2, 3, 7, 64):
            assert module.batch_count(n, batch_size) == len(module.batch_sizes(n, batch_size))
    assert StreamedBatches(Source(), Rows.all(10**12), CPU, block=4).steps(512) == 10**12 // 512

"""Batches: every record once, in an order that follows from the seed, and none of them a small remainder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus import Autoencoder, LadderNetwork, TotalCorrelationVAE, WassersteinAutoencoder
from isthmus.errors import ParameterError
from isthmus.training import Batches, GroupedBatches, PairedBatches, ResidentBatches, StreamedBatches, batch_sizes
from isthmus.training.batches import epoch_generator

SIZES = (1, 2, 3, 8, 32)


def resident(n: int) -> Batches:
    return ResidentBatches(torch.arange(2 * n)[:, None], np.arange(1, 2 * n, 2))


def streamed(n: int) -> Batches:
    return StreamedBatches(lambda rows: rows[:, None], np.arange(1, 2 * n, 2), torch.device("cpu"), block=4, window=3)


def grouped(n: int) -> Batches:
    def read(rows: np.ndarray) -> list[np.ndarray]:
        return [np.full((1, 2, 2), row) for row in rows]

    return GroupedBatches(read, np.arange(1, 2 * n, 2), [(2, 2)] * n, torch.device("cpu"))


def paired(n: int) -> Batches:
    batches = resident(n)
    batches.labels = torch.full((2 * n,), -1)
    batches.labels[1::4] = 0
    return PairedBatches(batches)


KINDS = (resident, streamed, grouped, paired)


@pytest.mark.parametrize("batch_size", SIZES)
def test_sizes_are_as_equal_as_can_be_and_none_is_one(batch_size):
    for n in range(1, 3 * batch_size + 2):
        sizes = batch_sizes(n, batch_size)
        assert sum(sizes) == n
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= (3 if batch_size == 2 else batch_size)
        assert min(sizes) >= min(n, 2, batch_size)
        assert min(sizes) >= min(n, batch_size) // 2
        assert len(sizes) <= -(-n // batch_size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", SIZES)
def test_an_epoch_has_batches_of_these_sizes_with_every_record_once(kind, batch_size):
    for n in range(1, 3 * batch_size + 2):
        batches = kind(n)
        drawn = [(records, rows) for records, rows in batches.epoch(batch_size, epoch_generator(0, n))]
        beside = [0 if kind is not paired else min(len(rows) // 2, -(-n // 2)) for _, rows in drawn]
        plain = [rows[: len(rows) - more] for (_, rows), more in zip(drawn, beside, strict=True)]
        assert sorted(map(len, plain)) == sorted(batch_sizes(n, batch_size))
        assert len(drawn) == batches.steps(batch_size)
        assert torch.cat(plain).sort().values.tolist() == list(range(1, 2 * n, 2))
        assert all(torch.equal(records.flatten(1)[:, 0].long(), rows) for records, rows in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_follows_from_seed_and_epoch(kind):
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat([rows for _, rows in kind(65).epoch(32, epoch_generator(seed, epoch))]).tolist()

    assert order(3, 7) == order(3, 7)
    assert order(3, 7) != order(3, 8)
    assert order(3, 7) != order(4, 7)


def test_pictures_of_several_sizes_are_spread_in_each_size():
    sizes = [(2, 2)] * 9 + [(3, 2)] * 5
    batches = GroupedBatches(lambda rows: [np.full((1, *sizes[row]), row) for row in rows], np.arange(14), sizes, "cpu")
    assert sorted(len(rows) for _, rows in batches.epoch(4, epoch_generator(0, 0))) == [2, 3, 3, 3, 3]
    assert batches.steps(4) == 5


# ---------------------------------------------------------------------- statistics over a batch


@pytest.mark.parametrize("n", [2, 3, 36, 72, 97])
def test_a_network_normalised_over_batches_is_fitted_on_any_number_of_records(n):
    X = np.random.default_rng(0).normal(size=(n, 4))
    model = Autoencoder(norm="batch", hidden=(8,), max_epochs=3, random_state=0).fit(X)
    assert np.isfinite([record["train_loss"] for record in model.history_]).all()


@pytest.mark.long
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_one_record_more_changes_little_of_a_ladder_network(share):
    rng = np.random.default_rng(0)
    y = np.arange(97) % 3
    X = 3 * np.eye(5)[y] + rng.normal(size=(97, 5))
    known = np.where(rng.random(97) < share, y, -1)
    losses, right = {}, {}
    for n in (96, 97):
        model = LadderNetwork(batch_size=32, max_epochs=60, random_state=0).fit(X[:n], known[:n])
        losses[n] = model.history_[-1]["train_loss"]
        right[n] = (model.class_logits(X).argmax(1) == y).mean()
    assert losses[97] < 1.5 * losses[96]
    assert right[97] > right[96] - 0.1


def test_a_ladder_network_stays_finite_on_records_that_are_alike():
    X = np.repeat(np.random.default_rng(0).normal(size=(2, 5)), 40, axis=0)
    X[0] += 1
    model = LadderNetwork(batch_size=8, max_epochs=10, random_state=0).fit(X, np.repeat([0, 1], 40))
    assert model.history_[-1]["train_loss"] < 1e4
    assert np.isfinite(model.class_logits(X)).all()


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (Autoencoder(norm="batch", batch_size=1), "norm='batch'"),
        (LadderNetwork(batch_size=1), "its objective"),
        (TotalCorrelationVAE(batch_size=1), "its objective"),
        (WassersteinAutoencoder(batch_size=1), "its objective"),
    ],
)
def test_batches_of_one_are_refused_where_records_are_compared(model, what):
    with pytest.raises(ParameterError) as caught:
        model.fit(np.eye(4), [0, 1, 0, 1])
    assert str(caught.value) == (
        f"{type(model).__name__}: batch_size must be at least 2, because {what} compares the records of a batch; "
        "it is 1."
    )


def test_a_value_alone_is_normalised_by_the_averages_over_training():
    from isthmus.networks.layers import normalisation

    layer = normalisation("batch", 3, pictures=False)
    rows = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(100):
        layer(5 + 2 * rows)
    assert torch.allclose(layer(5 + 2 * rows[:1]), layer.eval()(5 + 2 * rows[:1]))

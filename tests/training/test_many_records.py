"""Fits on very many records, at sizes that are called many here: what the model remembers, and what is read for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import isthmus
from isthmus import data
from isthmus.cli import scoring
from isthmus.data import looking, splitting
from isthmus.data.rows import Rows
from isthmus.fitting import Fit
from isthmus.tasks.held_out import divided_again, division, rows_not_trained_on
from isthmus.telling import SeenRows
from isthmus.training import StreamedBatches

QUICK = {"hidden": (8,), "latent_dim": 2, "random_state": 0, "batch_size": 50}
N = 4000


def rows(n: int = N) -> np.ndarray:
    return np.random.default_rng(0).normal([0, 5, -3], [1, 2, 0.1], (n, 3)).astype(np.float32)


@pytest.fixture
def table(tmp_path):
    """Return a Parquet file of 4,000 rows in row groups of 500."""
    made = pa.table({f"x{k}": column for k, column in enumerate(rows().T)} | {"y": np.arange(N) % 3})
    parquet.write_table(made, tmp_path / "t.parquet", row_group_size=500)
    return tmp_path / "t.parquet"


def test_a_model_remembers_which_of_many_records_it_held_out(many, tmp_path):
    model = isthmus.Autoencoder(**QUICK, max_epochs=1).fit(rows())
    held_out = model.held_out_rows()
    assert len(held_out) == model.provenance_["held_out_records"] == 200
    assert model.provenance_["train_records"] == model.n_records_ == N - 200
    model.save(tmp_path / "m.safetensors")
    again = isthmus.load(tmp_path / "m.safetensors")
    assert again.held_out_rows().tolist() == held_out.tolist()
    assert rows_not_trained_on(again, data.open(rows())).tolist() == held_out.tolist()


def test_a_file_of_earlier_days_means_the_rows_that_it_held_out(many, tmp_path):
    model = isthmus.Autoencoder(**QUICK, max_epochs=1).fit(rows())
    del model.provenance_["held_out_runs"]
    wanted = np.sort(np.random.default_rng(model.provenance_["seed"]).permutation(N)[:200])
    assert model.held_out_rows().tolist() == wanted.tolist()


def test_preprocessing_knows_nothing_of_records_that_are_held_out_or_not_looked_at(many, tmp_path):
    X = rows()
    np.save(tmp_path / "x.npy", X)
    model = isthmus.Autoencoder(**QUICK, max_epochs=1)
    run = Fit(model, str(tmp_path / "x.npy"), seed=0, validation=None).prepare()
    places = looking.places_to_look_at(run.data.subset(run.rows))
    looked = X[run.rows[np.asarray(places)]]
    assert len(looked) == 1000
    assert not np.isin(np.asarray(run.rows.at(places)), np.asarray(run.held_out)).any()
    np.testing.assert_array_equal(model.preprocessor_.summary_.low, looked.min(axis=0))
    np.testing.assert_array_equal(model.preprocessor_.summary_.high, looked.max(axis=0))
    run.train()
    assert any("learned from 1,000 of the 3,800 records" in note for note in model.notes_)


def test_a_held_out_record_far_beyond_those_looked_at_is_taken_in(many, tmp_path):
    X = rows()
    seen = np.asarray(splitting.apart(data.open(X), 0.1, 0))
    X[seen[7]] = 1e15
    np.save(tmp_path / "x.npy", X)
    model = isthmus.Autoencoder(**QUICK, max_epochs=1, scaling="standard").fit(str(tmp_path / "x.npy"))
    assert any("too far beyond the others" in note for note in model.notes_)
    assert model.preprocessor_.summary_.high.max() == np.float32(1e15)


def test_an_id_among_some_of_the_rows_is_known_as_one(many, tmp_path):
    made = pa.table({"id": np.arange(N), "x": rows()[:, 0]})
    parquet.write_table(made, tmp_path / "t.parquet", row_group_size=500)
    model = isthmus.Autoencoder(**QUICK, max_epochs=0.1).fit(str(tmp_path / "t.parquet"))
    assert model.preprocessor_.set_aside_ == ("id",)


@pytest.mark.parametrize("epochs", [0.1, 1, 3])
def test_rows_are_decoded_little_more_often_than_they_are_trained_on(many, table, epochs):
    opened = data.open(table, label_column="y")
    model = isthmus.Autoencoder(**QUICK, max_epochs=epochs)
    run = Fit(model, opened, seed=0, validation=0).prepare()
    assert isinstance(run.batches, StreamedBatches)
    run.batches.block, run.batches.window = 16, 4
    before = opened.store.decoded
    run.train()
    trained = model.provenance_["steps"] * 50
    assert opened.store.decoded - before <= 2 * trained + N  # in the end codes of up to 10,000 records are kept


def test_an_epoch_decodes_each_row_once(many, table):
    opened = data.open(table, label_column="y")
    run = Fit(isthmus.Autoencoder(**QUICK), opened, seed=0, validation=None).prepare()
    before = opened.store.decoded
    epoch = run.batches.epoch(50, isthmus.training.batches.epoch_generator(0, 0))
    drawn = np.concatenate([numbers.numpy() for _, numbers in epoch])
    assert np.sort(drawn).tolist() == np.asarray(run.rows).tolist()
    assert opened.store.decoded - before <= N


def test_a_fit_on_a_streamed_table_learns_from_labels_in_bytes(many, table):
    model = isthmus.LadderNetwork(hidden=(8,), random_state=0, max_epochs=0.2)
    run = Fit(model, data.open(table, label_column="y"), seed=0, validation=None).prepare()
    assert run.batches.labels.dtype.itemsize == 1
    _, numbers = next(iter(run.batches.epoch(50, isthmus.training.batches.epoch_generator(0, 0))))
    assert run.batches.labels_of(numbers).tolist() == (numbers % 3).tolist()
    run.train()
    assert model.class_counts_.tolist() == np.bincount(np.arange(N) % 3).tolist()


def test_the_division_of_many_records_is_found_again(many, table):
    opened = data.open(table, label_column="y")
    train, test = data.divide(opened, 0.1, 0)
    model = isthmus.Autoencoder(**QUICK, max_epochs=0.1).fit(train)
    model.scores_ = {"split": division(model, opened, test, 0.1, 0)}
    found = divided_again(model, data.open(table, label_column="y"))
    assert found is not None
    for part, again in zip((train, test), found, strict=True):
        assert np.asarray(again.rows).tolist() == np.asarray(part.rows).tolist()
    fresh = rows_not_trained_on(model, opened)
    assert sorted([*np.asarray(test.rows), *train.rows[model.held_out_rows()]]) == fresh.tolist()


def test_scores_of_many_records_are_of_some_that_lie_evenly_and_say_so(many, tmp_path, monkeypatch):
    model = isthmus.Autoencoder(**QUICK, max_epochs=1).fit(rows())
    whole = scoring.score(model, data.open(rows()))
    assert "of" not in whole.document()
    monkeypatch.setattr(scoring, "MOST", 500)
    some = scoring.score(model, data.open(rows()))
    assert (some.document()["records"], some.document()["of"]) == (500, N)
    assert "of 500 of these records, evenly spaced" in some.lines()[-1]
    assert abs(some.nats.mean() - whole.nats.mean()) < 5 * whole.nats.std() / np.sqrt(500)
    every = scoring.Scoring(model, data.open(rows()), data.open(rows()))
    assert np.concatenate([block["log_likelihood"] for block in every]).tolist() == whole.nats.tolist()
    assert every.scores().nats.tolist() == whole.nats[::8].tolist()


def test_intervals_of_runs_are_those_of_their_records_and_of_neighbours_that_are_alike():
    rng = np.random.default_rng(0)
    nats = rng.normal(3, 2, 100_000)

    def interval(values, in_runs):
        found = scoring.Scores(values, values, np.ones(len(values)), "error", "", in_runs=in_runs).document()
        return found["nats_per_record"]

    plain, of_runs = interval(nats, False), interval(nats, True)
    assert of_runs["mean"] == pytest.approx(plain["mean"], abs=1e-12)
    width = 2 * 1.96 * 2 / np.sqrt(100_000)
    assert plain["high"] - plain["low"] == pytest.approx(width, rel=0.1)
    assert of_runs["high"] - of_runs["low"] == pytest.approx(width, rel=0.1)
    alike = np.repeat(rng.normal(3, 2, 10_000), 10)  # ten neighbours each say the same
    found = interval(alike, True)
    assert found["high"] - found["low"] == pytest.approx(width * np.sqrt(10), rel=0.1)


def test_what_was_seen_is_a_bit_a_row_and_nothing_where_all_was():
    seen, listed = SeenRows(), np.zeros(200_000, bool)
    rng = np.random.default_rng(0)
    for _ in range(30):
        some = np.unique(rng.integers(0, 200_000, rng.integers(1, 3000)))
        assert seen.mark(some).tolist() == (~listed[some]).tolist()
        listed[some] = True
    assert sum(bits.nbytes for bits in seen._bits.values()) <= 4 * 2**16 // 8
    assert seen.mark(np.arange(200_000)).tolist() == (~listed).tolist()
    assert len(seen._bits) == 1  # the last stretch has rows that there are not
    assert not seen.mark(np.arange(200_000)).any()


def test_records_in_memory_are_streamed_where_their_numbers_would_take_more(many):
    run = Fit(isthmus.Autoencoder(**QUICK), rows(), seed=0, validation=None).prepare()
    assert isinstance(run.batches, StreamedBatches)
    assert isinstance(run.rows, Rows)
    drawn = [numbers for _, numbers in run.batches.epoch(50, isthmus.training.batches.epoch_generator(0, 0))]
    assert np.sort(np.concatenate(drawn)).tolist() == np.asarray(run.rows).tolist()

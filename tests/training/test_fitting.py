"""A run: what is learned from which records, and what is left in the model."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import isthmus
from isthmus import data, training
from isthmus.errors import IsthmusWarning
from isthmus.fitting import Fit, held_out_rows

QUICK = {"max_epochs": 2, "random_state": 0}


def rows(n=200, width=4):
    return np.random.default_rng(0).normal([0, 5, -3, 100], [1, 2, 0.1, 30], (n, width))


# ---------------------------------------------------------------------- held-out records


@pytest.mark.parametrize("validation", [None, 0.3, 0.0])
@pytest.mark.parametrize("scaling", ["standard", "quantile", "unit"])
def test_preprocessing_knows_nothing_of_records_that_are_held_out(validation, scaling):
    X = rows()
    model = isthmus.Autoencoder(scaling=scaling, **QUICK).fit(X, validation=validation)
    held_out = model.held_out_rows()
    assert len(held_out) == {None: 20, 0.3: 60, 0.0: 0}[validation]
    learned = np.delete(X, held_out, axis=0)
    summary = model.preprocessor_.summary_
    np.testing.assert_array_equal(summary.low, learned.min(axis=0))
    np.testing.assert_array_equal(summary.high, learned.max(axis=0))
    np.testing.assert_allclose(summary.mean, learned.mean(axis=0))
    np.testing.assert_allclose(summary.std, learned.std(axis=0))
    other = X.copy()
    other[held_out] += 7  # which no weight may depend on either, but for which of them are kept
    again = isthmus.Autoencoder(scaling=scaling, **QUICK).fit(other, validation=validation)
    assert [e["train_loss"] for e in model.history_] == [e["train_loss"] for e in again.history_]


def test_records_of_ones_own_to_validate_on_change_nothing_of_the_preprocessing():
    X = rows()
    alone = isthmus.Autoencoder(**QUICK).fit(X, validation=0)
    beside = isthmus.Autoencoder(**QUICK).fit(X, validation=10 * X[:30])
    for one, other in zip(
        alone.preprocessor_.state()[1].values(), beside.preprocessor_.state()[1].values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert beside.held_out_rows().tolist() == []
    assert beside.provenance_["held_out_records"] == 30


def test_a_file_that_is_streamed_gives_the_preprocessing_of_the_same_records_in_memory(tmp_path, monkeypatch):
    X = np.random.default_rng(0).integers(0, 200, (3000, 6)).astype(np.int32)
    np.save(tmp_path / "x.npy", X)
    resident = isthmus.Autoencoder(max_epochs=0.1, random_state=0).fit(X)
    monkeypatch.setattr("isthmus.data.stores.RESIDENT_BYTES", 0)
    streamed = data.open(tmp_path / "x.npy")
    assert not streamed.resident
    model = isthmus.Autoencoder(max_epochs=0.1, random_state=0).fit(streamed)
    one, other = model.preprocessor_.state()[1], resident.preprocessor_.state()[1]
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=1e-6)


def test_no_copy_of_an_array_is_made_to_learn_preprocessing_from():
    records = data.open(rows(5000))
    isthmus.Autoencoder(max_epochs=0.1, random_state=0).fit(records)
    assert records._gathered is None


@pytest.fixture
def towns():
    """Return a table, and its held-out rows: one town is in these only, and in one of them the largest number."""
    n = 200
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"town": rng.choice(["Aix", "Bonn", "Cork"], n), "age": rng.integers(20, 60, n)})
    held_out = held_out_rows(n, 20, QUICK["random_state"])
    frame.loc[held_out[:2], "town"] = "Dole"
    frame.loc[held_out[3], "age"] = 90
    return frame, held_out


def test_a_category_of_held_out_records_alone_is_read_as_an_unseen_one(towns):
    frame, held_out = towns
    model = isthmus.VAE(**QUICK).fit(frame)
    assert np.array_equal(model.held_out_rows(), held_out)
    assert np.isfinite([e["validation_loss"] for e in model.history_]).all()
    unseen = frame.iloc[held_out[:1]].assign(town="Eger")
    encoded = [model.preprocessor_.encode(data.open(each).chunk(0, 1)) for each in (frame.iloc[held_out[:1]], unseen)]
    np.testing.assert_array_equal(*encoded)
    assert model.fingerprint(frame) == model.provenance_["fingerprint"]


def test_of_the_records_of_the_fit_nothing_is_told_and_of_the_same_in_another_object_what_is_new(towns):
    frame, _ = towns
    with warnings.catch_warnings():
        warnings.simplefilter("error", IsthmusWarning)
        model = isthmus.Autoencoder(**QUICK).fit(frame)
        model.transform(frame)
    with pytest.warns(IsthmusWarning, match="2 cells hold categories that the fit did not have"):
        model.transform(frame.copy())


@pytest.mark.parametrize("kind", ["array", "table"])
@pytest.mark.parametrize("value", [1e20, 1e300])
def test_a_held_out_record_that_no_other_could_scale_is_learned_from(kind, value):
    X = rows()
    X[held_out_rows(200, 20, QUICK["random_state"])[5], 1] = value  # such as what stands for "no value" somewhere
    model = isthmus.Autoencoder(**QUICK).fit(pd.DataFrame(X, columns=list("abcd")) if kind == "table" else X)
    assert np.isfinite([e["validation_loss"] for e in model.history_]).all()
    assert any("held-out record lies too far beyond the others" in note for note in model.notes_)


def test_one_record_at_least_is_learned_from():
    model = isthmus.Autoencoder(**QUICK).fit(rows(2), validation=0.9)
    assert (model.n_records_, model.provenance_["held_out_records"]) == (1, 1)


# ---------------------------------------------------------------------- the object


def test_a_prepared_model_is_ready_and_not_trained():
    X = rows()
    model = isthmus.Autoencoder(max_epochs=5)
    run = Fit(model, data.open(X), seed=3).prepare()
    before = {name: weight.clone() for name, weight in model.module_.state_dict().items()}
    assert model.transform(X).shape == (200, model.code_shape_[0])
    assert model.history_ == []
    # The decoder starts at the mean.
    np.testing.assert_allclose(model.reconstruct(X).mean(axis=0), X.mean(axis=0), rtol=0.05, atol=0.05)
    run.train()
    assert len(model.history_) == 5
    assert any(not torch.equal(weight, before[name]) for name, weight in model.module_.state_dict().items())


def test_prepared_and_trained_is_fitted():
    X = rows()
    run = Fit(model := isthmus.VAE(**QUICK), data.open(X), seed=0).prepare()
    run.train()
    fitted = isthmus.VAE(**QUICK).fit(X, validation=0)
    assert np.array_equal(model.transform(X), fitted.transform(X))
    assert model.provenance_.keys() == fitted.provenance_.keys() - {"command"}


def test_players_of_a_task_train_a_models_networks_on_rows_and_labels_of_their_own():
    X = rows()
    model = isthmus.Autoencoder(**QUICK)
    run = Fit(model, data.open(X), seed=0, held_out=np.array([3, 5])).prepare()
    seen, unseen = [], []

    def loss(step):
        (seen if model.module_.training else unseen).append(step.labels)
        return {"error": model.encode(step.x).square().mean()}

    player = training.Player("task", (model.module_.encoder,), loss)
    run.train([player], rows=np.arange(10, 30), labels=np.arange(200))
    assert sorted(torch.cat(seen).tolist()) == sorted([*range(10, 30)] * 2)
    assert torch.cat(unseen).tolist() == [3, 5] * 2
    assert model.n_records_ == 20
    assert model.held_out_rows().tolist() == []  # chosen by whoever called, and so not found again
    assert model.provenance_["held_out_records"] == 2


def test_a_copy_is_trained_apart():
    X = rows()
    model = isthmus.Autoencoder(**QUICK).fit(X)
    codes = model.transform(X)
    copied = model.copied()
    Fit(copied, data.open(X), seed=1).train()
    assert np.array_equal(model.transform(X), codes)
    assert not np.array_equal(copied.transform(X), codes)
    assert copied.preprocessor_ is model.preprocessor_


def test_bfloat16_is_taken_in_use_where_it_is_asked_for_by_name() -> None:
    X = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    model = isthmus.Autoencoder(latent_dim=4, precision="float32", max_epochs=2, random_state=0).fit(X)
    exact = model.transform(X)
    assert np.array_equal(model.set_params(precision="auto").transform(X), exact)
    rounded = model.set_params(precision="bfloat16").transform(X)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05 * exact.std()

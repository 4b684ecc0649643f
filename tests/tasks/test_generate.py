"""New records between, around and beside those there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isthmus import VAE, Autoencoder, ConditionalVAE, tasks
from isthmus.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def model(digits):
    return VAE(latent_dim=4, max_epochs=3, random_state=0).fit(digits[:400])


def test_spherical_path_keeps_the_length_and_turns_evenly():
    a, b = np.array([2.0, 0.0, 0.0], np.float32), np.array([0.0, 0.0, 2.0], np.float32)
    path = tasks.path_between(a, b, 5)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 2.0, rtol=1e-6)
    angles = np.arccos(np.sum(path[1:] * path[:-1], axis=1) / 4)
    np.testing.assert_allclose(angles, np.pi / 8, rtol=1e-4)
    np.testing.assert_allclose(path[[0, -1]], [a, b], atol=1e-6)


@pytest.mark.parametrize("b", [[4.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
def test_spherical_path_is_straight_where_there_is_no_arc(b):
    a, b = np.array([2.0, 0.0], np.float32), np.array(b, np.float32)
    np.testing.assert_allclose(tasks.path_between(a, b, 3)[1], (a + b) / 2, atol=1e-6)


@pytest.mark.parametrize("path", ["spherical", "linear"])
def test_interpolation_begins_and_ends_at_the_reconstructions(model, digits, path):
    between = tasks.interpolate(model, digits[:2], steps=5, path=path)
    assert between.shape == (5, 8, 8)
    # Float rounding of the path may move a pixel by one of its 17 values.
    assert np.abs(between[[0, -1]].astype(int) - model.reconstruct(digits[:2])).max() <= 1


def test_traversal_changes_one_unit_at_a_time(model, digits):
    records, units = tasks.traverse(model, digits[:300], steps=3, row=7)
    codes = model.transform(digits[:300])
    assert records.shape == (4 * 3, 8, 8)
    assert sorted(units) == [0, 1, 2, 3]
    assert np.all(np.diff(codes.std(axis=0)[units]) <= 0)
    changed = codes[7].copy()
    changed[units[1]] = codes[:, units[1]].mean() + 2.5 * codes[:, units[1]].std()
    expected = model.inverse_transform(changed[None])[0]
    assert np.abs(records[1 * 3 + 2].astype(int) - expected).max() <= 1


@pytest.mark.long
def test_augmentation_draws_each_class_from_its_own_codes(digits, digit_labels):
    model = Autoencoder(latent_dim=6, max_epochs=10, random_state=0).fit(digits)
    new, labels = tasks.augment(model, digits, 20, digit_labels)
    assert np.array_equal(labels, np.repeat(np.arange(10), 20))
    means = np.stack([digits[digit_labels == label].mean(0) for label in range(10)])
    nearest = ((new[:, None].astype(float) - means) ** 2).sum((2, 3)).argmin(1)
    assert (nearest == labels).mean() > 0.7
    again, _ = tasks.augment(model, digits, 20, digit_labels)
    assert np.array_equal(new, again)


def test_augmentation_asks_a_model_that_knows_the_classes(digits, digit_labels):
    model = ConditionalVAE(latent_dim=4, max_epochs=2, random_state=0).fit(digits[:300], digit_labels[:300])
    new, labels = tasks.augment(model, digits[:300], 2, digit_labels[:300])
    assert np.array_equal(new, model.sample(20, y=labels, random_state=0))


def test_augmentation_without_classes_is_a_sample(model, digits):
    new, labels = tasks.augment(model, digits[:50], 6)
    assert labels is None
    assert np.array_equal(new, model.sample(6, random_state=0))


def test_drawing_without_noise_is_decoding(model, digits):
    codes = model.transform(digits[:5])
    assert np.array_equal(model.draw(codes, noise=False), model.inverse_transform(codes))
    assert not np.array_equal(model.draw(codes, noise=True, random_state=0), model.inverse_transform(codes))


def test_sentences(model, digits):
    with pytest.raises(DataError, match="X must hold two records, the two ends; it holds 3"):
        tasks.interpolate(model, digits[:3])
    with pytest.raises(ParameterError, match="path must be one of 'spherical', 'linear'"):
        tasks.interpolate(model, digits[:2], path="round")
    with pytest.raises(ParameterError, match="row must be a whole number of at least 0 and at most 299; it is 300"):
        tasks.traverse(model, digits[:300], row=300)
    with pytest.raises(ParameterError, match="n must be a whole number of at least 1; it is 0"):
        tasks.augment(model, digits[:300], 0)
    with pytest.raises(ParameterError, match=r"interpolate: the model must have the method transform\(\)"):
        tasks.interpolate(object(), digits[:2])


# ---------------------------------------------------------------------- rows with given values


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    town = rng.choice(["Ulm", "Bonn", "Köln"], 400, p=[0.6, 0.3, 0.1])
    age = rng.integers(18, 90, 400)
    pay = np.where(rng.random(400) < 0.2, np.nan, 20 * age + (town == "Bonn") * 900 + rng.normal(0, 30, 400))
    return pd.DataFrame({"town": town, "age": age, "pay": pay})


@pytest.fixture(scope="module")
def people_model(people):
    return VAE(latent_dim=3, max_epochs=60, random_state=0).fit(people)


@pytest.mark.long
def test_rows_with_given_values_have_them_and_keep_their_types(people, people_model):
    rows = tasks.sample_where(people_model, 50, {"town": "Bonn", "age": (30, 50)}, random_state=0)
    assert len(rows) == 50
    assert set(rows["town"]) == {"Bonn"}
    assert rows["age"].between(30, 50).all()
    assert rows.dtypes.equals(people.dtypes)
    missing = tasks.sample_where(people_model, 10, {"pay": None}, random_state=0)
    assert missing["pay"].isna().all()


def test_rows_with_given_values_are_those_of_the_joint_distribution(people, people_model):
    every = people_model.sample(20_000, random_state=1)
    rows = tasks.sample_where(people_model, 2000, {"town": "Bonn"}, random_state=0)
    expected = every.loc[every["town"] == "Bonn", "pay"]
    assert rows["pay"].mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / 2000**0.5)


@pytest.mark.long
@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"twon": "Ulm"}, "there is no column 'twon' among 'town', 'age', 'pay'; did you mean 'town'"),
        ({"age": "old"}, "column 'age' holds values of type int64, and 'old' is none"),
        ({"town": "Rome"}, r"Of 1,\d+,\d+ new rows 0 have town='Rome', and 3 were asked for: the model hardly ever"),
    ],
)
def test_rows_that_cannot_be_drawn_are_refused(people_model, where, sentence):
    with pytest.raises((ParameterError, DataError), match=sentence):
        tasks.sample_where(people_model, 3, where)


def test_only_tables_have_columns(model):
    with pytest.raises(ParameterError, match="only tables have columns; the model was fitted on data of kind 'image'"):
        tasks.sample_where(model, 3, {"age": 3})

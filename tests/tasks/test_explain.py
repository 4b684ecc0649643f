"""What a code means: attributions against closed forms and their axiom, probes against what is known to be there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import isthmus
from isthmus import Autoencoder
from isthmus.errors import DataError, ParameterError
from isthmus.tasks import attribute, explain, most_activating, probe


@pytest.fixture(scope="module")
def pictures(digits, digit_labels):
    """Return a small model of the digits with smooth layers, and records it has not seen."""
    model = isthmus.VAE(latent_dim=4, activation="silu", max_epochs=4, random_state=0).fit(digits[:600])
    return model, digits[600:720], digit_labels[600:720]


@pytest.fixture(scope="module")
def people():
    """Return a table in which two things vary, with a category and holes, and a model of it."""
    rng = np.random.default_rng(0)
    age, group = rng.normal(40, 10, 240), rng.choice(["a", "b", "c"], 240)
    income = 900 * age + 4000 * (group == "b") + rng.normal(0, 300, 240)
    frame = pd.DataFrame({"age": age, "income": income, "group": group, "noise": rng.normal(size=240)})
    frame.loc[::17, "income"] = np.nan
    return Autoencoder(latent_dim=3, max_epochs=15, activation="silu", random_state=0).fit(frame), frame


def test_of_a_linear_encoder_they_are_weight_times_change(blobs):
    model = Autoencoder(hidden=(), latent_dim=2, activation="none", max_epochs=3, random_state=0).fit(blobs)
    found = attribute(model, blobs[:20])
    x = torch.from_numpy((blobs - model.preprocessor_.shift_) * model.preprocessor_.factor_).float()
    with torch.no_grad():
        weights = torch.autograd.functional.jacobian(lambda one: model.encode(one[None])[0], x[0]).numpy()
    change = x[:20].numpy() - x[:20].numpy().mean(axis=0)
    np.testing.assert_allclose(found.values, weights[:, None] * change[None], atol=2e-5)
    assert found.gap < 1e-4
    assert found.names == [f"column {index}" for index in range(6)]


def test_they_are_complete(pictures):
    """Their sum over the inputs is what the unit is beyond its baseline (Sundararajan et al., proposition 1)."""
    model, X, _ = pictures
    found = attribute(model, X[:30])
    np.testing.assert_allclose(found.codes, model.transform(X[:30]), atol=1e-4)
    change = (found.codes - found.baseline_codes).T
    np.testing.assert_allclose(found.values.sum((2, 3)), change, atol=0.01 * np.abs(change).mean())
    assert found.gap < 0.01
    assert found.values.shape == (4, 30, 8, 8)
    assert found.names == []


def test_they_are_the_integral_of_the_paper(pictures):
    """Against a plain Riemann sum of equation 1 with many steps, for one record and one unit."""
    model, X, _ = pictures
    found = attribute(model, X[:1], [2], baseline=X[5:6])
    x, base = (
        model.module_.scale(torch.from_numpy(model.preprocessor_.encode(part))).float() for part in (X[:1], X[5:6])
    )
    steps = (torch.arange(2000) + 0.5) / 2000
    points = (base + steps.view(-1, 1, 1, 1) * (x - base)).requires_grad_()
    (slopes,) = torch.autograd.grad(model.encode(points)[:, 2].sum(), points)
    expected = ((x - base) * slopes.mean(0, keepdim=True))[0, 0].numpy()
    np.testing.assert_allclose(found.values[0, 0], expected, atol=1e-4)


def test_an_input_that_does_nothing_gets_nothing(blobs):
    model = Autoencoder(hidden=(), latent_dim=2, max_epochs=1, random_state=0).fit(blobs)
    with torch.no_grad():
        for weight in model.module_.encoder.parameters():
            if weight.ndim == 2:
                weight[:, 3] = 0
    found = attribute(model, blobs[:20])
    assert (found.values[..., 3] == 0).all()
    assert (found.importance()[:, [0, 1, 2, 4, 5]] > 0).all()


def test_of_a_table_they_are_by_column_and_complete(people):
    model, frame = people
    found = attribute(model, frame[:50])
    assert found.names == ["age", "income", "group", "noise"]
    change = (found.codes - found.baseline_codes).T
    np.testing.assert_allclose(found.values.sum(2), change, atol=0.02 * np.abs(change).mean())


def test_records_a_unit_speaks_for_are_its_extremes():
    codes = np.array([[0.0], [3.0], [-1.0], [2.0]], np.float32)
    found = most_activating(codes, 0, count=2)
    assert (found.highest, found.lowest) == ([1, 3], [2, 0])
    assert (found.values_of_highest, found.values_of_lowest) == ([3.0, 2.0], [-1.0, 0.0])


def test_a_probe_finds_what_is_there_and_nothing_else():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(600, 5))
    there = probe(codes, 3 * codes[:, 2] - codes[:, 4] + 0.1 * rng.normal(size=600), concept="sum")
    assert there.measure == "R2"
    assert there.score == pytest.approx(1 - 0.01 / 10.01, abs=2e-3)
    assert there.units[:2] == [2, 4]
    assert there.weights[0] == pytest.approx(0.75, abs=0.03)
    classes = np.where(codes[:, 1] > 0, "high", "low")
    sign = probe(codes, classes)
    assert (sign.measure, sign.units[0]) == ("accuracy", 1)
    assert sign.score > 0.95
    assert sign.baseline == pytest.approx(0.5, abs=0.05)
    chance = probe(codes, rng.permutation(classes))
    assert abs(chance.score - chance.baseline) < 4 * chance.standard_error + 0.05
    assert probe(codes, rng.normal(size=600)).score < 0.02


def test_an_explanation_has_units_records_and_concepts(pictures, people):
    model, X, y = pictures
    found = explain(model, X, y, units=2)
    deviations = model.transform(X).std(axis=0)
    assert found.units == np.argsort(-deviations)[:2].tolist()
    assert found.drivers() == []  # pixels have maps, and no names
    assert [one.concept for one in found.probes] == ["class"]
    assert found.probes[0].score > found.probes[0].baseline + 0.2
    assert found.to_dict()["units"][0]["unit"] == found.units[0]
    model, frame = people
    found = explain(model, frame)
    assert {one.concept for one in found.probes} == set(frame.columns)
    scores = {one.concept: one.score for one in found.probes}
    assert scores["age"] > 0.8
    assert all(sum(share for _, share in unit) <= 1 + 1e-6 for unit in found.drivers())


def test_a_model_of_a_generator_with_maps_of_codes_is_explained(digits):
    model = Autoencoder(network="convolutional", hidden=(4, 8), max_epochs=1, random_state=0).fit(digits[:60])
    assert attribute(model, digits[:4], [0, 1]).values.shape == (2, 4, 8, 8)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m, X: attribute(m, X, [9]), ParameterError, "each of units must be a whole number .* it is 9"),
        (lambda m, X: attribute(m, X, baseline=X), DataError, "baseline must hold one record.* it holds 120"),
        (
            lambda m, X: explain(m, X, units=9),
            ParameterError,
            "units must be a whole number of at least 1 and at most 4",
        ),
        (lambda m, X: explain(isthmus.VAE(), X), ParameterError, "the model must be fitted"),
    ],
)
def test_what_cannot_be_explained_is_refused(call, error, sentence, pictures):
    with pytest.raises(error, match=sentence):
        call(*pictures[:2])


def test_texts_and_books_are_refused(digits):
    texts = ["a short text", "another one of these", "and a third"] * 8
    model = Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(isthmus.data.open(texts))
    with pytest.raises(DataError, match=r"texts cannot be changed a little.*probe and most_activating .*transform"):
        explain(model, isthmus.data.open(texts))
    book = isthmus.VQVAE(latent_dim=4, max_epochs=1, random_state=0).fit(digits[:60])
    with pytest.raises(
        ParameterError, match=r"codes of VQVAE are entries of a codebook, which no gradient passes; .*probe and most"
    ):
        explain(book, digits[:60])
    for codes in (model.transform(isthmus.data.open(texts)), book.transform(digits[:60])):
        assert probe(codes, np.arange(len(codes)) % 2).records == len(codes)
        assert len(most_activating(codes, 0).highest) == 8


def test_too_few_records_for_any_probe_are_told_of_once(digits, digit_labels):
    model = isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(digits[:60])
    found = explain(model, digits[:18], digit_labels[:18])
    assert found.probes == []
    assert found.notes == ["probes of classes and columns take 20 records or more; there are 18"]


def test_concepts_that_nothing_can_be_said_of_are_refused():
    codes = np.zeros((30, 2))
    with pytest.raises(DataError, match="probe: class must be known of 20 records or more; it is of 10"):
        probe(codes[:10], np.arange(10) % 2)
    with pytest.raises(DataError, match="class must have two values or more; all 30 records have the same"):
        probe(codes, np.ones(30))
    with pytest.raises(DataError, match="id must have at most one value for three records; it has 30 for 30"):
        probe(codes, np.array([f"row {index}" for index in range(30)]), concept="id")

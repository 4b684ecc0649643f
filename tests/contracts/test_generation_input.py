"""What models that draw make of labels and data out of the ordinary: they work, or say what is wrong in a sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus import GAN, VAE, VAEGAN, VQVAE, AdversarialAutoencoder, ConditionalGAN, ConditionalVAE, LadderVAE, tasks
from isthmus.errors import DataError, ParameterError, TrainingError

QUICK: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "max_epochs": 2, "random_state": 0}

conditional = pytest.mark.parametrize("model", [ConditionalVAE, ConditionalGAN])
drawing = pytest.mark.parametrize("model", [VAE, GAN, VQVAE, LadderVAE, VAEGAN, AdversarialAutoencoder])


# ---------------------------------------------------------------------- labels

LABELS = {
    "gaps": [7, 0, 3],
    "below zero": [2, -4, 5],
    "words": ["wasp", "ant", "bee"],
    "objects": np.array(["wasp", "ant", "bumble bee"], object),
    "fractions": [2.5, 0.5, 1.0],
}


@conditional
@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_labels_of_any_kind_are_mapped_there_and_back(model, names, blobs, tmp_path):
    classes = np.sort(np.asarray(names))
    y = np.asarray(names)[np.arange(len(blobs)) % 3]
    fitted = model(**QUICK).fit(blobs, y)
    assert fitted.classes_.tolist() == classes.tolist()
    fitted.save(tmp_path / "model.safetensors")
    again = isthmus.load(tmp_path / "model.safetensors")
    assert again.classes_.tolist() == classes.tolist()
    for place, name in enumerate(names):
        drawn = fitted.sample(4, y=name, random_state=0)
        np.testing.assert_array_equal(drawn, again.sample(4, y=[name] * 4, random_state=0))
        number = fitted._class_numbers(name, 4)
        assert classes[number].tolist() == [name] * 4
        assert y[place] == name
    new, labels = tasks.augment(again, blobs, 2, y)
    assert labels.tolist() == np.repeat(classes, 2).tolist()
    np.testing.assert_array_equal(new, fitted.sample(6, y=labels, random_state=0))


def test_a_class_asked_for_is_the_class_drawn():
    """Labels far apart and out of order are not numbered by their place in the data, or by their value."""
    rng = np.random.default_rng(0)
    names = np.array(["wasp", "ant", "bee"])
    y = np.repeat(names, 100)
    X = np.repeat([[-4.0, 0.0], [0.0, 4.0], [4.0, 0.0]], 100, axis=0) + 0.3 * rng.normal(size=(300, 2))
    means = np.stack([X[y == name].mean(axis=0) for name in names])
    for model, epochs in ((ConditionalVAE, 40), (ConditionalGAN, 100)):
        fitted = model(latent_dim=2, hidden=(32,), max_epochs=epochs, random_state=0).fit(X, y)
        middles = np.stack([np.median(fitted.sample(50, y=name, random_state=0), axis=0) for name in names])
        distances = np.linalg.norm(middles[:, None] - means, axis=2)
        assert distances.argmin(axis=1).tolist() == [0, 1, 2]


@conditional
@pytest.mark.parametrize(
    ("names", "wanted", "sentence"),
    [
        ([0, 3, 7], 5, "knows no class 5; its classes are 0, 3, 7."),
        ([0, 3, 7], "3", "knows no class '3'; its classes are 0, 3, 7."),
        (["ant", "bee", "wasp"], "fly", "knows no class 'fly'; its classes are 'ant', 'bee', 'wasp'."),
    ],
)
def test_a_class_that_does_not_exist_names_those_that_do(model, names, wanted, sentence, blobs):
    fitted = model(**QUICK).fit(blobs, np.asarray(names)[np.arange(len(blobs)) % 3])
    for y in (wanted, [wanted, wanted]):
        with pytest.raises(ParameterError) as caught:
            fitted.sample(2, y=y)
        assert str(caught.value) == f"{model.__name__} {sentence}"
    with pytest.raises(ParameterError, match=r"y must be one label or 2 of them; its shape is \(3,\)"):
        fitted.sample(2, y=names)


@conditional
def test_labels_are_needed_and_must_differ(model, blobs):
    with pytest.raises(ParameterError, match=f"{model.__name__} requires y to be passed, but the target y is None"):
        model().fit(blobs)
    plain = model.__name__.removeprefix("Conditional")
    with pytest.raises(ParameterError) as caught:
        model().fit(blobs, ["ant"] * len(blobs))
    assert str(caught.value) == (
        f"{model.__name__} learns what classes look like, and all labels are 'ant'; take {plain}, which needs none."
    )


@pytest.mark.parametrize(
    "labels", [np.arange(200.0) % 2, np.array(["ant", "bee"] * 100, object)], ids=["numbers", "words"]
)
def test_a_label_that_is_missing_is_named(labels, blobs):
    labels = labels.copy()
    labels[[7, 30]] = np.nan
    with pytest.raises(DataError) as caught:
        ConditionalGAN(**QUICK).fit(blobs, labels)
    assert str(caught.value) == (
        "ConditionalGAN: each record must have a label, and 2 have none, the first of them row 7; leave them out, or "
        "take ConditionalVAE, which learns from them too."
    )
    assert len(ConditionalVAE(**QUICK).fit(blobs, labels).classes_) == 2


@drawing
@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_how_many_must_be_a_whole_number_above_zero(model, n, blobs):
    fitted = model(**QUICK).fit(blobs)
    for draw in (lambda: fitted.sample(n), lambda: tasks.augment(fitted, blobs, n)):
        with pytest.raises(ParameterError, match=rf"n must be a whole number of at least 1; it is {n}\."):
            draw()


# ---------------------------------------------------------------------- data

CONSTANT = {
    "fractions": np.full((40, 4), 2.5),
    "whole numbers": np.full((40, 4), 7),
    "zeros": np.zeros((40, 4)),
    "grey pictures": np.full((40, 8, 8), 9, np.uint8),
    "pictures of fractions": np.full((40, 8, 8), 0.3, np.float32),
    "pictures in colour": np.full((40, 8, 8, 3), (0, 9, 255), np.uint8),
}


@drawing
@pytest.mark.parametrize("X", CONSTANT.values(), ids=CONSTANT)
def test_constant_data_come_back_as_they_are(model, X):
    fitted = model(**QUICK).fit(X)
    np.testing.assert_array_equal(fitted.sample(5, random_state=0), X[:5])
    np.testing.assert_array_equal(fitted.reconstruct(X[:5]), X[:5])
    assert fitted.sample(5, random_state=0).dtype == X.dtype
    assert np.isfinite(fitted.score(X))


@drawing
def test_constant_columns_come_back_beside_others(model, blobs):
    X = blobs.copy()
    X[:, 2] = -1.25
    drawn = model(**QUICK).fit(X).sample(50, random_state=0)
    assert set(drawn[:, 2]) == {-1.25}
    assert drawn[:, [0, 1, 3, 4, 5]].std(axis=0).min() > 0


@drawing
def test_a_constant_table_is_refused_and_a_constant_column_comes_back(model):
    frame = pd.DataFrame({"a": [3] * 40, "b": [1.5] * 40, "town": ["Ulm"] * 40})
    with pytest.raises(DataError, match=r"at least one column must vary; all were set aside \(column 'a' is set aside"):
        model(**QUICK).fit(frame)
    frame["pay"] = np.random.default_rng(0).normal(size=40)
    drawn = model(**QUICK).fit(frame).sample(5, random_state=0)
    pd.testing.assert_frame_equal(drawn.drop(columns="pay"), frame.head().drop(columns="pay"))


@pytest.mark.parametrize("model", [GAN, ConditionalGAN])
def test_a_gan_of_few_records_is_refused_and_another_model_named(model, blobs):
    with pytest.raises(DataError) as caught:
        model(**QUICK).fit(blobs[:9], np.arange(9) % 2)
    assert str(caught.value) == (
        "X: Found 9 sample(s) (shape=(9, 6)) while a minimum of 10 is required; pass more records, or take "
        f"{model.alternative_for_few}, which serves fewer."
    )
    assert caught.value.exit_code == 3
    assert getattr(isthmus, model.alternative_for_few)(**QUICK).fit(blobs[:9], np.arange(9) % 2).sample(2).shape == (
        2,
        6,
    )
    assert model(**QUICK).fit(blobs[:10], np.arange(10) % 2).sample(2).shape == (2, 6)


# ---------------------------------------------------------------------- a run that diverges


def all_finite(model: Any) -> bool:
    return all(np.isfinite(tensor.numpy()).all() for tensor in model.module_.state_dict().values())


def sentence_of(model: Any, X: Any) -> str:
    """Fit; return what it ended with, nothing where it went well."""
    try:
        model.fit(X)
    except TrainingError as error:
        return str(error)
    return ""


class Diverging:
    """Players whose losses are fine for as many epochs as one asks for, and then NaN for good."""

    def __init__(self, model: Any, epochs: int) -> None:
        self.of_model, self.epochs, self.epoch = model.players, epochs, 0
        model.players = self

    def __call__(self) -> list[Any]:
        return [dataclasses.replace(player, loss=self.spoilt(player.loss)) for player in self.of_model()]

    def spoilt(self, loss: Any) -> Any:
        def loss_or_nan(*arguments: Any) -> dict[str, Any]:
            terms = loss(*arguments)
            return terms if self.epoch < self.epochs else {name: term * np.nan for name, term in terms.items()}

        return loss_or_nan

    def count(self, state: Any) -> None:
        self.epoch = state.epoch


@drawing
def test_a_divergence_keeps_the_weights_of_the_best_epoch(model, blobs, tmp_path):
    diverged = model(**QUICK | {"max_epochs": 8})
    players = Diverging(diverged, 3)
    with pytest.raises(TrainingError) as caught:
        diverged.fit(blobs, callbacks=[players.count])
    del diverged.players
    best = diverged.provenance_["best_epoch"]
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith("Training stopped in epoch 4: the loss term '")
    assert "stayed non-finite after 5 returns to the last good weights at ever lower rates" in str(caught.value)
    assert f"The weights of epoch {best} are kept; lower learning_rate" in str(caught.value)
    assert [record["epoch"] for record in diverged.history_] == [1, 2, 3]
    held_out = [record.get("validation_loss") for record in diverged.history_]
    assert best == (3 if None in held_out else 1 + int(np.argmin(held_out)))
    assert all_finite(diverged)
    diverged.save(tmp_path / "model.safetensors")
    again = isthmus.load(tmp_path / "model.safetensors")
    assert np.isfinite(again.sample(20, random_state=0)).all()


@drawing
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_rate_of_a_million_leaves_weights_that_draw(model, optimizer, blobs):
    """The run is repaired, or ends with a sentence; never with NaN."""
    fitted = model(**QUICK | {"max_epochs": 10, "optimizer": optimizer, "learning_rate": 1e6})
    sentence = sentence_of(fitted, blobs)
    assert any("was not finite; went back" in note for note in fitted.notes_)
    assert not sentence or ("Training stopped in epoch" in sentence and "are kept; lower learning_rate" in sentence)
    assert all_finite(fitted)
    assert np.isfinite(fitted.sample(20, random_state=0)).all()


@drawing
@pytest.mark.parametrize("scaling", ["auto", "none"])
def test_a_record_far_out_leaves_weights_that_draw(model, scaling, blobs):
    X = blobs.copy()
    X[7] = 1e30
    fitted = model(**QUICK, scaling=scaling)
    sentence = sentence_of(fitted, X)
    assert "cause it" not in sentence or "rows 7 cause it" in sentence
    assert all_finite(fitted)
    assert np.isfinite(fitted.sample(20, random_state=0)).all()

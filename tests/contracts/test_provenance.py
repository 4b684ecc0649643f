"""A fitted model says how to make it again, wherever it was fitted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import isthmus
from isthmus.networks import Huber

X = np.random.default_rng(0).normal(size=(60, 6))


@pytest.mark.parametrize(
    "model",
    [
        isthmus.Autoencoder(latent_dim=2, hidden=(8,), max_epochs=2, verbose=0),
        isthmus.DenoisingAutoencoder(likelihood=Huber(delta=2.0), max_epochs=1, random_state=3),
    ],
    ids=["without a seed", "with a likelihood's options"],
)
def test_the_command_makes_the_same_model(model):
    model.fit(X)
    command = model.provenance_["command"]
    assert command.startswith(f"isthmus.{type(model).__name__}(")
    assert command.endswith(".fit(X)")
    again = eval(command, {"isthmus": isthmus, "Huber": Huber, "X": X})
    for one, other in zip(model.module_.parameters(), again.module_.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_command_names_modules_of_the_users_own():
    network = (nn.Sequential(nn.Linear(6, 2)), nn.Linear(2, 6))
    model = isthmus.Autoencoder(network=network, max_epochs=1, random_state=0, verbose=1).fit(X)
    assert model.provenance_["command"] == (
        f"isthmus.Autoencoder(network=(Sequential, Linear), max_epochs=1, random_state={model.random_state}).fit(X)"
    )


def test_the_command_is_in_the_file_and_in_the_report(tmp_path):
    model = isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    command = f"isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state={model.random_state}).fit(X)"
    assert isthmus.artifact.describe(tmp_path / "m.safetensors")["document"]["provenance"]["command"] == command
    assert isthmus.evaluate(model, X).to_dict()["commands"]["fit"] == command


def test_scores_stay_with_the_model_until_it_is_fitted_anew(tmp_path):
    model = isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(X)
    assert model.scores_ == {}
    model.scores_ = {"held_out": {"accuracy": 0.5}}
    model.save(tmp_path / "m.safetensors")
    loaded = isthmus.load(tmp_path / "m.safetensors")
    assert loaded.scores_ == model.scores_
    isthmus.Detector(model=loaded, random_state=0).fit(X + 0.01).save(tmp_path / "d.safetensors")
    assert isthmus.load(tmp_path / "d.safetensors").model_.scores_ == model.scores_
    assert loaded.fit(X).scores_ == {}

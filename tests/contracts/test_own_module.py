"""An autoencoder of the user's own ``torch.nn.Module`` gains every task: they ask for methods, never for a class."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from torch import nn

import isthmus
from isthmus import tasks
from isthmus.report import evaluate


class OwnEncoder(nn.Module):
    """Pictures of 8 x 8 to six numbers, through a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.last = nn.Linear(64, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.convolution(x)).flatten(1))


class OwnDecoder(nn.Module):
    """And back."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 64))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.layers(z).view(-1, 1, 8, 8)


def own() -> isthmus.Autoencoder:
    torch.manual_seed(0)
    return isthmus.Autoencoder(network=(OwnEncoder(), OwnDecoder()), max_epochs=15, random_state=0)


@pytest.fixture(scope="module")
def split(digits, digit_labels):
    return digits[:500], digit_labels[:500], digits[500:620], digit_labels[500:620]


@pytest.fixture(scope="module")
def model(split):
    return own().fit(split[0])


def test_encode_decode_and_save(model, split, tmp_path):
    X = split[2]
    codes = model.transform(X)
    assert codes.shape == (120, 6)
    assert np.array_equal(model.inverse_transform(codes), model.reconstruct(X))
    assert make_pipeline(own().set_params(max_epochs=1)).fit_transform(X).shape == (120, 6)
    model.save(tmp_path / "own.safetensors")
    again = isthmus.Autoencoder.load(tmp_path / "own.safetensors", network=(OwnEncoder(), OwnDecoder()))
    assert np.array_equal(again.transform(X), codes)


def test_generate(model, split):
    X, y, new, _ = split
    assert model.sample(3, random_state=0).shape == (3, 8, 8)
    assert tasks.interpolate(model, new[:2], steps=5).shape == (5, 8, 8)
    changed, units = tasks.traverse(model, new, steps=3)
    assert (changed.shape, len(units)) == ((18, 8, 8), 6)
    more, labels = tasks.augment(model, X[:100], 2, y[:100])
    assert (len(more), len(set(labels.tolist()))) == (20, 10)


def test_restore_and_impute(model, split):
    mask = np.zeros((8, 8))
    mask[2:4, 2:5] = 1
    assert tasks.denoise(model, split[2][:5]).shape == (5, 8, 8)
    assert tasks.inpaint(model, split[2][:5], mask).shape == (5, 8, 8)
    assert tasks.impute(model, split[2][:5], mask, draws=5, random_state=0) is not None


def test_classify(model, split):
    X, y, new, labels = split
    classifier = isthmus.Classifier(model=model, method="probe", random_state=0).fit(X, y)
    assert classifier.model_ is model
    assert classifier.score(new, labels) > 0.6
    tuned = isthmus.Classifier(model=own().set_params(max_epochs=2), method="head", random_state=0).fit(X, y)
    assert tuned.predict(new).shape == (120,)


def test_cluster(model, split):
    clusterer = isthmus.Clusterer(model=model, n_clusters=10, method="k-means", random_state=0).fit(split[0])
    assert clusterer.predict(split[2]).shape == (120,)


def test_detect(model, split):
    detector = isthmus.Detector(model=model, random_state=0).fit(split[0])
    noise = np.random.default_rng(0).integers(0, 17, (20, 8, 8)).astype(np.uint8)
    assert (detector.predict(noise) == -1).mean() > 0.8
    assert (detector.predict(split[2]) == -1).mean() < 0.3


def test_tune(split):
    model = own().set_params(max_epochs=2)
    tuner = isthmus.Tuner(model=model, n_trials=2, cv=2, random_state=0).fit(split[0][:120])
    assert tuner.best_params_.keys() == {"learning_rate", "batch_size", "weight_decay"}  # the rest is the user's own
    assert tuner.transform(split[2]).shape == (120, 6)


def test_explain(model, split):
    found = tasks.explain(model, split[2], split[3])
    assert sorted(found.units) == list(range(6))
    assert found.attribution.gap < 0.05
    assert found.probes[0].score > 0.5


def test_doctor_and_report(model, split):
    X, _, new, labels = split
    assert tasks.diagnose(model, new, train=X) is not None
    report = evaluate(model, isthmus.data.open(new, labels=labels), baseline_data=X)
    assert report.to_dict()["meaning"]["units"]
    assert "OwnEncoder" in report.to_html()


OWN_SOURCE = """
from torch import nn

class Encoder(nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(1))

class Decoder(nn.Linear):
    pass
"""


def test_a_module_whose_source_changed_is_named_with_both_digests(split, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / "networks_of_mine.py"
    source.write_text(OWN_SOURCE)
    mine = importlib.import_module("networks_of_mine")
    network = mine.Encoder(64, 6), mine.Decoder(6, 64)
    fitted = isthmus.Autoencoder(network=network, max_epochs=1, random_state=0).fit(split[0][:60])
    fitted.save(tmp_path / "mine.safetensors")
    digests = [hashlib.sha256(inspect.getsource(mine.Encoder).encode()).hexdigest()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        isthmus.load(tmp_path / "mine.safetensors", network=network)
    source.write_text(OWN_SOURCE.replace("x.flatten(1))", "2 * x.flatten(1))"))
    mine = importlib.reload(mine)
    digests.append(hashlib.sha256(inspect.getsource(mine.Encoder).encode()).hexdigest())
    with pytest.warns(isthmus.errors.IsthmusWarning) as told:
        isthmus.load(tmp_path / "mine.safetensors", network=(mine.Encoder(64, 6), mine.Decoder(6, 64)))
    assert [str(warning.message) for warning in told] == [
        f"The source of networks_of_mine.Encoder has changed since mine.safetensors was saved: its SHA-256 was "
        f"{digests[0]}, and is {digests[1]}. The weights fit; check what it computes."
    ]
    sys.modules.pop("networks_of_mine")

"""Training the feature network on real digits, and the file that it is kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus import data, metrics
from isthmus.errors import DataError
from isthmus.metrics.features import FeatureNetwork
from isthmus.tasks import feature_network
from isthmus.tasks import features as task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def halves(digits: np.ndarray, digit_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    order = np.random.default_rng(0).permutation(len(digits))
    first, second = order[:900], order[900:]
    return digits[first], digit_labels[first], digits[second], digit_labels[second]


@pytest.fixture(scope="module")
def network(halves: tuple[np.ndarray, ...], folder: Path) -> FeatureNetwork:
    return feature_network(halves[0], halves[1], name="digits", cache=folder)


@pytest.mark.long
def test_it_knows_digits_that_it_has_not_seen(network: FeatureNetwork, halves: tuple[np.ndarray, ...]) -> None:
    assert (network.predict(halves[2]) == halves[3]).mean() > 0.94
    assert network.accuracy is not None
    assert network.accuracy > 0.9


def test_features_tell_digits_from_what_only_looks_like_them(
    network: FeatureNetwork, halves: tuple[np.ndarray, ...]
) -> None:
    real, held_out = network.features(halves[0]), network.features(halves[2])
    blurred = (0.5 * halves[2] + 0.25 * np.roll(halves[2], 1, axis=2) + 0.25 * np.roll(halves[2], -1, axis=2)).astype(
        np.uint8
    )
    noise = np.random.default_rng(1).permuted(halves[2].reshape(len(halves[2]), -1), axis=1).reshape(-1, 8, 8)
    distances = [metrics.frechet_distance(real, network.features(x)) for x in (halves[2], blurred, noise)]
    assert distances[0] < 3.0 < distances[1] < distances[2]
    assert metrics.density_coverage(real, held_out).coverage.mean > 0.85
    fewer = halves[2][halves[3] < 5]
    assert metrics.precision_recall(real, network.features(fewer)).recall.mean < 0.75
    assert metrics.class_coverage(network.class_numbers(fewer), 10).kl > 0.5 * np.log(2.0)


def test_the_second_call_reads_the_file(
    network: FeatureNetwork, halves: tuple[np.ndarray, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(task, "_train", fail)
    again = feature_network(halves[0], halves[1], name="the same digits", cache=folder)
    assert again.digest == network.digest
    assert again.label.startswith("the same digits classifier")
    for changed in ({"random_state": 1}, {"y": 9 - halves[1]}, {"X": halves[0][::-1]}):
        with pytest.raises(AssertionError, match="trained again"):
            feature_network(**{"X": halves[0], "y": halves[1], "cache": folder} | changed)


def test_the_seed_decides(halves: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "STEPS", 20)
    first, second = (feature_network(*halves[:2], cache=False).digest for _ in range(2))
    assert first == second
    assert feature_network(*halves[:2], cache=False, random_state=1).digest != first


def test_a_damaged_file_is_made_anew(
    halves: tuple[np.ndarray, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "STEPS", 20)
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    first = feature_network(*halves[:2])
    (path,) = (tmp_path / "features").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert feature_network(*halves[:2]).digest == first.digest
    assert path.read_bytes() != bytes(content)


def test_what_is_refused(digits: np.ndarray, digit_labels: np.ndarray) -> None:
    with pytest.raises(DataError) as caught:
        feature_network(digits)
    assert str(caught.value) == "feature_network: the pictures need labels; pass their classes as y."
    with pytest.raises(DataError, match="the data must be pictures of one size; they are of kind 'array'"):
        feature_network(digits.reshape(len(digits), -1), digit_labels)
    with pytest.raises(DataError, match="labels must name at least two classes; all pictures are of the class"):
        feature_network(digits, np.zeros(len(digits), int))


def test_a_public_set_brings_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "STEPS", 5)
    network = feature_network(data.load("digits"), cache=False)
    assert network.label.startswith("digits classifier")
    assert network.classes == list(range(10))

"""The feature network: shapes, scaling, files and names, without training."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from isthmus.errors import DataTypeError, ShapeError
from isthmus.metrics.features import WIDTH, FeatureNetwork


def _network(shape: tuple[int, ...], seed: int = 0, dtype: str = "uint8", peak: float = 255.0) -> FeatureNetwork:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return FeatureNetwork("pictures", shape, dtype, peak, ["cat", "dog", "eel"])


def _pictures(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 5, 2), (28, 28, 1), (33, 17, 3)])
def test_any_size_gives_so_many_features(shape: tuple[int, ...]) -> None:
    network = _network(shape)
    images = _pictures(5, *shape)
    assert network.features(images).shape == (5, WIDTH)
    chances = network.probabilities(images)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(network.class_numbers(images), chances.argmax(axis=1))
    assert set(network.predict(images)) <= {"cat", "dog", "eel"}


def test_grey_pictures_need_no_channel() -> None:
    network, images = _network((12, 10, 1)), _pictures(3, 12, 10)
    np.testing.assert_array_equal(network.features(images), network.features(images[..., None]))


def test_a_picture_does_not_depend_on_the_others() -> None:
    network, images = _network((16, 16, 3)), _pictures(300, 16, 16, 3)
    np.testing.assert_allclose(network.features(images)[290:], network.features(images[290:]), atol=1e-5)


def test_standardised_features_have_mean_zero_and_deviation_one() -> None:
    network, images = _network((16, 16, 1)), _pictures(500, 16, 16)
    network.standardise(images)
    found = network.features(images)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), 1.0, atol=1e-4)


def test_the_state_brings_the_network_back_bit_for_bit() -> None:
    network, images = _network((20, 20, 1)), _pictures(9, 20, 20)
    network.standardise(images)
    network.accuracy = 0.5
    document, arrays = network.state()
    before = torch.random.get_rng_state()
    again = FeatureNetwork.from_state(json.loads(json.dumps(document)), arrays)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(again.features(images), network.features(images))
    assert (again.label, again.accuracy, again.classes) == (network.label, 0.5, ["cat", "dog", "eel"])


def test_the_label_names_the_weights() -> None:
    network = _network((8, 8, 1))
    assert network.label == f"pictures classifier, 64 features, {network.digest[:12]}"
    assert _network((8, 8, 1)).label == network.label
    assert _network((8, 8, 1), seed=1).label != network.label


def test_what_is_refused() -> None:
    network = _network((8, 8, 1))
    with pytest.raises(ShapeError) as caught:
        network.features(_pictures(2, 9, 8))
    assert str(caught.value) == "FeatureNetwork: images must have shape (n, 8, 8), n at least 1; got (2, 9, 8)."
    with pytest.raises(DataTypeError) as caught:
        network.predict(_pictures(2, 8, 8) / 255.0)
    assert str(caught.value) == (
        "FeatureNetwork: images must be uint8, as those that the network learned from; got float64. "
        "Bring them to that type and range first."
    )

"""Methods of clustering and of classifying by themselves: with a coder, and without an estimator around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer

import isthmus
from isthmus.errors import DataError, ParameterError
from isthmus.tasks import classify, cluster
from isthmus.tasks.classify.methods import LabelSplit
from isthmus.tasks.coder import Coder

CENTRES = np.asarray([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0]])
K = len(CENTRES)
ON_CODES = ("communities", "k-means", "mixture", "neighbour-graph")


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    return np.repeat(np.arange(K), 60)


@pytest.fixture(scope="module")
def codes(numbers: np.ndarray) -> np.ndarray:
    return (CENTRES[numbers] + np.random.default_rng(0).normal(size=(len(numbers), 2))).astype(np.float32)


@pytest.fixture(scope="module")
def coder() -> Coder:
    """Return a coder whose codes are the records."""
    return Coder(FunctionTransformer(), owner="Somebody")


@pytest.mark.parametrize("name", ON_CODES)
def test_clusters_of_codes(name: str, coder: Coder, codes: np.ndarray, numbers: np.ndarray) -> None:
    method, data = cluster.METHODS[name], isthmus.data.open(codes)
    learned, probabilities = method.learn(coder, data, method.view(codes, 0), K, 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    of_class = [np.bincount(probabilities.argmax(axis=1)[numbers == k], minlength=K) for k in range(K)]
    assert sorted(np.argmax(of_class, axis=1).tolist()) == [0, 1, 2]
    assert np.max(of_class, axis=1).sum() >= 0.97 * len(codes)
    assert method.evidence(method.view(codes, 0), 6, 0).best == K
    again = learned.probabilities(coder, data)
    assert (again.argmax(axis=1) == probabilities.argmax(axis=1)).mean() >= 0.97


def test_the_mixture_is_that_of_its_gaussians(coder: Coder, codes: np.ndarray) -> None:
    mixture, probabilities = cluster.METHODS["mixture"].learn(coder, isthmus.data.open(codes), codes, K, 0)
    parts: dict[str, Any] = mixture.state()[1]
    densities = [
        np.exp(log_weight) * multivariate_normal(mean, np.linalg.inv(upper @ upper.T)).pdf(codes)
        for log_weight, mean, upper in zip(parts["log_weights"], parts["means"], parts["whitening"], strict=True)
    ]
    np.testing.assert_allclose(probabilities, (densities / np.sum(densities, axis=0)).T, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", ["probe", "spreading"])
def test_classes_of_codes(name: str, coder: Coder, codes: np.ndarray, numbers: np.ndarray) -> None:
    known = np.where(np.arange(len(codes)) % 6 == 0, numbers, -1)
    held_out = np.flatnonzero(known >= 0)[::5]
    data, split = isthmus.data.open(codes), LabelSplit(np.arange(K), known, held_out)
    assert set(split.rows) == set(np.flatnonzero(known >= 0)) - set(held_out)
    learned = classify.METHODS[name].learn(coder, data, split)
    logits = learned.logits(coder, data)
    assert logits.shape == (len(codes), K)
    assert (logits.argmax(axis=1) == numbers).mean() >= 0.97
    unseen, classes = learned.unseen  # type: ignore[misc]
    np.testing.assert_array_equal(classes, numbers[split.rows])
    assert (unseen.argmax(axis=1) == classes).mean() >= 0.9


def test_a_coder_gives_other_libraries_rows_of_numbers() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (20, 4, 5), dtype=np.uint8)
    pca = PCA(3).fit(pictures.reshape(20, -1))
    codes = Coder(pca).codes(isthmus.data.open(pictures))
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, pca.transform(pictures.reshape(20, -1)), rtol=1e-4, atol=1e-3)


def test_a_coder_refuses_what_has_no_codes_of_one_size() -> None:
    texts = isthmus.data.open(["one", "two"])
    with pytest.raises((DataError, ParameterError), match=r"^Somebody: "):
        Coder(PCA(1), owner="Somebody").codes(texts)

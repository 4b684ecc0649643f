"""Baselines against linear algebra, and for what they must not do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from isthmus.errors import DataError, ShapeError
from isthmus.metrics import kmeans_baseline, mean_baseline, pca_baseline, squared_error


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X = load_digits().data
    return X[:1400], X[1400:]


def test_mean_is_the_mean_of_the_training_rows(digits: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = digits
    baseline = mean_baseline(train, test)
    np.testing.assert_allclose(baseline.reconstruction, np.tile(train.mean(axis=0), (len(test), 1)))
    assert (baseline.name, baseline.size) == ("mean", 0)


@pytest.mark.parametrize("size", [1, 8, 32])
def test_pca_equals_the_singular_vectors_of_the_training_rows(digits: tuple[np.ndarray, np.ndarray], size: int) -> None:
    train, test = digits
    mean = train.mean(axis=0)
    _, _, rows = np.linalg.svd(train - mean, full_matrices=False)
    expected = mean + (test - mean) @ rows[:size].T @ rows[:size]
    baseline = pca_baseline(train, test, size)
    np.testing.assert_allclose(baseline.reconstruction, expected, atol=1e-6)
    assert baseline.title == f"PCA, {size} component{'s' if size > 1 else ''}"


def test_pca_is_bounded_by_rows_and_columns(digits: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = digits
    assert pca_baseline(train[:5], test, 32).size == 5
    assert pca_baseline(train, test, 1000).size == 64
    np.testing.assert_allclose(pca_baseline(train[:1], test[:3], 4).reconstruction, np.repeat(train[:1], 3, axis=0))


def test_kmeans_gives_the_nearest_centre(digits: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = digits
    result = kmeans_baseline(train, test, 10)
    centres = np.unique(result.reconstruction, axis=0)
    assert len(centres) <= 10
    distances = ((test[:, None] - centres[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_error(test, result.reconstruction), distances.min(axis=1), rtol=1e-9)


def test_order_of_the_baselines_on_digits(digits: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = digits
    errors = [
        squared_error(test, made.reconstruction).mean()
        for made in (pca_baseline(train, test, 16), kmeans_baseline(train, test, 16), mean_baseline(train, test))
    ]
    assert errors == sorted(errors)


def test_kmeans_with_few_different_rows_and_with_many_rows() -> None:
    result = kmeans_baseline(np.repeat([[0.0], [1.0]], 5, axis=0), [[0.2], [0.9]], 8)
    np.testing.assert_allclose(result.reconstruction, [[0.0], [1.0]])
    assert result.title == "k-means, 2 centres"
    many = np.repeat(np.arange(4.0), 3000)[:, None]
    np.testing.assert_allclose(kmeans_baseline(many, many[::3000] + 0.1, 4).reconstruction, many[::3000], atol=1e-6)


def test_training_rows_are_bounded(monkeypatch: pytest.MonkeyPatch, digits: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = digits
    monkeypatch.setattr("isthmus.metrics.baselines._MAX_VALUES", 64 * 200)
    small, again = pca_baseline(train, test, 8), pca_baseline(train, test, 8)
    np.testing.assert_array_equal(small.reconstruction, again.reconstruction)
    assert (
        squared_error(test, small.reconstruction).mean()
        < squared_error(test, mean_baseline(train, test).reconstruction).mean()
    )


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        pca_baseline(np.zeros((3, 2)), np.zeros((3, 4)), 1)
    assert str(caught.value) == (
        "pca_baseline: train and test must be matrices of one width; got shapes (3, 2) and (3, 4). "
        "Flatten every record to one row first."
    )
    with pytest.raises(DataError, match="need at least one row each; got 0 and 3"):
        mean_baseline(np.zeros((0, 2)), np.zeros((3, 2)))

"""Figures of maps, against scikit-learn and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import nearest_neighbour_hits, neighbourhoods

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 6))
Z = X[:, :2] + 0.3 * rng.normal(size=(200, 2))


@pytest.mark.parametrize("k", [1, 5, 15])
def test_trustworthiness_and_continuity_are_those_of_scikit_learn(k):
    found = neighbourhoods(X, Z, k=k)
    assert found.trustworthiness.mean() == pytest.approx(trustworthiness(X, Z, n_neighbors=k))
    assert found.continuity.mean() == pytest.approx(trustworthiness(Z, X, n_neighbors=k))


def test_neighbours_kept_are_counted():
    found = neighbourhoods(X, Z, k=7)
    orders = [np.argsort(np.linalg.norm(one[:, None] - one[None], axis=2), axis=1)[:, 1:8] for one in (X, Z)]
    shares = [len(np.intersect1d(a, b)) / 7 for a, b in zip(*orders, strict=True)]
    np.testing.assert_allclose(found.hit_rate, shares)


def test_a_perfect_map_is_perfect_and_a_random_one_is_at_chance():
    perfect = neighbourhoods(X, 5 * X[:, ::-1] + 1, k=5)
    assert perfect.trustworthiness.mean() == perfect.continuity.mean() == perfect.hit_rate.mean() == 1.0
    random = neighbourhoods(X, rng.normal(size=(200, 2)), k=5)
    assert random.trustworthiness.mean() == pytest.approx(0.5, abs=0.05)
    assert random.hit_rate.mean() == pytest.approx(5 / 199, abs=0.02)


def test_pictures_of_whole_numbers_are_compared_by_value(digits):
    points = digits[:100].reshape(100, -1)[:, 20:22] + rng.normal(size=(100, 2))
    found = neighbourhoods(digits[:100], points, k=5).trustworthiness.mean()
    assert found == pytest.approx(trustworthiness(digits[:100].reshape(100, -1).astype(float), points), abs=2e-3)


def test_hits_are_those_of_scikit_learns_classifier():
    labels = np.array(["left", "right"])[(X[:, 0] > 0).astype(int)]
    hits = nearest_neighbour_hits(Z[:150], labels[:150], Z[150:], labels[150:])
    assert hits.mean() == KNeighborsClassifier(5).fit(Z[:150], labels[:150]).score(Z[150:], labels[150:])


@pytest.mark.parametrize(
    ("records", "points", "k", "error", "sentence"),
    [
        (X, Z[:9], 5, ShapeError, "one point a record; their shapes are"),
        (
            X,
            np.where(np.arange(400).reshape(200, 2) == 7, np.nan, Z),
            5,
            DataError,
            "points must be finite numbers; row 3",
        ),
        (X, Z, 100, ParameterError, "k must be at least 1 and less than half of the 200 records; it is 100"),
        (X, Z, 0, ParameterError, "it is 0"),
    ],
)
def test_what_is_no_map_is_refused(records, points, k, error, sentence):
    with pytest.raises(error, match=sentence):
        neighbourhoods(records, points, k=k)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((Z, np.zeros(200), X, np.zeros(200)), "rows of equally many numbers"),
        ((Z, np.zeros(9), Z, np.zeros(200)), "there are 200 known points, and the shape of their labels is"),
        ((Z, np.zeros(200), Z, np.zeros(9)), "there are 200 new points"),
    ],
)
def test_points_and_labels_must_go_together(arguments, sentence):
    with pytest.raises(ShapeError, match=sentence):
        nearest_neighbour_hits(*arguments)
    with pytest.raises(ParameterError, match="at most the number of known points, 3; it is 5"):
        nearest_neighbour_hits(Z[:3], np.zeros(3), Z, np.zeros(200))

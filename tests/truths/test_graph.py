"""The graph of nearest rows against scikit-learn's search and the formulas of its weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from isthmus.graph import fuzzy_graph, nearest_rows, weights_of


@pytest.mark.parametrize(("n", "rows"), [(120, 1), (120, 7), (120, 500), (1001, 300)])
def test_nearest_rows_are_those_of_scikit_learn(n, rows):
    X = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32) + 100
    new = np.random.default_rng(1).normal(size=(9, 5)).astype(np.float32) + 100
    search = NearestNeighbors(n_neighbors=6).fit(X.astype(np.float64))
    for queries in (None, new):
        distances, indices = search.kneighbors(None if queries is None else queries.astype(np.float64))
        found, away = nearest_rows(X, 6, queries, rows)
        assert np.array_equal(found, indices)
        assert away == pytest.approx(distances, rel=1e-4)


def test_weights_add_up_to_the_logarithm_of_k():
    distances = np.sort(np.random.default_rng(0).random((50, 8)).astype(np.float32), axis=1) + 0.1
    weights = weights_of(distances)
    assert weights[:, 0] == pytest.approx(np.ones(50))
    assert weights.sum(1) == pytest.approx(np.full(50, 3.0), abs=1e-6)


def test_fuzzy_graph_is_the_union_of_both_directions():
    X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    indices, distances = nearest_rows(X, 5)
    v = np.zeros((30, 30))
    np.put_along_axis(v, indices, weights_of(distances), 1)
    assert fuzzy_graph(indices, distances).toarray() == pytest.approx(v + v.T - v * v.T, abs=1e-6)

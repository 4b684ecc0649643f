"""Clustering accuracy against all matchings, tried one by one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from isthmus.errors import DataError, ShapeError
from isthmus.metrics import clustering_accuracy


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_best_of_all_matchings(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, 60)
    clusters = np.where(rng.random(60) < 0.6, (classes + 1) % 4, rng.integers(0, 4, 60))
    best = max(np.mean(np.asarray(order)[clusters] == classes) for order in permutations(range(4)))
    assert clustering_accuracy(classes, clusters) == pytest.approx(best, abs=1e-12)


def test_a_cluster_takes_the_place_of_one_class_only():
    assert clustering_accuracy(["a", "a", "b", "b"], [0, 0, 0, 0]) == 0.5
    assert clustering_accuracy(["a", "a", "b", "b"], [0, 1, 2, 3]) == 0.5


def test_labels_of_different_number_are_refused():
    with pytest.raises(ShapeError, match=r"both must have one label a record; their shapes are \(2,\) and \(3,\)"):
        clustering_accuracy([0, 1], [0, 1, 1])
    with pytest.raises(DataError, match="there must be at least one record"):
        clustering_accuracy([], [])

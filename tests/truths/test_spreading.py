"""Labels spread over a graph, beside scikit-learn's and the equation solved as it is written."""

import numpy as np
import scipy.sparse as sp
from sklearn.semi_supervised import LabelSpreading

from isthmus.graph import REACH, fuzzy_graph, nearest_rows, spread


def graph_of(points: np.ndarray) -> sp.csr_matrix:
    return fuzzy_graph(*nearest_rows(points.astype(np.float32), 6))


def moons() -> tuple[np.ndarray, np.ndarray]:
    """Return points on two half circles, and labels of one point of each; the others have -1."""
    from sklearn.datasets import make_moons

    points, classes = make_moons(120, noise=0.05, random_state=0)
    labels = np.full(120, -1)
    for c in (0, 1):
        labels[np.flatnonzero(classes == c)[0]] = c
    return points, np.stack([labels, classes])


def test_the_shares_are_those_of_the_equation_and_of_scikit_learn():
    points, (labels, _) = moons()
    graph = graph_of(points)
    weights = graph.toarray()
    root = 1 / np.sqrt(weights.sum(1))
    wanted = np.linalg.solve(
        np.eye(120) - REACH * root[:, None] * weights * root, np.eye(2)[labels] * (labels >= 0)[:, None]
    )
    found = spread(graph, labels, 2, even=False)
    np.testing.assert_allclose(found, wanted / wanted.sum(1, keepdims=True), atol=2e-3)
    theirs = LabelSpreading(kernel=lambda a, b: weights, alpha=REACH, max_iter=5000, tol=1e-9).fit(points, labels)
    np.testing.assert_allclose(found, theirs.label_distributions_, atol=2e-3)


def test_classes_that_weigh_the_same_reach_equally_far():
    points, (labels, classes) = moons()
    labels[np.flatnonzero(classes == 0)[:10]] = 0  # ten of one class, one of the other
    graph = graph_of(points)
    weights = graph.toarray()
    root = np.sqrt(weights.sum(1))
    each = np.eye(2)[labels] * (labels >= 0)[:, None]
    wanted = np.linalg.solve(np.eye(120) - REACH * weights / root[:, None] / root, each / (root @ each))
    found = spread(graph, labels, 2)
    np.testing.assert_allclose(found, wanted / wanted.sum(1, keepdims=True), atol=2e-3)


def test_a_class_with_more_labels_does_not_win_where_clusters_touch():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 200)
    points = rng.normal(size=(400, 2)) + np.array([[0, 0], [3, 0]])[classes]
    labels = np.full(400, -1)
    labels[:40], labels[200:205] = 0, 1
    even, uneven = (spread(graph_of(points), labels, 2, even=even).argmax(1) for even in (True, False))
    assert (even == classes).mean() > 0.88
    assert (uneven == classes).mean() < 0.7


def test_one_label_a_curve_is_enough():
    points, (labels, classes) = moons()
    assert (spread(graph_of(points), labels, 2).argmax(1) == classes).mean() == 1


def test_rows_that_no_label_reaches_have_the_shares_of_the_labels():
    points = np.concatenate([np.random.default_rng(0).normal(size=(20, 2)) + shift for shift in (0, 100)])
    labels = np.full(40, -1)
    labels[:4] = [0, 0, 0, 1]
    found = spread(graph_of(points), labels, 2)
    np.testing.assert_allclose(found[20:], np.tile([0.75, 0.25], (20, 1)))
    np.testing.assert_allclose(found.sum(1), 1)

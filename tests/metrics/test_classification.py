"""Scores of classifiers against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn import metrics as reference

from isthmus import metrics


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, 500)
    logits = 3 * rng.normal(size=(500, 4))
    logits[np.arange(500), numbers] += 2
    return logits, numbers


def test_log_loss_is_scikit_learns(made):
    logits, numbers = made
    assert metrics.log_loss(logits, numbers) == pytest.approx(reference.log_loss(numbers, metrics.softmax(logits)))


def test_softmax_of_large_logits_is_finite():
    assert metrics.softmax(np.array([[1e4, 0.0], [-1e4, 0.0]])) == pytest.approx(np.array([[1.0, 0.0], [0.0, 1.0]]))


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_temperature_is_the_one_that_scipy_finds(made, scale):
    logits, numbers = scale * made[0], made[1]
    found = minimize_scalar(
        lambda log_t: metrics.log_loss(logits / np.exp(log_t), numbers), bounds=(-6, 6), options={"xatol": 1e-9}
    )
    assert metrics.best_temperature(logits, numbers) == pytest.approx(np.exp(found.x), rel=1e-5)


def test_smoothed_temperature_is_the_one_that_scipy_finds(made):
    logits, numbers = made
    targets = np.full((500, 4), 0.1 / 3)
    targets[np.arange(500), numbers] = 0.9

    def loss(log_t):
        return -(targets * np.log(metrics.softmax(logits / np.exp(log_t)))).sum(1).mean()

    found = minimize_scalar(loss, bounds=(-6, 6), options={"xatol": 1e-9})
    assert metrics.best_temperature(logits, numbers, smoothing=0.1) == pytest.approx(np.exp(found.x), rel=1e-5)


def test_where_all_are_right_only_smoothing_stops_the_temperature():
    logits, numbers = 5 * np.eye(3), np.arange(3)
    assert metrics.best_temperature(logits, numbers) == pytest.approx(1e-3, rel=0.01)
    assert metrics.best_temperature(logits, numbers, smoothing=0.2) > 0.5


def test_confusion_and_scores_are_scikit_learns(made):
    logits, numbers = made
    predicted = logits.argmax(1)
    confusion = metrics.confusion_matrix(numbers, predicted, 4)
    assert np.array_equal(confusion, reference.confusion_matrix(numbers, predicted))
    found = metrics.class_scores(confusion)
    wanted = reference.precision_recall_fscore_support(numbers, predicted)
    for one, other in zip((found.precision, found.recall, found.f1, found.support), wanted, strict=True):
        assert one == pytest.approx(other)


def test_a_class_that_is_never_predicted_has_no_precision():
    scores = metrics.class_scores(np.array([[2, 0], [1, 0]]))
    assert np.isnan(scores.precision[1])
    assert scores.recall[1] == 0


def test_calibration_curve_by_hand():
    chances = np.array([[0.95, 0.05], [0.94, 0.06], [0.4, 0.6], [0.45, 0.55]])
    curve = metrics.calibration_curve(chances, np.array([0, 1, 1, 1]), bins=10)
    assert curve.count.tolist() == [2, 2]
    assert curve.confidence == pytest.approx([0.575, 0.945])
    assert curve.accuracy == pytest.approx([1.0, 0.5])
    assert curve.expected_error == pytest.approx(0.5 * 0.425 + 0.5 * 0.445)


def test_true_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(3), 40_000)
    numbers = (rng.random((40_000, 1)) > chances.cumsum(1)).sum(1)
    assert metrics.calibration_curve(chances, numbers).expected_error < 0.01

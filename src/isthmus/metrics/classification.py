"""Classification metrics: confusion, scores of each class, and calibration of probabilities.

Temperature scaling and the expected calibration error: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern
Neural Networks", ICML 2017, sections 4.2 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CalibrationCurve",
    "ClassScores",
    "best_temperature",
    "calibration_curve",
    "class_scores",
    "confusion_matrix",
    "log_loss",
    "softmax",
]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

BINS = 15
HOTTEST = 1e3  # temperatures are looked for from 1 / HOTTEST to HOTTEST
HALVINGS = 60


def softmax(logits: NDArray[np.floating]) -> Float64:
    """Return probabilities: each row of (n, k) adds up to 1."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def log_loss(logits: NDArray[np.floating], numbers: Int64) -> float:
    """Return the mean of -log p of the true classes, in nats per record.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
    numbers : ndarray of int64, shape (n,)
        True classes, from 0 to k - 1.
    """
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1))
    return float((total - shifted[np.arange(len(numbers)), numbers]).mean())


def best_temperature(logits: NDArray[np.floating], numbers: Int64, *, smoothing: float = 0.0) -> float:
    r"""Return the T for which softmax(logits / T) has the least log loss (Guo et al., equation 9).

    The loss is convex in 1 / T, so its slope is followed to zero by halving:
    d/d(1/T) = mean of (expected logit - logit of the true class).

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Of records that the classifier has not learned from.
    numbers : ndarray of int64, shape (n,)
        True classes.
    smoothing : float, default=0
        Probability that is divided among the other classes (Platt 1999): without it nothing is hot enough where all
        records are classified rightly.

    Returns
    -------
    float
        From 0.001 to 1,000; at an end where all, or none, of the records are classified rightly.
    """
    logits = np.asarray(logits, np.float64)
    k = logits.shape[1]
    true = logits[np.arange(len(numbers)), numbers]
    true = (1 - smoothing * k / (k - 1)) * true + smoothing * k / (k - 1) * logits.mean(axis=1)
    low, high = -np.log(HOTTEST), np.log(HOTTEST)  # of 1 / T
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = ((softmax(np.exp(middle) * logits) * logits).sum(axis=1) - true).mean()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def confusion_matrix(numbers: Int64, predicted: Int64, k: int) -> Int64:
    """Return how many records of each class (rows) were taken for each class (columns): (k, k)."""
    counts = np.bincount(numbers * k + predicted, minlength=k * k)
    return counts.reshape(k, k).astype(np.int64)


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class; NaN where a class was never predicted, or has no records.

    Parameters
    ----------
    precision : ndarray, shape (k,)
        Share of the records taken for the class that are of it.
    recall : ndarray, shape (k,)
        Share of the records of the class that were taken for it.
    f1 : ndarray, shape (k,)
        Harmonic mean of both.
    support : ndarray of int64, shape (k,)
        Records of the class.
    """

    precision: Float64
    recall: Float64
    f1: Float64
    support: Int64


def class_scores(confusion: Int64) -> ClassScores:
    """Return precision, recall and F1 of each class from a confusion matrix."""
    right, of, as_ = np.diag(confusion).astype(np.float64), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ClassScores(right / as_, right / of, 2 * right / (of + as_), of)


@dataclass(frozen=True)
class CalibrationCurve:
    """Calibration curve: accuracy in bins of confidence.

    Parameters
    ----------
    confidence : ndarray, shape (bins,)
        Mean probability of the predicted class; only of bins that have records.
    accuracy : ndarray, shape (bins,)
        Share that is right.
    count : ndarray of int64, shape (bins,)
        Records.
    """

    confidence: Float64
    accuracy: Float64
    count: Int64

    @property
    def expected_error(self) -> float:
        """The expected calibration error: mean |accuracy - confidence|, weighted by records (Guo et al., eq. 3)."""
        return float((self.count * np.abs(self.accuracy - self.confidence)).sum() / self.count.sum())


def calibration_curve(probabilities: Float64, numbers: Int64, bins: int = BINS) -> CalibrationCurve:
    """Return the calibration curve over bins of equal width.

    Parameters
    ----------
    probabilities : ndarray, shape (n, k)
    numbers : ndarray of int64, shape (n,)
        True classes.
    bins : int, default=15
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == numbers
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    some = count > 0
    confidence = np.bincount(place, weights=sure, minlength=bins)[some] / count[some]
    accuracy = np.bincount(place, weights=right, minlength=bins)[some] / count[some]
    return CalibrationCurve(confidence, accuracy, count[some].astype(np.int64))

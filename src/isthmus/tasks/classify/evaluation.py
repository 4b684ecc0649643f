"""Evaluation of a classifier on labelled records: figures to print, to save and to plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.metrics import CalibrationCurve, ClassScores, Interval

__all__ = ["Classification", "doubtful_rows"]

MAX_CLASSES = 30  # classes that a printed table of scores has room for
DOUBTFUL = 100  # rows that are kept


@dataclass(frozen=True)
class Classification:
    """What a classifier did with labelled records.

    Parameters
    ----------
    classes : ndarray, shape (k,)
        Labels, sorted.
    n : int
        Records judged: those with a label.
    accuracy : Interval
        Share that is right, with a 95 % interval.
    log_loss : float
        Mean of -log p of the true class, nats.
    confusion : ndarray of int64, shape (k, k)
        Records of each class (rows) taken for each class (columns).
    scores : ClassScores
        Precision, recall and F1 of each class.
    calibration : CalibrationCurve
        How often it is right where it is so sure.
    doubtful : ndarray of int64, shape (m,)
        Rows with the smallest lead of the first class over the second, the smallest first.
    leads : ndarray, shape (m,)
        Their leads, in probability.
    true, predicted : ndarray of int64, shape (m,)
        Their class numbers.
    """

    classes: NDArray[Any]
    n: int
    accuracy: Interval
    log_loss: float
    confusion: NDArray[np.int64]
    scores: ClassScores
    calibration: CalibrationCurve
    doubtful: NDArray[np.int64]
    leads: NDArray[np.float64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(
        cls, classes: NDArray[Any], probabilities: NDArray[np.float64], numbers: NDArray[np.int64]
    ) -> Classification:
        """Return the evaluation of probabilities (n, k) against class numbers (n,), -1 for records without a label."""
        rows = np.flatnonzero(numbers >= 0)
        chances, true = probabilities[rows], numbers[rows]
        predicted = chances.argmax(axis=1)
        confusion = metrics.confusion_matrix(true, predicted, len(classes))
        order, leads = doubtful_rows(chances, DOUBTFUL)
        return cls(
            classes=classes,
            n=len(rows),
            accuracy=metrics.bootstrap_interval((predicted == true).astype(np.float64)),
            log_loss=metrics.log_loss(np.log(np.maximum(chances, 1e-300)), true),
            confusion=confusion,
            scores=metrics.class_scores(confusion),
            calibration=metrics.calibration_curve(chances, true),
            doubtful=rows[order],
            leads=leads,
            true=true[order],
            predicted=predicted[order],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain Python values."""
        names = [str(label) for label in self.classes.tolist()]
        scores = zip(names, self.scores.precision, self.scores.recall, self.scores.f1, self.scores.support, strict=True)
        return {
            "n": self.n,
            "accuracy": {"mean": self.accuracy.mean, "low": self.accuracy.low, "high": self.accuracy.high},
            "log_loss": self.log_loss,
            "expected_calibration_error": self.calibration.expected_error,
            "classes": {
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for name, p, r, f, n in scores
            },
            "confusion": self.confusion.tolist(),
            "calibration": {
                "confidence": self.calibration.confidence.tolist(),
                "accuracy": self.calibration.accuracy.tolist(),
                "count": self.calibration.count.tolist(),
            },
            "doubtful": [
                {"row": int(row), "lead": float(lead), "class": names[true], "taken_for": names[predicted]}
                for row, lead, true, predicted in zip(self.doubtful, self.leads, self.true, self.predicted, strict=True)
            ],
        }

    def lines(self) -> list[str]:
        """Return the figures as lines of text."""
        accuracy = self.accuracy
        head = [
            f"accuracy {accuracy.mean:.4f} ({accuracy.low:.4f} to {accuracy.high:.4f}) on {self.n:,} records",
            f"log loss {self.log_loss:.4f} nats, expected calibration error {self.calibration.expected_error:.4f}",
        ]
        names = [str(label) for label in self.classes.tolist()]
        width = max(5, *(len(name) for name in names))
        table = [f"{'class':<{width}}  precision  recall     f1  records  most often taken for"]
        for k, name in enumerate(names[:MAX_CLASSES]):
            others = self.confusion[k].copy()
            others[k] = 0
            mistaken = f"{names[others.argmax()]} ({others.max()})" if others.any() else "-"
            p, r, f = self.scores.precision[k], self.scores.recall[k], self.scores.f1[k]
            table.append(f"{name:<{width}}  {p:9.3f}  {r:6.3f}  {f:5.3f}  {self.scores.support[k]:7,}  {mistaken}")
        if len(names) > MAX_CLASSES:
            table.append(f"... and {len(names) - MAX_CLASSES} classes more")
        doubtful = ", ".join(map(str, self.doubtful[:10]))
        return [*head, "", *table, "", f"most doubtful rows: {doubtful}"]

    def __str__(self) -> str:
        """Return the lines as one text."""
        return "\n".join(self.lines())


def doubtful_rows(probabilities: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows with the smallest lead of the first class over the second, and these leads, smallest first."""
    two = np.sort(np.pad(probabilities, ((0, 0), (1, 0))), axis=1)[:, -2:]  # a single class leads by all that it has
    leads = two[:, 1] - two[:, 0]
    order = np.argsort(leads, kind="stable")[:count]
    return order, leads[order]

"""What a detector says of records: a line of each, for people, machines and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import columns

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks import Detector

__all__ = ["REASONS", "Found"]

REASONS = 3  # features that are named of each record


class Found:
    """What a detector says of records.

    Parameters
    ----------
    detector : Detector
    records : Data
    """

    def __init__(self, detector: Detector, records: Data) -> None:
        self.detector, self.records = detector, records
        self.scores = np.concatenate([detector.score_samples(block) for block in inputs.blocks(records)])
        self.p_values = (
            detector.p_values_of(self.scores)
            if len(detector.calibration_scores_)
            else np.full(len(self.scores), np.nan)
        )

    def write(self, path: Any, *, force: bool) -> None:
        """Write score, p-value, verdict and reasons of each record."""
        outputs.write_columns(path, self.columns(reasons=path.suffix != ".npy"), self.records.names, force=force)

    def columns(self, *, reasons: bool) -> Iterator[dict[str, np.ndarray]]:
        """Yield what is told of each record, block by block."""
        start = 0
        for block in inputs.blocks(self.records):
            rows = slice(start, start + len(block))
            told = {"score": self.scores[rows], "p_value": self.p_values[rows]}
            told["outlier"] = self.scores[rows] < self.detector.offset_
            if reasons:
                told["reason"] = np.asarray([self._sentence(one) for one in self.detector.reasons(block, REASONS)])
            yield told
            start = rows.stop

    def _sentence(self, reasons: list[Any]) -> str:
        return "; ".join(map(str, reasons))

    def described(self, rows: np.ndarray, reasons: list[Any]) -> list[dict[str, Any]]:
        """Return what is said of some records, for machines."""
        names = self.records.names
        return [
            {
                "row": int(row),
                **({} if names is None else {"name": str(names[row])}),
                "score": float(self.scores[row]),
                "p_value": float(self.p_values[row]),
                "outlier": bool(self.scores[row] < self.detector.offset_),
                "reasons": [vars(reason) for reason in its],
            }
            for row, its in zip(rows.tolist(), reasons, strict=True)
        ]

    def table(self, rows: np.ndarray, reasons: list[Any]) -> list[str]:
        """Return what is said of some records, for people."""
        names = self.records.names
        body = [
            (
                str(row) if names is None else str(names[row]),
                f"{self.scores[row]:.2f}",
                f"{self.p_values[row]:.2g}",
                "outlier" if self.scores[row] < self.detector.offset_ else "",
                self._sentence(its),
            )
            for row, its in zip(rows.tolist(), reasons, strict=True)
        ]
        head = ("row" if names is None else "name", "score", "p", "", "because of")
        return columns(head, body, words=("because of",))

"""Evaluation on held-out records: :func:`evaluate` measures, :class:`Report` shows."""

from isthmus.report.document import Report
from isthmus.report.evaluation import evaluate

__all__ = ["Report", "evaluate"]

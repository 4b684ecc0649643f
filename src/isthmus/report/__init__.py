"""How good a model is on records it has not seen: :func:`evaluate` measures, :class:`Report` shows."""

from isthmus.report.document import Report
from isthmus.report.evaluation import evaluate

__all__ = ["Report", "evaluate"]

"""Evaluation on held-out records: :func:`evaluate` measures, :class:`Report` shows; and pages about compression."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.report.document import Report
    from isthmus.report.evaluation import evaluate

__all__ = ["Report", "evaluate"]

_PLACES = {"Report": "isthmus.report.document", "evaluate": "isthmus.report.evaluation"}


def __getattr__(name: str) -> Any:
    """Return what is asked for: a page about compression does without the models that evaluation needs."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'isthmus.report' has no attribute {name!r}")

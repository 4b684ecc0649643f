"""Classification from a model's codes, with few labels or many: :class:`Classifier`."""

from isthmus.tasks.classify.classifier import METHODS, Classifier
from isthmus.tasks.classify.evaluation import Classification

__all__ = ["METHODS", "Classification", "Classifier"]

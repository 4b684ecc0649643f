"""Outlier detection: anomaly scores, conformal p-values, and the features that explain them."""

from isthmus.tasks.detect.detector import METHODS, Detector
from isthmus.tasks.detect.reasons import Reason

__all__ = ["METHODS", "Detector", "Reason"]

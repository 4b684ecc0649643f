"""Outliers: which records are odd, how sure that is, and what makes them so."""

from isthmus.tasks.detect.detector import METHODS, Detector
from isthmus.tasks.detect.reasons import Reason

__all__ = ["METHODS", "Detector", "Reason"]

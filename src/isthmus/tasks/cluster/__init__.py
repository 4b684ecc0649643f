"""Clustering of records by a model's codes: :class:`Clusterer`."""

from isthmus.tasks.cluster.clusterer import METHODS, Clusterer
from isthmus.tasks.cluster.evidence import Evidence

__all__ = ["METHODS", "Clusterer", "Evidence"]

"""Hyperparameter search: the family of models and the settings that serve some records best."""

from isthmus.tasks.tune.findings import Effect, Findings, Trial
from isthmus.tasks.tune.tuner import Tuner

__all__ = ["Effect", "Findings", "Trial", "Tuner"]

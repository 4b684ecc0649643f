"""Settings by evidence: which family of models and which of its parameters serve some records best."""

from isthmus.tasks.tune.findings import Effect, Findings, Trial
from isthmus.tasks.tune.tuner import Tuner

__all__ = ["Effect", "Findings", "Trial", "Tuner"]

"""What a trained model is put to: each task asks for methods, never for a class. ``REGISTRY`` has the task objects."""

from isthmus.tasks.doctor import Diagnosis, Finding, diagnose, examine
from isthmus.tasks.estimator import TaskEstimator
from isthmus.tasks.features import feature_network
from isthmus.tasks.generate import augment, interpolate, path_between, sample_where, traverse
from isthmus.tasks.restore import denoise, inpaint, inpaint_blocks

__all__ = [
    "Diagnosis",
    "Finding",
    "TaskEstimator",
    "augment",
    "denoise",
    "diagnose",
    "examine",
    "feature_network",
    "inpaint",
    "inpaint_blocks",
    "interpolate",
    "path_between",
    "sample_where",
    "traverse",
]

_OBJECTS: tuple[type[TaskEstimator], ...] = ()

REGISTRY: dict[str, type[TaskEstimator]] = {cls.__name__: cls for cls in _OBJECTS}

"""What a trained model is put to: each task asks for methods, never for a class."""

from isthmus.tasks.doctor import Diagnosis, Finding, diagnose, examine
from isthmus.tasks.features import feature_network
from isthmus.tasks.generate import augment, interpolate, path_between, sample_where, traverse
from isthmus.tasks.restore import denoise, inpaint, inpaint_blocks

__all__ = [
    "Diagnosis",
    "Finding",
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

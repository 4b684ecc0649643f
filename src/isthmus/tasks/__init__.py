"""Tasks on a trained model: each asks for methods, never for a class. ``REGISTRY`` has the task objects."""

from isthmus.tasks.blending import ColumnFit
from isthmus.tasks.classify import Classification, Classifier
from isthmus.tasks.cluster import Clusterer, Evidence
from isthmus.tasks.compression import Compression, compress_records, decompress_records, rate_distortion
from isthmus.tasks.detect import Detector, Reason
from isthmus.tasks.diagnose.diagnosis import Diagnosis, Finding, diagnose, examine
from isthmus.tasks.estimator import TaskEstimator
from isthmus.tasks.explain import Explanation, attribute, explain, most_activating, probe
from isthmus.tasks.features import feature_network
from isthmus.tasks.generate import augment, interpolate, path_between, sample_where, traverse
from isthmus.tasks.impute import Imputation, impute
from isthmus.tasks.pictures import RestoredFile, restore_file
from isthmus.tasks.restore import denoise, inpaint, inpaint_blocks
from isthmus.tasks.tune import Findings, Tuner

__all__ = [
    "Classification",
    "Classifier",
    "Clusterer",
    "ColumnFit",
    "Compression",
    "Detector",
    "Diagnosis",
    "Evidence",
    "Explanation",
    "Finding",
    "Findings",
    "Imputation",
    "Reason",
    "RestoredFile",
    "TaskEstimator",
    "Tuner",
    "attribute",
    "augment",
    "compress_records",
    "decompress_records",
    "denoise",
    "diagnose",
    "examine",
    "explain",
    "feature_network",
    "impute",
    "inpaint",
    "inpaint_blocks",
    "interpolate",
    "most_activating",
    "path_between",
    "probe",
    "rate_distortion",
    "restore_file",
    "sample_where",
    "traverse",
]

_OBJECTS: tuple[type[TaskEstimator], ...] = (Classifier, Clusterer, Detector, Tuner)

REGISTRY: dict[str, type[TaskEstimator]] = {cls.__name__: cls for cls in _OBJECTS}

"""The training engine and its parts."""

from isthmus.training.batches import (
    Batches,
    GroupedBatches,
    PairedBatches,
    ResidentBatches,
    StreamedBatches,
    batch_sizes,
    default_batch_size,
)
from isthmus.training.callbacks import Callback, Checkpoint, FitState, MLflow, TensorBoard
from isthmus.training.checkpoints import to_arrays, to_tensors
from isthmus.training.engine import Engine
from isthmus.training.loader import Loader
from isthmus.training.optimizers import OPTIMIZERS, Muon, default_learning_rate
from isthmus.training.plan import Plan, Progress
from isthmus.training.players import Player
from isthmus.training.precision import fast_float32, has_fast_bfloat16, products
from isthmus.training.progress import ShowProgress
from isthmus.training.step import Step
from isthmus.training.stopping import DEFAULT_STEPS, Budget, default_epochs

__all__ = [
    "DEFAULT_STEPS",
    "OPTIMIZERS",
    "Batches",
    "Budget",
    "Callback",
    "Checkpoint",
    "Engine",
    "FitState",
    "GroupedBatches",
    "Loader",
    "MLflow",
    "Muon",
    "PairedBatches",
    "Plan",
    "Player",
    "Progress",
    "ResidentBatches",
    "ShowProgress",
    "Step",
    "StreamedBatches",
    "TensorBoard",
    "batch_sizes",
    "default_batch_size",
    "default_epochs",
    "default_learning_rate",
    "fast_float32",
    "has_fast_bfloat16",
    "products",
    "to_arrays",
    "to_tensors",
]

"""The engine that trains every model, and what it is made of."""

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
from isthmus.training.optimizers import OPTIMIZERS, Muon, usual_rate
from isthmus.training.plan import Plan, Progress
from isthmus.training.players import Player
from isthmus.training.precision import fast_float32, has_fast_bfloat16, products
from isthmus.training.progress import ShowProgress
from isthmus.training.step import Step
from isthmus.training.stopping import USUAL_STEPS, Budget, default_epochs

__all__ = [
    "OPTIMIZERS",
    "USUAL_STEPS",
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
    "fast_float32",
    "has_fast_bfloat16",
    "products",
    "to_arrays",
    "to_tensors",
    "usual_rate",
]

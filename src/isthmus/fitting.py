"""One training run of a model: its device, held-out records, batches, plan and engine.

::

    Fit(model, data) --prepare--> preprocessing, likelihood, networks, what the model learns before the first step
                     --train----> weights, history, notes, provenance

:meth:`isthmus.base.Model.fit` is one after the other. Tasks that train a model's networks for an end of their own do
either by itself.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from isthmus import checks, preprocessing, telling, training
from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.errors import DataError
from isthmus.training import distributed
from isthmus.training.callbacks import Callback
from isthmus.training.devices import device_named
from isthmus.version import __version__

__all__ = ["Fit", "evenly_spaced", "fingerprint", "held_out_rows"]

HELD_OUT = 0.1  # share of the records that early stopping looks at
HELD_OUT_MINIMUM = 20  # records below which none are held out
FARTHEST = 1e12  # scaled values of held-out records; squares of much larger ones are beyond 32-bit floats
TOO_FAR = (
    "a held-out record lies too far beyond the others to be scaled as they are: preprocessing learned from all of them"
)
STARTING = 2048  # records at most, whose mean the decoder begins at
EPOCHS = 1000.0  # where seconds alone are to end a run


class Fit:
    """One training run of a model.

    Parameters
    ----------
    model : Model
        What is fitted, in place. Unfitted before :meth:`prepare`; ready for use afterwards, and trained by
        :meth:`train`.
    X, y : records, labels
        As in :meth:`isthmus.base.Model.fit`.
    seed : int
        Of everything random.
    validation : records, float or None, default=0
        As in :meth:`isthmus.base.Model.fit`: other records, or the share of these to hold out.
    held_out : ndarray of int, optional
        Rows to hold out, in the place of ``validation``. Nothing is learned from records that are held out, neither
        preprocessing nor weights; their loss after each epoch says which weights are kept.
    command : str, optional
        The call that makes this model again, for its provenance.

    Attributes
    ----------
    data : Data
        The records.
    rows, held_out : ndarray of int
        Which of them are learned from, and which are held out.
    notes : list of str
        What was decided on the way.
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: Any = None,
        *,
        seed: int,
        validation: Any = 0,
        held_out: np.ndarray | None = None,
        command: str | None = None,
    ) -> None:
        self.started = time.perf_counter()
        self.model, self.seed, self.command = model, seed, command
        self.data = isthmus_data.open(X, labels=y)
        is_share = validation is None or isinstance(validation, int | float | np.number)
        self.validation: Any = None if is_share else validation
        self.is_drawn = is_share and held_out is None  # so that the model finds the rows again
        if self.is_drawn:
            held_out = self._drawn(validation)
        self.held_out = np.empty(0, np.int64) if held_out is None else held_out
        self.rows = np.setdiff1d(np.arange(len(self.data)), self.held_out)
        self.notes: list[str] = []

    def _drawn(self, share: float | None) -> np.ndarray:
        """Return the rows to hold out: a tenth, by default where the model may stop early."""
        n = len(self.data)
        if share is None:
            share = HELD_OUT if self.model.stops_early and n >= HELD_OUT_MINIMUM else 0.0
        checks.number(type(self.model).__name__, "validation", float(share), low=0, high=1, below=True)
        return held_out_rows(n, min(round(n * float(share)), n - 1), self.seed)

    @property
    def device(self) -> torch.device:
        """Where the model's networks are."""
        device: torch.device = next(self.model.module_.parameters()).device
        return device

    # ------------------------------------------------------------------ before the first step

    def prepare(self) -> Self:
        """Make an unfitted model ready: preprocessing, likelihood, networks, what it learns before the first step.

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The data cannot be used; the sentence names the row and the column.
        """
        model = self.model
        model.check_parameters()
        checks.enough_records(self.data, model.min_records, model.alternative_for_few)
        model.learn_schema(self.data.schema)
        if model.learns_classes:
            self._learn_classes()
        if self.validation is not None:
            self.validation = model.opened(self.validation)
            if model.learns_classes:
                checks.needs_labels(type(model).__name__, self.validation.labels)
        self._learn_preprocessing()
        return self.build()

    def build(self) -> Self:
        """Give a model with preprocessing new networks, started at the records, and let it learn what it must first."""
        model = self.model
        device = device_named(type(model).__name__, model.device)
        distributed.start(device)
        model.module_ = model.new_module(self.seed).to(device)
        model.n_records_, model.history_ = len(self.rows), []
        self._start_at_the_mean()
        model.prepare(self.batches, self.seed)
        return self

    def _learn_classes(self) -> None:
        model, owner = self.model, type(self.model).__name__
        checks.needs_labels(owner, self.data.labels)
        labels, known = np.asarray(self.data.labels), self._is_labelled(self.data)
        checks.some_labels(owner, int(known.sum()))
        model.classes_, model.class_counts_ = isthmus_data.classes_of(labels, known)
        checks.several_classes(owner, model.classes_)

    def _is_labelled(self, data: Data, classes: np.ndarray | None = None) -> np.ndarray:
        """Return which records have a label, one of known classes; without is refused where the model needs all."""
        labels = np.asarray(data.labels)
        if self.model.takes_unlabelled:
            return isthmus_data.is_labelled(labels, classes)
        missing = isthmus_data.is_missing(labels)
        checks.all_labelled(type(self.model).__name__, missing)
        return ~missing

    def _learn_preprocessing(self) -> None:
        """Fit preprocessing to the records that are learned from, on the scale that their likelihood takes."""
        if not len(self.held_out):
            self._learn_preprocessing_from(self.data)
            return
        self._learn_preprocessing_from(self.data.subset(self.rows))
        if not self._can_scale(self.data.subset(self.held_out)):
            self.notes.append(TOO_FAR)
            self._learn_preprocessing_from(self.data)

    def _learn_preprocessing_from(self, records: Data) -> None:
        model = self.model
        model.preprocessor_ = preprocessing.for_data(records).fit(records)
        chosen = model.chosen_likelihood(model.scaling)
        model.preprocessor_.rescale(chosen.scaling)
        model.likelihood_reason_ = chosen.reason

    def _can_scale(self, records: Data) -> bool:
        """Tell whether other records than those learned from stay so near that a likelihood of them is a number."""
        pre = self.model.preprocessor_
        for _, block in records.chunks():
            try:
                encoded = pre.encode(block)
            except DataError:  # beyond 32-bit floats
                return False
            for part in encoded if isinstance(encoded, list) else [encoded]:
                scaled = (part.astype(np.float64) - pre.shift_) * pre.factor_ if part.dtype.kind == "f" else part
                if scaled.max() > FARTHEST or scaled.min() < -FARTHEST:
                    return False
        return True

    def _start_at_the_mean(self) -> None:
        """Let the decoder begin at the data's mean, where the best constant answer is."""
        module, batches = self.model.module_, self.batches
        if hasattr(module, "start_at") and None not in self.model.preprocessor_.shape_:
            module.start_at(module.scale(batches.read_rows(evenly_spaced(batches.rows, STARTING))))

    # ------------------------------------------------------------------ where batches come from

    @cached_property
    def loader(self) -> training.Loader:
        """The records, encoded."""
        return training.Loader(self.data, self.model.preprocessor_, self.device)

    @cached_property
    def batches(self) -> training.Batches:
        """The records that are learned from, with the class numbers that the model learns from."""
        return self.loader.batches(self.rows, self._class_numbers(self.data), paired=True)

    @cached_property
    def _validation_loader(self) -> training.Loader | None:
        """The records to validate on that are none of the data, encoded."""
        if self.validation is None:
            return None
        return training.Loader(self.validation, self.model.preprocessor_, self.device)

    def _held_out_batches(self, labels: np.ndarray | None) -> training.Batches | None:
        if self._validation_loader is not None:
            rows = np.arange(len(self.validation))
            return self._validation_loader.batches(rows, self._class_numbers(self.validation))
        if not len(self.held_out):
            return None
        return self.loader.batches(self.held_out, self._class_numbers(self.data) if labels is None else labels)

    def _class_numbers(self, data: Data) -> np.ndarray | None:
        """Return the class number of each record, -1 for none; None where there are no classes, or no labels."""
        model, owner = self.model, type(self.model).__name__
        if not model.learns_classes or data.labels is None:
            return None
        known, given = self._is_labelled(data, model.classes_), np.asarray(data.labels)
        checks.known_classes(owner, given[known], model.classes_, int(known.sum()))
        return isthmus_data.class_numbers(given, known, model.classes_)

    # ------------------------------------------------------------------ the run

    def train(
        self,
        players: Sequence[training.Player] | None = None,
        *,
        module: nn.Module | None = None,
        rows: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        callbacks: Iterable[Callback] = (),
        resume: Any = None,
    ) -> training.Progress:
        """Train, and leave in the model weights, history, notes and provenance.

        Parameters
        ----------
        players : sequence of Player, optional
            Who trains; by default the model's own.
        module : torch.nn.Module, optional
            What holds all their weights; by default the model's networks.
        rows : ndarray of int, optional
            Which records to train on; by default all that are not held out.
        labels : ndarray of int64, shape (n,), optional
            Class numbers of all records, -1 for none, that losses are given in the place of the model's own.
        callbacks : iterable of Callback
            Called after each epoch.
        resume : path, optional
            A checkpoint to go on from.

        Returns
        -------
        Progress

        Raises
        ------
        TrainingError
            Losses stayed non-finite after every remedy; the model holds the best weights all the same.
        """
        model, module = self.model, self.model.module_ if module is None else module
        own = rows is None and labels is None
        batches = self.batches if own else self.loader.batches(self.rows if rows is None else rows, labels, paired=True)
        engine = training.Engine(
            module,
            model.players() if players is None else players,
            batches,
            self._plan(batches),
            held_out=self._held_out_batches(labels),
            callbacks=list(callbacks),
            inputs=model.module_.inputs,
        )
        self._tell_settings(engine)
        if resume is not None:
            engine.load_checkpoint(resume)
        model.n_records_, model.scores_ = batches.n, {}
        model.keep_codes(None)
        try:
            engine.run()
        finally:
            module.eval()
            model.history_ = engine.progress.history
            of_others = telling.sentences()  # such as those to validate on
            of_data = [*self.data.notes, *model.preprocessor_.notes_]
            model.notes_ = [*of_data, *self.notes, *engine.progress.notes, *of_others]
            model.provenance_ = self._provenance(engine)
        model.keep_codes(batches)
        model.judge(batches, engine.held_out)
        return engine.progress

    def _plan(self, batches: training.Batches) -> training.Plan:
        """Return the plan for so many records: what the model's parameters say, and defaults for the rest."""
        model = self.model
        batch_size = model.batch_size or training.default_batch_size(batches.n, model.min_batch_size)
        epochs = model.max_epochs
        if epochs is None and model.max_seconds is None:
            steps = round(model.default_steps * model.module_.likelihood.steps)
            epochs = training.default_epochs(batches.steps(batch_size), steps)
        epochs = EPOCHS if epochs is None else float(epochs)
        precision = model.precision
        if precision == "auto":
            is_fast = distributed.all_say(training.has_fast_bfloat16(self.device.type))
            precision = "bfloat16" if is_fast else "float32"
        return training.Plan(
            budget=training.Budget(epochs, model.max_seconds),
            batch_size=batch_size,
            optimizer=model.optimizer,
            learning_rate=model.learning_rate,
            weight_decay=float(model.weight_decay),
            patience=(model.patience or max(10, round(epochs / 2))) if model.stops_early else None,
            precision=precision,
            keep_best=model.stops_early,
            seed=self.seed,
        )

    def _tell_settings(self, engine: training.Engine) -> None:
        """Tell callbacks what is trained, and what it will take where one of them asks."""
        loaders = [self.loader] if self._validation_loader is None else [self.loader, self._validation_loader]
        nbytes = sum(loader.nbytes for loader in loaders)
        engine.state.settings = {
            "model": type(self.model).__name__,
            "device": str(engine.device),
            "precision": engine.plan.precision,
            "threads": torch.get_num_threads(),
            "records": engine.batches.n,
            "held_out_records": engine.held_out.n if engine.held_out else 0,
            "weights": sum(parameter.numel() for parameter in engine.module.parameters()),
            "batch_size": engine.progress.batch_size,
            "record_bytes": nbytes,
            "likelihood": self.model.likelihood_reason_,
        }
        if distributed.any_says(any(callback.wants_forecast for callback in engine.callbacks)):
            forecast = engine.forecast()
            engine.state.settings |= forecast | {"memory_bytes": forecast["memory_bytes"] + nbytes}

    def _provenance(self, engine: training.Engine) -> dict[str, Any]:
        return {
            "isthmus": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "seed": engine.plan.seed,
            "device": str(engine.device),
            "precision": engine.plan.precision,
            "threads": torch.get_num_threads(),
            "source": self.data.source,
            "records": len(self.data),
            "train_records": engine.batches.n,
            "held_out_records": engine.held_out.n if engine.held_out else 0,
            **({} if self.is_drawn else {"held_out_drawn": False}),
            "fingerprint": fingerprint(self.data, self.model.preprocessor_),
            **({} if self.command is None else {"command": self.command}),
            "epochs": engine.progress.epoch,
            "steps": engine.progress.step,
            "batch_size": engine.progress.batch_size,
            "seconds": time.perf_counter() - self.started,
            "best_epoch": engine.kept_epoch,
        }


def held_out_rows(n: int, count: int, seed: int) -> np.ndarray:
    """Return ``count`` of ``n`` row numbers, drawn at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def fingerprint(data: Data, preprocessor: preprocessing.Preprocessor) -> str:
    """Return the SHA-256 of the schema, the number of records and up to 64 evenly spaced records as encoded."""
    digest = hashlib.sha256(json.dumps([data.schema.to_dict(), len(data)], sort_keys=True).encode())
    for record in preprocessor.encode(data.take(evenly_spaced(np.arange(len(data)), 64))):
        digest.update(np.ascontiguousarray(record).tobytes())
    return digest.hexdigest()


def evenly_spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """Return ``most`` of some row numbers, or all, evenly spaced."""
    return np.unique(rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)])

"""A softmax head on a model's encoder: trained from scratch, together with the model's own loss, or fine-tuned.

Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked Denoising Autoencoders", JMLR 2010, section 3.1, for
fine-tuning; Le, Patterson and White, "Supervised Autoencoders", NeurIPS 2018, for training beside the reconstruction::

    x --encoder--> z --+--> softmax(W z + b)          -log p(y | x)
                       +--> decoder -----> theta      the model's own loss, if it is trained with it
"""

# ruff: noqa: D102 - what each method does stands at Method
from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import documents, ranks, telling, training
from isthmus.base import seed_to_fit
from isthmus.capabilities import Encodes, Trainable
from isthmus.data import Data
from isthmus.fitting import Fit
from isthmus.tasks.classify.methods import Float64, LabelSplit, Method, Probe
from isthmus.tasks.coder import Coder

__all__ = ["FineTuned", "Head", "Joint"]

UNSIZED = 32  # side of pictures of several sizes, for the weight of their loss
FINE_TUNING_LR_SCALE = 1 / 3  # of the default learning rate, where weights have been learned before


class Head(Method):
    """An encoder and a softmax head, trained by cross-entropy alone.

    Parameters
    ----------
    model : Model
        Whose networks these are; its weights are the classifier's.
    head : torch.nn.Linear
        From code to logits.
    """

    needs = (Encodes, Trainable, documents.Stateful)
    starts_fresh: ClassVar[bool] = True
    beside_own_loss: ClassVar[bool] = False

    is_classifiers_model: bool = False  # whether the model is the classifier's, whose file holds its weights already

    def __init__(self, model: Any, head: nn.Linear) -> None:
        self.model, self.head = model, head

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        return models.Autoencoder(random_state=seed)

    @classmethod
    def fit_model(cls, model: Any, data: Data, split: LabelSplit, owner: str) -> Any:
        """Return the model ready to be trained, where it is trained here; else fitted."""
        if not cls.starts_fresh:
            return super().fit_model(model, data, split, owner)
        with telling.fit_of(model, data):
            return (
                Fit(model, data, seed=seed_to_fit(model.random_state, model.device), held_out=split.held_out)
                .prepare()
                .model
            )

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        model = coder.model.copied()
        run = Fit(model, data, seed=coder.seed, held_out=split.held_out)
        if cls.starts_fresh and model.history_:  # one that was trained before
            run.build()
        method = cls(model, _head(model, len(split.classes)).to(run.device))
        method._train(run, split, coder)
        return method

    def _train(self, run: Fit, split: LabelSplit, coder: Coder) -> None:
        """Train encoder and head on the records with a class (on all, beside the model's own loss)."""
        both = nn.ModuleList([self.model.module_, self.head])
        run.train(
            [
                training.Player(
                    "classifier", (both,), self._loss, lr_scale=1.0 if self.starts_fresh else FINE_TUNING_LR_SCALE
                )
            ],
            module=both,
            rows=None if self.beside_own_loss else split.rows,
            labels=split.numbers,
            callbacks=[training.ShowProgress()] if coder.verbose else [],
        )

    def _loss(self, step: training.Step) -> dict[str, Tensor]:
        """Return -log p(y | x), and the model's own terms for each number of a record: both then weigh about alike."""
        known = step.labels >= 0
        total = F.cross_entropy(self._logits(step.x).float(), step.labels, ignore_index=-1, reduction="sum")
        terms = {"cross_entropy": ranks.average(total, known.sum())}
        if self.beside_own_loss:
            own = step if self.model.learns_classes else replace(step, labels=None)
            numbers = math.prod(side or UNSIZED for side in self.model.preprocessor_.shape_)
            terms |= {name: term / numbers for name, term in self.model.losses(own).items()}
        return terms

    def _logits(self, x: Tensor) -> Tensor:
        code = self.model.encode(x)
        if None in self.model.code_shape_:  # maps of several sizes: their mean over all places
            code = code.flatten(2).mean(2)
        logits: Tensor = self.head(code.flatten(1))
        return logits

    def logits(self, coder: Coder, data: Data) -> Float64:
        return np.asarray(self.model._figures(data, self._logits), np.float64)

    def state(self) -> documents.State:
        arrays = training.to_arrays(self.head.state_dict(), "head.")
        if not self.is_classifiers_model:
            arrays |= training.to_arrays(self.model.module_.state_dict(), "module.")
        return {}, arrays

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        model, weights = coder.model, training.to_tensors(documents.under("module", arrays))
        if weights:
            model = copy.deepcopy(model)
            model.module_.load_state_dict(weights)
        device = next(model.module_.parameters()).device
        classes = len(documents.array(arrays, "head.weight", (None, _width(model))))
        head = _head(model, classes)
        head.load_state_dict(training.to_tensors(documents.under("head", arrays)))
        method = cls(model, head.to(device))
        method.is_classifiers_model = not weights
        return method


class Joint(Head):
    """An encoder and a softmax head, trained at once by cross-entropy and the model's own loss."""

    beside_own_loss = True


class FineTuned(Head):
    """A fitted encoder and a softmax head, trained on by cross-entropy."""

    starts_fresh = False
    default_model = staticmethod(Probe.default_model)


def _head(model: Any, classes: int) -> nn.Linear:
    """Return a linear layer from a model's codes to logits, zero at first: all classes are equally likely."""
    with torch.random.fork_rng([]):
        head = nn.Linear(_width(model), classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _width(model: Any) -> int:
    """Return how many numbers of a code go to the head: of maps of several sizes the mean of each channel does."""
    return int(np.prod([side for side in model.code_shape_ if side is not None]))

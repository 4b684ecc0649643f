"""Objectives of a search: figures of held-out records that compare across families of models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.data import Data
from isthmus.preprocessing import Features

__all__ = ["OBJECTIVES", "Objective", "objective_for", "reconstruction_error"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """A figure to be made as high, or as low, as can be.

    Parameters
    ----------
    name, unit : str
    higher_is_better : bool
    of : callable
        ``of(model, train, held_out)``: of a fitted model, the records that it was fitted on, and others.
    cheap : bool
        Whether it costs little beside an epoch of training, and so can be looked at on the way.
    """

    name: str
    unit: str
    higher_is_better: bool
    of: Callable[[Any, Data, Data], float]
    cheap: bool = True


def likelihood(model: Any, train: Data, held_out: Data) -> float:
    """Return the mean of a bound on log p(x), nats a record."""
    return float(model.score(held_out))


def reconstruction_error(model: Any, train: Data, held_out: Data) -> float:
    """Return what reconstructions get wrong, as a share of what the best constant answer does.

    On the scale that the network sees. Squared errors are set beside those of the mean of the training records, wrong
    classes beside those of the commonest. The columns of a table have equal weight; the numbers of arrays and pictures
    and the places of texts are pooled. 0 is exact, 1 no better than a constant.

    Parameters
    ----------
    model : fitted model
    train, held_out : Data
    """
    checks.reconstruction_of_one_size("Tuner", model.preprocessor_.shape_)
    features = Features.of(model.preprocessor_)
    constant = _constant(features, (records.scaled for records in model.encoded_blocks(train)))
    wrong, of_constant = np.zeros(len(constant)), np.zeros(len(constant))
    for records in model.encoded_blocks(held_out):
        x = records.scaled
        wrong += _errors(features, x, model.reconstructed(records).snapped().scaled)
        of_constant += _errors(features, x, np.broadcast_to(constant, x.shape))
    known = of_constant > 0
    if not known.any():
        return float(wrong.any())
    if features.schema.kind == "table":
        return float(np.mean(wrong[known] / of_constant[known]))
    return float(wrong[known].sum() / of_constant[known].sum())


def _constant(features: Features, blocks: Iterable[Float64]) -> Float64:
    """Return the best constant record: the mean of quantities that are there, the commonest of classes."""
    total, count, classes = np.zeros(len(features.is_class)), np.zeros(len(features.is_class)), []
    for x in blocks:
        there = _there(features, x)
        total += (x * there).sum(0)
        count += there.sum(0)
        classes.append(x[:, features.is_class])
    best = total / np.maximum(count, 1)
    for place, codes in zip(np.flatnonzero(features.is_class), np.concatenate(classes).T, strict=True):
        values, counts = np.unique(codes, return_counts=True)
        best[place] = values[counts.argmax()]
    return best


def _errors(features: Features, x: Float64, other: Float64) -> Float64:
    """Return the error of each number, summed over records: squared, or how many classes are wrong."""
    each = np.where(features.is_class, x != other, np.square(x - other))
    return np.asarray((each * _there(features, x)).sum(0), np.float64)


def _there(features: Features, x: Float64) -> NDArray[np.bool_]:
    """Return which quantities were not missing."""
    there = np.ones(x.shape, bool)
    for place in np.flatnonzero(features.mask >= 0):
        there[:, place] = x[:, features.mask[place]] > 0
    return there


def classification(model: Any, train: Data, held_out: Data) -> float:
    """Return the share of held-out records whose class a linear probe of the codes finds."""
    from isthmus.tasks.classify import Classifier

    probe = Classifier(model=model, method="probe", calibrate=False, random_state=0)
    return probe.fit(train).score(held_out)


OBJECTIVES = {
    "likelihood": Objective("likelihood", "nats a record", True, likelihood),
    "reconstruction": Objective("reconstruction", "share of a constant's error", False, reconstruction_error),
    "classification": Objective("classification", "accuracy of a probe", True, classification, cheap=False),
}


@dataclass(frozen=True)
class Scored:
    """A scorer of the user's own: ``scorer(model, X, y)``, higher is better, as scikit-learn has them."""

    scorer: Callable[[Any, Any, Any], float]

    def __call__(self, model: Any, train: Data, held_out: Data) -> float:
        """Return the score on held-out records, as arrays where they are."""
        is_array = held_out.schema.kind == "array"
        X = np.asarray(held_out.chunk(0, len(held_out))) if is_array else held_out
        return float(self.scorer(model, X, held_out.labels))


def objective_for(owner: str, asked: Any, models: Sequence[Any], data: Data) -> Objective:
    """Return the objective of a name.

    Parameters
    ----------
    owner : str
        For sentences.
    asked : str or callable
        "auto" takes the likelihood where all models have one that can be compared, else the reconstruction.
    models : sequence of model
        One of each family.
    data : Data
        The records, which some objectives need labels of.
    """
    if callable(asked):
        return Objective(getattr(asked, "__name__", type(asked).__name__), "score", True, Scored(asked), cheap=False)
    checks.choice(owner, "objective", asked, ("auto", *OBJECTIVES))
    bounds = {type(model).__name__: bool(getattr(model, "bounds_likelihood", False)) for model in models}
    name = asked if asked != "auto" else "likelihood" if all(bounds.values()) else "reconstruction"
    if name == "likelihood":
        checks.all_bound_likelihood(owner, bounds)
    if name == "reconstruction":
        checks.reconstruction_of_one_size(owner, data.schema.shape)
    if name == "classification":
        checks.labels_for_objective(owner, name, data.labels)
    return OBJECTIVES[name]

"""The search: values to try, cross-validation of a trial, and early stopping of poor ones."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from isthmus import data as isthmus_data
from isthmus import training
from isthmus.data import Data
from isthmus.errors import TrainingError
from isthmus.search import Choice, SearchSpace, Whole, drawn
from isthmus.tasks.tune.objectives import Objective
from isthmus.training import Callback, FitState

__all__ = ["OutOfTimeError", "PrunedError", "Search", "folds_of", "space_for"]

RUNGS = (0.25, 0.5)  # shares of the first fit after which a trial is set beside the others
LOOKED_AT = 500  # held-out records that are judged on the way
OF_NETWORKS = ("latent_dim", "hidden", "activation", "norm", "dropout", "tied")  # what modules of the user's own decide
DEFAULT_LATENT_DIM = 32
CHANGED = 3  # parameters that the first trials change of the default settings


class PrunedError(Exception):
    """The trial is stopped: others were better at the same point."""


class OutOfTimeError(Exception):
    """The trial is stopped: the time of the search is over."""


def folds_of(data: Data, cv: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return rows to fit on and rows to judge by, for each fold; classes are divided in proportion."""
    rows = np.arange(len(data))
    parts = isthmus_data.split(isthmus_data.open(rows[:, None], labels=data.labels), [1 / cv] * cv, random_state=seed)
    tests = [np.asarray(part.chunk(0, len(part)))[:, 0] for part in parts]
    left = np.setdiff1d(rows, np.concatenate(tests))  # by rounding
    tests[0] = np.sort(np.concatenate([tests[0], left]))
    return [(np.setdiff1d(rows, test), test) for test in tests]


def space_for(model: Any, data: Data, objective: Objective, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is searched of a model: what it declares, less what is given already or has no meaning here.

    Larger codes always reconstruct better, so their size is not searched where that is the objective.

    Parameters
    ----------
    model : model
        Unfitted; parameters that are not at their defaults are left alone.
    data : Data
    objective : Objective
    given : mapping of str to range
        What takes the place of the model's own ranges; None leaves a parameter out.
    """
    usual = type(model)().get_params(deep=False)
    space: dict[str, Any] = {}
    for name, among in {**model.search_space, **{key: its for key, its in given.items() if key in usual}}.items():
        if name not in given:
            among = among.suiting(data.schema.kind) if _is(getattr(model, name), usual[name]) else None
        if among is None:
            continue
        if name in OF_NETWORKS and not isinstance(model.network, str):
            continue
        if name == "latent_dim" and name not in given:
            if objective.name == "reconstruction":
                continue
            among = among.up_to(_numbers(data))
        space[name] = among
    return space


def _is(value: Any, usual: Any) -> bool:
    return type(value) is type(usual) and bool(np.all(value == usual))


def _numbers(data: Data) -> int:
    """Return the numbers in a record."""
    return math.prod(side or 32 for side in data.schema.shape)


@dataclass(frozen=True)
class Search:
    """Everything that a process needs to run one trial.

    Parameters
    ----------
    data : Data
    models : dict of str to model
        Unfitted, by family.
    spaces : dict of str to dict
        What is searched, by family.
    objective : Objective
    folds : list of (rows to fit on, rows to judge by)
    seed : int
        Of the fits, the same for all.
    seconds : float or None
        For each fit, at most.
    deadline : float
        Of the search, as ``time.time`` tells it.
    """

    data: Data
    models: dict[str, Any]
    spaces: Mapping[str, SearchSpace]
    objective: Objective
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
    seed: int
    seconds: float | None = None
    deadline: float = math.inf

    # ------------------------------------------------------------------ settings

    def name_of(self, family: str, parameter: str) -> str:
        """Return what the search calls a parameter: with its family in front, unless all that have it agree on it."""
        having = [space[parameter] for space in self.spaces.values() if parameter in space]
        alone = len(self.spaces) > 1 and len(having) < 2
        return f"{family}.{parameter}" if alone or any(its != having[0] for its in having) else parameter

    def usual(self, family: str) -> dict[str, Any]:
        """Return a family's default settings, as the search writes them; those that depend on data approximately."""
        model = self.models[family]
        found: dict[str, Any] = {"model": family} if len(self.models) > 1 else {}
        for name, among in self.spaces[family].items():
            value = getattr(model, name)
            if name == "latent_dim" and value is None and isinstance(among, Whole):
                value = max(1, min(DEFAULT_LATENT_DIM, _numbers(self.data) // 2))
            if isinstance(among, Choice):
                found |= {self.name_of(family, name): str(value)} if value in among.values else {}
            elif value is not None:
                found[self.name_of(family, name)] = type(among.low)(np.clip(value, among.low, among.high))
        return found

    def near_defaults(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return the default settings of a family with a few parameters drawn at random, as the search writes them.

        A setting that is drawn at random throughout says little of any parameter by itself.
        """
        family = list(self.models)[int(rng.integers(len(self.models)))]
        space = self.spaces[family]
        few = {name: space[name] for name in rng.permutation(list(space))[:CHANGED].tolist()}
        changed = {
            self.name_of(family, name): str(value) if isinstance(few[name], Choice) else value
            for name, value in drawn(few, rng).items()
        }
        return self.usual(family) | changed

    def suggested(self, trial: Any) -> tuple[str, dict[str, Any]]:
        """Return a family and its settings, as a trial of Optuna suggests them."""
        families = list(self.models)
        family = families[0] if len(families) == 1 else trial.suggest_categorical("model", families)
        return family, {name: self._suggest(trial, family, name) for name in self.spaces[family]}

    def _suggest(self, trial: Any, family: str, name: str) -> Any:
        among, called = self.spaces[family][name], self.name_of(family, name)
        if isinstance(among, Choice):
            words = [str(value) for value in among.values]  # a journal keeps words and numbers only
            return among.values[words.index(trial.suggest_categorical(called, words))]
        suggest = trial.suggest_int if isinstance(among, Whole) else trial.suggest_float
        return suggest(called, among.low, among.high, log=among.log)

    def estimator(self, family: str, settings: Mapping[str, Any]) -> Any:
        """Return the unfitted model of a family with some settings, which takes no more time than it may."""
        model = clone(self.models[family]).set_params(**settings, random_state=self.seed)
        if self.seconds is not None and model.max_seconds is None:
            n = len(self.folds[0][0])
            steps = len(
                training.batch_sizes(n, model.batch_size or training.default_batch_size(n, model.min_batch_size))
            )
            epochs = training.default_epochs(steps) if model.max_epochs is None else model.max_epochs
            model.set_params(max_epochs=epochs, max_seconds=self.seconds)
        return model

    # ------------------------------------------------------------------ a trial

    def scores(self, model: Any, trial: Any, *, prunable: bool) -> Iterator[float]:
        """Fit and judge a setting fold by fold; yield the objective on each.

        Raises
        ------
        PrunedError, OutOfTimeError
            The trial is stopped.
        TrainingError
            The objective is no number.
        """
        found: list[float] = []
        for number, (train, test) in enumerate(self.folds):
            fitted, seen, held_out = clone(model), self.data.subset(train), self.data.subset(test)
            looks = prunable and self.objective.cheap and number == 0
            watch = _Watch(self, trial, fitted, seen, held_out if looks else None)
            fitted.fit(seen, callbacks=[watch])
            if watch.verdict is not None:
                raise watch.verdict
            found.append(_finite(self.objective.of(fitted, seen, held_out)))
            yield found[-1]
            if number + 1 < len(self.folds):
                trial.report(float(np.mean(found)), len(RUNGS) + number)
                if prunable and trial.should_prune():
                    raise PrunedError


class _Watch(Callback):
    """Stops a fit that is worse than others were at the same point, or when the time of the search is over."""

    def __init__(self, search: Search, trial: Any, model: Any, seen: Data, held_out: Data | None) -> None:
        self.search, self.trial, self.model, self.seen = search, trial, model, seen
        self.held_out = None if held_out is None else held_out.subset(np.arange(min(LOOKED_AT, len(held_out))))
        self.rung = 0
        self.verdict: Exception | None = None

    def on_epoch(self, state: FitState) -> str | None:
        """Look at held-out records after a quarter and a half of the first fit."""
        if time.time() > self.search.deadline:
            self.verdict = OutOfTimeError()
        elif self.held_out is not None and self.rung < len(RUNGS) and RUNGS[self.rung] <= state.progress < 1:
            while self.rung < len(RUNGS) and RUNGS[self.rung] <= state.progress:
                self.rung += 1
            self._report(self.held_out)
        return None if self.verdict is None else "stop"

    def _report(self, held_out: Data) -> None:
        self.model.module_.eval()
        value = self.search.objective.of(self.model, self.seen, held_out)
        if math.isfinite(value):
            self.trial.report(value, self.rung - 1)
            if self.trial.should_prune():
                self.verdict = PrunedError()


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise TrainingError(f"the objective on held-out records is {value}, no finite number")
    return value

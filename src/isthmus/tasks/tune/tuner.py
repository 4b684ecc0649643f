"""Choice of a family of models and its settings by cross-validation: scikit-learn's contract of a search."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypedDict

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from isthmus import checks, documents, plain, preprocessing, telling
from isthmus import data as isthmus_data
from isthmus.base import seed_to_fit
from isthmus.capabilities import learns_classes
from isthmus.data import Data
from isthmus.description import constructor_call, parameter_from_json, parameter_to_json
from isthmus.fitting import fingerprint
from isthmus.search import range_from_dict
from isthmus.tasks.estimator import TaskEstimator
from isthmus.tasks.tune.findings import Findings, Trial, effects_of
from isthmus.tasks.tune.objectives import Objective, objective_for
from isthmus.tasks.tune.search import Search, folds_of, space_for
from isthmus.training import distributed

__all__ = ["FAMILIES", "Tuner"]

# What is searched where no family is named: those that are trained in seconds, by objective.
FAMILIES = {
    "likelihood": ("VAE", "LadderVAE", "VQVAE"),
    "reconstruction": ("Autoencoder", "DenoisingAutoencoder", "SparseAutoencoder", "RegularizedAutoencoder"),
    "classification": ("Autoencoder", "DenoisingAutoencoder", "SparseAutoencoder", "VAE"),
}
TRIALS_IN_TIME = 12  # that a budget of time is to leave room for: no fit takes more than its share
DEFAULT_TRIALS = 30


@dataclass(kw_only=True, eq=False, repr=False)
class Tuner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TaskEstimator):
    """Search for the model and settings that are best on held-out records, and fit them on all.

    Parameters
    ----------
    model : model, optional
        The only family to search: parameters that it has at their defaults are searched, the others kept. It may have
        networks of the user's own. A fitted one stands for its settings.
    families : "auto" or sequence of str, default="auto"
        Names of models to choose among, where ``model`` is not given; "auto" takes those that serve the objective and
        are trained in seconds.
    objective : {"auto", "likelihood", "reconstruction", "classification"} or callable, default="auto"
        What held-out records are judged by.

        - "likelihood": a bound on log p(x), nats a record, of models that have one.
        - "reconstruction": squared error as a share of that of the mean record; sizes of codes are not searched then,
          since larger ones always win.
        - "classification": accuracy of a linear probe of the codes; needs labels.
        - a function ``score(model, X, y)``: higher is better, as of scikit-learn's scorers.

        "auto" takes the likelihood where every family has one, else the reconstruction.
    n_trials : int, optional
        Settings to try, in all; by default 30, or as many as there is time for.
    max_seconds : float, optional
        Wall time of the search and the last fit. No single fit then takes more than a share of it.
    cv : int, default=3
        Folds.
    settings : dict, optional
        Values that every family gets, such as ``{"max_epochs": 20}``; they are not searched.
    space : dict, optional
        Ranges (:mod:`isthmus.search`) that take the place of those that a model declares, by parameter; None leaves
        a parameter out.
    storage : path, optional
        A journal of the trials, to go on from after an interruption; one that is there already is gone on from.
    n_jobs : int, default=1
        Trials at a time, each in a process of its own with its share of the threads; -1 for one a core.
    random_state : int, RandomState or None, default=None
        Seed of the folds, the fits and the choices. With one process and no limit of time it settles the result.
    verbose : int, default=0
        Whether to tell of each trial.

    Attributes
    ----------
    best_params_ : dict
        Parameters of the best setting that were searched.
    best_score_ : float
        Mean of the objective over its folds. The best of many is better there than it will be on new records.
    findings_ : Findings
        All trials, and what mattered by how much; ``print`` shows both as tables.
    objective_ : str
        Which one.
    notes_ : list of str
        What should be known about the search.
    model_ : model
        Of the best setting, fitted on all records.

    Notes
    -----
    Trials are stopped early where, at a quarter or a half of their first fit or after a fold, they are behind the
    median of the trials before. The default settings of each family are always tried to the end, the next trials change
    a few parameters of them, and from the eleventh on Optuna chooses. Needs it: ``pip install "isthmus[tune]"``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from isthmus import Autoencoder, Tuner
    >>> X = load_iris().data
    >>> tuner = Tuner(model=Autoencoder(max_epochs=3), n_trials=3, cv=2, random_state=0).fit(X)
    >>> len(tuner.findings_.trials), tuner.transform(X).shape
    (3, (150, 2))
    """

    needs: ClassVar[tuple[type, ...]] = ()
    fits_anew: ClassVar[bool] = True  # a fitted model stands for its settings

    families: Any = "auto"
    objective: Any = "auto"
    n_trials: int | None = None
    max_seconds: float | None = None
    cv: int = 3
    settings: dict[str, Any] | None = None
    space: dict[str, Any] | None = None
    storage: Any = None
    n_jobs: int = 1
    verbose: int = 0

    best_params_: dict[str, Any] = field(init=False)
    best_score_: float = field(init=False)
    findings_: Findings = field(init=False)
    objective_: str = field(init=False)
    notes_: list[str] = field(init=False)

    def default_model(self, data: Data) -> Any:
        """Return the unfitted model of the default settings."""
        from isthmus.models import VAE

        return VAE(random_state=self.random_state)

    # ------------------------------------------------------------------ fit

    def fit(self, X: Any, y: Any = None, *, on_trial: Callable[[Trial], None] | None = None) -> Self:
        """Search, and fit the best setting on all records.

        An interruption (Ctrl-C) ends the search: the best setting so far is fitted, and a note says so.

        Parameters
        ----------
        X : array, data frame, path, or Data
            Records: whatever :func:`isthmus.data.open` takes.
        y : array of shape (n,), optional
            Labels, for models and objectives that need them.
        on_trial : callable, optional
            Called with each :class:`Trial` that came to an end.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is not allowed, or the journal belongs to another search.
        DataError
            The data cannot be used.
        TrainingError
            No trial was completed; the sentence says why.
        UnavailableError
            Optuna is not installed.
        """
        started = time.time()
        owner = type(self).__name__
        self.check_parameters()
        data = isthmus_data.open(X, labels=y)
        checks.enough_records(data, 2)
        checks.enough_for_folds(owner, len(data), self.cv)
        preprocessor = preprocessing.for_data(data).fit(data)  # which refuses what no model could take
        if importlib.util.find_spec("optuna") is None:
            raise checks.no_optuna(owner)
        from isthmus.tasks.tune.journal import Journal

        models = self._models()
        objective = objective_for(owner, self.objective, list(models.values()), data)
        for model in models.values():
            if model.learns_classes:
                checks.needs_labels(type(model).__name__, data.labels)
        given = dict(self.space or {})
        spaces = {name: space_for(model, data, objective, given) for name, model in models.items()}
        checks.something_to_search(owner, spaces)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_jobs = cores if self.n_jobs == -1 else self.n_jobs
        about = self._about(models, spaces, objective, _digest(data, preprocessor), n_jobs)
        seed = _seed_in(self.storage) if self.random_state is None else None
        self.seed_ = seed_to_fit(self.random_state) if seed is None else seed
        usual = {"n_jobs": 1, "storage": None, "max_seconds": None}
        given = {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}
        checks.searched_in_step(owner, distributed.world(), given)
        search = Search(
            data,
            models,
            spaces,
            objective,
            folds_of(data, self.cv, self.seed_),
            self.seed_,
            about["seconds"],
            started + (float("inf") if self.max_seconds is None else self.max_seconds),
        )
        self.notes_ = []
        journal = Journal(owner, search, about | {"seed": self.seed_}, _path(self.storage), n_jobs)
        try:
            self._search(journal, on_trial)
            self._learn(journal, data, objective)
        finally:
            journal.close()
        return self

    def check_parameters(self) -> None:
        """Refuse parameters that are invalid for any data."""
        owner = type(self).__name__
        checks.integer(owner, "n_trials", self.n_trials, low=1, optional=True)
        checks.number(owner, "max_seconds", self.max_seconds, low=0, above=True, optional=True)
        checks.integer(owner, "cv", self.cv, low=2)
        checks.processes(owner, "n_jobs", self.n_jobs)
        checks.family_or_model(owner, self.families, self.model)

    def _models(self) -> dict[str, Any]:
        """Return the unfitted models to search among, by family."""
        from isthmus.models import REGISTRY

        owner = type(self).__name__
        if self.model is not None:
            checks.searchable(owner, self.model)
            models = {type(self.model).__name__: clone(self.model)}
        else:
            names = self.families
            if isinstance(names, str) and names == "auto":
                names = FAMILIES.get(self.objective if isinstance(self.objective, str) else "", FAMILIES["likelihood"])
            checks.known_families(owner, names, tuple(REGISTRY))
            models = {name: REGISTRY[name]() for name in names}
        for name in self.space or {}:
            known = {parameter for model in models.values() for parameter in model.get_params(deep=False)}
            checks.known_names(owner, [name], sorted(known))
        for model in models.values():
            self._set(model)
            model.check_parameters()
        return models

    def _set(self, model: Any) -> None:
        """Give a model the settings that all share."""
        known = model.get_params(deep=False)
        checks.known_names(type(model).__name__, self.settings or {}, list(known))
        model.set_params(**(self.settings or {}))

    def _about(
        self, models: dict[str, Any], spaces: dict[str, Any], objective: Objective, digest: str, n_jobs: int
    ) -> dict[str, Any]:
        """Return what trials must have in common to be compared."""
        seconds = None if self.max_seconds is None else self.max_seconds * n_jobs / (TRIALS_IN_TIME * self.cv)
        return {
            "data": digest,
            "objective": objective.name,
            "cv": self.cv,
            "settings": [constructor_call(model, random_state=None, verbose=0) for model in models.values()],
            "spaces": {
                family: {name: among.to_dict() for name, among in space.items()} for family, space in spaces.items()
            },
            "seconds": seconds,
        }

    def _search(self, journal: Any, on_trial: Callable[[Trial], None] | None) -> None:
        """Try settings; an interruption ends it."""

        def told(trial: Trial) -> None:
            if self.verbose:
                print(plain.sentence(_sentence(trial)), file=sys.stderr, flush=True)
            if on_trial is not None:
                on_trial(trial)

        n_trials = DEFAULT_TRIALS if self.n_trials is None and self.max_seconds is None else self.n_trials
        try:
            journal.run(n_trials, told)
        except KeyboardInterrupt as stop:
            if not any(trial.value is not None for trial in journal.trials()):
                raise KeyboardInterrupt("interrupted before the first trial was complete") from stop
            self.notes_.append("the search was interrupted; the best setting until then is taken")

    def _learn(self, journal: Any, data: Data, objective: Objective) -> None:
        """Take the best trial, say what mattered, and fit the best setting on all records."""
        owner, trials = type(self).__name__, journal.trials()
        if not trials:
            checks.no_trial_in_time(owner)
        if all(trial.value is None for trial in trials):
            failures = [trial.why for trial in trials if trial.state == "failed"]
            checks.some_trial_complete(owner, failures, sum(trial.state == "pruned" for trial in trials))
        effects = effects_of(journal.study, trials, higher_is_better=objective.higher_is_better)
        self.findings_ = Findings(objective.name, objective.unit, objective.higher_is_better, trials, effects)
        self.objective_ = objective.name
        best = self.findings_.best
        self.best_score_ = float(best.value or 0.0)
        model = journal.estimator(best)
        searched = [name.rpartition(".")[2] for name in best.settings]
        self.best_params_ = {name: getattr(model, name) for name in searched}
        self._use(model.fit(data))

    # ------------------------------------------------------------------ use

    def transform(self, X: Any) -> Any:
        """Return the codes of the best model: float32, (n, latent_dim)."""
        check_is_fitted(self, "model_")
        return self.model_.transform(self._open(X))

    def inverse_transform(self, Z: Any) -> Any:
        """Return the records that codes stand for."""
        check_is_fitted(self, "model_")
        return self.model_.inverse_transform(Z)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the objective of the best model on other records, higher is better: errors with a minus.

        Of "classification" the probe is fitted on one half of ``X`` and counted on the other.

        Parameters
        ----------
        X : as in :meth:`fit`
        y : array of shape (n,), optional
            Labels, for objectives that need them.
        """
        check_is_fitted(self, "model_")
        data = self._open(X, y)
        objective = objective_for(type(self).__name__, self.objective, [self.model_], data)
        train, held_out = data, data
        if objective.name == "classification":
            train, held_out = isthmus_data.split(data, (0.5, 0.5), random_state=0)
        value = objective.of(self.model_, train, held_out)
        return value if objective.higher_is_better else -value

    # ------------------------------------------------------------------ what the base asks

    @property
    def _n_features_out(self) -> int:
        return int(self.model_._n_features_out)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: codes are float32 whatever the input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = learns_classes(self.model)
        return tags

    def task_state(self) -> documents.State:
        """Return what was found."""
        about = {
            "findings": self.findings_.to_dict(),
            "best_params": {name: parameter_to_json(name, value) for name, value in self.best_params_.items()},
            "best_score": self.best_score_,
            "objective": self.objective_,
            "notes": telling.of_fit(self),
            "seed": self.seed_,
        }
        return about, {}

    def load_task_state(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Set what :meth:`task_state` returned."""
        its = documents.read(_Document, document, "task")
        self.findings_ = Findings.from_dict(its["findings"])
        self.best_params_ = {name: parameter_from_json(value) for name, value in its["best_params"].items()}
        self.best_score_, self.objective_ = its["best_score"], its["objective"]
        self.notes_, self.seed_ = its["notes"], its["seed"]
        if self.space:
            self.space = {name: its and range_from_dict(its) for name, its in self.space.items()}


class _Document(TypedDict):
    findings: dict[str, Any]
    best_params: dict[str, Any]
    best_score: float
    objective: str
    notes: list[str]
    seed: int


def _sentence(trial: Trial) -> str:
    """Return what came of a trial."""
    what = f"{trial.value:.4g}" if trial.value is not None else trial.state
    settings = "the default settings" if trial.usual else ", ".join(f"{k}={v}" for k, v in trial.settings.items())
    return f"trial {trial.number}: {what}, {trial.family}, {settings}" + (f" ({trial.why})" if trial.why else "")


def _digest(data: Data, preprocessor: preprocessing.Preprocessor) -> str:
    """Return a digest that tells whether records, and their labels, are those of another search."""
    digest = hashlib.sha256(fingerprint(data, preprocessor).encode())
    if data.labels is not None:
        digest.update("\n".join(map(str, data.labels.tolist())).encode())
    return digest.hexdigest()


def _path(storage: Any) -> str | None:
    return None if storage is None else os.fspath(storage)


def _seed_in(storage: Any) -> int | None:
    """Return the seed of the search in a journal, where there is one: its folds must be the same."""
    from isthmus.tasks.tune.journal import seed_in

    return None if storage is None else seed_in(os.fspath(storage))

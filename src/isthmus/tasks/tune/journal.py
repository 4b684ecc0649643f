"""Trials, one at a time or in parallel, in a journal from which a later search continues.

Optuna chooses the settings: tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", NeurIPS 2011), and the median rule stops trials (Golovin et al., "Google Vizier", KDD 2017, section 3.2).
Its file is a journal of JSON lines: nothing that is read from it is run.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import torch

from isthmus import checks, documents
from isthmus.errors import ArtifactError, IsthmusError
from isthmus.tasks.tune.findings import Trial
from isthmus.tasks.tune.search import OutOfTimeError, PrunedError, Search

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

__all__ = ["Journal"]

NAME = "isthmus"
ABOUT = "about"  # attribute of a study: what its trials can be compared with
INTERRUPTED = "interrupted"
STATES = {"COMPLETE": "complete", "PRUNED": "pruned"}  # of a trial that nothing went wrong with, as Optuna has them
AT_FIRST = 10  # trials that are the default settings or near them; the search then learns from those before
BEFORE_PRUNING = 4  # trials to be seen to the end before others are stopped
LONGEST_LINE = 2**26  # bytes of a journal
HOPELESS = 10  # failed trials without any other, after which no more are tried
FAILURES = (IsthmusError, ArithmeticError, ValueError, RuntimeError, MemoryError)  # what a setting may come to


class Journal:
    """The trials of a search.

    Parameters
    ----------
    owner : str
        For sentences.
    search : Search
    about : dict
        What trials must have in common to be compared.
    path : path or None
        The journal; None keeps trials in memory, or in a temporary file where several processes need them.
    n_jobs : int
        Processes.
    """

    def __init__(self, owner: str, search: Search, about: dict[str, Any], path: str | None, n_jobs: int) -> None:
        self.search, self.n_jobs = search, n_jobs
        self.folder = tempfile.TemporaryDirectory() if path is None and n_jobs > 1 else None
        self.path = str(Path(self.folder.name) / "journal") if self.folder else path
        with quiet(), _understanding(path):
            self.study = _opened(self.path, search)
            there = self.study.user_attrs.get(ABOUT)
            if there is None:
                self.study.set_user_attr(ABOUT, about)
            else:
                checks.same_search(owner, str(path), there, json.loads(json.dumps(about)))
            self._put_in_order()
            self.trials()  # whatever is wrong with one is found now, and not after hours

    def close(self) -> None:
        """Remove what was kept for the time of the search only."""
        if self.folder is not None:
            self.folder.cleanup()

    def _put_in_order(self) -> None:
        """Give up trials that a killed search left, and see to it that each family's default settings are tried."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        tried = {trial.user_attrs.get("usual") for trial in (*waiting, *self._ended())}
        for family in self.search.models:
            if family not in tried:
                self.study.enqueue_trial(self.search.usual(family), user_attrs={"usual": family})

    # ------------------------------------------------------------------ trials

    def trials(self) -> tuple[Trial, ...]:
        """Return the trials that came to an end; not those that were interrupted."""
        return tuple(map(self._trial, self._ended()))

    def _ended(self) -> list[FrozenTrial]:
        finished = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        # One that was cut off in the middle has not even its seconds.
        return [
            trial for trial in finished if "seconds" in trial.user_attrs and trial.user_attrs.get("why") != INTERRUPTED
        ]

    def _trial(self, trial: FrozenTrial) -> Trial:
        attributes = documents.read(_Attributes, trial.user_attrs, f"trial {trial.number}")
        family = attributes.get("family", next(iter(self.search.models)))
        return Trial(
            number=trial.number,
            state="failed" if attributes.get("why") else STATES.get(trial.state.name, "failed"),
            family=family,
            settings=self._settings(trial, family),
            value=trial.value if trial.state.name == "COMPLETE" else None,
            folds=tuple(map(float, attributes.get("folds", ()))),
            seconds=float(attributes.get("seconds", math.nan)),
            why=str(attributes.get("why", "")),
            usual="usual" in attributes,
        )

    def _settings(self, trial: FrozenTrial, family: str) -> dict[str, Any]:
        from optuna.trial import FixedTrial

        named = {name: self.search.name_of(family, name) for name in self.search.spaces[family]}
        if any(called not in trial.params for called in named.values()):
            return {}
        _, settings = self.search.suggested(FixedTrial(trial.params))
        return {named[name]: value for name, value in settings.items()}

    def estimator(self, trial: Trial) -> Any:
        """Return the unfitted model of a trial."""
        settings = {} if trial.usual else trial.settings
        return self.search.estimator(trial.family, {name.rpartition(".")[2]: its for name, its in settings.items()})

    # ------------------------------------------------------------------ the search

    def run(self, n_trials: int | None, on_trial: Callable[[Trial], None]) -> None:
        """Try settings until there are so many trials, or the time is over.

        Parameters
        ----------
        n_trials : int or None
            In all, those of an earlier search in the same journal included.
        on_trial : callable
            Called with each trial that came to an end.
        """
        with quiet():
            several = self._several if self.n_jobs > 1 else self._one_by_one
            for number in several(n_trials):
                ended = self.trials()
                found = next((trial for trial in ended if trial.number == number), None)
                if found is not None:
                    on_trial(found)
                if len(ended) >= HOPELESS and all(trial.state == "failed" for trial in ended):
                    return

    def _one_by_one(self, n_trials: int | None) -> Iterator[int]:
        for index in self._indices(n_trials):
            yield try_one(self.study, self.search, index)

    def _several(self, n_trials: int | None) -> Iterator[int]:
        """Yield the numbers of trials as processes finish them; each has its share of the threads."""
        from sklearn.utils.parallel import Parallel, delayed

        threads = max(1, torch.get_num_threads() // self.n_jobs)
        parallel = Parallel(self.n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        yield from parallel(
            delayed(_in_a_process)(self.path, self.search, index, threads) for index in self._indices(n_trials)
        )

    def _indices(self, n_trials: int | None) -> Iterator[int]:
        """Yield the places of trials among all, until there are enough of them or too little time."""
        index = len(self._ended())
        while (n_trials is None or index < n_trials) and time.time() + self._refit() < self.search.deadline:
            yield index
            index += 1

    def _refit(self) -> float:
        """Return the seconds that one fit of the best setting takes: they have to be left at the end."""
        from optuna.trial import TrialState

        if not math.isfinite(self.search.deadline) or not self.study.get_trials(
            deepcopy=False, states=(TrialState.COMPLETE,)
        ):
            return 0.0
        return float(self.study.best_trial.user_attrs["seconds"]) / len(self.search.folds)


class _Attributes(TypedDict):
    """What a trial says of itself."""

    family: NotRequired[str]
    why: NotRequired[str]
    folds: NotRequired[list[Any]]  # of a fold that diverged it may be no number
    seconds: NotRequired[Any]
    usual: NotRequired[str]


def try_one(study: Study, search: Search, index: int) -> int:
    """Choose a setting, judge it, and write down what came of it; return the number of the trial.

    The choice depends on the seed, on ``index`` and on the trials before: a search that was stopped goes on as if it
    had not been.
    """
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    seed = int(np.random.SeedSequence([search.seed, index]).generate_state(1)[0])
    study.sampler = TPESampler(seed=seed, n_startup_trials=AT_FIRST)
    if index < AT_FIRST and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(search.near_defaults(np.random.default_rng(seed)))
    trial = study.ask()
    started = time.perf_counter()
    scores: list[float] = []
    state, why = TrialState.FAIL, INTERRUPTED
    try:
        family, settings = search.suggested(trial)
        trial.set_user_attr("family", family)
        usual = "usual" in trial.user_attrs
        model = search.estimator(family, {} if usual else settings)
        for score in search.scores(model, trial, prunable=not usual):
            scores.append(score)
        state, why = TrialState.COMPLETE, ""
    except PrunedError:
        state, why = TrialState.PRUNED, ""
    except OutOfTimeError:
        state, why = TrialState.FAIL, INTERRUPTED
    except FAILURES as error:
        # Optuna's sampler does not learn from what has failed, and would suggest it again and again.
        state, why = TrialState.PRUNED, str(error) or type(error).__name__
    finally:
        trial.set_user_attr("folds", scores)
        trial.set_user_attr("seconds", time.perf_counter() - started)
        if why:
            trial.set_user_attr("why", why)
        study.tell(trial, float(np.mean(scores)) if state == TrialState.COMPLETE else None, state=state)
    return int(trial.number)


def _in_a_process(path: str, search: Search, index: int, threads: int) -> int:
    """Try one setting in a process of its own; an interruption is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    with quiet():
        return try_one(_opened(path, search), search, index)


def _opened(path: str | None, search: Search) -> Study:
    """Return the study of a journal, a new one where there is none."""
    import optuna

    with _understanding(path):
        study = optuna.create_study(
            study_name=NAME,
            storage=None if path is None else _storage(path),
            load_if_exists=True,
            direction="maximize" if search.objective.higher_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
        )
        study.get_trials(deepcopy=False)
    return study


def _storage(path: str) -> Any:
    """Return the storage of a journal."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    _check_is_journal(path)
    return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))


@contextlib.contextmanager
def _understanding(path: str | None) -> Iterator[None]:
    """Make one error of all that a journal causes whose lines are JSON, but make no sense to Optuna."""
    try:
        yield
    except ArtifactError as error:
        if path is None or str(error).startswith(path):
            raise
        raise checks.foreign_journal(path, str(error)) from error
    except IsthmusError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError) as error:
        if path is None:
            raise
        raise checks.foreign_journal(path, f"{type(error).__name__}: {error}") from error


def _check_is_journal(path: str) -> None:
    """Refuse a file that is no journal, or a damaged one, before anything is added to it."""
    if not os.path.exists(path) or not os.path.getsize(path):
        return
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            if number > 1 and not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                return  # a process that was killed while it wrote; Optuna leaves it out, too
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise checks.foreign_journal(path, f"line {number} is no JSON") from error
            if not isinstance(entry, dict) or not isinstance(entry.get("op_code"), int):
                raise checks.foreign_journal(path, f"line {number} is of another kind")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from telling of each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def seed_in(path: str) -> int | None:
    """Return the seed of the search in a journal, None where there is no such file or no search in it."""
    import optuna

    if not os.path.exists(path) or not os.path.getsize(path):
        return None
    with quiet(), _understanding(path):
        storage = _storage(path)
        names = optuna.get_all_study_names(storage)
        about = optuna.load_study(study_name=NAME, storage=storage).user_attrs.get(ABOUT, {}) if NAME in names else {}
        seed = about.get("seed") if isinstance(about, dict) else about
    if not isinstance(seed, int | None):
        raise checks.foreign_journal(path, "its seed is no whole number")
    return seed

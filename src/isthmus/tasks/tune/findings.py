"""Results of a search: the trials, and the importance of each parameter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from isthmus import documents
from isthmus.description import parameter_from_json
from isthmus.errors import ArtifactError

if TYPE_CHECKING:
    from optuna.study import Study

__all__ = ["Effect", "Findings", "Trial", "effects_of"]

MIN_TRIALS = 5  # trials below which nothing is said of a parameter
PARTS = 3  # that the values of a number are divided into, to be set beside each other
TREES_SEED = 0


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Parameters
    ----------
    number : int
        From 0, in the order of their beginnings.
    state : {"complete", "pruned", "failed"}
        Whether it was judged on all folds, stopped early, or came to nothing.
    family : str
        Of the model.
    settings : dict
        Values of the parameters that were searched, with their family in front where only one has them.
    value : float or None
        Mean of the objective over the folds, of a complete trial.
    folds : tuple of float
        The objective on each fold that was reached.
    seconds : float
    why : str
        Why it failed.
    usual : bool
        Whether these are the family's default settings; those that depend on the data are told nearly so.
    """

    number: int
    state: str
    family: str
    settings: dict[str, Any]
    value: float | None
    folds: tuple[float, ...]
    seconds: float
    why: str = ""
    usual: bool = False


@dataclass(frozen=True)
class Effect:
    """How much one parameter mattered.

    Parameters
    ----------
    parameter : str
        With its family in front, where only one family has it.
    importance : float or None
        Share of the variance between trials that it explains by itself or with others (functional analysis of
        variance: Hutter, Hoos and Leyton-Brown, ICML 2014); of a parameter that one family has, among its trials.
        None where those are fewer than five.
    best, worst : str
        The values, or the range of values, with the best and the worst mean of the objective.
    difference : float
        Between those two means; of a parameter of several families what is left when each has its own mean taken off.
    trials : int
        That it was searched in, complete or stopped early.
    """

    parameter: str
    importance: float | None
    best: str
    worst: str
    difference: float
    trials: int


class _Document(TypedDict):
    objective: str
    unit: str
    higher_is_better: bool
    trials: tuple[Trial, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Findings:
    """The trials of a search and what they say; ``print`` shows them as two tables.

    Parameters
    ----------
    objective, unit : str
        What was to be made better.
    higher_is_better : bool
    trials : tuple of Trial
        In the order of their numbers.
    effects : tuple of Effect
        The most important first.
    """

    objective: str
    unit: str
    higher_is_better: bool
    trials: tuple[Trial, ...]
    effects: tuple[Effect, ...] = ()

    @property
    def complete(self) -> list[Trial]:
        """The trials that were judged on all folds, the best first."""
        known = [trial for trial in self.trials if trial.value is not None]
        return sorted(known, key=lambda trial: -(trial.value or 0.0) if self.higher_is_better else trial.value or 0.0)

    @property
    def best(self) -> Trial:
        """The best of them."""
        return self.complete[0]

    @property
    def usual(self) -> Trial | None:
        """The best of those with a family's default settings, where one was completed."""
        return next((trial for trial in self.complete if trial.usual), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "objective": self.objective,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "best": self.best.number if self.complete else None,
            "usual": None if self.usual is None else self.usual.number,
            "trials": [asdict(trial) | {"folds": list(trial.folds)} for trial in self.trials],
            "effects": [asdict(effect) for effect in self.effects],
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Findings:
        """Return what :meth:`to_dict` wrote."""
        its = documents.read(_Document, document, "findings")
        trials = tuple(
            replace(one, settings={name: parameter_from_json(value) for name, value in one.settings.items()})
            for one in its["trials"]
        )
        if all(trial.value is None for trial in trials):
            raise ArtifactError("findings.trials must have one that is complete")
        return cls(its["objective"], its["unit"], its["higher_is_better"], trials, its["effects"])

    def __str__(self) -> str:
        """Return the best trials, and what mattered, as text."""
        return "\n".join([*self.table_of_trials(), "", *self.table_of_effects()])

    def table_of_trials(self, most: int = 10) -> list[str]:
        """Return the best trials as lines."""
        better = "higher" if self.higher_is_better else "lower"
        counts = {
            state: sum(trial.state == state for trial in self.trials) for state in ("complete", "pruned", "failed")
        }
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        title = f"{self.objective} ({self.unit}, {better} is better) of {len(self.trials)} trials: {told}"
        body = [
            [
                str(trial.number),
                _number(trial.value),
                _spread(trial.folds),
                f"{trial.seconds:.1f}",
                trial.family,
                _settings(trial),
            ]
            for trial in self.complete[:most]
        ]
        return [title, *_lines(["trial", self.objective, "±", "seconds", "model", "settings"], body, left=(4, 5))]

    def table_of_effects(self) -> list[str]:
        """Return what mattered as lines, the most important first."""
        if not self.effects:
            return [f"what mattered cannot be told from fewer than {MIN_TRIALS} complete trials"]
        body = [
            [
                effect.parameter,
                "" if effect.importance is None else f"{100 * effect.importance:.0f} %",
                _number(effect.difference),
                effect.best,
                effect.worst,
                str(effect.trials),
            ]
            for effect in self.effects
        ]
        head = ["what mattered", "importance", "best - worst", "best", "worst", "trials"]
        return _lines(head, body, left=(0, 3, 4))


def effects_of(study: Study, trials: Sequence[Trial], *, higher_is_better: bool) -> tuple[Effect, ...]:
    """Return how much each parameter mattered, the most important first."""
    worth = _worth(study, trials)
    if len(worth) < MIN_TRIALS:
        return ()
    judged = [trial for trial in trials if trial.number in worth]
    importances = _importances(study, worth)
    usual = _family_means(judged, worth)
    names = dict.fromkeys(name for trial in judged for name in _named(trial))
    found = []
    for name in names:
        having = [trial for trial in judged if name in _named(trial)]
        levels = _levels([_named(trial)[name] for trial in having])
        if len(set(levels)) < 2:
            continue
        values = [worth[trial.number] - (0.0 if name == "model" else usual[trial.family]) for trial in having]
        means = {
            level: float(np.mean([value for value, its in zip(values, levels, strict=True) if its == level]))
            for level in dict.fromkeys(levels)
        }
        order = sorted(means, key=lambda level: means[level], reverse=higher_is_better)
        best, worst = order[0], order[-1]
        difference = abs(means[best] - means[worst])
        found.append(Effect(name, importances.get(name), best, worst, difference, len(having)))
    return tuple(sorted(found, key=lambda effect: (-(effect.importance or 0.0), -effect.difference)))


def _worth(study: Study, trials: Sequence[Trial]) -> dict[int, float]:
    """Return the objective of each trial, by its number.

    Those that were stopped early count too: they show where it is worse, and complete ones crowd where it is best. One
    counts with what it had when it was stopped, and what complete ones gained from there on, on average.
    """
    complete = {trial.number: trial.value for trial in trials if trial.state == "complete" and trial.value is not None}
    reports = {trial.number: trial.intermediate_values for trial in study.get_trials(deepcopy=False)}
    worth = dict(complete)
    for trial in trials:
        if trial.state == "pruned" and reports.get(trial.number):
            step, value = max(reports[trial.number].items())
            gains = [end - reports[number][step] for number, end in complete.items() if step in reports[number]]
            if gains and np.isfinite(value):
                worth[trial.number] = value + float(np.mean(gains))
    return worth


def _family_means(judged: Sequence[Trial], worth: dict[int, float]) -> dict[str, float]:
    """Return the mean of the objective over each family's trials."""
    families = dict.fromkeys(trial.family for trial in judged)
    return {
        family: float(np.mean([worth[trial.number] for trial in judged if trial.family == family]))
        for family in families
    }


def _importances(study: Study, worth: dict[int, float]) -> dict[str, float]:
    """Return the importance of what all trials have, and of each family's own parameters among its trials."""
    from optuna import create_study
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    judged = create_study(direction=study.direction)
    judged.add_trials(
        create_trial(params=trial.params, distributions=trial.distributions, value=worth[trial.number])
        for trial in study.get_trials(deepcopy=False)
        if trial.number in worth
    )
    trials = judged.get_trials(deepcopy=False)
    groups = dict.fromkeys(frozenset(trial.params) for trial in trials)
    if not groups:
        return {}
    common = frozenset.intersection(*groups)
    found: dict[str, float] = {}
    for group in (*sorted(groups, key=len), common):
        among = [trial for trial in trials if group <= set(trial.params)]
        if len(among) < MIN_TRIALS or not group:
            continue
        if np.ptp([trial.value or 0.0 for trial in among]) == 0:
            found |= dict.fromkeys(group, 0.0)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the forest that the evaluator is made of
            its = get_param_importances(
                judged, evaluator=FanovaImportanceEvaluator(seed=TREES_SEED), params=sorted(group)
            )
        found |= {name: float(value) for name, value in its.items()}
    return found


def _named(trial: Trial) -> dict[str, Any]:
    """Return the settings of a trial by the names that the search has for them."""
    return {"model": trial.family, **trial.settings}


def _levels(values: Sequence[Any]) -> list[str]:
    """Return names of values that can be set beside each other: numbers of many values in thirds."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numbers or len(set(values)) <= PARTS:
        return [_text(value) for value in values]
    order = np.searchsorted(np.quantile(values, np.arange(1, PARTS) / PARTS), values).tolist()  # equal ones together
    ends = {part: [value for value, its in zip(values, order, strict=True) if its == part] for part in set(order)}
    return [_between(min(ends[part]), max(ends[part])) for part in order]


def _between(low: float, high: float) -> str:
    return _text(low) if low == high else f"{_text(low)} to {_text(high)}"


def _settings(trial: Trial) -> str:
    if trial.usual:
        return "the default ones"
    return ", ".join(f"{name.rpartition('.')[2]}={_text(value)}" for name, value in trial.settings.items())


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def _spread(folds: Sequence[float]) -> str:
    """Return the standard error of a mean over folds."""
    return f"{np.std(folds, ddof=1) / len(folds) ** 0.5:.2g}" if len(folds) > 1 else ""


def _lines(head: Sequence[str], body: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return a table as lines."""
    rows = [head, *body]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

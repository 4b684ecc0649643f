"""Error messages about the search for settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isthmus.capabilities import Trainable, has
from isthmus.checks.parameters import nearest
from isthmus.errors import ArtifactError, DataError, ParameterError, TrainingError, UnavailableError

__all__ = [
    "all_bound_likelihood",
    "enough_for_folds",
    "family_or_model",
    "foreign_journal",
    "known_families",
    "labels_for_objective",
    "minutes_above_zero",
    "no_optuna",
    "no_trial_in_time",
    "processes",
    "reconstruction_of_one_size",
    "same_search",
    "searchable",
    "searched_in_step",
    "some_trial_complete",
    "something_to_search",
]


def no_optuna(owner: str) -> UnavailableError:
    """Return the error for a machine without Optuna."""
    return UnavailableError(
        f'{owner} needs the package optuna, which is not installed; run: pip install "isthmus[tune]".'
    )


def processes(owner: str, parameter: str, value: Any) -> None:
    """Refuse a number of processes that is neither 1 or more nor -1."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (value < 1 and value != -1):
        raise ParameterError(
            f"{owner}: {parameter} must be a whole number of at least 1, or -1 for all cores; it is {value!r}."
        )


def searched_in_step(owner: str, ranks: int, given: Mapping[str, Any]) -> None:
    """Refuse what ranks that train together would do at times of their own; ``given`` holds what is not the default."""
    if ranks > 1 and given:
        name, value = next(iter(given.items()))
        raise ParameterError(
            f"{owner}: {ranks} ranks search in step, where n_jobs must be 1, and storage and max_seconds None; "
            f"{name} is {value!r}."
        )


def minutes_above_zero(owner: str, flag: str, value: Any) -> None:
    """Refuse no time at all."""
    if value is not None and not value > 0:
        raise ParameterError(f"{owner}: {flag} must be a number above 0; it is {value:g}.")


def known_families(owner: str, families: Any, known: Sequence[str]) -> None:
    """Refuse a model family that does not exist, with the nearest one that does."""
    if isinstance(families, str) or not isinstance(families, Iterable) or not list(families):
        raise ParameterError(
            f"{owner}: families must be 'auto' or names of models, as in ('VAE', 'LadderVAE'); it is {families!r}."
        )
    for name in families:
        if name not in known:
            hint = nearest(str(name), known) or f"; there are {', '.join(known)}."
            raise ParameterError(f"{owner}: there is no model family {name!r}{hint}")


def family_or_model(owner: str, families: Any, model: Any) -> None:
    """Refuse a model beside other families."""
    if model is not None and families != "auto":
        raise ParameterError(
            f"{owner}: model and families do not go together; leave families at 'auto' to search the settings of "
            f"{type(model).__name__}."
        )


def searchable(owner: str, model: Any) -> None:
    """Refuse a model that does not say what is worth trying."""
    if not hasattr(model, "search_space") or not has(model, Trainable):
        raise ParameterError(
            f"{owner}: the model must be one of isthmus's, which declare a search_space; {type(model).__name__} is "
            f"none of them."
        )


def something_to_search(owner: str, spaces: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a search among one setting."""
    if len(spaces) == 1 and not next(iter(spaces.values())):
        raise ParameterError(
            f"{owner}: nothing is left to search: every parameter of {next(iter(spaces))} is given; leave some at "
            f"their defaults, or name ranges with space."
        )


def all_bound_likelihood(owner: str, bounds: Mapping[str, bool]) -> None:
    """Refuse to compare likelihoods where some models have none."""
    without = [name for name, has in bounds.items() if not has]
    if without:
        having = [name for name, has in bounds.items() if has]
        instead = f", or leave out {', '.join(without)}" if having else ""
        raise ParameterError(
            f"{owner}: objective='likelihood' compares log p(x), which {', '.join(without)} cannot tell (their scores "
            f"are log p(x | z)); take objective='reconstruction'{instead}."
        )


def labels_for_objective(owner: str, objective: str, labels: Any) -> None:
    """Refuse an objective that is counted in labels where there are none."""
    if labels is None:
        raise ParameterError(
            f"{owner}: objective={objective!r} needs labels; give one a record, as y (--labels on the command line)."
        )


def reconstruction_of_one_size(owner: str, shape: tuple[int | None, ...]) -> None:
    """Refuse to pool errors of pictures whose sizes differ."""
    if None in shape:
        raise ParameterError(
            f"{owner}: objective='reconstruction' needs pictures of one size; take objective='likelihood', or fit on "
            f"pictures of one size."
        )


def foreign_journal(path: str, why: str) -> ArtifactError:
    """Return the error for a file that holds no trials."""
    return ArtifactError(f"{path} is no journal of trials, or a damaged one ({why}); name another file as storage.")


def same_search(owner: str, path: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse to go on with the trials of another search: values of the two could not be compared."""
    words = {
        "data": "other data",
        "objective": "another objective",
        "cv": "another number of folds",
        "settings": "other settings that are not searched",
        "spaces": "other families or ranges",
        "seconds": "another time limit of each fit",
        "seed": "another seed",
    }
    for name, word in words.items():
        if there.get(name) != here.get(name):
            raise ParameterError(
                f"{owner}: {path} holds trials of {word}, which cannot be set beside these; name another file as "
                f"storage, or repeat the search that it belongs to."
            )


def some_trial_complete(owner: str, failures: Sequence[str], pruned: int) -> None:
    """Say why nothing came of any trial."""
    if failures and not pruned:
        raise TrainingError(f"{owner}: all {len(failures)} trials failed, the last of them so: {failures[-1]}")
    why = f"{len(failures)} failed" + (f" (the last of them: {failures[-1]})" if failures else "")
    raise TrainingError(f"{owner}: no trial was completed: {pruned} were stopped early and {why}.")


def no_trial_in_time(owner: str) -> None:
    """Say that the time was too short for anything."""
    raise TrainingError(
        f"{owner}: the time ran out before the first trial was complete; give more of it (max_seconds, --minutes), "
        f"or search on fewer records."
    )


def enough_for_folds(owner: str, n: int, folds: int) -> None:
    """Refuse fewer records than folds need."""
    if n < 2 * folds:
        raise DataError(
            f"{owner}: cv={folds} needs {2 * folds} records or more, two for each fold; there are {n}. Lower cv."
        )

"""Verb ``tune``: choose settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isthmus.cli import inputs, inspection, outputs, registry
from isthmus.cli.terminal import Result, Terminal, counted, plain_json

if TYPE_CHECKING:
    from isthmus.tasks import Tuner
    from isthmus.tasks.tune import Trial

__all__ = ["tune"]


def tune(
    terminal: Terminal,
    data: str,
    *,
    minutes: float | None = None,
    trials: int | None = None,
    models: str | None = None,
    objective: str = "auto",
    folds: int = 3,
    set_: list[str] | None = None,
    storage: str | None = None,
    jobs: int = 1,
    output: str | None = None,
    save: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Find the model and the settings that serve your data best, by cross-validation.

    Each trial is fitted and judged on all folds, unless it is behind others on the way. The default settings of each
    family are always tried. At the end stand the best trials, and what mattered by how much. Interrupted with Ctrl-C
    it keeps what was found; with --storage the same command goes on from there. Needs: pip install "isthmus[tune]".

    Parameters
    ----------
    minutes : float
        Time for the search and the last fit. No single fit then takes more than a share of it.
    trials : int
        Settings to try, in all; by default 30, or as many as there is time for.
    models : str
        Families to choose among, with commas between, as in vae,ladder-vae; by default those that serve the objective
        and are trained in seconds. See isthmus models.
    objective : {"auto", "likelihood", "reconstruction", "classification"}
        What held-out records are judged by: a bound on log p(x); squared error as a share of that of the mean record;
        accuracy of a linear probe of the codes, with --labels. auto takes the likelihood where every family has one.
    folds : int
        Of the cross-validation.
    set_ : {KEY=VALUE}
        A parameter of the models that is not to be searched; may be given more than once.
    storage : str
        Keep the trials in this journal, and go on from those that are there.
    jobs : int
        Trials at a time, each in a process of its own; -1 for one a core.
    output : str
        Write the best model here, fitted on all records.
    save : str
        Write the search with its trials and its model here; Python reads it with isthmus.load.
    threads : int
        Processor threads to use, divided among the trials.

    Examples
    --------
    isthmus tune survey.csv --minutes 10 -o best.safetensors
    isthmus tune digits --models vae,ladder-vae --trials 50 --storage digits.journal --jobs 2
    isthmus tune photos/ --objective classification --set max_epochs=10 --minutes 30
    """
    from isthmus.checks.tune import minutes_above_zero
    from isthmus.tasks import Tuner

    minutes_above_zero("tune", "--minutes", minutes)
    path = None if output is None else outputs.check_file_output(output, force)
    kept = None if save is None else outputs.check_output(save, force, flag="--save")
    families = "auto" if models is None else [registry.model_class(name.strip()).__name__ for name in models.split(",")]
    tuner = Tuner(
        families=families,
        objective=objective,
        n_trials=trials,
        max_seconds=None if minutes is None else 60 * minutes,
        cv=folds,
        settings=_settings(families, set_ or []),
        storage=storage,
        n_jobs=jobs,
        random_state=seed,
    )
    tuner.check_parameters()  # before the data are read
    records = inputs.open_data(terminal, data, opening)
    tuner.fit(records, on_trial=_teller(terminal))
    terminal.say(*(f"note: {note}" for note in tuner.notes_))
    model = tuner.model_
    model.provenance_ |= {"command": terminal.command, "opening": inputs.to_remember(opening)}
    if path is not None:
        model.scores_ = plain_json({"probe": inspection.probe(model), "tuning": tuner.findings_.to_dict()})
        model.save(path, force=force)
    if kept is not None:
        tuner.save(kept, force=force)
    result = _result(tuner, data, output, save)
    if any("interrupted" in note for note in tuner.notes_):
        terminal.show(result)
        again = "; the same command goes on from there" if storage is not None else ""
        tried = counted(len(tuner.findings_.trials), "trial")
        raise KeyboardInterrupt(f"interrupted; the best of {tried} is kept{again}")
    if output is not None:
        terminal.say(f"next: isthmus report {data} -m {output}")
    return result


def _settings(families: str | list[str], pairs: list[str]) -> dict[str, Any] | None:
    """Return the parameters that all families get, from the texts that a person typed."""
    first = registry.model_class("VAE" if isinstance(families, str) else families[0])
    return registry.parse(first, registry.pairs(pairs, "max_epochs=20")) or None


def _teller(terminal: Terminal) -> Callable[[Trial], None]:
    """Return what tells of each trial on standard error."""

    def tell(trial: Trial) -> None:
        what = f"{trial.value:.5g}" if trial.value is not None else trial.state
        changed = ", ".join(f"{k}={_short(v)}" for k, v in trial.settings.items())
        settings = "default settings" if trial.usual else changed
        why = f": {trial.why}" if trial.why else ""
        terminal.say(f"trial {trial.number}  {what}  {trial.seconds:.1f} s  {trial.family}  {settings}{why}")

    return tell


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _result(tuner: Tuner, data: str, output: str | None, save: str | None) -> Result:
    found = tuner.findings_
    document = {
        "data": data,
        "output": output,
        "saved": save,
        "model": type(tuner.model_).__name__,
        "best_params": tuner.best_params_,
        "best_score": tuner.best_score_,
        "notes": tuner.notes_,
        **found.to_dict(),
    }
    lines = [*found.table_of_trials(), "", *found.table_of_effects(), "", _verdict(tuner)]
    name = f"{type(tuner.model_).__name__} with the settings of trial {found.best.number}"
    lines += [f"{output}: {name}, fitted on all records"] if output else []
    lines += [f"{save}: the search, with its model"] if save else []
    return Result(document, lines)


def _verdict(tuner: Tuner) -> str:
    """Return how much the search brought, against the best family's default settings."""
    found = tuner.findings_
    best, usual = found.best, found.usual
    if usual is None:
        return f"best: trial {best.number}, {best.family}"
    if best.usual:
        return f"best: the default settings of {best.family}; nothing that was tried is better"
    gain = abs((best.value or 0.0) - (usual.value or 0.0))
    return (
        f"best: trial {best.number}, {best.family}; {gain:.4g} {found.unit} better than the default settings of "
        f"{usual.family}, on the records that it was chosen by"
    )

"""Verb ``fit``: train a model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import files, launch, watch
from isthmus.cli import inputs, inspection, outputs, registry, scoring
from isthmus.cli.terminal import Result, Terminal, counted, plain_json, shape_words
from isthmus.errors import LostRankError, OutputExistsError, ParameterError, TrainingError

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data
    from isthmus.training import FitState

__all__ = ["check_checkpoint", "fit", "keeping", "make", "progress"]

SEED = 0  # of a run that names none, so that its command makes the same model again
PAUSE = 20  # times that writing a checkpoint took, before the next one
EVERY = 300.0  # seconds of training that a run which dies may lose


def fit(
    terminal: Terminal,
    data: str,
    *,
    model: str = "autoencoder",
    output: str = "model.safetensors",
    set_: list[str] | None = None,
    config: str | None = None,
    print_config: bool = False,
    dry_run: bool = False,
    test: float = inputs.HELD_OUT,
    validation: str | None = None,
    resume: bool = False,
    checkpoint_every: float = EVERY,
    rank_timeout: float = watch.TIMEOUT,
    force: bool = False,
    threads: int | None = None,
    parameters: Mapping[str, Any],
    opening: Mapping[str, Any],
) -> Result:
    """Train a model on your data and write it to one file.

    A tenth of the records is kept away from training, and the model is scored on it at the end. What runs, where, and
    the memory and time that it will take are said before the first step. Interrupted with Ctrl-C it leaves a
    checkpoint, and --resume goes on from there as if nothing had happened. A run that diverges leaves the model of its
    best epoch, and exit code 1.

    DATA is a file (.npy, .npz, IDX, .csv, .tsv, .parquet, an image, text), a folder or a pattern of images, whose
    sub-folders are classes, or the name of a set: digits, mnist, fashion-mnist, kmnist, cifar10.

    Parameters
    ----------
    data : str
        Records to learn from.
    model : {NAME}
        Which one: see isthmus models. --model codec learns to make files smaller instead, and --model restorer to
        denoise, fill and enlarge pictures; both have flags of their own: isthmus fit --model codec --help.
    output : str
        Where to.
    set_ : {KEY=VALUE}
        Any parameter of the model; may be given more than once. See isthmus models NAME.
    config : str
        Read settings from a TOML or JSON file, named as the flags are; flags win over it.
    print_config : bool
        Print all settings as JSON, for --config, and stop.
    dry_run : bool
        Read the data, say what would run, and stop.
    test : float
        Share of the records that only the final score sees; 0 for none.
    validation : {SHARE, DATA}
        Records that early stopping looks at: a share of the others, or a file, folder or set.
    resume : bool
        Go on from the checkpoint of an interrupted run of the same command.
    checkpoint_every : float
        Seconds after which a checkpoint is written inside an epoch, too.
    rank_timeout : float
        With torchrun: seconds without a sign of a process after which it is lost, and the run ends.

    Examples
    --------
    isthmus fit digits
    isthmus fit photos/ -o photos.safetensors --latent-dim 64 --max-seconds 600
    isthmus fit survey.csv --labels class --model denoising-autoencoder --set corruption=masking
    """
    from isthmus.checks.parameters import number
    from isthmus.training import distributed
    from isthmus.training.devices import device_named

    estimator = make(model, parameters, set_ or [])
    settings = _settings(estimator, data, model, output, test, validation, opening)
    if print_config:
        return Result(settings, _as_json(settings), exact=True)
    estimator.check_parameters()
    for flag, seconds in {"--checkpoint-every": checkpoint_every, "--rank-timeout": rank_timeout}.items():
        number("isthmus", flag, seconds, low=0, above=True)
    distributed.start(device_named("isthmus", estimator.device), rank_timeout)
    path = Path(output)
    if launch.is_first():
        path = outputs.check_file_output(output, force or dry_run, hold=not dry_run)
    checkpoint = files.sibling(path, ".checkpoint")
    resume = _goes_on(checkpoint, resume=resume, force=force or dry_run)
    records = inputs.open_data(terminal, data, opening)
    train, held_out = inputs.split(records, test, estimator.random_state)
    callbacks: list[Any] = [] if terminal.quiet else [progress()]
    judged = _validation(terminal, validation, opening, records)
    if dry_run:
        return _forecast(terminal, estimator, train, held_out, judged, callbacks, settings)
    callbacks.append(_sparing_checkpoint(checkpoint, checkpoint_every))
    stopped = _train(estimator, train, judged, callbacks, checkpoint, resume=resume)
    distributed.leave()
    if not launch.is_first():
        watch.wait_for_first()
        return Result({})
    scores = _score(terminal, estimator, train, held_out)
    remembered = inputs.to_remember(opening)
    estimator.provenance_ |= {"command": terminal.command, "opening": remembered}
    kept = {
        "held_out": None if scores is None else scores.document(),
        "split": inputs.split_record(estimator, records, held_out, test, estimator.random_state),
        "probe": inspection.probe(estimator),
    }
    estimator.scores_ = plain_json(kept)
    estimator.save(path, force=force)
    checkpoint.unlink(missing_ok=True)
    terminal.say(*(f"note: {note}" for note in estimator.notes_ if note not in records.notes))
    if stopped is not None:
        raise TrainingError(f"{stopped} The model is in {output} as it was then.")
    terminal.say(f"next: isthmus report {data} -m {output}")
    return _result(estimator, output, held_out, scores, kept)


def _train(
    estimator: Model, train: Data, validation: Any, callbacks: Sequence[Any], checkpoint: Path, *, resume: bool
) -> TrainingError | None:
    """Fit a model; return why it stopped, where it diverged and has a best epoch to fall back on."""
    with keeping(checkpoint, "before the end of the first epoch"):
        try:
            estimator.fit(train, validation=validation, callbacks=callbacks, resume=checkpoint if resume else None)
        except TrainingError as error:
            if not estimator.provenance_["best_epoch"]:
                raise
            return error
    return None


def make(name: str, texts: Mapping[str, Any], settings: Sequence[str]) -> Model:
    """Return the estimator of a name with the parameters that were given."""
    cls = registry.model_class(name)
    given = {key: text for key, text in texts.items() if text is not None} | registry.pairs(settings)
    return cls(**{"random_state": SEED, **registry.parse(cls, given)})


def _settings(
    estimator: Model,
    data: str,
    model: str,
    output: str,
    test: float,
    validation: str | None,
    opening: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that was decided, by the names of the flags."""
    parameters = estimator.get_params(deep=False)
    parameters["seed"] = parameters.pop("random_state")
    del parameters["verbose"]
    found = {"data": data, "model": model, "output": output, "test": test, "validation": validation}
    return {name: value for name, value in {**found, **opening, **parameters}.items() if value is not None}


def _as_json(settings: dict[str, Any]) -> list[str]:
    import json

    return json.dumps(plain_json(settings), indent=2, ensure_ascii=False).splitlines()


def _goes_on(checkpoint: Path, *, resume: bool, force: bool) -> bool:
    """Tell whether this run goes on from a checkpoint; a run that torchrun has started again goes on from its own."""
    from isthmus.training import checkpoints, distributed

    if launch.is_first():
        if launch.restarts() and checkpoint.exists() and checkpoints.run_of(checkpoint) == launch.run():
            resume = True
        check_checkpoint(checkpoint, resume=resume, force=force)
    return bool(distributed.first_says(resume))


def check_checkpoint(checkpoint: Path, *, resume: bool, force: bool) -> None:
    """Refuse to overwrite the checkpoint of an interrupted run, or to go on from one that is not there."""
    if resume and not checkpoint.exists():
        raise ParameterError(f"--resume: there is no checkpoint {checkpoint}; leave --resume out to start anew.")
    if checkpoint.exists() and not resume and not force:
        raise OutputExistsError(
            f"{checkpoint} was left by an interrupted run; go on from it with --resume, or start anew with --force."
        )


def progress() -> Any:
    """Return the callback that shows a run on standard error."""
    from isthmus.training import ShowProgress

    return ShowProgress()


def _sparing_checkpoint(path: Path, seconds: float) -> Any:
    """Return a callback that writes a checkpoint after the first epoch, and then so seldom that it costs little."""
    from isthmus.training import Checkpoint, distributed

    class SparingCheckpoint(Checkpoint):
        next_time = 0.0

        def on_epoch(self, state: FitState) -> None:
            if distributed.first_says(time.perf_counter() >= self.next_time):
                self.write(state)

        def write(self, state: FitState) -> None:
            begun = time.perf_counter()
            super().write(state)
            done = time.perf_counter()
            self.next_time = done + PAUSE * (done - begun)

    return SparingCheckpoint(path, seconds=seconds)


@contextmanager
def keeping(checkpoint: Path, too_soon: str) -> Iterator[None]:
    """Say how to go on after an interruption; remove a checkpoint from which there is no going on."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not checkpoint.exists():
            raise KeyboardInterrupt(f"interrupted {too_soon}; there is no checkpoint") from error
        raise KeyboardInterrupt(
            f"interrupted; {checkpoint} is kept: go on with the same command and --resume"
        ) from error
    except LostRankError as error:
        said = str(error).rstrip(".")
        if not checkpoint.exists():
            raise LostRankError(f"{said}; it was {too_soon}, and there is no checkpoint.") from error
        raise LostRankError(f"{said}; {checkpoint} is kept: go on with the same command and --resume.") from error
    except TrainingError:
        if launch.is_first():
            checkpoint.unlink(missing_ok=True)
        raise


def _validation(terminal: Terminal, text: str | None, opening: Mapping[str, Any], records: Data) -> Any:
    """Return the share or the records that early stopping looks at."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return inputs.open_beside(terminal, text, opening, records.schema)


class _Stop(Exception):  # noqa: N818 - no error
    """Ends a fit before its first step."""


def _forecast(
    terminal: Terminal,
    estimator: Model,
    train: Data,
    held_out: Data | None,
    validation: Any,
    callbacks: list[Any],
    settings: dict[str, Any],
) -> Result:
    """Go as far as the first step, and say what would follow."""
    from isthmus.training import Callback

    found: dict[str, Any] = {}

    class StopAtStart(Callback):
        wants_forecast = True

        def on_start(self, state: FitState) -> None:
            found.update(state.settings)
            raise _Stop

    with suppress(_Stop):
        estimator.fit(train, validation=validation, callbacks=[*callbacks, StopAtStart()])
    n = 0 if held_out is None else len(held_out)
    document = {"settings": settings, "run": found, "test_records": n}
    return Result(document, [f"would train on {len(train):,} records and score on {n:,}; nothing was written"])


def _score(terminal: Terminal, estimator: Model, train: Data, held_out: Data | None) -> scoring.Scores | None:
    if held_out is None:
        terminal.say("note: no records were held out for a score")
        return None
    return scoring.score(estimator, held_out, train)


def _result(
    estimator: Model, output: str, held_out: Data | None, scores: scoring.Scores | None, kept: dict[str, Any]
) -> Result:
    p = estimator.provenance_
    lines = [
        f"{output}: {type(estimator).__name__}, code of {shape_words(estimator.code_shape_)}, fitted on "
        f"{p['records']:,} records in {p['seconds']:.1f} s and {counted(p['epochs'], 'epoch')}"
    ]
    if scores is not None and held_out is not None:
        lines += [f"on {len(held_out):,} records that it never saw:", *scores.lines()]
    document = {
        "output": output,
        "model": type(estimator).__name__,
        "code_shape": list(estimator.code_shape_),
        "held_out": kept["held_out"],
        "provenance": p,
        "notes": estimator.notes_,
    }
    return Result(document, lines)

"""Verb ``classify``: learn and predict classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, jobs, outputs
from isthmus.cli.terminal import Result, Terminal

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks import Classification

__all__ = ["classify"]

FILE = "classifier.safetensors"


def classify(
    terminal: Terminal,
    action: str,
    data: str,
    *,
    model: str | None = None,
    method: str = "auto",
    save: str = FILE,
    output: str | None = None,
    pictures: str | None = None,
    test: float = inputs.HELD_OUT,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
    job: Mapping[str, Any],
) -> Result:
    """Learn the classes of records (fit), or predict those of new ones (predict).

    fit needs labels: --labels names their column or file; sub-folders of images are classes. A label that is empty, or
    -1, is none: such records help to learn the others. A tenth of the labelled records is kept away from training, and
    the classifier is judged on it: accuracy, scores of each class, confusion, and whether its probabilities hold.

    predict writes the class of each record, its probability, and the probabilities of all classes; where records have
    labels, it is judged on them too.

    Parameters
    ----------
    action : {"fit", "predict"}
        What to do: fit or predict.
    model : str
        fit: the file of a model whose codes to use; by default one is trained. predict: the classifier's file, by
        default classifier.safetensors.
    method : {"auto", "probe", "spreading", "head", "joint", "fine-tuned", "ladder", "m2", "m1m2", "features", "own"}
        How to learn; auto goes by the numbers of records with and without a label, and says why.
    save : str
        Where fit writes the classifier.
    output : str
        Where predict writes the classes: .csv, .tsv, .parquet; .npy holds the classes alone. A name that ends in / is a
        folder of parts, which all processors work on, and which a second run completes.
    pictures : str
        Folder for pictures: the calibration curve, the confusion matrix, and the most doubtful records of images.
    test : float
        Share of the labelled records that fit keeps away from training to be judged on; 0 for none.

    Examples
    --------
    isthmus classify fit digits
    isthmus classify fit letters.csv --labels letter --save letters.safetensors
    isthmus classify predict new.csv -m letters.safetensors -o classes.csv
    isthmus classify predict events/ -m letters.safetensors -o classes/
    """
    from isthmus.checks.parameters import choice

    choice("classify", "the first argument", action, ("fit", "predict"))
    if action == "fit":
        return _fit(terminal, data, model, method, save, pictures, test, seed, device, force, opening)
    if output is not None and jobs.is_asked("classify", output, model or FILE, job):
        file = model or FILE
        return jobs.run(terminal, "classify", data, file, output, job, force=force, opening=opening, device=device)
    return _predict(terminal, data, model or FILE, output, pictures, device, force, opening)


def _fit(
    terminal: Terminal,
    data: str,
    model: str | None,
    method: str,
    save: str,
    pictures: str | None,
    test: float,
    seed: int,
    device: str | None,
    force: bool,
    opening: Mapping[str, Any],
) -> Result:
    """Fit a classifier, evaluate it on held-out records, and write it."""
    from isthmus.tasks import Classifier

    path = outputs.check_output(save, force, flag="--save")
    folder = None if pictures is None else outputs.check_output(pictures, force, flag="--pictures")
    fitted = None if model is None else inputs.load_model(model, device)
    records = inputs.open_for(terminal, fitted, data, opening)
    train, judged = _split(records, test, seed)
    classifier = Classifier(
        model=fitted, method=method, random_state=seed, device=device or "auto", verbose=0 if terminal.quiet else 1
    )
    classifier.fit(train)
    classifier.model_.provenance_ |= {"opening": inputs.to_remember(opening)}
    classifier.save(path, force=force)
    terminal.say(f"method: {classifier.method_reason_}", *(f"note: {note}" for note in classifier.notes_))
    document = {"data": data, "classifier": save, "method": classifier.method_, "reason": classifier.method_reason_}
    if judged is None:
        return Result(document, [f"{save}: {len(classifier.classes_)} classes; none of the records was kept to judge"])
    found = classifier.evaluate(judged)
    _draw(terminal, found, judged, folder)
    found = replace(found, doubtful=np.asarray(judged.rows)[found.doubtful])  # row numbers of the source
    return Result(document | {"scores": found.to_dict()}, [*found.lines(), "", f"{save}: {classifier.method_}"])


def _predict(
    terminal: Terminal,
    data: str,
    model: str,
    output: str | None,
    pictures: str | None,
    device: str | None,
    force: bool,
    opening: Mapping[str, Any],
) -> Result:
    """Predict the classes of records, and evaluate where these have labels."""
    path = None if output is None else outputs.check_output(output, force, outputs.MATRICES)
    folder = None if pictures is None else outputs.check_output(pictures, force, flag="--pictures")
    classifier = inputs.load_classifier(model, device)
    records = inputs.open_for(terminal, classifier.model_, data, opening)
    chances = classifier.predict_proba(records)
    numbers = chances.argmax(axis=1)
    if path is not None:
        outputs.write_chances(path, "class", classifier.classes_, chances, records.names, force=force)
    counts = dict(
        zip(map(str, classifier.classes_.tolist()), np.bincount(numbers, minlength=chances.shape[1]), strict=True)
    )
    document: dict[str, Any] = {"data": data, "output": output, "records": len(records), "counts": counts}
    lines = [f"{output or data}: classes of {len(records):,} records", *(f"  {k}: {n:,}" for k, n in counts.items())]
    if records.labels is not None:
        found = classifier.evaluate(records)
        _draw(terminal, found, records, folder)
        document["scores"] = found.to_dict()
        lines = [*found.lines(), "", lines[0]]
    return Result(document, lines)


def _split(data: Data, share: float, seed: int) -> tuple[Data, Data | None]:
    """Return records to learn from, all those without a label among them, and labelled ones to judge by."""
    from isthmus import data as isthmus_data
    from isthmus.checks.parameters import needs_labels

    needs_labels("classify fit", data.labels)
    known = np.flatnonzero(isthmus_data.is_labelled(np.asarray(data.labels)))
    judged = inputs.split(data.subset(known), share, seed)[1] if len(known) else None
    if judged is None:
        return data, None
    rows = np.arange(len(data)) if data.rows is None else data.rows
    return data.subset(np.flatnonzero(~np.isin(rows, np.asarray(judged.rows)))), judged


def _draw(terminal: Terminal, found: Classification, data: Data, folder: Path | None) -> None:
    """Write the pictures of an evaluation as .png."""
    if folder is None:
        return
    from isthmus.report.classification import pictures
    from isthmus.report.gallery import write_picture

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures(found, data).items():
        write_picture(figure, folder / f"{name}.png", force=True)
    terminal.say(f"{folder}: pictures")

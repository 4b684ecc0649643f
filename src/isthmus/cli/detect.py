"""Verb ``detect``: find outliers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, jobs, outputs
from isthmus.cli.outliers import REASONS, Found
from isthmus.cli.terminal import Result, Terminal, counted

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks import Detector

__all__ = ["detect"]


def detect(
    terminal: Terminal,
    data: str,
    *,
    model: str | None = None,
    reference: str | None = None,
    method: str = "auto",
    contamination: str = "auto",
    output: str | None = None,
    save: str | None = None,
    top: int = 10,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
    job: Mapping[str, Any],
) -> Result:
    """Find outliers: an anomaly score, a p-value and the reasons for each record.

    What is usual is learned from DATA itself, or from the records that --reference names: clean ones, if there are any.
    p-values are calibrated on records that nothing was learned from: of usual records, one in a hundred has 0.01 or
    less. Where most of DATA is usual and some of it is not, they err to the safe side.

    Parameters
    ----------
    model : str
        The file of a model whose codes and reconstructions to use, or of a detector that --save wrote, which is then
        only applied. By default a small autoencoder is trained.
    reference : str
        Records to learn from, instead of DATA.
    method : {"auto", "combined", "reconstruction", "distance", "likelihood"}
        The anomaly score: the distance to its reconstruction, that of its code to normal codes, or how unlikely the
        model holds it to be; combined takes the first two, and of rows of numbers how far they are from the others by
        themselves; auto is combined where the model can reconstruct.
    contamination : str
        Share of the records learned from that are outliers, such as 0.05; auto puts the threshold where one of a
        hundred usual records lies beyond it.
    output : str
        Write score, p-value, verdict and reasons of each record here: .csv, .tsv, .parquet; .npy without the reasons. A
        name that ends in / is a folder of parts, which all processors work on, and which a second run completes; with
        the file of a model, what is usual is learned from 100,000 records of DATA at most.
    save : str
        Write the detector here, for use with --model.
    top : int
        How many of the most anomalous records are printed.

    Examples
    --------
    isthmus detect survey.csv
    isthmus detect new.csv --reference clean.csv -o scores.csv --save detector.safetensors
    isthmus detect tomorrow.csv -m detector.safetensors
    isthmus detect events/ -m detector.safetensors -o scores/
    """
    from isthmus.checks.jobs import needs_a_detector, one_file_for
    from isthmus.checks.parameters import integer

    if output is not None and jobs.is_asked("detect", output, model or "", job):
        if model is None:
            raise needs_a_detector()
        one_file_for("detect", reference=reference, save=save)
        learning = {"method": method, "contamination": contamination, "seed": seed, "device": device}
        return jobs.run(terminal, "detect", data, model, output, job, force=force, opening=opening, **learning)
    integer("detect", "--top", top, low=0)
    path = None if output is None else outputs.check_output(output, force, outputs.MATRICES)
    kept = None if save is None else outputs.check_output(save, force, flag="--save")
    detector, records = _learned(terminal, data, model, reference, method, contamination, seed, device, opening)
    if kept is not None:
        detector.save(kept, force=force)
    found = Found(detector, records)
    if path is not None:
        found.write(path, force=force)
    outliers = int((found.scores < detector.offset_).sum())
    rows = np.argsort(found.scores, kind="stable")[:top]
    reasons = detector.reasons(records.subset(rows), REASONS) if len(rows) else []
    document = {
        "data": data,
        "records": len(records),
        "outliers": outliers,
        "method": detector.method_,
        "calibrated_on": len(detector.calibration_scores_),
        "output": output,
        "saved": save,
        "most_anomalous": found.described(rows, reasons),
    }
    lines = [f"{data}: {outliers:,} of {counted(len(records), 'record')} are outliers ({detector.method_})"]
    lines += [f"{output}: score, p-value, verdict and reasons of each"] if output else []
    lines += [f"{save}: the detector"] if save else []
    return Result(document, [*lines, "", *found.table(rows, reasons)] if len(rows) else lines)


def _learned(
    terminal: Terminal,
    data: str,
    model: str | None,
    reference: str | None,
    method: str,
    contamination: str,
    seed: int,
    device: str | None,
    opening: Mapping[str, Any],
) -> tuple[Detector, Data]:
    """Return a fitted detector, and the records to score."""
    from isthmus.checks.detect import a_share, one_source_of_normal_records
    from isthmus.tasks import Detector

    loaded = None if model is None else inputs.load_model(model, device, or_a=Detector)
    one_source_of_normal_records("detect", reference, learned=isinstance(loaded, Detector))
    if isinstance(loaded, Detector):
        return loaded, inputs.open_for(terminal, loaded.model_, data, opening)
    share = a_share("detect", "--contamination", contamination)
    detector = Detector(
        model=loaded,
        method=method,
        contamination=share,
        random_state=seed,
        device=device or "auto",
        verbose=0 if terminal.quiet else 1,
    )
    usual = inputs.open_for(terminal, loaded, reference or data, opening)
    detector.fit(usual)
    terminal.say(*(f"note: {note}" for note in detector.notes_))
    detector.model_.provenance_ |= {"opening": inputs.to_remember(opening)} if loaded is None else {}
    return detector, usual if reference is None else inputs.open_for(terminal, detector.model_, data, opening)

"""Verb ``explain``: say what each unit of a code means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, columns

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks import Explanation

__all__ = ["explain"]

DRIVERS = 3  # inputs that are named of each unit
RECORDS = 5  # of each end


def explain(
    terminal: Terminal,
    data: str,
    *,
    model: str = "model.safetensors",
    units: int = 8,
    output: str | None = None,
    rows: str = "auto",
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Explain the units of a code: inputs that drive each, its most activating records, concepts they encode.

    What drives a unit: integrated gradients against the mean record. Concepts are the classes, where there are
    --labels, and the columns of a table; each is looked for by a linear probe, on records that it was not fitted on.
    What a record becomes as a unit is moved: isthmus traverse.

    Parameters
    ----------
    data : str
        Records: best the data of the fit, of which the held-out ones are taken.
    units : int
        How many, those that vary most.
    output : str
        Write a picture of it here: .png, .svg or .pdf.
    rows : {"auto", "held-out", "all"}
        Which records: held-out, all, or auto: held-out where these are the data of the fit.
    seed : int
        Of the records that are looked at, and of the folds of probes.

    Examples
    --------
    isthmus explain survey.csv
    isthmus explain photos/ -m photos.safetensors -o units.png
    """
    from isthmus import tasks
    from isthmus.checks.parameters import integer

    integer("explain", "--units", units, low=1)
    path = None if output is None else outputs.check_output(output, force, outputs.DRAWINGS)
    fitted = inputs.load_model(model, device)
    opened = inputs.open_for(terminal, fitted, data, opening)
    chosen, _ = inputs.rows_to_judge(terminal, fitted, opened, rows)
    width = 1
    for side in fitted.code_shape_:
        width *= side or 1
    found = tasks.explain(fitted, chosen, units=min(units, width), random_state=seed)
    terminal.say(*(f"note: {note}" for note in found.notes))
    if path is not None:
        from isthmus.report.explaining import picture
        from isthmus.report.gallery import write_picture

        write_picture(picture(found, chosen), path, force=force)
    found = _by_number(found, chosen)
    document = {**found.to_dict(), "data": data, "model": model, "records": len(chosen), "output": output}
    lines = [f"{data}: what {type(fitted).__name__} makes of {len(chosen):,} records", "", *_units(found)]
    if found.probes:
        lines += ["", *_probes(found)]
    lines += ["", f"{output}: a picture of it"] if output else []
    return Result(document, lines)


def _by_number(found: Explanation, data: Data) -> Explanation:
    """Return the same with records by their numbers in the source, of which only some were looked at."""
    if data.rows is None:
        return found
    rows = data.rows
    activations = [
        replace(one, highest=rows[one.highest].tolist(), lowest=rows[one.lowest].tolist()) for one in found.activations
    ]
    return replace(found, activations=activations)


def _units(found: Explanation) -> list[str]:
    """Return a line for each unit."""
    drivers = found.drivers(DRIVERS)
    head = ["unit", "deviation", *(["driven by"] if drivers else []), "highest for rows", "lowest for rows"]
    body = []
    for place, (unit, deviation, one) in enumerate(zip(found.units, found.deviations, found.activations, strict=True)):
        driven = [", ".join(f"{name} {100 * share:.0f} %" for name, share in drivers[place])] if drivers else []
        ends = [" ".join(map(str, rows[:RECORDS])) for rows in (one.highest, one.lowest)]
        body.append([str(unit), f"{deviation:.3g}", *driven, *ends])
    return columns(head, body, words=("driven by", "highest for rows", "lowest for rows"))


def _probes(found: Explanation) -> list[str]:
    """Return a line for each concept."""
    head = ["concept", "measure", "found", "±", "baseline", "units that carry it"]
    body = [
        [
            probe.concept,
            probe.measure,
            f"{probe.score:.3f}",
            f"{probe.standard_error:.3f}",
            f"{probe.baseline:.3f}",
            " ".join(map(str, probe.units[:DRIVERS])),
        ]
        for probe in found.probes
    ]
    return columns(head, body, words=("measure", "units that carry it"))

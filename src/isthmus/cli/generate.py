"""Verbs that make new records: sample, interpolate, traverse, augment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, jobs, outputs
from isthmus.cli.terminal import Result, Terminal

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["augment", "interpolate", "sample", "traverse"]

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def sample(
    terminal: Terminal,
    *,
    output: str,
    model: str = "model.safetensors",
    n: int = 64,
    label: str | None = None,
    where: str | None = None,
    temperature: float = 1.0,
    noise: bool | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    job: Mapping[str, Any],
) -> Result:
    """Draw new records from a model.

    Models without a distribution of codes, such as autoencoder, draw from a mixture of Gaussians fitted to their codes.

    Parameters
    ----------
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet, .txt; of images also .png, one picture of all, and a name without
        suffix, a folder of pictures. Of other records a name that ends in / is a folder of parts, which all processors
        work on, and which a second run completes.
    n : int
        How many.
    label : str
        Of which class, for models that were fitted with labels.
    where : str
        Of a table, only rows with these values: COLUMN=VALUE, with commas between, and LOW..HIGH for numbers.
    temperature : float
        Factor on the spread of codes: below 1 for more typical records.
    noise : bool
        Whether to add the noise that the likelihood describes; by default to all but images.

    Examples
    --------
    isthmus sample -m model.safetensors --n 100 -o new.png
    isthmus sample -m model.safetensors --n 1000 --label 7 -o sevens.npy
    isthmus sample -m census.safetensors --where "sex=Female,age=30..40" -o women.csv
    """
    from isthmus import tasks
    from isthmus.checks.tasks import values_of

    if jobs.is_asked("sample", output, model, job):
        drawing: dict[str, Any] = {
            "n": n,
            "label": label,
            "where": where,
            "temperature": temperature,
            "noise": noise,
            "seed": seed,
        }
        return jobs.run(terminal, "sample", None, model, output, job, force=force, device=device, **drawing)
    fitted = inputs.load_model(model, device)
    path = outputs.check_output(output, force)
    options: dict[str, Any] = {"y": inputs.class_of(fitted, label), "temperature": temperature, "noise": noise}
    if where is None:
        drawn = fitted.sample(n, random_state=seed, **options)
    else:
        drawn = tasks.sample_where(fitted, n, values_of("sample", where), random_state=seed, **options)
    _write(path, drawn, fitted, columns=None, force=force)
    return Result({"output": output, "records": n, "seed": seed}, [f"{output}: {n:,} new records"])


def interpolate(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    rows: str = "0,1",
    steps: int = 9,
    path: str = "spherical",
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Interpolate between two records.

    Parameters
    ----------
    output : str
        Where to: as for sample; of images also .gif, an animation.
    rows : str
        Which two records, counted from 0.
    steps : int
        Records on the way, both ends included.
    path : {"spherical", "linear"}
        Along an arc, or straight.

    Examples
    --------
    isthmus interpolate photos/ --rows 3,17 -o between.png
    isthmus interpolate photos/ --rows 3,17 --steps 60 -o between.gif
    """
    from isthmus import tasks
    from isthmus.checks.tasks import rows_of

    fitted = inputs.load_model(model, device)
    target = outputs.check_output(output, force)
    records = inputs.open_for(terminal, fitted, data, opening)
    ends = rows_of("interpolate", rows, len(records), 2)
    between = tasks.interpolate(fitted, records.subset(ends), steps, path)
    _write(target, between, fitted, columns=steps, force=force)
    told = f"{output}: {steps:,} records from row {ends[0]} to row {ends[1]}"
    return Result({"output": output, "records": steps}, [told])


def traverse(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    row: int = 0,
    steps: int = 9,
    units: int | None = None,
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Change each unit of a record's code in turn, and write the decoded records.

    Parameters
    ----------
    data : str
        Records: a file, a folder or pattern of images, or a named set. Their codes say how far a unit goes.
    output : str
        Where to: as for sample; in a picture each unit is a row.
    row : int
        Which record is changed, counted from 0.
    steps : int
        Values of each unit.
    units : int
        How many units, those that vary most; by default all.

    Examples
    --------
    isthmus traverse photos/ --row 3 --units 8 -o units.png
    """
    from isthmus import tasks

    fitted = inputs.load_model(model, device)
    target = outputs.check_output(output, force)
    records = inputs.open_for(terminal, fitted, data, opening)
    changed, chosen = tasks.traverse(fitted, records, steps, units, row)
    _write(target, changed, fitted, columns=steps, force=force)
    document = {"output": output, "row": row, "units": chosen, "steps": steps}
    return Result(document, [f"{output}: units {', '.join(map(str, chosen))} of row {row}, {steps} values each"])


def augment(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    n: int,
    provenance: str | None = None,
    model: str = "model.safetensors",
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Write a data set with new records of each class added.

    Labels go into a column of tables, into the folders of pictures, otherwise into a file beside, OUTPUT-labels.npy.

    Parameters
    ----------
    output : str
        Where to, in the source's own format: .npy, .npz, .csv, .tsv, .parquet, .txt, or a folder of images.
    n : int
        New records of each class; of all, where there are no classes.
    provenance : str
        Name of a column, in tables, that tells records that were there (0) from new ones (1).

    Examples
    --------
    isthmus augment survey.csv --labels class --n 100 -o more.csv --provenance is_new
    """
    from isthmus import tasks
    from isthmus.checks.tasks import needs_tables
    from isthmus.data import to_block

    fitted = inputs.load_model(model, device)
    path = outputs.check_output(output, force)
    records = inputs.open_for(terminal, fitted, data, opening)
    new, labels = tasks.augment(fitted, records, n, random_state=seed)
    old_block, new_block = records.take(np.arange(len(records))), to_block(new, fitted.schema_)
    if fitted.schema_.kind == "table":
        outputs.write_table(path, records, new_block, labels, provenance, force=force)
    else:
        needs_tables("augment", "provenance", provenance)
        names = _names_beside(records, labels, len(new_block)) if path.suffix == "" else None
        outputs.write_records(
            path, len(records) + len(new_block), [old_block, new_block], fitted.schema_, names, force=force
        )
        if labels is not None and names is None:
            beside = path.with_name(f"{path.stem}-labels.npy")
            outputs.write_labels(beside, np.concatenate([records.labels, labels]), force=force)
    added = len(new_block)
    return Result(
        {"output": output, "records": len(records) + added, "new": added},
        [f"{output}: {len(records):,} records and {added:,} new ones"],
    )


def _names_beside(records: Data, labels: Any, n: int) -> Sequence[str]:
    """Return names of pictures: those there are, and new ones in the folders of their classes."""
    old = records.names or [f"{i:05d}" for i in range(len(records))]
    folders = [""] * n if labels is None or "/" not in old[0] else [f"{label}/" for label in labels]
    return [*old, *(f"{folder}new-{i:05d}.png" for i, folder in enumerate(folders))]


def _write(path: Path, records: Any, fitted: Model, *, columns: int | None, force: bool) -> None:
    """Write new records in the format that the suffix says; pictures also as one, or one after the other."""
    suffix, is_image = path.suffix.lower(), fitted.schema_.kind == "image"
    if is_image and (suffix in PICTURES or suffix == ".gif"):
        outputs.write_pictures(path, list(records), columns, force=force)
        return
    from isthmus.data import to_block

    block = to_block(records, fitted.schema_)
    outputs.write_records(path, len(block), [block], fitted.schema_, None, force=force)

"""Verbs whose output is a folder: a job in parts, done by all processors of this machine or by a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.cli.commands import Flag
from isthmus.cli.meter import metered_rows
from isthmus.cli.terminal import Result, Terminal, counted

__all__ = ["flags", "is_asked", "run"]

WORKERS = (
    "Of an output that is a folder: how many processes work on its parts; by default as many as there are processors. "
    "0 does all in this one."
)
CLUSTER = "Address of a Ray cluster that works on the parts of an output folder, as in ray://head:10001; auto finds it."
PART_ROWS = "Of an output that is a folder: records in a part; by default as many as take 64 MiB, a million at most."
KEYS = (
    "Of an output that is a folder: columns of the input to write beside the results, with commas between, or none; by "
    "default names of files, labels and ids."
)
PICTURE_VERBS = ("reconstruct", "sample", "impute")  # whose folder is one of pictures, where the model is of pictures


def flags() -> list[Flag]:
    """Return the flags of every verb that can be done in parts."""
    return [
        Flag("workers", WORKERS, int | None, metavar="N"),
        Flag("cluster", CLUSTER, metavar="ADDRESS"),
        Flag("part_rows", PART_ROWS, int | None, metavar="N"),
        Flag("keys", KEYS, metavar="A,B,..."),
    ]


def is_asked(verb: str, output: str | None, model: str, job: Mapping[str, Any]) -> bool:
    """Tell whether an output is a folder of parts: by a slash at its end, its being a folder, a URL, or by a flag.

    Parameters
    ----------
    verb : str
        Of those that write records a folder means pictures, where the model is of pictures and no flag says otherwise.
    output : str, optional
        As it was given.
    model : str
        The model's file.
    job : mapping
        Values of :func:`flags`.
    """
    if output is None:
        return False
    if any(value is not None for value in job.values()) or "://" in output:
        return True
    is_folder = output.endswith((os.sep, "/")) or (Path(output).is_dir() and not Path(output).suffix)
    return is_folder and not (verb in PICTURE_VERBS and _is_of_pictures(model))


def run(
    terminal: Terminal,
    verb: str,
    data: str | None,
    model: str,
    output: str,
    job: Mapping[str, Any],
    *,
    force: bool,
    opening: Mapping[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Do a job and return what it came to.

    Parameters
    ----------
    terminal : Terminal
        Where notes and progress go.
    verb, data, model, output
        As :func:`isthmus.cluster.run` takes them.
    job : mapping
        Values of :func:`flags`.
    force : bool
        Whether to begin anew.
    opening : mapping, optional
        Values of :func:`isthmus.cli.inputs.flags_of_opening`.
    **options
        Of the verb.
    """
    from isthmus import cluster

    opening = dict(opening or {})
    reads = f"read {model}" if data is None else f"read {model} and {data}"
    terminal.say(f"workers {reads}, and their output goes to {output}")
    with metered_rows(terminal) as progress:
        found = cluster.run(
            verb,
            data,
            model,
            output,
            engine="local" if job["cluster"] is None else "ray",
            workers=job["workers"],
            address=job["cluster"],
            part_rows=job["part_rows"],
            keys=job["keys"],
            skip_bad=bool(opening.pop("skip_bad", False)),
            force=force,
            options=options,
            opening=opening,
            progress=progress,
        )
    terminal.say(*(f"note: {note.removeprefix('note: ')}" for note in found.notes))
    terminal.say(*(f"left out: {why}" for why in found.skipped))
    document = {**vars(found), "output": output}
    return Result(document, [_summary(output, found), *_figures(found)])


def _summary(output: str, found: Any) -> str:
    """Return how many records are there, and how many of the parts this run did."""
    there = found.parts - found.done_now - len(found.skipped)
    parts = counted(found.parts, "part")
    before = f", {there:,} of them there before" if there else ""
    lost = f", {len(found.skipped):,} left out" if found.skipped else ""
    return f"{output}: {counted(found.rows, 'record')} in {parts}{before}{lost}"


def _figures(found: Any) -> list[str]:
    """Return sums as lines; of scores their means."""
    means = ("log_likelihood", "error")
    return [
        f"  {name.replace('_', ' ')}: {figure / max(found.rows, 1):.4g} on average"
        if name in means
        else f"  {name}: {figure:,.0f}"
        for name, figure in found.figures.items()
    ]


def _is_of_pictures(model: str) -> bool:
    from isthmus import artifact

    if not Path(model).is_file():
        return False
    return bool(artifact.describe(model)["document"].get("schema", {}).get("kind") == "image")

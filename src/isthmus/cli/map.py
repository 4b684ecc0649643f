"""Verb ``map``: draw records as points in the plane."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.artifact import replacing
from isthmus.cli import fit, inputs, inspection, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted, plain_json

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data
    from isthmus.models import Map
    from isthmus.report.mapping import MapEvaluation
    from isthmus.report.maps import Colouring

__all__ = ["map"]

MAX_RECORDS = 100_000  # records on a page
COLUMNS = 12  # of a table that a page may be coloured by, unasked


def map(
    terminal: Terminal,
    data: str,
    *,
    model: str | None = None,
    output: str = "map.html",
    colour: str | None = None,
    set_: list[str] | None = None,
    test: float = inputs.HELD_OUT,
    save: str | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Draw records as points, similar ones near each other: an interactive page, and a picture.

    The map is learned from nine tenths of the records and places the others, which it is judged by, beside principal
    components: how many neighbours on the map are neighbours in the data (trustworthiness), how many neighbours in the
    data are neighbours on the map (continuity, and the share of 15 that are kept), and, where records have labels, how
    often the five nearest points that were learned from say the label of a new one.

    Parameters
    ----------
    model : str
        The file of a map that --save wrote, which is then only applied, or of any model, whose first two codes are
        drawn beside the map. By default a map is trained.
    output : str
        Where to: .html, a page that needs nothing else, with a picture of the same name beside it; .png, .svg or .pdf
        for the picture alone.
    colour : {COLUMNS, FILE}
        What to colour by: columns of DATA, with commas between, or a file with one row a record, such as isthmus
        cluster, detect and score write; by default labels and the columns of a table.
    set_ : {KEY=VALUE}
        Any parameter of the map; may be given more than once. See isthmus models map.
    test : float
        Share of the records that are placed by the map without having been learned from; 0 for none.
    save : str
        Write the map here, for use with --model and with encode, decode and sample.

    Examples
    --------
    isthmus map digits
    isthmus map photos/ -m photos.safetensors -o photos.html
    isthmus map survey.csv --colour income,groups.csv --save survey-map.safetensors
    """
    path = outputs.check_output(output, force, (".html", *outputs.DRAWINGS))
    picture = path.with_suffix(".png") if path.suffix.lower() == ".html" else path
    if picture != path:
        outputs.check_output(str(picture), force)
    kept = None if save is None else outputs.check_output(save, force, flag="--save")
    loaded = None if model is None else inputs.load_model(model, device)
    records = _opened(terminal, data, loaded, opening)
    colourings = _colourings(terminal, records, colour)
    drawn, new = _learned(terminal, loaded, records, set_ or [], test, seed, device)
    if kept is not None:
        drawn.provenance_["opening"] = drawn.provenance_.get("opening", inputs.to_remember(opening))
        drawn.save(kept, force=force)
    from isthmus.report import mapping

    evaluation = mapping.evaluate_map(drawn, records, new, other=None if drawn is loaded else loaded)
    told = f"{counted(len(records), 'record')}, {'none' if new is None else f'{len(new):,}'} of them new to the map"
    _draw(path, picture, records, evaluation, colourings, title=data, sentence=f"{told}.", force=force)
    scores = {
        title: {name: {"mean": one.mean, "low": one.low, "high": one.high} for name, one in row.items()}
        for title, row in evaluation.scores.items()
    }
    files = {"output": output, "picture": str(picture), "saved": save}
    lines = [f"{data}: {told}", *_table(evaluation)]
    lines += [f"{output}: a page to look around in"] if picture != path else []
    lines += [f"{picture}: the picture", *([f"{save}: the map, for -m, encode and decode"] if save else [])]
    new_records = 0 if new is None else len(new)
    return Result({"data": data, "records": len(records), "new": new_records, "scores": scores, **files}, lines)


def _opened(terminal: Terminal, data: str, loaded: Model | None, opening: Mapping[str, Any]) -> Data:
    """Return the records, or as many of them as a page holds."""
    records = inputs.open_for(terminal, loaded, data, opening)
    if len(records) > MAX_RECORDS:
        terminal.say(
            f"note: drawn are {MAX_RECORDS:,} of the {len(records):,} records, at random; a page holds no more"
        )
        records = records.subset(np.sort(np.random.default_rng(0).permutation(len(records))[:MAX_RECORDS]))
    return records


def _learned(
    terminal: Terminal,
    loaded: Model | None,
    records: Data,
    pairs: Sequence[str],
    test: float,
    seed: int,
    device: str | None,
) -> tuple[Map, np.ndarray | None]:
    """Return a map, and which records it has not learned from."""
    from isthmus.checks.maps import is_drawn_already, needs_flat_codes
    from isthmus.models import Map

    if isinstance(loaded, Map):
        is_drawn_already(pairs)
        judged, known = inputs.rows_to_judge(terminal, loaded, records, "auto")
        if known is None and loaded.fingerprint(records) == loaded.provenance_["fingerprint"]:
            return loaded, None
        return loaded, _rows(judged)
    if loaded is not None:
        needs_flat_codes("map", type(loaded).__name__, loaded.code_shape_)
    estimator = fit.make("map", {"random_state": seed, "device": device}, pairs)
    train, held_out = inputs.split(records, test, seed)
    estimator.fit(train, callbacks=[] if terminal.quiet else [fit.progress()])
    terminal.say(*(f"note: {note}" for note in estimator.notes_ if note not in records.notes))
    estimator.provenance_["command"] = terminal.command
    split = inputs.split_record(estimator, records, held_out, test, seed)
    estimator.scores_ = plain_json({"split": split, "probe": inspection.probe(estimator)})
    return estimator, None if held_out is None else _rows(held_out)


def _rows(part: Data) -> np.ndarray:
    """Return the numbers of the records of a part."""
    return np.arange(len(part)) if part.rows is None else np.asarray(part.rows)


def _draw(
    path: Path,
    picture: Path,
    records: Data,
    evaluation: MapEvaluation,
    colourings: Sequence[Colouring],
    *,
    title: str,
    sentence: str,
    force: bool,
) -> None:
    """Write the picture, and the page where one is wanted."""
    from isthmus.report import maps
    from isthmus.report.gallery import write_picture

    first = colourings[0] if colourings else maps.Colouring("", np.zeros(len(records), np.int64))
    write_picture(maps.map_picture(evaluation.views, first), picture, force=force)
    if picture == path:
        return
    page = maps.map_page(
        records,
        evaluation.views,
        colourings,
        title=title,
        sentence=sentence,
        scores=evaluation.scores,
        about_scores=evaluation.about,
    )
    with replacing(path, force=force) as file:
        file.write(page.encode())


def _table(evaluation: MapEvaluation) -> list[str]:
    """Return the figures of every picture as lines."""
    if not evaluation.scores:
        return ["too few records to judge a map by"]
    head = ["", *next(iter(evaluation.scores.values()))]
    body = [
        [title, *(f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})" for one in row.values())]
        for title, row in evaluation.scores.items()
    ]
    return [*columns(head, body), evaluation.about]


# ------------------------------------------------------------------ what to colour by


def _colourings(terminal: Terminal, records: Data, colour: str | None) -> list[Colouring]:
    """Return what was asked for; else labels, and the columns of a table that can be told apart."""
    from isthmus.checks.maps import colours_can_be_told, one_colour_a_record
    from isthmus.report.maps import Colouring

    if colour is None:
        found = [] if records.labels is None else [Colouring("label", np.asarray(records.labels))]
        names = [column.name for column in records.schema.columns]
        return [one for one in [*found, *(_column(records, name) for name in names)] if one.usable()][: COLUMNS + 1]
    found = []
    for part in colour.split(","):
        if os.path.isfile(part):
            several = _of_file(part)
            for one in several:
                one_colour_a_record(part, len(one.values), len(records))
            usable = [one for one in several if one.usable()]
            colours_can_be_told(part, len(usable))
            found += usable
        else:
            one = _column(records, part)
            colours_can_be_told(part, one.usable())
            found.append(one)
    return found


def _column(records: Data, name: str) -> Colouring:
    """Return the values of a column of a table or an array."""
    from isthmus.checks.maps import no_such_colour
    from isthmus.report.maps import Colouring

    schema = records.schema
    names = [column.name for column in schema.columns] or list(schema.names)
    if schema.kind == "array" and not names:
        names = [str(i) for i in range(int(schema.shape[0] or 0))]
    if name not in names:
        raise no_such_colour(name, names)
    if schema.kind == "table":
        chosen = records.select([name])
        return Colouring(name, _values(chosen.take(np.arange(len(chosen))).column(0)))
    parts = [np.asarray(block)[:, names.index(name)] for _, block in records.chunks()]
    return Colouring(name, np.concatenate(parts))


def _of_file(path: str) -> list[Colouring]:
    """Return the columns of a file."""
    from isthmus import data
    from isthmus.report.maps import Colouring

    if Path(path).suffix.lower() in (".npy", ".txt"):
        return [Colouring(Path(path).stem, inputs.read_labels(path))]
    opened = data.open(path)
    return [_column(opened, column.name) for column in opened.schema.columns]


def _values(column: Any) -> np.ndarray:
    """Return the cells of a column of a table: numbers, NaN where they are missing, or texts, "none" there."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        cells = column.to_pylist()
        missing = column.null_count > 0
        return np.asarray([np.nan if cell is None else cell for cell in cells], float if missing else None)
    return np.asarray(["none" if cell is None else str(cell) for cell in column.to_pylist()])

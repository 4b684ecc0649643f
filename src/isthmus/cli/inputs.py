"""Data for verbs: opened as the flags say, conformed to a model, and split into training and held-out rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli.commands import Flag, flags_of_function
from isthmus.cli.terminal import Terminal
from isthmus.errors import DataError, IsthmusError, ParameterError

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data, Schema
    from isthmus.data.streams import Stream
    from isthmus.tasks import Classifier

__all__ = [
    "HELD_OUT",
    "as_source",
    "block_rows",
    "blocks",
    "class_of",
    "each",
    "flags_of_opening",
    "load_classifier",
    "load_model",
    "open_beside",
    "open_codes",
    "open_data",
    "open_for",
    "read_labels",
    "refuse_lost",
    "rows_to_judge",
    "split",
    "split_record",
    "to_remember",
]

HELD_OUT = 0.1  # share of the records that fit never shows to the model
LABEL_BYTES = 2**30  # of a text with one a row
MIN_RECORDS_TO_SPLIT = 20  # records below which none are held out
BLOCK_BYTES = 16 * 2**20
LABELS = (
    "Classes of the records, for divisions in proportion and for reports: the name of a column, which is set aside, or "
    "a file with one a row. Sub-folders of images are classes anyway."
)
COLUMNS = "Of a table or a matrix: the columns to use, in this order; names or numbers with commas between."
MISSING = "Of a text table: the cells that mean missing, with commas between; by default ?, NA and the like."
AS_TEXT = "Of a text table: columns to keep as they are written; names or numbers with commas between."
TEXT_TABLES = ("header", "delimiter", "encoding", "decimal", "day_first", "missing", "as_text")
# Parameters whose flags are not as the function has them.
OWN_FLAGS = (
    "source",
    "labels",
    "columns",
    "label_column",
    "window",
    "lines",
    "as_bytes",
    "missing",
    "as_text",
    "schema",
)
# Ways of opening that a model's file remembers.
REMEMBERED = ("sizes", "mode", "window", "lines", "as_bytes", *TEXT_TABLES, "columns", "labels")
IF_THERE = ("columns", "labels")  # those that other data may do without


def flags_of_opening() -> list[Flag]:
    """Return the flags of every verb that opens data: the parameters of ``isthmus.data.open``."""
    from isthmus import data

    flags = flags_of_function(data.open, leave_out=OWN_FLAGS)
    window = Flag("window", "Bytes in a record of a text or byte file.", int | None, metavar="N")
    by_lines = Flag("lines", "Each line of a text file is a record.", bool | None)
    as_bytes = Flag("as_bytes", "Read a file as bytes, whatever it is.", bool | None)
    labels = Flag("labels", LABELS, str | None, metavar="FILE|COLUMN")
    lists = [
        Flag(name, text, str | None, metavar="A,B,...")
        for name, text in (("columns", COLUMNS), ("missing", MISSING), ("as_text", AS_TEXT))
    ]
    return [labels, lists[0], *flags, *lists[1:], window, by_lines, as_bytes]


def as_source(terminal: Terminal, source: str | Stream) -> str | Stream:
    """Return the stream that a source names, which tells a person how far it is; else the source."""
    from isthmus.data import streams

    if not isinstance(source, str):
        return source
    return streams.stream_of(source, terminal.reading) or source


def open_data(
    terminal: Terminal,
    source: str | Stream,
    opening: Mapping[str, Any],
    remembered: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
) -> Data:
    """Open a source as the flags say, and tell what was converted.

    Parameters
    ----------
    terminal : Terminal
        Where notes go.
    source : str or Stream
        File, folder, pattern, pipe or name of a set.
    opening : mapping
        Values of :func:`flags_of_opening`.
    remembered : mapping, optional
        What takes the place of flags that were not given.
    schema : Schema, optional
        Of the fitted model that the data are for.
    """
    from isthmus import data
    from isthmus.checks.data import unreadable_labels
    from isthmus.data import reading

    source = as_source(terminal, source)
    # A model's file would be read as bytes, and learned from.
    if isinstance(source, str) and source.lower().endswith(".safetensors"):
        raise DataError(f"data: {source!r} is a model's file and holds no records; name a model with --model.")
    options = {name: value for name, value in opening.items() if value is not None}
    options = dict(remembered or {}) | options
    for name in ("columns", "as_text"):
        if name in options:
            options[name] = [_number(column) for column in str(options[name]).split(",") if column]
    if "missing" in options:
        options["missing"] = [sign.strip() for sign in options["missing"].split(",")]
    labels = options.pop("labels", None)
    if labels is not None and reading.status(Path(labels), unreadable_labels) is not None:
        options["labels"] = read_labels(labels)
    elif labels is not None:
        options["label_column"] = _number(labels)
    opened = data.open(source, schema=schema, **options)
    terminal.say(*(f"note: {note}" for note in opened.notes))
    return opened


def to_remember(opening: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ways of opening that a model's file remembers; of labels the name of their column."""
    found = {name: opening[name] for name in REMEMBERED if opening.get(name) is not None}
    if os.path.isfile(str(found.get("labels", ""))):
        del found["labels"]
    return found


def open_for(terminal: Terminal, model: Model | None, source: str, opening: Mapping[str, Any]) -> Data:
    """Open a source for a fitted model: the columns of a table are found by name, others are left out and named.

    Without a model, which is then to be trained on it, the source is opened as the flags say.
    """
    if model is None:
        return open_data(terminal, source, opening)
    schema = model.schema_
    remembered = dict(model.provenance_.get("opening", {}))
    if schema.kind == "image" and None in schema.shape:
        remembered.setdefault("sizes", "group")
    opened = _open_as_remembered(terminal, source, opening, remembered, schema)
    if schema.kind == "table" and opened.schema.kind == "table":
        wanted = [column.name for column in schema.columns]
        found = [column.name for column in opened.schema.columns]
        if found != wanted:
            left_out = [name for name in found if name not in set(wanted)]
            refuse_lost(opened.source, [name for name in wanted if name not in set(found)], left_out)
            opened = opened.select(wanted)
            what = (
                f"left out {', '.join(map(repr, left_out))}" if left_out else "put the columns in the order of the fit"
            )
            terminal.say(f"note: {what}")
    return opened


def open_beside(terminal: Terminal, source: str, opening: Mapping[str, Any], schema: Schema) -> Data:
    """Open further records of a source that the flags are for; without the columns and labels named if it has none."""
    remembered = to_remember(opening)
    rest = {name: value for name, value in opening.items() if name not in REMEMBERED}
    return _open_as_remembered(terminal, source, rest, remembered, schema)


def refuse_lost(source: str, lost: Sequence[str], left_out: Sequence[str]) -> None:
    """Refuse a table without columns of the fit; only columns that the fit did not have may be them, misspelt."""
    from isthmus.checks.parameters import nearest

    if lost:
        meant = nearest(lost[0], left_out) or "; add it, or fit a model without it (--columns)."
        raise DataError(f"{source}: there is no column {lost[0]!r}, which the model was fitted on{meant}")


def _open_as_remembered(
    terminal: Terminal, source: str | Stream, opening: Mapping[str, Any], remembered: dict[str, Any], schema: Schema
) -> Data:
    """Open a source as the data of the fit were; without what is named there of columns or text if it has none."""
    source = as_source(terminal, source)  # which may be opened more than once, and a pipe be read once
    while True:
        try:
            return open_data(terminal, source, opening, remembered, schema)
        except IsthmusError as error:
            is_unused = isinstance(error, ParameterError)
            needed = {name: value for name, value in remembered.items() if name not in IF_THERE}
            if needed == remembered and is_unused:
                needed = {name: value for name, value in remembered.items() if name not in TEXT_TABLES}
            if needed == remembered:
                raise
            remembered = needed


def load_model(path: str, device: str | None, *, or_a: type | tuple[type, ...] = ()) -> Any:
    """Return the model of a file, on a device; or the task object, where it is of the class that a verb knows."""
    import isthmus
    from isthmus.checks.coding import codec_elsewhere
    from isthmus.checks.tasks import a_model
    from isthmus.coding.kinds import Fitted

    found = isthmus.load(path, device=device)
    if isinstance(found, Fitted):
        raise codec_elsewhere(path, type(found).__name__)
    if not isinstance(found, or_a):
        a_model(path, found)
    return found


def load_classifier(path: str, device: str | None) -> Classifier:
    """Return the classifier of a file."""
    import isthmus
    from isthmus.checks.classify import a_classifier
    from isthmus.tasks import Classifier

    found = isthmus.load(path, device=device)
    a_classifier(path, found, is_one=isinstance(found, Classifier))
    return found


def class_of(fitted: Model, label: str | None) -> Any:
    """Return a label as its model knows it: typed words are texts, classes may be numbers."""
    if label is None or not hasattr(fitted, "classes_"):
        return label
    return next((known for known in fitted.classes_.tolist() if str(known) == label), label)


def blocks(data: Data) -> Iterator[Data]:
    """Yield neighbouring records, as many at a time as take about 16 MiB."""
    rows = block_rows(data)
    for start in range(0, len(data), rows):
        yield data.subset(np.arange(start, min(start + rows, len(data))))


def each(fitted: Model, function: Callable[[Data], Any]) -> Callable[[Data], Iterable[Any]]:
    """Return what applies a function to records block by block."""
    from isthmus.data import to_block

    return lambda records: (to_block(function(block), fitted.schema_) for block in blocks(records))


def block_rows(data: Data) -> int:
    """Return how many records take about 16 MiB."""
    return max(1, BLOCK_BYTES * len(data) // max(data.nbytes, 1))


def open_codes(path: str, *, varying: bool) -> tuple[int, Iterator[Any], Sequence[str] | None]:
    """Open what ``isthmus encode`` wrote.

    Parameters
    ----------
    path : str
        The file.
    varying : bool
        Whether the model's codes differ in shape.

    Returns
    -------
    n : int
        How many codes there are.
    parts : iterator of ndarray (b, d), or of list of ndarray
        The codes, in order.
    names : sequence of str or None
        Of the records that they are codes of.
    """
    from isthmus import data
    from isthmus.data import streams

    if varying:
        stream = streams.stream_of(path)
        return _open_archive(path if stream is None else stream.path())
    opened = data.open(path)
    names = None
    if opened.schema.kind == "table":
        columns = [column.name for column in opened.schema.columns]
        if columns[0] == "name":
            names = opened.select(["name"]).chunk(0, len(opened)).column(0).to_pylist()
            opened = opened.select(columns[1:])
    elif opened.schema.kind != "array":
        raise DataError(f"{path} holds no codes: they are rows of numbers, and its kind is {opened.schema.kind!r}.")
    return len(opened), (_matrix(part.chunk(0, len(part))) for part in blocks(opened)), names


def _matrix(block: Any) -> np.ndarray:
    """Return a block of rows of numbers as a matrix."""
    if isinstance(block, np.ndarray):
        return block
    return np.stack([column.to_numpy() for column in block.columns], axis=1)


def _open_archive(path: str | Path) -> tuple[int, Iterator[Any], Sequence[str] | None]:
    """Open an archive of codes of several shapes."""
    from isthmus.data.arrays import read_npz

    arrays = read_npz(Path(path))
    names = arrays.pop("names").tolist() if "names" in arrays else None
    codes = [arrays[key] for key in sorted(arrays)]
    return len(codes), ([code] for code in codes), names


# ------------------------------------------------------------------ records that training never saw


def split(data: Data, share: float, seed: int) -> tuple[Data, Data | None]:
    """Return the records to fit on, and those to test on; none of few."""
    from isthmus import data as isthmus_data
    from isthmus.checks.parameters import integer, number

    integer("isthmus", "--seed", seed, low=0, optional=True)
    number("isthmus", "--test", share, low=0, high=1, below=True)
    if share == 0 or len(data) < MIN_RECORDS_TO_SPLIT:
        return data, None
    return isthmus_data.divide(data, share, seed)


def split_record(model: Model, data: Data, test: Data | None, share: float, seed: int) -> dict[str, Any]:
    """Return what a model's file remembers of a division, so that the same records can be found again."""
    from isthmus.tasks.held_out import division

    return {} if test is None else division(model, data, test, share, seed)


def rows_to_judge(terminal: Terminal, model: Model, data: Data, rows: str) -> tuple[Data, Data | None]:
    """Return the records to judge a model by, and those it was fitted on where the data hold them.

    Parameters
    ----------
    terminal : Terminal
        Where it is said which rows they are.
    model : Model
        Fitted, by ``isthmus fit`` or otherwise.
    data : Data
        All records of the source.
    rows : {"auto", "held-out", "all"}
        "auto" takes the held-out records where these are the data of the fit, otherwise all.

    Raises
    ------
    DataError
        Held-out records are asked for, and these are not the data of the fit.
    """
    from isthmus.checks.parameters import choice
    from isthmus.tasks.held_out import divided_again, is_divided

    choice("isthmus", "--rows", rows, ("auto", "held-out", "all"))
    if rows != "all" and is_divided(model, data):
        parts = divided_again(model, data)
        if parts is not None:
            train, test = parts
            terminal.say(f"note: these are the data of the fit; judged are the {len(test):,} records it never saw")
            return test, train
        terminal.say(
            "note: these are the data of the fit, divided by other labels: all of them are judged, also those trained "
            "on; give the --labels of the fit to judge the others only"
        )
    if rows == "held-out":
        raise DataError(
            f"{data.source} are not the data that the model was fitted on, so it has no held-out records; "
            f"judge it on all of them with --rows all."
        )
    return data, None


def _number(text: str) -> str | int:
    """Return a column's number where it is one, else its name."""
    text = text.strip()
    return int(text) if text.lstrip("-").isdigit() else text


def read_labels(path: str) -> Any:
    """Return labels from a file: an array, IDX, or a table or text with one a row.

    Raises
    ------
    DataError
        It is no file, damaged, or holds something else than one label a row.
    """
    from isthmus import data
    from isthmus.checks.data import unreadable_labels
    from isthmus.data import arrays, idx, reading

    suffix = Path(path).suffix.lower()
    reading.require_file(Path(path), unreadable_labels)
    if suffix == ".npy":
        labels = arrays.read_npy(Path(path))
    elif idx.is_idx_file(Path(path)):
        labels = idx.read(Path(path))
    elif suffix in (".txt", ""):
        labels = np.asarray(reading.read_text(Path(path), LABEL_BYTES, unreadable_labels).split("\n"))
        labels = labels[:-1] if len(labels) and labels[-1] == "" else labels
    else:
        opened = data.open(path)
        if opened.schema.kind == "text":
            raise unreadable_labels(path, "it is no array, table or text of a known suffix (.npy, .csv, .txt)")
        block = opened.take(np.arange(len(opened)))
        if opened.schema.kind == "table":
            if block.num_columns > 1:
                raise unreadable_labels(
                    path, f"it is a table of {block.num_columns} columns, and labels are one column"
                )
            labels = np.asarray(block.column(0).to_pylist())
        else:
            labels = np.asarray(block)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise unreadable_labels(path, f"it holds an array of shape {labels.shape}")
    if labels.dtype.kind in "cV":
        raise unreadable_labels(path, f"it holds values of the type {labels.dtype}")
    return labels

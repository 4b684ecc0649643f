""":func:`open`: recognises a source and opens it."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import (
    arrays,
    arrow_files,
    frames,
    idx,
    images,
    json_lines,
    parquet,
    public,
    reading,
    recognition,
    streams,
    text,
    text_tables,
)
from isthmus.data.labelling import note_on_minus_one
from isthmus.data.records import Data
from isthmus.data.schema import Schema
from isthmus.data.streams import Stream
from isthmus.data.texts import Paths, Texts
from isthmus.errors import DataError, IsthmusError
from isthmus.plain import sentence

__all__ = ["files_below", "open"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of :func:`open`, as they were given."""

    columns: Sequence[str | int] | None
    label_column: str | int | None
    sizes: str | None
    mode: str | None
    skip_bad: bool
    window: int | None
    lines: bool | None
    as_bytes: bool
    form: text_tables.Format
    schema: Schema | None
    download: bool
    finite: bool = True  # whether image files with NaN or infinities are refused


def open(
    source: Any,
    *,
    labels: Any = None,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
    sizes: str | None = None,
    mode: str | None = None,
    skip_bad: bool = False,
    window: int | None = None,
    lines: bool | None = None,
    as_bytes: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    day_first: bool | None = None,
    missing: Sequence[str] | None = None,
    as_text: Sequence[str | int] | None = None,
    schema: Schema | None = None,
    download: bool = False,
) -> Data:
    """Open anything that holds records.

    Parameters
    ----------
    source : object
        In memory: a NumPy array or memory map, a torch tensor, a list of rows, of images, of texts or of byte strings,
        a data frame of any library. By name: the path of an array (``.npy``, ``.npz`` or ``archive.npz:name``), an IDX
        file, a text table (CSV, TSV), JSON lines, a Parquet or Arrow file, an image, or a text, which is then read as
        bytes; a folder or a pattern (``photos/*.png``) of images or Parquet files; a list of Path objects; a built-in
        set (``digits``, ``mnist``, ``mnist/test``, ``fashion-mnist``, ``kmnist``, ``cifar10``); a named pipe, or ``-``
        for the standard input, which are read to their end first. Text tables, JSON lines, IDX and byte files may be
        packed (``.gz``). A file's first bytes decide what it is, before its suffix. To open a folder that has the name
        of a built-in set, write ``./mnist``. Data that are open already pass through.
    labels : array-like of shape (n,) or None, default=None
        One label a record; they replace labels found in the source.
    columns : sequence of str or int, or None, default=None
        Of a table or a matrix: the columns to use, in this order.
    label_column : str, int or None, default=None
        Of a table or a matrix: the column that holds the labels; it is set aside.
    sizes : {None, "group", "crop", "pad"}, default=None
        What becomes of images of several sizes, which are refused by default: "group" keeps every size, "crop" cuts
        out the middle at the least height and width, "pad" repeats the border up to the greatest.
    mode : {None, "grey", "rgb", "rgba"}, default=None
        Convert image files to 8 bits and these channels; by default they keep what they hold.
    skip_bad : bool, default=False
        Leave unreadable image files out and count them, and folder entries that are not files, instead of stopping.
    window : int or None, default=None
        Bytes in a record of a text or byte file that is not read by lines; by default 64.
    lines : bool or None, default=None
        Of a text file: whether each line is a record; by default so if it is UTF-8 without ``window``, and no line is
        longer than 1,024 bytes. Otherwise every ``window`` bytes are one.
    as_bytes : bool, default=False
        Read a file as bytes, whatever it is.
    header : bool or None, default=None
        Whether the first row of a text table holds names; by default the first rows decide.
    delimiter : str or None, default=None
        Of a text table: what stands between cells, one of ",", ";", "|" and "tab"; by default the first rows decide.
    encoding : str or None, default=None
        Of a text table: its encoding, as Python names it ("shift-jis"); by default UTF-8 or, where that is not valid,
        Windows-1252.
    decimal : str or None, default=None
        Of a text table: the decimal mark, "." or ",", where cells such as 1,234 can be read in two ways.
    day_first : bool or None, default=None
        Of a text table: whether the day is before the month, where dates such as 1/2/2020 can be read in two ways.
    missing : sequence of str or None, default=None
        Of a text table: the cells that mean "missing", beside empty ones, and no others; by default "?", "NA" and the
        like, beside numbers and dates also "-", "None" and the like.
    as_text : sequence of str or int, or None, default=None
        Of a text table: columns to keep as they are written, without a look for numbers, dates and missing cells. By
        default columns of numbers with zeros in front, or in quotation marks that other columns do not have, are text.
    schema : Schema or None, default=None
        Of a text table: the ``schema_`` of a fitted model. Columns that were text there stay text, and those that were
        numbers or dates are read as such, or refused with the cell that is none. Other data have types of their own.
    download : bool, default=False
        Fetch a built-in set that is not on this machine.

    Returns
    -------
    Data
        What was converted or decided is said in its ``notes``.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        The data cannot be used; the sentence says which row, column or file, and what to do.
    ParameterError
        An option has a value that is not allowed, or means nothing for this source.
    UnavailableError
        A built-in set is not on this machine.

    Examples
    --------
    >>> import isthmus.data
    >>> data = isthmus.data.open([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> data
    Data(X: 3 records of kind array, 2, float64)
    """
    checks.one_of("sizes", sizes, images.SIZES)
    checks.one_of("mode", mode, images.MODES)
    checks.one_of("delimiter", delimiter, (None, *text_tables.DELIMITERS))
    checks.one_of("decimal", decimal, (None, ".", ","))
    checks.known_encoding(encoding)
    form = text_tables.Format(header, delimiter, encoding, decimal, day_first, missing, as_text)
    options = Options(columns, label_column, sizes, mode, skip_bad, window, lines, as_bytes, form, schema, download)
    if isinstance(source, Data):
        _refuse_again(source, options)
        data = source
    elif isinstance(source, Stream):
        data = _open_stream(source, options)
    elif isinstance(source, (str, os.PathLike)):
        data = _open_name(os.fspath(source), options)
    else:
        data = _open_object(source, options)
    _refuse_unused(data, options)
    data = data if labels is None else data.labelled(labels)
    if data is not source and data.labels is not None:
        data.notes += [note for note in (note_on_minus_one(data.labels),) if note]
    data.notes[:] = map(sentence, data.notes)  # they may be printed on a terminal
    return data


def open_with_missing(source: Any) -> Data:
    """Open pictures of any sizes, or what turns out to be none, for who fills missing numbers.

    NaN and infinities of image files are left where they are, and those of arrays refused, as by :func:`open`.

    Parameters
    ----------
    source : path, list or array
    """
    options = Options(
        None, None, "group", None, False, None, None, False, text_tables.Format(), None, False, finite=False
    )
    is_path = isinstance(source, (str, os.PathLike))
    data = _open_name(os.fspath(source), options) if is_path else _open_object(source, options)
    data.notes[:] = map(sentence, data.notes)
    return data


def _refuse_unused(data: Data, options: Options) -> None:
    """Check that no option was given that these data have no use for."""
    kind = data.schema.kind
    for name in ("columns", "label_column"):
        if getattr(options, name) is not None and kind not in ("table", "array"):
            raise checks.option_not_used(name, kind, "tables and matrices")
    if options.sizes is not None and kind != "image":
        raise checks.option_not_used("sizes", kind, "images")
    if options.as_bytes and kind != "text":
        raise checks.option_not_used("as_bytes", kind, "single files")
    if options.lines is not None and kind != "text":
        raise checks.option_not_used("lines", kind, "text files")
    if options.lines and (options.window is not None or options.as_bytes):
        raise checks.lines_or_window("window" if options.window is not None else "as_bytes")
    if options.mode is not None and kind != "image":
        raise checks.option_not_used("mode", kind, "images")
    if options.mode is not None and data.names is None:
        data.notes.append("mode is for image files, and these images were left as they are.")


def _refuse_again(data: Data, options: Options) -> None:
    """Check that nothing was asked for that would have to be done when the data were opened."""
    for name in ("columns", "label_column", "sizes", "mode"):
        if getattr(options, name) is not None:
            raise checks.open_already(name, data.source)
    _refuse_form(options, data.source, checks.open_already)


def _refuse_form(
    options: Options, source: str, refuse: Callable[[str, str], IsthmusError] = checks.not_a_text_table
) -> None:
    """Check that nothing was said of how a text table is written: this source is none."""
    for given in fields(options.form):
        if getattr(options.form, given.name) is not None:
            raise refuse(given.name, source)


# --- objects ---------------------------------------------------------------------------------------------------------


FRAMES = {"pandas": ("DataFrame",), "polars": ("DataFrame", "LazyFrame"), "pyarrow": ("Table", "RecordBatch")}


def _open_object(source: Any, options: Options) -> Data:
    """Open something that lies in memory."""
    if not _are_paths(source):
        _refuse_form(options, "X")
    library = _library(source)
    if isinstance(source, np.ndarray):
        return _open_array(source, options)
    if hasattr(source, "getbands"):
        return images.from_list([source], sizes=options.sizes)
    if library == "torch" and hasattr(source, "detach"):
        matrix = options.columns if options.label_column is None else None
        return _with_label_column(arrays.from_tensor(source, columns=matrix), options)
    checks.dense_type(source, "X")
    if library in FRAMES and not any(base.__name__ in FRAMES[library] for base in type(source).__mro__):
        raise checks.one_dimension(source, "X")
    if library not in FRAMES and all(hasattr(source, name) for name in ("__array__", "dtype", "ndim")):
        # Before tables: an array of xarray (2026.9) is also a table, of one column with all its values.
        return _open_array(source, options)
    if hasattr(source, "__arrow_c_stream__") or library in FRAMES:
        return frames.from_frame(source, library, columns=options.columns, label_column=options.label_column)
    if isinstance(source, (list, tuple)):
        return _open_list(source, options)
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        return _open_array(source, options)
    raise checks.not_a_source(source)


def _library(source: Any) -> str:
    """Return the library of an object's class, or of the class it was derived from."""
    roots = [base.__module__.split(".")[0] for base in type(source).__mro__]
    return next((root for root in roots if root in FRAMES or root == "torch"), roots[0])


def _open_array(source: Any, options: Options) -> Data:
    """Open an array, or a nested list of numbers."""
    if options.label_column is not None:
        return _with_label_column(arrays.from_array(source), options)
    return arrays.from_array(source, columns=options.columns)


def _with_label_column(data: Data, options: Options) -> Data:
    """Set a column of a matrix aside as the labels, and keep the columns asked for."""
    if options.label_column is None:
        return data
    return arrays.take_column(data, options.label_column, options.columns)


def _are_paths(source: Any) -> bool:
    return isinstance(source, (list, tuple)) and bool(source) and isinstance(source[0], os.PathLike)


def _open_list(source: Sequence[Any], options: Options) -> Data:
    """Open a list: of paths, texts, byte strings, images or rows of numbers."""
    if not source:
        checks.not_empty((0, 0), "X")
    first = source[0]
    for item in filter(np.ma.isMaskedArray, source):
        checks.dense_type(item, "X")
    if _are_paths(source):
        return _open_paths([Path(item) for item in source], "files", options)
    if isinstance(first, (str, bytes, bytearray)):
        _refuse_names(source)
        return text.from_strings(source)
    if getattr(first, "ndim", None) in (2, 3) or hasattr(first, "getbands"):
        return images.from_list(source, sizes=options.sizes)
    return _open_array(source, options)


def _refuse_names(texts: Sequence[Any]) -> None:
    """Check that texts are not the names of files, which are given as Path objects; some of many are looked up."""
    some = texts[:: max(1, len(texts) // LOOKED_UP)]
    found = [name for name in some if isinstance(name, str) and 0 < len(name) < 4096 and _is_file(name)]
    if 2 * len(found) > len(some):
        raise checks.names_of_files("X", len(texts), found[0])


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


# --- names -----------------------------------------------------------------------------------------------------------

TABLES = (".csv", ".tsv", ".tab")
PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".arrows", ".feather", ".ipc")
JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = {
    "npy": (".npy",),
    "npz": (".npz",),
    "parquet": PARQUET,
    "arrow": ARROW,
    "image": images.SUFFIXES,
    "json": JSON,
}
WHOLE = tuple(suffix for kind, suffixes in SUFFIXES.items() for suffix in suffixes if kind != "json")
LOOKED_UP = 100  # texts of a list that are looked for as files
PATTERN = "*?["


def _open_name(name: str, options: Options) -> Data:
    """Open a built-in set, a file, a folder or a pattern."""
    if not name:  # which the system would take for the folder that we are in
        raise checks.no_name()
    named = public.split_name(name)
    if named is not None:
        _refuse_form(options, name)
        return public.load(*named, download=options.download)
    stream = streams.stream_of(name)
    if stream is not None:
        return _open_stream(stream, options)
    path = Path(os.path.expanduser(name))
    found = reading.status(path)
    if found is not None:
        return _open_folder(path, options) if stat.S_ISDIR(found.st_mode) else _open_file(path, options)
    archive, _, key = str(path).rpartition(".npz:")
    if archive and Path(archive + ".npz").is_file():
        return _open_file(Path(archive + ".npz"), options, key)
    if any(character in name for character in PATTERN):
        matches = [match for match in sorted(glob.glob(str(path), recursive=True)) if not os.path.isdir(match)]
        if matches:
            return _open_paths([Path(match) for match in matches], name, options)
    raise checks.no_such_file(name, public.NAMES)


def _open_stream(stream: Stream, options: Options) -> Data:
    """Open what comes through a pipe; sentences name the pipe, not the file that keeps it."""
    asked = (options.columns, options.label_column)
    table = options.form != text_tables.Format() or any(option is not None for option in asked)
    path = stream.path(table=table)
    try:
        data = _open_file(path, options)
    except IsthmusError as error:
        raise type(error)(str(error).replace(str(path), stream.name)) from error
    if data.resident:
        stream.close()
    else:
        stream.keep()
    return data


def _open_folder(folder: Path, options: Options) -> Data:
    """Open a folder of images, sub-folders being classes, or of Parquet files."""
    if (known := recognition.recognise_folder(folder)) is not None:
        raise checks.not_read(folder, known.name, known.advice)
    found: list[str] = []
    notes: list[str] = []
    for path in files_below(folder, notes):
        if isinstance(path, DataError):
            _leave_out(path, options, notes)
        else:
            found.append(path.relative_to(folder).as_posix())
    found.sort()
    paths = Paths(Texts.of(found), folder)
    del found
    return _open_paths(paths, folder.name or str(folder), options, root=folder, notes=notes)


def files_below(folder: Path, notes: list[str]) -> Iterator[Path | DataError]:
    """Yield all files below a folder, links followed, and the error of each folder that cannot be looked into."""
    refused: list[OSError] = []
    above = {str(folder): {_identity(str(folder))}}
    for parent, folders, files in os.walk(folder, onerror=refused.append, followlinks=True):
        # Hidden files and archive litter are not data.
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in list(folders):
            below = os.path.join(parent, name)
            identity = _identity(below)
            if identity in above[parent]:  # to follow it would never end
                folders.remove(name)
                yield checks.unreadable_file(below, "it is a link to a folder that it lies in")
                continue
            above[below] = above[parent] | {identity}
            if os.path.islink(below):
                notes.append(f"'{os.path.relpath(below, folder)}' is a link to a folder, which was followed.")
        yield from (Path(parent, name) for name in files if not name.startswith("."))
    for error in refused:
        yield checks.unreadable_file(error.filename, "looking into it is not permitted")


def _identity(folder: str) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _leave_out(error: DataError, options: Options, notes: list[str]) -> None:
    """Refuse what cannot be read in a folder, or leave it out where that was asked for, and say so."""
    if not options.skip_bad:
        raise checks.refused_in_folder(error) from error
    notes.append(f"left out: {str(error).removeprefix('data: ')}")


def _open_paths(
    paths: Sequence[Path], source: str, options: Options, root: Path | None = None, notes: Sequence[str] = ()
) -> Data:
    """Open several files as one set."""
    if len(paths) == 1 and root is None:
        return _open_file(paths[0], options)
    _refuse_form(options, source)
    notes = list(notes)

    def is_file(path: Path) -> bool:
        try:
            reading.require_file(path)
        except DataError as error:  # opening a pipe would wait for ever
            _leave_out(error, options, notes)
            return False
        return True

    paths = (paths if isinstance(paths, Paths) else Paths(Texts.of(map(str, paths)))).those(is_file)
    pictures = paths.those(images.is_image)
    stored = paths.those(lambda path: path.suffix.lower() in PARQUET)
    chosen, kind = (pictures, "images") if len(pictures) >= len(stored) else (stored, "Parquet files")
    if not chosen:
        # Files of a strange suffix, or of none that is known here.
        chosen, kind = paths.those(images.begins_as_image), "images"
    if not chosen:
        _refuse_known(paths)
        raise checks.nothing_in_folder(source, [path.name for path in paths])
    left_out = set(paths).difference(chosen) if len(chosen) < len(paths) else set()
    rest = Counter(path.suffix.lower() or "no suffix" for path in left_out)
    if rest:
        suffixes = ", ".join(f"{count} {suffix}" for suffix, count in rest.most_common(5))
        why = f"left out since not read as {kind}: {rest.total()} ({suffixes})"
        notes.append(f"of the {len(paths)} files in {source}, {why}.")
    if kind == "images":
        if root is None and len({path.parent for path in chosen}) > 1:
            root = Path(os.path.commonpath(chosen))
        return images.from_files(
            chosen,
            source=source,
            root=root,
            sizes=options.sizes,
            mode=options.mode,
            skip_bad=options.skip_bad,
            notes=notes,
            finite=options.finite,
        )
    data = parquet.from_parquet(list(chosen), source=source, columns=options.columns, label_column=options.label_column)
    data.notes[:0] = notes
    return data


def _refuse_known(paths: Sequence[Path]) -> None:
    """Refuse files of which one of the first is of a format that is known and not read."""
    for path in paths[:20]:
        found = recognition.recognise(recognition.first_bytes(path), path, path) if path.is_file() else None
        if found is not None and found.reader is None:
            raise checks.not_read(path, found.name, found.advice)


def _open_file(path: Path, options: Options, key: str | None = None) -> Data:
    """Open one file, by its first bytes or, where they say nothing, by its suffix."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[-2] if len(suffixes) > 1 else "") if packed else (suffixes[-1] if suffixes else "")
    size = reading.require_file(path).st_size
    if not os.access(path, os.R_OK):
        raise checks.unreadable_file(path, "reading it is not permitted")
    if size == 0:
        raise checks.unreadable_file(path, "it is empty")
    if options.as_bytes:
        _refuse_form(options, path.name)
        return text.from_bytes_file(path, window=_window(options), asked=True)
    if packed and suffix in WHOLE:
        raise checks.unreadable_file(path, f"{suffix} files are not read packed; unpack it with gunzip")
    found = recognition.recognise(recognition.first_bytes(path), path, path)
    if found is not None and found.reader is None:
        raise checks.not_read(path, found.name, found.advice)
    kind = next((kind for kind, known in SUFFIXES.items() if suffix in known), "")
    if found is None or found.reader == kind:
        return _read(kind, path, options, key, suffix, packed)
    data = _read(str(found.reader), path, options, key, suffix, packed)
    data.notes.insert(0, f"{path.name} is {found.name} by its first bytes and was read as that.")
    return data


def _read(kind: str, path: Path, options: Options, key: str | None, suffix: str, packed: bool) -> Data:
    """Read a file of a kind of :data:`SUFFIXES`, or a text table, an IDX file or a text."""
    choice: dict[str, Any] = {"columns": options.columns, "label_column": options.label_column}
    if not kind and suffix in TABLES:
        return text_tables.from_csv(path, options.form, schema=options.schema, **choice)
    _refuse_form(options, path.name)
    matrix = options.columns if options.label_column is None else None
    if kind == "npy":
        return _with_label_column(arrays.from_npy(path, columns=matrix), options)
    if kind == "npz":
        return _with_label_column(arrays.from_npz(path, key=key, columns=matrix), options)
    if kind == "parquet":
        return parquet.from_parquet([path], source=path.name, **choice)
    if kind == "arrow":
        return arrow_files.from_arrow(path, **choice)
    if kind == "json":
        return json_lines.from_json_lines(path, **choice)
    if kind == "image":
        sizes, mode, finite = options.sizes, options.mode, options.finite
        return images.from_files([path], source=path.name, sizes=sizes, mode=mode, finite=finite)
    if idx.is_idx_file(path):
        return idx.from_idx(path)
    return (
        text.from_lines_file(path) if _by_lines(path, options) else text.from_bytes_file(path, window=_window(options))
    )


def _by_lines(path: Path, options: Options) -> bool:
    """Tell whether each line of a text file is a record: as asked, as in the data of a fit, or if all are short."""
    if options.lines is not None or options.window is not None:
        return bool(options.lines)
    if options.schema is not None and options.schema.kind == "text":
        return options.schema.container != "files"
    return text.has_short_lines(path)


def _window(options: Options) -> int:
    return text.WINDOW if options.window is None else options.window

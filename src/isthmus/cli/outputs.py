"""Output files of verbs, written block by block: whole or not at all, in constant memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from isthmus import files
from isthmus.artifact import replacing
from isthmus.errors import ParameterError

if TYPE_CHECKING:
    from isthmus.data import Data, Schema
    from isthmus.data.side_columns import SideColumns

__all__ = [
    "DRAWINGS",
    "GUARD_FORMULAS",
    "MATRICES",
    "TABLES",
    "as_utf8",
    "check_file_output",
    "check_output",
    "check_page_output",
    "check_records_output",
    "columns_of_chances",
    "named_columns",
    "text_as_utf8",
    "write_codes",
    "write_columns",
    "write_labels",
    "write_pictures",
    "write_records",
    "write_table",
]

MATRICES = (".npy", ".csv", ".tsv", ".parquet")
TABLES = MATRICES[1:]
PAGES = (".html", ".htm")
DRAWINGS = (".png", ".svg", ".pdf")
GUARD_FORMULAS: ContextVar[bool] = ContextVar("GUARD_FORMULAS", default=False)  # of text tables, as a flag says


def check_output(
    path: str, force: bool, suffixes: Sequence[str] = (), flag: str = "--output", *, hold: bool = True
) -> Path:
    """Refuse an output before any work: one that exists, is being written, or cannot be; hold it, and make its folder.

    Parameters
    ----------
    path : str
        The output.
    force : bool
        Whether what is there may be replaced.
    suffixes : sequence of str, default=()
        That it may have; all where there are none.
    flag : str, default="--output"
        Which names it.
    hold : bool, default=True
        Whether other processes are refused this output until the command ends; see :func:`isthmus.files.claim`.
    """
    from isthmus.checks.data import output_absent

    target = Path(path)
    if suffixes and target.suffix.lower() not in suffixes:
        raise ParameterError(f"{flag} must end in {', '.join(suffixes)}; it is {path!r}.")
    if target.is_dir() and target.suffix:
        raise ParameterError(f"{flag} must name a file; {path!r} is a folder.")
    files.check_replaceable(target)
    output_absent(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise ParameterError(
            f"{flag} must be in a folder that can be written to; in {str(target.parent)!r} nothing can: "
            f"{error.strerror}."
        ) from error
    if hold:
        files.hold(target)
    return target


def check_file_output(path: str, force: bool, *, hold: bool = True) -> Path:
    """Refuse an output that is to be one file, before any work; see :func:`check_output`."""
    if Path(path).is_dir():
        raise ParameterError(f"--output must name a file; {path!r} is a folder.")
    return check_output(path, force, hold=hold)


def check_page_output(path: str, force: bool, flag: str = "--output") -> Path:
    """Refuse an output of a page and its figures, before any work, and return the page: in a folder, report.html.

    Parameters
    ----------
    path : str
        A name that ends in ``.html``, or a folder.
    force : bool
        Whether what is there may be replaced.
    flag : str, default="--output"
        Which names it.
    """
    page = Path(path)
    is_page = page.suffix.lower() in PAGES
    if page.is_file() and not is_page:
        raise ParameterError(f"{flag} must be a name that ends in .html, or a folder; {path!r} is another file.")
    page = page if is_page else page / "report.html"
    for target in (page, page.with_suffix(".json")):
        check_output(str(target), force, flag=flag)
    return page


def check_records_output(path: str, force: bool, schema: Schema) -> Path:
    """Refuse an output of records before any work, also in a format that does not hold their kind."""
    from isthmus.data.writing import check_format

    check_format(Path(path), schema)
    return check_output(path, force)


# ------------------------------------------------------------------ codes and scores


def write_codes(
    path: Path, n: int, blocks: Iterable[Any], names: Sequence[str] | None, *, force: bool, varying: bool = False
) -> None:
    """Write codes, one row a record: ``.npy``, or a table with the records' names beside them where they have any.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    n : int
        Number of records.
    blocks : iterable of ndarray (b, d), or of list of ndarray
        The codes, in order.
    names : sequence of str or None
        Of the records.
    force : bool
        Whether a file of that name may be replaced.
    varying : bool
        Whether the codes' shapes differ; they are written to ``.npz``, one array each.
    """
    if varying:
        _write_archive(path, blocks, names, force=force)
    elif path.suffix.lower() == ".npy":
        from isthmus.data.writing import write_rows

        with replacing(path, force=force) as file:
            write_rows(file, n, blocks)
    else:
        write_columns(path, (named_columns(block) for block in blocks), names, force=force)


def named_columns(block: np.ndarray) -> dict[str, np.ndarray]:
    """Return codes as the columns of a table: z0, z1, ..."""
    return {f"z{index}": np.ascontiguousarray(column) for index, column in enumerate(block.T)}


def write_columns(
    path: Path,
    blocks: Iterable[dict[str, np.ndarray]],
    names: Sequence[str] | None,
    *,
    force: bool,
    n: int | None = None,
) -> None:
    """Write columns as a table, ``.csv``, ``.tsv`` or ``.parquet``, or as the rows of an ``.npy``.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    blocks : iterable of dict of str to ndarray (b,)
        Neighbouring rows, in order.
    names : sequence of str or None
        Of the rows; they become the first column of a table.
    force : bool
        Whether a file of that name may be replaced.
    n : int, optional
        How many rows there are: then those of an ``.npy`` are written as they come.
    """
    import pyarrow as pa

    from isthmus.data.writing import guarded, write_rows

    if path.suffix.lower() == ".npy":
        matrices = (np.stack(list(block.values()), axis=1) for block in blocks)
        if n is not None:
            with replacing(path, force=force) as file:
                write_rows(file, n, matrices)
            return
        whole = np.concatenate(list(matrices))
        with replacing(path, force=force) as file:
            write_rows(file, len(whole), [whole])
        return
    start = 0
    with replacing(path, force=force) as file, contextlib.ExitStack() as stack:
        writer: Any = None
        for block in blocks:
            rows = len(next(iter(block.values())))
            its_names = {} if names is None else {"name": [as_utf8(name) for name in names[start : start + rows]]}
            table = pa.table({**its_names, **{name: text_as_utf8(values) for name, values in block.items()}})
            table = guarded(table) if path.suffix.lower() != ".parquet" and GUARD_FORMULAS.get() else table
            writer = writer or stack.enter_context(_table_writer(path, file, table.schema))
            writer.write_table(table)
            start += rows


def as_utf8(name: object) -> str:
    r"""Return a text as UTF-8 can hold it: a byte of a file's name that is none is written as ``\udcff``."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def text_as_utf8(values: np.ndarray) -> Any:
    """Return a column whose texts UTF-8 can hold."""
    if np.asarray(values).dtype.kind not in "OU":
        return values
    return [as_utf8(value) if isinstance(value, str) else value for value in np.asarray(values).tolist()]


def _table_writer(path: Path, file: BinaryIO, schema: Any) -> Any:
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet

        return parquet.ParquetWriter(file, schema)
    from pyarrow import csv

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    return csv.CSVWriter(file, schema, write_options=csv.WriteOptions(delimiter=delimiter, quoting_style="needed"))


def _write_archive(path: Path, blocks: Iterable[Sequence[Any]], names: Sequence[str] | None, *, force: bool) -> None:
    """Write codes of different shapes into an ``.npz``, in order; their names are numbers."""
    from isthmus.data.writing import write_archive

    codes = [np.asarray(code) for block in blocks for code in block]
    digits = len(str(len(codes)))
    arrays: dict[str, Any] = {f"{index:0{digits}d}": code for index, code in enumerate(codes)}
    if names is not None:
        arrays["names"] = np.asarray([str(name) for name in names])
    with replacing(path, force=force) as file:
        write_archive(file, arrays)


# ------------------------------------------------------------------ records


def write_table(
    path: Path, records: Data, new: Any, labels: np.ndarray | None, provenance: str | None, *, force: bool
) -> None:
    """Write the rows of a table and new ones, with their labels in the column that these have, or a new one.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    records : Data
        The rows that there are.
    new : pyarrow.Table
        New rows.
    labels : ndarray, optional
        Of the new rows, where the others have labels.
    provenance : str, optional
        Name of a further column: 0 in the rows that there were, 1 in new ones.
    force : bool
        Whether a file of that name may be replaced.
    """
    import pyarrow as pa

    from isthmus import data
    from isthmus.data.side_columns import SideColumn, SideColumns

    n, width = len(records), len(records.schema.columns)
    its = records.side_columns.labels
    columns: list[SideColumn] = []
    if labels is not None and its is not None:
        columns.append(replace(its, stored=_longer(its.cells, labels)))
    elif labels is not None and records.labels is not None:
        both = [*records.labels.tolist(), *labels.tolist()]
        columns.append(SideColumn("label", width, pa.chunked_array([pa.array(both, from_pandas=True)])))
    if provenance is not None:
        is_new = np.repeat(np.array([0, 1], np.int8), [n, len(new)])
        columns.append(SideColumn(provenance, width + 1, pa.chunked_array([pa.array(is_new)])))
    table = _joined([records.take(np.arange(n)), new], records.schema)
    data.write(
        path,
        table,
        records.schema,
        side_columns=SideColumns(columns=tuple(columns)),
        force=force,
        guard_formulas=GUARD_FORMULAS.get(),
    )


def _longer(cells: Any, more: np.ndarray) -> Any:
    """Return a column with more cells at its end, in its own type."""
    import pyarrow as pa

    from isthmus.data.column_types import plain
    from isthmus.data.restoring import restore_column

    cells = plain(cells)
    values = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
    further = pa.array(more, from_pandas=True).cast(values.type)
    return restore_column(pa.chunked_array([*values.chunks, further], values.type), cells)


def write_labels(path: Path, labels: np.ndarray, *, force: bool) -> None:
    """Write one label a record as ``.npy``; texts too, which need no pickle there."""
    from isthmus.data.writing import write_rows

    labels = labels.astype(str) if labels.dtype == object else labels
    with replacing(path, force=force) as file:
        write_rows(file, len(labels), [labels])


def write_chances(
    path: Path, title: str, classes: np.ndarray, chances: np.ndarray, names: Sequence[str] | None, *, force: bool
) -> None:
    """Write the likeliest class of each record, its probability, and those of all classes; ``.npy`` has the first only.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    title : str
        Of the column of classes.
    classes : ndarray, shape (k,)
        Their names or numbers.
    chances : ndarray, shape (n, k)
        Probabilities.
    names : sequence of str or None
        Of the records.
    force : bool
        Whether a file of that name may be replaced.
    """
    values = columns_of_chances(title, classes, chances)
    if path.suffix.lower() == ".npy":
        write_labels(path, values[title], force=force)
        return
    write_columns(path, iter([values]), names, force=force)


def columns_of_chances(title: str, classes: np.ndarray, chances: np.ndarray) -> dict[str, np.ndarray]:
    """Return the likeliest class of each record, its probability, and those of all classes, as columns."""
    values = {title: classes[chances.argmax(axis=1)], "probability": chances.max(axis=1)}
    return values | {f"p({name})": chances[:, k] for k, name in enumerate(classes.tolist())}


def write_pictures(path: Path, pictures: Sequence[Any], columns: int | None, *, force: bool) -> None:
    """Write pictures as one, side by side, or as an animation where the suffix is ``.gif``.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    pictures : sequence of arrays (height, width) or (height, width, channels)
        Of one size.
    columns : int, optional
        Pictures in a row; by default about as many as rows.
    force : bool
        Whether a file of that name may be replaced.
    """
    from PIL import Image

    from isthmus.data.writing import picture_file
    from isthmus.report.contact_sheet import shown_as_bytes, side_by_side

    shown = shown_as_bytes(pictures)
    if path.suffix.lower() == ".gif":
        frames = [Image.fromarray(side_by_side([picture])) for picture in shown]
        there_and_back = frames + frames[-2:0:-1]
        moving = {"save_all": True, "append_images": there_and_back[1:], "duration": 60, "loop": 0}
        content = picture_file(frames[0], path.suffix, **moving)
    else:
        content = picture_file(Image.fromarray(side_by_side(shown, columns)), path.suffix)
    with replacing(path, force=force) as file:
        file.write(content)


def write_records(
    path: Path,
    n: int,
    blocks: Iterable[Any],
    schema: Schema,
    names: Sequence[str] | None,
    *,
    side_columns: SideColumns | None = None,
    force: bool,
) -> None:
    """Write records in the format that the suffix says: ``.npy`` and folders of images as they come, others at once.

    Of more than 1,000,000 records tables are written as they come, too.

    Parameters
    ----------
    path : Path
        See :func:`isthmus.data.write`.
    n : int
        Number of records.
    blocks : iterable of blocks
        Canonical ones, in order.
    schema : Schema
        Of the records.
    names : sequence of str or None
        Of the records.
    side_columns : SideColumns, optional
        What the records' source has beside them, such as the column of labels: it is written too.
    force : bool
        Whether existing files may be replaced.
    """
    from isthmus import data
    from isthmus.data.rows import LISTED
    from isthmus.data.writing import write_rows, write_table_blocks

    suffix, has_labels = path.suffix.lower(), side_columns is not None and side_columns.labels is not None
    if suffix == ".npy" and schema.kind in ("array", "image") and None not in schema.shape and not has_labels:
        with replacing(path, force=force) as file:
            write_rows(file, n, (np.asarray(block).astype(schema.dtype, copy=False) for block in blocks))
    elif suffix in (".csv", ".tsv", ".parquet") and n > LISTED:
        guard = GUARD_FORMULAS.get()
        write_table_blocks(path, blocks, schema, side_columns, force=force, guard_formulas=guard)
    elif suffix == "" and schema.kind == "image":
        with _filling(path, force=force) as folder:
            _write_images(folder, n, blocks, schema, names)
    else:
        block, guard = _joined(list(blocks), schema), GUARD_FORMULAS.get()
        data.write(path, block, schema, names, side_columns=side_columns, force=force, guard_formulas=guard)


def _joined(blocks: list[Any], schema: Schema) -> Any:
    """Return blocks as one."""
    if isinstance(blocks[0], list):
        return [record for block in blocks for record in block]
    if schema.kind == "table":
        import pyarrow as pa

        return pa.concat_tables(blocks).unify_dictionaries().combine_chunks()
    return np.concatenate(blocks)


def _write_images(folder: Path, n: int, blocks: Iterable[Any], schema: Schema, names: Sequence[str] | None) -> None:
    from isthmus import data

    names = [f"{index:0{max(5, len(str(n)))}d}" for index in range(n)] if names is None else _distinct(names)
    start = 0
    for block in blocks:
        data.write(folder, block, replace(schema, container="files"), names[start : start + len(block)], force=True)
        start += len(block)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names that stay apart when their suffixes are replaced: a second ``x.jpg`` beside ``x.png`` is ``x-2``."""
    from isthmus.data.writing import split_suffix

    taken: set[str] = set()
    found = []
    for name in names:
        stem, suffix = split_suffix(str(name))
        again, chosen = 2, stem
        while chosen in taken:
            chosen, again = f"{stem}-{again}", again + 1
        taken.add(chosen)
        found.append(chosen + suffix)
    return found


@contextlib.contextmanager
def _filling(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a folder to fill, which takes its name once it is complete; an existing one is filled where it is."""
    from isthmus.checks.data import output_absent

    output_absent(path, force)
    if path.is_dir():
        yield path
        return
    with files.temporary_folder(path) as temporary:
        yield temporary
        temporary.replace(path)

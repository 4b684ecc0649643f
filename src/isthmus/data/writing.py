"""Records written to files: whole or not at all, and never over an existing file unless asked."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from isthmus import files
from isthmus.checks import data as checks
from isthmus.data import recognition, tiff
from isthmus.data.column_types import column_type, plain, with_index
from isthmus.data.deep_colour import write_png
from isthmus.data.notations import Conventions
from isthmus.data.restoring import restore, restore_table
from isthmus.data.rows import Rows
from isthmus.data.schema import Column, Schema
from isthmus.data.side_columns import SideColumns
from isthmus.data.text_columns import read_column
from isthmus.data.text_tables import SAMPLE_ROWS
from isthmus.errors import IsthmusWarning

if TYPE_CHECKING:
    import PIL.Image
    import pyarrow as pa

__all__ = [
    "changed_by_csv",
    "check_format",
    "guarded",
    "picture_file",
    "write",
    "write_archive",
    "write_rows",
    "write_table_blocks",
]


def write(
    path: str | os.PathLike[str],
    block: Any,
    schema: Schema,
    names: Sequence[str] | None = None,
    *,
    side_columns: SideColumns | None = None,
    force: bool = False,
    guard_formulas: bool = False,
) -> None:
    """Write records to a file, or images to a folder, in the format that the name's suffix says.

    Parameters
    ----------
    path : path-like
        ``.npy``, ``.npz`` (array ``X``), ``.csv``, ``.tsv``, ``.parquet``, ``.txt``, ``.png``, ``.tif``; a name without
        suffix is a folder of images (PNG, or TIFF where PNG cannot hold the values).
    block : ndarray, list or pyarrow.Table
        Records as :meth:`Data.take` gives them.
    schema : Schema
        What they are.
    names : sequence of str or None, default=None
        Of the images in a folder; sub-folders are made, and the suffix is replaced.
    side_columns : SideColumns, optional
        Of the data that the records come from, one entry a record: the column of labels, and columns that hold the
        index of a pandas frame, are written too, in their places.
    force : bool, default=False
        Overwrite what is there.
    guard_formulas : bool, default=False
        Of ``.csv`` and ``.tsv``: put an apostrophe before text that a spreadsheet would run as a formula, that is, text
        that begins with ``=``, ``+``, ``-`` or ``@`` and is no number. Numbers are never changed.

    Warns
    -----
    IsthmusWarning
        If a text table cannot hold a column so that reading gives back the same.

    Raises
    ------
    OutputExistsError
        If the output exists and ``force`` is False.
    ParameterError, DataError
        If the format cannot hold such records.
    IsthmusError
        If the disk is full or refuses; a file of the old name is then still as it was.
    """
    path = Path(path)
    checks.output_absent(path, force)
    check_format(path, schema)
    suffix = path.suffix.lower()
    if suffix == "":
        _write_folder(path, block, names)
        return
    writer = _writers(schema.kind)[suffix]
    if writer is _csv and guard_formulas:
        writer = partial(_csv, guard=True)
    content = writer(path, block, schema, side_columns or SideColumns())
    with replacing(path) as temporary:
        content(temporary)


def check_format(path: Path, schema: Schema) -> None:
    """Refuse a name whose suffix is that of no format for this kind of records.

    Raises
    ------
    ParameterError
        The sentence lists those that are.
    """
    writers = _writers(schema.kind)
    if path.suffix.lower() not in writers:
        raise checks.not_writable(path, schema.kind, path.suffix.lower(), [name or "a folder" for name in writers])


Writer = Callable[[Path, Any, Schema, SideColumns], Callable[[Path], None]]


def _writers(kind: str) -> dict[str, Writer]:
    """Return the writers for a kind of records, by suffix: each checks the records and returns what writes them."""
    array: dict[str, Writer] = {".npy": _npy, ".npz": _npz}
    table: dict[str, Writer] = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    image: dict[str, Writer] = {".png": _one_image, ".tif": _one_image, ".tiff": _one_image, "": _one_image}
    text: dict[str, Writer] = {".txt": _text, ".bin": _text}
    return {"array": array | table, "image": image | array, "table": table | array, "text": text}[kind]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``, and move it to ``path`` once all is written.

    Raises
    ------
    IsthmusError
        If writing fails; nothing new is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.temporary(path, path.suffix) as temporary:
            yield temporary
            temporary.replace(path)
    except OSError as error:
        raise checks.write_failed(files.known(path), _reason(error)) from error


def _reason(error: OSError) -> str:
    """Return what the system says, without the words that Arrow has around it."""
    return os.strerror(error.errno) if error.errno else str(error)


# --- arrays and tables -----------------------------------------------------------------------------------------------


def _npy(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> Callable[[Path], None]:
    array = _as_array(path, block, schema, side_columns)
    return lambda target: _save_array(target, array)


def _npz(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> Callable[[Path], None]:
    array = _as_array(path, block, schema, side_columns)

    def write_it(target: Path) -> None:
        with open(target, "wb") as file:
            write_archive(file, {"X": array})

    return write_it


def _save_array(path: Path, array: np.ndarray) -> None:
    with open(path, "wb") as file:
        write_rows(file, len(array), [array])


def write_rows(file: IO[bytes], n: int, blocks: Iterable[np.ndarray]) -> None:
    """Write the rows of an ``.npy`` file as they come; the first block says what they look like.

    Unlike ``np.save`` it lets the system say what is wrong: NumPy only tells how many of the values it has written.

    Parameters
    ----------
    file : binary file
        Open to write.
    n : int
        Number of rows.
    blocks : iterable of ndarray (b, ...)
        Of one type, no objects.
    """
    begun = False
    for block in blocks:
        if not begun:
            header = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (n, *block.shape[1:])})
            begun = True
        rows = np.ascontiguousarray(block)
        file.write((rows.view(np.int64) if rows.dtype.kind in "mM" else rows).data)  # times have no buffer of their own


def write_archive(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an ``.npz`` file, as ``np.savez`` does, but so that a full disk is told of once.

    Parameters
    ----------
    file : binary file
        Open to write.
    arrays : mapping of str to ndarray
        By name, each of one axis at least, no objects.
    """
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                write_rows(entry, len(array), [array])


def _as_array(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> np.ndarray:
    """Return records as one array; a table of numbers without gaps is one."""
    if schema.kind == "table":
        return _matrix_of(path, side_columns.into_table(restore_table(block, schema)))
    if not isinstance(block, np.ndarray):
        raise checks.not_storable(path, "images of several sizes are no single array", "write them to a folder")
    return side_columns.into_matrix(block.astype(schema.dtype, copy=False))


def _matrix_of(path: Path, table: pa.Table) -> np.ndarray:
    """Return a table of numbers without gaps as a matrix of a type that holds all of them exactly."""
    import pyarrow as pa

    for name, column in zip(table.column_names, table.columns, strict=True):
        is_number = (
            pa.types.is_boolean(column.type) or Column(name, column_type(column.type) or "", str(column.type)).is_number
        )
        if not is_number or column.null_count:
            what = f"column '{name}' ({column.type}) is no column of numbers without gaps"
            raise checks.not_storable(path, what, "write .parquet or .csv")
    columns = [column.to_numpy() for column in table.columns]
    matrix = np.stack(columns, axis=1)
    for name, column, kept in zip(table.column_names, columns, matrix.T, strict=True):
        if matrix.dtype.kind == "f" and column.dtype.kind in "iu" and (kept.astype(column.dtype) != column).any():
            what = f"column '{name}' holds whole numbers that {matrix.dtype} cannot hold exactly"
            raise checks.not_storable(path, what, "write .parquet or .csv")
    return matrix


def _as_table(block: Any, schema: Schema, side_columns: SideColumns) -> pa.Table:
    """Return records as a table; the columns of a matrix are named x0, x1, ..."""
    import pyarrow as pa

    if schema.kind == "table":
        return side_columns.into_table(restore_table(block, schema))
    array = side_columns.into_matrix(block.astype(schema.dtype, copy=False))
    names = schema.names if len(schema.names) == array.shape[1] else [f"x{i}" for i in range(array.shape[1])]
    return pa.table({name: np.ascontiguousarray(array[:, i]) for i, name in enumerate(names)})


def _parquet(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> Callable[[Path], None]:
    from pyarrow import parquet

    table = _for_parquet(_as_table(block, schema, side_columns))
    return lambda target: parquet.write_table(table, target)


def _for_parquet(table: pa.Table) -> pa.Table:
    """Return a table with plain categories: Parquet stores none of the types that they replace (pyarrow 26)."""
    import pyarrow as pa

    columns = [plain(column) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def _csv(
    path: Path, block: Any, schema: Schema, side_columns: SideColumns, *, guard: bool = False
) -> Callable[[Path], None]:
    from pyarrow import csv

    table = _for_text(_as_table(block, schema, side_columns), guard=guard)
    for note in changed_by_csv(table):
        warnings.warn(f"'{path}': {note}", IsthmusWarning, stacklevel=4)
    return lambda target: csv.write_csv(table, target, _text_options(path))


def _for_text(table: pa.Table, *, guard: bool) -> pa.Table:
    """Return a table whose categories are their values."""
    import pyarrow as pa

    columns = [column.cast(getattr(column.type, "value_type", column.type)) for column in map(plain, table.columns)]
    table = pa.Table.from_arrays(columns, names=table.column_names)
    return guarded(table) if guard else table


def _text_options(path: Path) -> Any:
    from pyarrow import csv

    return csv.WriteOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",", quoting_style="needed")


def write_table_blocks(
    path: Path,
    blocks: Iterable[Any],
    schema: Schema,
    side_columns: SideColumns | None = None,
    *,
    force: bool = False,
    guard_formulas: bool = False,
) -> None:
    """Write rows of a table or a matrix to ``.csv``, ``.tsv`` or ``.parquet`` as they come.

    Parameters
    ----------
    path : Path
        Its suffix says the format.
    blocks : iterable of blocks
        Neighbouring records, in order, as :meth:`Data.take` gives them.
    schema, side_columns, force, guard_formulas
        As in :func:`write`. What a text table cannot hold is told of by the first block.
    """
    checks.output_absent(path, force)
    start, is_text = 0, path.suffix.lower() != ".parquet"
    with replacing(path) as temporary, contextlib.ExitStack() as stack:
        writer: Any = None
        for block in blocks:
            rows = len(block)
            its = SideColumns() if side_columns is None else side_columns.take(Rows([start], [start + rows]))
            table = _as_table(block, schema, its)
            table = _for_text(table, guard=guard_formulas) if is_text else _counting_far(_for_parquet(table))
            if writer is None:
                for note in changed_by_csv(table) if is_text else ():
                    warnings.warn(f"'{path}': {note}", IsthmusWarning, stacklevel=3)
                writer = stack.enter_context(_table_writer(temporary, table.schema, path))
            writer.write_table(table)
            start += rows


def _counting_far(table: pa.Table) -> pa.Table:
    """Return a table whose categories are numbered with 32 bits: those of later blocks may be more."""
    import pyarrow as pa

    columns = [with_index(c, pa.int32()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def _table_writer(target: Path, schema: pa.Schema, path: Path) -> Any:
    from pyarrow import csv, parquet

    if path.suffix.lower() == ".parquet":
        return parquet.ParquetWriter(target, schema)
    return csv.CSVWriter(target, schema, write_options=_text_options(path))


FORMULA = "^\\s*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]"  # the last four are wide ones
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def guarded(table: pa.Table) -> pa.Table:
    """Return a table whose texts and names no spreadsheet takes for formulas: those that could be get an apostrophe."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def guard(cells: Any) -> Any:
        formula = pc.and_(pc.match_substring_regex(cells, FORMULA), pc.invert(pc.match_substring_regex(cells, NUMBER)))
        return pc.if_else(formula, pc.binary_join_element_wise(pa.scalar("'", cells.type), cells, ""), cells)

    columns = [guard(column) if _is_text(column) else column for column in table.columns]
    return pa.Table.from_arrays(columns, names=guard(pa.array(table.column_names, pa.string())).to_pylist())


def changed_by_csv(table: pa.Table) -> list[str]:
    """Say which columns a text table does not hold so that reading gives back the same.

    Text is written in quotation marks and numbers are not, so text that looks like a number comes back as text. What
    looks like a date does not, and in a table of nothing but text neither do numbers.
    """
    import pyarrow as pa

    lonely = [name for name, column in zip(table.column_names, table.columns, strict=True) if column.null_count]
    conventions = Conventions(quotes_are_text=any(not _is_text(c) and c.null_count < len(c) for c in table.columns))
    texts, durations, zoned = [], [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_duration(column.type):
            durations.append(name)
        elif pa.types.is_timestamp(column.type) and column.type.tz not in (None, "UTC"):
            zoned.append(name)
        elif _is_text(column) and column.null_count < len(column):
            column = column.cast(pa.string())
            first = frozenset(column.slice(0, SAMPLE_ROWS).drop_null().to_pylist()) - {""}
            read = read_column(column, conventions, quoted=first).values
            if read.type != pa.string() or read.null_count > column.null_count:
                texts.append(name)
    says = (
        (texts, "text that looks like numbers, dates or missing cells; read it with as_text= (--as-text), or"),
        (durations, "durations, which are written as whole numbers; to keep them"),
        (zoned, "times of a zone, which come back as universal time; to keep it"),
        (
            lonely if len(table.columns) == 1 else [],
            "the only cells of their rows, and missing ones are empty lines, which pandas and pyarrow pass over;"
            " for them",
        ),
    )
    return [f"columns {_some(names)} hold {what} write .parquet." for names, what in says if names]


def _is_text(column: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _text(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> Callable[[Path], None]:
    """Windows of a file are joined as they were; separate records are written one a line."""
    records = restore(block, replace(schema, dtype="bytes"))
    joined = b"".join(records) if schema.container == "files" else b"".join(record + b"\n" for record in records)
    return lambda target: _put(target, joined)


def _put(target: Path, content: bytes) -> None:
    target.write_bytes(content)


# --- images ----------------------------------------------------------------------------------------------------------


def _one_image(path: Path, block: Any, schema: Schema, side_columns: SideColumns) -> Callable[[Path], None]:
    if len(block) != 1:
        raise checks.not_storable(
            path, f"it names one image, and there are {len(block)}", f"name a folder, such as '{path.stem}'"
        )
    image = np.asarray(block[0]).astype(schema.dtype, copy=False)
    suffix, exact = path.suffix.lower(), image_suffix(image)
    if (suffix, exact) in ((".png", ".tif"), (".png", ".npy"), (".tif", ".npy"), (".tiff", ".npy")):
        name = "PNG" if suffix == ".png" else "TIFF"
        raise checks.not_storable(
            path, f"{name} does not hold {image.dtype} values of shape {image.shape}", f"write {exact}"
        )
    return lambda target: save_image(target, image)


def image_suffix(image: np.ndarray) -> str:
    """Return the suffix of a format that holds an image exactly: ``.png`` if it can, else ``.tif`` or ``.npy``."""
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype == bool and channels > 1:
        return ".npy"
    return ".png" if channels <= 4 and image.dtype in (np.bool_, np.uint8, np.uint16) else ".tif"


def save_image(path: Path, image: np.ndarray) -> None:
    """Write one image so that reading it gives the same values."""
    from PIL import Image

    image = np.ascontiguousarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        _save_array(path, image)
    elif suffix in (".tif", ".tiff"):
        tiff.write(path, image)
    elif image.dtype == np.uint16 and image.ndim == 3:
        path.write_bytes(write_png(image))
    else:
        path.write_bytes(picture_file(Image.fromarray(image), suffix))


def picture_file(picture: PIL.Image.Image, suffix: str, **options: Any) -> bytes:
    """Return the content of a picture's file.

    Pillow does not say when a TIFF or a JPEG does not fit on the disk, so that the system must be asked to write it.

    Parameters
    ----------
    picture : PIL.Image.Image
    suffix : str
        Of its format, as in ``".png"``.
    **options
        Of Pillow's ``save``.
    """
    from PIL import Image

    content = BytesIO()
    picture.save(content, Image.registered_extensions()[suffix.lower()], **options)
    return content.getvalue()


def _write_folder(path: Path, images: Sequence[np.ndarray] | np.ndarray, names: Sequence[str] | None) -> None:
    """Write images into a new folder, which takes its name once it is complete, or one by one into an existing one."""
    chosen = _file_names([np.asarray(image) for image in images], names)
    if path.is_dir():
        for name, image in zip(chosen, images, strict=True):
            with replacing(path / name) as temporary:
                save_image(temporary, np.asarray(image))
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.temporary_folder(path) as temporary:
            for name, image in zip(chosen, images, strict=True):
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                save_image(temporary / name, np.asarray(image))
            temporary.replace(path)
    except OSError as error:
        raise checks.write_failed(files.known(path), _reason(error)) from error


def _file_names(images: Sequence[np.ndarray], names: Sequence[str] | None) -> list[str]:
    """Return a file name for every image, inside the folder and different from all others."""
    digits = max(5, len(str(len(images))))
    chosen: list[str] = []
    taken: set[str] = set()
    for number, image in enumerate(images):
        parts = PurePosixPath(names[number].replace("\\", "/")).parts if names else (f"{number:0{digits}d}",)
        safe = [part for part in parts if part not in ("/", "..", ".", "") and ":" not in part] or [
            f"{number:0{digits}d}"
        ]
        name = base = "/".join([*safe[:-1], split_suffix(safe[-1])[0]])
        again = 2
        while name in taken:
            name, again = f"{base}-{again}", again + 1
        taken.add(name)
        chosen.append(name + image_suffix(image))
    return chosen


IMAGE_SUFFIXES = (*(suffix for suffixes in recognition.IMAGE_SUFFIXES.values() for suffix in suffixes), ".npy")
NAMED = re.compile(rf"(.+)({'|'.join(map(re.escape, IMAGE_SUFFIXES))})(#\d+)?", re.IGNORECASE | re.DOTALL)


def split_suffix(name: str) -> tuple[str, str]:
    """Return the name of an image, which the number of a page belongs to, and its suffix.

    Examples
    --------
    >>> split_suffix("cell.tif#3"), split_suffix("scan.2024")
    (('cell#3', '.tif'), ('scan.2024', ''))
    """
    found = NAMED.fullmatch(name)
    return (found[1] + (found[3] or ""), found[2]) if found else (name, "")

"""Arrays, tensors and lists of numbers; ``.npy`` and ``.npz`` files, read without pickle."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.beside import Beside, ColumnBeside
from isthmus.data.numbering import as_whole
from isthmus.data.records import Data
from isthmus.data.schema import Schema

__all__ = ["from_array", "from_npy", "from_npz", "from_tensor", "numeric"]

# Deflate cannot shrink further than this, so a packed file that claims more is damaged or malicious.
DEFLATE_RATIO = 1032


def from_array(
    source: Any,
    *,
    name: str = "X",
    container: str = "numpy",
    columns: Sequence[Any] | None = None,
    notes: Sequence[str] = (),
) -> Data:
    """Open an array of numbers: rows ``(n, d)``, or images ``(n, height, width[, channels])``.

    Parameters
    ----------
    source : array-like
        In memory or memory-mapped. Values in memory are checked for NaN and infinity now, mapped ones when read.
    name : str, default="X"
        What it is called in a sentence.
    container : str, default="numpy"
        What the records came in.
    columns : sequence of int or None, default=None
        Of a matrix, the columns to keep.
    notes : sequence of str, default=()
        What was said already.

    Returns
    -------
    Data
        Of kind "array" or "image".

    Raises
    ------
    DataError, DataTypeError, ShapeError
        No real numbers, not finite, empty, or of a wrong rank.
    """
    notes = list(notes)
    array = numeric(source, name, notes)
    checks.rank(array.shape, name)
    checks.not_empty(array.shape, name)
    if columns is not None:
        array = array[:, _positions(columns, array, name)]
    kind = "array" if array.ndim == 2 else "image"
    schema = Schema(kind, array.shape[1:], array.dtype.newbyteorder("=").name, container)
    if isinstance(array, np.memmap) and array.nbytes > stores.RESIDENT_BYTES:
        notes.append(
            f"{name} takes {array.nbytes / 2**30:.1f} GiB and is streamed from its file; "
            "values are checked as they are read."
        )
        return Data(schema, stores.MappedStore(array, name), source=name, notes=notes)
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    checks.finite(array, name)
    return Data(schema, stores.ArrayStore(array), source=name, notes=notes)


def numeric(source: Any, name: str, notes: list[str]) -> np.ndarray:
    """Return an array of real numbers; what had to be converted is added to the notes."""
    checks.dense_type(source, name)
    try:
        array = source if isinstance(source, np.memmap) else np.asarray(source)
    except ValueError as error:
        # Rows of different lengths, mostly.
        raise checks.unreadable_object(name, f"it is not a regular array of numbers ({error})") from error
    checks.numeric_dtype(array, name)
    if array.dtype.kind == "O":
        checks.object_values(array, name)
        array = _of_objects(array, name)
        notes.append(f"{name} held Python objects; they were read as {array.dtype}.")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
        notes.append(f"{name} held numbers of extended precision; they were read as float64.")
    if any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array)
    return array


def _of_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array of Python numbers as one of float64, or of whole numbers that need all 64 bits."""
    floats = array.astype(np.float64)
    if not (np.abs(floats) >= 2.0**53).any():
        return floats
    whole = as_whole(array)
    if whole is None:
        checks.whole_numbers_kept(array, floats, name)
    return floats if whole is None else whole


def _positions(columns: Sequence[Any], array: np.ndarray, name: str) -> list[int]:
    """Return column positions of a matrix, counted from the front."""
    width = array.shape[1]
    if array.ndim != 2:
        raise checks.option_not_used("columns", "image", "tables and matrices")
    for column in columns:
        if not isinstance(column, (int, np.integer)) or not -width <= column < width:
            raise checks.no_such_column(name, column, [str(i) for i in range(width)])
    return [int(column) % width for column in columns]


def from_tensor(source: Any, *, name: str = "X", columns: Sequence[Any] | None = None) -> Data:
    """Open a torch tensor, from any device; its memory is shared where it lies on the host."""
    notes: list[str] = []
    tensor = source.detach()
    if tensor.layout.__str__() != "torch.strided":
        raise checks.unreadable_object(
            name, f"sparse tensors are not supported, got layout {tensor.layout}; pass {name}.to_dense()"
        )
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
        notes.append(f"{name} held bfloat16, which NumPy does not know; it was read as float32.")
    if tensor.device.type != "cpu":
        notes.append(f"{name} was copied from {tensor.device} to host memory.")
    try:
        array = tensor.cpu().resolve_conj().resolve_neg().numpy()
    except TypeError as error:
        raise checks.unreadable_object(name, f"tensors of {tensor.dtype} are not supported; convert it") from error
    return from_array(array, name=name, container="torch", columns=columns, notes=notes)


def take_column(data: Data, column: Any, columns: Sequence[Any] | None = None) -> Data:
    """Set one column of a matrix aside as the labels, and keep some of the others, or all."""
    if data.schema.kind != "array":
        raise checks.option_not_used("label_column", data.schema.kind, "tables and matrices")
    width = data.schema.shape[0] or 0
    if not isinstance(column, (int, np.integer)) or not -width <= column < width or width < 2:
        raise checks.no_such_column(data.source, column, [str(i) for i in range(width)])
    if not isinstance(data.store, stores.ArrayStore):
        raise checks.option_not_used("label_column", "array streamed from a file", "data in memory")
    array, column = data.store.array, int(column) % width
    rest = [i for i in (range(width) if columns is None else _positions(columns, array, data.source)) if i != column]
    if not rest:
        raise checks.no_columns(data.source)
    taken = from_array(array[:, rest], name=data.source, container=data.schema.container, notes=data.notes)
    taken.notes.append(f"column {column} of {data.source} was set aside as the labels.")
    place = sum(i < column for i in rest)
    taken.beside = Beside(labels=ColumnBeside("", place, array[:, column]))
    return taken.labelled(array[:, column])


# --- files -----------------------------------------------------------------------------------------------------------


def from_npy(path: Path, *, columns: Sequence[Any] | None = None) -> Data:
    """Open a ``.npy`` file: read where it is small, memory-mapped and streamed where it is large."""
    with path.open("rb") as file:
        shape, dtype = _npy_header(file, path)
        content = path.stat().st_size - file.tell()
    expected = math.prod(shape) * dtype.itemsize
    if content < expected:
        raise checks.unreadable_file(path, f"it is truncated: {expected} bytes of values expected, {content} found")
    if expected > stores.RESIDENT_BYTES:
        return from_array(
            np.load(path, mmap_mode="r", allow_pickle=False), name=path.name, container="files", columns=columns
        )
    return from_array(np.load(path, allow_pickle=False), name=path.name, container="files", columns=columns)


def _npy_header(file: IO[bytes], path: object) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of an array file; NumPy reads the header as a literal of bounded length."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(file)
    except (ValueError, EOFError, OverflowError, TypeError, SyntaxError, TokenError, RecursionError) as error:
        raise checks.unreadable_file(path, f"it has no valid array header ({error})") from error
    if dtype.hasobject:
        raise checks.unreadable_file(
            path, "it holds pickled Python objects, which are never loaded; save plain numbers"
        )
    return shape, dtype


DATA_KEYS = ("X", "x", "data", "images", "features", "arr_0")
LABEL_KEYS = ("y", "Y", "labels", "label", "target", "targets")


def from_npz(path: Path, *, key: str | None = None, columns: Sequence[Any] | None = None) -> Data:
    """Open one array of a ``.npz`` archive, with its labels where they are beside it.

    Parameters
    ----------
    path : Path
        The archive.
    key : str or None, default=None
        Name of the array; None takes the only one, or ``X`` (or data, images, features), or ``x_train``.
    columns : sequence of int or None, default=None
        Of a matrix, the columns to keep.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if not info.is_dir()}
            chosen, label_key = _choose(list(members), key, path)
            array = _member(archive, members[chosen], path)
            labels = None if label_key is None else _member(archive, members[label_key], path)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise checks.unreadable_file(path, f"it is no sound archive ({error})") from error
    used = f"the array '{chosen}' of {path.name} was used" + (f", with the labels '{label_key}'" if label_key else "")
    others = [name for name in members if name not in (chosen, label_key)]
    notes = [used + (f"; it also holds {', '.join(others)}." if others else ".")]
    data = from_array(array, name=path.name, container="files", columns=columns, notes=notes)
    return data if labels is None else data.labelled(labels)


def _choose(names: list[str], key: str | None, path: Path) -> tuple[str, str | None]:
    """Return the names of the data and of their labels in an archive."""
    if key is not None and key not in names:
        raise checks.no_such_column(path.name, key, names)
    if key is None and not names:
        raise checks.unreadable_file(path, "it holds no array")
    if key is None:
        known = [name for name in DATA_KEYS if name in names] or [
            n for n in ("x_train", "X_train", "train") if n in names
        ]
        data_like = [name for name in names if name not in LABEL_KEYS]
        if not known and len(data_like) != 1:
            raise checks.ambiguous_archive(path, names)
        key = known[0] if known else data_like[0]
    beside = [f"y{key[1:]}"] if key[:1] in "xX" and len(key) > 1 else list(LABEL_KEYS)
    labels = next((name for name in beside if name in names and name != key), None)
    return key, labels


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Read one array of an archive; its claims are compared with the sizes in the archive before memory is taken."""
    if info.file_size > DEFLATE_RATIO * info.compress_size + 1024:
        raise checks.unreadable_file(
            path, f"the array '{info.filename}' claims more bytes than its packed size can hold"
        )
    with archive.open(info) as file:
        shape, dtype = _npy_header(file, path)
        content = info.file_size - file.tell()
        expected = math.prod(shape) * dtype.itemsize
        if content < expected:
            raise checks.unreadable_file(
                path, f"the array '{info.filename}' is truncated: {expected} bytes expected, {content} found"
            )
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)

"""Arrays, tensors and lists of numbers; ``.npy`` and ``.npz`` files, read without pickle."""

from __future__ import annotations

import io
import math
import sys
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.numbering import as_whole
from isthmus.data.reading import PACKED_LIMIT, FileArray, decoding, read_bounded, require_file
from isthmus.data.records import Data
from isthmus.data.schema import Schema
from isthmus.data.side_columns import SideColumn, SideColumns

__all__ = [
    "from_array",
    "from_file",
    "from_npy",
    "from_npz",
    "from_tensor",
    "npy",
    "numeric",
    "read_npy",
    "read_npz",
]

# Deflate cannot shrink further than this, so a packed file that claims more is damaged or malicious.
DEFLATE_RATIO = 1032
HEADER_BYTES = 2**14  # of an array file: NumPy takes a header of 10,000 characters at most


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
    if isinstance(array, np.memmap) and array.nbytes > stores.RESIDENT_BYTES:
        file = stores.behind(array)
        if file is not None:
            return from_file(file, name=name, container=container, columns=columns, notes=notes)
        if columns is None:
            notes.append(_streamed(name, array.nbytes))
            return Data(
                _schema(array.shape, array.dtype, container), stores.MappedStore(array, name), source=name, notes=notes
            )
    if columns is not None:
        array = array[:, _positions(columns, array.shape, name)]
    schema = _schema(array.shape, array.dtype, container)
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    checks.finite(array, name)
    return Data(schema, stores.ArrayStore(array), source=name, notes=notes)


def from_file(
    array: FileArray,
    *,
    name: str,
    container: str = "files",
    columns: Sequence[Any] | None = None,
    notes: Sequence[str] = (),
) -> Data:
    """Open an array that stays in its file and is read a block at a time.

    Parameters
    ----------
    array : FileArray
        Of the ranks that :func:`from_array` takes; values are checked as they are read.
    name, container, columns, notes
        As in :func:`from_array`.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        No real numbers, empty, or of a wrong rank.
    """
    checks.numeric_dtype(np.empty((0,) * len(array.shape), array.dtype), name)
    checks.rank(array.shape, name)
    checks.not_empty(array.shape, name)
    shape, chosen = array.shape, None
    if columns is not None:
        chosen = _positions(columns, shape, name)
        shape = (shape[0], len(chosen))
    notes = [*notes, _streamed(name, array.nbytes)]
    return Data(_schema(shape, array.dtype, container), stores.FileStore(array, name, chosen), source=name, notes=notes)


def _schema(shape: tuple[int, ...], dtype: np.dtype[Any], container: str) -> Schema:
    return Schema("array" if len(shape) == 2 else "image", shape[1:], dtype.newbyteorder("=").name, container)


def _streamed(name: str, nbytes: int) -> str:
    return f"{name} takes {nbytes / 2**30:.1f} GiB and is streamed from its file; values are checked as they are read."


def numeric(source: Any, name: str, notes: list[str]) -> np.ndarray:
    """Return an array of real numbers; what had to be converted is added to the notes."""
    checks.dense_type(source, name)
    try:
        array = source if isinstance(source, np.memmap) else np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        # Rows of different lengths, mostly; or what the object's own __array__ says.
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


def _positions(columns: Sequence[Any], shape: tuple[int, ...], name: str) -> list[int]:
    """Return column positions of a matrix, counted from the front."""
    width = shape[1]
    if len(shape) != 2:
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
    except RuntimeError as error:
        raise checks.unreadable_object(name, f"its values cannot be read ({error})") from error
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
    rest = [
        i for i in (range(width) if columns is None else _positions(columns, array.shape, data.source)) if i != column
    ]
    if not rest:
        raise checks.no_columns(data.source)
    taken = from_array(array[:, rest], name=data.source, container=data.schema.container, notes=data.notes)
    taken.notes.append(f"column {column} of {data.source} was set aside as the labels.")
    place = sum(i < column for i in rest)
    taken.side_columns = SideColumns(labels=SideColumn("", place, array[:, column]))
    return taken.labelled(array[:, column])


# --- files -----------------------------------------------------------------------------------------------------------


def from_npy(path: Path, *, columns: Sequence[Any] | None = None) -> Data:
    """Open a ``.npy`` file: read where it is small, streamed a block at a time where it is large."""
    array = npy(path)
    extended = array.dtype.kind == "f" and array.dtype.itemsize > 8  # read as float64, which takes all of it
    if array.nbytes > stores.RESIDENT_BYTES and not extended:
        return from_file(array, name=path.name, columns=columns)
    return from_array(array.all(), name=path.name, container="files", columns=columns)


def read_npy(path: Path) -> np.ndarray:
    """Return the array of a ``.npy`` file, of any rank and of any values but Python objects.

    Raises
    ------
    DataError
        It is no such file, or shorter than its header says.
    """
    return _sound_text(npy(path).all(), path)


def npy(path: Path) -> FileArray:
    """Return the array of a ``.npy`` file, unread."""
    size = require_file(path).st_size
    with decoding(path, "it could not be opened"), path.open("rb") as file:
        header = _npy_header(file.read(HEADER_BYTES), path)
        _enough(header.nbytes, size - header.offset, path, "it")
        return FileArray(path, header.dtype, header.shape, header.offset, fortran=header.fortran)


def _enough(expected: int, found: int, path: Path, what: str) -> None:
    """Check that a file holds the bytes that its header promises, before memory is taken for them."""
    if found < expected:
        raise checks.unreadable_file(path, f"{what} is truncated: {expected} bytes of values expected, {found} found")


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an array file says about itself, and how many bytes it takes to say so."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def _npy_header(head: bytes, path: Path) -> NpyHeader:
    """Return the header that the first bytes of an array file hold; NumPy reads it as a literal of bounded length."""
    file = io.BytesIO(head)  # of the file itself NumPy would read as many bytes as the header claims to have
    with decoding(path, "it has no valid array header"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a damaged literal may warn as source text does
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
        if min(shape, default=0) < 0 or dtype.itemsize == 0:
            raise ValueError(f"its shape is {shape}, and a value takes {dtype.itemsize} bytes")
    if dtype.hasobject:
        raise checks.unreadable_file(
            path, "it holds pickled Python objects, which are never loaded; save plain numbers"
        )
    return NpyHeader(shape, fortran, dtype, file.tell())


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
    with decoding(path, "it is no sound archive"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if not info.is_dir()}
        chosen, label_key = _choose(list(members), key, path)
        array = _member(archive, members[chosen], path)
        labels = None if label_key is None else _member(archive, members[label_key], path)
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
    candidates = [f"y{key[1:]}"] if key[:1] in "xX" and len(key) > 1 else list(LABEL_KEYS)
    labels = next((name for name in candidates if name in names and name != key), None)
    return key, labels


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of a ``.npz`` archive by name.

    Raises
    ------
    DataError
        It is no such file, or damaged.
    """
    require_file(path)
    with decoding(path, "it is no sound archive"), zipfile.ZipFile(path) as archive:
        return {
            info.filename.removesuffix(".npy"): _member(archive, info, path)
            for info in archive.infolist()
            if not info.is_dir()
        }


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Read one array of an archive; its claims are compared with the sizes in the archive before memory is taken."""
    what = f"the array '{info.filename}'"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise checks.unreadable_file(path, f"{what} is packed in a way that NumPy does not write")
    if info.file_size > DEFLATE_RATIO * info.compress_size + 1024:
        raise checks.unreadable_file(path, f"{what} claims more bytes than its packed size can hold")
    if info.file_size > PACKED_LIMIT:
        raise checks.too_large(path, f"{what} unpacks to {info.file_size} bytes", "8 GiB; save it as a .npy file")
    with archive.open(info) as file:
        head = file.read(HEADER_BYTES)
        header = _npy_header(head, path)
        _enough(header.nbytes, info.file_size - header.offset, path, what)
        content = read_bounded(file, header.nbytes, head[header.offset :])
    _enough(header.nbytes, len(content), path, what)
    values = np.frombuffer(content, header.dtype, math.prod(header.shape))
    return _sound_text(values.reshape(header.shape, order="F" if header.fortran else "C"), path)


def _sound_text(array: np.ndarray, path: Path) -> np.ndarray:
    """Check that an array of texts holds characters only: NumPy reads any number, and Python fails when it meets it."""
    if array.dtype.kind == "U" and array.size:
        characters = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder + "u4")
        if characters.max() > sys.maxunicode:
            raise checks.unreadable_file(path, "it is truncated or damaged (a text holds what is no character)")
    return array

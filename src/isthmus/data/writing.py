"""Records back into files: whole or not at all, and never over an existing file unless asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from isthmus import files
from isthmus.checks import data as checks
from isthmus.data.deep_colour import write_png
from isthmus.data.restoring import restore, restore_table
from isthmus.data.schema import Schema

if TYPE_CHECKING:
    import PIL.Image
    import pyarrow as pa

__all__ = ["check_format", "picture_file", "write", "write_archive", "write_rows"]


def write(
    path: str | os.PathLike[str], block: Any, schema: Schema, names: Sequence[str] | None = None, *, force: bool = False
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
    force : bool, default=False
        Overwrite what is there.

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
    content = _writers(schema.kind)[suffix](path, block, schema)
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


Writer = Callable[[Path, Any, Schema], Callable[[Path], None]]


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


def _npy(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    array = _as_array(path, block, schema)
    return lambda target: _save_array(target, array)


def _npz(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    array = _as_array(path, block, schema)

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


def _as_array(path: Path, block: Any, schema: Schema) -> np.ndarray:
    """Return records as one array; a table of numbers without gaps is one."""
    if schema.kind == "table":
        table = restore_table(block, schema)
        for column in schema.columns:
            if column.type not in ("number", "integer", "boolean") or table.column(column.name).null_count:
                raise checks.not_storable(
                    path,
                    f"column '{column.name}' ({column.dtype}) is no column of numbers without gaps",
                    "write .parquet or .csv",
                )
        return np.stack([column.to_numpy() for column in table.columns], axis=1)
    if not isinstance(block, np.ndarray):
        raise checks.not_storable(path, "images of several sizes are no single array", "write them to a folder")
    return block.astype(schema.dtype, copy=False)


def _as_table(block: Any, schema: Schema) -> pa.Table:
    """Return records as a table; the columns of a matrix are named x0, x1, ..."""
    import pyarrow as pa

    if schema.kind == "table":
        return restore_table(block, schema)
    array = block.astype(schema.dtype, copy=False)
    names = schema.names or [f"x{i}" for i in range(array.shape[1])]
    return pa.table({name: np.ascontiguousarray(array[:, i]) for i, name in enumerate(names)})


def _parquet(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    from pyarrow import parquet

    table = _as_table(block, schema)
    return lambda target: parquet.write_table(table, target)


def _csv(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    import pyarrow as pa
    from pyarrow import csv

    table = _as_table(block, schema)
    # Categories are written as their values.
    columns = [column.cast(getattr(column.type, "value_type", column.type)) for column in table.columns]
    table = pa.Table.from_arrays(columns, names=table.column_names)
    options = csv.WriteOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",", quoting_style="needed")
    return lambda target: csv.write_csv(table, target, options)


def _text(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    """Windows of a file are joined as they were; separate records are written one a line."""
    records = restore(block, replace(schema, dtype="bytes"))
    joined = b"".join(records) if schema.container == "files" else b"".join(record + b"\n" for record in records)
    return lambda target: _put(target, joined)


def _put(target: Path, content: bytes) -> None:
    target.write_bytes(content)


# --- images ----------------------------------------------------------------------------------------------------------


def _one_image(path: Path, block: Any, schema: Schema) -> Callable[[Path], None]:
    if len(block) != 1:
        raise checks.not_storable(
            path, f"it names one image, and there are {len(block)}", f"name a folder, such as '{path.stem}'"
        )
    image = np.asarray(block[0]).astype(schema.dtype, copy=False)
    if image_suffix(image) != path.suffix.lower() and path.suffix.lower() == ".png":
        raise checks.not_storable(
            path, f"PNG does not hold {image.dtype} values of shape {image.shape}", "write .tif or .npy"
        )
    return lambda target: save_image(target, image)


def image_suffix(image: np.ndarray) -> str:
    """Return the suffix of a format that holds an image exactly: ``.png`` if it can, else ``.tif`` or ``.npy``."""
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels <= 4 and image.dtype in (np.bool_, np.uint8, np.uint16) and not (image.dtype == bool and channels > 1):
        return ".png"
    return ".tif" if channels == 1 and image.dtype in (np.int32, np.float32) else ".npy"


def save_image(path: Path, image: np.ndarray) -> None:
    """Write one image so that reading it gives the same values."""
    from PIL import Image

    image = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if path.suffix == ".npy":
        _save_array(path, image)
    elif image.dtype == np.uint16 and image.ndim == 3:
        path.write_bytes(write_png(image))
    else:
        path.write_bytes(picture_file(Image.fromarray(np.ascontiguousarray(image)), path.suffix))


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
        # Only a suffix that an image has is cut off: "scan.2024" is a name.
        last = PurePosixPath(safe[-1])
        stem = last.stem if last.suffix.lower() in IMAGE_SUFFIXES else last.name
        name = base = "/".join([*safe[:-1], stem])
        again = 2
        while name in taken:
            name, again = f"{base}-{again}", again + 1
        taken.add(name)
        chosen.append(name + image_suffix(image))
    return chosen


IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".npy")

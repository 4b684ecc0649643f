"""Data made smaller, in files that decode to the same bytes on any machine: see docs/format.md.

Nothing here needs torch: what a decoder computes before it knows a byte is integer arithmetic.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, files
from isthmus.coding import contents
from isthmus.coding.archive import Archive
from isthmus.coding.arrays.content import ArrayContent
from isthmus.coding.codec import Codec
from isthmus.coding.container import Source, opened
from isthmus.coding.kinds import AnyCodec, Model, fitted_in
from isthmus.coding.pictures import PictureCodec
from isthmus.coding.prior import Prior
from isthmus.coding.selection import chosen_rows
from isthmus.coding.stream import Reader, Writer, compressed, decompressed
from isthmus.coding.tables import TableCodec
from isthmus.errors import IsthmusWarning

__all__ = ["Archive", "Codec", "PictureCodec", "TableCodec", "compress", "decompress", "open_compressed", "read_rows"]


def compress(
    data: Any,
    *,
    speed: str = "normal",
    verify: bool = True,
    model: Model = None,
    prior: bool = True,
    max_error: float | None = None,
    rel_error: float | None = None,
    fill: Any = None,
) -> bytes:
    """Return data in fewer bytes: a whole compressed file, which :func:`decompress` undoes.

    Nothing but isthmus is needed to decompress it, and the model, if one was given. There is no encryption.

    Parameters
    ----------
    data : ndarray, bytes or another object with the buffer protocol
        An array of NumPy's, which comes back as one, with its type, shape and order; or any bytes. With a model of
        pictures, a stack of these: (n, height, width) or (n, height, width, channels).
    speed : {"normal", "fast"}, default="normal"
        "fast" takes a fraction of the time and gives larger files: it does without a prior. Up to 65,535 bytes that is
        all the difference.
    verify : bool, default=True
        Whether what was coded is decoded again and compared, which takes as long again.
    model : Codec, PictureCodec, TableCodec or path, optional
        What was learned from data like these. Whoever decompresses them needs it too.
    prior : bool, default=True
        Whether, without a model, the coder may begin with the prior that isthmus carries: for data that look like text.
    max_error : float, optional
        How far a number of an array may be off when it comes back, in absolute value; without a bound every bit is
        kept. NaN, infinities and fill values are exact in any case.
    rel_error : float, optional
        The same, as a share of the range of the array's finite numbers.
    fill : number or sequence of numbers, optional
        Fill values. Those that are at least 1e15 times as large as all other numbers are found without being named.

    Returns
    -------
    bytes
        At most 8 bytes more than the data where they have up to 65,535, else about 13 for each 256 KiB.

    Raises
    ------
    DataTypeError
        ``data`` are no bytes.
    ParameterError
        There is a model, and the speed is "fast", or the data are not of its kind; or a bound, and the data are no
        array, or have no numbers.
    ShapeError, DataTypeError, DataError
        The model is for pictures of another size or type, or has not seen their samples.

    Warns
    -----
    IsthmusWarning
        Every bit is kept, since the bound is smaller than the steps of the array's type.
    ArtifactError, FormatNumberError
        The file of the model is none, is damaged, or a later version of isthmus wrote it.
    """
    bound = {"max_error": max_error, "rel_error": rel_error, "fill": fill}
    if isinstance(data, np.ndarray) and speed == "normal" and model is None:
        return _compressed_array(data, verify, bound)
    if any(value is not None for value in bound.values()):
        raise checks.bound_without_array("the data", next(name for name, value in bound.items() if value is not None))
    needed = fitted_in("compress", model)
    if not isinstance(needed, AnyCodec):
        return compressed(data, speed=speed, verify=verify, model=needed, prior=prior)
    if speed != "normal":
        raise checks.model_at_speed()
    return needed.compress(data, verify=verify)


def _compressed_array(array: NDArray[Any], verify: bool, bound: dict[str, Any]) -> bytes:
    content, into = ArrayContent(array, **bound), io.BytesIO()
    if content.why_exact:
        warnings.warn(IsthmusWarning(checks.bound_not_used(content.why_exact)), stacklevel=3)
    contents.write(into, content, verify=verify)
    return into.getvalue()


def decompress(data: Any, *, limit: int | None = None, model: Model = None) -> Any:
    """Return the data that :func:`compress` was given: bytes, or an array.

    Parameters
    ----------
    data : bytes or another object with the buffer protocol
        A whole compressed file.
    limit : int, optional
        Bytes that may come out: a few bytes from a stranger can stand for gigabytes.
    model : Codec, PictureCodec, TableCodec, PhotographicCodec or path, optional
        The model that they were compressed with. Where they were without one, it is not looked at.

    Raises
    ------
    ArtifactError
        The file is damaged, cut short, an archive, or none of isthmus; or it needs a model that was not given.
    FormatNumberError
        A later version of isthmus wrote it.
    DataError
        More than ``limit`` bytes would come out.
    """
    return decompressed(data, limit=limit, model=fitted_in("decompress", model))


def read_rows(
    file: str | os.PathLike[str] | BinaryIO, start: int = 0, stop: int | None = None, *, model: Model = None
) -> bytes:
    """Return the file of some rows of a compressed table, for which only the groups that hold them are decoded.

    Parameters
    ----------
    file : path or binary file
        A compressed table; the file must be one that can be searched.
    start, stop : int, default=0, None
        The rows, counted from 0 below the names of columns; ``stop`` is the one behind the last, None all that follow.
    model : Codec or path, optional
        The model that it was compressed with.

    Returns
    -------
    bytes
        Of a CSV file, its lines before the first row, such as the names of columns, and the rows; of a Parquet file
        one with the same schema.

    Raises
    ------
    ArtifactError, FormatNumberError
        It is no compressed table, it is damaged, or a later version of isthmus wrote it.
    ParameterError
        It has not so many rows.
    """
    needed = fitted_in("read_rows", model)
    with contextlib.ExitStack() as stack:
        if isinstance(file, str | os.PathLike):
            source = Source(stack.enter_context(open(file, "rb")), os.fspath(file))
        else:
            source = Source(file, "the data")
        return b"".join(chosen_rows(source, opened(source), start, stop, needed))


def open_compressed(
    file: str | os.PathLike[str] | BinaryIO,
    mode: str = "rb",
    *,
    speed: str = "normal",
    verify: bool = True,
    model: Model = None,
    prior: bool = True,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> IO[Any]:
    r"""Open a compressed file as ``gzip.open`` and ``lzma.open`` do: what is read and written is the data.

    ``flush`` makes a chunk of what was written, so that a reader can have it. A file that was named takes its name when
    it is closed, and only if the ``with`` block ended without an error; an open file that was given is written to at
    once, and stays open.

    Parameters
    ----------
    file : path or binary file
        A compressed file.
    mode : {"rb", "wb", "xb", "rt", "wt", "xt"}, default="rb"
        Read, write, or write what must not exist yet; bytes or text. "r", "w" and "x" are for bytes.
    speed, verify, prior
        Of what is written, as :func:`compress` takes them.
    model : Codec or path, optional
        Of what is written and of what is read, as :func:`compress` and :func:`decompress` take it.
    encoding, errors, newline
        Of text, as :func:`open` takes them; text is UTF-8 by default.

    Returns
    -------
    file object
        It cannot be searched.

    Raises
    ------
    ParameterError
        There is no such mode.
    OutputExistsError
        The file exists, and the mode is "x".
    ArtifactError, FormatNumberError
        As in :func:`decompress`, when opening or while reading.

    Examples
    --------
    >>> import io, isthmus
    >>> kept = io.BytesIO()
    >>> with isthmus.open_compressed(kept, "wt") as file:
    ...     count = file.write("a line\n")
    >>> kept.seek(0)
    0
    >>> isthmus.open_compressed(kept, "rt").read()
    'a line\n'
    """
    action, kind = mode[:1], mode[1:] or "b"
    if action not in ("r", "w", "x") or kind not in ("b", "t"):
        raise checks.compressed_mode(mode)
    needed = fitted_in("open_compressed", model)
    how = {"speed": speed, "verify": verify, "model": needed, "prior": prior}
    binary: Any = _reader(file, needed) if action == "r" else _writer(file, action == "w", how)
    if kind == "b":
        return binary
    return _Text(binary, encoding or "utf-8", errors, newline)


def _reader(file: str | os.PathLike[str] | BinaryIO, model: Prior | None) -> IO[bytes]:
    if not isinstance(file, str | os.PathLike):
        return io.BufferedReader(Reader(file, model=model))
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open(file, "rb"))
        reader = io.BufferedReader(Reader(opened, label=os.fspath(file), closing=True, model=model))
        stack.pop_all()
    return reader


def _writer(file: str | os.PathLike[str] | BinaryIO, force: bool, how: dict[str, Any]) -> Writer:
    if not isinstance(file, str | os.PathLike):
        return Writer(file, **how)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(files.replacing(Path(file), force=force))
        writer = Writer(opened, label=os.fspath(file), **how)
        writer.ending = stack.pop_all()
    return writer


class _Text(io.TextIOWrapper):
    """Text of a compressed file, which is not taken for whole where a block ended with an error."""

    def __exit__(self, *raised: object) -> None:
        if raised[0] is not None and isinstance(self.buffer, Writer):
            self.buffer.abandon(*raised)
        else:
            self.close()

"""Data made smaller, in files that decode to the same bytes on any machine: see docs/format.md.

Nothing here needs torch: what a decoder computes before it knows a byte is integer arithmetic.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import IO, Any, BinaryIO

from isthmus import checks, files
from isthmus.coding.archive import Archive
from isthmus.coding.container import as_bytes
from isthmus.coding.stream import Reader, Writer

__all__ = ["Archive", "compress", "decompress", "open_compressed"]


def compress(data: Any, *, speed: str = "normal", verify: bool = True) -> bytes:
    """Return data in fewer bytes: a whole compressed file, which :func:`decompress` undoes.

    Nothing but isthmus is needed to decompress it. There is no encryption.

    Parameters
    ----------
    data : bytes or another object with the buffer protocol
        Any bytes; of an array those of its numbers, in C order, without its shape.
    speed : {"normal", "fast"}, default="normal"
        "fast" takes a fraction of the time and gives larger files. Up to 65,535 bytes there is one speed.
    verify : bool, default=True
        Whether what was coded is decoded again and compared, which takes as long again.

    Returns
    -------
    bytes
        At most 8 bytes more than the data where they have up to 65,535, else about 13 for each 256 KiB.

    Raises
    ------
    DataTypeError
        ``data`` are no bytes.
    """
    given = as_bytes("compress", data)
    compressed = io.BytesIO()
    with Writer(compressed, speed=speed, size=len(given), verify=verify) as writer:
        writer.write(given)
    return compressed.getvalue()


def decompress(data: Any, *, limit: int | None = None) -> bytes:
    """Return the data that :func:`compress` was given.

    Parameters
    ----------
    data : bytes or another object with the buffer protocol
        A whole compressed file.
    limit : int, optional
        Bytes that may come out: a few bytes from a stranger can stand for gigabytes.

    Raises
    ------
    ArtifactError
        The file is damaged, cut short, an archive, or none of isthmus.
    FormatNumberError
        A later version of isthmus wrote it.
    DataError
        More than ``limit`` bytes would come out.
    """
    compressed = io.BytesIO(as_bytes("decompress", data))
    with Reader(compressed) as reader:
        if limit is None:
            return reader.readall()
        found = io.BufferedReader(reader).read(limit + 1)
    if len(found) > limit:
        raise checks.too_long("the data", limit)
    return found


def open_compressed(
    file: str | os.PathLike[str] | BinaryIO,
    mode: str = "rb",
    *,
    speed: str = "normal",
    verify: bool = True,
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
    speed, verify
        Of what is written, as :func:`compress` takes them.
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
    binary: Any = _reader(file) if action == "r" else _writer(file, action == "w", speed, verify)
    if kind == "b":
        return binary
    return _Text(binary, encoding or "utf-8", errors, newline)


def _reader(file: str | os.PathLike[str] | BinaryIO) -> IO[bytes]:
    if not isinstance(file, str | os.PathLike):
        return io.BufferedReader(Reader(file))
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open(file, "rb"))
        reader = io.BufferedReader(Reader(opened, label=os.fspath(file), closing=True))
        stack.pop_all()
    return reader


def _writer(file: str | os.PathLike[str] | BinaryIO, force: bool, speed: str, verify: bool) -> Writer:
    if not isinstance(file, str | os.PathLike):
        return Writer(file, speed=speed, verify=verify)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(files.replacing(Path(file), force=force))
        writer = Writer(opened, speed=speed, verify=verify, label=os.fspath(file))
        writer.ending = stack.pop_all()
    return writer


class _Text(io.TextIOWrapper):
    """Text of a compressed file, which is not taken for whole where a block ended with an error."""

    def __exit__(self, *raised: object) -> None:
        if raised[0] is not None and isinstance(self.buffer, Writer):
            self.buffer.abandon(*raised)
        else:
            self.close()

"""What is in a file, and so what it is best coded as: a table, an array, a picture, or bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from isthmus.coding import contents
from isthmus.coding.arrays.content import ArrayContent, NoArray
from isthmus.coding.container import SMALL_LIMIT
from isthmus.coding.contents import THREADS, Content, Piece
from isthmus.coding.pictures import NoPixelsError
from isthmus.coding.pictures.stored import content_of, holds_pictures
from isthmus.coding.stream import compressed
from isthmus.coding.tables import NoTable, ParquetTable, TextTable, sniffed
from isthmus.idx import is_idx_name

__all__ = ["ARRAY", "AUTO", "BYTES", "KINDS", "TABLE", "Recognised", "kind_of", "recognised", "write_recognised"]

AUTO, BYTES, TABLE, ARRAY, PICTURE = "auto", "bytes", "table", "array", "picture"
KINDS = AUTO, BYTES, TABLE, ARRAY, PICTURE
SUFFIXES = dict.fromkeys((".csv", ".tsv", ".tab", ".parquet"), TABLE) | {".npy": ARRAY, ".png": PICTURE}
PARQUET = b"PAR1"  # that a Parquet file begins with
START = 1 << 20  # bytes that are looked at


class Recognised(NamedTuple):
    """What a file is coded as.

    Parameters
    ----------
    content : Content or None
        None is bytes.
    why_not : str or None
        Why it is not what its name says, or not within a bound but exact, as a clause about the file.
    """

    content: Content | None = None
    why_not: str | None = None


def kind_of(path: str | os.PathLike[str], content: str = AUTO) -> str:
    """Return what a file is coded as: what a person says, or what its name does, and the head of an IDX file."""
    if content != AUTO:
        return content
    if is_idx_name(os.path.basename(path)):
        return PICTURE if Path(path).suffix != ".gz" and holds_pictures(Path(path)) else BYTES
    return SUFFIXES.get(Path(path).suffix.lower(), BYTES)


def recognised(
    path: str | os.PathLike[str],
    file: BinaryIO,
    kind: str,
    *,
    bound: Mapping[str, Any] | None = None,
    prior: bool = True,
    threads: int = THREADS,
) -> Recognised:
    """Return what a file is coded as.

    Parameters
    ----------
    path : path
        Its name.
    file : binary file
        It, from its start; a content reads from it later, or has read it.
    kind : {"bytes", "table", "array", "picture"}
        What it should be.
    bound : mapping, optional
        ``max_error``, ``rel_error`` and ``fill`` of an array: see :func:`isthmus.coding.arrays.encode`.
    prior : bool, default=True
        Whether the prior that the package carries may be used.
    threads : int, default=2
        That may be used.
    """
    if kind == BYTES:
        return Recognised()
    if kind == ARRAY:
        array = ArrayContent.of_file(file, **(bound or {}), threads=threads)
        if isinstance(array, NoArray):
            file.seek(0)  # whoever codes it as bytes reads all of them
            return Recognised(why_not=array.why)
        return Recognised(array, array.why_exact)
    if kind == PICTURE:
        try:
            return Recognised(content_of(file))
        except NoPixelsError as error:
            return Recognised(why_not=f"it {error}")
        finally:
            file.seek(0)
    start = file.read(START)
    file.seek(0)
    found = _parquet(path, start, prior, threads) or sniffed(start)
    if isinstance(found, NoTable):
        return Recognised(why_not=found.why)
    return Recognised(found if isinstance(found, ParquetTable) else TextTable(file, prior=prior, threads=threads))


def _parquet(path: str | os.PathLike[str], start: bytes, prior: bool, threads: int) -> ParquetTable | NoTable | None:
    """Return what a Parquet file is coded as; None where it is none."""
    if Path(path).suffix.lower() != ".parquet" and not start.startswith(PARQUET):
        return None
    return ParquetTable.of(path, prior=prior, threads=threads)


def write_recognised(
    file: BinaryIO,
    content: Content,
    source: BinaryIO,
    *,
    size: int,
    name: str | None = None,
    verify: bool = True,
    prior: bool = True,
    threads: int = THREADS,
    label: str = "the data",
    done: Callable[[Piece, int], object] | None = None,
    whatever: bool = False,
) -> int:
    """Write what a file was recognised as, and return how many bytes that are: up to 65,535 as bytes if that is less.

    Parameters
    ----------
    file : binary file
        Where to.
    content : Content
        What it was recognised as, which reads from ``source``.
    source : binary file
        The file.
    size : int
        Its bytes.
    name, verify, threads, label, done
        As :func:`isthmus.coding.contents.write` takes them.
    prior : bool, default=True
        Whether the prior that the package carries may be used.
    whatever : bool, default=False
        Whether it is never written as bytes.
    """
    how: dict[str, Any] = {"name": name, "verify": verify, "threads": threads, "label": label, "done": done}
    how["short"] = size <= SMALL_LIMIT
    if not how["short"] or whatever or not content.is_exact:
        written = contents.write(file, content, **how)
        source.seek(0, io.SEEK_END)  # wherever the content has left it
        return written
    found = io.BytesIO()
    contents.write(found, content, **how)
    source.seek(0)
    as_bytes = compressed(source.read(), verify=verify, prior=prior)
    return file.write(min(found.getvalue(), as_bytes, key=len))

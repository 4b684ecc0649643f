"""What is in a file, and so what it is best coded as: a table, an array, or bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from isthmus.coding.arrays.content import ArrayContent, NoArray
from isthmus.coding.contents import Content
from isthmus.coding.tables import NoTable, TextTable, sniffed

__all__ = ["ARRAY", "AUTO", "BYTES", "KINDS", "Recognised", "kind_of", "recognised"]

AUTO, BYTES, TABLE, ARRAY = "auto", "bytes", "table", "array"
KINDS = AUTO, BYTES, TABLE, ARRAY
SUFFIXES = {".csv": TABLE, ".tsv": TABLE, ".tab": TABLE, ".npy": ARRAY}
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
    """Return what a file is coded as: what a person says, or what the ending of its name does."""
    return SUFFIXES.get(Path(path).suffix.lower(), BYTES) if content == AUTO else content


def recognised(file: BinaryIO, kind: str, **bound: Any) -> Recognised:
    """Return what a file is coded as.

    Parameters
    ----------
    file : binary file
        From its start; a content reads from it later, or has read it.
    kind : {"bytes", "table", "array"}
        What it should be.
    **bound
        ``max_error``, ``rel_error``, ``fill`` and ``threads`` of an array: see :func:`isthmus.coding.arrays.encode`.
    """
    if kind == ARRAY:
        array = ArrayContent.of_file(file, **bound)
        return Recognised(why_not=array.why) if isinstance(array, NoArray) else Recognised(array, array.why_exact)
    if kind != TABLE:
        return Recognised()
    start = file.read(START)
    file.seek(0)
    found = sniffed(start)
    return Recognised(why_not=found.why) if isinstance(found, NoTable) else Recognised(TextTable(file))

"""What is in a file, and so what it is best coded as: a table, or bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from isthmus.coding.contents import Content
from isthmus.coding.tables import NoTable, TextTable, sniffed

__all__ = ["AUTO", "BYTES", "KINDS", "Recognised", "recognised"]

AUTO, BYTES, TABLE = "auto", "bytes", "table"
KINDS = AUTO, BYTES, TABLE
SUFFIXES = {".csv": TABLE, ".tsv": TABLE, ".tab": TABLE}
START = 1 << 20  # bytes that are looked at


class Recognised(NamedTuple):
    """What a file is coded as.

    Parameters
    ----------
    content : Content or None
        None is bytes.
    why_not : str or None
        Why it is not what its name says, as a clause about the file.
    """

    content: Content | None = None
    why_not: str | None = None


def recognised(path: str | os.PathLike[str], file: BinaryIO, kind: str = AUTO) -> Recognised:
    """Return what a file is coded as.

    Parameters
    ----------
    path : path
        Its name.
    file : binary file
        It, from its start, where it is left; a content reads from it later.
    kind : {"auto", "bytes", "table"}, default="auto"
        What a person says that it is; "auto" goes by the ending of the name.
    """
    if (SUFFIXES.get(Path(path).suffix.lower(), BYTES) if kind == AUTO else kind) == BYTES:
        return Recognised()
    start = file.read(START)
    file.seek(0)
    found = sniffed(start)
    return Recognised(why_not=found.why) if isinstance(found, NoTable) else Recognised(TextTable(file))

"""Arrow IPC files and streams: ``.arrow``, ``.feather`` of version 2, ``.ipc``, ``.arrows``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isthmus.checks import data as checks
from isthmus.data.records import Data
from isthmus.data.tables import from_table

__all__ = ["from_arrow"]


def from_arrow(
    path: Path, *, columns: Sequence[str | int] | None = None, label_column: str | int | None = None
) -> Data:
    """Open an Arrow IPC file or stream as a table; it is read whole.

    Parameters
    ----------
    path : Path
        The file.
    columns, label_column
        As in :func:`isthmus.data.tables.from_table`.

    Raises
    ------
    DataError
        If it is truncated or damaged.
    """
    import pyarrow as pa

    try:
        with pa.OSFile(str(path)) as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            table = (pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)).read_all()
            table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise checks.unreadable_file(path, f"it is truncated or no Arrow file ({reason})") from error
    return from_table(table, source=path.name, container="files", columns=columns, label_column=label_column)

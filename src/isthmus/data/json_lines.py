"""JSON lines: a file with one object, which is one record, in each line.

Python parses the lines, since it keeps whole numbers exact and refuses lines that are not records. pyarrow.json
(26.0.1) makes them floats beside the first fraction or above 2^63, drops time zones, and crashes on a line that says
null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.checks import data as checks
from isthmus.data.reading import require_file
from isthmus.data.records import Data
from isthmus.data.tables import from_table
from isthmus.data.text import unpacked

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["from_json_lines"]

JSON_BYTES = 2**30


def from_json_lines(
    path: Path, *, columns: Sequence[str | int] | None = None, label_column: str | int | None = None
) -> Data:
    """Open a file of JSON lines as a table; a field that a record lacks is missing there.

    Parameters
    ----------
    path : Path
        The file; a name in ``.gz`` is unpacked.
    columns, label_column
        As in :func:`isthmus.data.tables.from_table`.

    Raises
    ------
    DataError
        If a line is no object; the sentence names it.
    DataTypeError
        If a field holds lists, objects, or values of several types.
    """
    packed = path.suffix.lower() == ".gz"
    if not packed and require_file(path).st_size > JSON_BYTES:
        raise checks.too_large(path, "it holds more JSON than is read at once", "1 GiB; write it as Parquet")
    content = bytes(unpacked(path, JSON_BYTES)) if packed else path.read_bytes()
    rows = [
        _record(path, number, line)
        for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1)
        if line and not line.isspace()
    ]
    table = _table(rows, path.name)
    table, dates = _dated(table)
    notes = [f"the texts of {', '.join(map(repr, dates))} are dates."] if dates else []
    return from_table(
        table, source=path.name, container="files", columns=columns, label_column=label_column, notes=notes
    )


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object of a line."""
    try:
        record = json.loads(line, object_pairs_hook=_fields)
    except RecursionError as error:
        raise checks.unreadable_file(path, f"line {number} is nested too deep") from error
    except ValueError as error:
        raise checks.unreadable_file(
            path, f"line {number} is no JSON object ({error}); write each record in a line of its own, as jq -c . does"
        ) from error
    if not isinstance(record, dict):
        raise checks.unreadable_file(path, f'line {number} is no JSON object, as in {{"height": 1.62}}')
    return record


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields; two of one name would hide a value."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field occurs twice")
    return fields


def _table(rows: list[dict[str, Any]], source: str) -> pa.Table:
    """Return records as a table."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = []
    for name in names:
        try:
            columns.append(pa.array([row.get(name) for row in rows]))
        except OverflowError as error:
            raise checks.too_wide(source, name, "whole numbers of more than 64 bits") from error
        except (pa.ArrowException, UnicodeError) as error:
            raise checks.column_values(source, name, str(error).splitlines()[0].rstrip(".")) from error
    try:
        return pa.table(columns, names=names)
    except UnicodeError as error:  # JSON can write halves of characters, which no encoding takes
        raise checks.unreadable_file(source, "the name of a field holds half a character") from error


def _dated(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """Return a table with columns of texts as dates, where every text is one as ISO 8601 writes it; and their names."""
    import pyarrow as pa

    dates = []
    for position, field in enumerate(table.schema):
        for kind in (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
            if not pa.types.is_string(field.type):
                break
            try:
                column = table.column(position).cast(kind)
            except pa.ArrowInvalid:
                continue
            table = table.set_column(position, field.name, column)
            dates.append(field.name)
            break
    return table, dates

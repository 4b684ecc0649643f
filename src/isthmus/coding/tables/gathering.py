"""The tables that a model learns from: of the same columns, written alike."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from isthmus import checks
from isthmus.coding.container import as_bytes
from isthmus.coding.sources import files_of, opened_file, watched_file
from isthmus.coding.tables.cells import Table
from isthmus.coding.tables.dialect import Dialect, NoTable
from isthmus.coding.tables.layout import MOST_BYTES, MOST_CELLS, MOST_ROWS
from isthmus.coding.tables.pieces import columns_of
from isthmus.coding.tables.rows import rows_of_groups
from isthmus.coding.tables.sniffing import sniffed
from isthmus.errors import IsthmusWarning

__all__ = ["Gathered", "gathered"]

LOOKED_AT, START = 16, 1 << 20  # tables, and bytes of each, that tell how all are written
QUOTE = b'"'  # that cells of later tables may stand in, though none does so far


@dataclass
class Gathered:
    """Tables of the same columns.

    Parameters
    ----------
    dialect : Dialect
        How they are written.
    columns : list of str
        The names of their columns.
    count : int
        Of the tables.
    tables : list of Table
        Groups of rows of them.
    is_full : bool
        Whether there were more than can be learned from.
    """

    dialect: Dialect
    columns: list[str] = field(default_factory=list)
    count: int = 0
    tables: list[Table] = field(default_factory=list)
    is_full: bool = False

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.n_rows for table in self.tables)

    def has_room(self, table: Table) -> bool:
        """Tell whether this one can be learned from, too."""
        rows, size = self.rows + table.n_rows, self.size + table.size
        return rows <= MOST_ROWS and rows * len(self.columns) <= MOST_CELLS and size <= MOST_BYTES

    @property
    def size(self) -> int:
        """Bytes of all tables."""
        return sum(table.size for table in self.tables)


def gathered(data: Any) -> Gathered:
    """Return tables.

    Parameters
    ----------
    data : path, bytes, or sequence of these
        Text tables: their bytes, files, and folders of files.

    Raises
    ------
    DataError
        There is none; or something is none, or has other columns than the first.
    """
    given = _given(data)
    if not given:
        raise checks.no_tables_to_learn()
    found = Gathered(_dialect_of(given))
    for label, one in given:
        with _opened(one) as file:
            _gather(found, label, file)
        if found.is_full:
            break
    return found


def _gather(found: Gathered, label: str, file: BinaryIO) -> None:
    """Add the groups of rows of a table, as far as there is room."""
    columns: list[str] = []
    for rows in rows_of_groups(file, dialect=found.dialect):
        table = rows.table()
        if isinstance(table, NoTable):
            raise checks.no_table_to_learn(label, table.why)
        columns = columns or columns_of(table.head, len(table.columns), found.dialect)
        found.columns = found.columns or columns
        if columns != found.columns:
            raise checks.table_of_other_columns(label, columns, found.columns)
        if not found.has_room(table):
            found.is_full = True
            break
        found.tables.append(table)
    found.count += 1
    if not columns:
        raise checks.no_table_to_learn(label, checks.table_without_rows())


def _given(data: Any) -> list[tuple[str, Path | bytes]]:
    """Return what sentences call each table, and its file or its bytes."""
    if isinstance(data, str | os.PathLike):
        found = files_of(data)
        if found.skipped:
            warnings.warn(IsthmusWarning(checks.skipped_when_learning(found.skipped)), stacklevel=4)
        return [(str(path), path) for path in found.files.values()]
    if isinstance(data, Sequence) and not isinstance(data, bytes | bytearray | memoryview):
        return [one for item in data for one in _given(item)]
    return [("the data", bytes(as_bytes("TableCodec.fit", data)))]


def _opened(one: Path | bytes) -> contextlib.AbstractContextManager[BinaryIO]:
    return io.BytesIO(one) if isinstance(one, bytes) else watched_file(one)


def _dialect_of(given: Sequence[tuple[str, Path | bytes]]) -> Dialect:
    """Return how most of the first tables are written; quotes are looked for, even where there are none so far."""
    counts: Counter[Dialect] = Counter()
    for label, one in given[:LOOKED_AT]:
        with _opened_start(one) as file:
            dialect = sniffed(file.read(START))
        if isinstance(dialect, NoTable):
            raise checks.no_table_to_learn(label, dialect.why)
        counts[replace(dialect, quote=dialect.quote or QUOTE)] += 1
    return counts.most_common(1)[0][0]


def _opened_start(one: Path | bytes) -> BinaryIO:
    return io.BytesIO(one) if isinstance(one, bytes) else opened_file(one)

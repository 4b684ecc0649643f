"""A table in a text file as a content of a stream, group of rows by group of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

import numpy as np

from isthmus.coding.container import Source, varint
from isthmus.coding.contents import TABLE, THREADS, Chosen, Making, Piece, Work
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.dialect import row_ends
from isthmus.coding.tables.layout import MOST_BYTES, Layout
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.pieces import Parts, columns_of, costs_of, payload_of
from isthmus.coding.tables.rows import Rows, Stretch, rows_of_groups

__all__ = ["TEXT", "DescribedText", "TextTable", "piece_of"]

TEXT = 0  # the kind of a table
BYTES, ROWS = 0, 1  # what a piece is
UNITS_LIMIT = 1 << 24
NO_TABLE = "rows that are no table"


class TextTable:
    """A table in a text file, such as CSV, as a content of a stream.

    Parameters
    ----------
    file : binary file
        Read from where it stands to its end, group by group.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """

    number, fingerprint, at_once, is_exact = TABLE, None, 1, True

    def __init__(self, file: BinaryIO, *, prior: bool = True, threads: int = THREADS) -> None:
        self._file, self._prior, self._threads = file, prior, threads

    def description(self) -> bytes:
        """Return the kind: each piece describes itself."""
        return varint(TEXT)

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces."""
        for rows in rows_of_groups(self._file):
            yield Making(len(rows.data), partial(piece_of, rows, prior=self._prior, threads=self._threads))


def piece_of(rows: Rows, *, prior: bool = True, threads: int = THREADS) -> Piece:
    """Return a piece of rows: planes and texts by column; of bytes that are no table, these.

    Parameters
    ----------
    rows : Rows
        What it is made of.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """
    data, group = rows.data, rows.group()
    if isinstance(group, Stretch):
        lines = min(data.count(b"\n"), UNITS_LIMIT)
        return Piece(lines, data, varint(BYTES) + packed(data, prior=prior), group.why)
    payload = payload_of(group.layout, group.texts, group.planes, prior=prior, threads=threads)
    return Piece(group.layout.n_rows, data, varint(ROWS) + payload)


class DescribedText:
    """A text table that is read.

    Parameters
    ----------
    name : str, default="the table"
        Of the file, for sentences.
    """

    kind, unit, at_once = "table", "row", 1

    def __init__(self, name: str = "the table") -> None:
        self._name = name
        self._names: list[str] = []  # of the columns; only the first group has them

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the text of a group of rows."""
        source = Source.of(payload, self._name)
        if at_most(source, ROWS, "kinds of pieces") == BYTES:
            data = unpacked(source, MOST_BYTES)
            if source.up_to(1):
                raise source.damaged("more follows the bytes of its rows")
            return data
        parts = Parts(source, Layout.read)
        return parts.layout.restored(parts.planes(units), parts.texts(), self._name)

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload by column."""
        parts = self._parts(payload)
        if parts is None:
            return {NO_TABLE: len(payload)}
        layout = parts.layout
        if len(self._names) != len(parts.sizes) or layout.names:
            self._names = columns_of(layout.head, len(layout.columns), layout.dialect, [NO_TABLE])
        return costs_of(payload, parts.sizes_by_column(), self._names)

    def instead(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield nothing for rows that are lost."""
        return iter(())

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file."""
        return pieces

    def chosen_as_file(self, first: bytes | None, chosen: Iterable[Chosen], rows: range) -> Iterator[bytes]:
        """Yield what stands before the first row of all, such as the names of columns, and some rows."""
        layout = self._layout(first) if first else None
        if layout is not None:
            yield layout.head
        for one in chosen:
            yield _lines(one, self._layout(one.payload) if one.payload else None)

    def _layout(self, payload: bytes) -> Layout | None:
        """Return what is known of a group of rows; None of bytes that are no table."""
        parts = self._parts(payload)
        return None if parts is None else parts.layout

    def _parts(self, payload: bytes) -> Parts[Layout] | None:
        """Return what stands in a payload before the planes; None of bytes that are no table."""
        source = Source.of(payload, self._name)
        is_table = at_most(source, ROWS, "kinds of pieces") == ROWS
        return Parts(source, Layout.read) if is_table else None


def _lines(chosen: Chosen, layout: Layout | None) -> bytes:
    """Return some rows of a group; of one that is no table some lines."""
    if layout is None:
        return b"".join(chosen.data.splitlines(keepends=True)[chosen.start : chosen.stop])
    start = len(layout.head)
    ends = row_ends(np.frombuffer(chosen.data, np.uint8)[start:], layout.dialect.within()) + start
    ends = ends[: chosen.units] + len(layout.dialect.newline)
    places = [start, *ends.tolist(), len(chosen.data)]
    return chosen.data[places[chosen.start] : places[min(chosen.stop, len(places) - 1)]]

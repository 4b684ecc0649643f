"""A text table that is coded with a model of tables with its columns, group of rows by group of rows.

What the model knows of a column is used as far as it holds. A column that is not like that of the model is described
anew, as those of tables without a model, and a group of rows that is no table of these columns as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, BinaryIO, Protocol, Self

import numpy as np

from isthmus import checks
from isthmus.coding import kinds
from isthmus.coding.container import SMALL_FINGERPRINT, Source, varint
from isthmus.coding.contents import TABLE, THREADS, Making, Piece, Work
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.cells import Table
from isthmus.coding.tables.columns import Column, Texts
from isthmus.coding.tables.dialect import NEWLINES, Dialect, NoTable
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.gathering import START
from isthmus.coding.tables.knowing import LearnedPlanes
from isthmus.coding.tables.known import Recorded, cells_of, unknown
from isthmus.coding.tables.layout import MOST_BYTES, MOST_CELLS, MOST_ROWS, Layout, column_of, fits, lengths
from isthmus.coding.tables.packing import at_most, lines, read_string, string
from isthmus.coding.tables.packing import cells_of as cells_in
from isthmus.coding.tables.pieces import DESCRIPTION, Parts, columns_of, costs_of, named, payload_of
from isthmus.coding.tables.planes import Integers
from isthmus.coding.tables.rows import Rows, rows_of_groups
from isthmus.coding.tables.sniffing import first_rows, newline_of, sniffed
from isthmus.coding.tables.text import DescribedText, TextTable, piece_of

__all__ = ["MODELLED", "DescribedModelled", "ModelledTable"]

MODELLED = 2  # the kind of a table
MODELLED_ROWS = 2  # what a piece is, besides those of a table without a model
SAME, NONE, OTHER = range(3)  # what stands before the rows: as in the model, nothing, something else
HOWS = 3 * 2 * len(NEWLINES)
UNKNOWN_CELLS = "cells that the model does not know"


class Model(Protocol):
    """What was learned from tables of the same columns."""

    layout: Layout
    planes: LearnedPlanes

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""

    @property
    def fingerprint(self) -> bytes:
        """What names it."""

    def recorded(self, table: Table) -> list[Recorded | None]:
        """Return the cells of each column of a table as far as it is like that of the model; None of others."""


class ModelledTable:
    """A text table as a content of a stream that is coded with a model. Make one with :meth:`of`.

    Parameters
    ----------
    file : binary file
        Read from where it stands to its end, group by group.
    model : Model
        Of tables with its columns.
    dialect : Dialect
        How it is written: as those of the model, but for newlines.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used, where something is coded without the model.
    """

    number, fingerprint, at_once, is_exact = TABLE, None, THREADS, True

    def __init__(
        self, file: BinaryIO, model: Model, dialect: Dialect, *, prior: bool = True, threads: int = THREADS
    ) -> None:
        self._file, self.model, self._dialect, self._prior, self._threads = file, model, dialect, prior, threads

    @classmethod
    def of(
        cls, file: BinaryIO, model: Model, label: str, *, prior: bool = True, threads: int = THREADS
    ) -> ModelledTable | TextTable | NoTable:
        """Return a file, from where it stands, as a content; as one without a model where it is written otherwise.

        Raises
        ------
        DataError
            It has other columns.
        """
        here, start = file.tell(), file.read(START)
        file.seek(here)
        dialect = replace(model.layout.dialect, newline=newline_of(start))
        if _columns(start, dialect) == model.columns:
            return cls(file, model, dialect, prior=prior, threads=threads)
        own = sniffed(start)
        if isinstance(own, NoTable):
            return own
        columns = _columns(start, own)
        if columns != model.columns:
            raise checks.table_of_other_columns(label, columns, model.columns)
        return TextTable(file, prior=prior, threads=threads)

    def description(self) -> bytes:
        """Return the kind, and what names the model."""
        return varint(MODELLED) + self.model.fingerprint[:SMALL_FINGERPRINT]

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces."""
        for rows in rows_of_groups(self._file, dialect=self._dialect):
            yield Making(len(rows.data), partial(self._piece, rows))

    def _piece(self, rows: Rows) -> Piece:
        """Return the piece of some rows: with the model, where they are written as those of its tables."""
        data, table = rows.data, rows.table()
        if isinstance(table, NoTable) or not self._is_alike(table):
            return piece_of(Rows(data, table), prior=self._prior, threads=self._threads)
        payload = payload_with(self.model, table, prior=self._prior, threads=self._threads)
        return Piece(table.n_rows, data, varint(MODELLED_ROWS) + payload)

    def _is_alike(self, table: Table) -> bool:
        """Tell whether rows are written as those of the tables of the model, in as many columns."""
        is_written_so = table.dialect.within() == self._dialect.within()
        return is_written_so and len(table.columns) == len(self.model.layout.columns)


def _columns(start: bytes, dialect: Dialect) -> list[str]:
    """Return the columns of a table that starts so; none where it is not written in the dialect."""
    table = first_rows(start, dialect)
    return [] if isinstance(table, NoTable) else columns_of(table.head, len(table.columns), dialect)


def payload_with(model: Model, table: Table, *, prior: bool, threads: int = THREADS) -> bytes:
    """Return a group of rows as it stands in a payload; parameters are those of :class:`ModelledTable`."""
    known, (before, behind) = model.recorded(table), _around(model.layout, table.dialect.newline)
    anew = [place for place, one in enumerate(known) if one is None]
    head = SAME if table.head == before else OTHER if table.head else NONE
    how = (NEWLINES.index(table.dialect.newline) * 3 + head) * 2 + (table.tail != behind)
    parts = [varint(how), varint(table.size)]
    parts += [string(table.head)] * (head == OTHER) + [string(table.tail)] * (how % 2)
    parts += [varint(len(anew)), *map(varint, anew)]
    if anew:
        parts.append(string(_anew(table, anew, prior, threads)))
    parts.append(packed(lines([cell for one in known if one for cell in one.others]), prior=prior))
    return b"".join(parts) + model.planes.encode([one and one.values for one in known], table.n_rows)


def _around(layout: Layout, newline: bytes) -> tuple[bytes, bytes]:
    """Return what stands before and behind the rows of most tables of a model, which may have other newlines."""
    known = layout.dialect.newline
    return layout.head.replace(known, newline), layout.tail.replace(known, newline)


def _anew(table: Table, places: Sequence[int], prior: bool, threads: int) -> bytes:
    """Return the payload of some columns of a table without a model."""
    columns, texts, planes, before = [], [], [], np.zeros(table.n_rows, np.int64)
    for place, cells in enumerate(table.columns):
        distinct = Distinct.of(cells)
        if place in places:
            column, its, text, _ = column_of(distinct, table, place, before)
            columns.append(column)
            texts.append(text)
            planes.append(its)
        before = lengths(distinct)
    layout = Layout(table.dialect.within(), table.n_rows, table.size, b"", b"", tuple(columns))
    return payload_of(layout, texts, planes, prior=prior, threads=threads)


@dataclass(frozen=True)
class _Frame:
    """What stands before the cells in a payload, and around the rows in the text.

    Parameters
    ----------
    layout : Layout
        Of the group; of no columns.
    places : tuple of int
        Of the columns that are described anew.
    anew : bytes
        What :func:`_anew` made of them.
    """

    layout: Layout
    places: tuple[int, ...]
    anew: bytes

    @classmethod
    def read(cls, source: Source, model: Model, units: int) -> Self:
        """Return what a payload says, behind its first number.

        Raises
        ------
        ArtifactError
            It is none.
        """
        how, size = at_most(source, HOWS - 1, "as the number of its frame"), at_most(source, MOST_BYTES, "bytes")
        newline, head = divmod(how >> 1, 3)
        dialect = replace(model.layout.dialect, newline=NEWLINES[newline])
        before, behind = _around(model.layout, dialect.newline)
        before = read_string(source, size) if head == OTHER else before if head == SAME else b""
        behind = read_string(source, size) if how & 1 else behind
        count = len(model.layout.columns)
        places = [at_most(source, count - 1, "columns") for _ in range(at_most(source, count, "columns"))]
        if places != sorted(set(places)):
            raise source.damaged("columns that it describes are in no order")
        anew = read_string(source, MOST_BYTES) if places else b""
        dialect = dialect if head != NONE else dialect.within()
        return cls(Layout(dialect, units, size, before, behind, ()), tuple(places), anew)


class DescribedModelled(DescribedText):
    """A text table that is read with the model that it was coded with.

    Parameters
    ----------
    name : str
        Of the file, for sentences.
    model : Model
        The model.
    """

    at_once = THREADS

    def __init__(self, name: str, model: Model) -> None:
        super().__init__(name)
        self.model, self.needs = model, model.fingerprint

    @classmethod
    def read(cls, source: Source, model: Any) -> DescribedText:
        """Return the table that a description tells of, behind its kind.

        Raises
        ------
        ArtifactError
            It needs another model.
        """
        named = source.take(SMALL_FINGERPRINT)
        if model is kinds.ANY:
            return DescribedElsewhere(source.name, named)
        given = getattr(model, "fingerprint", None)
        if given is None or not given.startswith(named) or model.content != "tables":
            raise checks.needs_model(source.name, named.hex(), None if given is None else given.hex())
        return cls(source.name, model)

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the text of a group of rows."""
        source = self._modelled(payload)
        if source is None:
            return super().data(units, payload)
        columns = self.model.layout.columns
        if not 0 < units <= MOST_ROWS or units * len(columns) > max(MOST_CELLS, len(columns)):
            raise source.damaged(f"a group in it would have {units:,} rows")
        frame = _Frame.read(source, self.model, units)
        anew = self._anew(frame, units)
        text = unpacked(source, MOST_BYTES)
        values = self.model.planes.decode(source, [place not in anew for place in range(len(columns))], units)
        if source.up_to(1):
            raise source.damaged("more follows the last of its columns")
        known = {k: column for k, column in enumerate(columns) if k not in anew}
        found = {k: (column, cells, its) for k, (column, cells, its) in anew.items()}
        for k, cells in self._cells(known, values, text, units).items():
            found[k] = (known[k], cells, values[k])
        ordered = [found[k] for k in range(len(columns))]
        layout = replace(frame.layout, columns=tuple(column for column, _, _ in ordered))
        return layout.written((cells for _, cells, _ in ordered), [its for *_, its in ordered], self._name)

    def _anew(self, frame: _Frame, units: int) -> dict[int, tuple[Column, Distinct, Sequence[Integers]]]:
        """Return the columns that are described anew, with their cells and the values of their planes."""
        if not frame.places:
            return {}
        parts = Parts(Source.of(frame.anew, self._name), Layout.read)
        values = parts.planes(units)
        if len(parts.layout.columns) != len(frame.places) or parts.layout.size != frame.layout.size:
            raise checks.damaged(self._name, "it describes other columns anew than it names")
        cells = parts.layout.cells(values, parts.texts(), self._name)
        found = zip(parts.layout.columns, cells, values, strict=True)
        return dict(zip(frame.places, found, strict=True))

    def _cells(
        self, columns: Mapping[int, Column], values: Sequence[Sequence[Integers]], text: bytes, units: int
    ) -> dict[int, Distinct]:
        """Return the cells of columns that the model knows; text has those that it does not."""
        counts = {}
        for place, column in columns.items():
            if not all(fits(form, plane, units) for form, plane in zip(column.forms, values[place], strict=True)):
                raise checks.damaged(self._name, "a value of a column is none that it can have")
            counts[place] = units if isinstance(column.kind, Texts) else int(unknown(column, values[place]).sum())
        others = cells_in(text, sum(counts.values()))
        if others is None:
            raise checks.damaged(self._name, "a column has not as many cells as there are rows")
        rest, found = iter(others), {}
        for place, column in columns.items():
            own = list(islice(rest, counts[place]))
            found[place] = cells_of(column, values[place], own, self.model.layout.dialect)
        return found

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload by column."""
        source = self._modelled(payload)
        if source is None:
            return super().costs(payload)
        frame = _Frame.read(source, self.model, 0)
        before = source.position
        unpacked(source, MOST_BYTES)
        text = source.position - before
        anew = frame.places and Parts(Source.of(frame.anew, self._name), Layout.read).sizes_by_column()
        sizes = self.model.planes.sizes(source, [k not in frame.places for k in range(len(self.model.columns))])
        for place, size in zip(frame.places, anew, strict=True):
            sizes[place] = size
        shown = costs_of(payload, sizes, named(self.model.columns, [UNKNOWN_CELLS]))
        return {**shown, DESCRIPTION: shown[DESCRIPTION] - text, UNKNOWN_CELLS: text}

    def _layout(self, payload: bytes) -> Layout | None:
        """Return what is known of a group of rows around its cells; None of bytes that are no table."""
        source = self._modelled(payload)
        return super()._layout(payload) if source is None else _Frame.read(source, self.model, 0).layout

    def _modelled(self, payload: bytes) -> Source | None:
        """Return what follows the first number of a payload; None where it was coded without the model."""
        source = Source.of(payload, self._name)
        return source if source.varint() == MODELLED_ROWS else None


class DescribedElsewhere(DescribedText):
    """A text table of which nothing can be had but what it is, since its model is not there.

    Parameters
    ----------
    name : str
        Of the file, for sentences.
    needs : bytes
        What names the model.
    """

    def __init__(self, name: str, needs: bytes) -> None:
        super().__init__(name)
        self.needs = needs

    def data(self, units: int, payload: bytes) -> bytes:
        """Refuse: only the model knows."""
        raise checks.needs_model(self._name, self.needs.hex(), None)

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return nothing: only the model knows."""
        return {}

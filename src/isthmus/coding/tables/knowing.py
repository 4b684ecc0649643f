"""What a model knows of the planes of its tables: in which order they are coded, with what, and what coders learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source
from isthmus.coding.contents import side_by_side
from isthmus.coding.learned import Start, shapes
from isthmus.coding.lending import Lender
from isthmus.coding.scheme import Scheme
from isthmus.coding.tables.coding import Split, with_values
from isthmus.coding.tables.packing import string
from isthmus.coding.tables.plan import Plan, scheme_of
from isthmus.coding.tables.planes import Form, Integers
from isthmus.coding.values import ValueCoder

__all__ = ["Columns", "LearnedPlanes", "Schemes", "within"]

Values = NDArray[np.int64]
Columns = Sequence[Sequence[Integers] | None]  # the values of the planes of each; None where they are not coded here


class Schemes:
    """How each plane of tables of the same columns is predicted.

    Parameters
    ----------
    columns : sequence of sequence of Form
        The planes of each column.
    plans : mapping of int to Plan
        Of each plane, in their order.
    rows : int
        For which the tables of coders are made.
    """

    def __init__(self, columns: Sequence[Sequence[Form]], plans: Mapping[int, Plan], rows: int) -> None:
        self.columns, self.plans, self.rows = columns, plans, rows
        self.split = split = Split.of(columns)
        order = list(plans)
        self.sides = {plane: [order[place] for place in plan.planes] for plane, plan in plans.items()}
        self.of: dict[int, Scheme] = {}
        for plane, plan in plans.items():
            form = split.forms[plane]
            if form.size > 1:
                forms = {place: split.forms[order[place]] for place in plan.planes}
                self.of[plane] = scheme_of(plan, form, forms, rows)

    @property
    def size(self) -> int:
        """Bytes of what coders learn."""
        return sum(map(_size_of, self.of.values()))

    def cut(self, columns: Columns) -> dict[int, Values]:
        """Return the values of the planes of columns that are coded here, by number."""
        found: dict[int, Values] = {}
        for column, forms, places in zip(columns, self.columns, self.split.columns, strict=True):
            if column is not None:
                planes = [form.filled(values) for form, values in zip(forms, column, strict=True)]
                parts = Split.of([forms]).cut([planes])
                found |= dict(zip((plane for some in places for plane in some), parts, strict=True))
        return found

    def sequence(self, plane: int, values: Mapping[int, Values], rows: int) -> tuple[Any, list[Values]]:
        """Return the rows in which a plane has a value, and the sides there; a column that is not here is all zeros."""
        zeros = np.zeros(rows, np.int64)
        there = with_values(self.split.forms[plane], values, slice(0, rows))
        return there, [np.ascontiguousarray(values.get(side, zeros)[there]) for side in self.sides[plane]]

    def learn(self, tables: Sequence[Columns], threads: int, done: Callable[[], object]) -> dict[int, Start]:
        """Return what the coder of each plane learns from tables; ``done`` is called after each."""
        cut = [self.cut(columns) for columns in tables]

        def learned(plane: int) -> Start:
            coder = ValueCoder(self.of[plane], len(self.sides[plane]))
            for values in cut:
                if plane in values:
                    there, sides = self.sequence(plane, values, len(values[plane]))
                    coder.learn(np.array(values[plane][there]), sides)
            return Start(coder.scheme, coder.learned())

        starts = {}
        for plane, start in zip(self.of, side_by_side(self.of, learned, threads), strict=True):
            starts[plane] = start
            done()
        return starts


def within(columns: Sequence[Sequence[Form]], plans: Mapping[int, Plan], rows: int, limit: int) -> Schemes:
    """Return schemes of which the coders learn so many bytes at most, where that can be: for rows, or for fewer."""
    schemes = Schemes(columns, plans, rows)
    while schemes.size > limit and schemes.rows > 1:
        schemes = Schemes(columns, plans, schemes.rows // 2)
    return schemes


def _size_of(scheme: Scheme) -> int:
    return sum(prod(shape) * np.dtype(kind).itemsize for kind, shape in shapes(scheme).values())


class LearnedPlanes:
    """Codes the planes of tables with what was learned.

    Parameters
    ----------
    schemes : Schemes
        How planes are predicted.
    starts : mapping of int to Start
        What each coder learned.
    """

    def __init__(self, schemes: Schemes, starts: Mapping[int, Start]) -> None:
        self.schemes, self.starts = schemes, starts
        self._lenders = {plane: Lender(start, len(schemes.sides[plane])) for plane, start in starts.items()}

    def encode(self, columns: Columns, rows: int) -> bytes:
        """Return the payload of each plane of the columns that are coded here, behind its size."""
        values, found = self.schemes.cut(columns), []
        for plane in self._coded(values):
            there, sides = self.schemes.sequence(plane, values, rows)
            own = np.array(values[plane][there])
            with self._lenders[plane].coder() as coder:
                found.append(string(coder.encode(own, sides) if len(own) else b""))
        return b"".join(found)

    def decode(self, source: Source, is_here: Sequence[bool], rows: int) -> list[list[Integers]]:
        """Return the values of the planes of each column, none of those that are not here.

        Raises
        ------
        ValueError, ArtifactError
            No rows have these payloads.
        """
        split = self.schemes.split
        pairs = zip(split.columns, is_here, strict=True)
        planes = [plane for column, here in pairs if here for part in column for plane in part]
        values = {plane: np.zeros(rows, np.int64) for plane in planes}
        for plane in self._coded(values):
            there, sides = self.schemes.sequence(plane, values, rows)
            count, payload = len(values[plane][there]), source.take(source.varint())
            with self._lenders[plane].coder() as coder:
                if count:
                    values[plane][there] = coder.decode(payload, count, sides)
                elif payload:
                    raise source.damaged("a plane of it has a payload, and no value")
        zeros = np.zeros(rows, np.int64)
        joined = split.joined([values.get(plane, zeros) for plane in range(len(split.forms))])
        return [found if here else [] for found, here in zip(joined, is_here, strict=True)]

    def sizes(self, source: Source, is_here: Sequence[bool]) -> list[int]:
        """Return the bytes that the planes of each column take in what :meth:`encode` wrote."""
        columns = self.schemes.split.columns
        column_of = {plane: k for k, column in enumerate(columns) for part in column for plane in part}
        found = [0] * len(columns)
        for plane in self.schemes.of:
            if is_here[column_of[plane]]:
                size = source.varint()
                source.seek(source.position + size)
                found[column_of[plane]] += size
        return found

    def _coded(self, values: Mapping[int, Values]) -> list[int]:
        """Return the planes that are coded, in order."""
        return [plane for plane in self.schemes.of if plane in values]

"""Columns that were seen before, in other tables: what they were then serves for new cells, whatever these are.

Each has a place for cells that it does not know. It is that of the last of its categories, or of what stands where a
number is missing, which is never written: such cells stand in the file as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.tables.cells import Table
from isthmus.coding.tables.columns import Categories, Column, Numbers, Texts
from isthmus.coding.tables.dialect import Dialect
from isthmus.coding.tables.distinct import Distinct, spread
from isthmus.coding.tables.layout import lengths
from isthmus.coding.tables.numbering import NUMBER
from isthmus.coding.tables.planes import Integers
from isthmus.coding.tables.scales import Levels, Steps

__all__ = ["Recorded", "cells_of", "opened", "recorded", "unknown"]

OTHER = b""  # stands for a cell that has no other place
ONCE = 1 / 32  # share of rows with a number that no other row has, above which numbers that are not listed will come
FEW, SHARE = 32, 2  # cells that a column may not know: so many in any case, and this part of all

Values = Sequence[Integers]


class Recorded(NamedTuple):
    """The cells of a column as it was seen before.

    Parameters
    ----------
    values : list of NDArray
        Of each plane.
    others : list of bytes
        The cells that it does not know, in the order of rows; all cells of a column of text.
    """

    values: list[Integers]
    others: list[bytes]


def opened(column: Column, cells: Distinct) -> Column:
    """Return a column with a place for cells that are not among those that it was made of.

    Of numbers at equal distances it has as many again on either side. Numbers that are listed stay a list only where
    few of them stand in one row: the share of rows that do is the chance that the next is a new one (Good, "The
    population frequencies of species and the estimation of population parameters", Biometrika 40, 1953).
    """
    kind = column.kind
    if isinstance(kind, Texts):
        return column
    if isinstance(kind, Categories):
        return replace(column, kind=replace(kind, cells=(*kind.cells, OTHER)))
    once = np.count_nonzero(cells.counts == 1) / cells.n_rows
    scale = kind.scale
    if isinstance(scale, Levels) and once > ONCE:
        scale = scale.between()
    if isinstance(scale, Steps):
        scale = scale.wider()
    return replace(column, kind=replace(kind, scale=scale, exceptions=(*kind.exceptions, OTHER)))


def recorded(column: Column, table: Table, place: int, before: NDArray[np.int64]) -> Recorded | None:
    """Return the cells of a column of a table as those of one that was seen before.

    Parameters
    ----------
    column : Column
        As :func:`opened` returned it.
    table : Table
        Written in the dialect of the column.
    place : int
        Of the column in the table.
    before : NDArray[np.int64]
        Lengths of the cells in the column before it.

    Returns
    -------
    Recorded or None
        None where it is better described anew: most cells are unknown, or they are quoted or spaced by no rule of it.
    """
    cells = Distinct.of(table.columns[place])
    parted = (cells, []) if column.quoting is None else column.quoting.parted(cells, table.dialect)
    spaces: list[Integers] | None = []
    if column.spacing is not None and table.gaps is not None:
        spaces = column.spacing.misfits(table.gaps[place], lengths(cells), before)
    if parted is None or spaces is None:
        return None
    contents, quotes = parted
    if isinstance(column.kind, Texts):
        return Recorded([*quotes, *spaces], spread(contents.cells, contents.codes))
    kind = column.kind
    values = _numbers(kind, contents) if isinstance(kind, Numbers) else _categories(kind, contents)
    rows = np.flatnonzero(unknown(column, values))
    if len(rows) > max(FEW, contents.n_rows // SHARE):
        return None
    return Recorded([*values, *quotes, *spaces], spread(contents.cells, contents.codes[rows]))


def unknown(column: Column, values: Values) -> NDArray[np.bool_]:
    """Return which rows have a cell that stands in the file as it is, given the values of all planes or the first."""
    kind = column.kind
    if isinstance(kind, Categories):
        return values[0] == len(kind.cells) - 1
    if isinstance(kind, Numbers):
        return values[0] == (len(kind.exceptions) if kind.apart else len(kind.exceptions) - 1)
    raise TypeError("all cells of a column of text stand in the file as they are")


def cells_of(column: Column, values: Values, others: list[bytes], dialect: Dialect) -> Distinct:
    """Return the cells of a column as they are written, given the values of its planes and those it does not know."""
    kind = column.kind
    if isinstance(kind, Texts):
        contents = Distinct(others, np.arange(len(others), dtype=np.int32))
    else:
        there = kind.contents(values[: len(kind.forms)], b"", len(values[0]))
        rows = unknown(column, values)
        codes = np.where(rows, len(there.cells) + np.cumsum(rows) - 1, there.codes)
        contents = Distinct([*there.cells, *others], codes)
    if column.quoting is None:
        return contents
    return column.quoting.cells(contents, values[len(kind.forms) :], dialect)


def _categories(kind: Categories, contents: Distinct) -> list[Integers]:
    """Return the values of the plane of categories."""
    order = {cell: number for number, cell in enumerate(kind.cells[:-1])}
    codes = np.array([order.get(cell, len(order)) for cell in contents.cells], np.int64)
    return [codes[contents.codes]]


def _numbers(kind: Numbers, contents: Distinct) -> list[Integers]:
    """Return the values of the planes of numbers."""
    reading = kind.notation.reading(contents.cells)
    known = reading.known & kind.scale.holds(reading.values)
    order = {cell: number for number, cell in enumerate(kind.exceptions[:-1])}
    exceptions = np.array([order.get(cell, len(order)) for cell in contents.cells], np.int64)
    planes = kind.numbering.planes(
        np.where(known, reading.values, kind.scale.low),
        np.where(known, NUMBER, exceptions),
        np.where(known, reading.variants, 0),
        contents.codes,
    )
    return [plane.values for plane in planes]

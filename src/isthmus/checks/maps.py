"""Error messages about maps: the neighbour graph, the measures of a map, its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = [
    "check_map",
    "check_new_points",
    "colours_can_be_told",
    "is_drawn_already",
    "needs_flat_codes",
    "no_such_colour",
    "one_colour_a_record",
]


def check_map(owner: str, records: NDArray[Any], points: NDArray[Any], k: int) -> None:
    """Refuse records and points of which there is not one each, and too few of them for k neighbours."""
    if records.ndim != 2 or points.ndim != 2 or len(records) != len(points):
        raise ShapeError(
            f"{owner}: records and points must be rows of numbers, one point a record; their shapes are "
            f"{records.shape} and {points.shape}."
        )
    _finite_rows(owner, "records", records)
    _finite_rows(owner, "points", points)
    if not 1 <= k < len(records) / 2:
        raise ParameterError(
            f"{owner}: k must be at least 1 and less than half of the {len(records):,} records; it is {k}. "
            f"Ask for fewer neighbours, or judge more records."
        )


def check_new_points(
    owner: str,
    points: NDArray[Any],
    labels: NDArray[Any],
    new_points: NDArray[Any],
    new_labels: NDArray[Any],
    k: int,
) -> None:
    """Refuse points of several widths, labels of another number, and fewer known points than vote."""
    if points.ndim != 2 or new_points.ndim != 2 or points.shape[1] != new_points.shape[1]:
        raise ShapeError(
            f"{owner}: known and new points must be rows of equally many numbers; their shapes are {points.shape} and "
            f"{new_points.shape}."
        )
    for name, its, rows in (("known", labels, points), ("new", new_labels, new_points)):
        if its.shape != (len(rows),):
            raise ShapeError(
                f"{owner}: labels must be one a record; there are {len(rows):,} {name} points, and the shape of their "
                f"labels is {its.shape}."
            )
    _finite_rows(owner, "points", points)
    _finite_rows(owner, "new_points", new_points)
    if not 1 <= k <= len(points):
        raise ParameterError(
            f"{owner}: k must be at least 1 and at most the number of known points, {len(points):,}; it is {k}."
        )


def _finite_rows(owner: str, name: str, rows: NDArray[Any]) -> None:
    """Refuse numbers that are not finite, by the first row that has one."""
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise DataError(
            f"{owner}: {name} must be finite numbers; row {bad[0]} has NaN or infinity, and so have {len(bad):,} of "
            f"{len(rows):,}. Leave these rows out."
        )


def is_drawn_already(pairs: Sequence[str]) -> None:
    """Refuse parameters of a map that is there already."""
    if pairs:
        raise ParameterError(
            f"map: --set {pairs[0]} goes with learning a map, and the file given with --model has one; leave one out."
        )


def needs_flat_codes(owner: str, model: str, shape: Sequence[int | None]) -> None:
    """Refuse a model whose codes differ in size."""
    if None in shape:
        raise ParameterError(
            f"{owner}: the codes of this {model} are as large as its pictures, which differ; give a model that was "
            f"fitted on pictures of one size, or leave --model out."
        )


def no_such_colour(name: str, names: Sequence[str]) -> ParameterError:
    """Return the refusal of a colour that is neither a column nor a file."""
    known = f"its columns are {', '.join(map(repr, names[:20]))}" if names else "they have no columns"
    return ParameterError(
        f"--colour must name columns of DATA, or a file with one row a record; {name!r} is neither ({known})."
    )


def one_colour_a_record(path: str, rows: int, n: int) -> None:
    """Refuse a file that belongs to other records."""
    if rows != n:
        raise ParameterError(
            f"--colour: {path} must have one row a record; it has {rows:,}, and there are {n:,} records."
        )


def colours_can_be_told(name: str, usable: int) -> None:
    """Refuse values that no palette tells apart."""
    if not usable:
        raise ParameterError(
            f"--colour: {name!r} has too many different texts to tell apart; name a column of numbers, or of at most "
            f"250 classes, each with several records."
        )

"""Sentences about maps: the neighbour graph, the figures of a map, what is drawn beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = ["check_map", "check_new_points"]


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

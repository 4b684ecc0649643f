"""Sentences about tasks: what a model must be able to do, and what a mask must look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = ["can", "different_picture_sizes", "mask_columns", "mask_kind", "mask_shape", "mask_wanted", "no_inpainting"]


def can(task: str, model: Any, *methods: str) -> None:  # noqa: ANN401
    """Refuse a model that lacks a method that a task needs."""
    for method in methods:
        if not callable(getattr(model, method, None)):
            raise ParameterError(
                f"{task}: the model must have the method {method}(), which {type(model).__name__} does not have; "
                f"every model of isthmus that decodes its code has it."
            )


def no_inpainting(kind: str) -> DataError:
    """Return the error for records that have no cells to fill."""
    return DataError(f"inpaint: cells of arrays, images and tables can be filled; the data are of kind {kind!r}.")


def mask_wanted(source: str, kind: str) -> ParameterError:
    """Return the error for data whose holes nobody marked."""
    what = "an image" if kind == "image" else "an array"
    return ParameterError(
        f"inpaint: {source} is of kind {kind!r} and has no empty cells of its own, so mask must say what to fill; "
        f"pass {what} of the records' shape that is not zero where values are missing."
    )


def mask_shape(found: Sequence[int], record: Sequence[int | None], n: int) -> ShapeError:
    """Return the error for a mask that fits neither one record nor all of them."""
    one = tuple("any" if side is None else side for side in record)
    allowed = f"{_shape(one)} (the same cells of every record) or {_shape((n, *one))} (cells of each record)"
    return ShapeError(f"inpaint: mask must have the shape {allowed}; its shape is {_shape(found)}.")


def different_picture_sizes(index: int, found: Sequence[int], wanted: Sequence[int]) -> ShapeError:
    """Return the error for one mask of a list that does not fit its picture."""
    return ShapeError(
        f"inpaint: mask {index} must have the height and width of its picture, {_shape(wanted[:2])}; "
        f"it is {_shape(found[:2])}."
    )


def mask_columns(missing: Sequence[str]) -> DataError:
    """Return the error for a table of marks without a column of the data."""
    return DataError(f"inpaint: mask must have every column of the data; it lacks {', '.join(map(repr, missing[:5]))}.")


def mask_kind(kind: str, wanted: str) -> DataError:
    """Return the error for a mask that is no array of marks."""
    return DataError(f"inpaint: mask must be {wanted}; it is of kind {kind!r}.")


def _shape(sides: Sequence[Any]) -> str:
    return "(" + ", ".join(map(str, sides)) + ("," if len(sides) == 1 else "") + ")"

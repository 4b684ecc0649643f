"""Stacks: pictures of one kind and size, coded as one tall picture, so that what one has shown helps with the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.pictures.layout import ROW_LIMIT, Layout, Survey
from isthmus.coding.pictures.schemes import STACK
from isthmus.coding.pictures.strips import UNITS_LIMIT, Coding, Model, same_type

__all__ = ["as_stack", "as_the_model", "coding_of_stack", "surveyed"]

PIXELS = 1 << 22  # of a strip of a stack, at most, if it has more than a picture
CUT = 1 << 17  # pixels of a stack that is cut in two, so that two threads have work


def as_stack(array: Any) -> NDArray[Any]:
    """Return an array that can be a stack, as it is: (n, height, width) or (n, height, width, channels).

    Raises
    ------
    ShapeError
        It has other axes, no channels, or pictures that are too large.
    """
    found = np.asarray(array)
    if found.ndim not in (3, 4) or 0 in found.shape[1:]:
        raise checks.no_stack(found.shape)
    pixels = found.shape[1] * found.shape[2]
    if pixels > UNITS_LIMIT:
        raise checks.pictures_too_large(found.shape[1:], UNITS_LIMIT)
    row = found.itemsize * found.shape[2] * (found.shape[3] if found.ndim == 4 else 1)
    if row > ROW_LIMIT:
        raise checks.rows_too_long(row, ROW_LIMIT)
    return found


def surveyed(stack: NDArray[Any]) -> Layout:
    """Return how the pixels of a stack become planes."""
    count, height, width = stack.shape[:3]
    survey = Survey(stack.dtype, stack.shape[3] if stack.ndim == 4 else 0)
    at_once = max(1, ROW_LIMIT // max(1, stack[:1].nbytes))
    for start in range(0, count, at_once):
        survey.add(stack[start : start + at_once])
    return survey.layouts(count * height, width)[-1]


def coding_of_stack(
    stack: NDArray[Any], model: Model | None, pictures: int | None = None, *, name: str = "stack"
) -> Coding:
    """Return how a stack is coded.

    Parameters
    ----------
    stack : ndarray
        As :func:`as_stack` returns it.
    model : Model, optional
        With what coders begin.
    pictures : int, optional
        In a strip; as many as fit, but at least two strips, where it is not given.
    name : str, default="stack"
        What sentences call it.

    Raises
    ------
    ShapeError, DataTypeError, DataError
        The model is for other pictures.
    """
    count, height, width = stack.shape[:3]
    layout = surveyed(stack)
    if model is not None:
        layout = as_the_model(layout, height, model, name)
    each = height * width
    strips = max(-(-count * each // max(PIXELS, each)), 2 if count * each >= CUT else 1)
    at_once = min(pictures or -(-count // strips), UNITS_LIMIT // each)
    return Coding(layout, STACK, max(1, at_once) * height, height, model)


def as_the_model(layout: Layout, height: int, model: Model, name: str) -> Layout:
    """Return the layout of pictures of a height with the levels of the model's.

    Raises
    ------
    ShapeError, DataTypeError, DataError
        The model is for other pictures.
    """
    known = model.layout
    if (height, layout.width, layout.channels) != (known.height, known.width, known.channels):
        raise checks.pictures_of_another_size(name, (height, *layout.shape[1:]), known.shape)
    if not same_type(layout.dtype, known.dtype):
        raise checks.pictures_of_another_type(name, layout.dtype, known.dtype)
    for own, learned in zip(layout.levels, known.levels, strict=True):
        if layout.height and not learned.holds(own):
            raise checks.unseen_samples(name)
    return Layout(layout.dtype, layout.height, known.width, known.channels, known.colours, known.levels)

"""Checks of preprocessing's parameters, records and stored states, and their error messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ArtifactError, DataError, DataTypeError, ParameterError, ShapeError

__all__ = [
    "check_affine_state",
    "check_categories",
    "check_channels",
    "check_codes_state",
    "check_columns",
    "check_finite_range",
    "check_image_units",
    "check_kind_state",
    "check_longest_state",
    "check_missing",
    "check_round_trip",
    "check_scaling",
    "check_shape_state",
    "check_some_fields",
    "check_state",
    "check_text_length",
    "check_width",
    "refuse_beyond_float32",
    "refuse_column_type",
    "refuse_image_rank",
    "refuse_missing_cell",
    "refuse_quantiles_without_data",
    "refuse_state",
]

LONGEST = 2**28  # bytes of a text, numbers along a side
SAID = 8  # columns that a sentence says the reason of, at most


def check_scaling(owner: str, scaling: str, allowed: Sequence[str]) -> None:
    """Refuse a scaling that this kind of data does not have."""
    if scaling not in allowed:
        raise ParameterError(f"{owner}: scaling must be one of {', '.join(map(repr, allowed))}; got {scaling!r}.")


def check_categories(owner: str, categories: object) -> int:
    """Return the largest number of categories that a column keeps to themselves."""
    if isinstance(categories, str) and categories == "auto":
        return 256
    if isinstance(categories, (int, np.integer)) and not isinstance(categories, bool) and categories >= 1:
        return int(categories)
    raise ParameterError(f"{owner}: categories must be 'auto' or a whole number of at least 1; got {categories!r}.")


def check_missing(owner: str, missing: str) -> None:
    """Refuse a treatment of missing cells that does not exist."""
    if missing not in ("mask", "refuse"):
        raise ParameterError(f"{owner}: missing must be 'mask' or 'refuse'; got {missing!r}.")


def check_finite_range(low: NDArray[Any], high: NDArray[Any], names: Iterable[str]) -> None:
    """Refuse columns or channels whose smallest or largest value is NaN or infinite."""
    bad = ~(np.isfinite(low) & np.isfinite(high))
    if bad.any():
        first = int(np.argmax(bad))
        what = "NaN" if np.isnan(low[first]) or np.isnan(high[first]) else "infinity"
        raise DataError(
            f"the data: every value must be finite; {list(names)[first]} contains {what}. "
            "Replace or drop the records concerned."
        )


def refuse_missing_cell(name: str, row: int) -> NoReturn:
    """Refuse a missing cell where the caller asked for that."""
    raise DataError(
        f"the data: missing='refuse' allows no empty cells; column {name!r} has one in row {row}. "
        "Fill it, or use missing='mask' to model what is missing."
    )


def check_some_fields(fields: Sequence[object], notes: Sequence[str]) -> None:
    """Refuse a table of which nothing is left to model."""
    if not fields:
        more = f"; and {len(notes) - SAID} more" if len(notes) > SAID else ""
        why = "; ".join(notes[:SAID]) + more
        raise DataError(f"the data: at least one column must vary; all were set aside ({why}).")


def check_columns(wanted: Sequence[str], received: Sequence[str]) -> None:
    """Refuse a table that lacks a column of the table seen at fit."""
    present = set(received)
    absent = [name for name in wanted if name not in present]
    if absent:
        raise ShapeError(
            f"the data: the table must have the columns seen in training; {absent[0]!r} is absent "
            f"({len(absent)} of {len(wanted)} are). Add the column; its cells may be empty."
        )


def check_width(shape: tuple[int, ...], width: int) -> None:
    """Refuse rows of another width than at fit."""
    if len(shape) != 2 or shape[1] != width:
        raise ShapeError(
            f"the data: records must have {width} values each, as in training; got an array of shape {shape}. "
            "Select the columns seen in training, in their order."
        )


def refuse_column_type(name: str, wanted: str, received: str) -> NoReturn:
    """Refuse a table's column of another kind than at fit."""
    raise DataTypeError(
        f"the data: column {name!r} must hold {wanted}, as in training; got {received}. Convert the column first."
    )


def refuse_image_rank(shape: tuple[int, ...]) -> NoReturn:
    """Refuse records that are not pictures."""
    raise ShapeError(
        "the data: images must be of shape (height, width) or (height, width, channels), one or a block of them; "
        f"got shape {shape}."
    )


def check_channels(received: int, channels: int) -> None:
    """Refuse pictures with another number of channels than at fit."""
    if received != channels:
        raise ShapeError(
            f"the data: images must have {channels} channel(s), as in training; got {received}. "
            "Convert them to the same colour mode first."
        )


def check_image_units(block: NDArray[Any], dtype: str, high: float) -> None:
    """Refuse fractions in [0, 1] where the pictures of training were whole numbers on a larger scale."""
    if block.size and high > 1 and block.min() >= 0 and block.max() <= 1 and not np.array_equal(block, np.rint(block)):
        raise DataError(
            f"the data: images must be on the scale of training, {dtype} up to {high:g}; got {block.dtype} in [0, 1]. "
            "Pass the original values: the model scales them itself."
        )


def check_text_length(length: int) -> None:
    """Refuse texts that are all empty."""
    if length < 1:
        raise DataError("the data: at least one text must have at least one byte; all are empty.")


def refuse_beyond_float32() -> NoReturn:
    """Refuse values that do not fit 32-bit floats after centring."""
    raise DataError(
        "the data: values must be within the range of 32-bit floats (3.4e38) of those seen in training; "
        "a record lies beyond it. Drop it or correct its unit."
    )


def refuse_quantiles_without_data(owner: str) -> NoReturn:
    """Refuse to learn quantiles after the records of fit were let go."""
    raise ParameterError(
        f"{owner}: scaling='quantile' must be the first rescale after fit, or be given data; got neither. "
        "Call rescale('quantile', data)."
    )


def check_state(name: str, classes: Iterable[str]) -> None:
    """Refuse a preprocessing state of a class that does not exist."""
    if name not in (known := tuple(classes)):
        raise ArtifactError(f"the model file: preprocessing must be one of {', '.join(known)}; got {name!r}.")


def check_shape_state(shape: Sequence[Any]) -> None:
    """Refuse the shape of records in a preprocessing state that no record has."""
    for side in shape:
        if side is not None and (not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= LONGEST):
            raise ArtifactError(
                f"the model file: sides of records must be whole numbers of 1 to {LONGEST:,}; one is {side!r}."
            )


def check_affine_state(shift: NDArray[Any], factor: NDArray[Any]) -> None:
    """Refuse a scaling in a preprocessing state that is no scaling."""
    if shift.dtype != np.float32 or factor.dtype != np.float32 or not (factor > 0).all():
        raise ArtifactError("the model file: its scaling must be 32-bit floats, and its factors above 0.")


def check_codes_state(shift: NDArray[Any], factor: NDArray[Any]) -> None:
    """Refuse a preprocessing state that scales what are no quantities: masks, categories, symbols of texts."""
    if shift.any() or not (factor == 1).all():
        raise ArtifactError("the model file: its preprocessing scales codes that stand for categories.")


def check_longest_state(shape: Sequence[int | None]) -> None:
    """Refuse the length of texts in a preprocessing state that no memory holds."""
    if len(shape) != 1 or shape[0] is None or shape[0] > LONGEST:
        raise ArtifactError(f"the model file: texts must have one length of at most {LONGEST:,}; it is {tuple(shape)}.")


def check_kind_state(own: str, kind: str) -> None:
    """Refuse a preprocessing state of records of another kind than its class is for."""
    if own != kind:
        raise ArtifactError(
            f"the model file: its preprocessing is for records of kind {own!r}, its schema of {kind!r}."
        )


def check_round_trip(shape: Sequence[int | None], found: Sequence[int]) -> None:
    """Refuse a preprocessing state by which a record does not come back as it was."""
    if len(shape) != len(found) or any(side not in (None, its) for side, its in zip(shape, found, strict=True)):
        raise ArtifactError(f"the model file: records of shape {tuple(shape)} come out as {tuple(found)}.")


def refuse_state(reason: Exception) -> ArtifactError:
    """Return the error for a preprocessing state that lacks parts or holds other types than it should."""
    return ArtifactError(
        f"the model file: its preprocessing part must be complete and unaltered; reading it failed at {reason!r}. "
        "Use an intact copy of the file."
    )

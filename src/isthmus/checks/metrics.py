"""What the metrics and the report ask of their arguments, and the sentences for what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, ParameterError, ShapeError

__all__ = [
    "check_codes",
    "check_level",
    "check_matrix_pair",
    "check_pair",
    "check_peak",
    "check_values",
    "check_window",
]


def check_pair(owner: str, original: NDArray[Any], reconstruction: NDArray[Any]) -> None:
    """Refuse two sets of records that cannot be compared one by one.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    original, reconstruction : ndarray
        Records along the first axis.

    Raises
    ------
    ShapeError
        The shapes differ.
    DataError
        There are no records.
    """
    if original.shape != reconstruction.shape:
        raise ShapeError(
            f"{owner}: original and reconstruction must have one shape; "
            f"got {original.shape} and {reconstruction.shape}. "
            "Compare a reconstruction with the records it was made from."
        )
    if original.ndim == 0 or original.shape[0] == 0:
        raise DataError(f"{owner}: at least one record is needed along the first axis; got shape {original.shape}.")


def check_matrix_pair(owner: str, train: NDArray[Any], test: NDArray[Any]) -> None:
    """Refuse training and held-out rows that are not two non-empty matrices of one width.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    train, test : ndarray
        Rows of numbers.

    Raises
    ------
    ShapeError
        One of them is not a matrix, or the widths differ.
    DataError
        One of them has no rows.
    """
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ShapeError(
            f"{owner}: train and test must be matrices of one width; got shapes {train.shape} and {test.shape}. "
            "Flatten every record to one row first."
        )
    if not len(train) or not len(test):
        raise DataError(f"{owner}: train and test need at least one row each; got {len(train)} and {len(test)}.")


def check_codes(owner: str, codes: NDArray[Any]) -> None:
    """Refuse codes that are not a matrix with at least one record and one unit.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    codes : ndarray
        What ``transform`` returned.

    Raises
    ------
    ShapeError
        It is not a matrix, or it is empty.
    """
    if codes.ndim != 2 or 0 in codes.shape:
        raise ShapeError(
            f"{owner}: codes must be a matrix (records, units) with at least one of each; got shape {codes.shape}. "
            "Pass what transform returns."
        )


def check_values(owner: str, values: NDArray[Any]) -> None:
    """Refuse a sample that is not one finite number a record.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    values : ndarray
        One number a record.

    Raises
    ------
    ShapeError
        It is not a vector.
    DataError
        It is empty, or holds NaN or infinity.
    """
    if values.ndim != 1:
        raise ShapeError(f"{owner}: values must be one number a record; got shape {values.shape}.")
    if not len(values):
        raise DataError(f"{owner}: values must hold at least one number; got none.")
    if not np.isfinite(values).all():
        position = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{owner}: values must be finite; got {values[position]} at position {position}. "
            "Leave such records out first."
        )


def check_level(owner: str, level: float, n_resamples: int) -> None:
    """Refuse a confidence level outside (0, 1) and fewer than one resample.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    level : float
        The confidence level.
    n_resamples : int
        The number of resamples.

    Raises
    ------
    ParameterError
        One of them is not allowed.
    """
    if not 0.0 < level < 1.0:
        raise ParameterError(f"{owner}: level must lie between 0 and 1; got {level!r}. For 95 % write 0.95.")
    if n_resamples < 1:
        raise ParameterError(f"{owner}: n_resamples must be at least 1; got {n_resamples!r}.")


def check_peak(owner: str, peak: float | None, dtype: np.dtype[Any], low: float, high: float) -> None:
    """Refuse a peak that is not positive, and floats without a peak whose range does not tell it.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    peak : float or None
        What the caller gave.
    dtype : numpy.dtype
        Of the images.
    low, high : float
        Smallest and largest value of the originals.

    Raises
    ------
    ParameterError
        The peak is not above 0, or cannot be told.
    """
    if peak is not None and not (np.isfinite(peak) and peak > 0):
        raise ParameterError(f"{owner}: peak must be a finite number above 0; got {peak!r}.")
    if peak is None and dtype.kind == "f" and not (low >= 0.0 and high <= 1.0):
        raise ParameterError(
            f"{owner}: peak must be given for {dtype.name} images outside [0, 1]; these have values in "
            f"[{low:g}, {high:g}]. Pass the largest difference that two values can have."
        )


def check_window(owner: str, window: int | None, height: int, width: int) -> None:
    """Refuse an SSIM window that is even or does not fit into the image.

    Parameters
    ----------
    owner : str
        The function that asks, for the sentence.
    window : int or None
        Side of the window in pixels.
    height, width : int
        Of the image.

    Raises
    ------
    ParameterError
        The window is not allowed.
    """
    if window is not None and (window < 1 or window % 2 == 0 or window > min(height, width)):
        raise ParameterError(
            f"{owner}: window must be odd and at most {min(height, width)}, the shorter side of the image; "
            f"got {window!r}."
        )

"""Argument checks of the metrics and the report, and their error messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, DataTypeError, ParameterError, ShapeError

__all__ = [
    "check_centres",
    "check_class_numbers",
    "check_codes",
    "check_feature_pictures",
    "check_features",
    "check_halves",
    "check_held_out_distances",
    "check_labels_pair",
    "check_level",
    "check_log_weights",
    "check_matrix_pair",
    "check_moments",
    "check_no_infinity",
    "check_pair",
    "check_peak",
    "check_per_record",
    "check_posterior",
    "check_scales",
    "check_shares",
    "check_tables",
    "check_target",
    "check_unit_range",
    "check_values",
    "check_window",
    "table_values_differ",
]


def check_pair(owner: str, original: NDArray[Any], reconstruction: NDArray[Any]) -> None:
    """Refuse two sets of records that cannot be compared one by one."""
    if original.shape != reconstruction.shape:
        raise ShapeError(
            f"{owner}: original and reconstruction must have one shape; "
            f"got {original.shape} and {reconstruction.shape}. "
            "Compare a reconstruction with the records it was made from."
        )
    if original.ndim == 0 or original.shape[0] == 0:
        raise DataError(f"{owner}: at least one record is needed along the first axis; got shape {original.shape}.")


def check_matrix_pair(owner: str, train: NDArray[Any], test: NDArray[Any]) -> None:
    """Refuse training and held-out rows that are not two non-empty matrices of one width."""
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ShapeError(
            f"{owner}: train and test must be matrices of one width; got shapes {train.shape} and {test.shape}. "
            "Flatten every record to one row first."
        )
    if not len(train) or not len(test):
        raise DataError(f"{owner}: train and test need at least one row each; got {len(train)} and {len(test)}.")


def check_codes(owner: str, codes: NDArray[Any]) -> None:
    """Refuse codes that are not a matrix with at least one record and one unit."""
    if codes.ndim != 2 or 0 in codes.shape:
        raise ShapeError(
            f"{owner}: codes must be a matrix (records, units) with at least one of each; got shape {codes.shape}. "
            "Pass what transform returns."
        )


def check_values(owner: str, values: NDArray[Any], at_least: int = 1) -> None:
    """Refuse a sample that is not one finite number a record."""
    if values.ndim != 1:
        raise ShapeError(f"{owner}: values must be one number a record; got shape {values.shape}.")
    if not len(values):
        raise DataError(f"{owner}: values must hold at least one number; got none.")
    if len(values) < at_least:
        raise DataError(f"{owner}: values must hold at least {at_least} numbers; got {len(values)}.")
    if not np.isfinite(values).all():
        position = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{owner}: values must be finite; got {values[position]} at position {position}. "
            "Leave such records out first."
        )


def check_level(owner: str, level: float, n_resamples: int) -> None:
    """Refuse a confidence level outside (0, 1) and fewer than one resample."""
    if not 0.0 < level < 1.0:
        raise ParameterError(f"{owner}: level must lie between 0 and 1; got {level!r}. For 95 % write 0.95.")
    if n_resamples < 1:
        raise ParameterError(f"{owner}: n_resamples must be at least 1; got {n_resamples!r}.")


def check_peak(owner: str, peak: float | None, dtype: np.dtype[Any], low: float, high: float) -> None:
    """Refuse a peak that is not positive, and floats without a peak whose range does not tell it."""
    if peak is not None and not (np.isfinite(peak) and peak > 0):
        raise ParameterError(f"{owner}: peak must be a finite number above 0; got {peak!r}.")
    if peak is None and dtype.kind == "f" and not (low >= 0.0 and high <= 1.0):
        raise ParameterError(
            f"{owner}: peak must be given for {dtype.name} images outside [0, 1]; these have values in "
            f"[{low:g}, {high:g}]. Pass the largest difference that two values can have."
        )


def check_window(owner: str, window: int | None, height: int, width: int) -> None:
    """Refuse an SSIM window that is even or does not fit into the image."""
    if window is not None and (window < 1 or window % 2 == 0 or window > min(height, width)):
        raise ParameterError(
            f"{owner}: window must be odd and at most {min(height, width)}, the shorter side of the image; "
            f"got {window!r}."
        )


def check_scales(owner: str, scales: int, window: int, height: int, width: int) -> None:
    """Refuse images into whose coarsest scale the window does not fit."""
    least = (window - 1) * 2 ** (scales - 1) + 1
    if min(height, width) < least:
        raise ShapeError(
            f"{owner}: images must have at least {least} pixels a side, for {scales} scales; got {height} x {width}. "
            "Use ssim for smaller ones."
        )


def check_features(owner: str, at_least: int, **sets: NDArray[Any]) -> None:
    """Refuse sets of features that are not finite matrices of one width with enough rows."""
    widths = {matrix.shape[1] if matrix.ndim == 2 else -1 for matrix in sets.values()}
    if len(widths) > 1 or widths & {-1, 0}:
        names, shapes = _listed(sets), ", ".join(str(matrix.shape) for matrix in sets.values())
        raise ShapeError(
            f"{owner}: {names} must be matrices (records, features) of one width; got shapes {shapes}. "
            "Flatten every record to one row, or pass the features of one network."
        )
    for name, matrix in sets.items():
        if len(matrix) < at_least:
            raise DataError(f"{owner}: {name} must have at least {at_least} rows; it has {len(matrix)}.")
        if not np.isfinite(matrix).all():
            row, column = np.argwhere(~np.isfinite(matrix))[0]
            raise DataError(
                f"{owner}: {name} must be finite; row {row}, column {column} is {matrix[row, column]}. "
                "Leave such rows out first."
            )


def check_moments(owner: str, *moments: tuple[NDArray[Any], NDArray[Any]]) -> None:
    """Refuse means and covariances whose shapes do not belong together."""
    d = moments[0][0].size
    if any(mean.shape != (d,) or covariance.shape != (d, d) for mean, covariance in moments):
        shapes = ", ".join(f"{mean.shape} and {covariance.shape}" for mean, covariance in moments)
        raise ShapeError(f"{owner}: means must have shape (d,) and covariances (d, d), with one d; got {shapes}.")


def check_centres(owner: str, samples: NDArray[Any], centres: NDArray[Any]) -> None:
    """Refuse samples and centres of modes that do not lie in one space."""
    check_features(owner, 1, samples=samples, centres=centres)


def check_labels_pair(owner: str, first: Any, second: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two sets of labels as vectors; refuse none, and sets of different length."""
    a, b = np.asarray(first), np.asarray(second)
    if a.ndim != 1 or a.shape != b.shape:
        raise ShapeError(f"{owner}: both must have one label a record; their shapes are {a.shape} and {b.shape}.")
    if not len(a):
        raise DataError(f"{owner}: there must be at least one record; got none.")
    return a, b


def check_class_numbers(owner: str, labels: NDArray[Any], n_classes: int) -> None:
    """Refuse labels that are not class numbers from 0 to ``n_classes - 1``."""
    if n_classes < 1:
        raise ParameterError(f"{owner}: n_classes must be at least 1; got {n_classes!r}.")
    if labels.ndim != 1:
        raise ShapeError(f"{owner}: labels must be one class number a record; got shape {labels.shape}.")
    if not len(labels):
        raise DataError(f"{owner}: labels must hold at least one class number; got none.")
    good = labels.dtype.kind in "iu" and int(labels.min()) >= 0 and int(labels.max()) < n_classes
    if not good:
        found = f"{labels.min()} to {labels.max()}" if labels.dtype.kind in "iuf" else labels.dtype
        raise DataError(
            f"{owner}: labels must be whole numbers from 0 to {n_classes - 1}; got {found}. "
            "Number the classes first: np.unique(labels, return_inverse=True)."
        )


def check_shares(owner: str, expected: NDArray[Any], n_classes: int) -> None:
    """Refuse expected shares that are not one positive number a class with sum 1."""
    if expected.shape != (n_classes,) or not (expected > 0).all() or not np.isclose(expected.sum(), 1.0):
        raise ParameterError(
            f"{owner}: expected must hold {n_classes} numbers above 0 with sum 1, the share of each class; "
            f"got shape {expected.shape} with sum {expected.sum():g}."
        )


def check_no_infinity(owner: str, name: str, values: NDArray[Any]) -> None:
    """Refuse a column with infinite numbers, which have no distance."""
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError(
            f"{owner}: the column {name!r} must hold finite numbers or missing cells; row {row} is {values[row]}."
        )


def check_halves(owner: str, n: int, rows: int) -> None:
    """Refuse a number of rows that cannot be drawn twice without drawing one again."""
    if not 1 <= n <= rows // 2:
        raise ParameterError(
            f"{owner}: n must be from 1 to half of the {rows} real rows, as the two parts share none; it is {n!r}."
        )


def check_held_out_distances(owner: str, distances: NDArray[Any]) -> None:
    """Refuse held-out records that are all copies of training records."""
    if not distances.any():
        raise DataError(
            f"{owner}: every held-out record is a copy of a training record, so they tell nothing about copying. "
            "Pass records that the model did not learn from."
        )


def check_posterior(owner: str, mean: NDArray[Any], log_variance: NDArray[Any]) -> None:
    """Refuse the parameters of Gaussian posteriors that are not two finite matrices of one shape."""
    if mean.ndim != 2 or mean.shape != log_variance.shape or 0 in mean.shape:
        raise ShapeError(
            f"{owner}: mean and log_variance must be matrices (records, units) of one shape with at least one of "
            f"each; got {mean.shape} and {log_variance.shape}."
        )
    for name, values in (("mean", mean), ("log_variance", log_variance)):
        if not np.isfinite(values).all():
            row, unit = np.argwhere(~np.isfinite(values))[0]
            raise DataError(f"{owner}: {name} must be finite; record {row}, unit {unit} is {values[row, unit]}.")


def check_log_weights(owner: str, found: Sequence[int], wanted: Sequence[int], bad: int | None) -> None:
    """Refuse logarithms of importance weights of another shape, NaN and plus infinity."""
    if tuple(found) != tuple(wanted):
        raise ShapeError(
            f"{owner}: log_weights must return shape (samples, records) = {tuple(wanted)}; got {tuple(found)}."
        )
    if bad is not None:
        raise DataError(
            f"{owner}: the log weights of record {bad} hold NaN or infinity. "
            "A weight of zero, minus infinity, is allowed; look at that record and at the model's scales."
        )


def check_per_record(owner: str, part: str, found: Sequence[int], n: int) -> None:
    """Refuse a part of a bound that is not one number a record."""
    if tuple(found) != (n,):
        raise ShapeError(
            f"{owner}: the {part} must be one number a record, shape ({n},); got {tuple(found)}. "
            "Sum over dimensions and units first."
        )


def check_unit_range(owner: str, low: float, high: float) -> None:
    """Refuse pictures with values outside [0, 1], which are no chances of a 1."""
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(
            f"{owner}: images must have values in [0, 1]; these have values in [{low:g}, {high:g}]. "
            "Divide 8-bit pictures by 255 first."
        )


def check_tables(owner: str, **tables: Any) -> None:
    """Refuse anything but non-empty Arrow tables with the columns of the first one."""
    import pyarrow as pa

    first, columns = next(iter(tables.items()))
    for name, table in tables.items():
        if not isinstance(table, pa.Table):
            raise DataTypeError(
                f"{owner}: {name} must be a pyarrow.Table; got {type(table).__name__}. "
                "Convert a data frame with pyarrow.Table.from_pandas(frame, preserve_index=False) or frame.to_arrow()."
            )
        if not table.num_rows or not table.num_columns:
            raise DataError(
                f"{owner}: {name} must have at least one row and one column; got {table.num_rows} rows "
                f"and {table.num_columns} columns."
            )
        present = set(table.column_names)
        absent = [column for column in columns.column_names if column not in present]
        if absent:
            raise DataError(
                f"{owner}: {name} must have the columns of {first}; it lacks {', '.join(map(repr, absent))}."
            )


def table_values_differ(owner: str, name: str, wanted: str, found: str) -> DataTypeError:
    """Return the error for a column whose values cannot be compared with those of the first table."""
    return DataTypeError(
        f"{owner}: the column {name!r} must hold values like those of the first table, {wanted}; it is {found}. "
        "Cast it first."
    )


def check_target(owner: str, target: str, columns: Sequence[str], rows: int) -> None:
    """Refuse a target that is no column, and tables without a row in which it is known."""
    if target not in columns or len(columns) < 2:
        raise ParameterError(
            f"{owner}: target must be one of two or more columns, {', '.join(map(repr, columns))}; it is {target!r}."
        )
    if rows < 2:
        raise DataError(f"{owner}: every table needs two rows or more in which {target!r} is known; one has {rows}.")


def check_feature_pictures(
    owner: str, shape: Sequence[int], dtype: np.dtype[Any], wanted: Sequence[int], wanted_dtype: str
) -> None:
    """Refuse pictures that differ in size or type from those that a feature network learned from."""
    height, width, channels = wanted
    allowed = [(height, width, channels)] + ([(height, width)] if channels == 1 else [])
    if tuple(shape[1:]) not in allowed or not shape[0]:
        raise ShapeError(
            f"{owner}: images must have shape (n, {', '.join(map(str, allowed[-1]))}), n at least 1; "
            f"got {tuple(shape)}."
        )
    if str(dtype) != wanted_dtype:
        raise DataTypeError(
            f"{owner}: images must be {wanted_dtype}, as those that the network learned from; got {dtype}. "
            "Bring them to that type and range first."
        )


def _listed(names: Any) -> str:
    """Return names as people write them."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last

"""New data converted to the form that a model was fitted on, where the conversion is exact."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.arrays import from_array
from isthmus.data.records import Data
from isthmus.data.schema import Schema
from isthmus.data.tables import from_table

__all__ = ["as_matrix", "by_name", "conform"]


def conform(data: Data, schema: Schema, owner: str) -> Data:
    """Return data that have the kind and shape of a fitted schema.

    A matrix takes the place of a table of numbers and the other way round, by position, with the warning that
    scikit-learn gives. Everything else that differs is refused.

    Parameters
    ----------
    data : Data
        The data of this call.
    schema : Schema
        Of the data in fit.
    owner : str
        Class name of the model, for the sentences.

    Returns
    -------
    Data
        The same records.

    Raises
    ------
    ShapeError
        If kind, width, sizes, or the names, order or types of columns differ.
    """
    if schema.kind == "table" and data.schema.kind == "array" and _numeric(schema):
        data = _as_table(data, schema, owner)
    elif schema.kind == "array" and data.schema.kind == "table" and _numeric(data.schema):
        data = _as_matrix(data, owner)
    checks.same_shape(schema, data, owner)
    return data


def by_name(data: Data, schema: Schema) -> Data:
    """Return the columns of a fitted table in the order of fit, found by name, without others.

    Data that are no table, or lack one of the columns, are returned as they are: :func:`conform` says what differs.
    """
    names, given = ([column.name for column in its.columns] for its in (schema, data.schema))
    return data.select(names) if names and names != given and set(names) <= set(given) else data


def as_matrix(data: Data) -> Data:
    """Return a table of numbers without gaps as the matrix that it is, its columns' names kept; others as they are."""
    schema = data.schema
    if schema.kind != "table" or not all(column.is_number for column in schema.columns):
        return data
    block = data.chunk(0, len(data))
    if any(column.null_count for column in block.columns):
        return data
    rows = np.stack([column.to_numpy() for column in block.columns], axis=1)
    if rows.dtype.kind not in "fiu" or np.isnan(rows).any():
        return data
    matrix = from_array(rows, name=data.source, notes=data.notes)
    matrix.schema = replace(matrix.schema, names=tuple(column.name for column in schema.columns))
    return matrix.with_labels_of(data)


def _numeric(schema: Schema) -> bool:
    return all(column.is_number or column.type == "boolean" for column in schema.columns)


def _as_table(data: Data, schema: Schema, owner: str) -> Data:
    """Return a matrix as a table with the names of fit."""
    import pyarrow as pa

    width = data.schema.shape[0]
    if width != len(schema.columns):
        raise checks.wrong_width(width, owner, len(schema.columns))
    warnings.warn(f"X does not have valid feature names, but {owner} was fitted with feature names", stacklevel=3)
    block = data.chunk(0, len(data))
    columns = {column.name: np.ascontiguousarray(block[:, i]) for i, column in enumerate(schema.columns)}
    table = from_table(pa.table(columns), source=data.source, notes=data.notes)
    return table.with_labels_of(data)


def _as_matrix(data: Data, owner: str) -> Data:
    """Return a table of numbers as a matrix; a missing cell becomes NaN, which is then refused."""
    import pyarrow as pa

    warnings.warn(f"X has feature names, but {owner} was fitted without feature names", stacklevel=3)
    block = data.chunk(0, len(data))
    columns = [column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column for column in block.columns]
    matrix = from_array(np.stack([column.to_numpy() for column in columns], axis=1), name=data.source, notes=data.notes)
    return matrix.with_labels_of(data)

r"""Generation: interpolation, traversal, augmentation and conditional sampling.

A path between two codes a and b that keeps their length where it is equal (Shoemake, "Animating Rotation with
Quaternion Curves", SIGGRAPH 1985; for codes White, "Sampling Generative Networks", 2016), with w their angle::

    spherical   z(t) = [sin((1 - t) w) a + sin(t w) b] / sin w
    linear      z(t) = (1 - t) a + t b
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus import telling
from isthmus.capabilities import Decodes, DrawsRecords, Encodes, Samples, learns_classes
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import Data
from isthmus.density import CodeDensity

__all__ = ["PATHS", "augment", "interpolate", "path_between", "sample_where", "traverse"]

PATHS = ("spherical", "linear")
REACH = 2.5  # deviations of a code unit that a traversal goes to either side
PARALLEL = 1e-4  # sine of an angle below which a spherical path is a straight one
MAX_DRAWN_ROWS = 1_000_000  # rows drawn for those that are wanted, at most

Float32 = NDArray[np.float32]


def path_between(a: Float32, b: Float32, steps: int, path: str = "spherical") -> Float32:
    """Return codes from a to b, both included.

    Parameters
    ----------
    a, b : array, shape (d,)
        Codes.
    steps : int
        How many, 2 or more.
    path : {"spherical", "linear"}, default="spherical"
        Along an arc, as codes of a normal prior lie on a shell; or straight.

    Returns
    -------
    array, shape (steps, d)
    """
    t = np.linspace(0.0, 1.0, steps)[:, None]
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    straight: Float32 = ((1 - t) * a + t * b).astype(np.float32)
    if path == "linear" or min(lengths) == 0:
        return straight
    w = np.arccos(np.clip(float(a @ b) / (lengths[0] * lengths[1]), -1.0, 1.0))
    if np.sin(w) < PARALLEL:
        return straight
    return ((np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)).astype(np.float32)


def interpolate(model: Any, X: Any, steps: int = 9, path: str = "spherical") -> Any:
    """Return records on a path between two records in latent space.

    Parameters
    ----------
    model : fitted model
        With the methods ``transform`` and ``inverse_transform``.
    X : array, data frame, path, or Data
        Two records, of one size.
    steps : int, default=9
        Records on the way, both ends included.
    path : {"spherical", "linear"}, default="spherical"
        See :func:`path_between`.

    Returns
    -------
    records
        ``steps`` of them, the first and the last being reconstructions of the two.
    """
    sentences.can("interpolate", model, Encodes, Decodes)
    checks.integer("interpolate", "steps", steps, low=2)
    checks.choice("interpolate", "path", path, PATHS)
    codes = model.transform(X)
    sentences.two_records(len(codes))
    sentences.codes_of_one_size("interpolate", codes)
    return model.inverse_transform(path_between(codes[0], codes[1], steps, path))


def traverse(model: Any, X: Any, steps: int = 9, units: int | None = None, row: int = 0) -> tuple[Any, list[int]]:
    """Return the decoded records as each unit of a code is changed in turn.

    Parameters
    ----------
    model : fitted model
        With the methods ``transform`` and ``inverse_transform``.
    X : array, data frame, path, or Data
        Records: from their codes follows how far a unit goes, 2.5 deviations to both sides of its mean.
    steps : int, default=9
        Values of each unit.
    units : int, optional
        How many units, those that vary most; by default all.
    row : int, default=0
        Which of the records is changed.

    Returns
    -------
    records
        ``units * steps`` of them, unit by unit.
    units : list of int
        Which units, in this order.
    """
    sentences.can("traverse", model, Encodes, Decodes)
    checks.integer("traverse", "steps", steps, low=2)
    codes = model.transform(X)
    sentences.codes_of_one_size("traverse", codes)
    checks.integer("traverse", "row", row, low=0, high=len(codes) - 1)
    checks.integer("traverse", "units", units, low=1, high=codes.shape[1], optional=True)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0)
    chosen = np.argsort(-deviation, kind="stable")[:units].tolist()
    changed = np.repeat(codes[row][None], len(chosen) * steps, axis=0).reshape(len(chosen), steps, -1)
    for block, unit in zip(changed, chosen, strict=True):
        block[:, unit] = mean[unit] + deviation[unit] * np.linspace(-REACH, REACH, steps)
    return model.inverse_transform(changed.reshape(-1, codes.shape[1])), chosen


@telling.tells
def augment(model: Any, X: Any, n: int, y: Any = None, *, random_state: int = 0) -> tuple[Any, NDArray[Any] | None]:
    """Return new records like those of a data set, as many of each class.

    A model that learned these classes draws from them; for any other a density is fitted to the codes of each class.

    Parameters
    ----------
    model : fitted model
        With the methods ``sample``, ``transform`` and ``draw``.
    X : array, data frame, path, or Data
        The data set.
    n : int
        New records of each class; of all, where there are no classes.
    y : array of shape (records,), optional
        Labels; by default those of ``X``, where it has any.
    random_state : int, default=0
        Seed.

    Returns
    -------
    records
        In the container, types and units of the data that the model was fitted on.
    labels : ndarray or None
        Of the new records.
    """
    sentences.can("augment", model, Samples, Encodes, DrawsRecords)
    checks.integer("augment", "n", n, low=1)
    data = telling.belongs(isthmus_data.open(X, labels=y, schema=model.schema_), X)
    if data.labels is None:
        return model.sample(n, random_state=random_state), None
    labels = np.asarray(data.labels)
    classes, _ = isthmus_data.classes_of(labels, isthmus_data.is_labelled(labels))
    wanted = np.repeat(classes, n)
    if learns_classes(model):
        return model.sample(len(wanted), y=wanted, random_state=random_state), wanted
    rng = torch.Generator().manual_seed(random_state)
    codes = [_like(model, data, label, n, rng) for label in classes]
    return model.draw(np.concatenate(codes), random_state=random_state), wanted


def sample_where(model: Any, n: int, where: Mapping[str, Any], *, random_state: int = 0, **options: Any) -> Any:
    """Return new rows of a table in which some columns have given values.

    These are draws from p(row | the columns' values) under the model, whatever the model is: rows are drawn, and those
    that have the values are kept.

    Parameters
    ----------
    model : fitted model
        Of a table, with the method ``sample``.
    n : int
        How many rows.
    where : mapping of str to value
        By column: the value; None for a missing cell; ``(low, high)`` for a number between two, both included.
    random_state : int, default=0
        Seed.
    **options
        Of the model's ``sample``: ``temperature``, for instance.

    Returns
    -------
    data frame
        In the container and with the dtypes of the data that the model was fitted on.

    Raises
    ------
    ParameterError
        A column does not exist, or cannot have such a value.
    DataError
        Fewer than n of a million rows have the values.
    """
    import pyarrow as pa

    sentences.can("sample_where", model, Samples)
    sentences.tables_only("sample_where", model.schema_.kind)
    checks.integer("sample_where", "n", n, low=1)
    sentences.known_columns("sample_where", where, [column.name for column in model.schema_.columns])
    kept: list[Any] = []
    found = drawn = 0
    while found < n and drawn < MAX_DRAWN_ROWS:
        share = max(found, 1) / max(drawn, 1)
        batch = int(np.clip(1.2 * (n - found) / share, 1000, MAX_DRAWN_ROWS // 10))
        rows = _table(model.sample(batch, random_state=random_state + drawn, **options))
        kept.append(rows.filter(_matching(rows, where)))
        found, drawn = found + len(kept[-1]), drawn + batch
    sentences.enough_matching(found, n, drawn, where)
    return isthmus_data.restore(pa.concat_tables(kept).slice(0, n), model.schema_)


def _table(frame: Any) -> Any:
    """Return a data frame as an Arrow table."""
    data = isthmus_data.open(frame)
    return data.take(np.arange(len(data)))


def _matching(rows: Any, where: Mapping[str, Any]) -> Any:
    """Return which rows have the values, an Arrow array of booleans."""
    import pyarrow as pa
    import pyarrow.compute as pc

    every = pa.array(np.ones(len(rows), bool))
    for name, wanted in where.items():
        column = rows.column(name)
        column = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        if wanted is None:
            every = pc.and_(every, pc.is_null(column))
            continue
        low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        low, high = (sentences.value_of_column("sample_where", name, end, column.type) for end in (low, high))
        inside = (
            pc.equal(column, low)
            if low == high
            else pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
        )
        every = pc.and_(every, pc.fill_null(inside, False))
    return every


def _like(model: Any, data: Data, label: Any, n: int, rng: torch.Generator) -> Float32:
    """Return new codes like those of the records of one class."""
    codes = model.transform(data.subset(np.flatnonzero(data.labels == label)))
    sentences.codes_of_one_size("augment", codes)
    seed = int(torch.randint(2**31, (), generator=rng))
    drawn: Float32 = CodeDensity.fit(codes, seed).sample(n, rng).numpy()
    return drawn

"""Dividing records into training, validation and test sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.records import Data
from isthmus.data.rows import LISTED, RowNumbers, Rows

__all__ = ["MOST_APART", "apart", "divide", "split", "without"]

MOST_APART = 100_000
"""Records that are held out of more at most."""
RUNS = 256  # in which they lie then


def split(
    data: Data,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    stratify: bool = True,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[Data, ...]:
    """Divide records at random into parts that share none.

    Parameters
    ----------
    data : Data
        The records.
    fractions : sequence of float, default=(0.8, 0.1, 0.1)
        Share of every part; together at most 1. Every part gets at least one record.
    stratify : bool, default=True
        Give every part the classes in the proportions of the whole, to one record a class. Without labels, and with
        labels that are measurements rather than classes (more values than half the records), it does nothing.
    random_state : int, numpy.random.Generator or None, default=0
        Seed; None draws one from the system.

    Returns
    -------
    tuple of Data
        One view a fraction, its records in the order of ``data``.

    Raises
    ------
    ParameterError
        If the fractions are not positive or add up to more than 1.
    DataError
        If there are fewer records than parts.
    """
    checks.split_fractions(fractions)
    n = len(data)
    checks.split_size(n, len(fractions))
    order = np.random.default_rng(random_state).permutation(n)
    classes = _classes(data.labels) if stratify else None
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    part = _assign(n, fractions, None if classes is None else classes[order])
    return tuple(data.subset(np.sort(order[part == number])) for number in range(len(fractions)))


def _classes(labels: np.ndarray | None) -> np.ndarray | None:
    """Return labels as numbers of classes, or None where they are no classes."""
    if labels is None:
        return None
    values = labels if labels.dtype != object else np.array([str(label) for label in labels])
    names, codes = np.unique(values, return_inverse=True)
    return codes if 1 < len(names) <= max(2, len(labels) // 2) else None


def _assign(n: int, fractions: Sequence[float], classes: np.ndarray | None) -> np.ndarray:
    """Return the number of the part of every position, -1 for none.

    Within each class, positions are dealt out by the rounded running totals over all classes so far. So every part has
    exactly its rounded share of all records, and of every class its share to within one record.
    """
    edges = np.minimum(np.cumsum(fractions), 1.0)
    part = np.full(n, -1)
    bounds = [0, n] if classes is None else [0, *(np.flatnonzero(np.diff(classes)) + 1), n]
    for start, stop in pairwise(bounds):
        # Running totals: what parts 0..k have of the first `stop` records, less what they have of the first `start`.
        upto = np.floor(edges * stop + 0.5).astype(int) - np.floor(edges * start + 0.5).astype(int)
        upto = np.clip(np.maximum.accumulate(upto), 0, stop - start)
        for number in reversed(range(len(edges))):
            part[start : start + upto[number]] = number
    for number in range(len(edges)):
        if not (part == number).any():
            # A share that rounds to nothing still gets one record, of the largest part.
            largest = np.bincount(part[part >= 0], minlength=len(edges)).argmax()
            part[np.flatnonzero(part == largest)[-1]] = number
    return part


# --- records held out of very many ------------------------------------------------------------------------------------


def apart(data: Data, share: float, seed: int | None) -> RowNumbers:
    """Return which records to keep apart from the others, in memory that does not grow with their number.

    Of up to 1,000,000 records they are drawn one by one. Of more they are at most 100,000, in some 256 runs of
    neighbours that are spread over all records. Where reading begins at certain records only, as in the row groups of
    a Parquet file, a run is the beginning of such a group, so that nothing is decoded that is not used.

    Parameters
    ----------
    data : Data
        The records.
    share : float
        How many to keep apart; one at least is left.
    seed : int or None
        Of what is random; None draws one from the system.

    Returns
    -------
    ndarray of int64, or Rows
        Their places in ``data``, rising.
    """
    n = len(data)
    count = min(round(n * share), n - 1)
    rng = np.random.default_rng(seed)
    if n <= LISTED:
        return np.sort(rng.permutation(n)[:count])
    count = min(count, MOST_APART)
    if count == 0:
        return Rows([], [])
    edges = data.edges
    return _in_strata(n, count, rng) if edges is None else _at_beginnings(edges, count, rng)


def _in_strata(n: int, count: int, rng: np.random.Generator) -> Rows:
    """Return runs of equal length, one at random in each of equal parts of all records."""
    edges = np.linspace(0, n, min(RUNS, count) + 1).astype(np.int64)
    least, more = divmod(count, len(edges) - 1)
    lengths = least + (np.arange(len(edges) - 1) < more)
    starts = edges[:-1] + rng.integers(0, np.diff(edges) - lengths + 1)
    return Rows.of(np.concatenate([np.arange(a, a + b) for a, b in zip(starts, lengths, strict=True)]))


def _at_beginnings(edges: np.ndarray, count: int, rng: np.random.Generator) -> Rows:
    """Return the beginnings of groups of records, of as many as are needed; never more than half of a group."""
    groups, n = len(edges) - 1, int(edges[-1])
    needed = min(groups, max(min(RUNS, count), -(-2 * count * groups // n)))
    chosen = np.sort(rng.permutation(groups)[:needed])
    lengths = np.minimum(-(-count // needed), np.diff(edges)[chosen] // 2)
    lengths = np.minimum(lengths, np.maximum(0, count - (np.cumsum(lengths) - lengths)))
    some = lengths > 0
    return Rows(edges[chosen][some], (edges[chosen] + lengths)[some])


def divide(data: Data, share: float, seed: int | None) -> tuple[Data, Data]:
    """Return the records to learn from and those kept apart for a test, in memory that does not grow with their number.

    Of up to 1,000,000 records it is :func:`split` with ``(1 - share, share)``, which keeps the classes in proportion;
    of more the test has those of :func:`apart`.
    """
    if len(data) <= LISTED:
        train, test = split(data, (1 - share, share), random_state=seed)
        return train, test
    return without(data, apart(data, share, seed))


def without(data: Data, rows: RowNumbers) -> tuple[Data, Data]:
    """Return all records but some, and these."""
    return data.subset(Rows.all(len(data)).without(rows)), data.subset(rows)

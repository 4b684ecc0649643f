r"""Regressions of a column on the other columns of a row, with the error of each.

Rows of numbers (n, q), NaN where a cell is empty; a category is as many numbers as it has values, 0 or 1 each (their
mean is its probability, and its Brier score their squared error).

gaussian
    E[missing | known] under one Gaussian, whose mean and covariance are those of the EM algorithm (Dempster, Laird and
    Rubin, "Maximum Likelihood from Incomplete Data", JRSS B 39, 1977; Little and Rubin, "Statistical Analysis with
    Missing Data", section 11.2), shrunk towards independence. Many columns are taken so many at a time, each with those
    that it goes along with.
neighbours
    The mean of the nearest rows that have the cell, in distances over the numbers that both rows have (Troyanskaya et
    al., "Missing Value Estimation Methods for DNA Microarrays", Bioinformatics 17, 2001, section KNNimpute).
trees
    Extremely randomised trees of a column on those that it goes along with most, whose holes the Gaussian has filled
    (Stekhoven and Buehlmann, "MissForest", Bioinformatics 28, 2012; Geurts, Ernst and Wehenkel, "Extremely Randomized
    Trees", Machine Learning 63, 2006).

Nothing here costs more than linearly in rows: covariance, neighbours and trees are learned from some thousands of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEARNERS", "Predictions", "predictions"]

LEARNERS = ("gaussian", "neighbours", "trees")
ROUNDS = 20  # of the EM algorithm, at most
CLOSE = 1e-2  # change of every covariance below which it stops
PRIOR = 3.0  # rows of independent columns that the covariance is shrunk by
TOGETHER = 48  # columns of one Gaussian, at most
CANDIDATES = 500  # columns that these are chosen among
ROWS_OF_GAUSSIAN = 2000
DONORS = 3000  # rows that neighbours are looked for among
NEIGHBOURS = 10
TREES = 30
LEAF = 3  # rows in a leaf
SHARE_OF_PREDICTORS = 0.5  # that a node chooses among
PREDICTORS = 20  # of a column, at most
COLUMNS_OF_TREES = 100  # that trees are grown for, those with most holes
ROWS_OF_TREES = 5000
CELLS_OF_TREES = 200_000  # rows times columns that trees are grown from
NUMBERS = 2**24  # held at once

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """Predictions of every empty cell.

    Parameters
    ----------
    values : dict of array, shape (n, q)
        By learner; NaN where a cell is not empty, or the learner says nothing of it.
    spread : array, shape (n, q)
        Standard deviation among trees; NaN where none were grown.
    """

    values: dict[str, Float64]
    spread: Float64


def predictions(x: Float64, columns: list[slice], seed: int) -> Predictions:
    """Return the predictions of each learner for the empty cells.

    Parameters
    ----------
    x : array, shape (n, q)
        Numbers of mean 0 and deviation 1 or so; NaN where a cell is empty.
    columns : list of slice
        Which numbers are one column's.
    seed : int
        Of the trees, and of the rows that are learned from.
    """
    rng = np.random.default_rng(seed)
    empty = np.isnan(x)
    filled = gaussian(x, rng)
    grown, spread = trees(x, filled, columns, rng)
    said = {"gaussian": filled, "neighbours": neighbours(x, rng), "trees": grown}
    return Predictions({name: np.where(empty, values, np.nan) for name, values in said.items()}, spread)


# ------------------------------------------------------------------ one Gaussian


def gaussian(x: Float64, rng: np.random.Generator) -> Float64:
    """Return rows whose empty cells have their conditional mean, (n, q)."""
    filled = x.copy()
    for block in _blocks(x, rng):
        part = x[:, block]
        mean, covariance = _moments(part[_some(len(x), ROWS_OF_GAUSSIAN, rng)])
        rows = max(1, NUMBERS // part.shape[1] ** 2)
        for start in range(0, len(x), rows):
            here = slice(start, start + rows)
            filled[here, block] = _conditional(part[here], mean, covariance)[0]
    return filled


def _blocks(x: Float64, rng: np.random.Generator) -> list[Int64]:
    """Return the columns, so many at a time: each first one, and step by step the one most like any of its block."""
    left, found = np.arange(x.shape[1]), []
    some = x[_some(len(x), ROWS_OF_GAUSSIAN, rng)] if len(left) > TOGETHER else x
    while len(left) > TOGETHER:
        near = left[:CANDIDATES]
        alike = _correlations(some[:, near])
        chosen, closest = [0], alike[0].copy()
        for _ in range(TOGETHER - 1):
            closest[chosen[-1]] = -1.0
            chosen.append(int(closest.argmax()))
            closest = np.where(closest < 0, closest, np.maximum(closest, alike[chosen[-1]]))
        found.append(np.sort(near[chosen]))
        left = np.setdiff1d(left, found[-1])
    return [*found, left]


def _correlations(x: Float64) -> Float64:
    """Return the absolute correlations of columns, holes as means, (q, q)."""
    centred = np.nan_to_num(x - _means(x))
    length = np.sqrt(np.square(centred).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1)
    return np.abs(unit.T @ unit)


def _means(x: Float64) -> Float64:
    known = ~np.isnan(x)
    return np.asarray(np.where(known, x, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _variances(x: Float64, mean: Float64) -> Float64:
    """Return the variance of the known numbers of each column, 1 where none is known."""
    known = ~np.isnan(x)
    squares = np.where(known, np.square(x - mean), 0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), squares / np.maximum(known.sum(axis=0), 1), 1.0))


def _moments(x: Float64) -> tuple[Float64, Float64]:
    """Return mean and covariance of rows with holes, by the EM algorithm."""
    n, q = x.shape
    mean = _means(x)
    covariance = np.diag(_variances(x, mean) + 1e-6) if n else np.eye(q)
    prior = np.diag(covariance.diagonal()) * PRIOR
    for _ in range(ROUNDS):
        filled, left_over = _conditional(x, mean, covariance)
        mean = filled.mean(axis=0)
        centred = filled - mean
        before, covariance = covariance, (centred.T @ centred + left_over + prior) / (n + PRIOR)
        if np.abs(covariance - before).max() < CLOSE:
            break
    return mean, covariance


def _conditional(x: Float64, mean: Float64, covariance: Float64) -> tuple[Float64, Float64]:
    """Return rows with conditional means in their holes, and the sum over rows of the conditional covariances."""
    known = ~np.isnan(x)
    filled, left_over = np.where(known, x, mean), np.zeros_like(covariance)
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(which.reshape(-1), minlength=len(patterns)))
    for rows, seen in zip(np.split(order, ends[:-1]), patterns, strict=True):
        if seen.all():
            continue
        hole = ~seen
        gain = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, hole)])
        places = np.ix_(hole, hole)
        left_over[places] += len(rows) * (covariance[places] - covariance[np.ix_(hole, seen)] @ gain)
        filled[np.ix_(rows, hole)] = mean[hole] + (x[np.ix_(rows, seen)] - mean[seen]) @ gain
    return filled, left_over


# ------------------------------------------------------------------ nearest rows


def neighbours(x: Float64, rng: np.random.Generator) -> Float64:
    """Return, for the empty cells, the mean of the nearest rows that have them, (n, q)."""
    donors = x[_some(len(x), DONORS, rng)]
    has = ~np.isnan(donors)
    d, h = np.nan_to_num(donors), has.astype(np.float64)
    found, means = x.copy(), _means(x)
    rows = np.flatnonzero(np.isnan(x).any(axis=1))
    at_once = max(1, NUMBERS // (4 * len(donors)))
    for start in range(0, len(rows), at_once):
        its = rows[start : start + at_once]
        known = ~np.isnan(x[its])
        a, k = np.nan_to_num(x[its]), known.astype(np.float64)
        shared = k @ h.T
        square = np.maximum(np.square(a) @ h.T - 2 * a @ d.T + k @ np.square(d).T, 0)
        distance = np.where(shared > 0, np.sqrt(square / np.maximum(shared, 1)), np.inf)
        for column in np.flatnonzero(~known.all(axis=0)):
            holes, has_it = np.flatnonzero(~known[:, column]), np.flatnonzero(has[:, column])
            if not len(has_it):
                continue
            found[its[holes], column] = _of_nearest(distance[np.ix_(holes, has_it)], d[has_it, column], means[column])
    return found


def _of_nearest(distance: Float64, values: Float64, default: float) -> Float64:
    """Return the mean of the nearest values, by the inverse of their distance: (b, m), (m,) -> (b,)."""
    count = min(NEIGHBOURS, len(values))
    nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
    far = np.take_along_axis(distance, nearest, axis=1)
    weights = np.where(np.isfinite(far), 1 / np.maximum(far, 1e-6), 0.0)
    total = weights.sum(axis=1)
    mean = (weights * values[nearest]).sum(axis=1) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, default)


# ------------------------------------------------------------------ trees


def trees(x: Float64, filled: Float64, columns: list[slice], rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Return what trees say of the empty cells, and the deviation among them, (n, q) each."""
    from sklearn import config_context
    from sklearn.ensemble import ExtraTreesRegressor

    found, spread = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    empty = np.isnan(x)
    holes = np.array([empty[:, place.start].sum() for place in columns])
    most = [index for index in np.argsort(-holes, kind="stable")[:COLUMNS_OF_TREES] if 0 < holes[index] < len(x)]
    rows = int(np.clip(CELLS_OF_TREES // max(len(most), 1), 1, ROWS_OF_TREES))
    single = filled.astype(np.float32)
    seeds = rng.integers(0, 2**31, len(columns))
    for index in most:
        place, hole = columns[index], empty[:, columns[index].start]
        known = np.flatnonzero(~hole)
        known = known[_some(len(known), rows, rng)]
        predictors = _predictors(filled[known], place)
        if not len(predictors):
            continue
        grown = ExtraTreesRegressor(
            TREES, min_samples_leaf=LEAF, max_features=SHARE_OF_PREDICTORS, random_state=int(seeds[index])
        )
        with config_context(array_api_dispatch=False):
            targets = x[known, place]
            grown.fit(single[np.ix_(known, predictors)], targets[:, 0] if targets.shape[1] == 1 else targets)
            asked = single[np.ix_(hole, predictors)]
            said = np.stack([tree.predict(asked).reshape(len(asked), -1) for tree in grown.estimators_])
        found[hole, place], spread[hole, place] = said.mean(axis=0), said.std(axis=0)
    return found, spread


def _predictors(filled: Float64, place: slice) -> Int64:
    """Return the numbers of other columns that correlate most with those of one."""
    others = np.setdiff1d(np.arange(filled.shape[1]), np.arange(place.start, place.stop))
    if len(others) <= PREDICTORS:
        return others
    centred = filled - filled.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1)
    alike = np.abs(unit[:, others].T @ unit[:, place]).max(axis=1)
    return np.sort(others[np.argsort(-alike, kind="stable")[:PREDICTORS]])


def _some(n: int, most: int, rng: np.random.Generator) -> Int64:
    """Return which of n rows are learned from, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))

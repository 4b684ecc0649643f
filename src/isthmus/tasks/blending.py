r"""Weights of several ways to fill a column, by their errors on cells that were hidden from them.

Hidden are known cells: some records get the holes of other records on top of their own, those whose holes are then
the most like the other's, so that a hidden cell has as much around it to go by as a missing one. What is learned is
learned without them, several times with other cells hidden (cross-validation).

Weights. The filling of a column is sum_l w_l f_l of the fillings f_l, with the w_l >= 0 that have the least squared
error in hidden cells (stacking: Wolpert 1992; Breiman, "Stacked Regressions", Machine Learning 24, 1996), and near
those of all columns together where a column has few. A fitted model comes last, and is judged in records that it did
not see::

    f = (1 - w) sum_l w_l f_l + w f_model,   0 <= w <= 1

Intervals. With x the hidden numbers of a column, f their filling and s how far the trees disagree there (locally scaled
conformal prediction: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, JASA 113, 2018, section 5.2), the ends are
f + s q with q the quantiles of (x - f) / s at half of what may lie outside, on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.tasks.cells import Cells, Column
from isthmus.tasks.regressions import LEARNERS, Predictions, predictions

__all__ = ["MIN_KNOWN_CELLS", "Blend", "ColumnFit", "blend"]

MIN_KNOWN_CELLS = 8  # cells of a column, for others to be learned to fill it
HIDDEN_SHARE = 0.1  # of the known cells, each time
ENOUGH = 120  # hidden cells of a column, on average
FEWEST_TIMES, MOST_TIMES = 2, 5
ROWS = 5000  # that regressions are learned from each time
PATTERNS = 1000  # records whose holes are tried on others each time, at most
CANDIDATES = 3000  # records that get them are chosen among, at most
MIN_HIDDEN_CELLS = 50  # hidden cells that a column needs for an interval of its own; with fewer all columns share one
SHRINKAGE = 20.0  # hidden cells that weights of all columns count as, beside those of one

TINY = 1e-6  # of a deviation

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Fill = Callable[[Int64, Bools], Float64]


@dataclass(frozen=True)
class ColumnFit:
    """How the missing cells of one column were filled, and the error on hidden cells.

    Parameters
    ----------
    name : str
        The column.
    filled : int
        Cells.
    weights : dict
        What each filling counts: "gaussian", "neighbours", "trees", "model". Of numbers they need not add up to 1;
        what is left is the column's mean.
    error : float
        In hidden cells: of numbers and dates the root of the mean squared error, in units of the column (of dates, in
        days); of categories the share of wrong ones. NaN where none were hidden.
    baseline_error : float
        The same error of the mean, or of the most frequent value.
    hidden : int
        Cells that the two were measured in.
    """

    name: str
    filled: int
    weights: dict[str, float]
    error: float
    baseline_error: float
    hidden: int


@dataclass(frozen=True)
class Blend:
    """Filled numbers and the ends of their intervals, (n, q) each as :class:`isthmus.tasks.cells.Cells` has them.

    Parameters
    ----------
    middle, low, high : array, shape (n, q)
    chance : array, shape (n, columns)
        That a category is right; NaN of numbers.
    served : array of bool, shape (columns,)
        Columns that were filled here; of the others too little is known.
    fits : tuple of ColumnFit
        Of those columns.
    """

    middle: Float64
    low: Float64
    high: Float64
    chance: Float64
    served: Bools
    fits: tuple[ColumnFit, ...]


@dataclass(frozen=True)
class _Hidden:
    """Numbers that were hidden, one an entry: what they are, what was said of them, and by how much trees disagreed.

    Parameters
    ----------
    place : array of int, shape (m,)
        Which number of a row.
    truth : array, shape (m,)
    said : array, shape (m, learners)
    spread : array, shape (m,)
    model : array, shape (m,)
        What the model says; NaN of records that it saw in training.
    """

    place: Int64
    truth: Float64
    said: Float64
    spread: Float64
    model: Float64

    def of(self, numbers: slice) -> _Hidden:
        """Return those of one column."""
        its = (self.place >= numbers.start) & (self.place < numbers.stop)
        return _Hidden(self.place[its], self.truth[its], self.said[its], self.spread[its], self.model[its])


def blend(cells: Cells, x: Float64, marked: Bools, fill: Fill, fresh: Int64, level: float, seed: int) -> Blend:
    """Fill the marked cells.

    Parameters
    ----------
    cells : Cells
        How cells become numbers.
    x : array, shape (n, q)
        Records, NaN where a cell is not known.
    marked : array of bool, shape (n, columns)
        Which cells to fill.
    fill : callable
        (rows, marks (len(rows), columns)) -> numbers, (len(rows), q): what the model fills in where marks say so.
    fresh : array of int
        Records that the model did not see in training.
    level : float
        Share of the intervals that are to hold the true value.
    seed : int
    """
    rng = np.random.default_rng(seed)
    has_place = cells.has_place
    served: Bools = np.asarray(marked.any(axis=0))
    groups = [column.place for column in cells.columns if column.place.start < column.place.stop]
    known = np.zeros(marked.shape, bool)
    known[:, has_place] = ~np.isnan(x[:, [place.start for place in groups]])
    hidden = _hide_and_predict(cells, x, known, marked, served, groups, fill, fresh, rng)
    said = predictions(x, groups, seed)
    rows = np.flatnonzero((marked & served).any(axis=1))
    from_model = np.full(x.shape, np.nan)
    from_model[rows] = fill(rows, marked[rows])
    return _Blender(cells, hidden, level).put(said, from_model, marked, served)


# ------------------------------------------------------------------ cells that are hidden


def _hide_and_predict(
    cells: Cells,
    x: Float64,
    known: Bools,
    marked: Bools,
    served: Bools,
    groups: list[slice],
    fill: Fill,
    fresh: Int64,
    rng: np.random.Generator,
) -> _Hidden:
    """Return what is said of known cells that were hidden, some times others."""
    times = ENOUGH / max(HIDDEN_SHARE * known[:, served].sum() / max(served.sum(), 1), 1)
    is_fresh = np.isin(np.arange(len(x)), fresh)
    parts = []
    for _ in range(int(np.clip(np.ceil(times), FEWEST_TIMES, MOST_TIMES))):
        holes = _holes(known, marked, served, rng)
        rows = np.union1d(np.flatnonzero(holes.any(axis=1)), rng.permutation(len(x))[:ROWS])
        where, its = cells.wide(holes[rows]), x[rows]
        said = predictions(np.where(where, np.nan, its), groups, int(rng.integers(2**31)))
        from_model = np.full(its.shape, np.nan)
        judged = where.any(axis=1) & is_fresh[rows]
        if judged.any():
            from_model[judged] = fill(rows[judged], (marked | holes)[rows[judged]])
        parts.append(_gathered(where, its, said, from_model))
    return _Hidden(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _gathered(where: Bools, x: Float64, said: Predictions, from_model: Float64) -> tuple[NDArray[np.generic], ...]:
    values = np.stack([said.values[name][where] for name in LEARNERS], axis=1)
    return np.nonzero(where)[1], x[where], values, said.spread[where], from_model[where]


def _holes(known: Bools, marked: Bools, served: Bools, rng: np.random.Generator) -> Bools:
    """Return which known cells to hide: the holes of some records, in others that have few holes elsewhere."""
    n = len(known)
    wanted = known & served
    patterns = rng.permutation(np.flatnonzero((marked & served).any(axis=1)))
    hidden = np.zeros_like(known)
    mean_holes = max((marked & served)[patterns].sum() / len(patterns), 1.0)
    count = int(np.clip(HIDDEN_SHARE * wanted.sum() / mean_holes, 1, PATTERNS))
    patterns = patterns[np.arange(count) % len(patterns)]
    rows = rng.permutation(n)[:CANDIDATES]
    shape = (marked & served)[patterns].astype(np.float32)
    elsewhere = (~known[rows]).astype(np.float32) @ (1 - shape).T  # holes that the other has not
    fresh = known[rows].astype(np.float32) @ shape.T  # cells that it would hide
    cost = np.where(fresh > 0, elsewhere, np.inf) + rng.random(elsewhere.shape, dtype=np.float32) / 2
    for pattern in range(count):
        row = int(cost[:, pattern].argmin())
        if np.isfinite(cost[row, pattern]):
            hidden[rows[row]] = wanted[rows[row]] & (shape[pattern] > 0)
            cost[row] = np.inf
    # A record with nothing left to go by says nothing of those with holes.
    hidden[(hidden | ~known).all(axis=1)] = False
    if hidden.sum() < min(MIN_HIDDEN_CELLS, HIDDEN_SHARE * wanted.sum()):  # where all holes are alike
        hidden = wanted & (rng.random(known.shape) < HIDDEN_SHARE)
        hidden[(hidden | ~known).all(axis=1)] = False
    return hidden


# ------------------------------------------------------------------ weights and intervals


class _Blender:
    """Weights and residuals of hidden cells, put to use."""

    def __init__(self, cells: Cells, hidden: _Hidden, level: float) -> None:
        self.cells, self.hidden, self.tail = cells, hidden, (1 - level) / 2
        self.shared = _weights(hidden.said, hidden.truth, None)
        base = np.nan_to_num(hidden.said) @ self.shared
        self.shared_model = _model_weight(base, hidden.model, hidden.truth, 0.0)

    def put(self, said: Predictions, from_model: Float64, marked: Bools, served: Bools) -> Blend:
        """Return the blend of what is said of the marked cells."""
        middle, scale = np.full(from_model.shape, np.nan), np.ones(from_model.shape)
        chance, fits, errors = np.full(marked.shape, np.nan), [], {}
        for index in np.flatnonzero(served).tolist():
            column = self.cells.columns[index]
            place, its = column.place, self.hidden.of(column.place)
            weights = _weights(its.said, its.truth, self.shared)
            base = np.nan_to_num(its.said) @ weights
            share = _model_weight(base, its.model, its.truth, self.shared_model)
            there = np.nan_to_num(np.stack([said.values[name][:, place] for name in LEARNERS], axis=-1)) @ weights
            middle[:, place] = there + share * (from_model[:, place] - there)
            judged = np.where(np.isnan(its.model), base, base + share * (its.model - base))
            fits.append(self._fit(index, its, judged, weights, share, int(marked[:, index].sum())))
            if column.is_category:
                shares = self.cells.shares(index, middle)
                chance[:, index] = np.clip(shares.max(axis=1) / np.maximum(shares.sum(axis=1), 1e-9), 1e-3, 1.0)
                continue
            values = self._within(middle[:, place], column)
            middle[:, place] = values
            spreads = its.spread[np.isfinite(its.spread)]
            typical = max(float(spreads.mean()), TINY) if len(spreads) else 1.0
            scale[:, place] = np.where(np.isnan(said.spread[:, place]), typical, said.spread[:, place]) + typical
            errors[index] = (its.truth - judged) / (np.where(np.isnan(its.spread), typical, its.spread) + typical)
        low, high = middle.copy(), middle.copy()
        together = np.concatenate([*errors.values(), np.empty(0)])
        for index, residuals in errors.items():
            column = self.cells.columns[index]
            ends = _ends(residuals if len(residuals) >= MIN_HIDDEN_CELLS else together, self.tail)
            for end, by in zip((low, high), ends, strict=True):
                end[:, column.place] += scale[:, column.place] * by
        return Blend(middle, low, high, chance, served, tuple(fits))

    def _within(self, x: Float64, column: Column) -> Float64:
        low, high = ((end - column.shift[0]) * column.factor[0] for end in (column.low, column.high))
        return np.clip(x, low, high)

    def _fit(self, index: int, its: _Hidden, judged: Float64, weights: Float64, share: float, filled: int) -> ColumnFit:
        column = self.cells.columns[index]
        error = baseline = float("nan")
        named = {name: float(round((1 - share) * w, 4)) for name, w in zip(LEARNERS, weights, strict=True)}
        count, scale = len(judged), column.factor[0] * column.unit
        if column.is_category and count:
            width = column.place.stop - column.place.start
            guess, true = (np.reshape(a, (-1, width)) / column.factor + column.shift for a in (judged, its.truth))
            right = true[np.arange(len(true)), guess.argmax(axis=1)] > 0.5
            error, baseline, count = 1 - right.mean(), 1 - true[:, 0].mean(), len(true)
        elif count:
            error = np.sqrt(np.square(judged - its.truth).mean()) / scale
            baseline = np.sqrt(np.square(its.truth).mean()) / scale
        return ColumnFit(
            column.name, filled, {**named, "model": float(round(share, 4))}, float(error), float(baseline), count
        )


def _weights(said: Float64, truth: Float64, shared: Float64 | None) -> Float64:
    """Return the weights >= 0 of least squared error, near shared ones; 0 of learners that said nothing."""
    from scipy.optimize import nnls

    there = ~np.isnan(said).all(axis=0) if len(said) else np.ones(said.shape[1], bool)
    a, b = np.nan_to_num(said), truth
    if shared is None:
        shared, pull = np.full(said.shape[1], 1 / said.shape[1]), 1.0
    else:
        pull = SHRINKAGE
    if not there.all() and there.any() and shared[there].sum() > 0:
        shared = np.where(there, shared * shared.sum() / shared[there].sum(), 0.0)
    a = np.concatenate([a, np.sqrt(pull) * np.eye(a.shape[1])])
    b = np.concatenate([b, np.sqrt(pull) * shared])
    return np.where(there, nnls(a, b)[0], 0.0)


def _model_weight(base: Float64, model: Float64, truth: Float64, shared: float) -> float:
    """Return w in [0, 1] of least squared error of base + w (model - base), near a shared one."""
    judged = ~np.isnan(model)
    if not judged.any():
        return shared
    apart, error = (model - base)[judged], (truth - base)[judged]
    pull = SHRINKAGE * float(np.square(apart).mean()) + 1e-12
    return float(np.clip((apart @ error + pull * shared) / (apart @ apart + pull), 0, 1))


def _ends(residuals: Float64, tail: float) -> tuple[float, float]:
    """Return the two quantiles beyond which at most a share ``tail`` of m + 1 residuals lies; of none 0."""
    m = len(residuals)
    if not m:
        return 0.0, 0.0
    rank = int(np.clip(np.floor((m + 1) * tail), 1, max(m // 2, 1)))
    ordered = np.sort(residuals)
    return float(ordered[rank - 1]), float(ordered[m - rank])

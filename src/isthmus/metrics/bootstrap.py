"""Confidence intervals: bootstrap for means over records, grouped jackknife for other statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import check_level, check_per_record, check_values

__all__ = ["Interval", "bootstrap_interval", "bootstrap_ratio", "jackknife_interval"]

_BLOCK_DRAWS = 1 << 22
"""Random row numbers that are held at a time (32 MiB)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its confidence interval over samples of records.

    Parameters
    ----------
    mean : float
        The sample's mean.
    low, high : float
        Ends of the interval; NaN where one record is all there is.
    level : float
        The confidence level, 0.95 for 95 %.
    n : int
        Number of records.
    """

    mean: float
    low: float
    high: float
    level: float
    n: int


def bootstrap_interval(
    values: ArrayLike, *, level: float = 0.95, n_resamples: int = 1000, random_state: int = 0
) -> Interval:
    """Return a mean over records with its percentile bootstrap interval.

    The records are drawn with replacement ``n_resamples`` times; the interval reaches from the
    ``(1 - level) / 2`` to the ``(1 + level) / 2`` quantile of the resampled means (Efron & Tibshirani 1993, section
    13.3). It tells how much the mean would move with other held-out records, not with another training run. For the
    difference between two models on the same records, pass the differences.

    Parameters
    ----------
    values : array-like, shape (n,)
        One finite number a record.
    level : float, default=0.95
        Confidence level.
    n_resamples : int, default=1000
        How many times the records are drawn again.
    random_state : int, default=0
        Seed of a local generator; the same seed gives the same interval.

    Returns
    -------
    Interval
        With NaN ends for a single record, which has no spread.

    Raises
    ------
    ShapeError, DataError
        The values are not a vector, are none, or are not finite.
    ParameterError
        ``level`` or ``n_resamples`` is not allowed.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall 1993.

    Examples
    --------
    >>> interval = bootstrap_interval([1.0, 2.0, 3.0, 4.0])
    >>> interval.low < interval.mean < interval.high
    True
    """
    x = np.asarray(values, dtype=np.float64)
    check_values("bootstrap_interval", x)
    check_level("bootstrap_interval", level, n_resamples)
    n = len(x)
    if n == 1:
        return Interval(float(x[0]), float("nan"), float("nan"), level, 1)
    means = _resampled_means(x[:, None], n_resamples, random_state)[:, 0]
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(x.mean()), float(low), float(high), level, n)


def bootstrap_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> Interval:
    """Return the ratio of two means over the same records with its percentile bootstrap interval.

    Both means are taken of the same records drawn with replacement, so that an error of one method as a share of
    another's has an interval that no negative share is in.

    Parameters
    ----------
    numerators, denominators : array-like, shape (n,)
        One finite number a record; the denominators are not negative and not all 0.
    level, n_resamples, random_state
        As in :func:`bootstrap_interval`.

    Returns
    -------
    Interval
        Its ``mean`` is the ratio of the means.

    Raises
    ------
    ShapeError, DataError
        The values are not two vectors of one length, are none, or are not finite.
    ParameterError
        ``level`` or ``n_resamples`` is not allowed.

    Examples
    --------
    >>> bootstrap_ratio([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]).high
    0.5
    """
    pair = [np.asarray(values, dtype=np.float64) for values in (numerators, denominators)]
    for values in pair:
        check_values("bootstrap_ratio", values)
    check_level("bootstrap_ratio", level, n_resamples)
    check_per_record("bootstrap_ratio", "denominators", pair[1].shape, len(pair[0]))
    ratio, n = float(pair[0].mean() / pair[1].mean()), len(pair[0])
    if n == 1:
        return Interval(ratio, float("nan"), float("nan"), level, 1)
    above, below = _resampled_means(np.stack(pair, axis=1), n_resamples, random_state).T
    known = below > 0  # draws in which every denominator is 0 say nothing
    low, high = np.quantile(above[known] / below[known], [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(ratio, float(low), float(high), level, n)


def _resampled_means(x: NDArray[np.float64], n_resamples: int, random_state: int) -> NDArray[np.float64]:
    """Return the means of the columns of x, shape (n, k), over records drawn with replacement: (n_resamples, k)."""
    generator = np.random.default_rng(random_state)
    means = np.empty((n_resamples, x.shape[1]))
    block = max(1, _BLOCK_DRAWS // x.size)
    for start in range(0, n_resamples, block):
        count = min(block, n_resamples - start)
        means[start : start + count] = x[generator.integers(0, len(x), (count, len(x)))].mean(axis=1)
    return means


def jackknife_interval(value: float, left_out: ArrayLike, *, n: int, level: float = 0.95) -> Interval:
    """Return a jackknife interval of a statistic, from its values with one group of records left out at a time.

    For G groups of equal size, theta from all records and theta_g without group g, the pseudo-values
    ``G theta - (G - 1) theta_g`` behave like G independent measurements (Tukey 1958; Efron & Tibshirani 1993, chapter
    11): their mean is the figure without its bias of order 1/n, and Student's interval of that mean is the interval.

    Parameters
    ----------
    value : float
        The figure of all records, theta.
    left_out : array-like, shape (G,)
        The figure without each of G random groups, theta_g; G at least 2.
    n : int
        Number of records.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    Interval
        Its mean is the figure corrected for bias; for a figure that cannot be negative it can be, if the truth is near
        0.

    Raises
    ------
    ShapeError, DataError
        The values are not a vector, are fewer than two, or are not finite.
    ParameterError
        ``level`` is not allowed.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall 1993.

    Examples
    --------
    For a mean the pseudo-values are the values themselves:

    >>> x = np.array([1.0, 2.0, 3.0, 6.0])
    >>> jackknife_interval(x.mean(), [(x.sum() - one) / 3 for one in x], n=4).mean
    3.0
    """
    from scipy import stats

    without = np.asarray(left_out, dtype=np.float64)
    check_values("jackknife_interval", without, at_least=2)
    check_level("jackknife_interval", level, 1)
    groups = len(without)
    pseudo = groups * value - (groups - 1) * without
    mean = float(pseudo.mean())
    reach = float(stats.t.ppf((1.0 + level) / 2.0, groups - 1) * pseudo.std(ddof=1) / np.sqrt(groups))
    return Interval(mean, mean - reach, mean + reach, level, n)

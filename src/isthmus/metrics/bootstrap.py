"""How sure a figure is: a bootstrap interval of a mean over records, a jackknife interval of what is no mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus.checks.metrics import check_level, check_values

__all__ = ["Interval", "bootstrap_interval", "jackknife_interval"]

_BLOCK_DRAWS = 1 << 22
"""Random row numbers that are held at a time (32 MiB)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval in which it would lie for other samples of records.

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
        With NaN ends for a single record, which says nothing about others.

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
    generator = np.random.default_rng(random_state)
    means = np.empty(n_resamples)
    block = max(1, _BLOCK_DRAWS // n)
    for start in range(0, n_resamples, block):
        count = min(block, n_resamples - start)
        means[start : start + count] = x[generator.integers(0, n, (count, n))].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(x.mean()), float(low), float(high), level, n)


def jackknife_interval(value: float, left_out: ArrayLike, *, n: int, level: float = 0.95) -> Interval:
    """Return an interval for a figure that is no mean over records, from its values without one group after another.

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

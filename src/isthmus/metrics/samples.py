"""Quality of generated records: distance of distributions, precision and recall, and copies of training records.

All functions take features, a row a record: pixels, columns, or better what a named network sees in the records
(:class:`isthmus.metrics.features.FeatureNetwork`), as distances between pixels say little. A figure depends on the
features and on the number of rows; compare only where both are the same. What real records score is the only
yardstick: :func:`real_baseline`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import (
    check_centres,
    check_class_numbers,
    check_features,
    check_halves,
    check_held_out_distances,
    check_moments,
    check_shares,
)
from isthmus.checks.parameters import choice, integer, number
from isthmus.metrics.bootstrap import Interval, bootstrap_interval, jackknife_interval
from isthmus.metrics.chance import own_generator
from isthmus.metrics.neighbours import distance_blocks, nearest, nearest_others

__all__ = [
    "DensityCoverage",
    "Memorisation",
    "ModeCoverage",
    "PrecisionRecall",
    "TwoSampleTest",
    "class_coverage",
    "classifier_two_sample_test",
    "density_coverage",
    "frechet_distance",
    "frechet_interval",
    "gaussian_frechet_distance",
    "kernel_distance",
    "memorisation",
    "memorisation_from_distances",
    "mode_coverage",
    "precision_recall",
    "real_baseline",
]

Float64 = NDArray[np.float64]
Moments = tuple[Float64, Float64]
Sums = tuple[Float64, Float64, Float64]
Result = TypeVar("Result")

_GROUPS = 20
"""Groups of records that the jackknife leaves out one by one."""


# ------------------------------------------------------------------ clouds


def gaussian_frechet_distance(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike
) -> float:
    """Return the squared Fréchet distance of two Gaussians: Dowson & Landau 1982.

    ``|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1^{1/2} S_2 S_1^{1/2})^{1/2})``. The last trace is the sum of the singular
    values of ``S_1^{1/2} S_2^{1/2}``, which stays real and exact where covariances are singular; no root is taken of a
    matrix that is not symmetric.

    Parameters
    ----------
    mean, other_mean : array-like, shape (d,)
        Means.
    covariance, other_covariance : array-like, shape (d, d)
        Symmetric, positive semi-definite.

    Returns
    -------
    float
        In squared units of the features; 0 for the same Gaussian.

    Raises
    ------
    ShapeError
        The shapes do not belong together.

    References
    ----------
    D. C. Dowson and B. V. Landau, "The Fréchet distance between multivariate normal distributions", Journal of
    Multivariate Analysis 12, 1982.

    Examples
    --------
    >>> gaussian_frechet_distance([0.0], [[1.0]], [3.0], [[4.0]])
    10.0
    """
    m1, s1 = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    m2, s2 = np.asarray(other_mean, np.float64), np.asarray(other_covariance, np.float64)
    check_moments("gaussian_frechet_distance", (m1, s1), (m2, s2))
    shared = np.linalg.svd(_root(s1) @ _root(s2), compute_uv=False).sum()
    distance = np.sum((m1 - m2) ** 2) + np.trace(s1) + np.trace(s2) - 2.0 * shared
    return max(float(distance), 0.0)


def frechet_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """Return the squared Fréchet distance of the Gaussians with the moments of two sets: Heusel et al. 2017, eq. 6.

    On features of the Inception network this is the FID; on others it has other units and is no comparison with it. It
    sees means and covariances only. It is too high for few rows, by about c / n, more in more dimensions (Chong &
    Forsyth 2020): compare at one number of rows, or use :func:`frechet_interval`.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records; n well above d.
    generated : array-like, shape (m, d)
        Features of generated ones.

    Returns
    -------
    float
        In squared units of the features; 0 is best.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width with two rows or more.

    References
    ----------
    M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter, "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", NeurIPS 2017. M. J. Chong and D. Forsyth, "Effectively unbiased FID and
    Inception Score and where to find them", CVPR 2020.

    Examples
    --------
    >>> frechet_distance([[0.0], [2.0]], [[5.0], [7.0]])
    25.0
    """
    x, y = _pair("frechet_distance", 2, real=real, generated=generated)
    middle = x.mean(axis=0)  # products of large numbers would lose the digits of a small spread
    return _frechet(_moments(x - middle), _moments(y - middle))


def frechet_interval(real: ArrayLike, generated: ArrayLike, *, level: float = 0.95, random_state: int = 0) -> Interval:
    """Return the Fréchet distance corrected for the number of rows, with its interval.

    Both sets are cut into 20 random groups, and :func:`jackknife_interval` sees the distance without each. That takes
    off the part of the bias that falls as 1/n, so that sets of different sizes can be compared, and values near 0 can
    come out below it.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records; n well above d.
    generated : array-like, shape (m, d)
        Features of generated ones.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the groups.

    Returns
    -------
    Interval
        In squared units of the features; ``n`` is the number of generated rows.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width with 40 rows or more.
    ParameterError
        ``level`` is not allowed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = frechet_interval(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + [1.0, 0.0])
    >>> 0.0 < found.low < found.mean < found.high
    True
    """
    x, y = _pair("frechet_interval", 2 * _GROUPS, real=real, generated=generated)
    generator = own_generator(random_state, "frechet_interval")
    middle = x.mean(axis=0)
    sums = [_group_sums(generator.permutation(rows) - middle) for rows in (x, y)]
    whole = _frechet(*(_moments_without(one) for one in sums))
    left_out = [_frechet(*(_moments_without(one, group) for one in sums)) for group in range(_GROUPS)]
    return jackknife_interval(whole, left_out, n=len(y), level=level)


def kernel_distance(
    real: ArrayLike,
    generated: ArrayLike,
    *,
    block_size: int | None = None,
    level: float = 0.95,
    random_state: int = 0,
) -> Interval:
    """Return the kernel distance (KID) of Binkowski et al. 2018: the squared MMD under ``(x.y / d + 1)^3``.

    The unbiased estimate (Gretton et al. 2012, equation 3) is taken on random blocks of rows that share none, and
    averaged; so the figure does not depend on the number of rows, and the blocks give an honest interval. It sees
    means, covariances and skewness.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records.
    generated : array-like, shape (m, d)
        Features of generated ones. Of the larger set a random part is used.
    block_size : int, optional
        Rows of each set in a block; by default 1,000, or a tenth of the rows where those are fewer.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the blocks and of the interval.

    Returns
    -------
    Interval
        0 is best; values near it can be negative. ``n`` is the number of blocks; with one, the ends are NaN.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width with two rows or more.
    ParameterError
        ``block_size`` is no whole number from 2 to the rows of the smaller set, or ``level`` is not allowed.

    References
    ----------
    M. Binkowski, D. J. Sutherland, M. Arbel and A. Gretton, "Demystifying MMD GANs", ICLR 2018. A. Gretton, K. M.
    Borgwardt, M. J. Rasch, B. Schölkopf and A. Smola, "A kernel two-sample test", JMLR 13, 2012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = kernel_distance(rng.normal(size=(500, 4)), rng.normal(size=(500, 4)) + 1.0)
    >>> found.low > 0.0
    True
    """
    owner = "kernel_distance"
    x, y = _pair(owner, 2, real=real, generated=generated)
    n = min(len(x), len(y))
    integer(owner, "block_size", block_size, low=2, high=n, optional=True)
    size = block_size or min(1000, max(2, n // 10))
    generator = own_generator(random_state, owner)
    x, y = generator.permutation(x)[:n], generator.permutation(y)[:n]
    starts = range(0, n - size + 1, size)
    values = [_unbiased_mmd(x[start : start + size], y[start : start + size]) for start in starts]
    return bootstrap_interval(values, level=level, random_state=random_state)


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """Result of a classifier two-sample test.

    Parameters
    ----------
    accuracy : Interval
        On records that it did not learn from; 0.5 when it cannot tell them apart, 1 when it always can.
    p_value : float
        The chance of an accuracy as high if the two had one distribution.
    """

    accuracy: Interval
    p_value: float


def classifier_two_sample_test(
    real: ArrayLike,
    generated: ArrayLike,
    *,
    classifier: str = "nearest-neighbours",
    level: float = 0.95,
    random_state: int = 0,
) -> TwoSampleTest:
    """Test whether two sets have one distribution, by a classifier: Lopez-Paz & Oquab 2017, section 3.

    As many rows of each are taken as the smaller set has. The classifier learns from a random half and is tested on the
    other. Under one distribution the number of right answers is binomial with chance 1/2, which gives the p-value. A
    large p-value says that this classifier saw no difference, not that there is none; with many rows a small one can
    stand for a difference that does not matter.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records, which the model did not learn from.
    generated : array-like, shape (m, d)
        Features of generated ones.
    classifier : {"nearest-neighbours", "logistic"}, default="nearest-neighbours"
        The square root of the training rows as the number of neighbours, as in the paper; or a linear boundary, which
        is quicker and sees differences in the means.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the halves and of the interval.

    Returns
    -------
    TwoSampleTest
        Accuracy and p-value.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width with four rows or more.
    ParameterError
        ``classifier`` or ``level`` is not allowed.

    References
    ----------
    D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = classifier_two_sample_test(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 2.0)
    >>> found.accuracy.mean > 0.9 and found.p_value < 1e-6
    True
    """
    from scipy import stats

    owner = "classifier_two_sample_test"
    choice(owner, "classifier", classifier, ("nearest-neighbours", "logistic"))
    x, y = _pair(owner, 4, real=real, generated=generated)
    generator = own_generator(random_state, owner)
    half = min(len(x), len(y)) // 2
    x, y = generator.permutation(x)[: 2 * half], generator.permutation(y)[: 2 * half]
    labels = np.repeat([0, 1], half)
    model = _classifier(classifier, 2 * half).fit(np.concatenate([x[:half], y[:half]]), labels)
    right = model.predict(np.concatenate([x[half:], y[half:]])) == labels
    p_value = stats.binomtest(int(right.sum()), len(right), 0.5, alternative="greater").pvalue
    return TwoSampleTest(bootstrap_interval(right, level=level, random_state=random_state), float(p_value))


# ------------------------------------------------------------------ one by one


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall of generated records.

    Parameters
    ----------
    precision : Interval
        Share of generated records among the real ones: whether samples are good.
    recall : Interval
        Share of real records among the generated ones: whether samples are diverse.
    """

    precision: Interval
    recall: Interval


@dataclass(frozen=True, slots=True)
class DensityCoverage:
    """Density and coverage of generated records.

    Parameters
    ----------
    density : Interval
        1 is as dense as the real records; more is possible where samples crowd into the middle.
    coverage : Interval
        Share of real records whose neighbourhood holds a generated one, from 0 to 1.
    """

    density: Interval
    coverage: Interval


def precision_recall(
    real: ArrayLike, generated: ArrayLike, *, k: int = 3, level: float = 0.95, random_state: int = 0
) -> PrecisionRecall:
    """Return improved precision and recall: Kynkäänniemi et al. 2019, equations 1 and 2.

    A record lies among a set when it is in the ball around one of its rows that reaches to that row's k-th nearest
    other row. One outlier has a large ball and so lifts the figure; :func:`density_coverage` minds that less.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records.
    generated : array-like, shape (m, d)
        Features of generated ones; the paper takes as many as real ones.
    k : int, default=3
        Which neighbour a ball reaches to.
    level : float, default=0.95
        Confidence level of the intervals, over the records of one set with the other held fixed.
    random_state : int, default=0
        Seed of the intervals.

    Returns
    -------
    PrecisionRecall
        Shares from 0 to 1.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width with more than k rows.
    ParameterError
        ``k`` or ``level`` is not allowed.

    References
    ----------
    T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen and T. Aila, "Improved precision and recall metric for assessing
    generative models", NeurIPS 2019.

    Examples
    --------
    >>> x = np.arange(20.0).reshape(10, 2)
    >>> precision_recall(x, x + 1000.0).precision.mean, precision_recall(x, x).recall.mean
    (0.0, 1.0)
    """
    integer("precision_recall", "k", k, low=1)
    x, y = _pair("precision_recall", k + 1, real=real, generated=generated)
    x, y = _centred(x, y)
    reach_x, reach_y = np.square(nearest_others(x, k)), np.square(nearest_others(y, k))
    inside_x, inside_y = np.zeros(len(y), bool), np.zeros(len(x), bool)
    for part, squares in distance_blocks(y, x):
        inside_x[part] = (squares <= reach_x).any(axis=1)
        inside_y |= (squares <= reach_y[part, np.newaxis]).any(axis=0)
    return PrecisionRecall(
        bootstrap_interval(inside_x, level=level, random_state=random_state),
        bootstrap_interval(inside_y, level=level, random_state=random_state),
    )


def density_coverage(
    real: ArrayLike, generated: ArrayLike, *, k: int = 5, level: float = 0.95, random_state: int = 0
) -> DensityCoverage:
    """Return density and coverage: Naeem et al. 2020, section 3.

    Only real records have balls, so that outliers among the generated ones count for nothing. For two sets of one size
    and one distribution the expected coverage is about ``1 - 2^-k``, 0.97 for k = 5, not 1.

    Parameters
    ----------
    real : array-like, shape (n, d)
        Features of real records.
    generated : array-like, shape (m, d)
        Features of generated ones; coverage grows with their number.
    k : int, default=5
        Which neighbour the ball of a real record reaches to.
    level : float, default=0.95
        Confidence level of the intervals, over the records of one set with the other held fixed.
    random_state : int, default=0
        Seed of the intervals.

    Returns
    -------
    DensityCoverage
        Density from 0, coverage from 0 to 1.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width, or the real one has no more than k rows.
    ParameterError
        ``k`` or ``level`` is not allowed.

    References
    ----------
    M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi and J. Yoo, "Reliable fidelity and diversity metrics for generative models",
    ICML 2020.

    Examples
    --------
    >>> x = np.arange(20.0).reshape(10, 2)
    >>> density_coverage(x, x + 1000.0).density.mean, density_coverage(x, x).coverage.mean
    (0.0, 1.0)
    """
    integer("density_coverage", "k", k, low=1)
    x, y = _pair("density_coverage", 1, real=real, generated=generated)
    check_features("density_coverage", k + 1, real=x)
    x, y = _centred(x, y)
    reach = np.square(nearest_others(x, k))
    count, covered = np.zeros(len(y)), np.zeros(len(x), bool)
    for part, squares in distance_blocks(y, x):
        inside = squares <= reach
        count[part] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
    return DensityCoverage(
        bootstrap_interval(count / k, level=level, random_state=random_state),
        bootstrap_interval(covered, level=level, random_state=random_state),
    )


# ------------------------------------------------------------------ copies


@dataclass(frozen=True, slots=True, eq=False)
class Memorisation:
    """Whether generated records lie closer to the training records than held-out ones do.

    Parameters
    ----------
    distances : ndarray of float64, shape (n,)
        From every generated record to its nearest training record.
    indices : ndarray of int64, shape (n,)
        Which training record that is: put the two side by side in a picture.
    held_out_distances : ndarray of float64, shape (m,)
        From every held-out record to its nearest training record: the baseline.
    ratio : Interval
        Mean distance over that of the held-out records; clearly below 1 speaks of copying (or of samples that are all
        average).
    too_close : Interval
        Share of generated records nearer to a training record than 95 % of the held-out ones are.
    held_out_too_close : float
        The same share of the held-out records: 0.05, or more where many of them are equally near.
    copies, held_out_copies : float
        Shares at distance 0.
    p_value : float
        The chance of distances as small if generated and held-out records had one distribution (Mann-Whitney, one
        side).
    """

    distances: Float64
    indices: NDArray[np.int64]
    held_out_distances: Float64
    ratio: Interval
    too_close: Interval
    held_out_too_close: float
    copies: float
    held_out_copies: float
    p_value: float


def memorisation(
    generated: ArrayLike, train: ArrayLike, held_out: ArrayLike, *, level: float = 0.95, random_state: int = 0
) -> Memorisation:
    """Find the nearest training record of every generated one, and compare with held-out records.

    A model that has learned the distribution makes records as far from the training records as new real ones are. The
    test of the distances is that of Meehan et al. 2020, in one cell.

    Parameters
    ----------
    generated : array-like, shape (n, d)
        Features of generated records.
    train : array-like, shape (m, d)
        Features of the records that the model learned from.
    held_out : array-like, shape (l, d)
        Features of real records that it did not learn from.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the intervals.

    Returns
    -------
    Memorisation
        Distances, neighbours, and what they say.

    Raises
    ------
    ShapeError, DataError
        They are not finite matrices of one width, or every held-out record is a copy of a training record.
    ParameterError
        ``level`` is not allowed.

    References
    ----------
    C. Meehan, K. Chaudhuri and S. Dasgupta, "A non-parametric test to detect data-copying in generative models",
    AISTATS 2020.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> train, held_out = rng.normal(size=(300, 3)), rng.normal(size=(100, 3))
    >>> found = memorisation(train[:50], train, held_out)
    >>> found.copies, found.indices[:3]
    (1.0, array([0, 1, 2]))
    """
    g, t, h = _pair("memorisation", 1, generated=generated, train=train, held_out=held_out)
    distances, indices = nearest(g, t)
    return memorisation_from_distances(
        distances, indices, nearest(h, t)[0], owner="memorisation", level=level, random_state=random_state
    )


def memorisation_from_distances(
    distances: Float64,
    indices: NDArray[np.int64],
    held_out_distances: Float64,
    *,
    owner: str = "memorisation_from_distances",
    level: float = 0.95,
    random_state: int = 0,
) -> Memorisation:
    """Return the result of :func:`memorisation` from distances to training records.

    Parameters
    ----------
    distances : ndarray of float64, shape (n,)
        From every generated record to its nearest training record.
    indices : ndarray of int64, shape (n,)
        Which one that is.
    held_out_distances : ndarray of float64, shape (m,)
        From every held-out record to its nearest training record.
    owner : str
        The function that asks, for the error's sentence.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the intervals.

    Returns
    -------
    Memorisation
        As :func:`memorisation`.

    Raises
    ------
    DataError
        Every held-out record is a copy of a training record.
    ParameterError
        ``level`` is not allowed.

    Examples
    --------
    >>> memorisation_from_distances(np.array([1.0, 3.0]), np.array([0, 1]), np.array([2.0, 2.0])).ratio.mean
    1.0
    """
    from scipy import stats

    check_held_out_distances(owner, held_out_distances)
    nearest_held_out = np.quantile(held_out_distances, 0.05)
    ratio = distances / held_out_distances.mean()
    p_value = stats.mannwhitneyu(distances, held_out_distances, alternative="less").pvalue
    return Memorisation(
        distances,
        indices,
        held_out_distances,
        bootstrap_interval(ratio, level=level, random_state=random_state),
        bootstrap_interval(distances <= nearest_held_out, level=level, random_state=random_state),
        float((held_out_distances <= nearest_held_out).mean()),
        float((distances == 0.0).mean()),
        float((held_out_distances == 0.0).mean()),
        float(p_value),
    )


# ------------------------------------------------------------------ modes


@dataclass(frozen=True, slots=True, eq=False)
class ModeCoverage:
    """How many modes samples reach, and how evenly.

    Parameters
    ----------
    covered : int
        Modes with at least one good sample.
    n_modes : int
        Modes that there are.
    good : Interval
        Share of good samples.
    kl : float
        Divergence of the modes' shares among good samples from the expected ones, nats; 0 is even, infinity stands for
        no good sample. Of n samples that are even it is about ``(n_modes - 1) / (2 n)``.
    counts : ndarray of int64, shape (n_modes,)
        Good samples of each mode.
    """

    covered: int
    n_modes: int
    good: Interval
    kl: float
    counts: NDArray[np.int64]


def mode_coverage(
    samples: ArrayLike,
    centres: ArrayLike,
    deviation: float,
    *,
    within: float = 3.0,
    expected: ArrayLike | None = None,
    level: float = 0.95,
    random_state: int = 0,
) -> ModeCoverage:
    """Count the modes that samples of a known mixture reach: Srivastava et al. 2017.

    A sample is good when it lies within three standard deviations of its nearest centre. The rule is made for points in
    the plane (rings and grids of Gaussians): of Gaussian samples in d dimensions the share ``P(chi^2_d <= 9)`` is good,
    0.989 for d = 2.

    Parameters
    ----------
    samples : array-like, shape (n, d)
        Generated points.
    centres : array-like, shape (k, d)
        Of the mixture's components.
    deviation : float
        Standard deviation of each component.
    within : float, default=3
        Deviations within which a sample is good.
    expected : array-like, shape (k,), optional
        Share of each component; all the same by default.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the interval.

    Returns
    -------
    ModeCoverage
        Modes, good samples, evenness.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one width.
    ParameterError
        A number is not above 0, ``expected`` are no shares, or ``level`` is not allowed.

    References
    ----------
    A. Srivastava, L. Valkov, C. Russell, M. U. Gutmann and C. Sutton, "VEEGAN: reducing mode collapse in GANs using
    implicit variational learning", NeurIPS 2017.

    Examples
    --------
    >>> found = mode_coverage([[0.1], [0.2], [5.0]], [[0.0], [10.0]], 0.1)
    >>> found.covered, found.counts
    (1, array([2, 0]))
    """
    owner = "mode_coverage"
    number(owner, "deviation", deviation, low=0.0, above=True)
    number(owner, "within", within, low=0.0, above=True)
    x, c = np.asarray(samples, np.float64), np.asarray(centres, np.float64)
    check_centres(owner, x, c)
    distances, modes = nearest(x, c)
    good = distances <= within * deviation
    return _mode_coverage(owner, modes, good, len(c), expected, level, random_state)


def class_coverage(
    labels: ArrayLike,
    n_classes: int,
    *,
    expected: ArrayLike | None = None,
    level: float = 0.95,
    random_state: int = 0,
) -> ModeCoverage:
    """Count the classes that a classifier finds among samples: Metz et al. 2017.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        The class number of every sample, as a classifier of real records names it.
    n_classes : int
        Classes that there are: 10 of MNIST, 1,000 of three stacked digits.
    expected : array-like, shape (n_classes,), optional
        Share of each class among real records; all the same by default.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of the interval.

    Returns
    -------
    ModeCoverage
        Every sample counts as good.

    Raises
    ------
    ShapeError, DataError
        The labels are not class numbers.
    ParameterError
        ``n_classes`` is below 1, ``expected`` are no shares, or ``level`` is not allowed.

    References
    ----------
    L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, "Unrolled generative adversarial networks", ICLR 2017.

    Examples
    --------
    >>> found = class_coverage([0, 0, 2, 2], 4)
    >>> found.covered, round(found.kl, 3)
    (2, 0.693)
    """
    owner = "class_coverage"
    modes = np.asarray(labels)
    check_class_numbers(owner, modes, n_classes)
    return _mode_coverage(owner, modes, np.ones(len(modes), bool), n_classes, expected, level, random_state)


# ------------------------------------------------------------------ baseline


def real_baseline(
    measure: Callable[[Any, Any], Result], real: Any, n: int | None = None, *, random_state: int = 0
) -> Result:
    """Return a measure between two samples of real records: the value of a perfect generator.

    Parameters
    ----------
    measure : callable
        ``measure(real, generated)``: any function of this module with two sets, or of :mod:`isthmus.metrics.tables`.
    real : array-like, shape (m, d), or pyarrow.Table
        Features of real records.
    n : int, optional
        Rows on either side: as many as the generated set has, where figures depend on it. Half of all rows by default.
    random_state : int, default=0
        Seed of the two random parts, which share no row.

    Returns
    -------
    object
        What ``measure`` returns.

    Raises
    ------
    ParameterError
        There are not twice as many rows as ``n``.

    Examples
    --------
    >>> real = np.random.default_rng(0).normal(size=(1000, 2))
    >>> real_baseline(frechet_distance, real) < 0.05
    True
    """
    is_table = hasattr(real, "column_names")
    records = real if is_table else np.asarray(real)
    size = len(records) // 2 if n is None else n
    check_halves("real_baseline", size, len(records))
    rows = own_generator(random_state, "real_baseline").permutation(len(records))
    first, second = np.sort(rows[:size]), np.sort(rows[size : 2 * size])
    return measure(records.take(first), records.take(second)) if is_table else measure(records[first], records[second])


# ------------------------------------------------------------------ parts


def _pair(owner: str, at_least: int, **sets: ArrayLike) -> Iterator[Float64]:
    """Yield the sets as float64 matrices, checked."""
    found = {name: np.asarray(values, np.float64) for name, values in sets.items()}
    check_features(owner, at_least, **found)
    yield from found.values()


def _centred(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return both less the mean of the first: near the origin, differences of squares lose the fewest digits."""
    middle = x.mean(axis=0)
    return x - middle, y - middle


def _root(covariance: Float64) -> Float64:
    """Return the symmetric root of a symmetric matrix.

    Eigenvalues that are rounding beside the largest count as 0: their roots would be far larger than rounding.
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    rounding = len(values) * np.finfo(np.float64).eps * max(float(values[-1]), 0.0)
    return np.asarray((vectors * np.sqrt(np.where(values > rounding, values, 0.0))) @ vectors.T)


def _moments(x: Float64) -> Moments:
    """Return mean (d,) and covariance (d, d) of rows."""
    return _from_sums(len(x), x.sum(axis=0), x.T @ x)


def _from_sums(n: float, total: Float64, products: Float64) -> Moments:
    """Return mean and covariance from the number of rows, their sum and the sum of their outer products."""
    mean = total / n
    return mean, (products - n * np.outer(mean, mean)) / (n - 1)


def _group_sums(x: Float64) -> Sums:
    """Return number, sum and sum of outer products of the rows in each group: (g,), (g, d), (g, d, d)."""
    groups = np.array_split(x, _GROUPS)
    counts = np.array([float(len(group)) for group in groups])
    return counts, np.stack([group.sum(axis=0) for group in groups]), np.stack([group.T @ group for group in groups])


def _moments_without(sums: Sums, group: int | None = None) -> Moments:
    """Return mean and covariance of all groups but one, or of all."""
    n, total, products = (one.sum(axis=0) if group is None else one.sum(axis=0) - one[group] for one in sums)
    return _from_sums(float(n), total, products)


def _frechet(first: Moments, second: Moments) -> float:
    return gaussian_frechet_distance(*first, *second)


def _unbiased_mmd(x: Float64, y: Float64) -> float:
    """Return the unbiased squared MMD of two sets of n rows under the cubic kernel."""
    n, d = x.shape
    within = sum(float(k.sum() - np.trace(k)) for k in (_cubic(x, x, d), _cubic(y, y, d)))
    return within / (n * (n - 1)) - 2.0 * float(_cubic(x, y, d).mean())


def _cubic(x: Float64, y: Float64, d: int) -> Float64:
    return np.asarray((x @ y.T / d + 1.0) ** 3)


def _classifier(name: str, n_train: int) -> Any:
    """Return the untrained scikit-learn classifier of a name."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return KNeighborsClassifier(max(1, math.isqrt(n_train)))


def _mode_coverage(
    owner: str,
    modes: NDArray[Any],
    good: NDArray[np.bool_],
    n_modes: int,
    expected: ArrayLike | None,
    level: float,
    random_state: int,
) -> ModeCoverage:
    wanted = np.full(n_modes, 1.0 / n_modes) if expected is None else np.asarray(expected, np.float64)
    check_shares(owner, wanted, n_modes)
    counts = np.bincount(modes[good], minlength=n_modes)
    reached = counts > 0
    share = counts[reached] / max(int(counts.sum()), 1)
    kl = float(np.sum(share * np.log(share / wanted[reached]))) if reached.any() else math.inf
    interval = bootstrap_interval(good, level=level, random_state=random_state)
    return ModeCoverage(int(reached.sum()), n_modes, interval, kl, counts)

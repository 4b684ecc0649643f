r"""Quality of a map: trustworthiness, continuity, and share of neighbours kept.

All figures compare the k nearest neighbours of a record among the others in two places: in the data (Euclidean
distance of the flattened records) and in the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.maps import check_map, check_new_points
from isthmus.metrics.neighbours import distance_blocks

__all__ = ["Neighbourhoods", "nearest_neighbour_hits", "neighbourhoods"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Scores of each record's neighbourhood on a map; the literature reports their means over records.

    Parameters
    ----------
    k : int
        Neighbours that were looked at.
    trustworthiness : ndarray of float64, shape (n,)
        1 if every neighbour on the map is one in the data; it falls with the rank in the data of those that are none.
    continuity : ndarray of float64, shape (n,)
        1 if every neighbour in the data is one on the map; it falls with the rank on the map of those that are none.
    hit_rate : ndarray of float64, shape (n,)
        Share of the k neighbours in the data that are among the k on the map.
    """

    k: int
    trustworthiness: Float64
    continuity: Float64
    hit_rate: Float64


def neighbourhoods(records: ArrayLike, points: ArrayLike, *, k: int = 15) -> Neighbourhoods:
    r"""Return trustworthiness, continuity and neighbour hit rate of a map.

    With U_i the k nearest on the map that are not among the k nearest in the data, V_i the other way round, r(i, j) the
    rank of j among the neighbours of i in the data and s(i, j) that on the map (Venna and Kaski 2006, equations 1
    and 2)::

        T = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_i} (r(i, j) - k)
        C = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in V_i} (s(i, j) - k)

    The hit rate is the mean of ``1 - |V_i| / k``: Q_NX(k) of Lee and Verleysen 2009, equation 21. By chance T and C are
    about 1/2, the hit rate is k / (n - 1). Equally distant records share the lowest of their ranks.

    Time and memory: n^2 distances, a block at a time; 10,000 records of 784 numbers take seconds.

    Parameters
    ----------
    records : array-like, shape (n, ...)
        The data; whole numbers and 32-bit floats are compared in 32 bits, other floats in 64.
    points : array-like, shape (n, c)
        Where the map puts them.
    k : int, default=15
        Neighbours; less than n / 2.

    Returns
    -------
    Neighbourhoods
        One value a record.

    Raises
    ------
    ShapeError
        The two do not belong together.
    DataError
        A number is not finite.
    ParameterError
        There are not more than 2 k records.

    References
    ----------
    J. Venna and S. Kaski, "Local multidimensional scaling", Neural Networks 19, 2006.

    J. A. Lee and M. Verleysen, "Quality assessment of dimensionality reduction: rank-based criteria", Neurocomputing
    72, 2009.

    Examples
    --------
    >>> line = np.arange(10.0)[:, None]
    >>> float(neighbourhoods(line, 3 * line, k=2).trustworthiness.mean())
    1.0
    """
    x, z = _matrix(records), _matrix(points)
    check_map("neighbourhoods", x, z, k)
    x, z = _about_zero(x), _about_zero(z)
    n = len(x)
    scale = 2.0 / (k * (2.0 * n - 3.0 * k - 1.0))
    trust, continuity, hits = np.empty(n), np.empty(n), np.empty(n)
    for (part, in_data), (_, on_map) in zip(distance_blocks(x, x), distance_blocks(z, z), strict=True):
        rows = np.arange(n)[part]
        for squares in (in_data, on_map):
            squares[np.arange(len(rows)), rows] = np.inf  # a row is no neighbour of itself
        ranks_in_data = _ranks(in_data, _nearest(on_map, k))
        ranks_on_map = _ranks(on_map, _nearest(in_data, k))
        trust[part] = 1.0 - scale * np.maximum(ranks_in_data - k, 0).sum(axis=1)
        continuity[part] = 1.0 - scale * np.maximum(ranks_on_map - k, 0).sum(axis=1)
        hits[part] = (ranks_on_map <= k).mean(axis=1)
    return Neighbourhoods(k, trust, continuity, hits)


def nearest_neighbour_hits(
    points: ArrayLike, labels: ArrayLike, new_points: ArrayLike, new_labels: ArrayLike, *, k: int = 5
) -> NDArray[np.bool_]:
    """Tell which new records have the label of most of their k nearest known ones on the map.

    The mean is the accuracy of the k-nearest-neighbour classifier (Cover and Hart 1967) that scikit-learn has, trained
    on the positions of known records and tried on others: whether new records land among their own.

    Parameters
    ----------
    points : array-like, shape (n, c)
        Positions of the records that a map was learned from.
    labels : array-like, shape (n,)
        Their classes.
    new_points : array-like, shape (m, c)
        Positions of records that the map never saw.
    new_labels : array-like, shape (m,)
        Their classes.
    k : int, default=5
        Neighbours that vote.

    Returns
    -------
    ndarray of bool, shape (m,)

    Raises
    ------
    ShapeError
        The arrays do not belong together.
    DataError
        A number is not finite.
    ParameterError
        There are fewer than k known records.

    References
    ----------
    T. Cover and P. Hart, "Nearest neighbor pattern classification", IEEE Transactions on Information Theory 13, 1967.

    Examples
    --------
    >>> nearest_neighbour_hits([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1], [[0.2], [4.0]], [0, 0], k=1)
    array([ True, False])
    """
    from sklearn.neighbors import KNeighborsClassifier

    z, new = _matrix(points), _matrix(new_points)
    known, truth = np.asarray(labels), np.asarray(new_labels)
    check_new_points("nearest_neighbour_hits", z, known, new, truth, k)
    return np.asarray(KNeighborsClassifier(k).fit(z, known).predict(new) == truth)


def _matrix(values: ArrayLike) -> NDArray[Any]:
    """Return records as rows of floats."""
    x = np.asarray(values)
    x = x.astype(np.float32 if x.dtype.kind in "biu" or x.dtype == np.float32 else np.float64)
    return x.reshape(len(x), -1) if x.ndim > 1 else x


def _about_zero(x: NDArray[Any]) -> NDArray[Any]:
    """Return rows around their mean, where differences of squares lose the fewest digits."""
    return np.asarray(x - x.mean(axis=0, dtype=np.float64).astype(x.dtype))


def _nearest(squares: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the k columns with the least values of every row, in no order."""
    return np.argpartition(squares, k - 1, axis=1)[:, :k]


def _ranks(squares: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks, from 1, of some columns of every row among all its values."""
    chosen = np.take_along_axis(squares, columns, axis=1)
    return np.stack([np.count_nonzero(squares < value[:, None], axis=1) for value in chosen.T], axis=1) + 1

"""Baselines of reconstruction: the mean record, PCA with the same code size, k-means.

Each baseline learns from training rows and gives reconstructions of held-out rows. Rows are records flattened to
numbers, on the scale on which the error is to be measured.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import check_matrix_pair

__all__ = ["Baseline", "kmeans_baseline", "mean_baseline", "pca_baseline"]

_MAX_VALUES = 50_000_000
"""Training values a baseline learns from at most (400 MB in float64); beyond it, from a random subset of the rows."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline's reconstructions of the held-out rows.

    Parameters
    ----------
    name : str
        ``"mean"``, ``"pca"`` or ``"kmeans"``.
    title : str
        For tables: ``"PCA, 16 components"``.
    size : int
        Numbers a record is squeezed into: 0, components, or 1 (the number of the nearest centre).
    reconstruction : ndarray of float64, shape (n, d)
        The held-out rows as the baseline gives them back.
    """

    name: str
    title: str
    size: int
    reconstruction: NDArray[np.float64]


def mean_baseline(train: ArrayLike, test: ArrayLike) -> Baseline:
    """Reconstruct every held-out row by the mean of the training rows.

    Parameters
    ----------
    train : array-like, shape (m, d)
        Rows to learn from.
    test : array-like, shape (n, d)
        Rows to give back.

    Returns
    -------
    Baseline
        Its squared error is the variance of the data, about.

    Raises
    ------
    ShapeError, DataError
        The two are not matrices of one width, or one is empty.

    Examples
    --------
    >>> mean_baseline([[0.0], [2.0]], [[5.0]]).reconstruction
    array([[1.]])
    """
    x, y = _matrices("mean_baseline", train, test)
    mean = x.mean(axis=0, dtype=np.float64)
    return Baseline("mean", "mean record", 0, np.broadcast_to(mean, y.shape).copy())


def pca_baseline(train: ArrayLike, test: ArrayLike, n_components: int, *, random_state: int = 0) -> Baseline:
    """Reconstruct held-out rows by scikit-learn's PCA, fitted on the training rows.

    Parameters
    ----------
    train : array-like, shape (m, d)
        Rows to learn from; a random subset where they hold more than 50 million values.
    test : array-like, shape (n, d)
        Rows to give back.
    n_components : int
        The model's code size; at most ``min(m, d)`` are used, which the title says.
    random_state : int, default=0
        Seed of the subset, and of the randomised solver that scikit-learn takes for large matrices.

    Returns
    -------
    Baseline
        The best linear code of that size, in squared error on the training rows.

    Raises
    ------
    ShapeError, DataError
        The two are not matrices of one width, or one is empty.

    Examples
    --------
    >>> line = np.outer(np.arange(5.0), [1.0, 2.0])
    >>> np.allclose(pca_baseline(line, line + 1e-9, 1).reconstruction, line, atol=1e-6)
    True
    """
    from sklearn.decomposition import PCA

    x, y = _matrices("pca_baseline", train, test)
    x = _subset(x, random_state).astype(np.float64)
    size = max(1, min(n_components, *x.shape))
    if len(x) == 1:  # One row has a mean and no directions.
        return Baseline("pca", f"PCA, {size} {_plural('component', size)}", size, np.repeat(x, len(y), axis=0))
    pca = PCA(n_components=size, random_state=random_state).fit(x)
    scores = pca.transform(y.astype(np.float64))
    return Baseline("pca", f"PCA, {size} {_plural('component', size)}", size, np.asarray(pca.inverse_transform(scores)))


def kmeans_baseline(train: ArrayLike, test: ArrayLike, n_clusters: int, *, random_state: int = 0) -> Baseline:
    """Reconstruct every held-out row by the nearest centre of scikit-learn's k-means.

    Parameters
    ----------
    train : array-like, shape (m, d)
        Rows to learn from; above 10,000 rows in mini-batches.
    test : array-like, shape (n, d)
        Rows to give back.
    n_clusters : int
        Number of centres; at most the number of different training rows, and at most 256.
    random_state : int, default=0
        Seed of the first centres.

    Returns
    -------
    Baseline
        The reconstruction of a code that only names one of so many prototypes.

    Raises
    ------
    ShapeError, DataError
        The two are not matrices of one width, or one is empty.

    Examples
    --------
    >>> kmeans_baseline([[0.0], [0.2], [9.8], [10.0]], [[1.0], [8.0]], 2).reconstruction.round(3)
    array([[0.1],
           [9.9]])
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    x, y = _matrices("kmeans_baseline", train, test)
    x = _subset(x, random_state).astype(np.float64)
    size = max(1, min(n_clusters, 256, len(x)))
    with warnings.catch_warnings():
        # Fewer different rows than centres leaves some centres equal, which costs nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(x) > 10_000:
            found = MiniBatchKMeans(size, random_state=random_state, n_init=3, batch_size=4096).fit(x)
        else:
            found = KMeans(size, random_state=random_state, n_init=1).fit(x)
    size = len({centre.tobytes() for centre in found.cluster_centers_})
    nearest = found.cluster_centers_[found.predict(y.astype(np.float64))]
    return Baseline("kmeans", f"k-means, {size} {_plural('centre', size)}", 1, np.asarray(nearest))


def _matrices(owner: str, train: ArrayLike, test: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as arrays, checked."""
    x, y = np.asarray(train), np.asarray(test)
    check_matrix_pair(owner, x, y)
    return x, y


def _subset(x: NDArray[Any], random_state: int) -> NDArray[Any]:
    """Return a random subset of the rows where they are too many to learn from at once."""
    rows = max(2, _MAX_VALUES // max(x.shape[1], 1))
    if len(x) <= rows:
        return x
    chosen = np.random.default_rng(random_state).choice(len(x), rows, replace=False)
    return np.asarray(x[np.sort(chosen)])


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"

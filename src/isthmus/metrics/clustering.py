"""Agreement of clusters with classes that were not used to find them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus.checks.metrics import check_labels_pair

__all__ = ["clustering_accuracy"]


def clustering_accuracy(classes: ArrayLike, clusters: ArrayLike) -> float:
    """Return the accuracy of the best one-to-one assignment of clusters to classes.

    The accuracy of Xie, Girshick and Farhadi, ICML 2016, equation 10: the best of all matchings of clusters to classes,
    found with the Hungarian method (Kuhn 1955).

    Parameters
    ----------
    classes, clusters : array-like, shape (n,)
        Labels of any kind.

    Raises
    ------
    ShapeError, DataError
        There are none, or not as many of one as of the other.

    Examples
    --------
    >>> clustering_accuracy(["a", "a", "b", "b"], [1, 1, 0, 1])
    0.75
    """
    from scipy.optimize import linear_sum_assignment

    true, found = check_labels_pair("clustering_accuracy", classes, clusters)
    i, j = (np.unique(labels, return_inverse=True)[1] for labels in (true, found))
    table = np.zeros((i.max() + 1, j.max() + 1), np.int64)
    np.add.at(table, (i, j), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(i))

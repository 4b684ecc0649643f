"""Prediction of values and classes from the nearest codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.graph import NEIGHBOURS, near_rows, weights_of

__all__ = ["shares_of_neighbours"]

ROWS = 2**14  # whose neighbours' shares are held at a time


def shares_of_neighbours(
    codes: NDArray[np.float32], shares: NDArray[np.floating], new: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the mean of the nearest codes' shares, by the weight of each neighbour.

    Parameters
    ----------
    codes : array, shape (n, d)
        Of records whose shares are known.
    shares : array, shape (n, k)
        Rows add up to 1.
    new : array, shape (m, d)

    Returns
    -------
    ndarray of float64, shape (m, k)
    """
    indices, distances = near_rows(codes, NEIGHBOURS, new)
    found = np.empty((len(new), shares.shape[1]))
    for start in range(0, len(new), ROWS):
        part = slice(start, start + ROWS)
        weights = weights_of(distances[part]).astype(np.float64)
        found[part] = np.einsum("nk,nkc->nc", weights, shares[indices[part]]) / weights.sum(axis=1, keepdims=True)
    return found

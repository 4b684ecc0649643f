"""What the nearest codes say of a record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.graph import NEIGHBOURS, nearest_rows, weights_of

__all__ = ["shares_of_neighbours"]


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
    indices, distances = nearest_rows(codes, NEIGHBOURS, new)
    weights = weights_of(distances)
    return np.einsum("nk,nkc->nc", weights, shares[indices]) / weights.sum(axis=1, keepdims=True)

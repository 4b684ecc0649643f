"""What the nearest codes say of a record: the graph of neighbours of :mod:`isthmus.graph`, as tasks use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.graph import fuzzy_graph, nearest_rows, weights_of

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["balanced", "graph_of", "shares_of_neighbours"]

NEIGHBOURS = 15


def graph_of(codes: NDArray[np.float32]) -> sp.csr_matrix:
    """Return the symmetric weights of the graph that joins each code to its 15 nearest: (n, d) -> (n, n)."""
    return fuzzy_graph(*nearest_rows(codes, NEIGHBOURS))


def balanced(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Return D^-1/2 W D^-1/2 of symmetric weights W, D being the sums of their rows: (n, n)."""
    import scipy.sparse as sp

    degrees = np.asarray(graph.sum(axis=1)).ravel()
    root = sp.diags(1 / np.sqrt(np.maximum(degrees, np.finfo(np.float64).tiny)))
    return (root @ graph @ root).tocsr()


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

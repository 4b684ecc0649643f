"""Use of a code's units: activity, effective number of dimensions, correlation.

All functions take codes as ``transform`` returns them, a matrix (records, units).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import check_codes

__all__ = [
    "active_units",
    "code_correlation",
    "effective_rank",
    "mean_absolute_correlation",
    "participation_ratio",
    "principal_components",
]

Float64 = NDArray[np.float64]


def active_units(codes: ArrayLike, *, threshold: float = 0.01, relative: bool = False) -> NDArray[np.bool_]:
    """Tell which units change with the record: ``A_u = Cov_x(E_{u ~ q(u|x)}[u]) > threshold``.

    The rule of Burda et al. 2016, section 5.2, who count a unit as active when the variance of its *posterior mean*
    over the records exceeds 0.01; ``transform`` of a variational model returns that mean. The number 0.01 is measured
    against the prior's variance of 1. A code without a prior has no scale of its own (the decoder can undo any
    factor), so there ``relative=True`` measures against the most variable unit instead.

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes, posterior means where the model has a posterior.
    threshold : float, default=0.01
        In squared units of the code, or as a fraction of the largest variance.
    relative : bool, default=False
        Whether the threshold is a fraction of the largest unit variance.

    Returns
    -------
    ndarray of bool, shape (units,)
        True for active units.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.

    Examples
    --------
    >>> active_units([[0.0, 1.0], [0.01, -1.0]])
    array([False,  True])
    """
    variance = np.square(_centred(codes, "active_units")).mean(axis=0)
    return np.asarray(variance > threshold * (variance.max() if relative else 1.0))


def effective_rank(codes: ArrayLike) -> float:
    """Return how many directions the code fills, Roy & Vetterli 2007: ``exp(H(p))``, ``p = sigma / sum(sigma)``.

    ``sigma`` are the singular values of the codes after their mean is taken off, H is the entropy in nats (definition 1
    of the paper).

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes.

    Returns
    -------
    float
        From 1, all variance along one line, to the number of units, the same variance in every direction; 0 for codes
        that do not vary.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    References
    ----------
    O. Roy and M. Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.

    Examples
    --------
    >>> effective_rank([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    2.0
    """
    sigma = np.sqrt(_variances_along_axes(codes, "effective_rank"))
    total = sigma.sum()
    if total == 0.0:
        return 0.0
    p = sigma[sigma > 0.0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


def participation_ratio(codes: ArrayLike) -> float:
    """Return ``(sum lambda)^2 / sum lambda^2`` of the eigenvalues lambda of the codes' covariance.

    Like :func:`effective_rank` it counts filled directions, and gives less weight to those with little variance.

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes.

    Returns
    -------
    float
        From 1 to the number of units; 0 for codes that do not vary.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    Examples
    --------
    >>> round(participation_ratio([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 3)
    1.471
    """
    variance = _variances_along_axes(codes, "participation_ratio")
    square = float(np.sum(variance**2))
    return float(variance.sum() ** 2 / square) if square > 0.0 else 0.0


def code_correlation(codes: ArrayLike) -> Float64:
    """Return Pearson's correlation between every two units.

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes.

    Returns
    -------
    ndarray of float64, shape (units, units)
        Ones on the diagonal; a unit that does not vary correlates with nothing, 0.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    Examples
    --------
    >>> code_correlation([[1.0, 2.0, 5.0], [2.0, 4.0, 5.0], [3.0, 6.0, 5.0]])
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """
    z = _centred(codes, "code_correlation")
    scale = np.sqrt(np.einsum("ij,ij->j", z, z))
    z = z / np.where(scale > 0.0, scale, 1.0)
    correlation = np.clip(z.T @ z, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def mean_absolute_correlation(codes: ArrayLike) -> float:
    """Return the mean absolute correlation between two different units.

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes.

    Returns
    -------
    float
        Between 0, no two units are linearly related, and 1; 0 for a code of one unit.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    Examples
    --------
    >>> round(mean_absolute_correlation([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]), 6)
    1.0
    """
    correlation = np.abs(code_correlation(codes))
    units = len(correlation)
    return float((correlation.sum() - units) / (units * (units - 1))) if units > 1 else 0.0


def principal_components(codes: ArrayLike, n_components: int = 2) -> tuple[Float64, Float64]:
    """Return the codes along their directions of largest variance, and the share of variance of each.

    Parameters
    ----------
    codes : array-like, shape (n, units)
        Codes.
    n_components : int, default=2
        How many directions; filled with zeros where the code has fewer units.

    Returns
    -------
    scores : ndarray of float64, shape (n, n_components)
        Centred coordinates; in every direction the coordinate farthest from 0 is positive, so that a picture does not
        flip from run to run.
    shares : ndarray of float64, shape (n_components,)
        Fractions of the total variance.

    Raises
    ------
    ShapeError
        The codes are not a matrix, or it is empty.

    Examples
    --------
    >>> scores, shares = principal_components([[0.0, 0.0], [2.0, 2.0]], 1)
    >>> shares
    array([1.])
    """
    z = _centred(codes, "principal_components")
    eigenvalues, vectors = np.linalg.eigh(z.T @ z) if z.shape[1] <= len(z) else _eigen_of_wide(z)
    order = np.argsort(eigenvalues)[::-1][:n_components]
    scores, shares = np.zeros((len(z), n_components)), np.zeros(n_components)
    scores[:, : len(order)] = z @ vectors[:, order]
    total = float(np.einsum("ij,ij->", z, z))
    if total > 0.0:
        shares[: len(order)] = np.maximum(eigenvalues[order], 0.0) / total
    farthest = np.take_along_axis(scores, np.abs(scores).argmax(axis=0)[np.newaxis], axis=0)
    return scores * np.where(farthest < 0.0, -1.0, 1.0), shares


def _centred(codes: ArrayLike, owner: str) -> Float64:
    """Return the codes less their mean, exact zeros for a unit whose spread is rounding beside its size."""
    z = np.asarray(codes, dtype=np.float64)
    check_codes(owner, z)
    size = np.abs(z).max(axis=0)
    z = z - z.mean(axis=0)
    return np.where(np.abs(z).max(axis=0) > 1e-12 * size, z, 0.0)


def _eigen_of_wide(z: Float64) -> tuple[Float64, Float64]:
    """Return eigenvalues and eigenvectors of ``z.T @ z`` for more units than records, by the singular values."""
    _, sigma, rows = np.linalg.svd(z, full_matrices=False)
    return sigma**2, rows.T


def _variances_along_axes(codes: ArrayLike, owner: str) -> Float64:
    """Return the variances of the codes along their principal directions, exact zeros where only rounding is left."""
    z = _centred(codes, owner)
    small = z.T @ z if z.shape[1] <= len(z) else z @ z.T
    variance = np.linalg.eigvalsh(small) / len(z)
    return np.where(variance > 1e-12 * max(float(variance.max()), 0.0), variance, 0.0)

r"""t-SNE layout of a neighbour graph, with the repulsion interpolated on a grid.

van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008: the positions y minimise the divergence of
q_ij = (1 + |y_i - y_j|^2)^-1 / Z from the affinities p_ij, with Z the sum over all pairs::

    L(y) = -sum_ij p_ij log (1 + |y_i - y_j|^2)^-1 + log Z                                          (+ a constant)

    dL/dy_i = 4 sum_j p_ij w_ij (y_i - y_j) - 4 / Z sum_j w_ij^2 (y_i - y_j),   w_ij = (1 + |y_i - y_j|^2)^-1

The first sum has only the edges of the graph. The second is over all pairs: in two dimensions it is a convolution of
the points with w^2, taken on a grid by fast Fourier transforms, each point shared out among 4 x 4 nodes by cubic
interpolation (Linderman, Rachh, Hoskins, Steinerberger and Kluger, "Fast interpolation-based t-SNE", Nature Methods 16,
2019); in other numbers of dimensions it is estimated from some rows drawn anew at every step. Few rows are summed as
they are.

Attraction is exaggerated at first, so that neighbours find each other; the step is n over the exaggeration (Belkina et
al., Nature Communications 10, 2019).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["layout", "loss", "repulsion"]

EARLY, EARLY_STEPS = 12.0, 100  # exaggeration at first, and for how long
STEPS = 300  # in all
MOMENTUM = (0.5, 0.8)  # at first, and then
FARTHEST = 5.0  # a point moves in one step, at most
START = 1e-2  # deviation of the first positions
SPACING = 0.5  # of the grid, at most
NODES = 40  # a side of the grid, at least
FEW = 1024  # rows that are summed as they are, and drawn where there is no grid


def layout(
    graph: sp.csr_matrix, start: NDArray[np.float32], *, exaggeration: float = 1.0, seed: int = 0, steps: int = STEPS
) -> NDArray[np.float32]:
    """Return positions that minimise L.

    Parameters
    ----------
    graph : csr_matrix, shape (n, n)
        Symmetric weights; p is the graph over its sum.
    start : array, shape (n, c)
        First positions: principal components, whose large-scale order the layout keeps (Kobak and Berens 2019). Only
        their directions count.
    exaggeration : float, default=1
        Factor on the attraction after the first stretch: 1 is t-SNE, 4 looks like UMAP (Bohm, Berens and Kobak 2022).
    seed : int, default=0
        Of the rows drawn, where they are.
    steps : int, default=300
        Of gradient descent.

    Returns
    -------
    ndarray of float32, shape (n, c)
        Around the origin.
    """
    p = (graph / graph.sum()).astype(np.float32).tocsr()
    rows = _rows(p)
    rng = torch.Generator().manual_seed(seed)
    y = torch.from_numpy(np.array(start, np.float32))
    y = (y - y.mean(0)) * (START / float(y.std().clamp_min(1e-12)))
    y += 1e-2 * START * torch.randn(y.shape, generator=rng)  # copies of a row are apart, too
    velocity = torch.zeros_like(y)
    early = min(EARLY_STEPS, steps // 3)
    for step in range(steps):
        factor = EARLY if step < early else exaggeration
        force, total = repulsion(y, rng)
        gradient = 4 * (factor * attraction(y, p, rows) - force / total)
        velocity = MOMENTUM[step >= early] * velocity - len(y) / max(factor, 1.0) * gradient
        # Rows that are few or alike would be thrown far away.
        velocity *= (FARTHEST / velocity.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)
        y += velocity
    return np.asarray((y - y.mean(0)).numpy())


def loss(y: Tensor, graph: sp.csr_matrix) -> Tensor:
    """Return L, from all pairs: for looks at few rows, (n, c) -> ()."""
    squares = (y[:, None] - y[None]).square().sum(2)
    p = torch.from_numpy(graph.toarray() / graph.sum()).to(y.dtype)
    others = ~torch.eye(len(y), dtype=torch.bool)
    return (p * squares.log1p()).sum() + (1 / (1 + squares))[others].sum().log()


def attraction(y: Tensor, p: sp.csr_matrix, rows: NDArray[np.intp] | None = None) -> Tensor:
    """Return sum_j p_ij w_ij (y_i - y_j) from the edges.

    Parameters
    ----------
    y : tensor, shape (n, c)
        On the processor.
    p : csr_matrix, shape (n, n)
        The affinities.
    rows : array, optional
        The row of each of its entries, where these are known.

    Returns
    -------
    tensor, shape (n, c)
    """
    import scipy.sparse as sp

    x = y.numpy()
    rows = _rows(p) if rows is None else rows
    squares = sum(np.square(column[rows] - column[p.indices]) for column in np.ascontiguousarray(x.T))
    pulls = sp.csr_matrix((p.data / (1 + squares), p.indices, p.indptr), shape=p.shape)
    whole = pulls @ np.ones(len(x), x.dtype)
    return torch.from_numpy(x * whole[:, None] - pulls @ x)


def _rows(p: sp.csr_matrix) -> NDArray[np.intp]:
    return np.repeat(np.arange(p.shape[0]), np.diff(p.indptr))


def repulsion(y: Tensor, rng: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Return sum_j w_ij^2 (y_i - y_j) and Z: (n, c) and ()."""
    if len(y) > FEW and y.shape[1] == 2:
        return _on_grid(y)
    if len(y) > FEW:
        others = y[torch.randperm(len(y), generator=rng)[:FEW]]
        force, total = _summed(y, others)
        return force * (len(y) / FEW), (total - FEW) * (len(y) / FEW)
    force, total = _summed(y, y)
    return force, total - len(y)


def _summed(y: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums over all pairs of two sets of points; a point beside itself counts 1 in the total."""
    squares = y.square().sum(1)[:, None] + others.square().sum(1) - 2 * y @ others.T
    near = 1 / (1 + squares.clamp_min_(0))
    twice = near.square()
    return y * twice.sum(1, keepdim=True) - twice @ others, near.sum()


def _on_grid(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums over all pairs by convolution on a grid, in two dimensions."""
    low = y.min(0).values
    span = float((y.max(0).values - low).max())
    spacing = max(min(SPACING, span / NODES), 1e-9)
    side = _good_size(2 * (int(span / spacing) + 5))  # twice as wide as the points lie, so that nothing wraps around
    places, shares = _nodes((y - low) / spacing + 1, side)

    charges = torch.cat([torch.ones_like(y[:, :1]), y - low], 1)
    grid = torch.zeros(3, side * side)
    for field, charge in zip(grid, charges.T, strict=True):
        field.index_add_(0, places.flatten(), (shares * charge[:, None]).flatten())
    spectra = torch.fft.rfft2(grid.view(3, side, side))
    near, twice = _kernels(side, spacing)
    fields = torch.stack([spectra[0] * near, *(spectra * twice)])
    values = torch.fft.irfft2(fields, s=(side, side)).flatten(1)
    sums = (values[:, places] * shares).sum(2)  # (4, n): of w, w^2, and w^2 y in both directions
    return (y - low) * sums[1][:, None] - sums[2:].T, sums[0].sum() - len(y)


def _nodes(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return the 16 nodes around each point, and its share in each (cubic Lagrange interpolation): (n, 16) both."""
    corner = places.floor()
    t = places - corner  # (n, 2), in [0, 1)
    along = torch.stack(
        [
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ],
        2,
    )  # (n, 2, 4)
    steps = torch.arange(-1, 3)
    x, y = (corner[:, axis, None].long() + steps for axis in (0, 1))
    nodes = (x[:, :, None] * side + y[:, None, :]).flatten(1)
    return nodes, (along[:, 0, :, None] * along[:, 1, None, :]).flatten(1)


@functools.lru_cache(maxsize=1)  # most steps have the grid of the step before
def _kernels(side: int, spacing: float) -> tuple[Tensor, Tensor]:
    """Return the spectra of w and w^2 on a grid that wraps around."""
    along = torch.arange(side)
    along = torch.minimum(along, side - along) * spacing
    near = 1 / (1 + along.square()[:, None] + along.square())
    return torch.fft.rfft2(near), torch.fft.rfft2(near.square())


def _good_size(least: int) -> int:
    """Return an even number of nodes that transforms quickly: 2^a 3^b 5^c."""
    powers = (2 ** (a + 1) * 3**b * 5**c for a in range(20) for b in range(8) for c in range(5))
    return min(size for size in powers if size >= least)

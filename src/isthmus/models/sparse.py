r"""The sparse autoencoder: few units of the code are active at a time.

Papers: Ng, "Sparse autoencoder", CS294A lecture notes (2011), section 3 (KL); Makhzani and Frey, "k-Sparse
Autoencoders", ICLR 2014 (top-k); for L1 with normed decoder columns Conerly et al., "Update on how we train SAEs"
(2024).

::

        f             s (sparse)            g
    x -------> a ------------------> z -----------> theta ------>  p(x | theta)

Objective, in nats per example::

    l1       L(x) = -log p(x | g(z)) + lambda sum_j ||w_j|| |z_j|,            z = max(a, 0)
    kl       L(x) = -log p(x | g(z)) + lambda sum_j KL(rho || mean_batch z_j), z = sigmoid(a)
    top-k    L(x) = -log p(x | g(z)),                            z = a where a is among the k largest, else 0

with w_j the decoder's weights out of unit j: without their norm the penalty is escaped by small codes and large
weights. KL(rho || q) = rho log(rho / q) + (1 - rho) log((1 - rho) / (1 - q)) for two coins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, ranks
from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Step

__all__ = ["SparseAutoencoder", "coin_kl"]


@dataclass(kw_only=True, eq=False, repr=False)
class SparseAutoencoder(Model):
    """Autoencoder with few active units for each record.

    Parameters
    ----------
    sparsity : {"top-k", "l1", "kl"}, default="top-k"
        Keep the ``k`` largest units; or pay for the sum of activities; or pay for mean activities that are not ``rho``.
    k : int, optional
        Units kept by "top-k"; by default a quarter of the code.
    penalty : float, default=1
        lambda above, in nats.
    rho : float, default=0.05
        Mean activity that "kl" asks for, in (0, 1).
    **common
        The parameters of every model: :class:`isthmus.base.Model`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import SparseAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = SparseAutoencoder(latent_dim=64, k=8, max_epochs=5, random_state=0).fit(X)
    >>> int((model.transform(X) != 0).sum(axis=1).max())
    8
    """

    sparsity: str = "top-k"
    k: int | None = None
    penalty: float = 1.0
    rho: float = 0.05

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "sparsity": Choice(("top-k", "l1", "kl")),
        "penalty": Number(0.01, 10.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "sparsity", self.sparsity, ("top-k", "l1", "kl"))
        checks.integer(owner, "k", self.k, low=1, optional=True)
        checks.number(owner, "penalty", self.penalty, low=0)
        checks.number(owner, "rho", self.rho, low=0, high=1, above=True, below=True)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng)
        if self.k is not None:
            width = core.code_shape[0]
            checks.integer(type(self).__name__, "k (units kept, of the code's width)", self.k, low=1, high=width)
        return core

    def encode(self, x: Tensor) -> Tensor:
        """Return the sparse codes z of scaled records."""
        a = super().encode(x)
        if self.sparsity == "l1":
            return a.relu()
        if self.sparsity == "kl":
            return a.sigmoid()
        k = self.k or max(1, a.shape[1] // 4)
        kept = a.topk(k, dim=1).indices
        return torch.zeros_like(a).scatter(1, kept, a.gather(1, kept))

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(z)) and the sparsity penalty."""
        z = self.encode(step.x)
        terms = {"reconstruction": self.module_.nll(self.decode(z, step.size), step.x).mean()}
        if self.sparsity == "l1":
            terms["l1"] = (
                self.penalty
                * (z.float().abs().flatten(2).sum(-1) if z.ndim > 2 else z.float().abs())
                .mul(self._column_norms(z.shape[1]))
                .sum(1)
                .mean()
            )
        elif self.sparsity == "kl":
            mean_activity = ranks.mean(z.float().transpose(0, 1).flatten(1), 1)
            terms["kl"] = self.penalty * coin_kl(self.rho, mean_activity).sum()
        return terms

    def _column_norms(self, width: int) -> Tensor | float:
        """Return ||w_j|| of the decoder's first matrix, or 1 where a decoder of the user's own has none."""
        for weight in self.module_.decoder.parameters():
            if weight.ndim >= 2 and weight.shape[1] == width:
                return weight.transpose(0, 1).flatten(1).norm(dim=1)
        return 1.0


def coin_kl(rho: float, q: Tensor) -> Tensor:
    """Return KL(rho || q) of two Bernoulli distributions, in nats, for each q in (0, 1)."""
    q = q.clamp(1e-6, 1 - 1e-6)
    p = torch.as_tensor(rho, dtype=q.dtype, device=q.device)
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()

r"""The regularised autoencoder: penalised codes, a smooth decoder, and a density of codes fitted afterwards.

Paper: Ghosh, Sajjadi, Vergari, Black and Schoelkopf, "From Variational to Deterministic Autoencoders", ICLR 2020.

::

        f                    g (smooth)
    x -----> z (small) -------------------> theta ------>  p(x | theta)
             |
             +--- after training: a mixture of Gaussians, from which new codes are drawn

Objective, in nats per example (equations 3 and 7 to 10; with the negative log-likelihood for the squared error)::

    L(x) = -log p(x | g(z)) + beta / 2 ||z||^2 + lambda R(g)
    gradient   R(g) = ||d g(z) / d z||_F^2 / 2,  estimated as ||v^T d g(z) / d z||^2 / 2 with one v ~ N(0, I); it
               smooths the decoder where codes are, and does not move the codes
    weights    R(g) = ||weights of the decoder||^2 / 2
    none       R(g) = 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks
from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Step

__all__ = ["RegularizedAutoencoder"]

DEFAULT_PENALTY = {"gradient": 0.01, "weights": 0.001, "none": 0.0}


@dataclass(kw_only=True, eq=False, repr=False)
class RegularizedAutoencoder(Model):
    """Autoencoder with penalised codes and a smooth decoder; new codes come from a density fitted afterwards.

    Parameters
    ----------
    smoothness : {"gradient", "weights", "none"}, default="gradient"
        What is asked of the decoder, R above.
    penalty : float, optional
        lambda above; by default 0.01 for "gradient" and 0.001 for "weights".
    beta : float, default=0.1
        Weight of the code's size.
    **common
        The parameters of every model: :class:`isthmus.base.Model`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import RegularizedAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = RegularizedAutoencoder(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    smoothness: str = "gradient"
    penalty: float | None = None
    beta: float = 0.1

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "smoothness": Choice(("gradient", "weights", "none")),
        "beta": Number(0.001, 1.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "smoothness", self.smoothness, tuple(DEFAULT_PENALTY))
        checks.number(owner, "penalty", self.penalty, low=0, optional=True)
        checks.number(owner, "beta", self.beta, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        return compose(self, rng)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(z)), beta / 2 ||z||^2 and lambda R(g)."""
        x = step.x
        z = self.encode(x)
        theta = self.decode(z, step.size)
        terms = {
            "reconstruction": self.module_.nll(theta, x).mean(),
            "code": self.beta / 2 * z.float().square().flatten(1).sum(1).mean(),
        }
        weight = DEFAULT_PENALTY[self.smoothness] if self.penalty is None else self.penalty
        if self.smoothness == "weights":
            squares = [p.square().sum() for p in self.module_.decoder.parameters() if p.ndim >= 2]
            terms["weights"] = weight / 2 * torch.stack(squares).sum() if squares else z.new_zeros(())
        elif self.smoothness == "gradient":
            terms["gradient"] = weight / 2 * self._squared_slope(z, step)
        return terms

    def _squared_slope(self, z: Tensor, step: Step) -> Tensor:
        """Return the mean over records of ||v^T dg/dz||^2 for one random v each, whose mean is ||dg/dz||_F^2."""
        learning = torch.is_grad_enabled()
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            theta = self.decode(z, step.size).float()
            v = torch.randn(theta.shape, generator=step.rng, device=theta.device)
            (slope,) = torch.autograd.grad((theta * v).sum(), z, create_graph=learning)
        return slope.float().square().flatten(1).sum(1).mean()

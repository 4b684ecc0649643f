r"""The contractive autoencoder: the code resists small changes of the record.

Paper: Rifai, Vincent, Muller, Glorot and Bengio, "Contractive Auto-Encoders: Explicit Invariance During Feature
Extraction", ICML 2011.

::

        f                      g
    x -------> z = s(a) ----------------> theta ------>  p(x | theta)
      J = dz/dx: its norm is paid for

Objective, in nats per example (equation 2 of the paper, s the logistic function)::

    L(x) = -log p(x | g(f(x))) + lambda ||J_f(x)||_F^2

With one layer, z = s(W x + b), the penalty is exact (equation 4)::

    ||J_f(x)||_F^2 = sum_j (z_j (1 - z_j))^2 sum_i W_ji^2

With more layers it is estimated without bias from one random direction v in code space (Hutchinson 1990)::

    ||J||_F^2 = E_v ||v^T J||^2,   v from N(0, I)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Number, SearchSpace
from isthmus.training import Step

__all__ = ["ContractiveAutoencoder"]


@dataclass(kw_only=True, eq=False, repr=False)
class ContractiveAutoencoder(Model):
    """Autoencoder whose code is insensitive to small changes of the record, except in directions of the data.

    Parameters
    ----------
    penalty : float, default=0.1
        lambda above: nats for each unit of the squared Jacobian norm, in scaled units.
    network : {"auto", "dense", "convolutional", "residual"} or (encoder, decoder), default="auto"
        By the kind of data, or any two ``torch.nn.Module``.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. ``hidden=()`` makes the paper's one-layer encoder.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import ContractiveAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = ContractiveAutoencoder(hidden=(), latent_dim=16, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 16)
    """

    penalty: float = 0.1

    search_space: ClassVar[SearchSpace] = {**Model.search_space, "penalty": Number(0.001, 10.0, log=True)}

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "penalty", self.penalty, low=0)
        checks.check_network(type(self).__name__, self.network, networks.WITHOUT_SEQUENCE)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        checks.needs_numbers(type(self).__name__, self.schema_.kind)
        return compose(self, rng)

    def encode(self, x: Tensor) -> Tensor:
        """Return z = s(a), each unit in (0, 1)."""
        return super().encode(x).sigmoid()

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(f(x))) and lambda ||J_f(x)||_F^2."""
        x = step.x
        layer = self._only_layer()
        if layer is None:
            z, contraction = self._estimated(x, step.rng)
        else:
            z = self.encode(x)
            contraction = exact_contraction(z.float(), layer.weight)
        theta = self.decode(z, step.size)
        return {
            "reconstruction": self.module_.nll(theta, x).mean(),
            "contraction": self.penalty * contraction.mean(),
        }

    def _only_layer(self) -> nn.Linear | None:
        """Return the encoder's layer W if it is all that stands between x and a."""
        layers = [m for m in self.module_.encoder.modules() if not list(m.children()) and list(m.parameters())]
        return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None

    def _estimated(self, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return z and an unbiased estimate of ||J||_F^2 for each record, also where gradients are off."""
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            z = self.encode(x)
            v = torch.empty_like(z).normal_(generator=rng)
            (vector_jacobian,) = torch.autograd.grad(z, x, v, create_graph=training)
        contraction = vector_jacobian.float().flatten(1).square().sum(1)
        return (z, contraction) if training else (z.detach(), contraction.detach())


def exact_contraction(z: Tensor, weight: Tensor) -> Tensor:
    """Return ||J||_F^2 of z = logistic(W x + b): (b, latent_dim), (latent_dim, d) -> (b,)."""
    return (z * (1 - z)).square() @ weight.float().square().sum(1)

r"""The Wasserstein autoencoder: deterministic codes whose distribution is matched to the prior.

Paper: Tolstikhin, Bousquet, Gelly and Schoelkopf, "Wasserstein Auto-Encoders", ICLR 2018, algorithm 2 (MMD).

::

        f                    g
    x -----> z ----------------------> theta ------>  p(x | theta)
             |
             +--- the batch's codes against draws of p(z) = N(0, I): MMD

Objective, in nats per example (algorithm 2, with the negative log-likelihood as the cost)::

    L = -log p(x | g(f(x))) + lambda MMD_k^2({z_i}, {w_i}),      w_i ~ N(0, I)
    k(a, b) = sum_s s C / (s C + ||a - b||^2),                   C = 2 latent_dim,  s in {.1, .2, .5, 1, 2, 5, 10}

MMD^2 is the unbiased estimate. A variational autoencoder asks every posterior to be near the prior, which blurs; here
only their mixture has to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, ranks
from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Number, SearchSpace
from isthmus.training import Step

__all__ = ["WassersteinAutoencoder", "squared_mmd"]

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(kw_only=True, eq=False, repr=False)
class WassersteinAutoencoder(Model):
    """Autoencoder whose aggregated codes are matched to a standard normal by MMD.

    Parameters
    ----------
    penalty : float, default=100
        lambda above, in nats.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. Batches should not be small: the distance of codes
        and prior is measured on each.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import WassersteinAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = WassersteinAutoencoder(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    penalty: float = 100.0

    has_prior: ClassVar[bool] = True
    compares_records: ClassVar[bool] = True
    search_space: ClassVar[SearchSpace] = {**Model.search_space, "penalty": Number(1.0, 1000.0, log=True)}

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "penalty", self.penalty, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        return compose(self, rng)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(f(x))) and lambda MMD^2 of the batch's codes and as many draws of the prior."""
        z = self.encode(step.x)
        theta = self.decode(z, step.size)
        points = z.float().transpose(0, 1).flatten(1).T  # (b, latent_dim), for maps (b h' w', latent_dim)
        drawn = torch.randn(points.shape, generator=step.rng, device=points.device)
        return {
            "reconstruction": self.module_.nll(theta, step.x).mean(),
            "mmd": self.penalty * squared_mmd(ranks.gathered(points), ranks.gathered(drawn)),
        }

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return standard normal codes."""
        return temperature * torch.randn(shape, generator=rng)


def squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    """Return the unbiased estimate of the squared maximum mean discrepancy of two samples.

    Gretton et al., "A Kernel Two-Sample Test" (JMLR 2012), equation 3, with the sum of inverse multiquadratics above.
    About 0, and below it as often as above, where both come from one distribution.

    Parameters
    ----------
    a, b : tensor, shape (n, d)
        With n of 2 or more; of fewer there is no estimate, and 0 is returned.
    """
    n, d = a.shape
    if n < 2:
        return (a - a.detach()).sum()
    base = 2.0 * d

    def kernel(one: Tensor, other: Tensor) -> Tensor:
        squares = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist").square()
        return torch.stack([scale * base / (scale * base + squares) for scale in SCALES]).sum(0)

    def among(one: Tensor) -> Tensor:
        total: Tensor = kernel(one, one).sum() - len(SCALES) * n  # each is 1 away from itself, in every scale
        return total / (n * (n - 1))

    return among(a) + among(b) - 2 * kernel(a, b).mean()

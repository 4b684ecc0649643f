r"""The total-correlation VAE: a code with independent units.

Papers: Chen, Li, Grosse and Duvenaud, "Isolating Sources of Disentanglement in Variational Autoencoders", NeurIPS 2018
(beta-TCVAE); Kim and Mnih, "Disentangling by Factorising", ICML 2018, penalise the same term (FactorVAE), and estimate
it with a second network, which this objective does without.

::

    x --encoder--> q(z | x) ---> z ---> decoder ---> theta ------>  p(x | z)
                        |
                        +--- q(z) = mean over records of q(z | x), compared with prod_j q(z_j)

Objective, in nats per example (equations 2 and 4)::

    L = E[-log p(x | z)] + alpha I(z; x) + beta KL(q(z) || prod_j q(z_j)) + sum_j KL(q(z_j) || p(z_j))

With alpha = beta = 1 the last three are KL(q(z | x) || p(z)). log q(z) is estimated from the batch by stratified
sampling (appendix C.2): log sum_m w_m q(z | x_m), where w is 1 / N for a record's own posterior and
(N - 1) / (N (M - 1)) for each of the others in the batch of M. The estimate of each part is biased, and more so the
smaller the batch; the total correlation of a batch of 32 may come out below 0. Of codes that are maps, the parts are
those of the channels at one place, drawn anew for each batch, times the number of places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from isthmus import checks, networks, ranks
from isthmus.base import Model, RetiredParameters
from isthmus.models.variational import FIXED_PRIOR, VariationalModel
from isthmus.networks.priors import normal_log_density
from isthmus.search import Number, SearchSpace
from isthmus.training import Step

__all__ = ["TotalCorrelationVAE", "kl_parts"]


@dataclass(kw_only=True, eq=False, repr=False)
class TotalCorrelationVAE(VariationalModel):
    """VAE with a penalty on the total correlation of the code.

    Parameters
    ----------
    beta : float, default=6
        Weight of the total correlation, the second KL above.
    alpha : float, default=1
        Weight of what code and record say of each other.
    **common
        ``warm_up`` of :class:`isthmus.models.variational.VariationalModel`, and the parameters of every model:
        :class:`isthmus.base.Model`. The posterior is Gaussian; the prior is standard normal, and of tables a mixture
        of Gaussians.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import TotalCorrelationVAE
    >>> X = load_digits().images.astype("uint8")
    >>> model = TotalCorrelationVAE(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 8)
    """

    beta: float = 6.0
    alpha: float = 1.0

    draws_marginals: ClassVar[bool] = True
    compares_records: ClassVar[bool] = True
    retired_parameters: ClassVar[RetiredParameters] = {**FIXED_PRIOR, "free_bits": (0.0,)}
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "beta": Number(1.0, 20.0, log=True),
        "alpha": Number(0.3, 3.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "alpha", self.alpha, low=0)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return E[-log p(x | z)] and the three weighted parts of the KL term."""
        x = step.x
        q = self.module_.posterior(x)
        drawn, log_q = q.draw(step.rng)
        z = drawn
        theta = self.decode(z, step.size)
        terms = {"reconstruction": self.module_.nll(theta, x).mean()}
        if ranks.is_together():
            z, q = ranks.gathered(z), networks.Posterior(ranks.gathered(q.mean), ranks.gathered(q.log_var))
            log_q = ranks.gathered(log_q)
        if len(z) < 2:  # no other records to compare with
            return terms | {"kl": self.module_.kl(q, z, log_q).mean()}
        places = 1
        if z.ndim > 2:
            z, q, places = at_one_place(z, q, step.rng)
        information, correlation, units = kl_parts(z, q, self.n_records_)
        terms |= {
            "mutual_information": self.alpha * places * information,
            "total_correlation": self.kl_weight(step) * places * correlation,
            "unit_kl": places * units,
        }
        if isinstance(self.module_.prior, networks.StandardNormal):
            return terms
        # The units are drawn to a standard normal; the mixture that new records come from learns where codes lie.
        return terms | {"prior": -self.module_.prior.log_prob(drawn.detach()).mean()}


def at_one_place(z: Tensor, q: networks.Posterior, rng: torch.Generator) -> tuple[Tensor, networks.Posterior, int]:
    """Return codes and posteriors of maps at a random place, as vectors of the channels, and how many places there are.

    The parts of the KL at a place, times the number of places, are on average those of all places one by one.
    """
    places = z[0, 0].numel()
    place = ranks.of_first(torch.randint(places, (), generator=rng, device=z.device))
    at = [part.flatten(2)[:, :, place] for part in (z, q.mean, q.log_var)]
    return at[0], networks.Posterior(at[1], at[2]), places


def kl_parts(z: Tensor, q: networks.Posterior, records: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return estimates of I(z; x), KL(q(z) || prod_j q(z_j)) and sum_j KL(q(z_j) || N(0, 1)), in nats.

    Parameters
    ----------
    z : tensor, shape (M, latent_dim)
        One draw of each posterior.
    q : Posterior
        Of a batch of M records, 2 or more.
    records : int
        Size of the data, N, of which the batch is a sample.
    """
    m, n = len(z), max(records, len(z))
    log_each = normal_log_density(z[:, None], q.mean, q.log_var)  # log q(z_i,j | x_k): (M, M, latent_dim)
    others = math.log((n - 1) / (n * (m - 1)))
    weights = torch.full((m, m), others, device=z.device).fill_diagonal_(-math.log(n))
    log_q_of_x = log_each.diagonal().sum(0)
    log_q = torch.logsumexp(weights + log_each.sum(2), 1)
    log_units = torch.logsumexp(weights[:, :, None] + log_each, 1).sum(1)
    log_p = normal_log_density(z, 0.0, 0.0).sum(1)
    return (log_q_of_x - log_q).mean(), (log_q - log_units).mean(), (log_units - log_p).mean()

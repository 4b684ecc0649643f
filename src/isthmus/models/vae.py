r"""The variational autoencoder: the code is a distribution, so new records can be drawn and likelihoods bounded.

Papers: Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; ``beta``: Higgins et al., "beta-VAE", ICLR
2017; ``k`` above 1: Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016; ``warm_up``:
Bowman et al. 2016 and Sonderby et al. 2016; ``free_bits``: Kingma et al., NeurIPS 2016, equation 15; priors and the
posterior's flow: :mod:`isthmus.networks.priors`, :mod:`isthmus.networks.flows`.

::

         encoder                           decoder
    x -----------> mean, log s^2 --+--> z ----------> theta ------>  p(x | z)
                                   |    ^
                             noise e ~ N(0, I),  z = mean + s e,   prior p(z)

Objective, in nats per example (Kingma and Welling, equation 3)::

    L(x) = E_q(z|x)[-log p(x | z)] + beta KL(q(z | x) || p(z))                      k = 1
    L(x) = -E log 1/k sum_i w_i,   w_i = p(x | z_i) p(z_i) / q(z_i | x)             k > 1 (Burda et al., equation 8)
    free bits: the second term of the first line is sum_j max(free_bits, mean over the batch of KL_j)

With ``beta=1`` -L is a bound on log p(x): no constant has to weigh the two terms, because the likelihood's scale is
learned (Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.models.composition import compose
from isthmus.models.variational import PriorModel
from isthmus.search import Choice, SearchSpace
from isthmus.training import Step

__all__ = ["VAE"]

FLOW_STEPS = 4


@dataclass(kw_only=True, eq=False, repr=False)
class VAE(PriorModel):
    """Variational autoencoder.

    Parameters
    ----------
    k : int, default=1
        Importance samples of the objective (the importance-weighted autoencoder); ``beta``, ``warm_up`` and
        ``free_bits`` then have to be left alone.
    posterior : {"gaussian", "flow"}, default="gaussian"
        Of the code given a record: diagonal Gaussian, or that carried on by an inverse autoregressive flow.
    **common
        ``beta``, ``warm_up``, ``free_bits``, ``prior`` and ``components`` of
        :class:`isthmus.models.variational.PriorModel`, and the parameters of every model: :class:`isthmus.base.Model`.
        A network of the user's own ends its encoder in twice as many numbers as a code has (means, then
        log-variances), three times with a flow.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import VAE
    >>> X = load_digits().images.astype("uint8")
    >>> model = VAE(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    k: int = 1
    posterior: str = "gaussian"

    draws_marginals: ClassVar[bool] = True
    search_space: ClassVar[SearchSpace] = {
        **PriorModel.search_space,
        "posterior": Choice(("gaussian", "flow")),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.integer(owner, "k", self.k, low=1)
        checks.choice(owner, "posterior", self.posterior, ("gaussian", "flow"))
        if self.k > 1:
            for name, plain in (("beta", 1.0), ("warm_up", 0.0), ("free_bits", 0.0)):
                given = getattr(self, name)
                checks.not_together(owner, name, plain if given is None else given, "k", self.k, plain=plain)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        heads = 2 if self.posterior == "gaussian" else 3
        core = compose(self, rng, heads=heads, core=networks.VariationalCore)
        width, *sides = core.code_shape
        if self.posterior == "flow":
            if sides:
                checks.vectors_only(type(self).__name__, "posterior='flow'")
            core.flow = networks.InverseAutoregressiveFlow(width, width, FLOW_STEPS, rng)
        core.prior = self.build_prior(core, rng)
        return core

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return E_q[-log p(x | z)] and beta KL(q(z | x) || p(z)), or minus the bound of k importance samples."""
        x = step.x
        q = self.module_.posterior(x)
        if self.k > 1:
            return {"importance_bound": -self._importance_bound(q, x, step.rng).mean()}
        z, log_q = q.draw(step.rng)
        theta = self.decode(z, step.size)
        return {"reconstruction": self.module_.nll(theta, x).mean(), "kl": self.kl_weight(step) * self.kl(q, z, log_q)}

    def _importance_bound(self, q: networks.Posterior, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return log 1/k sum_i w_i of each record, (b,), all draws at once: their gradient needs them."""
        shape = (self.k * len(x), *q.mean.shape[1:])
        noise = torch.randn(shape, generator=rng, device=x.device)
        repeated = x.repeat(self.k, *(1 for _ in x.shape[1:]))
        log_w = self.module_.log_weights(q.repeated(self.k), repeated, noise).view(self.k, len(x))
        return torch.logsumexp(log_w, 0) - math.log(self.k)

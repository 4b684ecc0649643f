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

Missing cells are drawn given the others by a Gibbs sampler whose code is chosen among draws of q by their weights w
(Mattei and Frellsen, "MIWAE", ICML 2019, section 3; the sampler without weights is that of Rezende, Mohamed and
Wierstra, ICML 2014, appendix F).

With ``beta=1`` -L is a bound on log p(x): no constant has to weigh the two terms, because the likelihood's scale is
learned (Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.base import Model, seed_of
from isthmus.models.composition import compose
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Step

__all__ = ["VAE"]

SCORE_DRAWS = 64  # importance samples behind score_samples
PROPOSALS = 8  # codes among which one is chosen by weight, each time missing cells are drawn
BURN_IN = 20  # rounds before draws of missing cells are kept
FLOW_STEPS = 4
COUPLINGS = 6
COMPONENTS = 100  # of a mixture prior, usually
BETA_OF_TABLES = 0.5


@dataclass(kw_only=True, eq=False, repr=False)
class VAE(Model):
    """Learn a code with a known distribution, and a likelihood of records.

    Parameters
    ----------
    beta : float, optional
        Weight of the KL term; 1 makes the objective the evidence lower bound. By default 1, and 0.5 for tables and for
        rows with values that many records share: the ratio by which TVAE weighs the two terms (Xu et al., "Modeling
        Tabular Data using Conditional GAN", NeurIPS 2019), with which what is drawn depends as records do.
    warm_up : float, default=0
        Share of the training over which ``beta`` rises from 0, in [0, 1].
    free_bits : float, default=0
        Nats of KL that each unit of the code has for nothing; keeps units alive. With another prior or posterior than
        the plain ones the KL is no sum over units: the whole code then has ``latent_dim`` times as much for nothing.
    k : int, default=1
        Importance samples of the objective (the importance-weighted autoencoder); ``beta``, ``warm_up`` and
        ``free_bits`` then have to be left alone.
    prior : {"auto", "normal", "mixture", "vamp", "flow"}, default="auto"
        Standard normal; a mixture of Gaussians; the posteriors of learned pseudo-records; an invertible network.
        "auto" takes the mixture where ``beta`` is 0.5 by default, since such records are of kinds, and otherwise the
        normal.
    components : int, default=100
        Gaussians of the mixture, or pseudo-records.
    posterior : {"gaussian", "flow"}, default="gaussian"
        Of the code given a record: diagonal Gaussian, or that carried on by an inverse autoregressive flow.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. A network of the user's own ends its encoder in
        twice as many numbers as a code has (means, then log-variances), three times with a flow.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import VAE
    >>> X = load_digits().images.astype("uint8")
    >>> model = VAE(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    beta: float | None = None
    warm_up: float = 0.0
    free_bits: float = 0.0
    k: int = 1
    prior: str = "auto"
    components: int = COMPONENTS
    posterior: str = "gaussian"

    has_prior: ClassVar[bool] = True
    bounds_likelihood: ClassVar[bool] = True
    draws_marginals: ClassVar[bool] = True
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "beta": Number(0.5, 2.0, log=True),
        "warm_up": Choice((0.0, 0.3)),
        "prior": Choice(("auto", "normal", "mixture", "vamp", "flow"), kinds_of=(("vamp", ("array", "image")),)),
        "posterior": Choice(("gaussian", "flow")),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.number(owner, "beta", self.beta, low=0, optional=True)
        checks.number(owner, "warm_up", self.warm_up, low=0, high=1)
        checks.number(owner, "free_bits", self.free_bits, low=0)
        checks.integer(owner, "k", self.k, low=1)
        checks.choice(owner, "prior", self.prior, ("auto", *networks.PRIORS))
        checks.integer(owner, "components", self.components, low=1)
        checks.choice(owner, "posterior", self.posterior, ("gaussian", "flow"))
        if self.k > 1:
            for name, plain in (("beta", 1.0), ("warm_up", 0.0), ("free_bits", 0.0)):
                given = getattr(self, name)
                checks.not_together(owner, name, plain if given is None else given, "k", self.k, plain=plain)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        heads = 2 if self.posterior == "gaussian" else 3
        core = compose(self, rng, heads=heads, core=networks.VariationalCore)
        self.add_prior_and_flow(core, rng)
        return core

    def add_prior_and_flow(self, core: Any, rng: torch.Generator) -> None:
        """Give a core the prior and the flow that the parameters name."""
        width, *sides = core.code_shape
        prior = self.prior
        if prior == "auto":
            prior = "mixture" if core.likelihood.name == "table" else "normal"
        if sides and (prior != "normal" or self.posterior != "gaussian"):
            checks.vectors_only(type(self).__name__, f"prior={prior!r} with posterior={self.posterior!r}")
        if self.posterior == "flow":
            core.flow = networks.InverseAutoregressiveFlow(width, width, FLOW_STEPS, rng)
        if prior == "mixture":
            core.prior = networks.MixturePrior(width, self.components, rng)
        elif prior == "flow":
            checks.integer(type(self).__name__, "latent_dim (with prior='flow')", width, low=2)
            core.prior = networks.FlowPrior(width, COUPLINGS, rng)
        elif prior == "vamp":
            checks.plain_numbers_only(type(self).__name__, "prior='vamp'", self.schema_.kind)
            shape = tuple(side or 1 for side in self.preprocessor_.shape_)
            core.prior = networks.VampPrior(shape, self.components, core.gaussian)

    def _beta(self, step: Step) -> float:
        """Return the weight of the KL term at a step."""
        usual = BETA_OF_TABLES if self.module_.likelihood.name == "table" else 1.0
        beta = usual if self.beta is None else self.beta
        return beta if self.warm_up == 0 else beta * min(1.0, step.share / self.warm_up)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return E_q[-log p(x | z)] and beta KL(q(z | x) || p(z)), or minus the bound of k importance samples."""
        x = step.x
        q = self.module_.posterior(x)
        if self.k > 1:
            return {"importance_bound": -self._importance_bound(q, x, step.rng).mean()}
        z, log_q = q.draw(step.rng)
        theta = self.decode(z, step.size)
        return {"reconstruction": self.module_.nll(theta, x).mean(), "kl": self._beta(step) * self._kl(q, z, log_q)}

    def _kl(self, q: networks.Posterior, z: Tensor, log_q: Tensor) -> Tensor:
        core = self.module_
        if not (self.free_bits and core.training):
            return core.kl(q, z, log_q).mean()
        if core.has_exact_kl:
            units = networks.kl_to_standard_normal(q.mean, q.log_var).mean(0)
            return units.clamp_min(self.free_bits).sum()
        return core.kl(q, z, log_q).mean().clamp_min(self.free_bits * z[0].numel())

    def _importance_bound(self, q: networks.Posterior, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return log 1/k sum_i w_i of each record, (b,), all draws at once: their gradient needs them."""
        shape = (self.k * len(x), *q.mean.shape[1:])
        noise = torch.randn(shape, generator=rng, device=x.device)
        repeated = x.repeat(self.k, *(1 for _ in x.shape[1:]))
        log_w = self.module_.log_weights(q.repeated(self.k), repeated, noise).view(self.k, len(x))
        return torch.logsumexp(log_w, 0) - math.log(self.k)

    # ------------------------------------------------------------------ use

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return the importance-weighted bound on log p(x) of scaled records, from 64 fixed draws: (b, ...) -> (b,)."""
        return self.bound(x, SCORE_DRAWS)

    def bound(self, x: Tensor, k: int, seed: int = 0) -> Tensor:
        """Return the importance-weighted bound on log p(x) of scaled records with k draws: (b, ...) -> (b,), nats."""
        return self.module_.importance_bound(x, k, torch.Generator().manual_seed(seed))

    def likelihood_bound(self, X: Any, k: int = 5000, *, random_state: int = 0) -> np.ndarray:
        """Return the importance-weighted bound on log p(x) with ``k`` draws, as papers report it.

        Parameters
        ----------
        X : as in :meth:`fit`
        k : int, default=5000
            Draws; the bound rises with them and reaches log p(x) in the limit.
        random_state : int, default=0
            Seed of the draws.

        Returns
        -------
        ndarray of float64, shape (n,)
            Nats per example, in the units of ``X``.
        """
        checks.integer(type(self).__name__, "k", k, low=1)
        return self._figures(X, lambda x: self.bound(x, k, random_state)).astype(np.float64)

    def code_posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return means and log-variances of q(z | x), the Gaussian part, float32 of shape (n, latent_dim) each."""
        both = self._figures(X, lambda x: torch.stack(self.module_.gaussian(x), 1).flatten(2))
        return both[:, 0], both[:, 1]

    def conditional_draws(
        self, records: np.ndarray, marked: np.ndarray, n: int, *, random_state: Any = None
    ) -> Iterator[np.ndarray]:
        """Yield ``n`` draws of marked cells from p(marked cells | the others), whole records at a time.

        Parameters
        ----------
        records : ndarray, shape (b, *preprocessor_.shape_)
            As the preprocessor encodes them; the draws start at what stands in the marked cells.
        marked : ndarray of bool, the same shape
        n : int
            Draws; neighbouring ones are alike.
        random_state : int, RandomState or None, default=None
            Seed.

        Yields
        ------
        ndarray of float32, shape (b, *preprocessor_.shape_)
            In encoded units; cells that are not marked are those of ``records``.
        """
        device = next(self.module_.parameters()).device
        rng = torch.Generator(device).manual_seed(seed_of(random_state))
        encoded, holes = torch.from_numpy(records).to(device), torch.from_numpy(marked).to(device)
        with torch.inference_mode():
            known = self.module_.scale(encoded)
            # A decoder that is fed its own draws from beyond the records of training may answer with ones from farther
            # out, and the chain would never come back.
            summary = self.preprocessor_.scaled_summary()
            low, high = (torch.from_numpy(ends).to(known) for ends in (summary.low, summary.high))
            x = known
            for step in range(BURN_IN + n):
                x = torch.where(holes, self._redrawn(x, rng).to(x.dtype).clamp(low, high), known)
                if step >= BURN_IN:
                    yield torch.where(holes, self.module_.unscale(x), encoded).float().cpu().numpy()

    def _redrawn(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return records drawn from p(x | z), z chosen for each among draws of q(z | x) in proportion to its w."""
        repeated = x.repeat(PROPOSALS, *(1 for _ in x.shape[1:]))
        heads = self.module_.gaussian(x[:1])[0].shape[1:]
        theta, log_w = self.module_.proposal(
            repeated, torch.randn((len(repeated), *heads), generator=rng, device=x.device)
        )
        chosen = torch.multinomial(log_w.view(PROPOSALS, len(x)).softmax(0).T, 1, generator=rng)[:, 0]
        drawn: Tensor = self.module_.drawn(theta[chosen * len(x) + torch.arange(len(x), device=x.device)], rng)
        return drawn

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes drawn from the prior: (n, *code_shape)."""
        codes: Tensor = self.module_.prior.sample(shape, rng, temperature)
        return codes

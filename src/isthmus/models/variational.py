r"""Base classes of models with a Gaussian posterior: weight of the KL term, bounds, draws of missing cells.

Papers: Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; ``beta``: Higgins et al., "beta-VAE", ICLR
2017; ``warm_up``: Bowman et al. 2016 and Sonderby et al. 2016; the bound with ``k`` draws: Burda, Grosse and
Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, equation 8::

    log p(x) >= E log 1/k sum_i w_i,   w_i = p(x | z_i) p(z_i) / q(z_i | x)

Missing cells are drawn given the others by a Gibbs sampler whose code is chosen among draws of q by their weights w
(Mattei and Frellsen, "MIWAE", ICML 2019, section 3; the sampler without weights is that of Rezende, Mohamed and
Wierstra, ICML 2014, appendix F).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import Model, RetiredParameters, seed_of
from isthmus.models.composition import compose
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Step

__all__ = ["COMPONENTS", "FIXED_PRIOR", "PriorModel", "VariationalModel", "default_prior"]

SCORE_DRAWS = 64  # importance samples behind score_samples
PROPOSALS = 8  # codes among which one is chosen by weight, each time missing cells are drawn
BURN_IN = 20  # rounds before draws of missing cells are kept
COUPLINGS = 6  # of the flow prior
COMPONENTS = 100  # of a mixture prior by default
BETA_OF_TABLES = 0.5
FREE_BITS_OF_TEXTS = 0.5  # without them, what comes next follows from what was before, and no code is used
# What files of models with the default prior and a Gaussian posterior held while these inherited parameters of VAE.
FIXED_PRIOR: RetiredParameters = {
    "prior": ("auto", "normal"),
    "components": None,
    "posterior": ("gaussian",),
    "k": (1,),
}


@dataclass(kw_only=True, eq=False, repr=False)
class VariationalModel(Model):
    """Base of models that encode a record as a distribution of codes.

    Parameters
    ----------
    beta : float, optional
        Weight of the KL term; 1 makes the objective the evidence lower bound. By default 1, and 0.5 for tables and for
        rows with values that many records share: the ratio by which TVAE weighs the two terms (Xu et al., "Modeling
        Tabular Data using Conditional GAN", NeurIPS 2019), with which what is drawn depends as records do.
    warm_up : float, default=0
        Share of the training over which ``beta`` rises from 0, in [0, 1].
    **common
        The parameters of every model: :class:`isthmus.base.Model`.
    """

    beta: float | None = None
    warm_up: float = 0.0

    has_prior: ClassVar[bool] = True
    bounds_likelihood: ClassVar[bool] = True

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "beta", self.beta, low=0, optional=True)
        checks.number(type(self).__name__, "warm_up", self.warm_up, low=0, high=1)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng, heads=2, core=networks.VariationalCore)
        core.prior = default_prior(core, rng)
        return core

    def kl_weight(self, step: Step) -> float:
        """Return the weight of the KL term at a step."""
        default = BETA_OF_TABLES if self.module_.likelihood.name == "table" else 1.0
        beta = default if self.beta is None else self.beta
        return beta if self.warm_up == 0 else beta * min(1.0, step.share / self.warm_up)

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


@dataclass(kw_only=True, eq=False, repr=False)
class PriorModel(VariationalModel):
    """Base of variational models whose prior can be chosen.

    Parameters
    ----------
    free_bits : float, optional
        Nats of KL of each unit that are not penalised, which keeps units active (Kingma et al., NeurIPS 2016, equation
        15). By default 0, and 0.5 of texts, whose decoder would else go without the code. Where prior or posterior is
        not a plain Gaussian the KL is not a sum over units, and ``latent_dim`` times as many nats of the whole code
        are not penalised.
    prior : {"auto", "normal", "mixture", "vamp", "flow"}, default="auto"
        Standard normal; a mixture of Gaussians; the posteriors of learned pseudo-records; an invertible network.
        "auto" takes the mixture where ``beta`` is 0.5 by default, since such records form groups, and otherwise the
        normal.
    components : int, default=100
        Gaussians of the mixture, or pseudo-records.
    **common
        The parameters of every variational model, :class:`isthmus.models.variational.VariationalModel`, and of every
        model, :class:`isthmus.base.Model`.
    """

    free_bits: float | None = None
    prior: str = "auto"
    components: int = COMPONENTS

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "beta": Number(0.5, 2.0, log=True),
        "warm_up": Choice((0.0, 0.3)),
        "prior": Choice(("auto", "normal", "mixture", "vamp", "flow"), kinds_of=(("vamp", ("array", "image")),)),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.number(owner, "free_bits", self.free_bits, low=0, optional=True)
        checks.choice(owner, "prior", self.prior, ("auto", *networks.PRIORS))
        checks.integer(owner, "components", self.components, low=1)

    def build_prior(self, core: Any, rng: torch.Generator) -> nn.Module:
        """Return the prior that the parameters name, for the codes of a core."""
        owner, (width, *sides) = type(self).__name__, core.code_shape
        if sides and self.prior not in ("auto", "normal"):
            checks.vectors_only(owner, f"prior={self.prior!r}")
        if self.prior == "mixture":
            return networks.MixturePrior(width, self.components, rng)
        if self.prior == "flow":
            checks.integer(owner, "latent_dim (with prior='flow')", width, low=2)
            return networks.FlowPrior(width, COUPLINGS, rng)
        if self.prior == "vamp":
            checks.plain_numbers_only(owner, "prior='vamp'", self.schema_.kind)
            shape = tuple(side or 1 for side in self.preprocessor_.shape_)
            return networks.VampPrior(shape, self.components, core.gaussian)
        return networks.StandardNormal() if self.prior == "normal" else default_prior(core, rng, self.components)

    def kl(self, q: networks.Posterior, z: Tensor, log_q: Tensor) -> Tensor:
        """Return KL(q(z | x) || p(z)) averaged over a batch, in training at least the free bits: (), nats."""
        core, free = self.module_, self.free_bits
        if free is None:
            free = 0.0 if core.likelihood.is_factorised else FREE_BITS_OF_TEXTS
        if not (free and core.training):
            return core.kl(q, z, log_q).mean()
        if core.has_exact_kl:
            units = ranks.mean(networks.kl_to_standard_normal(q.mean, q.log_var), 0)
            return units.clamp_min(free).sum()
        return ranks.mean(core.kl(q, z, log_q)).clamp_min(free * z[0].numel())


def default_prior(core: Any, rng: torch.Generator, components: int = COMPONENTS) -> nn.Module:
    """Return a mixture of Gaussians for tables, whose records form groups, and else a standard normal prior."""
    if core.likelihood.name == "table":
        return networks.MixturePrior(core.code_shape[0], components, rng)
    return networks.StandardNormal()

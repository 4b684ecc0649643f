r"""Adversarial autoencoder and VAE/GAN: a critic of codes, and a critic of decoded records.

Papers: Makhzani, Shlens, Jaitly, Goodfellow and Frey, "Adversarial Autoencoders", 2015; Larsen, Sonderby, Larochelle
and Winther, "Autoencoding beyond Pixels using a Learned Similarity Metric", ICML 2016 (VAE/GAN). The game is the
relativistic one of :mod:`isthmus.models.gan`, with its penalties, in place of the original.

::

    adversarial autoencoder     x --E--> z --G--> theta           VAE/GAN    x --E--> q(z | x) --> z --G--> x~ --+
                                         |                                                                       C
                         w ~ N(0, I) ----C                                  z ~ N(0, I) --------------> G -> x~ -+

Objectives, in nats per example, with s = softplus and f what the last layer of C sees::

    adversarial autoencoder   E, G   -log p(x | G(E(x))) + lambda s(C(w) - C(E(x)))
                              C      s(C(E(x)) - C(w)) + gamma/2 (||grad C(w)||^2 + ||grad C(E(x))||^2)
    VAE/GAN                   E      1/2 ||f(x) - f(G(z))||^2 + beta KL(q(z | x) || p(z))           (Larsen, equation 8)
                              G      similarity/2 ||f(x) - f(G(z))||^2 + s(C(x) - C(x~))            (equation 9)
                              C      s(C(x~) - C(x)) + gamma/2 (||grad C(x)||^2 + ||grad C(x~)||^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import Model, RetiredParameters
from isthmus.models.composition import compose
from isthmus.models.gan import BETAS, LOSSES, LR_SCALE, squared_slope
from isthmus.models.variational import FIXED_PRIOR, VariationalModel
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Player, Step

__all__ = ["VAEGAN", "AdversarialAutoencoder"]

CRITIC_CLAIMS, MAKER_CLAIMS = LOSSES["relativistic"]
CODE_CRITIC = (256,)  # hidden layers of a critic of codes


def critic_terms(critic: nn.Module, real: Tensor, fake: Tensor, gamma: float) -> dict[str, Tensor]:
    """Return a critic's loss on real and generated examples, and its gradient penalty."""
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    a, b = critic(real)[:, 0], critic(fake)[:, 0]
    penalty = gamma / 2 * (squared_slope(a, real) + squared_slope(b, fake)).mean()
    return {"loss": CRITIC_CLAIMS(a, b), "penalty": penalty}


@dataclass(kw_only=True, eq=False, repr=False)
class AdversarialAutoencoder(Model):
    """Autoencoder whose codes a critic cannot distinguish from standard normal draws.

    Parameters
    ----------
    penalty : float, default=10
        lambda above, in nats.
    gamma : float, default=0.05
        Weight of the critic's gradient penalties.
    **common
        The parameters of every model: :class:`isthmus.base.Model`; the default optimiser is "adam", and the default
        precision "float32".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import AdversarialAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = AdversarialAutoencoder(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    penalty: float = 10.0
    gamma: float = 0.05
    optimizer: str = "adam"
    precision: str = "float32"

    has_prior: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "learning_rate": Choice((None, 0.0005, 0.001, 0.003)),
        "penalty": Number(0.1, 100.0, log=True),
        "gamma": Number(0.005, 1.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "penalty", self.penalty, low=0)
        checks.number(type(self).__name__, "gamma", self.gamma, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng)
        core.critic = networks.Critic(core.code_shape[:1], 1, CODE_CRITIC, rng=rng, owner=type(self).__name__)
        return core

    def players(self) -> list[Player]:  # noqa: D102
        core = self.module_
        own = (core.encoder, core.decoder, core.likelihood)
        return [
            Player("model", own, self.losses, lr_scale=LR_SCALE),
            Player("critic", (core.critic,), self.critic_losses, lr_scale=LR_SCALE, betas=BETAS, in_validation=False),
        ]

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | G(E(x))) and lambda s(C(w) - C(E(x)))."""
        core = self.module_
        z = self.encode(step.x)
        theta = self.decode(z, step.size)
        codes, drawn = self._codes_and_draws(z, step.rng)
        return {
            "reconstruction": core.nll(theta, step.x).mean(),
            "codes": self.penalty * MAKER_CLAIMS(core.critic(drawn)[:, 0].detach(), core.critic(codes)[:, 0]),
        }

    def critic_losses(self, step: Step) -> dict[str, Tensor]:
        """Return the critic's loss and its gradient penalty."""
        core = self.module_
        with torch.no_grad():
            codes, drawn = self._codes_and_draws(self.encode(step.x), step.rng)
        return critic_terms(core.critic, drawn, codes, self.gamma)

    def _codes_and_draws(self, z: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return codes as points, of maps one for each place, and as many draws of the prior: (m, channels) each."""
        codes = z.float().transpose(0, 1).flatten(1).T
        return codes, torch.randn(codes.shape, generator=rng, device=codes.device)

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return standard normal codes."""
        return temperature * torch.randn(shape, generator=rng)


@dataclass(kw_only=True, eq=False, repr=False)
class VAEGAN(VariationalModel):
    """VAE whose reconstruction error is measured in the features of a critic.

    Parameters
    ----------
    similarity : float, default=1
        Weight of the feature distance in the decoder's loss; the adversarial term has 1.
    gamma : float, default=0.05
        Weight of the critic's gradient penalties.
    network : {"auto", "dense", "convolutional", "residual"} or (encoder, decoder), default="auto"
        By the kind of data, or any two ``torch.nn.Module``. The critic sees whole records, and has a network alike.
    **common
        ``beta`` and ``warm_up`` of :class:`isthmus.models.variational.VariationalModel`, and the parameters of every
        model: :class:`isthmus.base.Model`; the default optimiser is "adam", the default precision "float32". The
        posterior is Gaussian; the prior is standard normal, and of tables a mixture of Gaussians. Of the likelihood
        only the scale is fitted: it gives scores.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import VAEGAN
    >>> X = load_digits().images.astype("uint8")
    >>> model = VAEGAN(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    similarity: float = 1.0
    gamma: float = 0.05
    optimizer: str = "adam"
    precision: str = "float32"

    draws_marginals: ClassVar[bool] = True
    needs_factorised: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    retired_parameters: ClassVar[RetiredParameters] = {**FIXED_PRIOR, "free_bits": (0.0,)}
    search_space: ClassVar[SearchSpace] = {
        **{name: its for name, its in AdversarialAutoencoder.search_space.items() if name != "penalty"},
        "similarity": Number(0.1, 10.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.number(owner, "similarity", self.similarity, low=0)
        checks.number(owner, "gamma", self.gamma, low=0)
        checks.check_network(owner, self.network, networks.WITHOUT_SEQUENCE)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core: Any = super().build(rng)
        shape = self.preprocessor_.shape_
        core.critic = networks.Critic(
            core.likelihood.theta_shape(shape),
            1,
            self.hidden,
            network=self.network if isinstance(self.network, str) else "auto",
            numbers=core.likelihood.n_quantities(shape),
            rng=rng,
            owner=type(self).__name__,
        )
        return core

    def players(self) -> list[Player]:  # noqa: D102
        core = self.module_
        game: dict[str, Any] = {"lr_scale": LR_SCALE, "betas": BETAS, "in_validation": False}
        return [
            Player("encoder", (core.encoder, core.likelihood, core.prior), self.losses, lr_scale=LR_SCALE),
            Player("critic", (core.critic,), self.critic_losses, **game),
            Player("generator", (core.decoder,), self.generator_losses, **game),
        ]

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the encoder's feature distance and KL, and -log p(x | G(z)) for the likelihood's scale alone."""
        core, x = self.module_, step.x
        q = core.posterior(x)
        z, log_q = q.draw(step.rng)
        theta = self.decode(z, step.size)
        return {
            "likeness": self._likeness(theta, step),
            "kl": self.kl_weight(step) * core.kl(q, z, log_q).mean(),
            "reconstruction": core.nll(theta.detach(), x).mean(),
        }

    def critic_losses(self, step: Step) -> dict[str, Tensor]:
        """Return the critic's loss and its gradient penalty; decoded codes come from posterior and prior."""
        core = self.module_
        with torch.no_grad():
            made = core.likelihood.rsample(self._theta(step)[1], step.rng).float()
        return critic_terms(core.critic, core.likelihood.one_hot(step.x).float(), made, self.gamma)

    def generator_losses(self, step: Step) -> dict[str, Tensor]:
        """Return the decoder's loss: the distance to the record in critic features, and the adversarial term."""
        core = self.module_
        near, made = self._theta(step)
        with torch.no_grad():
            a = core.critic(core.likelihood.one_hot(step.x).float())[:, 0]
        b = core.critic(core.likelihood.rsample(made, step.rng).float())[:, 0]
        return {"likeness": self.similarity * self._likeness(near, step), "loss": MAKER_CLAIMS(a, b)}

    def _theta(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return theta at each record's code, and at codes of which every second is the prior's."""
        core = self.module_
        with torch.no_grad():
            z, _ = core.posterior(step.x).draw(step.rng)
        drawn = core.prior.sample(tuple(z.shape), step.rng)
        places = ranks.rank() + ranks.world() * torch.arange(len(z), device=z.device)  # in the batch of all ranks
        mixed = torch.where((places % 2 == 0).view(-1, *(1 for _ in z.shape[1:])), z, drawn)
        return self.decode(z, step.size), self.decode(mixed, step.size)

    def _likeness(self, theta: Tensor, step: Step) -> Tensor:
        """Return half the squared distance of records and theta in the critic's features."""
        core = self.module_
        with torch.no_grad():
            real = core.critic.features(core.likelihood.one_hot(step.x).float())
        made = core.critic.features(core.likelihood.rsample(theta, step.rng).float())
        return (made - real).square().sum(1).mean() / 2

r"""The core of variational models: an encoder that returns q(z | x), and a prior p(z).

::

    x --encoder--> (mean, log-variance[, context]) --draw--> z --decoder--> theta
                                 |                           |
                                 +---- log q(z | x)          +---- log p(z)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.networks.core import Core
from isthmus.networks.flows import InverseAutoregressiveFlow
from isthmus.networks.likelihoods import Likelihood
from isthmus.networks.priors import Prior, StandardNormal, normal_log_density

__all__ = [
    "ConditionalCore",
    "Posterior",
    "VariationalCore",
    "join_classes",
    "kl_to_standard_normal",
    "log_mean_weights",
]


def join_classes(z: Tensor, chances: Tensor) -> Tensor:
    """Return z (b, c, ...) and classes (b, k) along the first axis of a code; beside maps, classes are flat maps."""
    maps = chances.to(z.dtype).view(*chances.shape, *(1 for _ in z.shape[2:]))
    return torch.cat([z, maps.expand(*chances.shape, *z.shape[2:])], 1)


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) || N(0, 1)) of each number, in nats (Kingma and Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + torch.exp(log_var) - 1 - log_var)


def log_mean_weights(
    log_weights: Callable[[Tensor], Tensor], shape: tuple[int, ...], x: Tensor, k: int, rng: torch.Generator
) -> Tensor:
    """Return log 1/k sum_i w_i of each record, (b,), one draw after the other: memory does not grow with k.

    Parameters
    ----------
    log_weights : callable
        From noise of ``shape``, the same for all records, to log w of each, (b,).
    shape : tuple of int
        Of one code.
    x : tensor, shape (b, ...)
        The records.
    k : int
        Draws.
    rng : torch.Generator
        Of the noise.
    """
    total = torch.full((len(x),), -torch.inf, device=x.device)
    for _ in range(k):
        noise = torch.randn(shape, generator=rng, device=rng.device).to(x.device)
        total = torch.logaddexp(total, log_weights(noise))
    return total - math.log(k)


@dataclass(frozen=True)
class Posterior:
    """q(z | x) of a batch: a diagonal Gaussian, carried on by a flow if there is one.

    Parameters
    ----------
    mean, log_var : tensor, shape (b, *code_shape)
        Of the Gaussian.
    flow : InverseAutoregressiveFlow, optional
        What its draws go through.
    context : tensor, shape (b, width), optional
        What the flow knows of the record.
    """

    mean: Tensor
    log_var: Tensor
    flow: nn.Module | None = None
    context: Tensor | None = None

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code that standard normal noise becomes, and log q(z | x): (b, *code_shape), (b,).

        Parameters
        ----------
        noise : tensor, shape (b, *code_shape) or (*code_shape)
            z = mean + exp(log_var / 2) noise: the reparametrisation of Kingma and Welling 2014, section 2.4.
        """
        z = self.mean + torch.exp(0.5 * self.log_var) * noise
        log_q = normal_log_density(z, self.mean, self.log_var).flatten(1).sum(1)
        if self.flow is None:
            return z, log_q
        z, log_det = self.flow(z, self.context)
        return z, log_q - log_det

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return one code for each record and log q(z | x)."""
        return self.at(torch.randn(self.mean.shape, generator=rng, device=self.mean.device))

    def repeated(self, k: int) -> Posterior:
        """Return the posterior of every record ``k`` times over: rows 0 ... b - 1, then again."""

        def again(part: Tensor | None) -> Tensor | None:
            return None if part is None else part.repeat(k, *(1 for _ in part.shape[1:]))

        return Posterior(again(self.mean), again(self.log_var), self.flow, again(self.context))  # type: ignore[arg-type]


class VariationalCore(Core):
    """Encoder, decoder, likelihood and prior.

    Parameters
    ----------
    encoder : torch.nn.Module
        Scaled records to twice as many numbers as a code has (three times with a flow): means, log-variances, context.
    decoder, likelihood, shift, factor
        As in :class:`Core`.
    prior : Prior, optional
        Standard normal by default.
    flow : InverseAutoregressiveFlow, optional
        Makes the posterior richer.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        shift: Any = 0.0,
        factor: Any = 1.0,
        *,
        prior: Prior | None = None,
        flow: InverseAutoregressiveFlow | None = None,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, shift, factor)
        self.prior, self.flow = prior or StandardNormal(), flow

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the Gaussian part of q(z | x)."""
        posterior = self.posterior(x)
        return posterior.mean, posterior.log_var

    def posterior(self, x: Tensor) -> Posterior:
        """Return q(z | x) of scaled records."""
        heads = self.encoder(x).float()
        if self.flow is None:
            mean, log_var = heads.chunk(2, 1)
            return Posterior(mean, log_var)
        mean, log_var, context = heads.chunk(3, 1)
        return Posterior(mean, log_var, self.flow, context)

    def encode(self, x: Tensor) -> Tensor:
        """Return the mean of q(z | x), through the flow if there is one."""
        posterior = self.posterior(x)
        return posterior.mean if self.flow is None else self.flow(posterior.mean, posterior.context)[0]

    def kl(self, posterior: Posterior, z: Tensor, log_q: Tensor) -> Tensor:
        """Return KL(q(z | x) || p(z)) of each record, (b,): exact for two Gaussians, else log q(z | x) - log p(z)."""
        if self.has_exact_kl:
            return kl_to_standard_normal(posterior.mean, posterior.log_var).flatten(1).sum(1)
        return log_q - self.prior.log_prob(z)

    @property
    def has_exact_kl(self) -> bool:
        """Tell whether posterior and prior are plain Gaussians."""
        return self.flow is None and isinstance(self.prior, StandardNormal)

    def code(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the decoder's input: z, and the classes where they are known."""
        return z

    def log_weights(self, posterior: Posterior, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return log w = log p(x | z) + log p(z) - log q(z | x) at the code of some noise: (b,)."""
        return self._weighted(posterior, x, noise, labels)[1]

    def proposal(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return theta at the code that some noise becomes, and log w of that code: (b, *theta_shape), (b,)."""
        return self._weighted(self.posterior(x), x, noise)

    def _weighted(
        self, posterior: Posterior, x: Tensor, noise: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        z, log_q = posterior.at(noise)
        theta = self.decode(self.code(z, labels), tuple(x.shape[2:]))
        return theta, self.prior.log_prob(z) - log_q - self.nll(theta, x)

    def importance_bound(self, x: Tensor, k: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """Return log 1/k sum_i w_i, a lower bound on log p(x) (Burda et al. 2016, equation 8), with little memory.

        The k draws of noise are the same for every record, so a record's bound does not depend on its neighbours.

        Parameters
        ----------
        x : tensor, shape (b, ...)
            Scaled records.
        k : int
            Draws.
        rng : torch.Generator
            Of the noise.
        labels : tensor, shape (b,), optional
            Class numbers: the bound is then on log p(x | y).

        Returns
        -------
        tensor, shape (b,)
            Nats.
        """
        posterior = self.posterior(x)
        shape = tuple(posterior.mean.shape[1:])
        return log_mean_weights(lambda noise: self.log_weights(posterior, x, noise, labels), shape, x, k, rng)

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:  # noqa: D102
        super().start_at(x)
        self.prior.start_at(x)


class ConditionalCore(VariationalCore):
    """Variational core with classes: a code is z and the probability of each class.

    Parameters
    ----------
    encoder : torch.nn.Module
        Scaled records to means, log-variances, and one logit for each class.
    decoder, likelihood, shift, factor
        As in :class:`Core`; the decoder takes z and the classes.
    """

    log_prior: Tensor

    def with_classes(self, frequencies: Tensor) -> None:
        """Take over how frequent each class is among the records, (classes,), positive."""
        self.register_buffer("log_prior", (frequencies / frequencies.sum()).log().float())

    @property
    def classes(self) -> int:
        """Return how many classes there are."""
        return len(self.log_prior)

    def posterior(self, x: Tensor) -> Posterior:  # noqa: D102
        return self.posterior_and_logits(x)[0]

    def posterior_and_logits(self, x: Tensor) -> tuple[Posterior, Tensor]:
        """Return q(z | x) and the logits of q(y | x), (b, classes)."""
        heads = self.encoder(x).float()
        gaussian, logits = heads[:, : -self.classes], heads[:, -self.classes :]
        mean, log_var = gaussian.chunk(2, 1)
        return Posterior(mean, log_var), logits.flatten(2).mean(2) if logits.ndim > 2 else logits

    def proposal(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return theta and log w of the code that some noise becomes, in the class that is likeliest given x."""
        posterior, logits = self.posterior_and_logits(x)
        return self._weighted(posterior, x, noise, logits.argmax(1))

    def encode(self, x: Tensor) -> Tensor:
        """Return the mean of q(z | x), and q(y | x)."""
        posterior, logits = self.posterior_and_logits(x)
        return join_classes(posterior.mean, logits.softmax(1))

    def code(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return codes of z and of class numbers: (b, latent_dim, ...), (b,) -> (b, latent_dim + classes, ...)."""
        if labels is None:
            raise ValueError("a conditional code needs classes")
        return join_classes(z, nn.functional.one_hot(labels, self.classes))

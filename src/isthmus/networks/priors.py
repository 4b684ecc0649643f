r"""Priors p(z) of codes.

================  =====================================================================================================
Standard normal   p(z) = N(z; 0, I) (Kingma and Welling 2014)
Mixture           p(z) = sum_k w_k N(z; m_k, diag s_k^2)
VampPrior         p(z) = 1/K sum_k q(z | u_k), u_k learned pseudo-records (Tomczak and Welling 2018, equation 9)
Flow              p(z) = N(f(z); 0, I) |det df/dz| with a learned invertible f (Real NVP, Dinh et al. 2017)
================  =====================================================================================================
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from isthmus import ranks
from isthmus.networks.flows import CouplingFlow

__all__ = ["PRIORS", "FlowPrior", "MixturePrior", "Prior", "StandardNormal", "VampPrior", "normal_log_density"]

LOG_2PI = math.log(2 * math.pi)

Posterior = Callable[[Tensor], tuple[Tensor, Tensor]]  # scaled records -> mean and log-variance of q(z | x)


def normal_log_density(z: Tensor, mean: Tensor | float, log_var: Tensor | float) -> Tensor:
    """Return log N(z; mean, exp(log_var)) of each number, shaped like the three broadcast."""
    log_var = torch.as_tensor(log_var, dtype=z.dtype, device=z.device)
    return -0.5 * (log_var + LOG_2PI + (z - mean).square() * torch.exp(-log_var))


class Prior(nn.Module, ABC):
    """Base of priors."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) in nats: (b, *code_shape) -> (b,)."""

    @abstractmethod
    def sample(self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return codes of ``shape`` (n, *code_shape); every deviation is multiplied by ``temperature``."""

    def start_at(self, x: Tensor) -> None:
        """Take over what a sample of scaled records says, (n, *shape)."""


class StandardNormal(Prior):
    """N(0, I), for codes of any shape."""

    def log_prob(self, z: Tensor) -> Tensor:  # noqa: D102
        return normal_log_density(z, 0.0, 0.0).flatten(1).sum(1)

    def sample(self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0) -> Tensor:  # noqa: D102
        return temperature * _noise(shape, rng)


class MixturePrior(Prior):
    """A mixture of diagonal Gaussians, learned with the weights.

    Parameters
    ----------
    width : int
        Numbers in a code.
    components : int
        How many.
    rng : torch.Generator
        Of the first means.
    deviation : float, default=1
        Of each at first; their means are drawn from a standard normal.
    """

    def __init__(self, width: int, components: int, rng: torch.Generator, deviation: float = 1.0) -> None:
        super().__init__()
        # Registered before they are filled: a file that claims too many is refused before they take memory.
        self.logits = nn.Parameter(torch.empty(components))
        self.means = nn.Parameter(torch.empty(components, width))
        self.log_vars = nn.Parameter(torch.empty(components, width))
        nn.init.zeros_(self.logits)
        nn.init.normal_(self.means, generator=rng)
        nn.init.constant_(self.log_vars, 2 * math.log(deviation))

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return log-weights (K,), means (K, d) and log-variances (K, d)."""
        return self.logits.log_softmax(0), self.means, self.log_vars

    def log_prob(self, z: Tensor) -> Tensor:
        """Return logsumexp_k log w_k + log N(z; m_k, s_k^2): (b, d) -> (b,)."""
        log_w, means, log_vars = self.components()
        # The square is multiplied out, so that two products of matrices do what a (b, K, d) tensor would be needed for;
        # in float32, because its parts are larger than their sum.
        with torch.autocast(z.device.type, enabled=False):
            precision = torch.exp(-log_vars)
            square = z.float().square() @ precision.mT - 2 * z.float() @ (means * precision).mT
            constant = (log_vars + LOG_2PI + means.square() * precision).sum(1)
            return torch.logsumexp(log_w - 0.5 * (square + constant), 1)

    def sample(self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0) -> Tensor:  # noqa: D102
        log_w, means, log_vars = self.components()
        chosen = torch.multinomial(log_w.detach().exp().to(rng.device), shape[0], replacement=True, generator=rng)
        chosen = chosen.to(means.device)
        return means[chosen] + temperature * torch.exp(0.5 * log_vars[chosen]) * _noise(shape, rng).to(means.device)


class VampPrior(MixturePrior):
    """The mean posterior of learned pseudo-records: the best prior, of K components, for the encoder at hand.

    Parameters
    ----------
    shape : tuple of int
        Of one scaled record.
    components : int
        Pseudo-records, K; they start as real ones.
    posterior : callable
        From scaled records to mean and log-variance: the encoder's. Its weights are the encoder's, not the prior's.
    """

    def __init__(self, shape: tuple[int, ...], components: int, posterior: Posterior) -> None:
        Prior.__init__(self)
        self.pseudo = nn.Parameter(torch.zeros(components, *shape))
        self._posterior = posterior

    def components(self) -> tuple[Tensor, Tensor, Tensor]:  # noqa: D102
        with ranks.taking(None):  # pseudo-records are no share of a batch: every rank has all of them
            means, log_vars = self._posterior(self.pseudo)
        even = torch.full((len(means),), -math.log(len(means)), device=means.device)
        return even, means.float(), log_vars.float()

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Begin with evenly spaced records of the sample."""
        rows = torch.linspace(0, len(x) - 1, len(self.pseudo), device=x.device).long()
        self.pseudo.copy_(x[rows])


class FlowPrior(Prior):
    """A standard normal behind a learned invertible network.

    Parameters
    ----------
    width : int
        Numbers in a code, at least 2.
    steps : int
        Couplings.
    rng : torch.Generator
        Of the first weights.
    """

    def __init__(self, width: int, steps: int, rng: torch.Generator) -> None:
        super().__init__()
        self.flow = CouplingFlow(width, steps, rng)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log N(f(z); 0, I) + log |det df/dz|: (b, d) -> (b,)."""
        u, log_det = self.flow(z)
        return normal_log_density(u, 0.0, 0.0).sum(1) + log_det

    def sample(self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0) -> Tensor:  # noqa: D102
        device = next(self.flow.parameters()).device
        return self.flow.inverse(temperature * _noise(shape, rng).to(device))


PRIORS = ("normal", "mixture", "vamp", "flow")


def _noise(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng, device=rng.device)

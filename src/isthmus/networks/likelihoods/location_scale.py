"""Location-scale likelihoods: Gaussian, Laplace and Huber."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.checks.likelihood import check_scale
from isthmus.checks.parameters import choice, number
from isthmus.networks.likelihoods.arithmetic import summed, times, uniform, wide
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.scale import LEVELS, SHARES, Facts, Scale, SummaryLike

__all__ = ["Gaussian", "Huber", "Laplace", "LocationScale"]

LOG_2PI = math.log(2 * math.pi)


class LocationScale(Likelihood):
    """Base of the laws of an error about a centre theta, whose width is one scale or several.

    Attributes
    ----------
    ratio : float
        The scale divided by the standard deviation, for one law.
    """

    ratio: ClassVar[float]
    options: ClassVar[tuple[str, ...]] = ("scale", "share")

    def __init__(self, scale: float | str, share: str) -> None:
        super().__init__()
        owner = type(self).__name__
        check_scale(owner, scale)
        choice(owner, "share", share, SHARES)
        self.scale, self.share = scale, share
        self.width = Scale(scale, share)

    def default_scaling(self, kind: str, *, marginals: bool = False) -> str:
        """Return the law's scaling; with a fixed scale one for all columns, whose errors then count as they are."""
        usual = super().default_scaling(kind, marginals=marginals)
        return "common" if usual == "standard" and not isinstance(self.scale, str) else usual

    def prepare(self, facts: Facts) -> Self:
        """Return a new one whose scale starts at the data's spread."""
        new = type(self)(**{option: getattr(self, option) for option in self.options})
        new.width.prepare(facts, self.ratio)
        new.learn_range(facts)
        return new

    def learn_range(self, facts: Facts) -> None:
        """Take over what a law must know of the range of values; nothing, unless values are whole numbers."""

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``shape``: one centre a number."""
        return tuple(shape)

    def n_quantities(self, shape: Sequence[int | None]) -> int:
        """Return the width of a row."""
        return int(shape[0] or 0) if len(shape) == 1 else 0

    def statistics(self, x: Tensor) -> Tensor:
        """Return the mean over records."""
        return x.float().mean(0)

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the mean."""
        return mean.float()

    def start_at(self, x: Tensor) -> None:
        """Start a learned scale at the records' spread about their mean."""
        self.width.start_at(x - x.float().mean(0), self.ratio)

    def log_det(self, log_factor: Tensor, x: Tensor) -> Tensor | float:
        """Return the sum of log_factor over a record's numbers; 0 for probabilities of whole numbers."""
        if not self.continuous:
            return 0.0
        return times(log_factor, x) if log_factor.ndim < x.ndim else summed(log_factor)


class Gaussian(LocationScale):
    """Normal errors: squared error, weighed by a scale that is learned with the weights, or fixed.

    Parameters
    ----------
    scale : float or "learned", default="learned"
        Standard deviation of the errors in scaled units. 1 makes the loss half the squared error, plus a constant.
    share : {"auto", "shared", "feature", "element"}, default="auto"
        How many scales are learned: one; one a column or channel; one for each number of a record. "auto" learns one a
        channel, one a column where columns were scaled one by one, and otherwise one.
    """

    name = "gaussian"
    scaling: ClassVar[Mapping[str, str]] = {"array": "standard", "image": "standard"}
    continuous = True
    ratio = 1.0

    def __init__(self, scale: float | str = "learned", share: str = "auto") -> None:
        super().__init__(scale, share)

    @classmethod
    def suits(cls, summary: SummaryLike, *, marginals: bool = False) -> str | None:
        """Suit all numbers, where nothing else does."""
        if summary.integers:
            return f"the whole numbers span more than {LEVELS} steps; its scale is learned"
        return "the values have fractions; its scale is learned"

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return -sum_j (x_j - theta_j)^2 / (2 s^2) + log s + log(2 pi) / 2: (b, *shape), (b, *shape) -> (b,)."""
        theta = wide(theta)
        log_s = self.width.log()
        squares = F.mse_loss(theta, x.to(theta.dtype), reduction="none")
        weight = -0.5 * torch.exp(-2 * log_s)
        # A single weight can wait until the sum is done.
        weighted = summed(squares) * weight if weight.ndim == 0 else summed(squares * weight)
        return weighted - times(log_s + 0.5 * LOG_2PI, x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e, e from N(0, 1)."""
        theta = wide(theta)
        noise = torch.randn(theta.shape, generator=generator, device=theta.device, dtype=theta.dtype)
        return theta + self.width.log().exp() * noise


class Laplace(LocationScale):
    """Double-exponential errors: absolute error, which a few gross errors sway less.

    Parameters
    ----------
    scale : float or "learned", default="learned"
        Mean absolute error, in scaled units.
    share : {"auto", "shared", "feature", "element"}, default="auto"
        As in :class:`Gaussian`.
    """

    name = "laplace"
    scaling: ClassVar[Mapping[str, str]] = {"array": "standard", "image": "standard"}
    continuous = True
    ratio = math.sqrt(0.5)

    def __init__(self, scale: float | str = "learned", share: str = "auto") -> None:
        super().__init__(scale, share)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return -sum_j |x_j - theta_j| / s + log(2 s): (b, *shape), (b, *shape) -> (b,)."""
        theta = wide(theta)
        log_s = self.width.log()
        errors = F.l1_loss(theta, x.to(theta.dtype), reduction="none")
        weight = -torch.exp(-log_s)
        weighted = summed(errors) * weight if weight.ndim == 0 else summed(errors * weight)
        return weighted - times(log_s + math.log(2), x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e, e with density exp(-|e|) / 2."""
        theta = wide(theta)
        u = 2 * uniform(theta, generator) - 1
        return theta - self.width.log().exp() * u.sign() * torch.log1p(-u.abs())


class Huber(LocationScale):
    """Normal in the middle, double-exponential in the tails: efficient without gross errors, robust with some.

    Parameters
    ----------
    delta : float, default=1.345
        Where the tails begin, in scales. The default is 95 % as efficient as the mean when errors are normal
        (Huber, "Robust Estimation of a Location Parameter", 1964).
    scale : float or "learned", default="learned"
        Standard deviation of the middle, in scaled units.
    share : {"auto", "shared", "feature", "element"}, default="auto"
        As in :class:`Gaussian`.
    """

    name = "huber"
    scaling: ClassVar[Mapping[str, str]] = {"array": "standard", "image": "standard"}
    continuous = True
    ratio = 1.0
    options = ("delta", "scale", "share")

    def __init__(self, delta: float = 1.345, scale: float | str = "learned", share: str = "auto") -> None:
        number("Huber", "delta", delta, low=0, above=True)
        super().__init__(scale, share)
        self.delta = delta
        middle = math.sqrt(2 * math.pi) * math.erf(delta / math.sqrt(2))
        tails = 2 / delta * math.exp(-(delta**2) / 2)
        self._log_z = math.log(middle + tails)
        self._chance_of_tail = tails / (middle + tails)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return -sum_j rho((x_j - theta_j) / s) + log s + log Z: (b, *shape), (b, *shape) -> (b,)."""
        theta = wide(theta)
        log_s = self.width.log()
        u = (x.to(theta.dtype) - theta) * torch.exp(-log_s)
        rho = F.huber_loss(u, u.new_zeros(()).expand_as(u), reduction="none", delta=self.delta)
        return -summed(rho) - times(log_s + self._log_z, x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e: e from the truncated normal in the middle, or from an exponential tail on either side."""
        theta = wide(theta)
        u = 2 * uniform(theta, generator) - 1  # the side, and where within middle or tail
        within = math.sqrt(2) * torch.erfinv(u * math.erf(self.delta / math.sqrt(2)))
        beyond = u.sign() * (self.delta - torch.log1p(-u.abs()) / self.delta)
        tail = uniform(theta, generator) < self._chance_of_tail
        return theta + self.width.log().exp() * torch.where(tail, beyond, within)

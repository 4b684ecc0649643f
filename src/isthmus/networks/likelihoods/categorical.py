"""Categorical likelihood: one category, or one at each position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.checks.likelihood import check_one_hot_support
from isthmus.checks.parameters import integer
from isthmus.networks.likelihoods.arithmetic import frequencies, one_hot_draws, summed, wide
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.scale import Facts, SummaryLike

__all__ = ["Categorical"]


class Categorical(Likelihood):
    """One of several categories, for a whole record (one-hot rows) or at each of its positions (integer codes).

    Parameters
    ----------
    classes : int or None, default=None
        Number of categories of integer codes. None: learned from the data, which may also be one-hot rows.
    """

    name = "categorical"
    scaling: ClassVar[Mapping[str, str]] = {"array": "none", "text": "none"}
    needs = "values as they are"
    options = ("classes",)

    def __init__(self, classes: int | None = None) -> None:
        super().__init__()
        integer("Categorical", "classes", classes, low=1, optional=True)
        self.classes = classes
        self.codes = classes is not None

    @classmethod
    def suits(cls, summary: SummaryLike, *, marginals: bool = False) -> str | None:
        """Suit texts, and one-hot rows."""
        if summary.kind == "text":
            return "the data are texts"
        return "each row has exactly one 1 and otherwise zeros" if summary.one_hot else None

    def check_support(self, summary: SummaryLike, owner: str) -> None:
        """Refuse rows of numbers that are not one-hot."""
        if summary.kind == "array":
            check_one_hot_support(owner, self.name, summary.low, summary.high, summary.names, one_hot=summary.one_hot)

    def fits_scaling(self, scaling: str, summary: SummaryLike) -> bool:
        """Fit "none" alone: codes and one-hot rows are not scaled."""
        return scaling == "none"

    def prepare(self, facts: Facts) -> Self:
        """Return a new one that knows the number of categories."""
        return type(self)(self.classes or facts.classes or None)

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``(classes, *shape)`` for integer codes, ``shape`` for one-hot rows: one logit a category."""
        return tuple(shape) if self.classes is None else (self.classes, *shape)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return sum over positions of theta[x] - logsumexp(theta): (b, classes, *shape), (b, *shape) -> (b,)."""
        theta = wide(theta)
        if self.classes is None:
            return summed(F.log_softmax(theta, 1) * x.to(theta.dtype))
        return -summed(F.cross_entropy(theta, x.long(), reduction="none"))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the likeliest code at each position, or the chances of one-hot rows."""
        return torch.softmax(wide(theta), 1) if self.classes is None else theta.argmax(1)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return codes, or one-hot rows."""
        p = torch.softmax(wide(theta), 1).movedim(1, -1)
        drawn = torch.multinomial(p.flatten(0, -2), 1, generator=generator).view(p.shape[:-1])
        return F.one_hot(drawn, p.shape[-1]).to(p.dtype) if self.classes is None else drawn

    def mean_with_sampled_categories(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return drawn categories."""
        return self.sample(theta, generator)

    def one_hot(self, x: Tensor) -> Tensor:
        """Return one-hot rows as they are, and codes (b, *shape) as zeros and a one, (b, classes, *shape)."""
        return x if self.classes is None else F.one_hot(x.long(), self.classes).movedim(-1, 1).float()

    def rsample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros and a one along the first axis, drawn from the softmax of theta."""
        return one_hot_draws(wide(theta), 1, generator)

    def statistics(self, x: Tensor) -> Tensor:
        """Return the relative frequency of each category, at each position."""
        if self.classes is None:
            return x.float().mean(0)
        return frequencies(x.flatten(1).long(), self.classes).view(self.classes, *x.shape[1:])

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the logarithm of frequencies along the first axis, each raised by a thousandth of an even share."""
        return torch.log(mean.float() + 1e-3 / len(mean))

    def start_at(self, x: Tensor) -> None:
        """Do nothing: there is no scale."""

    def log_det(self, log_factor: Tensor, x: Tensor) -> float:
        """Return 0: a probability does not depend on units."""
        return 0.0

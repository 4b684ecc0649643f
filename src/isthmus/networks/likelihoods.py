r"""Likelihoods: how probable a record x is when the decoder says theta. Minus its logarithm is the reconstruction loss.

A decoder ends in plain numbers theta; the likelihood alone says what they mean (Kingma and Welling, "Auto-Encoding
Variational Bayes", 2014, appendix C). With r = x - theta, sums over the D numbers of a record, and logarithms in nats:

================================  ==================================================================================
Bernoulli                         log p = sum x theta - softplus(theta)
Gaussian                          log p = -sum r^2 / (2 s^2) + log s + log(2 pi) / 2
Laplace                           log p = -sum |r| / s + log(2 s)
Huber (1964, eq. 2.12)            log p = -sum rho(r / s) + log s + log Z,  rho(u) = u^2 / 2 where |u| <= d, otherwise
                                  d |u| - d^2 / 2,  Z = sqrt(2 pi) erf(d / sqrt 2) + (2 / d) exp(-d^2 / 2)
Discretised logistic              log p = sum log[sigmoid((r + step/2) / s) - sigmoid((r - step/2) / s)], where the
(Salimans et al. 2017, eq. 2)     lowest value takes the whole left tail and the highest the whole right one
Categorical                       log p = sum theta[x] - logsumexp(theta)
Mixed table                       the product: Gaussian numbers (where observed), Bernoulli masks, categories
================================  ==================================================================================

A scale s is learned with the weights (Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders",
2021, eq. 3), so no constant has to weigh the reconstruction against other terms.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.checks.likelihood import check_scale
from isthmus.checks.parameters import choice, integer, number

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Categorical",
    "DiscretisedLogistic",
    "Facts",
    "FieldLike",
    "Gaussian",
    "Huber",
    "Laplace",
    "Likelihood",
    "LocationScale",
    "MixedTable",
    "Scale",
    "likelihood_from",
]

LOG_2PI = math.log(2 * math.pi)
REACH = 7.0  # a learned scale stays within e^-7 and e^7 of the data's spread
SPEED = 5.0  # nats of log scale for one unit of its parameter: optimisers move all parameters at one rate
TINY = 1e-3  # share of the largest spread that stands in for the spread of a constant column
BEYOND = 1e9  # stands for infinity in the tails, where infinity times zero would not be a number
GROUP = 16  # factors in [1/4, 1] that are multiplied before one logarithm is taken: 4^-16 is far from underflow
SHARES = ("auto", "shared", "feature", "element")


class FieldLike(Protocol):
    """One encoded column of a table, as :class:`isthmus.preprocessing.Field` describes it."""

    @property
    def kind(self) -> str:
        """Return "number", "mask" or "category"."""

    @property
    def index(self) -> int:
        """Return its column in the encoded matrix."""

    @property
    def size(self) -> int:
        """Return the number of categories; 1 otherwise."""

    @property
    def mask(self) -> int:
        """Return the column of a number's mask; -1 where it has none."""


@dataclass(frozen=True)
class Facts:
    """What a likelihood may know of the data before training, everything in scaled units.

    Parameters
    ----------
    shape : tuple of (int or None)
        Of one scaled record: ``(d,)``, ``(channels, height, width)``, ``(fields,)`` or ``(length,)``.
    std : Tensor, broadcastable to ``shape``
        Standard deviation of each column or channel. Where a learned scale starts.
    low, high : Tensor, broadcastable to ``shape``
        The range of the values.
    step : Tensor or None, broadcastable to ``shape``
        Distance between neighbouring whole numbers; None when values are not whole.
    by_column : bool, default=False
        Whether columns were scaled one by one. Then each has its own learned scale, otherwise all share one.
    classes : int, default=0
        Number of categories when a record holds integer codes; 0 otherwise.
    fields : sequence of Field, default=()
        A table's encoded columns.
    """

    shape: tuple[int | None, ...]
    std: Tensor
    low: Tensor
    high: Tensor
    step: Tensor | None = None
    by_column: bool = False
    classes: int = 0
    fields: Sequence[FieldLike] = ()


class Scale(nn.Module):
    """A positive scale s, fixed or learned, one for all numbers of a record or one for each of its parts.

    A learned one is ``log s = start + R tanh(v / R)`` with R = 7: it starts at the data's spread and can neither run to
    zero (and the likelihood to infinity) nor away.

    Parameters
    ----------
    value : float or "learned"
        The scale, in scaled units.
    share : {"auto", "shared", "feature", "element"}
        One scale in all; one for each column or channel; one for each number of a record.
    """

    start: Tensor

    def __init__(self, value: float | str, share: str = "auto") -> None:
        super().__init__()
        self.share = share
        self.learned = isinstance(value, str)
        self.parameter: nn.Parameter | None
        self.register_buffer("start", torch.zeros(()) if isinstance(value, str) else torch.tensor(math.log(value)))
        self.register_parameter("parameter", nn.Parameter(torch.zeros(())) if self.learned else None)

    def log(self) -> Tensor:
        """Return log s, broadcastable to a record."""
        if self.parameter is None:
            return self.start
        return self.start + REACH * torch.tanh(self.parameter * (SPEED / REACH))

    def prepare(self, facts: Facts, ratio: float) -> None:
        """Take the shape that ``share`` asks for, and start at ``ratio`` times the data's standard deviation."""
        if not self.learned:
            return
        start = self._spread(facts.std, facts) * ratio
        self.start = start.log().float()
        self.parameter = nn.Parameter(torch.zeros_like(self.start))

    def start_at(self, deviations: Tensor, ratio: float) -> None:
        """Start at ``ratio`` times the root mean square of deviations, shape (n, *shape)."""
        if not self.learned:
            return
        squares = deviations.float().square()
        # Average over the records and over every axis along which this scale is constant.
        wanted = (1,) * (squares.ndim - self.start.ndim) + tuple(self.start.shape)
        axes = [axis for axis, side in enumerate(wanted) if side == 1]
        root = squares.mean(axes, keepdim=True).sqrt().reshape(self.start.shape)
        self.start.copy_((_without_zeros(root) * ratio).log())

    def _spread(self, std: Tensor, facts: Facts) -> Tensor:
        sides = [1 if side is None else side for side in facts.shape]
        std = _without_zeros(std.float())
        share = self.share
        if share == "auto":
            share = "feature" if facts.by_column or len(sides) == 3 else "shared"
        if share == "shared":
            return std.square().mean().sqrt()
        if share == "feature" and len(sides) == 3:
            sides = [sides[0], 1, 1]
            std = std.expand(sides) if std.numel() <= sides[0] else std.square().mean((-2, -1), keepdim=True).sqrt()
        return std.expand(sides).clone()


def _without_zeros(std: Tensor) -> Tensor:
    """Give constant columns a small spread in place of none."""
    largest = float(std.max()) if std.numel() else 0.0
    return std.clamp_min(TINY * largest) if largest > 0 else torch.ones_like(std)


class Likelihood(nn.Module, ABC):
    """Base of all likelihoods.

    Attributes
    ----------
    name : str
        What the parameter ``likelihood`` calls it.
    scaling : mapping of str to str
        For data of kind "array", "image", "table", "text": the scaling that brings them to this likelihood's support,
        a word of :meth:`isthmus.preprocessing.Preprocessor.rescale`. Kinds that are not there are refused.
    continuous : bool
        Whether it is a density, whose value changes with the units of the data.
    codes : bool
        Whether records hold integer codes, which are not scaled.
    """

    name: ClassVar[str]
    scaling: ClassVar[Mapping[str, str]]
    continuous: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    codes: bool = False

    def usual_scaling(self, kind: str) -> str:
        """Return the scaling that is taken for data of a kind when nobody asks for another."""
        return self.scaling[kind]

    @abstractmethod
    def prepare(self, facts: Facts) -> Self:
        """Return a copy that fits these data: its own parameters, of the right shapes, at a good start."""

    @abstractmethod
    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the decoder's output for one record of shape ``shape``."""

    @abstractmethod
    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | theta) of each record.

        Parameters
        ----------
        theta : Tensor of any float dtype, shape (b, *theta_shape)
        x : Tensor, shape (b, *shape)
            Scaled records.

        Returns
        -------
        Tensor of float32 (float64 for float64 theta), shape (b,)
            Nats per example in scaled units, summed over dimensions.
        """

    @abstractmethod
    def mean(self, theta: Tensor) -> Tensor:
        """Return the expectation of x, shaped like x; for categories and masks the likeliest value."""

    @abstractmethod
    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return x drawn from p(x | theta), shaped like x."""

    @abstractmethod
    def statistics(self, x: Tensor) -> Tensor:
        """Return the mean of the sufficient statistics of scaled records (n, *shape), of shape ``theta_shape``.

        That is the mean itself for numbers, and relative frequencies for categories.
        """

    @abstractmethod
    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the theta whose mean is ``mean`` (what :meth:`statistics` returns): a decoder's best first bias."""

    @abstractmethod
    def start_at(self, x: Tensor) -> None:
        """Start learned scales at the spread of scaled records (n, *shape) about their mean."""

    @abstractmethod
    def log_det(self, log_factor: Tensor, x: Tensor) -> Tensor | float:
        """Return log |d scaled / d data| of each record, to be added to ``log_prob``; 0 unless it is a density.

        Parameters
        ----------
        log_factor : Tensor, broadcastable to a record
            Logarithm of what the data were multiplied with.
        x : Tensor, shape (b, *shape)
            Scaled records.
        """

    def spell_out(self, x: Tensor) -> Tensor:
        """Return scaled records with categories as zeros and a one: numbers that change smoothly, (b, *theta_shape)."""
        return x

    def typical(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return records, (b, *shape), with numbers at their means and categories drawn.

        For generators whose chance is all in their code: nothing is scattered round what they make.
        """
        return self.mean(theta)

    def draw_smoothly(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return records as :meth:`spell_out` writes them, through which a gradient reaches theta.

        Numbers are means. Categories are drawn by the straight-through Gumbel softmax (Jang, Gu and Poole 2017).
        """
        return self.mean(theta)

    def to_dict(self) -> dict[str, Any]:
        """Return name and options as JSON values; :func:`likelihood_from` goes back."""
        return {"name": self.name, **{option: getattr(self, option) for option in self.options}}

    def __repr__(self) -> str:
        """Return the constructor call."""
        options = ", ".join(f"{option}={getattr(self, option)!r}" for option in self.options)
        return f"{type(self).__name__}({options})"


GUMBEL_TEMPERATURE = 0.5


def _draw_smoothly(logits: Tensor, axis: int, generator: torch.Generator | None) -> Tensor:
    """Return zeros and a one along an axis, drawn from softmax(logits); their gradient is that of a softer draw."""
    noisy = logits - torch.log(-torch.log(_uniform(logits, generator)))
    soft = torch.softmax(noisy / GUMBEL_TEMPERATURE, axis)
    hard = torch.zeros_like(soft).scatter_(axis, soft.argmax(axis, keepdim=True), 1.0)
    return hard - soft.detach() + soft


def _drawn(logits: Tensor, blocks: Sequence[Tensor], generator: torch.Generator | None) -> tuple[Tensor, list[Tensor]]:
    """Return zeros and ones drawn from logits (b, k), and numbers of categories drawn from blocks (b, c, size)."""
    codes = [
        torch.multinomial(block.softmax(2).flatten(0, 1), 1, generator=generator).view(block.shape[:2])
        for block in blocks
    ]
    return torch.bernoulli(torch.sigmoid(logits), generator=generator), codes


def _wide(theta: Tensor) -> Tensor:
    """Return theta in 32 bits or more: sums over many dimensions need them, also where the network used fewer."""
    return theta if theta.dtype == torch.float64 else theta.float()


def _sum(terms: Tensor) -> Tensor:
    return terms.flatten(1).sum(1)


def _sum_of_logs(q: Tensor) -> Tensor:
    """Return sum_j log q_j of each row, for q in [1/4, 1], with one logarithm for 16 factors."""
    width = q.shape[1]
    whole = width // GROUP * GROUP
    total = q.new_zeros(len(q))
    if whole:
        total += q[:, :whole].reshape(len(q), GROUP, whole // GROUP).prod(1).log_().sum(1)
    if whole < width:
        total += q[:, whole:].log().sum(1)
    return total


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return uniform numbers in (0, 1), ends excluded."""
    u = torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    end = torch.finfo(like.dtype).eps
    return u.clamp_(end, 1 - end)


# ------------------------------------------------------------------------------------------------------------ Bernoulli


class _BernoulliLogProb(torch.autograd.Function):
    """sum_j x_j z_j - softplus(z_j), with the derivative x - sigmoid(z).

    Takes about a quarter less time on a CPU than ``binary_cross_entropy_with_logits``.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, x: Tensor) -> Tensor:
        p = torch.sigmoid(z)
        ctx.save_for_backward(z, x, p)
        # softplus(z) = max(z, 0) - log(|p - 1/2| + 1/2), also where p rounds to 0 or 1.
        return torch.mul(x, z).sub_(z.clamp_min(0)).sum(1) + _sum_of_logs(p.sub(0.5).abs_().add_(0.5))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        z, x, p = ctx.saved_tensors
        gradient = gradients[0][:, None]
        if torch.is_grad_enabled():  # somebody wants second derivatives: p must be part of the graph
            p = torch.sigmoid(z)
        return (x - p) * gradient, z * gradient if ctx.needs_input_grad[1] else None


def _bernoulli(z: Tensor, x: Tensor) -> Tensor:
    return _BernoulliLogProb.apply(z, x)  # type: ignore[no-untyped-call]


class Bernoulli(Likelihood):
    """Numbers in [0, 1] as chances of a 1; theta is the logit.

    For values between 0 and 1 (grey levels) this is the cross-entropy, whose best theta has the right mean, but no
    probability of those values.
    """

    name = "bernoulli"
    scaling: ClassVar[Mapping[str, str]] = {"array": "unit", "image": "unit"}

    def prepare(self, facts: Facts) -> Self:
        """Return a new one; nothing is to be learned."""
        return type(self)()

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``shape``: one logit a number."""
        return tuple(shape)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return sum_j x_j theta_j - softplus(theta_j): (b, *shape), (b, *shape) -> (b,)."""
        theta = _wide(theta)
        return _bernoulli(theta.flatten(1), x.to(theta.dtype).flatten(1))

    def mean(self, theta: Tensor) -> Tensor:
        """Return sigmoid(theta)."""
        return torch.sigmoid(_wide(theta))

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros and ones."""
        return torch.bernoulli(self.mean(theta), generator=generator)

    def statistics(self, x: Tensor) -> Tensor:
        """Return the mean over records."""
        return x.float().mean(0)

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the logit of the mean, which is kept off 0 and 1 by a thousandth."""
        return torch.logit(mean.float(), eps=1e-3)

    def start_at(self, x: Tensor) -> None:
        """Do nothing: there is no scale."""

    def log_det(self, log_factor: Tensor, x: Tensor) -> float:
        """Return 0: a probability does not depend on units."""
        return 0.0


# ------------------------------------------------------------------------------------------------ errors about a centre


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

    def usual_scaling(self, kind: str) -> str:
        """Return the law's scaling; with a fixed scale one for all columns, whose errors then count as they are."""
        usual = super().usual_scaling(kind)
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
        return _times(log_factor, x) if self.continuous else 0.0


def _times(part: Tensor, x: Tensor) -> Tensor:
    """Return the sum over a record's numbers of what is constant along some of its axes."""
    return part.sum() * (x[0].numel() / part.numel())


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

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return -sum_j (x_j - theta_j)^2 / (2 s^2) + log s + log(2 pi) / 2: (b, *shape), (b, *shape) -> (b,)."""
        theta = _wide(theta)
        log_s = self.width.log()
        squares = F.mse_loss(theta, x.to(theta.dtype), reduction="none")
        weight = -0.5 * torch.exp(-2 * log_s)
        # A single weight can wait until the sum is done.
        weighted = _sum(squares) * weight if weight.ndim == 0 else _sum(squares * weight)
        return weighted - _times(log_s + 0.5 * LOG_2PI, x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return _wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e, e from N(0, 1)."""
        theta = _wide(theta)
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
        theta = _wide(theta)
        log_s = self.width.log()
        errors = F.l1_loss(theta, x.to(theta.dtype), reduction="none")
        weight = -torch.exp(-log_s)
        weighted = _sum(errors) * weight if weight.ndim == 0 else _sum(errors * weight)
        return weighted - _times(log_s + math.log(2), x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return _wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e, e with density exp(-|e|) / 2."""
        theta = _wide(theta)
        u = 2 * _uniform(theta, generator) - 1
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
        theta = _wide(theta)
        log_s = self.width.log()
        u = (x.to(theta.dtype) - theta) * torch.exp(-log_s)
        rho = F.huber_loss(u, u.new_zeros(()).expand_as(u), reduction="none", delta=self.delta)
        return -_sum(rho) - _times(log_s + self._log_z, x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return theta."""
        return _wide(theta)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return theta + s e: e from the truncated normal in the middle, or from an exponential tail on either side."""
        theta = _wide(theta)
        u = 2 * _uniform(theta, generator) - 1  # the side, and where within middle or tail
        within = math.sqrt(2) * torch.erfinv(u * math.erf(self.delta / math.sqrt(2)))
        beyond = u.sign() * (self.delta - torch.log1p(-u.abs()) / self.delta)
        tail = _uniform(theta, generator) < self._chance_of_tail
        return theta + self.width.log().exp() * torch.where(tail, beyond, within)


class _LogisticLogProb(torch.autograd.Function):
    """sum_j log[sigmoid(a_j) - sigmoid(-b_j)] for a = (r + step/2) / s and b = (step/2 - r) / s, r = x - theta.

    With t = a + b = step / s the difference is sigmoid(a) sigmoid(b) (1 - exp(-t)), where nothing cancels. At the
    highest value a is infinite, at the lowest one b is, and at both the last factor is 1. Derivatives in closed form::

        d/dtheta = (sigmoid(a) - sigmoid(b)) / s
        d/dlog s = -a sigmoid(-a) - b sigmoid(-b) - t / (exp(t) - 1)

    More than twice as fast on a CPU as what autograd makes of :func:`_logistic_log_prob`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        theta: Tensor,
        log_s: Tensor,
        x: Tensor,
        step: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> Tensor:
        """Return the sum for each record: (b, *shape) -> (b,)."""
        rate = torch.exp(-log_s)
        t = step * rate
        r = x - theta
        a, b = torch.addcmul(t / 2, r, rate), torch.addcmul(t / 2, r, rate, value=-1)
        # The two edges as floats: masks are slow on CPUs.
        lowest = torch.le(x, low + step / 2, out=torch.empty_like(r))
        highest = torch.ge(x, high - step / 2, out=torch.empty_like(r))
        a.add_(highest, alpha=BEYOND)
        b.add_(lowest, alpha=BEYOND)
        edges = lowest.add_(highest)
        p_a, p_b = torch.sigmoid(a), torch.sigmoid(b)
        ctx.save_for_backward(theta, log_s, x, step, low, high, a, b, p_a, p_b, edges)
        # log sigmoid(z) = min(z, 0) + log(|sigmoid(z) - 1/2| + 1/2), also where sigmoid(z) underflows.
        q = p_a.sub(0.5).abs_().add_(0.5).mul_(p_b.sub(0.5).abs_().add_(0.5))
        total = _sum_of_logs(q.flatten(1)) + _sum(a.clamp_max(0)) + _sum(b.clamp_max(0))
        log_width = torch.log(-torch.expm1(-t))
        at_edges = _sum(edges) * log_width if log_width.ndim == 0 else _sum(edges * log_width)
        return total + _times(log_width, x) - at_edges

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives with respect to theta, log s and x, times the gradient (b,)."""
        theta, log_s, x, step, low, high, a, b, p_a, p_b, edges = ctx.saved_tensors
        (gradient,) = gradients
        if torch.is_grad_enabled():  # somebody wants second derivatives: everything must be part of the graph
            total = _logistic_log_prob(theta, log_s, x, step, low, high)
            wanted = [tensor for tensor, needed in zip((theta, log_s, x), ctx.needs_input_grad, strict=False) if needed]
            found = iter(torch.autograd.grad(total, wanted, gradient, create_graph=True))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:3]), None, None, None
        gradient = gradient.view(-1, *[1] * (theta.ndim - 1))
        rate = torch.exp(-log_s)
        by_theta = by_scale = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[2]:
            by_theta = (p_a - p_b).mul_(rate).mul_(gradient)
        if ctx.needs_input_grad[1]:
            t = step * rate
            slope = p_a.sub(1).mul_(a).addcmul_(p_b.sub(1), b)  # -a sigmoid(-a) - b sigmoid(-b)
            share = t / torch.expm1(t)
            slope.sub_(share).addcmul_(edges, share)
            by_scale = slope.mul_(gradient).sum_to_size(log_s.shape)
        by_x = -by_theta if by_theta is not None and ctx.needs_input_grad[2] else None
        return by_theta, by_scale, by_x, None, None, None


def _logistic_log_prob(theta: Tensor, log_s: Tensor, x: Tensor, step: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the same as :class:`_LogisticLogProb`, from differentiable parts."""
    rate = torch.exp(-log_s)
    t = step * rate
    u = (x - theta) * rate
    is_low, is_high = x <= low + step / 2, x >= high - step / 2
    upper = F.logsigmoid(u + t / 2).masked_fill(is_high, 0)
    lower = F.logsigmoid(t / 2 - u).masked_fill(is_low, 0)
    width = torch.log(-torch.expm1(-t)).expand_as(u).masked_fill(is_low | is_high, 0)
    return _sum(upper + lower + width)


class DiscretisedLogistic(LocationScale):
    """Whole numbers between a lowest and a highest one, such as 8-bit grey levels: a logistic law, cut into bins.

    Salimans et al., "PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture Likelihood and Other
    Modifications", 2017, equation 2. A probability, so it does not depend on the units.

    Parameters
    ----------
    scale : float or "learned", default="learned"
        Scale of the logistic law in scaled units: sqrt(3) / pi times its standard deviation.
    share : {"auto", "shared", "feature", "element"}, default="auto"
        As in :class:`Gaussian`.
    """

    name = "discretised-logistic"
    scaling: ClassVar[Mapping[str, str]] = {"array": "symmetric", "image": "symmetric"}
    ratio = math.sqrt(3) / math.pi
    step: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, scale: float | str = "learned", share: str = "auto") -> None:
        super().__init__(scale, share)
        # 256 levels on [-1, 1] until data say otherwise. The data's preprocessing keeps them, so files need not.
        for name, value in (("step", 2 / 255), ("low", -1.0), ("high", 1.0)):
            self.register_buffer(name, torch.tensor(value), persistent=False)

    def learn_range(self, facts: Facts) -> None:
        """Take over step, lowest and highest value."""
        self.step = self.step if facts.step is None else facts.step.float()
        self.low = facts.low.float()
        self.high = torch.maximum(facts.high.float(), self.low + self.step)  # two edges also where all values are equal

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return sum_j log P(x_j | theta_j, s): (b, *shape), (b, *shape) -> (b,)."""
        theta = _wide(theta)
        x = x.to(theta.dtype)
        return _LogisticLogProb.apply(theta, self.width.log(), x, self.step, self.low, self.high)  # type: ignore[no-untyped-call]

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean of the law with its tails folded onto the edges.

        E[x] = low + integral of P(X > y) over [low, high] = low + s softplus((theta - low) / s) - s softplus((theta -
        high) / s): theta itself inside the range, and never outside it.
        """
        theta = _wide(theta)
        s = self.width.log().exp()
        return self.low + s * (F.softplus((theta - self.low) / s) - F.softplus((theta - self.high) / s))

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return draws of the logistic law, rounded to the nearest level and kept in the range."""
        theta = _wide(theta)
        draw = theta + self.width.log().exp() * torch.logit(_uniform(theta, generator))
        level = torch.round((torch.clamp(draw, self.low, self.high) - self.low) / self.step)
        return self.low + level * self.step


# ----------------------------------------------------------------------------------------------------------- categories


class Categorical(Likelihood):
    """One of several categories, for a whole record (one-hot rows) or at each of its positions (integer codes).

    Parameters
    ----------
    classes : int or None, default=None
        Number of categories of integer codes. None: learned from the data, which may also be one-hot rows.
    """

    name = "categorical"
    scaling: ClassVar[Mapping[str, str]] = {"array": "none", "text": "none"}
    options = ("classes",)

    def __init__(self, classes: int | None = None) -> None:
        super().__init__()
        integer("Categorical", "classes", classes, low=1, optional=True)
        self.classes = classes
        self.codes = classes is not None

    def prepare(self, facts: Facts) -> Self:
        """Return a new one that knows the number of categories."""
        return type(self)(self.classes or facts.classes or None)

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``(classes, *shape)`` for integer codes, ``shape`` for one-hot rows: one logit a category."""
        return tuple(shape) if self.classes is None else (self.classes, *shape)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return sum over positions of theta[x] - logsumexp(theta): (b, classes, *shape), (b, *shape) -> (b,)."""
        theta = _wide(theta)
        if self.classes is None:
            return _sum(F.log_softmax(theta, 1) * x.to(theta.dtype))
        return -_sum(F.cross_entropy(theta, x.long(), reduction="none"))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the likeliest code at each position, or the chances of one-hot rows."""
        return torch.softmax(_wide(theta), 1) if self.classes is None else theta.argmax(1)

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return codes, or one-hot rows."""
        p = torch.softmax(_wide(theta), 1).movedim(1, -1)
        drawn = torch.multinomial(p.flatten(0, -2), 1, generator=generator).view(p.shape[:-1])
        return F.one_hot(drawn, p.shape[-1]).to(p.dtype) if self.classes is None else drawn

    def typical(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return drawn categories."""
        return self.sample(theta, generator)

    def spell_out(self, x: Tensor) -> Tensor:
        """Return one-hot rows as they are, and codes (b, *shape) as zeros and a one, (b, classes, *shape)."""
        return x if self.classes is None else F.one_hot(x.long(), self.classes).movedim(-1, 1).float()

    def draw_smoothly(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros and a one along the first axis, drawn from the softmax of theta."""
        return _draw_smoothly(_wide(theta), 1, generator)

    def statistics(self, x: Tensor) -> Tensor:
        """Return the relative frequency of each category, at each position."""
        if self.classes is None:
            return x.float().mean(0)
        return _frequencies(x.flatten(1).long(), self.classes).view(self.classes, *x.shape[1:])

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the logarithm of frequencies along the first axis, each raised by a thousandth of an even share."""
        return torch.log(mean.float() + 1e-3 / len(mean))

    def start_at(self, x: Tensor) -> None:
        """Do nothing: there is no scale."""

    def log_det(self, log_factor: Tensor, x: Tensor) -> float:
        """Return 0: a probability does not depend on units."""
        return 0.0


def _frequencies(codes: Tensor, classes: int) -> Tensor:
    """Return how often each code occurs in each column: (n, columns) -> (classes, columns)."""
    columns = codes.shape[1]
    counts = torch.zeros(classes, columns, device=codes.device)
    counts.scatter_add_(0, codes, torch.ones((), device=codes.device).expand(codes.shape))
    return counts / len(codes)


class MixedTable(Likelihood):
    """Rows of a table: normal numbers where they were observed, masks as coins, categories.

    log p = sum over numbers of m log N(x; theta, s) + sum over masks of log Bernoulli(m; theta) + sum over category
    columns of theta[code] - logsumexp(theta), where m is a number's mask, or 1. Each number has its own learned scale.
    theta holds numbers, masks, and the categories of columns in the order of their sizes, so that columns with equally
    many categories are one block of a matrix.

    Parameters
    ----------
    fields : sequence of Field, default=()
        The table's encoded columns; learned from the data unless given.
    """

    name = "table"
    scaling: ClassVar[Mapping[str, str]] = {"table": "standard"}
    continuous = True
    numbers: Tensor
    masks: Tensor
    masked: Tensor
    mask_of: Tensor
    categories: Tensor

    def __init__(self, fields: Sequence[FieldLike] = ()) -> None:
        super().__init__()
        self.fields = tuple(fields)
        numbers = [field for field in self.fields if field.kind == "number"]
        masked = [i for i, field in enumerate(numbers) if field.mask >= 0]
        categories = sorted((field for field in self.fields if field.kind == "category"), key=lambda field: field.size)
        for name, indices in (
            ("numbers", [field.index for field in numbers]),
            ("masks", [field.index for field in self.fields if field.kind == "mask"]),
            ("masked", masked),  # which of the numbers have a mask
            ("mask_of", [numbers[i].mask for i in masked]),  # and where it is
            ("categories", [field.index for field in categories]),
        ):
            self.register_buffer(name, torch.tensor(indices, dtype=torch.long), persistent=False)
        sizes = [field.size for field in categories]
        self._groups = [(size, sizes.count(size)) for size in sorted(set(sizes))]
        self._width = len(numbers) + len(self.masks) + sum(sizes)
        self.width = Scale("learned" if numbers else 1.0, "element")
        # A scale for each number of the data's own; standardised ones spread by 1.
        one = torch.ones(len(numbers))
        self.width.prepare(Facts((len(numbers),), std=one, low=-one, high=one), 1.0)

    def prepare(self, facts: Facts) -> Self:
        """Return a new one for these fields; scales start at 1, the spread of standardised columns."""
        return type(self)(self.fields or facts.fields)

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``(F,)``: one for each number, each mask and each category."""
        return (self._width,)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum over fields: (b, F), (b, fields) -> (b,)."""
        theta = _wide(theta)
        means, logits, blocks = self._split(theta)
        total = theta.new_zeros(len(theta))
        if means.shape[1]:
            log_s = self.width.log()
            squares = F.mse_loss(means, x[:, self.numbers].to(theta.dtype), reduction="none")
            terms = squares * (-0.5 * torch.exp(-2 * log_s)) - (log_s + 0.5 * LOG_2PI)
            total = total + (terms * self._observed(x, terms) if len(self.masked) else terms).sum(1)
        if logits.shape[1]:
            total = total + _bernoulli(logits, x[:, self.masks].to(theta.dtype))
        codes = x[:, self.categories].long() if blocks else x
        start = 0
        for block in blocks:  # (b, columns of one size, size)
            columns = block.shape[1]
            total = total - F.cross_entropy(
                block.flatten(0, 1), codes[:, start : start + columns].flatten(), reduction="none"
            ).view(len(theta), columns).sum(1)
            start += columns
        return total

    def mean(self, theta: Tensor) -> Tensor:
        """Return the centres of numbers, the likelier value of masks, and the likeliest codes: (b, F) to rows."""
        means, logits, blocks = self._split(_wide(theta))
        return self._join(means, (logits >= 0).to(means.dtype), [block.argmax(2) for block in blocks])

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows: (b, F) -> (b, fields)."""
        means, logits, blocks = self._split(_wide(theta))
        noise = torch.randn(means.shape, generator=generator, device=means.device, dtype=means.dtype)
        numbers = means + self.width.log().exp() * noise if means.shape[1] else means
        return self._join(numbers, *_drawn(logits, blocks, generator))

    def typical(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows with numbers at their centres, and drawn masks and categories."""
        means, logits, blocks = self._split(_wide(theta))
        return self._join(means, *_drawn(logits, blocks, generator))

    def spell_out(self, x: Tensor) -> Tensor:
        """Return numbers, masks, and categories as zeros and a one, in the order of theta: (b, fields) -> (b, F)."""
        x = x.float()
        parts = [x[:, self.numbers], x[:, self.masks]]
        codes, start = x[:, self.categories].long(), 0
        for size, count in self._groups:
            parts.append(F.one_hot(codes[:, start : start + count], size).flatten(1).float())
            start += count
        return torch.cat(parts, 1)

    def draw_smoothly(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return numbers, drawn masks and drawn categories: (b, F) -> (b, F)."""
        numbers, logits, blocks = self._split(_wide(theta))
        parts = [numbers]
        if logits.shape[1]:
            both = torch.stack([logits, torch.zeros_like(logits)], 2)
            parts.append(_draw_smoothly(both, 2, generator)[..., 0])
        parts += [_draw_smoothly(block, 2, generator).flatten(1) for block in blocks]
        if len(self.masked):  # a number that is missing is written as 0, the mean
            observed = torch.ones_like(numbers)
            observed[:, self.masked] = parts[1][:, self._mask_places]
            parts[0] = numbers * observed
        return torch.cat(parts, 1)

    @property
    def _mask_places(self) -> Tensor:
        """Return which of the masks, in their own order, belongs to each masked number."""
        return (self.masks == self.mask_of[:, None]).int().argmax(1)

    def statistics(self, x: Tensor) -> Tensor:
        """Return the mean of observed numbers, the share of ones in masks, and the frequency of each category."""
        x = x.float()
        numbers = x[:, self.numbers]
        observed = self._observed(x, numbers)
        parts = [(numbers * observed).sum(0) / observed.sum(0).clamp_min(1), x[:, self.masks].mean(0)]
        codes, start = x[:, self.categories].long(), 0
        for size, count in self._groups:
            parts.append(_frequencies(codes[:, start : start + count], size).T.flatten())
            start += count
        return torch.cat(parts)

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the means of numbers, the logits of masks, the logarithms of frequencies: (F,) -> (F,)."""
        numbers, masks = len(self.numbers), len(self.masks)
        parts = [mean[:numbers], torch.logit(mean[numbers : numbers + masks], eps=1e-3)]
        start = numbers + masks
        for size, count in self._groups:
            parts.append(torch.log(mean[start : start + size * count] + 1e-3 / size))
            start += size * count
        return torch.cat(parts).float()

    def start_at(self, x: Tensor) -> None:
        """Start each number's scale at the spread of its observed values."""
        if not len(self.numbers):
            return
        numbers = x[:, self.numbers].float()
        observed = self._observed(x, numbers)
        count = observed.sum(0).clamp_min(1)
        deviations = (numbers - (numbers * observed).sum(0) / count) * observed
        # Unobserved cells deviate by zero: a root mean square over all rows is too small by the share of observed ones.
        self.width.start_at(deviations * (len(x) / count).sqrt(), 1.0)

    def log_det(self, log_factor: Tensor, x: Tensor) -> Tensor | float:
        """Return the sum of log_factor over the numbers of each row that were observed."""
        if not len(self.numbers):
            return 0.0
        logs = log_factor.expand(x.shape[1])[self.numbers]
        return (self._observed(x, x[:, self.numbers]) * logs).sum(1) if len(self.masked) else logs.sum()

    def _observed(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Return 1 where a number was observed and 0 where it was missing, shaped like ``numbers``."""
        observed = torch.ones_like(numbers, requires_grad=False)
        if len(self.masked):
            observed[:, self.masked] = x[:, self.mask_of].to(numbers.dtype)
        return observed

    def _split(self, theta: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return theta of numbers, of masks, and of categories in blocks (b, columns, size)."""
        widths = [len(self.numbers), len(self.masks), *(size * count for size, count in self._groups)]
        # One split: slices would each fill a gradient as wide as theta.
        numbers, masks, *rest = theta.split_with_sizes(widths, 1)
        blocks = [part.reshape(-1, count, size) for part, (size, count) in zip(rest, self._groups, strict=True)]
        return numbers, masks, blocks

    def _join(self, numbers: Tensor, masks: Tensor, codes: list[Tensor]) -> Tensor:
        """Return rows with every field in its own column."""
        x = numbers.new_zeros(len(numbers), len(self.fields))
        x[:, self.numbers] = numbers
        x[:, self.masks] = masks
        if codes:
            x[:, self.categories] = torch.cat(codes, 1).to(x.dtype)
        return x


LIKELIHOODS: dict[str, Callable[..., Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "gaussian-fixed": lambda: Gaussian(scale=1.0),
    "laplace": Laplace,
    "huber": Huber,
    "discretised-logistic": DiscretisedLogistic,
    "categorical": Categorical,
    "table": MixedTable,
}


def likelihood_from(given: str | Mapping[str, Any] | Likelihood, owner: str = "likelihood") -> Likelihood:
    """Return the likelihood of a name, of what :meth:`Likelihood.to_dict` wrote, or as it is.

    Raises
    ------
    ParameterError
        Nobody knows the name; the sentence suggests the nearest one.
    """
    if isinstance(given, Likelihood):
        return given
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = options.pop("name", None)
    choice(owner, "likelihood", name, ("auto", *LIKELIHOODS))
    return LIKELIHOODS[str(name)](**options)

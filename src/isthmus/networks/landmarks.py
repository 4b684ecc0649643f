r"""Encoder that places a record at a weighted average of positions around nearby landmark records.

A mixture density network (Bishop 1994) of normalised radial basis functions (Moody and Darken, "Fast Learning in
Networks of Locally-Tuned Processing Units", Neural Computation 1, 1989) carries a layout of some records over to all
others, as kernel t-SNE does (Gisbrecht, Schulz and Hammer, "Parametric nonlinear dimensionality reduction using kernel
t-SNE", Neurocomputing 147, 2015), with the landmarks, their codes and their reach learned::

    h = W x + w,    a_m = softmax_m (b_m - s |h - c_m|^2),    p(y | x) = sum_m a_m C(y; v_m, r)

    x (b, ...) ---W---> h (b, metric) ---> a (b, landmarks) ---> z (b, outputs)

C is Cauchy's density with centre v_m and width r. Of many landmarks only those around a record count: 192, in the six
groups of 32 in which the largest a_m lie; all others together would have next to nothing. The code z is the
landmarks' robust centre (an M-estimate), a least nearby of sum_m a_m log(1 + |z - v_m|^2 / r^2), reached by weighted
means: landmarks far from the others have no say. A plain mean would put a record between two islands where it lies on
one or on the other.

Records near each other get codes near each other, however crooked the map is: a stack of plain layers needs many times
the training for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LandmarkEncoder", "log_cauchy_density"]

BISECTIONS = 40
LOOKED_AT = 500  # landmarks whose neighbours say how sharp the functions start
LOGITS = 2**21  # held at a time where no gradient is wanted: they stay in the processor's cache
GROUP = 32  # landmarks that lie together
HEAVIEST = 6  # groups that a record is placed by: those of its nearest landmarks
MEANS = 6  # weighted means on the way to a code


class LandmarkEncoder(nn.Module):
    """Records to codes, by the landmarks around them.

    It begins with one landmark; :meth:`start_from` places as many as there are records given to it.

    Parameters
    ----------
    inputs : int
        Numbers in a record, after ``first``.
    outputs : int
        Numbers in a code.
    metric : int
        Dimensions in which records are compared with landmarks.
    first : torch.nn.Module, optional
        What turns records into plain numbers. It is not trained: it says which records are alike.

    Attributes
    ----------
    noise : float
        Deviation of what is added to each number of h in training.
    """

    orthogonal_steps = False  # nothing here is a layer's matrix

    def __init__(self, inputs: int, outputs: int, metric: int, first: nn.Module | None = None) -> None:
        super().__init__()
        self.first = None if first is None else first.requires_grad_(False)
        self.noise = 0.0
        self.projection = nn.Linear(inputs, metric)
        with torch.no_grad():
            self.projection.weight.copy_(torch.eye(metric, inputs))
            self.projection.bias.zero_()
        self.projection.requires_grad_(False)
        self._set(torch.zeros(1, metric), torch.zeros(1, outputs), 0.0)

    def _set(self, centres: Tensor, values: Tensor, log_sharpness: float, log_width: float = 0.0) -> None:
        self.centres = nn.Parameter(centres)  # (landmarks, metric)
        self.values = nn.Parameter(values)  # (landmarks, outputs)
        self.heights = nn.Parameter(centres.new_zeros(len(centres)))
        self.log_sharpness = nn.Parameter(centres.new_tensor(log_sharpness))
        self.log_width = nn.Parameter(centres.new_tensor(log_width))

    def features(self, x: Tensor) -> Tensor:
        """Return records as plain numbers: (b, *shape) -> (b, inputs)."""
        return (x if self.first is None else self.first(x)).flatten(1).float()

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log p(y | x), in nats: (b, *shape), (b, outputs) -> (b,)."""
        with torch.autocast(x.device.type, enabled=False):  # places on a map are finer than bfloat16
            logits, places = self._around(self._compared(x), *self._products())
            each = log_cauchy_density(_squares(places, y), self.log_width, self.values.shape[1])
            return (logits.log_softmax(1) + each).logsumexp(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return codes: (b, *shape) -> (b, outputs)."""
        with torch.autocast(x.device.type, enabled=False):
            h, products = self._compared(x), self._products()
            parts = 1 if torch.is_grad_enabled() else math.ceil(len(h) * len(self.heights) / LOGITS)
            return torch.cat([self._centre(*self._around(part, *products)) for part in h.tensor_split(max(1, parts))])

    def _compared(self, x: Tensor) -> Tensor:
        h: Tensor = self.projection(self.features(x))
        return h + self.noise * torch.randn_like(h) if self.training else h

    def _products(self) -> tuple[Tensor, Tensor]:
        """Return B and C with log a = B + h C, but for a constant of each record: (landmarks,), (metric, landmarks)."""
        sharpness = self.log_sharpness.exp()
        # |h|^2 is the same for all landmarks, and so drops out.
        return self.heights - sharpness * self.centres.square().sum(1), (2 * sharpness * self.centres).T

    def _around(self, h: Tensor, offsets: Tensor, products: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return log a of the landmarks around records, and their codes: (b, metric) -> (b, k), outputs of (b, k)."""
        logits = torch.addmm(offsets, h, products)
        if logits.shape[1] <= GROUP * HEAVIEST:
            return logits, list(self.values.T)
        stripes = logits.shape[1] // GROUP  # the landmarks of a group are so many columns apart
        groups = logits.detach().view(len(h), GROUP, stripes).amax(1).topk(HEAVIEST, sorted=False).indices
        columns = torch.arange(0, logits.shape[1], stripes, device=h.device)
        grouped = self.values.view(GROUP, stripes, -1).permute(2, 1, 0).contiguous()
        return (
            logits.gather(1, (groups[:, :, None] + columns).flatten(1)),
            [F.embedding(groups, each).flatten(1) for each in grouped],
        )

    def _centre(self, logits: Tensor, places: Sequence[Tensor]) -> Tensor:
        """Return the robust centre of landmarks: (b, k), outputs of (b, k) -> (b, outputs)."""
        shares, width = logits.softmax(1), self.log_width.exp()
        z = _mean(shares, places)
        for _ in range(MEANS):
            z = _mean(shares / (1 + _squares(places, z) / width**2), places)
        return z

    @torch.no_grad()
    def start_from(
        self,
        records: Tensor,
        values: Tensor,
        directions: Tensor,
        middle: Tensor,
        *,
        near: float = 8.0,
        width: float = 1.0,
        noise: float = 0.0,
    ) -> None:
        """Place the landmarks at records.

        Parameters
        ----------
        records : tensor, shape (landmarks, inputs)
            As :meth:`features` returns them. Of more than 192, the last ones are left out, so that 32 divides their
            number.
        values : tensor, shape (landmarks, outputs)
            Their codes.
        directions : tensor, shape (at least metric, inputs)
            What W is: principal directions, the first ones first, scaled so that h varies by 1.
        middle : tensor, shape (inputs,)
            Mean of all records.
        near : float, default=8
            Landmarks that a record is to be placed by, on average: the exponential of the entropy of a.
        width : float, default=1
            r at first.
        noise : float, default=0
            Length of what is added to a record in training, in its own units.
        """
        order = _striped(values) if len(values) > GROUP * HEAVIEST else torch.arange(len(values))
        records, values = records[order], values[order]
        metric = len(self.projection.weight)
        h = (records - middle) @ directions[:metric].T
        unit = float(h.square().mean().sqrt()) or 1.0
        self.projection.weight.copy_(directions[:metric] / unit)
        self.projection.bias.copy_(-self.projection.weight @ middle)
        self.noise = noise / unit / metric**0.5
        sharpness = _sharpness(h / unit, min(near, len(h) / 2))
        self._set(h / unit, values.clone(), math.log(sharpness), math.log(width))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Make room for the landmarks of a file."""
        heights = state_dict.get(f"{prefix}heights")
        if heights is not None and heights.ndim == 1 and len(heights) != len(self.heights):
            n, (_, metric), (_, outputs) = len(heights), self.centres.shape, self.values.shape
            self._set(self.centres.new_zeros(n, metric), self.centres.new_zeros(n, outputs), 0.0)
        super()._load_from_state_dict(state_dict, prefix, *others)


def log_cauchy_density(squares: Tensor, log_width: Tensor, dimensions: int) -> Tensor:
    """Return the log density of Cauchy's distribution in several dimensions at squared distances from its centre.

    C(y; v, r) = G(h) / (pi^h r^c) (1 + |y - v|^2 / r^2)^-h, with h = (1 + c) / 2 and the gamma function G.
    """
    half = (1 + dimensions) / 2
    constant = math.lgamma(half) - half * math.log(math.pi)
    return constant - dimensions * log_width - half * (squares * (-2 * log_width).exp()).log1p()


def _squares(places: Sequence[Tensor], y: Tensor) -> Tensor:
    """Return |v - y|^2: c times (b, k) or (k,), (b, c) -> (b, k)."""
    return torch.stack([(place - one[:, None]).square() for place, one in zip(places, y.T, strict=True)]).sum(0)


def _mean(weights: Tensor, places: Sequence[Tensor]) -> Tensor:
    """Return weighted means, each of a row's own: (b, k), c times (b, k) or (k,) -> (b, c)."""
    total = weights.sum(1).clamp_min(torch.finfo(weights.dtype).tiny)
    return torch.stack([(weights * place).sum(1) / total for place in places], 1)


def _striped(values: Tensor) -> Tensor:
    """Return an order of landmarks in groups of 32 that lie together, all first ones of the groups before all seconds.

    Groups are halves of halves, along the wider side each time.
    """
    order = torch.arange(len(values) // GROUP * GROUP)
    waiting, done = [order], []
    while waiting:
        part = waiting.pop()
        if len(part) == GROUP:
            done.append(part)
            continue
        its = values[part]
        side = int((its.amax(0) - its.amin(0)).argmax())
        part = part[its[:, side].argsort(stable=True)]
        half = len(part) // GROUP // 2 * GROUP
        waiting += [part[half:], part[:half]]
    return torch.stack(done, 1).flatten()


def _sharpness(centres: Tensor, near: float) -> float:
    """Return s at which landmarks lie, on average, by so many others."""
    some = torch.linspace(0, len(centres) - 1, min(len(centres), LOOKED_AT)).long()
    squares = torch.cdist(centres[some], centres).square()
    squares[torch.arange(len(some)), some] = torch.inf  # a record is not placed by itself
    typical = float(squares[squares.isfinite()].mean()) if len(centres) > 1 else 1.0
    if not typical > 0:
        return 1.0
    low, high = 1e-3 / typical, 1e6 / typical
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        effective = float(torch.special.entr((-middle * squares).softmax(1)).sum(1).mean().exp())
        low, high = (middle, high) if effective > near else (low, middle)
    return math.sqrt(low * high)

r"""A code from landmarks: every record lies where most of the landmarks around it say.

A mixture density network (Bishop 1994) of normalised radial basis functions (Moody and Darken, "Fast Learning in
Networks of Locally-Tuned Processing Units", Neural Computation 1, 1989) carries a layout of some records over to all
others, as kernel t-SNE does (Gisbrecht, Schulz and Hammer, "Parametric nonlinear dimensionality reduction using kernel
t-SNE", Neurocomputing 147, 2015), with the landmarks, their codes and their reach learned::

    h = W x + w,    a_m = softmax_m (b_m - s |h - c_m|^2),    p(y | x) = sum_m a_m C(y; v_m, r)

    x (b, ...) ---W---> h (b, metric) ---> a (b, landmarks) ---> z (b, outputs)

C is Cauchy's density with centre v_m and width r. The code z is the landmarks' robust centre (an M-estimate), a least
nearby of sum_m a_m log(1 + |z - v_m|^2 / r^2), reached by weighted means: landmarks far from the others have no say. A
plain mean would put a record between two islands where it lies on one or on the other.

Records near each other get codes near each other, however crooked the map is: a stack of plain layers needs many times
the training for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["LandmarkEncoder", "cauchy_density"]

BISECTIONS = 40
LOOKED_AT = 500  # landmarks whose neighbours say how sharp the functions start
LOGITS = 2**19  # held at a time where no gradient is wanted: they stay in the processor's cache
GROUP = 64  # landmarks that lie together, from as many as
GROUPED = 512  # landmarks on
HEAVIEST = 4  # groups among which a code is looked for: the others say next to nothing
MEANS = 3  # weighted means on the way to a code, among groups and then among landmarks


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
            shares = self._logits(self._compared(x)).softmax(1)
            squares = torch.addmm(self.values.square().sum(1), y, self.values.T, alpha=-2) + y.square().sum(1)[:, None]
            each = cauchy_density(squares.clamp_min(0), self.log_width, self.values.shape[1])
            return (shares * each).sum(1).log()

    def forward(self, x: Tensor) -> Tensor:
        """Return codes: (b, *shape) -> (b, outputs)."""
        with torch.autocast(x.device.type, enabled=False):
            h = self._compared(x)
            parts = 1 if torch.is_grad_enabled() else math.ceil(len(h) * len(self.heights) / LOGITS)
            return torch.cat([self._centre(self._logits(part).softmax(1)) for part in h.tensor_split(max(1, parts))])

    def _compared(self, x: Tensor) -> Tensor:
        h: Tensor = self.projection(self.features(x))
        return h + self.noise * torch.randn_like(h) if self.training else h

    def _logits(self, h: Tensor) -> Tensor:
        """Return log a, but for a constant of each record: (b, metric) -> (b, landmarks)."""
        sharpness = self.log_sharpness.exp()
        # |h|^2 is the same for all landmarks, and so drops out.
        offsets = self.heights - sharpness * self.centres.square().sum(1)
        return torch.addmm(offsets, h, (2 * sharpness * self.centres).T)

    def _centre(self, shares: Tensor) -> Tensor:
        """Return the robust centre of landmarks: (b, landmarks) -> (b, outputs)."""
        width, places = self.log_width.exp(), self.values.T.contiguous()  # (outputs, landmarks)
        if len(self.heights) < GROUPED:
            return _settled(_mean(shares, list(places)), shares, list(places), width, 2 * MEANS)
        # First among groups as a whole, then among the landmarks of the heaviest groups there.
        groups, grouped = (one.view(len(one), -1, GROUP) for one in (shares, places))
        weights, middles = groups.sum(2), grouped.mean(2)
        reach = (grouped - middles[:, :, None]).square().sum(0).mean().sqrt()
        z = _settled(_mean(weights, list(middles)), weights, list(middles), reach, MEANS)
        chosen = _weights_at(z, weights, list(middles), reach).topk(HEAVIEST, dim=1).indices
        near = groups.take_along_dim(chosen[:, :, None], 1).flatten(1)
        return _settled(z, near, [place[chosen].flatten(1) for place in grouped], width, MEANS)

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
            As :meth:`features` returns them. Of 512 and more, the last ones are left out, so that 64 divides their
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
        order = _neighbouring(values) if len(values) >= GROUPED else torch.arange(len(values))
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


def cauchy_density(squares: Tensor, log_width: Tensor, dimensions: int) -> Tensor:
    """Return the density of Cauchy's distribution in several dimensions at squared distances from its centre.

    C(y; v, r) = G(h) / (pi^h r^c) (1 + |y - v|^2 / r^2)^-h, with h = (1 + c) / 2 and the gamma function G.
    """
    half = (1 + dimensions) / 2
    constant = math.exp(math.lgamma(half) - half * math.log(math.pi))
    root = (1 + squares * (-2 * log_width).exp()).rsqrt()  # powers of it take less time than others
    return constant * (-dimensions * log_width).exp() * root ** (1 + dimensions)


def _weights_at(z: Tensor, weights: Tensor, places: Sequence[Tensor], width: Tensor) -> Tensor:
    """Return weights over 1 + |z - v|^2 / r^2: (b, c), (b, m), c times (b, m) or (m,), () -> (b, m)."""
    squares = sum((place - one[:, None]).square() for place, one in zip(places, z.T, strict=True))
    return weights / (1 + squares / width**2)


def _mean(weights: Tensor, places: Sequence[Tensor]) -> Tensor:
    """Return weighted means, each of a row's own: (b, m), c times (b, m) or (m,) -> (b, c)."""
    total = weights.sum(1).clamp_min(torch.finfo(weights.dtype).tiny)
    return torch.stack([(weights * place).sum(1) / total for place in places], 1)


def _settled(z: Tensor, weights: Tensor, places: Sequence[Tensor], width: Tensor, means: int) -> Tensor:
    """Return z after some weighted means of the places around it: see :func:`_weights_at`."""
    for _ in range(means):
        z = _mean(_weights_at(z, weights, places, width), places)
    return z


def _neighbouring(values: Tensor) -> Tensor:
    """Return an order in which every 64 landmarks lie together: halves of halves, along the wider side each time."""
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
    return torch.cat(done)


def _sharpness(centres: Tensor, near: float) -> float:
    """Return s at which landmarks lie, on average, by so many others."""
    some = torch.linspace(0, len(centres) - 1, min(len(centres), LOOKED_AT)).long()
    squares = torch.cdist(centres[some], centres).square()
    squares[torch.arange(len(some)), some] = torch.inf  # nobody is placed by itself
    typical = float(squares[squares.isfinite()].mean()) if len(centres) > 1 else 1.0
    if not typical > 0:
        return 1.0
    low, high = 1e-3 / typical, 1e6 / typical
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        effective = float(torch.special.entr((-middle * squares).softmax(1)).sum(1).mean().exp())
        low, high = (middle, high) if effective > near else (low, middle)
    return math.sqrt(low * high)

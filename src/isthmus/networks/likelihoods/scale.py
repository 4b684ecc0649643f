"""Scale parameters that are learned with the weights, and the summary of the data that a likelihood uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["LEVELS", "REACH", "SHARES", "TINY", "Facts", "FieldLike", "Scale", "SummaryLike", "without_zeros"]

REACH = 7.0  # a learned scale stays within e^-7 and e^7 of the data's spread
SPEED = 5.0  # nats of log scale for one unit of its parameter: optimisers move all parameters at one rate
TINY = 1e-3  # share of the largest spread below which a column counts as nearly constant
LEAST = 0.1  # of what most scales start at, as a share of all records' spread
LEVELS = 65535  # steps between lowest and highest whole number that are told apart one by one: 16 bits
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

    @property
    def atoms(self) -> tuple[float, ...]:
        """Return the values that many records share, of a number."""


class SummaryLike(Protocol):
    """What the values look like before scaling, as :class:`isthmus.preprocessing.Summary` has it."""

    @property
    def kind(self) -> str:
        """Return "array", "image", "table" or "text"."""

    @property
    def low(self) -> NDArray[np.float64]:
        """Return the smallest value of each column or channel."""

    @property
    def high(self) -> NDArray[np.float64]:
        """Return the largest value of each column or channel."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return what each is called in a sentence."""

    @property
    def integers(self) -> bool:
        """Return whether all values are whole numbers."""

    @property
    def binary(self) -> bool:
        """Return whether all values are 0 or 1."""

    @property
    def one_hot(self) -> bool:
        """Return whether each row has exactly one 1 and otherwise 0."""

    @property
    def atoms(self) -> bool:
        """Return whether columns of an array have values that many records share."""

    @property
    def sequences(self) -> bool:
        """Return whether records are sequences of symbols, to be read in their order."""


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
        """Start at ``ratio`` times the root mean square of deviations, shape (n, *shape), of some records.

        These may lack what is rare in a column, and the first record that has it would cost more than all others
        together. So no scale is to fall behind its spread over all records by ten times more than most scales do.
        """
        if not self.learned:
            return
        squares = deviations.double().square()  # squares of large float32 numbers are beyond float32
        # Average over the records and over every axis along which this scale is constant.
        wanted = (1,) * (squares.ndim - self.start.ndim) + tuple(self.start.shape)
        axes = [axis for axis, side in enumerate(wanted) if side == 1]
        root = squares.mean(axes, keepdim=True).sqrt().reshape(self.start.shape)
        behind = (without_zeros(root) * ratio).log() - self.start
        self.start.add_(torch.maximum(behind, behind.median() + math.log(LEAST)))

    def _spread(self, std: Tensor, facts: Facts) -> Tensor:
        sides = [1 if side is None else side for side in facts.shape]
        share = self.share
        if share == "auto":
            share = "feature" if facts.by_column or len(sides) == 3 else "shared"
        if share == "shared":
            return without_zeros(std.double().square().mean().sqrt())
        std = without_zeros(std.double())
        if share == "feature" and len(sides) == 3:
            sides = [sides[0], 1, 1]
            std = std.expand(sides) if std.numel() <= sides[0] else std.square().mean((-2, -1), keepdim=True).sqrt()
        return std.expand(sides).clone()


def without_zeros(std: Tensor) -> Tensor:
    """Give constant columns a usual spread in place of none, and nearly constant ones no smaller than a thousandth.

    A scale that starts at almost nothing would make the first, rough answers cost more than all other columns together.
    """
    varying = std[std > 0]
    if not varying.numel():
        return torch.ones_like(std)
    return torch.where(std > 0, std.clamp_min(TINY * float(varying.max())), varying.median())

"""Rows of numbers, masks and categories side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.networks.likelihoods.arithmetic import drawn_codes, frequencies, one_hot_draws, wide
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.bernoulli import bernoulli_log_prob
from isthmus.networks.likelihoods.scale import Facts, FieldLike, Scale

__all__ = ["MixedTable"]

LOG_2PI = math.log(2 * math.pi)


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
        theta = wide(theta)
        means, logits, blocks = self._split(theta)
        total = theta.new_zeros(len(theta))
        if means.shape[1]:
            log_s = self.width.log()
            squares = F.mse_loss(means, x[:, self.numbers].to(theta.dtype), reduction="none")
            terms = squares * (-0.5 * torch.exp(-2 * log_s)) - (log_s + 0.5 * LOG_2PI)
            total = total + (terms * self._observed(x, terms) if len(self.masked) else terms).sum(1)
        if logits.shape[1]:
            total = total + bernoulli_log_prob(logits, x[:, self.masks].to(theta.dtype))
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
        means, logits, blocks = self._split(wide(theta))
        return self._join(means, (logits >= 0).to(means.dtype), [block.argmax(2) for block in blocks])

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows: (b, F) -> (b, fields)."""
        means, logits, blocks = self._split(wide(theta))
        noise = torch.randn(means.shape, generator=generator, device=means.device, dtype=means.dtype)
        numbers = means + self.width.log().exp() * noise if means.shape[1] else means
        return self._join(numbers, *drawn_codes(logits, blocks, generator))

    def smooth_columns(self, shape: Sequence[int | None]) -> int:
        """Return how many columns hold numbers."""
        return len(self.numbers)

    def typical(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows with numbers at their centres, and drawn masks and categories."""
        means, logits, blocks = self._split(wide(theta))
        return self._join(means, *drawn_codes(logits, blocks, generator))

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
        numbers, logits, blocks = self._split(wide(theta))
        parts = [numbers]
        if logits.shape[1]:
            both = torch.stack([logits, torch.zeros_like(logits)], 2)
            parts.append(one_hot_draws(both, 2, generator)[..., 0])
        parts += [one_hot_draws(block, 2, generator).flatten(1) for block in blocks]
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
            parts.append(frequencies(codes[:, start : start + count], size).T.flatten())
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

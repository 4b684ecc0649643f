"""Likelihood of mixed rows: numbers, some with atoms (values that many records share), masks and categories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.networks.likelihoods.arithmetic import are, drawn_codes, frequencies, one_hot_draws, wide
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.bernoulli import bernoulli_log_prob
from isthmus.networks.likelihoods.scale import Facts, FieldLike, Scale, SummaryLike

__all__ = ["MixedTable"]

LOG_2PI = math.log(2 * math.pi)


class MixedTable(Likelihood):
    """Rows of a table: normal numbers where they were observed, masks as coins, categories.

    log p = sum over numbers of m log p(x) + sum over masks of log Bernoulli(m; theta) + sum over category columns of
    theta[code] - logsumexp(theta), where m is a number's mask, or 1. A number is normal, p(x) = N(x; theta, s), with a
    learned scale of its own, unless it has atoms a_1 ... a_k, values that many records share. Then it is one of them
    or none, as a category is, and normal if it is none (Olkin and Tate, "Multivariate Correlation Models with Mixed
    Discrete and Continuous Variables", Annals of Mathematical Statistics 1961)::

        p(x) = w_j                    where x = a_j        (a probability)
        p(x) = w_0 N(x; theta, s)     elsewhere            (a density)        w = softmax(theta)

    theta holds numbers, masks, the categories of columns in the order of their sizes, so that columns with equally
    many categories are one block of a matrix, and the w of numbers with atoms, likewise.

    Parameters
    ----------
    fields : sequence of Field, default=()
        The table's encoded columns; learned from the data unless given.
    """

    name = "table"
    scaling: ClassVar[Mapping[str, str]] = {"table": "standard", "array": "standard"}
    continuous = True
    numbers: Tensor
    masks: Tensor
    masked: Tensor
    mask_of: Tensor
    categories: Tensor
    mixed: Tensor
    atoms: Tensor
    owners: Tensor
    _ranks: Tensor
    _firsts: Tensor

    def __init__(self, fields: Sequence[FieldLike] = ()) -> None:
        super().__init__()
        self.fields = tuple(fields)
        numbers = [field for field in self.fields if field.kind == "number"]
        masked = [i for i, field in enumerate(numbers) if field.mask >= 0]
        categories = sorted((field for field in self.fields if field.kind == "category"), key=lambda field: field.size)
        mixed = sorted((i for i, field in enumerate(numbers) if field.atoms), key=lambda i: len(numbers[i].atoms))
        for name, indices in (
            ("numbers", [field.index for field in numbers]),
            ("masks", [field.index for field in self.fields if field.kind == "mask"]),
            ("masked", masked),  # which of the numbers have a mask
            ("mask_of", [numbers[i].mask for i in masked]),  # and where it is
            ("categories", [field.index for field in categories]),
            ("mixed", mixed),  # which of the numbers have atoms
        ):
            self.register_buffer(name, torch.tensor(indices, dtype=torch.long), persistent=False)
        self._groups = _counted([field.size for field in categories])
        self._mixed_groups = _counted([len(numbers[i].atoms) + 1 for i in mixed])  # or none of them
        # Of all atoms side by side: which they are, and the place of their number among those with atoms.
        self.register_buffer("atoms", torch.tensor([a for i in mixed for a in numbers[i].atoms]), persistent=False)
        owners = [place for place, i in enumerate(mixed) for _ in numbers[i].atoms]
        counts = [len(numbers[i].atoms) for i in mixed]
        ranks = [rank for count in counts for rank in range(1, count + 1)]
        firsts = list(accumulate(counts, initial=0))[:-1]
        for name, indices in (("owners", owners), ("_ranks", ranks), ("_firsts", firsts)):
            self.register_buffer(name, torch.tensor(indices, dtype=torch.long), persistent=False)
        self._width = len(numbers) + len(self.masks) + sum(k * n for k, n in (*self._groups, *self._mixed_groups))
        self.width = Scale("learned" if numbers else 1.0, "element")
        # A scale for each number of the data's own; standardised ones spread by 1.
        one = torch.ones(len(numbers))
        self.width.prepare(Facts((len(numbers),), std=one, low=-one, high=one), 1.0)

    @classmethod
    def suits(cls, summary: SummaryLike, *, marginals: bool = False) -> str | None:
        """Suit tables, and rows of numbers whose shared values new records should have as often as the data."""
        if summary.kind == "table":
            return "the data are a table: numbers, coins for what is missing, categories"
        return "many records share values of a column, such as zeros" if marginals and summary.atoms else None

    def default_scaling(self, kind: str, *, marginals: bool = False) -> str:
        """Return "quantile" for marginals: what is drawn of a column then has its distribution, whatever that is."""
        return "quantile" if marginals else super().default_scaling(kind)

    def prepare(self, facts: Facts) -> Self:
        """Return a new one for these fields; scales start at 1, the spread of standardised columns."""
        return type(self)(self.fields or facts.fields or _plain_numbers(facts.shape))

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``(F,)``: one for each number, mask and category, and for each number's atoms and none of them."""
        return (self._width,)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum over fields: (b, F), (b, fields) -> (b,)."""
        theta = wide(theta)
        means, logits, blocks, mixed = self._split(theta)
        total = theta.new_zeros(len(theta))
        states = self._states(x)
        if means.shape[1]:
            log_s = self.width.log()
            squares = F.mse_loss(means, x[:, self.numbers].to(theta.dtype), reduction="none")
            terms = squares * (-0.5 * torch.exp(-2 * log_s)) - (log_s + 0.5 * LOG_2PI)
            weights = self._weights(x, states)
            total = total + (terms if weights is None else terms * weights.to(terms.dtype)).sum(1)
        if logits.shape[1]:
            total = total + bernoulli_log_prob(logits, x[:, self.masks].to(theta.dtype))
        if blocks:
            total = total + _log_chances(blocks, x[:, self.categories].long()).sum(1)
        if mixed:
            total = total + (_log_chances(mixed, states) * self._observed(x)[:, self.mixed]).sum(1)
        return total

    def mean(self, theta: Tensor) -> Tensor:
        """Return rows of the likeliest: (b, F) to (b, fields).

        That is the centre of a number, or one of its atoms where one is likelier than the others and than none of them;
        the likelier value of a mask; and the likeliest code.
        """
        means, logits, blocks, mixed = self._split(wide(theta))
        numbers = self._placed(means, [block.argmax(2) for block in mixed])
        return self._join(numbers, (logits >= 0).to(means.dtype), [block.argmax(2) for block in blocks])

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows: (b, F) -> (b, fields)."""
        means, logits, blocks, mixed = self._split(wide(theta))
        noise = torch.randn(means.shape, generator=generator, device=means.device, dtype=means.dtype)
        numbers = means + self.width.log().exp() * noise if means.shape[1] else means
        masks, codes = drawn_codes(logits, [*blocks, *mixed], generator)
        return self._join(self._placed(numbers, codes[len(blocks) :]), masks, codes[: len(blocks)])

    def n_quantities(self, shape: Sequence[int | None]) -> int:
        """Return how many columns hold numbers."""
        return len(self.numbers)

    def mean_with_sampled_categories(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return rows with numbers at their centres, and drawn masks, categories and atoms."""
        means, logits, blocks, mixed = self._split(wide(theta))
        masks, codes = drawn_codes(logits, [*blocks, *mixed], generator)
        return self._join(self._placed(means, codes[len(blocks) :]), masks, codes[: len(blocks)])

    def one_hot(self, x: Tensor) -> Tensor:
        """Return rows in theta's order, (b, F), with categories and atoms as zeros and a one."""
        x = x.float()
        parts = [x[:, self.numbers], x[:, self.masks]]
        parts += [one_hot.flatten(1) for one_hot in self._one_hot(x)]
        return torch.cat(parts, 1)

    def rsample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return numbers, drawn masks, drawn categories and drawn atoms: (b, F) -> (b, F)."""
        numbers, logits, blocks, mixed = self._split(wide(theta))
        masks = logits
        if logits.shape[1]:
            both = torch.stack([logits, torch.zeros_like(logits)], 2)
            masks = one_hot_draws(both, 2, generator)[..., 0]
        codes = [one_hot_draws(block, 2, generator) for block in blocks]
        observed = torch.ones_like(numbers)
        if len(self.masked):
            observed[:, self.masked] = masks[:, self._mask_places]
        states = []
        for block, there in zip(mixed, _by_size(observed[:, self.mixed], self._mixed_groups), strict=True):
            none = F.one_hot(torch.zeros_like(block[..., 0], dtype=torch.long), block.shape[2])
            states.append(torch.where(there[..., None] > 0, one_hot_draws(block, 2, generator), none))
        if states:
            ones = torch.cat([state[..., 1:].flatten(1) for state in states], 1)
            others = numbers[:, self.mixed] * torch.cat([state[..., 0] for state in states], 1)
            numbers = numbers.index_copy(1, self.mixed, others.index_add(1, self.owners, ones * self.atoms))
        # A number that is missing is written as 0, the mean, and as none of its atoms.
        return torch.cat([numbers * observed, masks, *(part.flatten(1) for part in (*codes, *states))], 1)

    @property
    def _mask_places(self) -> Tensor:
        """Return which of the masks, in their own order, belongs to each masked number."""
        return (self.masks == self.mask_of[:, None]).int().argmax(1)

    def statistics(self, x: Tensor) -> Tensor:
        """Return means of numbers, the share of ones in masks, and frequencies of categories and atoms: (F,).

        Means are those of observed numbers that are no atoms.
        """
        x = x.float()
        numbers, observed = x[:, self.numbers], self._observed(x)
        weights = self._weights(x, self._states(x))
        weights = observed if weights is None else weights
        parts = [(numbers * weights).sum(0) / weights.sum(0).clamp_min(1), x[:, self.masks].mean(0)]
        for codes, (size, _) in zip(_by_size(x[:, self.categories].long(), self._groups), self._groups, strict=True):
            parts.append(frequencies(codes, size).T.flatten())
        groups = self._mixed_groups
        there, all_states = _by_size(observed[:, self.mixed], groups), _by_size(self._states(x), groups)
        for states, seen, (size, _) in zip(all_states, there, groups, strict=True):
            shares = frequencies(states, size).T * len(x)
            shares[:, 0] -= (1 - seen).sum(0)  # none of the atoms, because they are missing
            parts.append((shares / seen.sum(0).clamp_min(1)[:, None]).flatten())
        return torch.cat(parts)

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the means of numbers, the logits of masks, the logarithms of frequencies: (F,) -> (F,)."""
        numbers, masks = len(self.numbers), len(self.masks)
        parts = [mean[:numbers], torch.logit(mean[numbers : numbers + masks], eps=1e-3)]
        start = numbers + masks
        for size, count in (*self._groups, *self._mixed_groups):
            parts.append(torch.log(mean[start : start + size * count] + 1e-3 / size))
            start += size * count
        return torch.cat(parts).float()

    def start_at(self, x: Tensor) -> None:
        """Start each number's scale at the spread of its observed values that are no atoms."""
        if not len(self.numbers):
            return
        numbers = x[:, self.numbers].float()
        weights = self._weights(x, self._states(x))
        weights = torch.ones_like(numbers) if weights is None else weights.float()
        count = weights.sum(0).clamp_min(1)
        deviations = (numbers - (numbers * weights).sum(0) / count) * weights
        # Other cells deviate by zero: a root mean square over all rows is too small by the share of these.
        self.width.start_at(deviations * (len(x) / count).sqrt(), 1.0)

    def log_det(self, log_factor: Tensor, x: Tensor) -> Tensor | float:
        """Return the sum of log_factor over the numbers of each row that were observed and are no atoms."""
        if not len(self.numbers):
            return 0.0
        logs = log_factor.expand(*log_factor.shape[:-1], x.shape[1])[..., self.numbers]
        weights = self._weights(x, self._states(x))
        return (logs if weights is None else weights * logs).sum(-1)

    def _observed(self, x: Tensor) -> Tensor:
        """Return 1 where a number was observed and 0 where it was missing, (b, numbers)."""
        observed = torch.ones(len(x), len(self.numbers), device=x.device, dtype=x.dtype)
        if len(self.masked):
            observed[:, self.masked] = x[:, self.mask_of]
        return observed

    def _states(self, x: Tensor) -> Tensor:
        """Return which atom each number with atoms is, from 1 on, 0 for none or where it is missing: (b, mixed)."""
        states = torch.zeros(len(x), len(self.mixed), dtype=torch.long, device=x.device)
        if len(self.mixed):
            hits = are(x[:, self.numbers[self.mixed]][:, self.owners], self.atoms)
            states.index_add_(1, self.owners, hits * self._ranks)
            states *= self._observed(x)[:, self.mixed] > 0
        return states

    def _weights(self, x: Tensor, states: Tensor) -> Tensor | None:
        """Return 1 where a number has a density, and 0 where it is missing or an atom; None where all have one."""
        if not len(self.masked) and not len(self.mixed):
            return None
        weights = self._observed(x)
        weights[:, self.mixed] *= states == 0
        return weights

    def _one_hot(self, x: Tensor) -> list[Tensor]:
        """Return categories, then atoms of numbers, as zeros and a one: (b, columns, size) for each size."""
        parts = []
        for codes, groups in ((x[:, self.categories].long(), self._groups), (self._states(x), self._mixed_groups)):
            parts += [F.one_hot(s, size).float() for s, (size, _) in zip(_by_size(codes, groups), groups, strict=True)]
        return parts

    def _split(self, theta: Tensor) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """Return theta of numbers, of masks, of categories in blocks (b, columns, size), and of atoms likewise."""
        groups = (*self._groups, *self._mixed_groups)
        widths = [len(self.numbers), len(self.masks), *(size * count for size, count in groups)]
        # One split: slices would each fill a gradient as wide as theta.
        numbers, masks, *rest = theta.split_with_sizes(widths, 1)
        blocks = [part.reshape(-1, count, size) for part, (size, count) in zip(rest, groups, strict=True)]
        return numbers, masks, blocks[: len(self._groups)], blocks[len(self._groups) :]

    def _placed(self, numbers: Tensor, states: list[Tensor]) -> Tensor:
        """Return numbers with atoms in the place of those that are one, as states in blocks (b, columns) say."""
        if not states:
            return numbers
        chosen = torch.cat(states, 1)
        numbers = numbers.clone()
        atoms = self.atoms[(self._firsts + chosen - 1).clamp_min(0)].to(numbers.dtype)
        numbers[:, self.mixed] = torch.where(chosen > 0, atoms, numbers[:, self.mixed])
        return numbers

    def _join(self, numbers: Tensor, masks: Tensor, codes: list[Tensor]) -> Tensor:
        """Return rows with every field in its own column."""
        x = numbers.new_zeros(len(numbers), len(self.fields))
        x[:, self.numbers] = numbers
        x[:, self.masks] = masks
        if codes:
            x[:, self.categories] = torch.cat(codes, 1).to(x.dtype)
        return x


@dataclass(frozen=True)
class _Number:
    """A column of an array without atoms, as :class:`FieldLike`."""

    index: int
    kind: str = "number"
    size: int = 1
    mask: int = -1
    atoms: tuple[float, ...] = ()


def _plain_numbers(shape: Sequence[int | None]) -> tuple[_Number, ...]:
    """Return the fields of an array of numbers without atoms."""
    return tuple(_Number(index) for index in range(int(shape[0] or 0)))


def _counted(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return each size that occurs in rising order, and how often."""
    return [(size, sizes.count(size)) for size in sorted(set(sizes))]


def _by_size(columns: Tensor, groups: Sequence[tuple[int, int]]) -> Sequence[Tensor]:
    """Return columns (b, all) in blocks (b, columns of one size)."""
    return columns.split_with_sizes([count for _, count in groups], 1) if groups else ()


def _log_chances(blocks: Sequence[Tensor], codes: Tensor) -> Tensor:
    """Return log softmax of logits in blocks (b, columns, size) at codes, (b, all columns)."""
    parts = [
        -F.cross_entropy(block.flatten(0, 1), some.flatten(), reduction="none").view(some.shape)
        for block, some in zip(blocks, codes.split_with_sizes([block.shape[1] for block in blocks], 1), strict=True)
    ]
    return torch.cat(parts, 1)

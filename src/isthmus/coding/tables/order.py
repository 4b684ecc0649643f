"""In which order planes are best coded, and which earlier ones tell most of each.

What a context saves is estimated on a sample of rows. The mutual information of its values and those of a plane
would not do: where a context has another value in each row, that is all there is to know, but nothing was learned. So
each row is coded by what the others say, with a Dirichlet prior whose mean is the distribution without context (MacKay
and Peto, "A hierarchical Dirichlet language model", Natural Language Engineering 1, 1995): a row alone in its context
saves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.tables.planes import Form, Integers, Plane, distinct_numbers

__all__ = ["Context", "Ranked", "ranked"]

ROWS = 8_000  # of a sample, at most
FINE, COARSE = 6, 4  # highest bits of ordered planes that are looked at
SINGLES, PAIRS, LONGEST = 8, 8, 4  # contexts of one and of two planes that are kept; planes in the longest ones
PAIRED = 12  # planes of which pairs are tried, at most: those that tell most alone
ORDERED = 64  # planes up to which another order than that of the columns is looked for
TRIES = 2048  # planes or pairs that are tried for all planes together, about: of many, each has its neighbours tried
KEPT = 1024  # combinations of planes that are kept to be counted again
MANY = 1 << 24  # combinations from which on those that occur are numbered
AT_ONCE = 1 << 17  # rows of all combinations that are counted at once, about
PRIOR = 2.0  # rows that the distribution without context weighs as much as

Term = tuple[int, int]


@dataclass(frozen=True, order=True)
class Context:
    """Earlier planes that a plane can be coded with.

    Parameters
    ----------
    score : float
        Bits that they save for each row, about; below zero where they mislead.
    terms : tuple of (int, int)
        Which planes, and how many of the lowest bits of the values of each are left out.
    """

    score: float
    terms: tuple[Term, ...]

    @property
    def planes(self) -> tuple[int, ...]:
        """Which planes they are."""
        return tuple(plane for plane, _ in self.terms)


@dataclass(frozen=True)
class Ranked:
    """A plane at its place in the order.

    Parameters
    ----------
    plane : int
        Which one, counted through all columns.
    contexts : tuple of Context
        Earlier planes that tell something of it, the best first.
    """

    plane: int
    contexts: tuple[Context, ...]


def ranked(columns: Sequence[Sequence[Plane]]) -> list[Ranked]:
    """Return planes in the order in which they are best coded, each with the contexts that tell most of it.

    Parameters
    ----------
    columns : sequence of sequence of Plane
        The planes of each column. They are counted through all columns.

    Returns
    -------
    list of Ranked
        A plane follows the one that says where it has values.
    """
    sample = _Sample.of(columns)
    natural = list(range(len(sample.forms)))
    orders = [natural, _told_early(sample)] if len(natural) <= ORDERED else [natural]
    tries = [[_in_order(sample, order, place) for place in range(len(order))] for order in orders]
    return max(tries, key=lambda found: sum(ranked.contexts[0].score for ranked in found if ranked.contexts))


def _in_order(sample: _Sample, order: Sequence[int], place: int) -> Ranked:
    """Return a plane with its contexts."""
    first = 0 if len(order) <= ORDERED else max(0, place - sample.reach)  # beyond, order is that of the columns
    return Ranked(order[place], tuple(_contexts(sample, order[place], order[first:place])))


def _told_early(sample: _Sample) -> list[int]:
    """Return planes so that what is told most comes next; the first is the one that tells most of the others."""
    count = len(sample.forms)
    saved = np.zeros((count, count))  # of a row's plane by a column's
    for plane in range(count):
        others = [other for other in range(count) if other != plane and sample.near(plane, other)]
        saved[plane, others] = sample.saved(plane, [[(other, sample.shift(other, FINE))] for other in others])
    gain = saved.sum(0)  # and then of what each plane is told by the best one before it
    order: list[int] = []
    while len(order) < count:
        allowed = [p for p in range(count) if p not in order and sample.follows[p] in (None, *order)]
        order.append(max(allowed, key=lambda plane: gain[plane]))
        gain = saved[:, order].max(1)
    return order


def _contexts(sample: _Sample, plane: int, earlier: Sequence[int]) -> list[Context]:
    """Return the contexts that tell most of a plane, the best first."""

    def judged(candidates: Iterable[tuple[Term, ...]], kept: int) -> list[Context]:
        tried = list(dict.fromkeys(candidates))
        return sorted(map(Context, sample.saved(plane, tried), tried), reverse=True)[:kept]

    def terms_of(planes: Iterable[int], bits: int) -> tuple[Term, ...]:
        return tuple((other, sample.shift(other, bits)) for other in sorted(planes))

    earlier = [other for other in earlier if sample.near(plane, other)]
    widths = (COARSE, FINE)
    singles = judged((terms_of([other], bits) for other in earlier for bits in (*widths, 64)), 3 * len(earlier))
    paired = min(PAIRED, max(2, math.isqrt(2 * TRIES // len(sample.forms))))
    likely = list(dict.fromkeys(context.planes[0] for context in singles))[:paired]
    found = singles[:SINGLES]
    for bits in widths:
        best = judged((terms_of(pair, bits) for pair in combinations(likely, 2)), PAIRS)
        found += best
        for _ in range(LONGEST - 2):
            grown = {*best[0].planes} if best else set()
            best = judged((terms_of({*grown, other}, bits) for other in likely if grown and other not in grown), 1)
            found += best
    return sorted(set(found), reverse=True)


@dataclass(eq=False)
class _Sample:
    """Some rows of all planes.

    Parameters
    ----------
    forms : list of Form
        Of the planes.
    values : list of NDArray
        Theirs: (rows,).
    follows : list of int or None
        Which plane each has to follow.
    """

    forms: list[Form]
    values: list[Integers]
    follows: list[int | None]
    _saved: dict[tuple[int, tuple[Term, ...]], float] = field(default_factory=dict)
    _coded: dict[tuple[Term, ...], tuple[Integers, int]] = field(default_factory=dict)
    _told: dict[int, _Target] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Sequence[Sequence[Plane]]) -> _Sample:
        """Return a sample of the rows of a table."""
        planes = [plane for column in columns for plane in column]
        starts = np.cumsum([0, *map(len, columns)]).tolist()
        follows = [
            None if plane.where is None else start + plane.where
            for start, column in zip(starts, columns, strict=False)
            for plane in column
        ]
        count = len(planes[0].values) if planes else 0
        rows = np.sort(np.random.default_rng(0).choice(count, ROWS, replace=False)) if count > ROWS else slice(None)
        return cls(list(planes), [plane.values[rows] for plane in planes], follows)

    def __post_init__(self) -> None:
        self.rows = len(self.values[0]) if self.values else 0
        self.reach = max(1, TRIES // max(1, len(self.forms)))

    def near(self, plane: int, other: int) -> bool:
        """Tell whether two planes stand so close to each other that one is tried for the other."""
        return abs(plane - other) <= self.reach

    def shift(self, plane: int, bits: int) -> int:
        """Return how many bits of an ordered plane have to be left out so that no more than so many are left."""
        form = self.forms[plane]
        return max(0, (form.size - 1).bit_length() - bits) if form.ordered else 0

    def saved(self, plane: int, contexts: Iterable[Sequence[Term]]) -> list[float]:
        """Return the bits a row that combinations of planes save with another one: one row by the others."""
        keys = [(plane, tuple(terms)) for terms in contexts]
        new = [key for key in dict.fromkeys(keys) if key not in self._saved]
        at_once = max(1, AT_ONCE // max(1, self.rows))
        for start in range(0, len(new) if self.rows else 0, at_once):
            some = new[start : start + at_once]
            self._saved |= zip(some, self._counted(plane, [terms for _, terms in some]), strict=True)
        return [self._saved.get(key, 0.0) for key in keys]

    def _counted(self, plane: int, contexts: Sequence[tuple[Term, ...]]) -> list[float]:
        """Return the bits, by counting all combinations at once: their rows stand behind each other, sorted."""
        target, rows = self._targets(plane), self.rows
        joint = [self._joint(terms) for terms in contexts]
        width = np.int32 if max(size for _, size in joint) * target.size < 1 << 31 else np.int64
        cells = np.empty((len(joint), rows), width)
        for line, (codes, _) in zip(cells, joint, strict=True):
            np.add(codes.astype(width, copy=False) * target.size, target.codes, out=line)
        cells.sort(axis=1)
        starts = _starts(cells.ravel(), np.arange(len(joint)) * rows)
        counts = np.diff(starts)
        firsts = np.searchsorted(starts, np.arange(len(joint)) * rows)  # of the cells of each combination
        values, kinds = np.divmod(cells.ravel()[starts[:-1]], target.size)
        told = np.log2(counts - 1 + target.weights[kinds]) * counts
        inner = _starts(values, firsts)
        others = np.diff(starts[inner]) - 1
        alone = np.log2(others + PRIOR) * (others + 1)
        found = np.add.reduceat(told, firsts) - np.add.reduceat(alone, np.searchsorted(inner, firsts)) - target.bits
        return (found / rows).tolist()

    def _targets(self, plane: int) -> _Target:
        """Return a plane as what is told of."""
        if plane not in self._told:
            codes, size = self._joint(((plane, self.shift(plane, FINE)),))
            counts = np.bincount(codes)
            weights = PRIOR * counts / self.rows
            self._told[plane] = _Target(codes, size, weights, float(np.log2(counts / self.rows) @ counts))
        return self._told[plane]

    def _joint(self, terms: tuple[Term, ...]) -> tuple[Integers, int]:
        """Return which combination of values each row has, and a number that is above all of these."""
        if terms not in self._coded:
            if len(self._coded) >= KEPT:
                self._coded.clear()
            *before, (plane, shift) = terms
            if before:
                codes, count = self._joint(tuple(before))
                values, size = self._joint(((plane, shift),))
                codes, size = codes.astype(np.int64) * size + values, count * size
            else:
                codes, size = self.values[plane] >> shift, (self.forms[plane].size - 1 >> shift) + 1
            if not before or size > MANY:
                occurring, codes = distinct_numbers(codes, size)
                size = len(occurring)
            self._coded[terms] = codes.astype(np.int32), size
        return self._coded[terms]


class _Target(NamedTuple):
    """A plane of a sample as what others tell of.

    Parameters
    ----------
    codes : NDArray of int
        Which of its values each row has: (rows,).
    size : int
        Different values.
    weights : NDArray of float
        What the distribution without context adds to the count of each value.
    bits : float
        Those of all rows without context, below zero.
    """

    codes: Integers
    size: int
    weights: NDArray[np.float64]
    bits: float


def _starts(values: Integers, firsts: Integers) -> Integers:
    """Return where another value begins, or one of some parts, and behind these how many values there are."""
    found = np.ones(len(values) + 1, bool)
    np.not_equal(values[1:], values[:-1], out=found[1:-1])
    found[firsts] = True
    return np.flatnonzero(found)

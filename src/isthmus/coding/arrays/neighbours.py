"""Schemes for the places of an array: which of its neighbours a number is predicted from.

Axes are named from the fastest: x, y, z and t, as far as there are such of more than one step. A neighbour is said by
how far it lies before the number on each axis. Neighbours are looked up in the flat sequence, so that what is before
the first of a row is the last of the row above.

Where it helps, there is a side beside the places: which *column* a number stands in, which is its place on an axis that
is short, so that what is in one place on it is no neighbour of what is in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isthmus.coding.scheme import SHIFT_LIMIT, Context, Feature, Scheme, Selector, Tap, Term, logarithmic

__all__ = ["Coded", "discrete", "grains", "learned", "records", "regressors", "unrelated"]

Offset = tuple[int, ...]

OF_LINE: Sequence[Offset] = [(k,) for k in range(1, 9)]
OF_PLANE: Sequence[Offset] = [
    *((1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2)),
    *((1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2)),
]
OF_SPACE: Sequence[Offset] = [
    *((1, 0, 0), (0, 1, 0), (1, 1, 0), (-1, 1, 0), (0, 0, 1), (1, 0, 1), (-1, 0, 1), (0, 1, 1), (0, -1, 1)),
    *((2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1)),
]
OF_MORE: Sequence[Offset] = [
    *((*place, 0) for place in OF_SPACE[:12]),
    *((0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)),
]
COARSE, FINE = logarithmic(0), logarithmic(1)
SMALL_TABLE, LARGE_TABLE = 13, 16  # of schemes whose contexts are near something; of others


@dataclass(frozen=True)
class Coded:
    """How the difference from a prediction is coded.

    Parameters
    ----------
    bits : int
        Of the number of steps; or of the place, where nothing is predicted.
    step, raw : int
        As a `Scheme` has them.
    """

    bits: int
    step: int = 1
    raw: int = 0


def regressors(shape: Sequence[int]) -> list[int]:
    """Return how far the neighbours that a learned prediction looks at are before a number, in the flat sequence."""
    strides = _strides(shape)
    offsets = (OF_LINE, OF_PLANE, OF_SPACE, OF_MORE)[len(strides) - 1]
    lags = (sum(a * b for a, b in zip(offset, strides, strict=True)) for offset in offsets)
    return list(dict.fromkeys(lag for lag in lags if lag > 0))


def _strides(shape: Sequence[int]) -> list[int]:
    """Return how far a step on each axis leads, from the fastest, of at most four that have steps; at least one."""
    strides, stride = [], 1
    for length in reversed(shape):
        if length > 1:
            strides.append(stride)
        stride *= length
    return strides[:4] or [1]


# ---------------------------------------------------------------------- schemes


def learned(shape: Sequence[int], coded: Coded, *, exact: bool) -> Scheme:
    """Return the scheme for what changes smoothly: least squares over neighbours, learned on the way.

    A difference from that prediction is expected to be as large as neighbours differ, and as predictions do: those of
    `extrapolations` are the ones of Ibarria, Lindstrom, Rossignac and Szymczak, "Out-of-core compression and
    decompression of large n-dimensional scalar fields" (Eurographics 2003).

    Parameters
    ----------
    shape : sequence of int
        Of the segment.
    coded : Coded
    exact : bool
        Whether all digits are kept, most of which nothing predicts: fewer contexts then do as well. What is smooth has
        equations that are nearly singular; where digits are rounded away they need more on their diagonal.
    """
    known, strides = _Features(), _strides(shape)
    lags = regressors(shape)
    plain = len(strides) < 3
    predicted = known.add(
        Feature.regression(
            *(Tap(0, lag) for lag in (lags if len(lags) > 1 else [1, 2])),
            horizon=1000 if plain else 500,
            interval=16 if exact else 8,
            ridge=22 if exact else 14,
        )
    )
    simple = [known.extrapolation(*axes) for axes in _extrapolations(strides)]
    across, along = known.spreads(strides)
    apart = known.add(Feature.spread(*((predicted, other) for other in simple[:3])))
    first, second = (known.difference(predicted, other) for other in simple[:2])
    change = known.difference(predicted, known.sum(strides[0]))
    contexts = [
        Context((), near=predicted),
        Context((Term(across, COARSE), Term(along, COARSE)), near=predicted),
        *([] if exact else [Context((Term(term, FINE),), near=predicted) for term in (apart, change)]),
        Context((Term(first, COARSE), Term(second, COARSE)), near=predicted),
        *(Context((Term(along, FINE),), near=other) for other in simple[: 2 if exact else 4]),
    ]
    return known.scheme(coded, contexts, around=predicted)


def unrelated(shape: Sequence[int], coded: Coded) -> Scheme:
    """Return the scheme for numbers that say nothing of each other but how large they are, in columns or not."""
    known, width = _Features(), shape[-1]
    column, zero = known.column(), known.add(Feature.sum())
    scale = min(coded.raw + 1, SHIFT_LIMIT)
    before = [Term(known.sum(lag), scale) for lag in (1, 2, width)]
    contexts = [Context((), near=zero), Context((Term(column),), near=zero)]
    contexts += [Context((Term(column), other), near=zero) for other in before]
    return known.scheme(coded, contexts, [Selector(Term(column), width)], around=zero)


def records(shape: Sequence[int], bits: int) -> Scheme:
    """Return the scheme for the rows of a table, each column of which is a thing of its own."""
    known, width = _Features(), shape[-1]
    column, zero = Term(known.column()), known.add(Feature.sum())
    before = [Term(known.sum(lag)) for lag in (1, 2, 4)]
    contexts = [
        *(Context((column, term)) for term in before),
        Context((column,), near=known.sum(width)),
        Context((column,), near=zero),
        Context((column, Term(before[0].feature, 3)), near=zero),
    ]
    return known.scheme(Coded(bits), contexts, [Selector(column, width)])


def discrete(shape: Sequence[int], bits: int) -> Scheme:
    """Return the scheme for a few different numbers: what stood where neighbours were the same."""
    known, strides = _Features(), _strides(shape)
    if bits < 3:
        return known.scheme(Coded(bits), _of_many(known, strides))
    x, *others = strides
    left, before = Term(known.sum(x)), Term(known.sum(2 * x))
    contexts = [Context(), Context((left,)), Context((left, before))]
    if others:
        y = others[0]
        above, corner, right = (Term(known.sum(lag)) for lag in (y, x + y, max(1, y - x)))
        contexts += [Context((above,)), *(Context((left, above, *more)) for more in ((), (corner,), (right,)))]
    if len(others) > 1:
        behind = Term(known.sum(others[1]))
        contexts += [Context((behind,)), Context((behind, left)), Context((behind, left, contexts[3].terms[0]))]
    predicted = known.add(
        Feature.regression(*(Tap(0, lag) for lag in dict.fromkeys((*regressors(shape)[:8], x, 2 * x))), interval=8)
    )
    across = known.spreads(strides)[0]
    contexts += [Context((), near=predicted), Context((Term(across, FINE),), near=predicted)]
    contexts += [Context((), near=term.feature) for term in (left, *contexts[3].terms[:1])]
    return known.scheme(Coded(bits), contexts, [Selector(Term(across, FINE), 24)])


def _of_many(known: _Features, strides: Sequence[int]) -> list[Context]:
    """Return contexts of many neighbours each, for numbers of which there are at most four."""
    x, *others = strides

    def at(*lags: int) -> tuple[Term, ...]:
        return tuple(Term(known.sum(max(1, lag))) for lag in lags)

    if not others:
        return [Context(at(x)), Context(at(x, 2 * x, 3 * x)), Context(at(*(k * x for k in range(1, 7))))]
    y = others[0]
    near, beyond = at(x, y, x + y, y - x), at(2 * x, 2 * y)
    if len(others) == 1:
        return [Context(near), Context(near + beyond)]
    z = others[1]
    behind = at(z, z - x, z - y, 2 * z)
    return [Context(near + beyond), Context(near + behind), Context((*near[:2], behind[0]))]


def grains(shape: Sequence[int], bits: int) -> Scheme:
    """Return the scheme for how many bits numbers have behind a point: about as many as their neighbours."""
    known, (x, *others) = _Features(), _strides(shape)
    left = Term(known.sum(x))
    before = Term(known.sum(others[0] if others else 2 * x))
    return known.scheme(Coded(bits), [Context((left,)), Context((before,)), Context((left, before))])


def _extrapolations(strides: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the axes along which simple predictions go on."""
    x, *others = strides
    if not others:
        return [(x,), (x, x)]
    y = others[0]
    if len(others) == 1:
        return [(x, y), (x,), (y,)]
    z = others[1]
    return [(x, y, z), (x, z), (y, z), (x, y)]


@dataclass
class _Features:
    """The features of a scheme, each of them once."""

    found: list[Feature] = field(default_factory=list)

    def add(self, feature: Feature) -> int:
        """Return the place of a feature."""
        if feature not in self.found:
            self.found.append(feature)
        return self.found.index(feature)

    def sum(self, lag: int) -> int:
        """Return the neighbour that is so far before."""
        return self.add(Feature.sum(Tap(0, lag)))

    def column(self) -> int:
        """Return the column, which is the last side, and here the only one."""
        return self.add(Feature.sum(Tap(1, 0)))

    def difference(self, one: int, other: int) -> int:
        """Return by how much a feature is larger than another."""
        return self.add(Feature.combination((one, 1), (other, -1)))

    def extrapolation(self, *axes: int) -> int:
        """Return what follows if the change along each of some axes is the same as that beside it."""
        factors = {0: -1}
        for stride in axes:
            moved = {lag + stride: -factor for lag, factor in factors.items()}
            factors = {lag: factors.get(lag, 0) + moved.get(lag, 0) for lag in sorted({*factors, *moved})}
        return self.add(Feature.sum(*(Tap(0, lag, factor) for lag, factor in factors.items() if lag and factor)))

    def spreads(self, strides: Sequence[int]) -> tuple[int, int]:
        """Return how far neighbours of a number differ within the plane, and how far along what was before it."""
        x, *others = strides
        if not others:
            return self._spread((x, 2 * x)), self._spread((x, 3 * x), (2 * x, 3 * x))
        y = others[0]
        right = max(1, y - x)
        across = self._spread((x, x + y), (y, x + y), (y, right))
        if len(others) == 1:
            return across, self._spread((x, 2 * x), (y, 2 * y), (right, y + right))
        z = others[1]
        return across, self._spread((x, x + z), (y, y + z), (right, right + z))

    def _spread(self, *pairs: tuple[int, int]) -> int:
        return self.add(Feature.spread(*((self.sum(one), self.sum(other)) for one, other in pairs)))

    def scheme(
        self,
        coded: Coded,
        contexts: Sequence[Context],
        selectors: Sequence[Selector] = (),
        *,
        around: int | None = None,
    ) -> Scheme:
        """Return the scheme of these features; a context that stands twice stands once."""
        table = SMALL_TABLE if all(context.near is not None for context in contexts) else LARGE_TABLE
        return Scheme(
            coded.bits,
            tuple(self.found),
            tuple(dict.fromkeys(contexts)),
            tuple(selectors),
            table,
            around,
            coded.step,
            coded.raw,
        )

"""How whole numbers of codes are predicted: rules that are part of the format, of few parameters that stand in a file.

Two ways. *Apart*, each unit is a sequence of its own, predicted from the units before it, between which least squares
finds what depends on what: best where there are many records. *Together*, all units are one sequence, record by record,
and learn from each other how numbers of about their spread are distributed: best where there are few.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.coding.scheme import Context, Feature, Scheme, Selector, Tap, Term, logarithmic

__all__ = ["SIDES", "apart", "together"]

SIDES = 16  # earlier units that one is predicted from, at most
COARSE = 3  # highest bits of a number that a context sees


def apart(bits: int, width: int, count: int, sides: Sequence[int], *, ordered: bool) -> Scheme:
    """Return how one unit is predicted from earlier ones, its sides.

    Parameters
    ----------
    bits : int
        Of its numbers, which are not negative.
    width : int
        Numbers in a row of its map; 1 where there is none.
    count : int
        Numbers in all.
    sides : sequence of int
        Bits of each earlier unit.
    ordered : bool
        Whether numbers near each other mean the like.
    """
    return _Builder(bits, count, ordered=ordered).apart(width, sides)


def together(bits: int, width: int, places: int, units: int, count: int, *, ordered: bool) -> Scheme:
    """Return how all units are predicted as one sequence.

    Sides are, for each number, its unit, the bits of that, and the number that stands for zero.

    Parameters
    ----------
    bits : int
        Of the widest unit.
    width, places : int
        Numbers in a row of a map, and in all of it; 1 where there are none.
    units : int
    count : int
        Numbers in all.
    ordered : bool
        Whether numbers near each other mean the like.
    """
    return _Builder(bits, count, ordered=ordered).together(width, places, units)


class _Builder:
    """Features and contexts as they come together."""

    def __init__(self, bits: int, count: int, *, ordered: bool) -> None:
        self.bits, self.count, self.ordered = bits, count, ordered
        self.features: dict[Feature, int] = {}
        self.contexts: dict[Context, None] = {}

    def apart(self, width: int, sides: Sequence[int]) -> Scheme:
        own = self._of_map(width)
        self._add()
        for number, bits in enumerate(sides[:4], 1):
            seen = Term(self._sum(Tap(number, 0)), max(0, bits - COARSE) if self.ordered else 0)
            self._add(seen)
            if own:
                self._add(seen, Term(own[0]))
        if len(sides) > 1:
            pair = [Term(self._sum(Tap(k, 0)), max(0, sides[k - 1] - 2) if self.ordered else 0) for k in (1, 2)]
            self._add(*pair)
        if self.ordered:
            taps = [Tap(0, lag) for lag in _lags(width)] + [Tap(k, 0) for k in range(1, len(sides) + 1)]
            self._add_near(own, taps)
        return self._scheme(self._energy(own))

    def together(self, width: int, places: int, units: int) -> Scheme:
        unit, spread, middle = (self._sum(Tap(side, 0)) for side in (1, 2, 3))
        own = self._of_map(width)
        self._add(Term(spread))
        self._add(Term(unit))
        before = self._sum(Tap(0, places * units))
        self._add(Term(unit), Term(before))
        if units > 1:
            other = self._sum(Tap(0, places))
            self._add(Term(unit), Term(other))
        for context in ([Term(unit)], [Term(spread)]):
            for neighbour in own[:2]:
                self._add(*context, Term(neighbour))
        if self.ordered:
            self._add(Term(spread), near=middle)
            self._add(Term(unit), near=middle)
            self._add(Term(spread), near=before)
            for neighbour in own:
                self._add(Term(spread), near=neighbour)
        return self._scheme(Selector(Term(spread), 32))

    def _of_map(self, width: int) -> list[int]:
        """Return what a map tells of a number from those before it; nothing of a code that is none."""
        if width == 1:
            return []
        left, above, corner = (Tap(0, lag) for lag in (1, width, width + 1))
        found = [self._sum(left), self._sum(above)]
        for count in (1, 2):
            self._add(*[Term(feature) for feature in found[:count]])
        self._add(Term(found[1]))
        return [*found, self._feature(Feature.median(left, above, corner))] if self.ordered else found

    def _add_near(self, own: Sequence[int], taps: Sequence[Tap]) -> None:
        for feature in own:
            self._add(near=feature)
        zero = self._feature(Feature.sum())
        self._add(near=zero)
        if len(taps) > 1:
            line = self._feature(Feature.regression(*taps, horizon=20_000, interval=4, ridge=14, centred=False))
            self._add(near=line)
            quick = self._feature(Feature.regression(*taps, horizon=800, interval=4, ridge=7, centred=False))
            self._add(near=quick)
            self._add(Term(quick, max(0, self.bits - COARSE)), near=line)

    def _energy(self, own: Sequence[int]) -> Selector | None:
        """Return weights by how far neighbours are from each other, where there are any."""
        if not (self.ordered and len(own) > 1):
            return None
        spread = self._feature(Feature.spread((own[0], own[1]), (own[1], own[2])))
        self._add(Term(spread, logarithmic(1)), near=own[2])
        return Selector(Term(spread, logarithmic(0)), 24)

    def _scheme(self, selector: Selector | None) -> Scheme:
        wanted = self.count * len(self.contexts) * -(-self.bits // 4) // 16
        table = min(max(wanted.bit_length(), 8), 18)
        selectors = () if selector is None else (selector,)
        return Scheme(self.bits, tuple(self.features), tuple(self.contexts), selectors, table)

    def _add(self, *terms: Term, near: int | None = None) -> None:
        self.contexts.setdefault(Context(tuple(terms), near))

    def _sum(self, *taps: Tap) -> int:
        return self._feature(Feature.sum(*taps))

    def _feature(self, feature: Feature) -> int:
        return self.features.setdefault(feature, len(self.features))


def _lags(width: int) -> tuple[int, ...]:
    """Return how far before a number those are that least squares predict it from."""
    return (1,) if width == 1 else (1, width, width + 1, width - 1) if width > 2 else (1, width)

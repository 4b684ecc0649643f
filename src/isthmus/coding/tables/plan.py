"""What each plane of a table is coded with: a few numbers in the file, from which its scheme follows.

A plane is coded after those that tell something of it, all of whose values a decoder then has. The plan names the
combinations of earlier planes that are worth it; all else of a scheme follows by the rules that stand here, which are
part of the format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from isthmus.coding.container import Source, varint
from isthmus.coding.scheme import CONTEXTS_LIMIT, Context, Feature, Scheme, Selector, Tap, Term, logarithmic
from isthmus.coding.tables.order import COARSE, FINE
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.planes import Form

__all__ = ["LONGEST_PIECE", "Plan", "Width", "scheme_of"]

LONGEST_PIECE = 22  # bits of a plane that are coded at once
WIDE = 64  # size from which ordered planes are predicted as numbers
REGRESSORS = 10  # planes in a regression, at most
DIFFERENCES = 8  # planes whose steps from row to row are looked at, at most
COMBINED, MOST, LOOKED_AT = 7, 40, 64  # planes in one context, such contexts, planes in all of them, at most
WIDTHS = (64, FINE, COARSE)  # highest bits of a plane that a context sees
SELECTED = 5  # highest bits of the plane that weights are selected by

Width = tuple[
    int, int
]  # an earlier plane, by its place in the order, and how much is seen of it, by its place in WIDTHS


@dataclass(frozen=True)
class Plan:
    """What a plane is coded with.

    Parameters
    ----------
    told : tuple of tuple of (int, int)
        Combinations of earlier planes, the best first: of each its place in the order, and how much of it is seen.
    window : int, default=0
        Bits in which is coded how far a number is from the one that is predicted; 0 codes the number itself. Where
        numbers change little from row to row, fewer bits are sooner coded.
    """

    told: tuple[tuple[Width, ...], ...]
    window: int = 0

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        found = varint(self.window) + varint(len(self.told))
        for combination in self.told:
            found += varint(len(combination))
            found += b"".join(varint(plane * len(WIDTHS) + width) for plane, width in combination)
        return found

    @classmethod
    def read(cls, source: Source, earlier: int) -> Self:
        """Return what :meth:`to_bytes` wrote, of a plane that follows so many others."""
        window = at_most(source, LONGEST_PIECE, "bits of a window")
        told = []
        for _ in range(at_most(source, MOST, "contexts of a column")):
            terms = []
            for _ in range(at_most(source, COMBINED, "columns in a context")):
                plane, width = divmod(at_most(source, len(WIDTHS) * max(earlier, 1) - 1, "columns"), len(WIDTHS))
                if plane >= earlier:
                    raise source.damaged("a column of it follows from one behind it")
                terms.append((plane, width))
            told.append(tuple(terms))
        found = cls(tuple(told), window)
        if len(found.planes) > LOOKED_AT:
            raise source.damaged("a column of it follows from too many")
        return found

    @property
    def planes(self) -> list[int]:
        """The earlier planes that it looks at, the most telling first."""
        return list(dict.fromkeys(plane for combination in self.told for plane, _ in combination))


def bits_of(form: Form) -> int:
    """Return the bits of a plane's values."""
    return (form.size - 1).bit_length()


def scheme_of(plan: Plan, form: Form, forms: Mapping[int, Form], rows: int) -> Scheme:
    """Return how a plane is predicted; its sides are the planes of the plan.

    Parameters
    ----------
    plan : Plan
        What was chosen for it.
    form : Form
        Its own.
    forms : mapping of int to Form
        Of the planes that the plan names, by their place in the order.
    rows : int
        Of the group.
    """
    return _Builder(plan, form, forms).scheme(rows)


class _Builder:
    """Features and contexts as they come together."""

    def __init__(self, plan: Plan, form: Form, forms: Mapping[int, Form]) -> None:
        self.plan, self.form, self.forms = plan, form, forms
        self.sides = {plane: number for number, plane in enumerate(plan.planes, 1)}
        self.features: dict[Feature, int] = {}
        self.contexts: dict[Context, None] = {}

    def scheme(self, rows: int) -> Scheme:
        """Return the scheme."""
        own = [self._own(lag) for lag in (1, 2, 3)]
        self.centre = own[0]
        for count in range(4):
            self._add(*[Term(feature) for feature in own[:count]])
        if self.form.ordered and self.form.size > WIDE:
            self._add_near(own)
        for combination in self.plan.told:
            self._add(*[self._seen(plane, width) for plane, width in combination])
        if self.plan.told:
            best = [self._seen(plane, width) for plane, width in self.plan.told[0]]
            self._add(*best, Term(own[0]))
        contexts = tuple(self.contexts)[:CONTEXTS_LIMIT]
        selectors = self._selectors()
        bits = self.plan.window or bits_of(self.form)
        table = table_bits(rows, bits, len(contexts))
        around = self.centre if self.plan.window else None
        return Scheme(bits, tuple(self.features), contexts, selectors, table, around)

    def _add_near(self, own: Sequence[int]) -> None:
        """Add what a number tells of its neighbours on the scale: of the rows before, and of other columns' numbers."""
        zero, mean = self._feature(Feature.sum()), self._feature(Feature.sum(Tap(0, 1), Tap(0, 2), shift=1))
        for near in (own[0], mean, own[1], zero):
            self._add(near=near)
        steps = [self._feature(Feature.sum(Tap(0, lag), Tap(0, lag + 1, -1))) for lag in range(1, 4)]
        for count in range(1, 4):
            self._add(*[Term(step) for step in steps[:count]], near=own[0])
        numbers = [plane for plane in self.sides if self.forms[plane].ordered and self.forms[plane].size > WIDE]
        if numbers:
            taps = [Tap(0, 1), Tap(0, 2)]
            taps += [Tap(self.sides[plane], lag) for plane in numbers[:REGRESSORS] for lag in (0, 1)]
            line = self._feature(Feature.regression(*taps, horizon=2000, interval=8, centred=False))
            self._add(near=line)
            self._add(self._seen(numbers[0], 2), near=line)
            self._add(self._seen(next(iter(self.sides)), 2), near=line)
        for plane in numbers[:DIFFERENCES]:
            side = self.sides[plane]
            step = self._feature(Feature.sum(Tap(side, 0), Tap(side, 1, -1)))
            self._add(Term(step, logarithmic(1)), near=own[0])
        for plane in list(self.sides)[:DIFFERENCES]:
            self._add(self._seen(plane, 2), near=zero)
        if self.plan.told:
            self._add(*[self._seen(plane, 2) for plane, _ in self.plan.told[0]], near=zero)

    def _selectors(self) -> tuple[Selector, ...]:
        """Return by what weights are selected: the plane that tells most."""
        if not self.plan.told:
            return ()
        plane = self.plan.told[0][0][0]
        shift = max(0, bits_of(self.forms[plane]) - SELECTED)
        return (Selector(Term(self._side(plane), shift), 1 << SELECTED),)

    def _add(self, *terms: Term, near: int | None = None) -> None:
        self.contexts.setdefault(Context(tuple(terms), near))

    def _feature(self, feature: Feature) -> int:
        return self.features.setdefault(feature, len(self.features))

    def _own(self, lag: int) -> int:
        return self._feature(Feature.sum(Tap(0, lag)))

    def _side(self, plane: int) -> int:
        return self._feature(Feature.sum(Tap(self.sides[plane], 0)))

    def _seen(self, plane: int, width: int) -> Term:
        """Return an earlier plane, of which the highest bits are seen where it is ordered."""
        form = self.forms[plane]
        return Term(self._side(plane), max(0, bits_of(form) - WIDTHS[width]) if form.ordered else 0)


def table_bits(rows: int, bits: int, contexts: int) -> int:
    """Return the size of the tables for so many values: log2 of slots."""
    wanted = rows * contexts * -(-bits // 4) // 16
    return min(max(wanted.bit_length(), 8), 19)

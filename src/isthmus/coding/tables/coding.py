"""The planes of a group of rows as payloads and back: their order and plans, then each by a coder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.contents import THREADS, side_by_side
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.order import Ranked, ranked
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.plan import LONGEST_PIECE, MOST, WIDTHS, Plan, Width, bits_of, scheme_of
from isthmus.coding.tables.planes import Form, Integers, Plane
from isthmus.coding.values import ValueCoder

__all__ = ["DESCRIPTION_LIMIT", "coded_planes", "decoded_planes", "sizes_of_planes"]

KEPT, ALIKE = 12, 2  # contexts of earlier planes that are kept; of the same planes
COST = 24, 8  # bits that a context has to save before it is worth naming: at all, and for each plane in it
DESCRIPTION_LIMIT = 1 << 26
INSIDE, SPARED = 0.999, 3  # share of steps that fall into a window; bits that it has to spare

Values = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The planes of a table in one row, those with more bits than are coded at once in several."""

    forms: list[Form]
    lowest: list[int]  # of each plane here, how many bits are below it in its plane there
    columns: list[list[list[int]]]  # of each column, of each of its planes, its planes here

    @classmethod
    def of(cls, columns: Sequence[Sequence[Form]]) -> Split:
        """Return the planes of columns."""
        forms: list[Form] = []
        lowest: list[int] = []
        places: list[list[list[int]]] = []
        for column in columns:
            own: list[list[int]] = []
            for form in column:
                where = None if form.where is None else own[form.where][0]
                own.append(list(range(len(forms), len(forms) + len(_shifts(form)))))
                for shift in _shifts(form):
                    size = min((form.size - 1 >> shift) + 1, 1 << LONGEST_PIECE)
                    ordered = form.ordered and shift == _shifts(form)[0]
                    forms.append(Form(size=size, ordered=ordered, name=form.name, where=where))
                    lowest.append(shift)
            places.append(own)
        return cls(forms, lowest, places)

    def cut(self, columns: Sequence[Sequence[Plane]]) -> list[Values]:
        """Return the values of the planes here."""
        found: list[Values] = []
        for column in columns:
            for plane in column:
                wide = plane.values.astype(np.int64)
                for shift in _shifts(plane):
                    part = wide >> shift
                    found.append(part & (1 << LONGEST_PIECE) - 1 if shift != _shifts(plane)[0] else part)
        return found

    def joined(self, values: Sequence[Values]) -> list[list[Integers]]:
        """Return the values of the planes of columns."""
        return [
            [sum((values[k] << self.lowest[k] for k in parts), np.zeros(1, np.int64)) for parts in column]
            for column in self.columns
        ]


def _shifts(form: Form) -> list[int]:
    """Return how many bits are below each part of a plane, from the highest."""
    return list(range(0, max(bits_of(form), 1), LONGEST_PIECE))[::-1]


def coded_planes(columns: Sequence[Sequence[Plane]], threads: int = THREADS) -> bytes:
    """Return the planes of columns: the order and the plans, then the payload of each."""
    split = Split.of(columns)
    values = split.cut(columns)
    # What says where another has values keeps its place; the others are ranked alone.
    planes = [replace(form, where=None).filled(v) for form, v in zip(split.forms, values, strict=True)]
    order = _following(ranked([[plane] for plane in planes]), split.forms)
    plans = [_plan(one, order, split.forms, values[one.plane]) for one in order]
    head = b"".join(varint(one.plane) + plan.to_bytes() for one, plan in zip(order, plans, strict=True))
    coders = [
        _PlaneCoder(split.forms, [r.plane for r in order[:step]], values, one.plane, plan)
        for step, (one, plan) in enumerate(zip(order, plans, strict=True))
    ]
    payloads = side_by_side(coders, _PlaneCoder.encode, threads)
    return packed(head) + b"".join(varint(len(payload)) + payload for payload in payloads)


def decoded_planes(source: Source, columns: Sequence[Sequence[Form]], rows: int) -> list[list[Integers]]:
    """Return the values of each column's planes."""
    split = Split.of(columns)
    count = len(split.forms)
    head = Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name)
    order: list[int] = []
    plans = []
    for step in range(count):
        plane = at_most(head, count - 1, "planes")
        if plane in order:
            raise source.damaged("a column stands twice in its order")
        order.append(plane)
        plans.append(Plan.read(head, step))
    values = [np.zeros(rows, np.int64) for _ in range(count)]
    coders, payloads = [], []
    for step, plan in enumerate(plans):
        where = split.forms[order[step]].where
        if where is not None and where not in order[:step]:
            raise source.damaged("a column of it comes before the one that says where it has values")
        coders.append(_PlaneCoder(split.forms, order[:step], values, order[step], plan))
        payloads.append(source.take(source.varint()))
    _decode_as_told(coders, payloads)
    return split.joined(values)


def sizes_of_planes(source: Source, columns: Sequence[Sequence[Form]]) -> list[int]:
    """Return the bytes that the planes of each column take in what :func:`coded_planes` wrote."""
    column_of = [number for number, forms in enumerate(columns) for form in forms for _ in _shifts(form)]
    head = Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name)
    found = [0] * len(columns)
    for step in range(len(column_of)):
        plane = at_most(head, len(column_of) - 1, "planes")
        Plan.read(head, step)
        size = source.varint()
        source.seek(source.position + size)
        found[column_of[plane]] += size
    return found


def _decode_as_told(coders: Sequence[_PlaneCoder], payloads: Sequence[bytes]) -> None:
    """Decode planes, side by side where one does not need the other."""
    done: dict[int, Future[None]] = {}

    def decoded(coder: _PlaneCoder, payload: bytes) -> None:
        for plane in coder.needed:
            done[plane].result()
        coder.decode(payload)

    # A plane waits only for some that were begun before it, so there is always one that goes on.
    with ThreadPoolExecutor(THREADS) as pool:
        for coder, payload in zip(coders, payloads, strict=True):
            done[coder.plane] = pool.submit(decoded, coder, payload)
    for waited in done.values():
        waited.result()


class _PlaneCoder:
    """One plane with those that came before it."""

    def __init__(
        self, forms: Sequence[Form], earlier: Sequence[int], values: Sequence[Values], plane: int, plan: Plan
    ) -> None:
        self.plane, self.form, self._values = plane, forms[plane], values
        self._plan, self._forms = plan, [forms[k] for k in earlier]
        self._sides = [earlier[k] for k in plan.planes]

    @property
    def needed(self) -> list[int]:
        """The planes that have to be known before."""
        return self._sides if self.form.where is None else [*self._sides, self.form.where]

    def encode(self) -> bytes:
        """Return the payload; none where the plane can have one value only, or no row has one."""
        rows, coder, sides = self._prepared()
        return coder.encode(np.array(self._values[self.plane][rows]), sides) if coder else b""

    def decode(self, payload: bytes) -> None:
        """Fill in the values."""
        rows, coder, sides = self._prepared()
        if coder:
            values = self._values[self.plane]
            values[rows] = coder.decode(payload, len(values[rows]), sides)
        elif payload:
            raise ValueError("a payload of a plane that has none")

    def _prepared(self) -> tuple[Any, ValueCoder | None, list[Values]]:
        """Return which rows have a value, and the coder and sides for them."""
        where = self.form.where
        rows = slice(None) if where is None else np.flatnonzero(self._values[where] == 0)
        count = len(self._values[self.plane][rows])
        if self.form.size < 2 or not count:
            return rows, None, []
        scheme = scheme_of(self._plan, self.form, self._forms, count)
        sides = [np.ascontiguousarray(self._values[k][rows]) for k in self._sides]
        return rows, ValueCoder(scheme, len(sides)), sides


def _following(order: Sequence[Ranked], forms: Sequence[Form]) -> list[Ranked]:
    """Return an order in which a plane follows the one that says where it has values."""
    found: list[Ranked] = []
    waiting = list(order)
    while waiting:
        done = {one.plane for one in found}
        ready = next(one for one in waiting if forms[one.plane].where in (None, *done))
        waiting.remove(ready)
        found.append(ready)
    return found


def _plan(one: Ranked, order: Sequence[Ranked], forms: Sequence[Form], values: Values) -> Plan:
    """Return the contexts of a plane that are worth naming, at most some of the same planes."""
    places = {other.plane: place for place, other in enumerate(order)}
    kept: list[tuple[Width, ...]] = []
    alike: dict[tuple[int, ...], int] = {}
    for context in one.contexts:
        fixed, each = COST
        if context.score * len(values) < fixed + each * len(context.terms):
            break
        if any(places[plane] >= places[one.plane] for plane in context.planes):
            continue
        alike[context.planes] = alike.get(context.planes, 0) + 1
        if alike[context.planes] <= ALIKE:
            kept.append(tuple((places[plane], _width(forms[plane], shift)) for plane, shift in context.terms))
    return Plan(tuple(kept[: min(KEPT, MOST)]), _window(forms[one.plane], values))


def _window(form: Form, values: Values) -> int:
    """Return the bits of a window in which nearly all steps from row to row fall; 0 where they save little time."""
    steps = np.abs(np.diff(values))
    bits = int(np.quantile(steps, INSIDE)).bit_length() + 2 if len(steps) and form.ordered else LONGEST_PIECE
    return bits if bits <= bits_of(form) - SPARED else 0


def _width(form: Form, shift: int) -> int:
    """Return how much of a plane is seen if so many bits are left out, as the place in WIDTHS."""
    shifts = [max(0, bits_of(form) - width) if form.ordered else 0 for width in WIDTHS]
    return shifts.index(shift)

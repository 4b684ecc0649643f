"""The planes of a group of rows as payloads and back: their order and plans, then each by a coder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Condition
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

__all__ = [
    "DESCRIPTION_LIMIT",
    "Split",
    "bytes_of_plans",
    "coded_planes",
    "decoded_planes",
    "planned",
    "read_plans",
    "sizes_of_planes",
    "with_values",
]

KEPT, ALIKE = 12, 2  # contexts of earlier planes that are kept; of the same planes
COST = 24, 8  # bits that a context has to save before it is worth naming: at all, and for each plane in it
DESCRIPTION_LIMIT = 1 << 26
SECTIONS, LEAST_ROWS = 4, 1 << 14  # of a group, and its rows from which on it has more than one
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
    """Return the planes of columns: the order and the plans, then the payloads of each."""
    split = Split.of(columns)
    values = split.cut(columns)
    plans = planned(split.forms, values)
    order = list(plans)
    coders = [_PlaneCoder(split.forms, order, values, plane, plan) for plane, plan in plans.items()]
    return packed(bytes_of_plans(plans)) + b"".join(side_by_side(coders, _PlaneCoder.encode, threads))


def planned(forms: Sequence[Form], values: Sequence[Values]) -> dict[int, Plan]:
    """Return the plan of each plane, in the order in which they are best coded."""
    # What says where another has values keeps its place; the others are ranked alone.
    planes = [replace(form, where=None).filled(v) for form, v in zip(forms, values, strict=True)]
    order = _following(ranked([[plane] for plane in planes]), forms)
    places = {one.plane: place for place, one in enumerate(order)}
    return {one.plane: _plan(one, places, forms, values[one.plane]) for one in order}


def bytes_of_plans(plans: Mapping[int, Plan]) -> bytes:
    """Return the order of planes, and their plans."""
    return b"".join(varint(plane) + plan.to_bytes() for plane, plan in plans.items())


def read_plans(head: Source, forms: Sequence[Form]) -> dict[int, Plan]:
    """Return what :func:`bytes_of_plans` wrote of planes, to the end of a source.

    Raises
    ------
    ArtifactError
        It is none.
    """
    plans: dict[int, Plan] = {}
    for step in range(len(forms)):
        plane = at_most(head, len(forms) - 1, "planes")
        if plane in plans:
            raise head.damaged("a column stands twice in its order")
        where = forms[plane].where
        if where is not None and where not in plans:
            raise head.damaged("a column of it comes before the one that says where it has values")
        plans[plane] = Plan.read(head, step)
    if head.up_to(1):
        raise head.damaged("more follows its plans")
    return plans


def decoded_planes(source: Source, columns: Sequence[Sequence[Form]], rows: int) -> list[list[Integers]]:
    """Return the values of each column's planes."""
    split = Split.of(columns)
    plans = read_plans(Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name), split.forms)
    values = [np.zeros(rows, np.int64) for _ in split.forms]
    order = list(plans)
    coders = [_PlaneCoder(split.forms, order, values, plane, plan) for plane, plan in plans.items()]
    payloads = [[source.take(source.varint()) for _ in sections(rows)] for _ in coders]
    _Decoding(coders, payloads).run()
    return split.joined(values)


def sections(rows: int) -> list[slice]:
    """Return the rows of a group in sections: a plane's next one is decoded while another plane's last one is."""
    count = SECTIONS if rows >= LEAST_ROWS else 1
    return [slice(rows * k // count, rows * (k + 1) // count) for k in range(count)]


def sizes_of_planes(source: Source, columns: Sequence[Sequence[Form]], rows: int) -> list[int]:
    """Return the bytes that the planes of each column take in what :func:`coded_planes` wrote."""
    column_of = [number for number, forms in enumerate(columns) for form in forms for _ in _shifts(form)]
    head = Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name)
    found = [0] * len(columns)
    for step in range(len(column_of)):
        plane = at_most(head, len(column_of) - 1, "planes")
        Plan.read(head, step)
        for _ in sections(rows):
            size = source.varint()
            source.seek(source.position + size)
            found[column_of[plane]] += size
    return found


class _Decoding:
    """Decodes the sections of planes in threads, each as soon as what it needs is known.

    Parameters
    ----------
    coders : sequence of _PlaneCoder
        In their order.
    payloads : sequence of sequence of bytes
        Of each, by section.
    """

    def __init__(self, coders: Sequence[_PlaneCoder], payloads: Sequence[Sequence[bytes]]) -> None:
        self._coders, self._payloads = coders, payloads
        self._step = {coder.plane: step for step, coder in enumerate(coders)}
        # Along diagonals, so that few planes, which have much memory each, are begun and not ended.
        tasks = ((step, section) for step, parts in enumerate(payloads) for section in range(len(parts)))
        self._waiting = sorted(tasks, key=lambda task: (sum(task), task))
        self._done: set[tuple[int, int]] = set()
        self._changed = Condition()

    def run(self) -> None:
        """Decode all; what is wrong with one ends it."""
        with ThreadPoolExecutor(THREADS) as pool:
            workers = [pool.submit(self._work) for _ in range(THREADS)]
            try:
                for worker in workers:
                    worker.result()
            except BaseException:
                self._leave()
                raise

    def _work(self) -> None:
        """Decode sections until none waits."""
        while task := self._next():
            step, section = task
            try:
                self._coders[step].decode(section, self._payloads[step][section])
            except BaseException:
                self._leave()
                raise
            with self._changed:
                self._done.add(task)
                self._changed.notify_all()

    def _next(self) -> tuple[int, int] | None:
        """Return a section that can be decoded, once there is one; None where all are done, or will be."""
        with self._changed:
            while self._waiting:
                ready = next(filter(self._is_ready, self._waiting), None)
                if ready:
                    self._waiting.remove(ready)
                    return ready
                self._changed.wait()
        return None

    def _is_ready(self, task: tuple[int, int]) -> bool:
        step, section = task
        needed = [(self._step[plane], section) for plane in self._coders[step].needed]
        return self._done.issuperset(needed) and (section == 0 or (step, section - 1) in self._done)

    def _leave(self) -> None:
        """Begin nothing further."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()


class _PlaneCoder:
    """One plane with those that came before it."""

    def __init__(
        self, forms: Sequence[Form], order: Sequence[int], values: Sequence[Values], plane: int, plan: Plan
    ) -> None:
        self.plane, self._form, self._values, self._plan = plane, forms[plane], values, plan
        self._sides = [order[place] for place in plan.planes]
        self._forms = {place: forms[order[place]] for place in plan.planes}
        self._sections = sections(len(values[plane]))
        self._coder: ValueCoder | None = None

    @property
    def needed(self) -> list[int]:
        """The planes that have to be known before."""
        return self._sides if self._form.where is None else [*self._sides, self._form.where]

    def encode(self) -> bytes:
        """Return the payload of each section behind its size; of one in which nothing has to be said an empty one."""
        coder, found = self._made(), []
        for rows in map(self._rows, self._sections):
            values = np.array(self._values[self.plane][rows])
            payload = coder.encode(values, self._sides_at(rows)) if coder and len(values) else b""
            found.append(varint(len(payload)) + payload)
        return b"".join(found)

    def decode(self, section: int, payload: bytes) -> None:
        """Fill in the values of a section; those before it are there."""
        if section == 0:
            self._coder = self._made()
        rows, values = self._rows(self._sections[section]), self._values[self.plane]
        count = len(values[rows])
        if self._coder and count:
            values[rows] = self._coder.decode(payload, count, self._sides_at(rows))
        elif payload:
            raise ValueError("a payload of a plane that has none")
        if section == len(self._sections) - 1:
            self._coder = None  # it has much memory

    def _made(self) -> ValueCoder | None:
        """Return a new coder; None where the plane can have one value only."""
        if self._form.size < 2:
            return None
        scheme = scheme_of(self._plan, self._form, self._forms, len(self._values[self.plane]))
        return ValueCoder(scheme, len(self._sides))

    def _rows(self, section: slice) -> Any:
        """Return the rows of a section that have a value."""
        return with_values(self._form, self._values, section)

    def _sides_at(self, rows: Any) -> list[Values]:
        return [np.ascontiguousarray(self._values[k][rows]) for k in self._sides]


def with_values(form: Form, values: Sequence[Values] | Mapping[int, Values], section: slice) -> Any:
    """Return the rows of a section in which a plane has a value: the section, or their numbers."""
    if form.where is None:
        return section
    return section.start + np.flatnonzero(values[form.where][section] == 0)


def _following(order: Sequence[Ranked], forms: Sequence[Form]) -> list[Ranked]:
    """Return an order in which a plane follows the one that says where it has values."""
    found: dict[int, Ranked] = {}
    waiting: dict[int, list[Ranked]] = {}  # by the plane that has to come first
    for one in order:
        where = forms[one.plane].where
        if where is None or where in found:
            found[one.plane] = one
            found |= {other.plane: other for other in waiting.pop(one.plane, [])}
        else:
            waiting.setdefault(where, []).append(one)
    return list(found.values())


def _plan(one: Ranked, places: Mapping[int, int], forms: Sequence[Form], values: Values) -> Plan:
    """Return the contexts of a plane that are worth naming, by places in the order; at most some of the same planes."""
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

"""Groups of rows as pieces of a stream: the description, the texts, and each plane by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.contents import TABLE, THREADS, Piece, Work, side_by_side
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.layout import MOST_BYTES, Layout
from isthmus.coding.tables.order import Ranked, ranked
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.plan import LONGEST_PIECE, MOST, WIDTHS, Plan, Width, bits_of, scheme_of
from isthmus.coding.tables.planes import Form, Integers, Plane
from isthmus.coding.tables.quoting import unquoted
from isthmus.coding.tables.rows import Rows, Stretch, rows_of_groups
from isthmus.coding.values import ValueCoder

__all__ = ["Described", "TextTable", "described"]

BYTES, ROWS = 0, 1  # what a piece is
UNITS_LIMIT = 1 << 24
KEPT, ALIKE = 12, 2  # contexts of earlier planes that are kept; of the same planes
COST = 24, 8  # bits that a context has to save before it is worth naming: at all, and for each plane in it
DESCRIPTION_LIMIT = 1 << 26
INSIDE, SPARED = 0.999, 3  # share of steps that fall into a window; bits that it has to spare

Values = NDArray[np.int64]


class TextTable:
    """A table in a text file, such as CSV, as a content of a stream.

    Parameters
    ----------
    file : binary file
        Read from where it stands to its end, group by group.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """

    number, fingerprint, at_once = TABLE, None, 1

    def __init__(self, file: BinaryIO, *, prior: bool = True, threads: int = THREADS) -> None:
        self._file, self._prior, self._threads = file, prior, threads

    def description(self) -> bytes:
        """Return nothing: each piece describes itself."""
        return b""

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces."""
        for rows in rows_of_groups(self._file):
            yield RowsWork(rows, self._prior, self._threads)


@dataclass(frozen=True)
class RowsWork:
    """Makes a piece of rows: planes and texts by column; of bytes that are no table, these.

    Parameters
    ----------
    rows : Rows
        What it is made of.
    prior : bool, default=True
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """

    rows: Rows
    prior: bool = True
    threads: int = THREADS

    @property
    def bytes(self) -> int:
        """Of its data."""
        return len(self.rows.data)

    def __call__(self) -> Piece:
        """Return the piece."""
        data, group, prior = self.rows.data, self.rows.group(), self.prior
        if isinstance(group, Stretch):
            lines = min(data.count(b"\n"), UNITS_LIMIT)
            return Piece(lines, data, varint(BYTES) + packed(data, prior=prior), group.why)
        lengths = b"".join(varint(len(text)) for text in group.texts)
        parts = [varint(ROWS), packed(group.layout.to_bytes(), prior=prior), packed(lengths)]
        parts += [packed(b"".join(group.texts), prior=prior), coded_planes(group.planes, self.threads)]
        return Piece(group.layout.n_rows, data, b"".join(parts))


class _Parts:
    """What stands in a piece of rows before its planes, read from a source that is left there.

    Parameters
    ----------
    source : Source
        Behind the kind of the piece.
    """

    def __init__(self, source: Source) -> None:
        self.layout = Layout.read(Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name))
        lengths = Source.of(unpacked(source, 10 * len(self.layout.columns)), source.name)
        self.sizes = [at_most(lengths, MOST_BYTES, "bytes of text") for _ in self.layout.columns]
        before = source.position
        self.text = unpacked(source, MOST_BYTES)
        self.text_size = source.position - before  # as it stands there
        if len(self.text) != sum(self.sizes) or lengths.up_to(1):
            raise source.damaged("its texts have other lengths")

    def texts(self) -> list[bytes]:
        """Return the text of each column."""
        joined = Source.of(self.text, "the texts")
        return [joined.take(size) for size in self.sizes]


DESCRIPTION, NO_TABLE = "description of the columns", "rows that are no table"


class Described:
    """A text table that is read."""

    kind, unit, at_once = "table", "row", 1

    def __init__(self) -> None:
        self._names: list[str] = []  # of the columns; only the first group has them

    def data(self, units: int, payload: bytes) -> bytes:
        """Return the text of a group of rows."""
        source = Source.of(payload, "the table")
        if at_most(source, ROWS, "kinds of pieces") == BYTES:
            data = unpacked(source, MOST_BYTES)
        else:
            parts = _Parts(source)
            if parts.layout.n_rows != units:
                raise source.damaged("a group of rows has another number of them")
            planes = decoded_planes(source, parts.layout.forms, units)
            data = parts.layout.restored(planes, parts.texts(), source.name)
        if source.up_to(1):
            raise source.damaged("more follows the last of its columns")
        return data

    def costs(self, payload: bytes) -> dict[str, int]:
        """Return the bytes of a payload by column; what all columns share stands under a name of its own."""
        source = Source.of(payload, "the table")
        if at_most(source, ROWS, "kinds of pieces") == BYTES:
            return {NO_TABLE: len(payload)}
        parts = _Parts(source)
        layout = parts.layout
        found = [parts.text_size * size // max(len(parts.text), 1) for size in parts.sizes]
        column_of = [number for number, forms in enumerate(layout.forms) for form in forms for _ in _shifts(form)]
        for plane, size in _sizes_of_planes(source, len(column_of)):
            found[column_of[plane]] += size
        self._names = self._names or _shown_names(layout)
        names = self._names if len(self._names) == len(found) else _numbered(len(found))
        return {DESCRIPTION: len(payload) - sum(found), **dict(zip(names, found, strict=True))}

    def as_file(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the file."""
        return pieces


def _sizes_of_planes(source: Source, count: int) -> Iterator[tuple[int, int]]:
    """Yield the planes in the order in which they are coded, and the bytes of their payloads."""
    head = Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name)
    for step in range(count):
        plane = at_most(head, count - 1, "planes")
        Plan.read(head, step)
        size = source.varint()
        source.seek(source.position + size)
        yield plane, size


def _numbered(count: int) -> list[str]:
    return [f"column {place + 1}" for place in range(count)]


def _shown_names(layout: Layout) -> list[str]:
    """Return a name for each column, no two the same: as it is written, without quotes; its place where it has none."""
    places, quote = _numbered(len(layout.columns)), layout.dialect.quote
    found: list[str] = []
    for name, place in zip(layout.names or [b""] * len(places), places, strict=True):
        inner = unquoted(name, quote) if quote else None
        shown = (name if inner is None else inner).decode("utf-8", "replace").strip() or place
        found.append(f"{shown} ({place})" if shown in (*found, DESCRIPTION, NO_TABLE) else shown)
    return found


def described(source: Source, model: object = None) -> Described:
    """Return the table that a description in a file tells of."""
    return Described()


# ---------------------------------------------------------------------- planes


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

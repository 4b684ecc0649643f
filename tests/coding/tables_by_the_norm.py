"""A decoder of tables that was written from docs/format.md alone, with the modules that it names as the norm.

It reads sound files only. Coders are those of `isthmus.coding.reference`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.coding import reference
from isthmus.coding.coder import table_bits
from isthmus.coding.container import Source
from isthmus.coding.prior import shipped
from isthmus.coding.reference.values import ValueCoder
from isthmus.coding.tables.arrow import ArrowLayout
from isthmus.coding.tables.layout import Layout
from isthmus.coding.tables.plan import Plan, scheme_of
from isthmus.coding.tables.planes import Form

from .by_the_norm import Bytes, crc, fields

Planes = list[list[NDArray[np.int64]]]


def is_table(content: bytes) -> bool:
    """Tell whether a file is a stream of the coder of values, with a table in it."""
    return content[2] & 15 == 8 and fields(content)[0].get(2, b"")[:1] == b"\1"


def table(content: bytes) -> bytes:
    """Return the data of all pieces of a table."""
    found, start = fields(content)
    assert found[4] == bytes([2, 0, 0])
    assert len(found[2]) == 2
    kind = found[2][1]
    place, data, units, places = Bytes(content, start), b"", 0, []
    while True:
        at = place.at
        flags, rows, size, check = place.take(1)[0], place.varint(), place.varint(), place.take(4)
        number = len(places).to_bytes(8, "little")
        assert place.take(2) == crc(number + content[at : place.at - 2], 2)
        payload = place.take(size)
        if flags & 7 == 7:
            break
        assert flags & ~8 == 16
        places.append((at, units, len(places)))
        piece = payload if flags & 8 else [of_text, of_parquet][kind](payload, rows)
        assert crc(piece) == check
        data, units = data + piece, units + rows
    assert (flags, rows, crc(payload)) == (7, len(places), check)
    assert int.from_bytes(place.take(4), "little") == len(content) - at - 4
    assert place.at == len(content)
    end = Bytes(payload)
    assert (end.varint(), end.take(4), end.varint()) == (len(data), crc(data), len(places))
    before = (0, 0, 0)
    for here in places:
        assert tuple(end.varint() for _ in here) == tuple(a - b for a, b in zip(here, before, strict=True))
        before = here
    return data


def part(place: Bytes) -> bytes:
    length, way = divmod(place.varint(), 3)
    if way == 0:
        return place.take(length)
    prior = None if way == 1 else shipped()
    size = place.varint()
    assert size < length
    return reference.Coder(table_bits(length), 1, prior and prior.tensors).decode(place.take(size), length)


def of_text(payload: bytes, rows: int) -> bytes:
    place = Bytes(payload)
    if place.varint() == 0:
        data = part(place)
        assert (place.at, rows) == (len(payload), data.count(b"\n"))
        return data
    layout = Layout.read(Source.of(part(place), "it"))
    texts, values = of_group(place, layout)
    assert layout.n_rows == rows
    return layout.restored(values, texts, "it")


def of_parquet(payload: bytes, rows: int) -> bytes:
    place = Bytes(payload)
    description = part(place)
    layout = ArrowLayout.read(Source.of(description, "it"))
    texts, values = of_group(place, layout)
    assert layout.n_rows == rows
    planes = [
        plane.astype("<i4" if form.size <= 2**31 else "<i8").tobytes()
        for forms, column in zip(layout.forms, values, strict=True)
        for form, plane in zip(forms, column, strict=True)
    ]
    return b"".join(_varint(len(one)) + one for one in [description, *texts, *planes])


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def of_group(place: Bytes, layout: Layout | ArrowLayout) -> tuple[list[bytes], Planes]:
    """Return the texts of columns and the values of planes."""
    lengths, joined = Bytes(part(place)), Bytes(part(place))
    texts = [joined.take(lengths.varint()) for _ in layout.columns]
    parts = [
        (column, plane, shift)
        for column, forms in enumerate(layout.forms)
        for plane, form in enumerate(forms)
        for shift in reversed(range(0, max((form.size - 1).bit_length(), 1), 22))
    ]
    forms = [_form_of_part(layout.forms, parts, number) for number in range(len(parts))]
    rows, head = layout.n_rows, Bytes(part(place))
    source = Source.of(head.content, "it")
    plans: list[tuple[int, Plan]] = []
    for step in range(len(parts)):
        plane = source.varint()
        plans.append((plane, Plan.read(source, step)))
    assert source.position == len(head.content)
    found: dict[int, NDArray[np.int64]] = {}
    for plane, plan in plans:
        order = list(found)
        sides = [order[k] for k in plan.planes]
        known = {place: forms[order[place]] for place in plan.planes}
        scheme = scheme_of(plan, forms[plane], known, rows) if forms[plane].size > 1 else None
        found[plane] = of_plane(place, rows, scheme and ValueCoder(scheme), forms[plane].where, sides, found)
    assert place.at == len(place.content)
    values: Planes = [[np.zeros(rows, np.int64) for _ in forms] for forms in layout.forms]
    for number, (column, plane, shift) in enumerate(parts):
        values[column][plane] += found[number] << shift
    return texts, values


def of_plane(
    place: Bytes,
    rows: int,
    coder: ValueCoder | None,
    where: int | None,
    sides: list[int],
    found: dict[int, NDArray[np.int64]],
) -> NDArray[np.int64]:
    values = np.zeros(rows, np.int64)
    count = 4 if rows >= 2**14 else 1
    for k in range(count):
        those = np.arange(rows * k // count, rows * (k + 1) // count)
        those = those if where is None else those[found[where][those] == 0]
        payload, section = place.take(place.varint()), np.zeros(len(those), np.int64)
        if coder and len(those):
            coder.decode(payload, section, [found[side][those] for side in sides])
        else:
            assert not payload
        values[those] = section
    return values


def _form_of_part(columns: list[list[Form]], parts: list[tuple[int, int, int]], number: int) -> Form:
    column, plane, shift = parts[number]
    form = columns[column][plane]
    is_highest = number == 0 or parts[number - 1][:2] != (column, plane)
    where = None
    if form.where is not None:
        where = next(k for k, one in enumerate(parts) if one[:2] == (column, form.where))
    size = min((form.size - 1 >> shift) + 1, 2**22)
    return Form(size=size, ordered=form.ordered and is_highest, name=form.name, where=where)

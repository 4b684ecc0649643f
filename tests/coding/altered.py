"""Ways to alter compressed files: bytes that are changed, and right checks of what says something wrong."""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from isthmus.coding import archive as archives
from isthmus.coding import contents
from isthmus.coding import stream as streams
from isthmus.coding.chunks import STORED
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import (
    ARCHIVE,
    SMALL_CONTENT,
    SMALL_WITH_MODEL,
    SMALL_WITH_PRIOR,
    STREAM,
    Fields,
    Source,
    check_of,
    first_bytes,
    opened,
    varint,
)
from isthmus.coding.prior import shipped
from isthmus.coding.short import Short
from isthmus.coding.values import ValueCoder, Values

from .samples import Sample

__all__ = ["forged", "mutant"]


def mutant(sample: Sample, rng: random.Random) -> bytes:
    """Return a file in which bytes were changed, left out, put in or swapped, in one to three places."""
    content = bytearray(sample.content)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content) + 1)
        length = min(rng.choice((1, 1, 1, 2, 7, 30)), len(content) - at)
        match rng.randrange(5):
            case 0 if length:
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                content[at : at + length] = rng.randbytes(length)
            case 2:
                del content[at : at + length]
            case 3:
                content[at:at] = rng.randbytes(length)
            case _:
                other = rng.randrange(len(content) + 1)
                content[at : at + length] = content[other : other + length]
    return bytes(content)


def forged(sample: Sample, rng: random.Random) -> bytes:
    """Return a file that says something wrong, with checks that are right."""
    source = Source.of(sample.content, "the sample")
    form = opened(source)
    if form == STREAM and Fields.read(source, STREAM).content is not None:
        return _forged_content(sample, rng)
    forms = {STREAM: _forged_stream, ARCHIVE: _forged_archive, SMALL_CONTENT: _forged_short}
    return forms.get(form, _forged_small)(sample, rng)


def _number(rng: random.Random, near: int = 0) -> int:
    return rng.choice((0, 1, 127, 128, 255, 65_535, 65_536, 2**18, 2**20, 2**24, 2**31, 2**32, 2**63, 2**64 - 1)) + (
        rng.choice((-near, 0, near, rng.randint(-3, 3) % 4))
    )


def _decoded(coder: Coder, payload: bytes, length: int) -> bytes:
    """Return what a decoder makes of a payload, if that is anything."""
    try:
        return coder.decode(payload, min(length, 4096))
    except ValueError:
        return b""


def _altered(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.randint(1, 2) if found else 0):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found[: rng.randint(0, len(found))] if rng.random() < 0.3 else found)


def _forged_small(sample: Sample, rng: random.Random) -> bytes:
    form = sample.content[2] & 15
    start = 12 if form == SMALL_WITH_MODEL else 8
    named = sample.content[8:start] if rng.random() < 0.8 else rng.randbytes(start - 8)
    length = _number(rng) & 0xFFFF if rng.random() < 0.5 else int.from_bytes(sample.content[3:5], "little")
    rest = _altered(sample.content[start:], rng)
    prior = {SMALL_WITH_PRIOR: shipped(), SMALL_WITH_MODEL: sample.model}.get(form)
    data = _decoded(Coder(table_bits(length), prior=prior), rest, length) if form else rest
    head = sample.content[2:3] + length.to_bytes(2, "little")
    return sample.content[:2] + head + check_of(head + named + data, 3) + named + rest


def _forged_fields(form: int, rng: random.Random) -> bytes:
    packed = b""
    tags = [rng.choice((1, 2, 3, 4, 6, 9, 1000)) for _ in range(rng.randint(0, 3))]
    for tag in sorted(tags) if rng.random() < 0.8 else tags:
        value = bytes([rng.choice((0, 1, 1, 2)), rng.choice((1, 1, 2, 3)), rng.choice((0, 12, 14, 22, 23, 255))])
        others = (b"", b"notes.txt", b"../x", b"\xff", rng.randbytes(3), rng.randbytes(16))
        value = value if tag == 4 else rng.choice(others)
        packed += varint(tag) + varint(len(value) if rng.random() < 0.9 else _number(rng)) + value
    first = first_bytes(form) + varint(len(packed) if rng.random() < 0.9 else _number(rng)) + packed
    return first + check_of(first[2:])


def _forged_stream(sample: Sample, rng: random.Random) -> bytes:
    source = Source(io.BytesIO(sample.content), "the sample")
    opened(source)
    fields = Fields.read(source, STREAM)
    content = fields.to_bytes(STREAM) if rng.random() < 0.8 else _forged_fields(STREAM, rng)
    totals, coder = streams.Totals(), fields.coder(prior=fields.found_prior(sample.model, "the sample"))
    while True:
        head = streams.Head.read(source, totals.chunks)
        payload = source.take(head.size)
        if head.kind == streams.END:
            break
        if rng.random() < 0.4:
            payload = _altered(payload, rng)
            head = replace(head, size=len(payload))
            if rng.random() < 0.5:
                head = replace(head, units=max(0, _number(rng, head.units)))
            if rng.random() < 0.3:
                head = replace(head, flags=rng.choice((0, 8, 16, 24, 1, 7, 32, 255)))
            if rng.random() < 0.2:
                head = replace(head, size=max(0, _number(rng)))
        data = payload if head.stored else _decoded(coder, payload, head.units)
        if head.stored:
            coder.learn(data)
        head = replace(head, check=check_of(data))
        position = len(content)
        content += head.to_bytes(totals.chunks) + payload
        totals.add(head, data, position)
        if rng.random() < 0.1:
            break
    if rng.random() < 0.3:
        totals.length = max(0, _number(rng))
    return content + totals.to_bytes()


def _forged_archive(sample: Sample, rng: random.Random) -> bytes:
    file = io.BytesIO(sample.content)
    archive = archives.Archive(file, model=sample.model)
    content = archive.fields.to_bytes(ARCHIVE) if rng.random() < 0.8 else _forged_fields(ARCHIVE, rng)
    members, of_files = [], archive.fields.files is not None
    for member in archive.members:
        blocks, name = [], member.name
        for block in member.blocks:
            file.seek(block.position)
            payload = file.read(block.size)
            if member.is_file and rng.random() < 0.5:
                payload = forged(Sample(name, payload, None, sample.model), rng)
                block = replace(block, size=len(payload), check=check_of(payload))
            elif not member.is_file and rng.random() < 0.3:
                payload = _altered(payload, rng)
                coder = archive.fields.coder(block.length, prior=archive.prior)
                data = payload if block.stored else _decoded(coder, payload, block.length)
                block = replace(block, size=len(payload), check=check_of(data, len(block.check)))
            content += payload
            blocks.append(block)
        if rng.random() < 0.15:
            name = rng.choice(("../x", "/etc/x", "A.TXT", "a.txt", "nul", "a\\b", "", ".", "more", "x\x00y", "C:x"))
        length = max(0, _number(rng, member.length)) if rng.random() < 0.2 else member.length
        form = rng.randrange(4) if of_files and rng.random() < 0.1 else member.form
        members.append(archives.Member(name, length, tuple(blocks), form))
    directory = archives._packed(members, files=of_files)
    if rng.random() < 0.4:
        directory = _altered(directory, rng)
    size, length = len(directory), len(directory)
    if rng.random() < 0.2:
        size, length = _number(rng) % 2**32, _number(rng) % 2**32
    copies = rng.choice((1, 1, 1, 1, 2, 0, 255))
    footer = size.to_bytes(4, "little") + length.to_bytes(4, "little") + check_of(directory) + bytes([copies])
    return content + directory * min(copies, 2) + footer


# ------------------------------------------------------------------ other contents than bytes


class Coded(NamedTuple):
    """A payload within a piece or a description.

    Parameters
    ----------
    payload : bytes
    otherwise : callable
        Returns the payload of data that were altered.
    """

    payload: bytes
    otherwise: Callable[[random.Random], bytes]


def _coded_in(read: Callable[[], object]) -> list[Coded]:
    """Return the payloads that coders decode while something is read."""
    found: list[Coded] = []
    make, bytes_of, values_of, begin = Coder.__init__, Coder.decode, ValueCoder.decode, ValueCoder.begin
    makers: dict[int, Callable[[], Coder]] = {}
    starts: dict[int, Any] = {}

    def make_coder(coder: Coder, *how: Any, **more: Any) -> None:
        makers[id(coder)] = partial(Coder, *how, **more)
        make(coder, *how, **more)

    def decode_bytes(coder: Coder, payload: Any, length: int) -> bytes:
        data = bytes_of(coder, payload, length)
        found.append(Coded(bytes(payload), partial(_bytes_otherwise, makers[id(coder)], data)))
        return data

    def decode_values(coder: ValueCoder, payload: Any, count: int, sides: Any = ()) -> Values:
        values = values_of(coder, payload, count, sides)
        kept = tuple(side.copy() for side in sides)
        start = starts.get(id(coder))
        found.append(Coded(bytes(payload), partial(_values_otherwise, coder.scheme, start, values.copy(), kept)))
        return values

    def begin_with(coder: ValueCoder, start: Any) -> None:
        starts[id(coder)] = start
        begin(coder, start)

    with (
        mock.patch.object(Coder, "__init__", make_coder),
        mock.patch.object(Coder, "decode", decode_bytes),
        mock.patch.object(ValueCoder, "decode", decode_values),
        mock.patch.object(ValueCoder, "begin", begin_with),
    ):
        read()
    return [one for one in found if one.payload]


def _bytes_otherwise(made: Callable[[], Coder], data: bytes, rng: random.Random) -> bytes:
    """Return the payload of bytes of which one or two are others, and as many."""
    altered = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        altered[rng.randrange(len(altered))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return made().encode(bytes(altered))


def _values_otherwise(scheme: Any, start: Any, values: Values, sides: tuple[Values, ...], rng: random.Random) -> bytes:
    """Return the payload of numbers of which one to three are others, and as many."""
    most = (1 << scheme.bits + scheme.raw) * scheme.step - 1
    altered = values.copy()
    for _ in range(rng.randint(1, 3)):
        other = rng.choice((0, 1, most, most // 2, rng.randrange(most + 1), -1, -most))
        altered[rng.randrange(len(altered))] = other
    if scheme.around is None:
        altered = np.clip(altered, 0, most)
    coder = ValueCoder(scheme, len(sides))
    if start is not None:
        coder.begin(start)
    return coder.encode(altered, sides)


@functools.cache
def _coded_in_description(said: bytes, known: Any) -> list[Coded]:
    return _coded_in(lambda: contents.reader_of(said, "the sample", known))


@functools.cache
def _coded_in_piece(said: bytes, units: int, payload: bytes, known: Any) -> list[Coded]:
    described = contents.reader_of(said, "the sample", known)
    return _coded_in(lambda: described.data(units, payload))


def _said_otherwise(content: bytes, coded: list[Coded], rng: random.Random) -> bytes:
    """Return a description or a payload with other bytes, another number, or a payload within it of other data."""
    match rng.randrange(4):
        case 0:
            return _altered(content, rng)
        case 1:
            at = rng.randrange(len(content) + 1)
            return content[:at] + varint(max(0, _number(rng))) + content[at + rng.randrange(3) :]
        case _:
            inner = [one for one in coded if one.payload in content]
            return _replaced(content, rng.choice(inner), rng) if inner else _altered(content, rng)


def _replaced(content: bytes, coded: Coded, rng: random.Random) -> bytes:
    """Return what holds a payload with another in its place, and its length before it, if that is there."""
    payload, at = coded.otherwise(rng), content.index(coded.payload)
    before, behind = content[:at], content[at + len(coded.payload) :]
    length = varint(len(coded.payload))
    if before.endswith(length):
        before = before[: -len(length)] + varint(len(payload))
    return before + payload + behind


def _data_of(said: bytes, units: int, payload: bytes, known: Any) -> bytes:
    """Return what a reader makes of a piece, if that is anything; whoever reads the file meets the same errors."""
    try:
        return contents.decoded(contents.reader_of(said, "the sample", known), units, payload) or b""
    except Exception:  # noqa: BLE001
        return b""


def _forged_content(sample: Sample, rng: random.Random) -> bytes:
    source = Source.of(sample.content, "the sample")
    fields = Fields.read(source, opened(source))
    sound = said = fields.content or b""
    if rng.random() < 0.3:
        said = _said_otherwise(said, _coded_in_description(said, sample.model), rng)
        fields = replace(fields, content=said)
    content = fields.to_bytes(STREAM) if rng.random() < 0.95 else _forged_fields(STREAM, rng)
    totals = streams.Totals()
    while (head := streams.Head.read(source, totals.chunks, of_bytes=False)).kind != streams.END:
        payload = source.take(head.size)
        if not head.stored and rng.random() < 0.1:
            payload = _altered(_data_of(sound, head.units, payload, sample.model), rng)
            head = replace(head, flags=head.flags | STORED, size=len(payload))
        elif rng.random() < 0.6:
            coded = [] if head.stored else _coded_in_piece(sound, head.units, payload, sample.model)
            payload = _said_otherwise(payload, coded, rng)
            head = _head_otherwise(replace(head, size=len(payload)), rng)
        data = payload if head.stored else _data_of(said, head.units, payload, sample.model)
        head = replace(head, check=check_of(data))
        position = len(content)
        content += head.to_bytes(totals.chunks) + payload
        totals.add(head, data, position)
        if rng.random() < 0.1:
            break
    if rng.random() < 0.2:
        totals.length = max(0, _number(rng))
    return content + totals.to_bytes()


def _head_otherwise(head: streams.Head, rng: random.Random) -> streams.Head:
    """Return the head of a piece, in one of three which says something else."""
    match rng.randrange(9):
        case 0:
            return replace(head, units=max(0, _number(rng, head.units)))
        case 1:
            return replace(head, flags=rng.choice((0, 8, 16, 24, 1, 7, 32, 255)))
        case 2:
            return replace(head, size=max(0, _number(rng)))
        case _:
            return head


def _forged_short(sample: Sample, rng: random.Random) -> bytes:
    source = Source.of(sample.content, "the sample")
    opened(source)
    short = Short.read(source)
    said, units, payload = short.content, short.units, short.payload
    if rng.random() < 0.7:
        payload = _said_otherwise(payload, _coded_in_piece(said, units, payload, sample.model), rng)
    if rng.random() < 0.2:
        said = _said_otherwise(said, _coded_in_description(said, sample.model), rng)
    if rng.random() < 0.3:
        units = max(0, _number(rng, units))
    data = _data_of(said, units, payload, sample.model)
    length = max(0, _number(rng)) if rng.random() < 0.2 else len(data) or short.length
    found = Short(said, units, length, payload)
    return found._replace(check=found._check_of(data)).to_bytes()

"""Compressed files of every form, which are read fast enough for thousands of variants, and ways to alter them."""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

from isthmus import coding
from isthmus.coding import archive as archives
from isthmus.coding import stream as streams
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import (
    ARCHIVE,
    SMALL_WITH_MODEL,
    SMALL_WITH_PRIOR,
    STREAM,
    Fields,
    check_of,
    first_bytes,
    opened,
    small,
    varint,
)
from isthmus.coding.container import Source as Source
from isthmus.coding.learning import learned
from isthmus.coding.prior import Prior, shipped
from isthmus.errors import IsthmusError

TEXT = b"She sells sea shells by the sea shore; the shells she sells are sea shells, I am sure. " * 6
NOISE = random.Random(0).randbytes(200)


@dataclass(frozen=True)
class Sample:
    """A sound file."""

    name: str
    content: bytes
    data: object  # bytes, or those of members by name


@functools.cache
def model() -> Prior:
    """Return a model that some samples are made with."""
    return learned([TEXT[:100]], None)


def stream_of(
    data: bytes, *, chunk: int = 100, restart: int = 400, name: str | None = None, model: Prior | None = None
) -> bytes:
    """Return data as a stream of small chunks, in which the coder often begins afresh."""
    file, speed = io.BytesIO(), "normal" if model else "fast"
    with (
        mock.patch.multiple(streams, CHUNK=chunk, RESTART=restart),
        streams.Writer(file, speed=speed, size=len(data), name=name, model=model) as writer,
    ):
        writer.write(data)
        writer.flush()
    return file.getvalue()


def archive_of(members: dict[str, bytes], model: Prior | None = None) -> bytes:
    file = io.BytesIO()
    archives.write_archive(file, members, speed="normal" if model else "fast", model=model)
    return file.getvalue()


def all_samples() -> list[Sample]:
    members = {"a.txt": TEXT, "more/empty": b"", "more/noise": NOISE, "z": bytes(3000)}
    mixed = NOISE + TEXT
    return [
        Sample("small, predicted", small(TEXT), TEXT),
        Sample("small, stored", small(NOISE), NOISE),
        Sample("small, empty", small(b""), b""),
        Sample("stream", stream_of(mixed, name="notes.txt"), mixed),
        Sample("stream, empty", _empty_stream(), b""),
        Sample("archive", archive_of(members), members),
        Sample("small, with a model", small(TEXT, model()), TEXT),
        Sample("stream, with a model", stream_of(mixed, model=model()), mixed),
        Sample("archive, with a model", archive_of(members, model()), members),
        Sample("small, with the prior", small(TEXT, shipped()), TEXT),
        Sample("stream, with the prior", stream_of(mixed, model=shipped()), mixed),
        Sample("archive, with the prior", archive_of(members, shipped()), members),
    ]


def _empty_stream() -> bytes:
    return Fields(1, 2, table_bits(0, 2)).to_bytes(STREAM) + streams.Totals().to_bytes()


def read(content: bytes) -> object:
    """Return all that a file holds."""
    if len(content) > 2 and content[:2] == b"\xc1\x69" and content[2] & 15 == ARCHIVE:
        archive = coding.Archive(io.BytesIO(content), model=model())
        return {name: archive.read(name) for name in archive.names}
    return coding.decompress(content, model=model())


@dataclass(frozen=True)
class Outcome:
    """What came of reading an altered file: "same", "other", "refused", or the name of a foreign exception."""

    kind: str
    said: str = ""

    def is_fault(self, *, signed: bool) -> bool:
        """Tell whether that must not be: a foreign exception; other data, where checks were not made right again."""
        return self.kind not in ("same", "refused", "other") or (self.kind == "other" and not signed)


def outcome(content: bytes, sample: Sample, reader: Callable[[bytes], object] = read) -> Outcome:
    try:
        found = reader(content)
    except IsthmusError as error:
        return Outcome("refused", str(error))
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return Outcome(type(error).__name__, str(error))
    return Outcome("same" if found == sample.data else "other")


# ------------------------------------------------------------------ altered files


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
    form = opened(Source(io.BytesIO(sample.content), "the sample"))
    return {STREAM: _forged_stream, ARCHIVE: _forged_archive}.get(form, _forged_small)(sample, rng)


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
    prior = {SMALL_WITH_PRIOR: shipped(), SMALL_WITH_MODEL: model()}.get(form)
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
    totals, coder = streams.Totals(), fields.coder(prior=fields.found_prior(model(), "the sample"))
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
        content += head.to_bytes(totals.chunks) + payload
        totals.add(head, data, len(content) - len(payload))
        if rng.random() < 0.1:
            break
    if rng.random() < 0.3:
        totals.length = max(0, _number(rng))
    return content + totals.to_bytes()


def _forged_archive(sample: Sample, rng: random.Random) -> bytes:
    file = io.BytesIO(sample.content)
    archive = archives.Archive(file, model=model())
    content = archive.fields.to_bytes(ARCHIVE) if rng.random() < 0.8 else _forged_fields(ARCHIVE, rng)
    members = []
    for member in archive.members:
        blocks, name = [], member.name
        for block in member.blocks:
            file.seek(block.position)
            payload = file.read(block.size)
            if rng.random() < 0.3:
                payload = _altered(payload, rng)
                coder = archive.fields.coder(block.length, prior=archive.prior)
                data = payload if block.stored else _decoded(coder, payload, block.length)
                block = replace(block, size=len(payload), check=check_of(data, len(block.check)))
            content += payload
            blocks.append(block)
        if rng.random() < 0.15:
            name = rng.choice(("../x", "/etc/x", "A.TXT", "a.txt", "nul", "a\\b", "", ".", "more", "x\x00y", "C:x"))
        length = max(0, _number(rng, member.length)) if rng.random() < 0.2 else member.length
        members.append(archives.Member(name, length, tuple(blocks)))
    directory = archives._packed(members)
    if rng.random() < 0.4:
        directory = _altered(directory, rng)
    size, length = len(directory), len(directory)
    if rng.random() < 0.2:
        size, length = _number(rng) % 2**32, _number(rng) % 2**32
    copies = rng.choice((1, 1, 1, 1, 2, 0, 255))
    footer = size.to_bytes(4, "little") + length.to_bytes(4, "little") + check_of(directory) + bytes([copies])
    return content + directory * min(copies, 2) + footer

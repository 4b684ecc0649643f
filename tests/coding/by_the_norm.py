"""A decoder of the container that was written from docs/format.md alone; what a coder does with a payload it asks ours.

It reads sound files only, and says of the others no more than that they are not.
"""

from __future__ import annotations

import hashlib
import zlib

from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.prior import Prior, shipped

SMALL_STORED, SMALL_PREDICTED, SMALL_WITH_PRIOR, SMALL_WITH_MODEL, STREAM, ARCHIVE = 0, 1, 2, 3, 8, 9


class Bytes:
    """A place in some bytes."""

    def __init__(self, content: bytes, at: int = 0) -> None:
        self.content, self.at = content, at

    def take(self, count: int) -> bytes:
        found = self.content[self.at : self.at + count]
        assert len(found) == count
        self.at += count
        return found

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7


def crc(content: bytes, size: int = 4) -> bytes:
    return zlib.crc32(content).to_bytes(4, "little")[:size]


def form_of(content: bytes) -> int:
    assert content[:2] == b"\xc1\x69"
    assert content[2] >> 4 == 1
    return content[2] & 15


def fingerprint(prior: Prior) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(prior.tensors):
        tensor = prior.tensors[name]
        kind, shape = tensor.dtype.newbyteorder("<").str, f"({', '.join(map(str, tensor.shape))}"
        digest.update(name.encode() + b"\0" + kind.encode() + b"\0")
        digest.update((shape + (",)" if tensor.ndim == 1 else ")")).encode() + b"\0")
        digest.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes(order="C"))
    return digest.digest()


def needed(start: bytes, model: Prior | None) -> Prior:
    return next(prior for prior in (model, shipped()) if prior and fingerprint(prior).startswith(start))


def coder_with(prior: Prior | None, bits: int, speed: int = 1) -> Coder:
    return Coder(bits, speed=speed) if prior is None else Coder(bits, speed=speed, prior=prior)


def small(content: bytes, model: Prior | None = None) -> bytes:
    form, length = form_of(content), int.from_bytes(content[3:5], "little")
    named = content[8:12] if form == SMALL_WITH_MODEL else b""
    rest = content[8 + len(named) :]
    prior = {SMALL_WITH_PRIOR: shipped, SMALL_WITH_MODEL: lambda: needed(named, model)}.get(form, lambda: None)()
    data = rest if form == SMALL_STORED else coder_with(prior, table_bits(length)).decode(rest, length)
    assert len(data) == length
    assert crc(content[2:5] + named + data, 3) == content[5:8]
    return data


def fields(content: bytes) -> tuple[dict[int, bytes], int]:
    place = Bytes(content, 3)
    size = place.varint()
    end, found = place.at + size, {}
    while place.at < end:
        tag = place.varint()
        found[tag] = place.take(place.varint())
    assert place.at == end
    assert list(found) == sorted(found)
    assert place.take(4) == crc(content[2:end])
    return found, place.at


def prior_in(found: dict[int, bytes], model: Prior | None) -> Prior | None:
    assert 6 not in found or (len(found[6]), *found[4][:2]) == (16, 1, 1)
    return needed(found[6], model) if 6 in found else None


def stream(content: bytes, model: Prior | None = None) -> bytes:
    assert form_of(content) == STREAM
    found, start = fields(content)
    method, speed, bits = found[4]
    prior = prior_in(found, model)
    coder = coder_with(prior, bits, speed) if method else None
    place, data, number, restarts = Bytes(content, start), b"", 0, []
    while True:
        at = place.at
        flags, units, size, check = place.take(1)[0], place.varint(), place.varint(), place.take(4)
        assert place.take(2) == crc(number.to_bytes(8, "little") + content[at : place.at - 2], 2)
        payload = place.take(size)
        if flags & 7 == 7:
            break
        assert flags & 0b111 == 0
        if flags & 16:
            restarts.append((at, len(data), number))
            if coder:
                coder.restart()
        if flags & 8:
            piece = payload
            if coder:
                coder.learn(piece)
        else:
            piece = coder.decode(payload, units)
        assert len(piece) == units
        assert crc(piece) == check
        data, number = data + piece, number + 1
    assert (flags, units, crc(payload)) == (7, number, check)
    assert int.from_bytes(place.take(4), "little") == len(content) - at - 4
    assert place.at == len(content)
    end = Bytes(payload)
    assert end.varint() == len(data)
    assert end.take(4) == crc(data)
    before = (0, 0, 0)
    for restart in restarts[: (count := end.varint())]:
        differences = tuple(end.varint() for _ in before)
        assert tuple(a + b for a, b in zip(before, differences, strict=True)) == restart
        before = restart
    assert (count, end.at) == (len(restarts), len(payload))
    return data


def archive(content: bytes, model: Prior | None = None) -> dict[str, bytes]:
    assert form_of(content) == ARCHIVE
    found, start = fields(content)
    method, speed, bits = found[4]
    assert method == 1
    prior = prior_in(found, model)
    size, length = (int.from_bytes(content[at : at + 4], "little") for at in (-13, -9))
    check, copies = content[-5:-1], content[-1]
    end = len(content) - 13 - copies * size
    directories = {content[end + copy * size : end + (copy + 1) * size] for copy in range(copies)}
    assert len(directories) == 1
    packed = directories.pop()
    own_speed = 1 if length <= 65_535 else 2
    directory = (
        packed if size == length else Coder(table_bits(length, own_speed), speed=own_speed).decode(packed, length)
    )
    assert crc(directory) == check
    place, data = Bytes(directory), Bytes(content, start)
    names = []
    for _ in range(place.varint()):
        stop = directory.index(0, place.at)
        names.append(place.take(stop - place.at).decode())
        place.take(1)
    lengths = [place.varint() for _ in names]
    blocks = [[min(2**18, length - at) for at in range(0, length, 2**18)] for length in lengths]
    sizes = [[place.varint() for _ in own] for own in blocks]
    checks = [[place.take(3 if block <= 65_535 else 4) for block in own] for own in blocks]
    assert place.at == len(directory)
    members = {}
    for name, own, packed_sizes, its_checks in zip(names, blocks, sizes, checks, strict=True):
        content_of = b""
        for number, (block, packed_size, its_check) in enumerate(zip(own, packed_sizes, its_checks, strict=True)):
            if number % 64 == 0:
                coder = coder_with(prior, min(bits, table_bits(sum(own[number : number + 64]), speed)), speed)
            payload = data.take(packed_size // 2)
            if packed_size % 2:
                piece = payload
                coder.learn(piece)
            else:
                piece = coder.decode(payload, block)
            assert len(piece) == block
            assert crc(piece, len(its_check)) == its_check
            content_of += piece
        members[name] = content_of
    assert data.at == end
    return members


def decoded(content: bytes, model: Prior | None = None) -> bytes:
    return stream(content, model) if form_of(content) == STREAM else small(content, model)

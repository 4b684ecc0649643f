"""What info says of compressed files: every byte is counted once, and no payload is read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.coding.coder import extreme_prior
from isthmus.coding.container import SMALL_CONTENT, Source
from isthmus.coding.describing import describe
from isthmus.coding.prior import Prior
from isthmus.errors import ArtifactError

from . import by_the_norm, samples
from .golden_files import FOLDER
from .samples import NOISE, TEXT

GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.isth"))}
SAMPLES = {sample.name: sample.content for sample in samples.all_samples()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.isth"


def described(path: Path, content: bytes) -> dict[str, Any]:
    path.write_bytes(content)
    return describe(path)


def small_by_hand(content: bytes) -> dict[str, int]:
    """Return the parts of a small file, as docs/format.md has them."""
    head = 12 if content[2] & 15 == by_the_norm.SMALL_WITH_MODEL else 8
    payload = len(content) - head
    is_stored = content[2] & 15 == by_the_norm.SMALL_STORED
    return {"head": head, "coded": 0 if is_stored else payload, "stored": payload if is_stored else 0}


def stream_by_hand(content: bytes) -> dict[str, int]:
    _, start = by_the_norm.fields(content)
    place, parts = by_the_norm.Bytes(content, start), {"head": start, "coded": 0, "stored": 0, "chunk heads": 0}
    while True:
        at = place.at
        flags, _, size = place.take(1)[0], place.varint(), place.varint()
        place.take(4 + 2)
        if flags & 7 == 7:
            return parts | {"end": len(content) - at}
        parts["chunk heads"] += place.at - at
        parts["stored" if flags & 8 else "coded"] += len(place.take(size))


def archive_by_hand(content: bytes, model: Prior) -> dict[str, int]:
    """Return the parts of an archive, whose stored members stand in it as they are."""
    _, start = by_the_norm.fields(content)
    directory = content[-1] * int.from_bytes(content[-13:-9], "little") + 13
    stored = sum(len(data) for data in by_the_norm.archive(content, model).values() if data in content)
    coded = len(content) - start - stored - directory
    return {"head": start, "coded": coded, "stored": stored, "directory": directory}


@pytest.mark.parametrize("name", [*GOLDEN, *SAMPLES])
def test_every_byte_is_counted_once(name: str, path: Path) -> None:
    content = {**GOLDEN, **SAMPLES}[name]
    found = described(path, content)
    assert sum(found["parts"].values()) == len(content) == found["compressed_bytes"]
    if found["form"] == "archive" and 8 in by_the_norm.fields(content)[0]:
        _, start = by_the_norm.fields(content)
        directory = content[-1] * int.from_bytes(content[-13:-9], "little") + 13
        assert (found["parts"]["head"], found["parts"]["directory"]) == (start, directory)
        assert found["files"] > 0
    elif content[2] & 15 == SMALL_CONTENT:
        head = 3 + 3 + 1 + content[6] + 2  # first bytes, check, content behind its length; units and length below 128
        assert found["parts"] == {"head": head, "coded": len(content) - head, "stored": 0}
    elif found["form"] == "archive":
        assert found["parts"] == archive_by_hand(content, extreme_prior() if name in GOLDEN else samples.model())
    else:
        assert found["parts"] == {"small": small_by_hand, "stream": stream_by_hand}[found["form"]](content)


def test_what_a_stream_is(path: Path) -> None:
    content = samples.stream_of(NOISE + TEXT, name="mixed.txt")
    found = described(path, content)
    assert (found["form"], found["name"], found["bytes"]) == ("stream", "mixed.txt", len(NOISE + TEXT))
    assert (found["chunks"], found["stored"], found["parts"]["stored"]) == (8, 2, len(NOISE))
    with pytest.raises(ArtifactError, match="cut short"):
        described(path, content[:-30])


def test_what_a_small_file_is(path: Path) -> None:
    found = described(path, isthmus.compress(TEXT))
    assert (found["form"], found["bytes"], found["stored"], found["parts"]["stored"]) == ("small", len(TEXT), 0, 0)
    found = described(path, isthmus.compress(b""))
    assert found["parts"] == {"head": 8, "coded": 0, "stored": 0}


def test_the_members_that_take_most(path: Path) -> None:
    members = {"a.txt": TEXT, "noise": NOISE, "empty": b""} | {str(n): TEXT[: 9 + n] for n in range(4)}
    isthmus.Archive.create(path, members, prior=False).close()
    found = describe(path)
    assert (found["members"], found["chunks"]) == (7, 6)
    with isthmus.Archive(path) as archive:
        sizes = {member.name: member.size for member in archive.members}
    assert [one["name"] for one in found["largest"]] == sorted(sizes, key=lambda name: -sizes[name])[:5]
    assert found["largest"][0] == {"name": "noise", "bytes": len(NOISE), "compressed_bytes": len(NOISE)}
    assert all(one["compressed_bytes"] == sizes[one["name"]] for one in found["largest"])


def test_no_payload_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(source: Source, count: int) -> bytes:
        found = up_to(source, count)
        read.append(len(found))
        return found

    up_to = Source.up_to
    monkeypatch.setattr(Source, "up_to", counted)
    noise = random.Random(0).randbytes(70_000)
    for content in (isthmus.compress(noise), samples.archive_of({"a": noise, "b": noise[:9]})):
        found = described(path, content)
        assert found["parts"]["stored"] > 60_000
        assert sum(read) < 1000
        payload = content.index(noise[:100])
        assert described(path, content[:payload] + bytes(100) + content[payload + 100 :]) == found

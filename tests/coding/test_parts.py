"""Bytes within a piece: they come back, take the way that is smallest, and have no other form."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isthmus.coding import parts
from isthmus.coding.container import Source, varint
from isthmus.coding.parts import packed, unpacked
from isthmus.errors import ArtifactError, FormatNumberError

TEXT = b"A canal was cut through the isthmus; the isthmus had been 6,000 m wide.\n" * 3


def back(packed_data: bytes, limit: int = 1 << 20) -> bytes:
    source = Source.of(packed_data, "it")
    data = unpacked(source, limit)
    assert not source.up_to(1)
    return data


@given(some.binary(max_size=200), some.booleans())
def test_any_bytes_come_back_and_take_a_few_more_at_most(data: bytes, prior: bool) -> None:
    assert back(packed(data, prior=prior)) == data
    assert len(packed(data, prior=prior)) <= len(data) + 2


def test_the_way_stands_with_the_length() -> None:
    noise = random.Random(0).randbytes(50)
    assert packed(b"") == b"\0"
    assert packed(noise) == varint(3 * 50) + noise
    assert packed(TEXT)[:2] == varint(3 * len(TEXT) + 1)
    assert packed(TEXT, prior=True)[:2] == varint(3 * len(TEXT) + 2)


def test_a_prior_is_taken_where_it_makes_a_text_smaller_alone() -> None:
    counts = bytes(number * 7 % 251 for number in range(3000))
    assert packed(counts, prior=True) == packed(counts)
    assert len(packed(TEXT, prior=True)) < len(packed(TEXT)) - 10


@pytest.mark.parametrize("length", [99, 100, 101, 150])
def test_what_was_tried_is_written_only_where_it_is_all(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = TEXT[:length]
    whole = packed(data, prior=True)
    monkeypatch.setattr(parts, "SMALL_LIMIT", 100)
    assert packed(data, prior=True) == whole
    assert back(whole) == data


@pytest.mark.parametrize(
    "forged",
    [
        varint(3 * 10 + 1) + varint(10) + bytes(10),  # no smaller than stored
        varint(1) + varint(0),  # nothing, coded
        varint(3 * 10) + bytes(9),  # cut short
        varint(3 * (1 << 21)) + bytes(10),  # longer than is allowed
        varint(3 * 200 + 1) + varint(20) + bytes(20),  # a payload whose end is any other
    ],
)
def test_what_is_written_otherwise_is_refused(forged: bytes) -> None:
    with pytest.raises(ArtifactError):
        back(forged)


def test_a_prior_that_is_not_carried_is_of_a_later_version(monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(TEXT, prior=True)
    monkeypatch.setattr(parts, "shipped", lambda: None)
    with pytest.raises(FormatNumberError):
        back(content)

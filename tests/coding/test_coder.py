"""What the container relies on of a coder, whatever its model is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import SPEEDS, believable

from .samples import NOISE, TEXT

speeds = st.sampled_from(sorted(SPEEDS.values()))
some_bytes = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from([b"sea ", b"\x00" * 9])).map(b"".join))


def new(speed: int = 1, length: int = 1000) -> Coder:
    return Coder(table_bits(length, speed), speed=speed)


@settings(max_examples=30, deadline=None)
@given(st.lists(some_bytes, max_size=5), speeds)
def test_the_state_goes_on_from_call_to_call(pieces: list[bytes], speed: int) -> None:
    coder, decoder = new(speed), new(speed)
    for piece in pieces:
        payload = coder.encode(piece)
        assert isinstance(payload, bytes)
        assert decoder.decode(payload, len(piece)) == piece


@settings(max_examples=30, deadline=None)
@given(some_bytes, some_bytes, speeds)
def test_coding_decoding_and_learning_leave_one_state(first: bytes, second: bytes, speed: int) -> None:
    coder, decoder, learner = new(speed), new(speed), new(speed)
    decoder.decode(coder.encode(first), len(first))
    learner.learn(first)
    payload = coder.encode(second)
    assert decoder.encode(second) == payload
    assert learner.encode(second) == payload


@settings(max_examples=20, deadline=None)
@given(some_bytes, some_bytes, speeds)
def test_a_restart_forgets_everything(first: bytes, second: bytes, speed: int) -> None:
    coder = new(speed)
    coder.encode(first)
    coder.restart()
    assert coder.encode(second) == new(speed).encode(second)


@settings(max_examples=20, deadline=None)
@given(some_bytes)
def test_views_are_taken_for_bytes(data: bytes) -> None:
    payload = new().encode(data)
    assert new().encode(memoryview(data)) == payload
    assert new().decode(memoryview(payload), len(data)) == data
    learner = new()
    learner.learn(memoryview(data))
    coder = new()
    coder.encode(data)
    assert learner.encode(TEXT) == coder.encode(TEXT)


def test_no_data_have_no_payload() -> None:
    assert new().encode(b"") == b""
    assert new().decode(b"", 0) == b""


@pytest.mark.parametrize("data", [b"x", TEXT, NOISE, bytes(100)], ids=["one", "text", "noise", "zeros"])
def test_a_payload_ends_in_one_way_only(data: bytes) -> None:
    payload = new().encode(data)
    others = [payload + b"\x00", payload + b"\x00" * 4, payload + b"x", payload[:-1]]
    others += [payload[:-1] + bytes([last]) for last in range(256) if last != payload[-1]]
    for other in others:
        try:
            found = new().decode(other, len(data))
        except ValueError:
            continue
        assert found != data  # it is the payload of other data


def test_decoding_ends_where_the_payload_does() -> None:
    with pytest.raises(ValueError, match="payload"):
        new(length=1 << 20).decode(random.Random(0).randbytes(50), 1 << 18)


def test_no_payload_is_smaller_than_a_probability_of_16_bits_allows() -> None:
    data = bytes(1 << 17)
    payload = new(length=len(data)).encode(data)
    assert believable(len(payload), len(data))


@pytest.mark.parametrize("speed", sorted(SPEEDS.values()))
def test_sizes_of_tables(speed: int) -> None:
    sizes = [table_bits(0, speed), *(table_bits(1 << power, speed) for power in range(65))]
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] <= sizes[-1] == table_bits(None, speed) < 256
    for bits in {sizes[0], table_bits(100, speed), table_bits(65_535, speed), sizes[-1]}:
        payload = Coder(bits, speed=speed).encode(TEXT)
        assert Coder(bits, speed=speed).decode(payload, len(TEXT)) == TEXT

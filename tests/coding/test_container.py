"""Bytes there and back in every form, against a decoder that was written from the norm; and what is refused."""

from __future__ import annotations

import io
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus.coding import container
from isthmus.coding.chunks import CHUNK_LIMIT, Head, Totals
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import STREAM, Fields, Source, check_of, first_bytes, varint
from isthmus.errors import ArtifactError, DataError, DataTypeError, FormatNumberError, IsthmusError, ParameterError

from . import altered, by_the_norm, samples

SAMPLES = {sample.name: sample for sample in samples.all_samples()}
each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())

some_bytes = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"the ", b"sea ", b"\x00" * 9, b"\xff"]), max_size=60).map(b"".join),
)


# ------------------------------------------------------------------ there and back


@settings(max_examples=50, deadline=None)
@given(some_bytes)
def test_any_bytes_come_back(data: bytes) -> None:
    compressed = isthmus.compress(data)
    assert isthmus.decompress(compressed) == data == by_the_norm.decoded(compressed)
    assert len(compressed) <= len(data) + 8


@settings(max_examples=40, deadline=None)
@given(some_bytes, st.integers(1, 200), st.integers(1, 500))
def test_any_bytes_come_back_from_a_stream(data: bytes, chunk: int, restart: int) -> None:
    compressed = samples.stream_of(data or b"x", chunk=chunk, restart=restart)
    assert isthmus.decompress(compressed) == (data or b"x") == by_the_norm.decoded(compressed)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}(/[0-9]{1,2})?", fullmatch=True), some_bytes, max_size=5))
def test_any_bytes_come_back_from_an_archive(members: dict[str, bytes]) -> None:
    files = {name: data for name, data in members.items() if not any(n.startswith(f"{name}/") for n in members)}
    content = samples.archive_of(files)
    assert samples.read(content) == files == by_the_norm.archive(content)


@each_sample
def test_a_decoder_written_from_the_norm_agrees(sample: samples.Sample) -> None:
    read = by_the_norm.archive if sample.name.startswith("archive") else by_the_norm.decoded
    assert read(sample.content, samples.model()) == sample.data == samples.read(sample.content)


@pytest.mark.parametrize("length", [0, 1, 2, 65_535, 65_536])
def test_lengths_at_which_the_form_changes(length: int) -> None:
    data = bytes(length)
    compressed = isthmus.compress(data)
    assert (by_the_norm.form_of(compressed) == 8) == (length > 65_535)
    assert isthmus.decompress(compressed) == data == by_the_norm.decoded(compressed)


def test_no_bytes_and_one_byte_take_eight_more() -> None:
    assert len(isthmus.compress(b"")) == 8
    assert len(isthmus.compress(b"x")) == 9


@pytest.mark.parametrize("length", [1_000, 65_535, 300_000])
def test_random_bytes_are_stored_and_hardly_grow(length: int) -> None:
    data = random.Random(0).randbytes(length)
    compressed = isthmus.compress(data, verify=False)
    assert len(compressed) <= length + (8 if length <= 65_535 else 64)
    assert data[:1000] in compressed
    assert isthmus.decompress(compressed) == data


def test_the_two_speeds_are_kept_in_the_file() -> None:
    data = samples.TEXT * 130
    for speed, number in container.SPEEDS.items():
        compressed = isthmus.compress(data, speed=speed, verify=False)
        source = Source(io.BytesIO(compressed), "it")
        container.opened(source)
        assert Fields.read(source, STREAM).speed == number
        assert isthmus.decompress(compressed) == data


@pytest.mark.parametrize(
    "kind", [bytearray, memoryview, lambda data: memoryview(np.frombuffer(data, np.uint8).reshape(2, -1))]
)
def test_whatever_holds_bytes_can_be_compressed(kind: object) -> None:
    data = samples.TEXT[: len(samples.TEXT) // 2 * 2]
    assert isthmus.decompress(isthmus.compress(kind(data))) == data


def test_text_and_numbers_are_no_bytes() -> None:
    with pytest.raises(DataTypeError, match=r"data must be bytes, got str; encode the text first: text\.encode\(\)\."):
        isthmus.compress("text")
    with pytest.raises(DataTypeError, match=r"decompress: data must be bytes, got int; pass bytes"):
        isthmus.decompress(5)


def test_a_speed_that_does_not_exist() -> None:
    with pytest.raises(ParameterError, match="compress: speed must be one of 'normal', 'fast'; it is 'fas'"):
        isthmus.compress(b"x", speed="fas")


def test_more_than_the_caller_allows_is_refused_before_all_is_decoded() -> None:
    compressed = samples.stream_of(samples.TEXT)
    assert isthmus.decompress(compressed, limit=len(samples.TEXT)) == samples.TEXT
    with pytest.raises(DataError, match="the data holds more than the 100 bytes that limit allows; raise it if you"):
        isthmus.decompress(compressed, limit=100)


# ------------------------------------------------------------------ damage


@each_sample
def test_cut_short_at_every_byte(sample: samples.Sample) -> None:
    for length in range(len(sample.content)):
        with pytest.raises(ArtifactError, match=r"cut short|damaged|no compressed file|end is missing"):
            samples.read(sample.content[:length])


@each_sample
def test_a_byte_altered_anywhere(sample: samples.Sample) -> None:
    for place in range(len(sample.content)):
        for change in (1, 255):
            content = bytearray(sample.content)
            content[place] ^= change
            found = samples.outcome(bytes(content), sample)
            assert found.kind == "refused", (place, change, found)


@pytest.mark.parametrize("file", [io.BytesIO(b"abc"), io.BufferedReader(io.BytesIO(b"abc"))], ids=["bytes", "file"])
def test_more_bytes_than_any_file_has_are_missed_before_there_is_room_for_them(file: io.BufferedIOBase) -> None:
    with pytest.raises(ArtifactError, match="is cut short"):
        Source(file, "it").take(2**64 - 1)


@each_sample
def test_bytes_behind_the_end(sample: samples.Sample) -> None:
    for more in (b"\x00", b"\x00" * 4, b"x", b"x" * 100, sample.content):
        assert samples.outcome(sample.content + more, sample).kind == "refused"


@pytest.mark.long
@each_sample
@pytest.mark.parametrize("signed", [False, True], ids=["altered", "forged"])
def test_altered_files_are_refused_in_a_sentence(sample: samples.Sample, signed: bool) -> None:
    make, slowest = altered.forged if signed else altered.mutant, 0.0
    for number in range(300):
        content = make(sample, random.Random(f"{sample.name} {number}"))
        started = time.perf_counter()
        found = samples.outcome(content, sample)
        slowest = max(slowest, time.perf_counter() - started)
        assert not found.is_fault(signed=signed), (number, found)
        assert found.said == "" or found.said.endswith("."), found
    assert slowest < 20


def test_other_files_are_no_compressed_ones() -> None:
    for content in (b"", b"x", b"\x1f\x8b\x08", b"\xc1", b"plain text"):
        with pytest.raises(ArtifactError, match="the data is no compressed file of isthmus"):
            isthmus.decompress(content)


# ------------------------------------------------------------------ later versions


def head(fields: dict[int, bytes]) -> bytes:
    packed = b"".join(varint(tag) + varint(len(value)) + value for tag, value in sorted(fields.items()))
    first = first_bytes(STREAM) + varint(len(packed)) + packed
    return first + check_of(first[2:])


CODED = bytes([1, 1, table_bits(0)])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xc1\x69\x28", "format 2"),
        (b"\xc1\x69\xf0", "format 15"),
        (b"\xc1\x69\x15", "form 5"),
        (head({4: CODED, 8: b""}), "field 8"),
        (head({2: b"\x01", 4: CODED}), "method 1 for such a content"),
        (head({4: bytes([2, 1, 12])}), "method 2 for such a content"),
        (head({4: bytes([1, 3, 12])}), "method 1, speed 3"),
        (head({4: bytes([1, 1, 60])}), "a table of 2^60"),
        (head({4: CODED}) + Head(1 | 16, 0, 0, bytes(4)).to_bytes(0), "chunk 0 of kind 17"),
        (head({4: CODED}) + Head(32, 0, 0, bytes(4)).to_bytes(0), "chunk 0 of kind 32"),
    ],
)
def test_what_a_later_version_wrote(content: bytes, what: str) -> None:
    with pytest.raises(FormatNumberError) as caught:
        isthmus.decompress(content)
    assert str(caught.value) == (
        f"the data was written by a later version of isthmus: {what} is not known to this one; install a newer version."
    )
    assert caught.value.exit_code == 6


def test_a_field_with_an_odd_tag_is_passed_over() -> None:
    end = Totals().to_bytes()
    assert isthmus.decompress(head({3: b"whatever", 4: CODED}) + end) == b""


# ------------------------------------------------------------------ sizes that a file declares


@pytest.mark.parametrize(
    ("units", "size"),
    [(2**64 - 1, 1), (CHUNK_LIMIT + 1, 100), (CHUNK_LIMIT, 0), (1 << 20, 11), (5, 5), (3, 9), (0, 0), (1, 2**40)],
)
def test_sizes_are_looked_at_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch, units: int, size: int) -> None:
    monkeypatch.setattr(Coder, "decode", lambda *_: pytest.fail("decoded"))
    content = head({4: CODED}) + Head(16, units, size, bytes(4)).to_bytes(0) + bytes(min(size, 200))
    with pytest.raises(ArtifactError, match="chunk 0 is of no size that it can have"):
        isthmus.decompress(content)


def test_a_payload_that_holds_less_than_it_says_ends_the_decoding_early() -> None:
    noise = random.Random(0).randbytes(100)
    with pytest.raises(ValueError, match="not the payload of so many bytes"):
        Coder(12).decode(noise, 1 << 20)


# ------------------------------------------------------------------ verification


def test_what_does_not_decode_to_its_source_is_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Coder, "decode", lambda self, payload, length: bytes(length))
    sentence = "what was coded does not decode to the same bytes, so nothing was kept; this is a bug, or memory is"
    for data in (samples.TEXT, samples.TEXT * 130):
        with pytest.raises(IsthmusError, match=sentence):
            isthmus.compress(data)
        isthmus.compress(data, verify=False)
    with pytest.raises(IsthmusError, match=sentence):
        samples.archive_of({"a": samples.TEXT})

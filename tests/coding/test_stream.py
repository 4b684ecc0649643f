"""Compressed data as a stream: in pieces as at once, read while it is written, and saved where it is damaged."""

from __future__ import annotations

import io
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus.coding import stream as streams
from isthmus.coding.chunks import END, Head, Totals
from isthmus.coding.container import STREAM, Fields, Source, opened
from isthmus.coding.stream import Lost, Reader, Writer, salvage
from isthmus.errors import ArtifactError, OutputExistsError, ParameterError

from . import by_the_norm, samples
from .samples import NOISE, TEXT

MIXED = NOISE + TEXT * 2


# ------------------------------------------------------------------ writing


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=120), max_size=12))
def test_in_pieces_as_at_once(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", 100)
        with Writer(file, speed="fast") as writer:
            for piece in pieces:
                assert writer.write(piece) == len(piece)
        once = io.BytesIO()
        with Writer(once, speed="fast") as writer:
            writer.write(data)
    assert file.getvalue() == once.getvalue()
    assert isthmus.decompress(file.getvalue()) == data


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=90), st.booleans()), min_size=1, max_size=10), st.integers(1, 64))
def test_flushed_anywhere_and_read_in_pieces(pieces: list[tuple[bytes, bool]], step: int) -> None:
    file = io.BytesIO()
    with Writer(file, speed="fast") as writer:
        for piece, flushed in pieces:
            writer.write(piece)
            if flushed:
                writer.flush()
    data = b"".join(piece for piece, _ in pieces)
    assert by_the_norm.decoded(file.getvalue()) == data
    with isthmus.open_compressed(io.BytesIO(file.getvalue())) as reader:
        assert b"".join(iter(lambda: reader.read(step), b"")) == data
        assert reader.read() == b""


def test_what_was_flushed_can_be_read_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log.isth"
    with open(path, "wb") as file, Writer(file) as writer:
        for number in range(3):
            writer.write(b"line %d\n" % number)
            writer.flush()
            with open(path, "rb") as so_far, Reader(so_far) as reader:
                pieces = reader.pieces()
                assert [next(pieces) for _ in range(number + 1)] == [b"line %d\n" % n for n in range(number + 1)]
                with pytest.raises(ArtifactError, match="is cut short: its end is missing"):
                    next(pieces)
    assert isthmus.decompress(path.read_bytes()) == b"line 0\nline 1\nline 2\n"


def test_a_flush_of_nothing_makes_no_chunk() -> None:
    file = io.BytesIO()
    with Writer(file) as writer:
        writer.flush()
        writer.write(b"x")
        writer.flush()
        size = writer.written
        writer.flush()
        assert writer.written == size


def test_a_stored_chunk_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", len(NOISE))
    file = io.BytesIO()
    with Writer(file) as writer:
        writer.write(NOISE * 4)
    source = Source(io.BytesIO(file.getvalue()), "it")
    opened(source)
    Fields.read(source, STREAM)
    sizes = []
    while (head := Head.read(source, len(sizes))).kind != END:
        sizes.append(len(source.take(head.size)))
    assert sizes[0] == len(NOISE)
    assert sizes[2] < len(NOISE)
    assert by_the_norm.stream(file.getvalue()) == NOISE * 4


def test_the_coder_begins_afresh_each_64_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    assert streams.RESTART == 64 * 2**20
    content = samples.stream_of(TEXT * 2, chunk=100, restart=300)
    source = Source(io.BytesIO(content), "it")
    opened(source)
    Fields.read(source, STREAM)
    afresh = []
    while (head := Head.read(source, len(afresh))).kind != END:
        source.take(head.size)
        afresh.append(head.afresh)
    assert afresh[:7] == [True, False, False, True, False, False, True]


def test_a_chunk_holds_256_kib() -> None:
    data = bytes(streams.CHUNK * 2 + 5)
    file = io.BytesIO(isthmus.compress(data, verify=False))
    assert [len(piece) for piece in Reader(file).pieces()] == [2**18, 2**18, 5]


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_byte(threads: int) -> None:
    file = io.BytesIO()
    with Writer(file, threads=threads, speed="fast") as writer:
        for part in range(0, len(MIXED), 100):
            writer.write(MIXED[part : part + 100])
            writer.flush()
    assert isthmus.decompress(file.getvalue()) == MIXED
    again = io.BytesIO()
    with Writer(again, verify=False, speed="fast") as writer:
        for part in range(0, len(MIXED), 100):
            writer.write(MIXED[part : part + 100])
            writer.flush()
    assert file.getvalue() == again.getvalue()


# ------------------------------------------------------------------ files as gzip.open gives them


def test_text_and_bytes_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.isth"
    with isthmus.open_compressed(path, "wt") as file:
        file.write("première ligne\n")
        print("second", file=file)
    with isthmus.open_compressed(str(path), "rt") as file:
        assert list(file) == ["première ligne\n", "second\n"]
    with isthmus.open_compressed(path) as file:
        assert file.readline() == "première ligne\n".encode()
        assert not file.seekable()
    with pytest.raises(OutputExistsError):
        isthmus.open_compressed(path, "xb")
    with isthmus.open_compressed(path, "wb", speed="fast") as file:
        file.write(b"other")
    assert isthmus.decompress(path.read_bytes()) == b"other"


@pytest.mark.parametrize("mode", ["wb", "wt", "xb"])
def test_a_block_that_ends_with_an_error_leaves_nothing(tmp_path: Path, mode: str) -> None:
    def interrupted() -> None:
        with isthmus.open_compressed(tmp_path / "a.isth", mode) as file:
            file.write("half" if mode == "wt" else b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_nothing_stands_at_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.isth"
    path.write_bytes(b"before")
    with isthmus.open_compressed(path, "wb") as file:
        file.write(TEXT)
        file.flush()
        assert path.read_bytes() == b"before"
    assert isthmus.decompress(path.read_bytes()) == TEXT


def test_a_given_file_stays_open() -> None:
    file = io.BytesIO()
    isthmus.open_compressed(file, "w").close()
    assert isthmus.decompress(file.getvalue()) == b""
    file.seek(0)
    with isthmus.open_compressed(file, "r") as reader:
        assert reader.read() == b""
    assert not file.closed


def test_modes_that_do_not_exist() -> None:
    for mode in ("a", "rb+", "", "wbt"):
        with pytest.raises(ParameterError, match=r"mode must be one of 'rb', 'wb', 'xb', 'rt', 'wt', 'xt'; it is"):
            isthmus.open_compressed(io.BytesIO(), mode)


def test_an_archive_is_no_stream() -> None:
    with pytest.raises(ArtifactError, match=r"the data is an archive of several files; open it with isthmus\.Archive"):
        isthmus.decompress(samples.archive_of({"a": b"b"}))


def test_memory_does_not_grow_with_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 1000)
    path, piece = tmp_path / "a.isth", bytes(1000)

    def peak(pieces: int) -> int:
        tracemalloc.start()
        try:
            with open(path, "wb") as file, Writer(file, size=1000, verify=False) as writer:
                for _ in range(pieces):
                    writer.write(piece)
            with open(path, "rb") as file, Reader(file) as reader:
                assert sum(map(len, reader.pieces())) == 1000 * pieces
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def least(pieces: int) -> int:  # what runs the tests takes memory at times, in a thread of its own
        return min(peak(pieces) for _ in range(4))

    assert least(20) < least(3) + 5_000


# ------------------------------------------------------------------ saving what is sound


def saved(content: bytes) -> list[bytes | Lost]:
    """Return what is sound and what is lost, pieces that follow each other as one."""
    source = Source(io.BytesIO(content), "x.isth")
    opened(source)
    found: list[bytes | Lost] = []
    for piece in salvage(source):
        if found and isinstance(piece, bytes) and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def places(content: bytes) -> list[tuple[int, int, Head]]:
    """Return where the head and the payload of each chunk begin, and its head."""
    source = Source(io.BytesIO(content), "it")
    opened(source)
    Fields.read(source, STREAM)
    found = []
    while not found or found[-1][2].kind != END:
        start = source.position
        head = Head.read(source, len(found))
        found.append((start, source.position, head))
        source.take(head.size)
    return found


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


DATA = (TEXT * 2)[:1000]
WHOLE = samples.stream_of(DATA, chunk=100, restart=300)  # chunks 0, 3, 6 and 9 begin afresh


def test_a_sound_file_is_saved_whole() -> None:
    assert saved(WHOLE) == [DATA]


def test_a_damaged_payload_costs_what_hangs_on_it() -> None:
    start = places(WHOLE)[4][1]
    found = saved(flipped(WHOLE, start))
    assert found[0] == DATA[:400]
    assert found[1:3] == [Lost(4, 400, 500), Lost(5, 500, 600)]
    assert found[3:] == [DATA[600:]]
    assert str(found[1]) == "bytes 400 to 499 (chunk 4)"


def test_a_damaged_head_is_passed_over_by_the_end() -> None:
    for place in range(*places(WHOLE)[4][:2]):
        assert saved(flipped(WHOLE, place)) == [DATA[:400], Lost(4, 400, 600), DATA[600:]], place


def test_a_damaged_head_in_the_last_part_loses_the_rest() -> None:
    assert saved(flipped(WHOLE, places(WHOLE)[9][0])) == [DATA[:900], Lost(9, 900, 1000)]


def test_a_damaged_head_and_no_end_lose_the_rest() -> None:
    cut = flipped(WHOLE, places(WHOLE)[4][0])[:-3]
    assert saved(cut) == [DATA[:400], Lost(4, 400, None)]
    assert str(Lost(4, 400, None)) == "all from byte 400 on (chunk 4 and later)"


def test_a_damaged_end_is_told() -> None:
    start, payload, _ = places(WHOLE)[-1]
    assert saved(flipped(WHOLE, payload + 2)) == [DATA, Lost(10, 1000, None)]
    assert saved(flipped(WHOLE, start)) == [DATA, Lost(10, 1000, None)]


def test_stored_chunks_behind_damage_are_sound() -> None:
    content = samples.stream_of(TEXT[:200] + NOISE, chunk=100, restart=10_000)
    assert places(content)[2][2].stored
    assert saved(flipped(content, places(content)[1][1])) == [TEXT[:100], Lost(1, 100, 200), NOISE]


def test_cut_short_anywhere_what_came_before_is_saved() -> None:
    heads = places(WHOLE)
    for length in range(heads[0][0], len(WHOLE) - 4):
        found = saved(WHOLE[:length])
        chunks = sum(payload + head.size <= length for _, payload, head in heads[:-1])
        assert b"".join(piece for piece in found if isinstance(piece, bytes)) == DATA[: 100 * chunks]
        assert found[-1] == Lost(chunks, 100 * chunks, None), length


def test_saving_ends_whatever_the_end_says() -> None:
    rng = random.Random(0)
    start = places(WHOLE)[-1][0]
    for _ in range(300):
        totals = Totals()
        totals.chunks, totals.length = 10, rng.randrange(2000)
        totals.restarts = sorted(
            (streams.Restart(rng.randrange(2 * len(WHOLE)), rng.randrange(2000), rng.randrange(12)) for _ in range(4)),
            key=lambda one: (one.position, one.units, one.number),
        )
        units = sorted(one.units for one in totals.restarts)
        numbers = sorted(one.number for one in totals.restarts)
        totals.restarts = [
            streams.Restart(one.position, u, n) for one, u, n in zip(totals.restarts, units, numbers, strict=True)
        ]
        content = flipped(WHOLE[:start] + totals.to_bytes(), places(WHOLE)[rng.randrange(10)][0])
        pieces = saved(content)
        assert all(piece in DATA for piece in pieces if isinstance(piece, bytes)), pieces

"""Segments of one stream that are coded and decoded side by side."""

from __future__ import annotations

import io
import threading
import time
from unittest import mock

import pytest

from isthmus.coding import stream as streams
from isthmus.coding.coder import Coder, extreme_prior
from isthmus.coding.container import STREAM, Source, opened
from isthmus.coding.prior import shipped
from isthmus.coding.stream import Reader, Writer, lane_of
from isthmus.errors import ArtifactError, IsthmusError

from . import by_the_norm
from .samples import NOISE, TEXT

KNOWN = streams.KNOWN
DATA = TEXT * 3 + NOISE + TEXT * 3


@pytest.fixture(autouse=True)
def small_lanes():
    """Let little data be cut as much is."""
    with mock.patch.multiple(streams, LEAST=200, LANE_LIMIT=300, CHUNK=100, SMALL_LIMIT=20, KNOWN=9):
        yield


def written(threads: int = 2, *, size: int | None = len(DATA), verify: bool = True) -> bytes:
    file = io.BytesIO()
    with Writer(file, model=extreme_prior(), size=size, threads=threads, verify=verify) as writer:
        writer.write(DATA)
    return file.getvalue()


def pipe(content: bytes) -> io.RawIOBase:
    """Return a file that cannot be searched."""
    file = io.BytesIO(content)
    file.seekable = lambda: False  # type: ignore[method-assign]
    return file  # type: ignore[return-value]


def test_where_data_are_cut() -> None:
    with mock.patch.multiple(streams, LEAST=1 << 17, LANE_LIMIT=16 << 20):
        prior = extreme_prior()
        assert lane_of(None, prior, TEXT) is lane_of((1 << 17) - 1, prior, TEXT) is lane_of(1 << 30, None, TEXT) is None
        assert lane_of(1 << 17, prior, TEXT) == 1 << 16
        assert lane_of(150_001, prior, TEXT) == 75_001
        assert lane_of(1 << 40, prior, TEXT) == 16 << 20


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        (
            "The old house stood on a hill above the river, and nobody had lived there for as long as he could say.",
            True,
        ),
        (
            "def load(path):\n    with open(path) as file:\n        return json.load(file)\n\n\nclass Reader: ...\n",
            True,
        ),
        (
            "Das alte Haus lag auf einem Hügel über dem Fluss, und niemand hatte darin gewohnt, solange er dachte.",
            False,
        ),
        ("Старый дом стоял на холме над рекой, и никто не жил в нём с давних пор.", False),  # noqa: RUF001
    ],
)
def test_only_what_the_prior_knows_is_cut(text: str, is_cut: bool) -> None:
    with mock.patch.object(streams, "KNOWN", KNOWN):
        assert (lane_of(1 << 20, shipped(), text.encode()) is not None) == is_cut


def test_no_byte_hangs_on_the_threads() -> None:
    content = written(1)
    assert content == written(2) == written(5, verify=False)
    source = Source(io.BytesIO(content), "it")
    assert opened(source) == STREAM
    assert len(streams.end_of(source)[0]) == -(-len(DATA) // 300)
    assert by_the_norm.decoded(content, extreme_prior()) == DATA


@pytest.mark.parametrize("threads", [1, 2])
def test_back_again(threads: int) -> None:
    content = written()
    source = Source(io.BytesIO(content), "it")
    assert b"".join(streams.data_of(source, opened(source), extreme_prior(), threads)) == DATA
    assert Reader(pipe(content), model=extreme_prior()).readall() == DATA


def test_data_that_come_in_bits_and_are_flushed() -> None:
    file = io.BytesIO()
    with Writer(file, model=extreme_prior(), size=len(DATA)) as writer:
        for at in range(0, len(DATA), 70):
            writer.write(DATA[at : at + 70])
            if at == 350:
                writer.flush()
                with pytest.raises(ArtifactError, match="is cut short"):
                    Reader(io.BytesIO(file.getvalue()), model=extreme_prior()).readall()
    assert Reader(io.BytesIO(file.getvalue()), model=extreme_prior()).readall() == DATA


def test_more_or_less_data_than_were_said() -> None:
    for size in (250, 10_000):
        assert Reader(io.BytesIO(written(size=size)), model=extreme_prior()).readall() == DATA


@pytest.mark.parametrize("place", range(40, 900, 61))
def test_what_comes_before_the_damage_is_had(place: int) -> None:
    content = bytearray(written())
    content[place] ^= 4
    found = []
    for read in (pipe, io.BytesIO):
        pieces = io.BytesIO()
        with pytest.raises(ArtifactError), Reader(read(bytes(content)), model=extreme_prior()) as reader:
            pieces.writelines(reader.pieces())
        assert DATA.startswith(pieces.getvalue())
        found.append(pieces.tell())
    assert found[0] == found[1]


def test_an_encoder_that_errs_is_found() -> None:
    real = streams.Chunk.coded

    def off(coder: Coder, data: bytes, afresh: bool) -> streams.Chunk:
        chunk = real(coder, data, afresh)
        return chunk._replace(content=chunk.content[:-1] + bytes([chunk.content[-1] ^ 1]))

    with mock.patch.object(streams.Chunk, "coded", off), pytest.raises(IsthmusError, match="decode"):
        written()


def test_a_stop_is_not_undone_where_a_segment_begins() -> None:
    coder, stopped = Coder(12, prior=extreme_prior()), threading.Event()
    head, content, data = streams.Chunk.coded(Coder(12, prior=extreme_prior()), TEXT[:50], True)
    decoder = streams.Decoder(coder, stopped)
    assert decoder.data(head, content) == data
    streams.stop([coder, None], stopped)
    for begin in (lambda: decoder.data(head, content), lambda: streams.restart(coder, stopped) or coder.encode(b"x")):
        with pytest.raises(RuntimeError, match="stopped"):
            begin()


def test_who_leaves_waits_for_nobody() -> None:
    data = TEXT * 6_000
    with mock.patch.multiple(streams, LANE_LIMIT=16 << 20, CHUNK=1 << 18):
        writer = Writer(io.BytesIO(), model=extreme_prior(), size=len(data))
        writer.write(data[: len(data) // 2])
        start = time.monotonic()
        writer.abandon()
        assert time.monotonic() - start < 2  # of ten and more that the segment takes
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]

"""Compressed files of every form and content, which are read fast enough for thousands of variants."""

from __future__ import annotations

import functools
import io
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from isthmus import coding
from isthmus.coding import archive as archives
from isthmus.coding import contents, tables
from isthmus.coding import stream as streams
from isthmus.coding.coder import table_bits
from isthmus.coding.codes import Batch, Codes, Lattice, opened_codes
from isthmus.coding.container import ARCHIVE, STREAM, Fields, Source, small
from isthmus.coding.learning import learned
from isthmus.coding.prior import Prior, shipped
from isthmus.errors import IsthmusError

from . import golden_files

TEXT = b"She sells sea shells by the sea shore; the shells she sells are sea shells, I am sure. " * 6
NOISE = random.Random(0).randbytes(200)


@functools.cache
def model() -> Prior:
    """Return a model that some samples are made with."""
    return learned([TEXT[:100]], None)


@dataclass(frozen=True)
class Sample:
    """A sound file."""

    name: str
    content: bytes
    data: object  # bytes, or those of members by name
    model: Any = field(default_factory=model)  # that reading it may need


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


# ------------------------------------------------------------------ other contents than bytes


@functools.cache
def content_samples() -> list[Sample]:
    """Return files of tables, arrays, pictures and codes: the golden ones, and what these leave out."""
    models = {
        "2-table-model": golden_files.table_model().fitted(),
        "2-stack-model": golden_files.picture_model().fitted(),
        "2-archive-pictures": golden_files.picture_model().fitted(),
    }
    files = {path.stem: path.read_bytes() for path in sorted(golden_files.FOLDER.glob("2-*.isth"))}
    files |= {"table, of two groups": _two_groups(), "table, small": _small_table(), "codes": _codes()}
    files["Parquet, of two groups"] = _two_groups_of_parquet()
    needed = {name: models.get(name, model()) for name in files}
    return [Sample(name, content, read(content, needed[name]), needed[name]) for name, content in files.items()]


class _Groups:
    """Tables of one kind, each of which is at least one group of rows."""

    number, fingerprint, at_once, is_exact = contents.TABLE, None, 1, True

    def __init__(self, *parts: Any) -> None:
        self._tables = parts

    def description(self) -> bytes:
        return self._tables[0].description()

    def work(self) -> Iterator[contents.Work]:
        return chain.from_iterable(table.work() for table in self._tables)


def _rows(start: int, stop: int) -> bytes:
    return b"".join(b"%d,%s,%d.5\n" % (n, (b"lock", b"gate")[n * n % 3 % 2], n * 7 % 11) for n in range(start, stop))


def _two_groups() -> bytes:
    texts = (b"id,what,wide\n" + _rows(0, 12), _rows(12, 30))
    file = io.BytesIO()
    contents.write(file, _Groups(*(tables.TextTable(io.BytesIO(text)) for text in texts)), name="gates.csv")
    return file.getvalue()


def _two_groups_of_parquet() -> bytes:
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a.parquet", "b.parquet")]
        for path, first in zip(paths, (0, 7), strict=True):
            columns = {
                "id": np.arange(first, first + 9),
                "wide": [1.5, None, 2.25] * 3,
                "what": ["lock", None, "gate"] * 3,
            }
            parquet.write_table(pa.table(columns), path)
        contents.write(file, _Groups(*map(tables.ParquetTable.of, paths)))
    return file.getvalue()


def _small_table() -> bytes:
    file = io.BytesIO()
    contents.write(file, tables.TextTable(io.BytesIO(b"id,what,wide\n" + _rows(0, 12))), short=True)
    return file.getvalue()


def _codes() -> bytes:
    values = np.arange(24).reshape(2, 3, 2, 2) ** 2 % 7 - 3
    lattice = Lattice.around(np.zeros(3), np.ones(3), np.linspace(1, 5, 3), 0, 2)
    file = io.BytesIO()
    contents.write(file, Codes(lattice, lambda: [Batch([values])], bytes(32)))
    return file.getvalue()


# ------------------------------------------------------------------ reading


def read(content: bytes, known: Any = None) -> object:
    """Return all that a file holds, in a form that can be compared, with the model that it may need."""
    known = known or model()
    if len(content) > 2 and content[:2] == b"\xc1\x69" and content[2] & 15 == ARCHIVE:
        archive = coding.Archive(io.BytesIO(content), model=known)
        return {name: archive.read(name) for name in archive.names}
    if (codes := opened_codes(Source.of(content, "the data"))) is not None:
        return [batch.to_bytes() for batch in codes.batches()]
    found = coding.decompress(content, model=known)
    if isinstance(found, np.ndarray):
        return repr(found.dtype), found.shape, found.flags.f_contiguous, found.tobytes()
    return found


@dataclass(frozen=True)
class Outcome:
    """What came of reading an altered file: "same", "other", "refused", or the name of a foreign exception."""

    kind: str
    said: str = ""

    def is_fault(self, *, signed: bool) -> bool:
        """Tell whether that must not be: a foreign exception; other data, where checks were not made right again."""
        return self.kind not in ("same", "refused", "other") or (self.kind == "other" and not signed)


def outcome(content: bytes, sample: Sample) -> Outcome:
    try:
        found = read(content, sample.model)
    except IsthmusError as error:
        return Outcome("refused", str(error))
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return Outcome(type(error).__name__, str(error))
    return Outcome("same" if found == sample.data else "other")

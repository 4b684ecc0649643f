"""What compression would give: an estimate of a size, or a comparison with other tools; nothing is written."""

from __future__ import annotations

import bz2
import io
import lzma
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from isthmus.cli.meter import metered
from isthmus.cli.terminal import Result, Terminal, columns
from isthmus.coding import names
from isthmus.coding.choosing import Choice
from isthmus.coding.coder import NORMAL, Coder, table_bits
from isthmus.coding.container import SPEEDS
from isthmus.coding.contents import Content, Work
from isthmus.coding.recognising import AUTO, TABLE, kind_of, recognised, write_recognised
from isthmus.coding.sources import opened_file
from isthmus.coding.stream import compressed, decompressed
from isthmus.coding.tables import TextTable
from isthmus.errors import IsthmusError

__all__ = ["compare", "estimate"]

SAMPLE = 1 << 20  # bytes that an estimate looks at
PLACES = 16  # where they are taken
PIECES = 4  # of a table, which are coded for an estimate
COMPARED = 256 << 20  # bytes that a comparison takes into memory


def estimate(
    terminal: Terminal,
    paths: Sequence[Path],
    choice: Choice,
    kind: str = AUTO,
    bound: Mapping[str, float | None] | None = None,
) -> Result:
    """Estimate a compressed size: of bytes from pieces of them, coded one after another by one coder.

    One file that is coded as a table or an array is coded, all of it or some of its pieces.

    Parameters
    ----------
    terminal : Terminal
        Where progress is shown.
    paths : sequence of Path
        Files.
    choice : Choice
        Which prior they are coded with.
    kind : str, default="auto"
        What a person says that they are.
    bound : mapping, optional
        How far the numbers of an array may be off.
    """
    sizes = [path.stat().st_size for path in paths]
    total = sum(sizes)
    if len(paths) == 1 and choice.speed == NORMAL and choice.model is None:
        with opened_file(paths[0]) as file:
            found = recognised(paths[0], file, kind_of(paths[0], kind), bound=bound, prior=choice.carried)
            if found.content:
                return _estimate_content(terminal, file, found.content, total, paths[0].name, choice, kind)
    prior = choice.for_members({str(path): path for path in paths})
    coder = Coder(table_bits(total, choice.speed), speed=choice.speed, prior=prior)
    started, sampled, size = time.perf_counter(), 0, 0
    with metered(terminal, min(total, SAMPLE)) as meter:
        for piece in _sample(paths, sizes):
            payload = min(len(coder.encode(piece)), len(piece))
            sampled, size = sampled + len(piece), size + payload
            meter(len(piece), payload)
    seconds = time.perf_counter() - started
    ratio, pace = size / max(sampled, 1), sampled / max(seconds, 1e-9)
    return _estimated(total, sampled, round(total * ratio), total / max(pace, 1e-9))


def _estimated(total: int, sampled: int, size: int, seconds: float, cores: str = "on one core") -> Result:
    """Return what an estimate from so many sampled bytes says."""
    document = {"bytes": total, "sampled_bytes": sampled, "compressed_bytes": size, "seconds": seconds}
    how = "all of them were coded" if sampled == total else f"from a sample of {sampled:,} bytes"
    line = (
        f"{total:,} bytes would take about {size:,} ({100 * size / max(total, 1):.0f} %), in about {seconds:.0f} s "
        f"{cores} ({how}; nothing was written)"
    )
    return Result(document, [line])


def _estimate_content(
    terminal: Terminal, file: BinaryIO, content: Content, total: int, name: str, choice: Choice, kind: str
) -> Result:
    """Estimate the size of a content from some of its pieces, evenly apart, or all where they are few."""
    started, sample, nowhere = time.perf_counter(), _SampledContent(content, file, total), cast(BinaryIO, Nowhere())
    with metered(terminal, sample.bytes) as meter:
        size = write_recognised(
            nowhere,
            sample,
            file,
            size=total,
            name=None if names.why_refused(name) else name,
            verify=False,
            prior=choice.carried,
            whatever=kind != AUTO,
            done=lambda piece, more: meter(len(piece.data), more),
        )
    seconds = time.perf_counter() - started
    sampled = meter.data if sample.step > 1 else total
    share = total / max(sampled, 1)
    return _estimated(total, sampled, round(size * share), seconds * share, "with two threads")


class Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Return how many bytes these are."""
        return len(data)


class _SampledContent:
    """Some pieces of a content, evenly apart, as a content.

    Parameters
    ----------
    content : Content
        All of it.
    file : binary file
        That it reads from.
    total : int
        Its bytes.
    """

    def __init__(self, content: Content, file: BinaryIO, total: int) -> None:
        self._content = content
        self.number, self.fingerprint = content.number, content.fingerprint
        self.at_once, self.is_exact = content.at_once, content.is_exact
        first = next(content.work(), None)
        file.seek(0)
        length = first.bytes if first else 0
        count = -(-total // max(length, 1)) if content.is_exact else 1
        self.step = max(1, count // PIECES)
        self.bytes = total if self.step == 1 else length * -(-count // self.step)

    def description(self) -> bytes:
        """Return what a reader needs before the first piece."""
        return self._content.description()

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces of the sample: from the middle, since rows may grow along the file."""
        return islice(self._content.work(), self.step // 2, None, self.step)


def _sample(paths: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield all of the data where they are few, else pieces from places that are evenly apart."""
    total = sum(sizes)
    length = SAMPLE // PLACES
    if total <= SAMPLE:
        places = [(index, 0, size) for index, size in enumerate(sizes)]
    else:
        places = [_place(sizes, place * (total - length) // (PLACES - 1), length) for place in range(PLACES)]
    for index, start, count in places:
        with opened_file(paths[index]) as file:
            file.seek(start)
            yield file.read(count)


def _place(sizes: Sequence[int], start: int, length: int) -> tuple[int, int, int]:
    """Return the file in which a byte of all lies, its place there, and how many bytes to take."""
    for index, size in enumerate(sizes):
        if start < size:
            return index, start, min(length, size - start)
        start -= size
    return len(sizes) - 1, 0, 0


# ------------------------------------------------------------------ comparison


class Tool(NamedTuple):
    """A way to compress bytes, and to bring back what they mean to it: bytes, or the table that they hold."""

    name: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], Any]
    meaning: Callable[[bytes], Any] = bytes


def compare(terminal: Terminal, paths: Sequence[Path], choice: Choice, kind: str = AUTO) -> Result:
    """Compress files with isthmus and with other tools, each file alone, and set sizes and speeds beside each other."""
    data = _read(paths)
    total = sum(map(len, data))
    rows: list[dict[str, Any]] = []
    as_table = [_is_table(path, one, choice, kind) for path, one in zip(paths, data, strict=True)]
    tools = _tools(choice, all(as_table), kind) + (_parquet(data) if all(as_table) else [])
    with metered(terminal, total * len(tools)) as meter:
        for tool in tools:
            started = time.perf_counter()
            packed = [tool.compress(one) for one in data]
            coded = time.perf_counter()
            again = [tool.decompress(one) for one in packed]
            ended = time.perf_counter()
            if again != [tool.meaning(one) for one in data]:
                raise IsthmusError(f"{tool.name} did not give back what it was given; report that to its makers.")
            size = sum(map(len, packed))
            meter(total, 0)
            rows.append(
                {
                    "tool": tool.name,
                    "compressed_bytes": size,
                    "bits_per_byte": 8 * size / max(total, 1),
                    "compress_mb_per_s": total / 1e6 / max(coded - started, 1e-9),
                    "decompress_mb_per_s": total / 1e6 / max(ended - coded, 1e-9),
                }
            )
    rows.sort(key=lambda row: row["compressed_bytes"])
    whole = sum(path.stat().st_size for path in paths)
    what = f"the first {total:,} of {whole:,} bytes" if total < whole else f"{total:,} bytes"
    head = ("tool", "bytes", "bits a byte", "compress MB/s", "decompress MB/s")
    table = columns(head, [_row(row) for row in rows])
    first = f"{what}, each file alone, one thread; nothing was written"
    return Result({"bytes": total, "tools": rows}, [first, *table])


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["tool"],
        f"{row['compressed_bytes']:,}",
        f"{row['bits_per_byte']:.3f}",
        f"{row['compress_mb_per_s']:.2f}",
        f"{row['decompress_mb_per_s']:.2f}",
    )


def _read(paths: Sequence[Path]) -> list[bytes]:
    """Return the content of files, up to a limit for all."""
    found, room = [], COMPARED
    for path in paths:
        with opened_file(path) as file:
            found.append(file.read(room))
        room -= len(found[-1])
        if room <= 0:
            break
    return found


def _is_table(path: Path, data: bytes, choice: Choice, kind: str) -> bool:
    """Tell whether isthmus codes a file as a table."""
    plain = choice.speed == NORMAL and choice.model is None and kind_of(path, kind) == TABLE
    return plain and isinstance(recognised(path, io.BytesIO(data), kind_of(path, kind)).content, TextTable)


def _as_table(data: bytes, choice: Choice, kind: str) -> bytes:
    """Return the compressed file of a table, as compress writes it."""
    source, found = io.BytesIO(data), io.BytesIO()
    content = TextTable(source, prior=choice.carried, threads=1)
    how: dict[str, Any] = {"verify": False, "prior": choice.carried, "threads": 1, "whatever": kind != AUTO}
    write_recognised(found, content, source, size=len(data), **how)
    return found.getvalue()


def _parquet(data: Sequence[bytes]) -> list[Tool]:
    """Return Parquet, where pyarrow is installed and reads the tables: it keeps values, not how they are written."""
    try:
        from pyarrow import ArrowException, csv, parquet
    except ImportError:
        return []

    def meaning(one: bytes) -> Any:
        return csv.read_csv(io.BytesIO(one))

    def pack(one: bytes) -> bytes:
        found = io.BytesIO()
        parquet.write_table(meaning(one), found, compression="zstd", compression_level=19)
        return found.getvalue()

    try:
        for one in data:
            meaning(one)
    except (ArrowException, ValueError):
        return []
    return [Tool("Parquet, zstd -19", pack, lambda packed: parquet.read_table(io.BytesIO(packed)), meaning)]


def _tools(choice: Choice, as_table: bool, kind: str) -> list[Tool]:
    """Return isthmus and the tools that are here, each at the setting that gives its smallest files."""
    speed = next(name for name, number in SPEEDS.items() if number == choice.speed)
    how: dict[str, Any] = {"speed": speed, "verify": False, "model": choice.model, "prior": choice.carried}
    own = Tool(
        f"isthmus ({speed}{', with the model' if choice.model else ''})",
        lambda data: compressed(data, **how),
        lambda data: decompressed(data, model=choice.model),
    )
    if as_table:
        own = Tool("isthmus (as a table)", lambda data: _as_table(data, choice, kind), decompressed)
    xz = Tool("xz -9e", lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    return [
        own,
        Tool("gzip -9", lambda data: zlib.compress(data, 9, 31), lambda data: zlib.decompress(data, 31)),
        Tool("bzip2 -9", bz2.compress, bz2.decompress),
        xz,
        *_zstd(),
        *_brotli(),
    ]


def _zstd() -> list[Tool]:
    """Return zstd: Python's own from 3.14 on, else the package zstandard, where it is installed."""
    try:
        zstd: Any = import_module("compression.zstd")
        return [Tool("zstd -19", lambda data: zstd.compress(data, 19), zstd.decompress)]
    except ImportError:
        pass
    try:
        zstandard: Any = import_module("zstandard")
    except ImportError:
        return []
    return [Tool("zstd -19", zstandard.ZstdCompressor(level=19).compress, zstandard.ZstdDecompressor().decompress)]


def _brotli() -> list[Tool]:
    """Return brotli, where it is installed."""
    try:
        brotli: Any = import_module("brotli")
    except ImportError:
        return []
    return [Tool("brotli -q 11", lambda data: brotli.compress(data, quality=11), brotli.decompress)]

"""What compression would give: an estimate of a size, or a comparison with other tools; nothing is written."""

from __future__ import annotations

import bz2
import lzma
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.cli.meter import metered
from isthmus.cli.terminal import Result, Terminal, columns
from isthmus.coding.choosing import Choice
from isthmus.coding.coder import Coder, table_bits
from isthmus.coding.container import SPEEDS
from isthmus.coding.sources import opened_file
from isthmus.coding.stream import compressed, decompressed
from isthmus.errors import IsthmusError

__all__ = ["compare", "estimate"]

SAMPLE = 1 << 20  # bytes that an estimate looks at
PLACES = 16  # where they are taken
COMPARED = 256 << 20  # bytes that a comparison takes into memory


def estimate(terminal: Terminal, paths: Sequence[Path], choice: Choice) -> Result:
    """Estimate a compressed size from pieces of the data, coded one after another by one coder."""
    sizes = [path.stat().st_size for path in paths]
    total = sum(sizes)
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
    document = {
        "bytes": total,
        "sampled_bytes": sampled,
        "compressed_bytes": round(total * ratio),
        "seconds": total / max(pace, 1e-9),
    }
    lines = [
        f"{total:,} bytes would take about {document['compressed_bytes']:,} ({100 * ratio:.0f} %), in about "
        f"{document['seconds']:.0f} s on one core (from a sample of {sampled:,} bytes; nothing was written)"
    ]
    return Result(document, lines)


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
    """A way to compress bytes, and to bring them back."""

    name: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]


def compare(terminal: Terminal, paths: Sequence[Path], choice: Choice) -> Result:
    """Compress files with isthmus and with other tools, each file alone, and set sizes and speeds beside each other."""
    data = _read(paths)
    total = sum(map(len, data))
    rows: list[dict[str, Any]] = []
    tools = _tools(choice)
    with metered(terminal, total * len(tools)) as meter:
        for tool in tools:
            started = time.perf_counter()
            packed = [tool.compress(one) for one in data]
            coded = time.perf_counter()
            again = [tool.decompress(one) for one in packed]
            ended = time.perf_counter()
            if again != data:
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


def _tools(choice: Choice) -> list[Tool]:
    """Return isthmus and the tools that are here, each at the setting that gives its smallest files."""
    speed = next(name for name, number in SPEEDS.items() if number == choice.speed)
    how: dict[str, Any] = {"speed": speed, "verify": False, "model": choice.model, "prior": choice.carried}
    own = Tool(
        f"isthmus ({speed}{', with the model' if choice.model else ''})",
        lambda data: compressed(data, **how),
        lambda data: decompressed(data, model=choice.model),
    )
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

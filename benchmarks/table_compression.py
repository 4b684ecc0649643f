"""Sizes and speeds of compressed tables, beside Parquet, OpenZL, zpaq and xz.

The tables are the training rows of the Adult census as they were published, the 286,048 rows and ten columns of the
forest cover set of ODDS written as CSV, and red and white wine. Nothing of isthmus was chosen by any of them.

isthmus, zpaq and xz give back the file byte for byte. Parquet (zstd at level 19, dictionaries where Arrow sets them)
and OpenZL keep its values, which is less: Parquet what pyarrow reads of the CSV, and OpenZL of each column the smallest
of nine graphs, of numbers that stand for its different cells, with these cells as text by zstd at level 19. Every file
is whole, is decoded and compared, in a process of its own for every table and codec.

Times are by the clock, on a machine with two cores, of which isthmus uses both, OpenZL one. isthmus is timed without
verification; its time to encode is set beside that of xz in the same run. ``other_cores`` says how many cores something
else kept busy meanwhile: above .2 times are too long.
"""

from __future__ import annotations

import argparse
import gzip
import io
import lzma
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]

# Bytes that isthmus must reach, and those that are the aim.
TABLES = {
    "Adult": (172_000, 163_000),
    "cover": (1_200_000, 1_000_000),
    "red wine": (13_500, 12_900),
    "white wine": (41_000, 39_000),
}
TIMES_XZ, CELLS_S, PEAK = 5, 300_000, 1000  # times xz's time to encode; cells decoded a second; MB of memory
ESTIMATE = 0.01, 100  # of the size, and bytes, that an estimate may be off
CODECS = ("isthmus", "xz -9e", "zpaq -m5", "Parquet zstd -19", "OpenZL by column")
PACKAGES = ("zpaq", "pyarrow", "openzl", "zstandard")
ALONE = {"OMP_NUM_THREADS": "1"}


# ---------------------------------------------------------------------- tables


def tables(root: Path) -> dict[str, bytes]:
    """Return the tables as CSV files by name."""
    tabular = root / "tabular"
    cover = np.load(tabular / "cover-outliers" / "10_cover.npz")["X"]
    return {
        "Adult": gzip.decompress((tabular / "adult" / "adult-train.csv.gz").read_bytes()),
        "cover": b"".join(b",".join(b"%d" % value for value in row) + b"\n" for row in cover.tolist()),
        "red wine": gzip.decompress((tabular / "winequality" / "winequality-red.csv.gz").read_bytes()),
        "white wine": gzip.decompress((tabular / "winequality" / "winequality-white.csv.gz").read_bytes()),
    }


def cells(data: bytes) -> list[list[bytes]]:
    """Return the cells of each column of a table without quotes."""
    rows = [line.split(b",") for line in data.splitlines() if line]
    return [list(column) for column in zip(*rows, strict=True)]


# ---------------------------------------------------------------------- codecs


def codec(name: str) -> Codec:
    """Return how a codec compresses, and how it decompresses."""
    return {
        "isthmus": _isthmus,
        "xz -9e": lambda: (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
        "zpaq -m5": _zpaq,
        "Parquet zstd -19": _parquet,
        "OpenZL by column": _openzl,
    }[name]()


def _isthmus() -> Codec:
    import isthmus
    from isthmus.coding.recognising import TextTable, write_recognised

    def pack(data: bytes) -> bytes:
        source, into = io.BytesIO(data), io.BytesIO()
        write_recognised(into, TextTable(source), source, size=len(data), name="table.csv", verify=False)
        return into.getvalue()

    return pack, isthmus.decompress


def _zpaq() -> Codec:
    import zpaq

    return lambda data: zpaq.compress(data, level=5, threads=1), zpaq.decompress


def _parquet() -> Codec:
    """Return Parquet, which gives back a table: the CSV is compared as pyarrow reads it."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    def read(data: bytes) -> pa.Table:
        width = len(data.split(b"\n", 1)[0].split(b","))
        names = csv.ReadOptions(column_names=[str(place) for place in range(width)])
        return csv.read_csv(io.BytesIO(data), read_options=names)

    def pack(data: bytes) -> bytes:
        into = io.BytesIO()
        parquet.write_table(read(data), into, compression="zstd", compression_level=19)
        return into.getvalue()

    def unpack(packed: bytes) -> bytes:
        into = io.BytesIO()
        csv.write_csv(parquet.read_table(io.BytesIO(packed)), into)
        return into.getvalue()

    def checked(data: bytes) -> bytes:
        packed = pack(data)
        assert parquet.read_table(io.BytesIO(packed)).equals(read(data))
        return packed

    return checked, unpack


def _openzl() -> Codec:
    """Return OpenZL 0.3.0: each column as numbers of its different cells, by the graph that makes it smallest."""
    import openzl.ext as zl
    import zstandard

    n, g = zl.nodes, zl.graphs
    graphs: list[Callable[[Any], Any]] = [
        lambda c: g.Compress()(c),
        lambda c: g.FieldLz(compression_level=19)(c),
        lambda c: g.Entropy()(c),
        lambda c: g.Bitpack()(c),
        lambda c: n.DeltaInt()(c, g.Compress()(c)),
        lambda c: n.DeltaInt()(c, n.Zigzag()(c, g.Entropy()(c))),
        lambda c: n.DeltaInt()(c, n.Zigzag()(c, g.Compress()(c))),
        lambda c: n.TokenizeNumeric(sort=True)(c, alphabet=n.DeltaInt()(c, g.Compress()(c)), indices=g.Compress()(c)),
        lambda c: n.ConvertNumToStructLE()(c, n.TransposeSplit()(c, g.Compress()(c))),
    ]

    def column(codes: np.ndarray) -> bytes:
        found = []
        for graph in graphs:
            compressor, context = zl.Compressor(), zl.CCtx()
            compressor.select_starting_graph(graph(compressor))
            context.ref_compressor(compressor)
            context.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
            context.set_parameter(zl.CParam.CompressionLevel, 19)
            try:
                packed = context.compress([zl.Input(zl.Type.Numeric, codes)])
                sound = zl.DCtx().decompress(packed)[0].content.as_bytes() == codes.tobytes()
            except (RuntimeError, ValueError, TypeError) as error:  # a graph does not take every column
                print(f"OpenZL: {error!r}"[:200], file=sys.stderr)
                continue
            if sound:
                found.append(packed)
        return min(found, key=len)

    def pack(data: bytes) -> bytes:
        parts, texts = [], []
        for one in cells(data):
            numbers, known = _numbers(one)
            parts.append(column(numbers))
            texts.append(b"\n".join(known))
        parts.append(zstandard.ZstdCompressor(level=19).compress(b"\0".join(texts)))
        return b"".join(len(part).to_bytes(4, "little") + part for part in parts)

    def unpack(packed: bytes) -> bytes:
        parts, at = [], 0
        while at < len(packed):
            size = int.from_bytes(packed[at : at + 4], "little")
            parts.append(packed[at + 4 : at + 4 + size])
            at += 4 + size
        texts = zstandard.ZstdDecompressor().decompress(parts.pop()).split(b"\0")
        columns = []
        for part, text in zip(parts, texts, strict=True):
            found, known = zl.DCtx().decompress(part)[0].content.as_bytes(), text.split(b"\n")
            width = int(known[0])
            numbers = np.frombuffer(found, f"u{width}").tolist()
            columns.append(
                [known[n + 2] for n in numbers] if len(known) > 2 else [known[1] + b"%d" % n for n in numbers]
            )
        return b"".join(b",".join(row) + b"\n" for row in zip(*columns, strict=True))

    return pack, unpack


def _numbers(column: list[bytes]) -> tuple[np.ndarray, list[bytes]]:
    """Return a column as numbers, and as text their width, what stands before each, and the cells that they mean."""
    before = b" " if all(cell.startswith(b" ") for cell in column) else b""
    bare = [cell[len(before) :] for cell in column]
    if all(cell.isdigit() and cell == b"%d" % int(cell) for cell in bare):
        values, known = [int(cell) for cell in bare], []
    else:
        known = sorted(set(column), key=_order)
        code = {cell: number for number, cell in enumerate(known)}
        values = [code[cell] for cell in column]
    width = next(width for width in (1, 2, 4, 8) if max(values) < 1 << 8 * width)
    return np.array(values, f"u{width}"), [b"%d" % width, before, *known]


def _order(cell: bytes) -> tuple[float, bytes]:
    try:
        return float(cell), cell
    except ValueError:
        return float("inf"), cell


# ---------------------------------------------------------------------- runs


def child(name: str, path: Path) -> None:
    """Compress and decompress one table, and emit what it took."""
    data = path.read_bytes()
    pack, unpack = codec(name)
    some = data[: data.index(b"\n", 2000) + 1]
    unpack(pack(some))  # what is loaded at the first use
    with harness.clocked() as packing:
        packed = pack(data)
    with harness.clocked() as unpacking:
        found = unpack(packed)
    columns, exact = cells(data), found == data
    if not exact and (
        name in ("isthmus", "xz -9e", "zpaq -m5") or (name.startswith("OpenZL") and cells(found) != columns)
    ):
        raise SystemExit(f"{name} gives other bytes back")
    n_cells = len(columns) * len(columns[0])
    harness.emit(
        bytes=len(packed),
        exact=exact,
        encode_s=round(packing.seconds, 3),
        decode_s=round(unpacking.seconds, 3),
        encode_cpu_s=round(packing.cpu_seconds, 3),
        decode_cpu_s=round(unpacking.cpu_seconds, 3),
        decode_cells_s=round(n_cells / unpacking.seconds),
        other_cores=max(packing.other_cores or 0.0, unpacking.other_cores or 0.0),
        peak_mb=round(harness.peak_resident_bytes() / 1e6),
    )


def estimated(path: Path) -> dict[str, Any]:
    """Return what ``compress --dry-run`` says of a table."""
    started = time.perf_counter()
    found = harness.child(sys.executable, ["-m", "isthmus", "compress", str(path), "--dry-run", "--json"])
    return {"bytes": found.get("compressed_bytes"), "seconds": round(time.perf_counter() - started, 2)}


def measured(data: dict[str, bytes], folder: Path, peer: str) -> dict[str, dict[str, Any]]:
    """Return what each codec made of each table."""
    found: dict[str, dict[str, Any]] = {}
    for name, content in data.items():
        path = folder / "table.csv"
        path.write_bytes(content)
        found[name] = {"bytes": len(content)}
        for one in CODECS:
            python = sys.executable if one in ("isthmus", "xz -9e") else peer
            found[name][one] = harness.child(python, [__file__, "--child", one, str(path)], environment=ALONE)
            print(f"{name}: {one}: {found[name][one]}", flush=True)
        found[name]["estimate"] = estimated(path)
    return found


def claims(report: harness.Report, found: dict[str, Any]) -> None:
    """Add what was promised."""
    for name, (must, aim) in TABLES.items():
        ours, xz = found[name]["isthmus"], found[name]["xz -9e"]
        report.claim(f"{name}, bytes", ours["bytes"], f"at most {must}, aim {aim}", ours["bytes"] <= must)
        times = ours["encode_s"] / xz["encode_s"]
        report.claim(f"{name}, time to encode over xz's", times, f"at most {TIMES_XZ}", times <= TIMES_XZ)
        rate = ours["decode_cells_s"]
        report.claim(f"{name}, cells decoded a second", rate, f"at least {CELLS_S}", rate >= CELLS_S)
        share, more = ESTIMATE
        off = abs(found[name]["estimate"]["bytes"] - ours["bytes"])
        most = share * ours["bytes"] + more
        report.claim(f"{name}, bytes that the estimate is off", off, "at most 1 % + 100", off <= most)
    peak = max(found[name]["isthmus"]["peak_mb"] for name in TABLES)
    report.claim("MB of memory at most", peak, f"at most {PEAK}", peak <= PEAK)


def main() -> int:
    """Run every codec on every table, print the sizes and write them down."""
    options = parse()
    if options.versions:
        harness.emit(**harness.versions(*PACKAGES))
        return 0
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return 0
    root = Path(os.environ.get("ISTHMUS_DATA", ""))
    if not (root / "tabular" / "adult").is_dir():
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds tabular/ (adult, cover-outliers, winequality).")
    import isthmus

    versions = harness.versions("numpy") | harness.child(options.peer_python, [__file__, "--versions"])
    report = harness.Report("table_compression", {}, {"isthmus": isthmus.__version__} | versions)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(tables(root), Path(folder), options.peer_python)
    claims(report, found)
    report.measurements = {"tables": found}
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--versions", action="store_true", help=argparse.SUPPRESS)
    made.add_argument("--child", nargs=2, metavar=("CODEC", "FILE"), help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

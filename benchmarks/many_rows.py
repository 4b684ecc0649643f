"""A billion rows in constant memory: what ``isthmus fit`` takes of memory, decoding and time as rows grow in number.

Each part writes its figures beside those of the others into one file of results:

- ``memory``: peak resident memory of the command, of arrays and of Parquet files from 10**7 rows on; the slope between
  two sizes, in bytes a row. The largest array is sparse: holes read as zeros, and take no room on the disk.
- ``decoded``: rows of a Parquet file that are decoded for every row that is trained on, in a shuffled order.
- ``seconds``: wall time of ``--max-seconds 30`` on files of 10 GB, whole command. Needs a quiet machine.
- ``pictures``: bytes of memory that a folder of pictures takes for each of them, besides the length of its path.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np

PIECE = 2**20
WIDTH = 64  # columns of one byte: from 10**7 rows on more than is read into memory
TRAINED = 50_000  # records, whatever there are

DECODED = """
import sys
import harness
from isthmus import Autoencoder, data
from isthmus.fitting import Fit
from isthmus.training import ShowProgress
from isthmus.data import stores
stores.RESIDENT_BYTES = 0  # also the smaller file is streamed
opened = data.open(sys.argv[1])
batch = int(sys.argv[3])
model = Autoencoder(hidden=(16,), latent_dim=2, batch_size=batch, random_state=0, max_epochs=float(sys.argv[2]))
run = Fit(model, opened, seed=0, validation=0).prepare()
before = opened.store.decoded
run.train(callbacks=[ShowProgress()])  # which asks for a forecast, as the command line does
trained = run.model.provenance_["steps"] * batch
inside = opened.store.decoded
harness.emit(rows=len(opened), trained=trained, first_look=before, decoded=inside - before)
"""

OPENED = """
import sys, tracemalloc
import harness
from pathlib import Path
from isthmus import data
from isthmus.data import stores
stores.RESIDENT_BYTES = 0
data.open(sys.argv[2], sizes="group")  # libraries are loaded
tracemalloc.start()
opened = data.open(sys.argv[1], sizes="group")
now, peak = tracemalloc.get_traced_memory()
path = sum(len(name) for name in opened.names) / len(opened)
harness.emit(pictures=len(opened), kept_bytes=now / len(opened), peak_bytes=peak / len(opened), path_bytes=path)
"""


# ---------------------------------------------------------------------- files


def write_array(path: Path, rows: int, *, sparse: bool = False) -> None:
    """Write an ``.npy`` file of bytes, (rows, 64): the same 2**20 random rows again and again, or holes."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, WIDTH)}
    block = np.random.default_rng(0).integers(0, 200, (min(PIECE, rows), WIDTH), np.uint8)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        if sparse:
            file.write(block.data)
            file.truncate(file.tell() + (rows - len(block)) * WIDTH)
            return
        for start in range(0, rows, PIECE):
            file.write(block[: rows - start].data)


def write_parquet(path: Path, rows: int, *, group: int = PIECE, width: int = WIDTH, dtype: str = "u1") -> None:
    """Write a Parquet file of small whole numbers and a column of labels; a row group is ``group`` rows."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    some = {f"c{k}": rng.integers(0, 4, min(group, rows)).astype(dtype) for k in range(width)}
    table = pa.table({**some, "label": np.array(["a", "b", "c"])[rng.integers(0, 3, min(group, rows))]})
    with parquet.ParquetWriter(path, table.schema) as writer:
        for start in range(0, rows, group):
            writer.write_table(table.slice(0, rows - start), row_group_size=group)


# ---------------------------------------------------------------------- the parts


def fit(source: Path, folder: Path, *more: str) -> dict[str, Any]:
    """Return peak and seconds of ``isthmus fit`` in a process of its own."""
    arguments = ["fit", str(source), "-o", str(folder / "model.safetensors"), "--force", "--hidden", "16"]
    arguments += ["--latent-dim", "2", *more]
    environment = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}"}
    return harness.child(sys.executable, ["-c", harness.COMMAND_LINE, *arguments], environment=environment)


def memory(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure peaks by kind and number of rows."""
    found: dict[str, Any] = {}
    makers: dict[str, tuple[Callable[..., None], str]] = {
        "array": (write_array, "npy"),
        "parquet": (write_parquet, "parquet"),
    }
    for kind, (write, suffix) in makers.items():
        for rows in options.rows:
            path = folder / f"rows.{suffix}"
            write(path, rows)
            labels = ["--labels", "label"] if kind == "parquet" else []
            found[f"{kind} {rows:,}"] = fit(path, folder, "--max-epochs", str(TRAINED / rows), *labels)
            print(kind, f"{rows:,}", found[f"{kind} {rows:,}"], flush=True)
            path.unlink()
    if options.sparse:
        path = folder / "sparse.npy"
        write_array(path, options.sparse, sparse=True)
        found[f"sparse array {options.sparse:,}"] = fit(path, folder, "--max-epochs", str(TRAINED / options.sparse))
        print("sparse", found[f"sparse array {options.sparse:,}"], flush=True)
        path.unlink()
    return found


def slopes(found: dict[str, Any], options: argparse.Namespace) -> dict[str, float | None]:
    """Return bytes a row between the first and the last size, by kind."""
    first, last = options.rows[0], options.rows[-1]
    pairs = {kind: (found[f"{kind} {first:,}"], found[f"{kind} {last:,}"]) for kind in ("array", "parquet")}
    if options.sparse:
        pairs["sparse array"] = found[f"array {first:,}"], found[f"sparse array {options.sparse:,}"]
    rows = {kind: max(1, (options.sparse if kind == "sparse array" else last) - first) for kind in pairs}
    return {
        kind: (b["peak_bytes"] - a["peak_bytes"]) / rows[kind] if "peak_bytes" in a and "peak_bytes" in b else None
        for kind, (a, b) in pairs.items()
    }


def decoded(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Count rows decoded for 120,000 rows trained on, and for one and a half epochs of a smaller file."""
    found = {}
    environment = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}"}
    for name, rows, trained, batch in (
        ("120,000 of many", options.many, 120_000, 500),
        ("one epoch and a half", options.many // 30, options.many // 20, 5000),
    ):
        path = folder / "decoded.parquet"
        write_parquet(path, rows, group=min(PIECE, rows // 10))
        arguments = ["-c", DECODED, str(path), str(trained / rows), str(batch)]
        found[name] = harness.child(sys.executable, arguments, environment=environment)
        print(name, found[name], flush=True)
        path.unlink()
    return found


def seconds(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Time ``--max-seconds 30`` on files of 10 GB."""
    found = {}
    size = round(options.gigabytes * 10**9)
    for name in ("rows.npy", "rows.parquet"):
        path = folder / name
        if name.endswith("npy"):
            write_array(path, size // WIDTH)
        else:
            write_parquet(path, size // (4 * 20), width=20, dtype="f4")
        start = time.perf_counter()
        found[name] = fit(path, folder, "--max-seconds", "30") | {"bytes": path.stat().st_size}
        found[name]["whole_seconds"] = round(time.perf_counter() - start, 2)
        print(name, found[name], flush=True)
        path.unlink()
    return found


def pictures(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what a folder of small pictures takes once it is open."""
    from PIL import Image

    many, few = folder / "pictures", folder / "few"
    rng = np.random.default_rng(0)
    content = []
    for size in range(20):
        place = folder / "one.png"
        Image.fromarray(rng.integers(0, 256, (2 + size % 5, 2 + size), np.uint8)).save(place)
        content.append(place.read_bytes())
    for target, count in ((many, options.pictures), (few, 20)):
        for number in range(count):
            path = target / f"{number // 1000:04d}" / f"{number:08d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[number % len(content)])
    environment = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}"}
    return harness.child(sys.executable, ["-c", OPENED, str(many), str(few)], environment=environment)


# ---------------------------------------------------------------------- the record


def claim(report: harness.Report, part: str, found: dict[str, Any], options: argparse.Namespace) -> None:
    """Set what was measured beside what was promised."""
    if part == "memory":
        for kind, slope in slopes(found, options).items():
            report.claim(f"bytes a row, {kind}", slope, "at most 1", slope is not None and slope <= 1)
    elif part == "decoded":
        for name, one in found.items():
            ratio = one["decoded"] / one["trained"] if one.get("trained") else None
            report.claim(f"rows decoded over trained on, {name}", ratio, "at most 2", ratio is not None and ratio <= 2)
    elif part == "seconds":
        for name, one in found.items():
            took = one["whole_seconds"] if "failed" not in one else None
            report.claim(f"seconds of --max-seconds 30, {name}", took, "at most 60", took is not None and took <= 60)
    else:
        beside = found["kept_bytes"] - found["path_bytes"] if "kept_bytes" in found else None
        report.claim("bytes a picture beside its path", beside, "at most 100", beside is not None and beside <= 100)


PARTS = {"memory": memory, "decoded": decoded, "seconds": seconds, "pictures": pictures}


def main() -> int:
    """Measure one part, and write it beside the others."""
    options = parse()
    report = harness.Report("many_rows", {}, harness.isthmus_versions())
    path = options.out / "many_rows.json"
    before = json.loads(path.read_text()) if path.exists() else {"settings": {}, "measurements": {}}
    settings = before["settings"]
    settings[options.part] = {
        name: value for name, value in vars(options).items() if name not in ("out", "folder", "part")
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        found = PARTS[options.part](Path(name), options)
    report.measurements = before["measurements"] | {options.part: found}
    report.settings = settings
    for part, its in report.measurements.items():
        claim(report, part, its, argparse.Namespace(**settings[part]))
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("part", choices=list(PARTS))
    made.add_argument("--rows", type=lambda text: round(float(text)), nargs="+", default=[10**7, 10**8])
    made.add_argument("--sparse", type=lambda text: round(float(text)), default=10**9, help="rows; 0 for none")
    made.add_argument("--many", type=lambda text: round(float(text)), default=37_000_000, help="rows to decode from")
    made.add_argument("--gigabytes", type=float, default=10.0)
    made.add_argument("--pictures", type=int, default=20_000)
    made.add_argument("--folder", type=Path, help="where files go (default: the system's temporary folder)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

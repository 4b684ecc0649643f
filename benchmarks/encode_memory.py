"""Peak memory of encoding an array that does not fit: a 10 GB ``.npy`` file, through Python and the command line.

The file is sparse (holes read as zeros), so it takes no room on the disk, but every page of it is read: an encoder that
leaves mapped pages resident, or that gathers its input, shows it. The number is ``VmHWM`` of the encoding process, the
most that ever lay in memory at once, mapped file pages included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

GIGABYTE = 10**9
AT_MOST = 1.5  # GB resident
WIDTH = 784

IN_PYTHON = """
import sys, time
import harness
import isthmus
start = time.perf_counter()
model = isthmus.load(sys.argv[1])
before = harness.peak_resident_bytes()
{read}
rows = len(model.transform(source))
harness.emit(peak_bytes=harness.peak_resident_bytes(), before_bytes=before, rows=rows,
             seconds=time.perf_counter() - start)
"""
WAYS = {
    "transform(path)": "source = sys.argv[2]",
    "transform(memory map)": "import numpy\nsource = numpy.load(sys.argv[2], mmap_mode='r')",
}


def sparse_array(path: Path, nbytes: int) -> int:
    """Write an ``.npy`` file of float32 zeros that takes no room, and return its number of rows of 784."""
    rows = nbytes // (4 * WIDTH)
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, WIDTH)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + rows * WIDTH * 4)
    return rows


def main() -> int:
    """Train a small model, encode the large file each way, write and print the peaks."""
    options = parse()
    from isthmus import Autoencoder

    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model, array = folder / "model.safetensors", folder / "large.npy"
        pictures = harness.unit(harness.images("mnist", "test"))
        arguments = {"latent_dim": 32, "hidden": (128, 64), "network": "dense", "likelihood": "bernoulli"}
        Autoencoder(**arguments, max_epochs=1, random_state=options.seed).fit(pictures).save(model)
        rows = sparse_array(array, round(options.gigabytes * GIGABYTE))
        found = measure(model, array, folder / "codes.npy", rows)
    report = harness.Report(
        "encode_memory",
        {"gigabytes": options.gigabytes, "rows": rows, "seed": options.seed, "arguments": arguments},
        harness.isthmus_versions(),
    )
    report.measurements = found
    for way, one in found.items():
        peak = one["peak_bytes"] / GIGABYTE if "peak_bytes" in one else None
        met = peak is not None and peak < AT_MOST and one.get("rows") == rows
        report.claim(f"peak resident GB, {way}", peak, f"under {AT_MOST}", met)
    return report.publish(options.out)


def measure(model: Path, array: Path, codes: Path, rows: int) -> dict[str, Any]:
    """Encode the file in processes of their own and return each one's peak."""
    here = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}"}
    found = {}
    for way, read in WAYS.items():
        code = IN_PYTHON.format(read=read)
        found[way] = harness.child(sys.executable, ["-c", code, str(model), str(array)], environment=here)
    order = ["-c", harness.COMMAND_LINE, "encode", str(array), "-m", str(model), "-o", str(codes)]
    found["isthmus encode"] = harness.child(sys.executable, order, environment=here)
    if codes.exists():
        found["isthmus encode"]["rows"] = len(np.load(codes, mmap_mode="r"))
    for one in found.values():
        if "seconds" in one:
            one["rows_per_second"] = round(rows / one["seconds"])
    return found


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--gigabytes", type=float, default=10.0)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--folder", type=Path, help="where the sparse file goes (default: the system's temporary folder)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

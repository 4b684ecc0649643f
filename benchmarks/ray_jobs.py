"""Ray on one machine: what a job takes with ``--cluster local`` over the local engine, and the driver's memory.

Both write the same folder of parts from the same float32 rows, and are compared bit for bit. Seconds are those of whole
commands, so that Ray's start is in them. The driver's memory is ``VmHWM``, the most that ever lay in memory at once, of
jobs with few and with many rows: no record passes through it, so that it must not grow with them.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

WIDTH, LATENT = 20, 8
BLOCK = 2**19  # rows that are made at a time
TIMES, GROWTH = 2.0, 1.1  # what must be reached: of the local engine's seconds; of the driver's memory
NETWORK = {"latent_dim": LATENT, "hidden": (64,), "network": "dense", "max_epochs": 1, "random_state": 0}
ENGINES = {"local": ("--workers",), "ray": ("--cluster", "local", "--workers")}


def main() -> int:
    """Measure, write and print."""
    options = parse()
    settings = {"rows": options.rows, "few": options.few, "width": WIDTH, "workers": options.workers}
    report = harness.Report("ray_jobs", settings, harness.isthmus_versions() | harness.versions("ray"))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        model = fitted(folder)
        few = job(folder, model, rows(folder, options.few), "ray", options)
        many = rows(folder, options.rows)
        runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in ENGINES}
        for _ in range(options.rounds):
            for engine in ENGINES:  # in turn, so that a busy minute hits both
                runs[engine].append(job(folder, model, many, engine, options))
        equal = same(folder)
    seconds = {engine: statistics.median(run["seconds"] for run in found) for engine, found in runs.items()}
    peak = max(run["peak_bytes"] for run in runs["ray"])
    report.measurements = {
        "seconds": seconds,
        "runs": runs,
        "driver_peak_bytes": {"few_rows": few["peak_bytes"], "many_rows": peak},
        "bit_equal": equal,
    }
    times, growth = seconds["ray"] / seconds["local"], peak / few["peak_bytes"]
    report.claim("Ray over the local engine, wall seconds", times, f"at most {TIMES:g}", times <= TIMES)
    what = f"driver's memory with {options.rows:,} over {options.few:,} rows"
    report.claim(what, growth, f"at most {GROWTH:g}", growth <= GROWTH)
    report.claim("parts of Ray equal those of the local engine", float(equal), "every byte", equal)
    return report.publish(options.out)


def fitted(folder: Path) -> Path:
    """Fit a small model and return its file."""
    from isthmus import Autoencoder

    path = folder / "model.safetensors"
    X = np.random.default_rng(0).normal(size=(5000, WIDTH)).astype(np.float32)
    Autoencoder(**NETWORK, device="cpu").fit(X).save(path)
    return path


def rows(folder: Path, n: int) -> Path:
    """Write so many rows and return their file."""
    path = folder / f"{n}.npy"
    array = np.lib.format.open_memmap(path, "w+", np.float32, (n, WIDTH))
    rng = np.random.default_rng(1)
    for start in range(0, n, BLOCK):
        array[start : start + BLOCK] = rng.normal(size=(min(BLOCK, n - start), WIDTH))
    array.flush()
    return path


def job(folder: Path, model: Path, data: Path, engine: str, options: argparse.Namespace) -> dict[str, Any]:
    """Encode by an engine; return seconds, and the driver's most memory."""
    output = folder / engine
    shutil.rmtree(output, ignore_errors=True)
    order = ["-c", harness.COMMAND_LINE, "encode", str(data), "-m", str(model), "-o", f"{output}/", *ENGINES[engine]]
    variables = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}", "RAY_worker_niceness": "0"}
    found = harness.child(sys.executable, [*order, str(options.workers)], environment=variables)
    if "failed" in found:
        raise SystemExit(f"{engine}: {found['failed']}")
    return found


def same(folder: Path) -> bool:
    """Tell whether both engines wrote the same parts."""
    names = [sorted(path.name for path in (folder / engine).glob("part-*")) for engine in ENGINES]
    one, other = (folder / engine for engine in ENGINES)
    return names[0] == names[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in names[0])


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--rows", type=int, default=50_000_000)
    made.add_argument("--few", type=int, default=2_000_000, help="rows of the job whose driver is compared")
    made.add_argument("--workers", type=int, default=harness.cores())
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--folder", type=Path, help="where 15 GB fit beside each other (default: the system's)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

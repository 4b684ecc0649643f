"""How much sooner the patient encoder reaches what its first working version reached, side by side.

Both learn the same pictures of Kodak at one quality, each with its own weights, in turns, each in a process of its own.
``--before FOLDER`` names the ``src`` folder of the first version: that of the commit "The weights of the photographic
codec, 9,494 steps". What is reached is told by the cost that both go down, bits a pixel + lambda times squared error,
as the file would stand; times are wall seconds from the array on, of two threads, start-up not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import harness
import numpy as np

NAME = "patient_speed"
PICTURES = ("kodim07", "kodim19")
QUALITY = 130  # of 255
THREADS = 2
BEFORE, NOW = "the first version", "now"
MUST = 5.0

Trace = list[list[float]]  # seconds, cost


def trace(source: Path, picture: Path, effort: int, threads: int) -> Trace:
    """Return when which cost was reached, of the version whose ``src`` folder is named."""
    sys.path.insert(0, str(source))
    import torch
    from PIL import Image

    from isthmus.networks.photographic import slope_of
    from isthmus.tasks.compression.photographs import Encoder

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    levels = np.asarray(Image.open(picture).convert("RGB"))
    pixels, slope = levels.shape[0] * levels.shape[1], float(slope_of(torch.tensor(QUALITY / 255)))
    Encoder(levels[:128, :128]).coded(QUALITY)  # loads what is loaded once
    found: Trace = []

    def told(share: float, size: float, psnr: float) -> bool:
        error = 255**2 / 10 ** (psnr / 10)
        found.append([round(time.perf_counter() - begun, 2), 8 * size / pixels + slope * error])
        return True

    begun = time.perf_counter()
    Encoder(levels, effort=effort, progress=told).coded(QUALITY)
    return found


def measured(source: Path, picture: Path, effort: int) -> Trace:
    """Return the trace that a process of its own finds."""
    order = [sys.executable, __file__, "--child", json.dumps([str(source), str(picture), effort])]
    variables = os.environ | {"OMP_NUM_THREADS": str(THREADS), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(order, env=variables, check=True, capture_output=True, text=True)
    found: Trace = json.loads(done.stdout.splitlines()[-1])
    return found


def first_at(found: Trace, cost: float) -> float | None:
    """Return the seconds after which a cost was reached."""
    return next((seconds for seconds, now in found if now <= cost), None)


def main() -> int:
    """Measure both and publish."""
    options = parse()
    settings = {"quality": QUALITY, "threads": THREADS, "efforts": options.efforts}
    report = harness.Report(NAME, settings, harness.isthmus_versions() | harness.versions("pillow"))
    sources = {BEFORE: options.before, NOW: harness.SOURCE}
    sooner, runs = [], {}
    for name in PICTURES:
        path = Path(os.environ["ISTHMUS_DATA"]) / "kodak" / f"{name}.png"
        its = {
            which: measured(source, path, effort)
            for (which, source), effort in zip(sources.items(), options.efforts, strict=True)
        }
        reached = its[BEFORE][-1][1]
        then, now = (first_at(its[which], reached) for which in (BEFORE, NOW))
        runs[name] = {"traces": its, "reached": reached, "seconds": {BEFORE: then, NOW: now}}
        print(f"{name}: cost {reached:.4f} after {then} s then, {now} s now", flush=True)
        sooner.append(then / now if then and now else 0.0)
    report.measurements = {"runs": runs}
    ratio = statistics.median(sooner)
    report.claim("times sooner than the first version, median of pictures", ratio, f"{MUST:g}", ratio >= MUST)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--before", type=Path, help="the src folder of the first version")
    made.add_argument("--efforts", nargs=2, type=int, default=[4, 4], help="of the first version, and of this one")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.child:
        source, picture, effort = json.loads(options.child)
        print(json.dumps(trace(Path(source), Path(picture), effort, THREADS)))
        raise SystemExit(0)
    if options.before is None or not os.environ.get("ISTHMUS_DATA"):
        raise SystemExit("Name --before FOLDER, and set ISTHMUS_DATA to the folder that holds kodak/.")
    return options


if __name__ == "__main__":
    sys.exit(main())

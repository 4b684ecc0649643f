"""Seconds and peak memory of every task as tables grow: 10,000 to a million rows of 20 columns, 500 to 20,000 columns.

Each runs in a process of its own on one thread. Seconds are the processor's, so that what else the machine does counts
little; memory is the most that ever was resident (``ru_maxrss``), Python and PyTorch included. How fast either grows is
told by the exponent between the last two sizes: log of their ratio over log of the ratio of rows (or columns). Memory
enters less what the process held before the task began.

Rows are ten Gaussians of unequal shares and widths; of the wide tables, cells are independent, and the same rows come
as an array and as a frame of pandas.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np

ROWS, COLUMNS = (10_000, 100_000, 1_000_000), 20
WIDTHS, FEW = (500, 2_000, 20_000), 100
STEEPEST = 1.1  # exponent
GIGABYTES = 2.0  # of a million rows in clusters
SECONDS = 10.0  # of `isthmus detect` for 2,000 columns
LABELLED = 0.5  # share of the rows that a classifier is told the class of
MISSING = 0.1  # share of the cells that are imputed
TRIALS = 3


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 rows and their classes."""
    rng = np.random.default_rng(0)
    classes = rng.choice(10, n, p=np.arange(1, 11) / 55)
    middles, widths = 6 * rng.normal(size=(10, COLUMNS)), rng.uniform(0.5, 2, 10)
    X = rng.standard_normal((n, COLUMNS), dtype=np.float32)
    X *= widths[classes, None].astype(np.float32)
    X += middles[classes].astype(np.float32)
    return X, classes


def cluster(X: np.ndarray, classes: np.ndarray) -> None:
    """Find clusters whose number is not known."""
    from isthmus import Clusterer

    Clusterer(random_state=0).fit_predict(X)


def lay_out(X: np.ndarray, classes: np.ndarray) -> None:
    """Draw a map."""
    from isthmus import Map

    Map(random_state=0).fit(X).transform(X)


def classify(X: np.ndarray, classes: np.ndarray) -> None:
    """Learn classes of half of the rows, and tell all."""
    from isthmus import Classifier

    y = np.where(np.random.default_rng(1).random(len(X)) < LABELLED, classes, -1)
    Classifier(random_state=0).fit(X, y).predict(X)


def detect(X: Any, classes: np.ndarray | None = None) -> None:
    """Learn what is usual, and score every row."""
    from isthmus import Detector

    Detector(random_state=0).fit(X).score_samples(X)


def impute(X: np.ndarray, classes: np.ndarray) -> None:
    """Fill a tenth of the cells."""
    from isthmus import VAE
    from isthmus.tasks import impute as fill

    X = np.where(np.random.default_rng(1).random(X.shape) < MISSING, np.float32(np.nan), X)
    fill(VAE(random_state=0).fit(np.nan_to_num(X)), X)


def tune(X: np.ndarray, classes: np.ndarray) -> None:
    """Try three settings."""
    from isthmus import Tuner

    Tuner(n_trials=TRIALS, random_state=0).fit(X)


def reconstruct(X: Any) -> None:
    """Fit a model, and send all rows through it and back."""
    from isthmus import VAE

    VAE(random_state=0).fit(X).reconstruct(X)


def command_line(X: Any) -> None:
    """Run ``isthmus detect`` on a file, reasons of the most anomalous rows included."""
    from isthmus.cli import main as isthmus

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.csv"
        X.to_csv(path, index=False)
        if isthmus(["detect", str(path), "--quiet"]):
            raise SystemExit("isthmus detect failed")


TALL: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "cluster": cluster,
    "map": lay_out,
    "classify": classify,
    "detect": detect,
    "impute": impute,
    "tune": tune,
}
WIDE: dict[str, Callable[[Any], None]] = {
    "reconstruct": reconstruct,
    "detect": detect,
    "isthmus detect": command_line,
}


def child(task: str, size: int, kind: str) -> dict[str, float]:
    """Run one task and return what it took."""
    import torch

    importlib.import_module("isthmus.tasks")  # what a task needs is loaded before the clock starts

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if kind == "rows":
        given: tuple[Any, ...] = rows(size)
        work: Callable[..., None] = TALL[task]
    else:
        table = np.random.default_rng(0).normal(size=(FEW, size)).round(3)
        given, work = (as_frame(table) if kind == "frame" else table,), WIDE[task]
    before = peak()
    with harness.clocked() as clock:
        try:
            work(*given)
        except SystemExit as end:  # the command line ends so
            if end.code:
                raise
    return {
        "cpu_seconds": round(clock.cpu_seconds, 2),
        "seconds": round(clock.seconds, 2),
        "peak_gb": round(peak(), 3),
        "before_gb": round(before, 3),
    }


def as_frame(table: np.ndarray) -> Any:
    """Return a frame of pandas with names for the columns."""
    import pandas

    return pandas.DataFrame(table, columns=[f"column {i}" for i in range(table.shape[1])])


def peak() -> float:
    """Return the most that was resident so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def exponent(runs: dict[str, dict[str, float]], of: Callable[[dict[str, float]], float]) -> float | None:
    """Return how fast something grows between the last two sizes; None where there are not two."""
    known = sorted((int(size), of(run)) for size, run in runs.items() if "cpu_seconds" in run)[-2:]
    if len(known) < 2:
        return None
    (few, low), (many, high) = known
    return math.log(max(high, 1e-9) / max(low, 1e-9)) / math.log(many / few)


def main() -> int:
    """Run what was asked for, beside what earlier calls measured; write and print the table."""
    options = parse()
    if options.child:
        harness.emit(**child(options.child, options.size, options.kind))
        return 0
    settings = {"columns": COLUMNS, "rows of the wide": FEW, "threads": 1, "trials": TRIALS}
    found = harness.earlier(options.out, "growth", settings)
    wide = [
        (task, kind, options.width) for task in WIDE for kind in (("frame",) if " " in task else ("array", "frame"))
    ]
    for task, kind, sizes in [*((task, "rows", options.rows) for task in TALL), *wide]:
        name = f"{task}, {kind}"
        if options.task and task not in options.task:
            continue
        for size in sizes:
            arguments = [__file__, "--child", task, "--kind", kind, "--size", str(size)]
            run = harness.child(sys.executable, arguments, environment={"OMP_NUM_THREADS": "1"})
            found.setdefault(name, {})[str(size)] = run
            print(name, size, json.dumps(run), flush=True)
        published(found, settings, options.out)
    lines = [line(name, size, run) for name, runs in found.items() for size, run in runs.items()]
    harness.print_table(("task", "processor s", "peak GB"), lines)
    return published(found, settings, options.out)


def published(found: dict[str, Any], settings: dict[str, Any], out: Path) -> int:
    """Write what is known so far, and print the promises."""
    report = harness.Report("growth", settings, harness.isthmus_versions(), measurements=found)

    def at_most(what: str, value: float | None, most: float) -> None:
        report.claim(what, value, f"at most {most:g}", None if value is None else value <= most)

    for name, runs in found.items():
        at_most(f"{name}: exponent of seconds", exponent(runs, lambda run: run["cpu_seconds"]), STEEPEST)
        memory = exponent(runs, lambda run: run["peak_gb"] - run["before_gb"])
        at_most(f"{name}: exponent of memory", memory, STEEPEST)
    large = found.get("cluster, rows", {}).get(str(ROWS[-1]), {})
    at_most("cluster: peak GB of a million rows", large.get("peak_gb"), GIGABYTES)
    wide = found.get("isthmus detect, frame", {}).get(str(WIDTHS[1]), {})
    at_most("isthmus detect: processor seconds of 2,000 columns", wide.get("cpu_seconds"), SECONDS)
    return report.publish(out)


def line(name: str, size: str, run: dict[str, float]) -> tuple[str, ...]:
    """Return a line of the table."""
    figures = (f"{run[key]:.2f}" if key in run else "failed" for key in ("cpu_seconds", "peak_gb"))
    return f"{name}, {int(size):,}", *figures


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--task", nargs="+", choices=sorted({*TALL, *WIDE}), help="only these; others stay as they are")
    made.add_argument("--rows", nargs="*", type=int, default=list(ROWS))
    made.add_argument("--width", nargs="*", type=int, default=list(WIDTHS))
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--kind", help=argparse.SUPPRESS)
    made.add_argument("--size", type=int, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""Seconds of ``import isthmus`` in a fresh process, and what it loads."""

from __future__ import annotations

import argparse
import sys

import harness

AT_MOST = 0.3
STATEMENTS = {
    "import isthmus": "import isthmus",
    "from isthmus import Autoencoder": "from isthmus import Autoencoder",
}
# Each process times the statement alone; starting Python is not in it.
IMPORT = """
import sys, time
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
import json
heavy = ("torch", "sklearn", "matplotlib", "pyarrow", "PIL", "pandas", "polars", "scipy", "numpy")
print(json.dumps({{"seconds": seconds, "modules": len(sys.modules), "heavy": [n for n in heavy if n in sys.modules]}}))
"""


def main() -> int:
    """Time each statement in fresh processes, in turn; write and print the medians."""
    options = parse()
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    loaded: dict[str, dict[str, object]] = {}
    for round_ in range(options.rounds + 1):
        for name, statement in STATEMENTS.items():
            result = harness.child(sys.executable, ["-c", IMPORT.format(statement=statement)])
            if "failed" in result:
                raise SystemExit(f"{statement} failed: {result['failed']}")
            loaded[name] = {"modules": result["modules"], "heavy": result["heavy"]}
            if round_ > 0:  # the first round fills the disk cache and writes byte code
                seconds[name].append(result["seconds"])
    report = harness.Report("import_time", {"rounds": options.rounds}, harness.isthmus_versions())
    report.measurements = {name: harness.spread(values, 4) | loaded[name] for name, values in seconds.items()}
    harness.print_table(
        ("statement", "seconds", "range", "modules"),
        [
            (name, f"{one['median']:.3f}", f"{one['min']:.3f}-{one['max']:.3f}", one["modules"])
            for name, one in report.measurements.items()
        ],
    )
    median = report.measurements["import isthmus"]["median"]
    report.claim("seconds of import isthmus", median, f"under {AT_MOST}", median < AT_MOST)
    heavy = [str(name) for name in report.measurements["import isthmus"]["heavy"]]
    report.claim("torch loaded by import isthmus", float("torch" in heavy), "not loaded (0)", "torch" not in heavy)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--rounds", type=int, default=11)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""How soon records are judged: scores, reasons, and 200,000 rows on the command line, beside an earlier build.

Rows have 20 columns: twelve numbers that depend on four, four counts and four categories. A detector learns from 20,000
of them; the file that it is saved to judges all of them (``isthmus detect``), whole process, imports included. Reasons
are asked for of 200 rows of 6 columns, once as an array and once as a frame with a column of words. Seconds are the
processor's where one thread works, and wall time of the command, on all threads. ``--before FOLDER`` names the ``src``
folder of another version, which takes turns with this one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness

SOURCE = "ISTHMUS_SOURCE"
ROWS, LEARNED, ASKED = 200_000, 20_000, 200
RATIO, SOONER, MEMORY = (
    4.0,
    3.0,
    0.5,
)  # reasons over scores; earlier over this build; peak memory over the earlier one's
REPEATS = 7


def use_source() -> None:
    """Import isthmus from the folder that the environment names."""
    if SOURCE in os.environ:
        sys.path.insert(0, os.environ[SOURCE])


def mixed(rows: int) -> Any:
    """Return a frame of 20 columns."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    z = rng.normal(size=(rows, 4))
    numbers = z @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(rows, 12))
    frame = pd.DataFrame(numbers.round(4), columns=[f"x{i}" for i in range(12)])
    for i in range(4):
        frame[f"count {i}"] = rng.integers(0, 50, rows)
    for i in range(4):
        frame[f"colour {i}"] = np.array(["red", "green", "blue", "grey", "black"])[
            np.digitize(z[:, i], [-1, -0.3, 0.3, 1])
        ]
    return frame


def few() -> dict[str, Any]:
    """Return 1,200 rows of 6 columns, as an array and as a frame with words."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(1200, 6))).astype(np.float32)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["f"] = np.array(list("xyz"))[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
    return {"array": X, "frame": frame}


def reasons_child() -> dict[str, Any]:
    """Time scores and reasons of 200 rows on one thread."""
    use_source()
    import torch

    from isthmus import Detector

    torch.set_num_threads(1)
    measured: dict[str, Any] = {}
    for kind, rows in few().items():
        detector = Detector(random_state=0).fit(rows[:-ASKED])
        for name in ("score_samples", "reasons"):
            call = getattr(detector, name)
            measured[f"{kind}: {name}"] = least(lambda call=call, rows=rows: call(rows[-ASKED:]))  # type: ignore[misc]
    return measured


def least(call: Any) -> float:
    """Return the fewest processor seconds of some calls, after one."""
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def save_child(folder: str) -> dict[str, Any]:
    """Write the table and a detector."""
    use_source()
    from isthmus import Detector

    frame = mixed(ROWS)
    frame.to_csv(f"{folder}/rows.csv", index=False)
    Detector(random_state=0).fit(frame[:LEARNED]).save(f"{folder}/detector.safetensors", force=True)
    return {}


def command_child(folder: str) -> dict[str, Any]:
    """Judge the table on the command line, whole process."""
    source = os.environ.get(SOURCE)
    environment = os.environ | ({"PYTHONPATH": source} if source else {})
    words = [sys.executable, "-m", "isthmus", "detect", f"{folder}/rows.csv", "-m", f"{folder}/detector.safetensors"]
    words += ["-o", f"{folder}/scores.npy", "--force", "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("isthmus detect failed")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss * 1024 / 1e9,
    }


def main() -> int:
    """Let both builds take turns; write and print medians and ratios."""
    options = parse()
    if options.child:
        children = {"reasons": reasons_child, "save": save_child, "command": command_child}
        harness.emit(**children[options.child](*([options.folder] if options.folder else [])))
        return 0
    builds = {"now": None} | ({"before": str(options.before.resolve())} if options.before else {})
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for build, source in builds.items():
            run(source, "save", f"{folder}/{build}")
        for _ in range(options.rounds):
            for build, source in builds.items():
                its = runs.setdefault(build, {"reasons": [], "command": []})
                its["reasons"].append(run(source, "reasons"))
                its["command"].append(run(source, "command", f"{folder}/{build}"))
                print(build, its["reasons"][-1], its["command"][-1], flush=True)
    report = harness.Report(
        "detection_speed", {"rounds": options.rounds}, harness.isthmus_versions(), measurements=runs
    )
    medians = {
        build: {
            f"{part}, {key}": statistics.median(one[key] for one in its[part]) for part in its for key in its[part][0]
        }
        for build, its in runs.items()
    }
    names = list(medians["now"])
    harness.print_table(("", *medians), [(name, *(f"{its[name]:.3f}" for its in medians.values())) for name in names])
    now = medians["now"]
    for kind in few():
        ratio = now[f"reasons, {kind}: reasons"] / now[f"reasons, {kind}: score_samples"]
        report.claim(f"{kind}: reasons over scores", ratio, f"at most {RATIO:g}", ratio <= RATIO)
    if options.before:
        before = medians["before"]
        for kind in few():
            sooner = before[f"reasons, {kind}: reasons"] / now[f"reasons, {kind}: reasons"]
            report.claim(f"{kind}: reasons, times sooner than before", sooner, "above 1", sooner > 1)
        sooner = before["command, seconds"] / now["command, seconds"]
        report.claim("isthmus detect: times sooner than before", sooner, f"at least {SOONER:g}", sooner >= SOONER)
        memory = now["command, peak_gb"] / before["command, peak_gb"]
        report.claim("isthmus detect: peak memory over before", memory, f"at most {MEMORY:g}", memory <= MEMORY)
    return report.publish(options.out)


def run(source: str | None, child: str, folder: str = "") -> dict[str, Any]:
    """Measure one part with one build, in a process of its own."""
    if folder:
        Path(folder).mkdir(exist_ok=True)
    arguments = [__file__, "--child", child, *(["--folder", folder] if folder else [])]
    environment = {} if source is None else {SOURCE: source, "PYTHONPATH": source}
    return harness.child(sys.executable, arguments, environment=environment)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--before", type=Path, help="the src folder of the version to compare with")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--folder", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""The share of runs in which each test that trains something passes, over shifts of its seed and two precisions.

A first pass, which is shift 0 and so the tests as written, runs every test and notes which ones train: a model or a
task object took its seed, or the engine was made, in the test or in a fixture that it uses. The sweep then runs those
under each further shift, in float32 and, where the processor multiplies it in hardware, bfloat16; one thread, and two
under the last shift. What is shifted and what is not is told in ``seed_shifts.py``. A test that trains only in
processes that it starts is out of its reach: it is listed, and runs as written.

With ``--processors`` the tests that train run as written under instruction sets of other processors instead, which is
the nearest to another machine that one machine has. One that this processor lacks is left alone by the libraries.

The state of every run stands in ``.seeds/``, written after each test; a call goes on where the last one was, however it
ended, and runs again only what depends on a file that has changed. ``--minutes`` ends a call in time, and ``--shifts``
names those to run. The results file says of each variant how many tests were run, of which sources; one that this call
did not run stays as an earlier call left it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import seed_shifts

STATE = seed_shifts.ROOT / ".seeds"
WANTED = STATE / "wanted.json"  # the tests of this call: all at first, then those that train
ENDED = {0, 1, 5}  # exit codes of a pytest that came to its own end: all passed, some failed, nothing to run
LAST = 9  # shift of seeds, on two threads
STOPPED = 2  # that of one that was interrupted, or could not read a test file
PROCESSORS = {
    "no vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "sse4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
}


@dataclass(frozen=True)
class Variant:
    """One way to run the tests: a shift of seeds, a precision, threads, and an instruction set."""

    shift: int
    precision: str
    threads: int = 1
    processor: str = "this"

    def __str__(self) -> str:
        """Return its name in results and of its state file."""
        words = [self.precision, f"shift {self.shift}"]
        words += [f"{self.threads} threads"] * (self.threads > 1) + [self.processor] * (self.processor != "this")
        return ", ".join(words)

    @property
    def state(self) -> Path:
        """Return the path of its state file."""
        return STATE / (str(self).replace(", ", "-").replace(" ", "-") + ".json")

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that a process of it starts with."""
        # Threads that wait by spinning take each other's cores on a machine that does something else as well.
        waiting = {"OMP_WAIT_POLICY": "PASSIVE"}
        return {"OMP_NUM_THREADS": str(self.threads)} | waiting | PROCESSORS.get(self.processor, {})

    def found(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each test under it, as long as it is of the sources as they are now."""
        entries = seed_shifts.read(self.state).items()
        return {test: entry for test, entry in entries if seed_shifts.is_current(test, entry)}


def main() -> int:
    """Run what is left to run, and publish what is known."""
    options = parse()
    STATE.mkdir(exist_ok=True)
    first, *others = variants(options)
    until = time.time() + 60 * options.minutes
    try:
        run(first, options, until, first=True)
        seed_shifts.write(WANTED, sorted(training(first)))
        pool = ThreadPoolExecutor(options.jobs)
        try:
            list(pool.map(lambda variant: run(variant, options, until), others))
        finally:
            pool.shutdown(cancel_futures=True)
    except KeyboardInterrupt:
        print(f"\nstopped (the logs are in {STATE.name}/); the same command goes on from here", file=sys.stderr)
    return publish([first, *others], options)


def variants(options: argparse.Namespace) -> list[Variant]:
    """Return the ways to run; the first one, as written, is what finds the tests that train."""
    as_written = Variant(0, options.precision[0])
    if options.processors:
        return [as_written, *(Variant(0, options.precision[0], processor=name) for name in PROCESSORS)]
    shifts = sorted({0, *options.shifts})  # the first is what finds the tests that train
    return [Variant(shift, precision, 2 if shift == LAST else 1) for shift in shifts for precision in options.precision]


def training(as_written: Variant) -> set[str]:
    """Return those of the tests asked for that train, as far as they have been run."""
    found, asked = as_written.found(), set(seed_shifts.read(WANTED))
    return {test for test in found.keys() & asked if found[test].get("trains") and found[test]["outcome"] != "skipped"}


def run(variant: Variant, options: argparse.Namespace, until: float, *, first: bool = False) -> None:
    """Run what is left of a variant in a pytest of its own, and in another one after a test that killed it."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not cluster",
        "--tb=short",
        "-p",
        "seed_shifts",
        "-p",
        "no:cacheprovider",
    ]
    words += [*options.tests, *(["-k", options.k] if options.k else [])]
    asked = {
        "SEEDS_STATE": str(variant.state),
        "SEEDS_SHIFT": str(variant.shift),
        "SEEDS_PRECISION": variant.precision,
        "SEEDS_WANTED": str(WANTED),
        "SEEDS_PASS": "first" if first else "later",
        "SEEDS_UNTIL": str(until),
        "PYTHONPATH": os.pathsep.join([str(harness.SOURCE), str(harness.HERE)]),
    }
    while time.time() < until:
        print(f"== {variant}", flush=True)
        log = variant.state.with_suffix(".log")
        with log.open("a") as stream:
            done = subprocess.run(
                words, cwd=seed_shifts.ROOT, env=os.environ | variant.environment | asked, stdout=stream, stderr=stream
            )
        if done.returncode in ENDED:
            return
        if done.returncode == STOPPED:
            raise KeyboardInterrupt
        found = seed_shifts.read(variant.state)
        killed = [test for test, entry in found.items() if entry["outcome"] == "running"]
        if not killed:
            raise SystemExit(f"pytest ended with exit code {done.returncode} before any test; see {log}")
        for test in killed:
            found[test] |= {"outcome": "failed", "why": f"the process ended with exit code {done.returncode}"}
        seed_shifts.write(variant.state, found)


# ---------------------------------------------------------------------- what is known


def outcomes(those: Iterable[Variant], tests: set[str]) -> dict[str, dict[str, Any]]:
    """Return what came of the tests under each variant that has run any of them."""
    found = {}
    for variant in those:
        its = {test: entry for test, entry in variant.found().items() if test in tests}
        if its:
            failed = {test: entry["why"] for test, entry in its.items() if entry["outcome"] == "failed"}
            found[str(variant)] = {"sources": seed_shifts.sources(), "tests": len(its), "failed": failed}
    return found


def publish(those: list[Variant], options: argparse.Namespace) -> int:
    """Print and write the shares; return 1 where a test fell short."""
    as_written, tests = those[0].found(), training(those[0])
    name = "processors" if options.processors else "seeds"
    settings = {"tests": options.tests, "k": options.k}
    known = harness.earlier(options.out, name, settings).get("runs", {})
    for variant, ours in outcomes(those, tests).items():
        if ours["tests"] >= known.get(variant, ours)["tests"]:
            known[variant] = ours
    short: dict[str, list[str]] = defaultdict(list)
    for variant, its in known.items():
        for test in its["failed"]:
            short[test].append(variant)
    if short:
        rows = [(test, f"{len(known) - len(at)} of {len(known)}", "; ".join(at)) for test, at in short.items()]
        harness.print_table(("fell short", "passed", "failed at"), rows)
    versions = harness.isthmus_versions() | harness.versions("pytest", "scipy", "pandas", "hypothesis")
    report = harness.Report(name, settings, versions)
    wanted = len(PROCESSORS) + 1 if options.processors else (LAST + 1) * len(options.precision)
    report.claim("variants", len(known), f"{wanted}", len(known) >= wanted)
    total, most = sum(its["tests"] for its in known.values()), len(tests) * len(known)
    report.claim("runs of tests that train", total, f"{most}", total == most)
    report.claim("tests that passed every run", len(tests) - len(short), f"all {len(tests)}", not short)
    report.measurements = {
        "runs": known,
        "only in processes of their own": sorted(
            test for test, entry in as_written.items() if entry.get("starts_processes") and not entry.get("trains")
        ),
        "failed as written, training nothing": sorted(
            test for test, entry in as_written.items() if entry["outcome"] == "failed" and not entry.get("trains")
        ),
    }
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--tests", nargs="+", default=["tests"], help="files or folders (default: tests)")
    made.add_argument("-k", help="only the tests that this expression of pytest names")
    made.add_argument("--shifts", nargs="+", type=int, default=range(LAST + 1), help="of seeds (default: 0 to 9)")
    made.add_argument("--precision", nargs="+", choices=("float32", "bfloat16"), default=precisions())
    made.add_argument("--processors", action="store_true", help="other instruction sets instead of other seeds")
    made.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    made.add_argument("--minutes", type=float, default=float("inf"), help="after which no further test starts")
    return made.parse_args()


def precisions() -> list[str]:
    """Return what this processor multiplies in hardware."""
    from isthmus import training

    return ["float32", "bfloat16"] if training.has_fast_bfloat16("cpu") else ["float32"]


if __name__ == "__main__":
    sys.exit(main())

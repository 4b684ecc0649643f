"""Damaged files, 100,000, half of those with checksums made right again: each is read, or refused in a sentence.

A mutant (see ``mutants.py``) may be read or refused with an error of isthmus, after 2 seconds of the processor and with
512 MiB at most. Broken are an exception of anybody else, memory or time beyond that, and a process that died.
The cases run in a process of their own, one after another, under a limit of 2 GiB more than it has when it begins; when
it dies, the case counts and the next one goes on in a new process.

A run that was stopped goes on where it was: its state is kept in the folder of ``--state``.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import harness
import mutants

KEPT_EVERY = 500  # cases after which a worker writes down what it found
HANGS = 120  # seconds after which a case is ended
ROOM = 2 * 2**30  # bytes of addresses that a worker may take beside those it has
BROKEN = ("foreign", "memory", "slow", "died")
PACKAGES = ("numpy", "pyarrow", "pillow", "tifffile")


def main() -> int:
    """Run all cases and hold what came of them against the promise."""
    options = parse()
    if options.worker:
        work(options)
        return 0
    options.state.mkdir(parents=True, exist_ok=True)
    found = state(options)
    while found["next"] < options.cases:
        arguments = [__file__, "--worker", "--cases", str(options.cases), "--seed", str(options.seed)]
        ended = subprocess.run([sys.executable, *arguments, "--state", str(options.state)], check=False)
        found = state(options)
        if ended.returncode != 0:
            found["died"][(options.state / "now").read_text()] = ended.returncode
            save(options, found)
    kept(options).unlink()  # the next run is one of other code
    return report(options, found).publish(options.out)


def report(options: argparse.Namespace, found: dict[str, Any]) -> harness.Report:
    """Return the figures."""
    made = harness.Report(
        "reader_fuzz",
        {"cases": options.cases, "seed": options.seed, "seconds": mutants.SLOW, "bytes": mutants.LARGE},
        harness.isthmus_versions() | harness.versions(*PACKAGES),
    )
    readers: dict[str, Counter[str]] = {chosen.name: Counter() for chosen in mutants.FORMATS}
    for key, count in found["counts"].items():
        name, repaired, what = key.split("/")
        readers[name] += Counter({"cases": count, what: count, "checksums right": count * (repaired == "True")})
    for number in found["died"]:
        readers[mutants.FORMATS[int(number) % len(mutants.FORMATS)].name] += Counter({"cases": 1, "died": 1})
    every = sum(readers.values(), Counter())
    for what in BROKEN:
        made.claim(f"damaged files of {every['cases']:,}: {what}", every[what], "0", every[what] == 0)
    made.measurements = {
        "readers": {name: dict(counts) for name, counts in readers.items()},
        "processor_seconds": round(found["seconds"], 1),
        "broken": found["broken"],
        "died": found["died"],
    }
    columns = ("cases", "checksums right", "opened", "refused", *BROKEN)
    harness.print_table(
        ("reader", *columns), [(name, *(counts[c] for c in columns)) for name, counts in readers.items()]
    )
    return made


# ---------------------------------------------------------------------- the process that reads


def work(options: argparse.Namespace) -> None:
    """Run the cases that are left, and write down every now and then what came of them."""
    found = state(options)
    with tempfile.TemporaryDirectory() as folder:
        mutants.sound(Path(folder))  # loads everything that is loaded once
        limit_memory()
        now = os.open(options.state / "now", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for number in range(found["next"], options.cases):
            if str(number) not in found["died"]:
                os.ftruncate(now, os.pwrite(now, str(number).encode(), 0))
                faulthandler.dump_traceback_later(HANGS, exit=True)
                note(found, number, mutants.run(number, Path(folder), options.seed))
            if number % KEPT_EVERY == KEPT_EVERY - 1:
                save(options, found | {"next": number + 1})
        faulthandler.cancel_dump_traceback_later()
    save(options, found | {"next": options.cases})


def limit_memory() -> None:
    """Let this process take 2 GiB of addresses more; Linux says how many it has."""
    path = Path("/proc/self/statm")
    if path.exists():
        size = int(path.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))


def note(found: dict[str, Any], number: int, outcome: mutants.Outcome) -> None:
    """Count an outcome; keep the number and the words of a broken one."""
    key = f"{outcome.format}/{outcome.repaired}/{outcome.what}"
    found["counts"][key] = found["counts"].get(key, 0) + 1
    found["seconds"] += outcome.seconds
    if outcome.what in BROKEN:
        found["broken"][str(number)] = f"{outcome.format}, {outcome.what}: {outcome.said.splitlines()[0][:200]}"


def kept(options: argparse.Namespace) -> Path:
    """Return the file of what was found so far."""
    return Path(options.state) / f"{options.cases}-cases-of-seed-{options.seed}.json"


def state(options: argparse.Namespace) -> dict[str, Any]:
    """Return what an earlier process of the same seed found."""
    path = kept(options)
    if path.exists():
        return dict(json.loads(path.read_text()))
    return {"next": 0, "counts": {}, "broken": {}, "died": {}, "seconds": 0.0}


def save(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Write down what was found, whole or not at all."""
    path = kept(options)
    path.with_suffix(".part").write_text(json.dumps(found))
    path.with_suffix(".part").replace(path)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--cases", type=int, default=100_000)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / "isthmus-reader-fuzz")
    made.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

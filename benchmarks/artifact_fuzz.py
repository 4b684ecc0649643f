"""Model files that say something wrong with checksums that are right: what comes of reading them, and of using them.

Thirteen sound files, one of every kind of object and of preprocessing (``tests/contracts/forging.py`` makes them), are
changed in one to three places of their document or their arrays: other types, keys left out or put in, huge and
negative numbers, deep lists, long texts, numbers that are none. Each is read with ``isthmus.load``, with ``network=``
where it was fitted with such, and what was read is used on a dozen records. Either must work, with finite numbers, or
end in one of isthmus's own errors. A share of them goes through ``isthmus verify`` and ``isthmus info``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import harness
import numpy as np

sys.path.insert(0, str(harness.HERE.parent / "tests" / "contracts"))

MEMORY = 600  # MiB more than before, at most: threads and libraries that are loaded take some
SECONDS = 10.0  # for one file
CODES = (0, 1, 4, 6)  # with which verify and info may end
EACH = 20  # of how many files one goes through them


def main() -> int:
    """Read forged files, write and print what came of it."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        found = run(Path(name), options.files, options.seed)
    settings = {"files": options.files, "seed": options.seed}
    report = harness.Report("artifact_fuzz", settings, harness.isthmus_versions())
    report.measurements = found
    faults = sum(found["outcomes"].get(kind, 0) for kind in ("foreign at load", "foreign at use", "not finite"))
    report.claim("files with a foreign exception, or numbers that are not finite", faults, "none", faults == 0)
    wrong = found["wrong_commands"]
    report.claim("commands that say more than one sentence, or another exit code", wrong, "none", wrong == 0)
    report.claim("MiB that reading takes at most", found["memory_mib"], f"under {MEMORY}", found["memory_mib"] < MEMORY)
    report.claim("seconds of the slowest file", found["slowest"], f"under {SECONDS}", found["slowest"] < SECONDS)
    return report.publish(options.out)


def run(folder: Path, files: int, seed: int) -> dict[str, Any]:
    """Return the outcomes of so many forged files, by kind and by the file that they were made of."""
    import forging

    sources = [*forging.golden(), *forging.fitted(folder)]
    path = folder / "forged.safetensors"
    for source in sources:
        path.write_bytes(forging.signed(source.envelope, source.arrays))
        assert not forging.outcome(path, source).is_fault, source.name
        assert behaves("info", path), source.name
    before = harness.peak_resident_bytes()
    outcomes: Counter[str] = Counter()
    by_source: dict[str, Counter[str]] = {source.name: Counter() for source in sources}
    faults, wrong, commands, slowest = [], [], 0, 0.0
    for number in range(files):
        source = sources[number % len(sources)]
        path.write_bytes(forging.mutant(source, np.random.default_rng([seed, number])))
        begun = time.perf_counter()
        outcome = forging.outcome(path, source)
        slowest = max(slowest, time.perf_counter() - begun)
        outcomes[outcome.kind] += 1
        by_source[source.name][outcome.kind] += 1
        if outcome.is_fault:
            faults.append({"number": number, "source": source.name, "kind": outcome.kind, "said": outcome.said[:200]})
        if number % EACH == 0:
            commands += 2
            wrong += [{"number": number, "verb": verb} for verb in ("verify", "info") if not behaves(verb, path)]
    return {
        "outcomes": dict(outcomes),
        "by_source": {name: dict(counts) for name, counts in by_source.items()},
        "commands": commands,
        "wrong_commands": len(wrong),
        "memory_mib": round((harness.peak_resident_bytes() - before) / 2**20, 1),
        "slowest": round(slowest, 2),
        "faults": faults,
        "wrong": wrong,
    }


def behaves(verb: str, path: Path) -> bool:
    """Tell whether a command ends with one sentence, or none, and a code that says what is wrong."""
    from isthmus.cli import main as isthmus

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        code = isthmus([verb, str(path)])
    said = [line for line in errors.getvalue().splitlines() if not line.startswith("note: ")]
    return code in CODES and len(said) == (code in (4, 6))


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--files", type=int, default=13_000)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""Compressed files that were altered, half of them with checks made right again: what comes of reading them.

Sound files of every form, with a prior, a model and neither, and of every content (bytes, tables, arrays, pictures,
codes, archives of all these: ``tests/coding/samples.py`` has them) are altered (``altered.py`` beside it). In one half,
bytes are changed, left out, put in or moved, in one to three places: such a file must be refused in one of isthmus's
own errors. The other half say something wrong with right checks: sizes of any kind, other fields, descriptions,
payloads, chunks, names and directories, and, in payloads, other numbers than were written; each must be refused so, or
give data, within bounds of time and memory. Of streams, what is sound is saved, too (``decompress --partial``), and of
tables some rows are read. A share of them goes through ``isthmus verify`` and ``isthmus info``. ``--samples contents``
takes the files that hold something else than bytes, and writes ``stream_fuzz_contents.json``. ``--resume`` goes on
behind the files that the results are of.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import harness

sys.path.insert(0, str(harness.HERE.parent))

NAMES = {"bytes": "stream_fuzz", "contents": "stream_fuzz_contents"}  # of the results
MEMORY = 200  # MiB more than before, at most
SECONDS = 10.0  # for one file
CODES = (0, 4, 6)  # with which verify and info may end
SAVED = 1 << 28  # bytes that are taken of what is saved of a file
EACH = 50  # of how many files one goes through them


def main() -> int:
    """Read altered files, write and print what came of it."""
    options = parse()
    settings = {"samples": options.samples, "files": options.files, "seed": options.seed}
    before = earlier(options.out / f"{NAMES[options.samples]}.json", settings) if options.resume else None
    numbers = range(before["files"] if before else 0, options.files)
    with tempfile.TemporaryDirectory() as name:
        found = run(Path(name), options.samples, numbers, options.seed)
    found = together(before, found) if before else found
    report = harness.Report(NAMES[options.samples], settings, harness.isthmus_versions())
    report.measurements = found
    faults = len(found["faults"])
    report.claim("foreign exceptions, or other data where no check was made right again", faults, "none", faults == 0)
    wrong = len(found["wrong_commands"])
    report.claim("commands that say more than one sentence, or another exit code", wrong, "none", wrong == 0)
    report.claim("MiB that reading takes at most", found["memory_mib"], f"under {MEMORY}", found["memory_mib"] < MEMORY)
    report.claim("seconds of the slowest file", found["slowest"], f"under {SECONDS}", found["slowest"] < SECONDS)
    return report.publish(options.out)


def earlier(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was measured before of fewer files of the same; None where nothing was."""
    document = json.loads(path.read_text()) if path.exists() else {"settings": {}}
    done = document["settings"].get("files", 0)
    if {**document["settings"], "files": settings["files"]} != settings or done > settings["files"]:
        return None
    return {**document["measurements"], "files": done}


def together(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured of two runs."""
    both = {how: Counter(before["outcomes"][how]) + Counter(found["outcomes"][how]) for how in found["outcomes"]}
    return {
        "outcomes": {how: dict(counts) for how, counts in both.items()},
        "wrong_commands": before["wrong_commands"] + found["wrong_commands"],
        **{most: max(before[most], found[most]) for most in ("memory_mib", "slowest")},
        "faults": before["faults"] + found["faults"],
    }


def run(folder: Path, which: str, numbers: range, seed: int) -> dict[str, Any]:
    """Return the outcomes of altered files, by kind, and whether their checks were made right again."""
    from tests.coding import altered, samples

    sound = samples.content_samples() if which == "contents" else samples.all_samples()
    path = folder / "altered.isth"
    for sample in sound:
        path.write_bytes(sample.content)
        assert samples.outcome(sample.content, sample).kind == "same", sample.name
        assert behaves("verify", path), sample.name
    before = harness.peak_resident_bytes()
    outcomes: dict[str, Counter[str]] = {"altered": Counter(), "forged": Counter()}
    faults, wrong, slowest = [], [], 0.0
    for number in numbers:
        sample, rng, signed = sound[number // 2 % len(sound)], random.Random(f"{seed} {number}"), bool(number % 2)
        content = (altered.forged if signed else altered.mutant)(sample, rng)
        begun = time.perf_counter()
        outcome = samples.outcome(content, sample)
        saving = saved(content, sample.model) or some_rows(content, sample.model)
        slowest = max(slowest, time.perf_counter() - begun)
        outcomes["forged" if signed else "altered"][outcome.kind] += 1
        if outcome.is_fault(signed=signed) or saving:
            said = {"kind": outcome.kind, "said": outcome.said[:200], "saving": saving}
            faults.append({"number": number, "sample": sample.name, **said})
        if number % EACH < 2:
            path.write_bytes(content)
            wrong += [{"number": number, "verb": verb} for verb in ("verify", "info") if not behaves(verb, path)]
    return {
        "outcomes": {kind: dict(counts) for kind, counts in outcomes.items()},
        "wrong_commands": wrong,
        "memory_mib": round((harness.peak_resident_bytes() - before) / 2**20, 1),
        "slowest": round(slowest, 2),
        "faults": faults,
    }


def saved(content: bytes, model: Any) -> str:
    """Save what is sound of a stream; return what went wrong, if that was a foreign exception."""
    from isthmus.coding.container import STREAM, Source, opened
    from isthmus.coding.stream import salvage
    from isthmus.errors import IsthmusError

    source = Source(io.BytesIO(content), "it")
    try:
        if opened(source) == STREAM:
            rest = SAVED
            for piece in salvage(source, model):
                rest -= len(piece) if isinstance(piece, bytes) else 0
                if rest < 0:  # zeros for what is lost of a huge shape
                    break
    except IsthmusError:
        return ""
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def some_rows(content: bytes, model: Any) -> str:
    """Read two rows of a table; return what went wrong, if that was a foreign exception."""
    from isthmus.coding import read_rows
    from isthmus.errors import IsthmusError

    try:
        read_rows(io.BytesIO(content), 1, 3, model=model)
    except IsthmusError:
        return ""
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    return ""


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
    made.add_argument("--samples", choices=NAMES, default="bytes")
    made.add_argument("--files", type=int, default=100_000)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--resume", action="store_true")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

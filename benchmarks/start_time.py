"""Seconds of ``isthmus compress`` and ``decompress`` of a short text, whole processes: how long a person waits.

Three states of an installation. First ever: Python has no byte code of anything, its own library included, and no file
is in the page cache. Later: both are there. Read-only: the package lies without byte code in a folder that cannot be
written to (mounted read-only where this runs as root), so that it is compiled anew each time. A run includes the
self-test of the compiled coder, the reading of the prior, and that the text is decoded again and compared.

On a machine that others use, ``chrt -r 10 python benchmarks/start_time.py``, as root, lets the commands go first, so
that they take as long as on a machine of one's own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import harness

TEXT = b"".join(b"%d sheep went over the isthmus in the year %d.\n" % (k * k % 97, 1900 + k % 99) for k in range(45))
MUST = {"first ever": (10.0, 3.0), "later": (1.0, 0.5), "read-only": (1.0, 0.5)}  # seconds, and those aimed at
VERBS = ("compress", "decompress")
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def main() -> int:
    """Time each verb in each state, and write the medians down."""
    options = parse()
    settings = {"rounds": options.rounds, "bytes": len(TEXT), "real-time": os.sched_getscheduler(0) != os.SCHED_OTHER}
    report = harness.Report("start_time", settings, harness.isthmus_versions())
    found: dict[str, dict[str, list[tuple[float, float]]]] = {state: {verb: [] for verb in VERBS} for state in MUST}
    with tempfile.TemporaryDirectory() as name:
        package = read_only(Path(name) / "package")
        for round_ in range(options.rounds):
            work = Path(name) / str(round_)
            work.mkdir()
            for verb in VERBS:
                cache = work / f"byte code {verb}"
                forget()
                found["first ever"][verb].append(timed(verb, work, {"PYTHONPYCACHEPREFIX": str(cache)}))
                found["later"][verb].append(timed(verb, work, {"PYTHONPYCACHEPREFIX": str(cache)}))
                found["read-only"][verb].append(timed(verb, work, {"PYTHONPATH": str(package)}, package))
        written = [path.name for path in package.rglob("*.pyc")]
    report.measurements = {
        state: {
            verb: {
                "seconds": harness.spread([wall for wall, _ in its], 3),
                "of the processor": harness.spread([busy for _, busy in its], 3),
            }
            for verb, its in verbs.items()
        }
        for state, verbs in found.items()
    }
    for state, (must, aim) in MUST.items():
        for verb in VERBS:
            seconds = report.measurements[state][verb]["seconds"]["median"]
            report.claim(f"seconds of {verb}, {state}", seconds, f"at most {must:g} (aim {aim:g})", seconds <= must)
    report.claim("files written into the read-only package", len(written), "none", not written)
    return report.publish(options.out)


def timed(verb: str, work: Path, environment: dict[str, str], package: Path | None = None) -> tuple[float, float]:
    """Return the seconds of one command from its start to its end, and those of the processor."""
    text, compressed = work / "notes.txt", work / "notes.txt.isth"
    source, target = (text, compressed) if verb == "compress" else (compressed, text)
    text.write_bytes(TEXT)
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "isthmus", verb, str(source)]
    if package and os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(package), *command]
    variables = os.environ | {"PYTHONPATH": str(harness.SOURCE)} | environment
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    busy, start = busy_seconds(), time.perf_counter()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, cwd=work)
    seconds, busy = time.perf_counter() - start, busy_seconds() - busy
    if done.returncode or not target.exists() or text.read_bytes() != TEXT:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return seconds, busy


def busy_seconds() -> float:
    """Return the processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_only(folder: Path) -> Path:
    """Return a folder that holds the package without byte code, and cannot be written to."""
    shutil.copytree(harness.SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return folder


def forget() -> None:
    """Ask the system to drop from the page cache what a start reads: the package, what it imports, and Python."""
    if not hasattr(os, "posix_fadvise"):
        raise SystemExit("The page cache can be told to forget files on Linux only.")
    folders = {harness.SOURCE, Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["purelib"])}
    for path in (
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".so", ".safetensors")
    ):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--rounds", type=int, default=5)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

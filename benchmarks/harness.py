"""What every benchmark shares: data, clocks, child processes, and one JSON file of results.

Needs NumPy and the standard library only, because the peers' scripts run in a Python of their own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
RESULTS = HERE / "results"
FILES = {
    ("train", "images"): "train-images-idx3-ubyte.gz",
    ("train", "labels"): "train-labels-idx1-ubyte.gz",
    ("test", "images"): "t10k-images-idx3-ubyte.gz",
    ("test", "labels"): "t10k-labels-idx1-ubyte.gz",
}
UNSIGNED_BYTES = 0x08  # the only IDX element type of these sets
PACKAGES = ("torch", "numpy", "scikit-learn")
HELD_OUT = 10_000  # training images that choices are made on, so that no choice ever sees the test set

sys.path.insert(0, str(SOURCE))  # measure this checkout, not an installed release


# ---------------------------------------------------------------------- data

# A command runs inside this, so that its peak can be read at its very end.
COMMAND_LINE = """
import atexit, json, runpy, sys, time
import harness
start = time.perf_counter()
atexit.register(
    lambda: print(json.dumps({"peak_bytes": harness.peak_resident_bytes(), "seconds": time.perf_counter() - start}))
)
sys.argv = ["isthmus", *sys.argv[1:]]
runpy.run_module("isthmus", run_name="__main__")
"""


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        The file: magic ``00 00 type rank``, then ``rank`` big-endian sizes, then the elements.

    Returns
    -------
    ndarray of uint8
        Shaped as the header says.
    """
    content = gzip.decompress(path.read_bytes())
    zero, kind, rank = int.from_bytes(content[:2], "big"), content[2], content[3]
    if zero != 0 or kind != UNSIGNED_BYTES:
        raise SystemExit(f"{path.name} is not an IDX file of unsigned bytes: it begins with {content[:4].hex()}.")
    start = 4 + 4 * rank
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def file_of(name: str, split: str, part: str) -> Path:
    """Return the file of a set's "train" or "test" "images" or "labels"; end with a sentence where it is missing."""
    root = os.environ.get("ISTHMUS_DATA")
    if not root:
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds mnist/ and fashion-mnist/ (gzipped IDX files).")
    path = Path(root) / name / FILES[split, part]
    if not path.exists():
        raise SystemExit(f"ISTHMUS_DATA holds no {name}/{path.name}; put the four gzipped IDX files of {name} there.")
    return path


def images(name: str, split: str) -> np.ndarray:
    """Return a set's pictures as flat rows.

    Parameters
    ----------
    name : {"mnist", "fashion-mnist", "kmnist"}
        A folder under ``ISTHMUS_DATA`` with the four gzipped IDX files.
    split : {"train", "test"}
        Which file.

    Returns
    -------
    ndarray of uint8, shape (n, 784)
    """
    pictures = read_idx(file_of(name, split, "images"))
    return pictures.reshape(len(pictures), -1)


def labels(name: str, split: str) -> np.ndarray:
    """Return the classes of a set's "train" or "test" pictures, uint8."""
    return read_idx(file_of(name, split, "labels"))


def unit(pictures: np.ndarray) -> np.ndarray:
    """Return pixels as float32 in [0, 1]."""
    return pictures.astype(np.float32) / np.float32(255)


def train_and_score(name: str, *, validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return what to fit on and what to score on, uint8.

    Parameters
    ----------
    name : str
        The set.
    validation : bool
        False: the training file and the test file. True: the training file without its last 10,000 pictures, and
        those 10,000. Choices are made under True; only reported numbers are made under False.
    """
    train = images(name, "train")
    if validation:
        return train[:-HELD_OUT], train[-HELD_OUT:]
    return train, images(name, "test")


def squared_error(X: np.ndarray, R: np.ndarray) -> float:
    """Return the squared error per pixel, averaged over every pixel of every picture, summed in float64."""
    total = 0.0
    for start in range(0, len(X), 4096):
        rows = slice(start, start + 4096)
        difference = np.asarray(X[rows], np.float64) - np.asarray(R[rows], np.float64).reshape(X[rows].shape)
        total += float(np.square(difference).sum())
    return total / X.size


# ---------------------------------------------------------------------- clocks and numbers


@dataclass
class Clock:
    """Wall and processor seconds of a block, and how busy the rest of the machine was meanwhile.

    Attributes
    ----------
    seconds : float
        Wall seconds.
    cpu_seconds : float
        Processor seconds of this process, all threads.
    other_cores : float
        Cores kept busy by anything else, averaged over the block; a clean measurement has less than about 0.2.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    other_cores: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Return the three numbers, rounded, for a results file."""
        return {
            "fit_seconds": round(self.seconds, 4),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "other_cores": self.other_cores,
        }


@contextmanager
def clocked() -> Iterator[Clock]:
    """Time a block; the clock's numbers are there after it."""
    clock, busy = Clock(), _busy_seconds()
    cpu, wall = time.process_time(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - wall
    clock.cpu_seconds = time.process_time() - cpu
    if busy is not None:
        others = (_busy_seconds() or busy) - busy - clock.cpu_seconds
        clock.other_cores = round(max(0.0, others) / clock.seconds, 2)


def _busy_seconds() -> float | None:
    """Return the machine's busy processor seconds since it started; None where the kernel does not say."""
    path = Path("/proc/stat")
    if not path.exists():
        return None
    fields = [int(number) for number in path.read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def peak_resident_bytes() -> int:
    """Return this process's largest resident set so far, mapped file pages included (``VmHWM``), in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("This kernel does not report VmHWM in /proc/self/status, so peak memory cannot be measured.")


def spread(values: Sequence[float], digits: int = 6) -> dict[str, Any]:
    """Return the median, the smallest, the largest and every value of repeated measurements."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "values": [round(value, digits) for value in values],
    }


def repeat(call: Callable[[], object], repeats: int, warm: int = 3) -> list[float]:
    """Return the seconds of each of ``repeats`` calls, after ``warm`` calls that are not timed.

    They are the processor's on one core (``taskset -c 0``), where others on the machine disturb them least, and else
    those on the wall.
    """
    clock = time.process_time if cores() == 1 else time.perf_counter
    for _ in range(warm):
        call()
    seconds = []
    for _ in range(repeats):
        start = clock()
        call()
        seconds.append(clock() - start)
    return seconds


# ---------------------------------------------------------------------- child processes


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def child(python: str, arguments: Sequence[str], *, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a script in a process of its own and return the JSON object on its last output line.

    Parameters
    ----------
    python : str
        The interpreter.
    arguments : sequence of str
        Script and arguments, or ``-c`` and code.
    environment : dict, optional
        Variables on top of this process's own.

    Returns
    -------
    dict
        What the child emitted; ``{"failed": last line of its error output}`` when it ended otherwise. Nothing is
        swallowed: the whole error output of a failed child is printed.
    """
    variables = os.environ | {"OMP_NUM_THREADS": str(cores()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    # A peer's own deprecation warnings are not part of what is measured.
    variables |= {"PYTHONWARNINGS": "ignore", "PYTHONPATH": str(SOURCE)} | (environment or {})
    done = subprocess.run([python, *arguments], env=variables, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])
    print(done.stderr.rstrip(), file=sys.stderr)
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    return {"failed": errors[-1] if errors else f"exit code {done.returncode} and no result"}


def quiet_child(
    python: str,
    arguments: Sequence[str],
    *,
    environment: dict[str, str] | None = None,
    noise: float = 0.25,
    tries: int = 3,
) -> dict[str, Any]:
    """Run :func:`child` again while the rest of the machine was busy meanwhile, and return the cleanest try.

    Parameters
    ----------
    python, arguments, environment
        As :func:`child` takes them.
    noise : float, default=0.25
        Cores that may be busy with something else; a try below it is taken at once.
    tries : int, default=3
        Most tries. Threads that spin at each other on a shared machine can make one run ten times slower. On one core
        there is one try: processor seconds are what is compared there.

    Returns
    -------
    dict
        The child's result with ``discarded``: the wall seconds and ``other_cores`` of the tries that were not taken.
    """
    done: list[dict[str, Any]] = []
    for _ in range(tries if cores() > 1 else 1):
        result = child(python, arguments, environment=environment)
        done.append(result)
        if "other_cores" not in result or (result["other_cores"] or 0.0) <= noise:
            break
    best = min(done, key=lambda result: result.get("other_cores") or 0.0)
    discarded = [
        {"fit_seconds": result.get("fit_seconds"), "other_cores": result.get("other_cores")}
        for result in done
        if result is not best
    ]
    return best | ({"discarded": discarded} if discarded else {})


def emit(**numbers: object) -> None:
    """Print a child's result as its last line."""
    print(json.dumps(numbers), flush=True)


# ---------------------------------------------------------------------- the record


def machine() -> dict[str, Any]:
    """Return the processor, its cores and matrix instructions, memory and kernel."""
    name, flags = platform.processor() or platform.machine(), set()
    path = Path("/proc/cpuinfo")
    if path.exists():
        pairs = (line.partition(":") for line in path.read_text().splitlines())
        described = {key.strip(): value.strip() for key, _, value in pairs}
        name = described.get("model name", name)
        family, model = described.get("cpu family"), described.get("model")
        name += f" (family {family}, model {model})" if family else ""
        flags = set(described.get("flags", "").split())
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_tile")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": name,
        "cores": cores(),
        "flags": {flag: flag in flags for flag in wanted},
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the Python version and that of each named package that is installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def isthmus_versions() -> dict[str, str]:
    """Return the versions that matter to a measurement of isthmus."""
    import isthmus

    return {"isthmus": str(isthmus.__version__)} | versions(*PACKAGES)


@dataclass(frozen=True)
class Claim:
    """One promise and what was measured.

    Parameters
    ----------
    what : str
        The quantity, with its unit.
    value : float or None
        Measured; None when it could not be.
    must : str
        The promise, as a sentence would put it ("at least 10").
    met : bool or None
        Whether it holds; None when it was not measured.
    """

    what: str
    value: float | None
    must: str
    met: bool | None


@dataclass
class Report:
    """Everything one benchmark found, on its way to the screen and to ``results/NAME.json``."""

    name: str
    settings: dict[str, Any]
    packages: dict[str, str]
    claims: list[Claim] = field(default_factory=list)
    measurements: dict[str, Any] = field(default_factory=dict)

    def claim(self, what: str, value: float | None, must: str, met: bool | None) -> None:
        """Add a promise and whether it was kept."""
        self.claims.append(Claim(what, None if value is None else round(float(value), 6), must, met))

    def publish(self, folder: Path) -> int:
        """Write the JSON file, print the promises, and return the exit code: 1 when one was broken."""
        path = self.write(folder)
        print_claims([(self.name, claim) for claim in self.claims])
        print(f"written: {os.path.relpath(path)}")
        return int(any(claim.met is False for claim in self.claims))

    def write(self, folder: Path) -> Path:
        """Write the JSON file and return its path."""
        document = {
            "benchmark": self.name,
            "command": command(),
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "machine": machine() | {"load_1_minute": round(os.getloadavg()[0], 2)},
            "versions": self.packages,
            "settings": self.settings,
            "claims": [vars(claim) for claim in self.claims],
            "measurements": self.measurements,
        }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        scratch = path.with_suffix(".json.part")
        scratch.write_text(json.dumps(document, indent=1) + "\n")
        scratch.replace(path)
        return path


def earlier(folder: Path, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the measurements of an earlier call with the same settings, so that runs can be spread over several."""
    path = folder / f"{name}.json"
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    return dict(document["measurements"]) if document["settings"] == json.loads(json.dumps(settings)) else {}


def command() -> str:
    """Return the command that made a result, as typed in the repository's root, without this machine's folders."""
    hidden = {"--peer-python": '"$PEER_PYTHON"', "--out": "OUT", "--before": "BEFORE", "--weights": "WEIGHTS"}
    hidden |= {"--folder": "FOLDER", "--keep": "KEEP"}
    words = [f"benchmarks/{Path(sys.argv[0]).name}"]
    for before, word in zip(["", *sys.argv[1:]], sys.argv[1:], strict=False):
        words.append(hidden.get(before) or shlex.quote(word))
    return "python " + " ".join(words)


# ---------------------------------------------------------------------- screen and command line


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header in aligned columns; the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for index, row in enumerate(cells):
        aligned = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  ".join(aligned).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


def print_claims(claims: Sequence[tuple[str, Claim]]) -> None:
    """Print each promise of each benchmark with its measured value."""
    if not claims:
        return
    words = {True: "met", False: "NOT MET", None: "not measured"}
    rows = [
        (name, claim.what, "-" if claim.value is None else f"{claim.value:g}", claim.must, words[claim.met])
        for name, claim in claims
    ]
    print()
    print_table(("benchmark", "quantity", "value", "must", ""), rows)


def parser(description: str | None, *, peers: bool = False) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has.

    Parameters
    ----------
    description : str or None
        The script's docstring; its first line is shown.
    peers : bool, default=False
        Add ``--peer-python``.
    """
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON file (default: benchmarks/results)")
    if peers:
        made.add_argument(
            "--peer-python",
            default=os.environ.get("PEER_PYTHON", sys.executable),
            help="a Python that has the peers installed (default: $PEER_PYTHON, else this one); "
            "a peer that it lacks is listed as missing",
        )
    return made

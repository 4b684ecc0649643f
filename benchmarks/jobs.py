"""Jobs in parts: how much sooner than one process, what being killed costs, and what it takes in memory.

``speed`` encodes the same float32 rows with ``isthmus encode x.npy -o codes.npy``, one process with all its threads,
and with ``-o codes/``, a worker a core; the codes are compared bit for bit and in order. ``--before FOLDER`` names the
``src`` of an earlier version whose one process is timed in turn, too. ``memory`` is the most that
all processes of a job together held at once (proportional set sizes: what several share counts once). ``killed`` kills
a job (SIGKILL) once half of its parts are there, starts it again, and times that; ``moments`` kills small ones at
random moments. Both compare every file with that of a job that was never killed.

Each subcommand adds to ``results/jobs.json`` what it measured; those with the same rows stay beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
import numpy as np

WIDTH, LATENT = 20, 8
BLOCK = 2**19  # rows that are made and compared at a time
SOONER, SHARE, BYTES = 1.6, 0.6, 10**9  # what must be reached
EVERY = 0.2  # seconds between two looks at memory
NETWORK = {"latent_dim": LATENT, "hidden": (64,), "network": "dense", "max_epochs": 1, "random_state": 0}


def main() -> int:
    """Measure what was asked for; write and print it beside what is known."""
    options = parse()
    settings = {"rows": options.rows, "width": WIDTH, "latent_dim": LATENT, "form": options.form, "seed": options.seed}
    report = harness.Report("jobs", settings, harness.isthmus_versions())
    report.measurements = harness.earlier(options.out, "jobs", settings)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        case = Case(Path(name), options)
        for what in ("speed", "memory", "killed", "moments") if options.what == "all" else (options.what,):
            report.measurements[what] = MEASURES[what](case, options)
    claim(report)
    return report.publish(options.out)


def claim(report: harness.Report) -> None:
    """Set what was measured beside what must be reached."""
    found = report.measurements
    if "speed" in found:
        ratio = found["speed"]["times_sooner"]
        report.claim("one process over a worker a core, wall seconds", ratio, f"at least {SOONER}", ratio >= SOONER)
        if "times_sooner_than_before" in found["speed"]:
            ratio = found["speed"]["times_sooner_than_before"]
            report.claim("one process of before over a worker a core", ratio, f"at least {SOONER}", ratio >= SOONER)
        same = found["speed"]["bit_equal"]
        report.claim("codes in parts equal those of one process, in order", float(same), "every bit", same)
    peak = max((found[name]["peak_bytes"] for name in ("speed", "memory") if name in found), default=None)
    if peak is not None:
        report.claim("memory of all processes together, GB", peak / 1e9, "at most 1", peak <= BYTES)
    if "killed" in found:
        share = found["killed"]["share_of_a_full_run"]
        report.claim("after a kill at half, over a full run", share, f"at most {SHARE}", share <= SHARE)
        report.claim("files as of one never killed", float(found["killed"]["equal"]), "all", found["killed"]["equal"])
    if "moments" in found:
        found = found["moments"]
        equal = found["equal"] == found["jobs"]
        report.claim("jobs killed at a random moment that end like one never killed", found["equal"], "all", equal)


class Case:
    """Records and a model in a folder, made when they are first asked for."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options

    def data(self, rows: int) -> Path:
        """Return a file of so many rows, or a folder of Parquet files with the same."""
        path = self.folder / f"x{rows}.npy"
        if not path.exists():
            write_rows(path, rows, self.options.seed)
        if self.options.form == "npy":
            return path
        lake = self.folder / f"x{rows}"
        if not lake.exists():
            write_parquet(lake, path)
        return lake

    def model(self) -> Path:
        """Return the file of a small model of these rows."""
        from isthmus import Autoencoder

        path = self.folder / "model.safetensors"
        if not path.exists():
            first = np.array(np.load(self.data_file(), mmap_mode="r")[:5000])
            X = first if self.options.form == "npy" else as_table(first)
            Autoencoder(**NETWORK).fit(X).save(path)
        return path

    def data_file(self) -> Path:
        """Return an array that is there."""
        self.data(self.options.rows)
        return self.folder / f"x{self.options.rows}.npy"

    def command(self, output: str, rows: int, *more: str) -> list[str]:
        """Return the words of the command that encodes so many rows."""
        words = ["encode", self.data(rows), "-m", self.model(), "-o", f"{self.folder}/{output}", "-q", *more]
        return [sys.executable, "-m", "isthmus", *map(str, words)]


def write_rows(path: Path, rows: int, seed: int) -> None:
    """Write rows of correlated numbers, a block at a time."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(LATENT, WIDTH)).astype(np.float32)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, WIDTH)})
        for start in range(0, rows, BLOCK):
            n = min(BLOCK, rows - start)
            block = rng.standard_normal((n, LATENT), np.float32) @ mixing
            file.write((block + rng.standard_normal((n, WIDTH), np.float32) / 10).data)


def as_table(block: np.ndarray) -> Any:
    """Return rows as an Arrow table."""
    import pyarrow as pa

    return pa.table({f"c{index}": np.ascontiguousarray(column) for index, column in enumerate(block.T)})


def write_parquet(lake: Path, path: Path) -> None:
    """Write the rows of an array as Parquet files of four row groups each."""
    from pyarrow import parquet

    lake.mkdir()
    rows = np.load(path, mmap_mode="r")
    for number, start in enumerate(range(0, len(rows), 4 * BLOCK)):
        table = as_table(np.array(rows[start : start + 4 * BLOCK]))
        parquet.write_table(table, lake / f"{number:05d}.parquet", row_group_size=BLOCK)


# ---------------------------------------------------------------------- the measurements


def speed(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Time both ways in turn, the median of each counts."""
    before, single, parts, peaks = [], [], [], []
    case.data(options.rows)  # so that no round writes it
    for _ in range(options.rounds):
        clear(case.folder / "codes")
        if options.before:
            words = case.command("codes.npy", options.rows, "--force")
            before.append(seconds(words, options.before)[0])
        single.append(seconds(case.command("codes.npy", options.rows, "--force"))[0])
        wall, peak = seconds(case.command("codes/", options.rows))
        parts.append(wall)
        peaks.append(peak)
    return {
        "one_process_seconds": harness.spread(single, 2),
        "job_seconds": harness.spread(parts, 2),
        "times_sooner": round(statistics.median(single) / statistics.median(parts), 3),
        **(
            {
                "one_process_of_before_seconds": harness.spread(before, 2),
                "times_sooner_than_before": round(statistics.median(before) / statistics.median(parts), 3),
            }
            if before
            else {}
        ),
        "peak_bytes": max(peaks),
        "bit_equal": same_codes(case.folder / "codes.npy", case.folder / "codes"),
    }


def memory(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Look at all processes of one job."""
    clear(case.folder / "codes")
    wall, peak = seconds(case.command("codes/", options.rows))
    return {"peak_bytes": peak, "job_seconds": round(wall, 2)}


def at_half(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Time a whole job; kill another once half of its parts are there, and time what is left."""
    clear(case.folder / "codes")
    full, _ = seconds(case.command("codes/", options.rows))
    whole = contents(case.folder / "codes")
    clear(case.folder / "codes")
    with started(case.command("codes/", options.rows)) as process:
        await_parts(case.folder / "codes", len(whole) // 2, process)
        process.send_signal(signal.SIGKILL)
    there = len(list((case.folder / "codes").glob("part-*")))
    rest, _ = seconds(case.command("codes/", options.rows))
    return {
        "full_seconds": round(full, 2),
        "second_run_seconds": round(rest, 2),
        "share_of_a_full_run": round(rest / full, 3),
        "parts": len(whole),
        "parts_there": there,
        "equal": contents(case.folder / "codes") == whole,
    }


def at_moments(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Kill small jobs at random moments: of the time that one takes, every second job of the time of its parts."""
    rows, moments = options.job_rows, random.Random(options.seed)  # a part has a sixteenth of them
    more = ("--part-rows", str(max(1, rows // 16)))
    clear(case.folder / "codes")
    full, _ = seconds(case.command("codes/", rows, *more))
    whole, killed, equal = contents(case.folder / "codes"), [], 0
    for job in range(options.jobs):
        clear(case.folder / "codes")
        with started(case.command("codes/", rows, *more)) as process:
            if job % 2:
                await_parts(case.folder / "codes", moments.randrange(1, len(whole)), process)
            time.sleep(moments.uniform(0, 0.1 if job % 2 else full))
            process.send_signal(signal.SIGKILL)
        there = len(list((case.folder / "codes").glob("part-*")))
        seconds(case.command("codes/", rows, *more))
        equal += contents(case.folder / "codes") == whole
        killed.append(there)
    return {"rows": rows, "jobs": len(killed), "parts": len(whole), "parts_when_killed": killed, "equal": equal}


MEASURES = {"speed": speed, "memory": memory, "killed": at_half, "moments": at_moments}


# ---------------------------------------------------------------------- processes and files


@contextmanager
def started(command: list[str], source: Path = harness.SOURCE) -> Iterator[subprocess.Popen[bytes]]:
    """Give a running command of the package in a folder; wait for its end."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["PYTHONPATH"] = str(source)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        yield process


def seconds(command: list[str], source: Path = harness.SOURCE) -> tuple[float, int]:
    """Return the wall seconds of a command, and the most bytes that it and its children held at once."""
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(EVERY):
            peak = max(peak, sum(map(held, family(process.pid))))

    begin = time.perf_counter()
    with started(command, source) as process:
        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        wall = time.perf_counter() - begin
        ended.set()
        watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with exit code {code}.")
    return wall, peak


def family(process: int) -> list[int]:
    """Return a process and all that it started."""
    found = [process]
    for one in found:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def held(process: int) -> int:
    """Return the bytes of a process, of those that it shares its part."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def await_parts(folder: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many parts are there, or the job has ended."""
    while process.poll() is None and len(list(folder.glob("part-*"))) < number:
        time.sleep(0.005)


def clear(folder: Path) -> None:
    """Remove what a job wrote."""
    for path in folder.glob("*") if folder.is_dir() else ():
        path.unlink()


def contents(folder: Path) -> dict[str, int]:
    """Return a digest of each part's file, by name."""
    return {path.name: hash(path.read_bytes()) for path in sorted(folder.glob("part-*"))}


def same_codes(array: Path, folder: Path) -> bool:
    """Tell whether the parts of a folder, in order, are the rows of an array, bit for bit."""
    from pyarrow import parquet

    codes, start = np.load(array, mmap_mode="r"), 0
    for path in sorted(folder.glob("part-*")):
        table = parquet.read_table(path)
        part = np.stack([column.to_numpy() for column in table.columns], axis=1)
        if part.tobytes() != np.ascontiguousarray(codes[start : start + len(part)]).tobytes():
            return False
        start += len(part)
    return start == len(codes)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("what", choices=(*MEASURES, "all"), nargs="?", default="all")
    made.add_argument("--rows", type=int, default=50_000_000)
    made.add_argument("--form", choices=("npy", "parquet"), default="npy", help="of the records")
    made.add_argument("--rounds", type=int, default=3, help="of speed")
    made.add_argument("--before", type=Path, help="the src folder of an earlier version, for speed")
    made.add_argument("--jobs", type=int, default=20, help="of moments")
    made.add_argument("--job-rows", type=int, default=2_000_000, help="of moments: rows of each job")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--folder", type=Path, help="where the records go (default: the system's temporary folder)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

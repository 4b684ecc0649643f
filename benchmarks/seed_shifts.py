"""A pytest plugin that moves the seeds of what tests train, and writes down which tests train and which pass.

``seeds.py`` loads it (``pytest -p seed_shifts``) and tells it what to do by environment variables; without it tests run
as they are written.

A seed below ``BLOCK`` goes ``shift * BLOCK`` further, wherever it enters: at ``isthmus.base.seed_of``, through which
models and task objects take their ``random_state``, and at ``isthmus.training.Engine``, through which everything that
trains goes. A seed that was moved is not moved again, two models with one seed still have one seed, and neighbouring
seeds stay neighbours. Data that a test draws for itself are left alone: a test is a statement about its data, and what
must not hang on luck is what is learned from them.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import numbers
import os
import platform
import sys
import time
from collections.abc import Callable, Generator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 10**6
WHY = 300  # most characters of a failure's reason that are kept
# What else the tests of a folder depend on, besides the sources and their own file.
READ_BY = {"docs": ("docs", "README.md", "CONTRIBUTING.md"), "examples": ("examples",)}


def moved(seed: int, shift: int) -> int:
    """Return the seed that stands for ``seed`` under a shift; the seed itself under shift 0 or where it was moved."""
    return seed if seed >= BLOCK else seed + shift * BLOCK


# ---------------------------------------------------------------------- what was run


@functools.cache
def sources() -> str:
    """Return the digest of what every test depends on: the package, the shared fixtures, the libraries below."""
    paths = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("conftest.py")]
    below = [platform.python_version(), *(metadata.version(name) for name in ("torch", "numpy", "scikit-learn"))]
    return _digest(paths, " ".join(below))


@functools.cache
def source_of(test_file: Path) -> str:
    """Return the digest of everything that the tests of a file depend on."""
    read = [ROOT / name for name in READ_BY.get(test_file.parent.name, ())]
    inside = [path for each in read for path in ([each] if each.is_file() else each.rglob("*")) if path.is_file()]
    return _digest([test_file, *(path for path in inside if "__pycache__" not in path.parts)], sources())


def _digest(paths: list[Path], salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    for path in sorted(paths):
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def read(path: Path) -> Any:
    """Return what a file of ``.seeds/`` holds, nothing where it is missing.

    The state of a run has for each test ``source, outcome, seconds, trains, starts_processes`` and, if it failed,
    ``why``.
    """
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, found: Any) -> None:
    """Write such a file at once or not at all."""
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(found, indent=0))
    scratch.replace(path)


def is_current(test: str, entry: dict[str, Any]) -> bool:
    """Tell whether an entry is of a run that came to its end, of the sources as they are now."""
    file = ROOT / test.partition("::")[0]
    return entry["outcome"] != "running" and file.exists() and entry["source"] == source_of(file)


# ---------------------------------------------------------------------- the plugin


def pytest_configure(config: pytest.Config) -> None:
    """Start to look on, where ``seeds.py`` asks for it."""
    if "SEEDS_STATE" in os.environ:
        config.pluginmanager.register(
            Sweep(
                Path(os.environ["SEEDS_STATE"]),
                shift=int(os.environ["SEEDS_SHIFT"]),
                precision=os.environ["SEEDS_PRECISION"],
                wanted=Path(os.environ["SEEDS_WANTED"]),
                first=os.environ["SEEDS_PASS"] == "first",
                until=float(os.environ["SEEDS_UNTIL"]),
            )
        )


class Sweep:
    """One run of tests under one shift and one precision, with a state file that is current after every test.

    Parameters
    ----------
    path : Path
        The state file; tests that it has, of the same sources, are not run again.
    shift : int
        Of seeds.
    precision : {"float32", "bfloat16"}
        What ``precision="auto"`` becomes.
    wanted : Path
        A JSON list of the tests to run.
    first : bool
        Whether this is the first pass, which runs all tests that it was given, and makes that list of them.
    until : float
        Time, in seconds since 1970, after which no test starts.
    """

    def __init__(self, path: Path, *, shift: int, precision: str, wanted: Path, first: bool, until: float) -> None:
        self.path, self.shift, self.precision, self.until = path, shift, precision, until
        self.wanted, self.first = wanted, first
        self.found = read(path)
        self.trained = self.processes = 0  # times so far that anything trained, that a process was started
        self.fixtures_that_train: set[tuple[str, str]] = set()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            self.processes += 1

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what was run, and reach into isthmus, now that the tests' own settings have been made."""
        if self.first:
            write(self.wanted, [item.nodeid for item in items])
        wanted = set(read(self.wanted))
        done = {test for test, entry in self.found.items() if is_current(test, entry)}
        left = [item for item in items if item.nodeid in wanted - done]
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted - done])
        items[:] = left
        if left:
            self._reach_in()

    def _reach_in(self) -> None:
        from isthmus import base, training

        as_written = base.seed_of

        @functools.wraps(as_written)
        def seed_of(random_state: Any) -> int:
            self.trained += 1
            seed = as_written(random_state)
            return moved(seed if isinstance(random_state, numbers.Integral) else seed % BLOCK, self.shift)

        for module in list(sys.modules.values()):
            if getattr(module, "seed_of", None) is as_written:
                module.seed_of = seed_of  # type: ignore[attr-defined]

        construct: Callable[..., None] = training.Engine.__init__

        @functools.wraps(construct)
        def init(engine: Any, module: Any, players: Any, batches: Any, plan: Any, **others: Any) -> None:
            self.trained += 1
            plan = dataclasses.replace(plan, seed=moved(plan.seed, self.shift))
            construct(engine, module, players, batches, plan, **others)

        training.Engine.__init__ = init  # type: ignore[method-assign]
        training.has_fast_bfloat16 = lambda device_type: self.precision == "bfloat16"

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Note whether a fixture trains: whatever uses it does, also where it was set up for an earlier test."""
        before = self.trained
        result = yield
        if self.trained > before:
            self.fixtures_that_train.add((fixturedef.baseid, fixturedef.argname))
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run one test, and write down what came of it."""
        trained, processes, started = self.trained, self.processes, time.perf_counter()
        self.reports: list[pytest.TestReport] = []
        self._note(item, outcome="running")  # which test it was, should the process not survive it
        result = yield
        outcomes = {report.outcome for report in self.reports}
        failed = next((report for report in self.reports if report.failed), None)
        self._note(
            item,
            outcome="failed" if failed else "skipped" if "skipped" in outcomes else "passed",
            seconds=round(time.perf_counter() - started, 2),
            trains=self.trained > trained or self._uses_what_trains(item),
            starts_processes=self.processes > processes,
            **({"why": _why(failed)} if failed else {}),
        )
        if time.time() > self.until:
            item.session.shouldstop = "the time is up"
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what the parts of a test report."""
        self.reports.append(report)

    def _note(self, item: pytest.Item, **entry: Any) -> None:
        self.found[item.nodeid] = {"source": source_of(item.path), **entry}
        write(self.path, self.found)

    def _uses_what_trains(self, item: pytest.Item) -> bool:
        names = getattr(item, "fixturenames", ())
        return any(name in names and item.nodeid.startswith(base) for base, name in self.fixtures_that_train)


def _why(report: pytest.TestReport) -> str:
    """Return the first line of what a test failed with, and where."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return str(report.longrepr)[-WHY:]
    return f"line {crash.lineno}: {crash.message.splitlines()[0] if crash.message else ''}"[:WHY]

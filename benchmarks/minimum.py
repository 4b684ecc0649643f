"""Run tests with the lowest version of every dependency that ``pyproject.toml`` allows, together in one environment.

A stated minimum that nobody has tried is a guess. Whoever raises or adds one runs this; its exit code is pytest's.
Torch is large: ``--keep torch`` takes the one that is installed beside this script's Python, or the newest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("tune", "test")
TESTS = ("tests/data", "tests/preprocessing", "tests/cli", "tests/contracts", "tests/test_files.py")
LOWEST = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[a-z,]*\])?>=([0-9.]+)")


def main() -> int:
    """Make the environment where it is not there yet, and run the tests in it."""
    options = parse()
    pins = lowest(options.keep)
    print("\n".join(pins))
    python = options.folder / "bin" / "python"
    if not python.exists():
        venv.create(options.folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pins], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT], check=True)
    tests = [python, "-m", "pytest", "-q", "-m", "not cluster", *(options.tests or TESTS)]
    return subprocess.run(tests, cwd=ROOT, check=False).returncode


def lowest(keep: list[str]) -> list[str]:
    """Return every requirement at its lowest version; of those to be kept, at that which is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    found = {}
    for requirement in stated:
        match = LOWEST.match(requirement)
        if match is None:
            raise SystemExit(f"{requirement} states no lowest version.")
        name, version = match.groups()
        found[name] = _installed(name) if name in keep else f"{name}=={version}"
    return list(found.values())


def _installed(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return name


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--folder", type=Path, default=ROOT / ".venv-minimum", help="of the environment")
    made.add_argument("--keep", nargs="*", default=[], help="packages not to be lowered")
    made.add_argument("tests", nargs="*", help="what to run (default: what depends on other libraries' versions)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

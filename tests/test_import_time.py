"""``import isthmus`` is light: nothing heavy is loaded before it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "scipy", "matplotlib", "pyarrow", "PIL", "pandas", "polars", "numpy")
AT_MOST = 0.3  # seconds of the processor, which are the same on a busy machine

PROGRAM = """
import sys, time
before = time.process_time()
{statement}
seconds = time.process_time() - before
import json
print(json.dumps({{"seconds": seconds, "heavy": [name for name in {heavy} if name in sys.modules]}}))
"""


def in_new_process(statement: str) -> dict[str, object]:
    """Return the seconds of a statement in a new Python, its start not counted, and the heavy modules then there."""
    program = PROGRAM.format(statement=statement, heavy=HEAVY)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(run.stdout)


def test_importing_loads_nothing_heavy() -> None:
    assert in_new_process("import isthmus")["heavy"] == []


def test_the_version_and_the_errors_load_nothing_heavy() -> None:
    assert in_new_process("import isthmus.errors; isthmus.__version__")["heavy"] == []


def test_importing_takes_less_than_three_tenths_of_a_second() -> None:
    best = min(in_new_process("import isthmus")["seconds"] for _ in range(5))
    assert best < AT_MOST


@pytest.mark.parametrize("module", ["numpy", "PIL"])
def test_a_heavy_module_is_seen(module: str) -> None:
    assert module in in_new_process(f"import isthmus, {module}")["heavy"]

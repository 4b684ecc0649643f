"""A way to run commands in this process, and a small model file that many tests use."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.cli import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]

# For child processes in other folders, also where the package is found by a relative path.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(isthmus.__file__).parents[1])}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``isthmus`` in an empty folder; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def once(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return once


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small model of the digits, as ``isthmus fit`` writes it."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    small = ("--max-epochs", "2", "--latent-dim", "4", "--hidden", "32", "-q")
    assert main(["fit", "digits", "-o", str(path), *small]) == 0
    return path


TABLE = """\
age,income,city
{rows}
"""


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    """100 rows of a table with two numbers that go together, and a category."""
    rng = np.random.default_rng(0)
    ages = rng.integers(20, 70, 100)
    rows = [f"{age},{age * 900 + rng.normal(0, 500):.2f},{('Bern', 'Oslo', 'Rome')[age % 3]}" for age in ages]
    path = tmp_path / "people.csv"
    path.write_text(TABLE.format(rows="\n".join(rows)))
    return path


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """24 colour pictures, 10 x 12, in two sub-folders."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for index in range(24):
        name = folder / "ab"[index % 2] / f"p{index:02d}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(name)
    return folder

"""isthmus fit under torchrun: one output, and one process that speaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import isthmus

from .conftest import ENVIRONMENT, Run

FIT = ("--hidden", "16", "--latent-dim", "2", "--max-epochs", "3", "--batch-size", "32", "--optimizer", "adamw")
TORCHRUN = (
    *("-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"),
    *("--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"),  # port 0: one that is free at the very moment
)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", (rng.normal(size=(201, 2)) @ rng.normal(size=(2, 6))).astype(np.float32))
    return "rows.npy"


def together(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in two processes that torchrun starts."""
    command = [sys.executable, *TORCHRUN, "-m", "isthmus", *arguments]
    environment = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the second of two processes of this machine."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_two_processes_write_one_model_and_the_first_alone_speaks(run: Run, tmp_path: Path, rows: str) -> None:
    done = together(tmp_path, "fit", rows, "-o", "m.safetensors", *FIT)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["m.safetensors", rows]
    for line in ("epoch 3/3: ", "records to train on", "on cpu", "next: isthmus report"):
        assert done.stderr.count(line) == 1, done.stderr
    assert done.stdout.count("m.safetensors: Autoencoder, code of 2, fitted on 181 records") == 1
    assert done.stdout.count("on 20 records that it never saw:") == 1
    assert run("fit", rows, "-o", "one.safetensors", *FIT).code == 0
    two, one = isthmus.load("m.safetensors"), isthmus.load("one.safetensors")
    assert two.provenance_["steps"] == one.provenance_["steps"]
    X = np.load(rows)
    np.testing.assert_allclose(two.reconstruct(X), one.reconstruct(X), atol=2e-2)  # bfloat16, added up in two parts


def test_an_error_that_all_of_them_meet_is_said_once(tmp_path: Path) -> None:
    done = together(tmp_path, "fit", "nowhere.npy")
    assert done.returncode == 1
    ours = [line for line in done.stderr.splitlines() if line.startswith("isthmus: ")]
    assert len(ours) == 1, done.stderr
    assert "nowhere.npy" in ours[0]
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("second")
def test_what_all_would_do_alike_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, rows: str) -> None:
    encode = ("encode", rows, "-m", "m.safetensors", "-o", "codes.npy")
    ran = run(*encode)
    assert (ran.code, ran.out, ran.err) == (2, "", "")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert run(*encode).err == (
        f"isthmus: isthmus {' '.join(encode)} is for one process; each of the 2 that torchrun started would do the "
        "same.\n"
    )


@pytest.mark.usefixtures("second")
def test_the_others_are_silent(run: Run, rows: str) -> None:
    ran = run("fit", rows, "--print-config")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    ran = run("fit", rows, "--no-such-flag")
    assert (ran.code, ran.out, ran.err) == (2, "", "")


@pytest.mark.parametrize("flag", ["--rank-timeout", "--checkpoint-every"])
def test_seconds_are_more_than_none(run: Run, rows: str, flag: str) -> None:
    ran = run("fit", rows, flag, "0")
    assert ran.code == 2
    assert f"{flag} must be a number above 0" in ran.err

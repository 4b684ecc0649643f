"""Runs that are ended from outside, run twice at a time, or have nowhere to write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isthmus.cli import main

from .conftest import ENVIRONMENT, Run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")


@contextmanager
def training(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a fit that would take hours in a process of its own, from its first checkpoint on."""
    command = [sys.executable, "-m", "isthmus", "fit", "digits", "--hidden", "16", "--max-epochs", "100000", *arguments]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **pipes) as process:
        try:
            deadline = time.monotonic() + 120
            while not list(folder.glob("*.checkpoint")) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_in_a_process_of_its_own(tmp_path: Path, name: str, code: int) -> None:
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup and a shell's background have it, and so it is by the child")
    with training(tmp_path) as process:
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "go on with the same command and --resume" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors.checkpoint"]


def test_a_second_run_of_one_output_and_a_run_that_is_killed(run: Run, tmp_path: Path) -> None:
    small = ("--hidden", "16", "-q")
    with training(tmp_path, "-o", "m.safetensors") as process:
        sentence = f"isthmus: m.safetensors is being written by process {process.pid}; wait until it ends"
        for more in ((), ("--force",), ("--resume",)):
            ran = run("fit", "digits", "-o", "m.safetensors", *small, *more)
            assert ran.code == 2
            assert ran.err.startswith(sentence), ran.err
        ran = run("cluster", "digits", "--save", "m.safetensors")
        assert (ran.code, ran.err.startswith(sentence)) == (2, True)
        assert run("fit", "digits", "-o", "m.safetensors", *small, "--force", "--dry-run").code == 0
        assert process.poll() is None
        assert Path("m.safetensors.checkpoint").exists()
        process.kill()
        process.wait()
    again = run("fit", "digits", "-o", "m.safetensors", *small, "--max-epochs", "1")
    assert again.code == 2
    assert "m.safetensors.checkpoint was left by an interrupted run" in again.err
    assert run("fit", "digits", "-o", "m.safetensors", *small, "--max-epochs", "1", "--force").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_name_as_long_as_the_system_allows(run: Run, tmp_path: Path) -> None:
    small = ("--hidden", "16", "--max-epochs", "1", "-q")
    long = "m" * 243 + ".safetensors"
    assert run("fit", "digits", "-o", long, *small).code == 0
    codes = "c" * 247 + ".parquet"
    assert run("encode", "digits", "-m", long, "-o", codes).code == 0
    assert run("sample", "-m", long, "--n", "3", "-o", "p" * 255).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [codes, long, "p" * 255]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet", ".png", ".jpg", ".gif", ""])
def test_a_full_disk_is_one_sentence(run: Run, model_file: Path, largest_file: Any, suffix: str) -> None:
    verb = ("encode", "digits") if suffix in (".csv", ".parquet") else ("sample", "--n", "900")
    output = f"new{suffix}"
    with largest_file(2000 if suffix else 90):
        ran = run(*verb, "-m", model_file, "-o", output)
    said = [line for line in ran.err.splitlines() if line.startswith("isthmus: ")]
    assert ran.code == 1
    assert len(said) == 1
    assert "File too large; nothing " in said[0]
    assert output in said[0]
    assert ".isthmus-" not in ran.err
    assert list(Path().iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_result_that_cannot_be_printed() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "isthmus", "--version"]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    assert ran.returncode == 1
    assert ran.stderr == "isthmus: the result could not be printed: No space left on device.\n"


def test_a_device_as_output(run: Run, model_file: Path) -> None:
    for device in ("/dev/full", "/dev/null"):
        ran = run("encode", "digits", "-m", model_file, "-o", device, "--force")
        assert ran.code == 2
    ran = run("fit", "digits", "-o", "/dev/full", "--force")
    assert ran.code == 2
    assert ran.err == "isthmus: /dev/full is a device or a pipe, and no output can take its place; give another name.\n"
    assert Path("/dev/full").is_char_device()


def test_signals_are_as_before_when_a_command_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["models"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before

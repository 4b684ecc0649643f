"""Files of labels and of settings: what is none is refused by name, and nothing is waited for."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from isthmus.cli.inputs import read_labels
from isthmus.errors import DataError

from .conftest import Run

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@needs_pipes
@pytest.mark.parametrize("name", ["y", "y.npy", "y.csv", "y.txt", "y.gz"])
def test_labels_in_a_pipe_are_refused(run: Run, name: str) -> None:
    os.mkfifo(name)
    ran = run("fit", "digits", "--labels", name)
    assert ran.code == 3
    sentence = (
        f"isthmus: --labels: '{name}' cannot be read: it is a pipe, not a file; name a file with one label a row.\n"
    )
    assert ran.err == sentence


@needs_pipes
@pytest.mark.parametrize("name", ["run.toml", "run.json"])
def test_settings_in_a_pipe_are_refused(run: Run, name: str) -> None:
    os.mkfifo(name)
    ran = run("fit", "digits", "--config", name)
    assert ran.code == 3
    assert (
        ran.err == f"isthmus: --config: '{name}' cannot be read: it is a pipe, not a file; name a TOML or JSON file.\n"
    )


def test_labels_are_one_column(run: Run) -> None:
    Path("y.csv").write_text("a,b\n1,2\n3,4\n")
    ran = run("inspect", "digits", "--labels", "y.csv")
    assert ran.code == 3
    assert "--labels: 'y.csv' cannot be read: it is a table of 2 columns, and labels are one column; name" in ran.err


def test_empty_names_are_refused(run: Run) -> None:
    ran = run("inspect", "")
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "data: the name of the source is empty; name a file or a folder, or . for this one." in ran.err
    for flag in ("--labels", "--config"):
        ran = run("fit", "digits", flag, "")
        assert ran.code == 3
        assert f"{flag}: '.' cannot be read: it is a folder, not a file" in ran.err


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no such device")
def test_devices_are_refused(run: Run) -> None:
    for flag in ("--labels", "--config"):
        ran = run("fit", "digits", flag, "/dev/zero")
        assert ran.code == 3
        assert f"{flag}: '/dev/zero' cannot be read: it is a device, not a file" in ran.err


def test_settings_have_a_limit(run: Run) -> None:
    Path("run.toml").write_text("# much\n" * 200_000)
    ran = run("fit", "digits", "--config", "run.toml")
    assert ran.code == 3
    assert "'run.toml' cannot be read: it is larger than 1 MiB" in ran.err


@pytest.mark.parametrize("packed", [False, True])
def test_labels_of_an_idx_file(tmp_path: Path, packed: bool) -> None:
    content = bytes([0, 0, 8, 1]) + struct.pack(">I", 4) + bytes([3, 1, 4, 1])
    path = tmp_path / ("labels-idx1-ubyte" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_labels(str(path)).tolist() == [3, 1, 4, 1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((3, 2)), r"it holds an array of shape \(3, 2\)"),
        (np.zeros(3, complex), "it holds values of the type complex128"),
        (np.zeros(3, [("a", "f8")]), "it holds values of the type"),
    ],
)
def test_arrays_that_are_no_labels(tmp_path: Path, labels: np.ndarray, words: str) -> None:
    np.save(tmp_path / "y.npy", labels)
    with pytest.raises(DataError, match=f"cannot be read: {words}.*; name a file with one label a row"):
        read_labels(str(tmp_path / "y.npy"))


def test_bytes_are_no_labels(tmp_path: Path) -> None:
    (tmp_path / "y.dat").write_bytes(b"a\nb\n")
    with pytest.raises(DataError, match="it is no array, table or text of a known suffix"):
        read_labels(str(tmp_path / "y.dat"))
    (tmp_path / "y.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(DataError, match="it is no text in UTF-8"):
        read_labels(str(tmp_path / "y.txt"))

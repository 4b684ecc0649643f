"""Outputs are whole or absent, belong to one process at a time, and nothing of a process that died stays for long."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import artifact, files
from isthmus.errors import OutputExistsError, OutputInUseError, ParameterError

pytest.importorskip("fcntl")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(isthmus.__file__).parents[1])}
CHILD = """
import sys
from contextlib import ExitStack
from pathlib import Path
from isthmus import files
with ExitStack() as stack:
    for path in sys.argv[2:]:
        made = stack.enter_context(getattr(files, sys.argv[1])(Path(path)))
        if made is not None:
            made.joinpath("begun").write_text("x") if made.is_dir() else made.write_text("begun")
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(way: str, *paths: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds or writes outputs until it is told to end."""
    command = [sys.executable, "-c", CHILD, way, *map(str, paths)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            yield child
        finally:
            child.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------ one process at a time


def test_an_output_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    with another("claim", tmp_path / "m") as child:
        sentence = (
            f"^{tmp_path / 'm'} is being written by process {child.pid}; wait until it ends, or give another name"
        )
        with pytest.raises(OutputInUseError, match=sentence), files.claim(tmp_path / "m"):
            pass
        with files.claim(tmp_path / "other"):
            pass
        child.communicate("")
    assert names(tmp_path) == []


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    with another("claim", tmp_path / "m") as child:
        child.kill()
        child.wait()
    assert len(names(tmp_path)) == 1
    with files.claim(tmp_path / "m"):
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == []


def test_one_command_cannot_have_two_outputs_of_one_name(tmp_path: Path) -> None:
    with files.claims():
        files.hold(tmp_path / "m")
        with pytest.raises(OutputInUseError, match="m is named for two outputs; give each a name of its own"):
            files.hold(tmp_path / "m")
    with files.claims():
        files.hold(tmp_path / "m")
    assert names(tmp_path) == []


def test_without_locks_outputs_are_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    for _ in range(2):
        with files.claim(tmp_path / "m"), artifact.replacing(tmp_path / "m", force=True) as file:
            file.write(b"x")
    monkeypatch.setattr(files, "fcntl", None)
    with files.claim(tmp_path / "m"), artifact.replacing(tmp_path / "m", force=True) as file:
        file.write(b"y")
    assert names(tmp_path) == ["m"]


# ------------------------------------------------------------------ what is left behind


@pytest.mark.parametrize("way", ["temporary", "temporary_folder"])
def test_what_a_killed_process_left_is_removed_by_the_next_run(tmp_path: Path, way: str) -> None:
    make = getattr(files, way)
    with another(way, tmp_path / "m", tmp_path / "m", tmp_path / "other") as child:
        child.kill()
        child.wait()
    left = names(tmp_path)
    assert len(left) == 3
    with make(tmp_path / "m") as temporary:
        assert not list(temporary.iterdir()) if temporary.is_dir() else temporary.read_bytes() == b""
    assert len(names(tmp_path)) == 1, "that of another output is not touched"


@pytest.mark.parametrize("way", ["temporary", "temporary_folder"])
def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, way: str) -> None:
    with another(way, tmp_path / "m") as child:
        before = names(tmp_path)
        with getattr(files, way)(tmp_path / "m") as temporary, getattr(files, way)(tmp_path / "m") as third:
            assert len({*before, temporary.name, third.name}) == 3
        assert names(tmp_path) == before
        child.communicate("")
    assert names(tmp_path) == []


def test_what_is_not_ours_to_remove_stays(tmp_path: Path) -> None:
    with files.temporary(tmp_path / "m") as temporary:
        pass
    (tmp_path / "mine").write_text("keep")
    temporary.symlink_to(tmp_path / "mine")  # as somebody else could put it into a shared folder
    with files.temporary(tmp_path / "m") as other:
        other.write_text("x")
    assert (tmp_path / "mine").read_text() == "keep"
    temporary.unlink()
    os.mkfifo(temporary)
    with files.temporary(tmp_path / "m"):
        pass


def test_an_output_that_came_up_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError), artifact.replacing(tmp_path / "m"):
        (tmp_path / "m").write_text("theirs")
    assert (tmp_path / "m").read_text() == "theirs"
    assert names(tmp_path) == ["m"]


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("name", ["x" * 251 + ".npy", "ü" * 125 + ".npy", "x" * 243 + ".safetensors"])
def test_names_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with files.claim(path), artifact.replacing(path) as file:
        file.write(b"x")
    checkpoint = files.sibling(path, ".checkpoint")
    assert checkpoint.name.endswith(".checkpoint")
    with artifact.replacing(checkpoint) as file:
        file.write(b"x")
    assert names(tmp_path) == sorted([name, checkpoint.name])
    assert files.sibling(tmp_path / "m", ".checkpoint") == tmp_path / "m.checkpoint"
    assert files.sibling(path, ".checkpoint") != files.sibling(path.with_name(name[1:]), ".checkpoint")


def test_a_name_that_is_too_long_is_named_by_itself(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 256)
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENAMETOOLONG))) as error, artifact.replacing(path):
        pass
    assert error.value.filename == str(path)
    assert names(tmp_path) == []


def test_a_device_is_no_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        with (
            pytest.raises(ParameterError, match=f"^{path} is a device or a pipe, and no output can take its place"),
            artifact.replacing(path, force=True),
        ):
            pass
        assert not path.is_file()


def test_a_full_disk(tmp_path: Path, largest_file: Any) -> None:
    (tmp_path / "m").write_text("old")
    with largest_file(100), pytest.raises(OSError, match="File too large") as error:  # noqa: SIM117
        with artifact.replacing(tmp_path / "m", force=True) as file:
            file.write(bytes(1000))
    assert error.value.filename == str(tmp_path / "m")
    assert (tmp_path / "m").read_text() == "old"
    assert names(tmp_path) == ["m"]

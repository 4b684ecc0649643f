"""Names of columns, files, classes and categories reach a terminal, a table and a page as text that does nothing."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from PIL import Image

from isthmus.cli.terminal import Result, Terminal

from .conftest import Run

ACTS = "\x1b]0;title\x07"
LONG = "x" * 100_000
NAMES = [ACTS, "two\nlines", LONG, "\u202ertl", "$x^2", "\x9b31m"]


def unsafe(text: str) -> set[str]:
    """Return the characters that act on a terminal."""
    return {character for character in text if character != "\n" and not character.isprintable()}


@pytest.fixture
def hostile_table(tmp_path: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    columns: dict[str, object] = {name: rng.normal(size=60) for name in NAMES}
    columns["kind"] = [("\x1b[2J", "<b>", "\u200b")[i % 3] for i in range(60)]
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_what_is_looked_at(run: Run, hostile_table: Path) -> None:
    ran = run("inspect", hostile_table)
    assert ran.code == 0
    assert not unsafe(ran.out)
    assert r"\u001b]0;title\u0007" in ran.out
    assert r"two\nlines" in ran.out
    assert max(map(len, ran.out.splitlines())) < 2100
    ran = run("inspect", hostile_table, "--json")
    assert not unsafe(ran.out)
    assert [column["name"] for column in json.loads(ran.out)["columns"]] == [*NAMES, "kind"]


def test_what_is_refused(run: Run, hostile_table: Path) -> None:
    for arguments in (["--columns", f"{ACTS}\n{LONG}"], ["--labels", f"{LONG}\x1b"]):
        ran = run("fit", hostile_table, *arguments)
        assert ran.code == 3
        assert not unsafe(ran.err)
        assert len(ran.err.splitlines()) == 1
        assert len(ran.err) < 3000
    ran = run("inspect", "no\x1b[31m\nfile")
    assert ran.err.startswith(r"isthmus: data: there is no file, folder or pattern 'no\u001b[31m\nfile'; ")


def test_what_is_fitted_and_told(run: Run, hostile_table: Path) -> None:
    options = ("--max-epochs", "1", "--latent-dim", "2", "--hidden", "8", "--labels", "kind")
    ran = run("fit", hostile_table, *options)
    assert ran.code == 0
    info = run("info", "model.safetensors")
    report = run("report", hostile_table, "-m", "model.safetensors", "-o", "r.html")
    assert report.code == 0, report.err
    for found in (ran, info, report):
        assert not unsafe(found.out + found.err)
        assert max(map(len, (found.out + found.err).splitlines())) < 2100
    page = Path("r.html").read_text(encoding="utf-8")
    assert not {character for character in unsafe(page) if character not in "\t\u200b"}
    assert json.loads(Path("r.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are UTF-8")
def test_names_of_files_that_are_no_utf_8(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = os.fsencode(tmp_path / "photos")
    for kind in (b"caf\xe9", b"\x1b[31mred"):
        os.makedirs(folder + b"/" + kind)
        for number in range(12):
            name = os.fsdecode(folder + b"/" + kind + b"/%d-\xe9.png" % number)
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(name)
    assert run("fit", "photos", "--max-epochs", "1", "--latent-dim", "2", "--hidden", "8").code == 0
    for verb, output in (("encode", "codes.csv"), ("cluster", "groups.csv"), ("report", "r.html"), ("map", "map.html")):
        ran = run(verb, "photos", "-m", "model.safetensors", "-o", output)
        assert ran.code == 0, ran.err
        assert not unsafe(ran.out + ran.err)
        Path(output).read_text(encoding="utf-8")
    assert r"\udce9" in Path("codes.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_encoding_of_the_output(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"name": "é \U0001f600 \udce9 \x9b \u202e 'q'"}
    for json_wanted in (True, False):
        file = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, encoding=encoding, errors="backslashreplace"))
        Terminal(json=json_wanted).show(Result(document, [document["name"]]))
        sys.stdout.flush()
        said = file.getvalue().decode(encoding)
        assert not unsafe(said)
        if json_wanted:
            assert json.loads(said) == document


def test_a_pipe_shows_its_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("isthmus.cli.terminal.SECONDS", 0.01)
    for quiet, before, after in ((False, "waiting for stdin", "reading stdin: 3 MiB"), (True, "", "")):
        screen = Screen()
        monkeypatch.setattr(sys, "stderr", screen)
        with Terminal(quiet=quiet).reading("stdin") as tell:
            sleep(0.1)
            tell(3 * 2**20)
            sleep(0.1)
        assert before in screen.getvalue()
        assert after in screen.getvalue()
        assert screen.getvalue()[-1:] == ("" if quiet else "\r")

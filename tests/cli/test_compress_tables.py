"""Tables as a person compresses them: what comes back, what is said, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus.cli import estimates
from isthmus.coding.contents import Making, Piece
from isthmus.coding.tables import text

from .conftest import ENVIRONMENT, Run

LINES = [f"{n},{'abc'[n % 3]},{n * n}\n" for n in range(400)]
TABLE = "number,name,square\n" + "".join(LINES)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "survey.csv"
    path.write_text(TABLE)
    return path


# ------------------------------------------------------------------ there and back


def test_a_table_comes_back_byte_for_byte_and_info_shows_its_columns(run: Run, table: Path) -> None:
    assert run("compress", "survey.csv").code == 0
    assert run("verify", "survey.csv.isth").code == 0
    shown = run("info", "survey.csv.isth").out
    assert "table of 400 rows" in shown
    for name in ("number", "name", "square", "description of the columns"):
        assert f"\n{name} " in shown
    found = json.loads(run("info", "survey.csv.isth", "--json").out)
    assert list(found["columns"])[1:] == ["number", "name", "square"]
    assert found["compressed_bytes"] < len(isthmus.compress(TABLE.encode()))
    table.unlink()
    assert run("decompress", "survey.csv.isth").code == 0
    assert table.read_text() == TABLE


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('"","a","b"', ["column 1", "a", "b"]),
        (",a,b", ["column 1", "a", "b"]),
        ("a,a,b", ["a", "a (column 2)", "b"]),
        ('"say ""hi""",b,c', ['say "hi"', "b", "c"]),
        ("description of the columns,b,c", ["description of the columns (column 1)", "b", "c"]),
        ("1,2,3", ["column 1", "column 2", "column 3"]),
    ],
)
def test_columns_have_the_names_that_stand_in_the_header(
    run: Run, tmp_path: Path, header: str, names: list[str]
) -> None:
    rows = "".join(f'"{n}",{n * 7 % 11},{n % 5}\n' for n in range(200))
    (tmp_path / "r.csv").write_text(f"{header}\n{rows}")
    assert run("compress", "r.csv", "--content", "table").code == 0
    found = json.loads(run("info", "r.csv.isth", "--json").out)
    assert list(found["columns"])[1:] == names
    assert sum(found["columns"].values()) == found["parts"]["coded"]
    assert run("decompress", "r.csv.isth", "-c").out == f"{header}\n{rows}"


def test_groups_after_the_first_count_for_the_same_columns(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = text.rows_of_groups
    monkeypatch.setattr(text, "rows_of_groups", lambda file: real(file, rows=150))
    assert run("compress", "survey.csv", "--content", "table").code == 0
    found = json.loads(run("info", "survey.csv.isth", "--json").out)
    assert found["chunks"] == 3
    assert list(found["columns"])[1:] == ["number", "name", "square"]


def test_control_characters_in_names_of_columns_do_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\x1b[31m,b\n" + "".join(f"{n},{n % 7}\n" for n in range(900)))
    run("compress", "x.csv", "--content", "table")
    assert "\x1b" not in run("info", "x.csv.isth").out


# ------------------------------------------------------------------ what is no table


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it has no rows"),
        (b"\n\n", "it has no rows"),
        (np.random.default_rng(0).bytes(3000), "since "),
        ("a;b\n1;2\n".encode("utf-16"), "it is in UTF-16"),
        (b"a,b,c\n" + b"1,2,3\n4,5\n" * 60, "its rows have different lengths: row 33 has 2 cells, and others have 3"),
    ],
)
def test_what_is_no_table_is_coded_as_bytes_which_is_said(run: Run, tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    ran = run("compress", "x.csv")
    assert ran.code == 0
    assert ran.err.startswith("note: x.csv is compressed as bytes, since ")
    assert why in ran.err
    assert isthmus.decompress((tmp_path / "x.csv.isth").read_bytes()) == data


def test_rows_of_other_lengths_far_down_are_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(TABLE + "one,two\n" + "".join(LINES * 3))
    ran = run("compress", "x.csv")
    assert ran.err == (
        "note: row 400 of x.csv is compressed as bytes, since its rows have different lengths: row 402 has 2 cells, "
        "and others have 3\n"
    )
    assert isthmus.decompress((tmp_path / "x.csv.isth").read_bytes()).decode() == (tmp_path / "x.csv").read_text()


@pytest.mark.parametrize(
    "data", [b"a,b\n", b"5", b"a,b\n1,2\n", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", b"a,b\n1,\x002\n" * 20]
)
def test_short_tables_are_no_larger_than_as_bytes(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    run("compress", "x.csv")
    assert (tmp_path / "x.csv.isth").read_bytes() == isthmus.compress(data)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compress", "survey.csv", "--content", "tables"), "--content must be one of"),
        (("compress", "survey.csv", "--content", "table", "--speed", "fast"), "does not go with --speed fast"),
        (("compress", "survey.csv", "survey.csv", "--content", "table", "-o", "x"), "members of an archive"),
        (("decompress", "survey.csv.isth", "--rows", "5"), "--rows must be like 1000:2000"),
        (("decompress", "survey.csv.isth", "--rows", "5:5"), "--rows must be like 1000:2000"),
        (("decompress", "survey.csv.isth", "--rows", "400:", "-o", "x"), "has 400 rows, and row 400 was wanted"),
        (("decompress", "survey.csv.isth", "--rows", "1:2", "--partial", "-o", "x"), "do not go together"),
    ],
)
def test_what_is_refused_leaves_nothing(run: Run, table: Path, arguments: tuple[str, ...], said: str) -> None:
    run("compress", "survey.csv")
    before = sorted(table.parent.iterdir())
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert sorted(table.parent.iterdir()) == before


def test_rows_of_what_is_no_table(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.isth").write_bytes(isthmus.compress(b"text"))
    ran = run("decompress", "x.isth", "--rows", "0:1", "-o", "y")
    assert (ran.code, not (tmp_path / "y").exists()) == (4, True)
    assert "is not compressed as a table" in ran.err


# ------------------------------------------------------------------ parts, damage, what goes wrong


def test_some_rows(run: Run, table: Path) -> None:
    run("compress", "survey.csv")
    header = "number,name,square\n"
    assert run("decompress", "survey.csv.isth", "--rows", "5:8", "-c").out == header + "".join(LINES[5:8])
    assert run("decompress", "survey.csv.isth", "--rows", "398:", "-o", "some.csv").code == 0
    assert Path("some.csv").read_text() == header + "".join(LINES[398:])
    assert run("decompress", "survey.csv.isth", "--rows", ":2", "-o", "some.csv", "--force").code == 0
    assert Path("some.csv").read_text() == header + "".join(LINES[:2])


def test_of_a_damaged_table_what_is_sound(run: Run, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = text.rows_of_groups
    monkeypatch.setattr(text, "rows_of_groups", lambda file: real(file, rows=150))
    run("compress", "survey.csv", "--content", "table")
    content = bytearray(Path("survey.csv.isth").read_bytes())
    content[len(content) // 2] ^= 1
    Path("survey.csv.isth").write_bytes(content)
    assert run("decompress", "survey.csv.isth", "-o", "x").code == 4
    assert not Path("x").exists()
    ran = run("decompress", "survey.csv.isth", "-o", "x", "--partial")
    assert ran.code == 4
    assert "lost: rows 150 to 299 (chunk 1)" in ran.err
    assert Path("x").read_text() == "number,name,square\n" + "".join(LINES[:150] + LINES[300:])
    assert run("verify", "survey.csv.isth").code == 4


def test_a_full_disk_leaves_nothing(run: Run, tmp_path: Path, largest_file: Callable[[int], object]) -> None:
    noise = np.random.default_rng(0).integers(0, 10**9, (20_000, 2))
    pd.DataFrame(noise).to_csv(tmp_path / "noise.csv", index=False)
    with largest_file(50_000):
        ran = run("compress", "noise.csv", "--no-verify")
    assert ran.code == 1
    assert ran.err == "isthmus: noise.csv.isth: File too large; nothing half-written was left behind.\n"
    assert [one.name for one in tmp_path.iterdir()] == ["noise.csv"]


@pytest.mark.long
def test_an_interrupted_table_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 10**9, (400_000, 3))
    pd.DataFrame(noise).to_csv(tmp_path / "noise.csv", index=False)
    command = [sys.executable, "-m", "isthmus", "compress", "noise.csv"]
    process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE)
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert time.monotonic() - started < 20
    assert [one.name for one in tmp_path.iterdir()] == ["noise.csv"]


# ------------------------------------------------------------------ Parquet, estimates, comparisons


def test_parquet_comes_back_with_the_same_values_which_is_said(run: Run, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(300), "b": pd.Categorical(list("xyz") * 100)})
    frame.to_parquet(tmp_path / "t.parquet")
    ran = run("compress", "t.parquet")
    assert ran.code == 0
    assert "but not byte for byte; use --content bytes" in ran.err
    assert "changed while" not in ran.err
    assert run("decompress", "t.parquet.isth", "-o", "u.parquet").code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "u.parquet"), frame)
    assert "Parquet table of 300 rows" in run("info", "t.parquet.isth").out
    assert run("compress", "t.parquet", "--content", "bytes", "--force").code == 0
    assert isthmus.decompress(Path("t.parquet.isth").read_bytes()) == Path("t.parquet").read_bytes()


def test_an_estimate_is_near_what_comes_out(run: Run, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(run("compress", "survey.csv", "--dry-run", "--json").out)
    assert os.listdir() == ["survey.csv"]
    run("compress", "survey.csv")
    assert found["compressed_bytes"] == Path("survey.csv.isth").stat().st_size
    table.write_text(TABLE + "".join(LINES * 50))
    real = text.rows_of_groups
    monkeypatch.setattr(text, "rows_of_groups", lambda file: real(file, rows=1000))
    found = json.loads(run("compress", "survey.csv", "--dry-run", "--json").out)
    assert found["sampled_bytes"] < found["bytes"] / 2
    run("compress", "survey.csv", "--force")
    size = Path("survey.csv.isth").stat().st_size
    assert abs(found["compressed_bytes"] - size) < 0.1 * size


@pytest.mark.parametrize("count", [12, 20, 28])
def test_an_estimate_takes_pieces_from_the_middle_of_each_stretch(count: int) -> None:
    pieces = [Making(10, lambda place=place: Piece(place, b"", None)) for place in range(count)]
    content = SimpleNamespace(number=1, fingerprint=None, at_once=1, is_exact=True, work=lambda: iter(pieces))
    taken = [work().units for work in estimates._SampledContent(content, io.BytesIO(), 10 * count).work()]
    assert len(taken) == 4
    assert abs(np.mean(taken) - np.mean(range(count))) <= 0.5


def test_a_comparison_of_tables_has_parquet_in_it(run: Run, table: Path) -> None:
    found = {one["tool"]: one for one in json.loads(run("compress", "survey.csv", "--compare", "--json").out)["tools"]}
    assert {"isthmus (as a table)", "gzip -9", "Parquet, zstd -19"} <= set(found)
    assert found["isthmus (as a table)"]["compressed_bytes"] == min(one["compressed_bytes"] for one in found.values())
    bytes_alone = json.loads(run("compress", "survey.csv", "--compare", "--content", "bytes", "--json").out)["tools"]
    assert "isthmus (normal)" in {one["tool"] for one in bytes_alone}

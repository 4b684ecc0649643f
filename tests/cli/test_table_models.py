"""Models of tables as a person makes and uses them: what is learned, what is said, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isthmus.coding import TableCodec

from .conftest import Run


def export(day: int) -> bytes:
    """Return a table of one day."""
    rng = np.random.default_rng(day)
    rows = [b"2024-01-%02d,%s,%d\n" % (day, (b"Ulm", b"Bern")[rng.integers(2)], rng.integers(30)) for _ in range(30)]
    return b"day,city,sold\n" + b"".join(rows)


@pytest.fixture
def model(run: Run, tmp_path: Path) -> str:
    (tmp_path / "exports").mkdir()
    for day in range(1, 10):
        (tmp_path / "exports" / f"{day}.csv").write_bytes(export(day))
    ran = run("fit", "exports/", "--model", "codec", "-o", "t.safetensors")
    assert ran.code == 0
    assert "note: all files hold tables" in ran.err
    assert "TableCodec" in ran.out
    assert "learned from 270 rows of 9 tables with 3 columns" in ran.out
    (tmp_path / "today.csv").write_bytes(export(20))
    return TableCodec.load("t.safetensors").fingerprint_[:8]


def test_a_table_comes_back_with_its_model_and_not_without(run: Run, tmp_path: Path, model: str) -> None:
    assert run("compress", "today.csv").code == 0
    alone = (tmp_path / "today.csv.isth").stat().st_size
    assert run("compress", "today.csv", "-m", "t.safetensors", "--force").code == 0
    assert (tmp_path / "today.csv.isth").stat().st_size < alone
    refused = run("decompress", "today.csv.isth", "-o", "again.csv")
    assert refused.code != 0
    assert f"needs the model {model}, which was not given" in refused.err
    assert run("decompress", "today.csv.isth", "-m", "t.safetensors", "-o", "again.csv").code == 0
    assert (tmp_path / "again.csv").read_bytes() == export(20)
    assert run("verify", "today.csv.isth", "-m", "t.safetensors").code == 0
    assert run("verify", "today.csv.isth").code != 0


def test_info_tells_of_tables_and_models(run: Run, tmp_path: Path, model: str) -> None:
    assert run("compress", "today.csv", "-m", "t.safetensors").code == 0
    shown = run("info", "today.csv.isth").out
    assert f"needs the model {model}, the file of which -m names" in shown
    assert "table of 30 rows" in shown
    assert json.loads(run("info", "today.csv.isth", "--json").out)["model"] == model
    assert "learned from 270 rows of 9 tables with 3 columns" in run("info", "t.safetensors").out
    assert "computes  what it codes decodes with it" in run("verify", "t.safetensors").out


def test_rows_are_had_alone_and_what_is_sound_is_kept(run: Run, tmp_path: Path, model: str) -> None:
    assert run("compress", "today.csv", "-m", "t.safetensors").code == 0
    lines = export(20).splitlines(keepends=True)
    rows = run("decompress", "today.csv.isth", "-m", "t.safetensors", "--rows", "3:5", "-o", "some.csv")
    assert rows.code == 0
    assert (tmp_path / "some.csv").read_bytes() == b"".join([lines[0], *lines[4:6]])
    whole = run("decompress", "today.csv.isth", "-m", "t.safetensors", "--partial", "-o", "sound.csv")
    assert whole.code == 0
    assert (tmp_path / "sound.csv").read_bytes() == export(20)


def test_other_columns_are_refused_by_name(run: Run, tmp_path: Path, model: str) -> None:
    (tmp_path / "other.csv").write_bytes(b"a,b\n" + b"1,2\n3,4\n" * 9)
    ran = run("compress", "other.csv", "-m", "t.safetensors")
    assert ran.code != 0
    assert "other.csv has other columns than the model: 'a', 'b', where that has 'day', 'city', 'sold'" in ran.err
    assert not (tmp_path / "other.csv.isth").exists()
    ran = run("fit", "exports/", "other.csv", "--model", "codec", "-o", "both.safetensors")
    assert "other.csv has other columns" in ran.err
    assert not (tmp_path / "both.safetensors").exists()
    ran = run("fit", "exports/", "other.csv", "--model", "codec", "--content", "bytes", "-o", "both.safetensors")
    assert ran.code == 0

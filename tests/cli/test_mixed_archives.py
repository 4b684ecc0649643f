"""Archives of tables and arrays as a person makes and uses them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import Run

TABLE = b"number,square\n" + b"".join(b"%d,%d\n" % (k, k * k) for k in range(500))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "all"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "squares.csv").write_bytes(TABLE)
    (folder / "note.txt").write_bytes(b"a note\n" * 9)
    np.save(folder / "field.npy", np.arange(4000.0).reshape(40, 100))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_folder_comes_back_and_each_member_alone(run: Run, tmp_path: Path, folder: Path) -> None:
    assert run("compress", "all/", "-o", "all.isth").code == 0
    assert run("compress", "all/", "-o", "bytes.isth", "--content", "bytes").code == 0
    assert (tmp_path / "all.isth").stat().st_size < (tmp_path / "bytes.isth").stat().st_size
    for archive in ("all.isth", "bytes.isth"):
        assert "3 members" in run("verify", archive).out
        assert run("decompress", archive, "-o", "out", "--force").code == 0
        assert contents(tmp_path / "out") == contents(folder)
        got = run("archive", "get", archive, "in/squares.csv", "-o", "some.csv", "--force")
        assert got.code == 0
        assert (tmp_path / "some.csv").read_bytes() == TABLE
    found = json.loads(run("info", "all.isth", "--json").out)
    assert found["members"] == 3
    assert sum(found["parts"].values()) == found["compressed_bytes"]


def test_members_are_added_deleted_and_saved(run: Run, tmp_path: Path, folder: Path) -> None:
    assert run("compress", "all/", "-o", "all.isth").code == 0
    (tmp_path / "new.csv").write_bytes(TABLE)
    assert run("archive", "add", "all.isth", "new.csv").code == 0
    assert run("archive", "delete", "all.isth", "note.txt").code == 0
    assert "new.csv" in run("archive", "list", "all.isth").out
    content = bytearray((tmp_path / "all.isth").read_bytes())
    (tmp_path / "damaged.isth").write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    ran = run("decompress", "damaged.isth", "--partial", "-o", "sound")
    assert ran.code == 4
    assert "lost: member" in ran.err
    assert len(contents(tmp_path / "sound")) == 2


def test_an_archive_is_coded_with_a_model_of_tables(run: Run, tmp_path: Path, folder: Path) -> None:
    assert run("fit", "all/in/", "--model", "codec", "-o", "t.safetensors").code == 0
    assert run("compress", "all/", "-o", "all.isth", "-m", "t.safetensors").code == 0
    assert run("verify", "all.isth").code != 0
    assert run("verify", "all.isth", "-m", "t.safetensors").code == 0
    assert run("decompress", "all.isth", "-m", "t.safetensors", "-o", "out").code == 0
    assert contents(tmp_path / "out") == contents(folder)

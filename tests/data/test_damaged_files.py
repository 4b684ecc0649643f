"""2,000 damaged files of all readers, half of the mutants with checksums made right again: read, or refused by us."""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import mutants

from isthmus import data
from isthmus.cli.inputs import read_labels
from isthmus.data import stores
from isthmus.errors import DataError

CASES, PARTS = 2000, 4


def test_every_sound_file_opens(tmp_path: Path) -> None:
    mutants.sound(tmp_path)


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_files_are_read_or_refused_in_a_sentence(part: int, tmp_path: Path) -> None:
    mutants.sound(tmp_path)  # what is loaded once belongs to no case
    found: Counter[str] = Counter()
    for number in range(part * CASES // PARTS, (part + 1) * CASES // PARTS):
        outcome = mutants.run(number, tmp_path)
        found[outcome.what] += 1
        assert outcome.what in ("opened", "refused", "slow"), f"case {number}, {outcome.format}: {outcome.said}"
        assert "\n" not in outcome.said.strip(), f"case {number}: {outcome.said}"
    assert found["slow"] <= 2  # a busy machine
    assert found["opened"] > 60
    assert found["refused"] > 60


def test_half_of_the_mutants_have_right_checksums() -> None:
    repaired = Counter(mutants.case(number)[0].name for number in range(CASES) if mutants.case(number)[2])
    with_sums = [chosen.name for chosen in mutants.FORMATS if chosen.repaired is not None]
    assert sorted(repaired) == sorted(with_sums)
    assert all(abs(count - CASES / len(mutants.FORMATS) / 2) <= 1 for count in repaired.values())


# --- what claims more than it holds, is refused before memory is asked for ----


def header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npy", header("(1000000000000, 8)") + bytes(64), "it is truncated: 64000000000000 bytes of values expected"),
        ("x.npy", header("(-3, 8)") + bytes(64), "no valid array header"),
        ("x.npy", header("(1000000000000,)", "<U0"), "no valid array header"),
        ("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", "no valid array header"),
        ("x.idx", bytes([0, 0, 8, 3]) + b"\xff" * 12 + bytes(64), "is truncated: its header says 4294967295 x"),
        (
            "x.bmp",
            b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\x60\xea\0\0" * 2 + b"\1\0\x18\0" + bytes(64),
            "pixels",
        ),
    ],
)
def test_forged_sizes(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        data.open(tmp_path / name)


def test_a_small_file_that_claims_a_large_picture(tmp_path: Path) -> None:
    body = b"IHDR" + struct.pack(">IIBBBBB", 12_000, 12_000, 8, 0, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, pixels)]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(DataError, match=r"claims to hold a picture of 137 MiB, [0-9,]+ times what it stores"):
        data.open(tmp_path / "x.png")


def test_a_blank_page_is_believed(tmp_path: Path) -> None:
    Image.new("1", (9000, 8000)).save(tmp_path / "blank.png")
    assert data.open(tmp_path / "blank.png").schema.shape == (8000, 9000)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_are_packed_as_numpy_packs_them(tmp_path: Path, packing: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", packing) as archive:
        archive.writestr("x.npy", header("(100000, 10)") + bytes(8_000_000))
    with pytest.raises(DataError, match=r"the array 'x.npy' is packed in a way that NumPy does not write"):
        data.open(tmp_path / "x.npz")


def test_texts_that_hold_no_characters(tmp_path: Path) -> None:
    (tmp_path / "y.npy").write_bytes(header("(2,)", "<U1") + b"\xff" * 8)
    with pytest.raises(DataError, match="a text holds what is no character"):
        read_labels(str(tmp_path / "y.npy"))


def test_equal_cells_take_memory_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from isthmus.data import parquet as ours

    parquet.write_table(pa.table({"x": np.zeros(100_000)}), tmp_path / "x.parquet", row_group_size=10_000)
    assert (tmp_path / "x.parquet").stat().st_size < 20_000
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 500_000)
    opened = data.open(tmp_path / "x.parquet")
    assert not opened.resident
    assert opened.nbytes == 800_000
    monkeypatch.setattr(ours, "PACKED_LIMIT", 70_000)
    with pytest.raises(
        DataError, match="a row group unpacks to more, and the limit is 8 GiB; write it with smaller row"
    ):
        data.open(tmp_path / "x.parquet")


# --- what another program does to a file meanwhile ----


def test_a_streamed_array_that_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    x = np.arange(80_000.0).reshape(10_000, 8)
    for order in "CF":
        path = tmp_path / "x.npy"
        np.save(path, np.asarray(x, order=order))
        for source in (path, np.load(path, mmap_mode="r"), np.load(path, mmap_mode="r")[::2]):
            np.save(path, np.asarray(x, order=order))
            opened = data.open(source)
            np.testing.assert_array_equal(opened.chunk(5, 9), (x[::2] if len(opened) == 5000 else x)[5:9])
            with path.open("rb+") as file:
                file.truncate(20_000)
            for read in (lambda opened=opened: opened.chunk(4000, 5000), lambda opened=opened: opened.take([1, 4990])):
                with pytest.raises(DataError, match=r"x.npy' cannot be read: it was cut short by another program"):
                    read()


def test_a_streamed_array_that_is_replaced_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    np.save(tmp_path / "x.npy", np.ones((10_000, 8)))
    opened = data.open(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.zeros((5, 2)))
    (tmp_path / "y.npy").replace(tmp_path / "x.npy")
    assert opened.chunk(9000, 10_000).sum() == 8000


def test_tables_and_pictures_that_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    parquet.write_table(pa.table({"x": np.arange(100.0)}), tmp_path / "x.parquet", row_group_size=10)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 10)).save(tmp_path / name)
    table, pictures = data.open(tmp_path / "x.parquet"), data.open(str(tmp_path / "*.png"))
    assert not table.resident
    assert not pictures.resident
    parquet.write_table(pa.table({"y": np.arange(7.0)}), tmp_path / "x.parquet")
    Image.new("L", (20, 10)).save(tmp_path / "b.png")
    with pytest.raises(
        DataError, match=r"x.parquet' cannot be read: it was changed or replaced after it had been opened"
    ):
        table.take([55])
    with pytest.raises(DataError, match=r"b.png' cannot be read: it was changed or replaced after it had been opened"):
        pictures.take([0, 1])
    for name in ("x.parquet", "a.png"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"x.parquet' cannot be read: it was removed after it had been opened"):
        table.take([55])
    with pytest.raises(DataError, match=r"a.png' cannot be read: it was removed after it had been opened"):
        pictures.take([0])

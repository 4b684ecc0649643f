"""compress and decompress with a model of records as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import isthmus
from isthmus.peers import rates
from isthmus.tasks.compression import records

from .conftest import Run
from .test_compare import page_of

DIGITS = load_digits().images.astype("uint8")[:60]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    for number, picture in enumerate(DIGITS):
        Image.fromarray(picture).save(folder / ("more" if number % 2 else ".") / f"scan {number:02d}.png")
    return folder


def pictures(folder: Path) -> dict[str, np.ndarray]:
    found = {str(path.relative_to(folder)): np.asarray(Image.open(path)) for path in folder.rglob("*.png")}
    return dict(sorted(found.items()))


def test_a_folder_and_back(run: Run, scans: Path, model_file: Path) -> None:
    ran = run("compress", "scans/", "-m", model_file, "-o", "scans.isth", "--psnr", "35.2")
    assert ran.code == 0, ran.err
    size = Path("scans.isth").stat().st_size
    assert ran.out.startswith(
        f"scans.isth: 60 pictures in {size:,} bytes, {8 * size / (60 * 64):.3f} bits a pixel, PSNR"
    )
    ran = run("decompress", "scans.isth", "-m", model_file, "-o", "again")
    assert ran.code == 0, ran.err
    before, after = pictures(scans), pictures(Path("again"))
    assert list(after) == list(before)
    error = np.mean([np.square(np.subtract(before[name], after[name], dtype=float)).mean() for name in before])
    assert 10 * np.log10(255**2 / error) >= 35.195


def test_without_an_output_it_lies_beside(run: Run, scans: Path, model_file: Path) -> None:
    assert run("compress", "scans", "-m", model_file, "--size", "400").code == 0
    assert Path("scans.isth").stat().st_size <= 400
    ran = run("decompress", "scans.isth", "-m", model_file)
    assert ran.code == 2
    assert "scans' exists already" in ran.err
    scans.rename("before")
    assert run("decompress", "scans.isth", "-m", model_file).code == 0
    assert list(pictures(scans)) == list(pictures(Path("before")))


def test_arrays_come_back_as_the_name_says(run: Run, model_file: Path) -> None:
    np.save("x.npy", DIGITS)
    ran = run("compress", "x.npy", "-m", model_file, "--bpp", "0.5", "--json", "--effort", "3")
    [found] = json.loads(ran.out)["files"]
    assert found["records"] == 60
    assert found["compressed_bytes"] == Path("x.npy.isth").stat().st_size <= 0.5 * DIGITS.size / 8
    assert run("decompress", "x.npy.isth", "-m", model_file, "-o", "y.npy").code == 0
    back = np.load("y.npy")
    assert (back.shape, back.dtype) == (DIGITS.shape, DIGITS.dtype)
    assert run("decompress", "x.npy.isth", "-m", model_file, "-o", "folder").code == 0
    assert all((one == two).all() for one, two in zip(pictures(Path("folder")).values(), back, strict=True))
    assert run("decompress", "x.npy.isth", "-m", model_file, "-o", "y.txt").code == 2


def test_info_and_verify(run: Run, scans: Path, model_file: Path) -> None:
    run("compress", "scans", "-m", model_file, "--bpp", "0.4")
    ran = run("info", "scans.isth")
    assert "60 records in " in ran.out
    assert "needs the model " in ran.out
    assert "unit 3 " in ran.out
    found = json.loads(run("info", "scans.isth", "--json").out)
    assert (found["content"], found["units"]) == ("codes", 60)
    ran = run("verify", "scans.isth")
    assert ran.code == 0
    assert "codes of 60 records decoded, every check fits" in ran.out
    content = bytearray(Path("scans.isth").read_bytes())
    content[len(content) // 2] ^= 4
    Path("scans.isth").write_bytes(content)
    assert run("verify", "scans.isth").code == 4
    assert run("decompress", "scans.isth", "-m", model_file, "-o", "again").code == 4
    assert not Path("again").exists()


def test_another_model_or_none(run: Run, scans: Path, model_file: Path, tmp_path: Path) -> None:
    run("compress", "scans", "-m", model_file, "--bpp", "0.4")
    ran = run("decompress", "scans.isth", "-o", "again")
    assert ran.code == 4
    assert "which was not given" in ran.err
    assert run("fit", "scans", "-o", "other.safetensors", "--max-epochs", "1", "--latent-dim", "3", "-q").code == 0
    ran = run("decompress", "scans.isth", "-m", "other.safetensors", "-o", "again")
    assert ran.code == 4
    assert "and the one given is" in ran.err
    isthmus.Codec().fit([b"some bytes"]).save("bytes.safetensors")
    assert run("decompress", "scans.isth", "-m", "bytes.safetensors", "-o", "again").code == 4
    ran = run("decompress", "scans.isth", "-m", model_file, "-c")
    assert ran.code == 4
    assert "use isthmus decompress -m" in ran.err


def test_a_target_that_cannot_be_met(run: Run, scans: Path, model_file: Path) -> None:
    ran = run("compress", "scans", "-m", model_file, "--psnr", "80")
    assert ran.code == 2
    assert "--psnr 80" in ran.err
    assert "dB at most" in ran.err
    assert not Path("scans.isth").exists()


@pytest.mark.parametrize("flags", [(), ("--psnr", "30", "--bpp", "1"), ("--psnr", "-3")])
def test_targets_that_say_nothing(flags: tuple[str, ...], run: Run, scans: Path, model_file: Path) -> None:
    assert run("compress", "scans", "-m", model_file, *flags).code == 2


def test_a_loss_of_what_is_no_picture_is_not_had_without_a_model(run: Run) -> None:
    Path("x.csv").write_text("a,b\n1,2\n")
    ran = run("compress", "x.csv", "--psnr", "30")
    assert ran.code != 0
    assert "--psnr asks for a loss" in ran.err


@pytest.mark.parametrize("flags", [("--dry-run",), ("-c",), ("-o", "-")])
def test_records_go_to_files(flags: tuple[str, ...], run: Run, scans: Path, model_file: Path) -> None:
    ran = run("compress", "scans", "-m", model_file, "--bpp", "1", *flags)
    assert ran.code == 2
    assert "no standard input or output" in ran.err


def test_each_path_is_a_file(run: Run, scans: Path, model_file: Path) -> None:
    np.save("x.npy", DIGITS)
    ran = run("compress", "scans", "x.npy", "-m", model_file, "--bpp", "0.5")
    assert ran.code == 0
    assert Path("scans.isth").exists()
    assert Path("x.npy.isth").exists()
    assert run("compress", "scans", "x.npy", "-m", model_file, "--bpp", "0.5", "-o", "both.isth").code == 2


def test_records_of_another_kind(run: Run, model_file: Path) -> None:
    np.save("x.npy", np.zeros((3, 9, 9), np.uint8))
    ran = run("compress", "x.npy", "-m", model_file, "--bpp", "1")
    assert ran.code == 3
    assert "is expecting 8 x 8" in ran.err


def test_partly_damaged_codes(run: Run, scans: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PIECE", 80)  # numbers, 4 of each record: 3 pieces of 20 records
    assert run("compress", "scans", "-m", model_file, "--psnr", "35").code == 0
    assert json.loads(run("info", "scans.isth", "--json").out)["chunks"] == 3
    assert run("decompress", "scans.isth", "-m", model_file, "-o", "whole", "--partial").code == 0
    content = bytearray(Path("scans.isth").read_bytes())
    content[len(content) // 2] ^= 4
    Path("scans.isth").write_bytes(content)
    assert run("decompress", "scans.isth", "-m", model_file, "-o", "some").code == 4
    assert not Path("some").exists()
    ran = run("decompress", "scans.isth", "-m", model_file, "-o", "some", "--partial")
    assert (ran.code, ran.out) == (4, "")
    assert "40 records saved; lost: records 20 to 39 (chunk 1)" in ran.err
    some, whole = pictures(Path("some")), pictures(Path("whole"))
    names = list(pictures(scans))
    kept = {name for index, name in enumerate(names) if not 20 <= index < 40}
    assert set(some) == kept
    assert all((some[name] == whole[name]).all() for name in some)


def test_codes_of_which_nothing_is_sound(run: Run, scans: Path, model_file: Path) -> None:
    run("compress", "scans", "-m", model_file, "--bpp", "0.4")
    content = bytearray(Path("scans.isth").read_bytes())
    content[len(content) // 2] ^= 4
    Path("scans.isth").write_bytes(content)
    ran = run("decompress", "scans.isth", "-m", model_file, "-o", "some", "--partial")
    assert ran.code == 4
    assert "nothing in it is sound" in ran.err
    assert not Path("some").exists()


def test_rows_of_codes_are_refused(run: Run, scans: Path, model_file: Path) -> None:
    run("compress", "scans", "-m", model_file, "--bpp", "0.4")
    ran = run("decompress", "scans.isth", "-m", model_file, "-o", "some", "--rows", "0:5")
    assert ran.code == 4
    assert "no rows can be had" in ran.err


def test_compare(run: Run, scans: Path, model_file: Path) -> None:
    ran = run("compress", "scans", "-m", model_file, "--compare", "--json")
    found = json.loads(ran.out)
    tools = {one["tool"] for one in found["curve"]}
    assert tools > {"JPEG, a file each", "JPEG, one sheet", "WebP, one sheet"}
    jpeg = [one for one in found["curve"] if one["tool"] == "JPEG, one sheet"]
    assert [one["compressed_bytes"] for one in jpeg] == sorted(one["compressed_bytes"] for one in jpeg)
    assert not Path("scans.isth").exists()
    assert "JPEG, a file each" in run("compress", "scans", "-m", model_file, "--compare").out


def test_a_page_has_the_curve_and_pictures_at_one_size(run: Run, scans: Path, model_file: Path) -> None:
    ran = run("compress", "scans", "-m", model_file, "--compare", "--report", "out.html")
    assert ran.code == 0, ran.err
    page, found = page_of("out.html"), json.loads(Path("out.json").read_text())
    own, *others = found["at_size"]
    assert own["tool"] == "isthmus, Autoencoder"
    assert {one["tool"] for one in others} >= {"JPEG, one sheet", "WebP, one sheet"}
    assert all(one["compressed_bytes"] <= own["compressed_bytes"] or one["setting"] == "1" for one in others)
    best = max(one["psnr"] for one in found["curve"] if one["tool"] == own["tool"])
    assert best - 1.01 <= own["psnr"] <= best + 0.01
    assert page.references.count("data:image/png;base64,") == 0
    assert sum(value.startswith("data:image/png;base64,") for value in page.references) == 2 + len(others)
    assert f"{own['psnr']:.2f}" in page.text
    assert sum(found["parts"].values()) == own["compressed_bytes"]
    run("compress", "scans", "-m", model_file, "--size", own["compressed_bytes"], "-o", "same.isth")
    # The name that compress keeps takes some bytes, so that its steps may be a little wider.
    [line] = [row for row in run("info", "same.isth").out.splitlines() if "60 records in" in row]
    assert int(line.split(" in ")[1].split(" bytes")[0]) <= own["compressed_bytes"]


def test_a_page_about_rows_of_numbers_has_no_pictures(run: Run, model_file: Path) -> None:
    np.save("rows.npy", np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32))
    assert run("fit", "rows.npy", "-o", "rows.safetensors", "--max-epochs", "1", "--latent-dim", "2", "-q").code == 0
    ran = run("compress", "rows.npy", "-m", "rows.safetensors", "--compare", "--report", "out.html")
    assert ran.code == 0, ran.err
    found = json.loads(Path("out.json").read_text())
    assert (found["unit"], len(found["at_size"])) == ("number", 1)
    page_of("out.html")


def test_records_of_the_fit_are_said(run: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "QUALITIES", (50,))
    np.save("x.npy", DIGITS)
    assert run("fit", "x.npy", "-o", "own.safetensors", "--max-epochs", "1", "--latent-dim", "2", "-q").code == 0
    ran = run("compress", "x.npy", "-m", "own.safetensors", "--compare", "--json")
    assert "note: the model was fitted on these records" in ran.err
    assert json.loads(ran.out)["of_fit"] is True
    ran = run("compress", "x.npy", "-m", model_file, "--compare", "--json")
    assert "fitted on these records" not in ran.err
    assert json.loads(ran.out)["of_fit"] is False


def test_a_page_about_records_of_another_kind(run: Run, model_file: Path) -> None:
    np.save("x.npy", np.zeros((3, 9, 9), np.uint8))
    ran = run("compress", "x.npy", "-m", model_file, "--compare", "--report", "out.html")
    assert ran.code == 3
    assert "is expecting 8 x 8" in ran.err
    assert not Path("out.html").exists()

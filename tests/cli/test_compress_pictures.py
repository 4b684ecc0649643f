"""compress, decompress, verify and info of pictures with a model of their kind: what is written, and what is said."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.coding import recognising
from isthmus.errors import IsthmusWarning

from .conftest import ENVIRONMENT, Run

K, Y, X = np.mgrid[:12, :11, :10]
STACK = np.clip(255 - 40 * np.abs(np.hypot(Y - 4 - K % 3, X - 4 - K % 2) - 2 - K % 4 / 2), 0, 255).astype("u1")
M = ("-m", "m.safetensors")


@pytest.fixture
def model(run: Run, tmp_path: Path) -> str:
    np.save("known.npy", STACK[:8])
    np.save("new.npy", STACK[8:])
    Path("new-idx3-ubyte").write_bytes(struct.pack(">HBB3I", 0, 8, 3, 4, 11, 10) + STACK[8:].tobytes())
    Path("scans").mkdir()
    for number, picture in enumerate(STACK[8:]):
        Image.fromarray(picture).save(f"scans/{number}.png")
    Path("text.txt").write_bytes(b"of a canal")
    assert run("fit", "known.npy", "--model", "codec", "-o", "m.safetensors").code == 0
    isthmus.PictureCodec().fit(STACK[:2]).save("other.safetensors")
    return isthmus.load("m.safetensors").fingerprint_[:8]


@pytest.mark.parametrize("name", ["new.npy", "new-idx3-ubyte", "scans/1.png"])
def test_a_file_and_back(run: Run, model: str, name: str) -> None:
    ran = run("compress", name, *M)
    assert (ran.code, ran.err) == (0, "")
    assert run("decompress", f"{name}.isth", *M, "-o", "back").code == 0
    assert Path("back").read_bytes() == Path(name).read_bytes()
    assert f"needs the model {model}, the file of which -m names" in run("info", f"{name}.isth").out
    assert run("verify", f"{name}.isth", *M).out.endswith("ok\n")
    for m, said in (((), "which was not given"), (("-m", "other.safetensors"), "and the one given is ")):
        for verb in (("verify",), ("decompress", "-o", "x")):
            ran = run(*verb, f"{name}.isth", *m)
            assert (ran.code, f"{name}.isth needs the model {model}, {said}" in ran.err) == (4, True), ran.err
    assert not Path("x").exists()


def test_a_folder_becomes_an_archive(run: Run, model: str) -> None:
    assert run("compress", "scans", *M, "-o", "scans.isth").code == 0
    assert run("archive", "get", "scans.isth", "2.png", *M, "-o", "one.png").code == 0
    assert Path("one.png").read_bytes() == Path("scans/2.png").read_bytes()
    assert "of them coded as what they are" in run("info", "scans.isth").out
    assert "4 members" in run("verify", "scans.isth", *M).out
    assert run("decompress", "scans.isth", *M, "-o", "again").code == 0
    assert Path("again/3.png").read_bytes() == Path("scans/3.png").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("always", IsthmusWarning)
        ran = run("compress", "scans", "text.txt", *M, "-o", "more.isth")
    assert (ran.code, ran.err) == (0, "note: text.txt: coded without the model, which is not for them\n")


def test_a_stated_loss(run: Run, model: str) -> None:
    found = json.loads(run("compress", "new.npy", *M, "--psnr", "36", "-o", "near.isth", "--json").out)["files"][0]
    assert run("decompress", "near.isth", "-o", "near.npy").code == 0
    error = np.mean((np.load("near.npy").astype(float) - STACK[8:]) ** 2)
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / error))
    assert found["psnr"] >= 36
    ran = run("compress", "new.npy", *M, "--psnr", "36", "-o", "near.isth", "--force")
    assert f"PSNR {found['psnr']:.2f} dB (samples rounded to steps of {found['steps'][0]})" in ran.out
    assert ran.err == "note: near.isth needs no model: the model knows exact samples, and these are rounded.\n"
    ran = run("compress", "new.npy", *M, "--size", "9", "-o", "x")
    assert (ran.code, "cannot be met: the smallest file takes " in ran.err) == (2, True)
    assert "nothing is lost" in run("compress", "new.npy", *M, "--size", "99999").out
    found = json.loads(run("compress", "scans", *M, "--psnr", "36", "-o", "scans.isth", "--json").out)["files"][0]
    assert run("decompress", "scans.isth", *M, "-o", "again").code == 0
    back = np.stack([np.asarray(Image.open(f"again/{number}.png")) for number in range(4)])
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean((back.astype(float) - STACK[8:]) ** 2)))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("text.txt",), 3, "text.txt does not begin like a PNG, .npy or IDX file, and the model is one of pictures"),
        (("cut.npy",), 3, "cut.npy: pictures have the shape (9, 10), and the model is for (11, 10); fit another one."),
        (("deep.npy",), 3, "deep.npy: samples are uint16, and the model is for uint8; convert them if none is lost."),
        (("new.npy", "--speed", "fast"), 2, "a model is used at speed 'normal' only"),
        (("new.npy", "--content", "bytes"), 2, "--content bytes"),
        (("new.npy", "--dry-run"), 2, "with a model of pictures there is no estimate; name files"),
        (("new.npy", "--compare"), 2, "with a model of pictures there is no estimate; name files"),
        (("-",), 2, "with a model of pictures there is no standard input; name files"),
        (("new.npy", "--max-error", "2"), 2, "--max-error is for arrays, and the model is one of pictures; leave one"),
        (("new.npy", "--psnr", "36", "--rel-error", "2"), 2, "--rel-error is for arrays"),
        (("new.npy", "--psnr", "36", "--bpp", "2"), 2, "exactly one of psnr, bpp and size"),
        (("scans", "--bpp", ".1"), 2, "0.png: --bpp 0.1 (bpp=) cannot be met: the smallest file takes "),
        (("texts", "--psnr", "40"), 3, "texts holds no pictures such as the model is for; leave the model and the"),
        (("scans", "--size", "900"), 2, "--size is of one file, and each picture of a folder is compressed alone"),
        (("none.npy",), 3, "none.npy: No such file or directory."),
    ],
)
def test_what_is_refused(run: Run, model: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    np.save("cut.npy", STACK[:, :9])
    np.save("deep.npy", STACK.astype("u2"))
    Path("texts").mkdir()
    Path("texts/a.txt").write_bytes(b"of a canal")
    before = set(Path().rglob("*"))
    ran = run("compress", *arguments, *M)
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert set(Path().rglob("*")) == before


def test_nothing_is_written_under_the_name_of_a_lossy_format(run: Run, model: str) -> None:
    run("compress", "scans/1.png", *M, "-o", "a.isth")
    ran = run("decompress", "a.isth", *M, "-o", "a.jpg")
    assert ran.code == 2
    assert "a.isth holds its pixels in full, and a.jpg names a format that would not keep them; give the" in ran.err
    assert not Path("a.jpg").exists()
    assert run("decompress", "a.isth", *M, "-o", "a.png").code == 0


def contents_of(name: str) -> str:
    with open(name, "rb") as file:
        return recognising.recognised(name, file, recognising.kind_of(name)).content.__class__.__name__


def test_stacks_without_a_model(run: Run, model: str) -> None:
    alone = contents_of("new-idx3-ubyte"), contents_of("new.npy")
    assert alone == ("Stack", "ArrayContent")
    for name, flags in (("new-idx3-ubyte", ("--content", "picture")), ("new.npy", ("--content", "picture"))):
        assert run("compress", name, *flags, "-o", "x.isth", "--force").code == 0
        assert "picture of 440 pixels" in run("info", "x.isth").out
        assert run("decompress", "x.isth", "-o", "x", "--force").code == 0
        assert Path("x").read_bytes() == Path(name).read_bytes()


def test_nothing_heavy_is_loaded(model: str, tmp_path: Path) -> None:
    script = (
        "import sys; from isthmus.cli import main; "
        "codes = [main(words.split()) for words in ("
        "'fit known.npy --model codec -o n.safetensors', 'info n.safetensors', 'verify n.safetensors', "
        "'compress new.npy -m n.safetensors', 'decompress new.npy.isth -m n.safetensors -o x', "
        "'compress new.npy -m n.safetensors -o y --psnr 36')]; assert codes == [0] * 6, codes; "
        "heavy = {'torch', 'sklearn', 'scipy', 'pyarrow', 'matplotlib', 'pandas', 'PIL'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr

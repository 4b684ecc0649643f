"""fit --model codec of pictures that come back with a loss, and -m of the verbs that need the file of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus

from .conftest import ENVIRONMENT, Run

FEW = ("--patch", "64", "--batch-size", "1", "--max-steps", "2", "--learning-rate", "3e-4")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Return a folder of small pictures of two sizes."""
    folder = tmp_path / "scans"
    folder.mkdir()
    y, x = np.mgrid[:72, :70]
    for number in range(3):
        colours = [np.sin(x / (5 + number) + c) + np.cos(y / 7 - number * c) for c in range(3)]
        picture = (127 + 60 * np.dstack(colours)).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture[: 72 - 4 * (number == 1)]).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def mine(run: Run, scans: Path) -> str:
    """Return the file of a codec that was tuned to them; nothing is held out, which could show that it did harm."""
    order = ("fit", "scans", "--model", "codec", *FEW, "--validation", "0", "-q", "-o", "mine.safetensors")
    assert run(*order).code == 0
    return "mine.safetensors"


def fingerprint(path: str) -> str:
    return str(isthmus.load(path).fingerprint_[:8])


def test_a_codec_is_tuned_and_described(run: Run, scans: Path) -> None:
    ran = run("fit", "scans", "--model", "codec", *FEW, "-o", "mine.safetensors")
    assert ran.code == 0, ran.err
    own = fingerprint("mine.safetensors")
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"mine.safetensors: PhotographicCodec {own}, learned from 2 pictures in 2 steps and 0.")
    assert lines[1].startswith("held out: 0.")
    assert lines[2].startswith("at the same PSNR they take ")
    assert lines[2].endswith(" bits than with the weights that come with isthmus")
    assert "step 2 of 2" in ran.err
    assert "next: isthmus compress FILE --psnr 38 -m mine.safetensors" in ran.err
    said = run("info", "mine.safetensors").out
    assert f"a codec of pictures with a loss, for isthmus compress -m; fingerprint {own}" in said
    assert "trained on 2 pictures of scans, 2 steps in 0." in said
    assert f"command: isthmus fit scans --model codec {' '.join(FEW)} -o mine.safetensors" in said
    assert run("verify", "mine.safetensors").out.endswith("mine.safetensors: ok\n")


def test_png_files_of_several_sizes_are_taken_for_photographs(run: Run, scans: Path) -> None:
    ran = run("fit", "scans", "--model", "codec")
    assert "note: all files hold photographs, and are learned from as such; --content bytes takes them as b" in ran.err
    assert (ran.code, "patches of 256, and the largest has 70; set patch=64" in ran.err) == (3, True)
    (scans / "1.png").unlink()
    ran = run("fit", "scans", "--model", "codec", "--json")
    assert json.loads(ran.out)["model"] == "PictureCodec"
    assert "--content photographs is for a loss" in ran.err


def test_files_need_the_codec_that_they_were_made_with(run: Run, mine: str) -> None:
    assert run("compress", "scans/0.png", "-m", mine, "--psnr", "33", "--lossy", "-o", "0.isth").code == 0
    assert f"needs the model {fingerprint(mine)}, the file of which -m names" in run("info", "0.isth").out
    ran = run("decompress", "0.isth", "-o", "0.png")
    assert ran.code == 4
    assert f"0.isth needs the model {fingerprint(mine)}, which was not given" in ran.err
    Path("c").mkdir()
    Path("c", "x.txt").write_bytes(b"of another kind")
    assert run("fit", "c", "--model", "codec", "-q", "-o", "other.safetensors").code == 0
    ran = run("decompress", "0.isth", "-m", "other.safetensors", "-o", "0.png")
    assert f"needs the model {fingerprint(mine)}, and the one given is {fingerprint('other.safetensors')}" in ran.err
    assert run("verify", "0.isth", "-m", mine).out.endswith("0.isth: ok\n")
    assert run("decompress", "0.isth", "-m", mine, "-o", "0.png").code == 0
    back, picture = (np.asarray(Image.open(path), float) for path in ("0.png", "scans/0.png"))
    assert 10 * np.log10(255**2 / np.mean((back - picture) ** 2)) >= 33


def test_folders_and_comparisons_take_it(run: Run, mine: str) -> None:
    target = ("--quality", "40", "--lossy")
    assert run("compress", "scans", "-m", mine, *target, "-o", "scans.isth").code == 0
    assert f"needs the model {fingerprint(mine)}" in run("info", "scans.isth").out
    assert run("decompress", "scans.isth", "-o", "again").code == 4
    assert not Path("again").exists()
    assert run("decompress", "scans.isth", "-m", mine, "-o", "again").code == 0
    assert sorted(path.name for path in Path("again").iterdir()) == ["0.png", "1.png", "2.png"]
    ran = run("compress", "scans/0.png", "-m", mine, *target, "--compare", "--json")
    assert json.loads(ran.out)["at_size"][0]["tool"] == "isthmus"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("compress", "scans/0.png", "-m", "mine.safetensors"),
            2,
            "exactly one of psnr, bpp, size and quality; got none",
        ),
        (("compress", "note.txt", "-m", "mine.safetensors", "--psnr", "30"), 3, "note.txt is none"),
        (("compress", "scans/0.png", "-m", "RESTORER", "--psnr", "30"), 4, "holds a Restorer, which denoises"),
        (("denoise", "scans/0.png", "-m", "mine.safetensors", "-o", "x.png"), 4, "give it to isthmus compress -m"),
        (
            ("fit", "scans", "--model", "codec", "--content", "bytes", "--from", "nothing"),
            2,
            "--from is for --content ph",
        ),
        (("fit", "scans", "note.txt", "--model", "codec", "--max-steps", "1"), 2, "from one file, folder or pattern"),
        (("fit", "note.txt", "--model", "codec", "--content", "photographs"), 3, "holds no pictures"),
        (("fit", "scans", "--model", "codec", "--from", "shiped"), 2, "did you mean 'shipped'"),
        (("fit", "scans", "--model", "codec", "--resume"), 2, "there is no checkpoint"),
        (("fit", "scans", "--model", "codec", "--patch", "128"), 3, "set patch=64"),
    ],
)
def test_what_does_not_go_is_refused(run: Run, mine: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    from isthmus.models.restorer import SHIPPED

    Path("note.txt").write_bytes(b"of a strait")
    ran = run(*(str(SHIPPED) if word == "RESTORER" else word for word in arguments))
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert not Path("model.safetensors").exists()


def test_an_interrupted_fit_goes_on(run: Run, scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.training import photographic, steps

    command = ("fit", "scans", "--model", "codec", *FEW, "-q", "-o", "mine.safetensors")
    batch = photographic.Patches.batch

    def interrupted(self: photographic.Patches, step: int) -> photographic.Batch:
        if step == 1:
            raise KeyboardInterrupt
        return batch(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(photographic.Patches, "batch", interrupted)
        patched.setattr(steps, "KEPT", 0.0)
        ran = run(*command)
    assert ran.code == 130
    assert "go on with the same command and --resume" in ran.err
    assert run(*command, "--resume").code == 0
    assert not list(Path().glob("*.checkpoint"))


def test_decoding_and_info_load_no_torch(run: Run, mine: str) -> None:
    assert run("compress", "scans/0.png", "-m", mine, "--quality", "30", "--lossy", "-o", "0.isth").code == 0
    script = (
        "import sys; from isthmus.cli import main; codes = [main(line.split()) for line in ("
        "'decompress 0.isth -m mine.safetensors -o 0.png', 'info mine.safetensors', 'fit --model codec --help')]; "
        "assert codes == [0, 0, 0], codes; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

"""fit --model restorer, what info and verify say of its file, and the weights that isthmus models lists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import isthmus

from .conftest import ENVIRONMENT, Run

FEW = ("--model", "restorer", "--from", "nothing", "--patch", "32", "--batch-size", "2", "--max-steps", "2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of small pictures of two sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, height in enumerate((48, 56, 56)):
        smooth = ndimage.gaussian_filter(rng.random((height, 60, 3)), (2, 2, 0))
        Image.fromarray(np.rint(smooth / smooth.max() * 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_restorer_is_fitted_and_described(run: Run, photos: Path) -> None:
    ran = run("fit", "photos", *FEW, "-o", "r.safetensors")
    assert ran.code == 0
    assert re.match(r"r.safetensors: Restorer, learned from 2 pictures in 2 steps and \d\.\d min\nheld-out", ran.out)
    assert "step 2 of 2" in ran.err
    assert "next: isthmus denoise FILE -m r.safetensors" in ran.err
    assert type(isthmus.load("r.safetensors")) is isthmus.Restorer
    said = run("info", "r.safetensors").out
    for words in (
        "r.safetensors: Restorer, ",
        "restores pictures: noise, JPEG blocks, holes, small and blurred ones; digest ",
        "network of 64, 128, 192 channels",
        "trained on 2 pictures of photos, 2 steps in 0.",
        "held out, in dB: grey noise 25 ",
        f"command: isthmus fit photos {' '.join(FEW)} -o r.safetensors",
    ):
        assert words in said
    assert json.loads(run("info", "r.safetensors", "--json").out)["class"] == "Restorer"
    assert run("verify", "r.safetensors").out.endswith("r.safetensors: ok\n")


def test_a_restorer_learns_from_noisy_pictures_alone(run: Run, photos: Path) -> None:
    ran = run("fit", "photos", *FEW, "--self-supervised", "-o", "r.safetensors")
    assert ran.code == 0
    assert "\nheld-out pictures, in dB: estimated " in ran.out
    assert "note: the noise is " in ran.err
    said = run("info", "r.safetensors").out
    assert "held out, in dB: estimated " in said
    assert "denoises pictures, as it learned from noisy ones alone; digest " in said
    assert "note: the noise is " in said


def test_the_same_command_makes_the_same_file(run: Run, photos: Path) -> None:
    for name in ("a", "b"):
        assert run("fit", "photos", *FEW, "-q", "-o", f"{name}.safetensors").err == ""
    a, b = (isthmus.load(f"{name}.safetensors").state()[1] for name in ("a", "b"))
    assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--latent-dim", "3"), 2, "fit --model restorer: there is no --latent-dim; leave it out. It has --model,"),
        (("--from", "shiped"), 2, "--from must be one of 'shipped', 'nothing'; it is 'shiped'; did you mean"),
        (("--patch", "40"), 2, "patch must be 8 more than a multiple of 24; it is 40: take 32"),
        (("--patch", "128"), 3, "the largest has 56; set patch=32"),
        (("--resume",), 2, "--resume: there is no checkpoint"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    run: Run, photos: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    ran = run("fit", "photos", *FEW, *arguments)
    assert ran.code == code
    assert sentence in ran.err
    assert not Path("model.safetensors").exists()


def test_an_interrupted_run_goes_on(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.training import restoring, steps

    command = ("fit", "photos", *FEW, "-o", "r.safetensors")
    assert run(*command).code == 0
    whole = isthmus.load("r.safetensors").state()[1]

    def interrupted(restored: object, clean: object, now: list[int] = []) -> object:  # noqa: B006 - it counts
        now.append(1)
        if len(now) == 2:
            raise KeyboardInterrupt
        return loss(restored, clean)

    loss = restoring.loss_of
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "loss_of", interrupted)
        patched.setattr(steps, "KEPT", 0.0)
        ran = run(*command, "--force")
    assert ran.code == 130
    assert "go on with the same command and --resume" in ran.err
    assert run(*command, "--resume", "--force").code == 0
    found = isthmus.load("r.safetensors").state()[1]
    assert all(np.array_equal(whole[name], found[name]) for name in whole)
    assert not list(Path().glob("*.checkpoint"))


def test_a_table_is_no_pictures_to_tune_on(run: Run, table_file: Path) -> None:
    ran = run("fit", table_file, "--model", "restorer")
    assert ran.code == 3
    assert "holds no pictures, but data of kind 'table'; give arrays or image files" in ran.err


def test_models_lists_the_weights_that_come_with_isthmus(run: Run) -> None:
    found = {one["name"]: one for one in json.loads(run("models", "--json").out)["shipped"]}
    assert {"restorer_1", "prior_1"} <= set(found)
    said = " ".join(run("models").out.split())
    for one in found.values():
        assert Path(one["credits"]).is_file()
        assert f"{Path(one['path']).stat().st_size:,} bytes, digest {one['sha256'][:8]}" in said
        assert f"learned from {one['learned_from']}" in said
        assert one["licence"] in said


def test_models_says_what_flags_fit_has_for_a_restorer(run: Run) -> None:
    assert "\nrestorer                Tune the network" in run("models").out
    said = run("models", "restorer").out
    assert said.startswith("restorer: Tune the network")
    assert "  from            shipped|nothing" in said
    assert "  content         auto|bytes|pictures|tables|photographs" in run("models", "codec").out


def test_help_and_info_of_a_restorer_load_no_torch(run: Run, photos: Path) -> None:
    assert run("fit", "photos", *FEW, "-o", "r.safetensors").code == 0
    script = (
        "import sys; from isthmus.cli import main; codes = [main(line.split()) for line in ("
        "'fit --model restorer --help', 'info r.safetensors')]; assert codes == [0, 0], codes; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

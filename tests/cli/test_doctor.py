"""doctor: what it says, what to type next, and its exit code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.cli import main
from isthmus.cli.doctor import fit_again
from isthmus.models import VAE

from .conftest import Run

SMALL = ("--hidden", "64", "--latent-dim", "8", "--seed", "0", "-q")


@pytest.fixture(scope="module")
def sick_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit a model whose code costs too much to be used."""
    path = tmp_path_factory.mktemp("sick") / "vae.safetensors"
    asked = ("--model", "vae", "--beta", "1000", "--max-epochs", "12")
    assert main(["fit", "digits", "-o", str(path), *asked, *SMALL]) == 0
    return path


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit a small model that is as it should be."""
    path = tmp_path_factory.mktemp("sound") / "digits.safetensors"
    assert main(["fit", "digits", "-o", str(path), "--max-epochs", "12", *SMALL]) == 0
    return path


def test_a_sound_model(run: Run, sound_file: Path) -> None:
    ran = run("doctor", sound_file, "digits")
    assert ran.code == 0, ran.out
    assert ran.out.startswith(f"Nothing found in {sound_file}: ")
    assert "judged are the 180 records it never saw" in ran.err
    assert run("doctor", sound_file).code == 0


def test_a_finding_has_its_sentence_figures_advice_and_command(run: Run, sick_file: Path) -> None:
    ran = run("doctor", sick_file, "digits")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"1 finding in {sick_file}: ")
    assert lines[2] == "1. beta too large (severe)"
    text = " ".join(ran.out.split())
    assert "with beta=1000 a code costs more KL than it lowers the error." in text
    assert "beta 1,000, train " in text
    assert "advice Leave beta at its default." in text
    again = (
        f"isthmus fit digits --model vae --max-epochs 12 --hidden 64 --latent-dim 8 --seed 0 -q "
        f"--output {sick_file.with_name('vae-2.safetensors')}"
    )
    assert f"   try      {again}" in lines


def test_the_command_to_try_cures(run: Run, sick_file: Path) -> None:
    found = json.loads(run("doctor", sick_file, "digits", "--json").out)["findings"]
    command = shlex.split(found[0]["command"])
    assert run(*command[1:-1], "cured.safetensors").code == 0
    assert run("doctor", "cured.safetensors", "digits").code == 0


def test_without_records_it_is_said_what_they_would_show(run: Run, sick_file: Path) -> None:
    ran = run("doctor", sick_file)
    assert ran.code == 1
    assert "1. beta too large (severe)" in ran.out
    assert "Not looked at:" in ran.out
    assert "(it needs records: pass DATA)" in " ".join(ran.out.split())


def test_json(run: Run, sick_file: Path, sound_file: Path) -> None:
    ran = run("doctor", sick_file, "digits", "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert list(found) == ["model", "data", "passed", "findings", "looked_at", "not_looked_at"]
    assert (found["model"], found["data"], found["passed"]) == (str(sick_file), "digits", False)
    first = found["findings"][0]
    assert (first["kind"], first["grade"], first["changes"]) == ("beta-too-large", "severe", {"beta": None})
    assert first["code"] == "model.set_params(beta=None).fit(X)"
    assert first["evidence"]["beta"] == 1000
    ran = run("doctor", sound_file, "digits", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["findings"] == []


def test_records_of_the_fit_beside_others(run: Run, sound_file: Path) -> None:
    digits = isthmus.data.load("digits").array
    np.save("fitted.npy", digits[:600])
    np.save("others.npy", digits[600:900])
    found = json.loads(run("doctor", sound_file, "others.npy", "--train", "fitted.npy", "--json").out)
    assert "errors of seen and unseen records" in found["looked_at"]
    found = json.loads(run("doctor", sound_file, "others.npy", "--json").out)
    assert found["not_looked_at"]["errors of seen and unseen records"] == "it needs records of the fit and others"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_prose_is_as_wide_as_the_terminal(
    run: Run, sick_file: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = [line for line in run("doctor", sick_file).out.splitlines()[1:] if not line.startswith("   try ")]
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 20


# ------------------------------------------------------------------ the command to try


@pytest.fixture
def fitted() -> VAE:
    model = VAE()
    model.provenance_ = {}
    return model


@pytest.mark.parametrize(
    ("command", "changes", "again"),
    [
        ("fit d.csv --model vae --beta 9", {"beta": None}, "fit d.csv --model vae"),
        ("fit d.csv --model vae --beta=9 --labels y", {"beta": 2.0}, "fit d.csv --model vae --labels y --beta 2.0"),
        (
            "fit d.csv --model vae --set beta=9 --set k=3",
            {"beta": None, "warm_up": 0.3},
            "fit d.csv --model vae --set k=3 --warm-up 0.3",
        ),
        ("fit d.csv --set=hidden=9,9 -q", {"hidden": (32, 16)}, "fit d.csv -q --hidden 32,16"),
        ("fit d.csv --learning-rate 9 --resume", {"learning_rate": None}, "fit d.csv"),
        ("fit d.csv --force -o old.safetensors", {"dropout": 0.2}, "fit d.csv --dropout 0.2"),
        (
            "fit 'my data.csv' --config run.toml",
            {"learning_rate": None},
            "fit 'my data.csv' --config run.toml --learning-rate none",
        ),
    ],
)
def test_a_command_is_repeated_with_other_parameters(
    fitted: VAE, command: str, changes: dict[str, object], again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitted.provenance_["command"] = f"isthmus {command}"
    assert fit_again(fitted, changes, "old.safetensors") == f"isthmus {again} --output old-2.safetensors"


def test_no_file_is_written_over(fitted: VAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fitted.provenance_["command"] = "isthmus fit d.csv"
    Path("m-2.safetensors").touch()
    for name in ("m.safetensors", "m-2.safetensors"):
        assert fit_again(fitted, {"dropout": 0.2}, name).endswith("--output m-3.safetensors")


def test_a_model_fitted_in_python_gets_python(run: Run) -> None:
    model = VAE(beta=1000, latent_dim=4, hidden=(32,), max_epochs=12, random_state=0).fit("digits")
    model.save("python.safetensors")
    assert fit_again(model, {"beta": None}, "python.safetensors") == ""
    ran = run("doctor", "python.safetensors", "digits")
    assert ran.code == 1
    assert "   try      model.set_params(beta=None).fit(X)" in ran.out.splitlines()


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["no.safetensors"], 3, "There is no model file no.safetensors. Make one with isthmus fit, or with save."),
        (["."], 4, ". is no model file, but a folder, a device or a pipe."),
        (["x.npy"], 4, "x.npy is no model file: those are safetensors files, as isthmus fit"),
        (["MODEL", "no.npy"], 3, "no.npy"),
        (["MODEL", "x.npy"], 3, "x.npy"),
        (["MODEL", "other.npy"], 3, "8 x 8"),
        (["MODEL", "digits", "--train", "other.npy"], 3, "8 x 8"),
        (["MODEL", "--train", "digits"], 2, "doctor: --train goes with records to judge the model by"),
        (["MODEL", "digits", "--seed", "-1"], 2, "isthmus: --seed must be a whole number of at least 0; it is -1."),
        (["MODEL", "digits", "--seed", "x"], 2, "--seed"),
        (["MODEL", "digits", "--device", "abacus"], 2, "abacus"),
        (["MODEL", "digits", "--rank", "2"], 2, "--rank"),
        ([], 2, "MODEL"),
    ],
)
def test_what_is_wrong_gets_one_sentence(
    run: Run, sound_file: Path, arguments: list[str], code: int, sentence: str
) -> None:
    np.save("x.npy", np.zeros(5))
    np.save("other.npy", np.zeros((30, 5, 7), np.uint8))
    ran = run("doctor", *(sound_file if argument == "MODEL" else argument for argument in arguments))
    assert (ran.code, ran.out) == (code, ""), ran.err
    lines = [line for line in ran.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1
    assert lines[0].startswith("isthmus: ")
    assert sentence in lines[0]


def test_a_damaged_model(run: Run, sound_file: Path) -> None:
    Path("cut.safetensors").write_bytes(sound_file.read_bytes()[:2000])
    assert run("doctor", "cut.safetensors").code == 4

"""Whatever is wrong gets one sentence and its exit code, before anything is trained and with nothing written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load, save

import isthmus
from isthmus import cli

from .conftest import Ran, Run


def refused(ran: Ran, code: int, *words: str) -> None:
    """Check the exit code and that the last line is one sentence with these words."""
    assert ran.code == code, ran.err
    lines = [line for line in ran.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("isthmus: ")
    for word in words:
        assert word in lines[0]
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert not Path("model.safetensors").exists()
    assert not list(Path().glob("*.checkpoint"))


def rows(n: int = 30, d: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_cell_that_is_no_number(run: Run, value: float, word: str) -> None:
    X = rows()
    X[7, 2] = value
    np.save("x.npy", X)
    refused(run("fit", "x.npy"), 3, word, "row 7", "column 2")


def test_wrong_rank(run: Run) -> None:
    np.save("x.npy", np.zeros(30))
    refused(run("fit", "x.npy"), 3, "Expected 2D array, got 1D array instead")


def test_an_empty_set(run: Run) -> None:
    np.save("x.npy", np.zeros((0, 4)))
    refused(run("fit", "x.npy"), 3, "0 sample(s)")


def test_one_row(run: Run) -> None:
    np.save("x.npy", rows(1))
    refused(run("fit", "x.npy"), 3, "1 sample")


def test_strings_in_an_array(run: Run) -> None:
    np.save("x.npy", np.array([["1.5", "two"], ["3", "4"]]))
    refused(run("fit", "x.npy"), 3, "x.npy")


def test_images_of_several_sizes_without_the_option(run: Run) -> None:
    folder = Path("photos")
    folder.mkdir()
    for index in range(4):
        Image.fromarray(np.zeros((8 + index, 8), np.uint8)).save(folder / f"{index}.png")
    refused(run("fit", "photos"), 3, "'0.png' is 8 x 8", "'1.png' is 9 x 8", "--sizes group")


def test_an_image_cut_short(run: Run, photo_folder: Path) -> None:
    path = photo_folder / "a" / "p04.png"
    path.write_bytes(path.read_bytes()[:60])
    refused(run("fit", photo_folder), 3, "p04.png")
    ran = run("fit", photo_folder, "--skip-bad", "--hidden", "4", "--latent-dim", "2", "--max-epochs", "1")
    assert ran.code == 0
    assert "note: 1 of 24 images could not be read and were left out: 'p04.png'." in ran.err


def test_too_few_labels(run: Run) -> None:
    np.save("x.npy", rows())
    np.save("y.npy", np.arange(29))
    refused(run("fit", "x.npy", "--labels", "y.npy"), 3, "29", "30")


def test_unknown_parameter(run: Run) -> None:
    refused(
        run("fit", "digits", "--set", "latentdim=3"), 2, "Autoencoder has no parameter 'latentdim'", "'latent_dim'?"
    )


def test_unknown_flag(run: Run) -> None:
    refused(run("fit", "digits", "--latentdim", "3"), 2, "--latentdim", "--latent-dim", "see isthmus fit --help")


def test_unknown_setting_in_a_file(run: Run) -> None:
    Path("run.json").write_text(json.dumps({"latentdim": 3}))
    refused(
        run("fit", "digits", "--config", "run.json"), 2, "--config run.json has no parameter 'latentdim'", "latent_dim"
    )


def test_a_file_of_settings_that_is_none(run: Run) -> None:
    Path("run.toml").write_text("latent_dim 3")
    refused(run("fit", "digits", "--config", "run.toml"), 3, "'run.toml' cannot be read: it is no valid TOML or JSON")
    refused(run("fit", "digits", "--config", "no.toml"), 3, "'no.toml' cannot be read: there is no such file")


@pytest.mark.parametrize(
    "content", ["a = " + "[" * 9000, "a = 1" + "0" * 9000, "a = '\udcff'", "\0", "a = " + "9" * 2**21]
)
def test_settings_that_no_parser_takes(run: Run, content: str) -> None:
    for name in ("run.toml", "run.json"):
        Path(name).write_text(content, encoding="utf-8", errors="surrogateescape")
        refused(run("fit", "digits", "--config", name), 3, f"--config: '{name}' cannot be read")


@pytest.mark.parametrize(
    ("flag", "text", "sentence"),
    [
        ("--latent-dim", "many", "Autoencoder: latent_dim must be a whole number; it is 'many'."),
        ("--latent-dim", "0", "Autoencoder: latent_dim must be a whole number of at least 1, or None; it is 0."),
        ("--hidden", "64,x", "Autoencoder: hidden must be numbers with commas between, as in 128,64; it is '64,x'."),
        ("--dropout", "1", "Autoencoder: dropout must be a number of at least 0 and below 1; it is 1.0."),
        ("--tied", "perhaps", "Autoencoder: tied must be true or false; it is 'perhaps'."),
        ("--set", "latent_dim", "--set must be KEY=VALUE, as in --set latent_dim=16; it is 'latent_dim'."),
        ("--test", "2", "isthmus: --test must be a number of at least 0 and below 1; it is 2.0."),
        ("--threads", "0", "isthmus: --threads must be a whole number of at least 1; it is 0."),
        ("--seed", "-1", "isthmus: --seed must be a whole number of at least 0, or None; it is -1."),
    ],
)
def test_values_that_are_not_allowed(run: Run, flag: str, text: str, sentence: str) -> None:
    refused(run("fit", "digits", flag, text), 2, sentence)


def test_unknown_model(run: Run) -> None:
    refused(run("fit", "digits", "--model", "autoencodr"), 2, "did you mean 'autoencoder'?")


def test_unknown_verb(run: Run) -> None:
    refused(run("fti", "digits"), 2, "fti", "fit")


def test_data_that_are_not_there(run: Run) -> None:
    refused(run("fit", "digitz"), 3, "there is no file, folder or pattern 'digitz'; did you mean 'digits'?")


def test_output_that_exists_is_refused_before_the_data_are_read(run: Run) -> None:
    Path("mine.safetensors").write_text("mine")
    refused(run("fit", "nothing-there", "-o", "mine.safetensors"), 2, "'mine.safetensors' exists already", "--force")
    assert Path("mine.safetensors").read_text() == "mine"


def test_a_device_that_is_not_there(run: Run) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    refused(run("fit", "digits", "--device", "cuda"), 5, "device 'cuda' is not on this machine; use 'auto' or 'cpu'.")


def test_a_likelihood_outside_its_support(run: Run) -> None:
    np.save("x.npy", rows() * 3)
    refused(run("fit", "x.npy", "--likelihood", "bernoulli"), 3, "bernoulli", "column")


# ------------------------------------------------------------------ models that draw

QUICK = ("--hidden", "8", "--latent-dim", "2", "--max-epochs", "8", "--seed", "0")


@pytest.mark.parametrize("n", [0, -5])
def test_how_many_to_draw(run: Run, model_file: Path, n: int) -> None:
    sentence = f"Autoencoder: n must be a whole number of at least 1; it is {n}."
    refused(run("sample", "-m", model_file, "--n", n, "-o", "new.npy"), 2, sentence)
    refused(run("augment", "digits", "-m", model_file, "--n", n, "-o", "new.npy"), 2, f"it is {n}.")
    assert not list(Path().glob("new*"))


@pytest.mark.parametrize("model", ["conditional-vae", "conditional-gan"])
def test_a_model_of_classes_without_any(run: Run, model: str) -> None:
    np.save("x.npy", rows())
    np.save("y.npy", np.full(30, "ant"))
    refused(run("fit", "x.npy", "--model", model), 2, "requires y to be passed", "--labels on the command line")
    refused(run("fit", "x.npy", "--model", model, "--labels", "y.npy"), 2, "all labels are 'ant'; take ")


def test_too_few_records_for_a_gan(run: Run) -> None:
    np.save("x.npy", rows(9))
    refused(run("fit", "x.npy", "--model", "gan"), 3, "Found 9 sample(s)", "or take VAE, which serves fewer.")


def test_a_table_that_never_varies(run: Run) -> None:
    Path("x.csv").write_text("a,b\n" + "3,Ulm\n" * 30)
    refused(run("fit", "x.csv", "--model", "vae"), 3, "at least one column must vary", "constant (3)")


def test_a_run_that_diverges_at_once_leaves_nothing(run: Run) -> None:
    np.save("x.npy", rows(100))
    steep = ("--learning-rate", "1e30", "--optimizer", "sgd")
    ran = run("fit", "x.npy", "--model", "vae", *QUICK, *steep, "-q")
    refused(ran, 1, "Training stopped in epoch ", "The first weights are kept; lower learning_rate")


@pytest.mark.parametrize("model", ["VAE", "GAN"])
def test_a_run_that_diverges_midway_leaves_the_model_of_its_best_epoch(
    run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, steps = getattr(isthmus, model).losses, 0

    def diverging(*arguments: Any) -> dict[str, Any]:
        nonlocal steps
        steps += 1
        return {name: term * (np.nan if steps > 5 else 1.0) for name, term in loss(*arguments).items()}

    monkeypatch.setattr(getattr(isthmus, model), "losses", diverging)
    np.save("x.npy", rows(100))
    ran = run("fit", "x.npy", "--model", model.lower(), *QUICK, "-q")
    assert ran.code == 1
    (line,) = (line for line in ran.err.splitlines() if not line.startswith("note: "))
    found = re.fullmatch(
        r"isthmus: Training stopped in epoch \d: .* stayed non-finite after 5 returns .* The weights of epoch (\d) are "
        r"kept; lower learning_rate\. The model is in model\.safetensors as it was then\.",
        line,
    )
    assert found
    assert [path.name for path in Path().glob("model*")] == ["model.safetensors"]
    assert isthmus.load("model.safetensors").provenance_["best_epoch"] == int(found[1])
    assert all(np.isfinite(array).all() for array in load(Path("model.safetensors").read_bytes()).values())
    assert run("sample", "-m", "model.safetensors", "-o", "new.npy").code == 0
    assert np.isfinite(np.load("new.npy")).all()


# ------------------------------------------------------------------ model files


def test_a_model_file_is_not_taken_for_bytes_to_learn_from(run: Run, model_file: Path) -> None:
    refused(run("fit", model_file), 3, "is a model's file and holds no records; name a model with --model.")


def test_a_model_file_that_is_not_there(run: Run) -> None:
    refused(
        run("encode", "digits", "-m", "no.safetensors", "-o", "codes.npy"), 3, "There is no model file no.safetensors."
    )


def test_a_model_file_cut_short(run: Run, model_file: Path) -> None:
    Path("cut.safetensors").write_bytes(model_file.read_bytes()[:5000])
    refused(
        run("encode", "digits", "-m", "cut.safetensors", "-o", "codes.npy"),
        4,
        "cut.safetensors is damaged or cut short",
    )
    Path("cut.safetensors").write_bytes(b"")
    refused(run("info", "cut.safetensors"), 4, "cut.safetensors is damaged or cut short")


def test_a_file_that_is_no_model(run: Run) -> None:
    Path("other.safetensors").write_bytes(save({"x": np.zeros(3)}))
    refused(run("info", "other.safetensors"), 4, "a safetensors file, but not one that isthmus wrote")


def _rewritten(model_file: Path, **changes: object) -> None:
    """Write a model file with a changed description whose checksum is right."""
    import hashlib

    from isthmus import artifact

    envelope = artifact.describe(model_file) | changes
    text = json.dumps(envelope, sort_keys=True)
    metadata = {"isthmus": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    Path("changed.safetensors").write_bytes(save(load(model_file.read_bytes()), metadata))


def test_a_model_file_of_a_later_format(run: Run, model_file: Path) -> None:
    _rewritten(model_file, format=99, version="9.0")
    ran = run("encode", "digits", "-m", "changed.safetensors", "-o", "codes.npy")
    refused(ran, 6, "has format 99", "it was written by isthmus 9.0")


def test_a_model_file_of_a_class_that_is_not_known(run: Run, model_file: Path) -> None:
    _rewritten(model_file, **{"class": "Oracle"})
    refused(run("encode", "digits", "-m", "changed.safetensors", "-o", "codes.npy"), 4, "holds a Oracle; isthmus has")


# ------------------------------------------------------------------ use of a model


def test_records_of_another_size(run: Run, model_file: Path) -> None:
    np.save("x.npy", np.zeros((5, 9, 8), np.uint8))
    refused(run("encode", "x.npy", "-m", model_file, "-o", "codes.npy"), 3, "9 x 8", "8 x 8")


def test_codes_of_another_width(run: Run, model_file: Path) -> None:
    np.save("codes.npy", np.zeros((5, 3), np.float32))
    refused(run("decode", "codes.npy", "-m", model_file, "-o", "x.npy"), 3, "3", "4")
    assert not Path("x.npy").exists()


def test_a_mask_of_another_shape(run: Run, model_file: Path) -> None:
    np.save("mask.npy", np.ones((7, 8)))
    ran = run("inpaint", "digits", "-m", model_file, "--mask", "mask.npy", "-o", "x.npy")
    refused(ran, 3, "mask must have the shape (8, 8)", "or (1797, 8, 8)", "its shape is (7, 8).")


def test_no_mask_where_nothing_is_missing(run: Run, model_file: Path) -> None:
    refused(run("inpaint", "digits", "-m", model_file, "-o", "x.npy"), 2, "mask must say what to fill")


def test_an_output_of_an_unknown_format(run: Run, model_file: Path) -> None:
    ran = run("encode", "digits", "-m", model_file, "-o", "codes.xyz")
    refused(ran, 2, "--output must end in .npy, .csv, .tsv, .parquet; it is 'codes.xyz'.")


# ------------------------------------------------------------------ the last resort


def test_a_bug_gets_a_sentence_and_with_debug_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli.inspection, "probe", broken)
    monkeypatch.setattr("isthmus.data.inspect", broken)
    refused(run("inspect", "digits"), 1, "this is a bug: ZeroDivisionError: division by zero", "--debug")
    assert "Traceback" in run("inspect", "digits", "--debug").err


def test_memory_that_runs_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("isthmus.data.inspect", large)
    refused(run("inspect", "digits"), 7, "memory ran out")

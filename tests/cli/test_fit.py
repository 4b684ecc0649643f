"""isthmus fit: settings, the file, interruption and going on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus import artifact
from isthmus.cli import fit as fit_module

from .conftest import Run

SMALL = ("--latent-dim", "4", "--hidden", "16", "--max-epochs", "2")


def test_fit_says_what_will_run_before_the_first_step_and_the_score_at_the_end(run: Run) -> None:
    ran = run("fit", "digits", *SMALL)
    assert ran.code == 0
    before = ran.err[: ran.err.index("epoch 1/2")]
    for word in ("on cpu", "thread", "predicted:", "of memory", "likelihood:", "1,455 records to train on"):
        assert word in before
    assert "on 180 records that it never saw:" in ran.out
    assert "nats a record" in ran.out
    assert "next: isthmus report digits -m model.safetensors" in ran.err
    assert Path("model.safetensors").is_file()
    assert not Path("model.safetensors.checkpoint").exists()
    assert "\r" not in ran.err


def test_json_is_one_object_on_standard_output(run: Run) -> None:
    ran = run("fit", "digits", *SMALL, "--json")
    document = json.loads(ran.out)
    assert document["held_out"]["records"] == 180
    assert document["provenance"]["command"].startswith("isthmus fit digits --latent-dim 4")


def test_the_file_keeps_held_out_scores_and_the_command(model_file: Path) -> None:
    document = artifact.describe(model_file)["document"]
    held_out = document["scores"]["held_out"]
    assert held_out["records"] == 180
    assert held_out["error"]["low"] < held_out["error"]["mean"] < held_out["error"]["high"]
    assert document["provenance"]["command"].startswith("isthmus fit digits")


def test_flags_settings_and_file_of_settings_make_the_same_model(run: Run) -> None:
    Path("run.toml").write_text("latent_dim = 4\nhidden = [16]\nmax_epochs = 2\n")
    run("fit", "digits", *SMALL, "-o", "a.safetensors", "-q")
    run("fit", "digits", "--set", "latent_dim=4", "--set", "hidden=16", "--set", "max-epochs=2", "-o", "b.safetensors")
    run("fit", "digits", "--config", "run.toml", "-o", "c.safetensors")
    codes = [isthmus.load(f"{name}.safetensors").transform("digits") for name in "abc"]
    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[0], codes[2])


def test_a_flag_wins_over_the_file_of_settings(run: Run) -> None:
    Path("run.json").write_text(json.dumps({"data": "digits", "latent-dim": 4, "model": "sparse-autoencoder"}))
    settings = json.loads(run("fit", "--config", "run.json", "--latent-dim", "7", "--print-config").out)
    assert settings["latent_dim"] == 7
    assert settings["model"] == "sparse-autoencoder"
    assert settings["data"] == "digits"


def test_printed_settings_can_be_fed_back(run: Run) -> None:
    command = ("--model", "denoising-autoencoder", "--corruption", "masking", "--hidden", "8,4", "--test", "0.2")
    first = run("fit", "digits", *command, "--print-config").out
    Path("run.json").write_text(first)
    assert run("fit", "--config", "run.json", "--print-config").out == first


def test_dry_run_says_what_would_run_and_writes_nothing(run: Run) -> None:
    ran = run("fit", "digits", *SMALL, "--dry-run")
    assert ran.code == 0
    assert "would train on 1,617 records and score on 180" in ran.out
    assert "predicted:" in ran.err
    assert "epoch" not in ran.err
    assert list(Path().iterdir()) == []


def test_quiet_prints_only_the_result(run: Run) -> None:
    assert run("fit", "digits", *SMALL, "--quiet").err == ""


def test_validation_records_may_come_from_elsewhere(run: Run) -> None:
    X = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    np.save("train.npy", X[:80])
    np.save("validation.npy", X[80:])
    ran = run("fit", "train.npy", "--validation", "validation.npy", "--test", "0", *SMALL)
    assert ran.code == 0
    assert "80 records to train on, 40 held out" in ran.err


def test_labels_from_a_column_are_set_aside(run: Run, table_file: Path) -> None:
    assert run("fit", table_file, "--labels", "city", *SMALL).code == 0
    columns = artifact.describe("model.safetensors")["document"]["schema"]["columns"]
    assert [column["name"] for column in columns] == ["age", "income"]


def test_labels_from_a_file(run: Run) -> None:
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    np.save("x.npy", X)
    Path("labels.txt").write_text("\n".join(["yes", "no"] * 30) + "\n")
    assert run("fit", "x.npy", "--labels", "labels.txt", *SMALL).code == 0
    Path("labels.txt").write_text("\n".join(["yes", "no"] * 20) + "\n")
    ran = run("fit", "x.npy", "--labels", "labels.txt", *SMALL, "--force")
    assert ran.code == 3
    assert "40" in ran.err
    assert "60" in ran.err


# ------------------------------------------------------------------ interruption


def _interrupt_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let a person press Ctrl-C after so many epochs."""
    from isthmus.training import Callback

    class Interrupt(Callback):
        def on_epoch(self, state):
            if state.epoch == epochs:
                raise KeyboardInterrupt

    usual = fit_module._sparing_checkpoint

    class Both(Interrupt):
        def __init__(self, path: Path, seconds: float) -> None:
            self.checkpoint = usual(path, seconds)

        def on_epoch(self, state):
            self.checkpoint.next_time = 0.0
            self.checkpoint.on_epoch(state)
            super().on_epoch(state)

    monkeypatch.setattr(fit_module, "_sparing_checkpoint", Both)


def test_an_interrupted_run_resumes_bit_for_bit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("fit", "digits", "--latent-dim", "4", "--hidden", "16", "--max-epochs", "4")
    assert run(*command, "-o", "whole.safetensors").code == 0
    with monkeypatch.context() as patch:
        _interrupt_after(patch, 2)
        ran = run(*command, "-o", "parts.safetensors")
    assert ran.code == 130
    assert ran.err.endswith(
        "isthmus: interrupted; parts.safetensors.checkpoint is kept: go on with the same command and --resume\n"
    )
    assert not Path("parts.safetensors").exists()

    again = run(*command, "-o", "parts.safetensors")
    assert again.code == 2
    assert "parts.safetensors.checkpoint was left by an interrupted run; go on from it with --resume" in again.err

    assert run(*command, "-o", "parts.safetensors", "--resume").code == 0
    assert not Path("parts.safetensors.checkpoint").exists()
    _, whole = artifact.read("whole.safetensors")
    _, parts = artifact.read("parts.safetensors")
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_resume_without_a_checkpoint(run: Run) -> None:
    ran = run("fit", "digits", "--resume")
    assert ran.code == 2
    assert ran.err == (
        "isthmus: --resume: there is no checkpoint model.safetensors.checkpoint; leave --resume out to start anew.\n"
    )


def test_records_to_stop_by_are_read_in_the_types_of_those_to_learn_from(run: Run) -> None:
    rows = "".join(f"{i % 7},5;{i % 4:05d};{'SML'[i % 3]}\n" for i in range(60))
    Path("t.csv").write_text(f"price;zip;size\n{rows}", encoding="utf-8")
    Path("other.csv").write_text("price;zip;size\n1,5;1;M\n-;80331;S\n", encoding="utf-8")
    for last in ("--dry-run", "--force"):
        ran = run("fit", "t.csv", *SMALL, "--labels", "size", "--validation", "other.csv", last)
        assert ran.code == 0, ran.err

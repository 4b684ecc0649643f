"""tune: what a newcomer types, what is written, and what wrong input gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.cli import tune

from .conftest import Run

SMALL = ("--models", "autoencoder", "--folds", "2", "--set", "max_epochs=1")


def test_the_best_model_and_what_mattered(run: Run, table_file: Path) -> None:
    ran = run("tune", table_file, *SMALL, "--trials", "2", "-o", "best.safetensors", "--save", "search.safetensors")
    assert ran.code == 0
    assert "reconstruction (share of a constant's error, lower is better) of 2 trials: " in ran.out
    assert "what mattered cannot be told from fewer than 5 complete trials" in ran.out
    assert "best: " in ran.out
    assert "trial 0  " in ran.err
    assert "default settings" in ran.err
    model, search = isthmus.load("best.safetensors"), isthmus.load("search.safetensors")
    assert model.provenance_["command"].startswith("isthmus tune ")
    assert type(search).__name__ == "Tuner"
    assert len(search.findings_.trials) == 2
    assert run("verify", "best.safetensors").code == 0
    assert run("score", table_file, "-m", "best.safetensors").code == 0


def test_json_has_every_trial_and_a_journal_is_gone_on_from(run: Run, table_file: Path) -> None:
    first = json.loads(run("tune", table_file, *SMALL, "--trials", "1", "--storage", "j", "--json").out)
    again = json.loads(run("tune", table_file, *SMALL, "--trials", "2", "--storage", "j", "--json").out)
    assert again["trials"][0] == first["trials"][0]
    assert [trial["number"] for trial in again["trials"]] == [0, 1]
    assert again["objective"] == "reconstruction"
    assert again["best"] in (0, 1)
    assert np.isfinite(again["best_score"])


def test_an_interruption_keeps_the_best_model(run: Run, table_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupting(terminal):
        def tell(trial):
            raise KeyboardInterrupt

        return tell

    monkeypatch.setattr(tune, "_teller", interrupting)
    ran = run("tune", table_file, *SMALL, "--trials", "9", "--storage", "j", "-o", "best.safetensors")
    assert ran.code == 130
    assert "interrupted; the best of 1 trial is kept; the same command goes on from there" in ran.err
    assert "of 1 trials: 1 complete" in ran.out
    assert isthmus.load("best.safetensors").transform is not None


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--minutes", "0"], 2, "tune: --minutes must be a number above 0; it is 0"),
        (["--jobs", "0"], 2, "n_jobs must be a whole number of at least 1, or -1 for all cores; it is 0"),
        (["--models", "vea"], 2, "did you mean 'vae'"),
        (["--objective", "classification", "--trials", "1"], 2, "needs labels; give one a record"),
        (["--set", "max_epochs"], 2, "--set must be KEY=VALUE, as in --set max_epochs=20; it is 'max_epochs'"),
        (["--storage", "{data}", "--trials", "1"], 4, "is no journal of trials, or a damaged one"),
    ],
)
def test_wrong_input_gets_a_sentence(flags: list[str], code: int, sentence: str, run: Run, table_file: Path) -> None:
    ran = run("tune", table_file, *(flag.format(data=table_file) for flag in flags))
    assert ran.code == code
    assert sentence in ran.err

"""score, compare, report: on the records that the fit never saw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

import isthmus
from isthmus import artifact, data

from .conftest import Run


def test_score_finds_the_held_out_records_of_the_fit_again(run: Run, model_file: Path) -> None:
    ran = run("score", "digits", "-m", model_file, "--json")
    assert "judged are the 180 records it never saw" in ran.err
    kept = artifact.describe(model_file)["document"]["scores"]["held_out"]
    found = json.loads(ran.out)
    assert found["nats_per_record"] == kept["nats_per_record"]
    assert found["error"] == kept["error"]
    _, test = data.split(data.open("digits"), (0.9, 0.1), random_state=0)
    assert np.isclose(found["nats_per_record"]["mean"], isthmus.load(model_file).score(test))


def test_score_of_all_records(run: Run, model_file: Path) -> None:
    assert json.loads(run("score", "digits", "-m", model_file, "--rows", "all", "--json").out)["records"] == 1797


def test_score_of_other_data_takes_all_and_refuses_to_look_for_held_out_ones(run: Run, model_file: Path) -> None:
    np.save("other.npy", np.zeros((30, 8, 8), np.uint8))
    assert json.loads(run("score", "other.npy", "-m", model_file, "--json").out)["records"] == 30
    ran = run("score", "other.npy", "-m", model_file, "--rows", "held-out")
    assert ran.code == 3
    assert "other.npy are not the data that the model was fitted on" in ran.err


def test_scores_of_each_record(run: Run, model_file: Path) -> None:
    ran = run("score", "digits", "-m", model_file, "--each", "scores.csv")
    assert ran.code == 0
    table = pyarrow.csv.read_csv("scores.csv")
    assert table.column_names == ["log_likelihood", "error"]
    assert np.allclose(table.column("log_likelihood"), isthmus.load(model_file).score_samples("digits"))


def test_compare_sets_models_beside_the_baselines(run: Run, model_file: Path) -> None:
    ran = run("compare", "digits", "-m", model_file)
    assert ran.code == 0
    assert "Autoencoder, code of 4" in ran.out
    assert "PCA, 4 components" in ran.out
    assert "k-means, 4 centres" in ran.out
    assert "mean record" in ran.out
    assert "180 held-out records" in ran.out


def test_compare_takes_several_models(run: Run, model_file: Path) -> None:
    run("fit", "digits", "--latent-dim", "2", "--hidden", "8", "--max-epochs", "1", "-o", "two.safetensors")
    ran = run("compare", "digits", "-m", model_file, "-m", "two.safetensors", "--json")
    models = json.loads(ran.out)["models"]
    assert list(models) == [str(model_file), "two.safetensors"]
    ran = run("compare", "digits", "-m", model_file, "-m", "two.safetensors")
    assert ran.out.count("mean record") == 1
    assert ran.out.count("PCA, ") == 2


@pytest.mark.long
def test_report_writes_a_page_and_its_figures(run: Run, model_file: Path) -> None:
    ran = run("report", "digits", "-m", model_file, "-o", "about/digits.html")
    assert ran.code == 0
    assert "about/digits.html (and digits.json beside it)" in ran.out
    page = Path("about/digits.html").read_text()
    assert "isthmus report digits" in page
    assert "isthmus fit digits" in page
    assert json.loads(Path("about/digits.json").read_text())["data"]["n_scored"] == 180
    again = run("report", "digits", "-m", model_file, "-o", "about/digits.html")
    assert again.code == 2
    assert "exists already" in again.err
    assert run("report", "digits", "-m", model_file, "-o", "about/digits.html", "--force").code == 0


@pytest.mark.long
def test_report_draws_new_records_unless_told_not_to(run: Run, model_file: Path) -> None:
    assert run("report", "digits", "-m", model_file, "-o", "new.html").code == 0
    found = json.loads(Path("new.json").read_text())["generation"]
    assert found["how"].startswith("Autoencoder has no prior of codes: those of new records are drawn from a mixture")
    assert found["nearest"]["among"] == "training records"
    assert run("report", "digits", "-m", model_file, "-o", "bare.html", "--no-samples").code == 0
    assert json.loads(Path("bare.json").read_text())["generation"] is None
    assert "New records" not in Path("bare.html").read_text()


def test_a_report_does_not_take_another_file_for_a_folder(run: Run, model_file: Path) -> None:
    Path("picture.png").write_bytes(b"")
    ran = run("report", "digits", "-m", model_file, "-o", "picture.png")
    assert ran.code == 2
    assert "--output must be a name that ends in .html, or a folder; 'picture.png' is another file." in ran.err

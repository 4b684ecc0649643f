"""detect and impute: what a newcomer types, what is written, and what wrong input gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus import Detector, data
from isthmus.tasks.held_out import rows_not_trained_on

from .conftest import Run


@pytest.fixture
def odd_table(table_file: Path) -> Path:
    """Return the table of the fixture, three times over, with one income that cannot be."""
    frame = pd.concat([pd.read_csv(table_file)] * 3, ignore_index=True)
    frame.loc[17, "income"] = 900_000.0
    path = table_file.with_name("odd.csv")
    frame.to_csv(path, index=False)
    return path


def test_detect_names_the_odd_row_and_why(run: Run, odd_table: Path) -> None:
    ran = run("detect", odd_table, "-o", "scores.csv", "--save", "detector.safetensors")
    assert ran.code == 0
    assert "of 300 records are outliers (combined)" in ran.out
    first = next(line for line in ran.out.splitlines() if line.startswith("17 "))
    assert "outlier" in first
    assert "income 9e+05 (expected " in first
    written = pd.read_csv("scores.csv")
    assert list(written.columns) == ["score", "p_value", "outlier", "reason"]
    assert written["score"].idxmin() == 17
    assert bool(written.loc[17, "outlier"])
    assert written["p_value"].between(0, 1).all()


def test_a_detector_that_was_saved_is_only_applied(run: Run, odd_table: Path, table_file: Path) -> None:
    assert run("detect", odd_table, "--reference", table_file, "--save", "d.safetensors", "-q").code == 0
    found = json.loads(run("detect", odd_table, "-m", "d.safetensors", "--json", "--top", "2").out)
    assert found["most_anomalous"][0]["row"] == 17
    assert found["most_anomalous"][0]["reasons"][0]["name"] == "income"
    assert found["records"] == 300
    assert len(found["most_anomalous"]) == 2
    detector = isthmus.load("d.safetensors")
    assert found["calibrated_on"] == len(detector.calibration_scores_) == 20
    ran = run("detect", odd_table, "-m", "d.safetensors", "--reference", table_file)
    assert ran.code == 2
    assert "--reference names records to learn from, and the file of --model is a Detector" in ran.err


def test_columns_in_another_order_are_put_right_and_lost_ones_named(
    run: Run, odd_table: Path, table_file: Path
) -> None:
    run("detect", table_file, "--save", "d.safetensors", "-q")
    first = json.loads(run("detect", odd_table, "-m", "d.safetensors", "--json").out)
    frame = pd.read_csv(odd_table)
    frame[["city", "income", "age"]].to_csv("turned.csv", index=False)
    ran = run("detect", "turned.csv", "-m", "d.safetensors", "--json")
    assert "note: put the columns in the order of the fit" in ran.err
    assert json.loads(ran.out)["most_anomalous"] == first["most_anomalous"]
    frame.drop(columns="age").to_csv("lost.csv", index=False)
    ran = run("detect", "lost.csv", "-m", "d.safetensors")
    assert ran.code == 3
    assert "age" in ran.err


def test_detect_with_a_model_of_pictures(run: Run, model_file: Path) -> None:
    ran = run("detect", "digits", "-m", model_file, "--method", "reconstruction", "-o", "scores.npy", "--top", "0")
    assert ran.code == 0
    assert np.load("scores.npy").shape == (1797, 3)
    assert len(ran.out.splitlines()) == 2


def test_detect_refuses(run: Run, odd_table: Path, model_file: Path) -> None:
    ran = run("detect", odd_table, "--contamination", "some")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        2,
        "isthmus: detect: --contamination must be auto or a number, such as 0.05; it is 'some'.",
    )
    assert "method must be one of" in run("detect", odd_table, "--method", "svm").err
    ran = run("detect", odd_table, "-m", model_file)
    assert ran.code == 3
    assert run("detect", odd_table, "-o", "scores.txt").code == 2
    assert "--top must be a whole number of at least 0" in run("detect", odd_table, "--top", "-1").err


# ------------------------------------------------------------------ impute


@pytest.fixture
def holes(run: Run, table_file: Path) -> Path:
    """Return the table with empty cells, and a model of it beside."""
    small = ("--max-epochs", "20", "--latent-dim", "2", "-q")
    assert run("fit", table_file, "-o", "vae.safetensors", "--model", "vae", *small).code == 0
    frame = pd.read_csv(table_file)
    frame.loc[::7, "income"] = np.nan
    frame.loc[3::11, "city"] = None
    path = table_file.with_name("holes.csv")
    frame.to_csv(path, index=False)
    return path


def test_impute_fills_empty_cells_with_an_interval(run: Run, holes: Path, table_file: Path) -> None:
    ran = run("impute", holes, "-m", "vae.safetensors", "-o", "filled.csv", "--intervals", "intervals.csv")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "filled.csv: 100 records, 24 cells filled, in 22 of them"
    whole, filled, given = (pd.read_csv(path) for path in (table_file, "filled.csv", holes))
    assert not filled.isna().any().any()
    assert filled.where(given.notna()).equals(given)
    assert set(filled["city"]) <= set(whole["city"])
    cells = pd.read_csv("intervals.csv")
    assert list(cells.columns) == ["row", "column", "value", "low", "high", "chance"]
    incomes = cells[cells["column"] == "income"]
    assert len(incomes) == 15
    assert (incomes["low"].astype(float) <= incomes["high"].astype(float)).all()
    found = json.loads(run("impute", holes, "-m", "vae.safetensors", "-o", "again.csv", "--json").out)
    assert found["columns"] == {"income": 15, "city": 9}
    assert found["filling"]["income"]["hidden"] > 0
    assert set(found["filling"]["city"]["weights"]) == {"gaussian", "neighbours", "trees", "model"}
    assert "of the mean" in ran.out


def test_impute_without_a_model_trains_one(run: Run, holes: Path) -> None:
    ran = run("impute", holes, "-o", "own.csv", "--seed", "0")
    assert ran.code == 0, ran.err
    assert "a denoising autoencoder was trained on the records" in ran.out
    assert not pd.read_csv("own.csv").isna().any().any()
    Path("vae.safetensors").rename("model.safetensors")
    ran = run("impute", holes, "-o", "by-file.csv")
    assert "model.safetensors: the model" in ran.out


def test_impute_pixels(run: Run, model_file: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[3:5, 3:5] = 1
    np.save("mask.npy", mask)
    X = np.asarray(isthmus.data.load("digits").chunk(0, 30))
    np.save("some.npy", X)
    ran = run(
        "impute", "some.npy", "-m", model_file, "--mask", "mask.npy", "-o", "filled.npy", "--intervals", "i.parquet"
    )
    assert ran.code == 0, ran.err
    assert np.array_equal(np.load("filled.npy")[:, mask == 0], X[:, mask == 0])
    cells = pd.read_parquet("i.parquet")
    assert list(cells.columns) == ["row", "y", "x", "value", "low", "high", "chance"]
    assert len(cells) == 120


def test_impute_refuses(run: Run, holes: Path, table_file: Path) -> None:
    ran = run("impute", table_file, "-m", "vae.safetensors", "-o", "f.csv")
    assert ran.code == 3
    assert "has no empty cell and no marked one, so there is nothing to fill" in ran.err
    ran = run("impute", holes, "-m", "vae.safetensors", "-o", "f.csv", "--intervals", "i.npy")
    assert "--intervals must end in .csv, .tsv, .parquet" in ran.err
    ran = run("impute", holes, "-m", "vae.safetensors", "-o", "f.csv", "--level", "2")
    assert "level must be a number above 0" in ran.err


def test_rows_that_the_command_kept_away_from_a_fit_are_unseen_by_tasks(model_file: Path) -> None:
    model, digits = isthmus.load(model_file), data.load("digits")
    train, test = data.split(digits, (0.9, 0.1))
    wanted = np.sort(np.concatenate([test.rows, train.rows[model.held_out_rows()]]))
    assert 180 < len(wanted) < 400
    assert np.array_equal(rows_not_trained_on(model, digits), wanted)
    assert len(rows_not_trained_on(model, digits.subset(np.arange(500)))) == 500  # other data
    detector = Detector(model=model, random_state=0).fit(digits)
    assert f"half of the {len(wanted)} that it held out" in " ".join(detector.notes_)

"""explain: what a newcomer types, what is written, and what wrong input gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from isthmus import data

from .conftest import Run


def test_units_of_pictures_and_the_classes_they_carry(run: Run, model_file: Path) -> None:
    ran = run("explain", "digits", "-m", model_file, "--units", "2", "-o", "units.png")
    assert ran.code == 0
    assert "highest for rows" in ran.out
    assert "class" in ran.out
    assert "these are the data of the fit" in ran.err
    with Image.open("units.png") as picture:
        assert picture.size[0] > 1000
    found = json.loads(run("explain", "digits", "-m", model_file, "--units", "9", "--json").out)
    assert len(found["units"]) == 4  # the code has no more
    assert found["probes"][0]["concept"] == "class"
    assert found["completeness_gap"] < 0.5


def test_columns_of_a_table_drive_units(run: Run, table_file: Path) -> None:
    assert run("fit", table_file, "--max-epochs", "3", "--test", "0", "-q").code == 0
    ran = run("explain", table_file, "-o", "bars.svg")
    assert ran.code == 0
    assert "driven by" in ran.out
    assert "income" in ran.out
    assert Path("bars.svg").read_text().startswith("<?xml")


def test_wrong_input_gets_a_sentence(run: Run, model_file: Path, table_file: Path) -> None:
    ran = run("explain", "digits", "-m", model_file, "--units", "0")
    assert (ran.code, "--units must be a whole number of at least 1; it is 0" in ran.err) == (2, True)
    ran = run("explain", "digits", "-m", model_file, "-o", "units.csv")
    assert (ran.code, "--output must end in .png, .svg, .pdf" in ran.err) == (2, True)
    assert run("explain", table_file, "-m", model_file).code == 3


def test_rows_are_those_of_the_source(run: Run, model_file: Path) -> None:
    found = json.loads(run("explain", "digits", "-m", model_file, "--units", "2", "--json").out)
    codes = isthmus.load(model_file).transform(data.load("digits"))
    assert found["records"] < len(codes)  # only the held-out ones were looked at
    for unit in found["units"]:
        assert np.allclose(codes[unit["highest"], unit["unit"]], unit["values_of_highest"], atol=1e-3)
        assert np.allclose(codes[unit["lowest"], unit["unit"]], unit["values_of_lowest"], atol=1e-3)

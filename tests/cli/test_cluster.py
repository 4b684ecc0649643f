"""cluster: what a newcomer types, what is written, and what wrong input gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from .conftest import Run


def test_clusters_of_digits_with_a_model(run: Run, model_file: Path) -> None:
    ran = run("cluster", "digits", "-m", model_file, "--clusters", "10", "-o", "groups.csv", "--picture", "groups.png")
    assert ran.code == 0
    assert "digits: 1,797 records in 10 clusters (communities)" in ran.out
    assert "stability: " in ran.out
    assert "medoid" in ran.out
    written = pd.read_csv("groups.csv")
    assert list(written.columns) == ["cluster", "probability", *(f"p({one})" for one in range(10))]
    assert len(written) == 1797
    assert written["cluster"].nunique() == 10
    assert written["probability"].to_numpy() == pytest.approx(written.filter(like="p(").max(axis=1).to_numpy())
    with Image.open("groups.png") as picture:
        assert picture.size[0] > 500


def test_the_number_is_estimated_and_its_evidence_shown(run: Run, table_file: Path) -> None:
    ran = run("cluster", table_file, "--picture", "groups.png", "--method", "k-means")
    assert ran.code == 0
    assert "by the mean silhouette of k-means (Rousseeuw 1987)" in ran.out
    assert Path("groups-evidence.png").exists()


def test_clusters_that_were_saved_are_applied(run: Run, table_file: Path) -> None:
    first = run("cluster", table_file, "--clusters", "3", "--save", "groups.safetensors", "-o", "first.npy", "-q")
    again = run("cluster", table_file, "-m", "groups.safetensors", "-o", "again.npy", "--json")
    assert (first.code, again.code) == (0, 0)
    assert np.mean(np.load("first.npy") == np.load("again.npy")) > 0.9
    found = json.loads(again.out)
    assert found["clusters"] == 3
    assert sum(found["sizes"]) == 100
    ran = run("cluster", table_file, "-m", "groups.safetensors", "--clusters", "4")
    assert ran.code == 2
    assert (
        "cluster: --clusters goes with learning clusters, and the file given with --model has them learned" in ran.err
    )


def test_names_of_pictures_are_written_beside_their_clusters(run: Run, photo_folder: Path) -> None:
    ran = run("cluster", photo_folder, "--clusters", "2", "-o", "groups.csv", "--picture", "groups.png")
    assert ran.code == 0
    written = pd.read_csv("groups.csv")
    assert list(written.columns)[:3] == ["name", "cluster", "probability"]
    assert written["name"].str.endswith(".png").all()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--clusters", "1"), "Clusterer: n_clusters must be a whole number of at least 2; it is 1."),
        (("--clusters", "101"), "Clusterer: n_clusters=101 is more than the 100 records there are"),
        (("--method", "kmeans"), "Clusterer: method must be one of"),
        (("--runs", "0"), "Clusterer: runs must be a whole number of at least 1, or None; it is 0."),
        (("-o", "groups.txt"), "--output must end in"),
        (("--picture", "groups.csv"), "--picture must end in"),
    ],
)
def test_wrong_flags_get_a_sentence(run: Run, table_file: Path, flags: tuple[str, ...], sentence: str) -> None:
    ran = run("cluster", table_file, *flags)
    assert ran.code == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err


def test_what_exists_is_not_overwritten(run: Run, table_file: Path) -> None:
    Path("groups.csv").write_text("mine")
    ran = run("cluster", table_file, "--clusters", "2", "-o", "groups.csv")
    assert ran.code == 2
    assert Path("groups.csv").read_text() == "mine"

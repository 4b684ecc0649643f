"""map: what a newcomer types, what is written, and what wrong input gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus
from isthmus import data
from isthmus.metrics import neighbourhoods

from .conftest import Run

QUICK = ("--set", "max_epochs=2", "--set", "hidden=8")


def test_a_map_of_digits(run: Run, model_file: Path) -> None:
    ran = run("map", "digits", "-m", model_file, *QUICK, "--save", "map.safetensors")
    assert ran.code == 0, ran.err
    assert "digits: 1,797 records, 180 of them new to the map" in ran.out
    for name in ("trustworthiness", "continuity", "neighbours kept", "5-NN accuracy", "PCA", "Autoencoder: first two"):
        assert name in ran.out
    page = Path("map.html").read_text()
    assert page.count("<canvas") == 3
    with Image.open("map.png") as picture:
        assert picture.size[0] > 1000
    loaded = isthmus.load("map.safetensors")
    assert type(loaded).__name__ == "Map"
    assert loaded.scores_["split"]["records"] == 1797

    again = run("map", "digits", "-m", "map.safetensors", "-o", "again.png", "--json")
    assert again.code == 0, again.err
    found = json.loads(again.out)
    assert found["new"] == 180
    assert found["scores"]["Map"]["5-NN accuracy"]["mean"] > found["scores"]["PCA"]["5-NN accuracy"]["mean"] + 0.2
    assert found["scores"]["Map"]["trustworthiness"]["mean"] > found["scores"]["PCA"]["trustworthiness"]["mean"]
    assert not Path("again.html").exists()

    other = run("map", "digits", "-m", "map.safetensors", "--set", "n_neighbors=5", "-o", "other.html")
    assert other.code == 2
    assert "map: --set n_neighbors=5 goes with learning a map, and the file given with --model has one" in other.err


def test_a_map_that_was_saved_serves_encode_and_verify(run: Run, table_file: Path) -> None:
    ran = run("map", table_file, *QUICK, "--save", "map.safetensors", "--seed", "3")
    assert ran.code == 0, ran.err
    assert run("verify", "map.safetensors").code == 0
    for name, read in (("z.npy", np.load), ("z.csv", pd.read_csv), ("z.parquet", pd.read_parquet)):
        assert run("encode", table_file, "-m", "map.safetensors", "-o", name).code == 0
        points = read(name)
        points = points if isinstance(points, np.ndarray) else points[["z0", "z1"]].to_numpy()
        np.testing.assert_allclose(points, isthmus.load("map.safetensors").transform(str(table_file)), rtol=1e-5)


def test_a_few_new_records_are_judged_among_all(run: Run) -> None:
    rng = np.random.default_rng(0)
    towns, kinds = rng.choice(["Ulm", "Bonn", "Bern"], 200), rng.choice(["old", "new"], 200)
    table = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200), "town": towns, "age": kinds})
    table.to_csv("t.csv", index=False)
    ran = run("map", "t.csv", "--save", "t.safetensors", "-o", "t.png", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    model, opened = isthmus.load("t.safetensors"), data.open("t.csv")
    _, new = data.split(opened, (0.9, 0.1))
    kept = neighbourhoods(model.plain_numbers(opened), model.transform(opened), k=15)
    assert len(new) == 20
    for name, values in (("trustworthiness", kept.trustworthiness), ("neighbours kept", kept.hit_rate)):
        assert found["scores"]["Map"][name]["mean"] == pytest.approx(values[new.rows].mean(), abs=1e-5)
        assert found["scores"]["Map"][name]["mean"] > found["scores"]["PCA"][name]["mean"]


def test_codes_of_pictures_have_their_names_beside_them(run: Run, photo_folder: Path) -> None:
    assert run("map", photo_folder, *QUICK, "--save", "map.safetensors").code == 0
    assert run("encode", photo_folder, "-m", "map.safetensors", "-o", "z.csv").code == 0
    written = pd.read_csv("z.csv")
    assert list(written.columns) == ["name", "z0", "z1"]
    assert list(written["name"]) == list(isthmus.data.open(str(photo_folder)).names)
    page = Path("map.html").read_text()
    assert "p00.png" in page
    assert "data:image/webp;base64" in page


def test_tables_are_coloured_by_columns_and_files(run: Run, table_file: Path) -> None:
    pd.DataFrame({"cluster": np.arange(100) % 3, "score": np.linspace(0, 1, 100)}).to_csv("groups.csv", index=False)
    ran = run("map", table_file, *QUICK, "--colour", "city,groups.csv")
    assert ran.code == 0, ran.err
    page = Path("map.html").read_text()
    for name in ("city", "cluster", "score"):
        assert f">{name}</option>" in page
    assert ">age</option>" not in page
    np.save("labels.npy", np.arange(100) % 2)
    assert run("map", table_file, *QUICK, "--colour", "labels.npy", "--force").code == 0
    assert run("map", table_file, *QUICK, "-o", "plain.html").code == 0
    for name in ("age", "income", "city"):
        assert f">{name}</option>" in Path("plain.html").read_text()


def test_a_map_of_other_records_is_judged_as_new(run: Run, table_file: Path) -> None:
    assert run("map", table_file, *QUICK, "--save", "map.safetensors", "--test", "0").code == 0
    same = json.loads(run("map", table_file, "-m", "map.safetensors", "-o", "a.svg", "--json").out)
    assert same["new"] == 0
    rows = Path(table_file).read_text().splitlines()
    Path("some.csv").write_text("\n".join(rows[:31]))
    other = json.loads(run("map", "some.csv", "-m", "map.safetensors", "-o", "b.svg", "--json").out)
    assert other["new"] == 30


def test_texts_and_few_records_have_a_map(run: Run) -> None:
    Path("lines.txt").write_text("\n".join(["a narrow strip of land", "between two seas", "a code"] * 4))
    ran = run("map", "lines.txt", *QUICK)
    assert ran.code == 0, ran.err
    assert "a narrow strip of land" in Path("map.html").read_text()
    np.save("two.npy", np.array([[0.0, 1.0], [2.0, 3.0]]))
    ran = run("map", "two.npy", *QUICK, "--force")
    assert ran.code == 0, ran.err
    assert "too few records to judge a map by" in ran.out


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (("-o", "map.csv"), 2, "--output must end in .html, .png, .svg, .pdf; it is 'map.csv'."),
        (("--colour", "town"), 2, "'town' is neither (its columns are 'age', 'income', 'city')."),
        (("--colour", "short.csv"), 2, "--colour: short.csv must have one row a record; it has 3, and there are 100"),
        (("--colour", "ids.csv"), 2, "--colour: 'ids.csv' has too many different texts to tell apart"),
        (("--set", "neighbours=3"), 2, "Map has no parameter 'neighbours'"),
        (("--set", "n_neighbors"), 2, "--set must be KEY=VALUE"),
        (("--set", "n_neighbors=1"), 2, "Map: n_neighbors must be a whole number of at least 2; it is 1."),
        (("--test", "1"), 2, "--test must be a number of at least 0 and below 1"),
        (("-m", "missing.safetensors"), 3, "There is no model file missing.safetensors."),
    ],
)
def test_wrong_flags_get_a_sentence(
    run: Run, table_file: Path, flags: tuple[str, ...], code: int, sentence: str
) -> None:
    pd.DataFrame({"cluster": [0, 1, 2]}).to_csv("short.csv", index=False)
    pd.DataFrame({"id": [f"row {i}" for i in range(100)]}).to_csv("ids.csv", index=False)
    ran = run("map", table_file, *flags)
    assert sentence in ran.err
    assert ran.code == code
    assert "Traceback" not in ran.err


def test_models_of_pictures_of_several_sizes_are_refused(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Path("sizes").mkdir()
    for index in range(24):
        size = (10 + index % 3, 12)
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(f"sizes/{index}.png")
    ran = run("map", "sizes", *QUICK)
    assert ran.code == 3
    assert "sizes=" in ran.err
    small = ("--max-epochs", "1", "--latent-dim", "2", "--hidden", "4", "-q")
    assert run("fit", "sizes", "--sizes", "group", "-o", "model.safetensors", *small).code == 0
    ran = run("map", "sizes", "-m", "model.safetensors", *QUICK)
    assert ran.code == 2
    assert "the codes of this Autoencoder are as large as its pictures, which differ" in ran.err


def test_what_exists_is_not_overwritten(run: Run, table_file: Path) -> None:
    Path("map.png").write_text("mine")
    ran = run("map", table_file, *QUICK)
    assert ran.code == 2
    assert "'map.png' exists already" in ran.err
    assert not Path("map.html").exists()
    assert Path("map.png").read_text() == "mine"

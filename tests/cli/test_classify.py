"""classify: learn classes, and tell those of new records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
from PIL import Image

import isthmus

from .conftest import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two numbers and a town, in two kinds of which a third is not known."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("birds")
    lines = ["size,weight,town,kind"]
    for index in range(240):
        crow = index % 2
        size = 10 + 30 * crow + rng.normal()
        kind = "" if index % 3 == 0 else ("wren", "crow")[crow]
        lines.append(f"{size:.2f},{size**2 / 3:.1f},{('Ulm', 'Bonn')[rng.integers(2)]},{kind}")
    (path / "birds.csv").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def birds(folder: Path, run: Run) -> Path:
    """Learn the birds once, in a folder that all tests share."""
    if not (folder / "birds.safetensors").exists():
        ran = run("classify", "fit", folder / "birds.csv", "--labels", "kind", "--save", folder / "birds.safetensors")
        assert ran.code == 0, ran.err
        assert "because on labels that it has not learned from its log loss is" in ran.err
        assert "accuracy 1.0000" in ran.out
        assert "class  precision  recall     f1  records  most often taken for" in ran.out
    return folder / "birds.safetensors"


@pytest.mark.long
def test_predict_writes_classes_and_probabilities(run: Run, birds: Path, folder: Path) -> None:
    ran = run("classify", "predict", folder / "birds.csv", "-m", birds, "-o", "classes.csv", "--json")
    assert ran.code == 0
    table = pyarrow.csv.read_csv("classes.csv")
    assert table.column_names == ["class", "probability", "p(crow)", "p(wren)"]
    classes = table.column("class").to_pylist()
    assert classes[1::2] == ["crow"] * 120
    assert classes[::2] == ["wren"] * 120
    found = json.loads(ran.out)
    assert found["counts"] == {"crow": 120, "wren": 120}
    assert found["scores"]["n"] == 160
    assert found["scores"]["accuracy"]["mean"] == 1
    chances = isthmus.load(birds).predict_proba(isthmus.data.open(folder / "birds.csv"))
    assert np.allclose(np.stack([table.column("p(crow)"), table.column("p(wren)")], 1), chances)


def test_predict_writes_an_array_of_classes(run: Run, birds: Path, folder: Path) -> None:
    assert run("classify", "predict", folder / "birds.csv", "-m", birds, "-o", "classes.npy").code == 0
    assert np.load("classes.npy").tolist()[:2] == ["wren", "crow"]


def test_columns_in_another_order_are_put_right_and_a_lost_one_is_named(run: Run, birds: Path, folder: Path) -> None:
    table = pyarrow.csv.read_csv(folder / "birds.csv")
    pyarrow.csv.write_csv(table.select(["town", "size", "weight"]), "reordered.csv")
    ran = run("classify", "predict", "reordered.csv", "-m", birds, "-o", "classes.npy")
    assert ran.code == 0
    assert "note: put the columns in the order of the fit" in ran.err
    assert np.load("classes.npy").tolist() == ["wren", "crow"] * 120
    pyarrow.csv.write_csv(table.select(["town", "size"]), "lost.csv")
    ran = run("classify", "predict", "lost.csv", "-m", birds)
    assert ran.code == 3
    assert "lost.csv: there is no column 'weight', which the model was fitted on; add it, or fit" in ran.err


def test_a_model_of_ones_own_and_pictures(run: Run, model_file: Path) -> None:
    ran = run("classify", "fit", "digits", "-m", model_file, "--pictures", "pictures", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["method"] == "spreading"
    assert found["scores"]["n"] == 180
    assert min(row["row"] for row in found["scores"]["doubtful"]) >= 0
    assert max(row["row"] for row in found["scores"]["doubtful"]) > 180  # rows of the source
    assert sorted(path.name for path in Path("pictures").iterdir()) == [
        "calibration.png",
        "confusion.png",
        "doubtful.png",
    ]
    with Image.open("pictures/doubtful.png") as picture:
        assert min(picture.size) > 300
    assert isthmus.load("classifier.safetensors").model_.latent_dim == 4
    ran = run("classify", "fit", "digits", "-m", model_file)
    assert ran.code == 2
    assert "'classifier.safetensors' exists already; give another name" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("classify", "learn", "digits"), 2, "the first argument must be one of 'fit', 'predict'; it is 'learn'"),
        (("classify", "fit", "{birds}"), 2, "classify fit requires y to be passed, but the target y is None"),
        (("classify", "fit", "digits", "--method", "prob"), 2, "it is 'prob'; did you mean 'probe'?"),
        (("classify", "predict", "digits"), 3, "There is no model file classifier.safetensors"),
        (
            ("classify", "predict", "digits", "-m", "{model}"),
            4,
            "holds a Autoencoder, not a Classifier; learn one with",
        ),
        (("classify", "fit", "{birds}", "--labels", "size"), 3, "Unknown label type: continuous"),
        (
            ("classify", "predict", "{birds}", "-m", "{classes}", "-o", "classes.txt"),
            2,
            "--output must end in .npy, .csv",
        ),
        (("classify", "fit", "{same}", "--labels", "kind"), 3, "all labels are of one class, 'wren'"),
    ],
)
def test_wrong_input(run: Run, birds: Path, folder: Path, model_file: Path, arguments, code, sentence) -> None:
    Path("same.csv").write_text("size,kind\n" + "\n".join(f"{i},wren" for i in range(40)) + "\n")
    names = {"birds": folder / "birds.csv", "model": model_file, "classes": birds, "same": "same.csv"}
    ran = run(*(str(argument).format(**names) for argument in arguments))
    assert sentence in ran.err
    assert ran.code == code

"""sample, interpolate, traverse, augment: files come out as the flags say, and wrong flags get one sentence."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image


def test_sample_writes_arrays_folders_and_one_picture(run, model_file, tmp_path):
    for output in ("new.npy", "new.png", "folder"):
        ran = run("sample", "-m", model_file, "--n", 10, "--seed", 3, "-o", output)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"{output}: 10 new records\n"
    drawn = np.load(tmp_path / "new.npy")
    assert (drawn.shape, drawn.dtype) == ((10, 8, 8), np.uint8)
    assert len(list((tmp_path / "folder").iterdir())) == 10
    with Image.open(tmp_path / "new.png") as sheet:  # four in a row, seven times as large, with gaps
        assert sheet.size == (4 * 60 + 4, 3 * 60 + 4)
        corner = np.asarray(sheet)[4 : 4 + 56 : 7, 4 : 4 + 56 : 7]
    np.testing.assert_allclose(corner, np.round(drawn[0] * (255 / drawn.max())), atol=1)


def test_interpolate_and_traverse(run, model_file, tmp_path):
    assert run("interpolate", "digits", "-m", model_file, "--rows", "3,5", "--steps", 7, "-o", "i.npy").code == 0
    assert np.load(tmp_path / "i.npy").shape == (7, 8, 8)
    assert run("interpolate", "digits", "-m", model_file, "--steps", 7, "-o", "i.gif").code == 0
    with Image.open(tmp_path / "i.gif") as animation:
        assert animation.n_frames == 12  # there and back
    ran = run("traverse", "digits", "-m", model_file, "--units", 2, "--steps", 5, "-o", "t.npy")
    assert ran.code == 0
    assert np.load(tmp_path / "t.npy").shape == (10, 8, 8)


def test_augment_arrays_and_folders_with_classes(run, model_file, tmp_path):
    assert run("augment", "digits", "-m", model_file, "--n", 2, "-o", "more.npy").code == 0
    assert len(np.load(tmp_path / "more.npy")) == 1797 + 20
    assert np.load(tmp_path / "more-labels.npy")[-2:].tolist() == [9, 9]
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for i in range(4):
            picture = np.random.default_rng(i).integers(0, 17, (8, 8), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "pets" / label / f"{i}.png")
    assert run("augment", "pets", "-m", model_file, "--n", 3, "-o", "more").code == 0
    names = sorted(path.relative_to(tmp_path / "more").as_posix() for path in (tmp_path / "more").rglob("*.png"))
    assert len(names) == 8 + 6
    assert sum(name.startswith("cat/new-") for name in names) == 3


def test_augment_a_table_with_labels_and_provenance(run, tmp_path):
    rng = np.random.default_rng(0)
    ages = zip("AB" * 40, rng.normal(40, 9, 80), strict=True)
    lines = [f"{town},{age:.1f},{'yes' if age > 40 else 'no'}" for town, age in ages]
    (tmp_path / "t.csv").write_text("\n".join(["town,age,class", *lines]) + "\n")
    assert (
        run("fit", "t.csv", "--labels", "class", "--model", "vae", "--max-epochs", 2, "-o", "m.safetensors").code == 0
    )
    flags = ("--labels", "class", "-m", "m.safetensors", "--n", 3, "--provenance", "new")
    ran = run("augment", "t.csv", *flags, "-o", "more.csv")
    assert ran.code == 0
    with (tmp_path / "more.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["town", "age", "class", "new"]
    assert [row["new"] for row in rows] == ["0"] * 80 + ["1"] * 6
    assert [row["class"] for row in rows[-6:]] == ["no"] * 3 + ["yes"] * 3
    assert {row["town"] for row in rows} == {"A", "B"}


def test_classes_are_drawn_by_the_word_that_names_them(run, tmp_path):
    fit = ("fit", "digits", "--model", "conditional-vae", "--max-epochs", 1, "--latent-dim", 2, "-o", "c.safetensors")
    assert run(*fit).code == 0
    assert run("sample", "-m", "c.safetensors", "--label", 7, "--n", 3, "-o", "sevens.npy").code == 0
    ran = run("sample", "-m", "c.safetensors", "--label", "seven", "--n", 3, "-o", "z.npy")
    assert ran.code == 2
    assert ran.err == "isthmus: ConditionalVAE knows no class 'seven'; its classes are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sample", "--n", 0), "Autoencoder: n must be a whole number of at least 1; it is 0."),
        (
            ("sample", "--label", 3),
            "Autoencoder learned no classes, so y must be left out; ConditionalVAE and ConditionalGAN learn them.",
        ),
        (("interpolate", "digits", "--rows", "0"), "rows must be 2 numbers from 0 to 1796 with a comma between"),
        (("interpolate", "digits", "--rows", "0,x"), "rows must be 2 numbers from 0 to 1796 with a comma between"),
        (("augment", "digits", "--n", 1, "--provenance", "new"), "provenance names a column, and only tables have"),
    ],
)
def test_wrong_flags(run, model_file, tmp_path, arguments, sentence):
    ran = run(*arguments, "-m", model_file, "-o", "z.npy")
    assert ran.code == 2
    assert sentence in ran.err
    assert not (tmp_path / "z.npy").exists()

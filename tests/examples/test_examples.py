"""Every script in examples/ runs as it is typed, prints its figures, writes its picture, and shows what it claims.

Scripts are found, not named: a new one is run here without being told of. What is claimed of single ones stands in
CLAIMS.
"""

from __future__ import annotations

import math
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import csv

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = {path.stem: path for path in sorted(EXAMPLES.glob("*.py")) if path.stem != "common"}
EPOCHS = 6
TABLES = {"census"}  # all others learn from pictures
TEXTS = {"text_compression"}

Table = dict[str, list[float]]


def read_tables(printed: str) -> Table:
    """Return the rows of all tables by their names: the lines after a rule of dashes, up to an empty one."""
    rows: Table = {}
    for body in re.findall(r"^-+\n(.*?)\n\n", printed, re.MULTILINE | re.DOTALL):
        for line in body.splitlines():
            name, *cells = re.split(r"  +", line.strip())
            figures = (cell.partition(" ± ")[0].removesuffix(" %").replace(",", "") for cell in cells)
            rows[name] = [float(figure) for figure in figures]
    return rows


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the network whose features samples are compared by is kept for all scripts."""
    return tmp_path_factory.mktemp("cache")


def run(
    name: str, folder: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run a script in this process and return what it printed."""
    known = ["--data", "made" if name in TABLES else "digits", "--epochs", str(EPOCHS)]
    monkeypatch.setenv("ISTHMUS_CACHE", str(cache))
    options = [] if name in TEXTS else known
    monkeypatch.setattr(sys, "argv", [name, *options, "--output", str(folder / "pictures")])
    monkeypatch.syspath_prepend(EXAMPLES)
    capsys.readouterr()
    try:
        runpy.run_path(str(SCRIPTS[name]), run_name="__main__")
    finally:
        sys.modules.pop("common", None)  # a name so common must not stay for other tests
    return capsys.readouterr().out


def squared_error_claim(rows: Table) -> None:
    assert rows["linear code, Muon"][0] < rows["linear code, Adam"][0] < rows["ReLU code, Adam"][0]
    assert rows["ReLU code, Adam"][2] < rows["linear code, Adam"][2] == rows["linear code, Muon"][2]


def cross_entropy_claim(rows: Table) -> None:
    assert rows["cross-entropy"][0] < 0.3 * rows["mean picture"][0]
    assert rows["PCA, 16 numbers"][0] <= 1.02 * rows["squared error"][0]


def deep_claim(rows: Table) -> None:
    assert rows["64-128-64-16"][0] < rows["64-16"][0] < 0.3 * rows["mean picture"][0]


def own_modules_claim(rows: Table) -> None:
    assert rows["trained and kept"][0] < rows["mean picture"][0] < rows["new at each call"][0]
    assert rows["wider, trained"][0] < rows["trained and kept"][0]
    assert rows["PCA, 16 numbers"][0] <= 1.02 * rows["trained and kept"][0]


def noise_claim(rows: Table) -> None:
    share = {name: row[4] for name, row in rows.items()}
    assert share["100 pictures of noise"] > 95
    assert 95 < share["10,000 pictures of noise"] < 102
    assert share["digits, 1,438 pictures"] < 40
    trained_on, held_out, pca, mean = rows["10,000 pictures of noise"][:4]
    assert mean == pytest.approx(28 * 28 / 12, rel=0.01)
    assert trained_on > 0.9 * mean
    assert held_out > 0.99 * pca


def convolutional_claim(rows: Table) -> None:
    assert rows["row by row"][0] < 0.1 * rows["convolutional"][0]
    assert rows["row by row"][2] == 64 > rows["convolutional"][2] == rows["dense"][2] == 16
    assert rows["convolutional"][0] < 0.3 * rows["mean picture"][0]


def denoising_claim(rows: Table) -> None:
    assert rows["denoising autoencoder"][0] < min(rows["plain autoencoder"][0], rows["PCA, 16 numbers"][0])
    assert rows["denoising autoencoder"][0] < rows["mean picture"][0] < rows["spoilt picture"][0]


def pca_claim(rows: Table) -> None:
    for mean, pca, linear, deep in rows.values():
        assert max(linear, deep) < mean
        assert pca <= 1.02 * linear  # nothing linear passes PCA, but for the luck of the held-out pictures
    assert rows["2 numbers"][3] < rows["2 numbers"][1]


# Six epochs are few for what draws: claimed is what shows at once, and not who draws best in the end.


def variational_claim(rows: Table) -> None:
    plain, printed, own = (rows[name] for name in ("autoencoder, mixture", "no KL, as printed", "VAE"))
    assert max(own[0], plain[0]) < printed[0]  # Frechet distances
    assert printed[3] < own[3]  # squared error: precision is what a code that can be drawn costs
    assert own[4] > printed[4]  # bounds on log p(x)


def gan_claim(rows: Table) -> None:
    for loss, no_difference in (("minimax", 2 * math.log(2)), ("relativistic", math.log(2))):
        assert rows["held-out pictures"][0] < rows[loss][0]
        assert rows[loss][3] < no_difference  # so soon, the critic is ahead


def conditional_gan_claim(rows: Table) -> None:
    seen, held_out = rows["all classes"]
    assert 20 < seen < held_out  # by chance it were 10 %
    assert held_out > 90


def vector_quantised_claim(rows: Table) -> None:
    alone, expected = rows["4 indices below 256"], rows["the same, as the prior expects them"]
    assert alone[0] == 32 > expected[0]
    assert rows["and every pixel exactly"][0] < 0.7 * rows["pixels, packed tightly"][0]
    assert rows["indices from the prior"][0] < rows["all indices alike"][0]


def census_claim(rows: Table) -> None:
    shuffled, drawn = rows["columns shuffled"], rows["VAE"]
    assert shuffled[0] == 1 > drawn[0] > 0.9  # each column
    assert shuffled[2] < 0.6 < 0.8 < rows["held-out rows"][2]  # what they are of use for
    assert shuffled[2] < drawn[2] < rows["held-out rows"][2]


def image_clustering_claim(rows: Table) -> None:
    best = rows["graph of codes of outlines"]
    for name in ("k-means of pixels", "k-means of codes, as printed", "mixture of Gaussians of codes"):
        assert all(ours > theirs for ours, theirs in zip(best, rows[name], strict=True))
    assert best[0] > 90


def image_compression_claim(rows: Table) -> None:
    size, _, quality = rows["model, refined"]
    for form in ("JPEG", "WebP"):
        of_format = [figures for name, figures in rows.items() if name.startswith(form)]
        assert min(its[0] for its in of_format if its[2] >= quality) > 2.5 * size
        assert max(its[2] for its in of_format) > max(its[2] for name, its in rows.items() if "model" in name) + 10


def text_claim(rows: Table) -> None:
    sizes = [rows[name][0] for name in ("isthmus", "isthmus, fast", "bzip2", "xz -9e", "gzip -9", "single characters")]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.85 * sizes[2]


CLAIMS: dict[str, Callable[[Table], None]] = {
    "census": census_claim,
    "conditional_gan": conditional_gan_claim,
    "convolutional": convolutional_claim,
    "deep": deep_claim,
    "denoising": denoising_claim,
    "dense_cross_entropy": cross_entropy_claim,
    "dense_squared_error": squared_error_claim,
    "gan": gan_claim,
    "image_clustering": image_clustering_claim,
    "image_compression": image_compression_claim,
    "noise_control": noise_claim,
    "own_modules": own_modules_claim,
    "pca_against_autoencoder": pca_claim,
    "text_compression": text_claim,
    "variational": variational_claim,
    "vector_quantised": vector_quantised_claim,
}


def test_there_are_examples_and_every_claim_has_one() -> None:
    assert len(SCRIPTS) >= 13
    assert set(CLAIMS) <= set(SCRIPTS)


@pytest.mark.long
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_prints_its_figures_and_writes_its_picture(
    name: str, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = run(name, tmp_path, cache, capsys, monkeypatch)
    if name in TABLES:
        assert "made: 1,600 rows to learn from, 400 held out, 7 columns" in printed
        read = csv.read_csv(tmp_path / "pictures" / f"{name}.csv")
        assert read.num_rows == 1600
        assert read.num_columns == 7
    elif name not in TEXTS:
        assert "digits: 1,438 pictures to learn from, 359 held out, 8 x 8 pixels" in printed
    rows = read_tables(printed)
    assert len(rows) >= 3
    assert all(math.isfinite(figure) for row in rows.values() for figure in row)
    with Image.open(tmp_path / "pictures" / f"{name}.png") as picture:
        assert min(picture.size) > 300
        assert np.ptp(np.asarray(picture.convert("L"))) > 200
    CLAIMS.get(name, lambda rows: None)(rows)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_says_what_it_shows_and_what_to_type(name: str) -> None:
    text = SCRIPTS[name].read_text(encoding="utf-8")
    assert f"python examples/{name}.py" in text
    assert "Corrects" in text
    assert f"`{name}.py`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_an_example_runs_from_anywhere_and_takes_digits_where_mnist_is_not_at_hand(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", SCRIPTS["deep"], "--epochs", "1", "--output", tmp_path / "new" / "folder"],
        cwd=tmp_path,
        env=os.environ | {"ISTHMUS_DATA": "", "ISTHMUS_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "the set 'mnist' is not on this machine" in result.stdout
    assert "Going on with digits." in result.stdout
    assert (tmp_path / "new" / "folder" / "deep.png").exists()


def test_a_set_that_is_asked_for_and_absent_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.errors import UnavailableError

    monkeypatch.setenv("ISTHMUS_DATA", "")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    monkeypatch.syspath_prepend(EXAMPLES)
    common = runpy.run_path(str(EXAMPLES / "common.py"))
    with pytest.raises(UnavailableError, match="the set 'mnist' is not on this machine"):
        common["pictures"]("mnist")

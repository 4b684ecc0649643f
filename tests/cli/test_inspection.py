"""inspect, info, verify, models, demo."""

from __future__ import annotations

import hashlib
import inspect
import json
import lzma
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import isthmus
from isthmus import artifact

from .conftest import Run

ROOT = Path(__file__).resolve().parents[2]


def test_inspect_prints_what_it_found(run: Run, table_file: Path) -> None:
    ran = run("inspect", table_file)
    assert ran.code == 0
    assert ran.err == ""
    for word in ("table", "100", "age", "income", "city", "category"):
        assert word in ran.out
    assert json.loads(run("inspect", table_file, "--json").out)["n"] == 100


def test_info_explains_a_file(run: Run, model_file: Path) -> None:
    ran = run("info", model_file)
    for word in (
        "Autoencoder",
        "format 1",
        "image, 8 x 8, uint8",
        "1,617 records of digits",
        "command: isthmus fit digits",
    ):
        assert word in ran.out
    assert json.loads(run("info", model_file, "--json").out)["class"] == "Autoencoder"


def test_verify_passes_a_good_file(run: Run, model_file: Path) -> None:
    ran = run("verify", model_file)
    assert ran.code == 0
    assert "every bit is as it was written" in ran.out
    assert "the same as when it was fitted, bit for bit" in ran.out


def test_verify_fails_a_model_that_computes_something_else(run: Run, model_file: Path) -> None:
    document, arrays = artifact.read(model_file)
    name = next(name for name in arrays if name.startswith("module.decoder") and arrays[name].ndim == 2)
    arrays[name] = arrays[name] + 0.1
    artifact.write("other.safetensors", "Autoencoder", document, arrays)
    ran = run("verify", "other.safetensors")
    assert ran.code == 1
    assert ran.out.endswith("other.safetensors: NOT ok\n")


def test_verify_refuses_an_altered_file(run: Run, model_file: Path) -> None:
    content = bytearray(model_file.read_bytes())
    content[-3] ^= 1
    Path("altered.safetensors").write_bytes(content)
    ran = run("verify", "altered.safetensors")
    assert ran.code == 4
    assert ran.err == (
        "isthmus: altered.safetensors is damaged or cut short (its arrays do not match their checksum); "
        "copy or download it again.\n"
    )


def test_models_lists_names_that_fit_takes(run: Run) -> None:
    ran = run("models")
    assert "denoising-autoencoder   Autoencoder that restores corrupted records" in ran.out
    one = run("models", "denoising-autoencoder")
    assert "  corruption      gaussian|" in one.out
    assert "  latent_dim      N\n" in one.out
    ran = run("models", "denoisingautoencoder")
    assert ran.code == 2
    assert "did you mean 'denoising-autoencoder'?" in ran.err


def wording(text: str) -> str:
    """Return a text without its figures, the digest of a network, and how it is laid out in lines."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "DIGEST", text)
    return " ".join(re.sub(r"─+", "─", re.sub(r"-?\d[\d,]*(\.\d+)?", "0", text)).split())


def test_demo_beats_pca_and_says_what_to_type_next(run: Run) -> None:
    started = time.process_time()
    ran = run("demo")
    assert ran.code == 0
    assert "lower than that of PCA" in ran.out
    assert "isthmus-demo/report.html" in ran.out
    assert "isthmus fit YOUR-DATA" in ran.out
    assert sorted(path.name for path in Path("isthmus-demo").iterdir()) == [
        "clusters.png",
        "digits.csv",
        "digits.csv.isth",
        "map.html",
        "model.safetensors",
        "outliers.png",
        "report.html",
        "report.json",
        "restored.html",
        "samples.png",
    ]
    assert "isthmus-demo/samples.png" in ran.out
    page = (ROOT / "docs/getting-started.md").read_text()
    shown = page.partition("The demo prints:\n\n```text\n")[2].partition("```")[0]
    assert wording(shown) == wording(ran.out.partition("\nopen ")[0])
    with Image.open("isthmus-demo/samples.png") as picture:
        assert min(picture.size) > 300
        assert np.ptp(np.asarray(picture.convert("L"))) > 200
    figures = {
        line.split("  ")[0]: line.split()[1:] for line in ran.out.splitlines() if line.startswith(("VAE", "GAN"))
    }
    assert all(float(coverage) > 0.7 for *_, coverage, _ in figures.values())
    assert len(figures) == 2
    uses = ran.out.partition("plain pixels:")[2].partition("Photographs")[0]
    at_work = [line.split()[-4:] for line in uses.splitlines() if "0." in line]
    assert len(at_work) == 4
    photographs = [line for line in ran.out.splitlines() if line.startswith(("china.jpg: ", "flower.jpg: "))]
    assert len(photographs) == 3
    assert Path("isthmus-demo/restored.html").read_text().count('type="range"') == 3
    assert run("verify", "isthmus-demo/model.safetensors").code == 0
    text = Path("isthmus-demo/digits.csv").read_bytes()
    compressed = Path("isthmus-demo/digits.csv.isth").read_bytes()
    assert isthmus.decompress(compressed) == text
    assert len(compressed) < 0.8 * len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    assert time.process_time() - started < 300  # of the processor, which others may keep busy; a tenth is what it takes


def test_demo_overwrites_its_own_folder_only(run: Run, model_file: Path) -> None:
    folder = Path("isthmus-demo")
    folder.mkdir()
    shutil.copy(model_file, folder / "model.safetensors")
    (folder / "thesis.txt").write_text("mine")
    ran = run("demo")
    assert ran.code == 2
    assert ran.err == (
        "isthmus: isthmus-demo holds 'thesis.txt', which no demo wrote; name another folder with -o, or write into it "
        "with --force.\n"
    )


def test_a_model_of_a_later_format_ends_with_exit_code_6(
    run: Run, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, arrays = artifact.read(model_file)
    later = tmp_path / "later.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(artifact, "FORMAT_NUMBER", artifact.FORMAT_NUMBER + 1)
        artifact.write(later, "Autoencoder", document, arrays)
    for verb in (["info", later], ["verify", later], ["encode", "digits", "-m", later, "-o", "codes.npy"]):
        ran = run(*verb)
        assert ran.code == 6
        assert f"has format {artifact.FORMAT_NUMBER + 1}, this isthmus reads up to {artifact.FORMAT_NUMBER}" in ran.err
        assert "install that or a later one" in ran.err


def test_modules_of_ones_own_are_named_with_the_digest_of_their_source(run: Run, tmp_path: Path) -> None:
    encoder, decoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), nn.Linear(3, 64)
    path = tmp_path / "own.safetensors"
    isthmus.Autoencoder(network=(encoder, decoder), max_epochs=1, random_state=0).fit("digits").save(path)
    digest = hashlib.sha256(inspect.getsource(nn.Linear).encode()).hexdigest()
    ran = run("info", path)
    assert "network=(torch.nn.modules.container.Sequential, torch.nn.modules.linear.Linear)" in ran.out
    assert f"source of torch.nn.modules.linear.Linear: SHA-256 {digest}" in ran.out
    ran = run("encode", "digits", "-m", path, "-o", "codes.npy")
    assert ran.code == 4
    assert "load it in Python, with network=(encoder, decoder)" in ran.err

"""Records by a model of their kind: targets are met, whole numbers come back, and what cannot be is refused."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

import isthmus
from isthmus import errors, metrics
from isthmus.coding.codes import opened_codes
from isthmus.coding.container import Source
from isthmus.tasks import compress_records, decompress_records, rate_distortion
from isthmus.tasks.compression import fingerprint_of
from isthmus.tasks.compression import records as records_module
from isthmus.tasks.compression.forms import form_of
from isthmus.tasks.compression.records import Records
from isthmus.tasks.compression.search import last_good

SMALL: dict[str, Any] = {"max_epochs": 12, "random_state": 0, "device": "cpu"}
DIGITS = load_digits().images.astype("uint8")
MADE = {
    "autoencoder": lambda: isthmus.Autoencoder(latent_dim=8, **SMALL),
    "vae": lambda: isthmus.VAE(latent_dim=8, **SMALL),
    "ladder": lambda: isthmus.LadderVAE(latent_dim=6, **SMALL),
    "conditional": lambda: isthmus.ConditionalVAE(latent_dim=6, **SMALL),
    "convolutional": lambda: isthmus.Autoencoder(latent_dim=8, network="convolutional", **SMALL),
    "vq": lambda: isthmus.VQVAE(latent_dim=8, codebook_size=16, **SMALL),
    "residual": lambda: isthmus.VQVAE(latent_dim=8, quantisation="residual", codebook_size=8, **SMALL),
    "scalar": lambda: isthmus.VQVAE(latent_dim=8, quantisation="scalar", fsq_levels=(5, 3, 3, 3), **SMALL),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {}


def model_named(name: str, fitted: dict[str, Any]) -> Any:
    if name not in fitted:
        fitted[name] = MADE[name]().fit(DIGITS[:300], load_digits().target[:300])
    return fitted[name]


def pooled_psnr(X: Any, back: Any, peak: float = 255.0) -> float:
    error = float(metrics.squared_error(X, back).sum()) / np.asarray(X).size
    return float(10 * np.log10(peak**2 / error))


def numbers_in(path: Path) -> list[np.ndarray]:
    coded = opened_codes(Source(io.BytesIO(path.read_bytes()), path.name))
    assert coded is not None
    return [part for batch in coded.batches() for part in batch.values]


# ------------------------------------------------------------------ what is promised


@pytest.mark.long
@pytest.mark.parametrize("name", MADE)
def test_records_come_back_as_the_model_decodes_the_whole_numbers(
    name: str, fitted: dict[str, Any], tmp_path: Path
) -> None:
    model = model_named(name, fitted)
    path = tmp_path / "x.isth"
    made = compress_records(model, DIGITS[:60], path, size=100_000)
    records = Records(model, model.opened(DIGITS[:60]))
    coded = opened_codes(Source(io.BytesIO(path.read_bytes()), "x"))
    assert coded is not None
    wanted = records.values(coded.described.lattice)
    assert all((a == b).all() for a, b in zip(numbers_in(path), wanted, strict=True))
    back = decompress_records(model, path)
    assert (back.shape, back.dtype) == ((60, 8, 8), np.uint8)
    assert made.compressed_bytes == path.stat().st_size
    assert made.psnr == pytest.approx(pooled_psnr(DIGITS[:60], back), abs=0.01)
    assert made.bpp == pytest.approx(8 * path.stat().st_size / (60 * 64))


@pytest.mark.parametrize("name", ["autoencoder", "vae", "ladder", "convolutional"])
def test_with_room_they_are_what_the_model_reconstructs(name: str, fitted: dict[str, Any], tmp_path: Path) -> None:
    model = model_named(name, fitted)
    made = compress_records(model, DIGITS[:200], tmp_path / "x.isth", size=10**6)
    assert made.psnr == pytest.approx(pooled_psnr(DIGITS[:200], model.reconstruct(DIGITS[:200])), abs=0.05)


@pytest.mark.long
@pytest.mark.parametrize("name", ["autoencoder", "vae", "ladder"])
def test_targets_are_met(name: str, fitted: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_named(name, fitted), tmp_path / "x.isth"
    curve = rate_distortion(model, DIGITS)
    middle = (curve[0].psnr + curve[-1].psnr) / 2
    made = compress_records(model, DIGITS, path, psnr=middle)
    assert middle <= pooled_psnr(DIGITS, decompress_records(model, path)) + 0.005
    assert made.psnr <= middle + 0.03
    wanted = (curve[1].compressed_bytes + curve[2].compressed_bytes) // 2
    compress_records(model, DIGITS, path, size=wanted, force=True)
    assert 0.99 * wanted - 8 <= path.stat().st_size <= wanted
    compress_records(model, DIGITS, path, bpp=8 * wanted / DIGITS.size, force=True)
    assert 0.99 * wanted - 8 <= path.stat().st_size <= wanted


def test_coarser_steps_take_less_and_lose_more(fitted: dict[str, Any]) -> None:
    curve = rate_distortion(model_named("vae", fitted), DIGITS)
    sizes, psnr = [one.compressed_bytes for one in curve], [one.psnr for one in curve]
    assert sizes == sorted(sizes, reverse=True)
    assert all(after < before + 0.05 for before, after in pairwise(psnr))
    assert psnr[-1] < psnr[0] - 0.5


def test_whole_numbers_take_no_more_than_gaussians_of_their_spread(fitted: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_named("vae", fitted), tmp_path / "x.isth"
    compress_records(model, DIGITS, path, psnr=rate_distortion(model, DIGITS)[2].psnr)
    values = np.concatenate(numbers_in(path))[:, :, 0, 0].astype(float)
    gaussian = (0.5 * np.log2(2 * np.pi * np.e * (values.var(0) + 1 / 12))).sum() * len(values) / 8
    assert path.stat().st_size < 1.03 * gaussian + 200


def test_steps_are_wide_where_the_decoder_hardly_looks(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    there, back = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    own = {"network": (there, back), "latent_dim": 4, "likelihood": "gaussian-fixed", "scaling": "none"}
    model = isthmus.Autoencoder(**own, **{**SMALL, "max_epochs": 1}).fit(X)
    for linear, last in zip(_linear(model.module_), (16.0, 1 / 16), strict=True):
        linear.weight.data = torch.diag(torch.tensor([1.0, 1.0, 1.0, last]))
    records = Records(model, model.opened(X))
    steps = records.lattices.at(0).steps
    assert np.allclose(steps[3] / steps[:3], 16, rtol=0.1)


def _linear(module: nn.Module) -> list[nn.Linear]:
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_effort_pays(name: str, fitted: dict[str, Any], tmp_path: Path) -> None:
    model = model_named(name, fitted)
    wanted = rate_distortion(model, DIGITS)[2]
    plain = compress_records(model, DIGITS, tmp_path / "a.isth", psnr=wanted.psnr)
    made = compress_records(model, DIGITS, tmp_path / "b.isth", psnr=wanted.psnr, effort=20)
    assert made.compressed_bytes < plain.compressed_bytes
    assert pooled_psnr(DIGITS, decompress_records(model, tmp_path / "b.isth")) >= wanted.psnr - 0.005


@pytest.mark.parametrize("name", ["vae", "vq"])
def test_pieces_and_blocks_change_nothing_but_the_size(
    name: str, fitted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_named(name, fitted)
    whole = compress_records(model, DIGITS[:100], tmp_path / "a", size=10**6, effort=3)
    monkeypatch.setattr(records_module, "PIECE", 8 * 15)
    monkeypatch.setattr(records_module, "BLOCK", 64 * 7)
    cut = compress_records(model, DIGITS[:100], tmp_path / "b", size=10**6, effort=3)
    assert cut.compressed_bytes > whole.compressed_bytes
    assert cut.psnr == pytest.approx(whole.psnr, abs=0.1)
    assert len(numbers_in(tmp_path / "b")) > 4
    assert decompress_records(model, tmp_path / "b").shape == (100, 8, 8)


def test_the_same_file_each_time(fitted: dict[str, Any], tmp_path: Path) -> None:
    model = model_named("vae", fitted)
    for name in "ab":
        compress_records(model, DIGITS[:100], tmp_path / name, bpp=0.5, effort=5)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_saved_model_is_the_model(fitted: dict[str, Any], tmp_path: Path) -> None:
    model = model_named("convolutional", fitted)
    model.save(tmp_path / "m.safetensors")
    compress_records(model, DIGITS[:50], tmp_path / "x.isth", bpp=1)
    again = isthmus.load(tmp_path / "m.safetensors")
    assert fingerprint_of(again) == fingerprint_of(model)
    assert (decompress_records(again, tmp_path / "x.isth") == decompress_records(model, tmp_path / "x.isth")).all()


# ------------------------------------------------------------------ other records


def test_rows_of_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(500, 3)) @ rng.normal(size=(3, 10)) * 7 + 100).astype(np.float64)
    model = isthmus.Autoencoder(latent_dim=3, hidden=(), **{**SMALL, "max_epochs": 60}).fit(X)
    made = compress_records(model, X, tmp_path / "x.isth", psnr=30)
    back = decompress_records(model, tmp_path / "x.isth")
    assert (back.shape, back.dtype) == (X.shape, np.float64)
    assert 30 <= pooled_psnr(X, back, float(X.max() - X.min())) + 0.01 <= 30.05
    assert made.pixels == X.size


def test_pictures_of_one_pixel(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 1, 1)).astype(np.uint8)
    model = isthmus.Autoencoder(latent_dim=1, **SMALL).fit(X)
    compress_records(model, X, tmp_path / "x.isth", size=1000)
    off = np.subtract(decompress_records(model, tmp_path / "x.isth"), model.reconstruct(X), dtype=int)
    assert np.abs(off).max() <= 1


def test_one_picture_and_pictures_that_are_all_the_same(fitted: dict[str, Any], tmp_path: Path) -> None:
    model = model_named("autoencoder", fitted)
    for X in (DIGITS[:1], np.repeat(DIGITS[:1], 20, 0), np.zeros((5, 8, 8), np.uint8)):
        compress_records(model, X, tmp_path / "x.isth", size=5000, force=True)
        assert decompress_records(model, tmp_path / "x.isth").shape == X.shape


@pytest.mark.parametrize("cls", [isthmus.Autoencoder, isthmus.VQVAE])
def test_pictures_of_several_sizes_keep_sizes_and_names(cls: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    sides = [(12, 17), (9, 8), (12, 17), (16, 16), (8, 30)] * 5
    for number, side in enumerate(sides):
        picture = np.add.outer(*(np.linspace(0, 100 + 50 * rng.random(), n) for n in side)).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"p{number:02d}.png")
    X = isthmus.data.open(folder, sizes="group")
    model = cls(latent_dim=4, **{**SMALL, "max_epochs": 2}).fit(X)
    compress_records(model, X, tmp_path / "x.isth", size=50_000)
    back = decompress_records(model, tmp_path / "x.isth")
    assert [np.shape(one)[:2] for one in back] == sides
    wanted = model.reconstruct(X)
    assert max(int(np.abs(np.subtract(a, b, dtype=int)).max()) for a, b in zip(back, wanted, strict=True)) <= 12
    coded = opened_codes(Source(io.BytesIO((tmp_path / "x.isth").read_bytes()), "x"))
    assert coded is not None
    assert [name for batch in coded.batches() for name in batch.names or ()] == [f"p{n:02d}.png" for n in range(25)]


def test_colour(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    model = isthmus.VAE(latent_dim=6, **SMALL).fit(X)
    made = compress_records(model, X, tmp_path / "x.isth", bpp=1.0)
    assert made.pixels == 60 * 64
    assert decompress_records(model, tmp_path / "x.isth").shape == X.shape


# ------------------------------------------------------------------ bad input, one by one


def test_a_target_that_no_step_reaches_names_the_nearest(fitted: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_named("autoencoder", fitted), tmp_path / "x.isth"
    with pytest.raises(
        errors.ParameterError, match=r"--psnr 90 \(psnr=\) cannot be met: this model reaches \d+\.\d dB"
    ):
        compress_records(model, DIGITS, path, psnr=90)
    with pytest.raises(errors.ParameterError, match=r"--size 20 .* the smallest file of this model takes \d+ bytes"):
        compress_records(model, DIGITS, path, size=20)
    with pytest.raises(errors.ParameterError, match=r"--bpp 1e-05 .* bits a pixel, at \d+\.\d dB; give \d+ bytes"):
        compress_records(model, DIGITS, path, bpp=1e-5)
    assert not path.exists()


def test_the_nearest_that_is_named_is_reached(fitted: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_named("vae", fitted), tmp_path / "x.isth"
    with pytest.raises(errors.ParameterError) as raised:
        compress_records(model, DIGITS, path, psnr=90)
    compress_records(model, DIGITS, path, psnr=float(str(raised.value).partition("give ")[2].partition(" or")[0]))
    with pytest.raises(errors.ParameterError) as raised:
        compress_records(model, DIGITS, path, size=1, force=True)
    least = int(str(raised.value).partition("give ")[2].partition(" bytes")[0].replace(",", ""))
    compress_records(model, DIGITS, path, size=least, force=True)


def test_a_codebook_has_one_rate(fitted: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_named("vq", fitted), tmp_path / "x.isth"
    sizes = {compress_records(model, DIGITS, path, force=True, size=10**6).compressed_bytes}
    sizes |= {compress_records(model, DIGITS, path, force=True, psnr=10).compressed_bytes}
    assert len(sizes) == 1
    with pytest.raises(errors.ParameterError, match="indices of a codebook, and have one rate"):
        compress_records(model, DIGITS, path, force=True, size=sizes.pop() - 1)


@pytest.mark.parametrize("targets", [{}, {"psnr": 30, "bpp": 1}, {"psnr": 30, "bpp": 1, "size": 5}])
def test_just_one_target(targets: dict[str, Any], fitted: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(errors.ParameterError, match="exactly one of psnr, bpp and size"):
        compress_records(model_named("vae", fitted), DIGITS, tmp_path / "x.isth", **targets)


@pytest.mark.parametrize("targets", [{"psnr": 0}, {"bpp": -1}, {"size": 0}, {"bpp": float("nan")}])
def test_targets_above_zero(targets: dict[str, Any], fitted: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(errors.ParameterError, match="compress_records: "):
        compress_records(model_named("vae", fitted), DIGITS, tmp_path / "x.isth", **targets)


def test_records_of_another_kind(fitted: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(errors.IsthmusError, match="Autoencoder is expecting 8 x 8"):
        compress_records(model_named("autoencoder", fitted), np.zeros((3, 9, 9), np.uint8), tmp_path / "x", bpp=1)


@pytest.mark.long
def test_another_model_and_another_file(fitted: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.isth"
    model, other = model_named("vae", fitted), model_named("autoencoder", fitted)
    compress_records(model, DIGITS[:20], path, bpp=1)
    mine, wrong = fingerprint_of(model).hex()[:8], fingerprint_of(other).hex()[:8]
    with pytest.raises(errors.ArtifactError, match=f"needs the model {mine}, and the one given is {wrong}"):
        decompress_records(other, path)
    path.write_bytes(isthmus.compress(b"bytes" * 50_000))
    with pytest.raises(errors.ArtifactError, match="holds no codes of a model"):
        decompress_records(model, path)


def test_no_bytes_are_made_of_codes(fitted: dict[str, Any], tmp_path: Path) -> None:
    compress_records(model_named("vae", fitted), DIGITS[:20], tmp_path / "x.isth", bpp=1)
    with pytest.raises(errors.ArtifactError, match="that model alone decodes; use isthmus decompress -m"):
        isthmus.decompress((tmp_path / "x.isth").read_bytes())


def test_models_of_texts_and_tables(tmp_path: Path) -> None:
    model = isthmus.Autoencoder(latent_dim=4, **{**SMALL, "max_epochs": 1}).fit(["some text", "and more"] * 20)
    with pytest.raises(errors.ParameterError, match="an Autoencoder of texts is no codec"):
        compress_records(model, ["some text"], tmp_path / "x", bpp=1)


def test_a_model_that_is_not_fitted(tmp_path: Path) -> None:
    with pytest.raises(errors.ParameterError, match="must be fitted"):
        compress_records(isthmus.VAE(), DIGITS, tmp_path / "x", bpp=1)


def test_nothing_is_overwritten(fitted: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.isth"
    path.write_bytes(b"mine")
    with pytest.raises(errors.OutputExistsError):
        compress_records(model_named("vae", fitted), DIGITS, path, bpp=1)
    assert path.read_bytes() == b"mine"


# ------------------------------------------------------------------ the search


@pytest.mark.parametrize("start", [-1000, 0, 337, 1000])
@pytest.mark.parametrize("where", [-1000, -3, 0, 337, 999])
def test_the_search_ends_at_the_last_good_number(start: int, where: int) -> None:
    found = last_good(lambda x: (where - x) ** 3 / 1e5, start, -1000, 1000, tolerance=0, slope=0.02)
    assert found == where


def test_the_search_says_if_there_is_none_and_if_all_are() -> None:
    assert last_good(lambda x: -1.0, 5, 0, 100, tolerance=0.1, slope=0.1) is None
    assert last_good(lambda x: 1.0, 5, 0, 100, tolerance=0.1, slope=0.1) == 100


def test_forms_undo_themselves(fitted: dict[str, Any]) -> None:
    for name in MADE:
        model = model_named(name, fitted)
        form = form_of(model)
        back = form.exactly(form.of(model.opened(DIGITS[:30])))
        assert np.allclose(back, model.transform(DIGITS[:30]), atol=1e-5), name

"""The restorer: pictures of every container in and out, what is refused, its file, and its fit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from scipy import ndimage
from sklearn.base import clone
from sklearn.datasets import load_sample_image
from sklearn.exceptions import NotFittedError

import isthmus
from isthmus import Restorer, artifact, tasks
from isthmus.errors import (
    ArtifactError,
    DataError,
    IsthmusWarning,
    OutputExistsError,
    ParameterError,
    ShapeError,
    UnavailableError,
)
from isthmus.networks.restoring import planes
from isthmus.training.restoring import new_network

SMALL: dict[str, Any] = {"start": None, "channels": (8, 8, 8), "patch": 32, "batch_size": 2, "device": "cpu"}


def made(*shape: int, seed: int = 0) -> np.ndarray:
    """Return smooth pictures from 0 to 1: (n, h, w[, c])."""
    noise = np.random.default_rng(seed).random(shape)
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 0)[: len(shape)])
    return (smooth - smooth.min()) / max(float(smooth.max() - smooth.min()), 1e-9)


def levels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.rint(made(*shape, seed=seed) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def tiny() -> Restorer:
    """Return a small restorer of random weights, which changes every picture."""
    network = new_network(0, channels=(8, 8, 8))
    with torch.no_grad():
        network.last.weight.copy_(0.2 * torch.randn(network.last.weight.shape, generator=torch.manual_seed(0)))
    arrays = {name: weights.numpy() for name, weights in network.state_dict().items()}
    return Restorer.from_state({"network": network.shape(), "provenance": {}}, arrays)


# ------------------------------------------------------------------ pictures in and out


@pytest.mark.parametrize(
    "X",
    [
        levels(2, 9, 14),
        levels(2, 9, 14, 3),
        levels(2, 9, 14, 2),
        levels(2, 9, 14, 5),
        made(2, 9, 14),
        made(2, 9, 14, 3).astype(np.float32),
        (made(2, 9, 14) * 4095).astype(np.uint16),
        (made(2, 9, 14) * 100 - 50).astype(np.int16),
        made(2, 9, 14) > 0.5,
        levels(1, 1, 1),
        levels(1, 7, 13),
        levels(1, 355, 32),
    ],
)
def test_arrays_come_back_with_their_shape_and_type(tiny: Restorer, X: np.ndarray) -> None:
    before = X.copy()
    found = tiny.denoise(X)
    assert type(found) is np.ndarray
    assert (found.shape, found.dtype) == (X.shape, X.dtype)
    assert np.array_equal(X, before)
    assert tiny.enhance(X, scale=3).shape == (len(X), 3 * X.shape[1], 3 * X.shape[2], *X.shape[3:])


def test_one_grey_picture_is_restored_as_one_of_a_stack(tiny: Restorer) -> None:
    X = made(2, 16, 20)
    assert np.array_equal(tiny.denoise(X[0]), tiny.denoise(X)[0])
    assert tiny.enhance(X[0]).shape == (32, 40)


def test_pictures_of_several_sizes_come_back_in_a_list_and_do_not_depend_on_each_other(tiny: Restorer) -> None:
    X = [levels(1, 16, 20, 3)[0], levels(1, 9, 30, 3)[0]]
    found = tiny.denoise(X)
    assert [one.shape for one in found] == [one.shape for one in X]
    assert np.array_equal(found[1], tiny.denoise(X[1:])[0])


def test_a_tensor_comes_back_as_a_tensor(tiny: Restorer) -> None:
    X = torch.from_numpy(made(2, 12, 12).astype(np.float32))
    found = tiny.deblur(X)
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.shape) == (X.dtype, X.shape)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "F", "I;16"])
def test_an_image_of_pillow_comes_back_as_one_of_its_mode(tiny: Restorer, mode: str) -> None:
    picture = Image.fromarray(levels(1, 12, 16, 3)[0])
    picture = picture.convert("L").convert(mode) if mode in ("F", "I;16") else picture.convert(mode)
    found = tiny.denoise(picture)
    assert (found.mode, found.size) == (mode, picture.size)
    assert [one.mode for one in tiny.denoise([picture, picture])] == [mode, mode]


def test_palettes_are_read_as_colours_with_a_word_about_it(tiny: Restorer) -> None:
    picture = Image.fromarray(levels(1, 12, 16, 3)[0]).convert("P")
    with pytest.warns(IsthmusWarning, match="mode P were read as RGB"):
        assert tiny.denoise(picture).mode == "RGB"


def test_files_and_folders_are_read(tiny: Restorer, tmp_path: Path) -> None:
    X = [levels(1, 16, 20, 3)[0], levels(1, 9, 30, 3)[0]]
    for number, picture in enumerate(X):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tiny.denoise(tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(found, tiny.denoise(X), strict=True))
    assert np.array_equal(tiny.denoise(tmp_path / "0.png")[0], found[0])


def test_transparency_comes_back_as_it_is(tiny: Restorer) -> None:
    X = levels(1, 12, 16, 4)
    found = tiny.denoise(X)
    assert np.array_equal(found[..., 3], X[..., 3])
    assert not np.array_equal(found[..., :3], X[..., :3])


def test_white_is_the_same_in_all_pictures_of_one_array(tiny: Restorer) -> None:
    bright, dark = (made(1, 16, 16)[0] * 4095).astype(np.uint16), (made(1, 16, 16)[0] * 200).astype(np.uint16)
    together = tiny.denoise(np.stack([bright, dark]))
    assert np.array_equal(together[1], tiny.picture(dark, limits=(0, 4095)))
    assert np.array_equal(tiny.denoise([bright, dark])[1], tiny.picture(dark))


def test_a_large_picture_is_restored_as_if_it_were_one_tile(tiny: Restorer) -> None:
    X = made(1, 48, 650)[0].astype(np.float32)
    mirrored = np.pad(X, 96, mode="symmetric")[:, : 650 + 192 - (650 + 192) % 8]
    with torch.no_grad():
        x = torch.from_numpy(mirrored).expand(1, 3, *mirrored.shape)
        whole = tiny.module_(planes(x))[0].mean(0).numpy()
    assert np.abs(tiny.denoise(X)[:, :640] - whole[96:-96, 96 : 96 + 640]).max() < 1e-5


# ------------------------------------------------------------------ missing pixels


def test_missing_numbers_are_filled_with_a_word_about_it(tiny: Restorer) -> None:
    X = made(2, 16, 20)
    X[0, 3:5, 4] = np.nan
    with pytest.warns(
        IsthmusWarning, match=r"^2 missing numbers were filled in 1 picture \(NaN and infinities count as missing\)\.$"
    ):
        found = tiny.denoise(X)
    assert np.isfinite(found).all()
    assert tiny.notes_ == ["2 missing numbers were filled in 1 picture (NaN and infinities count as missing)"]
    tiny.denoise(X[1:])
    assert tiny.notes_ == []
    assert np.isnan(X[0, 3, 4])
    filled = tiny.inpaint(X)
    assert np.array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    assert np.isfinite(tiny.inpaint([X[0], X[1, :9]])[0]).all()
    assert torch.isfinite(tiny.inpaint(torch.from_numpy(X))).all()
    hidden = np.ma.masked_array(levels(1, 16, 20), np.isnan(X[:1]))
    assert tiny.inpaint(hidden).dtype == np.uint8


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "bool"])
def test_transparency_comes_back_as_it_is_where_pixels_are_filled(tiny: Restorer, channels: int, kind: str) -> None:
    X = levels(1, 16, 20, channels)
    X = X > 128 if kind == "bool" else X.astype(kind)
    X[..., -1] = np.random.default_rng(0).integers(0, 2, (1, 16, 20))
    mask = np.zeros((16, 20), bool)
    mask[3:9, 4:9] = True
    for marked in (mask, np.repeat(mask[..., None], channels, 2)):
        filled = tiny.inpaint(X, marked)
        assert np.array_equal(filled[..., -1], X[..., -1])
        assert np.array_equal(filled[:, ~mask], X[:, ~mask])
        assert kind == "bool" or not np.array_equal(filled, X)


def test_missing_numbers_of_files_are_filled_as_those_of_arrays_are(tiny: Restorer, tmp_path: Path) -> None:
    X = made(2, 16, 20).astype(np.float32)
    X[0, 3:5, 4], X[1, 2, 2] = np.nan, -np.inf
    np.save(tmp_path / "stack.npy", X)
    for number, picture in enumerate(X):
        tifffile.imwrite(tmp_path / f"{number}.tif", picture)
    with pytest.warns(IsthmusWarning, match="3 missing numbers were filled in 2 pictures"):
        expected = tiny.denoise(X)
    with pytest.warns(IsthmusWarning, match="3 missing numbers were filled in 2 pictures"):
        assert np.array_equal(tiny.denoise(tmp_path / "stack.npy"), expected)
    with pytest.warns(IsthmusWarning, match="3 missing numbers were filled in 2 pictures"):
        assert np.allclose(tiny.denoise(tmp_path / "*.tif"), expected, rtol=0, atol=1e-5)
    with pytest.warns(IsthmusWarning, match="2 missing numbers were filled in 1 picture"):
        assert np.allclose(tiny.inpaint(tmp_path / "0.tif")[0], tiny.inpaint(X[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (7, 13), (40, 56, 3), (9, 9, 5), (230, 200)])
def test_a_picture_is_restored_as_if_it_were_alone(tiny: Restorer, shape: tuple[int, ...]) -> None:
    X = made(9, *shape).astype(np.float32)
    mask = np.random.default_rng(0).random((9, *shape[:2])) < 0.2
    mixed = [X[0], made(1, 31, 17, *shape[2:])[0].astype(np.float32), *X[1:]]
    for restore in (tiny.denoise, tiny.deblur, tiny.enhance):
        together, listed = restore(X), restore(mixed)
        for number in (0, 4, 8):
            alone = restore(X[number][None])[0]
            assert np.abs(together[number] - alone).max() < 1e-5
            assert np.abs(listed[number + (number > 0)] - alone).max() < 1e-5
    together = tiny.inpaint(X, mask)
    assert all(np.abs(tiny.inpaint(X[n][None], mask[n])[0] - together[n]).max() < 1e-5 for n in (0, 8))


def test_how_many_pixels_go_through_the_network_at_a_time_is_bounded(
    tiny: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    through = Restorer._through
    monkeypatch.setattr(
        Restorer, "_through", lambda self, x, periodic: (seen.append(tuple(x.shape)), through(self, x, periodic))[1]
    )
    tiny.denoise(levels(1000, 8, 8))
    assert [shape[0] for shape in seen] == [256, 256, 256, 232]
    assert {shape[2:] for shape in seen} == {(16, 16)}
    seen.clear()
    tiny.denoise(levels(1, 120, 120, 7))
    assert [shape[0] for shape in seen] == [1] * 7


@pytest.mark.parametrize("X", [levels(2, 16, 20, 3), made(2, 16, 20).astype(np.float32), levels(2, 16, 20)])
def test_known_pixels_come_back_exactly(tiny: Restorer, X: np.ndarray) -> None:
    mask = np.zeros((16, 20), np.uint8)
    mask[4:9, 5:15] = 255
    found = tiny.inpaint(X, mask)
    assert np.array_equal(found[:, mask == 0], X[:, mask == 0])
    assert not np.array_equal(found, X)
    other = np.where(mask.reshape(16, 20, *[1] * (X.ndim - 3)), X.dtype.type(0), X)
    assert np.array_equal(tiny.inpaint(other, mask), found)  # what stands in holes is not looked at


def test_masks_of_one_picture_of_all_and_of_channels(tiny: Restorer, tmp_path: Path) -> None:
    X = levels(2, 16, 20, 3)
    one = np.zeros((16, 20), bool)
    one[3:6, 3:9] = True
    found = tiny.inpaint(X, one)
    Image.fromarray(one).save(tmp_path / "mask.png")
    for mask in (np.stack([one, one]), one[..., None].repeat(3, 2), tmp_path / "mask.png", Image.fromarray(one)):
        assert np.array_equal(tiny.inpaint(X, mask), found)
    red = np.zeros((16, 20, 3), bool)
    red[3:6, 3:9, 0] = True
    assert np.array_equal(tiny.inpaint(X, red)[..., 1:], X[..., 1:])
    apart = tiny.inpaint([X[0], X[1, :9]], [one, one[:9]])
    Image.fromarray(one[:9]).save(tmp_path / "short.png")
    files = tiny.inpaint([X[0], X[1, :9]], [tmp_path / "mask.png", str(tmp_path / "short.png")])
    assert all(np.array_equal(a, b) for a, b in zip(files, apart, strict=True))
    with pytest.raises(ShapeError, match="one mask each, 2 in all; there are 1"):
        tiny.inpaint([X[0], X[1, :9]], one)
    assert np.array_equal(apart[0], found[0])
    assert np.array_equal(tiny.inpaint(X[0, :, :, 0], one), tiny.inpaint(X[:1, :, :, 0], one)[0])


def test_masks_that_do_not_fit_are_refused(tiny: Restorer) -> None:
    X = levels(2, 16, 20)
    with pytest.raises(ShapeError, match=r"mask must have the shape \(16, 20\)"):
        tiny.inpaint(X, np.zeros((16, 16)))
    with pytest.raises(ShapeError, match="one mask each"):
        tiny.inpaint([X[0], X[1, :9]], [np.zeros((16, 20))])
    with pytest.raises(DataError, match=r"^inpaint: all pixels of X\[0\] are missing"):
        tiny.inpaint(X, np.ones((16, 20)))
    with pytest.raises(ParameterError, match=r"nothing says what of 'X' is missing; name with mask= \(--mask\)"):
        tiny.inpaint(X)
    with pytest.raises(ParameterError, match="the mask marks no pixel of 'X'"):
        tiny.inpaint(X, np.zeros((16, 20)))
    with pytest.raises(DataError, match="all pixels of X"):
        tiny.denoise(np.full((3, 4), np.nan))


# ------------------------------------------------------------------ what is refused


def test_what_is_no_picture_is_refused(tiny: Restorer) -> None:
    with pytest.raises(ShapeError, match=r"give X\[None\] if it is one picture in colour"):
        tiny.denoise(levels(1, 16, 20, 3)[0])
    for other in (["some", "texts"], [[1.0, 2.0], [3.0, 4.0]]):
        with pytest.raises(DataError, match="holds no pictures"):
            tiny.denoise(other)
    with pytest.raises(DataError, match="all pixels of X"):
        tiny.denoise(np.full((4, 4), np.inf))


@pytest.mark.parametrize("scale", [0, 5, 2.5, True])
def test_scales_that_it_does_not_have_are_refused(tiny: Restorer, scale: Any) -> None:
    with pytest.raises(ParameterError, match="enhance: scale must be a whole number of at least 1 and at most 4"):
        tiny.enhance(levels(1, 8, 8), scale=scale)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"start": "shiped"}, "did you mean 'shipped'"),
        ({"channels": (8, 8, 8)}, "channels=.* does not go together with start='shipped'"),
        ({"start": None, "channels": (8, 8)}, "the length of channels is 2, and must equal the number of levels: 3"),
        ({"patch": 30}, "patch must be 8 more than a multiple of 24; it is 30: take 32"),
        ({"max_steps": 0}, "max_steps must be"),
        ({"max_seconds": -1}, "max_seconds must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"precision": "half"}, "precision must be"),
    ],
)
def test_parameters_are_checked_before_anything_is_done(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        Restorer(**parameters).fit(None)


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'max_steps'"):
        Restorer(steps=3)


def test_it_has_to_be_fitted(tmp_path: Path) -> None:
    for use in (lambda one: one.denoise(levels(1, 8, 8)), lambda one: one.save(tmp_path / "a.safetensors")):
        with pytest.raises(NotFittedError):
            use(Restorer())


# ------------------------------------------------------------------ its file, and what it is among others


def test_it_is_an_estimator(tiny: Restorer) -> None:
    assert clone(Restorer(max_steps=7, device="cpu")).get_params()["max_steps"] == 7
    assert not hasattr(clone(tiny), "module_")
    assert repr(Restorer(patch=32)) == "Restorer(patch=32)"


def test_a_file_holds_all_of_it(tiny: Restorer, tmp_path: Path) -> None:
    path, X = tmp_path / "tiny.safetensors", levels(1, 16, 20, 3)
    tiny.save(path)
    found = isthmus.load(path)
    assert type(found) is Restorer
    assert np.array_equal(found.denoise(X), tiny.denoise(X))
    assert (found.get_params(), found.provenance_, found.history_) == (tiny.get_params(), {}, [])
    assert found.still_computes()
    with pytest.raises(OutputExistsError):
        tiny.save(path)
    with pytest.raises(ParameterError, match="network"):
        isthmus.load(path, network=(None, None))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"network": {"channels": [800, 8, 8], "encoder": [2, 1, 1], "decoder": [2, 2]}}, "larger network"),
        ({"network": {"channels": [8, 8], "encoder": [2, 1], "decoder": [2]}}, "must have 3 entries"),
        ({"network": {"channels": [8, 8, 4], "encoder": [2, 1, 1], "decoder": [2, 2]}}, "do not fit"),
        ({"parameters": {"patch": 30}}, "patch must be"),
        ({"parameters": {"steps": 30}}, "no parameter 'steps'"),
        ({"notes": [3]}, "must be a text"),
    ],
)
def test_a_file_that_was_made_up_is_refused(
    tiny: Restorer, tmp_path: Path, document: dict[str, Any], sentence: str
) -> None:
    whole, arrays = tiny.state()
    artifact.write(tmp_path / "made.safetensors", "Restorer", {**whole, **document}, arrays)
    with pytest.raises(ArtifactError, match=sentence):
        isthmus.load(tmp_path / "made.safetensors")


def test_tasks_take_it_for_a_model(tiny: Restorer) -> None:
    X, mask = levels(2, 16, 20), np.zeros((16, 20))
    mask[3:5, 3:5] = 1
    assert np.array_equal(tasks.denoise(tiny, X), tiny.denoise(X))
    assert np.array_equal(tasks.inpaint(tiny, X, mask), tiny.inpaint(X, mask))
    with pytest.raises(ParameterError, match="iterations=3 does not go together with model='Restorer'"):
        tasks.inpaint(tiny, X, mask, iterations=3)
    with pytest.raises(ParameterError, match=r"transform\(\), which Restorer does not have"):
        tasks.interpolate(tiny, X)


def test_onnx_computes_the_same(tiny: Restorer, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "tiny.onnx"
    tiny.export_onnx(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for shape in ((1, 6, 8, 8), (3, 6, 40, 104)):
        x = torch.rand(shape, generator=torch.manual_seed(0))
        (found,) = session.run(None, {"planes": x.numpy()})
        assert np.abs(found - tiny.module_(x).numpy()).max() < 1e-4
    with pytest.raises(OutputExistsError):
        tiny.export_onnx(path)


def test_onnx_needs_packages_that_are_named(tiny: Restorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r'needs the package onnx, .*; run: pip install "isthmus\[onnx\]"\.$'):
        tiny.export_onnx(tmp_path / "tiny.onnx")


# ------------------------------------------------------------------ fit


def test_a_fit_learns_and_says_what_it_did() -> None:
    X = levels(6, 72, 80, 3)
    fitted = Restorer(**SMALL, max_steps=30, random_state=0).fit(X)
    assert [record["step"] for record in fitted.history_] == [0, 30]
    assert fitted.history_[1]["grey_noise_50"] > fitted.history_[0]["grey_noise_50"]
    p = fitted.provenance_
    assert (p["records"], p["held_out_records"], p["steps"], p["seed"], p["start"]) == (5, 1, 30, 0, None)
    again = Restorer(**SMALL, max_steps=30, random_state=0).fit(X)
    assert np.array_equal(fitted.denoise(X), again.denoise(X))


def test_a_fit_touches_no_global_generator() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - that it is left alone
    Restorer(**SMALL, max_steps=1, random_state=0).fit(levels(2, 48, 48))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_where_a_fit_does_harm_the_weights_of_the_start_are_kept() -> None:
    X = levels(3, 48, 48)
    fitted = Restorer(**SMALL, max_steps=2, learning_rate=3.0, random_state=0).fit(X)
    assert any(note.startswith("the fit did harm: 1 held-out picture came back at") for note in fitted.notes_)
    assert np.array_equal(fitted.denoise(X), X)  # a new network changes nothing


def test_a_fit_stops_when_its_time_is_over() -> None:
    fitted = Restorer(**SMALL, max_steps=10**6, max_seconds=0.3, random_state=0).fit(levels(2, 48, 48))
    assert 0 < fitted.provenance_["steps"] < 10**6


def test_what_a_fit_made_of_the_pictures_is_said(tmp_path: Path) -> None:
    def notes(X: Any, **options: Any) -> list[str]:
        return Restorer(**SMALL, max_steps=1, random_state=0).fit(X, **options).notes_

    assert any("uint16, were learned from in 256 levels" in note for note in notes(made(2, 48, 48) > 0.5)) is False
    assert any("uint16, were learned from in 256 levels" in n for n in notes((made(2, 48, 48) * 999).astype(np.uint16)))
    assert any("no picture was held out" in note for note in notes(levels(1, 48, 48)))
    assert any("no picture was held out" in note for note in notes(levels(3, 48, 48), validation=0))
    assert any(
        "1 of the pictures, or bands, have less than 48" in n for n in notes([*levels(3, 48, 48), levels(1, 9, 48)[0]])
    )
    for number, picture in enumerate(levels(2, 96, 96)):
        Image.fromarray(picture).save(tmp_path / f"{number}.jpg")
    assert any("pictures from JPEG files were learned from at half their size" in note for note in notes(tmp_path))


def test_others_can_be_held_out() -> None:
    fitted = Restorer(**SMALL, max_steps=1, random_state=0).fit(levels(2, 48, 48), validation=levels(3, 20, 30, seed=1))
    assert (fitted.provenance_["records"], fitted.provenance_["held_out_records"]) == (2, 3)
    fitted = Restorer(**SMALL, max_steps=1, random_state=0).fit(levels(4, 48, 48), validation=0.5)
    assert (fitted.provenance_["records"], fitted.provenance_["held_out_records"]) == (2, 2)


def test_pictures_that_nothing_can_be_learned_from_are_refused() -> None:
    with pytest.raises(DataError, match=r"must have 120 pixels a side at least, .* the largest has 60; set patch=32"):
        Restorer(start=None).fit(levels(2, 60, 70))
    with pytest.raises(DataError, match="the largest has 20; give larger ones"):
        Restorer(start=None).fit(levels(2, 20, 70))
    X = made(2, 48, 48)
    X[1, 3, 3] = np.nan
    with pytest.raises(DataError, match=r"X\[1\] has missing numbers \(NaN\)"):
        Restorer(**SMALL).fit(X, validation=0)


def test_a_checkpoint_is_kept_and_belongs_to_one_run(tmp_path: Path) -> None:
    path, X = tmp_path / "run.checkpoint", levels(2, 48, 48)
    first = Restorer(**SMALL, max_steps=3, random_state=0).fit(X, checkpoint=path)
    again = Restorer(**SMALL, max_steps=3, random_state=0).fit(X, checkpoint=path)
    assert np.array_equal(first.denoise(X), again.denoise(X))
    with pytest.raises(ParameterError, match="was made with steps=3, this run has steps=4"):
        Restorer(**SMALL, max_steps=4, random_state=0).fit(X, checkpoint=path)
    with pytest.raises(ParameterError, match="was made with data="):
        Restorer(**SMALL, max_steps=3, random_state=0).fit(X + 1, checkpoint=path)


# ------------------------------------------------------------------ fit to noisy pictures alone


def noisy(clean: np.ndarray, *, alike: float = 0.0, sigma: float = 0.1) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(clean.shape)
    noise = ndimage.gaussian_filter(noise, (0, alike, alike)) if alike else noise
    return clean + sigma * noise / noise.std()


def test_a_fit_to_noisy_pictures_alone_makes_them_better_and_says_by_how_much() -> None:
    clean = 0.1 + 0.8 * ndimage.zoom(made(4, 24, 24), (1, 4, 4), order=1)
    X = noisy(clean).astype(np.float32)
    fitted = Restorer(**SMALL, self_supervised=True, max_steps=60, random_state=0).fit(X)
    gain = psnr(fitted.denoise(X), clean) - psnr(X, clean)
    assert gain > 3
    check, said = fitted.provenance_["check"], fitted.notes_[-1]
    assert 10 * np.log10(check["noise"] / check["error"]) == pytest.approx(gain, abs=1)
    assert fitted.provenance_["noise"]["offset"] == pytest.approx([0.01], rel=0.1)
    assert (fitted.provenance_["records"], fitted.provenance_["held_out_records"]) == (3, 1)
    assert [set(record) for record in fitted.history_] == [{"step", "seconds", "estimated", "blind_spot"}] * 2
    assert not any("the result is no better" in note or "are alike" in note for note in fitted.notes_), said


def test_a_fit_to_noisy_pictures_says_where_it_does_not_apply() -> None:
    def notes(X: np.ndarray, **changes: Any) -> str:
        settings = {**SMALL, "self_supervised": True, "max_steps": 1, "random_state": 0} | changes
        return "; ".join(Restorer(**settings).fit(X).notes_)

    clean = made(2, 96, 96)
    assert "the noise of neighbouring pixels is alike" in notes(noisy(clean, alike=0.8))
    assert "there is hardly any noise" in notes(clean.astype(np.float32))
    assert "the result is no better than what came in" in notes(noisy(clean), learning_rate=1e-9)
    assert "no picture was held out, so the fit is judged by" in notes(noisy(clean)[:1])
    assert "the fit did harm: the pictures came back at" in notes(noisy(clean)[:1], learning_rate=3.0)


@pytest.mark.parametrize("shape", [(2, 48, 56), (2, 48, 56, 3), (2, 48, 56, 4), (1, 48, 56, 5)])
def test_noisy_pictures_of_16_bits_and_of_any_channels_are_learned_from(shape: tuple[int, ...]) -> None:
    X = np.rint(noisy(made(*shape), sigma=0.05).clip(0, 1) * 4000).astype(np.uint16)
    fitted = Restorer(**SMALL, self_supervised=True, max_steps=1, random_state=0).fit(X)
    assert len(fitted.provenance_["noise"]["slope"]) == (5 if shape[-1] == 5 else 3 if len(shape) == 4 else 1)
    assert fitted.denoise(X).dtype == np.uint16
    assert not any("256 levels" in note for note in fitted.notes_)


def test_pictures_of_files_with_another_white_have_their_own_noise() -> None:
    X = 0.1 + 0.7 * noisy(made(1, 96, 96), sigma=0.05)[0]
    X[0, 0] = 1
    pictures = [np.rint(X * most).astype(np.uint16) for most in (4095, 4000, 20000)]
    fitted = Restorer(**SMALL, self_supervised=True, max_steps=1, random_state=0).fit(pictures, validation=0)
    first, second = np.sqrt(fitted.provenance_["noise"]["offset"])
    assert first == pytest.approx(0.035, rel=0.07)
    assert second == pytest.approx(0.035 * 20000 / 32767, rel=0.07)


def test_noisy_pictures_are_no_smaller_than_a_patch_and_whole() -> None:
    wanted = {**SMALL, "self_supervised": True, "max_steps": 1, "random_state": 0}
    Restorer(**wanted).fit(noisy(made(1, 32, 32)))
    with pytest.raises(DataError, match=r"must have 32 pixels a side at least, .* the largest has 31; give larger"):
        Restorer(**wanted).fit(noisy(made(1, 31, 40)))
    X = noisy(made(1, 48, 48))
    X[0, 3, 3] = np.nan
    with pytest.raises(DataError, match=r"has missing numbers \(NaN\)"):
        Restorer(**wanted).fit(X)


# ------------------------------------------------------------------ the one that comes with the package


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """Return a part of a photograph that scikit-learn brings: grey, from 0 to 1."""
    picture = Image.fromarray(load_sample_image("china.jpg")).convert("L").reduce(2)
    return np.asarray(picture)[20:148, 90:250] / 255


def psnr(found: np.ndarray, clean: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(found - clean).mean()))


def test_the_shipped_one_restores_a_photograph(photograph: np.ndarray) -> None:
    restorer = Restorer.shipped()
    rng = np.random.default_rng(0)
    noisy = photograph + rng.normal(0, 25 / 255, photograph.shape)
    assert psnr(restorer.denoise(noisy), photograph) > psnr(noisy, photograph) + 4.5
    known = rng.random(photograph.shape) < 0.5
    assert psnr(restorer.inpaint(photograph, ~known), photograph) > 25
    levels = Image.fromarray(np.rint(photograph * 255).astype(np.uint8))
    small = np.asarray(levels.resize((80, 64), Image.Resampling.BICUBIC))
    bicubic = np.asarray(Image.fromarray(small).resize((160, 128), Image.Resampling.BICUBIC))
    assert psnr(restorer.enhance(small) / 255, photograph) > psnr(bicubic / 255, photograph)


def test_the_shipped_one_is_read_once_and_does_not_change_with_a_fit() -> None:
    one, other = Restorer.shipped(), Restorer.shipped()
    assert one.module_ is other.module_
    one.set_params(patch=32, batch_size=1, max_steps=1, random_state=0, device="cpu").fit(levels(1, 48, 48))
    assert one.module_ is not other.module_
    assert Restorer.shipped().module_ is other.module_
    assert (other.patch, Restorer.shipped().patch) == (104, 104)


def test_whose_photographs_the_shipped_one_learned_from_is_said() -> None:
    text = Path(isthmus.__file__).with_name("models").joinpath("restorer_1.credits.txt").read_text(encoding="utf-8")
    for folder in ("budgie", "nextcloud", "pyconf", "unsplash"):
        assert f"\n{folder}: " in text
    assert "CC BY" in text
    assert "cid22" not in text

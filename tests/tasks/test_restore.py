"""Restoration: known cells are untouched, holes get better than their first fill, and every form of mask works."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus import Autoencoder, DenoisingAutoencoder, data, load, tasks
from isthmus.errors import DataError, IsthmusWarning, ParameterError, ShapeError
from isthmus.tasks import denoise, inpaint, restore

SMALL = {"network": "dense", "hidden": (128,), "batch_size": 64, "optimizer": "adamw", "random_state": 0}


@pytest.fixture(scope="module")
def digits(digits: np.ndarray) -> np.ndarray:
    """Return the digits in another order: those at the end are by other writers."""
    return digits[np.random.default_rng(0).permutation(len(digits))]


@pytest.fixture(scope="module")
def digit_model(digits: np.ndarray) -> Autoencoder:
    return Autoencoder(latent_dim=16, max_epochs=15, **SMALL).fit(digits[:1500])


@pytest.fixture
def hole() -> np.ndarray:
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:6] = True
    return mask


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).reshape(len(a), -1).sum(axis=1).mean())


# ------------------------------------------------------------------ denoise


@pytest.mark.long
def test_denoise_brings_noisy_records_nearer_to_the_clean_ones(digits: np.ndarray) -> None:
    model = DenoisingAutoencoder(max_epochs=15, **SMALL).fit(digits[:1500])
    clean = digits[1500:]
    noise = np.random.default_rng(0).normal(0, 5, clean.shape)
    noisy = np.clip(np.rint(clean + noise), 0, 16).astype(np.uint8)
    restored = denoise(model, noisy)
    assert restored.dtype == np.uint8
    assert error(restored, clean) < 0.6 * error(noisy, clean)


def test_denoise_needs_a_model_that_reconstructs() -> None:
    with pytest.raises(ParameterError, match=r"denoise: the model must have the method reconstruct\(\)"):
        denoise(object(), np.zeros((3, 3)))


# ------------------------------------------------------------------ inpaint: numbers and pictures


@pytest.mark.long
def test_known_pixels_come_back_exactly_and_holes_are_filled_well(
    digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray
) -> None:
    X = digits[1500:]
    damaged = np.where(hole, 3, X).astype(np.uint8)
    filled = inpaint(digit_model, damaged, hole)
    assert filled.dtype == X.dtype
    assert np.array_equal(filled[:, ~hole], X[:, ~hole])
    mean = np.where(hole, digits[:1500].mean(axis=0), X)
    assert error(filled, X) < 0.8 * error(mean, X)


def test_what_stands_in_a_hole_does_not_matter(digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray) -> None:
    a, b = (np.where(hole, value, digits[:20]).astype(np.uint8) for value in (0, 16))
    assert np.array_equal(inpaint(digit_model, a, hole), inpaint(digit_model, b, hole))


def test_a_record_does_not_depend_on_the_others(digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray) -> None:
    together = inpaint(digit_model, digits[:40], hole)
    assert np.array_equal(together[7:8], inpaint(digit_model, digits[7:8], hole))


def test_blocks_are_the_same_as_all_at_once(digit_model: Autoencoder, digits: np.ndarray) -> None:
    mask = np.random.default_rng(0).random((50, 8, 8)) < 0.2
    blocks = list(tasks.inpaint_blocks(digit_model, data.open(digits[:50]), mask, rows=16))
    assert [len(block) for block in blocks] == [16, 16, 16, 2]
    assert np.array_equal(np.concatenate(blocks), inpaint(digit_model, digits[:50], mask))


def test_more_rounds_never_agree_less_with_what_is_known(
    digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray
) -> None:
    X = digits[:100]
    distances = []
    for iterations in (1, 3, 10):
        back = digit_model.reconstruct(inpaint(digit_model, X, hole, iterations=iterations))
        # The kept fill came from the one before it, so it agrees about as well.
        distances.append(np.square((back.astype(float) - X)[:, ~hole]).sum(axis=1).mean())
    assert distances[2] <= distances[0]


@pytest.mark.parametrize("start", restore.STARTS)
def test_every_start_fills(digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray, start: str) -> None:
    filled = inpaint(digit_model, digits[:10], hole, start=start)
    assert np.array_equal(filled[:, ~hole], digits[:10][:, ~hole])


def test_an_empty_mask_changes_nothing_and_a_full_one_everything(digit_model: Autoencoder, digits: np.ndarray) -> None:
    assert np.array_equal(inpaint(digit_model, digits[:5], np.zeros((8, 8))), digits[:5])
    filled = inpaint(digit_model, digits[:5], np.ones((8, 8)))
    assert (filled == filled[0]).all()


def test_masks_from_files(digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray, tmp_path: Path) -> None:
    expected = inpaint(digit_model, digits[:6], hole)
    np.save(tmp_path / "mask.npy", hole)
    np.save(tmp_path / "masks.npy", np.broadcast_to(hole, (6, 8, 8)))
    painted = hole.astype(np.uint8) * 255
    Image.fromarray(painted).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([painted, painted * 0, painted * 0], axis=-1)).save(tmp_path / "red.png")
    # Whatever lies under transparency is no mark.
    Image.fromarray(np.stack([painted * 0 + 9] * 3 + [painted], axis=-1)).save(tmp_path / "overlay.png")
    for name in ("mask.npy", "masks.npy", "grey.png", "red.png", "overlay.png"):
        assert np.array_equal(inpaint(digit_model, digits[:6], tmp_path / name), expected), name


def test_colour_pictures_and_masks_without_channels() -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 9, 3), dtype=np.uint8)
    model = Autoencoder(network="dense", hidden=(16,), latent_dim=4, max_epochs=1, random_state=0).fit(X)
    mask = np.zeros((8, 9), bool)
    mask[1:3, 4:7] = True
    filled = inpaint(model, X, mask)
    assert np.array_equal(filled[:, ~mask], X[:, ~mask])
    assert np.array_equal(filled, inpaint(model, X, np.repeat(mask[..., None], 3, axis=2)))
    one_channel = np.zeros((8, 9, 3), bool)
    one_channel[2, 2, 1] = True
    assert np.array_equal(inpaint(model, X, one_channel)[:, ~one_channel], X[:, ~one_channel])


def test_pictures_of_several_sizes() -> None:
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 256, (8 + i % 2, 10), dtype=np.uint8) for i in range(24)]
    model = Autoencoder(hidden=(4,), latent_dim=4, max_epochs=1, random_state=0).fit(data.open(X, sizes="group"))
    masks = [np.zeros(x.shape, bool) for x in X]
    for mask in masks:
        mask[2:4, 3:6] = True
    filled = inpaint(model, data.open(X, sizes="group"), masks)
    assert all(np.array_equal(f[~m], x[~m]) for f, x, m in zip(filled, X, masks, strict=True))
    with pytest.raises(ShapeError, match="need one mask each, 24 in all; there are 1"):
        inpaint(model, data.open(X, sizes="group"), masks[:1])
    with pytest.raises(ShapeError, match=r"mask 1 must have the height and width of its picture, \(9, 10\)"):
        inpaint(model, data.open(X, sizes="group"), [masks[0]] * 24)


def test_nan_marks_what_is_missing_in_an_array() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6))).astype(np.float32)
    model = Autoencoder(latent_dim=2, hidden=(), network="dense", max_epochs=40, random_state=0).fit(X[:300])
    damaged = X[300:].copy()
    damaged[:, 1] = np.nan
    filled = inpaint(model, damaged, iterations=30)
    assert filled.dtype == np.float32
    assert np.array_equal(np.delete(filled, 1, axis=1), np.delete(X[300:], 1, axis=1))
    assert np.square(filled[:, 1] - X[300:, 1]).mean() < 0.2 * X[300:, 1].var()


def test_neighbours_continue_the_picture() -> None:
    ramp = np.broadcast_to(np.arange(16.0), (1, 1, 16, 16))
    marked = np.zeros((1, 1, 16, 16), bool)
    marked[:, :, 6:8, 6:8] = True
    filled = restore._from_neighbours(ramp, marked, np.full(ramp.shape, 99.0))
    assert np.array_equal(filled[~marked], ramp[~marked])
    assert np.abs(filled - ramp).max() <= 2
    nothing = restore._from_neighbours(ramp, np.ones_like(marked), np.full(ramp.shape, 99.0))
    assert (nothing == 99).all()


# ------------------------------------------------------------------ inpaint: tables


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 70, 600)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": age * 900.0 + rng.normal(0, 500, 600),
            "city": pd.Categorical(np.where(age < 40, "Bern", "Oslo")),
            "member": pd.array(age > 55, dtype="boolean"),
            "since": pd.Timestamp("2000-01-01") + pd.to_timedelta(age * 30, unit="D"),
        }
    )
    holes = rng.random(frame.shape) < 0.1
    return frame.mask(pd.DataFrame(holes, columns=frame.columns)).astype({"age": "Int64", "city": "category"})


@pytest.fixture(scope="module")
def people_model(people: pd.DataFrame) -> Autoencoder:
    return Autoencoder(latent_dim=4, hidden=(64,), max_epochs=40, optimizer="adamw", random_state=0).fit(people)


@pytest.mark.long
def test_empty_cells_of_a_frame_are_filled_in_its_own_types(people: pd.DataFrame, people_model: Autoencoder) -> None:
    full = inpaint(people_model, people)
    assert (full.dtypes == people.dtypes).all()
    assert full.notna().all().all()
    for name in people:
        known = people[name].notna()
        assert (full[name][known] == people[name][known]).all(), name
    # A hole is filled from the other columns, not by the mean.
    hole = people["income"].isna() & people["age"].notna()
    wanted = people["age"][hole].astype(float) * 900
    off = np.abs(full["income"][hole] - wanted).mean()
    assert off < 0.4 * np.abs(people["income"].mean() - wanted).mean()


def test_marked_cells_of_a_frame(people: pd.DataFrame, people_model: Autoencoder) -> None:
    known = people.dropna().reset_index(drop=True)
    mask = pd.DataFrame(0, index=known.index, columns=known.columns)
    mask["age"] = 1
    filled = inpaint(people_model, known, mask)
    assert filled.drop(columns="age").equals(known.drop(columns="age"))
    assert (filled["age"] != known["age"]).any()
    assert filled.equals(inpaint(people_model, known, mask.to_numpy()))
    assert filled.equals(inpaint(people_model, known, [1, 0, 0, 0, 0]))
    # Columns of a mask are found by name.
    assert filled.equals(inpaint(people_model, known, mask[mask.columns[::-1]]))
    with pytest.raises(DataError, match="there is no column 'age'"):
        inpaint(people_model, known, mask.drop(columns="age"))


# ------------------------------------------------------------------ what is refused


def test_refusals(digit_model: Autoencoder, digits: np.ndarray, hole: np.ndarray) -> None:
    X = digits[:5]
    with pytest.raises(ParameterError, match=r"inpaint: X \(kind 'image'\) has no empty cells of its own"):
        inpaint(digit_model, X)
    with pytest.raises(ShapeError, match=r"mask must have the shape \(8, 8\), .*; its shape is \(8, 7\)"):
        inpaint(digit_model, X, hole[:, :7])
    with pytest.raises(ParameterError, match="inpaint: iterations must be a whole number of at least 1; it is 0"):
        inpaint(digit_model, X, hole, iterations=0)
    with pytest.raises(ParameterError, match=r"inpaint: start must be one of .* it is 'men'; did you mean 'mean'"):
        inpaint(digit_model, X, hole, start="men")
    with pytest.raises(DataError, match="inpaint: cells of arrays, images and tables can be filled"):
        inpaint(digit_model, ["some", "text"], hole)


def test_a_restorer_that_does_harm_says_so_at_fit_and_at_use_and_its_file_remembers(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(32), np.arange(32))
    rng = np.random.default_rng(0)
    shift = rng.integers(0, 32, (24, 2, 1, 1))
    pictures = (127 + 60 * np.sin((x + shift[:, 0]) * 0.9) + 60 * np.cos((y + shift[:, 1]) * 1.3)).astype(np.uint8)
    model = DenoisingAutoencoder(corruption_level=0.05, max_epochs=1, random_state=0, device="cpu").fit(pictures)
    (said,) = [note for note in model.notes_ if "does harm" in note]
    assert re.fullmatch(
        r"this model does harm: on records held out from the fit it left \d+\.\d dB where there was \d+\.\d dB before; "
        r"it takes more records, or more epochs, to learn to restore",
        said,
    )
    model.save(tmp_path / "m.safetensors")
    with pytest.warns(IsthmusWarning, match="this model does harm"):
        denoise(load(tmp_path / "m.safetensors"), pictures)


def test_a_restorer_that_helps_says_nothing() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 20))
    model = DenoisingAutoencoder(corruption_level=0.5, latent_dim=2, max_epochs=30, random_state=0, device="cpu").fit(X)
    found = model.provenance_["restoring"]
    assert found["after"] < 0.7 * found["before"]
    assert not [note for note in model.notes_ if "harm" in note]

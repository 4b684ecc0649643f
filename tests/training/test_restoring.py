"""How a restorer learns: batches by step, runs that are stopped and go on, and the recipe that made the shipped one."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import isthmus
from isthmus import artifact
from isthmus.errors import TrainingError
from isthmus.networks.restoring import RestoringNetwork
from isthmus.training import restoring
from isthmus.training.restoring import HeldOut, Patches, Photographs, Plan, luma, new_network, sizes_of, train
from isthmus.training.steps import Progress

CPU = torch.device("cpu")
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "restorer.py"


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).random((height, width, 3)), (2, 2, 0))
    return np.rint((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).astype(np.uint8)


def photographs() -> Photographs:
    colour = [sizes_of(Image.fromarray(picture(90, 110, seed)), patch=32) for seed in range(3)]
    return Photographs(colour, [[luma(size) for size in sizes] for sizes in colour])


def plan(**changes: Any) -> Plan:
    return Plan(**{"steps": 6, "data": "", "begun_with": "", "batch_size": 2, "patch": 32, "warm": 2} | changes)


def small() -> RestoringNetwork:
    return new_network(0, channels=(8, 8, 8))


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    one, other = Patches(photographs(), plan()), Patches(photographs(), plan(steps=99))
    one.batch(3)
    for a, b in zip(one.batch(5), other.batch(5), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.batch(5)[1], one.batch(6)[1])
    assert not torch.equal(one.batch(5)[1], Patches(photographs(), plan(seed=1)).batch(5)[1])
    x, clean = one.batch(0)
    assert (x.shape, clean.shape) == ((2, 6, 32, 32), (2, 3, 32, 32))


def test_grey_pictures_alone_are_learned_from() -> None:
    _, clean = Patches(Photographs([], photographs().grey), plan()).batch(0)
    assert torch.equal(clean[:, 0], clean[:, 2])


def test_a_picture_is_shown_at_several_sizes_and_jpeg_only_reduced() -> None:
    whole = Image.fromarray(picture(200, 300))
    assert [size.shape for size in sizes_of(whole, patch=32)] == [
        (200, 300, 3),
        (141, 212, 3),
        (100, 150, 3),
        (71, 106, 3),
    ]
    assert sizes_of(whole, least=2.0, patch=32)[0].shape == (100, 150, 3)
    assert sizes_of(whole, patch=200) == []
    assert sizes_of(Image.new("L", (1, 1)), patch=32) == []


def test_a_run_that_was_stopped_and_goes_on_ends_with_the_same_weights(tmp_path: Path) -> None:
    held_out = HeldOut([picture(40, 48, 9)])
    whole, stopped = small(), small()
    progress = train(whole, Patches(photographs(), plan()), device=CPU, held_out=held_out, every=2)
    path = tmp_path / "run.safetensors"

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    patches = Patches(photographs(), plan())
    with pytest.raises(KeyboardInterrupt):
        train(
            *(stopped, patches),
            **{"device": CPU, "held_out": held_out, "every": 2, "checkpoint": path, "keep_after": 0, "tell": stop},
            tell_after=1,
        )
    again = new_network(1, channels=(8, 8, 8))
    resumed = train(again, patches, device=CPU, held_out=held_out, every=2, checkpoint=path)
    for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert [record["step"] for record in resumed.history] == [0, 2, 4, 6]
    without_time = [{k: v for k, v in record.items() if k != "seconds"} for record in resumed.history]
    assert without_time == [{k: v for k, v in record.items() if k != "seconds"} for record in progress.history]
    assert resumed.loss == progress.loss
    assert train(again, patches, device=CPU, checkpoint=path).step == 6  # nothing is left to do
    assert torch.equal(again.first.weight, whole.first.weight)


def test_a_loss_that_is_no_number_stops_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "loss_of", lambda restored, clean: restored.sum() * float("nan"))
    with pytest.raises(TrainingError, match="no number any more at step 1; lower the learning rate"):
        train(small(), Patches(photographs(), plan()), device=CPU, tell_after=1)


def test_held_out_pictures_are_scored_by_kind_of_damage() -> None:
    scores = HeldOut([picture(300, 280), picture(30, 41)]).scores(small().eval())
    assert scores["clean"] == 100.0  # a new network changes nothing
    assert scores["grey_noise_15"] > scores["grey_noise_25"] > scores["grey_noise_50"]
    assert scores["scale_2"] > scores["scale_4"]
    assert scores["grey_jpeg_40"] > scores["grey_jpeg_10"]
    assert "noise_25" not in HeldOut([luma(picture(30, 40))]).scores(small().eval())


# ------------------------------------------------------------------ the recipe


@pytest.fixture(scope="module")
def recipe() -> Iterator[ModuleType]:
    sys.path.insert(0, str(RECIPE.parent))  # as Python does for a script
    spec = importlib.util.spec_from_file_location("recipe_of_the_restorer", RECIPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(RECIPE.parent))


def test_the_recipe_reads_photographs_and_writes_what_isthmus_loads(recipe: ModuleType, tmp_path: Path) -> None:
    for folder in ("a", "b", "cid22"):
        (tmp_path / folder).mkdir()
    Image.fromarray(picture(400, 360)).save(tmp_path / "a" / "1.webp", quality=90)
    Image.fromarray(picture(300, 420)).save(tmp_path / "a" / "2-lossless.webp", lossless=True)
    Image.fromarray(picture(640, 480)).save(tmp_path / "b" / "3.jpg")
    Image.fromarray(picture(300, 300)).save(tmp_path / "cid22" / "4.webp")
    paths = recipe.paths_of(tmp_path)
    assert [path.name for path in paths] == ["1.webp", "2-lossless.webp", "3.jpg"]
    found = recipe.photographs_of(paths)
    assert [[size.shape[0] for size in sizes] for sizes in found.colour] == [
        [200, 141],
        [300, 212, 150],
        [320, 226, 160],
    ]
    assert [len(sizes) for sizes in found.grey] == [3, 3, 3]  # of lossy WebP the whole brightness, too
    assert len(recipe.validation_pictures(tmp_path / "cid22")) == 1
    network = small()
    progress = train(network, Patches(found, run := plan(steps=1, data="d")), device=CPU)
    recipe.write(tmp_path / "w.safetensors", network, run, progress, paths, "cpu")
    _, arrays = artifact.read(tmp_path / "w.safetensors", "Restorer")
    assert {array.dtype.name for array in arrays.values()} == {"float16"}
    loaded = isthmus.load(tmp_path / "w.safetensors")
    said = loaded.provenance_
    assert (said["steps"], said["data"], said["records"], said["source"]) == (1, "d", 3, "a, b")
    assert loaded.module_.first.weight.dtype == torch.float32


def test_the_recipe_goes_on_from_weights_and_names_them(recipe: ModuleType, tmp_path: Path) -> None:
    assert recipe.begun(None, 0)[1] == "nothing"
    path = isthmus.models.restorer.SHIPPED
    network, name = recipe.begun(path, 0)
    assert name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(network.first.weight, isthmus.load(path).module_.first.weight)

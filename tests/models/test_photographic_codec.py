"""The photographic codec with weights of one's own: its fit, its file, and what files of pictures need of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isthmus
from isthmus import PhotographicCodec, artifact
from isthmus.coding.photographs.weights import CODEC, Weights, shipped
from isthmus.errors import ArtifactError, DataError, FormatNumberError, ParameterError
from isthmus.models import restorer

FEW: dict[str, Any] = {"patch": 64, "batch_size": 1, "device": "cpu", "precision": "float32", "random_state": 0}


def waves(number: int = 3, height: int = 66, width: int = 70) -> np.ndarray:
    """Return pictures of waves, (n, height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    found = [[np.sin(x / (5 + k) + c) + np.cos(y / 7 - k * c) for c in range(3)] for k in range(number)]
    return (127 + 60 * np.moveaxis(np.array(found), 1, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def tuned() -> PhotographicCodec:
    return PhotographicCodec(max_steps=2, learning_rate=3e-4, **FEW).fit(waves())


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def test_what_it_compresses_comes_back_with_it_alone(tuned: PhotographicCodec, tmp_path: Path) -> None:
    tuned.save(tmp_path / "m.safetensors")
    picture = waves()[0]
    made = isthmus.compress_photograph(picture, psnr=33, lossy=True, model=tmp_path / "m.safetensors")
    for model in (tuned, tmp_path / "m.safetensors", isthmus.load(tmp_path / "m.safetensors")):
        assert psnr(isthmus.decompress(made.data, model=model), picture) == pytest.approx(made.psnr)
    assert made.psnr >= 33
    needed, carried = tuned.fingerprint_[:8], PhotographicCodec.shipped().fingerprint_[:8]
    assert needed != carried
    with pytest.raises(ArtifactError, match=f"needs the model {needed}, which was not given"):
        isthmus.decompress(made.data)
    with pytest.raises(ArtifactError, match=f"needs the model {needed}, and the one given is {carried}"):
        isthmus.decompress(made.data, model=PhotographicCodec.shipped())
    with pytest.raises(ArtifactError):
        isthmus.decompress(made.data, model=restorer.SHIPPED)


def test_it_is_judged_by_held_out_pictures(tuned: PhotographicCodec) -> None:
    before, after = tuned.history_
    assert (before["step"], after["step"]) == (0, 2)
    assert after["cost"] < before["cost"]
    assert tuned.bits_saved_ is not None
    assert (tuned.provenance_["records"], tuned.provenance_["held_out_records"]) == (2, 1)
    assert not tuned.notes_


def test_a_fit_that_does_harm_keeps_the_weights_that_it_began_with() -> None:
    codec = PhotographicCodec(max_steps=1, learning_rate=0.1, **FEW).fit(waves())
    assert codec.history_[1]["cost"] > codec.history_[0]["cost"]
    assert codec.fingerprint_ == shipped().fingerprint.hex()  # type: ignore[union-attr]
    assert codec.notes_[-1].startswith("the fit did harm: the cost of 1 held-out picture ")


def test_it_can_begin_with_nothing_and_is_set_beside_the_weights_of_isthmus() -> None:
    state = torch.get_rng_state()
    codec = PhotographicCodec(start=None, max_steps=1, **FEW).fit(waves()[..., 0])  # grey ones
    assert torch.equal(torch.get_rng_state(), state)
    assert codec.provenance_["shipped"]["cost"] < codec.history_[-1]["cost"]
    assert codec.bits_saved_ is None or codec.bits_saved_ < 0


def test_a_stopped_run_goes_on_as_if_it_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.training import photographic, steps

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = {"max_steps": 3, **FEW}
    whole = PhotographicCodec(**settings).fit(waves(), validation=0)
    batch = photographic.Patches.batch

    def stopping(self: Any, step: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return batch(self, step)

    path = tmp_path / "state.checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr(steps, "KEPT", 0.0)
        patched.setattr(photographic.Patches, "batch", stopping)
        with pytest.raises(KeyboardInterrupt):
            PhotographicCodec(**settings).fit(waves(), validation=0, checkpoint=path)
    again = PhotographicCodec(**settings).fit(waves(), validation=0, checkpoint=path)
    assert again.fingerprint_ == whole.fingerprint_
    assert all(np.array_equal(again.analysis_[name], value) for name, value in whole.analysis_.items())
    with pytest.raises(ParameterError, match="was made with seed=0"):
        PhotographicCodec(**{**settings, "random_state": 1}).fit(waves(), validation=0, checkpoint=path)
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("settings", "pictures", "error", "said"),
    [
        ({"patch": 100}, waves(), ParameterError, "patch must be a multiple of 64; it is 100: take 64"),
        ({"start": "nothing"}, waves(), ParameterError, "start must be"),
        ({"max_steps": 0}, waves(), ParameterError, "max_steps"),
        ({"patch": 256}, waves(), DataError, "256 pixels a side at least, for patches of 256, and the largest has 66"),
        ({}, waves()[:, :50], DataError, "give larger ones"),
        ({}, ["a strait", "a canal"], DataError, "holds no pictures"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(settings: Any, pictures: Any, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        PhotographicCodec(**{"max_steps": 1, **FEW, **settings}).fit([*pictures])


def test_another_model_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="or the path of its file; it is a Codec"):
        isthmus.compress_photograph(waves()[0], psnr=30, model=isthmus.Codec())
    with pytest.raises(ArtifactError, match="holds a Restorer, not a PhotographicCodec"):
        isthmus.compress_photograph(waves()[0], psnr=30, model=restorer.SHIPPED)
    with pytest.raises(ParameterError, match="the model is one of photographs, and these are bytes"):
        isthmus.compress(b"a strait", model=PhotographicCodec.shipped())


def test_altered_files_are_refused(tuned: PhotographicCodec, tmp_path: Path) -> None:
    document, arrays = tuned.state()
    path = tmp_path / "m.safetensors"

    def refused(said: str, document: Any = document, arrays: Any = arrays, error: type = ArtifactError) -> None:
        artifact.write(path, CODEC, document, arrays, force=True)
        for read in (isthmus.load, Weights.read) if "analysis" not in said else (isthmus.load,):
            with pytest.raises(error, match=said.removeprefix("analysis: ")):
                read(path)

    first = next(name for name in arrays if name.startswith("analysis."))
    tensor = "decoder.levels.0.look.weight"
    refused("analysis: none that a codec of photographs has", arrays={**arrays, "more": np.zeros(2)})
    others = {name: array for name, array in arrays.items() if name != first}
    refused("analysis: none that a codec of photographs has", arrays=others)
    refused("analysis: not finite", arrays={**arrays, first: np.full_like(arrays[first], np.nan)})
    refused("analysis: none that", arrays={**arrays, first: arrays[first].astype(np.float32)})
    refused("none that the decoder has", arrays={name: array for name, array in arrays.items() if name != tensor})
    refused("too large", arrays={**arrays, tensor: np.full_like(arrays[tensor], 32767)})
    refused("is a model for predictor 9", {**document, "decoder": 9}, error=FormatNumberError)
    refused("make sense of its description", {**document, "decoder": "1"})
    tuned.save(path, force=True)
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    for read in (isthmus.load, Weights.read):
        with pytest.raises(ArtifactError, match="is damaged or cut short"):
            read(path)

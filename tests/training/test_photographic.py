"""How the photographic codec learns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus.errors import ParameterError
from isthmus.networks.photographic import UNIT
from isthmus.training.photographic import Codec, HeldOut, Levels, Patches, Plan, train


def photographs() -> list[list[Levels]]:
    y, x = np.mgrid[:80, :90]
    waves = [np.sin(x / 9 + k) + np.cos(y / 7 - k) for k in range(3)]
    return [[(127 + 60 * np.dstack(waves)).clip(0, 255).astype(np.uint8)]]


@pytest.fixture
def plan() -> Plan:
    return Plan(6, "waves", batch_size=2, patch=64, warm=2, precision="float32")


def run(plan: Plan, checkpoint: Path | None = None) -> Codec:
    codec = Codec(0)
    train(codec, Patches(photographs(), plan), device=torch.device("cpu"), checkpoint=checkpoint)
    return codec


def same(one: Codec, other: Codec) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one thread, with which sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_was_stopped_goes_on_as_if_it_was_not(plan: Plan, tmp_path: Path, monkeypatch) -> None:
    whole = run(plan)
    batch, checkpoint = Patches.batch, tmp_path / "state.safetensors"
    monkeypatch.setattr("isthmus.training.steps.KEPT", 0.0)

    def stopping(self: Patches, step: int):
        if step == 4:
            raise KeyboardInterrupt
        return batch(self, step)

    monkeypatch.setattr(Patches, "batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(plan, checkpoint)
    monkeypatch.setattr(Patches, "batch", batch)
    assert same(run(plan, checkpoint), whole)


def test_a_checkpoint_of_another_plan_is_refused(plan: Plan, tmp_path: Path) -> None:
    run(plan, tmp_path / "state.safetensors")
    with pytest.raises(ParameterError):
        run(Plan(7, "waves", batch_size=2, patch=64, warm=2, precision="float32"), tmp_path / "state.safetensors")


def test_qualities_of_a_batch_are_spread(plan: Plan) -> None:
    quality = Patches(photographs(), plan).batch(3).quality
    assert quality.sort().values.diff().tolist() == pytest.approx([0.5])


def test_noise_is_added_to_some_and_counts_less_the_more_it_is(plan: Plan) -> None:
    grey = Patches([[np.full((80, 90, 3), 128, np.uint8)]], plan)
    batches = [grey.batch(step) for step in range(60)]
    sigmas = torch.cat([batch.x.std((1, 2, 3)) for batch in batches]) * UNIT
    shares = torch.cat([batch.share for batch in batches])
    is_noisy = sigmas > 0
    assert 0.1 < is_noisy.float().mean() < 0.3
    assert (shares[~is_noisy] == 1).all()
    torch.testing.assert_close(1 / (1 + sigmas[is_noisy] / 5), shares[is_noisy], rtol=0.06, atol=0)


def test_half_of_the_batches_end_within_a_place(plan: Plan) -> None:
    batches = [Patches(photographs(), plan).batch(step) for step in range(60)]
    sides = [tuple(batch.x.shape[2:]) for batch in batches]
    assert 20 <= sides.count((64, 64)) <= 40
    assert all(48 <= side <= 64 for both in sides for side in both)


def test_it_learns(plan: Plan) -> None:
    held_out = HeldOut([photographs()[0][0][:64, :64]])
    codec = Codec(0)
    before = held_out.scores(codec)["cost"]
    longer = Plan(60, "waves", batch_size=2, patch=64, rate=0.03, warm=2, precision="float32")
    progress = train(codec, Patches(photographs(), longer), device=torch.device("cpu"), held_out=held_out)
    assert progress.history[-1]["cost"] < 0.8 * before

"""Checkpoints inside an epoch: a run that is killed at any step goes on as if nothing had happened, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import DenoisingAutoencoder, artifact
from isthmus.errors import ArtifactError
from isthmus.models import REGISTRY
from isthmus.training import (
    Budget,
    Callback,
    Checkpoint,
    Engine,
    GroupedBatches,
    PairedBatches,
    Plan,
    Player,
    ResidentBatches,
    StreamedBatches,
    callbacks,
)


class Killed(BaseException):
    """Ends a run as a signal would, right after a checkpoint."""


class KillAt(Checkpoint):
    """Write a checkpoint at every step, and end the run at one of them."""

    def __init__(self, path, step):
        super().__init__(path, seconds=0.0)
        self.step = step

    def write(self, state):
        super().write(state)
        if state.step == self.step:
            raise Killed


def small(**parameters):
    """Return a model that draws noise of both kinds: of its loss, and of its layers."""
    common = {"hidden": (16,), "latent_dim": 2, "max_epochs": 3, "batch_size": 64, "random_state": 0, "dropout": 0.1}
    return DenoisingAutoencoder(**common | parameters)


def bits(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.module_.state_dict().items()}


def told(model):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in model.history_]


def killed_and_resumed(make, fit, path, step):
    with pytest.raises(Killed):
        fit(make(), callbacks=[KillAt(path, step)])
    return fit(make(), resume=path)


@pytest.mark.parametrize("step", range(1, 9))
def test_killed_at_any_step_and_resumed_is_never_killed(blobs, tmp_path, step):
    def fit(model, **how):
        return model.fit(blobs, **how)

    whole = fit(small())
    assert whole.provenance_["steps"] == 9
    resumed = killed_and_resumed(small, fit, tmp_path / "run.checkpoint", step)
    assert bits(resumed) == bits(whole)
    assert told(resumed) == told(whole)
    assert resumed.notes_ == whole.notes_


@pytest.mark.parametrize("model", REGISTRY.values(), ids=REGISTRY)
def test_every_model_goes_on_inside_an_epoch(model, digits, digit_labels, tmp_path):
    def make():
        return model(latent_dim=3, max_epochs=2, batch_size=50, random_state=0)

    def fit(one, **how):
        labels = np.where(np.arange(200) % 2, digit_labels[:200] % 2, -1 if one.takes_unlabelled else 0)
        return one.fit(digits[:200], labels, validation=0.1, **how)

    whole = fit(make())
    assert whole.provenance_["steps"] == 8
    resumed = killed_and_resumed(make, fit, tmp_path / "run.checkpoint", 6)
    assert bits(resumed) == bits(whole)
    assert told(resumed) == told(whole)


# ---------------------------------------------------------------------- the engine by itself


def batches_of(kind):
    X = torch.randn(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    rows = np.arange(60)
    if kind is GroupedBatches:
        sizes = [(4, 4) if row % 3 else (2, 4) for row in rows]
        return GroupedBatches(
            lambda wanted: [X[row, :, : sizes[row][0]].numpy() for row in wanted], rows, sizes, torch.device("cpu")
        )
    if kind is StreamedBatches:
        return StreamedBatches(lambda wanted: X[wanted].numpy(), rows, torch.device("cpu"), block=8, window=2)
    batches = ResidentBatches(X, rows)
    if kind is PairedBatches:
        batches.labels = torch.where(torch.arange(60) % 10 == 0, 1, -1)
        return PairedBatches(batches, 3)
    return batches


class Scaled(nn.Module):
    """A weight, and a buffer that each step moves."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1, 1, 4))
        self.register_buffer("seen", torch.zeros(()))


def engine_of(kind=ResidentBatches, *, bad=lambda step: False, looking_on=(), trained_on=None):
    module, batches = Scaled(), batches_of(kind)

    def loss(step):
        module.seen += len(step.x)
        if trained_on is not None:
            trained_on.append(step.x.sum().item())
        noise = torch.randn(step.x.shape, generator=step.rng) + torch.rand(())
        wrong = (step.x * module.weight - step.x + 0.1 * noise).square().mean()
        return {"error": wrong * (torch.nan if bad(engine.progress.step) else 1.0)}

    plan = Plan(Budget(3), batch_size=10, optimizer="adamw", learning_rate=0.01)
    engine = Engine(module, [Player("only", (module,), loss)], batches, plan, callbacks=list(looking_on))
    return engine


def weights_of(engine):
    return [tensor.numpy().tobytes() for tensor in engine.module.state_dict().values()]


@pytest.mark.parametrize("kind", [ResidentBatches, StreamedBatches, GroupedBatches, PairedBatches])
@pytest.mark.parametrize("step", [1, 8, 11])
def test_batches_of_every_kind_go_on_in_their_order(kind, step, tmp_path):
    taken: list[float] = []
    whole = engine_of(kind, trained_on=taken)
    whole.run()
    path, first, second = tmp_path / "run.checkpoint", [], []
    with pytest.raises(Killed):
        engine_of(kind, looking_on=[KillAt(path, step)], trained_on=first).run()
    resumed = engine_of(kind, trained_on=second)
    resumed.load_checkpoint(path)
    resumed.run()
    assert first + second == taken  # what was trained on is not trained on again
    assert weights_of(resumed) == weights_of(whole)


@pytest.mark.parametrize("step", [1, 2, 5, 7, 8, 12, 14])
def test_going_back_after_resuming_goes_back_to_where_it_would_have(step, tmp_path):
    # Steps 9 to 11 of the second epoch have no finite loss at the first two rates: it starts again, twice.
    def bad_of(engines):
        return lambda number: 9 <= number <= 11 and engines[0].progress.returns < 2

    def make(*looking_on):
        engines = []
        engines.append(engine_of(bad=bad_of(engines), looking_on=looking_on))
        return engines[0]

    whole = make()
    whole.run()
    assert whole.progress.returns == 2
    path = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        make(KillAt(path, step)).run()
    resumed = make()
    resumed.load_checkpoint(path)
    resumed.run()
    assert weights_of(resumed) == weights_of(whole)
    assert resumed.progress.notes == whole.progress.notes


def test_weights_that_are_not_finite_do_not_take_the_place_of_a_good_checkpoint(tmp_path):
    path = tmp_path / "run.checkpoint"

    class Spoil(Callback):
        def on_step(self, state):
            if state.step == 8:
                engine.module.weight.data.fill_(torch.inf)
                state.checkpoint(path)
                raise Killed

    engine = engine_of(looking_on=[Checkpoint(path, seconds=0.0), Spoil()])
    with pytest.raises(Killed):
        engine.run()
    again = engine_of()
    again.load_checkpoint(path)
    assert again.progress.step == 8
    assert torch.isfinite(again.module.weight).all()


def test_a_checkpoint_of_another_number_of_ranks_goes_on_with_other_noise_and_says_so(tmp_path):
    path = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        engine_of(looking_on=[KillAt(path, 8)]).run()
    document, arrays = artifact.read(path, "Checkpoint")
    document["under_way"]["ranks"] = 2
    artifact.write(path, "Checkpoint", document, arrays, force=True)
    engine = engine_of()
    engine.load_checkpoint(path)
    engine.run()
    assert engine.progress.step == 18
    assert "epoch 2 was begun by another number of processes" in engine.progress.notes[0]


def test_an_epoch_under_way_that_makes_no_sense_is_refused(tmp_path):
    path = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        engine_of(looking_on=[KillAt(path, 8)]).run()
    document, arrays = artifact.read(path, "Checkpoint")
    artifact.write(path, "Checkpoint", document | {"under_way": {"step": 6}}, arrays, force=True)
    with pytest.raises(ArtifactError, match="cannot make sense of its description"):
        engine_of().load_checkpoint(path)
    less = {name: array for name, array in arrays.items() if not name.startswith("rank0")}
    artifact.write(path, "Checkpoint", document, less, force=True)
    with pytest.raises(ArtifactError, match="cannot make sense of its description"):
        engine_of().load_checkpoint(path)


def test_a_checkpoint_of_before_there_were_any_inside_epochs_is_still_read(tmp_path):
    path = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        engine_of(looking_on=[KillAt(path, 6)]).run()
    document, arrays = artifact.read(path, "Checkpoint")
    begun = {"epoch": 1, "history": [{"epoch": 1}]}
    old = {"plan": document["plan"], "progress": document["progress"] | begun}
    kept = {name: array for name, array in arrays.items() if name.startswith(("module.", "optimizer."))}
    artifact.write(path, "Checkpoint", old, kept, force=True)
    engine = engine_of()
    engine.load_checkpoint(path)
    assert engine.under_way is None
    engine.run()
    assert engine.progress.epoch == 3


# ---------------------------------------------------------------------- when


def test_the_clock_is_looked_at_every_few_steps_and_a_checkpoint_is_written_on_time(monkeypatch, tmp_path):
    now, written = [0.0], []
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: now[0])
    looks = []
    monkeypatch.setattr(callbacks.distributed, "first_says", lambda value: looks.append(value) or value)
    state = callbacks.FitState(checkpoint=lambda path: written.append(now[0]))
    checkpoint = Checkpoint(tmp_path / "run.checkpoint", seconds=100.0)
    checkpoint.on_start(state)
    for _ in range(100_000):
        now[0] += 0.01
        checkpoint.on_step(state)
    gaps = np.diff([0.0, *written])
    assert len(written) == 9
    assert gaps.min() >= 100
    assert gaps.max() <= 106  # a twentieth late at most
    assert len(looks) < 2 * 250


def test_by_default_there_are_none_inside_an_epoch(blobs, tmp_path):
    class Count(Checkpoint):
        written = 0

        def write(self, state):
            super().write(state)
            self.written += 1

    counting = Count(tmp_path / "run.checkpoint")
    small().fit(blobs, callbacks=[counting])
    assert counting.written == 3


@pytest.mark.long
def test_a_process_killed_inside_an_epoch_resumes(tmp_path):
    script = textwrap.dedent("""
        import numpy as np, os, signal, sys
        from isthmus import VAE
        from isthmus.training import Callback, Checkpoint
        path, how = sys.argv[1:]
        X = np.random.default_rng(0).normal(size=(100, 5))
        class Kill(Callback):
            def on_step(self, state):
                if how == "kill" and state.step == 8:
                    os.kill(os.getpid(), signal.SIGKILL)
        model = VAE(max_epochs=3, batch_size=20, random_state=0)
        resume = path if how == "resume" else None
        model.fit(X, callbacks=[Checkpoint(path, seconds=0.0), Kill()], resume=resume)
        print(model.provenance_["steps"], model.transform(X).tobytes().hex())
    """)

    def run(name: str, how: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", script, str(tmp_path / name), how]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    whole = run("whole", "run")
    assert run("killed", "kill").returncode == -signal.SIGKILL
    assert run("killed", "resume").stdout == whole.stdout != ""

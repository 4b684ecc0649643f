"""The engine: budgets, the best weights, resuming bit for bit, and what it does when things go wrong."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import Autoencoder, DenoisingAutoencoder
from isthmus.errors import ParameterError, TrainingError
from isthmus.networks.flows import CouplingFlow
from isthmus.training import Budget, Checkpoint, Engine, Plan, Player, ResidentBatches
from isthmus.training.optimizers import make_optimizers


def weights(model) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in model.module_.state_dict().values()]


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def small(**parameters):
    return DenoisingAutoencoder(
        **{"hidden": (16,), "latent_dim": 2, "max_epochs": 6, "random_state": 0, "dropout": 0.1} | parameters
    )


# ---------------------------------------------------------------------- the same seed, the same bits


def test_same_seed_gives_the_same_bits_and_global_generators_are_left_alone(blobs):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what is tested
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    one, other = small().fit(blobs), small().fit(blobs)
    assert same(one, other)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


def test_another_seed_gives_other_weights(blobs):
    assert not same(small().fit(blobs), small(random_state=1).fit(blobs))


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "adam", "sgd", "gradient-descent"])
def test_every_optimizer_lowers_the_loss(blobs, optimizer):
    history = (
        Autoencoder(hidden=(16,), latent_dim=2, max_epochs=30, optimizer=optimizer, random_state=0).fit(blobs).history_
    )
    assert history[-1]["train_loss"] < history[0]["train_loss"]


# ---------------------------------------------------------------------- resuming


@pytest.mark.parametrize("killed_at", [1, 3, 5])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_resumed_equals_uninterrupted_bit_for_bit(blobs, tmp_path, killed_at, optimizer):
    whole = small(optimizer=optimizer).fit(blobs)

    class Kill(Checkpoint):
        def on_epoch(self, state):
            super().on_epoch(state)
            if state.epoch == killed_at:
                raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        small(optimizer=optimizer).fit(blobs, callbacks=[Kill(path)])
    resumed = small(optimizer=optimizer).fit(blobs, resume=path)
    assert same(whole, resumed)
    without_time = [{k: v for k, v in record.items() if k != "seconds"} for record in resumed.history_]
    assert without_time == [{k: v for k, v in record.items() if k != "seconds"} for record in whole.history_]


def test_a_killed_process_resumes(tmp_path):
    script = textwrap.dedent("""
        import numpy as np, os, signal, sys
        from isthmus import Autoencoder
        from isthmus.training import Checkpoint
        path, kill = sys.argv[1], sys.argv[2] == "kill"
        X = np.random.default_rng(0).normal(size=(100, 5))
        def killer(state):
            if kill and state.epoch == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        model = Autoencoder(max_epochs=6, random_state=0)
        resume = path if sys.argv[2] == "resume" else None
        model.fit(X, callbacks=[Checkpoint(path), killer], resume=resume)
        print(model.transform(X).tobytes().hex())
    """)

    def run(name: str, how: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", script, str(tmp_path / name), how]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run("whole", "run")
    assert run("killed", "kill").returncode == -signal.SIGKILL
    assert run("killed", "resume").stdout == whole.stdout != ""


def test_a_checkpoint_of_other_settings_is_refused(blobs, tmp_path):
    path = tmp_path / "run.checkpoint"
    small(max_epochs=2).fit(blobs, callbacks=[Checkpoint(path)])
    with pytest.raises(
        ParameterError, match=r"was made with seed=\d*0, this run has seed=\d*1: resume with the settings"
    ):
        small(max_epochs=2, random_state=1).fit(blobs, resume=path)
    with pytest.raises(ParameterError, match=r"is of another network: it has shape .* for .*, this network has shape"):
        small(max_epochs=2, hidden=(17,)).fit(blobs, resume=path)


# ---------------------------------------------------------------------- budgets and the best weights


def test_a_fraction_of_an_epoch_ends_in_the_middle_of_one():
    module = nn.Linear(1, 1)
    seen = []

    def loss(step):
        seen.append(len(step.x))
        return {"error": module(step.x).square().mean()}

    batches = ResidentBatches(torch.ones(100, 1), np.arange(100))
    Engine(module, [Player("p", (module,), loss)], batches, Plan(Budget(1.5), batch_size=10)).run()
    assert len(seen) == 15


def test_seconds_end_a_run_with_the_rate_at_zero(blobs):
    model = Autoencoder(max_epochs=10**6, max_seconds=0.5, random_state=0).fit(blobs)
    assert 0.4 < model.history_[-1]["seconds"] < 3
    assert model.history_[-1]["learning_rate"] < 0.01


def test_the_kept_weights_are_those_of_the_best_epoch():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 20))
    model = Autoencoder(
        hidden=(64,), latent_dim=10, max_epochs=200, patience=20, likelihood="gaussian-fixed", random_state=0
    )
    model.fit(noise, validation=rng.normal(size=(200, 20)))
    losses = [record["validation_loss"] for record in model.history_]
    best = model.provenance_["best_epoch"]
    assert losses[best - 1] == min(losses)
    assert len(losses) < 200  # it stopped early
    assert losses[-1] > min(losses)


def test_a_callback_stops_a_run(blobs):
    assert len(small(max_epochs=50).fit(blobs, callbacks=[lambda state: "stop"]).history_) == 1


def test_constant_data_train(blobs):
    model = small().fit(np.ones((50, 4)))
    assert np.isfinite(model.reconstruct(np.ones((2, 4)))).all()


# ---------------------------------------------------------------------- what can go wrong


def test_a_huge_learning_rate_ends_with_finite_weights(blobs):
    model = Autoencoder(
        hidden=(16,), max_epochs=20, learning_rate=10.0, optimizer="sgd", likelihood="gaussian-fixed", random_state=0
    )
    model.fit(blobs * 10)
    assert all(np.isfinite(array).all() for array in weights(model))
    assert any("was not finite; went back" in note for note in model.notes_)


def test_going_back_is_noted_and_lowers_the_rate():
    module = nn.Linear(1, 1)
    calls = 0

    def loss(step):
        nonlocal calls
        calls += 1
        bad = torch.tensor(math.nan) if 5 <= calls < 8 else 0.0
        return {"error": module(step.x).square().mean() + bad}

    batches = ResidentBatches(torch.ones(40, 1), np.arange(40))
    progress = Engine(module, [Player("p", (module,), loss)], batches, Plan(Budget(3), batch_size=10)).run()
    assert progress.notes == [
        "epoch 2: the loss term 'error' was not finite; went back to its start with the learning rate times 0.1"
    ]
    assert torch.isfinite(module.weight).all()


def test_one_bad_step_is_skipped():
    module = nn.Linear(1, 1)
    calls = 0

    def loss(step):
        nonlocal calls
        calls += 1
        return {"error": module(step.x).square().mean() * (math.nan if calls == 2 else 1.0)}

    batches = ResidentBatches(torch.ones(40, 1), np.arange(40))
    progress = Engine(module, [Player("p", (module,), loss)], batches, Plan(Budget(2), batch_size=10)).run()
    assert progress.notes == []
    assert torch.isfinite(module.weight).all()


def test_giving_up_names_term_and_rows():
    module = nn.Linear(1, 1)

    def loss(step):
        return {"reconstruction": module(step.x.log()).square().mean()}

    records = torch.ones(40, 1)
    records[[7, 23]] = -1.0
    batches = ResidentBatches(records, np.arange(40))
    with pytest.raises(
        TrainingError, match=r"the loss term 'reconstruction' stayed non-finite .* rows (7, 23|23, 7) cause it"
    ):
        Engine(module, [Player("p", (module,), loss)], batches, Plan(Budget(30), batch_size=40)).run()
    assert torch.isfinite(module.weight).all()


def test_out_of_memory_halves_the_batch_and_says_so():
    module = nn.Linear(1, 1)
    sizes = []

    def loss(step):
        sizes.append(len(step.x))
        if len(step.x) > 10:
            raise MemoryError
        return {"error": module(step.x).square().mean()}

    batches = ResidentBatches(torch.ones(40, 1), np.arange(40))
    progress = Engine(module, [Player("p", (module,), loss)], batches, Plan(Budget(1), batch_size=40)).run()
    assert sizes == [40, 20, 10, 10, 10, 10]
    assert progress.notes[-1] == "memory ran out: the batch is 10 records from epoch 1 on"


def test_a_forecast_leaves_no_trace(blobs):
    one = small().fit(blobs)
    other = small(verbose=1).fit(blobs)
    assert same(one, other)


# ---------------------------------------------------------------------- several processes


def test_two_processes_train_as_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
        import atexit, sys, numpy as np, torch
        from isthmus import Autoencoder
        from isthmus.training import distributed
        torch.set_num_threads(1)
        # Called last: a process that ends as one of a group aborts now and then.
        atexit.register(lambda: print("of a group" if torch.distributed.is_initialized() else "alone", file=sys.stderr))
        X = np.random.default_rng(0).normal(size=(128, 6))
        # AdamW, because orthogonal steps make much of the last bits, in which sums of halves differ from whole ones.
        common = {"max_epochs": 4, "batch_size": 32, "optimizer": "adamw", "precision": "float32"}
        model = Autoencoder(**common, random_state=0).fit(X, validation=0)
        if distributed.is_first():
            np.save(sys.argv[1], [record["train_loss"] for record in model.history_])
        """)
    )

    def run(n: int) -> np.ndarray:
        out = tmp_path / f"{n}.npy"
        launch = [
            "-m",
            "torch.distributed.run",
            f"--nproc-per-node={n}",
            "--rdzv-backend=c10d",
            "--rdzv-endpoint=127.0.0.1:0",  # port 0: one that is free at the very moment
            "--local-addr=127.0.0.1",
        ]
        command = [sys.executable, *(launch if n > 1 else []), str(script), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr
        assert "of a group" not in done.stderr
        assert done.stderr.count("alone") == n
        return np.load(out)

    np.testing.assert_allclose(run(2), run(1), atol=1e-4)


class ColumnByColumn(torch.autograd.Function):
    """The identity, whose gradient lies in memory column by column, as that of many an operation does."""

    @staticmethod
    def forward(ctx, table):
        return table.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.T.contiguous().T


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon", "sgd"])
def test_steps_do_not_depend_on_the_order_of_a_gradient_in_memory(optimizer):
    tables = []
    for turn in (lambda table: table, ColumnByColumn.apply):
        module = nn.Linear(3, 4)
        with torch.no_grad():
            module.weight.copy_(torch.arange(12.0).view(4, 3) / 12)
            module.bias.zero_()

        def loss(step, module=module, turn=turn):
            return {"error": (step.x @ turn(module.weight).T - 1).square().mean()}

        batches = ResidentBatches(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), np.arange(64))
        plan = Plan(Budget(3), batch_size=16, optimizer=optimizer)
        Engine(module, [Player("p", (module,), loss)], batches, plan).run()
        tables.append(module.weight.detach().clone())
    assert torch.equal(*tables)


def test_muon_leaves_tables_and_flows_to_adamw():
    rng = torch.Generator().manual_seed(0)
    dense, table, flow = nn.Linear(3, 2), nn.Embedding(5, 2), CouplingFlow(4, 2, rng)
    player = Player("model", (dense, nn.ModuleList([table, flow])), lambda step: {})
    muon, adamw = make_optimizers(player, "muon", None, 0.0)
    assert [id(p) for p in muon.parameters] == [id(dense.weight)]
    assert {id(p) for p in adamw.parameters} == {
        id(dense.bias),
        *(id(p) for m in (table, flow) for p in m.parameters()),
    }

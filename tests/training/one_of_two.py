"""One of two processes that train together, for ``test_ranks.py``: fits, and writes down what came of it.

Run as ``python one_of_two.py RANK STORE FOLDER``. What it compares itself is compared with torch on all records.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

import isthmus
from isthmus import ranks
from isthmus.errors import TrainingError
from isthmus.networks import layers
from isthmus.training import Budget, Engine, Plan, Player, ResidentBatches, distributed

RECORDS = 51  # in one batch: 26 on the first rank, 25 on the second


def rows(n: int = RECORDS) -> np.ndarray:
    """Return some records."""
    return np.random.default_rng(0).normal(size=(n, 6)).astype("float32")


def few_labels(n: int = RECORDS) -> np.ndarray:
    """Return classes of two records, which the second rank has none of when batches are read."""
    return np.where(np.arange(n) < 2, np.arange(n) % 2, -1)


COMMON: dict[str, Any] = {"latent_dim": 2, "hidden": (5,), "precision": "float32", "optimizer": "sgd", "max_epochs": 4}


def plain(**own: Any) -> Any:
    """Return a fitted autoencoder whose loss has no noise: what two ranks must do as one process does."""
    settings = COMMON | {"batch_size": RECORDS, "random_state": 0} | own
    return isthmus.Autoencoder(**settings).fit(rows(), validation=0.2)


def few_records() -> Any:
    """Return one that was fitted on fewer records, in a batch, than there are ranks."""
    return isthmus.Autoencoder(**COMMON, batch_size=1, random_state=0).fit(rows(3), validation=0)


FITS = {
    "plain": plain,
    "normalised over the batch": lambda: plain(norm="batch"),
    "few records": few_records,
    "no seed": lambda: plain(random_state=None),
    "few labels": lambda: isthmus.ConditionalVAE(**COMMON, norm="batch", random_state=0).fit(rows(), few_labels()),
    "ladder": lambda: isthmus.LadderNetwork(**COMMON, random_state=0).fit(rows(), few_labels()),
    "codebook": lambda: isthmus.VQVAE(**COMMON | {"latent_dim": 4}, codebook_size=4, random_state=0).fit(rows()),
    "game": lambda: isthmus.GAN(**COMMON, components=2, random_state=0).fit(rows()),
}


def weights(module: nn.Module) -> np.ndarray:
    """Return all weights and buffers in a row."""
    return torch.cat([t.detach().double().flatten() for t in (*module.parameters(), *module.buffers())]).numpy()


# ------------------------------------------------------------------ statistics of a batch


def statistics(rank: int) -> dict[str, float]:
    """Return how far statistics over both ranks, and their gradients, are from those of torch over all records."""
    x = torch.randn(8, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    slope = torch.randn(8, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mine = slice(0, 5) if rank == 0 else slice(5, 8)
    found = {}

    def compare(name: str, together: Any, alone: Any, *, counts: bool = True) -> None:
        own, whole = x[mine].clone().requires_grad_(), x.clone().requires_grad_()
        with ranks.taking(ranks.Turn(counts)):
            part = float(counts) * together(own)
        all_of_it = alone(whole)
        (mean_slope,) = torch.autograd.grad(part, own)
        (its,) = torch.autograd.grad(all_of_it, whole)
        total = part.detach().clone()
        dist.all_reduce(total)  # the parts of a loss add up
        found[name] = max(float((total - all_of_it).abs()), float((mean_slope - its[mine]).abs().max()))

    def half(value: Tensor) -> Tensor:  # what both ranks have alike counts once
        return value / 2

    norm, reference = layers.BatchNorm1d(3).double(), nn.BatchNorm1d(3).double()
    compare("normalisation", lambda x: (norm(x) * slope[mine]).sum(), lambda x: (reference(x) * slope).sum())
    found["running mean"] = float((norm.running_mean - reference.running_mean).abs().max())
    found["running variance"] = float((norm.running_var - reference.running_var).abs().max())
    compare("mean", lambda x: half(ranks.mean(x, 0).square().sum()), lambda x: x.mean(0).square().sum())
    compare("mean of all", lambda x: half(ranks.mean(x).square()), lambda x: x.mean().square())
    compare(
        "gathered",
        lambda x: half(torch.cdist(*2 * [ranks.gathered(x.flatten(1))]).square().sum()),
        lambda x: torch.cdist(*2 * [x.flatten(1)]).square().sum(),
    )

    def slopes_of_slopes(norm: nn.Module, x: Tensor, slope: Tensor) -> Tensor:
        (first,) = torch.autograd.grad((norm(x).square() * slope).sum(), x, create_graph=True)
        return first.square().sum()

    compare(
        "slope of a slope",
        lambda x: slopes_of_slopes(norm, x, slope[mine]),
        lambda x: slopes_of_slopes(reference, x, slope),
    )

    compare(  # and where the second rank goes along without a record that counts
        "slope of a slope of the first rank's",
        lambda x: slopes_of_slopes(norm, x, slope[mine]),
        lambda x: slopes_of_slopes(reference, x[:5], slope[:5]),
        counts=rank == 0,
    )

    def of_some(x: Tensor) -> Tensor:
        return x[:2].sum() if rank == 0 else 0 * x.sum()  # the second rank has none of the kind

    count = torch.tensor(2 if rank == 0 else 0)
    compare("mean of some", lambda x: half(ranks.average(of_some(x), count)), lambda x: x[:2].sum() / 2)
    return found


# ------------------------------------------------------------------ turns that all take


class _OutOfMemory(torch.autograd.Function):
    """The identity, whose gradient does not fit into memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise MemoryError


def engine(trouble: Any, *, epochs: int = 2, batch_size: int = 16, callbacks: Any = ()) -> tuple[Engine, nn.Module]:
    """Return an engine of a network that is normalised over the batch, and goes through what ``trouble`` does to it."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), layers.BatchNorm1d(4), nn.Tanh(), layers.BatchNorm1d(4), nn.Linear(4, 1))
    seen = [0]

    def loss(step: Any) -> dict[str, Tensor]:
        seen[0] += module.training
        h = trouble(module[:3](step.x), seen[0], step)
        return {"error": (module[3:](h)[:, 0] - F.tanh(step.x[:, 0])).square().mean()}

    batches = ResidentBatches(torch.from_numpy(rows(48)), np.arange(48))
    plan = Plan(Budget(epochs), batch_size=batch_size, optimizer="sgd")
    return Engine(module, [Player("p", (module,), loss)], batches, plan, callbacks=callbacks), module


def turns(rank: int) -> dict[str, Any]:
    """Return what became of runs in which something happens to the second rank alone."""
    second, found = rank == 1, {}

    def note(name: str, trouble: Any, **options: Any) -> None:
        run, module = engine(trouble, **options)
        said = ""
        try:
            run.run()
        except TrainingError as error:
            said = str(error)
        p = run.progress
        found[name] = {
            "epochs": p.epoch,
            "steps": p.step,
            "batch": p.batch_size,
            "returns": p.returns,
            "notes": p.notes,
            "said": said,
            "losses": [record["train_loss"] for record in p.history],
        }
        np.save(FOLDER / f"{name}-{rank}.npy", weights(module))

    def at(step: int, harm: Any) -> Any:
        return lambda h, seen, _: harm(h) if second and seen == step else h

    def out_of_memory(h: Tensor) -> Tensor:
        raise MemoryError

    note("undisturbed", lambda h, *_: h)
    note("a step is skipped", at(2, lambda h: h * torch.nan))
    note("going back", lambda h, seen, _: h * torch.nan if second and 4 <= seen <= 6 else h)
    note("memory, before a normalisation", at(2, out_of_memory))
    note("memory, in a gradient", at(2, _OutOfMemory.apply))
    note("memory, at the end", at(6, out_of_memory))
    bad = rows(48)[7]
    note("a bad row", lambda h, _, step: torch.where(step.x[:, :1] == float(bad[0]), torch.nan, 1.0) * h, batch_size=48)
    note("stop", lambda h, *_: h, epochs=5, callbacks=[Stops(second)])
    return found


class Stops(isthmus.training.Callback):
    """Says stop after the second epoch, on one rank."""

    def __init__(self, says: bool) -> None:
        self.says = says

    def on_epoch(self, state: Any) -> str | None:
        return "stop" if self.says and state.epoch == 2 else None


def main() -> None:
    """Fit everything, and write weights and figures down."""
    rank, found = distributed.rank(), {}
    for name, fit in FITS.items():
        model = fit()
        np.save(FOLDER / f"{name}-{rank}.npy", weights(model.module_))
        found[name] = {"seed": model.provenance_["seed"], "history": model.history_}
    about = {"fits": found, "statistics": statistics(rank), "turns": turns(rank)}
    (FOLDER / f"{rank}.json").write_text(json.dumps(about))


if __name__ == "__main__":
    number, store, FOLDER = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=2)
    main()
    dist.barrier()
    dist.destroy_process_group()

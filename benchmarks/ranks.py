"""Whether ranks that train together have the same weights, and the weights of one process on whole batches.

Every model and every task that trains is fitted by groups of 2 and 3 processes on this machine (gloo on loopback), on
batches that the ranks can and cannot divide evenly, with few labels, with normalisation over the batch, on resident,
streamed and grouped records:

between ranks   the largest difference of a weight or buffer, at the end of each epoch and of the fit: must be 0
against one     the same after 50 steps of sgd and AdamW in 2 processes and in 1, in float32 and float64, and the
                losses of each epoch on the way. Ranks draw noise of their own, so meanwhile every draw for a record is
                a function of its row and of the number of the draw, and other draws are their middle.
                Of streamed records, one process takes the batches that two have together. In float64, `Tensor.float`
                is `Tensor.double`, and what comes from NumPy or is made anew is of float64.
alone           where that is beyond the bound in float32: how far one process ends from itself when every number of
                its gradients is moved by less than a unit in its last place, the largest of some times. What goes
                farther than that by being shared is a fault; what does not is how training magnifies rounding.
quality         of a VAE, a GAN and a ladder network with 2 processes and with 1, over 5 seeds (`--quality`)

It times nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import harness
import numpy as np

SIZES = {"even": (96, 32), "odd": (105, 35)}  # records, and records in a batch: 3 batches
STEPS = 50
EPOCHS = 4.0  # between ranks, with noise
BOUNDS = {"float64": 1e-9, "float32": 1e-4}
NUDGES = range(5)  # times that a process is compared with itself
ALIKE = 3.0  # times as far: differences that grow out of rounding are of one size, and no two are equal
OPTIMIZERS = ("sgd", "adamw")
CLASSES, LABELLED = 3, 7
WORLDS = (2, 3)
SEEDS = range(5)

Settings = dict[str, Any]
Case = Callable[[int, Settings], list[Any]]  # records, settings of the model -> modules that were trained


# ------------------------------------------------------------------ records


def rows(n: int, width: int = 8) -> np.ndarray:
    """Return records in three groups."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, width)) + 3 * rng.normal(size=(CLASSES, width))[np.arange(n) % CLASSES]).astype(
        "float32"
    )


def pictures(n: int) -> np.ndarray:
    """Return pictures of 8 x 8."""
    return np.random.default_rng(1).integers(0, 256, size=(n, 8, 8)).astype("uint8")


def of_sizes(n: int) -> Any:
    """Return pictures of three sizes."""
    from isthmus import data

    rng, sizes = np.random.default_rng(2), ((8, 8), (12, 8), (8, 16))
    return data.open([rng.integers(0, 256, size=sizes[i % 3]).astype("uint8") for i in range(n)], sizes="group")


def texts(n: int) -> list[str]:
    """Return short texts."""
    rng = np.random.default_rng(3)
    return ["".join(rng.choice(list("abcde "), size=rng.integers(5, 20))) for _ in range(n)]


def table(n: int) -> Any:
    """Return a table with a category."""
    import pandas as pd

    x = rows(n, 4)
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": np.array(["u", "v", "w"])[np.arange(n) % 3]})


def labels(n: int) -> np.ndarray:
    """Return the group of each record."""
    return np.arange(n) % CLASSES


def few(n: int) -> np.ndarray:
    """Return labels of which all but a few are missing."""
    return np.where(np.arange(n) < LABELLED, labels(n), -1)


# ------------------------------------------------------------------ what is fitted


def model(name: str, make: Callable[[int], Any] = rows, y: Callable[[int], Any] | None = None, **own: Any) -> Case:
    """Return the fit of a model."""

    def fit(n: int, settings: Settings) -> list[Any]:
        import isthmus

        given = {"latent_dim": 4, "hidden": (16,)} | settings | own
        known = getattr(isthmus, name)().get_params()
        made = getattr(isthmus, name)(**{key: value for key, value in given.items() if key in known})
        # Held-out records are normalised by running means, which lag behind a bias that is chance: see settled().
        made.fit(make(n), None if y is None else y(n), validation=0.2 if made.stops_early and made.norm is None else 0)
        return [made.module_]

    return fit


def streamed(n: int, settings: Settings) -> list[Any]:
    """Fit on records that are read block by block."""
    from isthmus.training import Loader

    with mock.patch.object(Loader, "_fits", return_value=False):
        return model("Autoencoder")(n, settings)


def classifier(method: str) -> Case:
    """Return the fit of a classifier."""

    def fit(n: int, settings: Settings) -> list[Any]:
        import isthmus

        its = isthmus.Autoencoder(latent_dim=4, hidden=(16,), **settings)
        given = labels(n) if method != "joint" else few(n)
        found = isthmus.Classifier(model=its, method=method, random_state=0).fit(rows(n), given)
        return [found.fitted_method_.model.module_, found.fitted_method_.head]

    return fit


def clusterer(method: str) -> Case:
    """Return the fit of a clusterer."""

    def fit(n: int, settings: Settings) -> list[Any]:
        import isthmus

        kind = isthmus.VAE if method == "vade" else isthmus.Autoencoder
        own = {"prior": "normal"} if method == "vade" else {}
        its = kind(latent_dim=4, hidden=(16,), **settings, **own)
        found = isthmus.Clusterer(model=its, n_clusters=CLASSES, method=method, random_state=0).fit(rows(n))
        method_ = found.fitted_method_
        return [method_.model.module_, *([method_.centres] if hasattr(method_, "centres") else [])]

    return fit


def detector(n: int, settings: Settings) -> list[Any]:
    """Fit a detector."""
    import isthmus

    its = isthmus.Autoencoder(latent_dim=4, hidden=(16,), **settings)
    return [isthmus.Detector(model=its, random_state=0).fit(rows(n)).model_.module_]


def imputed(n: int, settings: Settings) -> list[Any]:
    """Fill missing cells by a model that is fitted for it."""
    from isthmus.models import DenoisingAutoencoder
    from isthmus.tasks import impute

    trained: list[Any] = []
    fit = DenoisingAutoencoder.fit

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        self.set_params(
            **{name: settings[name] for name in ("max_epochs", "precision", "optimizer") if name in settings}
        )
        trained.append(fit(self, *given, **named))
        return trained[-1]

    x = rows(n)
    x[::5, 2] = np.nan
    with mock.patch.object(DenoisingAutoencoder, "fit", noted):
        impute(None, x, random_state=0, draws=2, iterations=1)
    return [each.module_ for each in trained]


def tuned(n: int, settings: Settings) -> list[Any]:
    """Search among settings."""
    import isthmus

    its = isthmus.Autoencoder(latent_dim=4, hidden=(16,), **(settings | {"max_epochs": 1}))
    return [isthmus.Tuner(model=its, n_trials=2, cv=2, random_state=0).fit(rows(n)).model_.module_]


def restorer(n: int, settings: Settings) -> list[Any]:
    """Fit a restorer."""
    import isthmus

    clean = [np.kron(one, np.ones((6, 6), np.uint8)) for one in pictures(4)]
    found = isthmus.Restorer(
        start=None, channels=(4, 4, 4), patch=32, batch_size=n % 2 + 2, max_steps=3, precision="float32", random_state=0
    )
    return [found.fit(clean, validation=0).module_]


def features(n: int, settings: Settings) -> list[Any]:
    """Train the classifier whose features compare pictures."""
    from isthmus.tasks import features as module

    with mock.patch.object(module, "STEPS", 10):
        return [module.feature_network(pictures(n), labels(n), cache=False)]


BATCH = {"norm": "batch"}
CASES: dict[str, Case] = {
    "Autoencoder": model("Autoencoder"),
    "Autoencoder, batch norm": model("Autoencoder", **BATCH),
    "Autoencoder, tied": model("Autoencoder", tied=True),
    "Autoencoder, pictures, batch norm": model(
        "Autoencoder", pictures, hidden=(4, 8), network="convolutional", **BATCH
    ),
    "Autoencoder, pictures of several sizes, batch norm": model("Autoencoder", of_sizes, hidden=(4, 8), **BATCH),
    "Autoencoder, texts, batch norm": model("Autoencoder", texts, hidden=(8,), **BATCH),
    "Autoencoder, table": model("Autoencoder", table),
    "Autoencoder, streamed": streamed,
    "DenoisingAutoencoder": model("DenoisingAutoencoder", corruption="masking"),
    "ContractiveAutoencoder, one layer": model("ContractiveAutoencoder", hidden=()),
    "ContractiveAutoencoder, batch norm": model("ContractiveAutoencoder", **BATCH),
    "SparseAutoencoder, top-k": model("SparseAutoencoder"),
    "SparseAutoencoder, l1": model("SparseAutoencoder", sparsity="l1"),
    "SparseAutoencoder, kl": model("SparseAutoencoder", sparsity="kl"),
    "RegularizedAutoencoder": model("RegularizedAutoencoder"),
    "RegularizedAutoencoder, batch norm": model("RegularizedAutoencoder", **BATCH),
    "RegularizedAutoencoder, weights": model("RegularizedAutoencoder", smoothness="weights"),
    "WassersteinAutoencoder": model("WassersteinAutoencoder"),
    "VAE": model("VAE"),
    "VAE, free bits, batch norm": model("VAE", free_bits=0.5, **BATCH),
    "VAE, flow, mixture, free bits": model("VAE", posterior="flow", prior="mixture", components=5, free_bits=0.1),
    "VAE, vamp, batch norm": model("VAE", prior="vamp", components=6, **BATCH),
    "VAE, prior of a flow": model("VAE", prior="flow"),
    "VAE, k = 5": model("VAE", k=5),
    "VAE, texts": model("VAE", texts, hidden=(8,)),
    "VAE, table": model("VAE", table, components=5),
    "TotalCorrelationVAE": model("TotalCorrelationVAE"),
    "TotalCorrelationVAE, maps": model("TotalCorrelationVAE", of_sizes, hidden=(4, 8)),
    "LadderVAE, free bits": model("LadderVAE", free_bits=0.5),
    "ConditionalVAE": model("ConditionalVAE", y=labels),
    "ConditionalVAE, few labels": model("ConditionalVAE", y=few),
    "ConditionalVAE, few labels, batch norm": model("ConditionalVAE", y=few, **BATCH),
    "VQVAE": model("VQVAE", codebook_size=8),
    "VQVAE, residual, batch norm": model("VQVAE", quantisation="residual", codebook_size=8, n_quantizers=2, **BATCH),
    "VQVAE, scalar": model("VQVAE", quantisation="scalar"),
    "AdversarialAutoencoder": model("AdversarialAutoencoder"),
    "VAEGAN": model("VAEGAN", **BATCH),
    "GAN": model("GAN", components=4),
    "GAN, pictures, augmented": model("GAN", pictures, augment=("shift", "flip")),
    "GAN, wasserstein": model("GAN", loss="wasserstein"),
    "GAN, hinge, batch norm": model("GAN", loss="hinge", **BATCH),
    "ConditionalGAN": model("ConditionalGAN", y=labels),
    "LadderNetwork": model("LadderNetwork", y=labels),
    "LadderNetwork, few labels": model("LadderNetwork", y=few),
    "Map": model("Map", landmarks=64),
    "Map, network of its own, batch norm": model("Map", network="dense", **BATCH),
    "Classifier, head": classifier("head"),
    "Classifier, joint, few labels": classifier("joint"),
    "Classifier, fine-tuned": classifier("fine-tuned"),
    "Clusterer, dec": clusterer("dec"),
    "Clusterer, idec": clusterer("idec"),
    "Clusterer, vade": clusterer("vade"),
    "Detector": detector,
    "impute": imputed,
    "Tuner": tuned,
    "Restorer": restorer,
    "feature network": features,
}


# ------------------------------------------------------------------ in one process


class SharedNoise:
    """Draws that do not depend on who draws them; a context, in which models are fitted.

    What is drawn for a record is a function of its row and of the number of the draw since the training began. What is
    not drawn record by record is the middle of its law.

    Attributes
    ----------
    losses : list of float
        Of each epoch of each training.
    """

    def __init__(self) -> None:
        self.rows = np.empty(0, int)  # of the batch, that this process has
        self.drawn = 0
        self.losses: list[float] = []

    def uniform(self, sides: Sequence[int]) -> np.ndarray | None:
        """Return numbers below 1 for each record of this process; None where no axis is that of records."""
        if not len(self.rows) or len(self.rows) not in sides:
            return None
        axis = list(sides).index(len(self.rows))
        others = [side for i, side in enumerate(sides) if i != axis]
        self.drawn += 1
        numbers = np.random.default_rng(self.drawn).random((self.rows.max() + 1, *others))
        return np.moveaxis(numbers[self.rows], 0, axis)

    def rand(self, *shape: Any, generator: Any = None, dtype: Any = None, device: Any = None) -> Any:
        """Stand in for ``torch.rand``."""
        import torch

        sides = tuple(shape[0]) if shape and not isinstance(shape[0], int) else shape
        found = self.uniform(sides)
        return torch.full(sides, 0.5, dtype=dtype) if found is None else torch.tensor(found, dtype=dtype or _default())

    def randn(self, *shape: Any, generator: Any = None, dtype: Any = None, device: Any = None) -> Any:
        """Stand in for ``torch.randn``."""
        import torch

        return torch.special.ndtri(self.rand(*shape, dtype=dtype).double()).to(dtype or _default())

    def randint(self, *given: Any, generator: Any = None, device: Any = None) -> Any:
        """Stand in for ``torch.randint``."""
        import torch

        found = self.uniform(given[-1])
        if found is None:
            return torch.zeros(given[-1], dtype=torch.long)
        low, high = (0, *given[:-1])[-2:]
        return torch.tensor(low + np.floor(found * (high - low)), dtype=torch.long)

    def multinomial(self, chances: Any, count: int, replacement: bool = False, *, generator: Any = None) -> Any:
        """Stand in for ``torch.multinomial`` with replacement."""
        import torch

        found = self.uniform((*chances.shape[:-1], count))
        if found is None:
            return torch.zeros((*chances.shape[:-1], count), dtype=torch.long)
        below = chances.double().cumsum(-1) / chances.double().sum(-1, keepdim=True)
        places = torch.searchsorted(below.contiguous(), torch.tensor(found))
        return places.clamp_max(chances.shape[-1] - 1)

    def dropout(self, x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        """Stand in for ``torch.nn.functional.dropout``."""
        return x * (self.rand(x.shape) >= p).to(x.dtype) / (1 - p) if training and p > 0 else x

    def __enter__(self) -> SharedNoise:
        import torch

        from isthmus.training import Engine, StreamedBatches

        run, terms, epoch = Engine.run, Engine._terms, StreamedBatches.epoch

        def run_with(engine: Any) -> Any:
            self.drawn = 0
            with contextlib.ExitStack() as stack:
                for name in ("rand", "randn", "randint", "multinomial"):
                    stack.enter_context(mock.patch.object(torch, name, getattr(self, name)))
                stack.enter_context(mock.patch.object(torch.nn.functional, "dropout", self.dropout))
                like = lambda x, **_: self.randn(x.shape, dtype=x.dtype)  # noqa: E731
                stack.enter_context(mock.patch.object(torch, "randn_like", like))
                filled = lambda x, *_, **__: x.copy_(self.randn(x.shape, dtype=x.dtype))  # noqa: E731
                stack.enter_context(mock.patch.object(torch.Tensor, "normal_", filled))
                found = run(engine)
            self.losses += [record["train_loss"] for record in found.history]
            return found

        def terms_with(engine: Any, player: Any, batch: Any, *others: Any) -> Any:
            self.rows = batch[1].numpy()
            try:
                return terms(engine, player, batch, *others)
            finally:
                self.rows = np.empty(0, int)

        def epoch_of_two(batches: Any, size: int, generator: Any, share: slice = slice(None)) -> Iterator[Any]:
            if share.step is not None:
                return epoch(batches, size, generator, share)
            shares = [epoch(batches, size, generator.clone_state(), slice(i, None, 2)) for i in range(2)]
            return ((torch.cat([a, b]), torch.cat([i, j])) for (a, i), (b, j) in zip(*shares, strict=True))

        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(Engine, "run", run_with))
            stack.enter_context(mock.patch.object(Engine, "_terms", terms_with))
            stack.enter_context(mock.patch.object(StreamedBatches, "epoch", epoch_of_two))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _default() -> Any:
    import torch

    return torch.get_default_dtype()


@contextlib.contextmanager
def nudged(seed: int | None) -> Iterator[None]:
    """Move every number of every gradient by less than a unit in its last place; not of None."""
    import torch

    from isthmus.training import Engine

    if seed is None:
        yield
        return
    move, rng = Engine._move, np.random.default_rng(seed)

    def beside(self: Any, player: Any, gradients: Any, factor: float) -> None:
        one = torch.finfo(torch.float32).eps
        moved = [
            None if each is None else each * torch.tensor(1 + one * rng.uniform(-1, 1, each.shape)).to(each.dtype)
            for each in gradients
        ]
        move(self, player, moved, factor)

    with mock.patch.object(Engine, "_move", beside):
        yield


@contextlib.contextmanager
def in_precision(name: str) -> Iterator[None]:
    """Compute in float64 where it is asked for."""
    import torch

    if name == "float32":
        yield
        return
    from_numpy = torch.from_numpy

    def in_double(array: np.ndarray) -> Any:
        found = from_numpy(array)
        return found.double() if found.dtype == torch.float32 else found

    torch.set_default_dtype(torch.float64)
    try:
        with (
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
            mock.patch.object(torch, "from_numpy", in_double),
        ):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def tensors_of(modules: list[Any]) -> dict[str, Any]:
    """Return every weight and buffer."""
    return {
        f"{i}.{name}": tensor.detach()
        for i, module in enumerate(modules)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }


def settled(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what of weights and buffers has a gradient that is more than rounding.

    AdamW makes steps of full length of rounding, too, so the others are chance in one process already: biases that a
    normalisation over the batch takes out again, that of the code before a linear layer among them, with the running
    mean that follows them; and queries and keys of a prior of one token, which sees nothing but itself. Biases of
    networks with such a normalisation are left out but for its own. What they do is in the losses, which are compared.
    """
    norms = {name.removesuffix(".running_mean") for name in found if name.endswith(".running_mean")}

    def is_chance(name: str) -> bool:
        module, _, entry = name.rpartition(".")
        return ".qkv" in name or (
            bool(norms) and (entry == "running_mean" or (entry == "bias" and module not in norms))
        )

    return {name: values for name, values in found.items() if not is_chance(name)}


def between_ranks(tensors: list[Any]) -> float:
    """Return the largest difference of a number between ranks."""
    import torch
    import torch.distributed as dist

    flat = torch.cat([tensor.detach().double().flatten() for tensor in tensors] or [torch.zeros(1)])
    flat = torch.nan_to_num(flat, nan=1e300)
    high, low = flat.clone(), flat.clone()
    dist.all_reduce(high, dist.ReduceOp.MAX)
    dist.all_reduce(low, dist.ReduceOp.MIN)
    return float((high - low).max())


@contextlib.contextmanager
def watching(found: list[float]) -> Iterator[None]:
    """Note how far buffers are apart when an epoch ends, before they are made the same."""
    from isthmus.training import distributed

    agree = distributed.agree

    def noted(*what: Any) -> None:
        import torch

        tensors = [each for each in what if isinstance(each, torch.Tensor)]
        if tensors and len(tensors) == len(what) and distributed.world() > 1:
            found.append(between_ranks(tensors))
        agree(*what)

    with mock.patch.object(distributed, "agree", noted):
        yield


def settings_of(size: str, optimizer: str | None, epochs: float) -> Settings:
    """Return what all models are given."""
    chosen = {} if optimizer is None else {"optimizer": optimizer}
    batch = SIZES[size][1]
    return {"batch_size": batch, "max_epochs": epochs, "precision": "float32", "random_state": 0} | chosen


def work(rank: int, world: int, store: str, folder: Path, names: list[str]) -> None:
    """Fit everything as one of some ranks."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    for name in names:
        for size, (n, _) in SIZES.items():
            kept = folder / f"{name}|{size}|{world}.json"
            if world > 1 and not kept.exists():
                apart: list[float] = []
                with watching(apart):
                    modules = CASES[name](n, settings_of(size, None, EPOCHS))
                apart.append(between_ranks(list(tensors_of(modules).values())))
                if rank == 0:
                    kept.write_text(json.dumps(max(apart)))
            if world <= 2:
                for precision, optimizer in itertools.product(BOUNDS, OPTIMIZERS):
                    _compared(name, size, precision, optimizer, rank, world, folder)
        if rank == 0:
            print(f"{world}: {name}", file=sys.stderr, flush=True)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


def nudge(name: str, folder: Path) -> None:
    """Fit in one process, with gradients that are not quite as they are."""
    for size, optimizer, seed in itertools.product(SIZES, OPTIMIZERS, NUDGES):
        _compared(name, size, "float32", optimizer, 0, 1, folder, seed)


def _compared(
    name: str, size: str, precision: str, optimizer: str, rank: int, world: int, folder: Path, seed: int | None = None
) -> None:
    """Fit what is compared between numbers of ranks, unless that was done."""
    kept = folder / _file(name, size, precision, optimizer, world, seed)
    if kept.exists():
        return
    with SharedNoise() as noise, in_precision(precision), nudged(seed):
        modules = CASES[name](SIZES[size][0], settings_of(size, optimizer, STEPS / 3))
    if rank == 0:
        found = {key: tensor.double().numpy() for key, tensor in tensors_of(modules).items()}
        np.savez(kept, losses=np.array(noise.losses), **found)


def _file(name: str, size: str, precision: str, optimizer: str, world: int, seed: int | None = None) -> str:
    return f"{name}|{size}|{precision}|{optimizer}|{world}{'' if seed is None else f'|{seed}'}.npz"


def gap(one: Path, other: Path) -> float:
    """Return the largest difference between two fits: of a weight, or of a loss beside the largest loss."""
    with np.load(one) as first, np.load(other) as second:
        a, b = settled(first), settled(second)
    unit = {"losses": max(1.0, float(np.abs(a["losses"]).max(initial=0.0)))}
    return max(float(np.abs(a[key] - b[key]).max(initial=0.0)) / unit.get(key, 1.0) for key in a)


# ------------------------------------------------------------------ quality


def qualities(seed: int, epochs: int) -> dict[str, float]:
    """Return a figure of each model on held-out digits, all better where higher; the GAN has three times the epochs."""
    from sklearn.datasets import load_digits

    import isthmus

    digits = load_digits()
    x, y = digits.images.astype("uint8"), digits.target
    order = np.random.default_rng(seed).permutation(len(x))
    seen, new = order[:1200], order[1200:]
    vae = isthmus.VAE(latent_dim=8, max_epochs=epochs, random_state=seed).fit(x[seen])
    gan = isthmus.GAN(latent_dim=8, max_epochs=3 * epochs, random_state=seed).fit(x[seen])
    known = y.copy()
    known[order[100:]] = -1
    ladder = isthmus.LadderNetwork(max_epochs=epochs, random_state=seed).fit(x[seen], known[seen])
    drawn = gan.sample(len(new), random_state=seed).reshape(len(new), -1).astype(float)
    return {
        "VAE: bound on log p(x), nats": float(vae.score(x[new])),
        "GAN: minus the energy distance of drawn records": -energy_distance(drawn, x[new].reshape(len(new), -1)),
        "ladder network: accuracy with 100 labels": float((ladder.class_logits(x[new]).argmax(1) == y[new]).mean()),
    }


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return 2 E|a - b| - E|a - a'| - E|b - b'|, 0 where both come from one distribution (Szekely and Rizzo 2013)."""
    from scipy.spatial.distance import cdist

    a, b = a.astype(float), b.astype(float)
    return float(2 * cdist(a, b).mean() - cdist(a, a).mean() - cdist(b, b).mean())


def judge(rank: int, world: int, store: str, folder: Path, epochs: int) -> None:
    """Fit what quality is measured of, with each seed, as one of some ranks."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    for seed in SEEDS:
        kept = folder / f"quality-{world}-{seed}.json"
        if not kept.exists():
            found = qualities(seed, epochs)
            if rank == 0:
                kept.write_text(json.dumps(found))
                print(f"{world}: seed {seed}: {found}", file=sys.stderr, flush=True)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


# ------------------------------------------------------------------ all of them


def group(world: int, folder: Path, names: list[str], what: str = "work", epochs: int = 0) -> None:
    """Run one group of processes to its end: "work", "nudge" or, with so many epochs, "judge"."""
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    store = folder / f"store-{os.getpid()}-{world}-{what}"
    about = {"world": world, "store": str(store), "folder": str(folder), "names": names, "what": what, "epochs": epochs}
    commands = [[sys.executable, __file__, "--child", json.dumps(about | {"rank": rank})] for rank in range(world)]
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"a group of {world} failed")


def child(about: dict[str, Any]) -> None:
    """Be one process of a group."""
    rank, world, store, folder = about["rank"], about["world"], about["store"], Path(about["folder"])
    if about["what"] == "judge":
        judge(rank, world, store, folder, about["epochs"])
    elif about["what"] == "nudge":
        for name in about["names"]:
            nudge(name, folder)
    else:
        work(rank, world, store, folder, about["names"])


def weights(report: harness.Report, folder: Path, names: list[str]) -> None:
    """Compare weights between ranks, and those of two with those of one."""
    for world in (1, *WORLDS):
        group(world, folder, names)
    apart: dict[str, dict[str, float]] = {}
    for world in WORLDS:
        for name, size in itertools.product(names, SIZES):
            found = json.loads((folder / f"{name}|{size}|{world}.json").read_text())
            apart.setdefault(name, {})[f"{world} ranks, {size}"] = found
    report.measurements["between ranks"] = apart
    worst = max(value for its in apart.values() for value in its.values())
    report.claim("largest difference between ranks", worst, "0", worst == 0)

    against: dict[str, dict[str, float]] = {name: {} for name in names}
    for name, size, precision, optimizer in itertools.product(names, SIZES, BOUNDS, OPTIMIZERS):
        one, two = (folder / _file(name, size, precision, optimizer, world) for world in (1, 2))
        against[name][f"{precision}, {optimizer}, {size}"] = gap(one, two)
    report.measurements["2 ranks against 1"] = against
    for precision, bound in BOUNDS.items():
        over = _beyond(against, precision, bound)
        report.measurements[f"beyond the bound in {precision}"] = over
        report.claim(f"2 ranks against 1, {precision}: fits farther than {bound:g}", len(over), "0", not over)
    alone(report, folder, against, _beyond(against, "float32", BOUNDS["float32"]))
    shown = [
        (name, _largest(apart[name]), *(_largest(against[name], precision) for precision in BOUNDS)) for name in names
    ]
    harness.print_table(("fit", "between ranks", *BOUNDS), shown)


def _beyond(against: dict[str, dict[str, float]], precision: str, bound: float) -> list[str]:
    """Return the fits of a precision that are farther from one process than a bound."""
    return [name for name, its in against.items() if any(v > bound for k, v in its.items() if k.startswith(precision))]


def alone(report: harness.Report, folder: Path, against: dict[str, dict[str, float]], names: list[str]) -> None:
    """Compare fits beyond the bound with how far one process ends from itself, moved by less than a last place."""
    group(1, folder, names, "nudge")
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for name, size, optimizer in itertools.product(names, SIZES, OPTIMIZERS):
        whole = folder / _file(name, size, "float32", optimizer, 1)
        moved = [folder / _file(name, size, "float32", optimizer, 1, seed) for seed in NUDGES]
        found[name][f"{optimizer}, {size}"] = max(gap(whole, each) for each in moved)
    report.measurements["1 against itself, gradients moved by less than a last place"] = found
    shares = {name: _largest_of(against[name], "float32") / _largest_of(found[name]) for name in names}
    report.measurements["2 ranks against 1, in such distances"] = shares
    worst = max(shares.values(), default=0.0)
    what = "2 ranks against 1, float32, beyond the bound: in distances of 1 from itself when gradients move"
    report.claim(what, worst, f"{ALIKE:g} or less", worst <= ALIKE)


def _largest_of(its: dict[str, float], precision: str = "") -> float:
    return max((value for key, value in its.items() if key.startswith(precision)), default=0.0)


def _largest(its: dict[str, float], precision: str = "") -> str:
    return f"{_largest_of(its, precision):.2g}"


def quality(report: harness.Report, folder: Path, epochs: int) -> None:
    """Compare quality with one and with two processes."""
    for world in (1, 2):
        group(world, folder, [], "judge", epochs)
    found = {
        world: [json.loads((folder / f"quality-{world}-{seed}.json").read_text()) for seed in SEEDS] for world in (1, 2)
    }
    for what in found[1][0]:
        one, two = ([its[what] for its in found[world]] for world in (1, 2))
        spread = float(np.hypot(np.std(one, ddof=1), np.std(two, ddof=1)))
        ahead = float(np.mean(two) - np.mean(one))
        report.measurements[what] = {"1": one, "2": two, "difference of means": ahead, "spread": spread}
        report.claim(f"{what}: difference of means, in spreads", ahead / spread, "-1 or more", ahead >= -spread)


def main() -> int:
    """Run the comparisons asked for."""
    made = harness.parser(__doc__)
    made.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), metavar="FIT", help="some fits")
    made.add_argument("--quality", action="store_true", help="compare quality in the place of weights")
    made.add_argument("--epochs", type=int, default=10, help="of what quality is measured of")
    made.add_argument("--keep", type=Path, help="folder of what was fitted; a call goes on where the last one was")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.child:
        child(json.loads(options.child))
        return 0
    some = "" if options.only == list(CASES) else "_some"  # the result of all stays
    name = "ranks_quality" if options.quality else f"ranks{some}"
    settings: dict[str, Any] = {"sizes": SIZES, "steps": STEPS, "nudges": list(NUDGES)}
    if options.quality:
        settings = {"seeds": list(SEEDS), "epochs": options.epochs}
    report = harness.Report(name, settings, harness.isthmus_versions())
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if options.quality:
            quality(report, folder, options.epochs)
        else:
            weights(report, folder, options.only)
    return report.publish(options.out)


if __name__ == "__main__":
    sys.exit(main())

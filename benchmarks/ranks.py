"""Whether ranks that train together have the same weights, and the weights of one process on whole batches.

Every model and every task that trains is fitted by groups of 2 and 3 processes on this machine (gloo on loopback), on
batches that the ranks can and cannot divide evenly, with few labels, with normalisation over the batch, on resident,
streamed and grouped records:

between ranks   the largest difference of a weight or buffer, at the end of each epoch and of the fit: must be 0
against one     the same after 50 steps of sgd and AdamW in 2 processes and in 1, in float32 and float64. Every draw of
                noise is replaced by its middle, since ranks draw noise of their own. In float64, `Tensor.float` is
                `Tensor.double` meanwhile, and what comes from NumPy or is made anew is of float64.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import harness
import numpy as np

SIZES = {"even": (96, 32), "odd": (105, 35)}  # records, and records in a batch: 3 batches
STEPS = 50
EPOCHS = 4.0  # between ranks, with noise
BOUNDS = {"float64": 1e-9, "float32": 1e-4}
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
        self.set_params(max_epochs=settings["max_epochs"])
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
# Not compared with one process: streamed records are shared by stretches, so batches are others; trials of a search;
# and a game in which, without noise, all fakes are alike, so that normalisation divides rounding by rounding.
ONE = [name for name in CASES if name not in ("Autoencoder, streamed", "Tuner", "GAN, hinge, batch norm")]


# ------------------------------------------------------------------ in one process


@contextlib.contextmanager
def noise_free() -> Iterator[None]:
    """Replace every draw of noise in training by its middle; orders of records stay."""
    import torch

    from isthmus.training import Engine

    def shaped(value: float) -> Callable[..., Any]:
        def draw(*shape: Any, generator: Any = None, dtype: Any = None, device: Any = None) -> Any:
            sides = shape[0] if shape and not isinstance(shape[0], int) else shape
            return torch.full(tuple(sides), value, dtype=dtype, device=device)

        return draw

    def whole(*given: Any, generator: Any = None, device: Any = None) -> Any:
        return torch.zeros(given[-1], dtype=torch.long, device=device)

    def several(chances: Any, count: int, replacement: bool = False, *, generator: Any = None) -> Any:
        return torch.zeros((*chances.shape[:-1], count), dtype=torch.long)

    run = Engine.run

    def without(self: Any) -> Any:
        with contextlib.ExitStack() as stack:
            for name, draw in {
                "randn": shaped(0.0),
                "rand": shaped(0.5),
                "randint": whole,
                "multinomial": several,
            }.items():
                stack.enter_context(mock.patch.object(torch, name, draw))
            stack.enter_context(mock.patch.object(torch, "randn_like", torch.zeros_like))
            stack.enter_context(mock.patch.object(torch.Tensor, "normal_", lambda self, *_, **__: self.zero_()))
            return run(self)

    with mock.patch.object(Engine, "run", without):
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
    networks with such a normalisation are left out but for its own.
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
            if world <= 2 and name in ONE:
                _without_noise(name, size, n, rank, world, folder)
        if rank == 0:
            print(f"{world}: {name}", file=sys.stderr, flush=True)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


def _without_noise(name: str, size: str, n: int, rank: int, world: int, folder: Path) -> None:
    for precision in BOUNDS:
        for optimizer in OPTIMIZERS:
            kept = folder / f"{name}|{size}|{precision}|{optimizer}|{world}.npz"
            if kept.exists():
                continue
            with noise_free(), in_precision(precision):
                modules = CASES[name](n, settings_of(size, optimizer, STEPS / 3))
            if rank == 0:
                np.savez(kept, **{key: tensor.double().numpy() for key, tensor in tensors_of(modules).items()})


# ------------------------------------------------------------------ quality


def qualities(seed: int) -> dict[str, float]:
    """Return a figure of each model on held-out digits, all better where higher."""
    from sklearn.datasets import load_digits

    import isthmus

    digits = load_digits()
    x, y = digits.images.astype("uint8"), digits.target
    order = np.random.default_rng(seed).permutation(len(x))
    seen, new = order[:1200], order[1200:]
    vae = isthmus.VAE(latent_dim=8, max_epochs=10, random_state=seed).fit(x[seen])
    gan = isthmus.GAN(latent_dim=8, max_epochs=30, random_state=seed).fit(x[seen])
    known = y.copy()
    known[order[100:]] = -1
    ladder = isthmus.LadderNetwork(max_epochs=10, random_state=seed).fit(x[seen], known[seen])
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


def judge(rank: int, world: int, store: str, folder: Path) -> None:
    """Fit what quality is measured of, with each seed, as one of some ranks."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    found = [qualities(seed) for seed in SEEDS]
    if rank == 0:
        (folder / f"quality-{world}.json").write_text(json.dumps(found))
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


# ------------------------------------------------------------------ all of them


def group(world: int, folder: Path, names: list[str], *, quality: bool = False) -> None:
    """Run one group of processes to its end."""
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    store = folder / f"store-{os.getpid()}-{world}-{quality}"
    about = {"world": world, "store": str(store), "folder": str(folder), "names": names}
    commands = [
        [sys.executable, __file__, "--child", json.dumps(about | {"rank": rank, "quality": quality})]
        for rank in range(world)
    ]
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"a group of {world} failed")


def child(about: dict[str, Any]) -> None:
    """Be one process of a group."""
    rank, world, store, folder = about["rank"], about["world"], about["store"], Path(about["folder"])
    if about["quality"]:
        judge(rank, world, store, folder)
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

    against: dict[str, dict[str, float]] = {}
    for name, size, precision, optimizer in itertools.product(names, SIZES, BOUNDS, OPTIMIZERS):
        if name in ONE:
            stem = f"{name}|{size}|{precision}|{optimizer}"
            with np.load(folder / f"{stem}|1.npz") as one, np.load(folder / f"{stem}|2.npz") as two:
                one, two = settled(one), settled(two)
            gap = max(float(np.abs(one[key] - two[key]).max(initial=0.0)) for key in one)
            against.setdefault(name, {})[f"{precision}, {optimizer}, {size}"] = gap
    report.measurements["2 ranks against 1"] = against
    for precision, bound in BOUNDS.items():
        over = [
            name for name, its in against.items() if any(v > bound for k, v in its.items() if k.startswith(precision))
        ]
        report.measurements[f"beyond the bound in {precision}"] = over
        report.claim(f"2 ranks against 1, {precision}: fits farther than {bound:g}", len(over), "0", not over)
    shown = [
        (name, _largest(apart[name]), *(_largest(against.get(name, {}), precision) for precision in BOUNDS))
        for name in names
    ]
    harness.print_table(("fit", "between ranks", *BOUNDS), shown)


def _largest(its: dict[str, float], precision: str = "") -> str:
    values = [value for key, value in its.items() if key.startswith(precision)]
    return f"{max(values):.2g}" if values else ""


def quality(report: harness.Report, folder: Path) -> None:
    """Compare quality with one and with two processes."""
    for world in (1, 2):
        group(world, folder, [], quality=True)
    found = {world: json.loads((folder / f"quality-{world}.json").read_text()) for world in (1, 2)}
    for what in found[1][0]:
        one, two = ([its[what] for its in found[world]] for world in (1, 2))
        spread = float(np.hypot(np.std(one, ddof=1), np.std(two, ddof=1)))
        gap = float(np.mean(two) - np.mean(one))
        report.measurements[what] = {"1": one, "2": two, "difference of means": gap, "spread": spread}
        report.claim(f"{what}: difference of means, in spreads", gap / spread, "-1 or more", gap >= -spread)


def main() -> int:
    """Run the comparisons asked for."""
    made = harness.parser(__doc__)
    made.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), metavar="FIT", help="some fits")
    made.add_argument("--quality", action="store_true", help="compare quality in the place of weights")
    made.add_argument("--keep", type=Path, help="folder of what was fitted; a call goes on where the last one was")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.child:
        child(json.loads(options.child))
        return 0
    name = "ranks_quality" if options.quality else "ranks"
    settings = {"sizes": SIZES, "steps": STEPS, "seeds": list(SEEDS)}
    report = harness.Report(name, settings, harness.isthmus_versions())
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if options.quality:
            quality(report, folder)
        else:
            weights(report, folder, options.only)
    return report.publish(options.out)


if __name__ == "__main__":
    sys.exit(main())

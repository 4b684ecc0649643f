"""Wall time of ``fit`` until a convolutional autoencoder has the error that peers reach in five epochs, on MNIST.

All have 32 and 64 channels in two strided stages, a code of 32 numbers, and the Bernoulli loss; Pythae has the squared
error only. The peers are plain PyTorch, Keras on JAX and Pythae, with Adam at 1e-3 and batches of 128. isthmus has its
own optimiser and the budget below, chosen on the last 10,000 training pictures (--choose). Scored is the squared error
of a test picture, summed over its pixels. Runs take turns, each in a process; ``--rounds`` more are added to those of
an earlier call with the same settings. Ratios are of processor seconds where one core is to be had (``taskset -c 0``),
which others on the machine disturb least, and of wall time otherwise.

    python benchmarks/conv_time_to_error.py --choose  # what each budget reaches, on held-out training pictures
    python benchmarks/conv_time_to_error.py --peer-python "$PEER_PYTHON"
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import harness
import numpy as np

CHANNELS, CODES, EPOCHS, BATCH, RATE = (32, 64), 32, 5, 128, 1e-3
MUST = {"torch": 6.0, "keras-jax": 4.0, "pythae": None}  # times sooner; of Pythae it is only stated
# The one taken, the quickest that is as good as PyTorch on held-out pictures with every seed, and those beside it.
BUDGET: dict[str, Any] = {"max_epochs": 0.6, "batch_size": 64}
BUDGETS: tuple[dict[str, Any], ...] = (
    {"max_epochs": 1, "batch_size": 128},
    {"max_epochs": 0.75, "batch_size": 128},
    {"max_epochs": 0.75, "batch_size": 64},
    BUDGET,
    {"max_epochs": 0.5, "batch_size": 64},
    {"max_epochs": 0.5, "batch_size": 32},
)

Reconstruct = Callable[[np.ndarray], np.ndarray]


# ---------------------------------------------------------------------- isthmus and its peers


def isthmus(X: np.ndarray, seed: int, budget: dict[str, Any]) -> tuple[harness.Clock, Reconstruct]:
    """Fit isthmus's autoencoder."""
    from isthmus import Autoencoder

    model = Autoencoder(
        latent_dim=CODES, hidden=CHANNELS, network="convolutional", likelihood="bernoulli", random_state=seed, **budget
    )
    with harness.clocked() as clock:
        model.fit(X[:, 0], validation=0)
    return clock, lambda x: model.reconstruct(x[:, 0])[:, None]


def torch_layers() -> tuple[Any, Any]:
    """Return encoder and decoder in plain PyTorch; the decoder ends in logits."""
    from torch import nn

    first, second = CHANNELS
    encoder = nn.Sequential(
        nn.Conv2d(1, first, 3, 2, 1), nn.ReLU(), nn.Conv2d(first, second, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(second * 49, CODES),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(CODES, second * 49), nn.ReLU(), nn.Unflatten(1, (second, 7, 7)),
        nn.ConvTranspose2d(second, first, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(first, 1, 3, 2, 1, 1),
    )  # fmt: skip
    return encoder, decoder


def plain_torch(X: np.ndarray, seed: int) -> tuple[harness.Clock, Reconstruct]:
    """Train in a loop over shuffled slices of a tensor, with Adam and the loss on logits."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.manual_seed(seed)
    net = nn.Sequential(*torch_layers())
    with harness.clocked() as clock:
        optimizer, records = torch.optim.Adam(net.parameters(), RATE, fused=True), torch.from_numpy(X)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(records)).split(BATCH):
                x = records[rows]
                optimizer.zero_grad()
                F.binary_cross_entropy_with_logits(net(x), x).backward()
                optimizer.step()

    def reconstruct(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([net(part).sigmoid() for part in torch.from_numpy(x).split(1000)]).numpy()

    return clock, reconstruct


def keras(X: np.ndarray, seed: int) -> tuple[harness.Clock, Reconstruct]:
    """Train with ``Model.fit`` on arrays, channels last, as Keras has them."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    half = {"strides": 2, "padding": "same"}
    first, second = CHANNELS
    net = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(first, 3, activation="relu", **half),
            layers.Conv2D(second, 3, activation="relu", **half),
            layers.Flatten(),
            layers.Dense(CODES),
            layers.Dense(49 * second, "relu"),
            layers.Reshape((7, 7, second)),
            layers.Conv2DTranspose(first, 3, activation="relu", **half),
            layers.Conv2DTranspose(1, 3, **half),
        ]
    )
    net.compile(keras.optimizers.Adam(RATE), keras.losses.BinaryCrossentropy(from_logits=True))
    pictures = np.moveaxis(X, 1, -1)
    with harness.clocked() as clock:
        net.fit(pictures, pictures, batch_size=BATCH, epochs=EPOCHS, verbose=0)

    def reconstruct(x: np.ndarray) -> np.ndarray:
        logits = net.predict(np.moveaxis(x, 1, -1), batch_size=1000, verbose=0)
        return np.moveaxis(1 / (1 + np.exp(-logits)), -1, 1)

    return clock, reconstruct


def pythae(X: np.ndarray, seed: int) -> tuple[harness.Clock, Reconstruct]:
    """Train Pythae's ``AE`` through its pipeline; the squared error is the only loss it has."""
    import torch
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    torch.manual_seed(seed)
    to_code, to_picture = torch_layers()

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = to_code

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = to_picture

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    model = AE(AEConfig(input_dim=(1, 28, 28), latent_dim=CODES), encoder=Encoder(), decoder=Decoder())
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder, num_epochs=EPOCHS, learning_rate=RATE, per_device_train_batch_size=BATCH, seed=seed,
            optimizer_cls="Adam", no_cuda=True,
        )  # fmt: skip
        pipeline = TrainingPipeline(model=model, training_config=settings)
        with harness.clocked() as clock:
            pipeline(train_data=X)
    trained = pipeline.model.eval()

    def reconstruct(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([trained.reconstruct(part) for part in torch.from_numpy(x).split(1000)]).numpy()

    return clock, reconstruct


PEERS: dict[str, Callable[[np.ndarray, int], tuple[harness.Clock, Reconstruct]]] = {
    "torch": plain_torch,
    "keras-jax": keras,
    "pythae": pythae,
}
PACKAGES = {"torch": ("torch",), "keras-jax": ("keras", "jax"), "pythae": ("pythae", "torch")}


def run_child(options: argparse.Namespace) -> int:
    """Train one and emit its seconds and its error."""
    parts = harness.train_and_score("mnist", validation=options.validation)
    train, unseen = (harness.unit(part).reshape(-1, 1, 28, 28) for part in parts)
    if options.child.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = options.child.removeprefix("keras-")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # peers print progress as they please
            if options.child == "isthmus":
                clock, reconstruct = isthmus(train, options.seed, BUDGETS[options.budget])
            else:
                clock, reconstruct = PEERS[options.child](train, options.seed)
    except ModuleNotFoundError as error:
        harness.emit(missing=error.name)
        return 0
    error = harness.squared_error(unseen, reconstruct(unseen)) * unseen[0].size
    found = harness.isthmus_versions() if options.child == "isthmus" else harness.versions(*PACKAGES[options.child])
    harness.emit(**clock.as_dict(), squared_error=error, seed=options.seed, versions=found)
    return 0


# ---------------------------------------------------------------------- which budget, and the race


def run(options: argparse.Namespace, child: str, seed: int, *, budget: dict[str, Any] = BUDGET) -> dict[str, Any]:
    """Train one in a process of its own."""
    python = sys.executable if child == "isthmus" else options.peer_python
    arguments = [__file__, "--child", child, "--seed", str(seed), "--budget", str(BUDGETS.index(budget))]
    # A run of a peer takes a minute or more, and is not repeated: the file says how busy the machine was meanwhile.
    start = harness.quiet_child if child == "isthmus" else harness.child
    return start(python, arguments + ["--validation"] * options.choose)


def choose(options: argparse.Namespace) -> int:
    """Print what PyTorch and each budget reach on held-out training pictures, over some seeds."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.seed, options.seed + options.rounds):
        for budget in BUDGETS:
            runs.setdefault(str(budget), []).append(run(options, "isthmus", seed, budget=budget))
        runs.setdefault("torch", []).append(run(options, "torch", seed))
    report = harness.Report("conv_budgets", settings(options), harness.isthmus_versions(), measurements=runs)
    print_runs(runs)
    return report.publish(options.out)


def race(options: argparse.Namespace) -> int:
    """Let all take turns; write and print seconds, errors and ratios."""
    runs: dict[str, list[dict[str, Any]]] = harness.earlier(options.out, "conv_time_to_error", settings(options))
    done = min((len(found) for found in runs.values()), default=0)
    for seed in range(options.seed + done, options.seed + done + options.rounds):
        for name in ("isthmus", *PEERS):
            runs.setdefault(name, []).append(run(options, name, seed))
            print(name, {key: runs[name][-1].get(key) for key in ("fit_seconds", "squared_error")}, flush=True)
    report = harness.Report("conv_time_to_error", settings(options), harness.isthmus_versions(), measurements=runs)
    print_runs(runs)
    key = "cpu_seconds" if harness.cores() == 1 else "fit_seconds"
    seconds, worst = median_seconds(runs["isthmus"], key), max(one["squared_error"] for one in runs["isthmus"])
    for name, must in MUST.items():
        theirs, wanted = [one for one in runs[name] if "fit_seconds" in one], f"at least {must or 1:g}"
        if not theirs:
            report.claim(f"times sooner than {name}", None, wanted, None)
            continue
        ratio, best = median_seconds(theirs, key) / seconds, min(one["squared_error"] for one in theirs)
        report.claim(f"times sooner than {name}", ratio, wanted, ratio >= (must or 1))
        report.claim(f"squared error over that of {name}, worst over best", worst / best, "at most 1", worst <= best)
    return report.publish(options.out)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what makes runs comparable."""
    return {"seed": options.seed, "budget": BUDGET, "peer_epochs": EPOCHS, "peer_batch_size": BATCH}


def median_seconds(runs: list[dict[str, Any]], key: str = "fit_seconds") -> float:
    """Return the median time of fits: of the wall, or of the processor."""
    return float(harness.spread([one[key] for one in runs])["median"])


def print_runs(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Print a line for each contender."""
    rows = []
    for name, found in runs.items():
        kept = [one for one in found if "fit_seconds" in one]
        errors = [one["squared_error"] for one in kept]
        rows.append(
            (name, f"{median_seconds(kept):.2f}", f"{min(errors):.3f}", f"{max(errors):.3f}")
            if kept
            else (name, str(found[0]), "", "")
        )
    harness.print_table(("", "fit s, median", "error, best", "worst"), rows)


def main() -> int:
    """Do what the command line asks."""
    options = parse()
    if options.child:
        return run_child(options)
    return choose(options) if options.choose else race(options)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--rounds", type=int, default=1, help="seeds to add")
    made.add_argument("--seed", type=int, default=0, help="of the first round; each later round takes the next")
    made.add_argument("--choose", action="store_true", help="measure what budgets reach, on training pictures")
    made.add_argument("--child", choices=("isthmus", *PEERS), help=argparse.SUPPRESS)
    made.add_argument("--budget", type=int, default=BUDGETS.index(BUDGET), help=argparse.SUPPRESS)
    made.add_argument("--validation", action="store_true", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

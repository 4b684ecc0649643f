"""Train one peer's dense autoencoder, in the peer's own way, and print what it took and how good it is.

Runs inside the Python that has the peers: ``python benchmarks/peers.py keras-jax``. The network is
784-128-64-32-64-128-784 with ReLU, Adam at 1e-3, batch 256, 5 epochs, on float32 pixels in [0, 1]. Each peer gets the
best loss and output it offers for such data: Bernoulli cross-entropy with a sigmoid output where it has them, else the
squared error. Importing the peer and building its network are not timed; its call that trains is, whole.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import harness
import numpy as np

HIDDEN, CODE, PIXELS = (128, 64), 32, 784
RATE = 1e-3
WIDTHS = (PIXELS, *HIDDEN, CODE, *reversed(HIDDEN), PIXELS)
PACKAGES = {
    "keras-tensorflow": ("keras", "tensorflow-cpu", "tensorflow"),
    "keras-torch": ("keras", "torch"),
    "keras-jax": ("keras", "jax"),
    "pythae": ("pythae", "torch"),
    "skorch": ("skorch", "torch"),
    "pyod": ("pyod", "torch"),
    "sklearn-mlp": ("scikit-learn",),
}

Reconstruct = Callable[[np.ndarray], np.ndarray]


class Work:
    """What a peer is given: the pictures, the budget, and a stop-watch for its epochs."""

    def __init__(self, X: np.ndarray, options: argparse.Namespace) -> None:
        self.X = X
        self.epochs, self.batch_size, self.seed = options.epochs, options.batch_size, options.seed
        self.linear_code = options.code == "linear"
        self.ticks: list[float] = []
        self.clock = harness.Clock()

    def tick(self, *_: object, **__: object) -> None:
        """Note the end of an epoch; costs nothing."""
        self.ticks.append(time.perf_counter())

    @contextlib.contextmanager
    def timed(self) -> Any:
        """Time the peer's training call."""
        self.start = time.perf_counter()
        with harness.clocked() as self.clock:
            yield

    def epoch_seconds(self) -> list[float]:
        """Return the wall seconds of each epoch, as far as the peer tells when one ends."""
        ends = [self.start, *self.ticks]
        return [round(after - before, 4) for before, after in itertools.pairwise(ends)]

    def torch_layers(self) -> Any:
        """Return the encoder's and the decoder's layers in plain PyTorch, the decoder ending in a sigmoid."""
        from torch import nn

        half = len(WIDTHS) // 2
        layers = []
        for index, (before, after) in enumerate(itertools.pairwise(WIDTHS), start=1):
            last = (
                nn.Sigmoid()
                if index == 2 * half
                else nn.Identity()
                if index == half and self.linear_code
                else nn.ReLU()
            )
            layers += [nn.Linear(before, after), last]
        return nn.Sequential(*layers[: 2 * half]), nn.Sequential(*layers[2 * half :])


# ---------------------------------------------------------------------- the peers


def keras(work: Work) -> Reconstruct:
    """Keras: ``Sequential`` and ``Model.fit`` on arrays, on the backend that KERAS_BACKEND names."""
    import keras

    keras.utils.set_random_seed(work.seed)
    network = keras.Sequential([keras.Input((PIXELS,))])
    for index, width in enumerate(WIDTHS[1:-1]):
        code = index == len(HIDDEN)
        network.add(keras.layers.Dense(width, None if code and work.linear_code else "relu"))
    network.add(keras.layers.Dense(PIXELS, "sigmoid"))
    network.compile(keras.optimizers.Adam(RATE), "binary_crossentropy")
    watch = keras.callbacks.LambdaCallback(on_epoch_end=work.tick)
    with work.timed():
        network.fit(work.X, work.X, batch_size=work.batch_size, epochs=work.epochs, verbose=0, callbacks=[watch])
    return lambda X: network.predict(X, batch_size=1024, verbose=0)


def pythae(work: Work) -> Reconstruct:
    """Pythae: its ``AE`` through its training pipeline; the squared error is the only loss it has."""
    import torch
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    torch.manual_seed(work.seed)
    to_code, to_picture = work.torch_layers()

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = to_code

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.layers(x.flatten(1)))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = to_picture

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z).reshape(-1, 1, 28, 28))

    class Watch(TrainingCallback):
        def on_epoch_end(self, *arguments: object, **named: object) -> None:
            work.tick()

    model = AE(AEConfig(input_dim=(1, 28, 28), latent_dim=CODE), encoder=Encoder(), decoder=Decoder())
    pictures = work.X.reshape(-1, 1, 28, 28)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=work.epochs,
            learning_rate=RATE,
            per_device_train_batch_size=work.batch_size,
            optimizer_cls="Adam",
            seed=work.seed,
            no_cuda=True,
        )
        pipeline = TrainingPipeline(training_config=config, model=model)
        with work.timed():
            pipeline(train_data=pictures, callbacks=[Watch()])

    def reconstruct(X: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.inference_mode():
            return model.reconstruct(torch.from_numpy(X).reshape(-1, 1, 28, 28)).numpy()

    return reconstruct


def skorch(work: Work) -> Reconstruct:
    """Skorch: ``NeuralNet`` without a held-out split, so that it trains on as many pictures as the others."""
    import torch
    from skorch import NeuralNet
    from skorch.callbacks import Callback

    torch.manual_seed(work.seed)

    class Watch(Callback):
        def on_epoch_end(self, net: object, **named: object) -> None:
            work.tick()

    net = NeuralNet(
        torch.nn.Sequential(*work.torch_layers()),
        torch.nn.BCELoss,
        # "auto" would stack (1 - p, p) for this loss and return twice as many columns.
        predict_nonlinearity=None,
        optimizer=torch.optim.Adam,
        lr=RATE,
        batch_size=work.batch_size,
        max_epochs=work.epochs,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
        callbacks=[("watch", Watch())],
    )
    with work.timed():
        net.fit(work.X, work.X)
    return net.predict


def pyod(work: Work) -> Reconstruct:
    """PyOD: its ``AutoEncoder`` with a linear output and the squared error, the only ones it has.

    Its ``fit`` also scores the training rows for outliers and drops the last incomplete batch of each epoch;
    ``epoch_seconds`` leave the scoring out. Batch norm, dropout and standardising are switched off.
    """
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    detector = AutoEncoder(
        hidden_neuron_list=[*HIDDEN, CODE],
        batch_size=work.batch_size,
        epoch_num=work.epochs,
        lr=RATE,
        dropout_rate=0.0,
        batch_norm=False,
        preprocessing=False,
        random_state=work.seed,
        device="cpu",
        verbose=0,
    )
    after_epoch = detector.epoch_update

    def watched() -> object:
        work.tick()
        return after_epoch()

    detector.epoch_update = watched
    with work.timed():
        detector.fit(work.X)

    def reconstruct(X: np.ndarray) -> np.ndarray:
        detector.model.eval()
        with torch.inference_mode():
            return detector.model(torch.from_numpy(X)).numpy()

    return reconstruct


def sklearn_mlp(work: Work) -> Reconstruct:
    """scikit-learn: ``MLPRegressor`` from the pictures to themselves; squared error and linear output only."""
    from sklearn.neural_network import MLPRegressor

    regressor = MLPRegressor(
        hidden_layer_sizes=WIDTHS[1:-1],
        batch_size=work.batch_size,
        learning_rate_init=RATE,
        alpha=0.0,
        max_iter=work.epochs,
        random_state=work.seed,
    )
    with work.timed():
        regressor.fit(work.X, work.X)
    return regressor.predict


PEERS: dict[str, Callable[[Work], Reconstruct]] = {
    "keras-tensorflow": keras,
    "keras-torch": keras,
    "keras-jax": keras,
    "pythae": pythae,
    "skorch": skorch,
    "pyod": pyod,
    "sklearn-mlp": sklearn_mlp,
}


def main() -> int:
    """Train one peer and emit its numbers."""
    options = parse()
    if options.peer.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = options.peer.removeprefix("keras-")
    train, held = harness.train_and_score(options.data, validation=options.validation)
    work = Work(harness.unit(train), options)
    try:
        # Peers print progress as they please; the result must be the only line that looks like one.
        with contextlib.redirect_stdout(io.StringIO()):
            reconstruct = PEERS[options.peer](work)
    except ModuleNotFoundError as error:
        harness.emit(peer=options.peer, missing=error.name)
        return 0
    X = harness.unit(held)
    R = np.asarray(reconstruct(X), np.float64).reshape(X.shape)
    harness.emit(
        peer=options.peer,
        **work.clock.as_dict(),
        epoch_seconds=work.epoch_seconds(),
        squared_error=harness.squared_error(X, R),
        # A linear output may leave [0, 1]; clipping can only help the peer, so the target is the clipped one.
        squared_error_clipped=harness.squared_error(X, np.clip(R, 0, 1)),
        versions=harness.versions(*PACKAGES[options.peer], "numpy"),
    )
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("peer", choices=sorted(PEERS))
    made.add_argument("--data", default="mnist", choices=["mnist", "fashion-mnist", "kmnist"])
    made.add_argument("--epochs", type=int, default=5)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--code", default="relu", choices=["relu", "linear"], help="activation of the 32 codes")
    made.add_argument("--validation", action="store_true", help="score on held-out training pictures")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

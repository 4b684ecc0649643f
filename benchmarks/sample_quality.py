"""Frechet distance of drawn pictures: isthmus's families, Pythae's VAE, its RAE with a mixture, and a plain DCGAN.

Every model learns from the training pictures of MNIST or Fashion-MNIST and draws 10,000; these are set beside the
10,000 test pictures on the features of isthmus's own named network, a classifier of the training pictures
(isthmus.tasks.feature_network), so the figures compare with each other and not with those on Inception's features.
Baselines: 10,000 training pictures, and as many drawn from a Gaussian fitted to the pixels. Pythae's two models and the
DCGAN have the same two convolutional networks (Radford et al. 2016 at 28 x 28: 64 and 128 channels), batches of 128 and
Adam; a VAE's and an RAE's pictures are decoded means, as their authors show them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

DRAWN = 10_000
# Chosen on the last 10,000 training pictures of MNIST (--validation), in 4 epochs: Autoencoder 1.39 (with the ten
# Gaussians of the literature 2.33), VAE with beta 0.5 2.7, with beta 1 5.2, RegularizedAutoencoder 2.5, GAN 8.3.
COMMON: dict[str, Any] = {
    "network": "convolutional", "latent_dim": 16, "likelihood": "bernoulli", "max_epochs": 8, "batch_size": 256,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {"Autoencoder": COMMON, "VAE": COMMON | {"prior": "mixture", "beta": 0.5}}
CODES, EPOCHS, BATCH = 16, 8, 128
PEERS = ("pythae-vae", "pythae-rae", "dcgan")


def pictures(data: str, *, validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures to learn from and those to set drawn ones beside, uint8 of shape (n, 28, 28)."""
    train, unseen = harness.train_and_score(data, validation=validation)
    return train.reshape(-1, 28, 28), unseen.reshape(-1, 28, 28)


# ---------------------------------------------------------------------- isthmus


def own_child(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one of isthmus's models and write what it draws."""
    import isthmus

    train, _ = pictures(options.data, validation=options.validation)
    settings = OWN.get(name, {}) | options.set
    model = getattr(isthmus, settings.pop("model", name))(**settings, random_state=options.seed)
    with harness.clocked() as clock:
        model.fit(train, validation=0)
    np.save(options.child_out, model.sample(DRAWN, random_state=options.seed))
    return clock.as_dict() | {"arguments": settings, "versions": harness.isthmus_versions()}


# ---------------------------------------------------------------------- peers


def convolutional_pair(inputs: int) -> Any:
    """Return DCGAN's two networks at 28 x 28: pictures to 6,272 numbers, and codes to logits of pictures."""
    from torch import nn

    down = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(0.2), nn.Flatten(),
    )  # fmt: skip
    up = nn.Sequential(
        nn.Linear(inputs, 128 * 7 * 7), nn.BatchNorm1d(128 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip
    return down, up


def peer_child(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one peer and write what it draws."""
    import torch

    torch.manual_seed(options.seed)
    train, _ = pictures(options.data, validation=options.validation)
    x = torch.from_numpy(harness.unit(train))[:, None]
    with harness.clocked() as clock:
        draw = dcgan(x) if name == "dcgan" else pythae(name.removeprefix("pythae-"), x, options.seed)
    with torch.no_grad():
        drawn = torch.cat([draw(1000) for _ in range(DRAWN // 1000)])
    np.save(options.child_out, (255 * drawn[:, 0].clamp(0, 1)).round().byte().numpy())
    return clock.as_dict() | {"epochs": EPOCHS, "versions": harness.versions("pythae", "torch")}


def pythae(kind: str, x: Any, seed: int) -> Any:
    """Pythae's VAE with its normal prior, or its RAE (L2) with a mixture of ten Gaussians, as its papers draw."""
    import torch
    from pythae.models import RAE_L2, VAE, RAE_L2_Config, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig, NormalSampler
    from pythae.trainers import BaseTrainerConfig
    from torch import nn

    down, up = convolutional_pair(CODES)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.mean, self.log_var = down, nn.Linear(6272, CODES), nn.Linear(6272, CODES)

        def forward(self, x: Any) -> Any:
            h = self.layers(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = up

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    common = {"input_dim": (1, 28, 28), "latent_dim": CODES}
    if kind == "vae":
        model = VAE(VAEConfig(**common, reconstruction_loss="bce"), encoder=Encoder(), decoder=Decoder())
    else:
        model = RAE_L2(RAE_L2_Config(**common), encoder=Encoder(), decoder=Decoder())
    with tempfile.TemporaryDirectory() as folder:
        rates: dict[str, Any] = {"learning_rate": 1e-3, "optimizer_cls": "Adam"}
        if kind == "rae":  # its decoder has an optimiser of its own
            from pythae.trainers import CoupledOptimizerTrainerConfig as Config

            rates = {
                "encoder_learning_rate": 1e-3, "decoder_learning_rate": 1e-3,
                "encoder_optimizer_cls": "Adam", "decoder_optimizer_cls": "Adam",
            }  # fmt: skip
        else:
            Config = BaseTrainerConfig
        settings = Config(
            output_dir=folder, num_epochs=EPOCHS, per_device_train_batch_size=BATCH, seed=seed, no_cuda=True, **rates
        )
        pipeline = TrainingPipeline(model=model, training_config=settings)
        pipeline(train_data=x)
    model = pipeline.model.eval()
    if kind == "vae":
        sampler = NormalSampler(model)
    else:
        sampler = GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10))
        sampler.fit(x)
    torch.manual_seed(seed)
    return lambda n: sampler.sample(num_samples=n, batch_size=n)


def dcgan(x: Any) -> Any:
    """DCGAN as its paper has it: non-saturating, Adam at 2e-4 with beta 0.5, codes of 100 numbers."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    down, generator = convolutional_pair(100)
    critic = nn.Sequential(down, nn.Linear(6272, 1))
    players = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (critic, generator)]
    one, zero = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    cost = F.binary_cross_entropy_with_logits
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            if len(rows) < BATCH:
                continue
            fake = generator(torch.randn(BATCH, 100))
            loss = cost(critic(x[rows]), one) + cost(critic(fake.detach()), zero)
            players[0].zero_grad()
            loss.backward()
            players[0].step()
            players[1].zero_grad()
            cost(critic(fake), one).backward()
            players[1].step()
    generator.eval()
    return lambda n: generator(torch.randn(n, 100))


# ---------------------------------------------------------------------- scores


def score(drawn: np.ndarray, real: np.ndarray, network: Any) -> dict[str, Any]:
    """Return how near drawn pictures are to real ones, on a network's features."""
    from isthmus import metrics

    a, b = network.features(real), network.features(drawn)
    frechet = metrics.frechet_interval(a, b)
    share = metrics.precision_recall(a[:5000], b[:5000])
    return {
        "frechet": metrics.frechet_distance(a, b),
        "corrected": [frechet.mean, frechet.low, frechet.high],
        "precision": share.precision.mean,
        "recall": share.recall.mean,
    }


def baselines(train: np.ndarray, real: np.ndarray, network: Any) -> dict[str, dict[str, Any]]:
    """Return the scores of training pictures, and of a Gaussian fitted to the pixels."""
    rng = np.random.default_rng(0)
    chosen = train[rng.permutation(len(train))[: len(real)]]
    flat = train.reshape(len(train), -1).astype(np.float64)
    gaussian = rng.multivariate_normal(flat.mean(0), np.cov(flat.T), len(real), method="eigh")
    drawn = gaussian.clip(0, 255).round().astype(np.uint8).reshape(-1, 28, 28)
    return {name: score(those, real, network) for name, those in (("training", chosen), ("gaussian", drawn))}


def main() -> int:
    """Fit each in a process of its own; write and print the distances."""
    options = parse()
    if options.child:
        child = peer_child if options.child in PEERS else own_child
        harness.emit(**child(options.child, options))
        return 0
    from isthmus import tasks

    train, real = pictures(options.data, validation=options.validation)
    labels = harness.labels(options.data, "train")[: len(train)]
    network = tasks.feature_network(train, labels, name=options.data, random_state=0)
    found: dict[str, dict[str, Any]] = baselines(train, real, network)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.model:
            out = str((options.keep or Path(folder)) / f"{options.data}_{name}.npy")
            arguments = [__file__, "--child", name, "--child-out", out, "--data", options.data]
            arguments += ["--seed", str(options.seed), "--set", json.dumps(options.set)]
            arguments += ["--validation"] * options.validation
            found[name] = harness.child(options.peer_python if name in PEERS else sys.executable, arguments)
            if "failed" not in found[name]:
                found[name] |= score(np.load(out), real, network)
            print(name, json.dumps(found[name]), flush=True)
    return publish(options, found, network.label)


def publish(options: argparse.Namespace, found: dict[str, dict[str, Any]], label: str) -> int:
    """Write and print what was found."""
    name = f"sample_quality_{options.data.replace('-', '_')}" + ("_validation" if options.validation else "")
    versions = harness.isthmus_versions() | harness.versions("pythae")
    report = harness.Report(name, {"seed": options.seed, "drawn": DRAWN, "features": label}, versions)
    report.measurements = found
    done = {name: one for name, one in found.items() if "frechet" in one}
    harness.print_table(
        ("pictures", "Frechet", "precision", "recall", "fit, s"),
        [
            (
                name,
                f"{one['frechet']:.3f}",
                f"{one['precision']:.3f}",
                f"{one['recall']:.3f}",
                f"{one.get('fit_seconds', 0):.0f}",
            )
            for name, one in done.items()
        ],
    )
    own = {name: one["frechet"] for name, one in done.items() if name in OWN}
    peers = {name: one["frechet"] for name, one in done.items() if name in PEERS}
    if own and peers:
        ours, theirs = min(own, key=own.__getitem__), min(peers, key=peers.__getitem__)
        ratio = own[ours] / peers[theirs]
        report.claim(f"Frechet distance of {ours} over that of {theirs}", ratio, "below 1", ratio < 1)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--data", choices=("mnist", "fashion-mnist"), default="mnist")
    made.add_argument("--model", nargs="+", default=[*OWN, *PEERS], help=f"of {', '.join([*OWN, *PEERS])}")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--set", type=json.loads, default={}, help="JSON of parameters to try instead")
    made.add_argument("--keep", type=Path, help="folder to leave the drawn pictures in")
    made.add_argument("--validation", action="store_true", help="set beside the last 10,000 training pictures instead")
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--child-out", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""Wall time of ``fit`` until isthmus's VAE has the bound that Pythae's reaches in five epochs: 784-400-20-400-784.

Both learn grey MNIST with the Bernoulli likelihood; Pythae with Adam at 1e-3 and batches of 128, isthmus with its own
optimiser and the budget below, chosen on the last 10,000 training pictures (--validation). Scored is minus the evidence
lower bound on the test pictures, one draw a picture, averaged over five seeds. Runs take turns, each in a process.
Ratios are of processor seconds on one core (``taskset -c 0``), and of wall time on more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from typing import Any

import harness
import numpy as np

HIDDEN, CODES, EPOCHS = 400, 20, 5
BUDGET: dict[str, Any] = {"max_epochs": 2, "batch_size": 512}
TIMES = 5.0


def own_child(seed: int, *, validation: bool) -> dict[str, Any]:
    """Fit isthmus's VAE."""
    from isthmus import VAE

    train, unseen = (harness.unit(part) for part in harness.train_and_score("mnist", validation=validation))
    model = VAE(
        latent_dim=CODES, hidden=(HIDDEN,), network="dense", likelihood="bernoulli", random_state=seed, **BUDGET
    )
    with harness.clocked() as clock:
        model.fit(train, validation=0)
    bounds = [-model.likelihood_bound(unseen, k=1, random_state=draw).mean() for draw in range(5)]
    return clock.as_dict() | {"nats": float(np.mean(bounds)), "versions": harness.isthmus_versions()}


def peer_child(seed: int, *, validation: bool) -> dict[str, Any]:
    """Fit Pythae's VAE with the same two networks."""
    import torch
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.mean, self.log_var = (nn.Linear(784, HIDDEN), *(nn.Linear(HIDDEN, CODES) for _ in "ab"))

        def forward(self, x: Any) -> Any:
            h = torch.relu(self.first(x.flatten(1)))
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(CODES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784), nn.Sigmoid())

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z).reshape(-1, 1, 28, 28))

    torch.manual_seed(seed)
    train, unseen = (
        harness.unit(part).reshape(-1, 1, 28, 28) for part in harness.train_and_score("mnist", validation=validation)
    )
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=CODES, reconstruction_loss="bce")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder, num_epochs=EPOCHS, learning_rate=1e-3, per_device_train_batch_size=128, seed=seed,
            optimizer_cls="Adam", no_cuda=True,
        )  # fmt: skip
        pipeline = TrainingPipeline(model=model, training_config=settings)
        with harness.clocked() as clock:
            pipeline(train_data=train)
    model = pipeline.model.eval()
    with torch.no_grad():
        bounds = [model({"data": torch.from_numpy(unseen)}).loss.item() for _ in range(5)]
    return clock.as_dict() | {"nats": float(np.mean(bounds)), "versions": harness.versions("pythae", "torch")}


def main() -> int:
    """Run both in turn; write and print seconds, bounds and their ratio."""
    options = parse()
    if options.child:
        child = {"isthmus": own_child, "pythae": peer_child}[options.child]
        harness.emit(**child(options.seed, validation=options.validation))
        return 0
    runs: dict[str, list[dict[str, Any]]] = {"pythae": [], "isthmus": []}
    for round_ in range(options.rounds):
        for name, found in runs.items():
            python = options.peer_python if name == "pythae" else sys.executable
            arguments = [__file__, "--child", name, "--seed", str(options.seed + round_)]
            found.append(harness.quiet_child(python, arguments + ["--validation"] * options.validation))
            print(name, {key: found[-1].get(key) for key in ("fit_seconds", "nats", "failed")}, flush=True)
    report = harness.Report(
        "vae_time_to_bound" + ("_validation" if options.validation else ""),
        {"rounds": options.rounds, "seed": options.seed, "budget": BUDGET, "peer_epochs": EPOCHS},
        runs["isthmus"][0]["versions"] | runs["pythae"][0].get("versions", {}),
    )
    report.measurements = runs
    if all("nats" in run for run in runs["pythae"]):
        seconds, nats = (
            {name: harness.spread([run[key] for run in found]) for name, found in runs.items()}
            for key in ("cpu_seconds" if harness.cores() == 1 else "fit_seconds", "nats")
        )
        ratio = seconds["pythae"]["median"] / seconds["isthmus"]["median"]
        report.claim("times sooner than pythae", ratio, f"at least {TIMES:g}", ratio >= TIMES)
        gain = nats["pythae"]["min"] - nats["isthmus"]["max"]
        report.claim("nats below pythae's, worst against best", gain, "at least 0", gain >= 0)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--validation", action="store_true", help="score on the last 10,000 training pictures")
    made.add_argument("--child", choices=("isthmus", "pythae"), help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

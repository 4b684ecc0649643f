"""Stacked MNIST: how many of 1,000 kinds of pictures the families that draw find, and how evenly.

The protocol is that of Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017): a record is three random
digits of MNIST, one in each colour channel, so that there are 1,000 kinds; each of 26,000 drawn pictures is named by a
classifier of digits, channel by channel. Kinds found, and the Kullback-Leibler divergence of their shares from the
shares of real pictures' kinds, which are even, are reported. The classifier is isthmus's own named feature network,
trained on the training pictures of MNIST. Families can be spread over several calls (--model): they are added to what
the results file has of the same settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import harness
import numpy as np

RECORDS, DRAWN, KINDS = 60_000, 26_000, 1000
CONVOLUTIONAL: dict[str, Any] = {"network": "convolutional", "batch_size": 256, "max_seconds": 120.0}
MODELS: dict[str, dict[str, Any]] = {
    "GAN": CONVOLUTIONAL | {"max_seconds": 600.0},
    "Autoencoder": CONVOLUTIONAL | {"latent_dim": 48, "likelihood": "bernoulli"},
    "VAE": CONVOLUTIONAL | {"latent_dim": 48, "likelihood": "bernoulli", "prior": "mixture", "beta": 0.5},
}


def stacked(pictures: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of three random digits, uint8 of shape (n, 28, 28, 3), and their kinds from 0 to 999."""
    rows = np.random.default_rng(seed).integers(len(pictures), size=(RECORDS, 3))
    return np.moveaxis(pictures[rows], 1, 3), kinds(labels[rows])


def kinds(digits: np.ndarray) -> np.ndarray:
    """Return the number that three digits make: (n, 3) -> (n,)."""
    return digits.astype(np.int64) @ np.array([100, 10, 1])


def named(network: Any, pictures: np.ndarray) -> np.ndarray:
    """Return the kind of each picture, as the classifier reads its channels."""
    digits = [network.class_numbers(np.ascontiguousarray(pictures[..., channel])) for channel in range(3)]
    return kinds(np.stack(digits, axis=1))


def found(drawn: np.ndarray) -> dict[str, Any]:
    """Return how many kinds there are among those drawn, and the divergence from even shares, in nats."""
    from isthmus import metrics

    coverage = metrics.class_coverage(drawn, KINDS)
    return {"kinds": coverage.covered, "kl_to_even": coverage.kl}


def run(name: str, pictures: np.ndarray, network: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one model and return what it draws."""
    import isthmus

    arguments = MODELS[name] | options.set
    model = getattr(isthmus, name)(**arguments, random_state=options.seed)
    with harness.clocked() as clock:
        model.fit(pictures, validation=0)
    drawn = model.sample(DRAWN, random_state=options.seed)
    return clock.as_dict() | {"arguments": arguments, **found(named(network, drawn))}


def main() -> int:
    """Fit each family; write and print the kinds found."""
    options = parse()
    from isthmus.tasks import feature_network

    train = harness.images("mnist", "train").reshape(-1, 28, 28)
    labels = harness.labels("mnist", "train")
    network = feature_network(train, labels, name="mnist")
    pictures, real = stacked(train, labels, options.seed)
    name = "stacked_mnist"
    settings = {"records": RECORDS, "drawn": DRAWN, "seed": options.seed, "classifier": network.label}
    before = harness.earlier(options.out, name, settings)
    report = harness.Report(name, settings, harness.isthmus_versions(), measurements=before)
    report.measurements["real"] = found(real[:DRAWN])
    report.measurements["real, as named"] = found(named(network, pictures[:DRAWN]))
    for name in options.model:
        report.measurements[name] = run(name, pictures, network, options)
    best = max(report.measurements[name]["kinds"] for name in MODELS if name in report.measurements)
    report.claim("kinds found by the best family", best, f"{KINDS}", best == KINDS)
    rows = [(name, one["kinds"], f"{one['kl_to_even']:.3f}") for name, one in report.measurements.items()]
    harness.print_table(("pictures", "kinds", "divergence from even, nats"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--model", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--set", type=json.loads, default={}, help="JSON of parameters to try instead")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

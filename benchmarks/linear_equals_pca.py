"""A linear autoencoder with squared error spans the principal subspace (Baldi and Hornik, 1989): 30 codes on MNIST.

Principal components are the best linear code there is, so on the pictures both were fitted on no linear autoencoder
may have a smaller error: that is a theorem, and anything below it is a fault of the measurement. On the test pictures,
where PCA leaves 13.87 an image, the two must agree to a hundredth.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import harness
import numpy as np

PIXELS, CODES = 784, 30
PUBLISHED = 13.87  # Hinton and Salakhutdinov (2006), PCA with 30 components
TOLERANCE = 0.01
ROUNDING = 1e-5  # float32 sums of 784 squares differ from float64 ones by less than this share
ARGUMENTS: dict[str, Any] = {
    "latent_dim": CODES,
    "hidden": (),
    "network": "dense",
    "likelihood": "gaussian-fixed",
    "scaling": "none",  # the default standardises each pixel, and then it is another principal subspace
    "max_epochs": 20,
    "batch_size": 512,
}


class PrincipalComponents:
    """The best linear code, from the covariance's eigenvectors in float64."""

    def __init__(self, X: np.ndarray, n_components: int) -> None:
        X = X.astype(np.float64)
        self.mean = X.mean(0)
        covariance = X.T @ X / len(X) - np.outer(self.mean, self.mean)
        self.components = np.linalg.eigh(covariance)[1][:, -n_components:].T

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Return the projections of rows onto the principal subspace."""
        centred = X.astype(np.float64) - self.mean
        return centred @ self.components.T @ self.components + self.mean


def run(options: argparse.Namespace, seed: int, X: np.ndarray, unseen: np.ndarray) -> dict[str, Any]:
    """Fit one linear autoencoder and return its squared errors an image."""
    from isthmus import Autoencoder

    arguments = ARGUMENTS | ({"max_epochs": options.epochs} if options.epochs is not None else {})
    model = Autoencoder(**arguments, random_state=seed)
    with harness.clocked() as clock:
        model.fit(X, validation=0)
    return clock.as_dict() | {
        "seed": seed,
        "arguments": arguments,
        "train": PIXELS * harness.squared_error(X, model.reconstruct(X)),
        "test": PIXELS * harness.squared_error(unseen, model.reconstruct(unseen)),
    }


def main() -> int:
    """Compare the linear autoencoder with PCA on training and test pictures."""
    options = parse()
    X, unseen = (harness.unit(part) for part in harness.train_and_score("mnist", validation=False))
    pca = PrincipalComponents(X, CODES)
    best = {
        name: PIXELS * harness.squared_error(part, pca.reconstruct(part))
        for name, part in (("train", X), ("test", unseen))
    }
    runs = [run(options, seed, X, unseen) for seed in options.seed]
    report = harness.Report(
        "linear_equals_pca",
        {"codes": CODES, "seeds": options.seed, "arguments": runs[0]["arguments"], "published_test_error": PUBLISHED},
        harness.isthmus_versions(),
    )
    ratios = {name: [one[name] / best[name] for one in runs] for name in best}
    report.measurements = {
        "pca": {name: round(value, 5) for name, value in best.items()},
        "autoencoder": {name: harness.spread([one[name] for one in runs], 5) for name in best},
        "ratio": {name: harness.spread(values) for name, values in ratios.items()},
        "runs": runs,
    }
    harness.print_table(
        ("squared error an image", "PCA", "linear autoencoder"),
        [(name, f"{best[name]:.4f}", ", ".join(f"{one[name]:.4f}" for one in runs)) for name in best],
    )
    worst = max(ratios["test"])
    report.claim("test error over PCA's, worst seed", worst, f"within {TOLERANCE:g} of 1", abs(worst - 1) <= TOLERANCE)
    least = min(ratios["train"])
    report.claim("training error over PCA's, least seed", least, "never below 1", least >= 1 - ROUNDING)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--seed", type=int, nargs="+", default=[0])
    made.add_argument("--epochs", type=float, help="instead of the chosen number")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What codes of 64 numbers are worth to the nearest neighbour: accuracy on Fashion-MNIST, codes learned without labels.

The protocol is that of Sainburg, McInnes and Gentner, "Parametric UMAP Embeddings for Representation and Semisupervised
Learning" (2021), table of nearest-neighbour classifiers: codes are learned from the 60,000 training pictures; each test
picture gets the class of the training picture whose code is nearest. They report .8747 for a VAE and .8671 for an
autoencoder; PCA has .8398. Settings were chosen on the last 10,000 training pictures (``--validation``).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Any

import harness
import numpy as np

# name: model and settings; the first is what isthmus promises by
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "VAE": ("VAE", {"max_epochs": 20}),
    "DenoisingAutoencoder": ("DenoisingAutoencoder", {"max_epochs": 20, "corruption_level": 0.6}),
    "Autoencoder": ("Autoencoder", {"max_epochs": 20}),
}
PROMISED = "VAE"
MUST = 0.885
SEEDS = 3


def child(name: str, seed: int, *, validation: bool) -> dict[str, Any]:
    """Fit one model in this process, and return the accuracies of one and of five neighbours."""
    import isthmus

    train, unseen = (p.reshape(-1, 28, 28) for p in harness.train_and_score("fashion-mnist", validation=validation))
    y, truth = labels(len(train), validation=validation)
    kind, settings = MODELS[name]
    model = getattr(isthmus, kind)(latent_dim=64, random_state=seed, **settings)
    with harness.clocked() as clock:
        model.fit(train, validation=0)
    return clock.as_dict() | neighbours(model.transform(train), y, model.transform(unseen), truth)


def labels(n: int, *, validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels to vote by and those to score on."""
    train = harness.read_idx(harness.file_of("fashion-mnist", "train", "labels")).astype(int)
    if validation:
        return train[:n], train[n:]
    return train, harness.read_idx(harness.file_of("fashion-mnist", "test", "labels")).astype(int)


def neighbours(codes: np.ndarray, y: np.ndarray, unseen: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return how often the nearest, and most of the five nearest, training codes are of the right class."""
    from sklearn.neighbors import KNeighborsClassifier

    return {
        f"{k}_nn": float(KNeighborsClassifier(k, algorithm="brute").fit(codes, y).score(unseen, truth)) for k in (1, 5)
    }


def pca(*, validation: bool) -> dict[str, float]:
    """Return the same for PCA."""
    from sklearn.decomposition import PCA

    train, unseen = map(harness.unit, harness.train_and_score("fashion-mnist", validation=validation))
    y, truth = labels(len(train), validation=validation)
    fitted = PCA(64, random_state=0).fit(train)
    return neighbours(fitted.transform(train), y, fitted.transform(unseen), truth)


def main() -> int:
    """Fit each model and seed in a process of its own; write and print accuracies."""
    options = parse()
    if options.child:
        harness.emit(**child(options.child, options.seed, validation=options.validation))
        return 0
    report = harness.Report(
        "code_neighbours" + ("_validation" if options.validation else ""),
        {name: MODELS[name] for name in options.model} | {"seeds": options.seeds},
        harness.isthmus_versions(),
    )
    report.measurements["PCA"] = pca(validation=options.validation)
    rows = [("PCA", f"{report.measurements['PCA']['1_nn']:.4f}", f"{report.measurements['PCA']['5_nn']:.4f}", "")]
    for name in options.model:
        runs = []
        for seed in range(options.seeds):
            arguments = [__file__, "--child", name, "--seed", str(seed)]
            arguments += ["--validation"] if options.validation else []
            runs.append(harness.child(sys.executable, arguments))
            print(name, json.dumps(runs[-1]), flush=True)
        report.measurements[name] = runs
        done = [run for run in runs if "1_nn" in run]
        if done:
            one, five, seconds = (statistics.mean(run[key] for run in done) for key in ("1_nn", "5_nn", "fit_seconds"))
            rows.append((name, f"{one:.4f}", f"{five:.4f}", f"{seconds:.0f}"))
            if name == PROMISED and not options.validation:
                report.claim(f"{name}: 1-NN accuracy, mean", one, f"at least {MUST}", one >= MUST)
    harness.print_table(("codes", "1-NN", "5-NN", "fit, s"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--model", nargs="+", choices=tuple(MODELS), default=[PROMISED])
    made.add_argument("--seeds", type=int, default=SEEDS)
    made.add_argument("--validation", action="store_true", help="score on the last 10,000 training pictures instead")
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

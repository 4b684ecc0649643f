"""What codes of 64 numbers are worth to the nearest neighbour: accuracy on Fashion-MNIST, codes learned without labels.

The protocol is that of Sainburg, McInnes and Gentner, "Parametric UMAP Embeddings for Representation and Semisupervised
Learning" (2021), table of nearest-neighbour classifiers: codes are learned from the 60,000 training pictures; each test
picture gets the class of the training picture whose code is nearest. They report .8747 for a VAE and .8671 for an
autoencoder; PCA has .8398. Settings were chosen on the last 10,000 training pictures (``--validation``).

"of gradients" are codes of histograms of oriented gradients in the place of pixels, which is also what isthmus clusters
pictures by: `isthmus.gradients`. Runs can be spread over several calls (--model): they are added to what the results
file has.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import harness
import numpy as np

# name: model and settings
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "VAE": ("VAE", {"max_epochs": 20}),
    "Autoencoder of gradients": ("Autoencoder", {"max_epochs": 10, "likelihood": "gaussian-fixed"}),
    "ContractiveAutoencoder of gradients": ("ContractiveAutoencoder", {"max_epochs": 10}),
}
PROMISED = "ContractiveAutoencoder of gradients"
MUST = 0.885
SEEDS = 3


def child(name: str, seed: int, *, validation: bool) -> dict[str, Any]:
    """Fit one model in this process, and return the accuracies of one and of five neighbours."""
    import isthmus
    from isthmus.gradients import oriented_gradients

    pictures = (p.reshape(-1, 28, 28) for p in harness.train_and_score("fashion-mnist", validation=validation))
    train, unseen = map(oriented_gradients, pictures) if name.endswith("gradients") else pictures
    y, truth = labels(len(train), validation=validation)
    kind, settings = MODELS[name]
    model = getattr(isthmus, kind)(latent_dim=64, random_state=seed, **settings)
    with harness.clocked() as clock:
        model.fit(train, validation=0)
    return clock.as_dict() | neighbours(model.transform(train), y, model.transform(unseen), truth)


def labels(n: int, *, validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels to vote by and those to score on."""
    train = harness.labels("fashion-mnist", "train").astype(int)
    if validation:
        return train[:n], train[n:]
    return train, harness.labels("fashion-mnist", "test").astype(int)


def neighbours(codes: np.ndarray, y: np.ndarray, unseen: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return how often the nearest, and most of the five nearest, training codes are of the right class."""
    from sklearn.neighbors import KNeighborsClassifier

    return {
        f"{k}_nn": float(KNeighborsClassifier(k, algorithm="brute").fit(codes, y).score(unseen, truth)) for k in (1, 5)
    }


def pca(change: Callable[[np.ndarray], np.ndarray], *, validation: bool) -> dict[str, float]:
    """Return the same for PCA of pictures as something else."""
    from sklearn.decomposition import PCA

    train, unseen = map(change, harness.train_and_score("fashion-mnist", validation=validation))
    y, truth = labels(len(train), validation=validation)
    fitted = PCA(64, random_state=0).fit(train)
    return neighbours(fitted.transform(train), y, fitted.transform(unseen), truth)


def main() -> int:
    """Fit each model and seed in a process of its own; write and print accuracies."""
    from isthmus.gradients import oriented_gradients

    options = parse()
    if options.child:
        harness.emit(**child(options.child, options.seed, validation=options.validation))
        return 0
    name = "code_neighbours" + ("_validation" if options.validation else "")
    settings = {name: list(MODELS[name]) for name in MODELS} | {"seeds": options.seeds}
    found = harness.earlier(options.out, name, settings)
    for one, change in {
        "PCA": harness.unit,
        "PCA of gradients": lambda flat: oriented_gradients(flat.reshape(-1, 28, 28)),
    }.items():
        found[one] = found.get(one) or [pca(change, validation=options.validation)]
    for one in options.model:
        found[one] = [fitted(one, seed, validation=options.validation) for seed in range(options.seeds)]
    report = harness.Report(name, settings, harness.isthmus_versions(), measurements=found)
    done = {one: [run for run in runs if "1_nn" in run] for one, runs in found.items()}
    harness.print_table(
        ("codes", "runs", "1-NN", "5-NN", "fit, s"), [described(one, runs) for one, runs in done.items() if runs]
    )
    if not options.validation:
        mean = statistics.mean(run["1_nn"] for run in done[PROMISED]) if done.get(PROMISED) else None
        report.claim(f"{PROMISED}: 1-NN accuracy, mean", mean, f"at least {MUST}", mean and mean >= MUST)
    return report.publish(options.out)


def fitted(name: str, seed: int, *, validation: bool) -> dict[str, Any]:
    """Return accuracies and seconds of one fit."""
    arguments = [__file__, "--child", name, "--seed", str(seed), *(["--validation"] if validation else [])]
    run = harness.child(sys.executable, arguments) | {"seed": seed}
    print(name, json.dumps(run), flush=True)
    return run


def described(name: str, runs: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return a line of the table."""
    one, five, seconds = ([run[key] for run in runs if key in run] for key in ("1_nn", "5_nn", "fit_seconds"))
    spread = f" ± {statistics.stdev(one):.4f}" if len(one) > 1 else ""
    time = f"{statistics.median(seconds):.0f}" if seconds else ""
    return name, str(len(runs)), f"{statistics.mean(one):.4f}{spread}", f"{statistics.mean(five):.4f}", time


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--model", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    made.add_argument("--seeds", type=int, default=SEEDS)
    made.add_argument("--validation", action="store_true", help="score on the last 10,000 training pictures instead")
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

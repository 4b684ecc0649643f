"""Outliers in tables: isthmus's Detector beside PyOD's AutoEncoder, VAE, ECOD and IForest, all with their defaults.

The protocol of ADBench (Han et al., NeurIPS 2022): of each table at most 10,000 rows, of which 70 % are learned from,
outliers among them and no labels, and 30 % are ranked; the area under the ROC curve, over seeds. The tables are forest
cover (ADBench's file), and those that ODDS makes of sets at hand, made the same way: breast cancer (10 malignant among
357 benign), wine (10 of one cultivar among the two others), digits (50 zeros among the others), MNIST (700 sixes among
6,903 zeros, 100 pixels), and white wines of which the worst and the best marks are the outliers.

Nothing was chosen on these. With --validation other tables are ranked: other digits and pairs of classes, and real rows
beside made ones (the four kinds of ADBench, section 3.3: local, global, clustered, dependency), with one outlier in
twenty and in ten.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np

ROWS, TEST = 10_000, 0.3
OWN = "isthmus"
PEERS = ("AutoEncoder", "VAE", "ECOD", "IForest")
MODULES = {"AutoEncoder": "auto_encoder", "VAE": "vae", "ECOD": "ecod", "IForest": "iforest"}
Table = tuple[str, np.ndarray, np.ndarray]


# ---------------------------------------------------------------------- tables


def reported() -> Iterator[Table]:
    """Yield name, rows, and 1 for outliers, of the tables that are reported."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    rng = np.random.default_rng(0)
    with np.load(folder() / "tabular" / "cover-outliers" / "10_cover.npz") as archive:
        yield "cover", archive["X"].astype(np.float32), archive["y"].astype(int)
    cancer, wine, digits = load_breast_cancer(), load_wine(), load_digits()
    yield "breast cancer", *few(cancer.data, cancer.target == 0, 10, rng)
    yield "wine", *few(wine.data, wine.target == 0, 10, rng)
    yield "digits", *few(digits.data, digits.target == 0, 50, rng)
    yield "mnist", *pair("mnist", 0, 6, 6_903, 700, rng)
    white = wines("white")
    yield "white wine", white[:, :-1], np.isin(white[:, -1], (3, 9)).astype(int)


def validation() -> Iterator[Table]:
    """Yield the tables that choices are made on."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    rng = np.random.default_rng(1)
    cancer, wine, digits = load_breast_cancer(), load_wine(), load_digits()
    for digit in (1, 4, 8):
        yield f"digits, {digit} out", *few(digits.data, digits.target == digit, 50, rng)
    for name, usual, odd, count in (
        ("mnist", 1, 7, 150),
        ("mnist", 4, 9, 150),
        ("fashion-mnist", 1, 3, 150),
        ("fashion-mnist", 2, 6, 150),
        ("fashion-mnist", 7, 9, 300),
    ):
        yield f"{name}, {odd} in {usual}", *pair(name, usual, odd, 3_000, count, rng)
    for kind in ("local", "global", "clustered", "dependency"):
        yield f"red wine, {kind}", *made(wines("red")[:, :-1], kind, rng)
    for kind in ("local", "dependency"):
        yield f"malignant, {kind}", *made(cancer.data[cancer.target == 0], kind, rng)
    yield "wine, 1 out", *few(wine.data, wine.target == 1, 7, rng)
    yield from with_many(np.random.default_rng(2))


def with_many(rng: np.random.Generator) -> Iterator[Table]:
    """Yield tables for choices of which about a tenth are outliers."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    cancer, wine, digits, iris = load_breast_cancer(), load_wine(), load_digits(), load_iris()
    for digit in (3, 5, 9):
        yield f"digits, {digit} out, many", *few(digits.data, digits.target == digit, 160, rng)
    for name, usual, odd in (
        ("mnist", 1, 7),
        ("mnist", 5, 8),
        ("mnist", 2, 7),
        ("fashion-mnist", 8, 4),
        ("fashion-mnist", 0, 6),
        ("fashion-mnist", 5, 9),
    ):
        yield f"{name}, {odd} in {usual}, many", *pair(name, usual, odd, 3_000, 300, rng)
    red = wines("red")
    for kind in ("local", "clustered", "dependency"):
        yield f"red wine, {kind}, many", *made(red[:, :-1], kind, rng, 0.1)
        yield f"malignant, {kind}, many", *made(cancer.data[cancer.target == 0], kind, rng, 0.1)
    yield "wine, 2 out, many", *few(wine.data, wine.target == 2, 12, rng)
    yield "red wine, marks", red[:, :-1], np.isin(red[:, -1], (3, 8)).astype(int)
    yield "iris, many", *few(iris.data, iris.target == 2, 10, rng)


def folder() -> Path:
    """Return the folder of data."""
    root = os.environ.get("ISTHMUS_DATA")
    if not root:
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds mnist/, fashion-mnist/ and tabular/.")
    return Path(root)


def wines(colour: str) -> np.ndarray:
    """Return the wines of a colour, their mark in the last column."""
    return np.loadtxt(folder() / "tabular" / "winequality" / f"winequality-{colour}.csv.gz", delimiter=",")


def few(X: np.ndarray, odd: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return all usual rows and ``count`` of the odd ones."""
    usual, some = np.flatnonzero(~odd), rng.permutation(np.flatnonzero(odd))[:count]
    return X[np.r_[usual, some]], np.r_[np.zeros(len(usual), int), np.ones(len(some), int)]


def pair(
    name: str, usual: int, odd: int, n: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of one class and some of another, 100 of the pixels that vary."""
    pictures = harness.images(name, "train")
    classes = harness.labels(name, "train")
    rows = np.r_[np.flatnonzero(classes == usual)[:n], np.flatnonzero(classes == odd)[:count]]
    y = (classes[rows] == odd).astype(int)
    vary = np.flatnonzero(pictures[rows[y == 0]].std(axis=0) > 0)
    return pictures[rows][:, rng.permutation(vary)[:100]], y


def made(X: np.ndarray, kind: str, rng: np.random.Generator, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and made outliers of a kind, as ADBench makes them."""
    from sklearn.mixture import GaussianMixture

    n, mean, deviation = int(len(X) * share), X.mean(axis=0), X.std(axis=0)
    standard = (X - mean) / deviation
    mixtures = [GaussianMixture(k, random_state=0).fit(standard) for k in (1, 2, 4, 6)]
    mixture = min(mixtures, key=lambda one: one.bic(standard))
    if kind == "local":
        mixture.covariances_ = 5 * mixture.covariances_
        odd = mixture.sample(n)[0] * deviation + mean
    elif kind == "clustered":
        mixture.means_ = 5 * mixture.means_
        odd = mixture.sample(n)[0] * deviation + mean
    elif kind == "global":
        ends = 1.1 * (X.min(axis=0) - mean), 1.1 * (X.max(axis=0) - mean)
        odd = mean + rng.uniform(*ends, (n, X.shape[1]))
    else:
        odd = np.stack([rng.choice(column, n) for column in X.T], axis=1)
    return np.concatenate([X, odd]), np.r_[np.zeros(len(X), int), np.ones(n, int)]


# ---------------------------------------------------------------------- one detector


def detector(name: str, seed: int) -> Any:
    """Return a detector with its defaults."""
    if name == OWN:
        import isthmus

        return isthmus.Detector(random_state=seed)
    from importlib import import_module

    made = getattr(import_module(f"pyod.models.{MODULES[name]}"), name)
    return made() if name == "ECOD" else made(random_state=seed)


def areas(name: str, seeds: list[int], *, choosing: bool) -> dict[str, Any]:
    """Return the area under the ROC curve of one detector, by table and seed, and the seconds of its fits."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    found: dict[str, Any] = {}
    for table, X, y in validation() if choosing else reported():
        found[table] = {"auc": [], "fit_seconds": []}
        for seed in seeds:
            rows = np.random.default_rng(seed).permutation(len(X))[:ROWS]
            learned, ranked, _, truth = train_test_split(
                X[rows].astype(np.float32), y[rows], test_size=TEST, stratify=y[rows], random_state=seed
            )
            with harness.clocked() as clock:
                fitted = detector(name, seed).fit(learned)
            # PyOD's scores are larger for odder rows, scikit-learn's smaller.
            odd = -fitted.score_samples(ranked) if name == OWN else fitted.decision_function(ranked)
            found[table]["auc"].append(float(roc_auc_score(truth, odd)))
            found[table]["fit_seconds"].append(round(clock.seconds, 2))
    return found


def main() -> int:
    """Run each detector in a process of its own; write and print the areas and their means."""
    options = parse()
    if options.child:
        harness.emit(**areas(options.child, options.seed, choosing=options.validation))
        return 0
    name_of_file = "outlier_tables" + ("_validation" if options.validation else "")
    settings = {"seeds": options.seed, "rows": ROWS, "test": TEST}
    found: dict[str, Any] = harness.earlier(options.out, name_of_file, settings)
    for name in options.detector:
        arguments = [__file__, "--child", name, "--seed", *map(str, options.seed)]
        arguments += ["--validation"] if options.validation else []
        found[name] = harness.child(sys.executable if name == OWN else options.peer_python, arguments)
        print(name, found[name].get("failed", "done"), flush=True)
    report = harness.Report(name_of_file, settings, harness.isthmus_versions(), measurements=found)
    done = {name: one for name, one in found.items() if "failed" not in one}
    means = {name: float(np.mean([np.mean(table["auc"]) for table in one.values()])) for name, one in done.items()}
    tables = list(next(iter(done.values()))) if done else []
    rows = [(table, *(f"{np.mean(one[table]['auc']):.3f}" for one in done.values())) for table in tables]
    harness.print_table(("table", *done), [*rows, ("mean", *(f"{mean:.3f}" for mean in means.values()))])
    for name in PEERS:
        if name in means and OWN in means:
            better = means[OWN] - means[name]
            report.claim(f"mean area above PyOD's {name}", better, "above 0", better > 0)
        elif not options.validation:
            report.claim(f"mean area above PyOD's {name}", None, "above 0", None)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument(
        "--detector", nargs="+", choices=(OWN, *PEERS), default=[OWN, *PEERS], help="adds to earlier results"
    )
    made.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    made.add_argument("--validation", action="store_true", help="rank the tables that choices are made on instead")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

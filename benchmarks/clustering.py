"""Clusters of all 70,000 pictures of a set, as many as there are classes: isthmus beside DEC, IDEC, k-means and UMAP.

Training and test pictures are clustered together, as the literature does. Labels only score: accuracy is the share of
pictures that are right when each cluster takes the place of one class, in the best way (Hungarian method); beside it
the normalised mutual information and the adjusted Rand index.

isthmus is `Clusterer(n_clusters=10)`. Two things in it were chosen with labels in sight: gradients in the place of
pixels, on 20,000 training pictures of MNIST, and annealing, on the graphs of all pictures. The peers have their
defaults: ClustPy's DEC and IDEC (100 epochs of reconstruction, 150 of clustering; --peer-epochs makes that fewer),
scikit-learn's k-means of pixels, and a mixture of Gaussians on ten dimensions of UMAP of the pixels, which is N2D
(McConville et al., ICPR 2020) without its autoencoder. Runs can be spread over several calls (--only): they are added
to what the results file has of the same settings.
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

OWN = "isthmus"
DEEP = {"ClustPy DEC": "DEC", "ClustPy IDEC": "IDEC"}
PEERS = (*DEEP, "k-means", "UMAP + mixture")
MUST = {"mnist": {"accuracy": 0.979}, "fashion-mnist": {"accuracy": 0.68, "nmi": 0.70}}
AIM = {"mnist": 0.992}
SECONDS = 900
PUBLISHED = {"mnist": {"N2D": 0.979, "SPC": 0.992}, "fashion-mnist": {"N2D": 0.672, "SPC": 0.679}}
CLUSTERS = 10
DIMENSIONS = 10  # of UMAP: McConville et al., section 4.2
NEIGHBOURS = 20


def pictures(name: str, records: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of both files, mixed, and their classes."""
    X = np.concatenate([harness.images(name, split) for split in ("train", "test")])
    y = np.concatenate([harness.labels(name, split) for split in ("train", "test")])
    rows = np.random.default_rng(0).permutation(len(X))[:records]
    return X[rows], y[rows]


# ---------------------------------------------------------------------- one run


def own(X: np.ndarray, seed: int) -> np.ndarray:
    """Return the clusters that isthmus finds with its defaults."""
    from isthmus import Clusterer

    return Clusterer(n_clusters=CLUSTERS, random_state=seed).fit(X.reshape(-1, 28, 28)).labels_


def deep(name: str, X: np.ndarray, seed: int, epochs: list[int]) -> np.ndarray:
    """Return ClustPy's clusters."""
    import torch

    for operator in ("nms", "qnms"):  # which a torchvision of another build than torch lacks, and nothing here needs
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float limit) -> Tensor")
    from clustpy import deep as clustpy

    model = getattr(clustpy, DEEP[name])
    made = model(CLUSTERS, pretrain_epochs=epochs[0], clustering_epochs=epochs[1], random_state=seed)
    return made.fit(harness.unit(X)).labels_


def k_means(X: np.ndarray, seed: int) -> np.ndarray:
    """Return scikit-learn's clusters of pixels, the best of ten starts."""
    from sklearn.cluster import KMeans

    return KMeans(CLUSTERS, n_init=10, random_state=seed).fit_predict(harness.unit(X))


def umap_and_mixture(X: np.ndarray, seed: int) -> np.ndarray:
    """Return the components of a mixture of Gaussians on UMAP of the pixels."""
    from sklearn.mixture import GaussianMixture
    from umap import UMAP

    # Without a seed UMAP uses all cores; the mixture has the seed.
    layout = UMAP(n_components=DIMENSIONS, n_neighbors=NEIGHBOURS, min_dist=0.0).fit_transform(harness.unit(X))
    return GaussianMixture(CLUSTERS, random_state=seed).fit_predict(layout)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Cluster once; write the clusters and return the seconds."""
    X, _ = pictures(options.data, options.records)
    name, seed = options.child, options.seed
    with harness.clocked() as clock:
        if name == OWN:
            labels = own(X, seed)
        elif name in DEEP:
            labels = deep(name, X, seed, options.peer_epochs)
        else:
            labels = k_means(X, seed) if name == "k-means" else umap_and_mixture(X, seed)
    np.save(options.labels, labels)
    found = harness.isthmus_versions() if name == OWN else harness.versions("clustpy", "umap-learn", "scikit-learn")
    return clock.as_dict() | {"versions": found}


def score(y: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return how well clusters agree with classes."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    from isthmus.metrics import clustering_accuracy

    return {
        "accuracy": clustering_accuracy(y, labels),
        "nmi": float(normalized_mutual_info_score(y, labels)),
        "ari": float(adjusted_rand_score(y, labels)),
    }


# ---------------------------------------------------------------------- all runs


def main() -> int:
    """Cluster in processes of their own; write and print scores and seconds."""
    options = parse()
    if options.child:
        harness.emit(**run(options))
        return 0
    settings = {
        "data": options.data,
        "records": options.records,
        "clusters": CLUSTERS,
        "peer_epochs": options.peer_epochs,
        "published": PUBLISHED[options.data],
    }
    name = f"clustering_{options.data.replace('-', '_')}"
    found = harness.earlier(options.out, name, settings)
    _, y = pictures(options.data, options.records)
    for one in options.only:
        seeds = range(options.seeds if one == OWN else options.peer_seeds)
        found[one] = [runs(options, one, seed, y) for seed in seeds]
    report = harness.Report(name, settings, harness.isthmus_versions())
    report.measurements = found
    done = {one: [run for run in its if "accuracy" in run] for one, its in found.items()}
    done = {one: its for one, its in done.items() if its}
    harness.print_table(
        ("method", "runs", "accuracy", "NMI", "ARI", "seconds"),
        [
            (one, str(len(its)), *(spread(its, what) for what in ("accuracy", "nmi", "ari")), seconds(its))
            for one, its in done.items()
        ],
    )
    claims(report, options.data, done)
    return report.publish(options.out)


def runs(options: argparse.Namespace, name: str, seed: int, y: np.ndarray) -> dict[str, Any]:
    """Return scores and seconds of one run."""
    with tempfile.TemporaryDirectory() as folder:
        labels = str(Path(folder) / "labels.npy")
        order = [__file__, "--child", name, "--seed", str(seed), "--labels", labels, "--data", options.data]
        order += ["--records", str(options.records), "--peer-epochs", *map(str, options.peer_epochs)]
        found = harness.child(sys.executable if name == OWN else options.peer_python, order)
        if "failed" not in found:
            found |= score(y, np.load(labels))
    print(name, seed, json.dumps(found), flush=True)
    return found | {"seed": seed}


def claims(report: harness.Report, data: str, done: dict[str, list[dict[str, Any]]]) -> None:
    """Add what was promised."""
    mine = done.get(OWN, [])
    for what, least in MUST[data].items():
        value = mean(mine, what)
        report.claim(f"mean {what}", value, f"at least {least}", None if value is None else value >= least)
    if data in AIM:
        value = mean(mine, "accuracy")
        report.claim(
            "mean accuracy, aim", value, f"at least {AIM[data]}", None if value is None else value >= AIM[data]
        )
    longest = max((run["fit_seconds"] for run in mine), default=None)
    report.claim("longest run, s", longest, f"under {SECONDS}", None if longest is None else longest < SECONDS)
    for name in PEERS:
        theirs = done.get(name, [])
        better = mean(mine, "accuracy") - mean(theirs, "accuracy") if mine and theirs else None
        report.claim(f"accuracy above {name}'s", better, "above 0", None if better is None else better > 0)
        if name in DEEP:
            times = mean(theirs, "fit_seconds") / mean(mine, "fit_seconds") if mine and theirs else None
            report.claim(f"times sooner than {name}", times, "above 1", None if times is None else times > 1)


def mean(runs: list[dict[str, Any]], what: str) -> Any:
    """Return a mean over runs; None of none."""
    return float(np.mean([run[what] for run in runs])) if runs else None


def spread(runs: list[dict[str, Any]], what: str) -> str:
    """Return mean and standard deviation, written out."""
    values = [run[what] for run in runs]
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def seconds(runs: list[dict[str, Any]]) -> str:
    """Return the median of the seconds, written out."""
    return f"{np.median([run['fit_seconds'] for run in runs]):.0f}"


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--data", choices=tuple(MUST), default="mnist")
    made.add_argument("--only", nargs="+", choices=(OWN, *PEERS), default=[OWN, *PEERS], help="methods to run")
    made.add_argument("--seeds", type=int, default=5, help="runs of isthmus")
    made.add_argument("--peer-seeds", type=int, default=1, help="runs of each peer")
    made.add_argument("--peer-epochs", type=int, nargs=2, default=[100, 150], help="of reconstruction, of clustering")
    made.add_argument("--records", type=int, default=70_000)
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    made.add_argument("--labels", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""Clusters of small sets, most of unequal groups: isthmus beside five other ways, told their number and not.

The sets are those of `clustering_sets.py`; what was chosen was chosen on the development half (`--part development`),
and the other half is reported. Each set is drawn anew for each seed. The score is the adjusted Rand index; of a set
that is one group, 1 for one cluster and 0 for more. Methods are ranked on each set by their mean over seeds, equal ones
sharing a rank, and the mean rank over sets tells which serves best where nobody knows what is to come. The scores of
the reported half had been seen before the last two choices, that sides without any edge between them are clusters and
that clusters are counted row by row; these were made on other draws, of the test suite's sets and of the development
half, and on more tables of KEEL.

isthmus gets the numbers as they are. The others get standardised columns, and their first 50 principal components where
there are more: k-means (10 starts; the number by silhouettes), a mixture of Gaussians (full covariances; the number by
BIC), spectral clustering on nearest neighbours (the number by the largest gap between eigenvalues), HDBSCAN
with scikit-learn's defaults, and UMAP (30 neighbours, no minimum distance, as its manual has it for clusters) with
HDBSCAN. The last two have no number to be told, and count what they call noise as one cluster more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clustering_sets
import harness
import numpy as np

OWN = "isthmus"
PARTS = {"development": clustering_sets.DEVELOPMENT, "held-out": clustering_sets.HELD_OUT}
MOST = 20  # clusters among which a number is looked for
COMPONENTS = 50
SETTINGS = ("given", "estimated")  # the number of clusters


# ---------------------------------------------------------------------- methods


def isthmus(X: np.ndarray, k: int | None, seed: int) -> tuple[np.ndarray, dict[str, float]]:
    """Return the clusters that isthmus finds with its defaults, and how sure it is of them."""
    from isthmus import Clusterer

    if X.shape[1] == 28 * 28:
        X = X.reshape(-1, 28, 28).astype(np.uint8)
    found = Clusterer(n_clusters=k, random_state=seed).fit(X)
    return found.labels_, {
        "stability": found.stability_,
        "probability": float(found.probabilities_.max(axis=1).mean()),
    }


def k_means(X: np.ndarray, k: int | None, seed: int) -> np.ndarray:
    """Return scikit-learn's clusters, their number by silhouettes."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    def found(count: int) -> np.ndarray:
        return KMeans(count, n_init=10, random_state=seed).fit_predict(X)

    if k is not None:
        return found(k)
    return max((found(count) for count in range(2, MOST + 1)), key=lambda labels: silhouette_score(X, labels))


def mixture(X: np.ndarray, k: int | None, seed: int) -> np.ndarray:
    """Return the components of a mixture of Gaussians, their number by the Bayesian information criterion."""
    from sklearn.mixture import GaussianMixture

    def found(count: int) -> Any:
        return GaussianMixture(count, reg_covar=1e-4, random_state=seed).fit(X)

    if k is not None:
        return found(k).predict(X)
    return min((found(count) for count in range(1, MOST + 1)), key=lambda one: one.bic(X)).predict(X)


def spectral(X: np.ndarray, k: int | None, seed: int) -> np.ndarray:
    """Return spectral clusters of the graph of nearest neighbours, their number by the largest gap of eigenvalues."""
    from scipy.sparse.csgraph import laplacian
    from sklearn.cluster import SpectralClustering
    from sklearn.neighbors import kneighbors_graph

    if k is None:
        near = kneighbors_graph(X, 10, include_self=True)
        lowest = np.linalg.eigvalsh(laplacian(0.5 * (near + near.T), normed=True).toarray())[: MOST + 1]
        k = int(np.argmax(np.diff(lowest))) + 1
    if k == 1:
        return np.zeros(len(X), int)
    return SpectralClustering(k, affinity="nearest_neighbors", random_state=seed).fit_predict(X)


def hdbscan(X: np.ndarray, k: int | None, seed: int) -> np.ndarray:
    """Return scikit-learn's HDBSCAN, noise as one cluster more."""
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(copy=True).fit_predict(X)


def umap_hdbscan(X: np.ndarray, k: int | None, seed: int) -> np.ndarray:
    """Return HDBSCAN on two dimensions of UMAP."""
    from umap import UMAP

    return hdbscan(UMAP(n_neighbors=30, min_dist=0.0, random_state=seed).fit_transform(X), k, seed)


PEERS: dict[str, Callable[[np.ndarray, int | None, int], np.ndarray]] = {
    "k-means": k_means,
    "mixture": mixture,
    "spectral": spectral,
    "HDBSCAN": hdbscan,
    "UMAP + HDBSCAN": umap_hdbscan,
}
NUMBERLESS = ("HDBSCAN", "UMAP + HDBSCAN")  # that are not told the number of clusters, and find the same either way


def plain(X: np.ndarray) -> np.ndarray:
    """Return standardised columns, or their first principal components where there are many."""
    from sklearn.decomposition import PCA

    deviation = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return PCA(COMPONENTS, random_state=0).fit_transform(X) if X.shape[1] > COMPONENTS else X


# ---------------------------------------------------------------------- one process


def write_sets(options: argparse.Namespace) -> dict[str, Any]:
    """Write the sets of all seeds into a folder."""
    for name, make in PARTS[options.part].items():
        for seed in range(options.seeds):
            X, y = make(np.random.default_rng([zlib.crc32(name.encode()), seed]))
            np.savez(path_of(options.folder, name, seed), X=X, y=y)
    return {"sets": len(PARTS[options.part])}


def path_of(folder: str, name: str, seed: int) -> Path:
    """Return where a set lies."""
    return Path(folder) / f"{zlib.crc32(name.encode()):08x}-{seed}.npz"


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Cluster all sets with one method."""
    from sklearn.metrics import adjusted_rand_score

    warnings.simplefilter("ignore")
    own = options.child == OWN
    scores: dict[str, dict[str, list[dict[str, float]]]] = {one: {} for one in SETTINGS}
    with harness.clocked() as clock:
        for name in PARTS[options.part]:
            for seed in range(options.seeds):
                with np.load(path_of(options.folder, name, seed)) as archive:
                    X, y = archive["X"], archive["y"]
                groups = int(y.max()) + 1
                for setting, k in zip(SETTINGS, (groups, None), strict=True):
                    if k == 1:
                        continue
                    if options.child in NUMBERLESS and setting == SETTINGS[1] and name in scores[SETTINGS[0]]:
                        scores[setting].setdefault(name, []).append(scores[SETTINGS[0]][name][-1])
                        continue
                    labels, sure = isthmus(X, k, seed) if own else (PEERS[options.child](plain(X), k, seed), {})
                    clusters = len(np.unique(labels))
                    ari = adjusted_rand_score(y, labels) if groups > 1 else float(clusters == 1)
                    scores[setting].setdefault(name, []).append({"ari": float(ari), "clusters": clusters, **sure})
                print(options.child, name, seed, file=sys.stderr, flush=True)
    found = harness.isthmus_versions() if own else harness.versions("umap-learn", "scikit-learn")
    return clock.as_dict() | {"scores": scores, "versions": found}


# ---------------------------------------------------------------------- all processes


def main() -> int:
    """Cluster with each method in a process of its own; write and print scores and ranks."""
    options = parse()
    if options.child:
        harness.emit(**(write_sets(options) if options.child == "sets" else run(options)))
        return 0
    settings = {"part": options.part, "seeds": options.seeds, "sets": list(PARTS[options.part])}
    name = f"unequal_groups_{options.part.replace('-', '_')}"
    found = harness.earlier(options.out, name, settings)
    with tempfile.TemporaryDirectory() as folder:
        order = [__file__, "--part", options.part, "--seeds", str(options.seeds), "--folder", folder, "--child"]
        made = harness.child(options.peer_python, [*order, "sets"])
        if "failed" in made:
            print(made["failed"], file=sys.stderr)
            return 1
        for one in options.only:
            python = sys.executable if one == OWN else options.peer_python
            found[one] = harness.child(python, [*order, one], environment={"OMP_NUM_THREADS": "1"})
    report = harness.Report(name, settings, harness.isthmus_versions())
    report.measurements = found
    done = {one: its["scores"] for one, its in found.items() if "scores" in its}
    for setting in SETTINGS:
        ranks = print_scores(setting, done)
        for peer in PEERS:
            if OWN in ranks and peer in ranks:
                ahead = ranks[peer] - ranks[OWN]
                report.claim(f"number {setting}: mean rank ahead of {peer}'s", ahead, "above 0", ahead > 0)
        report.measurements[f"mean ranks, number {setting}"] = ranks
    if OWN in done:
        report.measurements["correlation with the adjusted Rand index"] = sureness(done[OWN])
        print(report.measurements["correlation with the adjusted Rand index"])
    return report.publish(options.out)


def print_scores(setting: str, done: dict[str, Any]) -> dict[str, float]:
    """Print a table of the mean score of every method on every set; return mean ranks."""
    from scipy.stats import rankdata

    sets = list(next(iter(done.values()))[setting])
    means = np.asarray(
        [[np.mean([run["ari"] for run in scores[setting][one]]) for scores in done.values()] for one in sets]
    )
    ranks = rankdata(-means.round(3), axis=1).mean(axis=0)
    rows = [[one, *(f"{value:.2f}" for value in row)] for one, row in zip(sets, means, strict=True)]
    rows += [
        ["mean", *(f"{value:.3f}" for value in means.mean(axis=0))],
        ["mean rank", *(f"{rank:.2f}" for rank in ranks)],
    ]
    harness.print_table((f"number {setting}", *done), rows)
    return {one: round(float(rank), 3) for one, rank in zip(done, ranks, strict=True)}


def sureness(scores: dict[str, Any]) -> dict[str, float]:
    """Return how stability and probabilities go with how right clusters are, over all sets, seeds and settings."""
    from scipy.stats import spearmanr

    runs = [run for setting in SETTINGS for its in scores[setting].values() for run in its]
    right = [run["ari"] for run in runs]
    found = {}
    for what in ("stability", "probability"):
        values = [run[what] for run in runs]
        found[f"{what}, Pearson"] = round(float(np.corrcoef(right, values)[0, 1]), 3)
        found[f"{what}, Spearman"] = round(float(spearmanr(right, values)[0]), 3)
    return found


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--part", choices=tuple(PARTS), default="held-out")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--only", nargs="+", choices=(OWN, *PEERS), default=[OWN, *PEERS], help="methods to run")
    made.add_argument("--child", help=argparse.SUPPRESS)
    made.add_argument("--folder", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

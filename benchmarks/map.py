"""A map of MNIST that places pictures it never saw: isthmus's Map beside UMAP and principal components.

Learned are the 60,000 training pictures, and the 10,000 test pictures are placed by what was learned. Of these come the
figures: trustworthiness and continuity among the test pictures (15 neighbours, and 5), and the accuracy of the five
nearest training pictures on the map. Labels only score. Each map is made in a process of its own, with its defaults;
UMAP has been warmed up on some pictures first, so that its compilation is not counted.

With --validation the last 10,000 training pictures are placed instead, which is where the defaults were chosen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

DATA = "mnist"
METHODS = ("isthmus", "umap", "pca")
WARM, REPEATS = 1000, 7
TRUSTWORTHY, ACCURATE, QUICK = 0.97, 0.96, 200_000


# ---------------------------------------------------------------------- one map


def made(method: str, seed: int, parameters: dict[str, Any], path: Path, *, choosing: bool) -> dict[str, Any]:
    """Learn a map, place other pictures, write both to a file and return how long each took."""
    train, test = harness.train_and_score(DATA, validation=choosing)
    if method == "isthmus":
        from isthmus import Map

        with harness.clocked() as clock:
            model = Map(random_state=seed, **parameters).fit(train)
        call = model.transform
    elif method == "umap":
        import umap

        train, test = harness.unit(train), harness.unit(test)
        umap.UMAP().fit(train[:WARM]).transform(test[:WARM])
        with harness.clocked() as clock:
            model = umap.UMAP().fit(train)  # a seed would keep it to one core
        call = model.transform
    else:
        from sklearn.decomposition import PCA

        train, test = harness.unit(train), harness.unit(test)
        with harness.clocked() as clock:
            model = PCA(2, random_state=seed).fit(train)
        call = model.transform
    with harness.clocked() as placing:
        new = call(test)
    seconds = [placing.seconds] if method == "umap" else harness.repeat(lambda: call(test), REPEATS, warm=1)
    known = model.embedding_ if method == "umap" else call(train)
    np.savez(path, known=known, new=new)
    return clock.as_dict() | {
        "place_seconds": round(placing.seconds, 3),
        "rows_per_second": round(len(test) / float(np.median(seconds))),
        "versions": harness.versions("umap-learn", "numba", "scikit-learn"),
    }


def figures(path: Path, *, choosing: bool) -> dict[str, float]:
    """Return the figures of a map from the points in a file."""
    from isthmus.metrics import nearest_neighbour_hits, neighbourhoods

    _, test = harness.train_and_score(DATA, validation=choosing)
    labels = harness.labels(DATA, "train")
    known, new = labels, None if choosing else harness.labels(DATA, "test")
    if new is None:
        known, new = labels[: -harness.HELD_OUT], labels[-harness.HELD_OUT :]
    with np.load(path) as points:
        kept, near = (neighbourhoods(test, points["new"], k=k) for k in (15, 5))
        hits = nearest_neighbour_hits(points["known"], known, points["new"], new, k=5)
    return {
        "trustworthiness": float(kept.trustworthiness.mean()),
        "continuity": float(kept.continuity.mean()),
        "kept": float(kept.hit_rate.mean()),
        "trustworthiness_5": float(near.trustworthiness.mean()),
        "accuracy": float(hits.mean()),
    }


# ---------------------------------------------------------------------- all of them


def main() -> int:
    """Make each map in a process of its own; write and print the figures beside what was promised."""
    options = parse()
    parameters = dict(pair.split("=", 1) for pair in options.set)
    parameters = {name: float(value) if "." in value else int(value) for name, value in parameters.items()}
    if options.child:
        harness.emit(**made(options.child, options.seed[0], parameters, options.points, choosing=options.validation))
        return 0
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in options.method}
    for seed in options.seed:
        for method in options.method:
            runs[method].append(run(method, seed, options))
            print(
                method,
                seed,
                {name: value for name, value in runs[method][-1].items() if name != "versions"},
                flush=True,
            )
    report = harness.Report(
        "map" + ("_validation" if options.validation else ""),
        {"seeds": options.seed, "parameters": parameters, "warm": WARM, "repeats": REPEATS},
        harness.isthmus_versions(),
    )
    report.measurements = runs
    done = {method: [one for one in its if "failed" not in one] for method, its in runs.items()}
    means = {method: averaged(its) for method, its in done.items() if its}
    names = ("trustworthiness", "trustworthiness_5", "continuity", "accuracy", "fit_seconds", "rows_per_second")
    harness.print_table(
        ("", *names), [(method, *(f"{found[name]:,.4g}" for name in names)) for method, found in means.items()]
    )
    promise(report, means)
    return report.publish(options.out)


def run(method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return times and figures of one map."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.npz"
        arguments = [__file__, "--child", method, "--seed", str(seed), "--points", str(path), "--set", *options.set]
        arguments += ["--validation"] if options.validation else []
        found = harness.quiet_child(
            options.peer_python if method == "umap" else sys.executable, arguments, tries=options.tries
        )
        return found if "failed" in found else found | figures(path, choosing=options.validation)


def averaged(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of every number of several runs; the median of times."""
    return {
        name: float((np.median if name.endswith(("seconds", "second")) else np.mean)([one[name] for one in runs]))
        for name, value in runs[0].items()
        if isinstance(value, int | float)
    }


def promise(report: harness.Report, means: dict[str, dict[str, float]]) -> None:
    """Add what was promised."""
    own, umap = means.get("isthmus"), means.get("umap")
    if own:
        kept, accuracy, rate = own["trustworthiness"], own["accuracy"], own["rows_per_second"]
        report.claim("trustworthiness of placed pictures", kept, f"at least {TRUSTWORTHY}", kept >= TRUSTWORTHY)
        report.claim("5-NN accuracy of placed pictures", accuracy, f"at least {ACCURATE}", accuracy >= ACCURATE)
        report.claim("pictures placed a second", rate, f"at least {QUICK:,}", rate >= QUICK)
    for name, sentence in (
        ("trustworthiness", "trustworthiness above UMAP's"),
        ("accuracy", "5-NN accuracy above UMAP's"),
    ):
        better = own[name] - umap[name] if own and umap else None
        report.claim(sentence, better, "above 0", None if better is None else better > 0)
    share = own["fit_seconds"] / umap["fit_seconds"] if own and umap else None
    report.claim("time to fit, as a share of UMAP's", share, "below 1", None if share is None else share < 1)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--method", nargs="+", choices=METHODS, default=list(METHODS))
    made.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    made.add_argument("--tries", type=int, default=2, help="most tries of a run while the machine is busy otherwise")
    made.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of isthmus's Map")
    made.add_argument("--validation", action="store_true", help="place training pictures that were held out instead")
    made.add_argument("--child", choices=METHODS, help=argparse.SUPPRESS)
    made.add_argument("--points", type=Path, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

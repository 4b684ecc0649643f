"""Test error on MNIST with 100 labels and with all, by classifiers that know nothing of the places of pixels.

The protocol is that of Rasmus et al., "Semi-Supervised Learning with Ladder Networks" (NeurIPS 2015): 100 training
pictures with a label, ten of each class, drawn anew with each seed; all other training pictures without; records are
rows of 784 numbers, whose order could be any (permutation invariant). They report 1.06 % with 100 labels and 0.57 %
with all. Settings were chosen on the last 10,000 training pictures (``--validation``), which then are neither labelled
nor unlabelled, and with 100 labels also on the training pictures without a label (``error_unlabelled`` of each run).

    python benchmarks/semi_supervised_mnist.py
    python benchmarks/semi_supervised_mnist.py --labels 100 --seeds 0 1 --validation --set max_epochs=20

Runs can be spread over several calls (--labels, --seeds): they are added to what the results file has of the same
settings.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
from typing import Any

import harness
import numpy as np

LADDER: dict[str, Any] = {
    "hidden": (1000, 500, 250, 250),
    "latent_dim": 250,
    "scaling": "unit",
    "likelihood": "gaussian-fixed",
    "noise": 0.3,
    "denoising": (1000.0, 10.0, 0.1),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "100": LADDER | {"head_start": 0.15, "batch_size": 250, "max_epochs": 60, "learning_rate": 0.004},
    "all": LADDER | {"batch_size": 100, "max_epochs": 60, "learning_rate": 0.0025},
}
SEEDS = {"100": 10, "all": 3}
MUST = {"100": 1.1, "all": 0.60}


def pictures_and_labels(*, validation: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures and labels to learn from, and pictures and labels to score on."""
    X, unseen = harness.train_and_score("mnist", validation=validation)
    y = harness.labels("mnist", "train").astype(int)
    return (
        (X, y[: len(X)], unseen, y[len(X) :])
        if validation
        else (X, y, unseen, harness.labels("mnist", "test").astype(int))
    )


def some(y: np.ndarray, seed: int) -> np.ndarray:
    """Return labels of ten records of each class, and -1 of all others."""
    rng = np.random.default_rng(seed)
    known = np.full(len(y), -1)
    for digit in range(10):
        rows = rng.choice(np.flatnonzero(y == digit), 10, replace=False)
        known[rows] = digit
    return known


def child(wanted: str, seed: int, settings: dict[str, Any], *, validation: bool) -> dict[str, Any]:
    """Fit one classifier in this process, and return its errors in per cent."""
    from isthmus import Classifier, LadderNetwork

    X, y, unseen, truth = pictures_and_labels(validation=validation)
    model = LadderNetwork(**SETTINGS[wanted] | settings, random_state=seed)
    classifier = Classifier(model=model, method="ladder", calibrate=False, random_state=seed)
    known = some(y, seed) if wanted == "100" else y
    with harness.clocked() as clock:
        classifier.fit(X, known)
    found = {"error": error(classifier, unseen, truth), "steps": classifier.model_.provenance_["steps"]}
    unlabelled = known < 0
    if unlabelled.any():
        found["error_unlabelled"] = error(classifier, X[unlabelled], y[unlabelled])
    return clock.as_dict() | found


def error(classifier: Any, pictures: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of pictures, in per cent, of which the class is wrong."""
    return 100 * float(np.mean(classifier.predict(pictures) != truth))


def main() -> int:
    """Fit each seed in a process of its own; write and print errors."""
    options = parse()
    if options.child:
        harness.emit(**child(options.child, options.seeds[0], options.set, validation=options.validation))
        return 0
    others = "".join(f"_{name}={value}" for name, value in options.set.items())  # what is tried is kept by itself
    name = "semi_supervised_mnist" + others + ("_validation" if options.validation else "")
    settings = {wanted: SETTINGS[wanted] | options.set for wanted in SETTINGS}
    found = harness.earlier(options.out, name, settings)
    code = 0
    for wanted in options.labels:
        for seed in options.seeds or range(SEEDS[wanted]):
            runs = {run["seed"]: run for run in found.get(wanted, [])} | {seed: fitted(options, wanted, seed)}
            found[wanted] = [runs[one] for one in sorted(runs)]
            code = published(options, harness.Report(name, settings, harness.isthmus_versions(), measurements=found))
    return code


def fitted(options: argparse.Namespace, wanted: str, seed: int) -> dict[str, Any]:
    """Return error and seconds of one fit."""
    words = [f"{name}={value!r}" for name, value in options.set.items()]
    arguments = [__file__, "--child", wanted, "--seeds", str(seed), "--set", *words]
    arguments += ["--validation"] if options.validation else []
    run = harness.child(sys.executable, arguments) | {"seed": seed}
    print(wanted, json.dumps(run), flush=True)
    return run


def published(options: argparse.Namespace, report: harness.Report) -> int:
    """Print and write what has been found so far, and return the exit code."""
    rows = []
    for wanted, runs in report.measurements.items():
        done = [run for run in runs if "error" in run]
        if not done:
            continue
        errors = [run["error"] for run in done]
        mean, deviation = statistics.mean(errors), statistics.stdev(errors) if len(errors) > 1 else 0.0
        seconds = statistics.median(run["fit_seconds"] for run in done)
        extremes = f"{min(errors):.2f} to {max(errors):.2f}"
        rows.append((wanted, len(errors), f"{mean:.3f} %", f"{deviation:.3f}", extremes, f"{seconds:.0f}"))
        if not options.validation:
            report.claim(f"{wanted} labels: test error, %", mean, f"{MUST[wanted]} or less", mean <= MUST[wanted])
            report.claim(f"{wanted} labels: seeds", len(errors), f"{SEEDS[wanted]}", len(errors) >= SEEDS[wanted])
    harness.print_table(("labels", "seeds", "error", "deviation", "range", "fit, s"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--labels", nargs="+", choices=tuple(SETTINGS), default=list(SETTINGS))
    made.add_argument("--seeds", type=int, nargs="+", help="which (default: 0 to 9 with 100 labels, 0 to 2 with all)")
    made.add_argument("--validation", action="store_true", help="score on the last 10,000 training pictures instead")
    made.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings of the network")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    pairs = (word.partition("=") for word in options.set)
    options.set = {name: ast.literal_eval(value) for name, _, value in pairs}
    return options


if __name__ == "__main__":
    sys.exit(main())

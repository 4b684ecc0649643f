"""One-class MNIST: a detector learns one digit's training pictures and ranks all test pictures; ten digits, their mean.

The protocol of Ruff et al. (Deep SVDD, ICML 2018) and Perera et al. (OCGAN, CVPR 2019): for each digit the area under
the ROC curve of that digit against the nine others, on the 10,000 test pictures. Labels choose the training pictures
and score, and nothing else. The detector is the one that `isthmus.Detector()` brings for pictures.

Its settings were chosen with --validation, which learns from the first 50,000 training pictures and scores on the rest.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import harness
import numpy as np

MUST, AIM = 0.96, 0.975
PUBLISHED = {"Deep SVDD": 0.948, "OCGAN": 0.975}
METHODS = ("combined", "reconstruction", "distance")


def pictures(*, validation: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what to learn from and what to score on, each with its digits."""
    train, test = (rows.reshape(-1, 28, 28) for rows in harness.train_and_score("mnist", validation=validation))
    digits = harness.labels("mnist", "train")
    return train, digits[: len(train)], test, digits[len(train) :] if validation else harness.labels("mnist", "test")


def one_digit(digit: int, seed: int, *, validation: bool) -> dict[str, Any]:
    """Learn one digit and return the area under the ROC curve of each method."""
    from sklearn.metrics import roc_auc_score

    import isthmus

    train, its, test, digits = pictures(validation=validation)
    with harness.clocked() as clock:
        detector = isthmus.Detector(random_state=seed).fit(train[its == digit])
    with harness.clocked() as scoring:
        scores = {"combined": detector.score_samples(test)}
    for method in METHODS[1:]:
        other = isthmus.Detector(model=detector.model_, method=method, random_state=seed).fit(train[its == digit])
        scores[method] = other.score_samples(test)
    areas = {method: float(roc_auc_score(digits == digit, found)) for method, found in scores.items()}
    p = detector.p_values(test[digits == digit])
    alarms = {str(level): float((p <= level).mean()) for level in (0.01, 0.05, 0.1)}
    return {"auc": areas, "alarms": alarms, "score_seconds": round(scoring.seconds, 2)} | clock.as_dict()


def main() -> int:
    """Learn each digit in a process of its own; write and print the areas and their mean."""
    options = parse()
    if options.child is not None:
        harness.emit(**one_digit(options.child, options.seed[0], validation=options.validation))
        return 0
    found: dict[str, Any] = {}
    for seed in options.seed:
        for digit in options.digit:
            arguments = [__file__, "--child", str(digit), "--seed", str(seed)]
            arguments += ["--validation"] if options.validation else []
            found[f"{digit}/{seed}"] = one = harness.child(sys.executable, arguments)
            print(digit, seed, one.get("auc", one), flush=True)
    report = harness.Report(
        "one_class_mnist" + ("_validation" if options.validation else ""),
        {"seeds": options.seed, "digits": options.digit, "detector": "isthmus.Detector()", "published": PUBLISHED},
        harness.isthmus_versions(),
    )
    report.measurements = found
    complete = all("auc" in one for one in found.values())
    means = {
        method: [np.mean([found[f"{d}/{s}"]["auc"][method] for d in options.digit]) for s in options.seed]
        for method in METHODS
        if complete
    }
    if complete:
        report.measurements["mean"] = {method: harness.spread(values) for method, values in means.items()}
        rows = [
            (d, *(f"{np.mean([found[f'{d}/{s}']['auc'][m] for s in options.seed]):.4f}" for m in METHODS))
            for d in options.digit
        ]
        harness.print_table(("digit", *METHODS), [*rows, ("mean", *(f"{np.mean(means[m]):.4f}" for m in METHODS))])
        area = float(np.mean(means["combined"]))
        report.claim("mean area under the ROC curve, ten digits", area, f"at least {MUST}", area >= MUST)
        report.claim("the same, aim", area, f"at least {AIM}", area >= AIM)
    else:
        report.claim("mean area under the ROC curve, ten digits", None, f"at least {MUST}", None)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    made.add_argument("--digit", type=int, nargs="+", default=list(range(10)))
    made.add_argument("--validation", action="store_true", help="score on the last 10,000 training pictures instead")
    made.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What the defaults of VAE do for tables that no setting was chosen on, beside those of an earlier version.

The tables are white wine with "good" for a quality of 6 and more (4,898 rows, 12 columns) and breast cancer (569 rows,
31 columns); a third of the rows is held out. Scored are the mean error of column shapes (as in synthetic_table.py), the
area under the ROC curve of boosted trees that learned from as many drawn rows and predict the held-out ones, that of
trees that tell drawn rows from held-out ones (0.5 is best), and the mean log-likelihood of held-out rows in nats, whose
units are the data's. ``--before FOLDER`` names the ``src`` folder of another version, measured in the same run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import harness

SOURCE = "ISTHMUS_SOURCE"
TARGETS = {"wine": "good", "cancer": "malignant"}
# What a default may lose against the one before: a difference of two seeds of one version.
SHAPE, AREA, NATS = 0.005, 0.02, 0.3


def table(name: str) -> Any:
    """Return a data frame whose target is a column of words."""
    import numpy as np
    import pandas as pd

    if name == "cancer":
        from sklearn.datasets import load_breast_cancer

        found = load_breast_cancer(as_frame=True)
        return found.data.assign(malignant=np.where(found.target == 0, "yes", "no"))
    path = Path(os.environ.get("ISTHMUS_DATA", "")) / "tabular" / "winequality" / "winequality-white.csv.gz"
    if not path.exists():
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds tabular/winequality/winequality-white.csv.gz.")
    frame = pd.read_csv(path, header=None).rename(columns=lambda index: f"property {index}")
    return frame.drop(columns="property 11").assign(good=np.where(frame["property 11"] >= 6, "yes", "no"))


def child(name: str, seed: int) -> dict[str, Any]:
    """Fit the default VAE to two thirds of a table, draw as many rows, and score them."""
    if SOURCE in os.environ:
        sys.path.insert(0, os.environ[SOURCE])
    import pandas as pd
    import pyarrow as pa

    import isthmus
    from isthmus import metrics

    frame = table(name).sample(frac=1, random_state=seed)
    train, test = frame.iloc[len(frame) // 3 :], frame.iloc[: len(frame) // 3]
    model = isthmus.VAE(random_state=seed)
    with harness.clocked() as clock:
        model.fit(train)
    drawn = model.sample(len(train), random_state=seed)
    real, new, unseen = (pa.Table.from_pandas(rows, preserve_index=False) for rows in (train, drawn, test))
    both = pd.concat([test, drawn.iloc[: len(test)]]).drop(columns=TARGETS[name])
    use = metrics.efficacy(real, new, unseen, TARGETS[name])
    return clock.as_dict() | {
        "shape_error": 1 - metrics.column_shapes(real, new).score,
        "auc": use.synthetic.mean,
        "auc_real": use.real.mean,
        "told_apart": told_apart(both, len(test), seed),
        "nats": model.score(test),
    }


def told_apart(rows: Any, first: int, seed: int) -> float:
    """Return the area under the ROC curve, over five folds, of trees that tell the first rows from the others."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    y = np.arange(len(rows)) >= first
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    trees = HistGradientBoostingClassifier(random_state=seed)
    return float(roc_auc_score(y, cross_val_predict(trees, rows, y, cv=folds, method="predict_proba")[:, 1]))


def main() -> int:
    """Measure each table, seed and version in a process of its own."""
    options = parse()
    if options.child:
        harness.emit(**child(options.child, options.seed[0]))
        return 0
    versions = {"now": None} | ({"before": str(options.before)} if options.before else {})
    report = harness.Report("table_defaults", {"seeds": options.seed}, harness.isthmus_versions())
    for name in options.table:
        for version, source in versions.items():
            environment = {} if source is None else {SOURCE: source, "PYTHONPATH": source}
            runs = [
                harness.child(sys.executable, [__file__, "--child", name, "--seed", str(seed)], environment=environment)
                for seed in options.seed
            ]
            report.measurements.setdefault(name, {})[version] = runs
            print(name, version, means(runs), flush=True)
        if options.before:
            claims(report, name)
    return report.publish(options.out)


def means(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of each figure over seeds."""
    return {key: round(sum(run[key] for run in runs) / len(runs), 4) for key in runs[0] if key != "versions"}


def claims(report: harness.Report, name: str) -> None:
    """Say of each figure how much it gained, in the direction in which more is better."""
    now, before = (means(report.measurements[name][version]) for version in ("now", "before"))
    for key, sign, least in (("shape_error", -1, SHAPE), ("auc", 1, AREA), ("told_apart", -1, AREA), ("nats", 1, NATS)):
        gain = sign * (now[key] - before[key])
        report.claim(f"{name}: {key} gained", gain, f"at least {-least}", gain >= -least)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--table", nargs="+", choices=tuple(TARGETS), default=list(TARGETS))
    made.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    made.add_argument("--before", type=Path, help="the src folder of the version to compare with")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

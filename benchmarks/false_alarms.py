"""False alarms: the share of clean records whose p-value is at most a, which is to be a, for a from .001 to .1.

Records are drawn from a known law of 20 numbers, a mixture of curved clusters with heavy tails, so that as many clean
ones as wanted are at hand. Each repetition draws its own records to learn from, to calibrate on and to test. A level is
kept where the mean share over the repetitions is the level within 4 standard errors, or below that by what m + 1 values
cannot resolve.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import harness
import numpy as np

LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
LEARNED, CALIBRATED, TESTED = 2_000, 2_000, 20_000
ERRORS = 4  # standard errors that a mean may be off by


def clean(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return records of three curved clusters in 20 numbers, float32."""
    law = np.random.default_rng(0)
    weights, turn = law.normal(size=(3, 4, 20)), law.normal(size=(3, 4, 20))
    cluster = rng.integers(0, 3, n)
    z = rng.normal(size=(n, 4))
    bent = np.einsum("nk,nkd->nd", z, weights[cluster]) + np.einsum("nk,nkd->nd", np.sin(2 * z), turn[cluster])
    return (bent + 3 * cluster[:, None] + 0.3 * rng.standard_t(3, size=(n, 20))).astype(np.float32)


def shares(seed: int, method: str) -> list[float]:
    """Return the share of clean records whose p-value is at each level or below."""
    import isthmus

    rng = np.random.default_rng(1000 + seed)
    model = isthmus.Autoencoder(latent_dim=4, max_epochs=4, random_state=seed)
    share = CALIBRATED / (LEARNED + CALIBRATED)
    detector = isthmus.Detector(model=model, method=method, calibration=share, random_state=seed)
    p = detector.fit(clean(LEARNED + CALIBRATED, rng)).p_values(clean(TESTED, rng))
    return [float((p <= level).mean()) for level in LEVELS]


def main() -> int:
    """Repeat, and hold the mean shares against the levels."""
    options = parse()
    report = harness.Report(
        "false_alarms",
        {"repetitions": options.repetitions, "learned": LEARNED, "calibrated": CALIBRATED, "tested": TESTED},
        harness.isthmus_versions(),
    )
    rows: list[tuple[Any, ...]] = []
    for method in options.method:
        found = np.array([shares(seed, method) for seed in range(options.repetitions)])
        mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(len(found))
        report.measurements[method] = {
            str(level): {"mean": float(m), "standard_error": float(e)}
            for level, m, e in zip(LEVELS, mean, error, strict=True)
        }
        for level, m, e in zip(LEVELS, mean, error, strict=True):
            low, high = level - 1 / (CALIBRATED + 1) - ERRORS * e, level + ERRORS * e
            kept = bool(low <= m <= high)
            report.claim(f"{method}: alarms at {level:g}", m, f"{level:g} +- {ERRORS * e:.2g}", kept)
            rows.append((method, level, f"{m:.5f}", f"{e:.5f}"))
    harness.print_table(("method", "level", "alarms", "standard error"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--repetitions", type=int, default=30)
    made.add_argument("--method", nargs="+", default=["combined", "likelihood"])
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

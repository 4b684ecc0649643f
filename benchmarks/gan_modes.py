"""Modes that a GAN finds: a grid of 25 Gaussians and a ring of 8, default settings, ten seeds.

A drawn point is good when it lies within three deviations of a centre (of real points 98.9 % do), and a centre is found
when at least 20 good points of 10,000 lie nearest to it. The grid and the ring are those of Srivastava et al.,
"VEEGAN" (NeurIPS 2017).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import harness
import numpy as np

RECORDS, DRAWN = 20_000, 10_000
GOOD = 0.9
FEWEST = 20  # good points that make a mode found


def grid() -> tuple[np.ndarray, float]:
    """Return 25 centres two apart, and the deviation about each."""
    axis = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), 0.05


def ring() -> tuple[np.ndarray, float]:
    """Return 8 centres on a circle of radius 2, and the deviation about each."""
    angle = np.arange(8) * np.pi / 4
    return 2 * np.stack([np.cos(angle), np.sin(angle)], 1), 0.02


SETS = {"grid": grid, "ring": ring}


def run(name: str, seed: int) -> dict[str, Any]:
    """Fit one GAN and return what it draws of the centres."""
    from isthmus import GAN, metrics

    centres, deviation = SETS[name]()
    rng = np.random.default_rng(seed)
    X = centres[rng.integers(len(centres), size=RECORDS)] + deviation * rng.normal(size=(RECORDS, 2))
    model = GAN(random_state=seed)
    with harness.clocked() as clock:
        model.fit(X)
    found = metrics.mode_coverage(model.sample(DRAWN, random_state=seed), centres, deviation)
    modes = int((found.counts >= FEWEST).sum())
    return clock.as_dict() | {"seed": seed, "modes": modes, "good": found.good.mean, "kl_to_even": found.kl}


def main() -> int:
    """Fit every seed on both sets; write and print modes and good points."""
    options = parse()
    report = harness.Report(
        "gan_modes",
        {"records": RECORDS, "drawn": DRAWN, "seeds": options.seed, "arguments": {}},
        harness.isthmus_versions(),
    )
    rows = []
    for name in SETS:
        runs = [run(name, seed) for seed in options.seed]
        wanted = len(SETS[name]()[0])
        report.measurements[name] = runs
        all_found = sum(one["modes"] == wanted for one in runs)
        good_enough = sum(one["good"] >= GOOD for one in runs)
        report.claim(f"{name}: seeds with all {wanted} modes", all_found, f"{len(runs)}", all_found == len(runs))
        share = f"{name}: seeds with 90 % good points"
        report.claim(share, good_enough, f"{len(runs)}", good_enough == len(runs))
        rows += [(name, one["seed"], one["modes"], f"{one['good']:.3f}", f"{one['fit_seconds']:.0f}") for one in runs]
    harness.print_table(("set", "seed", "modes", "good points", "fit, s"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--seed", type=int, nargs="+", default=list(range(10)))
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

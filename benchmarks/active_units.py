"""Units of a code of 32 that a VAE with default settings uses on MNIST, and what report and doctor say of the others.

A unit is active when its posterior mean varies by more than 0.01 over the 10,000 test pictures (Burda, Grosse and
Salakhutdinov, ICLR 2016, section 5). A code that is wider than the data need is no collapse, and the report says how
many units are enough.
"""

from __future__ import annotations

import argparse
import sys

import harness

UNITS, SHARE = 32, 0.9


def main() -> int:
    """Fit each seed; write and print active units and findings."""
    options = parse()
    import isthmus
    from isthmus import metrics, tasks
    from isthmus.report import terminal

    train, test = (pictures.reshape(-1, 28, 28) for pictures in harness.train_and_score("mnist", validation=False))
    report = harness.Report("active_units", {"units": UNITS, "seeds": options.seed}, harness.isthmus_versions())
    rows = []
    for seed in options.seed:
        model = isthmus.VAE(latent_dim=UNITS, random_state=seed)
        with harness.clocked() as clock:
            model.fit(train)
        active = int(metrics.active_units(model.transform(test)).sum())
        lines = terminal.summary(isthmus.evaluate(model, test).to_dict()).splitlines()
        said = next(line for line in lines if line.startswith("active units"))
        findings = [finding.kind for finding in tasks.diagnose(model, test)]
        found = {"active": active, "report": said, "doctor": findings}
        report.measurements[f"seed {seed}"] = clock.as_dict() | found
        is_said = active >= SHARE * UNITS or "is enough" in said
        report.claim(f"seed {seed}: active units", active, f"{SHARE:.0%} of {UNITS}, or how many are needed", is_said)
        rows.append((seed, active, ", ".join(findings) or "nothing", f"{clock.seconds:.0f}"))
    harness.print_table(("seed", "active units", "the doctor finds", "fit, s"), rows)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--seed", type=int, nargs="+", default=[0])
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

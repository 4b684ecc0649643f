"""Time to a given quality: how much sooner isthmus is as good as each peer after its five epochs.

Each peer trains 784-128-64-32 for 5 epochs at batch 256. Every run is a process of its own. A round is: peer, isthmus,
next peer, isthmus, and so on, so that a machine whose speed drifts treats both alike. A peer's squared error per test
pixel is the target; isthmus must return from ``fit`` with a test error no larger. The ratio is that of the median wall
seconds of the training calls.

    python benchmarks/dense_time_to_quality.py --choose  # which budget reaches what, on held-out training pictures
    python benchmarks/dense_time_to_quality.py --peer-python "$PEER_PYTHON"
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import harness
from peers import PEERS

# Ratio of wall times that isthmus promises against each peer.
MUST = {name: 5.0 if name == "keras-jax" else 10.0 for name in PEERS}

# The network is the peers'. Everything else is the user's to set, and the same for every target but for the budget.
ARGUMENTS: dict[str, Any] = {
    "latent_dim": 32,
    "hidden": (128, 64),
    "network": "dense",
    "likelihood": "bernoulli",
}

# What may be spent, from little to much. `--choose` measures each on held-out training pictures; a run then takes the
# quickest whose held-out error, times SAFETY, is no larger than its target. No choice ever sees a test picture.
BUDGETS: tuple[dict[str, Any], ...] = (
    {"max_epochs": 0.125, "batch_size": 256},
    {"max_epochs": 0.25, "batch_size": 512},
    {"max_epochs": 0.25, "batch_size": 256},
    {"max_epochs": 0.34, "batch_size": 512},
    {"max_epochs": 0.375, "batch_size": 512},
    {"max_epochs": 0.5, "batch_size": 1024},
    {"max_epochs": 0.5, "batch_size": 512},
    {"max_epochs": 0.5, "batch_size": 256},
    {"max_epochs": 0.6, "batch_size": 512},
    {"max_epochs": 0.75, "batch_size": 512},
    {"max_epochs": 1, "batch_size": 1024},
    {"max_epochs": 1, "batch_size": 512},
    {"max_epochs": 1, "batch_size": 256},
    {"max_epochs": 2, "batch_size": 512},
    {"max_epochs": 2, "batch_size": 256},
)
SAFETY = 1.03  # held-out and test error of one network differ by about a hundredth


# ---------------------------------------------------------------------- isthmus


def isthmus_run(arguments: dict[str, Any], data: str, seed: int, *, validation: bool) -> dict[str, Any]:
    """Fit one autoencoder in this process and return its wall seconds and its squared error per pixel.

    Parameters
    ----------
    arguments : dict
        Constructor arguments beside ``ARGUMENTS`` and ``random_state``: one of ``BUDGETS``.
    data : str
        The set.
    seed : int
        ``random_state``.
    validation : bool
        Score on held-out training pictures instead of the test set.

    Returns
    -------
    dict
        ``fit_seconds`` from calling ``fit`` to its return, ``squared_error``, and how noisy the machine was. The
        pictures are the peers' float32 array; importing is not timed, as it is not for the peers.
    """
    import torch

    from isthmus import Autoencoder

    train, held = harness.train_and_score(data, validation=validation)
    X, unseen = harness.unit(train), harness.unit(held)
    model = Autoencoder(**ARGUMENTS, **arguments, random_state=seed)
    with harness.clocked() as clock:
        model.fit(X, validation=0)
    error = harness.squared_error(unseen, model.reconstruct(unseen))
    return clock.as_dict() | {
        "squared_error": error,
        "seed": seed,
        "arguments": arguments,
        "precision": model.provenance_["precision"],
        "threads": torch.get_num_threads(),
        "versions": harness.isthmus_versions(),
    }


def isthmus_child(options: argparse.Namespace, budget: int, seed: int, *, validation: bool) -> dict[str, Any]:
    """Run :func:`isthmus_run` in a process of its own."""
    order = [__file__, "--child", str(budget), "--data", options.data, "--seed", str(seed)]
    return harness.quiet_child(sys.executable, order + (["--validation"] if validation else []))


# ---------------------------------------------------------------------- which budget reaches what


def budgets_file(options: argparse.Namespace) -> Path:
    """Return where ``--choose`` keeps what each budget reaches."""
    return options.out / f"{budgets_name(options.data)}.json"


def budgets_name(data: str) -> str:
    """Return the name of the results of ``--choose``."""
    return f"dense_budgets_{data.replace('-', '_')}"


def choose(options: argparse.Namespace) -> int:
    """Measure each budget on held-out training pictures, seeds in turn, and write what it takes and reaches."""
    runs: list[list[dict[str, Any]]] = [[] for _ in BUDGETS]
    for round_ in range(options.rounds):
        for index in range(len(BUDGETS)):
            runs[index].append(succeeded(isthmus_child(options, index, options.seed + round_, validation=True)))
    report = harness.Report(
        budgets_name(options.data),
        {"data": options.data, "rounds": options.rounds, "seed": options.seed, "arguments": ARGUMENTS},
        runs[0][0]["versions"],
    )
    report.measurements["budgets"] = [
        {
            "arguments": budget,
            "fit_seconds": harness.spread([run["fit_seconds"] for run in each]),
            "held_out_squared_error": harness.spread([run["squared_error"] for run in each]),
            "precision": each[0]["precision"],
        }
        for budget, each in zip(BUDGETS, runs, strict=True)
    ]
    rows = [
        (
            ", ".join(f"{name}={value}" for name, value in found["arguments"].items()),
            f"{found['fit_seconds']['median']:.3f}",
            f"{found['held_out_squared_error']['max']:.5f}",
        )
        for found in report.measurements["budgets"]
    ]
    harness.print_table(("budget", "fit s, median", "held-out error, worst"), rows)
    return report.publish(options.out)


def budget_for(target: float, measured: list[dict[str, Any]]) -> int | None:
    """Return the number of the quickest budget that keeps to a target; None when none does.

    Parameters
    ----------
    target : float
        Squared error per pixel.
    measured : list of dict
        What ``--choose`` found, in the order of ``BUDGETS``.
    """
    good = [
        (found["fit_seconds"]["median"], index)
        for index, found in enumerate(measured)
        if found["held_out_squared_error"]["max"] * SAFETY <= target
    ]
    return min(good)[1] if good else None


def measured_budgets(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what ``--choose`` found, or end with the command that finds it."""
    path = budgets_file(options)
    again = f"run: python benchmarks/dense_time_to_quality.py --choose --data {options.data}"
    if not path.exists():
        raise SystemExit(f"{path.name} is not there yet; {again}")
    document = json.loads(path.read_text())
    measured = document["measurements"]["budgets"]
    known = json.loads(json.dumps([ARGUMENTS, *BUDGETS]))
    if [document["settings"]["arguments"], *(found["arguments"] for found in measured)] != known:
        raise SystemExit(f"{path.name} was measured with other arguments than this script has now; {again}")
    return measured


# ---------------------------------------------------------------------- the race


def race(options: argparse.Namespace) -> int:
    """Run the rounds, then write and print the ratios."""
    measured = measured_budgets(options)
    rounds: dict[str, list[tuple[dict[str, Any], dict[str, Any] | None]]] = {name: [] for name in options.peers}
    absent: dict[str, dict[str, Any]] = {}
    for round_ in range(options.rounds):
        for name in options.peers:
            if name in absent:
                continue
            peer = run_peer(options, name, options.seed + round_)
            if "missing" in peer or "failed" in peer:
                absent[name] = peer
                continue
            budget = budget_for(peer["squared_error_clipped"], measured)
            ours = None if budget is None else isthmus_child(options, budget, options.seed + round_, validation=False)
            rounds[name].append((peer, ours if ours is None else succeeded(ours)))
            print(progress(round_, name, peer, ours), flush=True)
    return publish(options, rounds, absent)


def run_peer(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """Train one peer in its own process."""
    order = [str(harness.HERE / "peers.py"), name, "--data", options.data, "--seed", str(seed), "--code", options.code]
    order += ["--epochs", str(options.epochs)]
    return harness.quiet_child(options.peer_python, order)


def publish(
    options: argparse.Namespace,
    rounds: dict[str, list[tuple[dict[str, Any], dict[str, Any] | None]]],
    absent: dict[str, dict[str, Any]],
) -> int:
    """Write the results file, print the table, return the exit code."""
    settings = {
        "data": options.data,
        "network": "784-128-64-32-64-128-784",
        "peer_epochs": options.epochs,
        "peer_batch_size": 256,
        "peer_code_activation": options.code,
        "rounds": options.rounds,
        "seeds": [options.seed + round_ for round_ in range(options.rounds)],
        "arguments": ARGUMENTS,
        "safety": SAFETY,
    }
    name = f"dense_time_to_quality_{options.data.replace('-', '_')}"
    report = harness.Report(name, settings, harness.isthmus_versions())
    rows = []
    for peer, runs in rounds.items():
        must = f"at least {MUST[peer]:g}"
        if peer in absent:
            reason = absent[peer]
            state = f"missing: {reason['missing']}" if "missing" in reason else f"failed: {reason['failed']}"
            report.measurements[peer] = reason
            report.claim(f"times sooner than {peer}", None, must, None if "missing" in reason else False)
            rows.append((peer, state, *[""] * 6))
            continue
        found = compare(runs)
        report.measurements[peer] = found | {"runs": [{"peer": theirs, "isthmus": ours} for theirs, ours in runs]}
        ratio = found["ratio"]
        met = ratio is not None and found["target_reached"] and ratio >= MUST[peer]
        report.claim(f"times sooner than {peer}", ratio, must, met)
        rows.append(table_row(peer, found))
    print()
    header = ("peer", "fit s", "error", "isthmus s", "error", "ratio", "rounds", "past start-up")
    harness.print_table(header, rows)
    return report.publish(options.out)


def compare(runs: list[tuple[dict[str, Any], dict[str, Any] | None]]) -> dict[str, Any]:
    """Return medians, spreads and ratios of one peer's rounds against isthmus."""
    theirs = [peer for peer, _ in runs]
    ours = [run for _, run in runs if run is not None]
    found: dict[str, Any] = {
        "fit_seconds": harness.spread([run["fit_seconds"] for run in theirs]),
        "squared_error": harness.spread([run["squared_error_clipped"] for run in theirs]),
        # Five times an epoch after the first: what the peer would take without its start-up and compilation.
        "seconds_past_start_up": warm_seconds(theirs),
        "target_reached": len(ours) == len(runs)
        and all(run["squared_error"] <= peer["squared_error_clipped"] for peer, run in runs if run is not None),
        "ratio": None,
    }
    if ours:
        seconds = harness.spread([run["fit_seconds"] for run in ours])
        each = [peer["fit_seconds"] / run["fit_seconds"] for peer, run in runs if run is not None]
        warm = found["seconds_past_start_up"]
        found |= {
            "isthmus_seconds": seconds,
            "isthmus_squared_error": harness.spread([run["squared_error"] for run in ours]),
            "ratio": round(found["fit_seconds"]["median"] / seconds["median"], 3),
            "ratio_of_rounds": harness.spread(each, 3),
            "ratio_past_start_up": None if warm is None else round(warm / seconds["median"], 3),
        }
    return found


def warm_seconds(runs: list[dict[str, Any]]) -> float | None:
    """Return a run's epochs times its median later epoch, median over runs; None where epochs are not told apart."""
    totals = [
        len(run["epoch_seconds"]) * statistics.median(run["epoch_seconds"][1:])
        for run in runs
        if len(run["epoch_seconds"]) > 1
    ]
    return round(statistics.median(totals), 3) if totals else None


def table_row(peer: str, found: dict[str, Any]) -> tuple[str, ...]:
    """Return one peer's line of the printed table."""
    left = (peer, f"{found['fit_seconds']['median']:.2f}", f"{found['squared_error']['median']:.5f}")
    if "isthmus_seconds" not in found:
        return (*left, "no budget is this good", "", "", "", "")
    rounds, warm = found["ratio_of_rounds"], found["ratio_past_start_up"]
    return (
        *left,
        f"{found['isthmus_seconds']['median']:.3f}",
        f"{found['isthmus_squared_error']['median']:.5f}" + ("" if found["target_reached"] else " above"),
        f"{found['ratio']:.1f}",
        f"{rounds['min']:.1f}-{rounds['max']:.1f}",
        "-" if warm is None else f"{warm:.1f}",
    )


def progress(round_: int, name: str, peer: dict[str, Any], ours: dict[str, Any] | None) -> str:
    """Return one line on a finished pair of runs."""
    line = f"round {round_ + 1}: {name} {peer['fit_seconds']:.2f} s, error {peer['squared_error_clipped']:.5f}"
    if ours is None:
        return f"{line}; no budget is this good"
    return f"{line}; isthmus {ours['fit_seconds']:.3f} s, error {ours['squared_error']:.5f}, {ours['arguments']}"


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    """Return a run of isthmus, or end: without it there is nothing to compare."""
    if "failed" in result:
        raise SystemExit(f"isthmus failed: {result['failed']}")
    return result


# ---------------------------------------------------------------------- command line


def main() -> int:
    """Do what the command line asks."""
    options = parse()
    if options.child is not None:
        harness.emit(**isthmus_run(BUDGETS[options.child], options.data, options.seed, validation=options.validation))
        return 0
    return choose(options) if options.choose else race(options)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--data", default="mnist", choices=["mnist", "fashion-mnist", "kmnist"])
    made.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS), metavar="PEER")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--epochs", type=int, default=5, help="of each peer (default: 5)")
    made.add_argument("--code", default="linear", choices=["relu", "linear"], help="the peers' activation of the code")
    made.add_argument("--seed", type=int, default=0, help="of the first round; each later round takes the next")
    made.add_argument("--choose", action="store_true", help="measure what each budget reaches, on training pictures")
    made.add_argument("--child", type=int, help=argparse.SUPPRESS)
    made.add_argument("--validation", action="store_true", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

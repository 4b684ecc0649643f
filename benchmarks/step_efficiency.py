"""How near the engine comes to the processor: samples a second of training over those of the matrix products alone.

The limit is every matrix product of one step of 784-128-64-32-64-128-784 at batch 256, forward and backward, on
operands that lie ready and into results that lie ready: nothing else of training is in it, no loss, no activation, no
optimiser, no gathering of the batch. It is measured in the same process as the engine, in turn with it, in float32 by
both of torch's routes ("highest" and "medium") and in bfloat16.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

import harness
import numpy as np

WIDTHS = (784, 128, 64, 32, 64, 128, 784)
BATCH = 256
EPOCHS = 3  # of one fit; the first is left out of the engine's speed, and told beside it
SECONDS = 0.5  # of products alone, in each round and precision
AT_LEAST = 0.40
OPTIMIZERS = ("adamw", "muon")


def products(dtype: Any, batch: int = BATCH) -> Callable[[], None]:
    """Return a function that does the matrix products of one training step.

    Parameters
    ----------
    dtype : torch.dtype
        Of the operands and results.
    batch : int, default=256
        Rows.

    Returns
    -------
    callable
        For each layer of (fan_in, fan_out): ``y = x w^T`` and ``dw = dy^T x``, and ``dx = dy w`` but for the first,
        whose input needs no gradient. 2 * batch * fan_in * fan_out operations each.
    """
    import torch

    rng = torch.Generator().manual_seed(0)
    calls = []
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(WIDTHS)):
        x, dy, w = (
            torch.randn(shape, generator=rng).to(dtype)
            for shape in ((batch, fan_in), (batch, fan_out), (fan_out, fan_in))
        )
        calls.append((x, w.T, torch.empty(batch, fan_out, dtype=dtype)))
        calls.append((dy.T, x, torch.empty(fan_out, fan_in, dtype=dtype)))
        if index > 0:
            calls.append((dy, w, torch.empty(batch, fan_in, dtype=dtype)))

    def step() -> None:
        for left, right, result in calls:
            torch.mm(left, right, out=result)

    return step


def operations(batch: int = BATCH) -> int:
    """Return the floating-point operations of one step's products."""
    layers = list(itertools.pairwise(WIDTHS))
    forward = sum(2 * batch * fan_in * fan_out for fan_in, fan_out in layers)
    return 3 * forward - 2 * batch * layers[0][0] * layers[0][1]


def limit(precision: str) -> float:
    """Return samples a second of the products alone.

    Parameters
    ----------
    precision : {"float32 highest", "float32 medium", "bfloat16"}
        Element type, and torch's route for float32 products.
    """
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision.split()[-1] if precision.startswith("float32") else before)
    try:
        step = products(torch.bfloat16 if precision == "bfloat16" else torch.float32)
        with torch.inference_mode():
            for _ in range(20):
                step()
            steps, start = 0, time.perf_counter()
            while time.perf_counter() - start < SECONDS:
                step()
                steps += 1
            return BATCH * steps / (time.perf_counter() - start)
    finally:
        torch.set_float32_matmul_precision(before)


def engine(X: np.ndarray, precision: str, optimizer: str, seed: int) -> dict[str, float]:
    """Return samples a second of the engine: an epoch past the first, and one whole call of ``fit`` of one epoch."""
    from isthmus import Autoencoder

    model = Autoencoder(
        latent_dim=32,
        hidden=(128, 64),
        network="dense",
        likelihood="bernoulli",
        max_epochs=EPOCHS,
        batch_size=BATCH,
        precision=precision,
        optimizer=optimizer,
        random_state=seed,
    )
    start = time.perf_counter()
    model.fit(X, validation=0)
    whole = time.perf_counter() - start
    ends = [record["seconds"] for record in model.history_]
    later = [after - before for before, after in itertools.pairwise(ends)]
    first = whole - sum(later)  # reading the data and building the network included
    return {"samples_per_second": len(X) / float(np.median(later)), "first_epoch_samples_per_second": len(X) / first}


def main() -> int:
    """Measure engine and limits in turn; write and print the shares."""
    options = parse()
    import torch

    X = harness.images("mnist", "train")
    limits: dict[str, list[float]] = {name: [] for name in ("float32 highest", "float32 medium", "bfloat16")}
    ways = [(precision, optimizer) for precision in ("float32", "bfloat16") for optimizer in options.optimizers]
    engines: dict[tuple[str, str], list[dict[str, float]]] = {way: [] for way in ways}
    with harness.clocked() as clock:
        for round_ in range(options.rounds):
            for name, values in limits.items():
                values.append(limit(name))
            for way, runs in engines.items():
                runs.append(engine(X, *way, seed=options.seed + round_))
    report = harness.Report(
        "step_efficiency",
        {
            "network": "-".join(map(str, WIDTHS)),
            "batch_size": BATCH,
            "rounds": options.rounds,
            "seeds": [options.seed + round_ for round_ in range(options.rounds)],
            "threads": torch.get_num_threads(),
            "operations_per_step": operations(),
        },
        harness.isthmus_versions(),
    )
    report.measurements = {"other_cores": clock.other_cores} | describe(limits, engines)
    for precision, share in fastest_shares(report.measurements).items():
        what = f"fastest engine over the {precision} products alone"
        report.claim(what, share, f"at least {AT_LEAST}", share >= AT_LEAST)
    return report.publish(options.out)


def describe(limits: dict[str, list[float]], engines: dict[tuple[str, str], list[dict[str, float]]]) -> dict[str, Any]:
    """Return limits and engine speeds with spreads and shares, and print them."""
    found: dict[str, Any] = {"limit": {}, "engine": []}
    for name, values in limits.items():
        gigaflops = np.median(values) * operations() / BATCH / 1e9
        found["limit"][name] = harness.spread(values, 0) | {"gflop_per_second": round(float(gigaflops), 1)}
    medians = {name: figures["median"] for name, figures in found["limit"].items()}
    for (precision, optimizer), runs in engines.items():
        # The faster of the two float32 routes is what the processor can do.
        reach = max(value for name, value in medians.items() if name.startswith(precision))
        speed = harness.spread([run["samples_per_second"] for run in runs], 0)
        found["engine"].append(
            {
                "precision": precision,
                "optimizer": optimizer,
                "samples_per_second": speed,
                "first_epoch_samples_per_second": harness.spread(
                    [run["first_epoch_samples_per_second"] for run in runs], 0
                ),
                "share": round(speed["median"] / reach, 4),
            }
        )
    harness.print_table(
        ("products alone", "samples/s", "GFLOP/s"),
        [(name, f"{f['median']:,.0f}", f"{f['gflop_per_second']:,.0f}") for name, f in found["limit"].items()],
    )
    print()
    harness.print_table(
        ("engine", "samples/s", "first epoch", "share of the limit"),
        [
            (
                f"{one['precision']}, {one['optimizer']}",
                f"{one['samples_per_second']['median']:,.0f}",
                f"{one['first_epoch_samples_per_second']['median']:,.0f}",
                f"{one['share']:.3f}",
            )
            for one in found["engine"]
        ],
    )
    return found


def fastest_shares(found: dict[str, Any]) -> dict[str, float]:
    """Return, for each precision, the engine's fastest way in it over the fastest products in it.

    The bfloat16 limit is the processor's own where it has such instructions; the float32 one tells how much the
    engine itself costs, apart from the products.
    """
    shares: dict[str, float] = {}
    for one in found["engine"]:
        shares[one["precision"]] = max(one["share"], shares.get(one["precision"], 0.0))
    return shares


def parse() -> Any:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS))
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

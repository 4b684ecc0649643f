"""Codes a second: a trained 784-128-64-32 encodes 60,000 rows, and one row.

isthmus's ``transform`` takes the whole array and does all it promises: checks, scaling, the network, codes out. Beside
it stand onnxruntime on the very same weights (the graph is written by hand; its codes must agree with isthmus's), with
one call and with slices of 1,024 rows, and scikit-learn's ``PCA(32).transform``. With ``precision="bfloat16"`` the same
model multiplies in 16 bits; how far its codes are from those of 32 bits is measured too. Each runs in its own process,
in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

ROWS_PER_SECOND = 1_500_000
ONE_ROW_SECONDS = 0.0002
SLICE = 1024
SHARE = 0.9  # of onnxruntime's rate, in slices, which are its faster way
SHARE_BFLOAT16 = 1.5  # of onnxruntime's rate in float32
AGREE = 2e-2  # largest difference between the codes of two arithmetics, in deviations of a code
CHILDREN = ("isthmus", "onnxruntime", "pca")
ARGUMENTS: dict[str, Any] = {
    "latent_dim": 32,
    "hidden": (128, 64),
    "network": "dense",
    "likelihood": "bernoulli",
    "max_epochs": 1,
    "batch_size": 256,
}


# ---------------------------------------------------------------------- the children


def train(folder: Path, seed: int) -> None:
    """Train the network on float32 pictures and on bytes, and save each model and its encoder's weights."""
    from torch import nn

    from isthmus import Autoencoder

    for kind, X in inputs("train").items():
        model = Autoencoder(**ARGUMENTS, random_state=seed).fit(X, validation=0)
        model.save(folder / f"{kind}.safetensors")
        layers = [layer for layer in model.module_.encoder.modules() if isinstance(layer, nn.Linear)]
        weights = {f"weight{i}": layer.weight.detach().numpy() for i, layer in enumerate(layers)}
        biases = {f"bias{i}": layer.bias.detach().numpy() for i, layer in enumerate(layers)}
        shift, factor = model.preprocessor_.shift_, model.preprocessor_.factor_
        codes = model.transform(X[:SLICE])
        np.savez(folder / f"{kind}.npz", **weights, **biases, shift=shift, factor=factor, codes=codes)


def inputs(split: str) -> dict[str, np.ndarray]:
    """Return the pictures as float32 in [0, 1] and as bytes."""
    pictures = harness.images("mnist", split)
    return {"float32": harness.unit(pictures), "uint8": pictures}


def isthmus_child(folder: Path, repeats: int) -> dict[str, Any]:
    """Time ``transform`` on all rows and on one."""
    import isthmus

    found = {}
    for kind, X in inputs("train").items():
        model = isthmus.load(folder / f"{kind}.safetensors")
        found[f"isthmus {kind}"] = timed(model.transform, X, repeats)
    X = inputs("train")["float32"]
    model = isthmus.load(folder / "float32.safetensors")
    exact = model.transform(X)
    model.set_params(precision="bfloat16")
    found["isthmus bfloat16"] = timed(model.transform, X, repeats)
    difference = (model.transform(X) - exact) / exact.std()
    found["isthmus bfloat16"] |= {
        "codes_differ_by": float(np.abs(difference).max()),
        "codes_differ_by_on_average": float(np.sqrt(np.square(difference).mean())),  # root mean square
    }
    return found


def onnxruntime_child(folder: Path, repeats: int) -> dict[str, Any]:
    """Time onnxruntime on the same weights, in one call and in slices."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = harness.cores()
    found = {}
    for kind, X in inputs("train").items():
        saved = np.load(folder / f"{kind}.npz")
        session = onnxruntime.InferenceSession(graph(saved, X.dtype), options, providers=["CPUExecutionProvider"])

        def encode(rows: np.ndarray, session: Any = session) -> np.ndarray:
            return session.run(None, {"x": rows})[0]

        def in_slices(rows: np.ndarray, encode: Any = encode) -> np.ndarray:
            return np.concatenate([encode(rows[start : start + SLICE]) for start in range(0, len(rows), SLICE)])

        found[f"onnxruntime {kind}, one call"] = timed(encode, X, repeats)
        found[f"onnxruntime {kind}, slices of {SLICE}"] = timed(in_slices, X, repeats)
        difference = np.abs(encode(X[:SLICE]) - saved["codes"]).max() / saved["codes"].std()
        found[f"onnxruntime {kind}, one call"]["codes_differ_by"] = float(difference)
    return found


def graph(saved: Any, dtype: np.dtype) -> bytes:
    """Return the encoder as an ONNX model: cast, scale, then Gemm and Relu in turn, the last without Relu."""
    from onnx import TensorProto, checker, helper, numpy_helper

    count = sum(name.startswith("weight") for name in saved.files)
    constants = {name: saved[name].astype(np.float32) for name in saved.files if name[:-1] in ("weight", "bias")}
    constants |= {"shift": saved["shift"].astype(np.float32), "factor": saved["factor"].astype(np.float32)}
    nodes, current = [], "x"
    if dtype == np.uint8:
        nodes.append(helper.make_node("Cast", [current], ["cast"], to=TensorProto.FLOAT))
        current = "cast"
    if np.any(constants["shift"] != 0):
        nodes.append(helper.make_node("Sub", [current, "shift"], ["shifted"]))
        current = "shifted"
    if np.any(constants["factor"] != 1):
        nodes.append(helper.make_node("Mul", [current, "factor"], ["scaled"]))
        current = "scaled"
    for index in range(count):
        out = "z" if index == count - 1 else f"y{index}"
        nodes.append(helper.make_node("Gemm", [current, f"weight{index}", f"bias{index}"], [out], transB=1))
        current = out
        if index < count - 1:
            nodes.append(helper.make_node("Relu", [out], [f"a{index}"]))
            current = f"a{index}"
    used = {name for node in nodes for name in node.input}
    element = TensorProto.UINT8 if dtype == np.uint8 else TensorProto.FLOAT
    made = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("x", element, ["n", 784])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 32])],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString()


def pca_child(folder: Path, repeats: int) -> dict[str, Any]:
    """Time scikit-learn's PCA with as many codes."""
    from sklearn.decomposition import PCA

    X = inputs("train")["float32"]
    return {"PCA(32) float32": timed(PCA(32, random_state=0).fit(X[:20_000]).transform, X, repeats)}


def timed(encode: Any, X: np.ndarray, repeats: int) -> dict[str, list[float]]:
    """Return the wall seconds of each call on all rows and on one."""
    return {
        "all_rows": harness.repeat(lambda: encode(X), repeats),
        "one_row": harness.repeat(lambda: encode(X[:1]), 200, warm=20),
    }


# ---------------------------------------------------------------------- the comparison


def main() -> int:
    """Train, run the children in turn, write and print rows a second."""
    options = parse()
    if options.child:
        return run_child(options)
    gathered: dict[str, dict[str, list[float]]] = {}
    absent: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder), options.seed)
        for _ in range(options.rounds):
            for name in CHILDREN:
                if name not in absent:
                    gather(name, folder, options, gathered, absent)
    report = harness.Report(
        "encode_throughput",
        {
            "network": "784-128-64-32",
            "rows": 60_000,
            "rounds": options.rounds,
            "repeats": options.repeats,
            "seed": options.seed,
            "threads": harness.cores(),
            "arguments": ARGUMENTS,
        },
        harness.isthmus_versions(),
    )
    report.measurements = {name: describe(found) for name, found in gathered.items()} | absent
    print_speeds(report.measurements)
    for kind in ("float32", "uint8"):
        found = report.measurements[f"isthmus {kind}"]
        speed, one = found["rows_per_second"]["median"], found["one_row_milliseconds"]["median"]
        report.claim(f"rows a second, {kind}", speed, f"at least {ROWS_PER_SECOND:,}", speed >= ROWS_PER_SECOND)
        report.claim(f"one row, ms, {kind}", one, f"under {1e3 * ONE_ROW_SECONDS:g}", one < 1e3 * ONE_ROW_SECONDS)
        other = report.measurements.get(f"onnxruntime {kind}, one call", {}).get("codes_differ_by")
        agree = None if other is None else other <= AGREE
        report.claim(f"codes against onnxruntime's, {kind}", other, f"at most {AGREE:g} deviations apart", agree)
    rival = report.measurements.get(f"onnxruntime float32, slices of {SLICE}")
    for kind, least in (("float32", SHARE), ("bfloat16", SHARE_BFLOAT16)):
        share = None if rival is None else median_speed(report.measurements[f"isthmus {kind}"]) / median_speed(rival)
        met = None if share is None else share >= least
        report.claim(f"share of onnxruntime's float32 rate, {kind}", share, f"at least {least:g}", met)
    error = report.measurements["isthmus bfloat16"]["codes_differ_by_on_average"]
    report.claim("codes of bfloat16 against float32's, deviations, root mean square", error, "stated", True)
    return report.publish(options.out)


def median_speed(found: dict[str, Any]) -> float:
    """Return rows a second."""
    return float(found["rows_per_second"]["median"])


def run_child(options: argparse.Namespace) -> int:
    """Be one of the children."""
    kind = {"isthmus": isthmus_child, "onnxruntime": onnxruntime_child, "pca": pca_child}[options.child]
    try:
        harness.emit(**kind(options.folder, options.repeats))
    except ModuleNotFoundError as error:
        harness.emit(missing=error.name)
    return 0


def gather(
    name: str,
    folder: str,
    options: argparse.Namespace,
    gathered: dict[str, dict[str, Any]],
    absent: dict[str, Any],
) -> None:
    """Run one child and add its seconds to those of earlier rounds."""
    python = options.peer_python if name == "onnxruntime" else sys.executable
    order = [__file__, "--child", name, "--folder", folder, "--repeats", str(options.repeats)]
    result = harness.child(python, order)
    if "missing" in result or "failed" in result:
        absent[name] = result
        return
    for label, found in result.items():
        known = gathered.setdefault(label, {"all_rows": [], "one_row": []})
        known["all_rows"] += found["all_rows"]
        known["one_row"] += found["one_row"]
        known |= {key: value for key, value in found.items() if key not in ("all_rows", "one_row")}


def describe(found: dict[str, Any]) -> dict[str, Any]:
    """Return rows a second and milliseconds a row, with quartiles instead of every value."""
    speeds = 60_000 / np.asarray(found["all_rows"])
    single = 1e3 * np.asarray(found["one_row"])
    rest = {key: value for key, value in found.items() if key not in ("all_rows", "one_row")}
    return {"rows_per_second": quartiles(speeds, 0), "one_row_milliseconds": quartiles(single, 4), **rest}


def quartiles(values: np.ndarray, digits: int) -> dict[str, float]:
    """Return the median, the quartiles and the extremes."""
    names = ("min", "lower", "median", "upper", "max")
    return {
        name: round(float(value), digits)
        for name, value in zip(names, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), strict=True)
    } | {"calls": len(values)}


def print_speeds(found: dict[str, Any]) -> None:
    """Print one line a contender; what is missing is said."""
    rows = []
    for name, one in found.items():
        if "rows_per_second" not in one:
            rows.append((name, next(f"{key}: {value}" for key, value in one.items()), "", ""))
            continue
        speed, single = one["rows_per_second"], one["one_row_milliseconds"]
        between = f"{speed['lower']:,.0f}-{speed['upper']:,.0f}"
        rows.append((name, f"{speed['median']:,.0f}", between, f"{single['median']:.3f}"))
    harness.print_table(("encoder", "rows/s", "quartiles", "one row, ms"), rows)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--repeats", type=int, default=15, help="calls on all rows in one process")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    made.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

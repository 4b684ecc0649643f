"""Run every benchmark, one after the other, and print what was promised beside what was measured.

Without ``--peer-python`` nothing but isthmus's own dependencies is used, and peers that are not installed are listed as
missing. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import harness

OWN = (
    ("import_time", []),
    ("linear_equals_pca", []),
    ("encode_memory", []),
    ("jobs", []),
    *(("many_rows", [part]) for part in ("memory", "decoded", "seconds", "pictures")),
    ("restoration_memory", []),
    ("step_efficiency", []),
    ("hinton_deep", []),
    ("gan_modes", []),
    ("one_class_mnist", []),
    ("false_alarms", []),
    ("reader_fuzz", []),
    ("vae_likelihood", []),
    ("active_units", []),
    ("stacked_mnist", []),
    ("semi_supervised_mnist", []),
    ("code_neighbours", []),
    ("self_supervised", []),
    ("growth", []),
    ("detection_speed", []),
    ("artifact_fuzz", []),
    ("stream_fuzz", []),
    ("stream_fuzz", ["--samples", "contents"]),
    ("start_time", []),
    ("decode_sweep", []),
    ("photographs_own_weights", []),
)
# These compare with peers: scikit-learn is always there, the others where --peer-python has them.
WITH_PEERS = (
    ("encode_throughput", []),
    ("outlier_tables", []),
    ("imputation", []),
    ("map", []),
    ("clustering", []),
    ("clustering", ["--data", "fashion-mnist"]),
    ("synthetic_table", []),
    ("text_compression", []),
    ("table_compression", []),
    ("table_model", []),
    ("array_compression", []),
    ("picture_compression", []),
    ("photographs", []),
    ("restoration", []),
    ("codec_model", []),
    ("text_autoencoder", []),
    ("vae_time_to_bound", []),
    ("dense_time_to_quality", ["--choose"]),
    ("dense_time_to_quality", []),
    ("dense_time_to_quality", ["--choose", "--data", "fashion-mnist"]),
    ("dense_time_to_quality", ["--data", "fashion-mnist"]),
)
QUICK = {
    "text_autoencoder": ["--seed", "0", "--max-epochs", "0.1"],
    "self_supervised": ["--minutes", "0.2", "--tuned-minutes", "0.2", "--pictures", "4"],
    "linear_equals_pca": ["--epochs", "1"],
    "encode_memory": ["--gigabytes", "0.5"],
    "jobs": ["--rows", "1000000", "--rounds", "1", "--jobs", "2", "--job-rows", "100000"],
    "many_rows": [
        *("--rows", "1e5", "2e5", "--sparse", "3e5", "--many", "2e5"),
        *("--gigabytes", "0.01", "--pictures", "500"),
    ],
    "restoration_memory": ["--side", "1200"],
    "step_efficiency": ["--rounds", "1"],
    "hinton_deep": ["--epochs", "1"],
    "encode_throughput": ["--rounds", "1", "--repeats", "3"],
    "dense_time_to_quality": ["--rounds", "1"],
    "import_time": ["--rounds", "3"],
    "detection_speed": ["--rounds", "1"],
    "gan_modes": ["--seed", "0"],
    "vae_likelihood": ["--set", '{"max_epochs": 0.1}', "--draws", "10", "--pictures", "100"],
    "stacked_mnist": ["--set", '{"max_seconds": 5}'],
    "semi_supervised_mnist": ["--seeds", "1", "--set", "max_epochs=0.1"],
    "code_neighbours": ["--seeds", "1"],
    "growth": ["--rows", "1000", "2000", "--width", "20", "40"],
    "one_class_mnist": ["--seed", "0", "--digit", "0"],
    "false_alarms": ["--repetitions", "2"],
    "stream_fuzz": ["--files", "1000"],
    "start_time": ["--rounds", "1"],
    "decode_sweep": ["--files", "60"],
    "reader_fuzz": ["--cases", "500", "--seed", "1"],
    "outlier_tables": ["--seed", "0"],
    "imputation": ["--seed", "0", "--table", "iris", "wine"],
    "map": ["--seed", "0", "--set", "max_epochs=0.1", "--method", "isthmus", "pca"],
    "clustering": ["--records", "2000", "--seeds", "1", "--peer-epochs", "1", "1"],
    "synthetic_table": ["--model", "VAE"],
    "restoration": ["--pictures", "1", "--side", "256"],
    "photographs_own_weights": ["--steps", "2", "--patch", "64"],
    "photographs": [
        *(
            "--pictures",
            "1",
            "--efforts",
            "1",
            "--curve-efforts",
            "--rounds",
            "1",
            "--only",
            "quick",
            "sizes",
            "decoders",
        ),
    ],
    "vae_time_to_bound": ["--rounds", "1"],
}


def main() -> int:
    """Run the scripts; return 1 when one failed or a promise was not met."""
    options = parse()
    environment = os.environ | {"PEER_PYTHON": options.peer_python}
    broken = []
    before = {path: path.stat().st_mtime_ns for path in options.out.glob("*.json")}
    for name, arguments in (*OWN, *WITH_PEERS):
        if options.only and name not in options.only:
            continue
        order = [sys.executable, str(harness.HERE / f"{name}.py"), *arguments, "--out", str(options.out)]
        order += QUICK[name] if options.quick else []
        print(f"\n== {name} {' '.join(arguments)}", flush=True)
        if subprocess.run(order, env=environment, check=False).returncode != 0:
            broken.append(" ".join([name, *arguments]))
    claims = []
    for path in sorted(options.out.glob("*.json")):
        if before.get(path) != path.stat().st_mtime_ns:
            document = json.loads(path.read_text())
            claims += [(document["benchmark"], harness.Claim(**claim)) for claim in document["claims"]]
    print("\n== all promises")
    harness.print_claims(claims)
    if broken:
        print(f"failed, or a promise not met: {', '.join(broken)}")
    return int(bool(broken))


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--quick", action="store_true", help="see that everything runs; the figures mean nothing")
    made.add_argument("--only", nargs="+", metavar="NAME", help="run these scripts only")
    options = made.parse_args()
    if options.quick and options.out == harness.RESULTS:
        made.error("--quick measures nothing worth keeping: name another folder with --out")
    return options


if __name__ == "__main__":
    sys.exit(main())

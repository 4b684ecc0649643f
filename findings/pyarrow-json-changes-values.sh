#!/usr/bin/env bash
# pyarrow.json.read_json makes float64 of a whole column of numbers when one of them has a fraction, so that whole
# numbers above 2^53 beside it are rounded, as are those above 2^63 anywhere; a time that ends in Z comes without a zone.
#
# pyarrow 26.0.1; Python's own json keeps all three. Exits with 1 when pyarrow behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import sys

import pyarrow
from pyarrow.json import read_json

LINES = b"""{"n": 9007199254740993, "large": 18446744073709551615, "at": "2020-06-01T12:00:00Z"}
{"n": 0.5, "large": 1, "at": "2020-06-01T13:00:00Z"}
"""
table = read_json(io.BytesIO(LINES))
first, exact = table.to_pylist()[0], json.loads(LINES.splitlines()[0])
print("pyarrow", pyarrow.__version__)
print(table.schema)
for name in ("n", "large", "at"):
    print(f"{name}: {exact[name]} in the file, {first[name]} in the table")
changed = (
    int(first["n"]) == exact["n"] - 1
    and int(first["large"]) == exact["large"] + 1
    and table.schema.field("at").type == pyarrow.timestamp("s")
)
sys.exit(not changed)
PYTHON

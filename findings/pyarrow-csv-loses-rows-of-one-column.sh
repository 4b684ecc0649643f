#!/usr/bin/env bash
# A table of one column that pyarrow writes as CSV comes back shorter: it writes a missing value as an empty line, and
# its own reader skips empty lines. With a second column, all rows come back.
#
# Other libraries do not agree either: pandas drops the same rows, polars keeps them; and a column of numbers that
# pandas writes (with "" for a missing one) is text for polars.
#
# pyarrow 26.0.1, pandas 3.1.1, polars 2.1.0. Exits with 1 when one of them behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1 polars==2.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import warnings

import pandas
import polars
import pyarrow
from pyarrow import csv

warnings.simplefilter("error")


def written(table: pyarrow.Table) -> bytes:
    """Return the text that pyarrow writes."""
    stream = io.BytesIO()
    csv.write_csv(table, stream)
    return stream.getvalue()


print("pyarrow", pyarrow.__version__, "pandas", pandas.__version__, "polars", polars.__version__)
column = pyarrow.array([None, 1, None, 2])
one, two = written(pyarrow.table({"x": column})), written(pyarrow.table({"x": column, "y": column}))
of_two = csv.read_csv(io.BytesIO(two))["x"].to_pylist()
read = {
    "pyarrow": csv.read_csv(io.BytesIO(one))["x"].to_pylist(),
    "pandas": pandas.read_csv(io.BytesIO(one))["x"].tolist(),
    "polars": polars.read_csv(one)["x"].to_list(),
}
print(f"written from {column.to_pylist()}: {one}")
for name, values in read.items():
    print(f"read by {name}: {values}")
print(f"beside a second column, read by pyarrow: {of_two}")
mixed = pandas.DataFrame({"x": [None, 1.0, 2.0]}).to_csv(index=False)
as_text = polars.read_csv(mixed.encode())["x"].to_list()
print(f"written by pandas: {mixed!r}, read by polars: {as_text}")
same = read == {"pyarrow": [1, 2], "pandas": [1, 2], "polars": [None, 1, None, 2]}
sys.exit(not (same and of_two == [None, 1, None, 2] and as_text == ["", "1.0", "2.0"]))
PYTHON

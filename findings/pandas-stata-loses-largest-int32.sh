#!/usr/bin/env bash
# The 27 largest int32 values, among them 2147483647, and the smallest one become missing in a Stata file that pandas
# writes, and a column with one of them comes back as floats. int8 and int16 are widened in the same case, and the same
# numbers as int64 come back exactly. No warning is given.
#
# pandas 3.1.1; pyreadstat 1.3.7 reads the largest as missing, too, so the file has lost them.
# Exits with 1 when pandas behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 pyreadstat==1.3.7 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import numpy as np
import pandas as pd
import pyreadstat


def through(column: np.ndarray) -> tuple[list, list]:
    """Return the column as pandas and pyreadstat read it from a Stata file that pandas wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.DataFrame({"x": column}).to_stata("column.dta", write_index=False)
        by_pandas = pd.read_stata("column.dta")["x"].tolist()
    return by_pandas, pyreadstat.read_dta("column.dta")[0]["x"].tolist()


print("pandas", pd.__version__, "pyreadstat", pyreadstat.__version__)
top = 2**31 - 1
same = True
for dtype, values, lost in (
    ("int8", [1, 127, -128], []),
    ("int16", [1, 2**15 - 1, -(2**15)], []),
    ("int32", [1, top - 27, -top], []),
    ("int32", [1, top - 26, top], [1, 2]),
    ("int32", [1, -top - 1], [1]),
    ("int64", [1, top, -top - 1], []),
):
    by_pandas, by_pyreadstat = through(np.array(values, dtype))
    print(f"{dtype} {values}: pandas reads {by_pandas}, pyreadstat {by_pyreadstat}")
    expected = [np.nan if index in lost else value for index, value in enumerate(values)]
    same &= np.array_equal(by_pandas, expected, equal_nan=True)
    if min(values) > -top - 1:
        same &= np.array_equal(np.array(by_pyreadstat, float), expected, equal_nan=True)
sys.exit(not same)
PYTHON

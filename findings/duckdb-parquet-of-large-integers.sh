#!/usr/bin/env bash
# DuckDB writes whole numbers of 128 bits to Parquet as float64, without a word. Sums of whole numbers have that type,
# and so has a column of a CSV file with one number above 2^63: keys that differ become equal.
#
# Written as CSV, the same query is exact.
#
# DuckDB 2.0.1; the file is read by pyarrow 26.0.1. Exits with 1 when DuckDB behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from pathlib import Path

import duckdb
import pyarrow
from pyarrow import parquet

warnings.simplefilter("error")
KEYS = [9007199254740992, 9007199254740993, 10000000000000000001]
QUERIES = {
    "keys of a CSV file": "select k as number from 'keys.csv'",
    "sums by group": "select sum(a::bigint) as number from (values (1, 9007199254740992), (1, 1), (2, 5)) t(g, a) "
    "group by g order by g",
}


def as_parquet(query: str) -> pyarrow.Table:
    """Write the result of the query as Parquet, and read it."""
    duckdb.sql(f"copy ({query}) to 'result.parquet'")
    return parquet.read_table("result.parquet")


def as_csv(query: str) -> list[int]:
    """Write the result of the query as CSV, and read it."""
    duckdb.sql(f"copy ({query}) to 'result.csv'")
    return [int(line) for line in Path("result.csv").read_text().split()[1:]]


Path("keys.csv").write_text("k\n" + "".join(f"{key}\n" for key in KEYS))
print("DuckDB", duckdb.__version__, "pyarrow", pyarrow.__version__)
same = True
for name, query in QUERIES.items():
    kind, table, text = duckdb.sql(query).types[0], as_parquet(query), as_csv(query)
    numbers = [int(number) for number in table["number"].to_pylist()]
    print(f"{name}, in DuckDB {kind}: as CSV {text}")
    print(f"    as Parquet, {table.schema.field('number').type}: {numbers}")
    same &= pyarrow.types.is_float64(table.schema.field("number").type) and numbers != text
    same &= text == (KEYS if "csv" in query else [9007199254740993, 5])
same &= len(set(as_parquet(QUERIES["keys of a CSV file"])["number"].to_pylist())) == 2
sys.exit(not same)
PYTHON

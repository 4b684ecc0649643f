#!/usr/bin/env bash
# pyppmd 1.3.1: compress(data, variant="H") works, and decompress(data, variant="H") can only raise a TypeError.
#
# The one-call functions know both variants of PPMd. For variant H, decompress() calls its decoder without the length,
# which that decoder needs and for which the function has no parameter; so what the one function wrote, the other
# cannot read. Variant I comes back. With Ppmd7Decoder and the length at hand, variant H does, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyppmd==1.3.1 2>/dev/null
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import pyppmd

data = b"She sells sea shells by the sea shore. " * 20
print(f"pyppmd {version('pyppmd')}")
assert pyppmd.decompress(pyppmd.compress(data, variant="I"), variant="I") == data
print("variant I: comes back")
compressed = pyppmd.compress(data, variant="H")
assert pyppmd.Ppmd7Decoder(6, 16 << 20).decode(compressed, len(data)) == data
print("variant H: comes back from Ppmd7Decoder, given the length")
try:
    pyppmd.decompress(compressed, variant="H")
except TypeError as error:
    print(f"variant H: decompress() raises TypeError: {error}")
    sys.exit(0)
sys.exit("decompress() reads variant H now")
PY

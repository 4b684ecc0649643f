#!/usr/bin/env bash
# The Delta filter accepts arrays of true and false and returns others: from the first true value on, everything is
# true. It takes differences by "xor", and adds them up by "or". Neither step says so.
#
# numcodecs 0.16.6, alone and as a filter of zarr 3.1.6. Exits with 1 when they behave differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numcodecs==0.16.6 zarr==3.1.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import numcodecs
import numpy as np
import zarr

warnings.simplefilter("error")
print("numcodecs", numcodecs.__version__, "zarr", zarr.__version__)
mask = np.array([False, True, True, False, False, True, False, False])
delta = numcodecs.Delta(dtype="bool")
alone = np.asarray(delta.decode(delta.encode(mask)))
store = zarr.create_array({}, shape=mask.shape, chunks=mask.shape, dtype="bool", filters=[delta], zarr_format=2)
store[:] = mask
print("written       ", mask.astype(int))
print("Delta alone   ", alone.astype(int))
print("read from zarr", store[:].astype(int))
expected = np.logical_or.accumulate(mask)
sys.exit(not (np.array_equal(alone, expected) and np.array_equal(store[:], expected)))
PYTHON

#!/usr/bin/env bash
# HDF5's scale-offset filter turns NaN into the smallest value of its chunk. A float32 chunk that begins with NaN is
# written without an error and cannot be read any more, together with its valid values; one of float64 comes back.
#
# h5py 3.16.0. Exits with 1 when h5py behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import h5py
import numpy as np


def through(values: np.ndarray) -> np.ndarray:
    """Return the values as they come back from one chunk with two decimal places."""
    with h5py.File("values.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, scaleoffset=2)
    with h5py.File("values.h5") as file:
        return file["x"][...]


print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
same = True
for dtype in (np.float32, np.float64):
    inside = np.array([20.5, np.nan, 21.25, 22.0], dtype)
    begins = np.array([np.nan, 20.5, 21.25, 22.0], dtype)
    back = through(inside)
    print(f"{inside.dtype} {inside} -> {back}")
    same &= back.tolist() == [20.5, 20.5, 21.25, 22.0]
    try:
        back = through(begins)
        print(f"{begins.dtype} {begins} -> {back}")
        same &= dtype == np.float64 and np.array_equal(back, begins, equal_nan=True)
    except OSError as error:
        print(f"{begins.dtype} {begins} -> written; when it is read, OSError: {error}")
        same &= dtype == np.float32
sys.exit(not same)
PYTHON

#!/usr/bin/env bash
# zfp keeps its tolerance unless a block of 4 x 4 has a value of quite another size: beside one 1e20, the valid float32
# values all come back as 0, and float64 values are off by over a hundred, at a tolerance of 0.01. NaN comes back as a
# number, here -1024.
#
# Missing measurements are often marked by 1e20, 9.97e36 or NaN. The same happens in HDF5 files with the filter of
# hdf5plugin. Nothing is raised.
#
# zfpy 1.0.1, hdf5plugin 7.1.0. Exits with 1 when they behave differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    zfpy==1.0.1 hdf5plugin==7.1.0 h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import h5py
import hdf5plugin
import numpy as np
import zfpy

warnings.simplefilter("error")
TOLERANCE = 0.01
print("zfpy", version("zfpy"), "hdf5plugin", version("hdf5plugin"), "- tolerance", TOLERANCE)


def by_zfpy(field: np.ndarray) -> np.ndarray:
    """Compress and decompress by zfpy."""
    return zfpy.decompress_numpy(zfpy.compress_numpy(field, tolerance=TOLERANCE))


def by_hdf5(field: np.ndarray) -> np.ndarray:
    """Write and read an HDF5 file with the filter."""
    with h5py.File("field.h5", "w") as file:
        file.create_dataset("x", data=field, chunks=field.shape, **hdf5plugin.Zfp(accuracy=TOLERANCE))
    with h5py.File("field.h5") as file:
        return file["x"][...]


same = True
for dtype in (np.float32, np.float64):
    for gap in (None, 1e20, np.nan):
        field = np.linspace(280, 285, 16).reshape(4, 4).astype(dtype)
        valid = np.ones(field.shape, bool)
        if gap is not None:
            field[1, 1], valid[1, 1] = gap, False
        for name, coded in (("zfpy", by_zfpy(field)), ("HDF5", by_hdf5(field))):
            worst = float(abs(coded - field)[valid].max())
            print(f"{name} {field.dtype}, gap {gap}: worst error of valid values {worst:.4g}, gap -> {coded[1, 1]}")
            same &= worst > 100 if gap == 1e20 else worst <= TOLERANCE
            same &= abs(coded[1, 1] + 1024) < 0.01 if gap is np.nan else True
            same &= not coded[valid].any() if gap == 1e20 and dtype == np.float32 else True
sys.exit(not same)
PYTHON

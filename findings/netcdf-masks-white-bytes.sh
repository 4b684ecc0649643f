#!/usr/bin/env bash
# netCDF4 masks 255 in unsigned bytes and -127 in signed ones, even if no fill value was ever set: the white pixels of a
# picture are missing in sums and means. xarray reads the same file without a mask.
#
# netCDF4 1.7.5.1.post1, xarray 2026.9.0. Exits with 1 when either behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check netCDF4==1.7.5.1.post1 xarray==2026.9.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import netCDF4
import numpy as np
import xarray

stored = {"u1": [0, 100, 255, 255], "i1": [-127, 0, 100, 127]}
with netCDF4.Dataset("bytes.nc", "w") as file:
    file.createDimension("x", 4)
    for name, values in stored.items():
        file.createVariable(name, name, ("x",))[:] = np.array(values, name)

print("netCDF4", netCDF4.__version__, "xarray", xarray.__version__)
same = True
with netCDF4.Dataset("bytes.nc") as file, xarray.open_dataset("bytes.nc") as dataset:
    for name, values in stored.items():
        masked, plain = file[name][:], dataset[name].values
        attributes = file[name].ncattrs()
        print(f"{name}: stored {values}, attributes {attributes}")
        print(f"    netCDF4 {masked}, mean {masked.mean()}; xarray {plain}, mean {plain.mean()}")
        gap = {"u1": 255, "i1": -127}[name]
        same &= np.ma.getmaskarray(masked).tolist() == [value == gap for value in values]
        same &= plain.tolist() == values and not attributes
sys.exit(not same)
PYTHON

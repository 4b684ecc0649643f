#!/usr/bin/env bash
# NaN in a TIFF file with LERC, a lossless one, comes back from tifffile as 0, which is a valid value in most
# pictures of floats. GDAL reads NaN from the same files, whether it or tifffile wrote them.
#
# tifffile 2026.3.3 with imagecodecs 2026.3.6, rasterio 1.4.4 for GDAL. Exits with 1 when they behave differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tifffile==2026.3.3 imagecodecs==2026.3.6 rasterio==1.4.4 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import numpy as np
import rasterio
import tifffile
from rasterio.errors import NotGeoreferencedWarning

warnings.simplefilter("error")  # so that nothing that is reported goes unseen
warnings.simplefilter("ignore", NotGeoreferencedWarning)
heights = np.arange(500, 756, dtype=np.float32).reshape(16, 16)
heights[3, 5] = np.nan

tifffile.imwrite("tifffile.tif", heights, compression="lerc")
shape = {"height": 16, "width": 16, "count": 1, "dtype": "float32"}
with rasterio.open("gdal.tif", "w", driver="GTiff", compress="LERC", **shape) as file:
    file.write(heights, 1)

print("tifffile", tifffile.__version__, "rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
same = True
for name in ("tifffile.tif", "gdal.tif"):
    read = tifffile.imread(name)
    with rasterio.open(name) as file:
        whole = file.read(1)
    print(f"{name}: tifffile reads {read[3, 4:7]}, GDAL reads {whole[3, 4:7]}")
    others = ~np.isnan(heights)
    same &= read[3, 5] == 0 and np.array_equal(read[others], heights[others])
    same &= np.array_equal(whole, heights, equal_nan=True)
sys.exit(not same)
PYTHON

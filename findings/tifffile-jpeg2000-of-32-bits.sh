#!/usr/bin/env bash
# tifffile takes whole numbers of 32 bits for JPEG 2000, which it writes without loss by default, and others come back:
# nearly all uint32 labels on a ground of 0 are one too large, and most large numbers are wrong, those of int32, too.
# Neither writing nor reading says so. The same labels come back exactly as uint16, or with Zstandard.
#
# tifffile 2026.3.3 with imagecodecs 2026.3.6. Exits with 1 when they behave differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import imagecodecs
import numpy as np
import tifffile

warnings.simplefilter("error")
print("tifffile", tifffile.__version__, "imagecodecs", imagecodecs.__version__)


def through(picture: np.ndarray, compression: str) -> np.ndarray:
    """Write and read the picture."""
    tifffile.imwrite("picture.tif", picture, compression=compression)
    return tifffile.imread("picture.tif")


labels = np.zeros((64, 64), np.uint32)
labels[10:20, 10:20] = 5
ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint32) * 2_000_000
same = True
for name, picture, dtype in (
    ("labels", labels, np.uint16),
    ("labels", labels, np.uint32),
    ("ramp", ramp, np.uint32),
    ("ramp", ramp, np.int32),
):
    for compression in ("jpeg2000", "zstd"):
        read = through(picture.astype(dtype), compression)
        wrong = int((read != picture).sum())
        print(
            f"{name}, {read.dtype}, {compression}: {wrong} of {picture.size} wrong; "
            f"[0, 0] {picture[0, 0]} -> {read[0, 0]}, [63, 63] {picture[-1, -1]} -> {read[-1, -1]}"
        )
        lossy = compression == "jpeg2000" and dtype != np.uint16
        same &= wrong > 2000 if lossy else wrong == 0
        same &= read.dtype == dtype
sys.exit(not same)
PYTHON

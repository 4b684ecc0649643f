#!/usr/bin/env bash
# Pillow opens AVIF pictures of 10 and 12 bits a channel as ordinary RGB of 8 bits; neither mode nor info tells that
# there was more, and no warning is given. Another decoder reads the same files with all their bits.
#
# Pillow 13.0.0; the files are written and read back by imagecodecs 2026.3.6.
# Exits with 1 when Pillow behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import warnings

import imagecodecs
import numpy as np
import PIL
from PIL import Image

warnings.simplefilter("error")
print("Pillow", PIL.__version__, "imagecodecs", imagecodecs.__version__)
same = True
for bits in (10, 12):
    ramp = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    content = imagecodecs.avif_encode(np.dstack([ramp] * 3), level=100, bitspersample=bits)
    whole = imagecodecs.avif_decode(content)
    image = Image.open(io.BytesIO(content))
    pixels = np.asarray(image)
    print(
        f"{bits} bits: {len(np.unique(whole))} values read by imagecodecs, {len(np.unique(pixels))} by Pillow "
        f"(mode {image.mode}, {pixels.dtype}, info {sorted(image.info)})"
    )
    same &= image.mode == "RGB" and pixels.dtype == np.uint8 and len(np.unique(whole)) > 900 and "bits" not in image.info
sys.exit(not same)
PYTHON

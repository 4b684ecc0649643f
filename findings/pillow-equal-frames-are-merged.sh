#!/usr/bin/env bash
# A stack of pictures that Pillow saves as a GIF or WebP animation comes back with fewer pictures: of equal neighbours
# only one is stored. PNG does so only if a duration is given; AVIF and TIFF keep every picture.
#
# Whoever uses a lossless animation as a stack of records loses their number and the order of their labels.
#
# Pillow 13.0.0. Exits with 1 when Pillow behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import warnings

import PIL
from PIL import Image

warnings.simplefilter("error")
SHADES = (10, 10, 200, 200, 10)
stack = [Image.new("RGB", (8, 8), (shade,) * 3) for shade in SHADES]
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}


def pictures(kind: str, **options: object) -> int:
    """Return how many pictures come back from one animation of the stack."""
    stream = io.BytesIO()
    stack[0].save(stream, kind, save_all=True, append_images=stack[1:], **LOSSLESS.get(kind, {}), **options)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        return getattr(image, "n_frames", 1)


print("Pillow", PIL.__version__, "- pictures with shades", SHADES)
found = {kind: (pictures(kind), pictures(kind, duration=100)) for kind in ("GIF", "WEBP", "PNG", "AVIF", "TIFF")}
for kind, (plain, timed) in found.items():
    print(f"{kind}: {plain} pictures come back, {timed} with duration=100")
sys.exit(found != {"GIF": (3, 3), "WEBP": (3, 3), "PNG": (5, 3), "AVIF": (5, 5), "TIFF": (5, 5)})
PYTHON

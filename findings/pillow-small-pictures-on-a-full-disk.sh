#!/usr/bin/env bash
# A small BMP, JPEG or uncompressed TIFF that Pillow saves where no room is left ends short, and nothing is raised.
# PNG, WebP and packed TIFF raise OSError in the same place.
#
# Pillow 13.0.0. What ends a file early here is a limit on its size, which the system reports as it reports a full disk.
# Exits with 1 when Pillow behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import resource
import signal
import sys

import numpy as np
import PIL
from PIL import Image

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write fails with an error, as on a full disk
picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
SAVED = {
    "picture.bmp": {}, "picture.jpg": {}, "picture.tif": {},
    "packed.tif": {"compression": "tiff_lzw"}, "picture.png": {}, "picture.webp": {"lossless": True},
}


def saved_with(room: int, name: str, options: dict) -> bool:
    """Save in a process that has so much room, and tell whether it raised nothing."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            picture.save(name, **options)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


print("Pillow", PIL.__version__)
silent = []
for name, options in SAVED.items():
    picture.save(name, **options)
    whole = os.path.getsize(name)
    os.remove(name)
    if saved_with(whole - 500, name, options):
        silent.append(name)
        print(f"{name}: {os.path.getsize(name)} of {whole} bytes, no error")
    else:
        print(f"{name}: OSError")
sys.exit(silent != ["picture.bmp", "picture.jpg", "picture.tif"])
PYTHON

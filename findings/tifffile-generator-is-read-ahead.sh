#!/usr/bin/env bash
# tifffile 2026.3.3: tiles from a generator are collected by the hundred megabytes before the first one is packed.
#
# imwrite takes an iterator of tiles, so that a picture larger than memory can be written. With compression and more than
# one worker, which is the default on a machine with several cores, it first asks the iterator for up to 512 MB of
# tiles (of 676 MiB below), and the file has not grown when they have all been made. With
# maxworkers=1 each tile is packed and written before the next one is asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.3.5 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import os
import sys

import numpy as np
import tifffile

SIDE, ACROSS = 1024, 26
tile = np.zeros((SIDE, SIDE), np.uint8)
ahead = {}
for workers in (2, 1):
    name, asked, empty = f"{workers}.tif", 0, 0

    def tiles():
        global asked, empty
        for _ in range(ACROSS * ACROSS):
            asked += 1
            if os.path.getsize(name) < 1000:  # the header at most
                empty = asked
            yield tile

    with open(name, "wb", buffering=0) as file:
        tifffile.imwrite(
            file, tiles(), shape=(ACROSS * SIDE, ACROSS * SIDE), dtype="uint8", tile=(SIDE, SIDE),
            compression="zlib", maxworkers=workers, metadata=None,
        )
    ahead[workers] = empty
    print(f"maxworkers={workers}: {empty} of {asked} tiles of 1 MiB were made before the file held one")
print(f"tifffile {tifffile.__version__}, numpy {np.__version__}")
sys.exit(0 if ahead[2] >= 200 and ahead[1] <= 2 else "tiles are no longer collected, or are with one worker, too")
PY

#!/usr/bin/env bash
# zpaq 0.3.7 (Python): the number of threads changes the compressed file, and the default takes it from the machine.
#
# The same text becomes a third larger with eight threads than with one, since each thread codes a block of its
# own that learns nothing from the others. The default, threads=0, asks the machine for its cores: a file is larger on
# a larger machine, and two machines write different files of the same data. Whoever compares sizes has to pass
# threads=1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zpaq==0.3.7 2>/dev/null
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version
from pydoc_data.topics import topics

import zpaq

text = "\n\n".join(topics.values()).encode()[:500_000]
sizes = {threads: len(zpaq.compress(text, level=3, threads=threads)) for threads in (1, 2, 8)}
print(f"zpaq {version('zpaq')}, {len(text):,} bytes of text, level 3")
for threads, size in sizes.items():
    print(f"threads={threads}: {size:,} bytes, {size / sizes[1]:.3f} of one thread's")
    assert zpaq.decompress(zpaq.compress(text, level=3, threads=threads)) == text
sys.exit(0 if sizes[1] < 0.98 * sizes[2] < 0.95 * sizes[8] else "the sizes no longer depend on the threads")
PY

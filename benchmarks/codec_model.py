"""What a model of one's own data is worth: log lines that each have to be had alone, beside zstd with a dictionary.

The log is made here. A model (`isthmus.Codec`) and dictionaries of zstd learn from 400 kB of it; then 1,000 lines that
follow later are coded each alone, and 5 kB of them as one file. Of isthmus the lines are members of one archive, with
its directory, since each has a name and a check there; of zstd they are bare frames without check, name or length.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
from made_log import log

LEARNED, LINES, DICTIONARIES = 400_000, 1_000, (16_384, 112_640)


def with_zstd(size: int) -> dict[str, int]:
    """Return the bytes that zstd takes with a dictionary of a size."""
    import zstandard

    learned, lines = log(0, LEARNED), log(1, LEARNED)[:LINES]
    dictionary = zstandard.train_dictionary(size, learned)
    how = zstandard.ZstdCompressionParameters.from_level(19, write_content_size=False, write_dict_id=False)
    packer = zstandard.ZstdCompressor(compression_params=how, dict_data=dictionary)
    together = b"".join(lines)[:5_000]
    return {"lines": sum(len(packer.compress(line)) for line in lines), "together": len(packer.compress(together))}


def archived(lines: list[bytes], **how: Any) -> int:
    """Return the bytes of an archive of lines, after each was read back alone."""
    import isthmus

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.isth"
        archive = isthmus.Archive.create(path, {str(n): line for n, line in enumerate(lines)}, verify=False, **how)
        assert all(archive.read(str(n)) == line for n, line in enumerate(lines))
        archive.close()
        return path.stat().st_size


def main() -> int:
    """Learn, compress, and write the sizes down."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--zstd", type=int, help=argparse.SUPPRESS)
    made.add_argument("--versions", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.versions:
        harness.emit(**harness.versions("zstandard"))
        return 0
    if options.zstd:
        harness.emit(**with_zstd(options.zstd))
        return 0
    import isthmus

    learned, lines = log(0, LEARNED), log(1, LEARNED)[:LINES]
    together, size = b"".join(lines)[:5_000], sum(map(len, lines))
    start = time.perf_counter()
    codec = isthmus.Codec().fit(learned)
    seconds = time.perf_counter() - start
    found: dict[str, Any] = {"seconds of fit": round(seconds, 1), "bytes of the lines": size}
    for name, how in {"model": {"model": codec}, "prior": {}, "neither": {"prior": False}}.items():
        packed = isthmus.compress(together, **how)
        assert isthmus.decompress(packed, model=how.get("model")) == together
        found[name] = {"lines": archived(lines, **how), "together": len(packed)}
    for bytes_ in DICTIONARIES:
        found[f"zstd 19, dictionary of {bytes_:,} bytes"] = harness.child(
            options.peer_python, [__file__, "--zstd", str(bytes_)]
        )
    versions = harness.versions("numpy") | harness.child(options.peer_python, [__file__, "--versions"])
    report = harness.Report("codec_model", {}, {"isthmus": isthmus.__version__} | versions)
    best = {what: min(its[what] for name, its in found.items() if "zstd" in name) for what in ("lines", "together")}
    report.claim(
        "1,000 lines, each alone: bytes",
        found["model"]["lines"],
        f"below zstd's {best['lines']}",
        found["model"]["lines"] < best["lines"],
    )
    report.claim(
        "5 kB together: bytes",
        found["model"]["together"],
        f"below zstd's {best['together']}",
        found["model"]["together"] < best["together"],
    )
    for what in ("lines", "together"):
        report.claim(
            f"{what}: bytes with the prior alone",
            found["prior"][what],
            "more than with the model",
            found["model"][what] < found["prior"][what],
        )
    report.measurements = found
    return report.publish(options.out)


if __name__ == "__main__":
    sys.exit(main())

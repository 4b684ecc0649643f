"""One digest of 1,000 compressed files, whatever codes and decodes them.

The files are pieces of texts, logs and other bytes, of 0 to 270,000 bytes, made with a seed; each is compressed
with the prior, without, fast, with a model, in chunks that were flushed, or as an archive. Every run decodes all
files, which the first run wrote, and codes all data again; of both it takes one digest. The runs are processes of
their own, with one thread and with two; with the compiled module as it is installed, which uses AVX2 where the
processor has it, and built for any x86-64, without any vector instructions, and for all that this processor has;
and with torch imported before and kept to the least instructions by ``ATEN_CPU_CAPABILITY`` and
``ONEDNN_MAX_CPU_ISA``, and without. The norm, some hundred times slower, has a share of the small files.

Other processors: ``other_machines.py``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import itertools
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
from made_log import log

BUILDS = {
    "as installed": None,
    "any x86-64": ["-O3", "-U__gnu_linux__"],
    "no vectors": ["-O1", "-fno-tree-vectorize", "-U__gnu_linux__"],
    "this processor's": ["-O3", "-march=native", "-U__gnu_linux__"],
}  # flags of the compiler; without __gnu_linux__ no function is built for AVX2 as well
WIDE = ("as installed", "this processor's")  # in which products may use AVX2 by intrinsics
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "least instructions": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
THREADS = (1, 2)
MOST = 2_000  # bytes of most files
LONG = {50: 270_000, 291: 135_000, 532: 135_000, 773: 135_000}  # of some, one of each HOW: two chunks or segments
EVERY = 11  # of how many small files the norm has one
HOW: tuple[dict[str, Any], ...] = ({}, {"prior": False}, {"speed": "fast"}, {"model": True})
PREFIX, PACKED = "data", "packed"


# ---------------------------------------------------------------------- data


def made(files: int, seed: int) -> Iterator[bytes]:
    """Yield the data of so many files."""
    root = Path(os.environ.get("ISTHMUS_DATA", "")) / "text-free"
    texts = [lzma.decompress(path.read_bytes()) for path in sorted(root.glob("*/*.txt.xz"))]
    if not texts:
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds text-free/.")
    for number in range(files):
        rng = random.Random(f"{seed} {number}")
        size = LONG.get(number, int(MOST ** rng.random()) if number else 0)
        yield piece(rng, texts, number, size)


def piece(rng: random.Random, texts: list[bytes], number: int, size: int) -> bytes:
    """Return some bytes: half of them of a text, the others of a log, records, noise, runs, or of two kinds."""
    text = rng.choice(texts)
    at = rng.randrange(max(1, len(text) - size))
    kinds = {
        5: lambda: b"".join(log(number, size)),
        6: lambda: b"".join(struct.pack("<IhB", 7 * k, rng.randint(-9, 9), k % 5) for k in range(size // 7 + 1)),
        7: lambda: rng.randbytes(size),
        8: lambda: b"".join(bytes([rng.randrange(256)]) * rng.randint(1, 300) for _ in range(size // 100 + 1)),
        9: lambda: text[at : at + size // 2] + rng.randbytes(size // 2),
    }
    kind = rng.randrange(10) if size <= MOST else 0
    return kinds.get(kind, lambda: text[at : at + size])()[:size]


# ---------------------------------------------------------------------- one run


@functools.cache
def model() -> Any:
    """Return the model that some files are coded with: the one with the largest weights that there can be."""
    from isthmus.coding.coder import extreme_prior

    return extreme_prior()


def packed(number: int, data: bytes, threads: int) -> bytes:
    """Return the compressed file of some data, in a form that hangs on the number."""
    from isthmus.coding.archive import write_archive
    from isthmus.coding.stream import Writer

    file, how = io.BytesIO(), dict(HOW[number % len(HOW)])
    if "model" in how:
        how["model"] = model()
    if number % 10 == 9:
        third = len(data) // 3
        write_archive(file, {"a": data[:third], "b/c": data[third:]}, threads=threads, verify=False, **how)
        return file.getvalue()
    with Writer(file, size=len(data), threads=threads, verify=False, **how) as writer:
        writer.write(data[: len(data) // 2])
        if number % 10 == 8:
            writer.flush()
        writer.write(data[len(data) // 2 :])
    return file.getvalue()


def unpacked(content: bytes, threads: int) -> bytes:
    """Return the data of a compressed file."""
    from isthmus.coding import Archive
    from isthmus.coding.container import ARCHIVE, Source, opened
    from isthmus.coding.stream import data_of

    source = Source(io.BytesIO(content), "it")
    form = opened(source)
    if form != ARCHIVE:
        return b"".join(data_of(source, form, model(), threads))
    archive = Archive(io.BytesIO(content), model=model())
    return b"".join(archive.read(name) for name in archive.names)


def child(options: argparse.Namespace) -> None:
    """Code and decode all files, or those of the norm, and emit the digests."""
    about: dict[str, Any] = {}
    if options.torch:
        import torch

        about["instructions of torch"] = torch.backends.cpu.get_cpu_capability()
    from isthmus.coding import coder as coders

    if options.norm:
        vars(coders).update(_native=lambda: None, _native_with_prior=lambda: None)
    else:
        native = coders._native_with_prior()
        assert native is not None
        assert native.wide(options.wide) == options.wide
    start, folder = time.perf_counter(), options.child
    kinds = ("of the norm",) if options.norm else ("all", "of the norm")
    digests = {way: {kind: hashlib.sha256() for kind in kinds} for way in ("coded", "decoded")}
    for number in range(options.files):
        data = (folder / f"{PREFIX}{number}").read_bytes()
        is_short = number % EVERY == 0 and len(data) <= MOST
        if options.norm and not is_short:
            continue
        content, path = packed(number, data, options.threads), folder / f"{PACKED}{number}"
        if not path.exists():
            path.write_bytes(content)
        for way, found in (("coded", content), ("decoded", unpacked(path.read_bytes(), options.threads))):
            for kind in kinds if is_short else ("all",):
                digests[way][kind].update(len(found).to_bytes(8, "little") + found)
    harness.emit(
        **{way: {kind: found.hexdigest() for kind, found in its.items()} for way, its in digests.items()},
        **about,
        seconds=round(time.perf_counter() - start, 1),
    )


# ---------------------------------------------------------------------- all runs


def built(flags: list[str], folder: Path) -> Path:
    """Return a copy of the sources with the module compiled so."""
    source = folder / "isthmus"
    shutil.copytree(harness.SOURCE / "isthmus", source, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    headers = f"-I{sysconfig.get_paths()['include']}"
    target = source / "coding" / "_native.abi3.so"
    subprocess.run(
        ["gcc", *flags, "-shared", "-fPIC", headers, "-o", target, source / "coding" / "_native.c"], check=True
    )
    return folder


def run(folder: Path, files: int, source: Path, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Return what one run emits."""
    arguments = [__file__, "--child", str(folder), "--files", str(files), *arguments]
    found = harness.child(sys.executable, arguments, environment={"PYTHONPATH": str(source), **environment})
    print(f"{' '.join(arguments[5:])}: {found.get('failed') or found['seconds']}", flush=True)
    return found


def main() -> int:
    """Make the files, let every run code and decode them, and compare the digests."""
    options = parse()
    if options.child:
        child(options)
        return 0
    import isthmus

    settings = {"files": options.files, "seed": options.seed}
    report = harness.Report(
        "decode_sweep", settings, {"isthmus": isthmus.__version__} | harness.versions("numpy", "torch")
    )
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = list(made(options.files, options.seed))
        for number, content in enumerate(data):
            (folder / f"{PREFIX}{number}").write_bytes(content)
        for build, flags in BUILDS.items():
            source = built(flags, folder / build.replace(" ", "-")) if flags else harness.SOURCE
            for (where, variables), threads in itertools.product(ENVIRONMENTS.items(), THREADS):
                arguments = ["--threads", str(threads)] + ["--wide"] * (build in WIDE) + ["--torch"] * bool(variables)
                its = run(folder, options.files, source, arguments, variables)
                runs[f"{build}, {where}, {threads} threads"] = its
        runs["norm"] = run(folder, options.files, harness.SOURCE, ["--norm"], {})
    claims(report, runs, data)
    return report.publish(options.out)


def claims(report: harness.Report, runs: dict[str, Any], data: list[bytes]) -> None:
    """Add whether all digests are one."""
    whole = hashlib.sha256(b"".join(len(one).to_bytes(8, "little") + one for one in data)).hexdigest()
    compiled = [its for name, its in runs.items() if name != "norm"]
    short = [one for number, one in enumerate(data) if number % EVERY == 0 and len(one) <= MOST]
    coded, decoded = ({its[way]["all"] for its in compiled} for way in ("coded", "decoded"))
    report.claim(f"digests of {len(data):,} coded files, {len(compiled)} runs", len(coded), "one", len(coded) == 1)
    report.claim(
        "digests of what they decode to, that of the data among them", len(decoded | {whole}), "one", decoded == {whole}
    )
    ways = {way: {its[way]["of the norm"] for its in runs.values()} for way in ("coded", "decoded")}
    for way, digests in ways.items():
        report.claim(
            f"digests of {len(short)} small files, {way} by the norm, too", len(digests), "one", len(digests) == 1
        )
    sizes = {"bytes of all files": sum(map(len, data)), "bytes of those of the norm": sum(map(len, short))}
    report.measurements = {**sizes, "runs": runs}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = harness.parser(__doc__)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    for flag in ("--wide", "--norm", "--torch"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

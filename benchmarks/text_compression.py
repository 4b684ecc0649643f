"""Sizes and speeds of compressed texts and other files, beside the tools that people use.

Every codec makes whole files, all overheads counted, and each is decoded and compared, in a process of its own for
every file and codec, so that peak memory is that of one job. Times are by the clock, on a machine with two cores that
does nothing else; isthmus uses both where it cuts a file in two, the others one. isthmus is timed without its
verification, and with it beside; with the prior that the package carries, and without. Short texts are the
beginnings of alice29.txt, a log made here, and sentences, each coded alone (in isthmus: members of one archive, each to
be had alone). What a first use loads is not timed.

With ``--files``, other files than those of ISTHMUS_DATA are measured, by what is asked of other bytes: as
``--set chinese``, texts in Chinese. One of them comes with Debian 12: ``apt-get download debian-reference-zh-cn=2.100``
and ``dpkg -x`` give usr/share/debian-reference/debian-reference.zh-cn.txt.gz.

pyppmd's encoder is fed in pieces of 64 kB: given more at once, version 1.3.1 can lose a byte.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import lzma
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
from made_log import log

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]

# Bits a byte that isthmus must reach; the fast one must reach the size of PPMd (variant I, order 8 of pyppmd).
TEXTS = {
    "alice29.txt": (1.90, 2.039),
    "lcet10.txt": (1.64, 1.802),
    "plrabn12.txt": (2.05, 2.208),
    "tinyshakespeare": (1.92, 2.090),
    "bible.txt": (1.32, 1.477),
}
OTHERS = ("kennedy.xls", "ptt5", "sum", "fields.c", "cp.html", "asyoulik.txt", "grammar.lsp", "xargs.1")
SHORT = {"alice29.txt, 2 kB": 560, "alice29.txt, 10 kB": 2_700, "alice29.txt, 50 kB": 12_900, "JSON log, 5 kB": 700}
SENTENCES, SENTENCES_MUST = "the sentences of alice29.txt", 3.4
CODECS = (
    "isthmus",
    "isthmus without prior",
    "isthmus fast",
    "gzip -9",
    "bzip2",
    "xz -9e",
    "zstd 22",
    "brotli 11",
    "PPMd order 8",
    "zpaq -m5",
)
OURS = ("isthmus", "isthmus without prior", "isthmus fast")
PACKAGES = ("zstandard", "brotli", "pyppmd", "zpaq")
KB_S = {"isthmus": 50, "isthmus fast": 1000}  # that both ways must reach
GAIN = 0.1  # of the prior, on short texts
PIECE = 65_536
ALONE = {"OMP_NUM_THREADS": "1"}


# ---------------------------------------------------------------------- codecs


def codec(name: str) -> Codec:
    """Return how a codec compresses, and how it decompresses, given the length of the data."""
    if name in OURS:
        import isthmus

        how: dict[str, Any] = {"speed": "fast" if name.endswith("fast") else "normal", "prior": "without" not in name}
        how["verify"] = os.environ.get("VERIFY") == "1"
        return lambda data: isthmus.compress(data, **how), lambda data, _: isthmus.decompress(data)
    if name in ("gzip -9", "bzip2", "xz -9e"):
        return {
            "gzip -9": (lambda data: gzip.compress(data, 9, mtime=0), lambda data, _: gzip.decompress(data)),
            "bzip2": (bz2.compress, lambda data, _: bz2.decompress(data)),
            "xz -9e": (
                lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
                lambda data, _: lzma.decompress(data),
            ),
        }[name]
    return {"zstd 22": _zstd, "brotli 11": _brotli, "PPMd order 8": _ppmd, "zpaq -m5": _zpaq}[name]()


def _zstd() -> Codec:
    import zstandard

    return zstandard.ZstdCompressor(level=22).compress, lambda data, _: zstandard.ZstdDecompressor().decompress(data)


def _brotli() -> Codec:
    import brotli

    def pack(data: bytes) -> bytes:
        return brotli.compress(data, mode=brotli.MODE_TEXT, quality=11, lgwin=24)

    return pack, lambda data, _: brotli.decompress(data)


def _ppmd() -> Codec:
    import pyppmd

    def pack(data: bytes) -> bytes:
        encoder = pyppmd.Ppmd8Encoder(8, 256 << 20)
        pieces = [encoder.encode(data[start : start + PIECE]) for start in range(0, len(data), PIECE)]
        return b"".join([*pieces, encoder.flush()])

    def unpack(data: bytes, length: int) -> bytes:
        return pyppmd.Ppmd8Decoder(8, 256 << 20).decode(data, length)

    return pack, unpack


def _zpaq() -> Codec:
    import zpaq

    return lambda data: zpaq.compress(data, level=5, threads=1), lambda data, _: zpaq.decompress(data)


# ---------------------------------------------------------------------- data


def files(root: Path) -> dict[str, bytes]:
    """Return the texts and the other files of the Canterbury corpus by name."""
    text = root / "text"
    found = {path.name: content(path) for path in sorted((text / "canterbury").iterdir())}
    found["tinyshakespeare"] = content(text / "tinyshakespeare" / "input.txt.gz")
    found["bible.txt"] = content(text / "canterbury-large" / "bible.txt.gz")
    return found


def content(path: Path) -> bytes:
    """Return the content of a file, unpacked where gzip packed it."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def short(alice: bytes) -> dict[str, bytes]:
    """Return the short texts by name."""
    beginnings = {f"alice29.txt, {size} kB": alice[: 1000 * size] for size in (2, 10, 50)}
    return beginnings | {"JSON log, 5 kB": b"".join(log(0, 5_000))}


def sentences(text: bytes) -> list[bytes]:
    """Return the sentences of 20 to 200 characters of a text, at most 1,000."""
    flat = re.sub(r"\s+", " ", text.decode("latin-1"))
    found = [sentence.strip() for sentence in re.split(r"(?<=[.!?])\s+", flat)]
    return [sentence.encode("latin-1") for sentence in found if 20 <= len(sentence) <= 200][:1000]


def archived(texts: list[bytes], *, prior: bool) -> int:
    """Return the bytes of one archive of isthmus, after each member was read back alone."""
    import isthmus

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentences.isth"
        members = {str(number): text for number, text in enumerate(texts)}
        archive = isthmus.Archive.create(path, members, verify=False, prior=prior)
        assert all(archive.read(name) == text for name, text in members.items())
        archive.close()
        return path.stat().st_size


# ---------------------------------------------------------------------- runs


def child(name: str, path: Path) -> None:
    """Compress and decompress one file, and emit what it took."""
    data = path.read_bytes()
    pack, unpack = codec(name)
    unpack(pack(data[:100]), 100)  # what is loaded at the first use
    start = time.perf_counter()
    packed = pack(data)
    packing = time.perf_counter() - start
    start = time.perf_counter()
    found = unpack(packed, len(data))
    unpacking = time.perf_counter() - start
    if found != data:
        raise SystemExit(f"{name} gives other bytes back")
    harness.emit(
        bytes=len(packed),
        bits_a_byte=round(8 * len(packed) / len(data), 4),
        compress_kb_s=round(len(data) / packing / 1e3, 1),
        decompress_kb_s=round(len(data) / unpacking / 1e3, 1),
        peak_mib=round(harness.peak_resident_bytes() / 2**20),
    )


def measured(data: dict[str, bytes], codecs: tuple[str, ...], folder: Path, peer: str) -> dict[str, dict[str, Any]]:
    """Return what each codec made of each file."""
    found: dict[str, dict[str, Any]] = {}
    for name, content in data.items():
        path = folder / "data"
        path.write_bytes(content)
        found[name] = {"bytes": len(content)}
        for one in codecs:
            python = sys.executable if one in OURS else peer
            found[name][one] = harness.child(python, [__file__, "--child", one, str(path)], environment=ALONE)
            print(f"{name}: {one}: {found[name][one]}", flush=True)
    return found


def main() -> int:
    """Run every codec on every file, print the sizes and write them down."""
    options = parse()
    if options.versions:
        harness.emit(**harness.versions(*PACKAGES))
        return 0
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return 0
    versions = harness.versions("numpy") | harness.child(options.peer_python, [__file__, "--versions"])
    return of_files(options, versions) if options.files else of_all(options, versions)


def of_files(options: argparse.Namespace, versions: dict[str, str]) -> int:
    """Run every codec on files that were named, and write the sizes down."""
    import isthmus

    data = {path.name.removesuffix(".gz"): content(path) for path in options.files}
    report = harness.Report(f"text_compression_{options.set}", {}, {"isthmus": isthmus.__version__} | versions)
    with tempfile.TemporaryDirectory() as name:
        found = measured(data, CODECS, Path(name), options.peer_python)
    claims_of_others(report, found, tuple(data))
    report.measurements = {"files": found}
    return report.publish(options.out)


def of_all(options: argparse.Namespace, versions: dict[str, str]) -> int:
    """Run every codec on the files of ISTHMUS_DATA, and write the sizes down."""
    root = Path(os.environ.get("ISTHMUS_DATA", ""))
    if not (root / "text" / "canterbury").is_dir():
        raise SystemExit(
            "Set ISTHMUS_DATA to the folder that holds text/ (canterbury, canterbury-large, tinyshakespeare)."
        )
    import isthmus

    data = files(root)
    pieces = sentences(data["alice29.txt"])
    report = harness.Report("text_compression", {}, {"isthmus": isthmus.__version__} | versions)
    with tempfile.TemporaryDirectory() as name:
        found = measured({text: data[text] for text in TEXTS}, CODECS, Path(name), options.peer_python)
        found |= measured({other: data[other] for other in OTHERS}, CODECS, Path(name), options.peer_python)
        found |= measured(
            short(data["alice29.txt"]), tuple(set(CODECS) - {"isthmus fast"}), Path(name), options.peer_python
        )
        path = Path(name) / "verified"
        path.write_bytes(data["alice29.txt"])
        verified = harness.child(
            sys.executable, [__file__, "--child", "isthmus", str(path)], environment=ALONE | {"VERIFY": "1"}
        )
    alone = {prior: 8 * archived(pieces, prior=prior) / sum(map(len, pieces)) for prior in (True, False)}
    claims(report, found, verified, alone)
    report.measurements = {"files": found, "alice29.txt, verified": verified}
    return report.publish(options.out)


def claims(report: harness.Report, found: dict[str, Any], verified: dict[str, Any], alone: dict[bool, float]) -> None:
    """Add what was promised."""
    for text, (must, fast) in TEXTS.items():
        ours, quick = found[text]["isthmus"], found[text]["isthmus fast"]
        report.claim(f"{text}, bits a byte", ours["bits_a_byte"], f"at most {must}", ours["bits_a_byte"] <= must)
        report.claim(
            f"{text}, bits a byte, fast", quick["bits_a_byte"], f"at most {fast}", quick["bits_a_byte"] <= fast
        )
    for one, must in KB_S.items():
        rates = [found[text][one][way] for text in TEXTS for way in ("compress_kb_s", "decompress_kb_s")]
        report.claim(
            f"kB/s of {one} on the slowest text, either way", min(rates), f"at least {must}", min(rates) >= must
        )
    report.claim("kB/s with verification, alice29.txt", verified["compress_kb_s"], "stated", None)
    claims_of_others(report, found, OTHERS)
    for text, must in SHORT.items():
        ours, without = found[text]["isthmus"]["bytes"], found[text]["isthmus without prior"]["bytes"]
        report.claim(f"{text}, bytes", ours, f"at most {must}", ours <= must)
        report.claim(
            f"{text}, share that the prior saves", 1 - ours / without, f"at least {GAIN}", ours <= 0.9 * without
        )
    report.claim(
        f"{SENTENCES}, bits a character", alone[True], f"at most {SENTENCES_MUST}", alone[True] <= SENTENCES_MUST
    )
    report.claim(f"{SENTENCES}, bits a character without prior", alone[False], "stated", None)
    peak = max(its[one]["peak_mib"] for its in found.values() for one in OURS if one in its)
    report.claim("MiB of memory at most", peak, "at most 500", peak <= 500)


def claims_of_others(report: harness.Report, found: dict[str, Any], names: tuple[str, ...]) -> None:
    """Add what was promised of files that are no long English texts."""
    for name in names:
        ours, xz, zpaq = (found[name][one].get("bytes") for one in ("isthmus", "xz -9e", "zpaq -m5"))
        report.claim(f"{name}, bytes", ours, f"at most xz's {xz}", ours <= xz)
        if zpaq:
            report.claim(f"{name}, share of zpaq's {zpaq}", ours / zpaq, "at most 1.10", ours <= 1.1 * zpaq)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--files", nargs="+", type=Path, help="measure these alone")
    made.add_argument("--set", default="others", help="what they are: the end of the name of the JSON file")
    made.add_argument("--versions", action="store_true", help=argparse.SUPPRESS)
    made.add_argument("--child", nargs=2, metavar=("CODEC", "FILE"), help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

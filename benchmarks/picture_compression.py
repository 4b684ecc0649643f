"""Sizes and speeds of pictures without loss: photographs one by one, and stacks of one kind with a model of it.

``photographs``: the 24 pictures of Kodak, each by itself, in bits for each sub-pixel of whole files, beside the PNG
files as they come, WebP (method 6) and JPEG XL (effort 9).

``digits`` and ``clothes``: the test sets of MNIST and Fashion-MNIST, 10,000 pictures of 28 x 28, in bits for each
pixel, with a model of the first pictures of the training set. ``binarised``: MNIST of black and white, once drawn (a
pixel is white with the probability of its brightness, as in Salakhutdinov and Murray, "On the quantitative analysis of
deep belief networks", ICML 2008; the generator is NumPy's ``default_rng``, 0 for the test set and 1 for the training
set), once by threshold (above 127). The file of the model is not counted, as it is not of the coders that bits back
ones are; what it takes is given. Beside them zpaq -m5 of the raw samples, in one row.

Nothing was tuned on these sets: schemes were made with other photographs and with pictures of the training sets.

isthmus has two threads, and is timed without its verification; all that is measured comes back, compared sample by
sample. The others have one thread, as they come, and two of them run at a time, as do stacks: of those, and of the
peers, speeds are no measurement of a quiet machine, and sizes are what counts.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import harness
import numpy as np

PARTS = ("photographs", "digits", "clothes", "binarised")
PEERS = ("WebP", "JPEG XL")
PACKAGES = ("pillow", "pillow-jxl-plugin", "zpaq")
SETS = {"digits": "mnist", "clothes": "fashion-mnist", "binarised, drawn": "mnist", "binarised, threshold": "mnist"}
LEARNED = {"digits": 10_000, "clothes": 10_000, "binarised, drawn": 60_000, "binarised, threshold": 60_000}
GOALS = {  # bits for each sub-pixel or pixel: at most, and aim
    "photographs": (3.10, 2.83),
    "digits": (1.15, 1.05),
    "clothes": (3.3, 3.1),
    "binarised, drawn": (0.16, 0.15),
}
MB_S, BUSY = 0.1, 0.25  # of photographs; cores that may be busy with something else while that is measured


# ---------------------------------------------------------------------- photographs


def photographs(count: int) -> None:
    """Compress each photograph with isthmus, and emit what they took together."""
    from PIL import Image

    from isthmus.coding import contents
    from isthmus.coding.pictures import Picture
    from isthmus.coding.stream import decompressed

    found: dict[str, int] = {}
    packing, unpacking, samples = Sum(), Sum(), 0
    for path in _kodak()[:count]:
        pixels, into = np.asarray(Image.open(path).convert("RGB")), io.BytesIO()
        with harness.clocked() as clock:
            contents.write(into, Picture(pixels), verify=False)
        packing.add(clock)
        with harness.clocked() as clock:
            again = decompressed(into.getvalue())
        unpacking.add(clock)
        if not np.array_equal(again, pixels):
            raise SystemExit(f"{path.name} comes back otherwise")
        found[path.name], samples = into.tell(), samples + pixels.size
    harness.emit(
        bytes=sum(found.values()),
        bits=round(8 * sum(found.values()) / samples, 4),
        compress_mb_s=round(samples / 1e6 / packing.seconds, 4),
        decompress_mb_s=round(samples / 1e6 / unpacking.seconds, 4),
        compress_cpu_seconds=round(packing.cpu_seconds, 1),
        decompress_cpu_seconds=round(unpacking.cpu_seconds, 1),
        other_cores=round(max(packing.other_cores, unpacking.other_cores), 2),
        files=found,
    )


class Sum:
    """Adds up what clocks say."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.other_cores = 0.0

    def add(self, clock: harness.Clock) -> None:
        """Add what a clock says; of other cores the most that were busy."""
        self.seconds += clock.seconds
        self.cpu_seconds += clock.cpu_seconds
        self.other_cores = max(self.other_cores, clock.other_cores or 0.0)


def peer_photographs(name: str, count: int) -> None:
    """Compress each photograph in the format of a peer; runs where that is installed."""
    from PIL import Image

    if name == "JPEG XL":
        import pillow_jxl  # noqa: F401 - tells Pillow of the format
    how = {"WebP": ("WEBP", {"quality": 100, "method": 6, "exact": True}), "JPEG XL": ("JXL", {"effort": 9})}
    kind, settings = how[name]
    size = samples = 0
    clocks = Sum()
    for path in _kodak()[:count]:
        picture, into = Image.open(path).convert("RGB"), io.BytesIO()
        with harness.clocked() as clock:
            picture.save(into, kind, lossless=True, **settings)
        clocks.add(clock)
        if not np.array_equal(np.asarray(Image.open(into).convert("RGB")), np.asarray(picture)):
            raise SystemExit(f"{name} is not lossless on {path.name}")
        size, samples = size + len(into.getvalue()), samples + np.asarray(picture).size
    harness.emit(
        bytes=size,
        bits=round(8 * size / samples, 4),
        compress_mb_s=round(samples / 1e6 / clocks.seconds, 3),
        **harness.versions(*PACKAGES),
    )


def png_files(count: int) -> dict[str, Any]:
    """Return what the PNG files take, as they come."""
    from PIL import Image

    files = _kodak()[:count]
    size = sum(path.stat().st_size for path in files)
    samples = sum(3 * width * height for width, height in (Image.open(path).size for path in files))
    return {"bytes": size, "bits": round(8 * size / samples, 4)}


def _kodak() -> list[Path]:
    return sorted((Path(os.environ["ISTHMUS_DATA"]) / "kodak").glob("*.png"))


# ---------------------------------------------------------------------- stacks of one kind


def stack_of(name: str, split: str, count: int) -> np.ndarray:
    """Return pictures of a set as they are measured."""
    pictures = harness.images(SETS[name], split)[:count].reshape(-1, 28, 28)
    if name.endswith("threshold"):
        return pictures > 127
    if name.endswith("drawn"):
        return np.random.default_rng(0 if split == "test" else 1).random(pictures.shape) * 255 < pictures
    return pictures


def stack(name: str, learned: int, count: int) -> None:
    """Learn from pictures of a training set, compress those of the test set, and emit what that took."""
    from isthmus.coding.pictures import PictureCodec

    pictures = stack_of(name, "test", count)
    with harness.clocked() as learning:
        codec = PictureCodec().fit(stack_of(name, "train", learned))
    with harness.clocked() as packing:
        packed = codec.compress(pictures, verify=False)
    with harness.clocked() as unpacking:
        again = codec.decompress(packed)
    if again.dtype != pictures.dtype or not np.array_equal(again, pictures):
        raise SystemExit(f"{name} comes back otherwise")
    with tempfile.TemporaryDirectory() as folder:
        codec.save(Path(folder) / "m")
        size_of_model = (Path(folder) / "m").stat().st_size
    harness.emit(
        pictures=len(pictures),
        learned_from=learned,
        bytes=len(packed),
        bits=round(8 * len(packed) / pictures.size, 5),
        model_bytes=size_of_model,
        fit_cpu_seconds=round(learning.cpu_seconds, 1),
        compress_mb_s=round(pictures.size / 1e6 / packing.seconds, 4),
        decompress_mb_s=round(pictures.size / 1e6 / unpacking.seconds, 4),
        compress_cpu_seconds=round(packing.cpu_seconds, 1),
    )


def peer_stack(path: Path) -> None:
    """Compress raw samples with zpaq; runs where that is installed."""
    import zpaq

    data = path.read_bytes()
    with harness.clocked() as clock:
        packed = zpaq.compress(data, level=5, threads=1)
    if zpaq.decompress(packed) != data:
        raise SystemExit("zpaq gives other bytes back")
    harness.emit(bytes=len(packed), compress_mb_s=round(len(data) / 1e6 / clock.seconds, 3), **harness.versions("zpaq"))


# ---------------------------------------------------------------------- runs


def measured(parts: Sequence[str], options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what isthmus and the others made of the pictures of some parts, by name; two children run at a time."""
    with ThreadPoolExecutor(2) as pool:
        if "photographs" in parts:
            count = options.photographs
            found = {"isthmus": _own("photographs", count), "PNG": png_files(count)}
            words = ([__file__, "--child", peer, str(count)] for peer in PEERS)
            found |= zip(PEERS, pool.map(partial(harness.child, options.peer_python), words), strict=True)
            yield "photographs", found
        names = [name for name in SETS if name.split(",")[0] in parts]
        yield from zip(names, pool.map(partial(_stacks, options=options), names), strict=True)


def _own(*words: object) -> dict[str, Any]:
    return harness.child(sys.executable, [__file__, "--child", *map(str, words)], environment={"OMP_NUM_THREADS": "1"})


def _stacks(name: str, options: argparse.Namespace) -> dict[str, Any]:
    learned = min(LEARNED[name], options.learned or LEARNED[name])
    found = {"isthmus": _own(name, learned, options.pictures)}
    pictures = stack_of(name, "test", options.pictures)
    raw = np.packbits(pictures, axis=None) if pictures.dtype == bool else pictures
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw"
        path.write_bytes(raw.tobytes())
        peer = harness.child(options.peer_python, [__file__, "--child", "zpaq -m5", str(path)])
    found["zpaq -m5"] = peer | ({"bits": round(8 * peer["bytes"] / pictures.size, 5)} if "bytes" in peer else {})
    return found


def claims(report: harness.Report, found: dict[str, Any]) -> None:
    """Add what was promised."""
    for name, its in found.items():
        bits = its["isthmus"].get("bits")
        for peer, other in its.items():
            if peer != "isthmus" and "bits" in other:
                report.claim(f"{name}: bits, {peer}", other["bits"], "beside it", None)
        if name not in GOALS:
            report.claim(f"{name}: bits", bits, "beside it", None)
            continue
        must, aim = GOALS[name]
        report.claim(f"{name}: bits", bits, f"at most {must}", None if bits is None else bits <= must)
        report.claim(f"{name}: bits, the same", bits, f"aim {aim}", None)
    if "photographs" in found:
        own = found["photographs"]["isthmus"]
        for way in ("compress_mb_s", "decompress_mb_s"):
            quiet = own.get("other_cores", 1) <= BUSY
            what = f"photographs: MB/s, {way.split('_')[0]}" + ("" if quiet else "; others kept the machine busy")
            report.claim(what, own.get(way), f"at least {MB_S}", own[way] >= MB_S if quiet else None)


def main() -> int:
    """Run the parts, print the sizes and write them down."""
    options = parse()
    if options.child:
        as_child(*options.child)
        return 0
    if not os.environ.get("ISTHMUS_DATA"):
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds kodak/, mnist/ and fashion-mnist/.")
    import isthmus

    settings = {"photographs": options.photographs, "pictures": options.pictures, "learned": options.learned or LEARNED}
    found = harness.earlier(options.out, "picture_compression", settings) if options.only else {}
    for name, its in measured(options.only or PARTS, options):
        found[name] = its
        print(f"{name}: {its}", flush=True)
    versions = {"isthmus": isthmus.__version__} | harness.versions("numpy")
    report = harness.Report("picture_compression", settings, versions)
    claims(report, found)
    report.measurements = found
    return report.publish(options.out)


def as_child(name: str, *words: str) -> None:
    """Do what one child does, and emit it."""
    if name == "photographs":
        photographs(int(words[0]))
    elif name in PEERS:
        peer_photographs(name, int(words[0]))
    elif name in SETS:
        stack(name, int(words[0]), int(words[1]))
    else:
        peer_stack(Path(words[0]))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = harness.parser(__doc__, peers=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some parts; the others are kept from the last run")
    parser.add_argument("--photographs", type=int, default=24, help="how many of them")
    parser.add_argument("--pictures", type=int, default=10_000, help="of a test set")
    parser.add_argument("--learned", type=int, help="pictures of a training set, at most")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

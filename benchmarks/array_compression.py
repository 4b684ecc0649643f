"""Sizes and speeds of compressed arrays, bit for bit and within a bound, beside the tools that people use.

Arrays are real: output of climate models (of the wheel ``iris-sample-data``), gradients and blurred brightness of
photographs, codes of MNIST by principal components, and a table of decimals. Sizes are of whole files, all overheads
counted. Each codec runs in a process of its own for every array, and what it gives back is compared: bit for bit, or
by how far it is off, over the bound. isthmus is timed without its verification, with two threads; the others have one,
as they come. A speed that was measured while something else kept the machine busy is given, and proves nothing.

The bounds are .001 and .01 of the range of finite numbers without fill values; what the peers are given is that bound
in absolute value. SZ3 is run with both of its algorithms, and the smaller file counts.

`--bound COUNT` checks the guarantee on made numbers of five kinds, with what is no number, infinities and fill values.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np

Codec = tuple[Callable[[np.ndarray], bytes], Callable[[bytes, np.ndarray], np.ndarray]]

PACKAGES = ("fpzip", "pcodec", "openzl", "pysz", "zfpy", "netCDF4", "iris-sample-data")
FIELDS = {
    "air_temperature": ("A1B_north_america.nc", "air_temperature"),
    "potential_temperature": ("hybrid_height.nc", "air_potential_temperature"),
    "sea_surface": ("ostia_monthly.nc", "surface_temperature"),
}
PHOTOGRAPHS = ("kodim05", "kodim11", "kodim17", "kodim23")
BLURRED = "kodim05 blurred"
CODES, WINE = "codes of MNIST", "wine, white"
BOUNDS = (1e-3, 1e-2)
SZ3 = {"SZ3 interpolation": "INTERP_LORENZO", "SZ3 regression": "LORENZO_REG"}
ZFP = "zfp"
LOSSLESS = ("fpzip", "pcodec 12", "OpenZL")
AIM, MORE = 0.9, 1.01  # of the best peer's size: at .01 of the range, and bit for bit at most
MB_S, BUSY = 5, 0.25  # cores that may be busy with something else while a speed is measured
FILL = 1e15  # a number that is as large is a fill value
KINDS = ("smooth, with fills", "wide, with NaN", "half precision", "whole numbers", "spikes")
SIZE = 1 << 21  # numbers of an array on which the guarantee is checked


# ---------------------------------------------------------------------- data


def fields(folder: Path) -> None:
    """Write the model output as NPY files; runs where the wheel and netCDF4 are."""
    import iris_sample_data
    import netCDF4

    root = Path(iris_sample_data.__file__).parent / "sample_data"
    for name, (file, variable) in FIELDS.items():
        data = netCDF4.Dataset(root / file)
        data.set_auto_maskandscale(False)
        np.save(folder / f"{name}.npy", np.ascontiguousarray(data.variables[variable][:]))
    harness.emit(**harness.versions(*PACKAGES))


def derived(root: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield arrays that are computed of pictures and tables."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    for name in PHOTOGRAPHS:
        picture = np.asarray(Image.open(root / "kodak" / f"{name}.png").convert("RGB")).astype(np.float32)
        brightness = picture @ np.array([0.299, 0.587, 0.114], np.float32)
        yield f"{name} gradient", np.gradient(gaussian_filter(brightness, 1))[0].astype(np.float32)
        if BLURRED.startswith(name):
            yield BLURRED, gaussian_filter(brightness, 2).astype(np.float32)
    X = harness.unit(harness.images("mnist", "test"))
    directions = np.linalg.svd(X - X.mean(0), full_matrices=False)[2]
    yield CODES, np.ascontiguousarray(((X - X.mean(0)) @ directions[:32].T).astype(np.float32))
    yield WINE, np.loadtxt(root / "tabular" / "winequality" / "winequality-white.csv.gz", delimiter=",")


def reach(array: np.ndarray) -> float:
    """Return the range of what is neither a fill value nor no number."""
    usual = array[np.abs(array) < FILL]
    return float(usual.max()) - float(usual.min())


# ---------------------------------------------------------------------- codecs


def ours(bound: float) -> Codec:
    """Return isthmus, within an absolute bound, or bit for bit where it is 0: whole streams."""
    from isthmus.coding import contents
    from isthmus.coding.arrays.content import ArrayContent
    from isthmus.coding.container import Source, opened
    from isthmus.coding.stream import data_of

    def pack(array: np.ndarray) -> bytes:
        file = io.BytesIO()
        contents.write(file, ArrayContent(array, max_error=bound or None), verify=False)
        return file.getvalue()

    def unpack(data: bytes, _: np.ndarray) -> np.ndarray:
        source = Source.of(data, "the data")
        return np.load(io.BytesIO(b"".join(data_of(source, opened(source)))), allow_pickle=False)

    return pack, unpack


def codec(name: str, bound: float) -> Codec:
    """Return how a codec compresses, and how it decompresses, given an array of the type and shape."""
    if name == "isthmus":
        return ours(bound)
    if name in SZ3:
        return _sz3(SZ3[name], bound)
    if name == ZFP:
        import zfpy

        return lambda a: zfpy.compress_numpy(a, tolerance=bound), lambda data, _: zfpy.decompress_numpy(data)
    return {"fpzip": _fpzip, "pcodec 12": _pcodec, "OpenZL": _openzl}[name]()


def _sz3(algorithm: str, bound: float) -> Codec:
    from pysz import sz, szAlgorithm, szConfig, szErrorBoundMode

    def pack(array: np.ndarray) -> Any:
        config = szConfig()
        config.cmprAlgo, config.errorBoundMode = getattr(szAlgorithm, algorithm), szErrorBoundMode.ABS
        config.absErrorBound = bound
        return sz.compress(array, config)[0]

    return pack, lambda data, like: sz.decompress(data, like.dtype.type, like.shape)[0]


def _fpzip() -> Codec:
    import fpzip

    def pack(array: np.ndarray) -> bytes:
        return fpzip.compress(array, precision=0, order="C")

    return pack, lambda data, like: fpzip.decompress(data, order="C").reshape(like.shape)


def _pcodec() -> Codec:
    from pcodec import ChunkConfig, standalone

    def pack(array: np.ndarray) -> bytes:
        return standalone.simple_compress(array.ravel(), ChunkConfig(compression_level=12))

    return pack, lambda data, like: standalone.simple_decompress(data).reshape(like.shape)


def _openzl() -> Codec:
    import openzl.ext as zl

    def pack(array: np.ndarray) -> Any:
        made, words = zl.Compressor(), f"u{array.itemsize}"
        graphs = [zl.graphs.Compress()(made), zl.graphs.FieldLz()(made)]
        if array.dtype == np.float32:
            parts = {part: zl.graphs.Compress()(made) for part in ("sign_frac", "exponent")}
            graphs.append(zl.nodes.Float32Deconstruct()(made, **parts))
        made.select_starting_graph(zl.graphs.BruteForce(graphs)(made))
        context = zl.CCtx()
        context.ref_compressor(made)
        context.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
        context.set_parameter(zl.CParam.CompressionLevel, 9)
        return context.compress([zl.Input(zl.Type.Numeric, array.ravel().view(words))])

    def unpack(data: bytes, like: np.ndarray) -> np.ndarray:
        content = zl.DCtx().decompress(data)[0].content.as_bytes()
        return np.frombuffer(content, like.dtype).reshape(like.shape)

    return pack, unpack


# ---------------------------------------------------------------------- runs


def child(name: str, path: Path, bound: float) -> None:
    """Compress and decompress one array, and emit what it took and how far it is off."""
    array = np.load(path)
    pack, unpack = codec(name, bound)
    unpack(pack(array[:2]), array[:2])  # what is loaded at the first use
    with harness.clocked() as packing:
        packed = pack(array)
    with harness.clocked() as unpacking:
        found = np.asarray(unpack(packed, array))
    usual = np.abs(array) < FILL
    if found.dtype != array.dtype or found.shape != array.shape:
        raise SystemExit(f"{name} gives another array back")
    off = float(np.abs(array[usual].astype(np.float64) - found[usual].astype(np.float64)).max())
    if not bound and found.tobytes() != array.tobytes():
        raise SystemExit(f"{name} gives other numbers back")
    size = getattr(packed, "nbytes", None) or len(packed)
    harness.emit(
        bytes=size,
        ratio=round(array.nbytes / size, 4),
        error_over_bound=round(off / bound, 6) if bound else 0.0,
        others_kept=bool(array[~usual].tobytes() == found[~usual].tobytes()),
        compress_mb_s=round(array.nbytes / packing.seconds / 1e6, 2),
        decompress_mb_s=round(array.nbytes / unpacking.seconds / 1e6, 2),
        compress_cpu_seconds=round(packing.cpu_seconds, 3),
        decompress_cpu_seconds=round(unpacking.cpu_seconds, 3),
        fit_seconds=round(packing.seconds + unpacking.seconds, 3),
        other_cores=max(packing.other_cores or 0.0, unpacking.other_cores or 0.0),
        peak_mib=round(harness.peak_resident_bytes() / 2**20),
    )


def measured(arrays: dict[str, np.ndarray], folder: Path, peer: str) -> dict[str, dict[str, Any]]:
    """Return what each codec made of each array, bit for bit and within each bound."""
    found: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        path = folder / "array.npy"
        np.save(path, array)
        found[name] = {"type": str(array.dtype), "shape": array.shape, "bytes": array.nbytes}
        for share in (0.0, *BOUNDS):
            codecs = ("isthmus", *((*SZ3, ZFP) if share else LOSSLESS))
            results = found[name][f"{share:g}" if share else "bit for bit"] = {}
            for one in codecs:
                python = sys.executable if one == "isthmus" else peer
                words = [__file__, "--child", one, str(path), repr(share * reach(array))]
                run = harness.quiet_child if one == "isthmus" else harness.child
                results[one] = run(python, words, environment={"OMP_NUM_THREADS": "1"})
                print(f"{name}, {share:g}: {one}: {results[one]}", flush=True)
    return found


def claims(report: harness.Report, found: dict[str, Any]) -> None:
    """Add what was promised."""
    for name, its in found.items():
        for share in BOUNDS:
            results = its[f"{share:g}"]
            own, best = results["isthmus"], min(results[one].get("bytes", np.inf) for one in SZ3)
            part = own["bytes"] / best
            report.claim(f"{name}, within {share:g}: share of SZ3's {best}", part, "at most 1", part <= 1)
            if share == max(BOUNDS):
                report.claim(f"{name}, within {share:g}: the same", part, f"aim {AIM}", None)
            kept = own["error_over_bound"] <= 1 and own["others_kept"]
            report.claim(f"{name}, within {share:g}: error over bound", own["error_over_bound"], "at most 1", kept)
        results = its["bit for bit"]
        own, best = results["isthmus"]["bytes"], min(results[one].get("bytes", np.inf) for one in LOSSLESS)
        report.claim(f"{name}, bit for bit: share of the best peer's {best}", own / best, "1.01", own <= MORE * best)
    for setting in ("bit for bit", *(f"{share:g}" for share in BOUNDS)):
        for way in ("compress_mb_s", "decompress_mb_s"):
            slowest = min(found, key=lambda name: found[name][setting]["isthmus"][way])
            its = found[slowest][setting]["isthmus"]
            what, is_quiet = f"{setting}: MB/s, {way.split('_')[0]}, slowest ({slowest})", its["other_cores"] <= BUSY
            if not is_quiet:
                what += f"; {its['other_cores']} cores were busy with something else"
            report.claim(what, its[way], f"at least {MB_S}", its[way] >= MB_S if is_quiet else None)


# ---------------------------------------------------------------------- the guarantee


def made(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Return an array of a kind, and its bound with its fill values."""
    side = 128
    shape = (SIZE // side**2, side, side)
    noise = rng.normal(size=shape)
    if kind == KINDS[0]:
        array = (np.cumsum(np.cumsum(noise, 1), 2) * rng.uniform(0.01, 10) + rng.uniform(-1e4, 1e4)).astype(np.float32)
        array[:, rng.random(shape[1:]) < 0.2] = 1e20
        return array, {"rel_error": 10.0 ** rng.uniform(-5, -1)}
    if kind == KINDS[1]:
        array = noise * 10.0 ** rng.integers(-12, 12, shape)
        array[rng.random(shape) < 0.01] = np.nan
        array[rng.random(shape) < 0.01] = -np.inf
        return array, {"max_error": 10.0 ** rng.uniform(-9, 3)}
    if kind == KINDS[2]:
        array = np.clip(np.cumsum(noise, 2), -6e4, 6e4).astype(np.float16)
        array[rng.random(shape) < 0.001] = np.inf
        return array, {"max_error": 10.0 ** rng.uniform(-3, 1)}
    if kind == KINDS[3]:
        array = (np.cumsum(noise, 1) * 100).astype(np.int16)
        array[:, : side // 4] = -32768
        return array, {"max_error": float(rng.integers(1, 50)), "fill": -32768}
    array = np.where(rng.random(shape) < 0.001, noise * 1e30, np.cumsum(noise, 0) / 100).astype(np.float32)
    array[rng.random(shape) < 0.0001] = np.nan
    return array, {"max_error": 10.0 ** rng.uniform(-6, 0)}


def held(array: np.ndarray, found: np.ndarray, settings: dict[str, Any]) -> tuple[float, bool]:
    """Return how far numbers are off, over the bound, and whether what stands apart is as it was."""
    wide = np.longdouble
    apart = ~np.isfinite(array.astype(np.float64)) | (np.abs(array.astype(np.float64)) == np.float32(1e20))
    apart |= array == settings.get("fill", np.nan)
    usual = array[~apart].astype(wide)
    bound = wide(settings["max_error"]) if "max_error" in settings else settings["rel_error"] * np.ptp(usual)
    off = np.abs(usual - found[~apart].astype(wide)).max() / bound
    return float(off), array[apart].tobytes() == found[apart].tobytes()


def guarantee(count: int) -> None:
    """Check the bound on about so many numbers, and emit the worst case of each kind."""
    from isthmus.coding import arrays

    rng, worst = (
        np.random.default_rng(0),
        {kind: {"numbers": 0, "error_over_bound": 0.0, "kept": True} for kind in KINDS},
    )
    while sum(its["numbers"] for its in worst.values()) < count:
        for kind, its in worst.items():
            array, settings = made(kind, rng)
            packed = arrays.encode(array, verify=False, **settings)
            off, kept = held(array, arrays.decode(packed.description, packed.pieces), settings)
            its["numbers"] += array.size
            its["error_over_bound"] = max(its["error_over_bound"], off)
            its["kept"] &= kept
        print(worst, flush=True)
    harness.emit(**worst)


def main() -> int:
    """Run every codec on every array, print the sizes and write them down."""
    options = parse()
    if options.fields:
        fields(options.fields)
        return 0
    if options.child:
        child(options.child[0], Path(options.child[1]), float(options.child[2]))
        return 0
    if options.bound_child:
        guarantee(options.bound_child)
        return 0
    root = Path(os.environ.get("ISTHMUS_DATA", ""))
    if not (root / "kodak").is_dir():
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds kodak/, mnist/ and tabular/winequality/.")
    import isthmus

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        versions = harness.child(options.peer_python, [__file__, "--fields", str(folder)])
        arrays = {file: np.load(folder / f"{file}.npy") for file in FIELDS if (folder / f"{file}.npy").exists()}
        arrays |= dict(derived(root))
        found = measured(arrays, folder, options.peer_python)
    checked = harness.child(sys.executable, [__file__, "--bound-child", str(options.bound)])
    report = harness.Report(
        "array_compression", {}, {"isthmus": isthmus.__version__} | harness.versions("numpy") | versions
    )
    claims(report, found)
    for kind in KINDS:
        its = checked[kind]
        what = f"{kind}: error over bound in {its['numbers']:,} numbers"
        report.claim(
            what,
            its["error_over_bound"],
            "at most 1, and the rest as it was",
            its["error_over_bound"] <= 1 and its["kept"],
        )
    report.measurements = {"arrays": found, "guarantee": checked}
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = harness.parser(__doc__, peers=True)
    parser.add_argument("--bound", type=int, default=10**8, help="numbers on which the guarantee is checked")
    parser.add_argument("--bound-child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fields", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, metavar=("CODEC", "FILE", "BOUND"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

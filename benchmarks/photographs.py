"""The photographic codec on Kodak's pictures: rates beside other formats, speed, memory, and one result everywhere.

``quick``: the 24 pictures at eight qualities, whole files, beside JPEG (4:2:0, optimised, progressive), WebP (method
6), AVIF (speed 6; 4:4:4, and 4:2:0) and JPEG XL (effort 7), with processor seconds of one thread. BD-rates are of the
means of each picture's own rate and PSNR, or of decibels of the mean MS-SSIM; also against published figures of VTM.
``patient``: every sixth picture at three qualities, with ``--efforts``, and two of them at one PSNR with
``--curve-efforts``: how the rate falls with the time.
``speed``: a picture of Kodak, and 24 megapixels of it and its mirror images, each in a process of its own, beside
CompressAI's hyperprior.
``sizes``: what the networks, in floats, say that the latents take, beside the bytes of whole files.
``decoders``: digests of decoded pixels, by instruction sets and threads, and by the norm.

The codec was trained on other photographs; nothing was chosen on these.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import queue
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import harness
import numpy as np
import photographs_own as own
import photographs_peers as peers

NAME = "photographs"
PARTS = ("quick", "patient", "speed", "sizes", "decoders")
ALL = 24  # pictures
QUALITIES = (0, 36, 73, 109, 146, 182, 219, 255)
FEW = (36, 109, 182, 255)  # at which sizes are estimated, and files are decoded by all decoders
MIDDLE = (60, 130, 200)  # at which pictures are learned
SUBSET = ("kodim01", "kodim07", "kodim13", "kodim19")
CURVES, TARGET = ("kodim07", "kodim19"), 34.0  # pictures, and decibels, of the curves of rate against time
SPEED = 128  # quality at which speed is measured
LARGE = (4000, 6000)  # pixels
THREADS, BUSY = 2, 0.25  # cores that may be busy with something else while speed is measured
TOOLS = ("isthmus", *peers.FORMATS)
INSTRUCTIONS = {"plain": 0, "AVX2": 1, "AVX-512": 2}
VTM = {  # CompressAI's results/image/kodak/vtm.json: means over the 24 pictures
    "bpp": (0.0482449, 0.1124954, 0.2458165, 0.4905455, 0.8748101, 1.4308497, 2.3246070, 3.6326090),
    "psnr": (26.144845, 28.493022, 31.199874, 34.261533, 37.419793, 40.424444, 43.505767, 46.591760),
    "ms_ssim": (0.8606082, 0.9176909, 0.9561077, 0.9780783, 0.9887768, 0.9938600, 0.9969479, 0.9986564),
}
OVER = {"JPEG": (-0.15, "at most -15 %"), "WebP": (0.0, "aim: level")}
AT_MINUTES, OVER_AVIF = 3.0, 0.2  # of the patient encoder
DECODE, DECODE_AIM, GIGABYTE = 0.6, 0.15, 1.0  # seconds, and memory, of 768 x 512
BOTH, BOTH_AIM, GIGABYTES = 60.0, 20.0, 3.0  # of 24 megapixels
SHARE, BYTES = 0.01, 100  # by which a size may be estimated wrongly

Found = dict[str, Any]


# ---------------------------------------------------------------------- children


class ChildError(RuntimeError):
    """A child ended with an error, which it printed."""


def lines_of(python: str, words: Iterable[object], threads: int = 1) -> Iterator[Found]:
    """Yield what a child prints, as it comes; end where it failed."""
    order = [python, __file__, "--child", json.dumps(list(words))]
    variables = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        order, env=variables | {"PYTHONPATH": str(harness.SOURCE)}, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if child.returncode:
        raise ChildError(f"{order[3]}: exit code {child.returncode}")


def one_of(python: str, words: Iterable[object], threads: int = 1) -> Found:
    """Return what a child prints last."""
    return list(lines_of(python, words, threads))[-1]


def as_child(kind: str, *words: Any) -> None:
    """Measure what a child is asked for, and print it."""
    folder = Path(os.environ["ISTHMUS_DATA"])
    if kind == "formats":
        found: Iterable[Found] = peers.formats(folder, *words)
    elif kind in ("quick", "patient", "sizes"):
        found = getattr(own, kind)(folder, *words)
    elif kind == "speed":
        found = [own.speed(words[0], Path(words[1]), *words[2:])]
    elif kind == "digests":
        found = [own.digests(Path(words[0]), *words[1:])]
    else:
        found = [peers.hyperprior(*words)]
    for line in found:
        harness.emit(**line)


# ---------------------------------------------------------------------- parts


def quick(options: argparse.Namespace, before: Found) -> Iterator[Found]:
    """Yield all points of all tools, picture by picture, two children at a time; a picture that is known is kept."""
    found = {"points": {tool: dict(its) for tool, its in before.get("points", {}).items()}}
    found |= {"qualities": QUALITIES, "settings": {name: list(how.values) for name, how in peers.FORMATS.items()}}
    found |= {name: before[name] for name in ("versions", "missing") if name in before}
    names = options.pictures
    ours = [name for name in names if name not in found["points"].get("isthmus", {})]
    theirs = [name for name in names if name not in found["points"].get("JPEG", {})]
    runs = [(sys.executable, ["quick", some, QUALITIES]) for some in (ours[::2], ours[1::2]) if some]
    runs += [(options.peer_python, ["formats", some]) for some in (theirs[::2], theirs[1::2]) if some]
    for line in side_by_side(runs):
        if "picture" not in line:
            found |= line
            continue
        for tool, points in line["tools"].items():
            its = found["points"].setdefault(tool, {})
            its[line["picture"]] = {key: [point[key] for point in points] for key in points[0]}
        yield found
    yield found | summary(found)


def side_by_side(runs: Sequence[tuple[str, list[object]]]) -> Iterator[Found]:
    """Yield what children print, two children at a time, as it comes."""
    lines: queue.SimpleQueue[Found | None] = queue.SimpleQueue()

    def follow(run: tuple[str, list[object]]) -> None:
        try:
            for line in lines_of(*run):
                lines.put(line)
        finally:
            lines.put(None)

    with ThreadPoolExecutor(2) as pool:
        followed = [pool.submit(follow, run) for run in runs]
        running = len(runs)
        while running:
            line = lines.get()
            if line is None:
                running -= 1
            else:
                yield line
    for one in followed:
        one.result()


def summary(found: Found) -> Found:
    """Return the means of each tool over the pictures that all have, and the BD-rates of isthmus over each."""
    names = set.intersection(*(set(its) for its in found["points"].values()))
    curves = {tool: means(its, names) for tool, its in found["points"].items()}
    beside = curves | ({"VTM": vtm()} if len(names) == ALL else {})  # whose published figures are of all
    rates: Found = {}
    for scale in ("psnr", "ms_ssim_db"):
        others = {tool: curve for tool, curve in beside.items() if tool != "isthmus"}
        rates[scale] = {tool: bd(curves["isthmus"], curve, scale) for tool, curve in others.items()}
        if "VTM" in beside:
            rates[f"{scale}_over_vtm"] = {tool: bd(curve, vtm(), scale) for tool, curve in curves.items()}
    return {"pictures": len(names), "means": curves, "bd_rate": rates}


def means(its: Found, names: Iterable[str]) -> dict[str, list[float]]:
    """Return bits a pixel, decibels and seconds of each setting, as means over pictures of 768 x 512."""
    some = [its[name] for name in sorted(names)]
    arrays = {key: np.array([one[key] for one in some], np.float64).mean(0) for key in some[0]}
    found = {"bpp": 8 * arrays["bytes"] / (768 * 512), "psnr": arrays["psnr"], "ms_ssim": arrays["ms_ssim"]}
    found["ms_ssim_db"] = -10 * np.log10(1 - arrays["ms_ssim"])
    found |= {key: arrays[key] for key in ("encode", "decode", "seconds") if key in arrays}
    return {key: [round(float(value), 5) for value in values] for key, values in found.items()}


def vtm() -> dict[str, Sequence[float]]:
    """Return the published curve of VTM."""
    return {**VTM, "ms_ssim_db": [-10 * math.log10(1 - value) for value in VTM["ms_ssim"]]}


def bd(one: Found, other: Found, scale: str) -> float | None:
    """Return the BD-rate of a curve over another; None where they have no quality in common."""
    from isthmus.metrics import bd_rate

    found = bd_rate(one["bpp"], one[scale], other["bpp"], other[scale])
    return None if math.isnan(found) else round(found, 4)


def patient(options: argparse.Namespace, before: Found) -> Iterator[Found]:
    """Yield what learning each picture gives, run by run; a run that is known is kept."""
    found = {"points": dict(before.get("points", {})), "curves": dict(before.get("curves", {}))}
    wanted = [("points", name, effort) for effort in options.efforts for name in SUBSET if name in options.pictures]
    wanted += [("curves", name, effort) for effort in options.curve_efforts for name in CURVES]
    for kind, name, effort in wanted:
        its = found[kind].setdefault(str(effort), {})
        settings: Sequence[float] = MIDDLE if kind == "points" else (TARGET,)
        if len(its.get(name, {}).get("bytes", [])) == len(settings):
            continue
        its[name] = {}
        words = ["patient", name, effort, *((MIDDLE, ()) if kind == "points" else ((), (TARGET,))), THREADS]
        for line in lines_of(sys.executable, words, THREADS):
            for key, value in line["point"].items():
                its[name].setdefault(key, []).append(value)
            print(f"{name}, effort {effort}: {line}", flush=True)
            yield found
    yield found


def patient_rates(found: Found) -> Found:
    """Return, by effort, BD-rates of what was learned over AVIF 4:4:4 and the quick encoder on the same pictures."""
    others = found.get("quick", {}).get("points", {})
    rates: Found = {}
    for effort, its in found["patient"]["points"].items():
        names = {name for name, one in its.items() if len(one.get("bytes", [])) == len(MIDDLE)}
        if not names:
            continue
        curve = means(its, names)
        rates[effort] = {"pictures": len(names), "means": curve}
        for tool in ("AVIF", "WebP", "JPEG", "isthmus"):
            if names <= others.get(tool, {}).keys():
                beside = means(others[tool], names)
                rates[effort][f"over {tool}"] = {scale: bd(curve, beside, scale) for scale in ("psnr", "ms_ssim_db")}
    return rates


def speed(options: argparse.Namespace, _: Found) -> Iterator[Found]:
    """Yield seconds and memory of a picture of Kodak and of 24 megapixels, and seconds of the hyperprior."""
    picture = peers.pixels_of(peers.kodak(options.data)[0])
    found: Found = {"quality": SPEED, "threads": THREADS}
    pictures = {"768x512": (picture, options.rounds), "24 megapixels": (own.mirrored(picture, *LARGE), 1)}
    with tempfile.TemporaryDirectory() as name:
        for size, (pixels, rounds) in pictures.items():
            array, file = Path(name) / "array.npy", Path(name) / "file"
            np.save(array, pixels)
            file.write_bytes(own.coded(pixels, SPEED).data)
            found[size] = {"bytes": file.stat().st_size}
            for way, source, threads in itertools.product(("encode", "decode"), (array, file), (1, THREADS)):
                if (way == "encode") == (source == array) and (threads == THREADS or rounds > 1):
                    words = ["speed", way, str(source), SPEED, threads, rounds]
                    found[size][f"{way}, {counted(threads)}"] = one_of(sys.executable, words, threads)
            yield found
    try:
        words = ["hyperprior", *picture.shape[:2], THREADS, options.rounds]
        found["CompressAI's hyperprior"] = one_of(options.peer_python, words, THREADS)
    except ChildError as error:
        found["CompressAI's hyperprior"] = {"missing": str(error).rpartition(": ")[2]}
    yield found


def counted(threads: int) -> str:
    """Return a number of threads in words."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def sizes(options: argparse.Namespace, before: Found) -> Iterator[Found]:
    """Yield estimated and real bytes, picture by picture."""
    found: Found = {"qualities": FEW, "pictures": dict(before.get("pictures", {}))}
    rest = [name for name in options.pictures if name not in found["pictures"]]
    for line in side_by_side([(sys.executable, ["sizes", some, FEW]) for some in (rest[::2], rest[1::2]) if some]):
        found["pictures"][line["picture"]] = line["bytes"]
        yield found
    pairs = np.array(list(found["pictures"].values()), np.float64)  # (pictures, qualities, 2)
    wrong = np.abs(pairs[..., 0] - pairs[..., 1])
    found["worst_bytes"], found["worst_share"] = int(wrong.max()), round(float((wrong / pairs[..., 1]).max()), 5)
    beyond = wrong - BYTES
    found["worst_share_beyond_100_bytes"] = round(float(np.maximum(beyond / pairs[..., 1], 0).max()), 5)
    yield found


def decoders(options: argparse.Namespace, _: Found) -> Iterator[Found]:
    """Yield the digests of all decoders."""
    found: Found = {}
    with tempfile.TemporaryDirectory() as name:
        own.write_files(options.data, Path(name), FEW)
        found["files"] = len(list(Path(name).iterdir()))
        for (instructions, number), threads in itertools.product(INSTRUCTIONS.items(), (1, 2)):
            words = ["digests", name, number, threads]
            found[f"{instructions}, {counted(threads)}"] = one_of(sys.executable, words)
        found["norm"] = one_of(sys.executable, ["digests", name, -1, 1])
    yield found


# ---------------------------------------------------------------------- promises


def claims(report: harness.Report, found: Found) -> None:
    """Add what was promised of the parts that were measured."""
    for part, add in CLAIMS.items():
        if part in found:
            add(report, found)


def quick_claims(report: harness.Report, found: Found) -> None:
    """Add BD-rates of the quick encoder."""
    rates = found["quick"].get("bd_rate", {})
    for scale, word in (("psnr", "PSNR"), ("ms_ssim_db", "MS-SSIM")):
        for tool, rate in rates.get(scale, {}).items():
            limit, words = OVER.get(tool, (0.0, "beside it")) if scale == "psnr" else (0.0, "beside it")
            must = words.startswith("at most") and rate is not None
            report.claim(f"quick: BD-rate by {word} over {tool}", rate, words, rate <= limit if must else None)


def patient_claims(report: harness.Report, found: Found) -> None:
    """Add BD-rates of the patient encoder over AVIF, with the time it took."""
    for effort, its in patient_rates(found).items():
        minutes, rate = statistics.fmean(its["means"]["seconds"]) / 60, its.get("over AVIF", {}).get("psnr")
        report.claim(f"patient, effort {effort}: minutes a picture", minutes, "beside it", None)
        within = minutes <= AT_MINUTES and rate is not None
        must = f"at most {OVER_AVIF:+.0%} in {AT_MINUTES:g} minutes" if within else "beside it"
        what = f"patient, effort {effort}: BD-rate by PSNR over AVIF"
        report.claim(what, rate, must, rate <= OVER_AVIF if within else None)


def speed_claims(report: harness.Report, found: Found) -> None:
    """Add seconds and memory; what a busy machine took is no measurement."""
    two = counted(THREADS)
    for size, way, must, aim, memory in (
        ("768x512", "decode", DECODE, DECODE_AIM, GIGABYTE),
        ("24 megapixels", "encode", BOTH, BOTH_AIM, GIGABYTES),
        ("24 megapixels", "decode", BOTH, BOTH_AIM, GIGABYTES),
    ):
        its = found["speed"].get(size, {}).get(f"{way}, {two}")
        if its is None:
            continue
        quiet, seconds, gigabytes = (its["other_cores"] or 0) <= BUSY, its["median"], its["peak_bytes"] / 1e9
        what = f"{size}, {way}: s" + ("" if quiet else "; others kept the machine busy")
        report.claim(what, seconds, f"at most {must:g}; aim {aim:g}", seconds <= must if quiet else None)
        report.claim(f"{size}, {way}: GB", gigabytes, f"at most {memory:g}", gigabytes <= memory)
    other = found["speed"].get("CompressAI's hyperprior", {})
    if "decode" in other:
        report.claim("768x512, decode: s, CompressAI's hyperprior", other["decode"]["median"], "beside it", None)


def sizes_claims(report: harness.Report, found: Found) -> None:
    """Add how wrong estimates are."""
    its = found["sizes"]
    if "worst_share" in its:
        beyond = its["worst_share_beyond_100_bytes"]
        report.claim(
            "sizes: share that an estimate is wrong by beyond 100 bytes", beyond, "at most 0.01", beyond <= SHARE
        )
        report.claim("sizes: share, the 100 bytes included", its["worst_share"], "beside it", None)
        report.claim("sizes: bytes, the worst", its["worst_bytes"], "beside it", None)


def decoders_claims(report: harness.Report, found: Found) -> None:
    """Add how many digests there are."""
    its = [one for one in found["decoders"].values() if isinstance(one, dict) and "small" in one]
    for kind, what in (("all", "all files"), ("small", "small files, by the norm, too")):
        digests = {one[kind] for one in its if kind in one}
        report.claim(f"decoders: digests of {what}", len(digests), "one", len(digests) == 1)


CLAIMS = {
    "quick": quick_claims,
    "patient": patient_claims,
    "speed": speed_claims,
    "sizes": sizes_claims,
    "decoders": decoders_claims,
}


# ---------------------------------------------------------------------- the table


def markdown(document: Found) -> list[str]:
    """Return the rows of the table of ``docs/benchmarks.md``, from a results file."""
    found = document["measurements"]
    met = {claim["what"]: claim["met"] for claim in document["claims"]}
    rows = [row for part, make in ROWS.items() if part in found for row in make(found, met)]
    return [f"| {' | '.join((*cells, '`photographs.json`'))} |" for cells in rows]


def missed(met: Found, start: str) -> str:
    """Return the word for a promise that was not kept."""
    return "; **missed**" if any(value is False for what, value in met.items() if what.startswith(start)) else ""


def percent(share: float | None) -> str:
    """Return a BD-rate in words."""
    return "-" if share is None else f"{100 * share:+.0f} %"


def quick_rows(found: Found, met: Found) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the quick encoder."""
    its = found["quick"]
    if "bd_rate" not in its:
        return
    rates, over = its["bd_rate"], ("JPEG", "WebP", "AVIF", "JPEG XL", "VTM")
    what = f"the {its['pictures']} photographs of Kodak, quick encoder: BD-rate by PSNR over {', '.join(over)}"
    by_ssim = ", ".join(percent(rates["ms_ssim_db"].get(tool)) for tool in over)
    values = ", ".join(percent(rates["psnr"].get(tool)) for tool in over) + f"; by MS-SSIM {by_ssim}"
    theirs = "; ".join(f"{tool} {percent(rates.get('psnr_over_vtm', {}).get(tool))}" for tool in over[:-1])
    aim = "-15 % over JPEG" + missed(met, "quick:") + "; aim: level with WebP, then -27 %"
    yield what, values, f"over VTM, whose curve is published: {theirs}", aim
    curve = its["means"]["isthmus"]
    first, last = (f"{curve['bpp'][at]:.2f} bits a pixel, {curve['psnr'][at]:.1f} dB" for at in (0, -1))
    seconds = {
        tool: tuple(statistics.fmean(one[way]) for way in ("encode", "decode")) for tool, one in its["means"].items()
    }
    beside = "; ".join(f"{tool} {a:.3f}, {b:.3f}" for tool, (a, b) in seconds.items() if tool != "isthmus")
    ours = f"{first} to {last}; {seconds['isthmus'][0]:.2f} to code, {seconds['isthmus'][1]:.2f} to decode"
    yield "the same: range; processor seconds a picture", ours, beside, ""


def patient_rows(found: Found, met: Found) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the patient encoder."""
    for effort, its in patient_rates(found).items():
        over = {tool: its.get(f"over {tool}", {}).get("psnr") for tool in ("AVIF", "WebP", "JPEG", "isthmus")}
        what = f"{its['pictures']} of them (every sixth) with effort {effort}: BD-rate over AVIF; minutes, two threads"
        minutes = statistics.fmean(its["means"]["seconds"]) / 60
        others = {"WebP": "WebP", "JPEG": "JPEG", "the quick encoder": "isthmus"}
        beside = "over " + ", ".join(f"{name} {percent(over[tool])}" for name, tool in others.items())
        aim = (
            "+20 % in 3 minutes; aim: level" + missed(met, f"patient, effort {effort}:")
            if minutes <= AT_MINUTES
            else ""
        )
        yield what, f"{percent(over['AVIF'])}; {minutes:.1f}", beside, aim
    for name in CURVES:
        points = [
            (effort, its[name]) for effort, its in found["patient"]["curves"].items() if its.get(name, {}).get("bytes")
        ]
        points.sort(key=lambda one: int(one[0]))
        if points:
            values = ", ".join(
                f"{8 * one['bytes'][0] / 393216:.3f} after {one['seconds'][0]:.0f} s" for _, one in points
            )
            yield f"{name} at {TARGET:g} dB: bits a pixel, by effort", values, "", ""


def speed_rows(found: Found, met: Found) -> Iterator[tuple[str, ...]]:
    """Yield the rows of speed and memory."""
    its, two = found["speed"], counted(THREADS)
    for size, aim in (("768x512", "decode .6 s, 1 GB; aim .15 s"), ("24 megapixels", "60 s each, 3 GB; aim 20 s")):
        if f"decode, {two}" not in its.get(size, {}):
            continue
        cells = [
            f"{way} {one['median']:.2g} s, {one['peak_bytes'] / 1e9:.2g} GB"
            for way in ("encode", "decode")
            for one in [its[size][f"{way}, {two}"]]
        ]
        other = its.get("CompressAI's hyperprior", {}) if size == "768x512" else {}
        beside = f"CompressAI's hyperprior: decode {other['decode']['median']:.2g} s" if "decode" in other else ""
        yield f"{size}, two threads, start-up not counted", "; ".join(cells), beside, aim + missed(met, f"{size},")


def sizes_rows(found: Found, met: Found) -> Iterator[tuple[str, ...]]:
    """Yield the row of estimated sizes."""
    its = found["sizes"]
    if "worst_share" in its:
        many = f"{len(its['pictures'])} pictures at {len(FEW)} qualities"
        what = f"bytes as the networks estimate them, and those of the file: {many}"
        values = (
            f"{100 * its['worst_share_beyond_100_bytes']:.2g} % + 100 bytes apart at most; {its['worst_bytes']} bytes"
        )
        yield what, values, "", "1 % + 100 bytes" + missed(met, "sizes:")


def decoders_rows(found: Found, met: Found) -> Iterator[tuple[str, ...]]:
    """Yield the row of digests."""
    its = found["decoders"]
    ran = [name for name, one in its.items() if isinstance(one, dict) and "small" in one]
    ways = "by plain C, AVX2 and AVX-512, one and two threads, small ones by the norm, too"
    what = f"{its['files']} files decoded {ways}: digests of pixels"
    kinds = ("all", "small")
    digests = [len({its[name][kind] for name in ran if kind in its[name]}) for kind in kinds]
    words = "one" if digests == [1, 1] else " and ".join(map(str, digests))
    yield what, f"{words}, of {len(ran)} decoders", "", "one" + missed(met, "decoders:")


ROWS = {
    "quick": quick_rows,
    "patient": patient_rows,
    "speed": speed_rows,
    "sizes": sizes_rows,
    "decoders": decoders_rows,
}


# ---------------------------------------------------------------------- main


def main() -> int:
    """Measure the parts, write each down while it comes, and print what was promised."""
    options = parse()
    if options.child:
        as_child(*json.loads(options.child))
        return 0
    path = options.out / f"{NAME}.json"
    if options.table:
        print("\n".join(markdown(json.loads(path.read_text()))))
        return 0
    from isthmus.coding.photographs.weights import shipped

    weights = shipped()
    if weights is None:
        raise SystemExit("isthmus came without the weights of its photographic codec.")
    found = kept(path, weights.fingerprint.hex())
    versions = harness.isthmus_versions() | harness.versions("pillow")
    settings = {"seed": peers.SEED, "quality_of_speed": SPEED, "large": LARGE, "threads": THREADS}
    report = harness.Report(NAME, settings, versions, measurements=found)
    measure = {"quick": quick, "patient": patient, "speed": speed, "sizes": sizes, "decoders": decoders}
    for part in options.only or PARTS:
        for its in measure[part](options, {} if options.again else found.get(part, {})):
            found[part] = its
            report.write(options.out)
        print(f"{part}: done", flush=True)
    if "patient" in found:
        found["patient"]["rates"] = patient_rates(found)
    claims(report, found)
    return report.publish(options.out)


def kept(path: Path, weights: str) -> Found:
    """Return what was measured before: with other weights, what other tools made alone."""
    found: Found = dict(json.loads(path.read_text())["measurements"]) if path.exists() else {}
    if found.get("weights", weights) != weights:
        print("The last run had other weights: what isthmus made with those is left out.")
        points = found.get("quick", {}).get("points", {})
        rest = {tool: its for tool, its in points.items() if tool != "isthmus"}
        known = {name: found["quick"][name] for name in ("versions", "missing") if name in found.get("quick", {})}
        found = {"quick": {"points": rest, **known}} if rest else {}
    return {"weights": weights, **found}


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--only", nargs="+", choices=PARTS, help="some parts; the others are kept from the last run")
    made.add_argument("--again", action="store_true", help="measure what is known already, too")
    made.add_argument("--pictures", type=int, default=ALL, help="how many of the 24, for quick and sizes")
    made.add_argument("--efforts", nargs="+", type=int, default=[4], help="of the patient encoder")
    made.add_argument("--curve-efforts", nargs="*", type=int, default=[1, 2, 3, 4, 5, 6, 7], help="of its curves")
    made.add_argument("--rounds", type=int, default=5, help="that a small picture is timed")
    made.add_argument("--table", action="store_true", help="measure nothing; print the results file's rows in Markdown")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    if not options.table and not os.environ.get("ISTHMUS_DATA"):
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds kodak/, the 24 pictures as PNG files.")
    if not options.table and not options.child:
        options.data = Path(os.environ["ISTHMUS_DATA"])
        options.pictures = [path.stem for path in peers.kodak(options.data)[: options.pictures]]
    return options


if __name__ == "__main__":
    sys.exit(main())

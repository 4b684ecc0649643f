"""What the shipped restorer makes of damaged pictures, beside filters of other libraries, and how fast it is.

``denoise-grey``, ``denoise-colour``: BSD68, Set12 and CBSD68 with Gaussian noise of 15, 25 and 50 levels, added once
with a fixed seed, neither clipped nor rounded, as floats. Results are not rounded either. The restorer is not told how
strong the noise is; the filters are. BM3D and CBM3D, which are slow, run with 25 levels (CBM3D on every fourth
picture); for other levels their published figures are cited.
``jpeg``: BSD68 saved as grey JPEG of quality 10, 20 and 40 by Pillow. ``enlarge``: CBSD68 reduced by Pillow's bicubic
interpolation, to bytes, enlarged in colour and scored on luma without a border of as many pixels as the scale; also
with the small pictures saved as JPEG of quality 70 before. ``inpaint``: Set12 without half of its pixels, and under a
text. In these three, pictures come in bytes and go out in bytes.
``speed``: a picture of 1024x1024 on two threads, medians of five runs in turn with networks of the width of DnCNN and
FFDNet, and the peak memory of a process that does nothing else. ``clean``: how much pictures are changed that nothing
is wrong with. ``sizes``: small and odd sizes.

Decibels are of whole pictures, their means over pictures. Nothing was tuned on these sets: ``--validation`` measures
the same on pictures of another collection, which is what choices are made with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import harness
import numpy as np
from restoration_peers import PACKAGES, PEERS, PUBLISHED, PUBLISHED_PICTURES, widths
from restoration_sets import JPEG_OF_SMALL, ROWS, SEED, Case, Row, pictures

NAME = "restoration"
PARTS = (*dict.fromkeys(row.part for row in ROWS), "speed", "clean", "sizes")
WITH_PEERS = tuple(dict.fromkeys(row.part for row in ROWS if row.peers))
GOALS = {  # decibels: at least, and aim
    "BSD68, sigma 15": (31.4, 31.7),
    "BSD68, sigma 25": (28.95, 29.25),
    "BSD68, sigma 50": (26.0, 26.35),
    "CBSD68, sigma 25": (30.9, 31.3),
}
GAINS = {  # decibels over the damaged picture itself: at least
    **{f"JPEG quality {quality}": 0.9 for quality in (10, 20, 40)},
    **{"x2": 1.0, "x4": 0.7, "x2 of JPEG": 0.5, "x4 of JPEG": 0.5},
}
SECONDS, AIM_SECONDS, GIGABYTES, SOONER = 4.0, 2.0, 1.5, 2.0  # of a megapixel on two threads
THREADS, ROUNDS, BUSY = 2, 5, 0.25  # cores that may be busy with something else while speed is measured
CHANGE = 0.5  # levels that a clean picture may change by, on average
CLEAN = ("BSD68", "CBSD68", "Kodak")
SIZES, TYPES = ((1, 1), (7, 13), (355, 32), (431, 1073)), ("uint8", "uint16", "float32")

Found = dict[str, Any]


# ---------------------------------------------------------------------- what children do


def restorer(weights: Path) -> Any:
    """Return the restorer of a weight file."""
    from isthmus.models import restorer as module

    module.SHIPPED = weights
    return module.Restorer.shipped()


def own_rows(options: argparse.Namespace, part: str, share: int) -> Found:
    """Return the decibels of the restorer, and of the damaged pictures themselves."""
    made = restorer(options.weights)

    def restored(case: Case) -> np.ndarray:
        return made.picture(case.damaged, known=case.known, scale=case.scale)

    def methods(row: Row) -> dict[str, tuple[Callable[[Case], np.ndarray], int]]:
        return {"isthmus": (restored, 1)} | ({row.untouched: (Case.untouched, 1)} if row.untouched else {})

    return scores(options, part, share, methods)


def peer_rows(options: argparse.Namespace, part: str, share: int) -> Found:
    """Return the decibels of the other libraries; runs where they are installed."""
    found = scores(options, part, share, lambda row: {name: (PEERS[name], every) for name, every in row.peers.items()})
    return found | {"versions": harness.versions(*PACKAGES)}


def scores(
    options: argparse.Namespace,
    part: str,
    share: int,
    methods: Callable[[Row], dict[str, tuple[Callable[[Case], np.ndarray], int]]],
) -> Found:
    """Return the decibels of some methods on every second picture of each row of a part: row, method, picture."""
    found: Found = {}
    for row in ROWS:
        if row.part != part:
            continue
        its: Found = {name: {} for name in methods(row)}
        for index, (name, picture) in enumerate(_pictures(options, row.pictures)):
            case = None
            for method, (call, every) in methods(row).items():
                number, left = divmod(index, every)
                if left or number % 2 != share or "missing" in its[method]:
                    continue
                case = case or row.damage(picture, index)
                try:
                    its[method][name] = round(case.score(call(case)), 4)
                except ModuleNotFoundError as error:
                    its[method] = {"missing": error.name}
        found[row.name] = its
    return found


def own_clean(options: argparse.Namespace, share: int) -> Found:
    """Return by how many levels every second picture is changed though nothing is wrong with it."""
    made = restorer(options.weights)
    found: Found = {}
    for name in CLEAN:
        found[name] = {}
        for index, (key, picture) in enumerate(_pictures(options, name)):
            if index % 2 == share:
                change = np.abs(made.picture(picture).astype(int) - picture)
                found[name][key] = {"mean": round(float(change.mean()), 4), "largest": int(change.max())}
    return found


def own_sizes(options: argparse.Namespace) -> Found:
    """Return for each size, number of channels and type whether shape and type came back, and only finite numbers."""
    made = restorer(options.weights)
    rng = np.random.default_rng(SEED)
    found = {}
    for height, width in SIZES:
        for channels in ((), (3,), (4,)):
            for kind in TYPES:
                white = 1 if kind == "float32" else np.iinfo(kind).max
                picture = (white * rng.random((height, width, *channels))).astype(kind)
                back = made.picture(picture)
                right = back.shape == picture.shape and back.dtype == picture.dtype and bool(np.isfinite(back).all())
                found[f"{height}x{width}, {channels[0] if channels else 1} channels, {kind}"] = right
    return found


def speed(options: argparse.Namespace, channels: int) -> Found:
    """Return the seconds of the restorer and of networks of other widths, in turn."""
    import torch

    torch.set_num_threads(THREADS)
    made, picture = restorer(options.weights), _megapixel(options.side, channels)
    x = torch.rand(1, channels, options.side, options.side)

    def forward(network: Any) -> Callable[[], object]:
        return torch.no_grad()(lambda: network(x))

    calls: dict[str, Callable[[], object]] = {"isthmus": lambda: made.picture(picture)}
    calls |= {name: forward(network) for name, network in widths(channels).items()}
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    busy = 0.0
    for _ in range(ROUNDS):
        for name, call in calls.items():
            with harness.clocked() as clock:
                call()
            seconds[name].append(clock.seconds)
            busy = max(busy, clock.other_cores or 0.0)
    found: Found = {name: harness.spread(its, 3) for name, its in seconds.items()}
    return found | {"threads": torch.get_num_threads(), "other_cores": busy}


def memory(options: argparse.Namespace, channels: int) -> Found:
    """Return the peak memory of a process that denoises one picture."""
    import torch

    torch.set_num_threads(THREADS)
    restorer(options.weights).picture(_megapixel(options.side, channels))
    return {"bytes": harness.peak_resident_bytes()}


def _megapixel(side: int, channels: int) -> np.ndarray:
    shape = (side, side) if channels == 1 else (side, side, channels)
    return np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)


def _pictures(options: argparse.Namespace, name: str) -> Iterator[tuple[str, np.ndarray]]:
    return pictures(name, validation=options.validation, count=options.pictures)


CHILDREN: dict[str, Callable[..., Found]] = {
    "rows": own_rows,
    "peers": peer_rows,
    "clean": own_clean,
    "sizes": own_sizes,
    "speed": speed,
    "memory": memory,
}


# ---------------------------------------------------------------------- runs


def measured(part: str, options: argparse.Namespace) -> Found:
    """Return what one part finds; two children with a thread each share its pictures."""
    if part == "speed":
        kinds = {"grey": 1, "colour": 3}
        found = {kind: _child(options, "speed", channels, threads=THREADS) for kind, channels in kinds.items()}
        for kind, channels in kinds.items():
            found[kind]["peak_bytes"] = _child(options, "memory", channels, threads=THREADS)["bytes"]
        return found
    if part == "sizes":
        return _child(options, "sizes")
    if part == "clean":
        return {name: changes(its) for name, its in _halves(options, "clean").items()}
    found = {}
    if "isthmus" in options.methods:
        found = _halves(options, "rows", part)
    if "peers" in options.methods and part in WITH_PEERS:
        theirs = _halves(options, "peers", part)
        versions = theirs.pop("versions")
        found = {name: found.get(name, {}) | its for name, its in theirs.items()} | {"versions": versions}
    if not options.validation:
        found = {name: its | PUBLISHED_PICTURES.get(name, {}) for name, its in found.items()}
    return {
        name: its if name == "versions" else {method: decibels(values) for method, values in its.items()}
        for name, its in found.items()
    }


def _child(options: argparse.Namespace, kind: str, *words: object, threads: int = 1) -> Found:
    """Run one child; end where it failed."""
    python = options.peer_python if kind == "peers" else sys.executable
    order = [
        __file__,
        "--child",
        kind,
        *map(str, words),
        "--weights",
        str(options.weights),
        "--side",
        str(options.side),
    ]
    order += ["--validation"] if options.validation else []
    order += ["--pictures", str(options.pictures)] if options.pictures else []
    found = harness.child(python, order, environment={"OMP_NUM_THREADS": str(threads)})
    if "failed" in found:
        raise SystemExit(f"{kind} {words}: {found['failed']}")
    return found


def _halves(options: argparse.Namespace, kind: str, *words: object) -> Found:
    """Return what two children found, who took every second picture each: sets, methods, pictures in their order."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda share: _child(options, kind, *words, share), range(2))
    return _joined(first, second)


def _joined(first: Found, second: Found) -> Found:
    joined = {}
    for key in first | second:
        ours, theirs = first.get(key), second.get(key)
        both = isinstance(ours, dict) and isinstance(theirs, dict)
        joined[key] = _joined(ours, theirs) if both else theirs if ours is None else ours
    return joined


def decibels(values: Found) -> Found:
    """Return the mean of decibels over pictures and how they spread, with each picture's."""
    if "missing" in values or not values:
        return values
    numbers = list(values.values())
    return {
        "mean": round(statistics.fmean(numbers), 4),
        "min": min(numbers),
        "max": max(numbers),
        "deviation": round(statistics.pstdev(numbers), 4),
        "pictures": dict(sorted(values.items())),
    }


def changes(values: Found) -> Found:
    """Return how much the pictures of a set were changed: mean, the most changed one, and the most changed pixel."""
    means = [its["mean"] for its in values.values()]
    return {
        "mean": round(statistics.fmean(means), 4),
        "largest_mean": max(means),
        "largest": max(its["largest"] for its in values.values()),
        "within_half_a_level": sum(mean <= CHANGE for mean in means),
        "of": len(means),
        "pictures": dict(sorted(values.items())),
    }


def kept(found: Found, weights: str) -> Found:
    """Return what of earlier measurements still holds: with other weights, those of the other libraries alone."""
    if not found or found["weights"] == weights:
        return found
    print("The last run had other weights: what isthmus made with those is left out.")
    return {
        part: {name: {method: its[method] for method in its if method != "isthmus"} for name, its in rows.items()}
        for part, rows in found.items()
        if part in {row.part for row in ROWS}
    }


def joined_part(before: Found, now: Found) -> Found:
    """Return a part with what was measured now in place of what was measured before."""
    return before | {name: before.get(name, {}) | its if isinstance(its, dict) else its for name, its in now.items()}


# ---------------------------------------------------------------------- promises


def gain(its: Found, other: str) -> float | None:
    """Return by how many decibels the restorer lies above another method, on average over pictures that both had."""
    ours, theirs = (its.get(method, {}).get("pictures", {}) for method in ("isthmus", other))
    both = ours.keys() & theirs.keys()
    return statistics.fmean(ours[name] - theirs[name] for name in both) if both else None


def claims(report: harness.Report, found: Found) -> None:
    """Add what was promised of the parts that were measured."""
    for row in ROWS:
        its = found.get(row.part, {}).get(row.name)
        if its and "isthmus" in its:
            row_claims(report, row, its)
    for kind, its in found.get("speed", {}).items():
        speed_claims(report, kind, its)
    for name, its in found.get("clean", {}).items():
        share = its["within_half_a_level"] / its["of"]
        report.claim(f"clean pictures of {name}: share within half a level", share, "1", share == 1)
    if "sizes" in found:
        share = statistics.fmean(found["sizes"].values())
        report.claim("sizes: share with the right shape and type", share, "1", share == 1)


def row_claims(report: harness.Report, row: Row, its: Found) -> None:
    """Add the promises of one row."""
    mean, over = its["isthmus"]["mean"], gain(its, row.untouched)
    if row.name in GOALS:
        must, aim = GOALS[row.name]
        report.claim(f"{row.name}: dB", mean, f"at least {must}", mean >= must)
        report.claim(f"{row.name}: dB, the same", mean, f"aim {aim}", None)
    elif row.name in GAINS and over is not None:
        must = GAINS[row.name]
        report.claim(f"{row.name}: dB over {row.untouched}", over, f"at least {must}", over >= must)
    elif row.part == "inpaint":
        for peer in row.peers:
            better = gain(its, peer)
            report.claim(f"{row.name}: dB over {peer}", better, "above 0", None if better is None else better > 0)
    else:
        report.claim(f"{row.name}: dB", mean, "beside it", None)


def speed_claims(report: harness.Report, kind: str, its: Found) -> None:
    """Add the promises of a megapixel; what a busy machine took is no measurement."""
    quiet = its["other_cores"] <= BUSY
    seconds, gigabytes = its["isthmus"]["median"], its["peak_bytes"] / 1e9
    sooner = {name: its[name]["median"] / seconds for name in its if name.endswith("width")}
    busy = "" if quiet else "; others kept the machine busy"
    report.claim(f"megapixel, {kind}: s{busy}", seconds, f"at most {SECONDS:g}", seconds <= SECONDS if quiet else None)
    report.claim(f"megapixel, {kind}: s, the same", seconds, f"aim {AIM_SECONDS:g}", None)
    report.claim(f"megapixel, {kind}: GB", gigabytes, f"at most {GIGABYTES}", gigabytes <= GIGABYTES)
    for name, ratio in sooner.items():
        must = name.startswith("DnCNN")
        met = ratio >= SOONER if must and quiet else None
        what = f"megapixel, {kind}: times sooner than {name}{busy}"
        report.claim(what, ratio, f"at least {SOONER:g}" if must else "beside it", met)


# ---------------------------------------------------------------------- tables


GROUPS = (  # rows of the documentation: what they are called, and which rows of the results they hold
    ("BSD68 with noise of 15, 25 and 50 levels", [f"BSD68, sigma {sigma}" for sigma in (15, 25, 50)]),
    ("Set12, the same", [f"Set12, sigma {sigma}" for sigma in (15, 25, 50)]),
    ("CBSD68, the same, colour", [f"CBSD68, sigma {sigma}" for sigma in (15, 25, 50)]),
    ("BSD68 as grey JPEG of quality 10, 20 and 40", [f"JPEG quality {quality}" for quality in (10, 20, 40)]),
    ("CBSD68 enlarged by 2 and by 4, luma", ["x2", "x4"]),
    (f"the same, small pictures as JPEG of quality {JPEG_OF_SMALL}", ["x2 of JPEG", "x4 of JPEG"]),
    ("Set12 without half of its pixels; under a text", ["half missing", "text"]),
)


def markdown(document: Found) -> list[str]:
    """Return the rows of the table of ``docs/benchmarks.md``, from a results file."""
    found, file = document["measurements"], f"`{document['benchmark']}.json`"
    met = {claim["what"]: claim["met"] for claim in document["claims"]}
    rows = {row.name: row for row in ROWS}
    lines = []
    for what, names in GROUPS:
        its = {name: found.get(rows[name].part, {}).get(name, {}) for name in names}
        methods = list(dict.fromkeys(method for name in names for method in its[name] if method != "isthmus"))
        beside = [f"{method} {_means(its, method)}" for method in methods]
        beside += (
            [f"published: {_published(names)}"] if any(name in found.get("published", {}) for name in names) else []
        )
        cells = (f"{what}: dB", _means(its, "isthmus"), "; ".join(beside), _target(names, met))
        lines.append("| " + " | ".join((*cells, file)) + " |")
    return lines + [f"| {' | '.join((*cells, file))} |" for cells in _other_rows(found, met)]


def _means(its: dict[str, Found], method: str) -> str:
    """Return the means of a method, row by row; of one that had only some of the pictures beside isthmus on those."""
    cells = []
    for methods in its.values():
        record = methods.get(method, {})
        if "mean" not in record:
            cells.append("-")
            continue
        over = gain(methods, method)
        sampled = over is not None and len(record["pictures"]) < len(methods["isthmus"]["pictures"])
        on = f" (on {len(record['pictures'])} pictures; isthmus {record['mean'] + over:.2f})" if sampled else ""
        cells.append(f"{record['mean']:.2f}{on}")
    return ", ".join(cells)


def _published(names: Iterable[str]) -> str:
    methods = dict.fromkeys(method for name in names for method in PUBLISHED[name])
    return "; ".join(f"{method} {', '.join(f'{PUBLISHED[name][method]:.2f}' for name in names)}" for method in methods)


def _target(names: Sequence[str], met: dict[str, bool | None]) -> str:
    if all(name in GAINS for name in names):
        words = ", ".join(f"{GAINS[name]:g}" for name in names) + " above it"
    elif any(name in GOALS for name in names):
        words = ", ".join(f"{GOALS[name][0]:g}" if name in GOALS else "-" for name in names)
        words += "; aim " + ", ".join(f"{GOALS[name][1]:g}" if name in GOALS else "-" for name in names)
    elif "text" in names:
        words = "above each"
    else:
        return ""
    return words + _missed(met, names)


def _missed(met: dict[str, bool | None], starts: Iterable[str]) -> str:
    missed = any(value is False for what, value in met.items() if what.startswith(tuple(f"{name}:" for name in starts)))
    return "; **missed**" if missed else ""


def _other_rows(found: Found, met: dict[str, bool | None]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows about speed, clean pictures and sizes, as far as they were measured."""
    for kind, its in found.get("speed", {}).items():
        seconds = its["isthmus"]["median"]
        beside = ", ".join(
            f"{name} {its[name]['median']:.1f} s ({its[name]['median'] / seconds:.1f} times as long)"
            for name in its
            if name.endswith("width")
        )
        target = f"{SECONDS:g} s, {GIGABYTES} GB; {SOONER:g} times sooner than DnCNN's"
        took = f"{seconds:.2f} s; {its['peak_bytes'] / 1e9:.2f} GB"
        yield (
            f"1024x1024, {kind}, two threads",
            took,
            f"plain PyTorch: {beside}",
            target + _missed(met, [f"megapixel, {kind}"]),
        )
    clean = found.get("clean", {})
    if clean:
        cells = ", ".join(f"{its['within_half_a_level']} of {its['of']} of {name}" for name, its in clean.items())
        most = max(its["largest_mean"] for its in clean.values())
        target = "all" + _missed(met, [f"clean pictures of {name}" for name in clean])
        yield (
            "pictures that nothing is wrong with, changed by half a level at most on average",
            cells,
            (
                f"the most changed one by {most:.2f} levels, the most changed pixel by "
                f"{max(its['largest'] for its in clean.values())}"
            ),
            target,
        )
    if "sizes" in found:
        right = sum(found["sizes"].values())
        what = "1x1, 7x13, 355x32 and 431x1073 pixels of three types: right shape and type"
        yield what, f"{right} of {len(found['sizes'])}", "", "all" + _missed(met, ["sizes"])


def print_rows(part: str, found: Found) -> None:
    """Print the means of one part."""
    names = [row.name for row in ROWS if row.part == part]
    if not names:
        print(f"{part}: {json.dumps(found)[:600]}", flush=True)
        return
    rows = [
        (name, method, f"{its['mean']:.2f}", f"{its['min']:.2f}", f"{its['max']:.2f}", len(its["pictures"]))
        if "mean" in its
        else (name, method, "missing", "", "", "")
        for name in names
        for method, its in found.get(name, {}).items()
    ]
    harness.print_table(("row", "method", "mean", "min", "max", "pictures"), rows)


# ---------------------------------------------------------------------- main


def main() -> int:
    """Measure the parts, write each down when it is done, and print what was promised."""
    options = parse()
    if options.child:
        kind, *words = options.child
        harness.emit(**CHILDREN[kind](options, *(int(word) if word.isdigit() else word for word in words)))
        return 0
    name = f"{NAME}_validation" if options.validation else NAME
    if options.table:
        print("\n".join(markdown(json.loads((options.out / f"{name}.json").read_text()))))
        return 0
    if not os.environ.get("ISTHMUS_DATA"):
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds bsd68/, set12/ and kodak/.")
    settings = {"seed": SEED, "validation": options.validation, "pictures": options.pictures, "side": options.side}
    weights = hashlib.sha256(options.weights.read_bytes()).hexdigest()
    some = options.only or len(options.methods) == 1
    found = kept(harness.earlier(options.out, name, settings), weights) if some else {}
    found |= {"weights": weights, "published": PUBLISHED}
    versions = harness.isthmus_versions() | harness.versions("pillow")
    for part in options.only or (PARTS if "isthmus" in options.methods else WITH_PEERS):
        found[part] = joined_part(found.get(part, {}), measured(part, options))
        print_rows(part, found[part])
        report = harness.Report(name, settings, versions, measurements=found)
        if not options.validation:
            claims(report, found)
        report.write(options.out)
    return report.publish(options.out)


def parse() -> argparse.Namespace:
    """Read the command line."""
    shipped = next((harness.SOURCE / "isthmus" / "models").glob("restorer_*.safetensors"), None)
    made = harness.parser(__doc__, peers=True)
    made.add_argument("--only", nargs="+", choices=PARTS, help="some parts; the others are kept from the last run")
    made.add_argument(
        "--methods",
        nargs="+",
        choices=("isthmus", "peers"),
        default=["isthmus", "peers"],
        help="whose decibels; those of the others are kept from the last run",
    )
    made.add_argument("--weights", type=Path, default=shipped, help="a weight file (default: the shipped one)")
    made.add_argument("--validation", action="store_true", help="other pictures, for choices")
    made.add_argument("--pictures", type=int, help="of each set, at most (default: all)")
    made.add_argument("--side", type=int, default=1024, help="of the picture that is timed")
    made.add_argument("--table", action="store_true", help="measure nothing; print the results file's rows in Markdown")
    made.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.weights is None:
        made.error("the package has no weights of a restorer: name a file with --weights")
    options.weights = options.weights.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())

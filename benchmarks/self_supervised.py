"""What the restorer learns from the noisy BSD68 alone, with nothing clean: 68 grey pictures with noise of 25 levels.

Gaussian noise is added once with a fixed seed, neither clipped nor rounded (``restoration_sets.noisy``), and its level
is not told. ``alone``: a network that starts from nothing learns from these 68 pictures for a limited time on two
threads, and denoises them: as the cited methods do in their own ways, most of them having learned from more pictures.
``shipped``: the weights of the package as they are, which learned from clean photographs of other people.
``tuned``: the same weights, after some minutes with the noisy pictures.

Decibels are of whole pictures, their means over the 68. Clean pictures are used to count them, after everything else.
Nothing was tuned on this set: ``--validation`` measures the same on crops of other pictures. A run that was stopped
goes on from the checkpoints in ``--state``; finished parts are kept in the result and not run again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import harness
from restoration_sets import Case, noisy, pictures

NAME, SIGMA = "self_supervised", 25
AT_LEAST, AIM = 28.2, 28.6  # decibels, alone
STATE = harness.HERE.parent / ".training" / NAME
STARTS = {"alone": None, "tuned": "shipped"}
PUBLISHED = {  # decibels on BSD68, sigma 25
    "Noise2Void": {"mean": 27.71, "from": "Krull et al., CVPR 2019"},
    "BM3D": {"mean": 28.57, "from": "Zhang et al., Beyond a Gaussian Denoiser, TIP 2017; told the level"},
    "Noise2Noise": {"mean": 28.86, "from": "Krull et al., CVPR 2019; learned from two noisy pictures of each scene"},
    "Neighbor2Neighbor": {"mean": 28.79, "from": "Wang et al., Blind2Unblind, CVPR 2022"},
    "Blind2Unblind": {"mean": 28.99, "from": "Wang et al., CVPR 2022"},
}

SETTINGS = ("minutes", "tuned_minutes", "threads", "seed", "channels", "validation")

Found = dict[str, Any]


def measured(part: str, cases: dict[str, Case], options: argparse.Namespace) -> Found:
    """Return what one part scored, how it came about, and what it knew without clean pictures."""
    import torch

    from isthmus import Restorer

    torch.set_num_threads(options.threads)
    X = [case.damaged for case in cases.values()]
    if part == "shipped":
        return scores(Restorer.shipped().denoise(X), cases)
    made = Restorer(
        start=STARTS[part],
        self_supervised=True,
        channels=tuple(options.channels) if options.channels and part == "alone" else None,
        max_steps=10**6,
        max_seconds=60 * (options.minutes if part == "alone" else options.tuned_minutes),
        random_state=options.seed,
        verbose=1,
    )
    options.state.mkdir(parents=True, exist_ok=True)
    checkpoint = options.state / f"{part}.safetensors"
    made.fit(X, validation=0, checkpoint=checkpoint)
    found = scores(made.denoise(X), cases)
    checkpoint.unlink(missing_ok=True)
    kept = ("steps", "minutes", "precision", "noise", "check")
    return found | {name: made.provenance_[name] for name in kept} | {"notes": made.notes_, "history": made.history_}


def scores(restored: list[Any], cases: dict[str, Case]) -> Found:
    """Return decibels: their mean, and each picture's."""
    found = {name: round(case.score(one), 4) for (name, case), one in zip(cases.items(), restored, strict=True)}
    return {"mean": round(statistics.fmean(found.values()), 4), "pictures": found}


def main() -> int:
    """Run the parts that are wanted and not there yet."""
    options = parse()
    given = enumerate(pictures("BSD68", validation=options.validation, count=options.pictures))
    cases = {name: noisy(picture, index, sigma=SIGMA) for index, (name, picture) in given}
    settings = {name: getattr(options, name) for name in SETTINGS} | {"pictures": len(cases), "sigma": SIGMA}
    name = f"{NAME}_validation" if options.validation else NAME
    found = harness.earlier(options.out, name, settings)
    for part in options.parts:
        if part in found:
            continue
        found[part] = measured(part, cases, options)
        before = statistics.fmean(case.score(case.damaged) for case in cases.values())
        found |= {"untouched": {"mean": round(before, 4)}} | ({} if options.validation else {"published": PUBLISHED})
        publish(name, settings, found, options.out)  # also what there is so far
    return publish(name, settings, found, options.out)


def publish(name: str, settings: Found, found: Found, folder: Path) -> int:
    """Write what was found, with what was promised of it."""
    report = harness.Report(name, settings, harness.isthmus_versions(), measurements=found)
    if "alone" in found and not settings["validation"]:
        mean = found["alone"]["mean"]
        report.claim("dB from the noisy pictures alone", mean, f"at least {AT_LEAST}, aim {AIM}", mean >= AT_LEAST)
    if {"shipped", "tuned"} <= set(found):
        mean, before = found["tuned"]["mean"], found["shipped"]["mean"]
        report.claim("dB of the tuned weights", mean, f"no worse than before, {before}", mean >= before)
    return report.publish(folder)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--parts", nargs="+", default=["alone", "shipped", "tuned"], help="which ones to run")
    made.add_argument("--minutes", type=float, default=25.0, help="that the network from nothing learns")
    made.add_argument("--tuned-minutes", type=float, default=5.0, help="that the weights of the package learn")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--channels", type=int, nargs=3, help="of the network from nothing; by default the usual ones")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--state", type=Path, default=STATE, help="folder of checkpoints")
    made.add_argument("--validation", action="store_true", help="crops of other pictures instead")
    made.add_argument("--pictures", type=int, help="the first ones only")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

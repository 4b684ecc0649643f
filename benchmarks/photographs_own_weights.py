"""Tune the codec of photographs to pictures of one kind, and set files of held-out ones beside those without tuning.

    python benchmarks/photographs_own_weights.py --steps 600

The kind is sheets of clothes: pictures of Fashion-MNIST, ten by ten, in grey; those to learn from are of its training
set, held-out ones of its test set. Two photographs of Kodak show what the tuned codec does to others. Rates are of
whole files, PSNR is of decoded pixels; BD-rate (Bjontegaard 2001) is of each picture, tuned against shipped.
"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import harness
import numpy as np
from PIL import Image

import isthmus
from isthmus.metrics import bd_rate

QUALITIES = (10, 30, 50, 70, 90)
SIDE = 10  # pictures of a sheet, across and down
SHEETS = 40, 6  # to learn from, and held out
KODAK = ("kodim03", "kodim20")


def sheets(split: str, count: int) -> list[np.ndarray]:
    """Return sheets of clothes, each (280, 280)."""
    pictures = harness.images("fashion-mnist", split).reshape(-1, 28, 28)[: count * SIDE * SIDE]
    rows = pictures.reshape(count, SIDE, SIDE, 28, 28).transpose(0, 1, 3, 2, 4)
    return [*rows.reshape(count, SIDE * 28, SIDE * 28)]


def photographs() -> list[np.ndarray]:
    """Return two photographs, (h, w, 3)."""
    folder = Path(os.environ["ISTHMUS_DATA"]) / "kodak"
    return [np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in KODAK]


def curve(picture: np.ndarray, codec: Any) -> dict[str, list[float]]:
    """Return bits a pixel and PSNR in dB at some qualities, of what is decoded again."""
    found: dict[str, list[float]] = {"bpp": [], "psnr": []}
    for quality in QUALITIES:
        made = isthmus.compress_photograph(picture, quality=quality, lossy=True, threads=1, model=codec)
        error = np.mean((isthmus.decompress(made.data, model=codec).astype(float) - picture) ** 2)
        found["bpp"].append(round(made.bpp, 5))
        found["psnr"].append(round(10 * np.log10(255**2 / error), 3))
    return found


def compared(pictures: list[np.ndarray], codec: Any) -> dict[str, Any]:
    """Return curves of the shipped codec and the tuned one, and the BD-rates of the second against the first."""
    shipped, tuned = ([curve(picture, one) for picture in pictures] for one in (None, codec))
    rates = [
        bd_rate(after["bpp"], after["psnr"], before["bpp"], before["psnr"])
        for before, after in zip(shipped, tuned, strict=True)
    ]
    return {"shipped": shipped, "tuned": tuned, "bd_rate": harness.spread(rates, 4)}


def main() -> int:
    """Tune, compress, and write what was measured."""
    options = parse()
    settings: dict[str, Any] = {"max_steps": options.steps, "patch": options.patch, "learning_rate": options.rate}
    codec = isthmus.PhotographicCodec(**settings, device="cpu", random_state=0, verbose=1)
    with harness.clocked() as clock:
        codec.fit(sheets("train", SHEETS[0]))
    told = {"qualities": QUALITIES, "sheets": SHEETS, "kodak": KODAK, "seed": 0, **settings}
    report = harness.Report("photographs_own_weights", told, harness.isthmus_versions())
    groups = {
        "held-out sheets": compared(sheets("test", SHEETS[1]), codec),
        "photographs": compared(photographs(), codec),
    }
    report.measurements = {
        "steps": codec.provenance_["steps"],
        "processor_seconds": round(clock.cpu_seconds, 1),
        "seconds": round(clock.seconds, 1),
        "threads": codec.provenance_["threads"],
        "cost_before": codec.history_[0]["cost"],
        "cost_after": codec.history_[-1]["cost"],
        "notes": codec.notes_,
        **groups,
    }
    rows = [(name, f"{100 * its['bd_rate']['median']:+.1f} %") for name, its in groups.items()]
    harness.print_table(("pictures", "BD-rate, tuned against shipped, median"), rows)
    return report.publish(options.out)


def parse() -> Namespace:
    """Return the options."""
    made = harness.parser(__doc__)
    made.add_argument("--steps", type=int, default=600)
    made.add_argument("--patch", type=int, default=128, help="pixels a side")
    made.add_argument("--rate", type=float, help="learning rate at the start")
    return made.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

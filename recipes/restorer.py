"""Train the network with which `isthmus denoise`, `inpaint` and `enhance` restore any picture.

    python recipes/restorer.py PHOTOGRAPHS --validation PICTURES --state STATE --steps 20000 -o restorer_1.safetensors

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it:
they give colour only after they were reduced to a half or less, and grey at their full size. The run can be stopped at
any time and goes on where it was: all that it needs lies in ``STATE``. How it learns: `isthmus.training.restoring`.

A second run can go on from the weights of a first, at a lower rate, and end at a time given:

    python recipes/restorer.py ... --begin-with restorer_1.safetensors --rate 0.004 --minutes 120 -o NEXT.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import isthmus
from isthmus import Restorer, artifact
from isthmus.networks.restoring import RestoringNetwork
from isthmus.training.restoring import (
    HeldOut,
    Patches,
    Photographs,
    Plan,
    Progress,
    digest_of,
    luma,
    new_network,
    sizes_of,
    train,
)

SHARE_ALIKE = ("cid22",)  # folders that are validated on, and never trained on
LICENCES = "CC0, public domain, CC BY, Unsplash and Pexels licences: see restorer_1.credits.txt"
EVERY = 2000  # steps after which the held-out pictures are scored


def paths_of(folder: Path) -> list[Path]:
    """Return the files to train on."""
    found = sorted([*folder.glob("*/*.webp"), *folder.glob("*/*.jpg")])
    return [path for path in found if path.parent.name not in SHARE_ALIKE]


def photographs_of(paths: list[Path]) -> Photographs:
    """Return what can be shown in colour and in grey: for each photograph the sizes at which it can be."""
    colour, grey = [], []
    for path in paths:
        picture = Image.open(path).convert("RGB")
        is_lossless = "-lossless" in path.name
        sizes = sizes_of(picture, least=1.0 if is_lossless else 2.0)
        colour.append(sizes)
        if path.suffix == ".webp" and not is_lossless:
            whole = np.asarray(picture.convert("L"))[:, :, np.newaxis]
            grey.append([whole, *(luma(size) for size in sizes)])
        else:
            grey.append([luma(size) for size in sizes])
    return Photographs(colour, grey)


def digests_of(paths: list[Path]) -> Iterator[bytes]:
    """Yield name and digest of each photograph trained on."""
    for path in paths:
        yield f"{path.parent.name}/{path.name}".encode() + hashlib.sha256(path.read_bytes()).digest()


def validation_of(folder: Path) -> HeldOut:
    """Return every second picture of a folder of lossless ones."""
    return HeldOut([np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.webp"))[::2]])


def tell(progress: Progress) -> None:
    """Print what was measured, or how far the run is."""
    if progress.history and progress.history[-1]["step"] == progress.step:
        print(json.dumps(progress.history[-1]), flush=True)
    elif progress.loss is not None:
        psnr = -20 * math.log10(progress.loss)
        print(f"step {progress.step}, {psnr:.3f} dB, {progress.seconds / 60:.1f} min", flush=True)


def begun(weights: Path | None, seed: int) -> tuple[RestoringNetwork, str]:
    """Return the network at the first step, and the name of what it begins with: "nothing", or a digest."""
    if weights is None:
        return new_network(seed), "nothing"
    return Restorer.load(weights).module_, hashlib.sha256(weights.read_bytes()).hexdigest()


def write(
    path: Path, network: RestoringNetwork, plan: Plan, progress: Progress, paths: list[Path], device: str
) -> None:
    """Write the file that the package carries: weights of 16 bits, and how they came about."""
    provenance = {
        "source": ", ".join(sorted({path.parent.name for path in paths})),
        "records": len(paths),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "precision": plan.precision,
        "isthmus": isthmus.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "seed": plan.seed,
        "begun_with": plan.begun_with,
        "rate": plan.rate,
        "data": plan.data,
        "licence": LICENCES,
    }
    document = {"network": network.shape(), "provenance": provenance, "history": progress.history}
    arrays = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    artifact.write(path, "Restorer", document, arrays, force=True)


def main() -> None:
    """Train, or go on, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--begin-with", type=Path, help="weights to go on from; nothing by default")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="learning rate of the first step")
    parser.add_argument("--minutes", type=float, help="time after which to be done; the rate falls accordingly")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    paths = paths_of(given.photographs)
    network, begun_with = begun(given.begin_with, Plan.seed)
    plan = Plan(given.steps, digest_of(digests_of(paths)), begun_with, rate=given.rate)
    device = torch.device(given.device)
    given.state.mkdir(parents=True, exist_ok=True)
    progress = train(
        network,
        Patches(photographs_of(paths), plan),
        device=device,
        held_out=validation_of(given.validation),
        every=EVERY,
        max_seconds=None if given.minutes is None else 60 * given.minutes,
        checkpoint=given.state / "training.safetensors",
        tell=tell,
    )
    write(given.output, network, plan, progress, paths, device.type)


if __name__ == "__main__":
    main()

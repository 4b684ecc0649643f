"""Train the networks with which `isthmus compress photo.png --psnr 38` makes photographs small.

    python recipes/photographic.py PHOTOGRAPHS --validation PICTURES --state STATE --minutes 62 -o FOLDER

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it, and
are reduced to a half or less. The run can be stopped at any time and goes on where it was: all that it needs lies in
``STATE``. How it learns: `isthmus.training.photographic`.

A second run can go on from the weights that the package carries, at a lower rate:

    python recipes/photographic.py ... --begin-with-shipped --rate 0.004 --minutes 90 -o FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import isthmus
from isthmus import artifact
from isthmus.coding.photographs.weights import Weights
from isthmus.networks.photographic_integers import to_integers
from isthmus.tasks.compression.photographs import ANALYSIS, CLASS, networks
from isthmus.training.photographic import Codec, HeldOut, Levels, Patches, Plan, Progress, train
from isthmus.training.restoring import digest_of, sizes_of

SHARE_ALIKE = ("cid22",)  # folders that are validated on, and never trained on
LICENCES = "CC0, public domain, CC BY, Unsplash and Pexels licences: see photographs_1.credits.txt"
EVERY = 2000  # steps after which the held-out pictures are scored


def paths_of(folder: Path) -> list[Path]:
    """Return the files to train on."""
    found = sorted([*folder.glob("*/*.webp"), *folder.glob("*/*.jpg")])
    return [path for path in found if path.parent.name not in SHARE_ALIKE]


def photographs_of(paths: list[Path], patch: int) -> list[list[Levels]]:
    """Return each photograph at the sizes at which it can be shown."""
    found = []
    for path in paths:
        picture = Image.open(path).convert("RGB")
        found.append(sizes_of(picture, least=1.0 if "-lossless" in path.name else 2.0, patch=patch))
    return found


def digests_of(paths: list[Path]) -> Iterator[bytes]:
    """Yield name and digest of each photograph trained on."""
    for path in paths:
        yield f"{path.parent.name}/{path.name}".encode() + hashlib.sha256(path.read_bytes()).digest()


def validation_of(folder: Path) -> HeldOut:
    """Return the middle of every second picture of a folder of lossless ones."""
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.webp"))[::2]]
    return HeldOut([picture[64:448, 64:448] for picture in pictures])


def tell(progress: Progress) -> None:
    """Print what was measured, or how far the run is."""
    if progress.history and progress.history[-1]["step"] == progress.step:
        print(json.dumps(progress.history[-1]), flush=True)
    else:
        print(f"step {progress.step}, cost {progress.loss:.4f}, {progress.seconds / 60:.1f} min", flush=True)


def begin_with_shipped(codec: Codec) -> str:
    """Give a codec the weights that the package carries; return the fingerprint of the decoder's."""
    analysis, decoder = networks()
    codec.analysis.load_state_dict(analysis.state_dict())
    codec.decoder.load_state_dict(decoder.state_dict())
    return Weights(to_integers(decoder)).fingerprint.hex()


def write(folder: Path, codec: Codec, plan: Plan, progress: Progress, paths: list[Path], device: str) -> None:
    """Write the files that the package carries, and how they came about: the decoder in whole numbers, the analysis."""
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
    weights = Weights(to_integers(codec.decoder))
    weights.write(folder / "photographs_1.safetensors", provenance, progress.history, force=True)
    arrays = {
        name: value.detach().cpu().numpy().astype(np.float16) for name, value in codec.analysis.state_dict().items()
    }
    document = {"provenance": provenance, "decoder": weights.fingerprint.hex()}
    artifact.write(folder / ANALYSIS.name, CLASS, document, arrays, force=True)


def main() -> None:
    """Train, or go on, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--begin-with-shipped", action="store_true", help="go on from the weights of the package")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="learning rate of the first step")
    parser.add_argument("--minutes", type=float, help="time after which to be done; the rate falls accordingly")
    parser.add_argument("--batch", type=int, default=Plan.batch_size)
    parser.add_argument("--patch", type=int, default=Plan.patch)
    parser.add_argument("--precision", default=Plan.precision)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the two files")
    given = parser.parse_args()
    paths = paths_of(given.photographs)
    data = digest_of(
        f"{one.parent.name}/{one.name}".encode() + hashlib.sha256(one.read_bytes()).digest() for one in paths
    )
    codec = Codec(Plan.seed)
    begun_with = begin_with_shipped(codec) if given.begin_with_shipped else Plan.begun_with
    plan = Plan(
        given.steps, data, given.batch, given.patch, given.rate, precision=given.precision, begun_with=begun_with
    )
    device = torch.device(given.device)
    for folder in (given.state, given.output):
        folder.mkdir(parents=True, exist_ok=True)
    progress = train(
        codec,
        Patches(photographs_of(paths, plan.patch), plan),
        device=device,
        held_out=validation_of(given.validation),
        every=EVERY,
        max_seconds=None if given.minutes is None else 60 * given.minutes,
        checkpoint=given.state / "training.safetensors",
        tell=tell,
    )
    write(given.output, codec, plan, progress, paths, device.type)


if __name__ == "__main__":
    main()

"""Train the network with which `isthmus denoise`, `inpaint` and `enhance` restore any picture.

    python recipes/restorer.py PHOTOGRAPHS --validation PICTURES --state STATE --steps 20000 -o restorer_1.safetensors

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it:
they give colour only after they were reduced to a half or less, and grey at their full size. The run can be stopped at
any time and goes on where it was: all that it needs lies in ``STATE``. How it learns: `isthmus.training.restoring`.

A second run can go on from the weights of a first, at a lower rate, and end at a time given:

    python recipes/restorer.py ... --begin-with restorer_1.safetensors --rate 0.004 --minutes 120 -o NEXT.safetensors
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from common import course_of, digest_of_files, opened, parser_of, paths_of, provenance_of, validation_pictures

from isthmus import Restorer, artifact
from isthmus.networks.restoring import RestoringNetwork
from isthmus.training.restoring import HeldOut, Patches, Photographs, Plan, luma, new_network, sizes_of, train
from isthmus.training.steps import Progress


def photographs_of(paths: list[Path]) -> Photographs:
    """Return what can be shown in colour and in grey: for each photograph the sizes at which it can be."""
    colour, grey = [], []
    for path in paths:
        picture, least = opened(path)
        sizes = sizes_of(picture, least=least)
        colour.append(sizes)
        grey.append([luma(size) for size in sizes])
        if path.suffix == ".webp" and least > 1:
            grey[-1].insert(0, np.asarray(picture.convert("L"))[:, :, np.newaxis])
    return Photographs(colour, grey)


def begun(weights: Path | None, seed: int) -> tuple[RestoringNetwork, str]:
    """Return the network at the first step, and the name of what it begins with: "nothing", or a digest."""
    if weights is None:
        return new_network(seed), "nothing"
    return Restorer.load(weights).module_, hashlib.sha256(weights.read_bytes()).hexdigest()


def write(
    path: Path, network: RestoringNetwork, plan: Plan, progress: Progress, paths: list[Path], device: str
) -> None:
    """Write the file that the package carries: weights of 16 bits, and how they came about."""
    provenance = provenance_of(plan, progress, paths, device, "restorer_1.credits.txt")
    document = {"network": network.shape(), "provenance": provenance, "history": progress.history}
    arrays = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    artifact.write(path, "Restorer", document, arrays, force=True)


def main() -> None:
    """Train, or go on, and write the file."""
    parser = parser_of(__doc__.split("\n")[0], Plan, 20_000, "the file of the weights")
    parser.add_argument("--begin-with", type=Path, help="weights to go on from; nothing by default")
    given = parser.parse_args()
    paths = paths_of(given.photographs)
    network, begun_with = begun(given.begin_with, Plan.seed)
    plan = Plan(given.steps, digest_of_files(paths), begun_with=begun_with, rate=given.rate)
    held_out = HeldOut(validation_pictures(given.validation))
    patches = Patches(photographs_of(paths), plan)
    progress = train(network, patches, device=torch.device(given.device), held_out=held_out, **course_of(given))
    write(given.output, network, plan, progress, paths, given.device)


if __name__ == "__main__":
    main()

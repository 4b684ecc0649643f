"""Train the networks with which `isthmus compress photo.png --psnr 38` makes photographs small.

    python recipes/photographic.py PHOTOGRAPHS --validation PICTURES --state STATE --minutes 62 -o FOLDER

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it, and
are reduced to a half or less. The run can be stopped at any time and goes on where it was: all that it needs lies in
``STATE``. How it learns: `isthmus.training.photographic`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import course_of, digest_of_files, opened, parser_of, paths_of, provenance_of, validation_pictures

from isthmus import artifact
from isthmus.coding.photographs.weights import Weights
from isthmus.networks.photographic_integers import to_integers
from isthmus.tasks.compression.photographs import ANALYSIS, CLASS
from isthmus.training.photographic import Codec, HeldOut, Levels, Patches, Plan, train
from isthmus.training.restoring import sizes_of
from isthmus.training.steps import Progress


def photographs_of(paths: list[Path], patch: int) -> list[list[Levels]]:
    """Return each photograph at the sizes at which it can be shown."""
    pictures = (opened(path) for path in paths)
    return [sizes_of(picture, least=least, patch=patch) for picture, least in pictures]


def validation_of(folder: Path) -> HeldOut:
    """Return the middle of every second picture of a folder of lossless ones."""
    return HeldOut([picture[64:448, 64:448] for picture in validation_pictures(folder)])


def write(folder: Path, codec: Codec, plan: Plan, progress: Progress, paths: list[Path], device: str) -> None:
    """Write the files that the package carries, and how they came about: the decoder in whole numbers, the analysis."""
    provenance = provenance_of(plan, progress, paths, device, "photographs_1.credits.txt")
    weights = Weights(to_integers(codec.decoder))
    weights.write(folder / "photographs_1.safetensors", provenance, progress.history, force=True)
    arrays = {
        name: value.detach().cpu().numpy().astype(np.float16) for name, value in codec.analysis.state_dict().items()
    }
    document = {"provenance": provenance, "decoder": weights.fingerprint.hex()}
    artifact.write(folder / ANALYSIS.name, CLASS, document, arrays, force=True)


def main() -> None:
    """Train, or go on, and write the files."""
    parser = parser_of(__doc__.split("\n")[0], Plan, 100_000, "folder of the two files")
    parser.add_argument("--batch", type=int, default=Plan.batch_size)
    parser.add_argument("--patch", type=int, default=Plan.patch)
    parser.add_argument("--precision", default=Plan.precision)
    given = parser.parse_args()
    paths = paths_of(given.photographs)
    data = digest_of_files(paths)
    plan = Plan(given.steps, data, given.batch, given.patch, given.rate, precision=given.precision)
    codec, patches = Codec(plan.seed), Patches(photographs_of(paths, plan.patch), plan)
    held_out = validation_of(given.validation)
    progress = train(codec, patches, device=torch.device(given.device), held_out=held_out, **course_of(given))
    write(given.output, codec, plan, progress, paths, given.device)


if __name__ == "__main__":
    main()

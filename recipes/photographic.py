"""Train the networks with which `isthmus compress photo.png --psnr 38` makes photographs small.

    python recipes/photographic.py PHOTOGRAPHS --validation PICTURES --state STATE --minutes 62 -o FOLDER

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it, and
are reduced to a half or less. The run can be stopped at any time and goes on where it was: all that it needs lies in
``STATE``. How it learns: `isthmus.training.photographic`.

A second run can go on from the weights that the package carries, at a lower rate:

    python recipes/photographic.py ... --begin-with-shipped --rate 0.004 --minutes 90 -o FOLDER
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import course_of, digest_of_files, opened, parser_of, paths_of, provenance_of, validation_pictures

from isthmus import artifact
from isthmus.coding.photographs.weights import Weights
from isthmus.models.photographic_codec import ANALYSIS, CLASS, PhotographicCodec
from isthmus.networks.photographic_integers import to_integers, within_bounds
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


def begin_with_shipped(codec: Codec) -> str:
    """Give a codec the weights that the package carries; return the fingerprint of the decoder's."""
    analysis, decoder = PhotographicCodec.shipped().networks()
    codec.analysis.load_state_dict(analysis.state_dict())
    codec.decoder.load_state_dict(decoder.state_dict())
    return Weights(to_integers(decoder)).fingerprint.hex()


def write(folder: Path, codec: Codec, plan: Plan, progress: Progress, paths: list[Path], device: str) -> None:
    """Write the files that the package carries, and how they came about: the decoder in whole numbers, the analysis."""
    provenance = provenance_of(plan, progress, paths, device, "photographs_1.credits.txt")
    weights = Weights(to_integers(within_bounds(codec.decoder)))
    weights.write(folder / "photographs_1.safetensors", provenance, progress.history, force=True)
    arrays = {
        name: value.detach().cpu().numpy().astype(np.float16) for name, value in codec.analysis.state_dict().items()
    }
    document = {"provenance": provenance, "decoder": weights.fingerprint.hex()}
    artifact.write(folder / ANALYSIS.name, CLASS, document, arrays, force=True)


def main() -> None:
    """Train, or go on, and write the files."""
    parser = parser_of(__doc__.split("\n")[0], Plan, 100_000, "folder of the two files")
    parser.add_argument("--begin-with-shipped", action="store_true", help="go on from the weights of the package")
    parser.add_argument("--batch", type=int, default=Plan.batch_size)
    parser.add_argument("--patch", type=int, default=Plan.patch)
    parser.add_argument("--precision", default=Plan.precision)
    given = parser.parse_args()
    paths = paths_of(given.photographs)
    codec = Codec(Plan.seed)
    begun_with = begin_with_shipped(codec) if given.begin_with_shipped else Plan.begun_with
    how = {"precision": given.precision, "begun_with": begun_with}
    plan = Plan(given.steps, digest_of_files(paths), given.batch, given.patch, given.rate, **how)
    patches = Patches(photographs_of(paths, plan.patch), plan)
    given.output.mkdir(parents=True, exist_ok=True)
    held_out = validation_of(given.validation)
    progress = train(codec, patches, device=torch.device(given.device), held_out=held_out, **course_of(given))
    write(given.output, codec, plan, progress, paths, given.device)


if __name__ == "__main__":
    main()

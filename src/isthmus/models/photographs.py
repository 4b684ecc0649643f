"""What a restorer learns from: clean pictures of a person, in 8 bits and at several sizes, some of them held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus import checks, telling
from isthmus.fitting import evenly_spaced, held_out_rows
from isthmus.models.pictures import Pictures
from isthmus.networks.degradations import MARGIN
from isthmus.training.restoring import HeldOut, Photographs, digest_of, luma, sizes_of

__all__ = ["Own", "own_photographs"]

OWNER = "Restorer.fit"
SHARE, MOST = 10, 16  # one picture of ten is held out, and no more than so many
LOSSY = (".jpg", ".jpeg")  # files whose pictures carry the traces of their compression
BYTES = 4 * 2**30  # of pictures that are learned from
SIDE = 8  # pixels a side of the smallest picture that can be scored

Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class Own:
    """Clean pictures to learn from.

    Parameters
    ----------
    photographs : Photographs
        In colour and in grey, each at several sizes.
    held_out : HeldOut or None
        Others, to be scored.
    digest : str
        Of all of them.
    records, held_out_records : int
        How many were learned from and held out.
    """

    photographs: Photographs
    held_out: HeldOut | None
    digest: str
    records: int
    held_out_records: int


def own_photographs(X: Any, validation: Any, patch: int, seed: int) -> Own:
    """Return clean pictures to learn from, and those held out; tell what was done to them.

    Parameters
    ----------
    X : pictures
        As :class:`isthmus.Restorer` takes them.
    validation : pictures, float or None
        Held-out pictures, or the share of ``X`` to hold out; by default a tenth, one of two at least.
    patch : int
        Pixels a side of a patch.
    seed : int
        Of the drawing of held-out pictures.

    Raises
    ------
    DataError
        None is as large as a patch with its margins, or numbers are missing.
    """
    pictures = Pictures.of(OWNER, X)
    rows, own = _rows(pictures), isinstance(validation, int | float | None) and not isinstance(validation, bool)
    apart = rows[held_out_rows(len(rows), _count(len(rows), validation), seed)] if own else rows[:0]
    learned = _sizes(pictures, [row for row in rows if row not in apart], patch)
    if not learned:
        raise checks.pictures_too_small(OWNER, max(min(size) for size in pictures.data.sizes), patch, 2 * MARGIN)
    others = pictures if own else Pictures.of(OWNER, validation)
    judged = [sizes[0] for sizes in _sizes(others, apart if own else range(len(others.data)), SIDE - 2 * MARGIN)]
    if not judged:
        telling.note(checks.none_held_out())
    _tell(pictures)
    colour = [sizes for sizes in learned if sizes[0].shape[2] == 3]
    grey = [[size if size.shape[2] == 1 else luma(size) for size in sizes] for sizes in learned]
    digest = digest_of([*(size for sizes in learned for size in sizes), *judged])
    held_out = HeldOut(judged, seed) if judged else None
    return Own(Photographs(colour, grey), held_out, digest, len(learned), len(judged))


def _count(n: int, share: float | None) -> int:
    """Return how many of n pictures are held out."""
    if share is None:
        return 0 if n < 2 else min(MOST, max(1, n // SHARE))
    checks.number(OWNER, "validation", share, low=0, high=1, below=True)
    return min(round(n * share), n - 1)


def _rows(pictures: Pictures) -> NDArray[np.int64]:
    """Return the numbers of pictures that are learned from: all, or so many as memory is meant for."""
    rows = np.arange(len(pictures.data))
    # Each is kept at several sizes, which add up to twice its own, and in grey.
    channels = (*pictures.data.schema.shape, 1)[2] or 1
    size = 3 * channels * sum(height * width for height, width in pictures.data.sizes)
    if size <= BYTES:
        return rows
    chosen = evenly_spaced(rows, max(1, int(len(rows) * BYTES / size)))
    telling.note(checks.some_pictures(len(chosen), len(rows)))
    return chosen


def _sizes(pictures: Pictures, rows: Sequence[int] | NDArray[np.int64] | range, patch: int) -> list[list[Levels]]:
    """Return pictures at the sizes at which patches can be cut out of them; those that are too small are left out."""
    found, small, limits = [], 0, pictures.limits
    for row in rows:
        if pictures.missing[row] is not None:
            raise checks.clean_with_holes(OWNER, pictures.names[row])
        lossy = pictures.data.names is not None and Path(pictures.names[row]).suffix.lower() in LOSSY
        for levels in pictures.levels(row, limits):
            image = Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
            reduced = sizes_of(image, least=2.0, patch=patch) if lossy else []
            if sizes := reduced or sizes_of(image, patch=patch):
                found.append(sizes)
            else:
                small += 1
    if small and found:
        telling.note(checks.small_pictures_left_out(small, patch + 2 * MARGIN))
    return found


def _tell(pictures: Pictures) -> None:
    """Tell what of the pictures is not learned from."""
    names = pictures.names if pictures.data.names is not None else []
    if any(Path(name).suffix.lower() in LOSSY for name in names):
        telling.note(checks.learned_reduced())
    if pictures.data.schema.dtype not in ("uint8", "bool"):
        telling.note(checks.learned_in_levels(pictures.data.schema.dtype or ""))

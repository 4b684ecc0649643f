"""What is learned from: clean pictures of a person, in 8 bits and at several sizes, some of them held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus import checks, telling
from isthmus.fitting import evenly_spaced, held_out_rows
from isthmus.models.pictures import Pictures
from isthmus.networks.degradations import MARGIN
from isthmus.networks.restoring import RestoringNetwork
from isthmus.training.restoring import HeldOut, Patches, Photographs, Plan, digest_of, luma, sizes_of

__all__ = ["LEAST", "MOST", "OWNER", "Own", "Part", "Shown", "own_photographs", "parted", "shown_and_held_out"]

OWNER = "Restorer.fit"
SHARE, MOST = 10, 16  # one picture of ten is held out, and no more than so many
LOSSY = (".jpg", ".jpeg")  # files whose pictures carry the traces of their compression
BYTES = 4 * 2**30  # of pictures that are learned from
LEAST = 8  # pixels a side of the smallest picture that can be scored

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

    def batches(self, plan: Plan) -> Patches:
        """Return what is learned from, step by step."""
        return Patches(self.photographs, plan)

    def look(self, network: RestoringNetwork) -> tuple[dict[str, Any], list[str]]:
        """Return what is to be kept and to be said of a fitted network, beside its scores: nothing."""
        return {}, []


class Shown(NamedTuple):
    """Pictures of 8 bits, (h, w, 3) or (h, w, 1): those to learn from at several sizes each, and those held out."""

    learned: list[list[Levels]]
    held_out: list[Levels]

    @property
    def digest(self) -> str:
        """Of all of them."""
        return digest_of([*(size for sizes in self.learned for size in sizes), *self.held_out])


class Part(NamedTuple):
    """Some rows of opened pictures, and for whom."""

    owner: str
    pictures: Pictures
    rows: NDArray[np.int64]

    def each(self) -> Iterator[tuple[int, tuple[float, float] | None]]:
        """Yield each row, and the range of the numbers of the array in which it is; missing numbers are refused."""
        limits = self.pictures.limits
        for row in self.rows.tolist():
            if self.pictures.missing[row] is not None:
                raise checks.with_holes(self.owner, self.pictures.names[row])
            yield row, limits


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
    learned, judged = shown = shown_and_held_out(OWNER, X, validation, patch, seed, margin=MARGIN, least=LEAST)
    colour = [sizes for sizes in learned if sizes[0].shape[2] == 3]
    grey = [[size if size.shape[2] == 1 else luma(size) for size in sizes] for sizes in learned]
    held_out = HeldOut(judged, seed) if judged else None
    return Own(Photographs(colour, grey), held_out, shown.digest, len(learned), len(judged))


def shown_and_held_out(
    owner: str,
    X: Any,
    validation: Any,
    patch: int,
    seed: int,
    *,
    margin: int,
    least: int,
    sides: tuple[int, int] = checks.RESTORER_SIDES,
) -> Shown:
    """Return clean pictures to learn from, and those held out; tell what was done to them.

    Parameters
    ----------
    owner : str
        Whom sentences name.
    X, validation, patch, seed
        As :func:`own_photographs` takes them.
    margin : int
        Pixels around a patch that it needs.
    least : int
        Pixels a side of the smallest picture that can be scored.
    sides : (int, int), optional
        What sides of patches are: the first more than a multiple of the second.

    Raises
    ------
    DataError
        None is as large as a patch with its margins, or numbers are missing.
    """
    # Each picture is kept at several sizes, which add up to twice its own, and in grey.
    own, others = parted(owner, X, validation, seed, bytes_a_number=3)
    learned = _sizes(own, patch + 2 * margin)
    if not learned:
        largest = max(min(size) for size in own.pictures.data.sizes)
        raise checks.pictures_too_small(owner, largest, patch, 2 * margin, sides)
    judged = [sizes[0] for sizes in _sizes(others, least)]
    if not judged:
        telling.note(checks.none_held_out())
    _tell(own.pictures)
    return Shown(learned, judged)


def parted(owner: str, X: Any, validation: Any, seed: int, *, bytes_a_number: int) -> tuple[Part, Part]:
    """Return the pictures to learn from and the held-out ones; of too many, as many as memory is meant for.

    Parameters
    ----------
    owner : str
        Whom sentences name.
    X : pictures
    validation : pictures, float or None
        Held-out pictures, or the share of ``X`` to hold out; by default a tenth, one of two at least.
    seed : int
        Of the drawing of held-out pictures.
    bytes_a_number : int
        That are kept in memory.
    """
    pictures = Pictures.of(owner, X)
    rows = _rows(pictures, bytes_a_number)
    if not isinstance(validation, int | float | None) or isinstance(validation, bool):
        others = Pictures.of(owner, validation)
        return Part(owner, pictures, rows), Part(owner, others, np.arange(len(others.data)))
    apart = rows[held_out_rows(len(rows), _count(owner, len(rows), validation), seed)]
    return Part(owner, pictures, np.setdiff1d(rows, apart)), Part(owner, pictures, apart)


def _count(owner: str, n: int, share: float | None) -> int:
    """Return how many of n pictures are held out."""
    if share is None:
        return 0 if n < 2 else min(MOST, max(1, n // SHARE))
    checks.number(owner, "validation", share, low=0, high=1, below=True)
    return min(round(n * share), n - 1)


def _rows(pictures: Pictures, bytes_a_number: int) -> NDArray[np.int64]:
    """Return the numbers of pictures that are learned from: all, or so many as memory is meant for."""
    rows = np.arange(len(pictures.data))
    channels = (*pictures.data.schema.shape, 1)[2] or 1
    size = bytes_a_number * channels * sum(height * width for height, width in pictures.data.sizes)
    if size <= BYTES:
        return rows
    chosen = evenly_spaced(rows, max(1, int(len(rows) * BYTES / size)))
    telling.note(checks.some_pictures(len(chosen), len(rows)))
    return chosen


def _sizes(part: Part, side: int) -> list[list[Levels]]:
    """Return pictures at the sizes that have such sides at least; those that are too small are left out."""
    pictures, found, small = part.pictures, [], 0
    patch = side - 2 * MARGIN
    for row, limits in part.each():
        lossy = pictures.data.names is not None and Path(pictures.names[row]).suffix.lower() in LOSSY
        for levels in pictures.levels(row, limits):
            image = Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
            reduced = sizes_of(image, least=2.0, patch=patch) if lossy else []
            if sizes := reduced or sizes_of(image, patch=patch):
                found.append(sizes)
            else:
                small += 1
    if small and found:
        telling.note(checks.small_pictures_left_out(small, side))
    return found


def _tell(pictures: Pictures) -> None:
    """Tell what of the pictures is not learned from."""
    names = pictures.names if pictures.data.names is not None else []
    if any(Path(name).suffix.lower() in LOSSY for name in names):
        telling.note(checks.learned_reduced())
    if pictures.data.schema.dtype not in ("uint8", "bool"):
        telling.note(checks.learned_in_levels(pictures.data.schema.dtype or ""))

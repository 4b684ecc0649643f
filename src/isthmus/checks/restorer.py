"""Error messages of the restorer: what is no picture, of what nothing is known, and what cannot be learned from."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import DataError, ShapeError

__all__ = ["are_pictures", "missing_filled", "no_colour_picture_alone", "nothing_known"]


def are_pictures(owner: str, source: str, kind: str) -> None:
    """Refuse records that are no pictures."""
    if kind != "image":
        raise DataError(f"{owner}: {source} holds no pictures, but data of kind {kind!r}; give arrays or image files.")


def no_colour_picture_alone(owner: str, shape: Sequence[int]) -> None:
    """Refuse three dimensions of which the last one looks like the channels of a single picture."""
    if shape[-1] in (3, 4):
        raise ShapeError(
            f"{owner}: an array of three dimensions is a stack of grey pictures (n, height, width), and those of shape "
            f"{tuple(shape)} would be {shape[-1]} pixels wide; give X[None] if it is one picture in colour, or "
            f"X[..., None] if it is such a stack."
        )


def nothing_known(owner: str, name: str) -> DataError:
    """Return the error for a picture of which every pixel is missing."""
    return DataError(f"{owner}: all pixels of {name} are missing, so there is nothing to go by; leave it out.")


def missing_filled(numbers: int, pictures: int) -> str:
    """Return what is said of missing numbers."""
    what = "number was" if numbers == 1 else "numbers were"
    where = "1 picture" if pictures == 1 else f"{pictures:,} pictures"
    return f"{numbers:,} missing {what} filled in {where} (NaN counts as missing)"

"""Pictures as a restorer takes them, and back: one or many, of any container, with missing numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus import checks, telling
from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.data.opening import open_with_missing

if TYPE_CHECKING:
    from isthmus.tasks.pixels import Pixels

__all__ = ["Pictures"]

Bools = NDArray[np.bool_]
Picture = NDArray[Any]

USUAL = ("which are kept", "sub-folders")  # in what opening says of pictures that nothing was done to


@dataclass(frozen=True)
class Pictures:
    """Opened pictures, what of them is missing, and the way back to what was given.

    Parameters
    ----------
    data : Data
        Of kind "image".
    missing : list of (ndarray of bool or None)
        Of each picture where numbers are missing, in its own shape; None where none is.
    back : callable
        Returns restored pictures, one array each, as the caller gave them.
    """

    data: Data
    missing: list[Bools | None]
    back: Callable[[list[Picture]], Any] = field(repr=False)

    @classmethod
    def of(cls, owner: str, X: Any) -> Self:
        """Open pictures.

        Parameters
        ----------
        owner : str
            Whom a sentence names.
        X : array, list, path, Data or Pillow image
            Pictures as :func:`isthmus.data.open` takes them, or a single one: an array of two dimensions or an image of
            Pillow. NaN and infinities count as missing.

        Raises
        ------
        DataError, DataTypeError, ShapeError
            They are no pictures, or cannot be read.
        """
        if isinstance(X, str | os.PathLike) and os.fspath(X).lower().endswith(".npy"):
            X = isthmus_data.arrays.read_npy(Path(os.path.expanduser(X)))
        unwrapped, given = _many(owner, X)
        whole, missing = _without_missing(given)
        data = _opened(owner, whole)
        if data.names is not None and np.dtype(data.schema.dtype).kind == "f":
            missing = [_missing(data.chunk(number, number + 1)[0]) for number in range(len(data))]
        for note in data.notes:
            if not any(words in note for words in USUAL):
                telling.note(note.rstrip("."))
        missing = [None] * len(data) if missing is None else missing
        return cls(data, missing, lambda pictures: unwrapped(_restored(pictures, data)))

    def picture(self, number: int) -> Picture:
        """Return a picture, (h, w[, c])."""
        found: Picture = self.data.chunk(number, number + 1)[0]
        missing = self.missing[number]
        return found if missing is None else np.where(missing, found.dtype.type(0), found)

    def by_size(self, numbers: Iterable[int] | None = None) -> list[int]:
        """Return the numbers of pictures, by default of all, with those of one size after one another."""
        sizes = self.data.sizes
        return sorted(range(len(sizes)) if numbers is None else numbers, key=lambda number: sizes[number])

    def tell_of_missing(self) -> None:
        """Tell how many numbers are missing."""
        counts = [int(missing.sum()) for missing in self.missing if missing is not None]
        if counts:
            telling.note(checks.missing_filled(sum(counts), len(counts)))

    def levels(self, number: int, limits: tuple[float, float] | None = None) -> list[NDArray[np.uint8]]:
        """Return a picture in 8 bits, without transparency: (h, w, 3), or each band as (h, w, 1).

        Parameters
        ----------
        number : int
        limits : (float, float), optional
            Lowest and highest number of the pictures among which it is; by default its own.
        """
        pixels, unit = self.unit(number, limits)
        levels = (unit.clamp(0, 1) * 255).round().byte().numpy()
        return [np.ascontiguousarray(np.moveaxis(levels[list(group)], 0, 2)) for group in pixels.groups]

    def unit(self, number: int, limits: tuple[float, float] | None = None) -> tuple[Pixels, Tensor]:
        """Return what the numbers of a picture mean, and it with 0 for black and 1 for white: (channels, h, w).

        Parameters
        ----------
        number : int
        limits : (float, float), optional
            Lowest and highest number of the pictures among which it is; by default its own.
        """
        from isthmus.tasks.pixels import Pixels

        picture = self.picture(number)
        low, high = (float(picture.min()), float(picture.max())) if limits is None else limits
        pixels = Pixels.of(picture.dtype, 1 if picture.ndim == 2 else picture.shape[2], low, high)
        return pixels, pixels.to_unit(picture)

    @property
    def names(self) -> list[str]:
        """What each picture is called in a sentence."""
        return list(self.data.names or (f"{self.data.source}[{number}]" for number in range(len(self.data))))

    @property
    def is_one_array(self) -> bool:
        """Whether all came in one array, so that a number means the same in all of them."""
        return self.data.names is None and self.data.schema.container != "list"

    @property
    def limits(self) -> tuple[float, float] | None:
        """The lowest and the highest number of one array; pictures that came apart have limits of their own."""
        if not self.is_one_array:
            return None
        pictures = map(self.picture, range(len(self.data)))
        ranges = [(float(picture.min()), float(picture.max())) for picture in pictures]
        lowest, highest = zip(*ranges, strict=True)
        return min(lowest), max(highest)


def _opened(owner: str, X: Any) -> Data:
    """Return opened pictures of any sizes; records of another kind are refused."""
    data = isthmus_data.open(X) if isinstance(X, Data) else open_with_missing(X)
    checks.are_pictures(owner, data.source, data.schema.kind)
    return data


def _many(owner: str, X: Any) -> tuple[Callable[[Any], Any], Any]:
    """Return how one picture is taken out of many where one was given, and the many."""
    if hasattr(X, "getbands"):
        return lambda found: _as_image(found[0]), [X]
    if isinstance(X, list | tuple) and X and all(hasattr(one, "getbands") for one in X):
        return lambda found: [_as_image(one) for one in found], X
    shape = tuple(getattr(X, "shape", ())) if hasattr(X, "dtype") else ()
    if len(shape) == 3:
        checks.no_colour_picture_alone(owner, shape)
    return (lambda found: found[0], X[None]) if len(shape) == 2 else (lambda found: found, X)


def _as_image(picture: Picture) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(picture))


def _without_missing(X: Any) -> tuple[Any, list[Bools | None] | None]:
    """Return pictures in memory with zeros for numbers that are missing, and where these were."""
    if isinstance(X, list | tuple) and X and all(isinstance(one, np.ndarray) for one in X):
        pairs = [_zeros_for_missing(one) for one in X]
        return [whole for whole, _ in pairs], [missing for _, missing in pairs]
    if isinstance(X, np.ndarray) or hasattr(X, "detach"):
        whole, missing = _zeros_for_missing(X)
        return whole, None if missing is None else [one if one.any() else None for one in missing]
    return X, None


def _zeros_for_missing(X: Any) -> tuple[Any, Bools | None]:
    """Return an array or a tensor with zeros for what is missing, and where that is; as it is where nothing is."""
    if hasattr(X, "detach"):
        if not X.is_floating_point() or bool(X.isfinite().all()):
            return X, None
        return X.nan_to_num(0.0, posinf=0.0, neginf=0.0), (~X.isfinite()).cpu().numpy()
    missing = _missing(X)
    values = np.ma.getdata(X)
    return (values, None) if missing is None else (np.where(missing, values.dtype.type(0), values), missing)


def _missing(X: NDArray[Any]) -> Bools | None:
    """Return where numbers are missing: NaN, infinite, or hidden by a masked array; None where none is."""
    values, missing = np.ma.getdata(X), np.ma.getmaskarray(X) if isinstance(X, np.ma.MaskedArray) else None
    if values.dtype.kind == "f":
        infinite: Bools = ~np.isfinite(values)
        missing = infinite if missing is None else missing | infinite
    return missing if missing is not None and missing.any() else None


def _restored(pictures: list[Picture], data: Data) -> Any:
    """Return restored pictures in the container of the data."""
    varies = None in data.schema.shape
    return isthmus_data.restore(pictures if varies else np.stack(pictures), data.schema)

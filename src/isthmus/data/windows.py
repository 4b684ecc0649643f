"""A picture file as windows: what is decoded of it is what is asked for, where the format allows.

Arrays (``.npy``) and TIFF files of plain samples, in strips or in tiles, are read by windows, so that a picture may be
larger than memory. All other files (PNG, JPEG, WebP, TIFF packed as JPEG ...) are decoded whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.checks import data as checks
from isthmus.checks import pictures as sentences
from isthmus.data import arrays, images, recognition, tiff
from isthmus.data.image_header import PAGES, Header
from isthmus.data.reading import FileArray, require_file

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture", "Read", "Surroundings"]

Read = Callable[[int, int, int, int], np.ndarray]
"""Top, left, height and width of a window inside the picture to its pixels, ``(height, width[, channels])``."""

ICC_SPACE = slice(16, 20)  # of a profile: which colours it is about
SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}  # by the number of channels


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a picture's file says beside its pixels, and what its look depends on.

    Parameters
    ----------
    profile : bytes, optional
        What the colours mean, as the International Color Consortium has it (ICC.1).
    resolution : tuple of float, optional
        Pixels an inch, across and down.
    """

    profile: bytes | None = None
    resolution: tuple[float, float] | None = None


class Picture:
    """The first picture of a file; its header is read, and nothing decoded.

    Parameters
    ----------
    path : Path
        An image file, or ``.npy`` of shape ``(height, width[, channels])``.
    kept : int, default=128 MiB
        Bytes of unpacked strips and tiles of a TIFF file that are kept between windows.

    Attributes
    ----------
    header : Header
    shape : tuple of int
        As an array of all pixels has it.
    by_windows : bool
        Whether windows are read by themselves.
    surroundings : Surroundings
    notes : list of str
        What differs from what one may expect of the file: sentences.

    Raises
    ------
    DataError, DataTypeError, ShapeError
        It is no picture, damaged, or holds no pixels.
    """

    def __init__(self, path: Path, kept: int = 128 * 2**20) -> None:
        self.path, self.kept = path, kept
        self.notes: list[str] = []
        self._array: FileArray | None = None
        self.surroundings = Surroundings()
        require_file(path)
        found = recognition.recognise(recognition.first_bytes(path), path)
        if found is not None and found.reader == "npy":
            self._array = arrays.npy(path)
            self.header = _of_array(self._array, path)
            self.shape = self._array.shape
            self.by_windows = True
            return
        self.header = self._first_of_file()
        self.shape = (*self.header.size, *((self.header.channels,) if self.header.channels > 1 else ()))
        with images.decoding(path):
            self.by_windows = self.header.format == "TIFF" and tiff.by_windows(path, self.header, kept)
            self.surroundings = self._beside_pixels()
        if not self.by_windows:
            checks.image_size(path, self.header.size)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * np.dtype(self.header.dtype).itemsize

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """Give what reads windows until the block ends; a picture that is not read by windows is decoded now."""
        if self._array is not None:
            yield _of_rows(self._array)
        elif self.by_windows:
            with tiff.windows(self.path, self.header, self.kept) as read:
                yield self._guarded(read)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # plugins warn about odd metadata, and about what is merely large
                whole = next(iter(images.decode(self.path, [self.header], None, finite=False)))
            yield lambda top, left, height, width: whole[top : top + height, left : left + width]

    def _guarded(self, read: Read) -> Read:
        """Return a reader whose complaints are sentences."""

        def guarded(top: int, left: int, height: int, width: int) -> np.ndarray:
            with images.decoding(self.path):
                return read(top, left, height, width)

        return guarded

    def _first_of_file(self) -> Header:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            headers = images.read_headers(self.path, None, limited=False, modes=False)
        header = headers[0]
        self.notes += [f"{self.path.name}: its pixels {text}." for text in header.conversions if text != PAGES]
        if len(headers) > 1:
            self.notes.append(sentences.first_of_several(self.path.name, len(headers)))
        return header

    def _beside_pixels(self) -> Surroundings:
        """Return a file's colour profile, if it is one of the colours that are read, and its resolution."""
        if self.header.format == "Netpbm":
            return Surroundings()
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.header.format == "TIFF":
                profile, resolution = tiff.beside_pixels(self.path, self.header)
            else:
                with Image.open(self.path) as image:
                    profile, resolution = image.info.get("icc_profile"), _inches(image)
        if profile and profile[ICC_SPACE] != SPACES.get(self.header.channels):
            self.notes.append(sentences.profile_left_out(self.path.name))
            profile = None
        if resolution and self.header.orientation >= 5:
            resolution = resolution[::-1]
        return Surroundings(profile or None, resolution)


def _inches(image: Image.Image) -> tuple[float, float] | None:
    """Return the pixels an inch that a file states; files of nonsense state nothing."""
    found = image.info.get("dpi")
    if not isinstance(found, tuple) or len(found) != 2:
        return None
    across, down = (float(side) for side in found)
    return (across, down) if all(1 <= side < 1e6 for side in (across, down)) else None


def _of_array(array: FileArray, path: Path) -> Header:
    """Return the header of an array that is a picture."""
    checks.numeric_dtype(np.empty(0, array.dtype), path.name)
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise sentences.no_samples(dtype)
    if len(array.shape) not in (2, 3) or not array.nbytes:
        raise sentences.no_picture(array.shape)
    channels = array.shape[2] if len(array.shape) == 3 else 1
    return Header("NumPy", (array.shape[0], array.shape[1]), channels, dtype.name, alpha=channels in (2, 4))


def _of_rows(array: FileArray) -> Read:
    """Return what reads windows of an array: a run of neighbours in the file at a time."""
    flat = FileArray(array.path, array.dtype, (math.prod(array.shape),), array.offset)
    sides = array.shape
    rows, columns, depth = (*sides, 1)[:3]
    native = array.dtype.newbyteorder("=")

    def by_rows(top: int, left: int, height: int, width: int) -> np.ndarray:
        starts = [((top + row) * columns + left) * depth for row in range(height)]
        found = np.stack([flat.read(start, start + width * depth) for start in starts])
        return found.reshape(height, width, *sides[2:]).astype(native, copy=False)

    def by_columns(top: int, left: int, height: int, width: int) -> np.ndarray:
        starts = [(plane * columns + left + at) * rows + top for plane in range(depth) for at in range(width)]
        found = np.stack([flat.read(start, start + height) for start in starts])
        return np.ascontiguousarray(found.reshape(*sides[2:], width, height).T.astype(native, copy=False))

    return by_columns if array.fortran else by_rows

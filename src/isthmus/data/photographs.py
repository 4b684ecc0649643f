"""Picture files as photographs: samples of 8 or 16 bits, and what stands beside them that their look depends on."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import photographs as checks
from isthmus.data.windows import Picture

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Photo", "as_photo", "read_photo"]

BESIDE_LIMIT = 1 << 24  # bytes of a profile or of EXIF data that are kept
EXIF = b"Exif\0\0"  # that they begin with in JPEG files
ORIENTATION = 0x0112
DESCRIBING = frozenset((270, 271, 272, ORIENTATION, 305, 306, 315, 316, 33432))  # from ImageDescription to Copyright
DIRECTORIES = (34665, 34853)  # of the exposure, and of the place
UNREADABLE = (OSError, KeyError, ValueError, TypeError, SyntaxError, struct.error)  # that Pillow raises of a TIFF file
SHORT = 3  # type of a field
INCH = 0.0254  # metres
BITS = {"bool": 8, "uint8": 8, "uint16": 16}


@dataclass(frozen=True)
class Photo:
    """A photograph that was read.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, (height, width, channels)
        1 grey, 2 grey and transparency, 3 RGB, 4 RGB and transparency.
    beside : tuple of (bytes, bytes)
        Colour profile, EXIF and resolution, as the names and contents of chunks of a PNG file.
    notes : tuple of str
        Sentences on what differs from what one may expect.
    format : str, optional
        Of the file, as in ``"JPEG"``.
    """

    pixels: NDArray[Any]
    beside: tuple[tuple[bytes, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    format: str | None = None

    @property
    def bits(self) -> int:
        """Of a sample."""
        return 8 * self.pixels.itemsize

    @property
    def colours(self) -> NDArray[Any]:
        """The channels without the transparency, (height, width, 1 or 3)."""
        return self.pixels[:, :, : 3 if self.pixels.shape[2] > 2 else 1]

    @property
    def alpha(self) -> NDArray[Any] | None:
        """The transparency, (height, width); None where there is none."""
        return self.pixels[:, :, -1] if self.pixels.shape[2] in (2, 4) else None


def as_photo(pixels: Any) -> Photo:
    """Return an array, (height, width) or (height, width, channels), as a photograph.

    Raises
    ------
    DataTypeError
        It holds other samples than of 8 or 16 bits.
    ShapeError
        It is no picture.
    """
    found = np.asarray(pixels)
    if found.dtype.name not in BITS:
        raise checks.samples_of_photographs(found.dtype)
    found = found[:, :, None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[2] not in (1, 2, 3, 4) or not found.size:
        raise checks.shape_of_photographs(found.shape)
    return Photo(found.astype(np.uint8) * 255 if found.dtype == bool else found.astype(found.dtype.newbyteorder("=")))


def read_photo(path: str | os.PathLike[str]) -> Photo:
    """Return the first picture of a file: PNG, JPEG, WebP, TIFF, BMP, and what else isthmus reads; upright.

    Raises
    ------
    DataError
        There is no such file, or it is damaged, or no picture.
    DataTypeError, ShapeError
        It has other samples than of 8 or 16 bits, or more channels than a photograph.
    """
    picture = Picture(Path(path))
    header = picture.header
    if header.dtype not in BITS:
        raise checks.samples_of_photographs(header.dtype)
    if header.channels not in (1, 2, 3, 4) or (header.channels in (2, 4) and not header.alpha):
        raise checks.shape_of_photographs(picture.shape)
    with picture.opened() as read:
        photo = as_photo(np.ascontiguousarray(read(0, 0, *picture.shape[:2])))
    beside, notes = _beside(picture)
    return Photo(photo.pixels, beside, (*picture.notes, *notes), header.format)


def _beside(picture: Picture) -> tuple[tuple[tuple[bytes, bytes], ...], list[str]]:
    """Return what stands beside the pixels of a file, as chunks of a PNG file, and what is said of what is left out."""
    exif, notes = None, []
    if picture.header.format not in ("NumPy", "Netpbm"):
        try:
            exif = _exif(picture.path)
        except UNREADABLE:
            notes.append(checks.exif_unreadable(picture.path.name))
    every = [
        *_as_chunk(b"iCCP", picture.surroundings.profile, b"profile\0\0", zlib.compress),
        *_resolution(picture.surroundings.resolution),
        *_as_chunk(b"eXIf", exif, b"", upright),
    ]
    kept = tuple((kind, content) for kind, content in every if len(content) <= BESIDE_LIMIT)
    if len(kept) < len(every):
        notes.append(checks.too_long_beside(picture.path.name, BESIDE_LIMIT))
    return kept, notes


def _as_chunk(kind: bytes, content: bytes | None, head: bytes, made: Any) -> list[tuple[bytes, bytes]]:
    return [(kind, head + made(content))] if content else []


def _resolution(inches: tuple[float, float] | None) -> list[tuple[bytes, bytes]]:
    if inches is None:
        return []
    across, down = (round(side / INCH) for side in inches)
    return [(b"pHYs", struct.pack(">IIB", across, down, 1))]


def _exif(path: Path) -> bytes | None:
    """Return the EXIF data of a file, as they stand in a PNG file."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            found = _of_tiff(image) if image.format == "TIFF" else image.info.get("exif")
    if not isinstance(found, bytes):
        return None
    found = found.removeprefix(EXIF)
    return found if found[:4] in (b"II*\0", b"MM\0*") else None


def _of_tiff(image: Image.Image) -> bytes | None:
    """Return as EXIF data what a TIFF file says of camera and picture, without what says how pixels lie in it."""
    every = image.getexif()
    kept = type(every)()
    kept.update({tag: value for tag, value in every.items() if tag in DESCRIBING})
    for directory in DIRECTORIES:
        if found := every.get_ifd(directory):
            kept[directory] = found
    return kept.tobytes() if kept else None


def upright(exif: bytes) -> bytes:
    """Return EXIF data that say that the picture is upright, where they say anything of it; all else is as it was."""
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for place in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, place)
            if (tag, kind) == (ORIENTATION, SHORT):
                return exif[: place + 8] + struct.pack(order + "H", 1) + exif[place + 10 :]
    except struct.error:  # they say nothing that a reader could follow
        return exif
    return exif

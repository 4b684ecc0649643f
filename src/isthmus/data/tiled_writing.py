"""Picture files written tile by tile, in the format that the name's suffix says.

An array (``.npy``) and a tiled TIFF file are written as the tiles come, so that a picture may be larger than memory.
All other formats are put together in memory first. Nothing is converted: a format that does not hold the numbers or the
channels of a picture is refused.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from isthmus.checks import data as checks
from isthmus.checks import pictures as sentences
from isthmus.data import tiff
from isthmus.data.deep_colour import write_png
from isthmus.data.windows import Picture, Surroundings
from isthmus.data.writing import picture_file, replacing

__all__ = ["BY_SUFFIX", "FORMATS", "Block", "Layout", "check", "is_streamed", "write"]

INCHES = 39.3701  # in a metre
TIFF_STEP = 16  # sides of the tiles of a TIFF file are multiples of it


class Block(NamedTuple):
    """A part of a picture: its first row and column, and its pixels, ``(height, width[, channels])``."""

    top: int
    left: int
    values: np.ndarray


@dataclass(frozen=True)
class Layout:
    """What a picture to be written looks like.

    Parameters
    ----------
    shape : tuple of int
        Height, width and, where the pixels have an axis of them, channels.
    dtype : dtype
    alpha : bool
        Whether the last channel is transparency.
    surroundings : Surroundings, optional
        What the file is to say beside the pixels, where its format has a place for it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    alpha: bool
    surroundings: Surroundings = field(default_factory=Surroundings)

    @classmethod
    def of(cls, picture: Picture, scale: int = 1) -> Self:
        """Return the layout of what becomes of a picture file, so many times as high and as wide."""
        height, width, *channels = picture.shape
        shape = (scale * height, scale * width, *channels)
        return cls(shape, np.dtype(picture.header.dtype), picture.header.alpha, picture.surroundings)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Format:
    """A format of picture files.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
    holds : dict of str to tuple of int
        The channels that it may have, by the type of numbers; empty for any.
    options : dict
        Of Pillow's ``save``.
    """

    name: str
    suffixes: tuple[str, ...]
    holds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def takes(self, layout: Layout) -> bool:
        """Return whether the format holds a picture as it is."""
        if self.name == "TIFF":
            return layout.dtype != bool or layout.channels == 1
        bands = layout.channels in (2, 4) and not layout.alpha
        return not self.holds or (not bands and layout.channels in self.holds.get(layout.dtype.name, ()))


DEEP = (1, 2, 3, 4)
# JPEG with all of the colours' pixels (4:4:4); WebP without loss, since with loss it has a quarter of them.
FORMATS = (
    Format("PNG", (".png",), {"bool": (1,), "uint8": DEEP, "uint16": DEEP}),
    Format("JPEG", (".jpg", ".jpeg"), {"uint8": (1, 3)}, {"quality": 95, "subsampling": 0}),
    Format("TIFF", (".tif", ".tiff")),
    Format("WebP", (".webp",), {"uint8": (3, 4)}, {"lossless": True, "exact": True}),
    Format("AVIF", (".avif",), {"uint8": (3, 4)}, {"quality": 95, "subsampling": "4:4:4"}),
    Format("BMP", (".bmp",), {"bool": (1,), "uint8": (1, 3)}),
    Format("Netpbm", (".ppm", ".pgm", ".pbm", ".pnm"), {"bool": (1,), "uint8": (1, 3), "uint16": (1,)}),
    Format("NumPy", (".npy",)),
)
BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
WITH_PROFILE = ("PNG", "JPEG", "WebP", "AVIF")
WITH_RESOLUTION = ("PNG", "JPEG", "BMP")


def is_streamed(path: Path) -> bool:
    """Return whether a file of this name is written as its tiles come."""
    return BY_SUFFIX[path.suffix.lower()].name in ("TIFF", "NumPy")


def check(path: Path, layout: Layout, *, force: bool = False) -> None:
    """Refuse an output that exists, or whose format does not hold a picture.

    Raises
    ------
    OutputExistsError
        It exists, and ``force`` is off.
    ParameterError
        The suffix is that of no format, or of one that cannot hold such a picture; the sentence names those that can.
    """
    checks.output_absent(path, force)
    chosen = BY_SUFFIX.get(path.suffix.lower())
    others = [format.suffixes[0] for format in FORMATS if format.takes(layout)]
    if chosen is None:
        raise sentences.no_picture_format(path, path.suffix, others)
    if not chosen.takes(layout):
        raise sentences.not_held(path, chosen.name, layout.dtype, layout.channels, layout.alpha, others)


def write(path: Path, layout: Layout, blocks: Iterable[Block], *, force: bool = False) -> None:
    """Write a picture of which the parts come row by row; those of a row are of one height and cover it.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    layout : Layout
    blocks : iterable of Block
        All but those at the right and the lower border have the size of the first one.
    force : bool, default=False
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, ParameterError
        As :func:`check`.
    IsthmusError
        If the disk is full or refuses; a file of the old name is then still as it was.
    """
    check(path, layout, force=force)
    chosen = BY_SUFFIX[path.suffix.lower()]
    with replacing(path) as temporary:
        if chosen.name == "TIFF":
            _write_tiff(temporary, layout, iter(blocks))
        elif chosen.name == "NumPy":
            _write_array(temporary, layout, blocks)
        else:
            temporary.write_bytes(_packed(chosen, path.suffix, layout, _whole(layout, blocks)))


def _write_tiff(path: Path, layout: Layout, blocks: Iterator[Block]) -> None:
    first = next(blocks)
    height, width = (-(-side // TIFF_STEP) * TIFF_STEP for side in first.values.shape[:2])
    tiff.write_tiles(
        path,
        layout.shape if layout.channels > 1 else layout.shape[:2],
        layout.dtype,
        (height, width),
        (_plain(block.values) for block in chain([first], blocks)),
        alpha=layout.alpha,
        profile=layout.surroundings.profile,
        resolution=layout.surroundings.resolution,
    )


def _write_array(path: Path, layout: Layout, blocks: Iterable[Block]) -> None:
    """Write each line of a tile where it belongs, so that none has to wait for others."""
    pixel = layout.channels * layout.dtype.itemsize
    with path.open("wb", buffering=0) as file:
        header = {"descr": np.lib.format.dtype_to_descr(layout.dtype), "fortran_order": False, "shape": layout.shape}
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        for top, left, values in blocks:
            for row, line in enumerate(values, top):
                file.seek(start + (row * layout.shape[1] + left) * pixel)
                _put(file, line.tobytes())


def _put(file: FileIO, content: bytes) -> None:
    """Write bytes, and let the system say what is wrong where it took a part of them alone."""
    while content:
        content = content[file.write(content) :]


def _whole(layout: Layout, blocks: Iterable[Block]) -> np.ndarray:
    """Return all pixels."""
    values = np.empty(layout.shape, layout.dtype)
    for top, left, part in blocks:
        values[top : top + part.shape[0], left : left + part.shape[1]] = part
    return values


def _plain(values: np.ndarray) -> np.ndarray:
    """Return pixels without an axis of a single channel."""
    return values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values


def _packed(chosen: Format, suffix: str, layout: Layout, values: np.ndarray) -> bytes:
    """Return the content of a file that Pillow writes, or of a PNG file that is too deep for it."""
    from PIL import Image

    image, around = np.ascontiguousarray(_plain(values)), layout.surroundings
    if image.dtype == np.uint16 and image.ndim == 3:
        return write_png(image, _chunks(around))
    options = dict(chosen.options)
    if around.profile and chosen.name in WITH_PROFILE:
        options["icc_profile"] = around.profile
    if around.resolution and chosen.name in WITH_RESOLUTION:
        options["dpi"] = around.resolution
    return picture_file(Image.fromarray(image), suffix, **options)


def _chunks(around: Surroundings) -> list[tuple[bytes, bytes]]:
    """Return what stands around the pixels of a PNG file as chunks."""
    found = []
    if around.profile:
        found.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(around.profile)))
    if around.resolution:
        across, down = (round(side * INCHES) for side in around.resolution)
        found.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    return found

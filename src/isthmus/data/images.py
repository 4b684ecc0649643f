"""Image files and lists of images: grey, colour, alpha, 1, 8, 16 and 32 bits, integers and floats.

Pillow reads the files, and only the formats named here. Sizes come from the headers; pixels are decoded when a block is
asked for, or once while opening where all of them fit into memory.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.deep_colour import read_deep
from isthmus.data.reading import Identity, require_file
from isthmus.data.records import Data
from isthmus.data.schema import Schema
from isthmus.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MODES", "SIZES", "SUFFIXES", "from_files", "from_list", "is_image"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM")
SIZES = (None, "group", "crop", "pad")
MODES = (None, "grey", "rgb", "rgba")

# What Pillow's modes hold: channels, values. Other modes (palette, CMYK, YCbCr, Lab) are read as RGB, and that is said.
PIXELS: dict[str, tuple[int, str]] = {
    "1": (1, "bool"),
    "L": (1, "uint8"),
    "LA": (2, "uint8"),
    "RGB": (3, "uint8"),
    "RGBA": (4, "uint8"),
    "I;16": (1, "uint16"),
    "I;16L": (1, "uint16"),
    "I;16B": (1, "uint16"),
    "I": (1, "int32"),
    "F": (1, "float32"),
}
PILLOW_MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
ORIENTATION = 0x0112

# Whatever a damaged file makes a decoder raise. Pillow itself documents only OSError, but its plugins parse by hand.
DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError),
    *(RuntimeError, SystemError, EOFError, struct.error, zlib.error),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says about itself.

    Parameters
    ----------
    size : tuple of int
        Height and width as they will be decoded.
    channels : int
        Number of channels; 1 has no axis of its own.
    dtype : str
        NumPy name of the values.
    orientation : int
        How it is turned, by the numbers of EXIF; 1 is upright.
    deep : bool
        Whether it has colour of 16 bits a channel, which Pillow would cut to 8.
    conversions : tuple of str
        What decoding changes, in words.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    orientation: int
    deep: bool
    conversions: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels in memory."""
        return self.size[0] * self.size[1] * self.channels * np.dtype(self.dtype).itemsize

    @property
    def pixel(self) -> str:
        """Name of the kind of pixel, for sentences."""
        return f"{ {1: 'grey', 2: 'grey with alpha', 3: 'RGB', 4: 'RGBA'}[self.channels] } {self.dtype}"


def is_image(path: Path) -> bool:
    """Return whether a file's name is that of an image."""
    return path.suffix.lower() in SUFFIXES


# --- files -----------------------------------------------------------------------------------------------------------


def from_files(
    paths: Sequence[Path],
    *,
    source: str,
    root: Path | None = None,
    sizes: str | None = None,
    mode: str | None = None,
    skip_bad: bool = False,
    notes: Sequence[str] = (),
) -> Data:
    """Open image files as records.

    Parameters
    ----------
    paths : sequence of Path
        The files, in order.
    source : str
        What the set is called in a sentence.
    root : Path or None, default=None
        Folder whose sub-folders are the classes; None gives no labels.
    sizes : {None, "group", "crop", "pad"}, default=None
        What to do with images of several sizes: refuse them, keep every size, cut the middle out at the least height
        and width, or repeat the border up to the greatest.
    mode : {None, "grey", "rgb", "rgba"}, default=None
        Convert to 8 bits and these channels; None keeps what the files hold.
    skip_bad : bool, default=False
        Leave unreadable files out and count them, instead of stopping at the first.
    notes : sequence of str, default=()
        What was said already.
    """
    with warnings.catch_warnings():
        # Plugins warn about odd metadata and about images that are merely large; neither is news for the user.
        warnings.simplefilter("ignore")
        return _open_files(paths, source, root, sizes, mode, skip_bad, list(notes))


def _open_files(
    paths: Sequence[Path],
    source: str,
    root: Path | None,
    sizes: str | None,
    mode: str | None,
    skip_bad: bool,
    notes: list[str],
) -> Data:
    """Read the headers, decide on sizes and pixels, and decode what fits into memory."""
    headers = _scan(paths, mode, check=skip_bad)
    bad = [(path, header) for path, header in zip(paths, headers, strict=True) if isinstance(header, DataError)]
    if bad and (not skip_bad or len(bad) == len(paths)):
        raise bad[0][1]
    if bad:
        named = ", ".join(f"'{path.name}'" for path, _ in bad[:5]) + (" ..." if len(bad) > 5 else "")
        notes.append(f"{len(bad)} of {len(paths)} images could not be read and were left out: {named}.")
    good = [(path, header) for path, header in zip(paths, headers, strict=True) if isinstance(header, Header)]
    paths, found = [path for path, _ in good], [header for _, header in good]
    _one_pixel(source, paths, found)
    fit = arrange([header.size for header in found], [f"'{path.name}'" for path in paths], source, sizes, notes)
    counts = Counter(text for header in found for text in header.conversions)
    notes += [f"{count} of {len(found)} images {text}." for text, count in counts.items()]
    trailing = (found[0].channels,) if found[0].channels > 1 else ()
    schema = Schema("image", (*fit.size, *trailing), found[0].dtype, "files")
    store = ImageStore(paths, found, mode, fit)
    names = [path.relative_to(root).as_posix() if root else path.name for path in paths]
    data = Data(
        schema, _settle(store, schema), labels=_classes(paths, root, notes), names=names, source=source, notes=notes
    )
    if not data.resident:
        data.notes.append(f"{source} takes {store.nbytes / 2**30:.1f} GiB decoded and is streamed from its files.")
    return data


def _scan(paths: Sequence[Path], mode: str | None, check: bool) -> list[Header | DataError]:
    """Read the headers of files, in several threads; an unreadable file gives its error in place of a header.

    With ``check``, every file is decoded too, so that one which breaks off in the middle is known before training.
    """

    def scan(path: Path) -> Header | DataError:
        try:
            header = read_header(path, mode)
            if check:
                decode(path, header, mode)
        except DataError as error:
            return error
        return header

    return list(_in_threads(scan, paths))


def _in_threads(function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """Map a function over files: decoders wait for disks and let other threads run."""
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        return list(pool.map(function, *arguments))


def read_header(path: Path, mode: str | None) -> Header:
    """Return what a file says about its size and pixels.

    Raises
    ------
    DataError
        If it is no image, or larger than Pillow's limit against decompression bombs allows.
    """
    from PIL import Image

    try:
        stored = require_file(path).st_size
        with Image.open(path, formats=FORMATS) as image:
            header = _describe(image, path, mode)
        # Pixels of one bit are stored eight to a byte.
        checks.believable_size(path, header.nbytes, stored * (8 if header.dtype == "bool" else 1))
        return header
    except Image.DecompressionBombError as error:
        limit = f"{2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels"
        raise checks.too_large(path, "it claims more pixels than an image of this kind should have", limit) from error
    except DataError:
        raise
    except DECODER_ERRORS as error:
        raise checks.unreadable_image(path, _reason(error, path)) from error


def _describe(image: Image.Image, path: Path, mode: str | None) -> Header:
    """Return the header of an opened, not yet decoded image."""
    conversions = []
    pillow_mode = image.mode
    tiles = getattr(image, "tile", ())
    raw = tiles[0].args if tiles else ""
    raw = raw[0] if isinstance(raw, tuple) and raw else raw
    deep = isinstance(raw, str) and ";16" in raw and pillow_mode in ("RGB", "RGBA", "LA")
    if pillow_mode not in PIXELS:
        alpha = pillow_mode in ("PA", "RGBa", "La") or "transparency" in image.info
        conversions.append(f"of mode {pillow_mode} were read as {'RGBA' if alpha else 'RGB'}")
        pillow_mode = "RGBA" if alpha else "RGB"
    channels, dtype = PIXELS[pillow_mode]
    if deep:
        channels, dtype = {"L": 2, "R": 4 if "A" in raw or "X" in raw else 3}[raw[0]], "uint16"
    if mode is not None:
        if dtype in ("int32", "float32"):
            raise checks.cannot_convert(path, dtype, mode)
        wanted = PIXELS[PILLOW_MODES[mode]]
        if wanted != (channels, dtype):
            conversions.append(f"were converted from {dtype} with {channels} channel(s) to mode '{mode}'")
        channels, dtype = wanted
    height, width = image.height, image.width
    orientation = _orientation(image)
    if orientation != 1:
        conversions.append("were turned upright as their EXIF data say")
    if orientation in (5, 6, 7, 8):
        height, width = width, height
    if getattr(image, "n_frames", 1) > 1:
        conversions.append("have several frames or pages, of which the first was read")
    return Header((height, width), channels, dtype, orientation, deep, tuple(conversions))


def _orientation(image: Image.Image) -> int:
    """Return how an image is turned, without decoding it.

    Pillow turns TIFF files by itself. In a PNG file the EXIF data may also follow the pixels; those are not looked for,
    since that would mean to decode every file for its header.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(2, 9) else 1


def decode(path: Path, header: Header, mode: str | None) -> np.ndarray:
    """Return the pixels of a file, of shape ``(height, width[, channels])``.

    Raises
    ------
    DataError
        If the file is truncated or damaged, or holds NaN or infinities.
    """
    from PIL import Image

    try:
        # Of a file, decoders map pages, which kills the process if the file is cut short, or read as much as it claims.
        with Image.open(io.BytesIO(path.read_bytes()), formats=FORMATS) as image:
            if header.deep:
                array = read_deep(image, path)
                array = array if mode is None else _to_eight_bits(array, mode)
            else:
                image.load()
                array = _pixels(image, mode)
    except DataError:
        raise
    except (*DECODER_ERRORS, Image.DecompressionBombError) as error:
        raise checks.unreadable_image(path, _reason(error, path)) from error
    array = _turned(array, header.orientation)
    channels = array.shape[2] if array.ndim == 3 else 1
    if (array.shape[:2], channels, array.dtype.name) != (header.size, header.channels, header.dtype):
        raise checks.unreadable_image(
            path, f"its header promised {header.size}, {header.pixel}, and its pixels are {array.shape}, {array.dtype}"
        )
    checks.finite(array[None], f"'{path.name}'")
    return array


def _pixels(image: Image.Image, mode: str | None) -> np.ndarray:
    """Return a decoded image as an array of the dtype its header promised."""
    if image.mode not in PIXELS:
        alpha = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
        image = image.convert("RGBA" if alpha else "RGB")
    if mode is not None and PIXELS[image.mode][1] == "uint16":
        return _to_eight_bits(np.asarray(image), mode)
    if mode is not None and image.mode != PILLOW_MODES[mode]:
        image = image.convert(PILLOW_MODES[mode])
    array = np.array(image)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _to_eight_bits(array: np.ndarray, mode: str) -> np.ndarray:
    """Return 16-bit pixels as 8-bit ones of a mode: 65535 becomes 255."""
    from PIL import Image

    eight = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.array(Image.fromarray(eight).convert(PILLOW_MODES[mode]))


def _turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image upright, from the orientation number of EXIF."""
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[:, ::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[::-1],
    }
    turn = turns.get(orientation)
    return array if turn is None else np.ascontiguousarray(turn(array))


def _reason(error: Exception, path: Path) -> str:
    """Put a decoder's complaint in a few words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    text = str(error).split("\n")[0].replace(repr(str(path)), "it").rstrip(".")
    if "cannot identify" in text:
        return "it is no sound PNG, JPEG, TIFF, WebP, BMP or PPM image"
    return f"it is truncated or damaged ({text or type(error).__name__})"


def _one_pixel(source: str, paths: Sequence[Path], headers: Sequence[Header]) -> None:
    """Check that all images have the same channels and depth."""
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if header.pixel != first.pixel:
            raise checks.different_modes(source, f"'{paths[0].name}'", first.pixel, f"'{path.name}'", header.pixel)


def _classes(paths: Sequence[Path], root: Path | None, notes: list[str]) -> np.ndarray | None:
    """Return the name of the sub-folder of every file as its class, where all files lie in two sub-folders or more."""
    if root is None:
        return None
    parts = [path.relative_to(root).parts for path in paths]
    folders = {part[0] for part in parts if len(part) > 1}
    if not folders:
        return None
    if any(len(part) == 1 for part in parts) or len(folders) == 1:
        notes.append("sub-folders were not taken as classes, since not every image lies in one of two or more.")
        return None
    notes.append(f"the {len(folders)} sub-folders were taken as classes.")
    return np.array([part[0] for part in parts])


class ImageStore(stores.Store):
    """Image files, decoded when asked for."""

    resident = False

    def __init__(self, paths: Sequence[Path], headers: Sequence[Header], mode: str | None, fit: Fit) -> None:
        self.paths = paths
        self.identities = [Identity.of(path) for path in paths]
        self.headers = headers
        self.mode = mode
        self.fit = fit
        self.length = len(paths)
        self.nbytes = sum(
            int(np.prod(fit.target or header.size)) * header.channels * np.dtype(header.dtype).itemsize
            for header in headers
        )

    def take(self, indices: np.ndarray) -> np.ndarray | list[np.ndarray]:
        """Decode the images of the given numbers."""
        images = _in_threads(self._one, [int(index) for index in indices])
        if self.fit.varies:
            return images
        return np.stack(images) if images else self._empty()

    def chunk(self, start: int, stop: int) -> np.ndarray | list[np.ndarray]:
        """Decode neighbouring images."""
        return self.take(np.arange(start, min(stop, self.length)))

    def sizes(self) -> list[tuple[int, int]]:
        """Return height and width of every image, as their headers say."""
        return [self.fit.target or header.size for header in self.headers]

    def _one(self, index: int) -> np.ndarray:
        header = self.headers[index]
        self.identities[index].check()
        return self.fit.apply(decode(self.paths[index], header, self.mode))

    def _empty(self) -> np.ndarray:
        channels = (self.headers[0].channels,) if self.headers[0].channels > 1 else ()
        return np.empty((0, *(self.fit.target or self.headers[0].size), *channels), self.headers[0].dtype)


def _settle(store: ImageStore, schema: Schema) -> stores.Store:
    """Decode everything now where it fits into memory, so that an epoch costs no decoding."""
    if store.nbytes > stores.RESIDENT_BYTES:
        return store
    if store.fit.varies:
        return stores.ListStore(list(store.chunk(0, store.length)))
    array = np.empty((store.length, *(side or 0 for side in schema.shape)), schema.dtype)
    for start in range(0, store.length, 256):
        array[start : start + 256] = store.chunk(start, start + 256)
    return stores.ArrayStore(array)


# --- sizes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fit:
    """How images of several sizes become records.

    Parameters
    ----------
    size : tuple of (int or None)
        Height and width of a record; None where they vary.
    target : tuple of int or None
        The size all images are cut or filled to; None leaves them as they are.
    """

    size: tuple[int | None, int | None]
    target: tuple[int, int] | None

    @property
    def varies(self) -> bool:
        """Whether records have different sizes."""
        return None in self.size

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Cut the middle out of an image, or repeat its border, to the target size."""
        if self.target is None or image.shape[:2] == self.target:
            return image
        for axis, side in enumerate(self.target):
            have = image.shape[axis]
            if have > side:
                start = (have - side) // 2
                image = image[start : start + side] if axis == 0 else image[:, start : start + side]
            elif have < side:
                before = (side - have) // 2
                widths = [(0, 0)] * image.ndim
                widths[axis] = (before, side - have - before)
                image = np.pad(image, widths, mode="edge")
        return image


def arrange(
    shapes: Sequence[tuple[int, ...]], names: Sequence[str], source: str, sizes: str | None, notes: list[str]
) -> Fit:
    """Decide what becomes of images of the given heights and widths.

    Raises
    ------
    ShapeError
        If they differ and ``sizes`` is None.
    """
    sides = np.array([shape[:2] for shape in shapes])
    low, high = sides.min(axis=0), sides.max(axis=0)
    if (low == high).all():
        return Fit((int(low[0]), int(low[1])), None)
    if sizes is None:
        other = int(np.flatnonzero((sides != sides[0]).any(axis=1))[0])
        raise checks.different_sizes(source, names[0], shapes[0], names[other], shapes[other])
    if sizes == "group":
        height, width = (int(a) if a == b else None for a, b in zip(low, high, strict=True))
        notes.append(f"the images have {len(np.unique(sides, axis=0))} sizes, which are kept.")
        return Fit((height, width), None)
    target = (int(low[0]), int(low[1])) if sizes == "crop" else (int(high[0]), int(high[1]))
    changed = int((sides != target).any(axis=1).sum())
    how = "cut at the middle" if sizes == "crop" else "filled by repeating their border"
    notes.append(f"{changed} of {len(shapes)} images were {how} to {target[0]} x {target[1]} (height x width).")
    return Fit(target, target)


# --- lists of images -------------------------------------------------------------------------------------------------


def from_list(images: Sequence[Any], *, sizes: str | None = None, name: str = "X") -> Data:
    """Open a list of image arrays, each of shape ``(height, width[, channels])``.

    Parameters
    ----------
    images : sequence of array-like
        In memory, of one dtype and number of channels.
    sizes : {None, "group", "crop", "pad"}, default=None
        What to do with several sizes, as in :func:`from_files`.
    name : str, default="X"
        What the list is called in a sentence.
    """
    arrays = [np.asarray(image) for image in images]
    notes: list[str] = []
    first = arrays[0]
    for number, array in enumerate(arrays):
        checks.numeric_dtype(array, f"{name}[{number}]")
        checks.rank((1, *array.shape), f"{name}[{number}]")
        checks.not_empty((1, *array.shape), f"{name}[{number}]")
        if array.ndim < 2 or array.dtype.kind == "O":
            raise checks.unreadable_object(
                name, f"item {number} is no image of shape (height, width) or (height, width, channels)"
            )
        if (array.dtype, array.shape[2:]) != (first.dtype, first.shape[2:]):
            raise checks.different_modes(name, f"{name}[0]", _pixel(first), f"{name}[{number}]", _pixel(array))
        checks.finite(array[None], f"{name}[{number}]")
    labels = [f"{name}[{number}]" for number in range(len(arrays))]
    fit = arrange([array.shape for array in arrays], labels, name, sizes, notes)
    schema = Schema("image", (*fit.size, *first.shape[2:]), first.dtype.newbyteorder("=").name, "list")
    arrays = [fit.apply(array.astype(array.dtype.newbyteorder("="), copy=False)) for array in arrays]
    store = stores.ListStore(arrays) if fit.varies else stores.ArrayStore(np.stack(arrays))
    return Data(schema, store, source=name, notes=notes)


def _pixel(array: np.ndarray) -> str:
    """Name the kind of pixel of an array, for sentences."""
    channels = f"{array.shape[2]} channels" if array.ndim == 3 else "grey"
    return f"{channels} {array.dtype}"

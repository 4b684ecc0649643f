"""Image files and lists of images: grey, colour, alpha, any number of bands, integers and floats of any depth.

Three readers give the values that a file holds: of TIFF files, of Netpbm files, and of those that Pillow reads. Sizes
come from the headers; pixels are decoded when a block is asked for, or once while opening where all of them fit into
memory.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import warnings
import zlib
from array import array as packed
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import netpbm, pillow_files, recognition, stores, tiff
from isthmus.data.coded_labels import CodedLabels
from isthmus.data.image_header import Header
from isthmus.data.reading import Identity, require_file
from isthmus.data.records import Data
from isthmus.data.rows import LISTED
from isthmus.data.schema import Schema
from isthmus.data.texts import Packing
from isthmus.errors import DataError

__all__ = ["MODES", "SIZES", "SUFFIXES", "from_files", "from_list", "is_image"]

SUFFIXES = tuple(suffix for suffixes in recognition.IMAGE_SUFFIXES.values() for suffix in suffixes)
SCANNED = 4096  # files whose headers are read at once
SIZES = (None, "group", "crop", "pad")
MODES = (None, "grey", "rgb", "rgba")

PILLOW_MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}

# Whatever a damaged file makes a decoder raise. Pillow itself documents only OSError, but its plugins parse by hand.
DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError),
    *(RuntimeError, SystemError, EOFError, struct.error, zlib.error, lzma.LZMAError, MemoryError),
)


def is_image(path: Path) -> bool:
    """Return whether a file is an image: by its suffix, or by its first bytes if it has none."""
    return path.suffix.lower() in SUFFIXES or (not path.suffix and begins_as_image(path))


def begins_as_image(path: Path) -> bool:
    """Return whether a file's first bytes are those of an image."""
    try:
        found = recognition.recognise(recognition.first_bytes(path, SNIFFED), path) if path.is_file() else None
    except OSError:
        return False
    return found is not None and found.reader == "image"


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
    finite: bool = True,
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
    finite : bool, default=True
        Whether NaN and infinities are refused.
    """
    with warnings.catch_warnings():
        # Plugins warn about odd metadata and about images that are merely large; neither is news for the user.
        warnings.simplefilter("ignore")
        return _open_files(paths, source, root, sizes, mode, skip_bad, list(notes), finite)


def _open_files(
    paths: Sequence[Path],
    source: str,
    root: Path | None,
    sizes: str | None,
    mode: str | None,
    skip_bad: bool,
    notes: list[str],
    finite: bool,
) -> Data:
    """Read the headers, decide on sizes and pixels, and decode what fits into memory."""
    files, bad = ImageFiles(root), []
    for start in range(0, len(paths), SCANNED):
        some = paths[start : start + SCANNED]
        for path, headers in zip(some, _scan(some, mode, check=skip_bad), strict=True):
            if isinstance(headers, DataError):
                if not skip_bad:
                    raise headers
                bad.append((path, headers))
            else:
                files.add(path, headers)
    files.close()
    if len(bad) == len(paths):
        raise bad[0][1]
    if bad:
        named = ", ".join(f"'{path.name}'" for path, _ in bad[:5]) + (" ..." if len(bad) > 5 else "")
        notes.append(f"{len(bad)} of {len(paths)} images could not be read and were left out: {named}.")
    kinds = files.kinds
    if mode is None and len({kind.pixel for kind in kinds}) > 1:
        pixels = [kinds[kind].pixel for kind in files.kind]
        by_mode = all(_reason_against_modes(kind) is None for kind in kinds)
        raise checks.different_modes(source, [f"'{name}'" for name in files.names], pixels, by_mode)
    channels, dtype = (kinds[0].channels, kinds[0].dtype) if mode is None else (CHANNELS[mode], "uint8")
    fit = arrange(files.sides, lambda number: f"'{files.names[number]}'", source, sizes, notes)
    counts: Counter[str] = Counter()
    for kind, count in zip(kinds, np.bincount(files.kind, minlength=len(kinds)).tolist(), strict=True):
        counts.update(dict.fromkeys(kind.conversions, count))
    notes += [f"{count} of {len(files)} images {text}." for text, count in counts.items()]
    notes += files.misnamed()
    schema = Schema("image", (*fit.size, *((channels,) if channels > 1 else ())), dtype, "files")
    store = ImageStore(files, mode, fit, schema, finite)
    labels = _classes(files, notes)
    data = Data(schema, _settle(store, schema), labels=labels, names=files.names, source=source, notes=notes)
    if not data.resident:
        data.notes.append(f"{source} takes {store.nbytes / 2**30:.1f} GiB decoded and is streamed from its files.")
    return data


class ImageFiles:
    """Images in files: which file, what its header says, and in which state it was, in few bytes for each image.

    Parameters
    ----------
    root : Path or None
        Folder that names are relative to; None for the files' own names.

    Attributes
    ----------
    names : Texts
        Of each image; one of several in a file is ``file#number``.
    kinds : list of Header
        The headers, each once, with no size.
    kind : ndarray of int, shape (n,)
        Of each image, its place among them.
    sides : ndarray of int32, shape (n, 2)
        Height and width of each image.
    """

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self._places: dict[Any, int] = {}
        self._paths, self._names = Packing(), Packing()
        self._states, self._file, self._kind, self._sides = packed("q"), packed("q"), packed("l"), packed("i")
        self._misnamed: Counter[bool] = Counter()
        self._first_misnamed: tuple[str, str] | None = None
        self.kinds: list[Header] = []

    def add(self, path: Path, headers: Sequence[Header]) -> None:
        """Add the images of a file."""
        name = path.relative_to(self.root).as_posix() if self.root else path.name
        number = len(self._states)
        self._paths.add(name if self.root else str(path))
        self._states.append(hash(Identity.of(path).known))
        for place, header in enumerate(headers):
            self._names.add(name if len(headers) == 1 else f"{name}#{place}")
            self._file.append(number)
            self._kind.append(self._kind_of(replace(header, size=(0, 0))))
            self._sides.extend(header.size)
            suffix = path.suffix.lower()
            if suffix in SUFFIXES and suffix not in recognition.IMAGE_SUFFIXES[header.format]:
                self._misnamed[True] += 1
                self._first_misnamed = self._first_misnamed or (path.name, header.format)

    def _kind_of(self, header: Header) -> int:
        try:
            place = self._places.setdefault(header, len(self.kinds))
        except TypeError:  # the place of an image in its file has no hash
            place = len(self.kinds)
        if place == len(self.kinds):
            self.kinds.append(header)
        return place

    def close(self) -> None:
        """Say that all files were added."""
        self.names, self.paths = self._names.texts(), self._paths.texts()
        self.sides = np.array(self._sides, np.int32).reshape(-1, 2)
        self.kind = np.array(self._kind, np.min_scalar_type(max(0, len(self.kinds) - 1)))
        self.states = np.array(self._states, np.int64)
        self.file: np.ndarray | None = np.array(self._file, np.int64)
        if len(self.file) == len(self.states):  # an image a file
            self.file = None
            self.paths = self.names if self.root else self.paths
        del self._names, self._paths, self._sides, self._kind, self._states, self._file, self._places

    def __len__(self) -> int:
        return len(self.kind)

    def header(self, image: int) -> Header:
        """Return the header of an image."""
        height, width = self.sides[image].tolist()
        return replace(self.kinds[self.kind[image]], size=(height, width))

    def number(self, image: int) -> int:
        """Return the number of the file of an image."""
        return image if self.file is None else int(self.file[image])

    def path(self, image: int) -> Path:
        """Return the file of an image, once it is known to be what it was.

        Raises
        ------
        DataError
            It was replaced, changed or removed.
        """
        number = self.number(image)
        path = Path(self.paths[number]) if self.root is None else self.root / self.paths[number]
        Identity.check_hash(path, int(self.states[number]))
        return path

    def misnamed(self) -> list[str]:
        """Say which files are of another format than their suffix says: the content decides."""
        if self._first_misnamed is None:
            return []
        name, kind = self._first_misnamed
        return [
            f"{self._misnamed[True]} of {len(self)} images are of another format than their suffix says, and were "
            f"read as what they are ('{name}' is {kind})."
        ]


def _scan(paths: Sequence[Path], mode: str | None, check: bool) -> list[list[Header] | DataError]:
    """Read the headers of files, in several threads; an unreadable file gives its error in place of its headers.

    With ``check``, every file is decoded too, so that one which breaks off in the middle is known before training.
    """

    def scan(path: Path) -> list[Header] | DataError:
        try:
            headers = read_headers(path, mode)
            if check:
                for _ in decode(path, headers, mode):
                    pass
        except DataError as error:
            return error
        return headers

    return list(_in_threads(scan, paths))


def _in_threads(function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """Map a function over files: decoders wait for disks and let other threads run."""
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        return list(pool.map(function, *arguments))


READERS = {"TIFF": tiff, "Netpbm": netpbm}  # Pillow reads the others
SNIFFED = 1024  # first bytes of a file that tell its format


def read_headers(path: Path, mode: str | None, *, limited: bool = True, modes: bool = True) -> list[Header]:
    """Return what a file says about the size and pixels of its images.

    Parameters
    ----------
    path : Path
        The file.
    mode : str or None
        What they are to be converted to.
    limited : bool, default=True
        Whether TIFF pages, too, are refused that have more pixels than Pillow allows.
    modes : bool, default=True
        Whether whoever asks could name a mode, which is then advised.

    Raises
    ------
    DataError
        If it is no image, or larger than Pillow's limit against decompression bombs allows.
    """
    with decoding(path):
        stored = require_file(path).st_size
        found = recognition.recognise(recognition.first_bytes(path, SNIFFED), path)
        if found is not None and found.reader is None:
            raise checks.not_read(path, found.name, found.advice)
        if found is not None and found.name == "AVIF":
            pillow_files.refuse_without_avif(path)
        reader = READERS.get(found.name if found is not None else "", pillow_files)
        claimed = tiff.headers(path, limited=limited) if reader is tiff else reader.headers(path)
        for header in claimed:
            # Pixels of one bit are stored eight to a byte.
            checks.believable_size(path, header.nbytes, stored * (8 if header.dtype == "bool" else 1))
        return [_in_mode(header, path, mode, modes) for header in claimed]


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Put whatever a decoder raises about an image file into a sentence.

    Raises
    ------
    DataError
        The file is truncated or damaged, or claims more pixels than Pillow allows.
    """
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:
        raise checks.image_size_refused(path, 2 * (Image.MAX_IMAGE_PIXELS or 0)) from error
    except DataError:
        raise
    except DECODER_ERRORS as error:
        raise checks.unreadable_image(path, _reason(error, path)) from error


def _in_mode(header: Header, path: Path, mode: str | None, modes: bool) -> Header:
    """Return the header of an image that is converted to 8 bits and the channels of a mode."""
    if mode is None and header.cut_from:
        raise checks.colour_depth(path, header.cut_from, modes)
    if mode is None:
        return header
    if reason := _reason_against_modes(header):
        raise checks.cannot_convert(path, reason, mode)
    if (header.channels, header.dtype, header.white, header.cut_from) == (CHANNELS[mode], "uint8", 255, 0):
        return header
    depth = f"{header.cut_from} bits" if header.cut_from else header.dtype
    said = f"were converted from {depth} with {header.channels} channel(s) to mode '{mode}'"
    return replace(header, conversions=(*header.conversions, said))


def _reason_against_modes(header: Header) -> str | None:
    """Return why an image has no plain meaning in 8 bits of grey, RGB or RGBA, or None."""
    if not header.white or header.dtype in ("uint32", "uint64"):
        return f"{header.dtype} values, which have no fixed range to convert"
    if header.channels > 4 or (header.channels == 2 and not header.alpha):
        return f"{header.channels} bands, which are no colours to convert"
    return None


def decode(path: Path, headers: Sequence[Header], mode: str | None, *, finite: bool = True) -> Iterator[np.ndarray]:
    """Yield images of a file, of shape ``(height, width[, channels])``.

    Parameters
    ----------
    path : Path
        The file.
    headers : sequence of Header
        Of the images that are wanted.
    mode : str or None
        What they are converted to.
    finite : bool, default=True
        Whether NaN and infinities are refused.

    Raises
    ------
    DataError
        If the file is truncated or damaged, or holds NaN or infinities.
    """
    reader = READERS.get(headers[0].format, pillow_files)
    with decoding(path):
        for header, array in zip(headers, reader.pixels(path, headers), strict=True):
            image = _turned(array if mode is None else _to_mode(array, header, mode), header.orientation)
            channels, dtype = (header.channels, header.dtype) if mode is None else (CHANNELS[mode], "uint8")
            shape = (*header.size, channels) if channels > 1 else header.size
            if (image.shape, image.dtype.name) != (shape, dtype):
                was, now = _words(shape, dtype), _words(image.shape, image.dtype.name)
                raise checks.unreadable_file(path, f"it was {was} when it was opened and is {now} now")
            if finite:
                checks.finite(image[None], f"'{path.name}'")
            yield image


def _words(shape: tuple[int, ...], dtype: str) -> str:
    return f"{' x '.join(map(str, shape))} {dtype}"


def _to_mode(array: np.ndarray, header: Header, mode: str) -> np.ndarray:
    """Return pixels as 8-bit ones of a mode: the greatest value becomes 255."""
    from PIL import Image

    array = ((array.astype(np.uint32) * 255 + header.white // 2) // header.white).astype(np.uint8)
    if header.channels == 4 and not header.alpha:
        array = array[..., :3]
    image = Image.fromarray(np.ascontiguousarray(array))
    return np.array(image if image.mode == PILLOW_MODES[mode] else image.convert(PILLOW_MODES[mode]))


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
        return "it is no sound PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF or PPM image"
    return f"it is truncated or damaged ({text or type(error).__name__})"


def _classes(files: ImageFiles, notes: list[str]) -> Any:
    """Return the name of the sub-folder of every file as its class, where all files lie in two sub-folders or more."""
    if files.root is None:
        return None
    known: dict[str, int] = {}
    folders = (name.partition("/")[0] if "/" in name else "" for name in files.names)
    codes = packed("l", (known.setdefault(folder, len(known)) for folder in folders))
    if set(known) == {""}:
        return None
    if "" in known or len(known) == 1:
        notes.append("sub-folders were not taken as classes, since not every image lies in one of two or more.")
        return None
    notes.append(f"the {len(known)} sub-folders were taken as classes.")
    values = np.array(list(known))
    if len(files) <= LISTED:
        return values[np.array(codes)]
    return CodedLabels(values.astype(object), np.array(codes, np.min_scalar_type(len(known))))


class ImageStore(stores.Store):
    """Image files, decoded when asked for."""

    resident = False

    def __init__(self, files: ImageFiles, mode: str | None, fit: Fit, schema: Schema, finite: bool = True) -> None:
        self.files = files
        self.mode = mode
        self.fit = fit
        self.schema = schema
        self.length = len(files)
        self.finite = finite
        pixel = math.prod(side or 1 for side in schema.shape[2:]) * np.dtype(schema.dtype).itemsize
        self.nbytes = int(self.sides().astype(np.int64).prod(axis=1).sum()) * pixel

    def take(self, indices: np.ndarray) -> np.ndarray | list[np.ndarray]:
        """Decode the images of the given numbers."""
        # The images of one file are decoded together: each frame of an animation needs those before it.
        wanted = [int(index) for index in indices]
        parts = [list(part) for _, part in groupby(sorted(set(wanted)), key=self.files.number)]
        decoded: dict[int, np.ndarray] = {}
        for part, its in zip(parts, _in_threads(self._file, parts), strict=True):
            decoded.update(zip(part, its, strict=True))
        images = [decoded[index] for index in wanted]
        if self.fit.varies:
            return images
        return np.stack(images) if images else self._empty()

    def chunk(self, start: int, stop: int) -> np.ndarray | list[np.ndarray]:
        """Decode neighbouring images."""
        return self.take(np.arange(start, min(stop, self.length)))

    def sides(self) -> np.ndarray:
        """Return height and width of every image, as their headers say."""
        if self.fit.target is not None:
            return np.broadcast_to(np.array(self.fit.target, np.int32), (self.length, 2))
        return self.files.sides

    def _file(self, indices: Sequence[int]) -> list[np.ndarray]:
        """Decode images of one file."""
        headers = [self.files.header(index) for index in indices]
        images = decode(self.files.path(indices[0]), headers, self.mode, finite=self.finite)
        return [self.fit.apply(image) for image in images]

    def _empty(self) -> np.ndarray:
        return np.empty((0, *self.schema.shape), self.schema.dtype)  # type: ignore[arg-type]


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


def arrange(sides: np.ndarray, name: Callable[[int], str], source: str, sizes: str | None, notes: list[str]) -> Fit:
    """Decide what becomes of images of the given heights and widths.

    Raises
    ------
    ShapeError
        If they differ and ``sizes`` is None.
    """
    low, high = sides.min(axis=0), sides.max(axis=0)
    if (low == high).all():
        return Fit((int(low[0]), int(low[1])), None)
    if sizes is None:
        other = int(np.flatnonzero((sides != sides[0]).any(axis=1))[0])
        first, second = tuple(sides[0].tolist()), tuple(sides[other].tolist())
        raise checks.different_sizes(source, name(0), first, name(other), second)
    if sizes == "group":
        height, width = (int(a) if a == b else None for a, b in zip(low, high, strict=True))
        notes.append(f"the images have {len(np.unique(sides, axis=0))} sizes, which are kept.")
        return Fit((height, width), None)
    target = (int(low[0]), int(low[1])) if sizes == "crop" else (int(high[0]), int(high[1]))
    changed = int((sides != target).any(axis=1).sum())
    how = "cut at the middle" if sizes == "crop" else "filled by repeating their border"
    notes.append(f"{changed} of {len(sides)} images were {how} to {target[0]} x {target[1]} (height x width).")
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
    notes: list[str] = []
    arrays = [np.asarray(image) for image in _with_colours(images, notes)]
    first = arrays[0]
    for number, array in enumerate(arrays):
        checks.numeric_dtype(array, f"{name}[{number}]")
        checks.rank((1, *array.shape), f"{name}[{number}]")
        checks.not_empty((1, *array.shape), f"{name}[{number}]")
        if array.ndim < 2 or array.dtype.kind == "O":
            raise checks.unreadable_object(
                name, f"item {number} is no image of shape (height, width) or (height, width, channels)"
            )
        checks.finite(array[None], f"{name}[{number}]")
    labels = [f"{name}[{number}]" for number in range(len(arrays))]
    pixels = [_pixel(array) for array in arrays]
    if len(set(pixels)) > 1:
        raise checks.different_modes(name, labels, pixels, by_mode=False)
    sides = np.array([array.shape[:2] for array in arrays])
    fit = arrange(sides, labels.__getitem__, name, sizes, notes)
    schema = Schema("image", (*fit.size, *first.shape[2:]), first.dtype.newbyteorder("=").name, "list")
    arrays = [fit.apply(array.astype(array.dtype.newbyteorder("="), copy=False)) for array in arrays]
    store = stores.ListStore(arrays) if fit.varies else stores.ArrayStore(np.stack(arrays))
    return Data(schema, store, source=name, notes=notes)


def _with_colours(images: Sequence[Any], notes: list[str]) -> list[Any]:
    """Return images of Pillow whose values are no colours, such as palettes and inks, as RGB or RGBA."""
    converted: Counter[str] = Counter()
    found = []
    for image in images:
        mode = getattr(image, "mode", "L") if hasattr(image, "getbands") else "L"
        if mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBa", "La", "RGBX"):
            image = image.convert("RGBA" if mode in ("PA", "RGBa", "La") or "transparency" in image.info else "RGB")
            converted[f"of mode {mode} were read as {image.mode}"] += 1
        found.append(image)
    notes += [f"{count} of {len(images)} images {text}." for text, count in converted.items()]
    return found


def _pixel(array: np.ndarray) -> str:
    """Name the kind of pixel of an array, for sentences."""
    channels = f"{array.shape[2]} channels" if array.ndim == 3 else "grey"
    return f"{channels} {array.dtype}"

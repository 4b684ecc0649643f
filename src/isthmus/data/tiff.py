"""TIFF files of every kind of sample, in strips, tiles and planes, with all their bands and pages.

tifffile reads the structure: tags, BigTIFF, and the axes of ImageJ and OME stacks. The pixels are unpacked here, since
tifffile leaves LZW and others to a library of 26 MB; the libtiff inside Pillow undoes LZW and PackBits byte for byte.
Pages whose colours need a conversion (palettes, inks, JPEG) are left to Pillow. All others can be read by windows, of
which only the strips or tiles that they touch are unpacked.

Reference: TIFF revision 6.0, sections 3 to 18; Adobe Photoshop TIFF Technical Notes 3 (the predictor of floats).
"""

from __future__ import annotations

import io
import logging
import lzma
import math
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.image_header import PAGES, Header

if TYPE_CHECKING:
    import tifffile

__all__ = ["Windows", "beside_pixels", "by_windows", "headers", "pixels", "windows", "write", "write_tiles"]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MOSAIC, LINEAR = 0, 1, 2, 32803, 34892
PLAIN = (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MOSAIC, LINEAR)
CONVERTED = {3: "a palette", 5: "inks (CMYK)", 6: "YCbCr", 8: "CIE L*a*b*", 9: "ICC L*a*b*"}  # read by Pillow
NONE, LZW, PACKBITS, LZMA, ZSTANDARD = 1, 5, 32773, 34925, 50000
DEFLATE = (8, 32946)
PACKINGS = (NONE, LZW, PACKBITS, LZMA, ZSTANDARD, *DEFLATE)
BY_PILLOW = (2, 3, 4, 6, 7)  # fax and JPEG: codecs of pixels, not of bytes
ORIENTATION, NO_DATA, DNG_VERSION = 274, 42113, 50706
RESOLUTION, RESOLUTION_UNIT, PROFILE = (282, 283), 296, 34675
UNITS = {2: 1.0, 3: 2.54}  # of ResolutionUnit, an inch and a centimetre: how many are an inch
REDUCED, MASK = 1, 4  # bits of NewSubfileType
FLOATS = {16: "float16", 32: "float32", 64: "float64"}
CLASSIC_BYTES = 2**32 - 2**26  # of samples in a file whose offsets have 32 bits; packed noise grows a little
PIECE_BYTES = 2**20  # of a strip that is not packed, read at a time: many programs write a picture as one strip

# For every page of an image: its number, the offset of its directory, the number of the plane behind that directory.
Place = tuple[tuple[int, int, int], ...]


# --- headers ---------------------------------------------------------------------------------------------------------


def headers(path: Path, *, limited: bool = True) -> list[Header]:
    """Return a header for every image of a file: one a page, or one for the pages that are its channels.

    Parameters
    ----------
    path : Path
        The file.
    limited : bool, default=True
        Whether pages of more pixels than Pillow allows are refused; those that are read by windows need not be.

    Raises
    ------
    DataError
        If the file holds what cannot be read as it is; the sentence says what.
    """
    with _opened(path) as file:
        _check_chain(file)
        found = []
        notes: list[str] = []
        for place in _places(file, path, notes):
            page = _page(file, place[0])
            header = _upright(page, _describe(page, path, limited))
            if len(place) > 1:
                header = replace(header, channels=len(place), alpha=False)
                notes.append("have their channels in pages of their own")
            found.append(replace(header, place=place))
    if not found:
        raise ValueError("it has no page")
    if len(found) > 1:
        notes.append(PAGES)
    texts = tuple(dict.fromkeys(notes))
    return [replace(header, conversions=(*header.conversions, *texts)) for header in found]


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file for reading its structure; other files of a set that it names are not touched."""
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:
        # What it has to say about odd tags would go to the terminal.
        log.addHandler(logging.NullHandler())
    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            yield file
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from error


def _check_chain(file: tifffile.TiffFile) -> None:
    """Check that the chain of pages ends: tifffile (2026.3.3) would follow a circle for ever."""
    form, handle = file.tiff, file.filehandle
    offset, seen = int(file.pages.first.offset), set()
    while 0 < offset < handle.size:
        if offset in seen:
            raise ValueError("its pages follow one another in a circle")
        seen.add(offset)
        handle.seek(offset)
        tags = _number(handle.read(form.tagnosize), form.tagnoformat)
        handle.seek(offset + form.tagnosize + tags * form.tagsize)
        offset = _number(handle.read(form.offsetsize), form.offsetformat)


def _number(content: bytes, form: str) -> int:
    """Return a number of a file; 0 behind its end."""
    return int(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else 0


def _places(file: tifffile.TiffFile, path: Path, notes: list[str]) -> Iterator[Place]:
    """Return where the images of a file lie; what is left out goes to the notes."""
    series = file.series
    if any(one.kind not in ("generic", "uniform") for one in series):
        for one in series:
            if len(one.levels) > 1:
                notes.append("come with reduced copies (a pyramid), which were left out")
            yield from _planes(one, path)
        return
    if file.is_ome:
        notes.append("are those of one file alone, by its description one of an OME set of several")
    pages = [file.pages[number] for number in range(len(file.pages))]
    whole = [page for page in pages if not int(page.subfiletype) & (REDUCED | MASK)]
    if pages and (not whole or DNG_VERSION in pages[0].tags):
        raise checks.image_kind(path, "a raw photograph, or reduced copies alone")
    if len(whole) < len(pages) or any(page.subifds for page in whole):
        notes.append("come with reduced copies or masks, which were left out")
    for page in whole:
        yield ((page.index, page.offset, 0),)


def _planes(series: tifffile.TiffPageSeries, path: Path) -> Iterator[Place]:
    """Return where the images of a stack with named axes lie: channels belong together, all other axes are records."""
    sides = zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True)
    outer = [(axis, side) for axis, side in sides if axis not in "YXS"]
    count = math.prod(side for _, side in outer)
    first = series[0]
    if first is None or first.imagedepth > 1:
        raise checks.image_kind(path, "volumes (its pages have a depth)")
    if len(series) == count and all(page is not None for page in series):
        pages = [(page.index, page.offset, 0) for page in series]
    elif series.dataoffset is not None:
        # The planes follow one another, and only the first has a directory.
        pages = [(first.index, first.offset, number) for number in range(count)]
    else:
        raise checks.image_kind(path, f"one part of a set of several files (axes {series.axes}, {count} pages in all)")
    numbers = np.arange(count).reshape([side for _, side in outer])
    names = [axis for axis, _ in outer]
    together = "C" in names and series.keyframe.samplesperpixel == 1
    numbers = np.moveaxis(numbers, names.index("C"), -1) if together else numbers[..., None]
    for group in numbers.reshape(-1, numbers.shape[-1]):
        yield tuple(pages[number] for number in group)


def _page(file: tifffile.TiffFile, place: tuple[int, int, int]) -> tifffile.TiffPage:
    """Return the page whose directory lies at an offset, without walking through those before it."""
    import tifffile

    number, offset, plane = place
    file.filehandle.seek(offset)
    page = tifffile.TiffPage(file, number)
    if plane:
        step = plane * math.prod(page.shape) * page.bitspersample // 8
        page.dataoffsets = tuple(at + step for at in page.dataoffsets)
    return page


def _describe(page: tifffile.TiffPage, path: Path, limited: bool) -> Header:
    """Return the header of a page.

    Raises
    ------
    DataError
        If its samples are of a kind that has no place in an array of pixels.
    """
    size, bands = (int(page.imagelength), int(page.imagewidth)), int(page.samplesperpixel)
    checks.image_size(path, size, limited=limited)
    photometric, compression = _photometric(page), int(page.compression)
    if page.imagedepth > 1:
        raise checks.image_kind(path, "volumes (its pages have a depth)")
    if _by_pillow_only(page):
        return _describe_converted(page, path, size, bands)
    if compression not in PACKINGS:
        raise checks.image_kind(path, f"pixels packed with {getattr(page.compression, 'name', compression)}")
    dtype, white = _samples(page, path)
    conversions = []
    if photometric == WHITE_IS_ZERO:
        turned = white > 0
        conversions.append(
            "store white as 0 and were turned over, so that 0 is black" if turned else "store white as 0, and were kept"
        )
    elif white not in (0, 1) and white.bit_length() % 8:
        conversions.append(f"hold values of 0 to {white}, which were kept")
    if NO_DATA in page.tags:
        conversions.append(f"mark missing pixels by the value {page.tags.valueof(NO_DATA)}, which was kept as a number")
    colours = 3 if photometric == RGB else 1
    extra = [int(kind) for kind in page.extrasamples]
    alpha = bands == colours + 1 and bool(extra) and extra[0] in (1, 2)
    if bands > colours and not alpha:
        conversions.append(f"have {bands} bands, which are all kept")
    elif alpha and extra[0] == 1:
        conversions.append("have colours multiplied by their transparency, which were kept so")
    return Header("TIFF", size, bands, dtype, white, alpha, conversions=tuple(conversions))


def _upright(page: tifffile.TiffPage, header: Header) -> Header:
    """Return the header of a page as it is once it is turned upright; pages that Pillow reads are turned by Pillow."""
    orientation = page.tags.valueof(ORIENTATION, default=1)
    if orientation not in range(2, 9):
        return header
    turned = replace(
        header,
        size=header.size[::-1] if orientation >= 5 else header.size,
        conversions=(*header.conversions, "were turned upright as their orientation says"),
    )
    return turned if _by_pillow_only(page) else replace(turned, orientation=orientation)


def _by_pillow_only(page: tifffile.TiffPage) -> bool:
    """Return whether a page's colours or packing need Pillow."""
    return _photometric(page) not in PLAIN or int(page.compression) in BY_PILLOW


def _photometric(page: tifffile.TiffPage) -> int:
    """Return what the samples mean; tifffile takes them for white-is-zero where the file does not say."""
    return int(page.photometric) if 262 in page.tags else BLACK_IS_ZERO


def _samples(page: tifffile.TiffPage, path: Path) -> tuple[str, int]:
    """Return the NumPy name of a page's samples, and the greatest value of unsigned ones."""
    bits, form = page.bitspersample, page.sampleformat
    if not isinstance(bits, int) or not isinstance(form, int):
        raise checks.image_kind(path, f"bands of several kinds ({bits} bits)")
    if form == 3 and bits in FLOATS:
        return FLOATS[bits], 0
    if form == 2 and bits in (8, 16, 32, 64):
        return f"int{bits}", 0
    if form in (1, 4) and bits in (*range(1, 17), 32, 64) and (bits % 8 == 0 or page.predictor == 1):
        name = "bool" if bits == 1 else f"uint{max(8, 1 << (bits - 1).bit_length())}"
        return name, 2**bits - 1
    kind = {1: "whole numbers", 2: "signed whole numbers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}
    raise checks.image_kind(path, f"{kind.get(int(form), 'samples')} of {bits} bits")


def _describe_converted(page: tifffile.TiffPage, path: Path, size: tuple[int, int], bands: int) -> Header:
    """Return the header of a page that Pillow converts to grey, RGB or RGBA of 8 bits."""
    photometric = _photometric(page)
    what = CONVERTED.get(photometric, getattr(page.photometric, "name", str(photometric)))
    if (photometric not in CONVERTED and photometric not in PLAIN) or page.bitspersample not in (1, 2, 4, 8):
        raise checks.image_kind(path, f"{what} of {page.bitspersample} bits")
    if photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        if bands > 1:
            raise checks.image_kind(path, f"{bands} bands, packed as pictures")
        dtype, white = ("bool", 1) if page.bitspersample == 1 else ("uint8", 255)
        turned = ("store white as 0 and were turned over, so that 0 is black",) if photometric == WHITE_IS_ZERO else ()
        return Header("TIFF", size, 1, dtype, white, conversions=turned)
    if bands not in (1, 3, 4):
        raise checks.image_kind(path, f"{what} of {bands} bands")
    channels = 4 if bands == 4 and photometric in (RGB, 6) else 3
    # That JPEG stores RGB as YCbCr is its own business.
    said = () if photometric == RGB or int(page.compression) in BY_PILLOW else (f"hold {what} and were read as RGB",)
    return Header("TIFF", size, channels, "uint8", 255, conversions=said)


# --- pixels ----------------------------------------------------------------------------------------------------------


def pixels(path: Path, wanted: Sequence[Header]) -> Iterator[np.ndarray]:
    """Return the images of the given headers of one file, of shape ``(height, width[, channels])``."""
    with _opened(path) as file:
        for header in wanted:
            planes = [_pixels(file, _page(file, part), path, header) for part in header.place]
            yield planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


def _pixels(file: tifffile.TiffFile, page: tifffile.TiffPage, path: Path, header: Header) -> np.ndarray:
    if _by_pillow_only(page):
        return _by_pillow(page, path, header)
    return Windows(file, page, path).read(0, 0, int(page.imagelength), int(page.imagewidth))


def _by_pillow(page: tifffile.TiffPage, path: Path, header: Header) -> np.ndarray:
    """Return a page that Pillow decodes."""
    from PIL import Image

    mode = {("bool", 1): "1", ("uint8", 1): "L", ("uint8", 3): "RGB", ("uint8", 4): "RGBA"}[
        header.dtype, header.channels
    ]
    # Of a path it would map pages: to cut the file short then kills the process.
    with path.open("rb") as stream, Image.open(stream, formats=("TIFF",)) as image:
        image.seek(page.index)
        return np.array(image if image.mode == mode else image.convert(mode))


class Windows:
    """A page whose samples are plain, read by windows: only the strips or tiles that a window touches are unpacked.

    Parameters
    ----------
    file : TiffFile
        Open.
    page : TiffPage
        One that Pillow is not needed for.
    path : Path
        Of the file, for sentences.
    kept : int, default=0
        Bytes of unpacked strips and tiles that are kept for the windows to come, those last used.
    """

    def __init__(self, file: tifffile.TiffFile, page: tifffile.TiffPage, path: Path, kept: int = 0) -> None:
        self.file, self.page = file, page
        name, self.white = _samples(page, path)
        self.dtype = np.dtype(name)
        self.height, self.width, bands = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
        self.planes, self.depth = (bands, 1) if page.planarconfig == 2 else (1, bands)
        self.rows = int(page.tilelength if page.is_tiled else page.rowsperstrip)
        self.columns = int(page.tilewidth if page.is_tiled else self.width)
        self.across = math.ceil(self.width / self.columns)
        places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        count = self.planes * math.ceil(self.height / self.rows) * self.across
        if len(page.dataoffsets) != count or len(page.databytecounts) != count:
            raise ValueError("the number of its strips or tiles is wrong")
        self.places = places if page.is_tiled or int(page.compression) != NONE else self._in_pieces(places)
        # One piece of memory for all: strips that come and go between larger arrays would leave holes of unused memory.
        slots = min(kept // max(self.piece, 1), len(self.places))
        self._slots = np.empty((slots, min(self.rows, self.height), self.columns, self.depth), self.dtype)
        self._slot_of: OrderedDict[int, int] = OrderedDict()

    @property
    def piece(self) -> int:
        """Bytes of one strip or tile, unpacked."""
        return min(self.rows, self.height) * self.columns * self.depth * self.dtype.itemsize

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a window inside the page, of shape ``(height, width[, channels])``, in memory of its own."""
        array = np.empty((self.planes, height, width, self.depth), self.dtype)
        down = math.ceil(self.height / self.rows)
        for plane in range(self.planes):
            for row in range(top // self.rows, math.ceil((top + height) / self.rows)):
                for column in range(left // self.columns, math.ceil((left + width) / self.columns)):
                    piece = self._piece((plane * down + row) * self.across + column)
                    y, x = row * self.rows - top, column * self.columns - left
                    here = array[plane, max(y, 0) : y + self.rows, max(x, 0) : x + self.columns]
                    first, second = max(-y, 0), max(-x, 0)
                    here[...] = piece[first : first + here.shape[0], second : second + here.shape[1]]
        array = np.moveaxis(array, 0, -1)[..., 0, :] if self.planes > 1 else array[0]
        array = np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array)
        if _photometric(self.page) == WHITE_IS_ZERO and self.white:
            return ~array if array.dtype == bool else (array.dtype.type(self.white) - array).astype(array.dtype)
        return array

    def _in_pieces(self, strips: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the places of strips that are not packed, cut into pieces of fewer rows."""
        line, down = self._line, len(strips) // self.planes
        most = max(1, min(self.rows, self.height, PIECE_BYTES // max(line, 1)))
        # All pieces but the last have one number of rows, so those of several strips must divide a strip.
        rows = most if down == 1 else next(n for n in range(most, 0, -1) if self.rows % n == 0)
        pieces = []
        for number, (offset, size) in enumerate(strips):
            stored = min(self.rows, self.height - number % down * self.rows)
            for first in range(0, stored, rows):
                place, wanted = first * line, min(rows, stored - first) * line
                pieces.append((offset + place, max(0, min(wanted, size - place))))
        self.rows = rows
        return pieces

    @property
    def _line(self) -> int:
        """Bytes of a line of a strip or tile, as it is stored."""
        return -(-self.columns * self.depth * int(self.page.bitspersample) // 8)

    def _piece(self, number: int) -> np.ndarray:
        """Return the samples of one strip or tile, shape (rows, columns, depth), until the next is asked for."""
        y = number // self.across % math.ceil(self.height / self.rows) * self.rows
        stored = self.rows if self.page.is_tiled else min(self.rows, self.height - y)
        if number in self._slot_of:
            self._slot_of.move_to_end(number)
            return self._slots[self._slot_of[number], :stored]
        offset, size = self.places[number]
        self.file.filehandle.seek(offset)
        content = self.file.filehandle.read(size)
        found = _unpacked(content, self.page, (stored, self.columns, self.depth), self.dtype)
        if len(self._slots):
            full = len(self._slot_of) == len(self._slots)
            slot = self._slot_of.popitem(last=False)[1] if full else len(self._slot_of)
            self._slots[slot, :stored] = found[: self._slots.shape[1]]
            self._slot_of[number] = slot
        return found


def _unpacked(content: bytes, page: tifffile.TiffPage, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """Return the samples of a strip or a tile: packing, order of bits and bytes, and predictor undone."""
    rows, columns, depth = shape
    bits = int(page.bitspersample)
    line = -(-columns * depth * bits // 8)
    if page.fillorder == 2:
        content = REVERSED[np.frombuffer(content, np.uint8)].tobytes()
    content = _unpack(content, int(page.compression), rows, line)
    if len(content) < rows * line:
        raise ValueError("a strip or tile is too short")
    lines = np.frombuffer(content, np.uint8, rows * line).reshape(rows, line)
    if bits % 8:
        samples = np.unpackbits(lines, axis=1, count=columns * depth * bits).reshape(rows, columns, depth, bits)
        weights = (1 << np.arange(bits)[::-1]).astype(np.uint16)
        return (samples @ weights).astype(dtype)
    if page.predictor == 3:
        # Each line holds the first bytes of all its floats, then the second ones, ...: as differences.
        summed = np.cumsum(lines.reshape(rows, -1, depth), axis=1, dtype=np.uint8)
        split = summed.reshape(rows, bits // 8, columns * depth)
        return np.ascontiguousarray(split.swapaxes(1, 2)).view(dtype.newbyteorder(">")).reshape(shape).astype(dtype)
    samples = lines.view(dtype.newbyteorder(page.parent.byteorder)).reshape(shape).astype(dtype)
    if page.predictor == 2:
        numbers = samples.view(f"u{dtype.itemsize}")
        return np.cumsum(numbers, axis=1, dtype=numbers.dtype).view(dtype)
    if page.predictor != 1:
        raise ValueError(f"its predictor {int(page.predictor)} is unknown")
    return samples


REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]


def _unpack(content: bytes, compression: int, rows: int, line: int) -> bytes:
    """Return the unpacked bytes of a strip or a tile, of as many lines at most."""
    if compression in DEFLATE:
        return zlib.decompressobj().decompress(content, rows * line)
    if compression == LZMA:
        return lzma.LZMADecompressor().decompress(content, rows * line)
    if compression == ZSTANDARD:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(rows * line)
    return _by_libtiff(content, compression, rows, line) if compression != NONE else content


def _by_libtiff(content: bytes, compression: int, rows: int, line: int) -> bytes:
    """Return unpacked bytes: the segment is handed to libtiff as a grey image of its own."""
    from PIL import Image

    tags = (
        (256, line),
        (257, rows),
        (258, 8),
        (259, compression),
        (262, BLACK_IS_ZERO),
        (273, 8),
        (277, 1),
        (278, rows),
        (279, len(content)),
    )
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<L", 8 + len(content))
    with Image.open(io.BytesIO(head + content + directory + bytes(4)), formats=("TIFF",)) as image:
        return image.tobytes()


def beside_pixels(path: Path, header: Header) -> tuple[bytes | None, tuple[float, float] | None]:
    """Return the colour profile of an image, and its pixels an inch across and down; None for what is not stated."""
    with _opened(path) as file:
        tags = _page(file, header.place[0]).tags
        profile = tags.valueof(PROFILE)
        unit = UNITS.get(int(tags.valueof(RESOLUTION_UNIT, default=2)))
        sides = [tags.valueof(tag) for tag in RESOLUTION]
    known = unit is not None and all(isinstance(side, tuple) and all(side) for side in sides)
    resolution = tuple(numerator / denominator * unit for numerator, denominator in sides) if known else None
    return profile if isinstance(profile, bytes) else None, resolution


# --- windows ---------------------------------------------------------------------------------------------------------


def by_windows(path: Path, header: Header, most: int) -> bool:
    """Return whether windows of an image can be read, each strip or tile of which takes so many bytes at most.

    Those of a page that is to be turned, or that Pillow reads, cannot.
    """
    with _opened(path) as file:
        pages = [_page(file, place) for place in header.place]
        if header.orientation != 1 or any(map(_by_pillow_only, pages)):
            return False
        return all(Windows(file, page, path).piece <= most for page in pages)


@contextmanager
def windows(path: Path, header: Header, kept: int) -> Iterator[Callable[[int, int, int, int], np.ndarray]]:
    """Open an image for reading it by windows; see :class:`Windows`."""
    with _opened(path) as file:
        parts = [Windows(file, _page(file, place), path, kept // len(header.place)) for place in header.place]

        def read(top: int, left: int, height: int, width: int) -> np.ndarray:
            planes = [part.read(top, left, height, width) for part in parts]
            return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)

        yield read


# --- writing ---------------------------------------------------------------------------------------------------------


def write(path: Path, image: np.ndarray) -> None:
    """Write an image of any whole or floating numbers and any number of bands, deflated."""
    import tifffile

    tifffile.imwrite(path, image, **_layout(image.shape), metadata=None, ome=False)


def write_tiles(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    tile: tuple[int, int],
    tiles: Iterator[np.ndarray],
    *,
    alpha: bool = True,
    profile: bytes | None = None,
    resolution: tuple[float, float] | None = None,
) -> None:
    """Write an image tile by tile as they come, deflated; one of 4 GiB or more as BigTIFF.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Height, width and, of several, the channels.
    dtype : dtype
        Of the samples.
    tile : tuple of int
        Height and width of all tiles, multiples of 16.
    tiles : iterator of ndarray
        Row by row; those at the right and the lower border may be smaller.
    alpha : bool, default=True
        Whether the last of 2 or 4 channels is transparency.
    profile : bytes, optional
        What the colours mean, as the ICC has it.
    resolution : tuple of float, optional
        Pixels an inch, across and down.
    """
    import tifffile

    def padded() -> Iterator[np.ndarray]:
        for one in tiles:
            missing = [(0, side - have) for side, have in zip(tile, one.shape, strict=False)]
            yield np.pad(one, missing + [(0, 0)] * (one.ndim - 2), mode="edge")

    count = math.prod(math.ceil(side / step) for side, step in zip(shape, tile, strict=False))
    nbytes = count * math.prod(tile) * math.prod(shape[2:]) * dtype.itemsize
    with tifffile.TiffWriter(path, bigtiff=nbytes > CLASSIC_BYTES, ome=False) as writer:
        writer.write(
            padded(),
            shape=shape,
            dtype=dtype,
            tile=tile,
            # Differences of neighbours pack better; those of floats need a library.
            predictor=2 if dtype.kind in "iu" else None,
            iccprofile=profile,
            resolution=resolution,
            resolutionunit="INCH" if resolution else None,
            metadata=None,
            maxworkers=1,  # several would first collect tiles of 512 MB
            **_layout(shape, alpha),
        )


def _layout(shape: tuple[int, ...], alpha: bool = True) -> dict[str, Any]:
    """Return what tifffile is to be told of the channels."""
    bands = shape[2] if len(shape) == 3 else 1
    colours = 3 if bands in (3, 4) else 1
    extra = ("unassalpha",) if alpha and bands in (2, 4) else ("unspecified",) * (bands - colours)
    return {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if len(shape) == 3 else None,
        "extrasamples": extra or None,
        "compression": "zlib",
    }

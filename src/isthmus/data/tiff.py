"""TIFF files of every kind of sample, in strips, tiles and planes, with all their bands and pages.

tifffile reads the structure: tags, BigTIFF, and the axes of ImageJ and OME stacks. The pixels are unpacked here, since
tifffile leaves LZW and others to a library of 26 MB; the libtiff inside Pillow undoes LZW and PackBits byte for byte.
Pages whose colours need a conversion (palettes, inks, JPEG) are left to Pillow.

Reference: TIFF revision 6.0, sections 3 to 18; Adobe Photoshop TIFF Technical Notes 3 (the predictor of floats).
"""

from __future__ import annotations

import io
import logging
import lzma
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.image_header import PAGES, Header

if TYPE_CHECKING:
    import tifffile

__all__ = ["headers", "pixels", "write"]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MOSAIC, LINEAR = 0, 1, 2, 32803, 34892
PLAIN = (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MOSAIC, LINEAR)
CONVERTED = {3: "a palette", 5: "inks (CMYK)", 6: "YCbCr", 8: "CIE L*a*b*", 9: "ICC L*a*b*"}  # read by Pillow
NONE, LZW, PACKBITS, LZMA, ZSTANDARD = 1, 5, 32773, 34925, 50000
DEFLATE = (8, 32946)
PACKINGS = (NONE, LZW, PACKBITS, LZMA, ZSTANDARD, *DEFLATE)
BY_PILLOW = (2, 3, 4, 6, 7)  # fax and JPEG: codecs of pixels, not of bytes
ORIENTATION, NO_DATA, DNG_VERSION = 274, 42113, 50706
REDUCED, MASK = 1, 4  # bits of NewSubfileType
FLOATS = {16: "float16", 32: "float32", 64: "float64"}

# For every page of an image: its number, the offset of its directory, the number of the plane behind that directory.
Place = tuple[tuple[int, int, int], ...]


# --- headers ---------------------------------------------------------------------------------------------------------


def headers(path: Path) -> list[Header]:
    """Return a header for every image of a file: one a page, or one for the pages that are its channels.

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
            header = _upright(page, _describe(page, path))
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


def _describe(page: tifffile.TiffPage, path: Path) -> Header:
    """Return the header of a page.

    Raises
    ------
    DataError
        If its samples are of a kind that has no place in an array of pixels.
    """
    size, bands = (int(page.imagelength), int(page.imagewidth)), int(page.samplesperpixel)
    checks.image_size(path, size)
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
    dtype, white = _samples(page, path)
    array = _assemble(file, page, np.dtype(dtype))
    if _photometric(page) == WHITE_IS_ZERO and white:
        return ~array if array.dtype == bool else (array.dtype.type(white) - array).astype(array.dtype)
    return array


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


def _assemble(file: tifffile.TiffFile, page: tifffile.TiffPage, dtype: np.dtype) -> np.ndarray:
    """Return the samples of a page, put together from its strips or tiles."""
    height, width, bands = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    planes, depth = (bands, 1) if page.planarconfig == 2 else (1, bands)
    rows = int(page.tilelength if page.is_tiled else page.rowsperstrip)
    columns = int(page.tilewidth if page.is_tiled else width)
    down, across = math.ceil(height / rows), math.ceil(width / columns)
    if len(page.dataoffsets) != planes * down * across or len(page.databytecounts) != len(page.dataoffsets):
        raise ValueError("the number of its strips or tiles is wrong")
    array = np.empty((planes, height, width, depth), dtype)
    for number, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        plane, place = divmod(number, down * across)
        y, x = (place // across) * rows, (place % across) * columns
        stored = rows if page.is_tiled else min(rows, height - y)
        file.filehandle.seek(offset)
        segment = _unpacked(file.filehandle.read(size), page, (stored, columns, depth), dtype)
        part = array[plane, y : y + rows, x : x + columns]
        part[...] = segment[: part.shape[0], : part.shape[1]]
    array = np.moveaxis(array, 0, -1)[..., 0, :] if planes > 1 else array[0]
    return np.ascontiguousarray(array[..., 0] if bands == 1 else array)


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


# --- writing ---------------------------------------------------------------------------------------------------------


def write(path: Path, image: np.ndarray) -> None:
    """Write an image of any whole or floating numbers and any number of bands, deflated."""
    import tifffile

    bands = image.shape[2] if image.ndim == 3 else 1
    colours = 3 if bands in (3, 4) else 1
    extra = () if bands == colours else (("unassalpha",) if bands in (2, 4) else ("unspecified",) * (bands - colours))
    tifffile.imwrite(
        path,
        image,
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if image.ndim == 3 else None,
        extrasamples=extra or None,
        compression="zlib",
        metadata=None,
        ome=False,
    )

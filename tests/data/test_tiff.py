"""TIFF files give their own values, whatever their samples, layout, packing and pages."""

from __future__ import annotations

import contextlib
import io
import lzma
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tifffile
from PIL import Image

from isthmus import data
from isthmus.errors import DataError, ShapeError

RNG = np.random.default_rng(0)
LZW, DEFLATE, PACKBITS, ZSTD, LZMA = 5, 8, 32773, 50000, 34925
SHORT, LONG = 3, 4


def values(dtype: str, *shape: int) -> np.ndarray:
    """Return values over the whole range of a type."""
    if np.dtype(dtype).kind == "f":
        return (RNG.normal(size=shape) * 1000).astype(dtype)
    return np.frombuffer(RNG.bytes(math.prod(shape) * np.dtype(dtype).itemsize), dtype).reshape(shape)


def packed(content: bytes, compression: int) -> bytes:
    """Return bytes packed as in a strip; by libtiff, of whose file the strip is taken, where Python has no packer."""
    if compression == 1:
        return content
    if compression == DEFLATE:
        return zlib.compress(content)
    if compression == ZSTD:
        return pa.compress(content, codec="zstd", asbytes=True)
    if compression == LZMA:
        return lzma.compress(content)
    name = {LZW: "tiff_lzw", PACKBITS: "packbits"}[compression]
    buffer = io.BytesIO()
    Image.frombytes("L", (len(content), 1), content).save(buffer, "TIFF", compression=name)
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as file:
        page = file.pages[0]
        at, size = page.dataoffsets[0], page.databytecounts[0]
    return buffer.getvalue()[at : at + size]


def tiff(  # every layout of the format, written with nothing of what reads it
    array: np.ndarray,
    *,
    order: str = "<",
    compression: int = 1,
    predictor: int = 1,
    rows: int = 4,
    photometric: int | None = None,
    bits: int = 0,
    extra: tuple[int, ...] = (),
    more: tuple[tuple[int, int, list[int]], ...] = (),
) -> bytes:
    """Return a TIFF file of an array ``(height, width, bands)`` in strips."""
    height, width, bands = array.shape
    form = {"u": 1, "i": 2, "f": 3, "b": 1}[array.dtype.kind]
    bits = bits or 8 * array.dtype.itemsize
    strips = [
        packed(strip(array[at : at + rows], order, predictor, bits), compression) for at in range(0, height, rows)
    ]
    offsets = np.cumsum([8, *(len(content) for content in strips)])
    entries = [
        (256, SHORT, [width]),
        (257, SHORT, [height]),
        (258, SHORT, [bits] * bands),
        (259, SHORT, [compression]),
        (262, SHORT, [(2 if bands in (3, 4) else 1) if photometric is None else photometric]),
        (273, LONG, [int(at) for at in offsets[:-1]]),
        (277, SHORT, [bands]),
        (278, SHORT, [rows]),
        (279, LONG, [len(content) for content in strips]),
        (317, SHORT, [predictor]),
        *([(338, SHORT, list(extra))] if extra else []),
        (339, SHORT, [form] * bands),
        *more,
    ]
    entries.sort()
    beyond, at = b"", int(offsets[-1]) + 2 + 12 * len(entries) + 4
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, numbers in entries:
        content = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'L'}", *numbers)
        directory += struct.pack(f"{order}HHL", tag, kind, len(numbers))
        directory += content.ljust(4, b"\0") if len(content) <= 4 else struct.pack(f"{order}L", at + len(beyond))
        beyond += content if len(content) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}L", int(offsets[-1])) + b"".join(strips) + directory + bytes(4) + beyond


def strip(part: np.ndarray, order: str, predictor: int, bits: int) -> bytes:
    """Return the bytes of a strip before packing."""
    rows, columns, bands = part.shape
    if bits % 8:
        each = (part.reshape(rows, -1, 1) >> np.arange(bits)[::-1]) & 1
        return np.packbits(each.reshape(rows, -1).astype(np.uint8), axis=1).tobytes()
    if predictor == 3:
        big = part.astype(part.dtype.newbyteorder(">")).reshape(rows, -1)
        planes = big.view(np.uint8).reshape(rows, columns * bands, -1).swapaxes(1, 2).reshape(rows, -1, bands)
        return np.concatenate([planes[:, :1], np.diff(planes.astype(int), axis=1).astype(np.uint8)], axis=1).tobytes()
    if predictor == 2:
        numbers = part.view(f"u{part.dtype.itemsize}")
        part = np.concatenate([numbers[:, :1], numbers[:, 1:] - numbers[:, :-1]], axis=1)
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def opened(path: Path, content: bytes) -> tuple[np.ndarray, list[str]]:
    path.write_bytes(content)
    found = data.open(path)
    return found.take([0])[0], found.notes


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_sample_and_number_of_bands(tmp_path: Path, dtype: str, bands: int, order: str) -> None:
    array = values(dtype, 7, 5, bands)
    extra = {2: (2,), 4: (2,), 5: (0, 0, 0, 0)}.get(bands, ())
    found, notes = opened(tmp_path / "a.tif", tiff(array, order=order, extra=extra))
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, array[..., 0] if bands == 1 else array)
    assert notes == (["1 of 1 images have 5 bands, which are all kept."] if bands == 5 else [])


@pytest.mark.parametrize("compression", [1, LZW, DEFLATE, PACKBITS, ZSTD, LZMA])
@pytest.mark.parametrize(
    ("dtype", "predictor"), [("uint16", 1), ("uint16", 2), ("uint8", 2), ("float32", 3), ("float64", 3)]
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [7, 4])
def test_packings_and_predictors(
    tmp_path: Path, compression: int, dtype: str, predictor: int, order: str, rows: int
) -> None:
    array = values(dtype, 7, 5, 3)
    content = tiff(array, order=order, compression=compression, predictor=predictor, rows=rows)
    found, notes = opened(tmp_path / "a.tif", content)
    np.testing.assert_array_equal(found, array)
    assert notes == []


@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14])
def test_few_bits_are_their_own_values(tmp_path: Path, bits: int) -> None:
    array = RNG.integers(0, 2**bits, (7, 5, 1)).astype(np.uint16)
    found, notes = opened(tmp_path / "a.tif", tiff(array, bits=bits))
    np.testing.assert_array_equal(found, array[..., 0])
    assert notes == [f"1 of 1 images hold values of 0 to {2**bits - 1}, which were kept."]
    assert found.dtype == (np.uint8 if bits < 8 else np.uint16)
    # In 8 bits the greatest value is 255.
    eight = data.open(tmp_path / "a.tif", mode="grey").take([0])[0]
    np.testing.assert_allclose(eight, array[..., 0] * (255 / (2**bits - 1)), atol=0.51)


@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_tiles_planes_and_big_files(tmp_path: Path, tile: tuple | None, planes: str, big: bool, dtype: str) -> None:
    array = values(dtype, 21, 37, 3)
    stored = array if planes == "contig" else np.moveaxis(array, -1, 0)
    options = {"planarconfig": planes, "tile": tile, "bigtiff": big, "photometric": "rgb", "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", stored, rowsperstrip=None if tile else 8, **options)
    found = data.open(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.take([0])[0], array)
    assert found.notes == []


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", 8), ("uint16", 16), ("uint16", 12), ("uint32", 32)])
def test_white_is_zero_is_turned_over_and_said(tmp_path: Path, dtype: str, bits: int) -> None:
    array = values(dtype, 6, 5, 1) & np.array(2**bits - 1, dtype)
    found, notes = opened(tmp_path / "a.tif", tiff(array, photometric=0, bits=bits))
    np.testing.assert_array_equal(found, 2**bits - 1 - array[..., 0])
    assert notes == ["1 of 1 images store white as 0 and were turned over, so that 0 is black."]


def test_one_bit_white_is_zero_as_pillow_has_it(tmp_path: Path) -> None:
    array = RNG.integers(0, 2, (7, 11, 1)).astype(np.uint8)
    for photometric in (0, 1):
        found, _ = opened(tmp_path / "a.tif", tiff(array, photometric=photometric, bits=1))
        with Image.open(tmp_path / "a.tif") as image:
            np.testing.assert_array_equal(found, np.asarray(image))


def test_a_band_beyond_rgb_is_kept_and_said(tmp_path: Path) -> None:
    array = values("uint8", 6, 5, 4)
    found, notes = opened(tmp_path / "a.tif", tiff(array, extra=(0,)))
    np.testing.assert_array_equal(found, array)
    assert notes == ["1 of 1 images have 4 bands, which are all kept."]
    # RGB with a fourth band is not RGBA.
    (tmp_path / "b.tif").write_bytes(tiff(array, extra=(2,)))
    with pytest.raises(ShapeError, match=r"1 are 4 bands uint8, as 'a\.tif', 1 are RGBA uint8, as 'b\.tif'"):
        data.open(tmp_path)
    np.testing.assert_array_equal(data.open(tmp_path / "a.tif", mode="rgb").take([0])[0], array[..., :3])


def test_palettes_jpeg_and_fax_are_left_to_pillow(tmp_path: Path) -> None:
    photo = np.full((16, 16, 3), 100, np.uint8)
    photo[:8] = (200, 30, 30)
    Image.fromarray(photo).quantize(8).save(tmp_path / "palette.tif")
    Image.fromarray(photo).save(tmp_path / "jpeg.tif", compression="jpeg")
    bits = RNG.integers(0, 2, (16, 16)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "fax.tif", compression="group4")
    palette = data.open(tmp_path / "palette.tif")
    np.testing.assert_allclose(palette.take([0])[0].astype(int), photo, atol=4)
    assert palette.notes == ["1 of 1 images hold a palette and were read as RGB."]
    np.testing.assert_allclose(data.open(tmp_path / "jpeg.tif").take([0])[0].astype(int), photo, atol=40)
    np.testing.assert_array_equal(data.open(tmp_path / "fax.tif").take([0])[0], bits)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"photometric": 5}, "inks .CMYK. of 16 bits"),
        ({"compression": 34712}, "pixels packed with"),
        ({"compression": 50001}, "pixels packed with WEBP"),  # the libtiff in wheels of Pillow 13.0.0 lacks it
        ({"more": ((32997, SHORT, [4]),)}, "volumes"),
    ],
)
def test_what_is_not_read_is_said(tmp_path: Path, options: dict, sentence: str) -> None:
    array = values("uint16", 6, 5, 4)
    compression = options.pop("compression", 1)
    content = tiff(array, **options).replace(
        struct.pack("<HHLHH", 259, SHORT, 1, 1, 0), struct.pack("<HHLHH", 259, SHORT, 1, compression, 0)
    )
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=f"holds {sentence}.*save it as grey or RGB"):
        data.open(tmp_path / "a.tif")


def test_a_value_for_missing_pixels_is_said(tmp_path: Path) -> None:
    array = values("int16", 6, 5)
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[(42113, "s", 0, "-9999", True)], metadata=None)
    found = data.open(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.array[0], array)
    assert found.notes == ["1 of 1 images mark missing pixels by the value -9999, which was kept as a number."]


def test_a_raw_photograph_is_not_its_thumbnail(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.nef") as file:
        file.write(values("uint8", 16, 16), subfiletype=1, metadata=None)
    with pytest.raises(DataError, match="a raw photograph"):
        data.open(tmp_path / "a.nef")
    (tmp_path / "b.cr2").write_bytes(b"II*\0\x10\0\0\0CR\x02\0" + bytes(99))
    with pytest.raises(DataError, match=r"a raw photograph.*dcraw -T"):
        data.open(tmp_path / "b.cr2")


def test_wide_numbers_have_no_eight_bits(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(values("uint32", 6, 5, 1)))
    with pytest.raises(DataError, match="uint32 values, which have no fixed range"):
        data.open(tmp_path / "a.tif", mode="grey")


# --- pages -----------------------------------------------------------------------------------------------------------

STACK = "{n} of {n} images are pages or frames of files that hold several; each is a record, named file#number."


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": None},
        {"metadata": None, "compression": "zlib"},
        {},
        {"compression": "zlib"},
        {"truncate": True},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_pages_are_records(tmp_path: Path, options: dict) -> None:
    array = values("uint16", 6, 9, 7)
    tifffile.imwrite(tmp_path / "stack.tif", array, photometric="minisblack", **options)
    found = data.open(tmp_path / "stack.tif")
    np.testing.assert_array_equal(found.array, array)
    assert found.names == [f"stack.tif#{number}" for number in range(6)]
    assert found.notes == [STACK.format(n=6)]
    np.testing.assert_array_equal(found.take([4, 1]), array[[4, 1]])


@pytest.mark.parametrize("form", ["imagej", "ome"])
def test_channels_of_a_hyperstack_belong_together(tmp_path: Path, form: str) -> None:
    array = values("uint16", 2, 3, 4, 9, 7)
    tifffile.imwrite(tmp_path / "a.tif", array, metadata={"axes": "TZCYX"}, **{form: True})
    found = data.open(tmp_path / "a.tif")
    assert found.schema.shape == (9, 7, 4)
    np.testing.assert_array_equal(found.array, np.moveaxis(array, 2, -1).reshape(6, 9, 7, 4))
    assert found.notes == ["6 of 6 images have their channels in pages of their own.", STACK.format(n=6)]


def test_one_file_of_an_ome_set_says_so(tmp_path: Path) -> None:
    parts = "".join(
        f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>'
        for z, name in enumerate(("a.ome.tif", "../b.ome.tif"))
    )
    description = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:0"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="7" '
        'SizeY="6" SizeZ="2" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f"{parts}</Pixels></Image></OME>"
    )
    array = values("uint16", 6, 7)
    tifffile.imwrite(tmp_path / "a.ome.tif", array, description=description, metadata=None)
    found = data.open(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(found.array, array[None])
    assert found.notes == [
        "1 of 1 images are those of one file alone, by its description one of an OME set of several."
    ]


def test_reduced_copies_are_left_out_and_said(tmp_path: Path) -> None:
    array, small = values("uint8", 64, 64), values("uint8", 32, 32)
    with tifffile.TiffWriter(tmp_path / "sub.tif") as file:
        file.write(array, subifds=1, metadata=None)
        file.write(small, subfiletype=1, metadata=None)
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as file:
        file.write(array, metadata=None)
        file.write(small, subfiletype=1, metadata=None)
    with tifffile.TiffWriter(tmp_path / "pyramid.ome.tif", ome=True) as file:
        file.write(array, subifds=1)
        file.write(small, subfiletype=1)
    for name in ("sub.tif", "thumb.tif", "pyramid.ome.tif"):
        found = data.open(tmp_path / name)
        np.testing.assert_array_equal(found.array, array[None])
        assert "which were left out" in found.notes[0]


def test_pages_of_several_sizes_are_named(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for side in (8, 6, 8):
            file.write(np.full((side, side), side, np.uint8), metadata=None)
    with pytest.raises(ShapeError, match=r"'a\.tif#0' is 8 x 8 and 'a\.tif#1' is 6 x 6"):
        data.open(tmp_path / "a.tif")
    found = data.open(tmp_path / "a.tif", sizes="group")
    assert [int(image[0, 0]) for image in found.take([0, 1, 2])] == [8, 6, 8]


def test_fax_pages_are_records(tmp_path: Path) -> None:
    pages = [Image.fromarray(RNG.integers(0, 2, (16, 16)).astype(bool)) for _ in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:], compression="group4")
    np.testing.assert_array_equal(
        data.open(tmp_path / "scan.tif").array, np.stack([np.asarray(page) for page in pages])
    )


def test_stacks_beside_single_pages_keep_their_folder_as_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.tif", values("uint8", 2, 5, 4), photometric="minisblack")
        tifffile.imwrite(tmp_path / name / "b.tif", values("uint8", 5, 4))
    found = data.open(tmp_path)
    assert found.labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert found.names[:3] == ["cat/a.tif#0", "cat/a.tif#1", "cat/b.tif"]


# --- damage, and the way back ----------------------------------------------------------------------------------------


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    content = bytearray(tiff(values("uint16", 6, 5, 3)))
    for tag in (256, 257):
        at = content.index(struct.pack("<HHL", tag, SHORT, 1))
        content[at : at + 12] = struct.pack("<HHLL", tag, LONG, 1, 2**31 - 1)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match="it claims more pixels"):
        data.open(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [1, LZW, DEFLATE, ZSTD])
def test_damage_gives_one_sentence(tmp_path: Path, compression: int) -> None:
    good = tiff(values("uint16", 12, 12, 3), compression=compression)
    for number in range(150):
        bad = bytearray(good)
        bad[int(RNG.integers(0, len(good)))] ^= 1 << (number % 8)
        content = bytes(bad) if number % 3 else good[: int(RNG.integers(9, len(good)))]
        (tmp_path / "a.tif").write_bytes(content)
        with contextlib.suppress(DataError):
            data.open(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint64", "float16", "float64"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 16])
def test_what_is_written_comes_back(tmp_path: Path, dtype: str, bands: int) -> None:
    array = values(dtype, 2, 7, 5, bands)
    source = data.open(array if bands > 1 else array[..., 0])
    data.write(tmp_path / "set", source.array, source.schema)
    data.write(tmp_path / "one.tif", source.array[:1], source.schema)
    for found, truth in (
        (data.open(tmp_path / "set"), source.array),
        (data.open(tmp_path / "one.tif"), source.array[:1]),
    ):
        assert found.schema.dtype == dtype
        np.testing.assert_array_equal(found.take(range(len(truth))), truth)


def test_png_refuses_what_it_cannot_hold_and_the_advice_works(tmp_path: Path) -> None:
    source = data.open(values("uint16", 1, 7, 5, 5))
    with pytest.raises(DataError, match=r"PNG does not hold uint16 values of shape \(7, 5, 5\); write \.tif"):
        data.write(tmp_path / "a.png", source.array, source.schema)
    data.write(tmp_path / "a.tif", source.array, source.schema)
    np.testing.assert_array_equal(data.open(tmp_path / "a.tif").array, source.array)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("target", [0, 2])
def test_pages_in_a_circle_end(tmp_path: Path, big: bool, target: int) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, values("uint8", 5, 8, 8), photometric="minisblack", bigtiff=big, metadata=None)
    with tifffile.TiffFile(path) as file:
        last, offsets = file.pages[4], [page.offset for page in file.pages]
    content = bytearray(path.read_bytes())
    count, tag, form = (8, 20, "<Q") if big else (2, 12, "<L")
    tags = int.from_bytes(content[last.offset : last.offset + count], "little")
    struct.pack_into(form, content, last.offset + count + tags * tag, offsets[target])
    path.write_bytes(content)
    with pytest.raises(DataError, match="its pages follow one another in a circle"):
        data.open(path)

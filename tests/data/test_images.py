from __future__ import annotations

import contextlib
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from isthmus import data
from isthmus.data import deep_colour, stores
from isthmus.errors import DataError, ParameterError, ShapeError

RNG = np.random.default_rng(0)


def pixels(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return RNG.integers(0, 256, shape).astype(dtype)


def save(path: Path, array: np.ndarray, **options: object) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return array


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(6):
        save(tmp_path / "set" / ("cat" if i < 3 else "dog") / f"{i}.png", pixels(5, 7, 3))
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("grey.png", (5, 7), "uint8"),
        ("rgb.png", (5, 7, 3), "uint8"),
        ("rgba.png", (5, 7, 4), "uint8"),
        ("alpha.png", (5, 7, 2), "uint8"),
        ("deep.png", (5, 7), "uint16"),
        ("bits.png", (5, 7), "bool"),
        ("grey.tif", (5, 7), "uint8"),
        ("deep.tif", (5, 7), "uint16"),
        ("int.tif", (5, 7), "int32"),
        ("float.tif", (5, 7), "float32"),
        ("rgba.tiff", (5, 7, 4), "uint8"),
        ("rgb.bmp", (5, 7, 3), "uint8"),
        ("rgb.ppm", (5, 7, 3), "uint8"),
        ("grey.pgm", (5, 7), "uint8"),
    ],
)
def test_lossless_formats_give_the_very_values(tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str) -> None:
    array = (
        RNG.integers(0, 2, shape).astype(bool)
        if dtype == "bool"
        else pixels(*shape, dtype=dtype) * (100 if dtype == "uint16" else 1)
    )
    save(tmp_path / name, array)
    opened = data.open(tmp_path / name)
    assert (opened.schema.kind, opened.schema.shape, opened.schema.dtype) == ("image", shape, dtype)
    np.testing.assert_array_equal(opened.take([0])[0], array)
    assert opened.notes == []


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_photographs(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", np.full((8, 9, 3), 100, np.uint8))
    opened = data.open(tmp_path / f"a.{suffix}")
    assert opened.schema.shape == (8, 9, 3)
    assert np.abs(opened.chunk(0, 1).astype(int) - 100).max() < 4


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_deep_colour_png_keeps_sixteen_bits(tmp_path: Path, channels: int) -> None:
    array = RNG.integers(0, 65536, (6, 5, channels)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(deep_colour.write_png(array))
    opened = data.open(tmp_path / "deep.png")
    assert (opened.schema.shape, opened.schema.dtype) == ((6, 5, channels), "uint16")
    np.testing.assert_array_equal(opened.take([0])[0], array)
    eight = data.open(tmp_path / "deep.png", mode="rgb") if channels > 2 else None
    if eight is not None:
        assert eight.schema.dtype == "uint8"
        np.testing.assert_allclose(eight.take([0])[0], array[:, :, :3] / 257, atol=0.51)


def test_png_filters_against_pillow(tmp_path: Path) -> None:
    # Pillow chooses among the five filters by itself; its own decoding is the truth.
    smooth = np.cumsum(np.cumsum(RNG.integers(0, 3, (40, 30, 4)), 0), 1).astype(np.uint8)
    save(tmp_path / "a.png", smooth, optimize=True)
    content = (tmp_path / "a.png").read_bytes()
    packed, at = b"", 8
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        packed += content[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    lines = zlib.decompress(packed)
    used = {lines[row * (4 * 30 + 1)] for row in range(40)}
    assert len(used) > 1
    np.testing.assert_array_equal(deep_colour.unfilter(lines, 40, 120, 4).reshape(40, 30, 4), smooth)


@pytest.mark.parametrize("number", range(5))
def test_each_png_filter_is_undone(number: int) -> None:
    raw = pixels(9, 24)
    lines = bytearray()
    above = np.zeros(24, int)
    for row in raw.astype(int):
        left, corner = np.concatenate([[0] * 6, row[:-6]]), np.concatenate([[0] * 6, above[:-6]])
        p = left + above - corner
        distance = np.stack([abs(p - left), abs(p - above), abs(p - corner)])
        paeth = np.where(
            (distance[0] <= distance[1]) & (distance[0] <= distance[2]),
            left,
            np.where(distance[1] <= distance[2], above, corner),
        )
        predicted = [np.zeros(24, int), left, above, (left + above) // 2, paeth][number]
        lines += bytes([number]) + ((row - predicted) & 255).astype(np.uint8).tobytes()
        above = row
    np.testing.assert_array_equal(deep_colour.unfilter(bytes(lines), 9, 24, 6), raw)


def colour_tiff(array: np.ndarray, order: str, compression: int, predictor: int, rows: int) -> bytes:
    """Return a TIFF file of 16 bits a channel, which Pillow cannot write."""
    height, width, channels = array.shape
    values = array.copy()
    if predictor == 2:
        values[:, 1:] -= array[:, :-1]
    strips = [values[at : at + rows].astype(f"{order}u2").tobytes() for at in range(0, height, rows)]
    strips = [zlib.compress(strip) if compression == 8 else strip for strip in strips]
    short, long = 3, 4
    offsets = np.cumsum([8, *(len(strip) for strip in strips)])
    entries = [
        (256, short, [width]),
        (257, short, [height]),
        (258, short, [16] * channels),
        (259, short, [compression]),
        (262, short, [2]),
        (273, long, [int(at) for at in offsets[:-1]]),
        (277, short, [channels]),
        (278, short, [rows]),
        (279, long, [len(strip) for strip in strips]),
        (317, short, [predictor]),
    ]
    extra, at = b"", int(offsets[-1]) + 2 + 12 * len(entries) + 4
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == short else 'L'}", *numbers)
        directory += struct.pack(f"{order}HHL", tag, kind, len(numbers))
        directory += packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}L", at + len(extra))
        extra += packed if len(packed) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}L", int(offsets[-1]))
    return head + b"".join(strips) + directory + bytes(4) + extra


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("rows", [6, 4])
def test_deep_colour_tiff(tmp_path: Path, order: str, compression: int, predictor: int, rows: int) -> None:
    array = RNG.integers(0, 65536, (6, 5, 3)).astype(np.uint16)
    content = colour_tiff(array, order, compression, predictor, rows)
    (tmp_path / "deep.tif").write_bytes(content)
    opened = data.open(tmp_path / "deep.tif")
    assert opened.schema.dtype == "uint16"
    np.testing.assert_array_equal(opened.take([0])[0], array)


def test_palette_images_are_converted_and_said(tmp_path: Path) -> None:
    array = np.zeros((4, 6, 3), np.uint8)
    array[0] = 255
    Image.fromarray(array).convert("P").save(tmp_path / "p.png")
    opened = data.open(tmp_path / "p.png")
    np.testing.assert_array_equal(opened.take([0])[0], array)
    assert opened.notes == ["1 of 1 images of mode P were read as RGB."]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_images_come_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    array = np.zeros((16, 32, 3), np.uint8)
    array[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = tmp_path / f"t.{suffix}"
    save(path, array, exif=exif, **options)
    opened = data.open(path)
    with Image.open(path) as image:
        truth = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_allclose(opened.take([0])[0].astype(int), truth.astype(int), atol=3)
    assert opened.schema.shape == truth.shape
    if suffix != "tif" and orientation != 1:
        assert opened.notes == ["1 of 1 images were turned upright as their EXIF data say."]


def test_headers_alone_are_read_from_large_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in ("png", "jpg", "webp", "tif", "bmp"):
        save(tmp_path / f"a.{suffix}", pixels(64, 64, 3))
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("an image was decoded while opening"))
    for suffix in ("png", "jpg", "webp", "tif", "bmp"):
        assert data.open(tmp_path / f"a.{suffix}").schema.shape == (64, 64, 3)


def test_folder_with_classes(folder: Path) -> None:
    (folder / "readme.txt").write_text("hello")
    (folder / ".DS_Store").write_text("litter")
    opened = data.open(folder)
    assert opened.labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert opened.names == [f"cat/{i}.png" for i in range(3)] + [f"dog/{i}.png" for i in range(3, 6)]
    assert opened.source == "set"
    assert opened.resident
    assert opened.array.shape == (6, 5, 7, 3)
    assert "the 2 sub-folders were taken as classes." in opened.notes
    assert "of the 7 files in set, left out as no images: 1." in opened.notes
    assert opened.subset([4]).names == ["dog/4.png"]


def test_pattern_and_list_of_paths(folder: Path) -> None:
    assert data.open(str(folder / "cat" / "*.png")).labels is None
    assert len(data.open(str(folder / "**" / "*.png"))) == 6
    assert data.open(str(folder / "*" / "*.png")).labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert len(data.open(sorted((folder / "cat").glob("*.png")))) == 3


def test_flat_folder_has_no_classes(folder: Path) -> None:
    assert data.open(folder / "cat").labels is None
    save(folder / "top.png", pixels(5, 7, 3))
    opened = data.open(folder)
    assert opened.labels is None
    assert any("not taken as classes" in note for note in opened.notes)


@pytest.fixture
def mixed(tmp_path: Path) -> dict[str, np.ndarray]:
    sizes = {"a": (4, 6), "b": (6, 6), "c": (4, 6), "d": (5, 6)}
    return {name: save(tmp_path / f"{name}.png", pixels(*size)) for name, size in sizes.items()}


def test_sizes_are_grouped(tmp_path: Path, mixed: dict[str, np.ndarray]) -> None:
    opened = data.open(tmp_path, sizes="group")
    assert opened.schema.shape == (None, 6)
    assert opened.array is None
    assert opened.sizes == [(4, 6), (6, 6), (4, 6), (5, 6)]
    assert opened.subset([1, 3]).sizes == [(6, 6), (5, 6)]
    for got, expected in zip(opened.chunk(0, 4), mixed.values(), strict=True):
        np.testing.assert_array_equal(got, expected)
    back = data.restore(opened.take([1]), opened.schema)
    np.testing.assert_array_equal(back[0], mixed["b"])


def test_sizes_are_cropped_and_padded(tmp_path: Path, mixed: dict[str, np.ndarray]) -> None:
    cropped = data.open(tmp_path, sizes="crop")
    assert cropped.array.shape == (4, 4, 6)
    np.testing.assert_array_equal(cropped.array[1], mixed["b"][1:5])
    assert "2 of 4 images were cut at the middle to 4 x 6 (height x width)." in cropped.notes
    padded = data.open(tmp_path, sizes="pad")
    assert padded.array.shape == (4, 6, 6)
    np.testing.assert_array_equal(padded.array[0], np.pad(mixed["a"], ((1, 1), (0, 0)), mode="edge"))
    assert "3 of 4 images were filled by repeating their border to 6 x 6 (height x width)." in padded.notes


@pytest.mark.parametrize("sizes", ["group", "crop", "pad"])
def test_large_folders_are_streamed(
    tmp_path: Path, mixed: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, sizes: str
) -> None:
    resident = data.open(tmp_path, sizes=sizes)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    streamed = data.open(tmp_path, sizes=sizes)
    assert not streamed.resident
    assert streamed.sizes == resident.sizes
    assert streamed.nbytes == resident.nbytes
    for got, expected in zip(streamed.take([3, 0, 1]), resident.take([3, 0, 1]), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(streamed.chunk(2, 100)) == 2
    if sizes != "group":
        assert streamed.take([]).shape == (0, *streamed.schema.shape)


def test_streamed_truncated_image_is_named_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png", pixels(50, 50))
    content = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(content[: len(content) // 2])
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    opened = data.open(tmp_path)
    opened.chunk(0, 1)
    with pytest.raises(DataError, match=r"1\.png' cannot be read: it is truncated or damaged"):
        opened.chunk(0, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "ppm"])
def test_skip_bad_counts_what_it_leaves_out(tmp_path: Path, suffix: str) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.{suffix}", pixels(60, 60, 3))
    content = (tmp_path / f"2.{suffix}").read_bytes()
    (tmp_path / f"2.{suffix}").write_bytes(content[: len(content) // 2])
    (tmp_path / f"3.{suffix}").write_bytes(b"not an image at all")
    with pytest.raises(DataError, match=rf"[23]\.{suffix}' cannot be read"):
        data.open(tmp_path)
    opened = data.open(tmp_path, skip_bad=True)
    assert opened.names == [f"0.{suffix}", f"1.{suffix}"]
    assert opened.notes[0] == f"2 of 4 images could not be read and were left out: '2.{suffix}', '3.{suffix}'."


def test_damaged_images_only_give_clean_errors(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "tif", "webp", "bmp", "ppm"):
        save(tmp_path / f"a.{suffix}", pixels(12, 12, 3))
        good = (tmp_path / f"a.{suffix}").read_bytes()
        for number in range(60):
            bad = bytearray(good)
            bad[int(RNG.integers(0, min(len(good), 120)))] ^= 1 << (number % 8)
            (tmp_path / f"a.{suffix}").write_bytes(bytes(bad))
            with contextlib.suppress(DataError):
                data.open(tmp_path / f"a.{suffix}")


def test_all_images_bad(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(DataError, match="it is no sound PNG, JPEG, TIFF, WebP, BMP or PPM image"):
        data.open(tmp_path, skip_bad=True)


def test_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", pixels(30, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="it claims more pixels than an image of this kind should have"):
        data.open(tmp_path / "a.png")


def test_modes_are_converted_when_asked(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels(4, 4))
    save(tmp_path / "b.png", pixels(4, 4, 3))
    save(tmp_path / "c.png", pixels(4, 4, dtype="uint16") * 257)
    with pytest.raises(ShapeError, match="differ in their channels"):
        data.open(tmp_path)
    for mode, shape in (("grey", (4, 4)), ("rgb", (4, 4, 3)), ("rgba", (4, 4, 4))):
        opened = data.open(tmp_path, mode=mode)
        assert (opened.schema.shape, opened.schema.dtype) == (shape, "uint8")
        assert any(f"to mode '{mode}'" in note for note in opened.notes)
    deep = data.open(tmp_path, mode="grey").take([2])[0]
    np.testing.assert_array_equal(deep, np.asarray(Image.open(tmp_path / "c.png")) // 257)
    save(tmp_path / "d.tif", pixels(4, 4, dtype="float32"))
    with pytest.raises(DataError, match="no fixed range to convert"):
        data.open(tmp_path / "d.tif", mode="grey")


def test_nan_in_a_float_image_is_named(tmp_path: Path) -> None:
    array = np.zeros((4, 5), np.float32)
    array[2, 3] = np.nan
    save(tmp_path / "f.tif", array)
    with pytest.raises(DataError, match=r"'f\.tif' contains NaN in image 0, row 2, column 3"):
        data.open(tmp_path / "f.tif")


def test_list_of_images() -> None:
    images = [pixels(4, 5, 3), pixels(4, 5, 3)]
    opened = data.open(images)
    assert opened.schema.container == "list"
    assert opened.array.shape == (2, 4, 5, 3)
    back = data.restore(opened.array, opened.schema)
    assert isinstance(back, list)
    np.testing.assert_array_equal(back[1], images[1])
    with pytest.raises(ShapeError, match=r"X\[0\] is 4 x 5 and X\[2\] is 6 x 5"):
        data.open([*images, pixels(6, 5, 3)])
    grouped = data.open([*images, pixels(6, 5, 3)], sizes="group")
    assert grouped.schema.shape == (None, 5, 3)
    assert data.open([Image.fromarray(image) for image in images]).array.shape == (2, 4, 5, 3)
    with pytest.raises(ShapeError, match="differ in their channels"):
        data.open([pixels(4, 5), pixels(4, 5, 3)])


def test_folder_without_anything_useful(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no files"):
        data.open(tmp_path)
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(DataError, match=r"holds only a\.docx"):
        data.open(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(DataError, match="there is no file, folder or pattern"):
        data.open(tmp_path)


def test_options_of_images_elsewhere_are_refused() -> None:
    with pytest.raises(ParameterError, match="sizes is for images, and these data are of kind 'array'"):
        data.open(np.zeros((2, 2)), sizes="group")
    with pytest.raises(ParameterError, match="label_column is for tables and matrices"):
        data.open(np.zeros((2, 2, 2)), label_column=0)

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


@pytest.mark.parametrize("colour", ["grey", "grey with alpha", "RGB", "RGBA"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_sixteen_bit_png_of_every_colour_type_and_filter(tmp_path: Path, colour: str, interlaced: bool) -> None:
    channels = {"grey": 1, "grey with alpha": 2, "RGB": 3, "RGBA": 4}[colour]
    array = RNG.integers(0, 65536, (13, 11, channels)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png(array, interlaced))
    opened = data.open(tmp_path / "a.png")
    np.testing.assert_array_equal(opened.take([0])[0], array[..., 0] if channels == 1 else array)
    assert opened.notes == []


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(array: np.ndarray, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """Return a PNG file of 16 bits a channel, with each line's filter another one of the five."""
    height, width, channels = array.shape
    lines = b""
    for y, x, down, across in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = array[y::down, x::across]
        if part.size:
            lines += filtered(part.astype(">u2").reshape(len(part), -1).view(np.uint8), 2 * channels)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, interlaced)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(raw: np.ndarray, pixel: int) -> bytes:
    lines, above = b"", np.zeros(raw.shape[1], int)
    for number, row in enumerate(raw.astype(int)):
        left, corner = np.concatenate([[0] * pixel, row[:-pixel]]), np.concatenate([[0] * pixel, above[:-pixel]])
        p = left + above - corner
        distance = np.stack([abs(p - left), abs(p - above), abs(p - corner)])
        paeth = np.where(
            (distance[0] <= distance[1]) & (distance[0] <= distance[2]),
            left,
            np.where(distance[1] <= distance[2], above, corner),
        )
        predicted = [0 * row, left, above, (left + above) // 2, paeth][number % 5]
        lines += bytes([number % 5]) + ((row - predicted) & 255).astype(np.uint8).tobytes()
        above = row
    return lines


def test_a_transparent_colour_becomes_a_channel(tmp_path: Path) -> None:
    grey, rgb = np.array([[1, 2], [3, 4]], np.uint8), np.array([[[1, 2, 3], [3, 3, 3]]], np.uint8)
    save(tmp_path / "grey.png", grey, transparency=3)
    save(tmp_path / "rgb.png", rgb, transparency=(3, 3, 3))
    save(tmp_path / "deep.png", grey.astype(np.uint16) * 300, transparency=900)
    deep = np.array([[[1, 2, 3], [1, 2, 60000]]], np.uint16)
    (tmp_path / "deeprgb.png").write_bytes(png(deep, extra=chunk(b"tRNS", struct.pack(">3H", 1, 2, 60000))))
    opened = data.open(tmp_path / "grey.png")
    assert opened.take([0])[0].tolist() == [[[1, 255], [2, 255]], [[3, 0], [4, 255]]]
    assert opened.notes == ["1 of 1 images mark a colour as transparent, which became a channel."]
    assert data.open(tmp_path / "rgb.png").take([0])[0].tolist() == [[[1, 2, 3, 255], [3, 3, 3, 0]]]
    assert data.open(tmp_path / "deep.png").take([0])[0].tolist() == [
        [[300, 65535], [600, 65535]],
        [[900, 0], [1200, 65535]],
    ]
    assert data.open(tmp_path / "deeprgb.png").take([0])[0].tolist() == [[[1, 2, 3, 65535], [1, 2, 60000, 0]]]
    assert data.open(tmp_path / "rgb.png", mode="rgb").take([0])[0].tolist() == rgb.tolist()


def test_png_of_few_bits_is_spread_and_said(tmp_path: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes([0, 0b01_10_11_00])))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
    opened = data.open(tmp_path / "a.png")
    assert opened.take([0])[0].tolist() == [[85, 170, 255, 0]]
    assert opened.notes == ["1 of 1 images have 2 bits a pixel, spread over 0 to 255 as PNG has it."]


def test_cmyk_is_converted_and_said(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.tif"):
        Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / name)
        opened = data.open(tmp_path / name)
        assert opened.schema.shape == (8, 8, 3)
        assert "CMYK" in opened.notes[0]
        assert opened.notes[0].endswith("read as RGB.")


def test_pictures_beside_a_photograph_are_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (value,) * 3) for value in (10, 200)]
    frames[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=frames[1:])
    opened = data.open(tmp_path / "a.jpg")
    assert len(opened) == 1
    assert opened.notes == ["1 of 1 images come with further pictures (copies, or depth), which were left out."]


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
    if orientation != 1:
        whose = "orientation says" if suffix == "tif" else "EXIF data say"
        assert opened.notes == [f"1 of 1 images were turned upright as their {whose}."]


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
    assert "of the 7 files in set, left out since not read as images: 1 (1 .txt)." in opened.notes
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
    with pytest.raises(DataError, match="it is no sound PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF or PPM image"):
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
    sentence = (
        "1 are grey uint8, as 'a.png', 1 are RGB uint8, as 'b.png', 1 are grey uint16, as 'c.png'; convert them to"
    )
    with pytest.raises(ShapeError, match=sentence):
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


def test_mode_is_for_image_files() -> None:
    opened = data.open(np.zeros((2, 4, 4), np.uint16), mode="grey")
    assert opened.notes == ["mode is for image files, and these images were left as they are."]
    with pytest.raises(ParameterError, match="as_bytes is for single files"):
        data.open(np.zeros((2, 4, 4), np.uint16), as_bytes=True)


def test_images_of_pillow_have_colours_and_not_indices() -> None:
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:2] = (255, 0, 0)
    opened = data.open([Image.fromarray(colours).quantize(4)] * 2)
    np.testing.assert_array_equal(opened.array[0], colours)
    assert opened.notes == ["2 of 2 images of mode P were read as RGB."]
    # One image is one record, not as many as it has rows.
    np.testing.assert_array_equal(data.open(Image.fromarray(colours)).array, colours[None])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_picture_replaced_while_it_is_streamed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.{suffix}", pixels(5, 7))
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 10)
    opened = data.open(tmp_path)
    for other in (pixels(5, 7, 3), pixels(5, 7, dtype="uint16"), pixels(6, 7)):
        save(tmp_path / f"1.{suffix}", other)
        with pytest.raises(DataError, match="it was changed or replaced after it had been opened; open it again"):
            opened.chunk(0, 3)


def test_frames_that_are_claimed_and_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    frames = [Image.fromarray(pixels(5, 7)) for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert len(data.open(path)) == 3
    content = bytearray(path.read_bytes())
    at = content.index(b"acTL")
    content[at + 4 : at + 8] = (2**24).to_bytes(4, "big")
    content[at + 12 : at + 16] = zlib.crc32(content[at : at + 12]).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(DataError, match="it claims 16777216 frames, and is too short for them"):
        data.open(path)

"""compress, decompress and info of photographs to a target, without a model: what is written, and what is said."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.errors import DataTypeError, ParameterError

from .conftest import Run

pytestmark = pytest.mark.usefixtures("wavelet_codec")


def photo(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return np.clip(np.stack([2 * x + y, 3 * y, 240 - x - y], 2) + noise, 0, 255).astype(np.uint8)


def near(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


@pytest.fixture
def png(run: Run) -> str:
    Image.fromarray(photo()).save("photo.png", dpi=(300, 300))
    return "photo.png"


def test_a_photograph_and_back(run: Run, png: str) -> None:
    ran = run("compress", png, "--psnr", "38")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("photo.isth: 64x48 in ")
    assert "bits a pixel, PSNR 38." in ran.out
    assert "photograph with a loss, 64x48 RGB, quality " in run("info", "photo.isth").out
    assert run("verify", "photo.isth").out.endswith("ok\n")
    assert run("decompress", "photo.isth", "-o", "back.png").code == 0
    with Image.open("back.png") as back:
        assert near(np.asarray(back), photo()) >= 38
        assert back.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    ran = run("decompress", "photo.isth")
    assert (ran.code, "photo.png" in ran.err) == (2, True), ran.err  # which is there
    os.unlink(png)
    assert run("decompress", "photo.isth").out.startswith("photo.png: ")


@pytest.mark.parametrize(
    "target", [("--size", "2kB"), ("--size", "2000"), ("--bpp", "5.2083"), ("--psnr", "31.5"), ("--quality", "30")]
)
def test_targets_are_kept_by_the_whole_file(run: Run, png: str, target: tuple[str, str]) -> None:
    found = json.loads(run("compress", png, *target, "--json").out)["files"][0]
    size = Path("photo.isth").stat().st_size
    assert found["compressed_bytes"] == size
    assert found["bpp"] == pytest.approx(8 * size / (48 * 64))
    run("decompress", "photo.isth", "-o", "back.png")
    assert found["psnr"] == pytest.approx(near(np.asarray(Image.open("back.png")), photo()))
    assert size <= 2000 or target[0] in ("--psnr", "--quality")
    assert found["psnr"] >= 31.5 or target[0] != "--psnr"
    if target[0] == "--quality":
        assert found["quality"] == 30


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--psnr", "99"), 2, "--psnr 99 (psnr=) cannot be met: the best that there is has "),
        (("--size", "40"), 2, "--size 40 (size=) cannot be met: the smallest that there is has "),
        (("--psnr", "38", "--bpp", "1"), 2, "exactly one of psnr, bpp, size and quality; got --psnr and --bpp"),
        (("--quality", "101"), 2, "--quality"),
        (("--psnr", "38", "--effort", "10"), 2, "must be from 0 to 9; it is 10"),
        (("--lossy",), 2, "--lossy keeps photographs to a target, and there is none"),
        (("--psnr", "38", "--max-error", "1"), 2, "--max-error is for arrays"),
        (("--psnr", "-3"), 2, "--psnr"),
    ],
)
def test_what_cannot_be_met_or_meant(run: Run, png: str, flags: tuple[str, ...], code: int, said: str) -> None:
    ran = run("compress", png, *flags)
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert not Path("photo.isth").exists()


def test_what_is_no_picture(run: Run, png: str) -> None:
    Path("x.txt").write_text("text")
    ran = run("compress", "x.txt", "--psnr", "38")
    assert "--psnr asks for a loss, which there is without a model for pictures only, and x.txt is none" in ran.err
    Path("broken.png").write_bytes(Path(png).read_bytes()[:200])
    assert run("compress", "broken.png", "--psnr", "38").code != 0
    assert run("compress", "none.png", "--psnr", "38").code != 0
    assert not list(Path().glob("*.isth"))


def test_existing_outputs_and_dry_runs(run: Run, png: str) -> None:
    ran = run("compress", png, "--quality", "20", "--dry-run")
    assert (ran.code, Path("photo.isth").exists()) == (0, False)
    Path("photo.isth").write_text("mine")
    ran = run("compress", png, "--quality", "20")
    assert (ran.code, Path("photo.isth").read_text()) == (2, "mine"), ran.err
    assert run("compress", png, "--quality", "20", "--force").code == 0


def test_drawings_lose_nothing_unless_told(run: Run) -> None:
    drawn = np.zeros((48, 64, 3), np.uint8)
    drawn[10:30, 8:40] = 200, 10, 10
    Image.fromarray(drawn).save("flat.png")
    ran = run("compress", "flat.png", "--psnr", "40")
    assert "note: flat.png is compressed without a loss, which takes fewer bytes than the target would" in ran.err
    assert "nothing is lost" in ran.out
    assert run("decompress", "flat.isth", "-o", "back.png").code == 0
    assert Path("back.png").read_bytes() == Path("flat.png").read_bytes()
    ran = run("compress", "flat.png", "--psnr", "40", "--lossy", "--force")
    assert (ran.err, "PSNR 4" in ran.out) == ("", True)


@pytest.mark.parametrize(
    "kind", ["rgba", "grey", "la", "deep", "one", "hidden", "jpg", "webp", "tif", "bmp", "deeptif"]
)
def test_kinds_of_pictures(run: Run, kind: str) -> None:
    pixels, suffix = photo(24, 40), ".png"
    alpha = np.tile(np.arange(0, 200, 5, np.uint8), (24, 1))
    if kind == "rgba":
        pixels = np.dstack([pixels, alpha])
    elif kind == "grey":
        pixels = pixels[:, :, 0]
    elif kind == "la":
        pixels = np.dstack([pixels[:, :, 0], alpha])
    elif kind == "one":
        pixels = pixels[:1, :1]
    elif kind == "hidden":
        pixels = np.dstack([pixels, np.zeros_like(alpha)])
    elif kind in ("jpg", "webp", "tif", "bmp"):
        suffix = "." + kind
    if kind in ("deep", "deeptif"):
        from isthmus.data import deep_colour, tiff

        pixels = pixels.astype(np.uint16) * 257
        if kind == "deep":
            Path("x.png").write_bytes(deep_colour.write_png(pixels))
        else:
            import tifffile

            suffix = ".tif"
            tifffile.imwrite("x.tif", pixels, photometric="rgb")
        assert tiff
    else:
        Image.fromarray(pixels).save("x" + suffix)
    ran = run("compress", "x" + suffix, "--quality", "60", "--lossy")
    assert ran.code == 0, ran.err
    told = {"jpg": "is a JPEG file", "webp": "is a WEBP file", "tif": "will come back", "bmp": "will come back"}
    assert told.get(kind, "") in ran.err
    assert ("colours under full transparency" in ran.err) == (kind in ("rgba", "la", "hidden"))
    assert run("decompress", "x.isth", "-o", "back.png").code == 0
    back = isthmus.decompress(Path("x.isth").read_bytes())
    assert (back.shape, back.dtype) == (pixels.shape, pixels.dtype)
    if kind in ("rgba", "la", "hidden"):
        assert np.array_equal(back[..., -1], pixels[..., -1])
    with Image.open("back.png") as png:
        assert png.size == (pixels.shape[1], pixels.shape[0])


def test_profile_and_exif_are_kept_and_the_picture_stands_upright(run: Run) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a harbour"
    Image.fromarray(photo()).save("x.jpg", icc_profile=profile, exif=exif, quality=90)
    assert run("compress", "x.jpg", "--quality", "60").code == 0
    run("decompress", "x.isth", "-o", "back.png")
    with Image.open("back.png") as back:
        assert back.size == (48, 64)
        assert back.info["icc_profile"] == profile
        assert dict(back.getexif()) == {0x0112: 1, 0x010E: "a harbour"}


def test_what_a_tiff_file_says_of_the_camera_is_kept(run: Run) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 3
    exif.get_ifd(0x8769)[0x829A] = 0.125  # seconds
    exif.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (8, 8)).save("exif.jpg", exif=exif)  # from a file, a TIFF file takes all of them
    with Image.open("exif.jpg") as said:
        Image.fromarray(photo()).save("x.tif", exif=said.getexif())
    assert run("compress", "x.tif", "--quality", "60").code == 0
    run("decompress", "x.isth", "-o", "back.png")
    with Image.open("back.png") as back:
        found = back.getexif()
        assert {tag: found[tag] for tag in (0x010F, 0x0112)} == {0x010F: "a camera", 0x0112: 1}
        assert (dict(found.get_ifd(0x8769)), dict(found.get_ifd(0x8825))) == ({0x829A: 0.125}, {1: "N"})
        assert set(found) == {0x010F, 0x0112, 0x8769, 0x8825}


def test_damaged_exif_data_are_left_out_and_that_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(image: Image.Image) -> bytes:
        raise KeyError(262)  # as Pillow raised of a TIFF file without that field

    Image.fromarray(photo()).save("x.tif")
    monkeypatch.setattr("isthmus.data.photographs._of_tiff", damaged)
    ran = run("compress", "x.tif", "--quality", "60")
    assert (ran.code, "x.tif: what it may say of the camera cannot be read, and is not kept\n" in ran.err) == (0, True)


def test_a_profile_that_is_too_long_is_left_out_and_that_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a harbour" * 20
    Image.fromarray(photo()).save("x.jpg", exif=exif)
    monkeypatch.setattr("isthmus.data.photographs.BESIDE_LIMIT", 100)
    assert (
        "note: x.jpg: a colour profile or EXIF data of more than 0 MiB are not kept\n"
        in run("compress", "x.jpg", "--quality", "60").err
    )


def test_a_folder_becomes_an_archive(run: Run) -> None:
    Path("photos/more").mkdir(parents=True)
    Image.fromarray(photo()).save("photos/1.png")
    Image.fromarray(photo(24, 40)).save("photos/more/2.jpg")
    Path("photos/notes.txt").write_text("of a harbour")
    ran = run("compress", "photos", "--psnr", "34", "--lossy")
    assert (ran.code, "2 pictures in " in ran.out) == (0, True), ran.err
    assert ran.err == "note: members that are JPEG files are pictures with names that end in .png, and come back so\n"
    assert run("decompress", "photos.isth", "-o", "again").code == 0
    assert near(np.asarray(Image.open("again/1.png")), photo()) >= 34
    with Image.open("again/more/2.png") as picture:
        assert picture.size == (40, 24)
    assert Path("again/notes.txt").read_text() == "of a harbour"
    assert "cannot" in run("compress", "photos", "--size", "9kB", "-o", "x").err or not Path("x").exists()


def test_a_name_of_another_format(run: Run, png: str) -> None:
    run("compress", png, "--quality", "20")
    for name in ("back.jpg", "back.tif", "back.npy"):
        ran = run("decompress", "photo.isth", "-o", name)
        assert (ran.code, "comes back as a PNG file" in ran.err) == (2, True), ran.err


def test_a_damaged_file_shows_what_is_sound(run: Run, png: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.coding.photographs.tiles.PITCH", 40)
    run("compress", png, "--quality", "40")
    data = bytearray(Path("photo.isth").read_bytes())
    data[-len(data) // 4] ^= 4
    Path("photo.isth").write_bytes(data)
    assert run("decompress", "photo.isth", "-o", "back.png").code == 4
    ran = run("decompress", "photo.isth", "-o", "back.png", "--partial")
    assert (ran.code, "rows 0 to 47, columns 24 to 63 (chunk 2)" in ran.err) == (4, True), ran.err
    assert near(np.asarray(Image.open("back.png"))[:, :20], photo()[:, :20]) > 30


def test_ctrl_c_keeps_the_best_so_far_of_what_takes_minutes(
    run: Run, png: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.cli import photographs

    def told(self: object, *done: float) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return self._goes_on()  # type: ignore[attr-defined]

    monkeypatch.setattr(photographs._Told, "__call__", told)
    ran = run("compress", png, "--psnr", "34", "--effort", "3", "--lossy")
    assert "interrupted; photo.isth is the best that was found until then" in ran.err
    assert run("verify", "photo.isth").code == 0


def test_from_python(tmp_path: Path) -> None:
    made = isthmus.compress_photograph(photo(), psnr=36)
    assert made.psnr >= 36
    assert made.bpp == pytest.approx(8 * len(made.data) / (48 * 64))
    assert near(isthmus.decompress(made.data), photo()) == pytest.approx(made.psnr)
    made.save(tmp_path / "x.isth")
    assert (tmp_path / "x.isth").read_bytes() == made.data
    with pytest.raises(isthmus.errors.OutputExistsError):
        made.save(tmp_path / "x.isth")
    with pytest.raises(ParameterError, match="got none"):
        isthmus.compress_photograph(photo())
    with pytest.raises(DataTypeError):
        isthmus.compress_photograph(photo().astype(float), psnr=30)


def test_beside_other_formats(run: Run, png: str) -> None:
    ran = run("compress", png, "--psnr", "36", "--compare", "--report", "page.html", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    own, *others = found["at_size"]
    assert own["psnr"] >= 36
    assert {"JPEG", "WebP"} <= {one["tool"] for one in others}
    assert found["bd_rate"]["JPEG"] == 0
    assert not Path("photo.isth").exists()
    page = Path("page.html").read_text(encoding="utf-8")
    assert "Compressing photo.png" in page
    assert page.count("data:image/png") == 2 + len(found["at_size"]) + 1
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert json.loads(Path("page.json").read_text())["curve"]
    assert "BD-rate, JPEG" in run("compress", png, "--psnr", "36", "--compare").out
    ran = run("compress", png, png, "--psnr", "36", "--compare")
    assert (ran.code, "shows one picture, and 2 were named" in ran.err) == (2, True)

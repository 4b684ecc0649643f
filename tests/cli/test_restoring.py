"""denoise, inpaint, enhance: pictures in, pictures out, without a model, an option or a network."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tifffile
from PIL import Image

from isthmus import artifact
from isthmus.cli.sizes import as_bytes
from isthmus.errors import ParameterError
from isthmus.models.restorer import SHIPPED

from .conftest import Run

SAID = f"restoring with the weights that come with isthmus ({SHIPPED.stem})\n"
HEIGHT, WIDTH = 20, 28


def picture(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Return a noisy slope in colour."""
    slope = np.linspace(60, 180, width)[None, :, None] + np.linspace(0, 30, height)[:, None, None]
    noise = np.random.default_rng(seed).normal(0, 20, (height, width, 3))
    return np.clip(slope + noise, 0, 255).round().astype(np.uint8)


def read(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def noisy(tmp_path: Path) -> str:
    Image.fromarray(picture()).save(tmp_path / "noisy.png")
    return "noisy.png"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Three pictures, one of them in a folder of its own, and a file that is none."""
    (tmp_path / "scans" / "sub").mkdir(parents=True)
    Image.fromarray(picture(12, 16)).save(tmp_path / "scans" / "a.png")
    Image.fromarray(picture(16, 12)).save(tmp_path / "scans" / "a.jpg")
    tifffile.imwrite(tmp_path / "scans" / "sub" / "deep.tif", picture(9, 11)[..., 0].astype(np.uint16) * 4)
    (tmp_path / "scans" / "notes.txt").write_text("none")
    return "scans"


# ------------------------------------------------------------------ results


def test_a_noisy_picture_has_less_noise_beside_it(run: Run, noisy: str) -> None:
    ran = run("denoise", noisy)
    assert (ran.code, ran.err) == (0, SAID)
    assert ran.out.startswith("noisy-denoised.png: 28x20 RGB, 560 pixels in ")
    before, after = (np.diff(read(name).astype(float), axis=1).std() for name in (noisy, "noisy-denoised.png"))
    assert after < before


def test_a_model_that_lies_in_the_folder_is_never_taken_for_pictures(run: Run, noisy: str) -> None:
    Path("model.safetensors").write_bytes(b"none")
    assert run("denoise", noisy).code == 0
    assert run("denoise", noisy, "-m", "model.safetensors", "-o", "x.png").code == 4


def test_marked_pixels_are_filled_and_all_others_kept(run: Run, noisy: str) -> None:
    holes = np.zeros((HEIGHT, WIDTH), np.uint8)
    holes[5:8, 6:12] = 255
    Image.fromarray(holes).save("mask.png")
    ran = run("inpaint", noisy, "--mask", "mask.png")
    assert ran.out.endswith(", 18 pixels filled\n")
    same = (read("noisy-inpainted.png") == read(noisy)).all(axis=2)
    assert same[holes == 0].all()
    assert not same[holes > 0].all()


@pytest.mark.parametrize(("flags", "times"), [((), 2), (("--scale", 3), 3), (("--deblur",), 1)])
def test_a_picture_is_enlarged_or_sharpened(run: Run, noisy: str, flags: tuple[object, ...], times: int) -> None:
    assert run("enhance", noisy, *flags).code == 0
    assert read("noisy-enhanced.png").shape == (times * HEIGHT, times * WIDTH, 3)


def test_folders_keep_their_names_and_formats_that_lose_something_become_png(run: Run, folder: str) -> None:
    ran = run("denoise", folder, "-o", "clean/")
    assert ran.code == 0
    assert sorted(path.relative_to("clean").as_posix() for path in Path("clean").rglob("*.*")) == [
        "a-2.png",
        "a.png",
        "sub/deep.tif",
    ]
    assert "note: of the 4 files in scans, 1 is no picture and was left out." in ran.err
    assert "results of .jpg are written as .png" in ran.err
    assert tifffile.imread("clean/sub/deep.tif").dtype == np.uint16
    assert run("enhance", folder, "-q").err == ""
    assert read("scans-enhanced/a-2.png").shape == (24, 32, 3)  # a.jpg comes before a.png


def test_patterns_and_several_files_are_restored_each_beside_itself(run: Run, folder: str) -> None:
    assert run("denoise", "scans/a.*", "scans/sub/deep.tif").code == 0
    assert Path("scans/a-denoised.png").exists()
    assert Path("scans/a-denoised-2.png").exists()
    assert Path("scans/sub/deep-denoised.tif").exists()


def test_what_is_in_the_output_folder_is_not_taken_again(run: Run, folder: str) -> None:
    for _ in range(2):
        assert run("denoise", folder, "-o", "scans/clean", "--force").code == 0
    assert len(list(Path("scans/clean").rglob("*.*"))) == 3


def test_json_has_the_figures_and_the_digest_of_the_weights(run: Run, noisy: str) -> None:
    ran = run("denoise", noisy, "--json", "-q")
    told = json.loads(ran.out)
    assert ran.err == ""
    assert told["files"][0] | {"seconds": 0} == {
        "source": "noisy.png",
        "output": "noisy-denoised.png",
        "pictures": 1,
        "width": WIDTH,
        "height": HEIGHT,
        "pixels": "RGB",
        "dtype": "uint8",
        "megapixels": HEIGHT * WIDTH / 1e6,
        "seconds": 0,
        "filled": 0,
        "by_windows": False,
    }
    assert told["weights"] == {"name": SHIPPED.stem, "sha256": artifact.describe(SHIPPED)["sha256"]}


def test_a_saved_restorer_is_used_as_such(run: Run, noisy: str) -> None:
    Path("mine.safetensors").write_bytes(SHIPPED.read_bytes())
    ran = run("denoise", noisy, "-m", "mine.safetensors")
    assert (ran.code, ran.err) == (0, "")
    run("denoise", noisy, "-o", "own.png")
    assert np.array_equal(read("own.png"), read("noisy-denoised.png"))


def test_a_stack_stays_a_stack(run: Run) -> None:
    stack = np.stack([picture(8, 9, seed)[..., 0] for seed in range(3)])
    np.save("stack.npy", stack)
    ran = run("denoise", "stack.npy", "--report", "page.html")
    assert "note: stack.npy is taken as a stack of 3 pictures" in ran.err
    assert ran.out.startswith("stack-denoised.npy: 3 pictures of 9x8 grey, ")
    found = np.load("stack-denoised.npy")
    assert (found.shape, found.dtype) == (stack.shape, stack.dtype)
    assert run("enhance", "stack.npy", "-o", "large").code == 0
    assert read("large/00000.png").shape == (16, 18)


def test_rows_of_numbers_are_for_a_model_unless_the_weights_are_named(run: Run) -> None:
    np.save("matrix.npy", picture()[..., 0].astype(np.float32))
    ran = run("denoise", "matrix.npy", "-o", "x.npy")
    assert ran.code == 3
    assert "There is no model file model.safetensors." in ran.err
    assert "with -m shipped it is one picture" in ran.err
    assert run("denoise", "matrix.npy", "-m", "shipped", "-o", "x.npy").code == 0
    assert np.load("x.npy").shape == (HEIGHT, WIDTH)


def test_each_picture_of_a_folder_has_the_mask_of_its_name(run: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "m").mkdir(exist_ok=True)
        Image.fromarray(picture(10, 12, seed)).save(tmp_path / "p" / f"{name}.png")
        holes = np.zeros((10, 12), np.uint8)
        holes[seed + 2, 3:6] = 255
        Image.fromarray(holes).save(tmp_path / "m" / f"{name}.bmp")
    assert run("inpaint", "p", "--mask", "m").code == 0
    changed = (read("p-inpainted/b.png") != read("p/b.png")).any(axis=2)
    assert np.flatnonzero(changed.any(axis=1)).tolist() == [3]
    (tmp_path / "m" / "b.bmp").unlink()
    ran = run("inpaint", "p", "--mask", "m", "--force")
    assert ran.code == 2
    assert "there is no mask for 'b.png' in m; give each picture one of its name" in ran.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_picture_comes_through_a_pipe(run: Run, noisy: str) -> None:
    os.mkfifo("pipe")
    writer = Thread(target=lambda: Path("pipe").write_bytes(Path(noisy).read_bytes()), daemon=True)
    writer.start()
    ran = run("denoise", "pipe", "-o", "out.png")
    writer.join(10)
    assert (ran.code, ran.err) == (0, SAID)
    assert read("out.png").shape == (HEIGHT, WIDTH, 3)


# ------------------------------------------------------------------ the page


def test_the_page_is_one_file_that_shows_pictures_before_and_after(run: Run, noisy: str) -> None:
    ran = run("denoise", noisy, "--report", "page.html")
    assert ran.out.splitlines()[-1] == "page.html"
    page = Path("page.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert 'type="range"' in page
    assert artifact.describe(SHIPPED)["sha256"] in page
    assert "isthmus denoise noisy.png --report page.html" in page
    assert "http" not in page.replace("https://", "http://").replace("data:", "")
    assert not Path("page.json").exists()


# ------------------------------------------------------------------ what cannot be done


def test_nothing_is_overwritten_and_no_result_takes_the_place_of_its_picture(run: Run, noisy: str) -> None:
    before = Path(noisy).read_bytes()
    assert run("denoise", noisy).code == 0
    ran = run("denoise", noisy)
    assert (ran.code, "'noisy-denoised.png' exists already" in ran.err) == (2, True)
    assert run("denoise", noisy, "--force").code == 0
    ran = run("denoise", noisy, "-o", noisy, "--force")
    assert (ran.code, "a result never takes its place, with --force neither" in ran.err) == (2, True)
    assert Path(noisy).read_bytes() == before


def test_a_folder_as_the_output_of_one_picture_keeps_its_name(run: Run, noisy: str) -> None:
    assert run("denoise", noisy, "-o", "clean/").code == 0
    assert Path("clean/noisy.png").exists()
    ran = run("denoise", noisy, noisy.replace("noisy", "./noisy"), "noisy.png", "-o", "one.png")
    assert ran.code == 0  # the same picture named thrice is one
    Image.fromarray(picture(seed=1)).save("other.png")
    ran = run("denoise", noisy, "other.png", "-o", "two.png")
    assert ran.code == 2
    assert "--output must name a folder, as there are 2 pictures; 'two.png' is the name of a file." in ran.err


def bad_files() -> None:
    Image.fromarray(np.full((9, WIDTH), 255, np.uint8)).save("small-mask.png")
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save("all.png")
    np.save("no-channels.npy", np.zeros((HEIGHT, WIDTH, 0), np.uint8))
    Path("film.mp4").write_bytes(struct.pack(">I", 24) + b"ftypmp42" + bytes(500))
    Image.fromarray(picture()[..., 0].astype(np.uint16) * 9).save("deep.png")
    Path("text.png").write_text("this is a text\n" * 9)
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    content = bytearray(SHIPPED.read_bytes())
    content[-100] ^= 1
    Path("damaged.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("inpaint", "noisy.png", "--mask", "small-mask.png"),
            3,
            "the mask must have the height and width of the picture, (20, 28); its shape is (9, 28).",
        ),
        (("inpaint", "noisy.png", "--mask", "all.png"), 3, "all pixels of noisy.png are missing"),
        (("inpaint", "noisy.png", "--mask", ""), 2, "--mask must be a file or a folder; there is no ''"),
        (("inpaint", "noisy.png", "--mask", "absent.png"), 2, "--mask must be a file or a folder; there is no"),
        (
            ("inpaint", "noisy.png"),
            2,
            "nothing says what of 'noisy.png' is missing; name with mask= (--mask)",
        ),
        (("inpaint", "noisy.png", "--iterations", 3), 2, "--iterations and --start are for models of records"),
        (("denoise", "no-channels.npy"), 3, "the shape must be (height, width) or (height, width, channels)"),
        (("denoise", "film.mp4"), 3, "'film.mp4' is an MP4 or QuickTime film, which this version does not read"),
        (("denoise", "deep.png", "-o", "deep.jpg"), 2, "JPEG does not hold uint16 values of 1 channel; write one of"),
        (("denoise", "noisy.png", "-o", "x.xyz"), 2, ".xyz is no format that pictures are written in"),
        (("denoise", "text.png"), 3, "'text.png' cannot be read: it is no sound PNG, JPEG, TIFF"),
        (("denoise", "absent.png"), 3, "there is no file, folder or pattern 'absent.png'"),
        (("denoise", ""), 3, "the name of the source is empty"),
        (("denoise", "empty"), 3, "'empty' holds no pictures (PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF, PPM)"),
        (("denoise", "texts"), 3, "'texts' holds no pictures"),
        (("enhance", "noisy.png", "--scale", 5), 2, "--scale must be a whole number of at least 2 and at most 4"),
        (("enhance", "noisy.png", "--scale", 2, "--deblur"), 2, "leave out --scale, then enlarge the result."),
        (("denoise", "noisy.png", "--memory", "much"), 2, "--memory must be a size with its unit, as in 500MB"),
        (("denoise", "noisy.png", "--memory", "1kB"), 7, "and 1,000 are allowed"),
        (("denoise", "noisy.png", "--labels", "x"), 2, "labels is for records"),
        (("denoise", "noisy.png", "--report", "page.txt"), 2, "--report must end in .html, .htm"),
        (("denoise", "digits", "noisy.png"), 2, "pictures in a stack or a set go alone, and 2 are named"),
        (("denoise", "digits", "--memory", "1GB"), 2, "--memory is for picture files"),
        (("denoise", "noisy.png", "-m", "damaged.safetensors"), 4, "damaged.safetensors is damaged or cut short"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    run: Run, noisy: str, words: tuple[object, ...], code: int, said: str
) -> None:
    bad_files()
    there = sorted(Path().rglob("*"))
    ran = run(*words)
    assert ran.code == code
    assert said in ran.err
    assert sorted(Path().rglob("*")) == there
    if "damaged" in said:
        assert hashlib.sha256(Path("damaged.safetensors").read_bytes()).hexdigest() in ran.err


def test_tables_are_for_models_and_their_verbs_say_so(run: Run, table_file: Path) -> None:
    assert "There is no model file model.safetensors." in run("denoise", table_file, "-o", "x.csv").err
    assert "name the file or the folder of the records with -o" in run("denoise", table_file).err
    assert "--report is for pictures" in run("inpaint", table_file, "-o", "x.csv", "--report", "p.html").err
    assert "a model takes the records of one source" in run("denoise", table_file, table_file, "-o", "x.csv").err


def test_a_model_of_records_does_not_enhance(run: Run, model_file: Path, noisy: str) -> None:
    ran = run("enhance", noisy, "-m", model_file)
    assert ran.code == 2
    assert "is a model of records, and pictures are restored here; leave it out." in ran.err


def test_a_broken_picture_of_a_folder_is_refused_or_left_out(run: Run, folder: str) -> None:
    Path("scans/broken.png").write_text("none")
    ran = run("denoise", folder)
    assert ran.code == 3
    assert ran.err.count("--skip-bad") == 1
    content = Path("scans/a.png").read_bytes()
    Path("scans/cut.png").write_bytes(content[: len(content) // 2])  # whose header is whole
    ran = run("denoise", folder, "--skip-bad")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 3
    assert ran.err.count("note: left out: ") == 2


# ------------------------------------------------------------------ pictures of every kind


def test_what_is_converted_or_left_out_is_said(run: Run) -> None:
    frames = [Image.fromarray(picture(8, 9, seed)) for seed in range(3)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    frames[0].convert("CMYK").save("inks.jpg")
    frames[0].quantize(16).save("palette.png")
    broken = picture(8, 9)[..., 0].astype(np.float32) / 255
    broken[2:4, 3] = np.nan
    tifffile.imwrite("holes.tif", broken)
    for name, said in (
        ("moving.gif", "moving.gif holds 3 pages or frames, of which the first was taken."),
        ("inks.jpg", "inks.jpg: its pixels of mode CMYK were read as RGB."),
        ("palette.png", "palette.png: its pixels of mode P were read as RGB."),
        ("holes.tif", "holes.tif: 2 pixels were missing (NaN or infinite), and filled."),
    ):
        ran = run("denoise", name)
        assert ran.code == 0
        assert f"note: {said}\n" in ran.err
    assert np.isfinite(tifffile.imread("holes-denoised.tif")).all()


def test_a_clean_picture_comes_back(run: Run) -> None:
    slope = np.broadcast_to(np.linspace(40, 200, 64)[None, :, None], (48, 64, 3)).round().astype(np.uint8)
    Image.fromarray(slope).save("clean.png")
    assert run("denoise", "clean.png").code == 0
    assert np.abs(read("clean-denoised.png").astype(float) - slope).mean() < 5


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500_000_000), ("2GiB", 2**31), ("1.5 kb", 1500), ("64m", 2**26), ("7", 7)]
)
def test_sizes_are_read_as_a_person_writes_them(text: str, size: int) -> None:
    assert as_bytes("--memory", text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "5 XB", "0", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="--memory must be a size with its unit"):
        as_bytes("--memory", text)

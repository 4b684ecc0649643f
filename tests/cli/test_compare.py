"""compress --compare, and the page that --report makes of it."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus
from isthmus.peers import codecs, measuring

from .conftest import ENVIRONMENT, Run

RNG = np.random.default_rng(0)
FIELD = (np.sin(np.add.outer(np.arange(40), np.arange(50)) / 9) + RNG.normal(0, 0.03, (40, 50))).astype(np.float32)
ROWS = "number,name,square\n" + "".join(f"{n},{'abc'[n % 3]},{n * n}\n" for n in range(200))
VOID = {"meta", "link", "br", "img", "path", "use", "rect", "line", "circle"}


class Page(HTMLParser):
    """Collects tags, addresses and text, and fails on a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text = list[str](), list[str](), ""
        self.references, self.ids = list[str](), list[str]()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [str(value) for name, value in attributes if name in ("src", "href", "xlink:href")]
        self.ids += [str(value) for name, value in attributes if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(path: str) -> Page:
    html = Path(path).read_text()
    page = Page(html)
    assert not re.search(r"https?:|@import|@font-face", html)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in page.references)
    assert len(page.ids) == len(set(page.ids))
    assert {value[1:] for value in page.references if value.startswith("#")} <= set(page.ids)
    return page


@pytest.fixture(autouse=True)
def one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "RUNS", 1)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("She sells sea shells by the sea shore.\n" * 30)
    (tmp_path / "survey.csv").write_text(ROWS)
    pd.read_csv(io.StringIO(ROWS)).to_parquet(tmp_path / "survey.parquet")
    np.save(tmp_path / "field.npy", FIELD)
    grey = np.add.outer(np.arange(20), np.arange(30)) * 4 % 256
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "ramp.png")
    return tmp_path


# ------------------------------------------------------------------ what is compared


@pytest.mark.parametrize(
    ("name", "own", "others", "unit", "units"),
    [
        ("notes.txt", "isthmus (normal)", {"gzip -9", "bzip2 -9", "xz -9e"}, "byte", 1170),
        ("survey.csv", "isthmus (as a table)", {"gzip -9", "Parquet, zstd -19"}, "row", 200),
        ("survey.parquet", "isthmus (as a table)", {"gzip -9", "Parquet, zstd -19"}, "row", 200),
        ("field.npy", "isthmus (as an array)", {"gzip -9"}, "item", 2000),
        ("ramp.png", "isthmus (as a picture)", {"PNG, optimised", "WebP, lossless"}, "pixel", 600),
    ],
)
def test_each_kind_beside_the_codecs_for_it(
    name: str, own: str, others: set[str], unit: str, units: int, run: Run, files: Path
) -> None:
    before = sorted(files.iterdir())
    found = json.loads(run("compress", name, "--compare", "--json", "--content", "auto").out)
    assert sorted(files.iterdir()) == before
    tools = {row["tool"]: row for row in found["tools"]}
    assert set(tools) >= {own, *others}
    assert run("compress", name).code == 0
    # The name of the file is kept in its compressed file, and a comparison of contents has none.
    size = Path(f"{name}.isth").stat().st_size
    assert size - len(name) - 2 <= tools[own]["compressed_bytes"] <= size
    assert tools[own]["version"] == f"isthmus {isthmus.__version__}"
    assert sum(found["parts"].values()) == tools[own]["compressed_bytes"]
    for row in found["tools"]:
        assert row["share"] == row["compressed_bytes"] / (files / name).stat().st_size
        assert row["max_error"] == 0
    if found["unit"] != "byte":  # what is smaller as bytes is coded as bytes
        assert (found["unit"], found["units"]) == (unit, units)
        assert tools[own]["bits_per_unit"] == pytest.approx(8 * tools[own]["compressed_bytes"] / units)


def test_within_a_bound_the_largest_error_is_measured(run: Run, files: Path) -> None:
    found = json.loads(run("compress", "field.npy", "--rel-error", "0.01", "--compare", "--json").out)
    assert found["bound"] == pytest.approx(0.01 * float(np.ptp(FIELD)))
    [own] = [row for row in found["tools"] if row["is_own"]]
    assert own["tool"] == "isthmus (as an array, within the bound)"
    assert run("compress", "field.npy", "--rel-error", "0.01").code == 0
    assert run("decompress", "field.npy.isth", "-o", "near.npy").code == 0
    near = np.load("near.npy")
    assert own["max_error"] == pytest.approx(float(np.abs(near.astype(float) - FIELD).max()))
    assert 0 < own["max_error"] <= found["bound"]
    assert "largest error" in run("compress", "field.npy", "--max-error", "0.1", "--compare").out


def test_fill_values_are_no_part_of_the_range(run: Run, files: Path) -> None:
    array = FIELD.copy()
    array[0, :3] = [1e20, np.nan, -9999]
    np.save("fills.npy", array)
    found = json.loads(run("compress", "fills.npy", "--rel-error", ".01", "--fill", "-9999", "--compare", "--json").out)
    assert found["bound"] == pytest.approx(0.01 * float(np.ptp(FIELD)), rel=1e-3)


def test_members_of_a_folder_are_bytes_and_files_are_what_they_are(run: Run, files: Path) -> None:
    (files / "folder").mkdir()
    (files / "folder" / "a.csv").write_text(ROWS)
    found = json.loads(run("compress", "folder", "--compare", "--json").out)
    assert (found["kind"], found["files"]) == ("bytes", 1)
    found = json.loads(run("compress", "survey.csv", "folder/a.csv", "--compare", "--json").out)
    assert (found["kind"], found["files"], found["units"]) == ("table", 2, 400)
    assert len(found["largest"]) == 2
    found = json.loads(run("compress", "survey.csv", "field.npy", "--compare", "--json").out)
    assert (found["kind"], found["files"], found["unit"]) == ("bytes", 2, "byte")
    assert found["units"] == sum(Path(name).stat().st_size for name in ("survey.csv", "field.npy"))


def test_pictures_that_come_back_with_other_bytes_are_compared_pixel_by_pixel(run: Run, files: Path) -> None:
    rows = RNG.integers(0, 65536, (9, 7, 3)).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    squeezed = zlib.compressobj(6, zlib.DEFLATED, 15, 8, zlib.Z_FIXED)  # as no writer does it that isthmus knows
    head = struct.pack(">IIBBBBB", 7, 9, 16, 2, 0, 0, 0)
    chunks = {b"IHDR": head, b"IDAT": squeezed.compress(raw[:99]) + squeezed.flush(zlib.Z_FULL_FLUSH)}
    chunks[b"IDAT"] += squeezed.compress(raw[99:]) + squeezed.flush()
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in {**chunks, b"IEND": b""}.items():
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    (files / "deep.png").write_bytes(content)
    assert "not byte for byte" in run("compress", "deep.png").err
    found = json.loads(run("compress", "deep.png", "--compare", "--json").out)
    assert [row["tool"] for row in found["tools"]] == ["isthmus (as a picture)"]
    assert "does not take these data" in found["left_out"]["PNG, optimised"]


def test_what_is_not_here_is_named_with_what_pip_installs(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> codecs.Coder:
        raise ImportError

    peers = (codecs.PEERS[0], codecs.Codec("snappy", "bytes", "python-snappy", absent))
    monkeypatch.setattr(codecs, "PEERS", peers)
    out = run("compress", "notes.txt", "--compare", "--report", "x.html").out
    assert "not installed, and so not compared: snappy; install them with: pip install python-snappy" in out
    assert "pip install python-snappy" in page_of("x.html").text


# ------------------------------------------------------------------ the page


@pytest.mark.parametrize("name", ["notes.txt", "survey.csv", "field.npy", "ramp.png"])
def test_the_page_stands_alone(name: str, run: Run, files: Path) -> None:
    ran = run("compress", name, "--compare", "--report", "out/sizes.html")
    assert ran.code == 0, ran.err
    assert "out/sizes.html (and sizes.json beside it)" in ran.out
    figures = json.loads((files / "out" / "sizes.json").read_text())
    page = page_of("out/sizes.html")
    assert f"Compressing {name}" in page.text
    for row in figures["tools"]:
        assert row["tool"] in page.text
        assert f"{row['compressed_bytes']:,}" in page.text
        assert row["version"] in page.text
    assert figures["command"] == f"isthmus compress {name} --compare --report out/sizes.html"
    if name == "survey.csv":
        assert set(figures["columns"]) > {"number", "name", "square"} or figures["unit"] == "byte"


def test_a_folder_gets_report_html_and_what_is_there_is_kept(run: Run, files: Path) -> None:
    (files / "out").mkdir()
    assert run("compress", "notes.txt", "--compare", "--report", "out").code == 0
    page = files / "out" / "report.html"
    content = page.read_bytes()
    ran = run("compress", "notes.txt", "--compare", "--report", "out")
    assert (ran.code, "exists already" in ran.err) == (2, True)
    assert page.read_bytes() == content
    assert run("compress", "notes.txt", "--compare", "--report", "out", "--force").code == 0


def test_an_empty_file_has_a_page(run: Run, files: Path) -> None:
    (files / "empty").touch()
    ran = run("compress", "empty", "--compare", "--report", "x.html")
    assert ran.code == 0, ran.err
    assert "There is nothing in it." in page_of("x.html").text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("notes.txt", "--report", "x.html"), 2, "nothing is compared; add --compare"),
        (("notes.txt", "--dry-run", "--compare", "--report", "x.html"), 2, "without --dry-run"),
        (("notes.txt", "--compare", "--report", "survey.csv"), 2, "--report must be a name that ends in .html"),
        (("no.txt", "--compare", "--report", "x.html"), 3, "no.txt"),
        (("-", "--compare", "--report", "x.html"), 2, "the standard input (-) goes alone"),
        (("-", "--max-error", "1", "-o", "x.isth"), 2, "--max-error is for arrays, and the standard input holds none"),
        (("notes.txt", "--compare", "--max-error", "1", "--report", "x.html"), 2, "--max-error is for arrays"),
        (
            ("field.npy", "--compare", "--psnr", "30", "--report", "x.html"),
            3,
            "samples of a photograph are whole numbers",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(
    arguments: tuple[str, ...], code: int, said: str, run: Run, files: Path
) -> None:
    before = sorted(files.iterdir())
    ran = run("compress", *arguments)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert said in ran.err
    assert sorted(files.iterdir()) == before


def test_names_from_outside_are_never_markup(run: Run, files: Path) -> None:
    (files / "<b>x.csv").write_text(ROWS.replace("square", "<i>&amp;"))
    assert run("compress", "<b>x.csv", "--compare", "--content", "table", "--report", "x.html").code == 0
    page = page_of("x.html")
    assert "<i>&amp;" in page.text
    assert "Compressing <b>x.csv" in page.text


def test_nothing_of_models_is_loaded_for_a_page(files: Path) -> None:
    script = (
        "import sys; from isthmus.cli import main; "
        "code = main('compress notes.txt --compare --report x.html'.split()); "
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas'} & set(sys.modules); sys.exit(str(heavy) if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, cwd=files, check=False
    )
    assert done.returncode == 0, done.stderr

"""The page and the files: whole, alone, safe, small and repeatable."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus.data
from isthmus.errors import OutputExistsError
from isthmus.report import Report, evaluate

EMPTY = {"meta", "link", "br", "img", "hr", "input", "path", "use", "rect", "image", "line", "circle"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and fails on a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone(any_kind: tuple[Any, Any, Any]) -> None:
    model, train, test = any_kind
    html = evaluate(model, test, baseline_data=train).to_html()
    assert len(html.encode()) < 5_000_000
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", html.replace("data:image/png;base64", ""))
    page = Page(html)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    references = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "data", "action")]
    assert references
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in references)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in references if value.startswith("#")} <= set(ids)
    assert {value[5:-1] for value in re.findall(r"url\(#[^)]*\)", html)} <= set(ids)
    for heading in ("Scores on held-out records", "Worst records", "The code", "Training", "The data", "Reproduce"):
        assert heading in page.text


def test_pictures_take_the_colours_of_the_page(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    html = evaluate(image_model, images[1], baseline_data=images[0]).to_html()
    style, rest = html.split("</style>", 1)
    assert "prefers-color-scheme: dark" in style
    assert "currentColor" in rest
    assert "#1b2330" not in rest
    assert html.count("<svg") == 6


def test_names_from_outside_are_never_markup(linear_model: Any) -> None:
    bad = "<script>alert('x')</script> & $\\frac{1}$"
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=[bad, "_hidden", "\x07bell"])
    table["kind"] = np.where(rng.random(60) < 0.5, bad, "b")
    data = isthmus.data.open(table, labels=np.where(rng.random(60) < 0.5, bad, "_other"))
    data.names = [bad] * 60
    data.source = bad
    report = evaluate(linear_model(latent_dim=2).fit(table), data, notes=[bad], command=bad)
    html = report.to_html()
    assert "<script" not in html
    page = Page(html)
    assert bad in page.text
    assert bad in report.to_dict()["commands"]["report"]


def test_letters_that_the_drawing_font_lacks(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    labels = np.where(images[2] % 2 == 0, "偶数", "奇数")
    assert "偶数" in evaluate(image_model, isthmus.data.open(images[1], labels=labels)).to_html()


def test_write_makes_a_page_and_its_figures(tmp_path: Path, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    report = evaluate(image_model, images[1][:40], baseline_data=images[0])
    page = report.write(tmp_path / "new" / "my.html")
    assert page == tmp_path / "new" / "my.html"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8")) == report.to_dict()
    assert sorted(path.name for path in page.parent.iterdir()) == ["my.html", "my.json"]
    assert report.write(tmp_path / "folder") == tmp_path / "folder" / "report.html"
    assert (tmp_path / "folder" / "report.json").exists()


@pytest.mark.parametrize("there", ["report.html", "report.json"])
def test_write_leaves_what_is_there(
    tmp_path: Path, image_model: Any, images: tuple[np.ndarray, ...], there: str
) -> None:
    report = evaluate(image_model, images[1][:20])
    report.to_html = lambda: "page"  # type: ignore[method-assign]
    (tmp_path / there).write_text("mine")
    with pytest.raises(OutputExistsError, match=f"{there} exists already; choose another name, or overwrite it with"):
        report.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"
    report.write(tmp_path, force=True)
    assert (tmp_path / there).read_text() != "mine"


def test_the_same_bytes_for_the_same_records(
    monkeypatch: pytest.MonkeyPatch, image_model: Any, images: tuple[np.ndarray, ...]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    first, second = (evaluate(image_model, images[1][:40]).to_html() for _ in range(2))
    assert first == second
    assert "on 1970-01-02" in first


def test_a_notebook_gets_a_frame(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    shown = evaluate(image_model, images[1][:20])._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')


@pytest.mark.long
def test_large_images_stay_small_on_the_page(linear_model: Any) -> None:
    rng = np.random.default_rng(0)
    photographs = rng.integers(0, 256, (6, 230, 300, 3), dtype=np.uint8)
    report = evaluate(linear_model(latent_dim=2).fit(photographs), photographs)
    assert len(report.to_html().encode()) < 5_000_000


def test_summary_lines_up(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    report: Report = evaluate(image_model, images[1], baseline_data=images[0])
    lines = report.summary().splitlines()
    assert lines[0] == "LinearModel, code of 8 for 64 values, fitted in 12 s"
    assert lines[1] == "200 held-out records (image, 8 × 8, uint8)"
    table = lines[3:8]
    assert [line.split("  ")[0] for line in table[1:]] == [
        "LinearModel", "PCA, 8 components", "k-means, 8 centres", "mean record",
    ]  # fmt: skip
    assert len({len(line) for line in table}) == 1
    assert max(map(len, lines)) <= 120
    assert lines[-2].startswith("On 200 held-out records")

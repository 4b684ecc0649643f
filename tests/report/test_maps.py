"""Maps to look at: every record is on the page once, colours mean what they say, and nothing is fetched."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus import data
from isthmus.report.maps import ABSENT, Colouring, MapView, map_page, map_picture
from isthmus.report.thumbnails import sheets_of


def written(html: str) -> dict:
    """Return what a page carries."""
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', html, re.DOTALL)[1])


def unpacked(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_points_classes_and_numbers_come_back_from_a_page(blobs):
    records = data.open(blobs)
    points = np.random.default_rng(0).normal(size=(200, 2)) * [3.0, 1.0]
    towns, scores = np.array(["Bern", "Oslo"])[np.arange(200) % 2], np.linspace(-1, 1, 200)
    scores[7] = np.nan
    colourings = [Colouring("town", towns), Colouring("score", scores)]
    html = map_page(records, [MapView("Map", points)], colourings, title="a <b>", sentence="200 & more")
    page = written(html)
    assert page["n"] == 200
    view = page["views"][0]
    shown = unpacked(view["points"], "<u2").reshape(-1, 2) / 65535
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(shown, (points - low) / (high - low), atol=1e-5)
    np.testing.assert_allclose(view["extent"], (high - low) / (high - low).max())
    classes, numbers = page["colourings"]
    assert [classes["names"][code] for code in unpacked(classes["codes"], "u1")] == towns.tolist()
    codes = unpacked(numbers["codes"], "u1")
    assert (numbers["low"], numbers["high"]) == (-1.0, 1.0)
    assert codes[7] == 255
    assert numbers["palette"][255] == ABSENT
    np.testing.assert_allclose(np.delete(codes, 7) / 254 * 2 - 1, np.delete(scores, 7), atol=0.005)
    assert [column["name"] for column in page["columns"]] == [str(i) for i in range(6)]
    assert page["columns"][2]["values"][5] == pytest.approx(blobs[5, 2], rel=1e-4)
    assert "<h1>a &lt;b&gt;</h1>" in html
    assert not re.search(r"""(?:src|href)=|https?:|@import|url\((?!\$)""", html)


def test_what_a_record_says_ends_no_script():
    table = pd.DataFrame({"note": ["</script><script>alert(1)</script>", "plain"] * 10, "n": range(20)})
    html = map_page(data.open(table), [MapView("Map", np.random.default_rng(0).normal(size=(20, 2)))], [], title="t")
    assert "</script><script>alert" not in html
    assert written(html)["columns"][0]["values"][0].startswith("</script>")


def test_thumbnails_are_the_pictures_in_order(digits):
    found = sheets_of(300, iter([digits[:120], digits[120:300]]), (8, 8))
    assert (found["width"], found["height"]) == (8, 8)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["sheets"][0].partition(",")[2]))).convert("L"))
    row, column = divmod(257, found["columns"])
    seen = sheet[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].astype(float)
    errors = [np.abs(seen - digits[i] * (255 / 16)).mean() for i in range(300)]
    assert np.argmin(errors) == 257


def test_sixty_thousand_pictures_make_a_page_of_few_megabytes():
    rng = np.random.default_rng(0)
    strokes = np.zeros((60_000, 28, 28), np.uint8)
    for shift in range(60):  # pictures that compress about as digits do
        strokes[shift::60, 4:24, 4 + shift % 20 : 8 + shift % 20] = 255
    points = rng.normal(size=(60_000, 2))
    views = [MapView("Map", points), MapView("PCA", points[::-1])]
    html = map_page(data.open(strokes), views, [Colouring("label", np.arange(60_000) % 10)], title="many")
    assert len(html) < 15e6
    page = written(html)
    each = page["thumbnails"]["columns"] * page["thumbnails"]["rows"]
    assert len(page["thumbnails"]["sheets"]) == -(-60_000 // each)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.arange(50) % 3, "classes"),
        (np.arange(50) % 2 == 0, "classes"),
        (np.array(["a", "b"] * 25), "classes"),
        (np.array(["a", None] * 25, dtype=object), "classes"),
        (np.linspace(0, 1, 50), "numbers"),
        (np.arange(50), "numbers"),
        (np.where(np.arange(50) % 2, 1.0, np.nan), "classes"),
        (np.array([f"id {i}" for i in range(50)]), "nothing"),
        (np.full(50, np.nan), "classes"),
    ],
)
def test_values_are_classes_or_numbers(values, kind):
    colouring = Colouring("what", values)
    assert colouring.usable() == (kind != "nothing")
    assert (colouring.classes is not None) == (kind == "classes")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pictures_are_drawn_side_by_side(count):
    points = np.random.default_rng(0).normal(size=(60, 2))
    views = [MapView(f"view {i}", points, "a note") for i in range(count)]
    for colouring in (Colouring("town", np.arange(60) % 4), Colouring("score", np.linspace(0, 1, 60))):
        figure = map_picture(views, colouring)
        titles = [axes.get_title() + axes.get_title(loc="left") for axes in figure.axes[:count]]
        assert titles == [view.title for view in views]
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        assert buffer.tell() > 1000

"""The page of restored pictures: what is shown of each, and that nothing is fetched from elsewhere."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isthmus.report.restoration import COLUMN, CROP, SIDE, compared, rendered

ABOUT: dict[str, Any] = {
    "verb": "denoise",
    "title": "Denoised: <a>.png",
    "done": "Noise was removed.",
    "caution": "Texture may be, too.",
    "enlarged": False,
    "count": 1,
    "megapixels": 0.5,
    "seconds": 2.0,
    "weights": "restorer_1",
    "digest": 64 * "a",
    "command": "isthmus denoise '<a>.png'",
    "isthmus": "1",
    "created": "2026-01-01",
}


def drawn(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def picture(height: int, width: int, dtype: str = "uint8", channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (height, width, channels)).astype(dtype)


def test_a_small_picture_is_shown_as_it_is_and_magnified() -> None:
    before, after = picture(20, 30), picture(20, 30) + 5
    [view] = compared("a", before, after, {}).views
    assert np.array_equal(drawn(view.before), before)
    assert np.array_equal(drawn(view.after), after)
    assert view.magnified == 10


def test_of_a_large_picture_the_whole_and_a_part_pixel_by_pixel_are_shown() -> None:
    before = np.zeros((COLUMN, 2 * SIDE), np.uint8)
    whole, part = compared("a", before, before, {}).views
    assert drawn(whole.before).shape == (COLUMN // 2, SIDE)
    assert drawn(part.before).shape == CROP
    assert (part.exact, part.title) == (True, "the middle, pixel by pixel")


def test_what_was_missing_is_white_and_the_part_lies_around_it() -> None:
    before = np.zeros((900, 1500), np.uint8)
    missing = np.zeros(before.shape, bool)
    missing[800:810, 1400:1410] = True
    _, part = compared("a", before, before, {}, missing=missing).views
    assert part.title.startswith("around what was missing")
    assert (drawn(part.before) == 255).sum() == 100
    assert (drawn(part.after) == 0).all()


def test_a_picture_that_was_enlarged_is_shown_beside_an_enlarged_one() -> None:
    found = compared("a", picture(10, 12), picture(40, 48), {})
    assert found.enlarged
    assert drawn(found.views[0].before).shape == (40, 48, 3)


@pytest.mark.parametrize(
    ("dtype", "channels"), [("uint16", 3), ("float32", 1), ("bool", 1), ("uint8", 2), ("uint8", 7)]
)
def test_pictures_of_every_kind_are_shown(dtype: str, channels: int) -> None:
    before = picture(9, 8, dtype, channels)
    if dtype == "float32":
        before[0, 0] = np.nan
    found = compared("a", before, np.nan_to_num(before), {})
    assert drawn(found.views[0].after).shape[:2] == (9, 8)
    assert found.deep == (dtype in ("uint16", "float32"))


def test_the_page_escapes_names_and_fetches_nothing() -> None:
    page = rendered(ABOUT, [compared("<b>.png", picture(4, 4), picture(4, 4), {"time": "<2> s"})])
    assert "&lt;a&gt;.png" in page
    assert "&lt;b&gt;.png" in page
    assert "<2>" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_the_page_says_how_many_pictures_it_leaves_out() -> None:
    assert "the first 0 of 3 pictures" in rendered(ABOUT | {"count": 3}, [])

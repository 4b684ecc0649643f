"""Sheets of pictures beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.report.gallery import DPI, in_pairs, titled_sheets


def test_every_picture_is_drawn_dot_by_dot_where_it_belongs(tmp_path: Path) -> None:
    black, white = np.zeros((6, 8, 8), np.uint8), np.full((6, 8, 8), 255, np.uint8)
    figure = titled_sheets({"none": black, "all": white}, columns=3, captions={"all": "of them"}, rows=("a", "b"))
    figure.savefig(tmp_path / "sheets.png", dpi=DPI, facecolor="white")
    with Image.open(tmp_path / "sheets.png") as picture:
        shown = np.asarray(picture.convert("L"))
    sheet = 3 * 60 + 4, 2 * 60 + 4  # dots across and down: pictures of 56 and gaps of 4
    assert shown.shape == (62 + sheet[1] + 20, 20 + 52 + sheet[0] + 36 + sheet[0] + 20)
    first = shown[62 : 62 + sheet[1], 72 : 72 + sheet[0]]
    assert (first == 0).sum() == 6 * 56 * 56
    assert (first[4:60, 4:60] == 0).all()
    assert (first[:4] == 255).all()
    assert (shown[62 : 62 + sheet[1], 72 + sheet[0] + 36 :] == 255).all()


def test_a_sheet_in_pairs_has_each_picture_above_its_counterpart() -> None:
    first = np.arange(7)[:, None, None] * np.ones((1, 2, 2), int)
    rows = in_pairs(first, first + 10, columns=3)
    assert rows[:, 0, 0].tolist() == [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15]

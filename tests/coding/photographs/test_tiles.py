"""Tiles: how a picture is cut, and that joining them leaves no seam."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from isthmus.coding.photographs.tiles import OVERLAP, PITCH, Canvas, Tile, tiles_of


@pytest.mark.parametrize("side", [1, 16, 17, 1040, 1041, 2064, 2065, 5000, 65535])
def test_tiles_cover_a_side_and_reach_into_the_next(side: int) -> None:
    found = tiles_of(side, 1)
    assert found[0].top == 0
    assert found[-1].top + found[-1].height == side
    assert len(found) == max(1, -(-(side - OVERLAP) // PITCH))
    for one, other in itertools.pairwise(found):
        assert one.top + one.height == other.top + OVERLAP
        assert PITCH // 2 <= other.top - one.top <= PITCH


def test_small_pictures_are_one_tile() -> None:
    assert tiles_of(1040, 1040) == [Tile(0, 0, 1040, 1040)]
    assert len(tiles_of(1041, 3000)) == 2 * 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_tiles_of_one_picture_are_that_picture(dtype: type[np.integer]) -> None:
    limits, rng = np.iinfo(dtype), np.random.default_rng(0)
    picture = rng.integers(limits.min, limits.max, (1050, 1100, 1), dtype, endpoint=True)
    canvas = Canvas(1050, 1100, 1, dtype)
    tiles = tiles_of(1050, 1100)
    for place in rng.permutation(len(tiles)):
        canvas.put(tiles[place], picture[tiles[place].window])
    assert np.array_equal(canvas.picture(), picture)


def test_one_tile_fades_into_the_other() -> None:
    canvas = Canvas(1, 1041, 1, np.uint8)
    for tile, value in zip(tiles_of(1, 1041), (0, 200), strict=True):
        canvas.put(tile, np.full((1, tile.width, 1), value, np.uint8))
    row = canvas.picture()[0, :, 0].astype(int)
    start = tiles_of(1, 1041)[1].left
    assert row[start - 1] == 0
    assert row[start + OVERLAP] == 200
    assert np.abs(np.diff(row)).max() <= 13
    assert np.array_equal(row[start : start + 16], (200 * np.arange(1, 32, 2) + 16) // 32)

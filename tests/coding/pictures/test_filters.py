"""Filters of PNG: against the standard's own words, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from isthmus.coding.pictures.filters import filtered, unfiltered

SHAPES = [
    (1, 1, 1),
    (1, 3, 3),
    (5, 6, 3),
    (17, 20, 4),
    (12, 7, 1),
    (3, 8, 8),
    (2, 6, 6),
]  # rows, bytes of a row and pixel


def by_the_standard(rows: NDArray[np.uint8], above: NDArray[np.uint8], kinds: list[int], pixel: int) -> list[list[int]]:
    """ISO/IEC 15948, 9.2: filtered bytes, one after another."""
    found, b_row = [], above.tolist()
    for row, kind in zip(rows.tolist(), kinds, strict=True):
        line = []
        for k, x in enumerate(row):
            a = row[k - pixel] if k >= pixel else 0
            b, c = b_row[k], b_row[k - pixel] if k >= pixel else 0
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
            line.append((x - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        found.append(line)
        b_row = row
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, None])
def test_rows_are_filtered_by_the_standard_and_come_back(shape: tuple[int, int, int], kind: int | None) -> None:
    count, length, pixel = shape
    rng = np.random.default_rng(length)
    rows, above = (rng.integers(0, 256, size).astype(np.uint8) for size in ((count, length), length))
    kinds = rng.integers(0, 5, count).astype(np.uint8) if kind is None else np.full(count, kind, np.uint8)
    found = filtered(rows, above, kinds, pixel)
    assert found.tolist() == by_the_standard(rows, above, kinds.tolist(), pixel)
    assert (unfiltered(found, above, kinds, pixel) == rows).all()

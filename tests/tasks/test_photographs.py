"""Photographs by the quick encoder, with the weights that ship."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import isthmus

SIZES = [(1, 1), (23, 5), (32, 32), (7, 162), (100, 75), (112, 130), (200, 200), (262, 41)]


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(1e-2, np.mean((one.astype(float) - other) ** 2)))


def there_and_back(picture: np.ndarray, quality: int) -> np.ndarray:
    return isthmus.decompress(isthmus.compress_photograph(picture, quality=quality, lossy=True).data)


@pytest.fixture(scope="module")
def temple() -> np.ndarray:
    """Return a part of a photograph that is full of detail, (320, 320, 3)."""
    return np.ascontiguousarray(load_sample_image("china.jpg")[100:420, 150:470])


@pytest.mark.parametrize(("height", "width"), SIZES, ids=lambda side: str(side))
@pytest.mark.parametrize(("quality", "floor"), [(50, 27), (90, 33)])
def test_pictures_of_any_size_come_back(temple: np.ndarray, height: int, width: int, quality: int, floor: int) -> None:
    part = temple[50 : 50 + height, 50 : 50 + width]
    back = there_and_back(part, quality)
    assert decibels(back, part) > floor
    blocks = [(slice(y, y + 16), slice(x, x + 16)) for y in range(0, height, 16) for x in range(0, width, 16)]
    assert min(decibels(back[block], part[block]) for block in blocks) > floor - 6


def test_noise_comes_back_the_better_the_higher_the_quality(temple: np.ndarray) -> None:
    noise = 10 * np.random.default_rng(0).standard_normal((128, 128, 3))
    noisy = np.clip(temple[:128, :128] + noise, 0, 255).round().astype(np.uint8)
    assert decibels(there_and_back(noisy, 70), noisy) > 30
    assert decibels(there_and_back(noisy, 100), noisy) > 37

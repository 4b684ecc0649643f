"""Picture formats with a loss, at several qualities and at a size."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from isthmus.peers import at_size, fairest, rates_of_formats, settings_of

RNG = np.random.default_rng(0)
RAMP = (np.add.outer(np.arange(24), np.arange(24)) * 5).astype(np.uint8)
PICTURES = [np.roll(RAMP, shift, 1) for shift in range(5)]
NOISY = [(RNG.normal(128, 40, (24, 24)).clip(0, 255)).astype(np.uint8) for _ in range(5)]  # sizes grow with quality


def decibels(error: float) -> float:
    return 10 * math.log10(255**2 / error) if error else 120.0


def test_rates_are_those_of_files_that_pillow_writes() -> None:
    found = {(rate.tool, rate.quality): rate for rate in rates_of_formats(PICTURES, decibels)}
    files = []
    for picture in PICTURES:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", optimize=True, quality=30)
        files.append(file)
    back = [np.asarray(Image.open(file)) for file in files]
    error = np.mean([np.square(a.astype(float) - b).mean() for a, b in zip(PICTURES, back, strict=True)])
    rate = found["JPEG, a file each", 30]
    assert rate.compressed_bytes == sum(len(file.getvalue()) for file in files)
    assert rate.psnr == pytest.approx(decibels(float(error)))
    assert {tool for tool, _ in found} >= {"JPEG, one sheet", "WebP, a file each", "WebP, one sheet"}


def test_pictures_of_several_sizes_have_no_sheet() -> None:
    settings = settings_of([RAMP, RAMP[:10]])
    assert {setting.what for setting in settings} == {"a file each"} == {one.what for one in fairest(settings)}
    assert {one.what for one in fairest(settings_of(PICTURES))} == {"one sheet"}


@pytest.mark.parametrize(
    "pictures", [[], [RAMP.astype(np.uint16)], [RAMP.astype(float)], [np.zeros((4, 4, 5), np.uint8)]]
)
def test_what_these_formats_do_not_hold_gives_nothing(pictures: list[np.ndarray]) -> None:
    assert rates_of_formats(pictures, decibels) == []


def test_at_a_size_is_the_best_quality_that_fits() -> None:
    setting = next(one for one in settings_of(NOISY) if one.tool == "JPEG, one sheet")
    limit = sum(map(len, setting.encoded(60)))
    found = at_size(setting, limit, decibels, 3)
    assert found.rate.quality >= 60
    assert found.rate.compressed_bytes <= limit < sum(map(len, setting.encoded(found.rate.quality + 1)))
    assert len(found.pictures) == 3
    assert found.pictures[1].shape == RAMP.shape
    error = np.mean([np.square(a.astype(float) - b).mean() for a, b in zip(found.pictures, NOISY, strict=False)])
    assert error < np.square(NOISY[0].astype(float) - NOISY[1]).mean() / 4
    assert at_size(setting, 1, decibels, 1).rate.quality == 1

"""The benchmark of restoration damages and scores pictures as it says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import restoration
import restoration_sets as sets

GREY = np.add.outer(np.arange(61), np.arange(83)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def test_decibels_are_those_of_the_mean_squared_error_on_a_scale_of_255() -> None:
    assert sets.psnr(GREY, GREY + 1.0) == pytest.approx(20 * np.log10(255))
    assert sets.psnr(GREY, GREY + 255.0) == pytest.approx(0)
    assert sets.psnr(GREY, GREY) == float("inf")
    assert sets.psnr(np.zeros(4, np.uint8), np.full(4, 255, np.uint8)) == pytest.approx(0)  # bytes do not wrap


def test_luma_runs_from_16_to_235_and_weighs_green_most() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert sets.luma(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_noise_is_neither_clipped_nor_rounded_and_always_the_same() -> None:
    black = np.zeros((200, 200), np.uint8)
    case = sets.noisy(black, 3, sigma=25)
    assert case.damaged.dtype == np.float32
    assert case.damaged.min() < -50
    assert case.damaged.std() == pytest.approx(25, rel=0.02)
    assert np.array_equal(case.damaged, sets.noisy(black, 3, sigma=25).damaged)
    assert not np.array_equal(case.damaged, sets.noisy(black, 4, sigma=25).damaged)


@pytest.mark.parametrize("scale", sets.SCALES)
def test_a_reduced_picture_is_scored_on_what_can_be_divided_and_without_its_border(scale: int) -> None:
    case = sets.reduced(COLOUR, 0, scale=scale)
    height, width = 61 // scale, 83 // scale
    assert case.damaged.shape == (height, width, 3)
    assert case.clean.shape == case.untouched().shape == (height * scale, width * scale, 3)
    border = case.clean.copy()
    border[:scale] = border[:, -scale:] = 255 - border[0, 0]
    assert case.score(border) == float("inf")
    border[scale, scale] ^= 128
    assert case.score(border) < 60


def test_a_picture_of_another_shape_is_not_scored() -> None:
    with pytest.raises(SystemExit, match="came back as one of"):
        sets.saved(GREY, 0, quality=20).score(GREY[1:])


def test_half_of_the_pixels_are_missing_and_a_text_covers_some_in_every_part() -> None:
    picture = np.full((256, 256), 200, np.uint8)
    half, text = sets.sparse(picture, 0), sets.written_over(picture, 0)
    assert half.known is not None
    assert half.known.mean() == pytest.approx(0.5, abs=0.01)
    assert text.known is not None
    assert 0.05 < 1 - text.known.mean() < 0.3
    quarters = text.known.reshape(4, 64, 4, 64).mean((1, 3))
    assert quarters.max() < 0.97
    for case in (half, text):
        assert set(np.unique(case.damaged[case.known])) == {200}
        assert set(np.unique(case.damaged[~case.known])) == {0}


def test_a_method_that_had_some_of_the_pictures_is_compared_on_those() -> None:
    its = {
        "isthmus": restoration.decibels({"a": 30.0, "b": 20.0}),
        "BM3D": restoration.decibels({"a": 29.0}),
    }
    assert restoration.gain(its, "BM3D") == 1
    assert restoration.gain(its, "TV") is None
    assert restoration._means({"row": its}, "BM3D") == "29.00 (on 1 pictures; isthmus 30.00)"
    assert restoration._means({"row": its}, "isthmus") == "25.00"


def test_figures_of_other_weights_are_not_kept() -> None:
    row = {"isthmus": {"mean": 1.0}, "BM3D": {"mean": 2.0}}
    found = {"weights": "old", "published": {}, "denoise-grey": {"BSD68, sigma 25": row}, "sizes": {"1x1": True}}
    assert restoration.kept(found, "old") == found
    assert restoration.kept(found, "new") == {"denoise-grey": {"BSD68, sigma 25": {"BM3D": {"mean": 2.0}}}}


def test_a_table_is_made_of_what_was_measured() -> None:
    values = {"isthmus": restoration.decibels({"a": 28.0}), "JPEG": restoration.decibels({"a": 27.5})}
    report = restoration.harness.Report("restoration", {}, {}, measurements={"jpeg": {"JPEG quality 10": values}})
    restoration.claims(report, report.measurements)
    document = {"benchmark": report.name, "claims": [vars(claim) for claim in report.claims]}
    lines = restoration.markdown(document | {"measurements": report.measurements})
    line = next(line for line in lines if "grey JPEG" in line)
    assert "| 28.00, -, - | JPEG 27.50, -, - |" in line
    assert "**missed**" in line

"""Integer tables: logarithms, roots and distributions, against closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from isthmus.coding.photographs import tables
from isthmus.coding.photographs.tables import PLAIN_INDEX, distribution, distributions
from isthmus.coding.photographs.weights import between
from isthmus.coding.reference.photograph import RangeEncoder, code_value, compand


def scale(index: int) -> float:
    return 2 ** ((index - 32) / 8)


def test_every_value_of_every_distribution_can_be_coded() -> None:
    for index in range(PLAIN_INDEX + 1):
        for rest in range(-8, 8):
            window, cumulative = distribution(index, rest)
            assert len(cumulative) == 2 * window + 4
            assert (cumulative[0], cumulative[-1]) == (0, 65536)
            assert min(b - a for a, b in itertools.pairwise(cumulative)) >= 1


def test_tables_are_inside_of_what_is_kept() -> None:
    found = distributions()
    ends = found.offsets + 16 * (2 * found.windows + 2)
    assert ends[-1] == len(found.cumulative)
    assert (ends[:-1] == found.offsets[1:]).all()


@pytest.mark.parametrize("index", [0, 9, 32, 50, 56])
@pytest.mark.parametrize("rest", [-8, 0, 5])
def test_a_distribution_is_that_of_laplace(index: int, rest: int) -> None:
    window, cumulative = distribution(index, rest)
    edges = np.arange(-window, window + 2) - 0.5 - rest / 16
    half = 0.5 * np.exp(-np.abs(edges) / scale(index))
    mass = np.diff([0, *np.where(edges < 0, half, 1 - half), 1])
    coded = np.diff(cumulative) / 65536
    # What a value costs more than it has to, on average, in bits: one of 65536 is kept for each of the window.
    assert (mass * np.log2(mass / coded)).sum() < 1.5 * (2 * window + 3) / 65536 + 1e-4


def test_scales_that_are_large_leave_the_lowest_bits_as_they_are() -> None:
    for index in (PLAIN_INDEX + 1, 64, 65, 112):
        b = scale(index)
        values = np.rint(np.random.default_rng(index).laplace(0.3, b, 3000)).astype(int)
        encoder = RangeEncoder()
        for value in values.tolist():
            code_value(encoder, value, 5, index)
        entropy = math.log2(2 * math.e * b)
        assert 8 * len(encoder.end()) / len(values) == pytest.approx(entropy, abs=0.08)


def test_roots_and_logarithms() -> None:
    assert [tables.exp2(n * 65536) for n in (-20, -3, 0, 8)] == [1, 1 << 17, 1 << 20, 1 << 28]
    assert tables.exp2(65536 // 2) == math.floor(math.sqrt(2) * 2**20)
    known = tables.logarithms()
    assert known[[0, 1, 3, 1023, 4095]].tolist() == [0, 512, 1024, 5120, 6144]
    assert compand(np.array([-1, 0, 7, 9999, -32768])).tolist() == [-512, 0, 1536, 6144, -6144]


def test_between_anchors_numbers_are_linear_and_rounded_down() -> None:
    anchors = np.arange(8)[:, None] * np.array([255, -10, 2**29]) - np.array([0, 0, 2**31])
    found = np.array([between(anchors, quality) for quality in range(256)])
    exact = anchors[0] + np.arange(256)[:, None] * 7 * np.array([255, -10, 2**29]) // 255
    assert (found == exact).all()


def test_powers_of_two_are_exact_to_their_last_digits() -> None:
    for logarithm in (-15.9, -6.25, -1 / 3, 0.001, 2.71828, 7.99):
        found = tables.exp2(round(logarithm * 65536)) / 2**20
        assert found == pytest.approx(2**logarithm, rel=2e-5, abs=2**-20)

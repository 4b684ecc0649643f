"""Bjontegaard's rate against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.metrics import bd_rate

QUALITIES = np.array([26.0, 29.5, 33.0, 36.0, 41.0])
RATES = np.array([0.1, 0.24, 0.5, 0.9, 2.1])


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.0, 1.7])
def test_constant_ratio_of_rates_is_returned(ratio: float) -> None:
    assert bd_rate(ratio * RATES, QUALITIES, RATES, QUALITIES) == pytest.approx(ratio - 1, abs=1e-12)


def test_straight_curves_in_closed_form() -> None:
    """Logarithms that are linear, of other slopes: the mean of their difference where both are known."""
    ours, theirs = np.array([30.0, 33.0, 38.0]), np.array([28.0, 31.0, 36.0])
    # ln of the rates: .2 q - 7 and .3 q - 10, known together from 30 to 36, where the mean of q is 33.
    expected = math.exp((0.2 - 0.3) * 33 + 3) - 1
    assert bd_rate(np.exp(0.2 * ours - 7), ours, np.exp(0.3 * theirs - 10), theirs) == pytest.approx(expected, rel=1e-9)


def test_turned_around_it_is_the_inverse() -> None:
    other = RATES * np.linspace(1.1, 1.5, 5)
    one = bd_rate(RATES, QUALITIES, other, QUALITIES + 0.3)
    assert (1 + one) * (1 + bd_rate(other, QUALITIES + 0.3, RATES, QUALITIES)) == pytest.approx(1, rel=1e-12)


def test_order_of_points_is_no_matter() -> None:
    turned = [3, 0, 4, 1, 2]
    expected = bd_rate(RATES, QUALITIES, 1.3 * RATES**1.1, QUALITIES - 0.4)
    assert bd_rate(RATES[turned], QUALITIES[turned], 1.3 * RATES**1.1, QUALITIES - 0.4) == expected


def test_nothing_in_common_is_no_number() -> None:
    assert math.isnan(bd_rate(RATES, QUALITIES, RATES, QUALITIES + 100))
    assert math.isnan(bd_rate([1], [30], RATES, QUALITIES))


def test_only_what_both_reach_is_compared() -> None:
    assert bd_rate(0.8 * RATES[1:], QUALITIES[1:], RATES, QUALITIES) == pytest.approx(-0.2, abs=0.01)

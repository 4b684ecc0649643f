"""How many bytes one codec needs against another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.metrics import bd_rate

RATES, QUALITIES = np.array([0.2, 0.5, 1.0, 2.0]), np.array([28.0, 32.0, 35.0, 38.0])


def test_a_codec_that_needs_a_share_less() -> None:
    assert bd_rate(RATES, QUALITIES, RATES, QUALITIES) == pytest.approx(0)
    assert bd_rate(0.8 * RATES, QUALITIES, RATES, QUALITIES) == pytest.approx(-0.2)
    assert bd_rate(RATES[::-1], QUALITIES[::-1], 0.5 * RATES, QUALITIES) == pytest.approx(1)


def test_only_what_both_reach_is_compared() -> None:
    assert bd_rate(0.8 * RATES[1:], QUALITIES[1:], RATES, QUALITIES) == pytest.approx(-0.2, abs=0.01)
    assert math.isnan(bd_rate(RATES, QUALITIES + 20, RATES, QUALITIES))
    assert math.isnan(bd_rate(RATES[:1], QUALITIES[:1], RATES, QUALITIES))

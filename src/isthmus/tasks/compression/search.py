"""A whole number between two ends, at which something that falls is as near above zero as it can be."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["last_good"]

FIRST_STRIDE = 24
TRIES = 24
NEAREST = 0.03  # share of what lies between two ends that is kept from each


def last_good(
    margin: Callable[[int], float], start: int, low: int, high: int, *, tolerance: float, slope: float
) -> int | None:
    """Return the largest number found with a margin that is not negative; None if ``low`` has none.

    Regula falsi between ends that are sought by growing strides, for a margin costs a pass over all data. The margin of
    an end that stays is halved each time (Dowell and Jarratt's Illinois method, BIT 1971), so that both ends move.

    Parameters
    ----------
    margin : callable
        Falls, more or less.
    start : int
        Where it is expected to be near zero.
    low, high : int
        The ends.
    tolerance : float
        A margin that is small enough.
    slope : float
        How much the margin falls with each step, about.
    """
    good: tuple[int, float] | None = None
    bad: tuple[int, float] | None = None
    here, stride = min(max(start, low), high), FIRST_STRIDE
    for _ in range(TRIES):
        found = margin(here)
        if found >= 0:
            good, bad = (here, found), bad and (bad[0], bad[1] / 2)
            if found <= tolerance or here == high:
                return here
        else:
            good, bad = good and (good[0], good[1] / 2), (here, found)
            if here == low:
                return None
        if good and bad:
            if bad[0] - good[0] <= 1:
                break
            here = _between(good, bad)
        else:
            leap = max(stride, round(abs(found) / slope))
            here, stride = min(max(here + (leap if found >= 0 else -leap), low), high), 2 * stride
    if good is None and margin(low) >= 0:
        return low
    return None if good is None else good[0]


def _between(good: tuple[int, float], bad: tuple[int, float]) -> int:
    """Return where a line through both is zero, inside and not too near an end."""
    reach = bad[0] - good[0]
    share = good[1] / max(good[1] - bad[1], 1e-12)
    return good[0] + min(max(round(min(max(share, NEAREST), 1 - NEAREST) * reach), 1), reach - 1)

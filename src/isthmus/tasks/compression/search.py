"""A whole number between two ends, at which something that falls is as near above zero as it can be."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["last_good"]

FIRST_STRIDE = 24
TRIES = 16


def last_good(
    margin: Callable[[int], float], start: int, low: int, high: int, *, tolerance: float, slope: float
) -> int | None:
    """Return the largest number found with a margin that is not negative; None if ``low`` has none.

    Regula falsi between ends that are sought by growing strides: a margin costs a pass over all data.

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
            good = (here, found) if good is None or here > good[0] else good
            if found <= tolerance or here == high:
                break
        else:
            bad = here, found
            if here == low:
                return None
        if good and bad:
            if bad[0] - good[0] <= 1:
                break
            here = _between(good, bad)
            continue
        leap = round(abs(found) / slope)
        here += max(1, min(leap + 1, 4 * stride)) if found >= 0 else -max(stride, leap + 1)
        here, stride = min(max(here, low), high), 2 * stride
    if good is None:
        good = (low, margin(low))
        return low if good[1] >= 0 else None
    return good[0]


def _between(good: tuple[int, float], bad: tuple[int, float]) -> int:
    """Return where a line through both is zero, inside and not too near an end."""
    reach = bad[0] - good[0]
    share = good[1] / max(good[1] - bad[1], 1e-12)
    return good[0] + min(max(round(min(max(share, 0.05), 0.95) * reach), 1), reach - 1)

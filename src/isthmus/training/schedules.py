"""Learning-rate schedule: one cycle, as a function of the share of the budget that is spent."""

from __future__ import annotations

__all__ = ["constant", "one_cycle"]

WARM_UP = 0.1


def one_cycle(progress: float, *, warm_up: float = WARM_UP) -> float:
    """Return the factor on the peak learning rate: a straight line up, then a straight line down to zero.

    The shape is that of Smith and Topin, "Super-Convergence" (2018), section 3, without the last, flat stretch.
    It depends on the share of the budget spent and not on the step, so a budget in seconds also ends at zero.

    Parameters
    ----------
    progress : float
        Share of the budget spent, in [0, 1].
    warm_up : float, default=0.1
        Share of the budget during which the rate rises.

    Returns
    -------
    float
        In [0, 1].
    """
    if progress < warm_up:
        return progress / warm_up
    return max(0.0, (1.0 - progress) / (1.0 - warm_up))


def constant(progress: float) -> float:
    """Return 1: a constant rate."""
    return 1.0

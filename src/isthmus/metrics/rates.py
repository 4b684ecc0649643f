"""How many bytes one codec needs against another for the same quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["bd_rate"]


def bd_rate(rates: ArrayLike, qualities: ArrayLike, other_rates: ArrayLike, other_qualities: ArrayLike) -> float:
    """Return how much more of its rate a codec needs than another one for the same quality, on the mean.

    Logarithms of rates are interpolated over the quality by monotone cubics, and compared where both are known.

    Parameters
    ----------
    rates, qualities : array-like, shape (n,)
        Points of the curve of the codec, in any order: bits a pixel, and PSNR or another quality; n is 2 at least.
    other_rates, other_qualities : array-like, shape (m,)
        The same of the other one.

    Returns
    -------
    float
        A share: -0.2 where it needs a fifth less. NaN where no quality is reached by both.

    References
    ----------
    Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001.

    Examples
    --------
    >>> round(bd_rate([1, 2, 4], [30, 35, 40], [2, 4, 8], [30, 35, 40]), 6)
    -0.5
    """
    from scipy.interpolate import PchipInterpolator

    curves = []
    for rate, quality in ((rates, qualities), (other_rates, other_qualities)):
        known, places = np.unique(np.asarray(quality, np.float64), return_index=True)
        if len(known) < 2:
            return float("nan")
        curves.append((known, PchipInterpolator(known, np.log(np.asarray(rate, np.float64)[places]))))
    low, high = max(known[0] for known, _ in curves), min(known[-1] for known, _ in curves)
    if low >= high:
        return float("nan")
    own, other = (float(curve.integrate(low, high)) / (high - low) for _, curve in curves)
    return float(np.expm1(own - other))

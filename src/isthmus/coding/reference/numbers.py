"""Probabilities, the logarithms of their odds in units of 1/256, and hashes: integers all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "MASK", "RATES", "Adaptive", "Curves", "clip", "dot", "learn", "mix", "squash", "stretch"]

LIMIT = 2815
KNOTS = (
    *(32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030),
    *(64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508),
    *(65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535),
)  # of 65536 / (1 + exp(-x / 256)) at every 64th x, rounded


def squash(x: int) -> int:
    """Return the probability whose log odds are ``x`` (clipped to LIMIT on both sides)."""
    knot, part = divmod(min(abs(x), LIMIT), 64)
    p = (KNOTS[knot] * (64 - part) + KNOTS[knot + 1] * part) // 64
    return p if x >= 0 else 65536 - p


def _stretched() -> list[int]:
    """Return, for each 16th probability, the least log odds whose probability is not below its middle."""
    found, x = [], -LIMIT
    for i in range(4096):
        while x < LIMIT and squash(x) < 16 * i + 8:
            x += 1
        found.append(x)
    return found


STRETCHED = _stretched()


def stretch(p: int) -> int:
    """Return the log odds of a probability."""
    return STRETCHED[p >> 4]


def clip(x: int) -> int:
    """Return log odds within LIMIT."""
    return max(-LIMIT, min(LIMIT, x))


def mix(a: int, b: int) -> int:
    """Return a hash of two numbers."""
    h = (a + b + 1) * 0x9E3779B97F4A7C15 & MASK
    h = (h ^ h >> 29) * 0xD6E8FEB86659FD93 & MASK
    return h ^ h >> 32


MASK = 2**64 - 1
RATES = [131072 // (2 * n + 3) for n in range(401)]  # 65536 / (n + 1.5): the mean of what was seen so far


class Adaptive:
    """Probabilities that move towards the bits that followed, by less the more they have seen."""

    def __init__(self, start: list[int], most: int = 400) -> None:
        self.p = [p << 6 for p in start]
        self.n = [0] * len(start)
        self.most = most

    def take(self, kept: NDArray[np.uint32]) -> None:
        """Take over probabilities of 22 bits, each with the bits that it saw in the ten bits below."""
        self.p, self.n = (kept >> 10).tolist(), (kept & 1023).tolist()

    def kept(self) -> NDArray[np.uint32]:
        """Return what :meth:`take` takes."""
        return (np.array(self.p) << 10 | np.array(self.n)).astype(np.uint32)

    def __getitem__(self, place: int) -> int:
        return self.p[place] >> 6

    def adapt(self, place: int, bit: bool) -> None:
        """Move one towards a bit."""
        target = 2**22 - 1 if bit else 0
        self.p[place] += (target - self.p[place]) * RATES[self.n[place]] >> 16
        self.n[place] += self.n[place] < self.most


class Curves:
    """What a probability was worth so far: in each of some contexts a curve through 33 points over the log odds.

    Parameters
    ----------
    count : int
        Of contexts.
    """

    def __init__(self, count: int) -> None:
        self.p = [squash((knot - 16) * APM_STEP) for knot in range(APM_KNOTS)] * count
        self.nearest = 0

    def at(self, context: int, odds: int) -> int:
        """Return the probability on a curve, and remember the nearer of the two neighbours."""
        knot, part = divmod(odds + LIMIT + 1, APM_STEP)
        at = context * APM_KNOTS + knot
        self.nearest = at + (part > APM_STEP // 2)
        return (self.p[at] * (APM_STEP - part) + self.p[at + 1] * part) // APM_STEP

    def adapt(self, bit: int) -> None:
        """Move the neighbour that was nearer towards a bit."""
        step = (65535 if bit else 0) - self.p[self.nearest]
        self.p[self.nearest] += step // 48 if step >= 0 else -(-step // 48)


APM_STEP, APM_KNOTS = 176, 33


def dot(inputs: NDArray[np.int64], weights: NDArray[np.int64]) -> int:
    """Return a sum of products, each of them and the whole divided by 256 and rounded down."""
    return int((inputs * weights >> 8).sum()) >> 8


def learn(weights: NDArray[np.int64], inputs: NDArray[np.int64], error: int) -> None:
    """Move weights, in place, against the error; each stays within 8 (65536 is one)."""
    weights += (inputs * error + (1 << 13)) >> 14
    np.clip(weights, -(1 << 19), 1 << 19, out=weights)

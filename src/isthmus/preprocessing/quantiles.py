"""Quantile transform of any distribution to the standard normal and back, linear between quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.errors import ArtifactError

__all__ = ["PARTS", "QUANTILE_SAMPLE", "QuantileMap"]

PARTS = ("values", "scores", "first", "last")  # of a map, in order

QUANTILE_SAMPLE = 10_000  # records that quantiles are taken from
KNOTS, FEWEST_KNOTS = 1000, 16
BETWEEN = 30  # records of the sample between two knots: fewer, and a density by the slope would be that of the sample

Float64 = NDArray[np.float64]


TIED, TIED_RECORDS = 0.005, 5  # share of a value, and records with it, from which it has scores of its own
OWN = 0.99  # of its share; the rest leads to the values beside it


@dataclass(frozen=True, slots=True, eq=False)
class QuantileMap:
    """A strictly increasing, piecewise linear map from one column's values to standard normal scores.

    Between two knots it is a straight line; outside all of them a line of the mean slope goes on, so that values beyond
    those of training are told apart too. Being strictly increasing, it has an exact inverse. A value that is a knot,
    such as each one of a column with few distinct values for its records, comes back bit for bit.

    A value that many records share has a stretch of scores: its own is in the middle, and all of them lead back to it.
    So a score that is a little off, as a model draws it, is that value and not one beside it.

    Parameters
    ----------
    values, scores : ndarray of float64, shape (k,)
        The knots, strictly increasing; the scores are exact in 32-bit floats.
    first, last : ndarray of float64, shape (k,)
        Ends of the stretch of scores of each knot; where it has none, both are its score.
    """

    values: Float64
    scores: Float64
    first: Float64
    last: Float64

    @classmethod
    def fit(cls, sample: NDArray[np.floating], low: float, high: float) -> QuantileMap:
        """Return the map that makes a sample standard normal.

        Parameters
        ----------
        sample : ndarray, shape (n,)
            Values of one column, finite, at least one.
        low, high : float
            The column's smallest and largest value, in the sample or not.
        """
        ordered = np.sort(sample.astype(np.float64))
        knots = np.unique(ordered)
        most = int(np.clip(len(ordered) // BETWEEN, FEWEST_KNOTS, KNOTS))
        if len(knots) > most:
            ranks = np.linspace(0, len(ordered) - 1, most).round().astype(np.intp)
            knots = np.unique(ordered[ranks])
        # The mid-rank: half of a value's repetitions lie below it.
        below, upto = (np.searchsorted(ordered, knots, side) / len(ordered) for side in ("left", "right"))
        chances, shares = (below + upto) / 2, upto - below
        shares = np.where(shares >= max(TIED, TIED_RECORDS / len(ordered)), OWN * shares, 0.0)
        end = 0.25 / len(ordered)
        if low < knots[0]:  # below the sample, and below the stretch of the sample's lowest value
            chance = min(end, (chances[0] - shares[0] / 2) / 2)
            knots, chances, shares = np.append(low, knots), np.append(chance, chances), np.append(0.0, shares)
        if high > knots[-1]:
            chance = 1 - min(end, (1 - chances[-1] - shares[-1] / 2) / 2)
            knots, chances, shares = np.append(knots, high), np.append(chances, chance), np.append(shares, 0.0)
        start, stop = chances - shares / 2, chances + shares / 2
        if shares[0] > 0:  # nothing lies below it
            start[0] = end
        if shares[-1] > 0:
            stop[-1] = 1 - end
        scores = _scores(chances).astype(np.float32).astype(np.float64)
        return cls(knots, scores, *(np.where(shares > 0, _scores(ends), scores) for ends in (start, stop)))

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> QuantileMap:
        """Return the map that :meth:`state` described; earlier files have no stretches, the last two of :data:`PARTS`.

        Raises
        ------
        ArtifactError
            The arrays are no map.
        """
        values = documents.array(arrays, "values", (None,))
        scores = documents.array(arrays, "scores", values.shape)
        first, last = (documents.array(arrays, name, values.shape) if name in arrays else scores for name in PARTS[2:])
        if not len(values) or (np.diff(values) <= 0).any() or (np.diff(scores) <= 0).any():
            raise ArtifactError("its quantiles must rise, and be one at least")
        return cls(values, scores, first, last)

    def state(self) -> documents.State:
        """Return the arrays that :data:`PARTS` names."""
        return {}, {name: getattr(self, name) for name in PARTS}

    @property
    def slope(self) -> float:
        """The slope beyond the outer knots, in scores per unit."""
        if len(self.values) == 1:
            return 1.0
        return float((self.scores[-1] - self.scores[0]) / (self.values[-1] - self.values[0]))

    def log_slopes(self) -> tuple[Float64, Float64]:
        """Return edges of scores, rising, (k + 1,), and between them the logarithm of scores per unit, (k + 2,).

        One stretch of scores, and of values, belongs to each knot: from halfway to the one below to halfway to the one
        above. A density of scores times this is a density of values, of shared values too: what is told of their
        stretch of scores is spread over their stretch of values.
        """
        outside = np.log(self.slope)
        if len(self.values) == 1:
            return np.repeat(self.scores, 2), np.repeat(outside, 3)
        between = (self.last[:-1] + self.first[1:]) / 2
        middles = (self.values[:-1] + self.values[1:]) / 2
        low, high = 2 * self.scores[0] - between[0], 2 * self.scores[-1] - between[-1]
        edges = np.concatenate([[low], between, [high]])
        ends = np.concatenate([[2 * self.values[0] - middles[0]], middles, [2 * self.values[-1] - middles[-1]]])
        slopes = np.log(np.diff(edges)) - np.log(np.diff(ends))
        return edges, np.concatenate([[outside], slopes, [outside]])

    def forward(self, x: Float64) -> Float64:
        """Return the scores of values, any shape."""
        at = np.clip(np.searchsorted(self.values, x, "right") - 1, 0, len(self.values) - 1)
        following = np.minimum(at + 1, len(self.values) - 1)
        gap = self.values[following] - self.values[at]
        share = np.clip(np.divide(x - self.values[at], gap, out=np.zeros_like(x), where=gap > 0), 0, 1)
        between = self.last[at] + share * (self.first[following] - self.last[at])
        inside = np.where(share == 0, self.scores[at], between)
        inside = np.where(x < self.values[0], self.first[0], np.where(x > self.values[-1], self.last[-1], inside))
        return inside + (x - np.clip(x, self.values[0], self.values[-1])) * self.slope

    def inverse(self, z: Float64) -> Float64:
        """Return the values of scores, any shape."""
        stretches = np.stack([self.first, self.last], 1).ravel()
        inside = np.interp(z, stretches, np.repeat(self.values, 2))
        return inside + (z - np.clip(z, stretches[0], stretches[-1])) / self.slope


def _scores(chances: Float64) -> Float64:
    normal = NormalDist()
    return np.array([normal.inv_cdf(p) for p in chances])
